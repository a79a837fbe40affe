"""The behavior score: how likely a customer is to default within a year, by how it pays.

A scorecard with points for each feature. Its weights are learnt from the company's own outcomes where these
suffice (weight of evidence and signed logistic regression, as for balance sheets), else they are the stated
ones of ``behavior.toml``. See docs/rules/behavior-score.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl

from saldo.analytics.behavior_features import behavior_features, defaulted_on, rules
from saldo.analytics.book import Book
from saldo.analytics.default_risk import woe
from saldo.analytics.default_risk.classes import points_of, score_of
from saldo.analytics.default_risk.columns import NUMBER, Column, Columns
from saldo.analytics.default_risk.combine import policy
from saldo.analytics.default_risk.measures import Floats, Ints, chance, logit
from saldo.analytics.default_risk.woe import Bins, Scorecard

SCORES: dict[str, pl.DataType] = {
    "account_id": pl.Int64(),
    "pd": pl.Float64(),
    "points": pl.Float64(),
    "reasons": pl.String(),
    "n_history": pl.Int64(),
    "missing": pl.String(),
}
_INNER_FOLDS = 5
_MONTH_DAYS = 30
# A contribution below this is not told (log odds).
_TOLD = 0.02
_NO_HISTORY, _NO_TREND = "payment_history", "payment_trend"


@dataclass(frozen=True, slots=True)
class BehaviorModel:
    """The card and what it was learnt from. metrics: questions, accounts, defaults, first, last (ISO days);
    empty for the stated card."""

    card: Scorecard
    metrics: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_learnt(self) -> bool:
        return bool(self.metrics)

    def as_record(self) -> dict[str, Any]:
        return {"card": self.card.as_record(), "metrics": dict(self.metrics)}

    @staticmethod
    def from_record(record: Mapping[str, Any]) -> BehaviorModel:
        """The model of ``as_record``."""
        return BehaviorModel(woe.from_record(record["card"]), dict(record["metrics"]))


def stated_model() -> BehaviorModel:
    """The card of ``behavior.toml``, around the stated base rate."""
    features = rules().features
    bins = tuple(
        Bins(np.array(one.up_to), np.array([*one.weights, one.missing]), 0.0, is_category=False)
        for one in features
    )
    base, used = float(logit(policy().base_rate)), tuple(range(len(features)))
    return BehaviorModel(Scorecard(_columns(), used, bins, base, np.ones(len(features)), "stated_card"))


def behavior_scores(book: Book, as_of: date, model: BehaviorModel | None = None) -> pl.DataFrame:
    """The score of every account with an item known by the evening of ``as_of``: columns of SCORES.

    pd: probability of default within twelve months. points: 0 (worst) to 100. reasons: JSON list of {"code",
    "params" (value, n, points), "points"}, strongest first; points add up to the score's distance from that
    of the average customer. n_history: items seen paid. missing: JSON list, of payment_history (nothing paid
    yet) and payment_trend (too little to see one). model: None for the stated card. Facts known later change
    nothing.
    """
    model = model or stated_model()
    frame = behavior_features(book, as_of)
    values = model.card.columns.matrix(frame)
    contributions = model.card.contributions(values)
    in_default = np.where(frame["in_default"].to_numpy(), rules().in_default, 0.0)
    log_odds = model.card.log_odds(values) + in_default
    names = model.card.columns.names
    history = frame["n_history"].to_list()
    reasons = [
        _reasons(names, values[row], contributions[row], float(in_default[row]), history[row])
        for row in range(frame.height)
    ]
    missing = [_missing(names, values[row], history[row]) for row in range(frame.height)]
    return frame.select(
        "account_id",
        pl.Series("pd", chance(log_odds), dtype=pl.Float64),
        pl.Series("points", score_of(log_odds), dtype=pl.Float64),
        pl.Series("reasons", reasons, dtype=pl.String),
        pl.col("n_history").cast(pl.Int64),
        pl.Series("missing", missing, dtype=pl.String),
    )


def _reasons(names: tuple[str, ...], values: Floats, parts: Floats, in_default: float, history: int) -> str:
    found: list[tuple[float, str, float]] = [
        (float(part), f"behavior_{name}", float(value))
        for name, value, part in zip(names, values, parts, strict=True)
        if abs(part) >= _TOLD and not np.isnan(value)
    ]
    if in_default:
        found.append((in_default, "behavior_in_default", 1.0))
    found.sort(key=lambda one: (-abs(one[0]), one[1]))
    told = []
    for part, code, value in found:
        points = round(float(points_of(part)), 2)
        params = {"value": round(value, 4), "n": history, "points": points}
        told.append({"code": code, "params": params, "points": points})
    return json.dumps(told)


def _missing(names: tuple[str, ...], values: Floats, history: int) -> str:
    if not history:
        return json.dumps([_NO_HISTORY])
    return json.dumps([_NO_TREND] if np.isnan(values[names.index("delay_rise")]) else [])


def train_behavior(book: Book, as_of: date) -> BehaviorModel | None:
    """The card learnt from the defaults that were known by the evening of ``as_of``; None where they are too
    few (``behavior.toml``). A question is an account, not in default, on a day at least a year back."""
    asked = behavior_questions(book, as_of)
    if asked is None:
        return None
    outcomes = asked["defaulted"].cast(pl.Int64).to_numpy()
    least, others = rules().learning["least_defaults"], rules().learning["least_others"]
    accounts = asked.group_by("account_id").agg(pl.col("defaulted").any())
    bad = int(accounts["defaulted"].sum())
    if bad < least or accounts.height - bad < others:
        return None
    columns = _columns()
    inner: Ints = (asked["account_id"].to_numpy() % _INNER_FOLDS).astype(np.int64)
    card = woe.fit(columns.matrix(asked), outcomes, columns, inner)
    days = asked["as_of"]
    return BehaviorModel(
        card,
        {
            "questions": asked.height,
            "accounts": accounts.height,
            "defaults": bad,
            "first": str(days.min()),
            "last": str(days.max()),
        },
    )


def behavior_questions(book: Book, as_of: date) -> pl.DataFrame | None:
    """Past questions whose year has passed by ``as_of``: as_of, defaulted and the features, of the accounts
    with some history that were not in default then. None where the book is younger than a year."""
    horizon = int(rules().default["horizon_days"])
    first = book.items.filter(pl.col("known_date") <= as_of)["known_date"].min()
    if not isinstance(first, date):
        return None
    step = timedelta(days=rules().learning["questions_every_days"])
    day, days = as_of - timedelta(days=horizon), []
    while day > first + step:
        days.append(day)
        day -= step
    states: dict[int, pl.DataFrame] = {}
    known = book.known_by(as_of)
    parts = [_question(known, day, as_of, horizon, states) for day in sorted(days)]
    return pl.concat(parts) if parts else None


def _question(
    known: Book, day: date, as_of: date, horizon: int, states: dict[int, pl.DataFrame]
) -> pl.DataFrame:
    features = behavior_features(known, day).filter(~pl.col("in_default") & (pl.col("n_history") > 0))
    # One grid of days for all questions, so that each state is computed once.
    grid = range(0, (as_of - day).days, _MONTH_DAYS)
    after = [(as_of - timedelta(days=back)) for back in grid if 0 < (as_of - day).days - back <= horizon]
    for one in after:
        if one.toordinal() not in states:
            states[one.toordinal()] = defaulted_on(known, one)
    bad = pl.concat([states[one.toordinal()] for one in after]).unique()
    return features.with_columns(
        pl.lit(day).alias("as_of"), defaulted=pl.col("account_id").is_in(bad["account_id"].implode())
    )


def _columns() -> Columns:
    return Columns(tuple(Column(one.name, NUMBER) for one in rules().features))
