"""Whose account it is, and how many minutes collectors have: said by people, never changed, only added to.

    assign, hand_over       an account, or all of a collector's, becomes somebody else's from a day on
    set_capacity            minutes a day of a collector; 0: away
    assigned, capacities    what holds on the context's day
    collectors_of           everybody who may be given accounts, with their minutes

A stand-in is an assignment with a last day: after it the one before counts again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import polars as pl
from django.db import transaction

from saldo.collection.models import Assignment, Capacity
from saldo.collection.queries import MAY_COLLECT
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.identity.models import Event, User
from saldo.identity.operations import record_event, stamped
from saldo.parties.models import CustomerAccount
from saldo.parties.queries import visible_accounts
from saldo.storage.frames import copy_out

MOST_MINUTES = 720
# A day further away is a typing mistake.
AHEAD_DAYS = 732
ASSIGNED = {"account_id": pl.Int64, "collector": pl.String, "until_date": pl.Date}
CAPACITIES = {"collector": pl.String, "minutes": pl.Int64, "until_date": pl.Date, "note": pl.String}


@dataclass(frozen=True, slots=True)
class Collector:
    """Somebody who may be given accounts of a company. minutes: of the day; None: nobody said how many.

    until_date: the last day for which the minutes hold. is_active: the login still works.
    """

    username: str
    name: str
    minutes: int | None
    until_date: date | None = None
    note: str = ""
    is_active: bool = True

    @property
    def is_away(self) -> bool:
        return self.minutes == 0


def _params(ctx: Context, account_ids: Sequence[int] | None = None) -> dict[str, Any]:
    return {
        "company_id": ctx.company_id,
        "as_of": ctx.as_of,
        "known_at": ctx.known_at or "infinity",
        "accounts": None if account_ids is None else list(account_ids),
    }


def assigned(ctx: Context, account_ids: Sequence[int] | None = None) -> pl.DataFrame:
    """ASSIGNED: the accounts that are somebody's on the context's day, as known then."""
    sql = """
    SELECT account_id, collector, until_date FROM (
        SELECT DISTINCT ON (s.account_id) s.account_id, s.collector, s.until_date
          FROM collection_assignment s JOIN parties_customeraccount a ON a.id = s.account_id
         WHERE (%(company_id)s::int IS NULL OR a.company_id = %(company_id)s)
           AND (%(accounts)s::bigint[] IS NULL OR s.account_id = ANY(%(accounts)s::bigint[]))
           AND s.recorded_at <= %(known_at)s AND s.from_date <= %(as_of)s
           AND (s.until_date IS NULL OR s.until_date >= %(as_of)s)
         ORDER BY s.account_id, s.recorded_at DESC, s.id DESC) last
     WHERE collector <> '' ORDER BY account_id
    """
    return copy_out(sql, _params(ctx, account_ids), ASSIGNED)


def collector_of(ctx: Context, account_id: int) -> str:
    """Whose account it is on the context's day; "" where nobody was given it."""
    found = assigned(ctx, [account_id])
    return "" if found.is_empty() else str(found["collector"][0])


def capacities(ctx: Context) -> pl.DataFrame:
    """CAPACITIES: the minutes that collectors have for the company on the context's day, as known then."""
    sql = """
    SELECT DISTINCT ON (collector) collector, minutes, until_date, note FROM collection_capacity
     WHERE company_id = %(company_id)s AND recorded_at <= %(known_at)s AND from_date <= %(as_of)s
       AND (until_date IS NULL OR until_date >= %(as_of)s)
     ORDER BY collector, recorded_at DESC, id DESC
    """
    return copy_out(sql, _params(ctx), CAPACITIES)


def collectors_of(ctx: Context) -> list[Collector]:
    """Everybody with the role of a collector in the company, and whoever has minutes for it, by name."""
    assert ctx.company_id is not None, "collectors of one company"
    told = {row["collector"]: row for row in capacities(ctx).to_dicts()}
    granted = set(_users(ctx.company_id, {"collector"}))
    people = User.objects.filter(username__in=granted | set(told)).order_by(
        "first_name", "last_name", "username"
    )
    return [
        Collector(
            username=user.username,
            name=user.get_full_name() or user.username,
            minutes=told[user.username]["minutes"] if user.username in told else None,
            until_date=told[user.username]["until_date"] if user.username in told else None,
            note=told[user.username]["note"] if user.username in told else "",
            is_active=user.is_active,
        )
        for user in people
        if user.is_active or told.get(user.username, {}).get("minutes")
    ]


def may_be_given(company_id: int) -> list[str]:
    """The logins of everybody to whom accounts of the company may be given."""
    return sorted(_users(company_id, MAY_COLLECT))


