"""The cash desk's list: the bank lines of a day, or all that wait, by what became of them.

The state of a line is told by its last Posting. Groups, in the order in which a person looks at them:

    proposed   the newest run proposes something       open     nobody could say what it pays
    returned   money that went back, not yet booked    held     its statement does not add up
    auto       posted by Saldo alone                   confirmed  posted by a person
    other      not from a customer                     out      went out

Every line that came in is in one group of proposed, open, held, auto, confirmed and other.

Bank lines are the whole company's: the caller lets only those ask who read all its accounts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import connection

from saldo.cash.waiting import waiting
from saldo.core.context import Context

PAGE_LINES = 60
# The menu's number stops here.
COUNTED_LINES = 1000
# A search of all days shows the newest lines found.
FOUND_LINES = 500
WAITING = ("proposed", "open", "returned", "held")
DEALT_WITH = ("auto", "confirmed", "other", "out")
GROUPS = WAITING + DEALT_WITH
# What "state" in the filters means.
STATES: Mapping[str, tuple[str, ...]] = {
    "open": ("open", "returned", "held"),
    "proposed": ("proposed",),
    "auto": ("auto",),
    "rest": ("confirmed", "other", "out"),
}
VIEWS = ("day", "open", "all")

_GROUP = """
CASE WHEN last.kind IS NULL OR last.kind = 'undo' THEN
          CASE WHEN t.amount <= 0 THEN
                    CASE WHEN t.is_reversal OR t.return_reason <> '' THEN 'returned' ELSE 'out' END
               WHEN s.is_quarantined AND NOT EXISTS (SELECT 1 FROM cash_statementrelease r
                                                      WHERE r.statement_id = s.id) THEN 'held'
               WHEN best.zone <> 'leave' AND best.kind <> 'unknown' THEN 'proposed'
               ELSE 'open' END
     WHEN t.amount <= 0 THEN 'out'
     WHEN last.kind = 'not_customer' THEN 'other'
     WHEN last.mode = 'auto' THEN 'auto'
     ELSE 'confirmed' END
"""
_STATED = f"""
SELECT t.id, t.bank_account_id, t.booking_date, t.amount, t.currency, t.payer_name, t.ultimate_name, t.text,
       last.kind AS posted, last.mode, last.note, last.account_id AS posted_account_id,
       last.shares AS posted_shares,
       best.kind AS proposal, best.probability, best.account_id AS proposed_account_id,
       best.shares AS proposed_shares, best.unapplied, best.differences::text AS differences,
       {_GROUP} AS grp
  FROM cash_banktransaction t
  JOIN cash_statement s ON s.id = t.statement_id
  LEFT JOIN LATERAL (
      SELECT p.kind, p.mode, p.note, p.account_id, p.shares FROM cash_posting p
       WHERE p.transaction_id = t.id ORDER BY p.sequence DESC LIMIT 1
  ) last ON true
  LEFT JOIN LATERAL (
      SELECT m.kind, m.zone, m.probability, m.account_id, m.shares, m.unapplied, m.differences
        FROM cash_matchproposal m
       WHERE m.transaction_id = t.id AND (last.kind IS NULL OR last.kind = 'undo')
       ORDER BY m.run DESC, m.rank LIMIT 1
  ) best ON true
 WHERE t.company_id = %(company)s AND t.kind = 'booked'
"""
_ORDER = """
 ORDER BY array_position(%(groups)s::text[], grp), probability DESC NULLS LAST, booking_date DESC,
       amount DESC, id
"""
# The lines of a window with the names of their accounts and the numbers of their documents.
_NAMED = """
SELECT line.*, c.name AS account_name, named.account_id,
       (SELECT array_agg(coalesce(inv.number, pay.number, '') ORDER BY share.place)
          FROM jsonb_array_elements(named.shares) WITH ORDINALITY AS share(told, place)
          JOIN ledger_item i ON i.id = (share.told ->> 'item')::bigint
          LEFT JOIN ledger_invoice inv ON inv.id = i.invoice_id
          LEFT JOIN ledger_payment pay ON pay.id = i.payment_id) AS numbers
  FROM ({lines}) line
  CROSS JOIN LATERAL (
      SELECT CASE WHEN line.posted <> 'undo' THEN line.posted_account_id ELSE line.proposed_account_id END
                 AS account_id,
             CASE WHEN line.posted <> 'undo' THEN line.posted_shares ELSE line.proposed_shares END AS shares
  ) named
  LEFT JOIN parties_customeraccount a ON a.id = named.account_id
  LEFT JOIN parties_customer c ON c.id = a.customer_id
"""
_NAMES = """
SELECT a.id, c.name FROM parties_customeraccount a JOIN parties_customer c ON c.id = a.customer_id
 WHERE a.id = ANY(%(accounts)s)
