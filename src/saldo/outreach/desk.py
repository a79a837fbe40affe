"""Reading the post for its pages: what waits for approval, what goes out, what went, what came back.

Every list joins the actor's scope. What became of a message is its newest delivery.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import connection

from saldo.core.context import Context
from saldo.core.normalize import search_text
from saldo.core.playbook import APPROVE, WRITTEN
from saldo.core.sending import POSTPONED, QUEUED, SENDING, UNKNOWN
from saldo.outreach.replies import STILL_WAITING, sees_general
from saldo.parties.queries import visible_accounts_sql

PAGE_ROWS = 40
COUNTED_ROWS = 1000
# Messages of the last days are looked through for what has not left; nothing waits longer than this.
WAITING_DAYS = 60
SENT_DAYS = 400
PLANNED, BLOCKED = "planned", "blocked"
OUTGOING_STATES = (QUEUED, POSTPONED, SENDING)

_NAMES = """
  JOIN parties_customeraccount acc ON acc.id = {alias}.account_id
  JOIN parties_customer c ON c.id = acc.customer_id
"""
# What a playbook decided on a day and nobody has decided about; a message made of it takes it off.
_PLANNED = """
  FROM collection_playbookaction a
  JOIN collection_playbookversion pv ON pv.id = a.playbook_id
  {names}
 WHERE a.day_run_id = %s AND a.channel = ANY(%s) AND a.account_id IN ({scope})
   AND {kind}
   AND NOT EXISTS (SELECT 1 FROM collection_playbookdecision d WHERE d.action_id = a.id)
   AND NOT EXISTS (SELECT 1 FROM outreach_message m WHERE m.action_id = a.id)
"""
_IS_PLANNED = f"a.blocked = '' AND a.mode = '{APPROVE}'"
_IS_BLOCKED = "a.blocked <> ''"
_PLANNED_COLUMNS = """
SELECT a.id, a.account_id, acc.code, c.name, a.currency, a.track, a.step, a.level, a.channel, a.template,
       a.tone, a.mode, a.owner, a.contact_id, a.asked, a.items::text AS items, a.blocked,
       a.reasons::text AS reasons, pv.id AS playbook_id, pv.code AS playbook, pv.version AS playbook_version,
       coalesce(k.name, '') AS to_name,
       CASE a.channel WHEN 'email' THEN k.email WHEN 'pec' THEN k.pec WHEN 'sms' THEN k.phone ELSE '' END
         AS to_address
"""
_CONTACT = "  LEFT JOIN parties_contact k ON k.id = a.contact_id\n"
_PLANNED_ORDER = " ORDER BY a.level DESC, pv.code, a.step, a.asked DESC, a.id"

# Of what tells that a message left the strongest counts, whatever came first; before that, the newest.
_STRONGEST = """array_position(ARRAY['sent', 'published', 'printed', 'accepted', 'delivered', 'opened',
    'clicked', 'bounced', 'complaint']::varchar[], d.state) DESC NULLS LAST, d.id DESC"""
# A message with its newest delivery and the receipts that came for it.
_MESSAGES = f"""
SELECT m.id, m.account_id, acc.code, c.name, m.channel, m.purpose, m.track, m.step, m.level, m.currency,
       m.asked, m.to_name, m.to_address, m.subject, m.as_of, m.actor, m.recorded_at,
       d.state, d.code AS state_code, d.detail, d.not_before, d.occurred_at,
       (SELECT array_agg(DISTINCT x.state) FROM outreach_delivery x WHERE x.message_id = m.id) AS states
  FROM outreach_message m
  JOIN LATERAL (SELECT state, code, detail, not_before, occurred_at FROM outreach_delivery d
                 WHERE d.message_id = m.id ORDER BY {_STRONGEST} LIMIT 1) d ON true
