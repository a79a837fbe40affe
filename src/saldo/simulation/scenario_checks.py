"""The expectations of the scenario language, each by the real queries. EXPECTATIONS is their grammar.

Each function returns None where the expectation holds, else what was found.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import polars as pl
from django.db import connection

from saldo.collection.queries import worklist
from saldo.core.aging import BUCKETS
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.money import Money, decimal_text
from saldo.core.reasons import render
from saldo.flows.import_documents import ImportResult
from saldo.identity.models import DayRun
from saldo.ledger import queries
from saldo.simulation.scenario_calls import CALL_EXPECTATIONS
from saldo.simulation.scenario_care import CARE_EXPECTATIONS
from saldo.simulation.scenario_cash import CASH_EXPECTATIONS
from saldo.simulation.scenario_collections import COLLECTION_EXPECTATIONS
from saldo.simulation.scenario_desk import DESK_EXPECTATIONS
from saldo.simulation.scenario_disputes import DISPUTE_EXPECTATIONS
from saldo.simulation.scenario_outreach import OUTREACH_EXPECTATIONS
from saldo.simulation.scenario_plans import PLAN_EXPECTATIONS
from saldo.simulation.scenario_world import World

_D = r"\d{4}-\d{2}-\d{2}"
_M = r"-?\d[\d.]*"
_NAME = r'(?:"[^"]+"|\S+)'
_ITEM = rf"(?P<item>{_NAME})"
_AMOUNT = rf"(?P<amount>{_M})(?: (?P<currency>[A-Z]{{3}}))?"
_WHY = r'(?: "(?P<why>[^"]+)")?'


def _totals(world: World, told: dict[str, Any], ctx: Context) -> dict[str, int]:
    frame = queries.totals(ctx, True, [world.account(told["account"])])
    rows = frame.filter(pl.col("currency") == (told["currency"] or world.company.currency))
    if rows.is_empty():
        return dict.fromkeys([name for name in frame.columns if name.endswith("_mills")], 0)
    return rows.row(0, named=True)


def _total(world: World, told: dict[str, Any], ctx: Context) -> str | None:
    row, word = _totals(world, told, ctx), told["_word"]
    net = row["open_mills"] - row["credits_mills"]
    found = net if word in ("balance", "net") else row[f"{word}_mills"]
    money = world.money(told["amount"], told["currency"])
    return None if found == money.mills else str(Money.of_mills(found, money.currency))


def _aging(world: World, told: dict[str, Any], ctx: Context) -> str | None:
    row, currency = _totals(world, told, ctx), told["currency"] or world.company.currency
    columns = zip(BUCKETS, queries.BUCKET_COLUMNS, strict=True)
    found = {bucket: decimal_text(row[f"{name}_mills"], currency) for bucket, name in columns}
    wanted = dict(part.split(" ") for part in told["buckets"].split(", "))
    if unknown := set(wanted) - set(BUCKETS):
        return f"no bucket {', '.join(unknown)}; the buckets are {', '.join(BUCKETS)}"
    # A bucket that is not named is expected to be empty.
    same = all(Decimal(wanted.get(bucket, "0")) == Decimal(amount) for bucket, amount in found.items())
    return (
        None
        if same
        else ", ".join(f"{bucket} {amount}" for bucket, amount in found.items() if Decimal(amount))
    )


def _item(world: World, told: dict[str, Any], ctx: Context) -> str | None:
    row = world.line_of(told["item"], ctx)
    same = row["balance"] == Decimal(told["amount"])
    same = same and (not told["due"] or str(row["due_date"]) == told["due"])
    same = same and (not told["origin"] or row["origin"] == told["origin"])
    same = same and (not told["currency"] or row["currency"] == told["currency"])
    return None if same else f"{row['balance']} {row['currency']} due {row['due_date']} from {row['origin']}"


def _against(world: World, told: dict[str, Any], ctx: Context) -> str | None:
    """What stands against an item, by the kind of the other side."""
    sql = """
    SELECT o.kind, sum(s.amount) FROM ledger_allocation a
      JOIN LATERAL (VALUES (a.debit_item_id, a.credit_item_id, a.amount),
                           (a.credit_item_id, a.debit_item_id, coalesce(a.credit_amount, a.amount))
                   ) s (item_id, other_id, amount) ON s.item_id = ANY(%(parts)s)
      JOIN ledger_item o ON o.id = s.other_id
     WHERE a.effective_date <= %(as_of)s AND a.recorded_at <= %(known_at)s
     GROUP BY o.kind HAVING sum(s.amount) <> 0 ORDER BY o.kind"""
    with connection.cursor() as cursor:
        cursor.execute(sql, {**queries.clocks(ctx), "parts": world.line_of(told["item"], ctx)["parts"]})
        found = {kind: amount for kind, amount in cursor.fetchall()}
    parts = [] if told["parts"] == "nothing" else [part.split(" ") for part in told["parts"].split(", ")]
    same = found == {kind: Decimal(amount) for kind, amount in parts}
    return None if same else ", ".join(f"{kind} {amount}" for kind, amount in found.items()) or "nothing"


def _last_result(world: World) -> ImportResult:
    if world.result is None:
        raise SaldoError("batch_unknown", id="-")
    return world.result


def _rejected(world: World, told: dict[str, Any], ctx: Context) -> str | None:
    refused = _last_result(world).rejections
    found = [f"{r.code} at row {r.row}" for r in refused]
    if told["code"] == "nothing":
        same = not found
    else:
        hits = [r for r in refused if r.code == told["code"] and told["row"] in (None, str(r.row))]
        same = len(hits) == 1 if told["row"] else bool(hits)
    return None if same else ", ".join(found) or "nothing rejected"


def _counts(world: World, told: dict[str, Any], ctx: Context) -> str | None:
    result = _last_result(world)
    counts = {**result.counts, "done": result.done, "unchanged": result.unchanged, "closed": result.closed}
    wanted = {name: int(number) for name, number in re.findall(r"(\w+) (\d+)", told["counts"])}
    found = {name: counts.get(name) for name in wanted}
    return None if found == wanted else " ".join(f"{name} {number}" for name, number in found.items())


def _status(world: World, told: dict[str, Any], ctx: Context) -> str | None:
    result = _last_result(world)
    return None if result.status == told["status"] else f"{result.status} {result.message}".strip()


def _ranked(world: World) -> list[tuple[int, str, str]]:
    """(account, action, its reasons in words) of the last run, in its order."""
    if not world.runs:
        raise SaldoError("account_unknown", account="no day was run")
    run = DayRun.objects.get(id=world.runs[-1].day_run_id)
    rows = worklist(world.context(), run, limit=10_000)
    language = world.language
    return [
        (row.account_id, row.kind, "; ".join(render(r["code"], r["params"], language) for r in row.reasons))
        for row in rows
    ]


def _action(world: World, told: dict[str, Any], ctx: Context) -> str | None:
    account = world.account(told["account"])
    rows = [(kind, why) for number, kind, why in _ranked(world) if number == account]
    if told["_word"] == "nothing":
        asked = [f"{kind} ({why})" for kind, why in rows if kind != "none"]
        return ", ".join(asked) or None
    hits = [kind for kind, why in rows if told.get("kind") in (None, kind) and (told["why"] or "") in why]
    return None if hits else ", ".join(f"{kind} ({why})" for kind, why in rows) or "not in the worklist"


def _before(world: World, told: dict[str, Any], ctx: Context) -> str | None:
    order = [account for account, _, _ in _ranked(world)]
    first, second = (world.account(told[name]) for name in ("first", "second"))
    if first in order and second in order and order.index(first) < order.index(second):
        return None
    return f"places {[order.index(account) + 1 if account in order else None for account in (first, second)]}"


def _last_run(world: World, told: dict[str, Any], ctx: Context) -> str | None:
    """Whether the last run gave the same day as the one before it, and whether it knows of later facts."""
    if told["_word"] == "later":
        known = world.runs and world.runs[-1].later_facts
        return None if known else "a run that has seen all facts"
    if len(world.runs) < 2:
        return f"{len(world.runs)} runs"
    last, before = world.runs[-1], world.runs[-2]
    same = not last.is_new and (last.version, last.known_at) == (before.version, before.known_at)
    return None if same == (told["_word"] == "same") else f"version {last.version} after {before.version}"


_ACCOUNT = rf"(?P<account>{_NAME})"
Expectation = tuple[str, str, Callable[[World, dict[str, Any], Context], str | None]]
EXPECTATIONS: dict[str, Expectation] = {
    **CASH_EXPECTATIONS,
    **CALL_EXPECTATIONS,
    **CARE_EXPECTATIONS,
    **DESK_EXPECTATIONS,
    **COLLECTION_EXPECTATIONS,
    **OUTREACH_EXPECTATIONS,
    **PLAN_EXPECTATIONS,
    **DISPUTE_EXPECTATIONS,
    **{
        word: (rf"{word} {_ACCOUNT} {_AMOUNT}", f"{word} CUSTOMER AMOUNT [CUR]", _total)
        for word in ("balance", "net", "open", "credits", "unapplied", "overdue")
    },
    "aging": (
        rf"aging {_ACCOUNT}(?: (?P<currency>[A-Z]{{3}}))? (?P<buckets>\S+ {_M}(?:, \S+ {_M})*)",
        "aging CUSTOMER [CUR] BUCKET AMOUNT, …", _aging,
    ),
    "item": (
        rf"item {_ITEM} {_AMOUNT}(?: due (?P<due>{_D}))?(?: from (?P<origin>stated|terms|law))?",
        "item ITEM BALANCE [CUR] [due DATE] [from stated|terms|law]", _item,
    ),
    "against": (
        rf"against {_ITEM} (?P<parts>nothing|\w+ {_M}(?:, \w+ {_M})*)",
        "against ITEM nothing | KIND AMOUNT, …", _against,
    ),
    "rejected": (
        r"rejected (?P<code>\w+)(?: at row (?P<row>\d+))?", "rejected CODE [at row N] | nothing", _rejected,
    ),
    **{
        word: (r"(?P<counts>\w+ \d+(?: \w+ \d+)*)", "done N unchanged N closed N new N vanished N …", _counts)
        for word in (
            "done", "unchanged", "closed", "new", "amended", "reduced", "reopened", "vanished", "notices",
        )
    },
    "status": (r"status (?P<status>\w+)", "status done|asks", _status),
    "action": (rf"action {_ACCOUNT} (?P<kind>\w+){_WHY}", 'action CUSTOMER email|call|none ["…"]', _action),
    "reason": (rf"reason {_ACCOUNT}{_WHY}", 'reason CUSTOMER "…"', _action),
    "nothing": (rf"nothing {_ACCOUNT}", "nothing CUSTOMER", _action),
    "before": (rf"before (?P<first>{_NAME}) (?P<second>{_NAME})", "before CUSTOMER CUSTOMER", _before),
    **{
        word: (form, form, _last_run)
        for word, form in (("same", "same day"), ("another", "another day"), ("later", "later facts"))
    },
}  # fmt: skip
