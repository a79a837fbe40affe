"""Changes of promises and plans, one account at a time under its lock.

    record_promise, end_promise     an amount by a day
    record_plan, end_plan           a schedule (promises.plans)

Of an item one promise counts at a time: while the day of one has not gone by, a second is refused unless it
is said to take its place. The caller has checked that the actor may (MAY_PROMISE) and sees the account.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import polars as pl

from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.money import decimal_text, from_mills
from saldo.core.promises import MAX_DAYS, MISTAKE, WITHDRAWN, level_of, remaining_mills
from saldo.identity.operations import record_event
from saldo.ledger.owed import Owed, balances, checked_amount, deciding, oldest_first, owed_by, owed_items
from saldo.promises.judging import judgements
from saldo.promises.models import Promise, PromiseEnd, PromiseItem
from saldo.promises.plans import end_plan, record_plan
from saldo.promises.queries import MAY_PROMISE, promise_parts

__all__ = ["MAY_PROMISE", "end_plan", "end_promise", "record_plan", "record_promise"]

ENDS = (WITHDRAWN, MISTAKE)


def record_promise(
    ctx: Context,
    account_id: int,
    currency: str,
    promised_date: date,
    amount_mills: int | None = None,
    item_ids: Sequence[int] = (),
    note: str = "",
    document_id: int | None = None,
    *,
    replaces: bool = False,
) -> int:
    """A promise to pay an amount by a day, given on the context's day; returns its id.

    Without items it is about what is overdue and not promised yet, the oldest first, then about what falls
    due next; without an amount, about all of the items (or all that is overdue). replaces: it takes the place
    of what is promised of these items by a day to come. level: core.promises.level_of.

    Raises SaldoError: promise_in_the_past, promise_too_far, promise_beyond_balance, item_promised (naming the
    promise), nothing_to_promise, stated_amount_invalid, item_unknown, item_not_of_account,
    item_currency_differs, item_closed, account_unknown.
    """
    if promised_date < ctx.as_of:
        raise SaldoError("promise_in_the_past", date=promised_date, as_of=ctx.as_of)
    if promised_date > ctx.as_of + timedelta(days=MAX_DAYS):
        raise SaldoError("promise_too_far", date=promised_date, days=MAX_DAYS)
    if amount_mills is not None:
        checked_amount(amount_mills, currency)
    with deciding(ctx, account_id) as inner:
        before = promise_parts(inner, [account_id])
        taken = _taken(inner, before, replaces)
        items = _promised_items(inner, account_id, currency, item_ids, amount_mills, taken)
        open_mills = sum(item.balance_mills for item in items)
        if amount_mills is not None and amount_mills > open_mills:
            amounts = (decimal_text(mills, currency) for mills in (amount_mills, open_mills))
            raise SaldoError("promise_beyond_balance", **dict(zip(("amount", "open"), amounts, strict=True)))
        parts = oldest_first(items, open_mills if amount_mills is None else amount_mills)
        promise = Promise.objects.create(
            company_id=inner.company_id, account_id=account_id, currency=currency,
            amount=from_mills(sum(mills for _, mills in parts)), promised_date=promised_date,
            level=_level(inner, account_id, promised_date, [item for item, _ in parts]),
            document_id=document_id, note=note, effective_date=ctx.as_of, actor=ctx.actor,
            recorded_at=inner.recorded_at,
        )  # fmt: skip
        PromiseItem.objects.bulk_create(
            PromiseItem(promise=promise, item_id=item.item_id, amount=from_mills(mills),
                        balance_before=from_mills(item.balance_mills))
            for item, mills in parts
        )  # fmt: skip
        data = {
            "promise": promise.id, "amount": str(promise.amount), "currency": currency,
            "promised_date": promised_date.isoformat(), "level": promise.level,
            "replaces": _replaced(before, {item.item_id for item, _ in parts}),
        }  # fmt: skip
        record_event(inner, "promise.recorded", "account", account_id, data)
    return int(promise.id)


def _taken(ctx: Context, before: pl.DataFrame, replaces: bool) -> dict[int, dict[str, Any]]:
    """The items that are promised by a day that has not gone by, with the promise's part."""
    if replaces or before.is_empty():
        return {}
    now = balances(ctx, before["item_id"].to_list())
    coming = before.filter(pl.col("promised_date") >= ctx.as_of).join(
        now.select("item_id", "balance_mills"), on="item_id"
    )
    return {
        row["item_id"]: row
        for row in coming.iter_rows(named=True)
        if remaining_mills(row["amount_mills"], row["before_mills"], row["balance_mills"])
    }