"""


@dataclass(frozen=True, slots=True)
class LineFilter:
    """view: "day" (the lines of ``day``), "open" (all that wait, of any day) or "all" (a search of all).

    ids: the lines of the view, once ``narrowed`` has found them."""

    view: str = "day"
    day: date | None = None
    bank_account_id: int | None = None
    statement_id: int | None = None
    state: str = ""
    text: str = ""
    amount: Decimal | None = None
    ids: tuple[int, ...] | None = None
    was_searched: bool = False

    @property
    def groups(self) -> tuple[str, ...]:
        if self.view == "open":
            return tuple(g for g in STATES.get(self.state, WAITING) if g in WAITING)
        return STATES.get(self.state, GROUPS)

    @property
    def searches(self) -> bool:
        return bool(self.was_searched or self.text or self.amount is not None)


@dataclass(frozen=True, slots=True)
class LineRow:
    """A line of the list. numbers: of the documents it pays, or would. difference_mills: left unexplained."""

    id: int
    group: str
    booking_date: date
    amount: Decimal
    currency: str
    payer: str
    text: str
    bank_account_id: int
    posted: str
    note: str
    account_id: int | None
    account_name: str
    proposal: str
    probability: float | None
    numbers: tuple[str, ...]
    unapplied: Decimal
    differences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GroupSum:
    count: int = 0
    amount: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Figures:
    """What came in in one currency, and what became of it. ``adds_up`` is what the page shows as checked:
    the parts are summed by group, ``received`` by itself."""

    currency: str
    received: Decimal
    groups: Mapping[str, GroupSum] = field(default_factory=dict)

    def _sum(self, *names: str) -> Decimal:
        return sum((self.groups[name].amount for name in names if name in self.groups), Decimal(0))

    @property
    def matched(self) -> Decimal:
        return self._sum("auto", "confirmed")

    @property
    def proposed(self) -> Decimal:
        return self._sum("proposed")

    @property
    def waiting(self) -> Decimal:
        return self._sum("open", "held")

    @property
    def other(self) -> Decimal:
        return self._sum("other")

    @property
    def adds_up(self) -> bool:
        return self.matched + self.proposed + self.waiting + self.other == self.received


@dataclass(frozen=True, slots=True)
class DaySteps:
    """The days with booked lines next to the one looked at."""

    previous: date | None
    shown: date | None
    following: date | None


def rows_of(sql: str, params: Mapping[str, Any]) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _company(ctx: Context) -> int:
    assert ctx.company_id is not None, "a cash desk is of one company"
    return ctx.company_id


def _where(ctx: Context, wanted: LineFilter) -> tuple[str, dict[str, Any]]:
    """The lines that the filter lets through, before their groups are known."""
    parts, params = [], {"company": _company(ctx), "groups": list(wanted.groups)}
    if wanted.view == "day":
        parts.append("t.booking_date = %(day)s")
        params["day"] = wanted.day
    if wanted.ids is not None:
        parts.append("t.id = ANY(%(ids)s::bigint[])")
        params["ids"] = list(wanted.ids)
    if wanted.bank_account_id is not None:
        parts.append("t.bank_account_id = %(bank)s")
        params["bank"] = wanted.bank_account_id
    if wanted.statement_id is not None:
        parts.append("t.statement_id = %(statement)s")
        params["statement"] = wanted.statement_id
    if wanted.text or wanted.amount is not None:
        found = []
        if wanted.amount is not None:
            found.append("abs(t.amount) = %(amount)s")
            params["amount"] = wanted.amount
        if wanted.text:
            found += [f"t.{name} ILIKE %(like)s" for name in ("payer_name", "ultimate_name", "text")]
            params["like"] = "%" + _escaped(wanted.text) + "%"
        parts.append(f"({' OR '.join(found)})")
    return "".join(f" AND {part}" for part in parts), params


def narrowed(ctx: Context, wanted: LineFilter) -> LineFilter:
    """The filter with the lines of its view found once: those that wait, or the newest like the text."""
    if wanted.view == "open":
        return replace(wanted, ids=tuple(waiting(ctx).ids))
    if wanted.view != "all":
        return wanted
    where, params = _where(ctx, wanted)
    sql = f"""
    SELECT t.id FROM cash_banktransaction t
     WHERE t.company_id = %(company)s AND t.kind = 'booked'{where}
     ORDER BY t.booking_date DESC, t.id DESC LIMIT {FOUND_LINES}
    """
    ids = tuple(row["id"] for row in rows_of(sql, params))
    return replace(wanted, ids=ids, text="", amount=None, was_searched=True)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def lines(
    ctx: Context, wanted: LineFilter, groups: Sequence[str] = (), offset: int = 0, limit: int = PAGE_LINES
) -> list[LineRow]:
    """A window of the lines in these groups (default: those of the filter), one more than ``limit``."""
    where, params = _where(ctx, wanted)
    params |= {"groups": list(groups or wanted.groups), "limit": limit + 1, "offset": offset}
    sql = (
        f"SELECT * FROM ({_STATED}{where}) line WHERE grp = ANY(%(groups)s::text[])"
        f"{_ORDER} LIMIT %(limit)s OFFSET %(offset)s"
    )
    return [_line_row(row) for row in rows_of(_NAMED.format(lines=sql) + _ORDER, params)]


def _line_row(row: Mapping[str, Any]) -> LineRow:
    is_posted = row["posted"] not in (None, "undo")
    told = [] if is_posted else json.loads(row["differences"] or "[]")
    return LineRow(
        id=row["id"],
        group=row["grp"],
        booking_date=row["booking_date"],
        amount=row["amount"],
        currency=row["currency"],
        payer=row["payer_name"] or row["ultimate_name"],
        text=row["text"],
        bank_account_id=row["bank_account_id"],
        posted=row["posted"] if is_posted else "",
        note=(row["note"] or "") if is_posted else "",
        account_id=row["account_id"],
        account_name=row["account_name"] or "",
        proposal=row["proposal"] or "",
        probability=row["probability"],
        numbers=tuple(dict.fromkeys(number for number in row["numbers"] or () if number)),
        unapplied=row["unapplied"] or Decimal(0),
        differences=tuple(dict.fromkeys(each["kind"] for each in told)),
    )


def lines_of_account(ctx: Context, account_id: int, limit: int = 8) -> list[LineRow]:
    """The newest lines that are an account's: posted as its money, or proposed so. The caller has checked
    that the account is in the actor's scope."""
    about = """ AND t.id IN (
        (SELECT p.transaction_id FROM cash_posting p WHERE p.account_id = %(account)s
          ORDER BY p.id DESC LIMIT %(looked)s)
        UNION
        (SELECT m.transaction_id FROM cash_matchproposal m WHERE m.account_id = %(account)s AND m.rank = 1
          ORDER BY m.id DESC LIMIT %(looked)s))"""
    sql = f"""
    SELECT * FROM ({_STATED}{about}) line
     WHERE CASE WHEN posted <> 'undo' THEN posted_account_id ELSE proposed_account_id END = %(account)s
       AND grp <> 'open'
     ORDER BY booking_date DESC, id DESC LIMIT %(limit)s
    """
    params = {"company": _company(ctx), "account": account_id, "limit": limit, "looked": limit * 5}
    named = _NAMED.format(lines=sql) + " ORDER BY booking_date DESC, id DESC"
    return [_line_row(row) for row in rows_of(named, params)]