"""
# A reply is of the account that it was tied to when it came, or that a person gave it to.
_OWNED = """(SELECT r.*, coalesce(r.account_id, (
           SELECT (x.data->>'account_id')::bigint FROM outreach_replyhandling x
            WHERE x.reply_id = r.id AND x.act = 'assigned' ORDER BY x.id DESC LIMIT 1)) AS own_id
      FROM outreach_reply r)"""
_REPLIES = f"""
SELECT r.id, r.own_id AS account_id, coalesce(acc.code, '') AS code, coalesce(c.name, '') AS name,
       r.message_id,
       r.channel, r.from_address, r.from_name, r.subject, left(r.text, 400) AS text, r.threaded_by,
       r.is_trusted, r.received_at, g.label, g.confidence, g.facts::text AS facts, h.act
  FROM {_OWNED} r
  LEFT JOIN parties_customeraccount acc ON acc.id = r.own_id
  LEFT JOIN parties_customer c ON c.id = acc.customer_id
  LEFT JOIN LATERAL (SELECT label, confidence, facts FROM outreach_replyreading x
                      WHERE x.reply_id = r.id ORDER BY x.id DESC LIMIT 1) g ON true
  LEFT JOIN LATERAL (SELECT act FROM outreach_replyhandling x
                      WHERE x.reply_id = r.id ORDER BY x.id DESC LIMIT 1) h ON true
