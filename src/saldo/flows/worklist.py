"""The day's worklists, in the stable JSON of the command line."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from typing import Any

from saldo.analytics.ranking import DATED, VALUE, WAIT
from saldo.collection.planning import stored_plan
from saldo.core.context import Context
from saldo.core.errors import LANGUAGES
from saldo.core.money import decimal_text, to_mills
from saldo.core.reasons import render
from saldo.flows.day import run_day
from saldo.identity.queries import companies, latest_day_run

BLOCKS = (DATED, VALUE, WAIT)


def worklist_of_day(ctx: Context, collector: str = "", planned: bool = False) -> list[dict[str, Any]]:
    """The rows of the day's worklists, in the stable JSON of the command line; runs a day that was not run.

    Amounts are decimal strings; ``value`` is the expected gain of the suggested action; ``to_collect`` what
    of the overdue may be asked; reasons, and why not the alternatives, are given in both languages.
    collector: only that person's list, as the day shared it out. planned: only what its minutes reach.
    """
    lists: dict[str, list[list[dict[str, Any]]]] = {}
    for company in companies(ctx):
        run = latest_day_run(company.id, ctx.as_of)
        run_id = run.id if run else run_day(ctx, company.id).day_run_id
        rows = [_told(company.code, row) for row in stored_plan(run_id)]
        for currency, own in groupby(rows, key=itemgetter("currency")):
            lists.setdefault(currency, []).append(list(own))
    ranked = [row for currency in sorted(lists) for row in _merged(lists[currency])]
    numbered = [row | {"rank": rank, "company_rank": row["rank"]} for rank, row in enumerate(ranked, start=1)]
    return [
        row
        for row in numbered
        if (not collector or row["collector"] in ("", collector)) and (not planned or row["planned"])
    ]


def _merged(lists: list[list[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    """Several companies' lists of one currency as one: of their first rows the worthiest comes next, so that
    each keeps its own order."""
    queues = [deque(rows) for rows in lists]
    while waiting := [queue for queue in queues if queue]:
        yield min(waiting, key=lambda queue: _place(queue[0])).popleft()


def _place(row: dict[str, Any]) -> tuple[int, Decimal]:
    return (BLOCKS.index(row["block"]), -Decimal(row["value_per_minute"]))


def _told(company: str, row: dict[str, Any]) -> dict[str, Any]:
    currency = row["currency"]
    amounts = {
        name: decimal_text(to_mills(row[name]), currency)
        for name in ("value", "value_per_minute", "overdue", "to_collect", "open")
    }
    return {
        "rank": row["rank"],
        "company": company,
        "account": row["account__code"],
        "name": row["account__customer__name"],
        "block": row["block"],
        "action": row["kind"],
        "minutes": row["minutes"],
        "currency": currency,
        **amounts,
        "oldest_days": row["oldest_days"],
        "p30": round(row["p30"], 4),
        "rung": row["rung"],
        "collector": row["collector"],
        "planned": row["is_planned"],
        "alternatives": [_alternative(told, currency) for told in row["alternatives"]],
        "reasons": {
            language: [render(reason["code"], reason["params"], language) for reason in row["reasons"]]
            for language in LANGUAGES
        },
    }


def _alternative(told: dict[str, Any], currency: str) -> dict[str, Any]:
    """Another action with what it is worth (null: it may not be done) and why it is not the one."""
    value = told["value_mills"]
    return {
        "action": told["action"],
        "minutes": told["minutes"],
        "value": None if value is None else decimal_text(value, currency),
        "code": told["code"],
        "why": {language: render(told["code"], {}, language) for language in LANGUAGES},
    }
