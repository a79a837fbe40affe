"""The day's work by person: what is left on each list, what was done, what is slipping."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from saldo.collection.assignments import Collector, assigned, collectors_of
from saldo.collection.queries import HIDDEN, fetch, hidden_params, moved
from saldo.core.context import Context
from saldo.core.outcomes import PHONE, SPOKEN, VISIT
from saldo.core.priors import default_priors
from saldo.identity.models import DayRun
from saldo.parties.queries import visible_accounts_sql

SLIPS_SHOWN = 100
_ACTION_OF = {PHONE: "call", VISIT: "visit"}


@dataclass(slots=True)
class Member:
    """One person's day. username "": what is on nobody's list.

    minutes: of the day, None where nobody said how many. left, left_minutes: rows still to do and planned;
    beyond: those that the minutes do not reach. value_left: expected gain of what is left, by currency. done,
    spoken, used_minutes: what was recorded today, in those minutes that were timed or else are stated. slips:
    dated entries whose day is over.
    """

    username: str
    name: str
    minutes: int | None = None
    until_date: date | None = None
    note: str = ""
    is_active: bool = True
    accounts: int = 0
    left: int = 0
    beyond: int = 0
    left_minutes: float = 0.0
    value_left: dict[str, Decimal] = field(default_factory=dict)
    done: int = 0
    spoken: int = 0
    used_minutes: float = 0.0
    slips: int = 0

    @property
    def is_away(self) -> bool:
        return self.minutes == 0

    @property
    def load(self) -> float | None:
        """Minutes used and still needed, as a share of those of the day."""
        return (self.used_minutes + self.left_minutes) / self.minutes if self.minutes else None


@dataclass(frozen=True, slots=True)
class Slip:
    """A dated entry that nobody has dealt with though its day is over. code: as among the row's reasons."""

    action_id: int
    account_id: int
    code: str
    name: str
    since: date
    reason: str
    params: dict[str, Any]
    collector: str
    overdue: Decimal
    currency: str

    @property
    def told(self) -> dict[str, Any]:
        """The reason, as reasons are kept."""
        return {"code": self.reason, "params": self.params}


_ROWS = f"""
  FROM collection_action a
  LEFT JOIN unnest(%s::bigint[], %s::text[]) AS m(account_id, collector) ON m.account_id = a.account_id
 WHERE a.day_run_id = %s AND a.account_id NOT IN ({HIDDEN})
"""


def _rows_params(ctx: Context, run: DayRun) -> list[Any]:
    changed = moved(run)
    return [[one for one, _ in changed], [name for _, name in changed], run.id, *hidden_params(ctx, run)]


def slips(ctx: Context, run: DayRun, limit: int = SLIPS_SHOWN) -> list[Slip]:
    """What is slipping, the oldest first: entries of the first block that were due before the day.

    What playbooks leave to people counts from the day on which it first stood in the list.
    """
    scope, scope_params = visible_accounts_sql(ctx)
    sql = f"""
    SELECT a.id, a.account_id, acc.code, c.name, (a.reasons->0->'params'->>'since')::date AS since,
           a.reasons->0->>'code' AS reason, a.reasons->0->'params' AS params,
           coalesce(m.collector, a.collector) AS collector, a.overdue, a.currency
      {
        _ROWS.replace(
            " WHERE",
            '''  JOIN parties_customeraccount acc ON acc.id = a.account_id
      JOIN parties_customer c ON c.id = acc.customer_id
     WHERE''',
            1,
        )
    }
       AND a.account_id IN ({scope})
       AND a.block = 'dated' AND (a.reasons->0->'params'->>'since')::date < %s
     ORDER BY since, a.overdue DESC, a.id LIMIT %s
    """
    found = fetch(sql, [*_rows_params(ctx, run), *scope_params, run.as_of, limit])
    return [
        Slip(
            row["id"], row["account_id"], row["code"], row["name"], row["since"], row["reason"],
            _object(row["params"]), row["collector"], row["overdue"], row["currency"],
        )
        for row in found
    ]  # fmt: skip


def _object(told: Any) -> dict[str, Any]:
    return told if isinstance(told, dict) else dict(json.loads(told))


def members(ctx: Context, run: DayRun) -> list[Member]:
    """Everybody who has minutes, accounts or rows, by name; last, what is on nobody's list."""
    people: dict[str, Member] = {one.username: _member(one) for one in collectors_of(ctx)}

    def of(name: str) -> Member:
        return people.setdefault(name, Member(name, name))

    of("")
    for name, count in assigned(ctx)["collector"].value_counts().iter_rows():
        of(name).accounts = count
    for row in fetch(_LEFT, [run.as_of, *_rows_params(ctx, run)]):
        one = of(row["collector"])
        one.left += row["planned"]
        one.beyond += row["beyond"]
        one.left_minutes += row["minutes"] or 0.0
        one.slips += row["slips"]
        if row["value"]:
            one.value_left[row["currency"]] = row["value"]
    for row in fetch(_DONE_TODAY, [ctx.company_id, run.as_of]):
        if row["actor"].startswith("system:"):
            continue
        one = of(row["actor"])
        one.done += row["count"]
        one.spoken += row["count"] if row["result"] in SPOKEN else 0
        one.used_minutes += _minutes(row)
    named = sorted((one for one in people.values() if one.username), key=lambda one: one.name.lower())
    return [*named, people[""]]


_LEFT = f"""
SELECT coalesce(m.collector, a.collector) AS collector, a.currency,
       count(*) FILTER (WHERE a.is_planned AND a.block <> 'wait') AS planned,
       count(*) FILTER (WHERE NOT a.is_planned) AS beyond,
       sum(a.minutes) FILTER (WHERE a.is_planned) AS minutes,
       sum(a.value) FILTER (WHERE a.value > 0) AS value,
       count(*) FILTER (WHERE a.block = 'dated'
                          AND (a.reasons->0->'params'->>'since')::date < %s) AS slips
{_ROWS}
 GROUP BY 1, 2
"""
# What was recorded today and not taken back; a note is no work on the list.
_DONE_TODAY = """
SELECT o.actor, o.channel, o.result, count(*) AS count, count(o.seconds) AS timed,
       coalesce(sum(o.seconds), 0) AS seconds
  FROM collection_outcome o JOIN parties_customeraccount a ON a.id = o.account_id
 WHERE a.company_id = %s AND o.as_of = %s AND o.state IN ('done', 'skipped') AND o.skip_reason = ''
   AND NOT EXISTS (SELECT 1 FROM collection_outcome u
                    WHERE u.account_id = o.account_id AND u.as_of = o.as_of AND u.state = 'undone'
                      AND u.id > o.id
                      AND NOT EXISTS (SELECT 1 FROM collection_outcome v
                                       WHERE v.account_id = o.account_id AND v.state <> 'note'
                                         AND v.id > o.id AND v.id < u.id))
 GROUP BY 1, 2, 3
"""


def _member(one: Collector) -> Member:
    return Member(one.username, one.name, one.minutes, one.until_date, one.note, one.is_active)


def _minutes(row: dict[str, Any]) -> float:
    """Minutes of contacts: timed ones as timed, the others as stated for their action."""
    stated = {action.action: action.minutes for action in default_priors().priority.contacts}
    each = stated[_ACTION_OF.get(row["channel"], "email")]
    return row["seconds"] / 60 + (row["count"] - row["timed"]) * each
