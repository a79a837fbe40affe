"""Changes of promises and plans, one account at a time under its lock.

    record_promise, end_promise     an amount by a day
    record_plan, end_plan           a schedule

Of an item one promise counts at a time: a new promise that names it takes the place of the older one's part,
and an older promise of which nothing is left ends as replaced. The caller has checked that the actor may
(MAY_PROMISE) and sees the account.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import pairwise

import polars as pl

from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.money import decimal_text, from_mills
from saldo.core.promises import MAX_DAYS, remaining_mills
from saldo.identity.operations import record_event
from saldo.ledger.owed import Owed, checked_amount, deciding, oldest_first, owed_by, owed_items
from saldo.promises.models import (
    PaymentPlan,
    PlanEnd,
    PlanInstallment,
    PlanItem,
    Promise,
    PromiseEnd,
    PromiseItem,
)
from saldo.promises.queries import MAY_PROMISE, plan_parts, promise_parts

__all__ = ["MAY_PROMISE", "end_plan", "end_promise", "record_plan", "record_promise"]

MAX_INSTALLMENTS = 120
PLAN_YEARS = 10


def record_promise(
    ctx: Context,
    account_id: int,
    currency: str,
    promised_date: date,
    amount_mills: int | None = None,
    item_ids: Sequence[int] = (),
    note: str = "",
    document_id: int | None = None,
) -> int:
    """A promise to pay an amount by a day, given on the context's day; returns its id.

    Without items it is about what is overdue, the oldest first, then about what falls due next; without an
    amount, about all of the items (or all that is overdue). level: one more than that of a promise on the
    same items whose day went by unpaid.

    Raises SaldoError: promise_in_the_past, promise_too_far, promise_beyond_balance, nothing_to_promise,
    stated_amount_invalid, item_unknown, item_not_of_account, item_currency_differs, item_closed,
    account_unknown.
    """
    if promised_date < ctx.as_of:
        raise SaldoError("promise_in_the_past", date=promised_date, as_of=ctx.as_of)
    if promised_date > ctx.as_of + timedelta(days=MAX_DAYS):
        raise SaldoError("promise_too_far", date=promised_date, days=MAX_DAYS)
    if amount_mills is not None:
        checked_amount(amount_mills, currency)
    with deciding(ctx, account_id) as inner:
        items = _promised_items(inner, account_id, currency, item_ids, amount_mills)
        open_mills = sum(item.balance_mills for item in items)
        if amount_mills is not None and amount_mills > open_mills:
            amounts = (decimal_text(mills, currency) for mills in (amount_mills, open_mills))
            raise SaldoError("promise_beyond_balance", **dict(zip(("amount", "open"), amounts, strict=True)))
        parts = oldest_first(items, open_mills if amount_mills is None else amount_mills)
        before = promise_parts(inner, [account_id])
        promise = Promise.objects.create(
            company_id=inner.company_id, account_id=account_id, currency=currency,
            amount=from_mills(sum(mills for _, mills in parts)), promised_date=promised_date,
            level=_level(inner, before, [item for item, _ in parts]), document_id=document_id, note=note,
            effective_date=ctx.as_of, actor=ctx.actor, recorded_at=inner.recorded_at,
        )  # fmt: skip
        PromiseItem.objects.bulk_create(
            PromiseItem(promise=promise, item_id=item.item_id, amount=from_mills(mills),
                        balance_before=from_mills(item.balance_mills))
            for item, mills in parts
        )  # fmt: skip
        replaced = _end_replaced(inner, before, {item.item_id for item, _ in parts})
        data = {
            "promise": promise.id, "amount": str(promise.amount), "currency": currency,
            "promised_date": promised_date.isoformat(), "level": promise.level, "replaces": replaced,
        }  # fmt: skip
        record_event(inner, "promise.recorded", "account", account_id, data)
    return int(promise.id)


def _promised_items(
    ctx: Context, account_id: int, currency: str, item_ids: Sequence[int], amount_mills: int | None
) -> list[Owed]:
    """The items that the promise is about, what falls due first in front."""
    if item_ids:
        return owed_items(ctx, account_id, currency, item_ids)
    owed = owed_by(ctx, account_id, currency)
    found = owed if amount_mills is not None else [item for item in owed if item.due_date < ctx.as_of]
    if not found:
        raise SaldoError("nothing_to_promise", currency=currency)
    return found


def _level(ctx: Context, before: pl.DataFrame, items: Sequence[Owed]) -> int:
    """One more than the highest level among the promises on these items whose day went by unpaid."""
    now = {item.item_id: item.balance_mills for item in items}
    passed = before.filter((pl.col("promised_date") < ctx.as_of) & pl.col("item_id").is_in(list(now)))
    levels = [
        row["level"]
        for row in passed.iter_rows(named=True)
        if remaining_mills(row["amount_mills"], row["before_mills"], now[row["item_id"]])
    ]
    return max(levels, default=0) + 1


def _end_replaced(ctx: Context, before: pl.DataFrame, item_ids: set[int]) -> list[int]:
    """End the older promises all of whose counting parts are promised anew; their ids."""
    gone = (
        before.group_by("promise_id")
        .agg(pl.col("item_id").is_in(list(item_ids)).all().alias("whole"))
        .filter("whole")["promise_id"]
        .sort()
        .to_list()
    )
    for promise_id in gone:
        _end_promise(ctx, promise_id, PromiseEnd.Outcome.REPLACED, "")
    return gone


def end_promise(ctx: Context, promise_id: int, outcome: str, note: str = "") -> int:
    """A promise was withdrawn, replaced, or recorded by mistake. Returns the end's id.

    Raises SaldoError: promise_unknown, promise_ended, outcome_unknown.
    """
    _check_outcome(outcome, PromiseEnd.Outcome.values)
    account_id = _account_of(Promise, promise_id, "promise_unknown", promise=promise_id)
    with deciding(ctx, account_id) as inner:
        if PromiseEnd.objects.filter(promise_id=promise_id).exists():
            raise SaldoError("promise_ended", promise=promise_id)
        end_id = _end_promise(inner, promise_id, outcome, note)
        data = {"promise": promise_id, "outcome": outcome, "note": note}
        record_event(inner, "promise.ended", "account", account_id, data)
    return end_id


def _end_promise(ctx: Context, promise_id: int, outcome: str, note: str) -> int:
    end = PromiseEnd.objects.create(
        promise_id=promise_id, outcome=outcome, note=note, effective_date=ctx.as_of, actor=ctx.actor,
        recorded_at=ctx.recorded_at,
    )  # fmt: skip
    return int(end.id)


def record_plan(
    ctx: Context,
    account_id: int,
    currency: str,
    installments: Sequence[tuple[date, int]],
    item_ids: Sequence[int],
    note: str = "",
    document_id: int | None = None,
) -> int:
    """A payment plan for the whole of these items; installments: (due date, mills). Returns its id.

    Raises SaldoError: plan_dates_invalid (none, in the past, not in order, too many, beyond ten years),
    plan_sum_differs, item_in_plan, plan_without_items, and what owed_items and checked_amount refuse.
    """
    _check_installments(ctx, installments, currency)
    if not item_ids:
        raise SaldoError("plan_without_items")
    with deciding(ctx, account_id) as inner:
        items = owed_items(inner, account_id, currency, item_ids)
        planned = set(plan_parts(inner, [account_id])["item_id"])
        for item in items:
            if item.item_id in planned:
                raise SaldoError("item_in_plan", item=item.item_id)
        total, owed = sum(mills for _, mills in installments), sum(item.balance_mills for item in items)
        if total != owed:
            told = {"sum": decimal_text(total, currency), "open": decimal_text(owed, currency)}
            raise SaldoError("plan_sum_differs", **told)
        plan = PaymentPlan.objects.create(
            company_id=inner.company_id, account_id=account_id, currency=currency, document_id=document_id,
            note=note, effective_date=ctx.as_of, actor=ctx.actor, recorded_at=inner.recorded_at,
        )  # fmt: skip
        PlanItem.objects.bulk_create(
            PlanItem(plan=plan, item_id=item.item_id, amount=from_mills(item.balance_mills),
                     balance_before=from_mills(item.balance_mills))
            for item in items
        )  # fmt: skip
        PlanInstallment.objects.bulk_create(
            PlanInstallment(plan=plan, number=number, due_date=due, amount=from_mills(mills))
            for number, (due, mills) in enumerate(installments, start=1)
        )
        data = {
            "plan": plan.id, "amount": str(from_mills(total)), "currency": currency,
            "installments": len(installments), "last_date": installments[-1][0].isoformat(),
        }  # fmt: skip
        record_event(inner, "plan.recorded", "account", account_id, data)
    return int(plan.id)


def _check_installments(ctx: Context, installments: Sequence[tuple[date, int]], currency: str) -> None:
    days = [due for due, _ in installments]
    last = ctx.as_of + timedelta(days=366 * PLAN_YEARS)
    if not days or len(days) > MAX_INSTALLMENTS or days[0] < ctx.as_of or days[-1] > last:
        raise SaldoError("plan_dates_invalid", limit=MAX_INSTALLMENTS, years=PLAN_YEARS)
    if any(later <= earlier for earlier, later in pairwise(days)):
        raise SaldoError("plan_dates_invalid", limit=MAX_INSTALLMENTS, years=PLAN_YEARS)
    for _, mills in installments:
        checked_amount(mills, currency)


def end_plan(ctx: Context, plan_id: int, outcome: str, note: str = "") -> int:
    """A plan was completed, fell or was withdrawn. Returns the end's id.

    Raises SaldoError: plan_unknown, plan_ended, outcome_unknown.
    """
    _check_outcome(outcome, PlanEnd.Outcome.values)
    account_id = _account_of(PaymentPlan, plan_id, "plan_unknown", plan=plan_id)
    with deciding(ctx, account_id) as inner:
        if PlanEnd.objects.filter(plan_id=plan_id).exists():
            raise SaldoError("plan_ended", plan=plan_id)
        end = PlanEnd.objects.create(
            plan_id=plan_id, outcome=outcome, note=note, effective_date=ctx.as_of, actor=ctx.actor,
            recorded_at=inner.recorded_at,
        )  # fmt: skip
        data = {"plan": plan_id, "outcome": outcome, "note": note}
        record_event(inner, "plan.ended", "account", account_id, data)
    return int(end.id)


def _account_of(model: type[Promise] | type[PaymentPlan], row_id: int, code: str, **params: int) -> int:
    found = model.objects.filter(id=row_id).values_list("account_id", flat=True).first()
    if found is None:
        raise SaldoError(code, **params)
    return int(found)


def _check_outcome(outcome: str, known: Sequence[str]) -> None:
    if outcome not in known:
        raise SaldoError("outcome_unknown", outcome=outcome, known=", ".join(known))
