"""A day of visits: areas where money waits, a round in the order of the way, its sheet. docs/rules/visits.md

    areas, draft            what could be visited, and a day of it
    save, reorder           the round as a person wants it
    round_page              a round with everything that whoever goes there needs
    record_visit            what came of a visit (flows.log_call, channel "visit")

A company's own currency alone: amounts of others are never added to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

import polars as pl

from saldo.collection.rounds import (
    RoundRow,
    RoundStop,
    Visited,
    addresses,
    record_round,
    round_row,
    visitable,
    visited,
)
from saldo.core import visits
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.outcomes import VISIT
from saldo.core.preferences import NO_VISIT
from saldo.core.visits import DAY_MINUTES, Area, Placed, Stop
from saldo.flows.log_call import CallLog, Logged, log_call
from saldo.flows.plan_outreach import askable_now
from saldo.identity.queries import companies, current_day_run
from saldo.outreach.facts import ItemTold, items_told
from saldo.parties.preferences import PreferenceRow, preferences_in_force, preferences_of
from saldo.parties.queries import AccountHeader, ContactRow, account_with_contacts

# Stops of an area that are looked at item by item.
MOST_STOPS = 200


@dataclass(frozen=True, slots=True)
class OwedItem:
    """An open item on a sheet. asked_mills: what may be asked of it today, 0 before it is due."""

    item_id: int
    number: str
    due_date: date | None
    late_days: int
    balance_mills: int
    asked_mills: int


@dataclass(frozen=True, slots=True)
class VisitStop:
    """A customer of a round. asked_mills: past due, less what is promised, disputed, planned or held."""

    account: AccountHeader
    contacts: list[ContactRow]
    planned: RoundStop
    items: tuple[OwedItem, ...]
    asked_mills: int
    preferences: list[PreferenceRow]
    outcome: Visited | None


@dataclass(frozen=True, slots=True)
class VisitDay:
    """A round with its customers; those that the actor does not see any more are left out."""

    row: RoundRow
    stops: tuple[VisitStop, ...]
    currency: str

    @property
    def done(self) -> int:
        return sum(stop.outcome is not None for stop in self.stops)


def areas(ctx: Context, company_id: int, minimum: Decimal = Decimal(0)) -> list[Area]:
    """Where money waits: the accounts of the newest day's list by area, the area worth most first."""
    within = ctx.within(company_id)
    run = current_day_run(company_id, ctx.as_of)
    if run is None:
        return []
    stops = visitable(within, run.id, _currency(within), minimum)
    refused = _refused(within, [stop.account_id for stop in stops])
    return visits.areas(stop for stop in stops if stop.account_id not in refused)


def draft(
    ctx: Context,
    company_id: int,
    area: str,
    minutes: int = DAY_MINUTES,
    minimum: Decimal = Decimal(0),
) -> list[Placed]:
    """A day in an area: those who owe most of what may be asked today, as many as the minutes hold."""
    within = ctx.within(company_id)
    found = next((each for each in areas(ctx, company_id, minimum) if each.key == area), None)
    if found is None:
        return []
    stops = _with_worth(within, found.stops[:MOST_STOPS])
    return visits.planned([stop for stop in stops if stop.worth_mills > 0], minutes)


def _with_worth(ctx: Context, stops: Sequence[Stop]) -> list[Stop]:
    """Stops worth what may be asked of them today, past due, in the company's currency."""
    asked = _asked(ctx, [stop.account_id for stop in stops])
    sums = dict(asked.group_by("account_id").agg(pl.col("asked_mills").sum()).iter_rows())
    counts = dict(asked.group_by("account_id").len().iter_rows())
    return [
        replace(
            stop, worth_mills=sums.get(stop.account_id, 0), items=counts.get(stop.account_id, 0)
        )
        for stop in stops
    ]  # fmt: skip


def _asked(ctx: Context, ids: Sequence[int]) -> pl.DataFrame:
    """Items past due of which something may be asked."""
    if not ids:
        return askable_now(ctx, [0])
    return askable_now(ctx, ids).filter(
        (pl.col("due_date") < ctx.as_of)
        & (pl.col("asked_mills") > 0)
        & (pl.col("currency") == _currency(ctx))
    )


