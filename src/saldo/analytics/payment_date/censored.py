"""A straight line through durations of which some have not ended, and how far from it they end.

Ridge regression in which an open duration counts as its mean given that it is longer than seen so far
(Buckley and James 1979), and the Kaplan-Meier distribution of the residuals.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Matrix = npt.NDArray[np.float32]

PENALTIES = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1_000.0, 3_000.0, 10_000.0, 30_000.0)
FOLDS = 8
ROUNDS = 6
# Residuals are kept at this many quantiles.
RESIDUAL_POINTS = 400
_LEAST = 1e-9


@dataclass(frozen=True, slots=True)
class Scaler:
    """Columns cut at their 1st and 99th percentile, centered and scaled; what is not known is the mean, 0."""

    low: Floats
    high: Floats
    mean: Floats
    deviation: Floats

    @classmethod
    def of(cls, matrix: Matrix) -> Scaler:
        columns = matrix.shape[1]
        low, high, mean, deviation = np.zeros(columns), np.zeros(columns), np.zeros(columns), np.ones(columns)
        for place in range(columns):
            values = matrix[:, place].astype(np.float64)
            values = values[np.isfinite(values)]
            if len(values):
                low[place], high[place] = (float(cut) for cut in np.percentile(values, [1.0, 99.0]))
                inside = np.clip(values, low[place], high[place])
                mean[place] = inside.mean()
                spread = inside.std()
                deviation[place] = spread if spread > _LEAST * max(1.0, abs(mean[place])) else np.inf
        return cls(low, high, mean, deviation)

    def scaled(self, matrix: Matrix) -> Floats:
        inside = np.clip(matrix.astype(np.float64), self.low, self.high)
        result: Floats = np.nan_to_num((inside - self.mean) / self.deviation, nan=0.0)
        return result

    def as_record(self) -> dict[str, Any]:
        return {
            "low": self.low.tolist(), "high": self.high.tolist(), "mean": self.mean.tolist(),
            "deviation": [None if np.isinf(value) else value for value in self.deviation.tolist()],
        }  # fmt: skip

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Scaler:
        deviation = [np.inf if value is None else float(value) for value in record["deviation"]]
        low, high, mean = (np.array(record[name], dtype=np.float64) for name in ("low", "high", "mean"))
        return cls(low, high, mean, np.array(deviation, dtype=np.float64))


def kaplan_meier(values: Floats, is_event: Bools, weight: Floats) -> tuple[Floats, Floats]:
    """(sorted values, share that has ended by each). At equal values events come before what is censored."""
    order = np.lexsort((~is_event, values))
    ordered, w = values[order], weight[order]
    at_risk = np.cumsum(w[::-1])[::-1]
    stays = np.where(is_event[order], 1.0 - w / np.maximum(at_risk, _LEAST), 1.0)
    return ordered, np.asarray(1.0 - np.cumprod(np.clip(stays, 0.0, 1.0)), dtype=np.float64)


def _means_beyond(ordered: Floats, ended: Floats) -> Floats:
    """Mean of what lies beyond each sorted value; the mass that never ended lies at the last one."""
    mass = np.diff(ended, prepend=0.0)
    mass[-1] += 1.0 - ended[-1]
    tail = np.cumsum(mass[::-1])[::-1]
    moment = np.cumsum((mass * ordered)[::-1])[::-1]
    beyond_mass, beyond_moment = np.append(tail[1:], 0.0), np.append(moment[1:], 0.0)
    safe = np.where(beyond_mass > _LEAST, beyond_moment / np.maximum(beyond_mass, _LEAST), ordered[-1])
    return np.asarray(np.maximum(safe, ordered), dtype=np.float64)


def _solved(z: Floats, y: Floats, weight: Floats, penalty: Floats) -> Floats:
    weighted = z * weight[:, None]
    return np.asarray(np.linalg.solve(weighted.T @ z + np.diag(penalty), weighted.T @ y), dtype=np.float64)


def _best_penalty(
    z: Floats, y: Floats, weight: Floats, is_event: Bools, group: npt.NDArray[np.int64], scale: Floats
) -> float:
    """The penalty with the least error on groups that were left out, of what has ended.

    Groups are customers: row by row, each would be guessed from its neighbors of the same customer.
    """
    fold = group % FOLDS
    squares, products = [], []
    for number in range(FOLDS):
        rows = fold == number
        weighted = z[rows] * weight[rows, None]
        squares.append(weighted.T @ z[rows])
        products.append(weighted.T @ y[rows])
    all_squares, all_products = np.sum(squares, axis=0), np.sum(products, axis=0)

    def error(penalty: float) -> float:
        total = 0.0
        for number in range(FOLDS):
            rows = (fold == number) & is_event
            left = all_squares - squares[number] + np.diag(penalty * scale)
            miss = y[rows] - z[rows] @ np.linalg.solve(left, all_products - products[number])
            total += float((weight[rows] * miss**2).sum())
        return total

    return min(PENALTIES, key=error)


@dataclass(frozen=True, slots=True)
class Line:
    """predicted duration = center + scaled columns . slopes; its spread is the exp of another such line.

    residuals: distance from the prediction in spreads, sorted; ended: the share that has ended by each.
    """

    scaler: Scaler
    slopes: Floats
    center: float
    penalty: float
    spread_slopes: Floats
    spread_center: float
    residuals: Floats
    ended: Floats

    def predicted(self, matrix: Matrix) -> Floats:
        result: Floats = self.center + self.scaler.scaled(matrix) @ self.slopes
        return result

    def spread(self, matrix: Matrix) -> Floats:
        """Days around the prediction, of the size of a mean distance."""
        return _bounded_exp(self.spread_center + self.scaler.scaled(matrix) @ self.spread_slopes)

    def share_ended(self, residual: Floats) -> Floats:
        """Share that has ended by so many spreads beyond the prediction, linear between the points kept."""
        result: Floats = np.interp(residual, self.residuals, self.ended, left=0.0)
        return result

    def as_record(self) -> dict[str, Any]:
        return {
            "scaler": self.scaler.as_record(), "center": self.center, "penalty": self.penalty,
            "spread_center": self.spread_center,
            **{name: getattr(self, name).tolist() for name in _LINE_ARRAYS},
        }  # fmt: skip

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Line:
        arrays = {name: np.array(record[name], dtype=np.float64) for name in _LINE_ARRAYS}
        if len(arrays["slopes"]) != len(arrays["spread_slopes"]):
            raise ValueError("the line has slopes of different length")
        return cls(
            Scaler.from_record(record["scaler"]), arrays["slopes"], float(record["center"]),
            float(record["penalty"]), arrays["spread_slopes"], float(record["spread_center"]),
            arrays["residuals"], arrays["ended"],
        )  # fmt: skip


_LINE_ARRAYS = ("slopes", "spread_slopes", "residuals", "ended")


def _bounded_exp(log_days: Floats) -> Floats:
    """Spreads between a third of a day and a year."""
    return np.asarray(np.exp(np.clip(log_days, -1.0, 5.9)), dtype=np.float64)


def fit_line(
    matrix: Matrix,
    duration: Floats,
    is_event: Bools,
    weight: Floats,
    group: npt.NDArray[np.int64],
    penalty_scale: Floats | None = None,
) -> Line:
    """The line through ``duration`` (of what is censored: the day until which it lasted at least).

    Durations are cut at the 1st and 99th percentile of those that ended, so that a single item paid years
    late does not turn the line. group: the customer of each row, numbered from 0; penalty_scale: how much of
    the penalty each column bears (1). Raises ValueError where nothing has ended.
    """
    if not is_event.any():
        raise ValueError("no duration has ended")
    scaler = Scaler.of(matrix)
    z = scaler.scaled(matrix)
    scale = np.ones(z.shape[1]) if penalty_scale is None else penalty_scale
    low, high = np.percentile(duration[is_event], [1.0, 99.0])
    cut = np.clip(duration, low, high)
    y, penalty = cut, PENALTIES[-1]
    center, slopes = float(np.average(y, weights=weight)), np.zeros(z.shape[1])
    for turn in range(ROUNDS):
        center = float(np.average(y, weights=weight))
        if turn < 2:
            penalty = _best_penalty(z, y - center, weight, is_event, group, scale)
        slopes = _solved(z, y - center, weight, penalty * scale)
        residual = cut - center - z @ slopes
        ordered, ended = kaplan_meier(residual, is_event, weight)
        beyond = np.interp(residual, ordered, _means_beyond(ordered, ended))
        y = np.where(is_event, cut, cut - residual + beyond)
    # The residuals kept are those of the true durations: the cut served the line only.
    residual = duration - center - z @ slopes
    spread_center, spread_slopes = _spread(z, residual, weight, is_event, group, scale)
    in_spreads = residual / _bounded_exp(spread_center + z @ spread_slopes)
    ordered, ended = kaplan_meier(in_spreads, is_event, weight)
    kept = np.unique(np.linspace(0, len(ordered) - 1, RESIDUAL_POINTS).astype(np.int64))
    return Line(scaler, slopes, center, penalty, spread_slopes, spread_center, ordered[kept], ended[kept])


def _spread(
    z: Floats, residual: Floats, weight: Floats, is_event: Bools, group: npt.NDArray[np.int64], scale: Floats
) -> tuple[float, Floats]:
    """(center, slopes) of log(distance + 1 day), of what has ended; the penalty holds it to one for all."""
    rows = np.flatnonzero(is_event)
    target = np.log(np.abs(residual[rows]) + 1.0)
    center = float(np.average(target, weights=weight[rows]))
    everything = np.ones(len(rows), dtype=np.bool_)
    penalty = _best_penalty(z[rows], target - center, weight[rows], everything, group[rows], scale)
    return center, _solved(z[rows], target - center, weight[rows], penalty * scale)
