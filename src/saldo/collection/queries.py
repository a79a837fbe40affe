"""Reading the worklist: the ranked actions of a day that nobody has dealt with yet, and what people did.

An action is hidden for the day by its account's latest outcome (done or skipped), and beyond it until the
outcome's follow-up date, or until the hour at which to call back. An outcome "undone" brings it back; a
"note" changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.db import connection

from saldo.collection.models import Outcome
from saldo.core.context import Context
from saldo.core.normalize import search_text
from saldo.identity.models import DayRun, Grant
from saldo.parties.queries import visible_accounts_sql

MAY_COLLECT = frozenset({Grant.Role.ADMINISTRATOR, Grant.Role.CREDIT_MANAGER, Grant.Role.COLLECTOR})
# Whoever may speak with a customer about what it owes; sales with its own.
MAY_CALL = MAY_COLLECT | {Grant.Role.SALES}
DONE, SKIPPED, UNDONE, NOTE = "done", "skipped", "undone", "note"
PAGE_ROWS = 25
# The name of no collector: what is everybody's.
NOBODY = "-"
# The menu's number stops here: beyond it nobody counts, and counting costs.
COUNTED_ROWS = 1000
SORTS = {
    "rank": "a.rank, a.id",
    "name": "c.sort_name, a.rank",
    "overdue": "a.overdue DESC, a.rank",
    "p30": "a.p30, a.rank",
    "value": "a.value_per_minute DESC, a.rank",
    "oldest": "a.oldest_days DESC, a.rank",
}

# Accounts that their last outcome, or a postponement, keeps out of the list; takes the day three times, the
# present instant, and the day again.
HIDDEN = """
       SELECT o.account_id FROM collection_outcome o
        WHERE o.state IN ('done', 'skipped') AND o.as_of <= %s AND (o.as_of = %s OR o.follow_up_date > %s)
          AND (o.call_back_at IS NULL OR o.call_back_at > %s OR o.follow_up_date > o.as_of)
          AND NOT EXISTS (SELECT 1 FROM collection_outcome later
                           WHERE later.account_id = o.account_id AND later.state <> 'note'
                             AND later.as_of <= %s
                             AND (later.recorded_at, later.id) > (o.recorded_at, o.id))
"""
_VISIBLE_TODAY = f"""
  FROM collection_action a
{{names}}
 WHERE a.day_run_id = %s AND a.account_id IN ({{scope}})
   AND a.account_id NOT IN ({HIDDEN})
"""
_NAMES = """
  JOIN parties_customeraccount acc ON acc.id = a.account_id
  JOIN parties_customer c ON c.id = acc.customer_id
"""
_COLUMNS = """
SELECT a.id, a.account_id, acc.code, c.name, a.rank, a.block, a.kind, a.minutes, a.currency, a.value,
       a.value_per_minute, a.overdue, a.to_collect, a.open, a.oldest_days, a.p30, a.rung, a.collector,
       a.is_planned, a.reasons::text AS reasons, a.alternatives::text AS alternatives
