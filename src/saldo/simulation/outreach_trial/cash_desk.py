"""The cash specialist of a simulated year: knows who belongs to whom.

What a company pays for another one of its group says so nowhere in the statement: whose debt it is, only a
person knows. That person sets such a line against what it pays on the morning on which it is read, before
anything is written to customers. All other lines are left to Saldo.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import polars as pl

from saldo.cash.models import BankTransaction
from saldo.cash.plans import Planned
from saldo.cash.postings import post
from saldo.cash.waiting import waiting
from saldo.core.errors import SaldoError
from saldo.core.matching.records import Share
from saldo.core.money import to_mills
from saldo.ledger.owed import balances
from saldo.simulation.outreach_trial.office import Office
from saldo.simulation.world.tables import Tables

# Lines are looked at again for so long: a line that was read late is not missed.
LOOK_BACK_DAYS = 30
PAID_BY_ANOTHER = "other_payer"


@dataclass(frozen=True, slots=True)
class CashDesk:
    office: Office

    def work(self, t: Tables, day: date, items: Mapping[int, int], customers: Mapping[int, int]) -> None:
        """items: Saldo's item -> installment; customers: the world's account -> Saldo's."""
        truth = _paid_by_others(t, day)
        if not truth:
            return
        of_line = {installment: item for item, installment in items.items()}
        for code, company in self.office.desk.companies.items():
            ctx = self.office.person(company.id)
            lines = BankTransaction.objects.filter(
                id__in=waiting(ctx).ids, amount__gt=0, booking_date__gte=day - timedelta(days=LOOK_BACK_DAYS)
            )
            for line in lines.order_by("id"):
                found = truth.get((code, line.booking_date, to_mills(line.amount)))
                if found is None:
                    continue
                planned = self._planned(line.id, found, of_line, customers)
                try:
                    post(ctx, planned)
                except SaldoError as error:
                    self.office.count(f"cash {error.code}")

    def _planned(
        self,
        line_id: int,
        paid: list[dict[str, Any]],
        of_line: Mapping[int, int],
        customers: Mapping[int, int],
    ) -> Planned:
        """What the line pays of what Saldo has open; the rest stays to the first account that it pays for."""
        wanted = {
            of_line[row["installment_id"]]: row["cents"] * 10
            for row in paid
            if row["installment_id"] in of_line
        }
        open_mills = dict(
            balances(self.office.person(), list(wanted)).select("item_id", "balance_mills").iter_rows()
        )
        shares = [
            Share(item, min(mills, open_mills.get(item, 0)))
            for item, mills in wanted.items()
            if open_mills.get(item, 0) > 0
        ]  # fmt: skip
        return Planned(line_id, customers[paid[0]["account_id"]], tuple(shares))


def _paid_by_others(t: Tables, day: date) -> dict[tuple[str, date, int], list[dict[str, Any]]]:
    """(company, day, mills) -> the installments of each transfer that another company of the group made."""
    recent = t.payments.filter(
        (pl.col("kind") == "transfer")
        & pl.col("booking_date").is_between(day - timedelta(days=LOOK_BACK_DAYS), day)
        & pl.col("faults").list.contains(PAID_BY_ANOTHER)
    )
    rows = (
        recent.join(t.companies.select("company_id", "code"), on="company_id")
        .join(
            t.payment_lines.filter(pl.col("kind") == "paid").select(
                "payment_id", "installment_id", pl.col("amount_cents").alias("cents")
            ),
            on="payment_id",
        )
        .join(t.installments.select("installment_id", "account_id"), on="installment_id")
        .sort("payment_id", "installment_id")
    )
    found: dict[tuple[str, date, int], list[dict[str, Any]]] = {}
    for row in rows.iter_rows(named=True):
        key = (row["code"], row["booking_date"], row["amount_cents"] * 10)
        found.setdefault(key, []).append(row)
    return found
