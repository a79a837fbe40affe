"""What exports told as closed or paid, and a bank line may yet explain.

An export that lists less than before says that something was paid, not with what: a closure, a provisional
part payment, or a settlement with the ERP's own day. The bank line that is the cause takes its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import polars as pl

from saldo.core.context import Context
from saldo.ledger.queries import PROVISIONAL_KINDS, clocks
from saldo.storage.frames import copy_out

# An ERP may date a settlement by the value date or by the payer's order, some days before the bank's booking.
LEAD_DAYS = 10

EXPLAINABLE_SCHEMA = {
    "item_id": pl.Int64,
    "counter_item_id": pl.Int64,
    "allocation_id": pl.Int64,
    "amount_mills": pl.Int64,
    "effective_date": pl.Date,
    "is_settlement": pl.Boolean,
    "company_id": pl.Int64,
    "account_id": pl.Int64,
    "invoice_id": pl.Int64,
    "currency": pl.String,
}


def explainable(
    ctx: Context,
    since: date,
    account_ids: Sequence[int] | None = None,
    item_ids: Sequence[int] | None = None,
    with_receipts: bool = False,
) -> pl.DataFrame:
    """EXPLAINABLE_SCHEMA: what exports took from debit items from ``since`` on, less what was taken back.

    with_receipts: also what receipts and direct debits stand for, which no transfer pays.
    is_settlement: the export gave the day of a payment; else the cause is unknown. ``may_explain`` says which
    of them a line of a day can be the cause of.
    """
    sql = """
    SELECT a.debit_item_id, c.id, max(a.id), (sum(a.amount) * 1000)::bigint, max(a.effective_date),
           c.kind = 'payment', c.company_id, d.account_id, d.invoice_id, d.currency
      FROM ledger_item_open_projection p
      JOIN ledger_item c ON c.id = p.item_id AND (c.kind <> 'payment' OR c.payment_id IS NULL)
      JOIN ledger_allocation a ON a.credit_item_id = c.id AND a.recorded_at <= %(known_at)s
      JOIN ledger_item d ON d.id = a.debit_item_id AND d.kind <> 'reopening'
     WHERE p.company_id = %(company)s AND p.effective_date >= %(since)s AND p.sign < 0
       AND (%(receipts)s OR (c.details ->> 'order') IS NULL) AND p.kind = ANY(%(kinds)s)
       AND p.recorded_at <= %(known_at)s
       AND (%(accounts)s::bigint[] IS NULL OR p.account_id = ANY(%(accounts)s::bigint[]))
       AND (%(items)s::bigint[] IS NULL OR a.debit_item_id = ANY(%(items)s::bigint[]))
     GROUP BY a.debit_item_id, c.id, d.id
    HAVING sum(a.amount) > 0
     ORDER BY a.debit_item_id, max(a.effective_date), c.id
    """
    params = {
        **clocks(ctx),
        "company": ctx.company_id,
        "since": since,
        "kinds": [*PROVISIONAL_KINDS, "payment"],
        "accounts": None if account_ids is None else list(account_ids),
        "receipts": with_receipts,
        "items": None if item_ids is None else list(item_ids),
    }
    return copy_out(sql, params, EXPLAINABLE_SCHEMA)


def last_cause_day(day: date, is_settlement: bool) -> date:
    """The last booking day of a line that can be the cause of what an export told of ``day``.

    Cash booked after the export that missed an item cannot have closed it. Where the export gives a day of
    payment, that may be up to LEAD_DAYS before the bank's booking.
    """
    return day + timedelta(days=LEAD_DAYS) if is_settlement else day


def may_explain(booking_date: pl.Expr) -> pl.Expr:
    """Whether a line booked on a day can be the cause: ``last_cause_day``, for EXPLAINABLE_SCHEMA."""
    earliest = (
        pl.when("is_settlement").then(booking_date - pl.duration(days=LEAD_DAYS)).otherwise(booking_date)
    )
    return pl.col("effective_date") >= earliest