"""


@dataclass(frozen=True, slots=True)
class WorklistFilter:
    """What of the worklist is shown. Empty values filter nothing; amounts are in the action's currency.

    collector: the list of one person, with what is everybody's; NOBODY: what is everybody's alone. planned:
    only what the day's minutes reach.
    """

    text: str = ""
    block: str = ""
    kind: str = ""
    minimum: Decimal | None = None
    sort: str = "rank"
    collector: str = ""
    planned: bool = False

    @property
    def is_empty(self) -> bool:
        return self.is_list and not self.collector

    @property
    def is_list(self) -> bool:
        """Nothing is filtered but whose list it is."""
        return not (self.text or self.block or self.kind or self.minimum or self.planned)


@dataclass(frozen=True, slots=True)
class ActionRow:
    """One line of the worklist. p30: chance that it is paid within 30 days if nothing is done (0-1).

    to_collect: what of the overdue may be asked today. collector: whose list it is on, "" everybody's.
    is_planned: the day's minutes reach it. alternatives: what else could be done, the best first:
    {action, minutes, value_mills, gain_mills, code}; code says why it is not the one.
    """

    id: int
    account_id: int
    code: str
    name: str
    rank: int
    block: str
    kind: str
    minutes: float
    currency: str
    value: Decimal
    value_per_minute: Decimal
    overdue: Decimal
    to_collect: Decimal
    open: Decimal
    oldest_days: int
    p30: float
    rung: str
    collector: str
    is_planned: bool
    reasons: list[Any]
    alternatives: list[Any]


@dataclass(slots=True)
class WorklistSummary:
    """What is left to do: the number of actions, their minutes, and the overdue by currency."""

    actions: int = 0
    minutes: float = 0.0
    blocks: dict[str, int] = field(default_factory=dict)
    overdue: dict[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """An outcome as it was recorded; the words are those of ``core.outcomes``."""

    id: int
    state: str
    note: str
    as_of: date
    follow_up_date: date | None
    actor: str
    recorded_at: datetime
    channel: str = ""
    result: str = ""
    skip_reason: str = ""
    delay_reason: str = ""
    contact_id: int | None = None
    seconds: int | None = None
    call_back_at: datetime | None = None
    data: dict[str, Any] = field(default_factory=dict)


def hidden_params(ctx: Context, run: DayRun) -> list[Any]:
    """The parameters of HIDDEN."""
    return [run.as_of, run.as_of, run.as_of, ctx.clock(), run.as_of]


def _conditions(
    ctx: Context, run: DayRun, wanted: WorklistFilter, with_names: bool = True
) -> tuple[str, list[Any]]:
    scope, scope_params = visible_accounts_sql(ctx)
    sql = _VISIBLE_TODAY.format(scope=scope, names=_NAMES if with_names or wanted.text else "")
    params: list[Any] = [run.id, *scope_params, *hidden_params(ctx, run)]
    if text := search_text(wanted.text):
        sql += "   AND (c.search_text LIKE %s OR c.search_text LIKE %s OR upper(acc.code) = %s)\n"
        like = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        params += [f"{like}%", f"% {like}%", wanted.text.strip().upper()]
    for column, value in (("block", wanted.block), ("kind", wanted.kind)):
        if value:
            sql += f"   AND a.{column} = %s\n"
            params.append(value)
    if wanted.minimum is not None:
        sql += "   AND a.overdue >= %s\n"
        params.append(wanted.minimum)
    if wanted.planned:
        sql += "   AND a.is_planned\n"
    if wanted.collector:
        own, own_params = _of_collector(ctx, run, wanted.collector)
        sql, params = f"{sql}   AND {own}\n", [*params, *own_params]
    return sql, params


def _of_collector(ctx: Context, run: DayRun, collector: str) -> tuple[str, list[Any]]:
    """The rows on somebody's list, accounts that changed hands since the run included."""
    whose = [""] if collector == NOBODY else ["", collector]
    changed = moved(run)
    here = [account_id for account_id, name in changed if name in whose]
    away = [account_id for account_id, name in changed if name not in whose]
    if not changed:
        return "a.collector = ANY(%s)", [whose]
    return "(a.collector = ANY(%s) AND a.account_id <> ALL(%s) OR a.account_id = ANY(%s))", [
        whose,
        away,
        here,
    ]


def moved(run: DayRun) -> list[tuple[int, str]]:
    """(account, collector) of what was given to somebody, for that day, since the run read whose it was."""
    sql = """
    SELECT DISTINCT ON (s.account_id) s.account_id, s.collector
      FROM collection_assignment s JOIN parties_customeraccount a ON a.id = s.account_id
     WHERE s.recorded_at > %s AND a.company_id = %s
       AND s.from_date <= %s AND (s.until_date IS NULL OR s.until_date >= %s)
     ORDER BY s.account_id, s.recorded_at DESC, s.id DESC
    """
    found = fetch(sql, [run.known_at, run.company_id, run.as_of, run.as_of])
    return [(row["account_id"], row["collector"]) for row in found]


