"""Reading promises and plans as of a day, as known at an instant.

    promise_parts, plan_parts       frames: what was promised of each item and still counts
    acknowledgements                what was promised in writing, for prescription
    promises_told                   PROMISES of a Book: every promise ever given, for features
    promises_of, plans_of           one account's, for people

Of an item the newest promise counts: a later one takes the place of the part before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import polars as pl

from saldo.analytics.book import PROMISES
from saldo.core.context import Context
from saldo.core.money import from_mills, to_mills
from saldo.core.promises import is_waited_for, remaining_mills
from saldo.core.sending import SendingRules
from saldo.identity.models import Grant
from saldo.ledger.owed import balances
from saldo.promises.models import PaymentPlan, Promise
from saldo.storage.frames import copy_out

MAY_PROMISE = frozenset({Grant.Role.ADMINISTRATOR, Grant.Role.CREDIT_MANAGER, Grant.Role.COLLECTOR})
# States of a promise as people see it. Whether it was kept to the cent, and by cash, is judged elsewhere.
# Where the caller does not know the company's own setting.
TOLERANCE_DAYS = SendingRules().promise_tolerance_days
OPEN, BROKEN, SETTLED = "open", "broken", "settled"

PARTS = {
    "promise_id": pl.Int64,
    "account_id": pl.Int64,
    "currency": pl.String,
    "item_id": pl.Int64,
    "amount_mills": pl.Int64,
    "before_mills": pl.Int64,
    "promised_date": pl.Date,
    "level": pl.Int64,
}
PLAN_PARTS = {
    "plan_id": pl.Int64,
    "account_id": pl.Int64,
    "currency": pl.String,
    "item_id": pl.Int64,
    "amount_mills": pl.Int64,
    "before_mills": pl.Int64,
    "last_date": pl.Date,
}
ACKNOWLEDGED = {
    "item_id": pl.Int64,
    "day": pl.Date,
    "proof": pl.String,
    "ref": pl.Int64,
    "document_id": pl.Int64,
}
_KNOWN = "{0}.effective_date <= %(as_of)s AND {0}.recorded_at <= %(known_at)s"
_OF = """
   AND (%(company_id)s::int IS NULL OR p.company_id = %(company_id)s)
   AND (%(accounts)s::bigint[] IS NULL OR p.account_id = ANY(%(accounts)s::bigint[]))
"""
_PROMISES = f"""
SELECT p.id, p.account_id, p.currency, i.item_id, (i.amount * 1000)::bigint,
       (i.balance_before * 1000)::bigint, p.promised_date, p.level
  FROM promises_promise p JOIN promises_promiseitem i ON i.promise_id = p.id
 WHERE {_KNOWN.format("p")} {_OF}
   AND NOT EXISTS (SELECT 1 FROM promises_promiseend e WHERE e.promise_id = p.id AND {_KNOWN.format("e")})
   AND NOT EXISTS (SELECT 1 FROM promises_promiseitem j JOIN promises_promise q ON q.id = j.promise_id
                    WHERE j.item_id = i.item_id AND q.id > p.id AND {_KNOWN.format("q")})
 ORDER BY p.id, i.item_id
"""
_PLANS = f"""
SELECT p.id, p.account_id, p.currency, i.item_id, (i.amount * 1000)::bigint,
       (i.balance_before * 1000)::bigint,
       (SELECT max(n.due_date) FROM promises_planinstallment n WHERE n.plan_id = p.id)
  FROM promises_paymentplan p JOIN promises_planitem i ON i.plan_id = p.id
 WHERE {_KNOWN.format("p")} {_OF}
   AND NOT EXISTS (SELECT 1 FROM promises_planend e WHERE e.plan_id = p.id AND {_KNOWN.format("e")})
 ORDER BY p.id, i.item_id