def _users(company_id: int, roles: Sequence[str] | set[str] | frozenset[str]) -> list[str]:
    of_company = User.objects.filter(is_active=True, grants__role__in=list(roles))
    here = of_company.filter(grants__company_id=company_id) | of_company.filter(grants__company_id=None)
    return list(here.values_list("username", flat=True).distinct())


def _checked_days(ctx: Context, from_date: date | None, until_date: date | None) -> tuple[date, date | None]:
    first = from_date or ctx.as_of
    last = until_date or first
    if not ctx.as_of <= first <= last <= ctx.as_of + timedelta(days=AHEAD_DAYS):
        raise SaldoError("desk_days_wrong", first=first, last=last, as_of=ctx.as_of)
    return first, until_date


def _check_collector(company_id: int, collector: str) -> None:
    if collector and collector not in may_be_given(company_id):
        raise SaldoError("collector_unknown", collector=collector)


@transaction.atomic
def assign(
    ctx: Context,
    account_ids: Sequence[int],
    collector: str,
    from_date: date | None = None,
    until_date: date | None = None,
    note: str = "",
) -> int:
    """The accounts are the collector's from ``from_date`` (today) on, or until ``until_date``; "" gives them
    back to everybody. Returns how many changed hands. All of one company.

    Raises SaldoError: account_unknown (or not visible), collector_unknown, desk_days_wrong (in the past, the
    end before the beginning, or more than two years ahead).
    """
    wanted = sorted(set(account_ids))
    found = visible_accounts(ctx).filter(id__in=wanted).order_by("id").select_for_update(of=("self",))
    accounts: list[CustomerAccount] = list(found)
    companies = {account.company_id for account in accounts}
    if len(accounts) != len(wanted) or len(companies) != 1:
        known = {account.id for account in accounts}
        raise SaldoError("account_unknown", account=next((one for one in wanted if one not in known), "–"))
    (company_id,) = companies
    first, last = _checked_days(ctx, from_date, until_date)
    _check_collector(company_id, collector)
    ctx = stamped(ctx, company_id)
    Assignment.objects.bulk_create(
        Assignment(
            account=account, collector=collector, from_date=first, until_date=last, note=note[:2000],
            actor=ctx.actor, recorded_at=ctx.recorded_at,
        )
        for account in accounts
    )  # fmt: skip
    data = {"collector": collector, "from_date": first.isoformat(), "until_date": last and last.isoformat()}
    Event.objects.bulk_create(
        Event(
            company_id=company_id, kind="account.assigned", subject_kind="account", subject_id=account.id,
            effective_date=ctx.as_of, recorded_at=ctx.recorded_at, actor=ctx.actor, data=data,
        )
        for account in accounts
    )  # fmt: skip
    return len(accounts)


def hand_over(
    ctx: Context,
    collector: str,
    to: str,
    from_date: date | None = None,
    until_date: date | None = None,
    note: str = "",
) -> int:
    """All that is the collector's on the first day becomes somebody else's; returns how many accounts.

    Raises SaldoError: as ``assign``.
    """
    assert ctx.company_id is not None, "collectors of one company"
    first, _ = _checked_days(ctx, from_date, until_date)
    _check_collector(ctx.company_id, to)
    own = assigned(ctx.at(first)).filter(pl.col("collector") == collector)["account_id"].to_list()
    return assign(ctx, own, to, from_date, until_date, note) if own else 0


@transaction.atomic
def set_capacity(
    ctx: Context,
    collector: str,
    minutes: int,
    from_date: date | None = None,
    until_date: date | None = None,
    note: str = "",
) -> int:
    """The collector has so many minutes a day for the company's list; 0: away. Returns the fact's id.

    Raises SaldoError: collector_unknown, capacity_wrong (not from 0 to MOST_MINUTES), desk_days_wrong.
    """
    assert ctx.company_id is not None, "minutes for one company"
    if not 0 <= minutes <= MOST_MINUTES:
        raise SaldoError("capacity_wrong", minutes=minutes, most=MOST_MINUTES)
    first, last = _checked_days(ctx, from_date, until_date)
    if not collector:
        raise SaldoError("collector_unknown", collector="–")
    _check_collector(ctx.company_id, collector)
    ctx = stamped(ctx, ctx.company_id)
    fact = Capacity.objects.create(
        company_id=ctx.company_id, collector=collector, minutes=minutes, from_date=first, until_date=last,
        note=note[:2000], actor=ctx.actor, recorded_at=ctx.recorded_at,
    )  # fmt: skip
    data = {"collector": collector, "minutes": minutes, "from_date": first.isoformat()}
    record_event(ctx, "capacity.set", "company", ctx.company_id, data)
    return fact.id
