"""Promises judged with what the bank's statements, the cash desk and the company's settings say.

    judgements          JUDGEMENTS of a portfolio, or of some accounts
    promises_of         one account's promises, for pages and lists
    promise_entries     what of it a person must act on today

docs/rules/promises.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

import polars as pl

from saldo.cash.expected import reached_on, reached_until, waiting_money
from saldo.core.context import Context
from saldo.core.promises import BROKEN, OPEN, PARTIALLY_KEPT
from saldo.core.sending import SendingRules
from saldo.outreach.settings import rules_of
from saldo.promises import judging, queries
from saldo.promises.queries import PromiseRow

PROMISE_BROKEN, PROMISE_PARTLY_KEPT = "promise_broken", "promise_partly_kept"
_CODES = {BROKEN: PROMISE_BROKEN, PARTIALLY_KEPT: PROMISE_PARTLY_KEPT}
ENTRIES = {"account_id": pl.Int64, "code": pl.String, "date": pl.Date}
Accounts = Sequence[int] | None


def _rules(ctx: Context, rules: SendingRules | None) -> SendingRules:
    if rules is not None:
        return rules
    return SendingRules() if ctx.company_id is None else rules_of(ctx.company_id, ctx.known_at)


def judgements(ctx: Context, account_ids: Accounts = None, rules: SendingRules | None = None) -> pl.DataFrame:
    """promises.judging.JUDGEMENTS as of the context's day; mistakes are left out.

    judged_date: the first day on which anybody could know: after the tolerance, once a statement that reaches
    that day was read, or when the money came back.
    """
    rules, until = _rules(ctx, rules), reached_until(ctx)
    found = judging.judgements(ctx, account_ids, rules, until, waiting_money(ctx, account_ids))
    if until is None or found.is_empty():
        return found
    last = pl.col("promised_date") + timedelta(days=rules.promise_tolerance_days)
    days = found.filter(pl.col("state") != OPEN).select(last.alias("last"))["last"].unique().to_list()
    # What was read after the context's day was written down later, and says nothing of when it was known.
    read = {day: known for day, known in reached_on(ctx, days).items() if known <= ctx.as_of}
    known = last.replace_strict(read, default=None, return_dtype=pl.Date)
    return found.with_columns(judged_date=pl.max_horizontal("judged_date", known))


def promises_of(ctx: Context, account_id: int) -> list[PromiseRow]:
    """The account's promises, newest first. The caller has checked the account's scope."""
    rules = _rules(ctx, None)
    judged = judgements(ctx, [account_id], rules)
    days: dict[int, date] = dict(judged.select("promise_id", "judged_date").iter_rows())
    rows = queries.promises_of(
        ctx, account_id, rules.promise_tolerance_days, reached_until(ctx), waiting_money(ctx, [account_id])
    )
    return [replace(row, judged_date=days.get(row.id, row.judged_date)) for row in rows]


def promise_entries(
    ctx: Context, account_ids: Accounts = None, rules: SendingRules | None = None
) -> pl.DataFrame:
    """ENTRIES: accounts of which a promise was broken, or kept in part only, and something of it is owed
    still and was not promised anew; of several the newest."""
    unkept = judgements(ctx, account_ids, rules).filter(
        pl.col("state").is_in(list(_CODES)) & (pl.col("left_mills") > 0)
    )
    return (
        unkept.sort("judged_date", "promise_id")
        .group_by("account_id", maintain_order=True)
        .agg(code=pl.col("state").last().replace_strict(_CODES), date=pl.col("judged_date").last())
        .select(*ENTRIES)
        .sort("account_id")
    )