def account_names(account_ids: Sequence[int]) -> dict[int, str]:
    """The names of accounts. The caller has checked their scope."""
    if not account_ids:
        return {}
    return {row["id"]: row["name"] for row in rows_of(_NAMES, {"accounts": list(account_ids)})}


def figures(ctx: Context, wanted: LineFilter) -> list[Figures]:
    """What the filter's lines sum up to, by currency, the largest first. A state alone filters nothing here:
    the totals are the day's."""
    where, params = _where(ctx, wanted)
    sql = f"""
    SELECT part.*, whole.amount AS received
      FROM (SELECT currency, grp, count(*) AS count, sum(amount) AS amount
              FROM ({_STATED}{where}) line GROUP BY currency, grp) part
      LEFT JOIN (SELECT t.currency, sum(t.amount) AS amount FROM cash_banktransaction t
                  WHERE t.company_id = %(company)s AND t.kind = 'booked' AND t.amount > 0{where}
                  GROUP BY t.currency) whole ON whole.currency = part.currency
    """
    return _figures(rows_of(sql, params))


def _figures(rows: Sequence[Mapping[str, Any]]) -> list[Figures]:
    by_currency: dict[str, dict[str, GroupSum]] = {}
    received: dict[str, Decimal] = {}
    for row in rows:
        by_currency.setdefault(row["currency"], {})[row["grp"]] = GroupSum(row["count"], row["amount"])
        received[row["currency"]] = row["received"] or Decimal(0)
    found = [Figures(currency, received[currency], groups) for currency, groups in by_currency.items()]
    return sorted(found, key=lambda one: -one.received)


def day_steps(ctx: Context, wanted: LineFilter) -> DaySteps:
    """The newest day with lines (or the day asked for) and the days with lines before and after it."""
    bank = " AND t.bank_account_id = %(bank)s" if wanted.bank_account_id else ""
    base = "FROM cash_banktransaction t WHERE t.company_id = %(company)s AND t.kind = 'booked'" + bank
    sql = f"""
    WITH shown AS (SELECT coalesce(%(day)s::date, (SELECT max(t.booking_date) {base})) AS day)
    SELECT (SELECT max(t.booking_date) {base} AND t.booking_date < shown.day) AS previous,
           shown.day AS shown,
           (SELECT min(t.booking_date) {base} AND t.booking_date > shown.day) AS following
      FROM shown
    """
    params = {"company": _company(ctx), "bank": wanted.bank_account_id, "day": wanted.day}
    return DaySteps(**rows_of(sql, params)[0])


def waiting_ids(ctx: Context, wanted: LineFilter, limit: int = 500) -> list[int]:
    """The lines that wait under this filter, in the order of the list: for "next" and "previous"."""
    where, params = _where(ctx, wanted)
    params |= {"groups": [g for g in wanted.groups if g in WAITING], "limit": limit}
    sql = (
        f"SELECT id FROM ({_STATED}{where}) line WHERE grp = ANY(%(groups)s::text[]){_ORDER} LIMIT %(limit)s"
    )
    return [row["id"] for row in rows_of(sql, params)]