def fetch(sql: str, params: Sequence[Any]) -> list[dict[str, Any]]:
    """The rows of a SELECT, each by its columns' names."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _action(row: dict[str, Any]) -> ActionRow:
    return ActionRow(**{**row, "reasons": _json(row["reasons"]), "alternatives": _json(row["alternatives"])})


def _json(text: str) -> list[Any]:
    return list(json.loads(text))


def worklist(
    ctx: Context,
    run: DayRun,
    wanted: WorklistFilter = WorklistFilter(),
    offset: int = 0,
    limit: int = PAGE_ROWS,
    first: Sequence[int] = (),
) -> list[ActionRow]:
    """A window of the actions still to do in ``run``. One more than ``limit`` tells of others.

    first: accounts that come before all others where the list is in its own order, in this order.
    """
    where, params = _conditions(ctx, run, wanted)
    order = SORTS.get(wanted.sort, SORTS["rank"])
    if first and wanted.sort == "rank":
        order = f"array_position(%s::bigint[], a.account_id) NULLS LAST, {order}"
        params = [*params, list(first)]
    sql = f"{_COLUMNS}{where} ORDER BY {order} LIMIT %s OFFSET %s"
    return [_action(row) for row in fetch(sql, [*params, limit + 1, offset])]


_SUMS = (
    "SELECT a.block, a.currency, count(*) AS actions, sum(a.minutes) AS minutes, sum(a.overdue) AS overdue "
)
_BY_BLOCK = " GROUP BY a.block, a.currency"


def worklist_summary(
    ctx: Context, run: DayRun, wanted: WorklistFilter = WorklistFilter(), whole_company: bool = False
) -> WorklistSummary:
    """Counts, minutes and overdue of the actions still to do in ``run``.

    whole_company: the actor reads every account of the company, so that without a filter the run's own totals
    count, less what is hidden today: the totals of a run never change. So for the list of one person, while
    no account has changed hands since.
    """
    if whole_company and wanted.is_list and wanted.collector and not moved(run):
        whose = ("",) if wanted.collector == NOBODY else ("", wanted.collector)
        own = f"{_SUMS} FROM collection_action a WHERE a.day_run_id = %s AND a.collector = ANY(%s)"
        hidden = [run.id, list(whose), *hidden_params(ctx, run)]
        taken_off = fetch(f"{own} AND a.account_id IN ({HIDDEN}){_BY_BLOCK}", hidden)
        every = [row for row in _totals_of_lists(run.id) if row["collector"] in whose]
        return _summed([(row, 1) for row in every] + [(row, -1) for row in taken_off])
    if whole_company and wanted.is_empty:
        of_run = f"{_SUMS} FROM collection_action a WHERE a.day_run_id = %s"
        hidden = [run.id, *hidden_params(ctx, run)]
        taken_off = fetch(f"{of_run} AND a.account_id IN ({HIDDEN}){_BY_BLOCK}", hidden)
        return _summed([(row, 1) for row in _totals_of_run(run.id)] + [(row, -1) for row in taken_off])
    where, params = _conditions(ctx, run, wanted, with_names=False)
    return _summed([(row, 1) for row in fetch(f"{_SUMS}{where}{_BY_BLOCK}", params)])


@lru_cache(maxsize=64)
def _totals_of_run(run_id: int) -> tuple[dict[str, Any], ...]:
    return tuple(fetch(f"{_SUMS} FROM collection_action a WHERE a.day_run_id = %s{_BY_BLOCK}", [run_id]))


@lru_cache(maxsize=64)
def _totals_of_lists(run_id: int) -> tuple[dict[str, Any], ...]:
    sums = _SUMS.replace("SELECT ", "SELECT a.collector, ", 1)
    by_list = f"{_BY_BLOCK}, a.collector"
    return tuple(fetch(f"{sums} FROM collection_action a WHERE a.day_run_id = %s{by_list}", [run_id]))


def _summed(rows: Sequence[tuple[dict[str, Any], int]]) -> WorklistSummary:
    summary = WorklistSummary()
    for row, sign in rows:
        summary.actions += sign * row["actions"]
        summary.minutes += sign * row["minutes"]
        summary.blocks[row["block"]] = summary.blocks.get(row["block"], 0) + sign * row["actions"]
        summary.overdue[row["currency"]] = (
            summary.overdue.get(row["currency"], Decimal(0)) + sign * row["overdue"]
        )
    return summary


def worklist_count(ctx: Context, run: DayRun, wanted: WorklistFilter = WorklistFilter()) -> int:
    """How many actions are still to do in ``run``, up to COUNTED_ROWS."""
    where, params = _conditions(ctx, run, wanted, with_names=False)
    sql = f"SELECT count(*) AS n FROM (SELECT 1 {where} LIMIT %s) counted"
    return int(fetch(sql, [*params, COUNTED_ROWS])[0]["n"])


def action(ctx: Context, action_id: int) -> ActionRow | None:
    """One action whose account the actor may see, dealt with or not."""
    scope, params = visible_accounts_sql(ctx)
    sql = f"""{_COLUMNS}
  FROM collection_action a
  JOIN parties_customeraccount acc ON acc.id = a.account_id
  JOIN parties_customer c ON c.id = acc.customer_id
 WHERE a.id = %s AND a.account_id IN ({scope})"""
    rows = fetch(sql, [action_id, *params])
    return _action(rows[0]) if rows else None


def outcomes_of(account_id: int, limit: int = 40) -> list[OutcomeRow]:
    """What people did about the account, newest first. The caller has checked the account's scope."""
    found = Outcome.objects.filter(account_id=account_id).order_by("-recorded_at", "-id")[:limit]
    return [OutcomeRow(*(getattr(one, name) for name in OutcomeRow.__slots__)) for one in found]


def hidden_today(
    outcomes: Sequence[OutcomeRow], as_of: date, now: datetime | None = None
) -> OutcomeRow | None:
    """The outcome that hides the account on ``as_of``, if one does (``outcomes``: newest first). now: an hour
    of the same day at which to call back has come, or has not."""
    for row in outcomes:
        if row.state == NOTE or row.as_of > as_of:
            continue
        later = row.follow_up_date is not None and row.follow_up_date > as_of
        if row.call_back_at and now and row.follow_up_date == row.as_of and row.call_back_at <= now:
            return None
        return row if row.state in (DONE, SKIPPED) and (row.as_of == as_of or later) else None
    return None
