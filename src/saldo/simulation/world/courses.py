"""What happens to customers in the world's time, all of it truth: drifts, insolvencies, groups, mergers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saldo.simulation.draws import Draws, Floats
from saldo.simulation.world.parameters import Parameters
from saldo.simulation.world.strata import Indexes, dealt, picked, shared_out, shuffled

DAYS_IN_MONTH = 365.25 / 12
EPOCH = date(1970, 1, 1)
# A short world still has one of each.
FEWEST_INSOLVENCIES = 2
FEWEST_WITHOUT_DRIFT = 1
FEWEST_DRIFTS = 4

# Codes of a course.
WITHOUT_DRIFT, DRIFT_TO_INSOLVENCY, DRIFT_TO_RECOVERY = 1, 2, 3


@dataclass(frozen=True, slots=True)
class Span:
    """Both days included."""

    first_day: date
    last_day: date

    @property
    def start(self) -> int:
        return (self.first_day - EPOCH).days

    @property
    def days(self) -> int:
        return (self.last_day - self.first_day).days + 1

    @property
    def years(self) -> float:
        return self.days / 365.25


@dataclass(frozen=True, slots=True)
class Courses:
    """Days since 1970 as floats, NaN where it does not happen; one entry a customer."""

    drift_from: Floats
    drift_to: Floats
    drift_days: Floats
    recovered: Floats
    insolvency: Floats

    @property
    def happens(self) -> NDArray[np.bool_]:
        return ~(np.isnan(self.drift_to) & np.isnan(self.insolvency))


def courses(p: Parameters, draws: Draws, eligible: NDArray[np.bool_], span: Span) -> Courses:
    """Drifts and insolvencies over ``span``, at the stated rate as exact counts, and after its end for as
    long as a drift can last: who drifts on the last day must not be known to recover."""
    count = len(eligible)
    blank = [np.full(count, np.nan) for _ in range(5)]
    made = Courses(*blank)
    later_days = p.insolvency.drift_months[1] * DAYS_IN_MONTH
    _put(p, draws, "course", made, (eligible, count, float(span.start), float(span.days)), least=1)
    free = eligible & ~made.happens
    _put(p, draws, "later", made, (free, count, float(span.start + span.days), later_days), least=0)
    return made


def course_counts(p: Parameters, customers: int, days: float, least: int = 1) -> list[int]:
    """How many customers have each course: [without drift, drift to insolvency, drift to recovery]."""
    options = p.insolvency
    insolvencies = max(FEWEST_INSOLVENCIES * least, round(options.yearly_rate * customers * days / 365.25))
    sudden = max(FEWEST_WITHOUT_DRIFT * least, round(options.without_drift_share * insolvencies))
    drifts = max(FEWEST_DRIFTS * least, round(options.drifts_per_insolvency * insolvencies))
    return [sudden, insolvencies - sudden, drifts - (insolvencies - sudden)]


def _put(
    p: Parameters,
    draws: Draws,
    purpose: str,
    made: Courses,
    window: tuple[NDArray[np.bool_], int, float, float],
    least: int,
) -> None:
    """Write the courses that end in ``window`` (who may, customers in all, first day, days) into ``made``."""
    eligible, count, start, days = window
    counts = course_counts(p, count, days, least)
    among = np.flatnonzero(eligible)
    kinds = dealt(draws, purpose, [max(0, len(among) - sum(counts)), *counts])[: len(among)]
    for kind in (WITHOUT_DRIFT, DRIFT_TO_INSOLVENCY, DRIFT_TO_RECOVERY):
        ids = among[kinds == kind]
        ends = np.floor(start + days * spread_times(draws, f"{purpose}/{kind}", ids))
        if kind != DRIFT_TO_RECOVERY:
            made.insolvency[ids] = ends
        if kind != WITHOUT_DRIFT:
            months = draws.between(purpose + "/months", *p.insolvency.drift_months, ids)
            made.drift_from[ids] = np.floor(ends - DAYS_IN_MONTH * months)
            made.drift_to[ids] = ends
            made.drift_days[ids] = draws.between(purpose + "/days", *p.insolvency.drift_days, ids)
        if kind == DRIFT_TO_RECOVERY:
            back = draws.between(purpose + "/recovery", *p.insolvency.recovery_months, ids)
            made.recovered[ids] = np.floor(ends + DAYS_IN_MONTH * back)


def spread_times(draws: Draws, purpose: str, ids: NDArray[Any]) -> Floats:
    """A moment in [0, 1) for each id: one in each of as many equal parts, in a drawn order."""
    count = len(ids)
    return (shuffled(draws, purpose + "/order", count) + draws.uniform(purpose + "/time", ids)) / max(
        count, 1
    )


@dataclass(frozen=True, slots=True)
class Groups:
    """Customer ids, -1 where there is none; merged in days since 1970, NaN where it does not happen."""

    parent: Indexes
    paid_by: Indexes
    merged_into: Indexes
    merged: Floats


def groups(
    p: Parameters, draws: Draws, ordinary: NDArray[np.bool_], in_groups: NDArray[np.bool_], span: Span
) -> Groups:
    """Groups and mergers among ``ordinary`` customers; parents, subsidiaries and buyers also ``in_groups``. A
    parent has no parent, is larger than its subsidiaries, and is not taken over."""
    count = len(ordinary)
    options = p.customers
    ids = np.flatnonzero(ordinary)
    below_top = ids[ids >= count // 20]
    possible = below_top[in_groups[below_top]]
    children = picked(draws, "group/child", round(options.subsidiary_share * count), possible)
    parent = np.full(count, -1, dtype=np.int64)
    paid_by = parent.copy()
    leaders = np.setdiff1d(ids[in_groups[ids]], children)
    parent[children] = _larger(draws, "group/parent", leaders, children)
    pays = shared_out(
        draws, "group/pays", [1 - options.parent_pays_share, options.parent_pays_share], len(children)
    )
    paid_by[children[pays == 1]] = parent[children[pays == 1]]

    alone = np.setdiff1d(below_top, np.concatenate([children, parent[children]]))
    merging = picked(draws, "merger", max(1, round(options.merger_yearly * count * span.years)), alone)
    merged_into = np.full(count, -1, dtype=np.int64)
    merged_into[merging] = _larger(draws, "merger/into", np.setdiff1d(leaders, merging), merging)
    merged = np.full(count, np.nan)
    merged[merging] = np.floor(span.start + span.days * spread_times(draws, "merger/when", merging))
    return Groups(parent, paid_by, merged_into, merged)


def _larger(draws: Draws, purpose: str, leaders: Indexes, ids: Indexes) -> Indexes:
    """For each id one of ``leaders`` that is larger (the largest, where none is), larger ones more often."""
    room = np.maximum(np.searchsorted(leaders, ids), 1)
    return leaders[np.floor(draws.uniform(purpose, ids) ** 1.5 * room).astype(np.int64)]
