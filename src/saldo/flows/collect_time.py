"""What the passing of time makes of orders: due, then safe."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from django.db import IntegrityError

from saldo.cash import ties
from saldo.cash.collecting import Move, record
from saldo.cash.collections import in_flight, orders, rules_of, tie_order
from saldo.core import collecting
from saldo.core.context import Context
from saldo.core.errors import SaldoError

CHUNK_ORDERS = 400


@dataclass(frozen=True, slots=True)
class Settled:
    """How many orders became provisional, and how many paid for good."""

    provisional: int
    paid: int


def recorded(ctx: Context, company_id: int, moves: Sequence[Move]) -> int:
    """Record moves in chunks; a chunk that the ledger's rules refuse is tried move by move.

    What is refused alone stays as it was, and holds up nobody else's money.
    """
    news = 0
    for start in range(0, len(moves), CHUNK_ORDERS):
        chunk = moves[start : start + CHUNK_ORDERS]
        try:
            news += len(record(ctx, company_id, chunk))
        except (IntegrityError, SaldoError):
            for move in chunk:
                with suppress(SaldoError):
                    news += len(record(ctx, company_id, [move]))
    return news


def settle(ctx: Context, company_id: int) -> Settled:
    """Orders that are due count as paid provisionally; those that cannot come back any more, for good.

    A receipt that the bank has advanced counts from its due date, one credited later from the credit. Run as
    often as one likes. A look ahead settles nothing: days that have not come are not facts.
    """
    ctx = ctx.within(company_id)
    today = min(ctx.as_of, ctx.clock().date())
    _tie_again(ctx, company_id)
    rules = rules_of(company_id)
    live = orders(
        ctx,
        "AND r.credited_date IS NOT NULL AND r.paid_date IS NULL AND r.end_date IS NULL "
        "AND o.due_date <= %(today)s",
        all_days=True,
        today=today,
    )
    due = [
        Move(order.id, collecting.PROVISIONAL, order.value_date)
        for order in live
        if order.provisional_date is None and order.value_date <= today
    ]
    provisional = recorded(ctx, company_id, due)
    safe = [
        Move(order.id, collecting.PAID, since)
        for order in live
        if (since := order.provisional_date or order.value_date) <= today
        and rules.safe_date(order.kind, order.scheme, since) < today
    ]
    return Settled(provisional, recorded(ctx, company_id, safe))


def _tie_again(ctx: Context, company_id: int) -> None:
    """Orders whose installment was not known when their file was read: the ERP's list may have come since."""
    untied = orders(
        ctx, "AND coalesce(o.item_id, t.item_id) IS NULL AND r.end_date IS NULL AND r.paid_date IS NULL",
        all_days=True,
    )  # fmt: skip
    if not untied:
        return
    debts = [
        ties.Debt(one.mills, one.due_date, one.debt_reference, one.debtor_code, one.debtor_tax_code)
        for one in untied
    ]
    taken = in_flight(ctx)["item_id"].to_list()
    for order, tie in zip(untied, ties.ties_of(company_id, debts, taken), strict=True):
        if tie.item_id is not None:
            tie_order(ctx, order.id, tie.item_id)
