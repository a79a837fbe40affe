"""RiBa and direct debits: what is presented, in which slip, and what comes back."""

from __future__ import annotations

import numpy as np
import polars as pl

from saldo.simulation.world import days, tables
from saldo.simulation.world.behavior import METHODS, TRANSFER, Intentions
from saldo.simulation.world.parameters import Parameters


def bank_of(p: Parameters, use: str) -> list[int]:
    """For each company the bank account that receives ``use``: bank_id by company_id."""
    return [
        next(n for n, bank in enumerate(p.banks) if bank.company == company.code and use in bank.use)
        for company in p.companies
    ]


def make_receipts(
    p: Parameters, accounts: pl.DataFrame, intentions: Intentions
) -> tuple[pl.DataFrame, np.ndarray]:
    """RECEIPTS of the whole span in order of the bank's day, and that day of each. A slip (batch) holds the
    receipts of one bank account, kind and day."""
    chosen = np.flatnonzero((intentions.method != TRANSFER) & (intentions.cash > 0))
    company = accounts["company_id"].cast(pl.Int64).to_numpy()[intentions.account]
    banks = np.array([bank_of(p, use) for use in METHODS])[intentions.method, company]
    # Slip by slip: who credits them walks through the receipts once.
    slips = (chosen, intentions.method[chosen], banks[chosen], intentions.bank_day[chosen])
    chosen = chosen[np.lexsort(slips)]
    account, method = intentions.account[chosen], intentions.method[chosen]
    bank_day, due = intentions.bank_day[chosen], intentions.due[chosen]
    presented = np.maximum(
        days.next_business(intentions.issued[chosen] + 1), days.previous_business(due - p.riba.presented_days)
    )
    frame = (
        pl.DataFrame(
            {
                "kind": np.array(METHODS)[method],
                "installment_id": chosen,
                "account_id": account,
                "bank_id": banks[chosen],
                "presented": np.minimum(presented, bank_day),
                "due": due,
                "bank_day": bank_day,
                "amount_cents": intentions.cash[chosen],
                "returned": intentions.returned_day[chosen],
                "reason": intentions.return_reason[chosen],
            }
        )
        .with_row_index("receipt_id")
        .with_columns(
            (pl.struct("bank_day", "bank_id", "kind").rank("dense") - 1).alias("batch_id"),
            _day("presented").alias("presented_date"),
            _day("due").alias("due_date"),
            pl.when(pl.col("returned") < days.NEVER).then(_day("returned")).alias("returned_date"),
            pl.when(pl.col("returned") < days.NEVER).then("reason").alias("return_reason"),
        )
    )
    return frame.select([pl.col(name).cast(kind) for name, kind in tables.RECEIPTS.items()]), bank_day


def _day(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.Int32).cast(pl.Date)