"""
# What was promised in writing acknowledges the debt; a mistake of ours does not.
_ACKNOWLEDGED = f"""
SELECT i.item_id, p.effective_date, 'promise', p.id, p.document_id
  FROM promises_promise p JOIN promises_promiseitem i ON i.promise_id = p.id
 WHERE p.document_id IS NOT NULL AND {_KNOWN.format("p")} {_OF}
   AND NOT EXISTS (SELECT 1 FROM promises_promiseend e
                    WHERE e.promise_id = p.id AND e.outcome = 'mistake' AND {_KNOWN.format("e")})
UNION ALL
SELECT i.item_id, p.effective_date, 'plan', p.id, p.document_id
  FROM promises_paymentplan p JOIN promises_planitem i ON i.plan_id = p.id
 WHERE p.document_id IS NOT NULL AND {_KNOWN.format("p")} {_OF}
 ORDER BY 1, 2, 4
"""
_TOLD = f"""
SELECT p.account_id, i.item_id, p.promised_date, (i.amount * 1000)::bigint, p.effective_date
  FROM promises_promise p JOIN promises_promiseitem i ON i.promise_id = p.id
 WHERE {_KNOWN.format("p")} {_OF}
   AND NOT EXISTS (SELECT 1 FROM promises_promiseend e
                    WHERE e.promise_id = p.id AND e.outcome = 'mistake' AND {_KNOWN.format("e")})
 ORDER BY p.effective_date, p.id, i.item_id
"""


@dataclass(frozen=True, slots=True)
class PartRow:
    """A part of a promise or plan: of one item, and what is still expected of it."""

    item_id: int
    amount: Decimal
    remaining: Decimal


@dataclass(frozen=True, slots=True)
class PromiseRow:
    """A promise as people see it. state: open, broken or settled (nothing of it is expected any more), or how
    it ended: withdrawn, replaced, mistake."""

    id: int
    account_id: int
    currency: str
    amount: Decimal
    remaining: Decimal
    promised_date: date
    level: int
    state: str
    items: tuple[PartRow, ...]
    note: str
    document_id: int | None
    effective_date: date
    actor: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class InstallmentRow:
    number: int
    due_date: date
    amount: Decimal


@dataclass(frozen=True, slots=True)
class PlanRow:
    """A plan as people see it. state: open, settled or how it ended. due: what should have been paid by the
    day; late: the part of it that was not."""

    id: int
    account_id: int
    currency: str
    amount: Decimal
    remaining: Decimal
    due: Decimal
    late: Decimal
    state: str
    installments: tuple[InstallmentRow, ...]
    items: tuple[PartRow, ...]
    note: str
    document_id: int | None
    effective_date: date
    actor: str
    recorded_at: datetime


def _params(ctx: Context, account_ids: Sequence[int] | None) -> dict[str, Any]:
    return {
        "as_of": ctx.as_of,
        "known_at": ctx.known_at or "infinity",
        "company_id": ctx.company_id,
        "accounts": None if account_ids is None else list(account_ids),
    }


def promise_parts(ctx: Context, account_ids: Sequence[int] | None = None) -> pl.DataFrame:
    """PARTS: what is promised of each item and was neither ended nor promised anew, kept or not.

    before_mills: what was open of the item when it was promised.
    """
    return copy_out(_PROMISES, _params(ctx, account_ids), PARTS)


def plan_parts(ctx: Context, account_ids: Sequence[int] | None = None) -> pl.DataFrame:
    """PLAN_PARTS: the items of plans that did not end. last_date: of the plan's last installment."""
    return copy_out(_PLANS, _params(ctx, account_ids), PLAN_PARTS)


def promises_told(ctx: Context, account_ids: Sequence[int] | None = None) -> pl.DataFrame:
    """PROMISES: all that was ever promised, of items, but for mistakes; known on the day it was said."""
    return copy_out(_TOLD, _params(ctx, account_ids), PROMISES)


def acknowledgements(ctx: Context, account_ids: Sequence[int] | None = None) -> pl.DataFrame:
    """ACKNOWLEDGED: items whose debt was acknowledged in writing, by a promise or a plan, with its day."""
    return copy_out(_ACKNOWLEDGED, _params(ctx, account_ids), ACKNOWLEDGED)


