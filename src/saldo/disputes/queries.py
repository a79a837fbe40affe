"""Reading disputes and deductions as of a day, as known at an instant.

objections          DISPUTES of a Book: every objection, ended ones too
dispute_parts       what of each item is in a dispute that did not end
deduction_parts     what of each item was kept back by a short payment that nobody cleared up
disputes_of         one account's, for people
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import polars as pl

from saldo.analytics.book import DISPUTES
from saldo.core.context import Context
from saldo.disputes.models import Dispute
from saldo.identity.models import Grant
from saldo.storage.frames import copy_out

MAY_DISPUTE = frozenset(
    {
        Grant.Role.ADMINISTRATOR,
        Grant.Role.CREDIT_MANAGER,
        Grant.Role.COLLECTOR,
        Grant.Role.CASH_SPECIALIST,
        Grant.Role.CUSTOMER_CARE,
    }
)
PARTS = {"ref": pl.Int64, "account_id": pl.Int64, "item_id": pl.Int64, "amount_mills": pl.Int64}
_OF = """
   AND (%(company_id)s::int IS NULL OR d.company_id = %(company_id)s)
   AND d.effective_date <= %(as_of)s AND d.recorded_at <= %(known_at)s
   AND (%(accounts)s::bigint[] IS NULL OR d.account_id = ANY(%(accounts)s::bigint[]))
"""
_ENDED = "AND e.effective_date <= %(as_of)s AND e.recorded_at <= %(known_at)s"
_DISPUTES = f"""
SELECT d.id, d.account_id, i.item_id, (i.amount * 1000)::bigint
  FROM disputes_dispute d JOIN disputes_disputeitem i ON i.dispute_id = d.id
 WHERE NOT EXISTS (SELECT 1 FROM disputes_disputeend e WHERE e.dispute_id = d.id {_ENDED}) {_OF}
 ORDER BY d.id, i.item_id
"""
_DEDUCTIONS = f"""
SELECT d.id, d.account_id, d.item_id, (d.amount * 1000)::bigint
  FROM disputes_deduction d
 WHERE NOT EXISTS (SELECT 1 FROM disputes_deductionend e WHERE e.deduction_id = d.id {_ENDED}) {_OF}
 ORDER BY d.id
"""
_OBJECTIONS = f"""
(SELECT d.item_id, (d.amount * 1000)::bigint, e.effective_date, d.effective_date
   FROM disputes_deduction d
   LEFT JOIN disputes_deductionend e ON e.deduction_id = d.id {_ENDED}
  WHERE true {_OF} ORDER BY d.id)
UNION ALL
(SELECT i.item_id, (i.amount * 1000)::bigint, e.effective_date, d.effective_date
   FROM disputes_dispute d JOIN disputes_disputeitem i ON i.dispute_id = d.id
   LEFT JOIN disputes_disputeend e ON e.dispute_id = d.id {_ENDED}
  WHERE true {_OF} ORDER BY d.id, i.item_id)
"""


@dataclass(frozen=True, slots=True)
class DisputeRow:
    """A dispute as people see it. amount: what of its items is objected to; claimed_amount: what the customer
    says is wrong, if it says so; state: "open" or how it ended; items: (item id, amount)."""

    id: int
    account_id: int
    currency: str
    reason: str
    amount: Decimal
    claimed_amount: Decimal | None
    state: str
    items: tuple[tuple[int, Decimal], ...]
    owner: str
    due_date: date | None
    note: str
    document_id: int | None
    effective_date: date
    ended_date: date | None
    actor: str
    recorded_at: datetime


def _params(ctx: Context, account_ids: Sequence[int] | None) -> dict[str, Any]:
    return {
        "company_id": ctx.company_id,
        "as_of": ctx.as_of,
        "known_at": ctx.known_at or "infinity",
        "accounts": None if account_ids is None else list(account_ids),
    }


def objections(ctx: Context, account_ids: Sequence[int] | None = None) -> pl.DataFrame:
    """DISPUTES: the amounts of items that customers did not accept, ended ones too."""
    return copy_out(_OBJECTIONS, _params(ctx, account_ids), DISPUTES)


def dispute_parts(ctx: Context, account_ids: Sequence[int] | None = None) -> pl.DataFrame:
    """PARTS of disputes (``ref``) that did not end."""
    return copy_out(_DISPUTES, _params(ctx, account_ids), PARTS)


def deduction_parts(ctx: Context, account_ids: Sequence[int] | None = None) -> pl.DataFrame:
    """PARTS of deductions (``ref``) that did not end."""
    return copy_out(_DEDUCTIONS, _params(ctx, account_ids), PARTS)


def disputes_of(ctx: Context, account_id: int) -> list[DisputeRow]:
    """The account's disputes, newest first. The caller has checked the account's scope."""
    found = (
        Dispute.objects.filter(account_id=account_id, effective_date__lte=ctx.as_of)
        .select_related("end").prefetch_related("items").order_by("-id")
    )  # fmt: skip
    return [_row(one, ctx) for one in found if ctx.known_at is None or one.recorded_at <= ctx.known_at]


def _row(one: Any, ctx: Context) -> DisputeRow:
    end = getattr(one, "end", None)
    if end and (end.effective_date > ctx.as_of or (ctx.known_at and end.recorded_at > ctx.known_at)):
        end = None
    items = tuple(sorted((part.item_id, part.amount) for part in one.items.all()))
    return DisputeRow(
        id=one.id,
        account_id=one.account_id,
        currency=one.currency,
        reason=one.reason,
        amount=sum((amount for _, amount in items), Decimal(0)),
        claimed_amount=one.claimed_amount,
        state=end.outcome if end else "open",
        items=items,
        owner=one.owner,
        due_date=one.due_date,
        note=one.note,
        document_id=one.document_id,
        effective_date=one.effective_date,
        ended_date=end.effective_date if end else None,
        actor=one.actor,
        recorded_at=one.recorded_at,
    )