"""
# The last word for the company, or for all companies, holds sending.
_STOPPED = """coalesce(
    (SELECT bool_or(last.is_stopped) FROM (
        SELECT DISTINCT ON (s.company_id) s.is_stopped FROM outreach_sendingstop s
         WHERE s.company_id = %s OR s.company_id IS NULL ORDER BY s.company_id, s.id DESC) last), false)"""
# After these a person still has to look (outreach.replies.STILL_WAITING).
_STILL = ", ".join(f"'{act}'" for act in STILL_WAITING)
_REPLY_WAITS = f"(h.act IS NULL OR h.act IN ({_STILL}))"


@dataclass(frozen=True, slots=True)
class PlannedRow:
    """What a playbook wants to send (or could not): one account, currency and track."""

    id: int
    account_id: int
    code: str
    name: str
    currency: str
    track: str
    step: str
    level: int
    channel: str
    template: str
    tone: str
    mode: str
    owner: str
    contact_id: int | None
    asked: Decimal
    items: list[dict[str, Any]]
    blocked: str
    reasons: list[Any]
    playbook_id: int
    playbook: str
    playbook_version: int
    to_name: str
    to_address: str

    @property
    def oldest_due(self) -> date | None:
        days = [each["due_date"] for each in self.items if each.get("due_date")]
        return date.fromisoformat(min(days)) if days else None

    @property
    def why(self) -> Any:
        """The reason that says why now; which playbook it is stands above the rows."""
        told = [each for each in self.reasons if str(each.get("code", "")).startswith("step")]
        return (told or self.reasons or [""])[0]

    @property
    def group(self) -> str:
        return f"{self.playbook}/{self.step}"


@dataclass(frozen=True, slots=True)
class GroupSum:
    """How many planned messages a step of a playbook has, and what they ask for, by currency."""

    playbook: str
    playbook_id: int
    step: str
    level: int
    channel: str
    count: int
    sums: dict[str, Decimal] = field(default_factory=dict)

    @property
    def group(self) -> str:
        return f"{self.playbook}/{self.step}"


@dataclass(frozen=True, slots=True)
class MessageRow:
    """A message and what became of it last. states: all that happened to it."""

    id: int
    account_id: int
    code: str
    name: str
    channel: str
    purpose: str
    track: str
    step: str
    level: int
    currency: str
    asked: Decimal
    to_name: str
    to_address: str
    subject: str
    as_of: date
    actor: str
    recorded_at: datetime
    state: str
    state_code: str
    detail: str
    not_before: datetime | None
    occurred_at: datetime
    states: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReplyLine:
    """What came back, and how it was understood. confidence: 0-1, None where nothing has read it yet."""

    id: int
    account_id: int | None
    code: str
    name: str
    message_id: int | None
    channel: str
    from_address: str
    from_name: str
    subject: str
    text: str
    threaded_by: str
    is_trusted: bool
    received_at: datetime
    label: str | None
    confidence: float | None
    facts: dict[str, Any]
    act: str | None


@dataclass(frozen=True, slots=True)
class MailCounts:
    """What waits, each up to COUNTED_ROWS."""

    planned: int = 0
    blocked: int = 0
    outgoing: int = 0
    unknown: int = 0
    replies: int = 0
    is_stopped: bool = False

    @property
    def for_people(self) -> int:
        """What a person has to do: approve, resolve, answer."""
        return self.planned + self.unknown + self.replies


def _fetch(sql: str, params: Sequence[Any]) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _searched(text: str, params: list[Any]) -> str:
    found = search_text(text)
    if not found:
        return ""
    like = found.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    params += [f"{like}%", f"% {like}%", text.strip().upper()]
    return "   AND (c.search_text LIKE %s OR c.search_text LIKE %s OR upper(acc.code) = %s)\n"


def _planned_where(ctx: Context, run_id: int, kind: str, with_names: bool = True) -> tuple[str, list[Any]]:
    scope, scope_params = visible_accounts_sql(ctx)
    sql = _PLANNED.format(
        names=_NAMES.format(alias="a") + _CONTACT if with_names else "",
        scope=scope,
        kind=_IS_BLOCKED if kind == BLOCKED else _IS_PLANNED,
    )
    return sql, [run_id, list(WRITTEN), *scope_params]


def _planned(row: dict[str, Any]) -> PlannedRow:
    told = {**row, "items": json.loads(row["items"]), "reasons": json.loads(row["reasons"])}
    return PlannedRow(**{**told, "to_address": told["to_address"] or ""})


def planned(
    ctx: Context,
    run_id: int,
    kind: str = PLANNED,
    text: str = "",
    group: str = "",
    offset: int = 0,
    limit: int = PAGE_ROWS,
) -> list[PlannedRow]:
    """A window of the day's planned messages that wait for approval (or were held back), the firmest step
    first. One more than ``limit`` tells of others. group: "playbook/step"."""
    where, params = _planned_where(ctx, run_id, kind)
    where += _searched(text, params)
    if "/" in group:
        playbook, step = group.split("/", 1)
        where += "   AND pv.code = %s AND a.step = %s\n"
        params += [playbook, step]
    sql = f"{_PLANNED_COLUMNS}{where}{_PLANNED_ORDER} LIMIT %s OFFSET %s"
    return [_planned(row) for row in _fetch(sql, [*params, limit + 1, offset])]


def planned_groups(ctx: Context, run_id: int, kind: str = PLANNED, text: str = "") -> list[GroupSum]:
    """What waits by playbook and step, the firmest first."""
    where, params = _planned_where(ctx, run_id, kind)
    where += _searched(text, params)
    sql = f"""SELECT pv.code AS playbook, max(pv.id) AS playbook_id, a.step, a.level,
                     min(a.channel) AS channel, a.currency,
                     count(*) AS count, sum(a.asked) AS asked {where}
               GROUP BY pv.code, a.step, a.level, a.currency ORDER BY a.level DESC, pv.code, a.step"""
    found: dict[str, GroupSum] = {}
    for row in _fetch(sql, params):
        key = f"{row['playbook']}/{row['step']}"
        before = found.get(key)
        sums = {**(before.sums if before else {}), row["currency"]: row["asked"]}
        count = row["count"] + (before.count if before else 0)
        found[key] = GroupSum(
            row["playbook"], row["playbook_id"], row["step"], row["level"], row["channel"], count, sums
        )
    return list(found.values())


def planned_ids(ctx: Context, run_id: int, text: str = "", group: str = "") -> list[int]:
    """Every planned message that waits for approval and fits the filter."""
    return [row.id for row in planned(ctx, run_id, PLANNED, text, group, 0, 100_000)]


def planned_one(ctx: Context, action_id: int) -> PlannedRow | None:
    """One decided action in the actor's scope, dealt with or not."""
    scope, params = visible_accounts_sql(ctx)
    sql = f"""{_PLANNED_COLUMNS}
  FROM collection_playbookaction a
  JOIN collection_playbookversion pv ON pv.id = a.playbook_id
  {_NAMES.format(alias="a")}{_CONTACT}
 WHERE a.id = %s AND a.account_id IN ({scope})"""
    rows = _fetch(sql, [action_id, *params])
    return _planned(rows[0]) if rows else None


