"""The simple rungs: the base rate, and a logistic regression on figures cut at their outer percentiles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from saldo.analytics.default_risk.columns import Columns
from saldo.analytics.default_risk.logistic import ridge_logistic
from saldo.analytics.default_risk.measures import Floats, Ints, logit

BASE_RATE, LOGISTIC = "base_rate", "logistic"
# Figures beyond these quantiles of the training rows count as being there (winsorized).
LOW, HIGH = 0.02, 0.98
PENALTY = 2.0


@dataclass(frozen=True, slots=True)
class BaseRate:
    """Everybody defaults as often as anybody."""

    rate: float
    name: str = BASE_RATE

    def log_odds(self, values: Floats) -> Floats:
        return np.full(len(values), float(logit(self.rate)))

    def as_record(self) -> dict[str, Any]:
        return {"name": self.name, "rate": self.rate}


def fit_base_rate(values: Floats, outcomes: Ints, columns: Columns, inner: Ints) -> BaseRate:
    """The share of defaults among the training rows."""
    return BaseRate(float(outcomes.mean()))


@dataclass(frozen=True, slots=True)
class Logistic:
    """A straight line in each figure, one level for each category. Figures: winsorized, standardized,
    missing as the median and said to be missing."""

    columns: Columns
    low: Floats
    high: Floats
    center: Floats
    scale: Floats
    has_gaps: tuple[bool, ...]
    intercept: float
    coefficients: Floats
    name: str = LOGISTIC

    def log_odds(self, values: Floats) -> Floats:
        return np.asarray(self.intercept + self._design(values) @ self.coefficients)

    def _design(self, values: Floats) -> Floats:
        parts = [np.zeros((len(values), 0))]
        for at, column in enumerate(self.columns.columns):
            own = values[:, at]
            if column.categories:
                parts += [(own == code)[:, None].astype(np.float64) for code in range(len(column.categories))]
            else:
                filled = np.where(np.isnan(own), self.center[at], np.clip(own, self.low[at], self.high[at]))
                parts.append(((filled - self.center[at]) / self.scale[at])[:, None])
            if self.has_gaps[at]:
                parts.append(np.isnan(own)[:, None].astype(np.float64))
        return np.column_stack(parts)

    def as_record(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "columns": self.columns.as_record(),
            "low": self.low.tolist(),
            "high": self.high.tolist(),
            "center": self.center.tolist(),
            "scale": self.scale.tolist(),
            "has_gaps": list(self.has_gaps),
            "intercept": self.intercept,
            "coefficients": self.coefficients.tolist(),
        }


def logistic_from_record(record: Mapping[str, Any]) -> Logistic:
    """The model of ``as_record``."""

    def numbers(name: str) -> Floats:
        return np.array(record[name], dtype=np.float64)

    return Logistic(
        Columns.from_record(record["columns"]),
        numbers("low"),
        numbers("high"),
        numbers("center"),
        numbers("scale"),
        has_gaps=tuple(record["has_gaps"]),
        intercept=float(record["intercept"]),
        coefficients=numbers("coefficients"),
    )


def fit_logistic(values: Floats, outcomes: Ints, columns: Columns, inner: Ints) -> Logistic:
    """Ridge logistic regression; see Logistic for how the columns enter."""
    count = len(columns)
    low, high, center, scale = np.zeros(count), np.zeros(count), np.zeros(count), np.ones(count)
    for at, is_category in enumerate(columns.categorical):
        known = values[~np.isnan(values[:, at]), at]
        if is_category or not len(known):
            continue
        low[at], center[at], high[at] = np.quantile(known, [LOW, 0.5, HIGH])
        spread = float(np.clip(known, low[at], high[at]).std())
        scale[at] = spread if spread > 0.0 else 1.0
    gaps = tuple(bool(yes) for yes in np.isnan(values).sum(axis=0))
    blank = Logistic(columns, low, high, center, scale, gaps, 0.0, np.empty(0))
    intercept, coefficients = ridge_logistic(blank._design(values), outcomes, PENALTY)
    return Logistic(columns, low, high, center, scale, gaps, intercept, coefficients)
