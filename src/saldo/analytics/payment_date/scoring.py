"""How good forecasts of payment days are: the measures of the backtest, and what chance does to them.

Everything is given as arrays, one value per forecast. Days count from the evening of the forecast. A measure
that has no meaning (no late item, a model that gives dates without probabilities) is None, never zero.
Formulas and sources: docs/rules/payment-forecast.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

BINS = 10
WITHIN_DAYS = 7
# Concordance over all pairs up to here; beyond, over this many items drawn evenly.
PAIRED_ITEMS = 5_000
BOOTSTRAPS = 500
LEAST_CLUSTERS = 5
SEED = 20_260_101


def auc(label: Bools, score: Floats) -> float | None:
    """P(score of a positive > score of a negative), ties counting half. None without both."""
    positives = int(label.sum())
    negatives = len(label) - positives
    if not positives or not negatives:
        return None
    ranks = pl.Series(score).rank("average").to_numpy()
    return float((ranks[label].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def c_index(actual: Floats, predicted: Floats) -> float | None:
    """Share of pairs with different actual days that are predicted in their order; ties count half.

    Beyond PAIRED_ITEMS it is computed on that many items, evenly spread over the order given.
    """
    if len(actual) > PAIRED_ITEMS:
        chosen = np.linspace(0, len(actual) - 1, PAIRED_ITEMS).astype(np.int64)
        actual, predicted = actual[chosen], predicted[chosen]
    agree, ties, comparable = 0, 0, 0
    for start in range(0, len(actual), 500):
        # Each pair is met once: rows of a block against all later items.
        order = np.sign(actual[start : start + 500, None] - actual[None, :]).astype(np.int8)
        guess = np.sign(predicted[start : start + 500, None] - predicted[None, :]).astype(np.int8)
        later = np.arange(len(actual))[None, :] > np.arange(start, start + len(order))[:, None]
        pairs = later & (order != 0)
        comparable += int(pairs.sum())
        agree += int((pairs & (order == guess)).sum())
        ties += int((pairs & (guess == 0)).sum())
    return (agree + 0.5 * ties) / comparable if comparable else None


@dataclass(frozen=True, slots=True)
class Reliability:
    """Forecast and observed shares in bins of equal count: the calibration plot."""

    forecast: Floats
    observed: Floats
    count: Ints

    @property
    def error(self) -> float | None:
        """Expected calibration error: mean distance of the two, weighted by count."""
        total = self.count.sum()
        gaps = self.count * np.abs(self.forecast - self.observed)
        return float(gaps.sum() / total) if total else None


def reliability(outcome: Floats, share: Floats, bins: int = BINS) -> Reliability:
    """The forecasts in ``bins`` bins of equal count by size; outcome is 0 or 1, or a share."""
    order = np.argsort(share, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return Reliability(
        forecast=np.array([share[part].mean() for part in parts]),
        observed=np.array([outcome[part].mean() for part in parts]),
        count=np.array([len(part) for part in parts], dtype=np.int64),
    )


def crps(paid_daily: Floats, days: Floats) -> Floats:
    """Continuous ranked probability score of each forecast, in days: sum over days of (F(d) - [paid by d])^2.

    paid_daily: P(paid by the evening of day d), columns d = 0, 1, …; days: the actual days (inf: not paid).
    """
    grid = np.arange(paid_daily.shape[1])
    by_then = grid[None, :] >= days[:, None]
    result: Floats = ((paid_daily - by_then) ** 2).sum(axis=1)
    return result


def pinball(days: Floats, quantile_days: Floats, share: float) -> Floats:
    """Loss of a forecast quantile: ``share`` of the shortfall, 1 - share of the excess, in days."""
    gap = days - quantile_days
    result: Floats = np.where(gap >= 0, share * gap, (share - 1.0) * gap)
    return result


def cash_errors(expected: Floats, actual: Floats) -> tuple[float | None, float | None]:
    """(weekly WAPE, error of the total) of cash: rows are origins, columns weeks after each.

    WAPE = sum of |expected - actual| over origins and weeks / sum of actual; the second compares each
    origin's total over its weeks instead. None where nothing came in.
    """
    total = float(actual.sum())
    if total <= 0:
        return None, None
    weekly = float(np.abs(expected - actual).sum()) / total
    return weekly, float(np.abs(expected.sum(axis=1) - actual.sum(axis=1)).sum()) / total


def resamples(clusters: Ints | None, size: int, rounds: int = BOOTSTRAPS, seed: int = SEED) -> list[Ints]:
    """Row numbers of ``rounds`` bootstrap samples of ``size`` rows: of rows, or of whole clusters."""
    random = np.random.default_rng(seed)
    if clusters is None:
        return [random.integers(0, size, size) for _ in range(rounds)]
    order = np.argsort(clusters, kind="stable")
    _, starts = np.unique(clusters[order], return_index=True)
    groups = np.split(order, starts[1:])
    draws = random.integers(0, len(groups), (rounds, len(groups)))
    return [np.concatenate([groups[index] for index in draw]) for draw in draws]


@dataclass(frozen=True, slots=True)
class Difference:
    """Mean of paired losses, first minus second, with its standard error by bootstrap of customers.

    is_beyond: the first is better beyond the error: the 95% interval lies below zero by rows and customers.
    """

    mean: float
    error: float
    error_by_row: float
    is_beyond: bool

    def as_json(self) -> dict[str, float | bool]:
        return {
            "mean": self.mean,
            "se_by_customer": self.error,
            "se": self.error_by_row,
            "beyond": self.is_beyond,
        }


# Two-sided 95%.
_Z95 = 1.96


def _cluster_error(values: Floats, clusters: Ints | None, rounds: int, seed: int) -> float:
    """Standard error of the mean of ``values`` by bootstrap, from sums per cluster: no copy of the rows."""
    random = np.random.default_rng(seed)
    if clusters is None:
        return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("inf")
    _, place = np.unique(clusters, return_inverse=True)
    sums, counts = np.bincount(place, values), np.bincount(place).astype(np.float64)
    if len(sums) < 2:
        return float("inf")
    picks = random.multinomial(len(sums), np.full(len(sums), 1.0 / len(sums)), size=rounds)
    means = (picks @ sums) / np.maximum(picks @ counts, 1.0)
    return float(means.std(ddof=1))


def paired_difference(
    first: Floats, second: Floats, clusters: Ints, rounds: int = BOOTSTRAPS, seed: int = SEED
) -> Difference:
    """How much lower the losses of ``first`` are than those of ``second`` on the same forecasts."""
    gap = first - second
    if not len(gap):
        return Difference(0.0, float("inf"), float("inf"), False)
    mean = float(gap.mean())
    by_customer = _cluster_error(gap, clusters, rounds, seed)
    by_row = _cluster_error(gap, None, rounds, seed)
    # A handful of customers has no spread to speak of: then the rows must do.
    if len(np.unique(clusters)) < LEAST_CLUSTERS:
        by_customer = by_row
    return Difference(mean, by_customer, by_row, mean + _Z95 * max(by_customer, by_row) < 0.0)


def standard_errors(
    measures: Mapping[str, Callable[[Ints], float | None]],
    clusters: Ints,
    rounds: int = 100,
    seed: int = SEED,
) -> dict[str, float | None]:
    """Standard error of each measure by bootstrap of customers; a measure takes the row numbers drawn."""
    draws = resamples(clusters, len(clusters), rounds, seed) if len(clusters) else []
    found: dict[str, float | None] = {}
    for name, measure in measures.items():
        values = [value for rows in draws if (value := measure(rows)) is not None]
        found[name] = float(np.std(values, ddof=1)) if len(values) > rounds // 2 else None
    return found