def promises_of(
    ctx: Context,
    account_id: int,
    tolerance_days: int = TOLERANCE_DAYS,
    booked_until: date | None = None,
) -> list[PromiseRow]:
    """The account's promises, newest first. The caller has checked the account's scope."""
    found = list(
        Promise.objects.filter(account_id=account_id, effective_date__lte=ctx.as_of)
        .select_related("end").prefetch_related("items").order_by("-id")
    )  # fmt: skip
    if ctx.known_at is not None:
        found = [one for one in found if one.recorded_at <= ctx.known_at]
    now = _balances(ctx, [part.item_id for one in found for part in one.items.all()])
    counting = set(promise_parts(ctx, [account_id]).select("promise_id", "item_id").iter_rows())
    rows = []
    for one in found:
        parts = tuple(
            _part(part, now, (one.id, part.item_id) in counting)
            for part in sorted(one.items.all(), key=lambda part: part.item_id)
        )
        remaining = sum((part.remaining for part in parts), Decimal(0))
        waited = is_waited_for(one.promised_date, tolerance_days, ctx.as_of, booked_until)
        state = _ended(one, ctx) or (SETTLED if not remaining else OPEN if waited else BROKEN)
        rows.append(
            PromiseRow(
                one.id, one.account_id, one.currency, one.amount, remaining, one.promised_date, one.level,
                state, parts, one.note, one.document_id, one.effective_date, one.actor, one.recorded_at,
            )
        )  # fmt: skip
    return rows


def plans_of(ctx: Context, account_id: int) -> list[PlanRow]:
    """The account's plans, newest first. The caller has checked the account's scope."""
    found = list(
        PaymentPlan.objects.filter(account_id=account_id, effective_date__lte=ctx.as_of)
        .select_related("end").prefetch_related("items", "installments").order_by("-id")
    )  # fmt: skip
    if ctx.known_at is not None:
        found = [one for one in found if one.recorded_at <= ctx.known_at]
    now = _balances(ctx, [part.item_id for one in found for part in one.items.all()])
    rows = []
    for one in found:
        ended = _ended(one, ctx)
        parts = tuple(
            _part(part, now, not ended) for part in sorted(one.items.all(), key=lambda part: part.item_id)
        )
        amount = sum((part.amount for part in parts), Decimal(0))
        remaining = sum((part.remaining for part in parts), Decimal(0))
        told = sorted(one.installments.all(), key=lambda each: each.number)
        due = sum((each.amount for each in told if each.due_date <= ctx.as_of), Decimal(0))
        late = Decimal(0) if ended else max(Decimal(0), due - (amount - remaining))
        rows.append(
            PlanRow(
                one.id, one.account_id, one.currency, amount, remaining, due, late,
                ended or (OPEN if remaining else SETTLED),
                tuple(InstallmentRow(each.number, each.due_date, each.amount) for each in told),
                parts, one.note, one.document_id, one.effective_date, one.actor, one.recorded_at,
            )
        )  # fmt: skip
    return rows


def _balances(ctx: Context, item_ids: Sequence[int]) -> dict[int, int]:
    found = balances(ctx, sorted(set(item_ids)))
    return dict(found.select("item_id", "balance_mills").iter_rows())


def _part(part: Any, now: dict[int, int], counts: bool) -> PartRow:
    left = 0
    if counts:
        left = remaining_mills(to_mills(part.amount), to_mills(part.balance_before), now.get(part.item_id, 0))
    return PartRow(part.item_id, part.amount, from_mills(left))


def _ended(one: Any, ctx: Context) -> str:
    """How it ended as far as the context knows; "" if it did not."""
    end = getattr(one, "end", None)
    if end is None or end.effective_date > ctx.as_of:
        return ""
    return "" if ctx.known_at is not None and end.recorded_at > ctx.known_at else str(end.outcome)
