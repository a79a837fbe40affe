"""Reading promises and plans as of a day, as known at an instant.

    promise_parts, plan_parts       frames: what was promised of each item and still counts
    acknowledgements                what was promised in writing, for prescription
    promises_told                   PROMISES of a Book: every promise ever given, for features
    promises_of                     one account's, for people (its plans: promises.plan_facts)

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
from saldo.core.promises import MISTAKE, OPEN, VOID, remaining_mills
from saldo.core.sending import SendingRules
from saldo.identity.models import Grant
from saldo.ledger.owed import balances
from saldo.promises.judging import KNOWN, NO_MISTAKE, OF_ACCOUNTS, TOLERANCE_DAYS, judgements
from saldo.promises.models import Promise
from saldo.storage.frames import copy_out

MAY_PROMISE = frozenset({Grant.Role.ADMINISTRATOR, Grant.Role.CREDIT_MANAGER, Grant.Role.COLLECTOR})

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
_PROMISES = f"""
SELECT p.id, p.account_id, p.currency, i.item_id, (i.amount * 1000)::bigint,
       (i.balance_before * 1000)::bigint, p.promised_date, p.level
  FROM promises_promise p JOIN promises_promiseitem i ON i.promise_id = p.id
 WHERE {KNOWN.format("p")} {OF_ACCOUNTS}
   AND NOT EXISTS (SELECT 1 FROM promises_promiseend e WHERE e.promise_id = p.id AND {KNOWN.format("e")})
   AND NOT EXISTS (SELECT 1 FROM promises_promiseitem j JOIN promises_promise q ON q.id = j.promise_id
                    WHERE j.item_id = i.item_id AND q.id > p.id AND {KNOWN.format("q")}
                    {NO_MISTAKE.format("q")})
 ORDER BY p.id, i.item_id
"""
_PLANS = f"""
SELECT p.id, p.account_id, p.currency, i.item_id, (i.amount * 1000)::bigint,
       (i.balance_before * 1000)::bigint,
       (SELECT max(n.due_date) FROM promises_planinstallment n WHERE n.plan_id = p.id)
  FROM promises_paymentplan p JOIN promises_planitem i ON i.plan_id = p.id
 WHERE {KNOWN.format("p")} {OF_ACCOUNTS}
   AND NOT EXISTS (SELECT 1 FROM promises_planend e WHERE e.plan_id = p.id AND {KNOWN.format("e")})
 ORDER BY p.id, i.item_id
"""
# What was promised in writing acknowledges the debt; a mistake of ours does not.
_ACKNOWLEDGED = f"""
SELECT i.item_id, p.effective_date, 'promise', p.id, p.document_id
  FROM promises_promise p JOIN promises_promiseitem i ON i.promise_id = p.id
 WHERE p.document_id IS NOT NULL AND {KNOWN.format("p")} {OF_ACCOUNTS}
   AND NOT EXISTS (SELECT 1 FROM promises_promiseend e
                    WHERE e.promise_id = p.id AND e.outcome = 'mistake' AND {KNOWN.format("e")})
UNION ALL
SELECT i.item_id, p.effective_date, 'plan', p.id, p.document_id
  FROM promises_paymentplan p JOIN promises_planitem i ON i.plan_id = p.id
 WHERE p.document_id IS NOT NULL AND {KNOWN.format("p")} {OF_ACCOUNTS}
 ORDER BY 1, 2, 4
"""
_TOLD = f"""
SELECT p.account_id, i.item_id, p.promised_date, (i.amount * 1000)::bigint, p.effective_date
  FROM promises_promise p JOIN promises_promiseitem i ON i.promise_id = p.id
 WHERE {KNOWN.format("p")} {OF_ACCOUNTS}
   AND NOT EXISTS (SELECT 1 FROM promises_promiseend e
                    WHERE e.promise_id = p.id AND e.outcome = 'mistake' AND {KNOWN.format("e")})
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
    """A promise as people see it. state: what became of it (core.promises.STATES); ended: how it ended, ""
    where it did not: withdrawn, replaced, mistake.

    remaining: what of it is still expected or owed. paid: the cash that counts for it. judged_date: the first
    day on which it is judged.
    """

    id: int
    account_id: int
    currency: str
    amount: Decimal
    remaining: Decimal
    paid: Decimal
    promised_date: date
    judged_date: date
    level: int
    state: str
    ended: str
    items: tuple[PartRow, ...]
    note: str
    document_id: int | None
    effective_date: date
    actor: str
    recorded_at: datetime

    @property
    def is_open(self) -> bool:
        """Whether it is waited for."""
        return self.state == OPEN and self.may_end

    @property
    def may_end(self) -> bool:
        """Whether it can still be taken back."""
        return not self.ended and bool(self.remaining)


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
    waiting: pl.DataFrame | None = None,
) -> list[PromiseRow]:
    """The account's promises, newest first. The caller has checked the account's scope.

    booked_until, waiting: as ``judging.judgements`` takes them; flows.judged_promises knows them.
    """
    found = list(
        Promise.objects.filter(account_id=account_id, effective_date__lte=ctx.as_of)
        .prefetch_related("items").order_by("-id")
    )  # fmt: skip
    if ctx.known_at is not None:
        found = [one for one in found if one.recorded_at <= ctx.known_at]
    rules = SendingRules(promise_tolerance_days=tolerance_days)
    judged = {
        row["promise_id"]: row
        for row in judgements(ctx, [account_id], rules, booked_until, waiting).iter_rows(named=True)
    }
    now = _balances(ctx, [part.item_id for one in found for part in one.items.all()])
    counting = set(promise_parts(ctx, [account_id]).select("promise_id", "item_id").iter_rows())
    return [_row(one, judged.get(one.id), now, counting) for one in found]


def _row(
    one: Any, judged: dict[str, Any] | None, now: dict[int, int], counting: set[tuple[int, int]]
) -> PromiseRow:
    """judged: None of what was recorded by mistake."""
    parts = tuple(
        _part(part, now, (one.id, part.item_id) in counting)
        for part in sorted(one.items.all(), key=lambda part: part.item_id)
    )
    told = judged or {
        "paid_mills": 0, "judged_date": one.promised_date, "state": VOID, "ended": MISTAKE, "left_mills": 0
    }  # fmt: skip
    return PromiseRow(
        one.id, one.account_id, one.currency, one.amount,
        sum((part.remaining for part in parts), Decimal(0)), from_mills(told["paid_mills"]),
        one.promised_date, told["judged_date"], one.level, told["state"], told["ended"], parts, one.note,
        one.document_id, one.effective_date, one.actor, one.recorded_at,
    )  # fmt: skip


def _balances(ctx: Context, item_ids: Sequence[int]) -> dict[int, int]:
    found = balances(ctx, sorted(set(item_ids)))
    return dict(found.select("item_id", "balance_mills").iter_rows())


def _part(part: Any, now: dict[int, int], counts: bool) -> PartRow:
    left = 0
    if counts:
        left = remaining_mills(to_mills(part.amount), to_mills(part.balance_before), now.get(part.item_id, 0))
    return PartRow(part.item_id, part.amount, from_mills(left))