def planned_of_account(ctx: Context, run_id: int, account_id: int) -> list[PlannedRow]:
    """What the day's playbooks want to send the account and nobody has decided about yet."""
    where, params = _planned_where(ctx, run_id, PLANNED)
    sql = f"{_PLANNED_COLUMNS}{where} AND a.account_id = %s{_PLANNED_ORDER}"
    return [_planned(row) for row in _fetch(sql, [*params, account_id])]


def messages(
    ctx: Context,
    since: date,
    states: Sequence[str] = (),
    without: Sequence[str] = (),
    text: str = "",
    offset: int = 0,
    limit: int = PAGE_ROWS,
    account_id: int | None = None,
) -> list[MessageRow]:
    """A window of messages made since a day, the newest first. states: only those whose newest delivery is
    one of these; without: none of these."""
    scope, scope_params = visible_accounts_sql(ctx)
    params: list[Any] = [ctx.company_id, since, *scope_params]
    sql = f"""{_MESSAGES}{_NAMES.format(alias="m")}
 WHERE m.company_id = %s AND m.recorded_at >= %s AND m.account_id IN ({scope})\n"""
    sql += _searched(text, params)
    for values, words in ((states, "= ANY(%s)"), (without, "<> ALL(%s)")):
        if values:
            sql += f"   AND d.state {words}\n"
            params.append(list(values))
    if account_id is not None:
        sql += "   AND m.account_id = %s\n"
        params.append(account_id)
    sql += " ORDER BY m.recorded_at DESC, m.id DESC LIMIT %s OFFSET %s"
    rows = _fetch(sql, [*params, limit + 1, offset])
    return [MessageRow(**{**row, "states": tuple(row["states"] or ())}) for row in rows]


def unknown_messages(ctx: Context) -> list[MessageRow]:
    """Messages of which nobody knows whether they left, the oldest first: a person has to say."""
    scope, params = visible_accounts_sql(ctx)
    sql = f"""{_MESSAGES}{_NAMES.format(alias="m")}
 WHERE m.company_id = %s AND m.account_id IN ({scope}) AND d.state = '{UNKNOWN}'
   AND m.id IN (SELECT message_id FROM outreach_delivery WHERE state = '{UNKNOWN}')
 ORDER BY m.recorded_at, m.id LIMIT {COUNTED_ROWS}"""
    rows = _fetch(sql, [ctx.company_id, *params])
    return [MessageRow(**{**row, "states": tuple(row["states"] or ())}) for row in rows]


def _replies_where(ctx: Context, with_strays: bool) -> tuple[str, list[Any]]:
    scope, params = visible_accounts_sql(ctx)
    sql = f" WHERE (r.own_id IN ({scope})"
    if with_strays:
        general = " OR r.company_id IS NULL" if sees_general(ctx) else ""
        sql += f" OR (r.own_id IS NULL AND (r.company_id = %s{general}))"
        params = [*params, ctx.company_id]
    return f"{sql})\n", list(params)


def _reply(row: dict[str, Any]) -> ReplyLine:
    return ReplyLine(**{**row, "facts": json.loads(row["facts"]) if row["facts"] else {}})