def _promised_items(
    ctx: Context,
    account_id: int,
    currency: str,
    item_ids: Sequence[int],
    amount_mills: int | None,
    taken: Mapping[int, dict[str, Any]],
) -> list[Owed]:
    """The items that the promise is about, what falls due first in front."""
    if item_ids:
        named = owed_items(ctx, account_id, currency, item_ids)
        _refuse_taken([item for item in named if item.item_id in taken], taken, currency)
        return named
    owed = owed_by(ctx, account_id, currency)
    found = owed if amount_mills is not None else [item for item in owed if item.due_date < ctx.as_of]
    if not found:
        raise SaldoError("nothing_to_promise", currency=currency)
    needed = 1 if amount_mills is None else amount_mills
    if sum(item.balance_mills for item in found) < needed:
        return found
    free = [item for item in found if item.item_id not in taken]
    if sum(item.balance_mills for item in free) < needed:
        _refuse_taken([item for item in found if item.item_id in taken], taken, currency)
    return free


def _refuse_taken(items: Sequence[Owed], taken: Mapping[int, dict[str, Any]], currency: str) -> None:
    for item in items:
        part = taken[item.item_id]
        promise = [row for row in taken.values() if row["promise_id"] == part["promise_id"]]
        amount = decimal_text(sum(row["amount_mills"] for row in promise), currency)
        told = {"promise": part["promise_id"], "date": part["promised_date"], "amount": amount}
        raise SaldoError("item_promised", item=item.item_id, **told)


def _level(ctx: Context, account_id: int, promised_date: date, items: Sequence[Owed]) -> int:
    """core.promises.level_of, by all earlier promises on these items; none is forgotten."""
    earlier = PromiseItem.objects.filter(item_id__in=[item.item_id for item in items])
    ids = set(earlier.values_list("promise_id", flat=True))
    if not ids:
        return 1
    found = judgements(ctx, [account_id]).filter(pl.col("promise_id").is_in(sorted(ids)))
    return level_of(found.select("level", "promised_date", "state").iter_rows(), promised_date, ctx.as_of)


def _replaced(before: pl.DataFrame, item_ids: set[int]) -> list[int]:
    """The older promises all of whose counting parts are promised anew: nothing of them is waited for."""
    whole = before.group_by("promise_id").agg(pl.col("item_id").is_in(list(item_ids)).all().alias("whole"))
    return whole.filter("whole")["promise_id"].sort().to_list()


def end_promise(ctx: Context, promise_id: int, outcome: str, note: str = "") -> int:
    """The customer took a promise back ("withdrawn": one that was broken by then stays so), or it had been
    recorded by mistake ("mistake": it never was, and what it replaced counts again). Returns the end's id.

    Raises SaldoError: promise_unknown, promise_ended, outcome_unknown.
    """
    if outcome not in ENDS:
        raise SaldoError("outcome_unknown", outcome=outcome, known=", ".join(ENDS))
    account_id = _account_of(promise_id)
    with deciding(ctx, account_id) as inner:
        counts = promise_id in promise_parts(inner, [account_id])["promise_id"]
        if PromiseEnd.objects.filter(promise_id=promise_id).exists() or (outcome == WITHDRAWN and not counts):
            raise SaldoError("promise_ended", promise=promise_id)
        end = PromiseEnd.objects.create(
            promise_id=promise_id, outcome=outcome, note=note, effective_date=ctx.as_of, actor=ctx.actor,
            recorded_at=inner.recorded_at,
        )  # fmt: skip
        data = {"promise": promise_id, "outcome": outcome, "note": note}
        record_event(inner, "promise.ended", "account", account_id, data)
    return int(end.id)


def _account_of(promise_id: int) -> int:
    found = Promise.objects.filter(id=promise_id).values_list("account_id", flat=True).first()
    if found is None:
        raise SaldoError("promise_unknown", promise=promise_id)
    return int(found)
