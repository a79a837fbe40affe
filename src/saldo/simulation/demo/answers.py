"""What customers said before Saldo read their mail, or by telephone, as the facts that it is.

Promises, disputes, "già pagato" and pauses of those days keep their amounts out of dunning. Import this only
after Django is set up.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import polars as pl
from django.db import transaction
from django.db.models import Max

from saldo.cash.claims import record_claim
from saldo.collection.holds import hold
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.normalize import normalized_number
from saldo.disputes.models import Dispute
from saldo.disputes.operations import open_dispute
from saldo.ledger.owed import balances, installments_of
from saldo.promises.models import Promise
from saldo.promises.operations import record_promise
from saldo.simulation.world.tables import Tables

CURRENCY = "EUR"
REASONS = {
    "missing_pod": "delivery", "price": "price", "quality": "quality", "discount_taken": "price",
}  # fmt: skip
PAUSE_DAYS = 7
# A claim of having paid is looked into for so long.
CLAIM_DAYS = 10


def last_recorded(actor: str) -> date | None:
    """The last day of which a promise or a dispute was told by ``actor``."""
    days = [
        kind.objects.filter(actor=actor).aggregate(last=Max("effective_date"))["last"]
        for kind in (Promise, Dispute)
    ]
    return max((day for day in days if day is not None), default=None)


class Answers:
    """until: the last day of the world; what ended before it is not kept as a fact."""

    def __init__(self, t: Tables, until: date) -> None:
        self._until = until
        numbers = t.invoices.select("invoice_id", "number")
        told = t.replies.select(pl.col("installments").alias("installment_id")).explode("installment_id")
        lines = t.installments.join(told.unique(), on="installment_id", how="semi").join(
            numbers, on="invoice_id"
        )
        self._lines = {
            line: (number, no)
            for line, number, no in lines.select("installment_id", "number", "no").iter_rows()
        }
        ended = t.disputes.filter(pl.col("resolved_date") <= until)
        self._settled = frozenset(ended["installment_id"].to_list())

    def record(self, ctx: Context, account_id: int, row: dict[str, Any]) -> bool:
        """A row of REPLIES as a fact of the context's day; False where none follows, or the ledger does not
        bear it (all of it was paid, for instance): then only its words are told."""
        try:
            with transaction.atomic():
                return self._fact(ctx, account_id, row)
        except SaldoError:
            return False

    def _fact(self, ctx: Context, account_id: int, row: dict[str, Any]) -> bool:
        kind, day = row["kind"], ctx.as_of
        if kind in ("promise", "plan_accepted"):
            items = self._open_items(ctx, account_id, row)
            amount = None if kind == "plan_accepted" else row["promise_cents"] * 10
            amount = None if amount is None else min(amount, sum(items.values()))
            record_promise(ctx, account_id, CURRENCY, row["promise_date"], amount, tuple(items),
                           replaces=True)  # fmt: skip
        elif kind == "dispute":
            disputed = [line for line in row["installments"] if line not in self._settled]
            items = self._open_items(ctx, account_id, {"installments": disputed})
            reason = REASONS.get(row["reason"] or "", "other")
            open_dispute(ctx, account_id, [(item, None) for item in items], reason)
        elif kind == "already_paid" and day >= self._until - timedelta(days=CLAIM_DAYS):
            items = self._open_items(ctx, account_id, row)
            record_claim(ctx, account_id, CURRENCY, tuple(items))
        elif kind == "angry" and day >= self._until - timedelta(days=PAUSE_DAYS):
            hold(ctx, account_id, day + timedelta(days=PAUSE_DAYS), "complaint")
        elif kind == "out_of_office" and row["return_date"] and row["return_date"] > self._until:
            hold(ctx, account_id, row["return_date"] - timedelta(days=1), "out_of_office")
        else:
            return False
        return True

    def _open_items(self, ctx: Context, account_id: int, row: dict[str, Any]) -> dict[int, int]:
        """item -> open mills of the lines that a reply is about."""
        lines = [self._lines[line] for line in row["installments"] or () if line in self._lines]
        found = installments_of([account_id], {normalized_number(number) for number, _ in lines})
        items = [
            item
            for number, no in lines
            for item, its_no in found.get((account_id, normalized_number(number)), [])
            if its_no == no
        ]
        frame = balances(ctx, items).filter(pl.col("balance_mills") > 0)
        return dict(frame.sort("due_date", "item_id").select("item_id", "balance_mills").iter_rows())