def save(
    ctx: Context,
    company_id: int,
    collector: str,
    day: date,
    account_ids: Sequence[int],
    note: str = "",
    keeps_order: bool = False,
) -> int:
    """A person's day of visits. In the order of the way, or (keeps_order) as given. Returns the round's id.

    Raises SaldoError: visit_round_empty, account_unknown (or not visible), visit_no_address, visit_refused,
    visit_round_day, collector_unknown.
    """
    within = ctx.within(company_id)
    wanted = list(dict.fromkeys(account_ids))
    if not wanted:
        raise SaldoError("visit_round_empty")
    known = addresses(within, wanted)
    refused = _refused(within, wanted)
    for each in wanted:
        if each not in known:
            raise SaldoError("account_unknown", account=each)
        stop, name = known[each]
        if not visits.area_of(stop.country, stop.zip_code):
            raise SaldoError("visit_no_address", account=name)
        if each in refused:
            raise SaldoError("visit_refused", account=name)
    stops = _with_worth(within, [known[each][0] for each in wanted])
    order = stops if keeps_order else visits.ordered(stops)
    return record_round(within, collector, day, visits.timed(order), note)


def reorder(ctx: Context, round_id: int, account_id: int, steps: int) -> int:
    """One customer earlier (-1), later (1) or out of the round (0). Returns the id of the round as it is now.

    Raises SaldoError: visit_round_unknown, visit_not_planned, and those of ``save``.
    """
    row = round_row(ctx, round_id)
    if all(stop.account_id != account_id for stop in row.stops):
        raise SaldoError("visit_not_planned")
    within = ctx.within(row.company_id)
    known = addresses(within, [stop.account_id for stop in row.stops])
    stops = _with_worth(within, [known[stop.account_id][0] for stop in row.stops if stop.account_id in known])
    order = visits.without(stops, account_id) if steps == 0 else visits.moved(stops, account_id, steps)
    return record_round(within, row.collector, row.day, visits.timed(order), row.note)


def round_page(ctx: Context, round_id: int) -> VisitDay:
    """Raises SaldoError("visit_round_unknown")."""
    row = round_row(ctx, round_id)
    within = ctx.within(row.company_id)
    ids = [stop.account_id for stop in row.stops]
    outcomes = visited(ids, row.day)
    open_items = askable_now(within, ids) if ids else pl.DataFrame()
    told = items_told(open_items["item_id"].to_list()) if ids else {}
    stops = []
    for stop in row.stops:
        found = account_with_contacts(within, stop.account_id)
        if found is not None:
            items = _items(within, open_items, told, stop.account_id)
            late = sum(item.asked_mills for item in items)
            stops.append(
                VisitStop(
                    found[0], found[1], stop, items, late, preferences_of(within, stop.account_id),
                    outcomes.get(stop.account_id),
                )
            )  # fmt: skip
    return VisitDay(row, tuple(stops), _currency(within))


def _items(
    ctx: Context, frame: pl.DataFrame, told: dict[int, ItemTold], account_id: int
) -> tuple[OwedItem, ...]:
    """All open items; only what is past due is asked for."""
    own = frame.filter((pl.col("account_id") == account_id) & (pl.col("currency") == _currency(ctx)))
    items = []
    for row in own.sort("due_date", "item_id", nulls_last=True).iter_rows(named=True):
        late = max((ctx.as_of - row["due_date"]).days, 0) if row["due_date"] else 0
        asked = row["asked_mills"] if late else 0
        number = told[row["item_id"]].number
        items.append(OwedItem(row["item_id"], number, row["due_date"], late, row["balance_mills"], asked))
    return tuple(items)


def record_visit(ctx: Context, round_id: int, account_id: int, log: CallLog) -> Logged:
    """What came of a visit of the round. Raises SaldoError: visit_round_unknown, visit_not_planned, and those
    of flows.log_call."""
    row = round_row(ctx, round_id)
    if all(stop.account_id != account_id for stop in row.stops):
        raise SaldoError("visit_not_planned")
    return log_call(ctx.within(row.company_id), account_id, replace(log, channel=VISIT))


def _refused(ctx: Context, ids: Sequence[int]) -> set[int]:
    """Those who asked not to be visited."""
    told = preferences_in_force(ctx, ids)
    return set(told.filter(pl.col("kind") == NO_VISIT)["account_id"].to_list())


def _currency(ctx: Context) -> str:
    (company,) = companies(ctx)
    return company.currency
