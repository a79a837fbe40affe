"""Reasons of the simple rungs: what each of them goes by, in days that add up like those of learnt ones."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from saldo.analytics.book import Book
from saldo.analytics.curves import days_until
from saldo.analytics.payment_date import delays
from saldo.analytics.payment_date.bayes import EmpiricalBayes
from saldo.analytics.payment_date.pieces import ages
from saldo.analytics.payment_date.rungs import Fitted
from saldo.analytics.payment_date.simple import CustomerMedian, PooledKm, curves_by_age

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Effect:
    """One reason of one item: days by which it moves the expected day, and the facts that its words need."""

    code: str
    days: float
    params: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Facts:
    """Of each item: days past due, days past due on the eve of its document, and its account's habit."""

    age: Ints
    eve: Ints
    paid: list[int]
    median: list[float | None]
    segment: list[str | None]


def _facts(features: pl.DataFrame) -> _Facts:
    terms = (features["due_date"] - features["document_date"]).dt.total_days().clip(-730, 730)
    return _Facts(
        ages(features),
        np.minimum(-terms.to_numpy().astype(np.int64) - 1, ages(features)),
        [int(count or 0) for count in features["paid_count"].to_list()],
        features["delay_median"].to_list(),
        features["segment"].to_list(),
    )


def simple_effects(fitted: Fitted, book: Book, features: pl.DataFrame) -> list[list[Effect]]:
    """The effects of each landmark, in their order; features: ``features_at`` of the landmarks."""
    facts = _facts(features)
    if isinstance(fitted, EmpiricalBayes) and len(fitted.profiles):
        return _bayes(fitted, book, features, facts)
    if isinstance(fitted, EmpiricalBayes):
        return _pooled(fitted.portfolio, facts)
    if isinstance(fitted, PooledKm):
        return _pooled(fitted.log_open, facts)
    if isinstance(fitted, CustomerMedian):
        return [
            _with_age(facts, row, _median_of(facts, row, fitted.median_days)) for row in range(len(features))
        ]
    return [
        _with_age(facts, row, [Effect("due_date_only", 0.0, {"value": 0.0})]) for row in range(len(features))
    ]


def _median_of(facts: _Facts, row: int, portfolio: float) -> list[Effect]:
    own = facts.median[row]
    if own is None:
        return [Effect("no_history", 0.0, {}), Effect("portfolio_delay", 0.0, {"value": portfolio})]
    return [Effect("usual_delay", own - portfolio, {"value": own, "n": facts.paid[row]})]


def _with_age(facts: _Facts, row: int, effects: list[Effect]) -> list[Effect]:
    """What is past its usual day already is expected tomorrow."""
    usual = next((float(each.params["value"]) for each in effects if "value" in each.params), 0.0)
    late = int(facts.age[row]) + 1 - math.ceil(usual)
    return [*effects, _age(facts, row, float(late))] if late > 0 else effects


def _age(facts: _Facts, row: int, days: float) -> Effect:
    return Effect("days_past_due", days, {"value": float(facts.age[row])})


def _expected(log_open: Floats, row: Ints, age: Ints) -> Floats:
    """Days past due on which half of what is open at ``age`` is expected to be paid."""
    curves = curves_by_age(log_open, row, age)
    result: Floats = np.minimum(days_until(curves, 0.5), float(curves.days[-1])) + age
    return result


def _pooled(log_open: Floats, facts: _Facts) -> list[list[Effect]]:
    row = np.zeros(len(facts.age), dtype=np.int64)
    usual = _expected(log_open[None, :], row, facts.eve)
    days = _expected(log_open[None, :], row, facts.age) - usual
    result = []
    for place, each in enumerate(days.tolist()):
        effects = [Effect("portfolio_delay", 0.0, {"value": round(float(usual[place]), 1)})]
        if not facts.paid[place]:
            effects.append(Effect("no_history", 0.0, {}))
        result.append([*effects, _age(facts, place, each)])
    return result


def _segments(fitted: EmpiricalBayes) -> Floats:
    """log P(open) of an account of which nothing is known, by row of ``segment_shares``."""
    count = len(fitted.segment_shares)
    nothing = delays.Counts(np.zeros((count, delays.CELLS)), np.zeros((count, delays.CELLS)))
    hazards = delays.account_hazards(
        nothing, np.arange(count), fitted.profiles, fitted.segment_shares, fitted.shape_strength
    )
    return delays.log_open_at_edges(hazards)


def _bayes(fitted: EmpiricalBayes, book: Book, features: pl.DataFrame, facts: _Facts) -> list[list[Effect]]:
    """portfolio -> its segment -> its own account -> how long the item has been open."""
    levels = _segments(fitted)
    places = {name: place for place, name in enumerate(fitted.segments)}
    segment = np.array([places.get(name or "", len(places)) for name in facts.segment], dtype=np.int64)
    everybody = np.full(len(segment), len(levels) - 1, dtype=np.int64)
    portfolio = _expected(levels, everybody, facts.eve)
    of_segment = _expected(levels, segment, facts.eve)
    log_open, place = fitted.by_account(book, features)
    own, now = _expected(log_open, place, facts.eve), _expected(log_open, place, facts.age)
    return [
        [
            *_levels(facts, row, float(of_segment[row] - portfolio[row]), float(own[row] - of_segment[row])),
            _age(facts, row, float(now[row] - own[row])),
        ]
        for row in range(len(segment))
    ]


def _levels(facts: _Facts, row: int, segment: float, own: float) -> list[Effect]:
    median, name = facts.median[row], facts.segment[row]
    if median is None:
        habit = Effect("no_history", own, {})
    else:
        habit = Effect("usual_delay", own, {"value": round(median, 1), "n": facts.paid[row]})
    return [habit] if name is None else [habit, Effect("segment", segment, {"value": name})]
