"""Rounds of visits: who may be visited, and the days that people planned. docs/rules/visits.md

    visitable               accounts of the day's list with an address, as stops of core.visits
    rounds, round_row       the days that were planned, as last recorded
    record_round            a day of visits, or another order of it
    visited                 what came of the visits of a day

A round is a fact like any other: another order, or a customer more or less, is another row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection, transaction

from saldo.collection.models import Outcome, VisitRound
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.money import to_mills
from saldo.core.outcomes import VISIT
from saldo.core.visits import Placed, Stop, area_of
from saldo.identity.models import Grant, User
from saldo.identity.operations import record_event, stamped
from saldo.identity.queries import roles
from saldo.parties.queries import LEGAL_ZONE, visible_accounts_sql

# Who visits; sales its own customers.
MAY_VISIT = frozenset(
    {Grant.Role.ADMINISTRATOR, Grant.Role.CREDIT_MANAGER, Grant.Role.COLLECTOR, Grant.Role.SALES}
)
MAY_PLAN_OTHERS = frozenset({Grant.Role.ADMINISTRATOR, Grant.Role.CREDIT_MANAGER})
# Those who owe most are grouped; beyond them a visit does not pay for itself.
MOST_CANDIDATES = 5_000
AHEAD_DAYS = 60
# Whoever was on the road all day writes down the next morning what came of it.
RECORDED_WITHIN_DAYS = 7
NOTE_CHARACTERS = 500
_STOPS = """
SELECT a.account_id, coalesce(nullif(c.country, ''), 'IT'), c.zip_code, c.city, c.address, sum(a.overdue),
       max(a.oldest_days)
  FROM collection_action a
  JOIN parties_customeraccount acc ON acc.id = a.account_id
  JOIN parties_customer c ON c.id = acc.customer_id
 WHERE a.day_run_id = %s AND a.currency = %s AND a.overdue >= %s AND a.overdue > 0 AND c.zip_code <> ''
   AND a.account_id IN ({scope})
 GROUP BY a.account_id, c.country, c.zip_code, c.city, c.address
 ORDER BY sum(a.overdue) DESC, a.account_id LIMIT %s
"""
_ADDRESSES = """
SELECT acc.id, coalesce(nullif(c.country, ''), 'IT'), c.zip_code, c.city, c.address, c.name
  FROM parties_customeraccount acc JOIN parties_customer c ON c.id = acc.customer_id
 WHERE acc.id = ANY(%s::bigint[]) AND acc.id IN ({scope})
"""


@dataclass(frozen=True, slots=True)
class RoundStop:
    """A stop as it was planned. minutes: at the customer's; way_minutes: to get there."""

    account_id: int
    area: str
    address: str
    minutes: int
    way_minutes: int


@dataclass(frozen=True, slots=True)
class RoundRow:
    """A day of visits of one person, as last recorded."""

    id: int
    company_id: int
    collector: str
    day: date
    stops: tuple[RoundStop, ...]
    note: str
    actor: str
    recorded_at: datetime

    @property
    def minutes(self) -> int:
        return sum(stop.minutes + stop.way_minutes for stop in self.stops)

    @property
    def areas(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(stop.area for stop in self.stops))


@dataclass(frozen=True, slots=True)
class Visited:
    """The last outcome of a visit to the account on a day."""

    account_id: int
    result: str
    note: str
    actor: str


def visitable(ctx: Context, run_id: int, currency: str, minimum: Decimal = Decimal(0)) -> list[Stop]:
    """Accounts of a day's list that owe at least ``minimum`` past due and have an address with a postal code;
    those that the actor sees, in one currency."""
    scope, params = visible_accounts_sql(ctx)
    rows = _rows(_STOPS.format(scope=scope), [run_id, currency, minimum, *params, MOST_CANDIDATES])
    return [
        Stop(account, country, zip_code, city, street, to_mills(overdue))
        for account, country, zip_code, city, street, overdue, _ in rows
    ]


def addresses(ctx: Context, account_ids: Sequence[int]) -> dict[int, tuple[Stop, str]]:
    """{account: (stop, name)} of accounts that the actor sees; worth and items are not known here."""
    scope, params = visible_accounts_sql(ctx)
    rows = _rows(_ADDRESSES.format(scope=scope), [list(account_ids), *params])
    return {
        account: (Stop(account, country, zip_code, city, street, 0), name)
        for account, country, zip_code, city, street, name in rows
    }


