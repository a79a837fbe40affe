"""Calibration by horizon: what share is paid of those whose share was said to be p.

Learnt on days after those that the model was learnt on. With many items the map of each horizon is isotonic;
with few it is a straight line of log-odds, held to the diagonal by a penalty worth a stated number of items.
Between horizons the shift of the log-odds is interpolated, and the curve is kept from falling.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from saldo.analytics.curves import Curves, paid_within

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

HORIZONS: tuple[int, ...] = (7, 14, 30, 60, 90)
# From this many different items on a horizon's map is isotonic.
ISOTONIC_ITEMS = 3_000
# With few items, the diagonal counts as this many.
PRIOR_ITEMS = 1_000.0
LEAST_ITEMS = 30
# The weight of the line is learnt from this many items on.
SHARE_ITEMS = 1_000
ISOTONIC_BINS = 100
# Maps are kept as log-odds at these log-odds.
# Weights of the line that are compared, and by how much one must be better than the usual one.
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
MARGIN = 0.005
KNOTS: Floats = np.linspace(-6.0, 6.0, 25)
_LIMIT = 7.0


def log_odds(share: npt.NDArray[np.floating[Any]]) -> Floats:
    inside = np.clip(share.astype(np.float64), 1e-6, 1.0 - 1e-6)
    return np.clip(np.log(inside / (1.0 - inside)), -_LIMIT, _LIMIT)


@dataclass(frozen=True, slots=True)
class Calibration:
    """shifts: log-odds added at KNOTS, one row per horizon of ``days``; no rows: nothing is changed."""

    days: Ints
    shifts: Floats

    def applied(self, days: Ints, paid: Singles) -> Singles:
        """``paid`` at ``days`` calibrated: never falling, 0 and 1 stay."""
        if not len(self.days):
            return paid
        result = np.empty_like(paid)
        knots = self._shifts_at(days)
        for start in range(0, len(paid), 50_000):
            part = paid[start : start + 50_000]
            for column in range(part.shape[1]):
                odds = log_odds(part[:, column])
                moved = odds + np.interp(odds, KNOTS, knots[column])
                share = 1.0 / (1.0 + np.exp(-moved))
                certain = (part[:, column] <= 1e-6) | (part[:, column] >= 1.0 - 1e-6)
                result[start : start + 50_000, column] = np.where(certain, part[:, column], share)
        return np.maximum.accumulate(result, axis=1)

    def of(self, curves: Curves) -> Curves:
        """The curves calibrated; what is gone gives way."""
        paid = self.applied(curves.days, curves.paid)
        gone = None if curves.gone is None else np.minimum(curves.gone, 1.0 - paid)
        return Curves(curves.days, paid, gone)

    def _shifts_at(self, days: Ints) -> Floats:
        """One row per day: between two horizons by interpolation, outside as at the nearest one."""
        return np.stack([np.interp(days, self.days, column) for column in self.shifts.T], axis=1)

    def as_record(self) -> dict[str, Any]:
        return {"days": self.days.tolist(), "shifts": self.shifts.tolist()}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Calibration:
        days = np.array(record["days"], dtype=np.int64)
        shifts = np.array(record["shifts"], dtype=np.float64).reshape(len(days), len(KNOTS))
        return cls(days, shifts)


def no_calibration() -> Calibration:
    return Calibration(np.zeros(0, dtype=np.int64), np.zeros((0, len(KNOTS))))


def _line(odds: Floats, outcome: Floats, weight: Floats) -> Floats:
    """Shift at KNOTS of outcome ~ level + slope x log-odds, both held to (0, 1); Newton's method."""
    columns = np.stack([np.ones_like(odds), odds], axis=1)
    start = np.array([0.0, 1.0])
    penalty = PRIOR_ITEMS * 0.2 * np.array([1.0, 2.0])
    theta = start.copy()
    for _ in range(30):
        share = 1.0 / (1.0 + np.exp(-np.clip(columns @ theta, -30.0, 30.0)))
        slope = columns.T @ (weight * (outcome - share)) - penalty * (theta - start)
        curve = (columns * (weight * share * (1.0 - share))[:, None]).T @ columns + np.diag(penalty)
        step = np.linalg.solve(curve, slope)
        theta = theta + np.clip(step, -1.0, 1.0)
        if float(np.abs(step).max()) < 1e-8:
            break
    return np.asarray(theta[0] + (max(float(theta[1]), 0.1) - 1.0) * KNOTS, dtype=np.float64)