def replies(
    ctx: Context,
    with_strays: bool,
    waiting: bool = True,
    text: str = "",
    offset: int = 0,
    limit: int = PAGE_ROWS,
) -> list[ReplyLine]:
    """Replies that wait for a person, the surest first (or those dealt with, the newest first).

    with_strays: also those that nobody could tie to an account.
    """
    where, params = _replies_where(ctx, with_strays)
    where += f"   AND {_REPLY_WAITS}\n" if waiting else f"   AND NOT {_REPLY_WAITS}\n"
    where += _searched(text, params)
    order = "r.own_id IS NULL, g.confidence DESC NULLS LAST, r.received_at" if waiting else (
        "r.received_at DESC"
    )  # fmt: skip
    sql = f"{_REPLIES}{where} ORDER BY {order}, r.id LIMIT %s OFFSET %s"
    return [_reply(row) for row in _fetch(sql, [*params, limit + 1, offset])]


def reply_line(ctx: Context, reply_id: int, with_strays: bool) -> ReplyLine | None:
    where, params = _replies_where(ctx, with_strays)
    rows = _fetch(f"{_REPLIES}{where}   AND r.id = %s", [*params, reply_id])
    return _reply(rows[0]) if rows else None


def replies_of_account(account_id: int, limit: int = 20) -> list[ReplyLine]:
    """What the account wrote, the newest first. The caller has checked its scope."""
    sql = f"{_REPLIES} WHERE r.own_id = %s AND (r.account_id = %s OR r.account_id IS NULL)"
    sql += " ORDER BY r.received_at DESC, r.id DESC LIMIT %s"
    return [_reply(row) for row in _fetch(sql, [account_id, account_id, limit])]


def counts(ctx: Context, run_id: int | None, with_strays: bool) -> MailCounts:
    """What waits in the context's company, for the menu and the tabs: one question to the database."""
    scope, scope_params = visible_accounts_sql(ctx)
    parts, params = [], []
    for kind in (PLANNED, BLOCKED):
        where, more = _planned_where(ctx, run_id or 0, kind, with_names=False)
        where = where.replace("JOIN collection_playbookversion pv ON pv.id = a.playbook_id", "")
        parts.append(f"SELECT 1 {where}")
        params += [*more, COUNTED_ROWS]
    parts.append(f"""SELECT 1 FROM outreach_message m
        JOIN LATERAL (SELECT state FROM outreach_delivery d WHERE d.message_id = m.id
                       ORDER BY {_STRONGEST} LIMIT 1) d ON true
       WHERE m.company_id = %s AND m.recorded_at >= %s::date - {WAITING_DAYS}
         AND d.state = ANY(%s) AND m.account_id IN ({scope})""")
    params += [ctx.company_id, ctx.as_of, list(OUTGOING_STATES), *scope_params, COUNTED_ROWS]
    parts.append(f"""SELECT 1 FROM outreach_delivery u JOIN outreach_message m ON m.id = u.message_id
       WHERE u.state = '{UNKNOWN}' AND m.company_id = %s AND m.account_id IN ({scope})
         AND NOT EXISTS (SELECT 1 FROM outreach_delivery l
                          WHERE l.message_id = u.message_id AND l.id > u.id)""")
    params += [ctx.company_id, *scope_params, COUNTED_ROWS]
    where, more = _replies_where(ctx, with_strays)
    parts.append(f"""SELECT 1 FROM {_OWNED} r
       LEFT JOIN LATERAL (SELECT act FROM outreach_replyhandling x
                           WHERE x.reply_id = r.id ORDER BY x.id DESC LIMIT 1) h ON true
       {where} AND {_REPLY_WAITS}""")
    params += [*more, COUNTED_ROWS]
    columns = ", ".join(f"(SELECT count(*) FROM ({part} LIMIT %s) counted)" for part in parts)
    columns += f", {_STOPPED}"
    params.append(ctx.company_id)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns}", params)
        return MailCounts(*cursor.fetchone())