def rounds(ctx: Context, since: date, collector: str = "", limit: int = 100) -> list[RoundRow]:
    """Days of visits from ``since`` on, the next ones first; of a person's day the last recorded."""
    found = VisitRound.objects.filter(day__gte=since)
    if ctx.company_id is not None:
        found = found.filter(company_id=ctx.company_id)
    if ctx.known_at is not None:
        found = found.filter(recorded_at__lte=ctx.known_at)
    if collector:
        found = found.filter(collector=collector)
    newest = found.order_by("company_id", "collector", "day", "-id").distinct(
        "company_id", "collector", "day"
    )
    rows = [_row(one) for one in newest]
    return sorted((row for row in rows if row.stops), key=lambda row: (row.day, row.collector))[:limit]


def round_row(ctx: Context, round_id: int) -> RoundRow:
    """The day of visits that this row began or changed, as last recorded.

    Raises SaldoError("visit_round_unknown"), also for a company that the context is not of.
    """
    one = VisitRound.objects.filter(id=round_id).first()
    if one is None or ctx.company_id not in (None, one.company_id):
        raise SaldoError("visit_round_unknown", round=round_id)
    return _row(_same_day(one.company_id, one.collector, one.day) or one)


def _same_day(company_id: int, collector: str, day: date) -> VisitRound | None:
    found = VisitRound.objects.filter(company_id=company_id, collector=collector, day=day)
    return found.order_by("-id").first()


def record_round(ctx: Context, collector: str, day: date, placed: Sequence[Placed], note: str = "") -> int:
    """A person's day of visits in this order (no stops: it is called off). Returns the round's id.

    ``ctx`` is within the company; the caller has checked that the actor sees the accounts. Raises SaldoError:
    collector_unknown, visit_round_day (past, or far ahead; an order may still change on the day itself).
    """
    assert ctx.company_id is not None
    days = (day - ctx.as_of).days
    if not 0 <= days <= AHEAD_DAYS:
        raise SaldoError("visit_round_day", day=day, days=AHEAD_DAYS)
    user = User.objects.filter(username=collector, is_active=True).first()
    if user is None or not roles(user, ctx.company_id) & MAY_VISIT:
        raise SaldoError("collector_unknown", collector=collector[:60])
    stops = [
        {
            "account_id": each.stop.account_id, "area": area_of(each.stop.country, each.stop.zip_code),
            "address": address_text(each.stop), "minutes": each.minutes, "way_minutes": each.way_minutes,
        }
        for each in placed
    ]  # fmt: skip
    with transaction.atomic():
        inner = stamped(ctx, ctx.company_id)
        last = _same_day(ctx.company_id, collector, day)
        if last is not None and (last.stops, last.note) == (stops, note):
            return int(last.id)
        made = VisitRound.objects.create(
            company_id=ctx.company_id, collector=collector, day=day, stops=stops,
            note=note.strip()[:NOTE_CHARACTERS], actor=ctx.actor, recorded_at=inner.recorded_at,
        )  # fmt: skip
        data = {"round": made.id, "collector": collector, "day": day.isoformat(), "stops": len(stops)}
        record_event(inner, "visits.planned", "company", ctx.company_id, data)
    return int(made.id)


def address_text(stop: Stop) -> str:
    place = " ".join(part for part in (stop.zip_code.strip(), stop.city.strip()) if part)
    return ", ".join(part for part in (stop.street.strip(), place) if part)


def visited(account_ids: Sequence[int], day: date) -> dict[int, Visited]:
    """{account: the last outcome of a visit that was recorded on the day, or within a week of it}; what was
    taken back does not count."""
    begins = datetime.combine(day, time(0), LEGAL_ZONE)
    found = Outcome.objects.filter(
        account_id__in=list(account_ids), recorded_at__gte=begins,
        recorded_at__lt=begins + timedelta(days=RECORDED_WITHIN_DAYS),
    ).order_by("id")  # fmt: skip
    rows = list(found)
    undone = {row.data.get("undoes") for row in rows}
    return {
        row.account_id: Visited(row.account_id, row.result, row.note, row.actor)
        for row in rows
        if row.channel == VISIT and row.id not in undone
    }


def _row(one: Any) -> RoundRow:
    stops = tuple(
        RoundStop(
            each["account_id"], each.get("area", ""), each.get("address", ""), each.get("minutes", 0),
            each.get("way_minutes", 0),
        )
        for each in one.stops
    )  # fmt: skip
    return RoundRow(
        one.id, one.company_id, one.collector, one.day, stops, one.note, one.actor, one.recorded_at
    )


def _rows(sql: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()