def pooled_violators(mean: Floats, weight: Floats) -> Floats:
    """The rising sequence nearest to ``mean`` by weighted squares (pool adjacent violators)."""
    levels: list[tuple[float, float, int]] = []
    for value, mass in zip(mean.tolist(), weight.tolist(), strict=True):
        level = (value, mass, 1)
        while levels and levels[-1][0] >= level[0]:
            before, before_mass, size = levels.pop()
            total = before_mass + level[1]
            level = ((before * before_mass + level[0] * level[1]) / total, total, size + level[2])
        levels.append(level)
    values, sizes = [level[0] for level in levels], [level[2] for level in levels]
    return np.repeat(np.array(values, dtype=np.float64), sizes)


def _isotonic(odds: Floats, outcome: Floats, weight: Floats) -> Floats:
    """Shift at KNOTS of the isotonic map, on bins of equal count; outside of its data as at their edge."""
    order = np.argsort(odds, kind="stable")
    parts = np.array_split(order, ISOTONIC_BINS)
    mass = np.array([weight[part].sum() for part in parts])
    center = np.array([np.average(odds[part], weights=weight[part]) for part in parts])
    share = np.array([np.average(outcome[part], weights=weight[part]) for part in parts])
    rising = log_odds(np.clip(pooled_violators(share, mass), 0.001, 0.999))
    # At a knot the mean of the map around it: its steps are noise.
    around = np.linspace(-0.25, 0.25, 5)
    inside = np.clip(KNOTS, center[0], center[-1])
    moved = np.mean([np.interp(inside + gap, center, rising) for gap in around], axis=0)
    return np.asarray(moved - inside, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Seen:
    """How and after how many days landmarks ended; sight: days until the last known one.

    A horizon counts for the landmarks that it lies in sight of, whether they were paid or not: those paid
    early alone would say that everybody is. Landmarks of one item say nearly the same: together they weigh
    as many as there are items, but each the same, since slow items are asked about more often.
    """

    until: Ints
    is_paid: Bools
    sight: Ints
    item_ids: Ints

    def at(self, horizon: int) -> tuple[Ints, Floats, Floats, int]:
        """(rows in sight, paid within the horizon, weight, number of different items)."""
        rows = np.flatnonzero(self.sight >= horizon)
        items = len(np.unique(self.item_ids[rows]))
        paid = (self.is_paid[rows] & (self.until[rows] <= horizon)).astype(np.float64)
        return rows, paid, np.full(len(rows), items / max(len(rows), 1)), items


def of_what_stays(curves: Curves, other: Curves) -> Curves:
    """Curves that know of no credit notes, scaled to what the others do not have credited or written off."""
    if other.gone is None:
        return curves
    return Curves(curves.days, (curves.paid * (1.0 - other.gone[:, -1:])).astype(np.float32))


def blended(first: Curves, second: Curves, share: float) -> Curves:
    """``share`` of the first curves and the rest of the second; what is gone is the second's."""
    paid = (share * first.paid + (1.0 - share) * second.paid).astype(np.float32)
    gone = None if second.gone is None else np.minimum(second.gone, 1.0 - paid)
    return Curves(second.days, paid, gone)


def best_share(first: Curves, second: Curves, seen: Seen, usual: float) -> float:
    """The share of the first curves with the least squared error over the horizons; ``usual`` unless it is
    beaten by MARGIN."""
    losses = dict.fromkeys(SHARES, 0.0)
    for horizon in HORIZONS:
        rows, paid, weight, items = seen.at(horizon)
        if items < SHARE_ITEMS:
            continue
        one, two = (paid_within(curves.rows(rows), [horizon])[:, 0] for curves in (first, second))
        for share in SHARES:
            miss = paid - share * one - (1.0 - share) * two
            losses[share] += float(np.average(miss**2, weights=weight))
    best = min(SHARES, key=lambda share: losses[share])
    return best if losses[best] < (1.0 - MARGIN) * losses.get(usual, 0.0) else usual


def fit_calibration(raw: Curves, seen: Seen) -> Calibration:
    """The calibration of ``raw``; a horizon that too few items have in sight takes its neighbor's."""
    days, shifts = [], []
    for horizon in HORIZONS:
        rows, paid, weight, items = seen.at(horizon)
        if items < LEAST_ITEMS or paid.min() == paid.max():
            continue
        odds = log_odds(paid_within(raw.rows(rows), [horizon])[:, 0])
        fit = _isotonic if items >= ISOTONIC_ITEMS else _line
        days.append(horizon)
        shifts.append(fit(odds, paid, weight))
    if not days:
        return no_calibration()
    return Calibration(np.array(days, dtype=np.int64), np.array(shifts))
