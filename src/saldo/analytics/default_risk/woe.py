"""The scorecard: columns cut into bins, each bin's weight of evidence, and points that add up to a score.

Numbers are cut by a small decision tree on their percentiles, and neighboring bins are merged until the
share of defaults only rises, only falls, or turns once where that fits clearly better (isotonic merge by
pooling adjacent violators; Barlow et al. 1972). Missing values are a bin of their own, so is each category.
Weight of evidence (Siddiqi 2006): ln(share of the good / share of the bad), shrunk to 0 in small bins. A
ridge logistic regression on the weights makes the card; no coefficient may have the wrong sign, since the
points of that column would contradict its bins: it is left out instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from saldo.analytics.default_risk.columns import Columns
from saldo.analytics.default_risk.logistic import Calibration, calibrated, signed_logistic
from saldo.analytics.default_risk.measures import Floats, Ints, logit

NAME = "woe_scorecard"
# Percentile groups that the tree cuts; bins that it makes at first; the least rows of one, also as a share.
GROUPS = 200
PRE_BINS = 16
LEAST_ROWS = 15
LEAST_SHARE = 0.015
# A bin's share of defaults counts as if so many more rows of the base rate were in it.
SHRINK_ROWS = 10.0
# A bin must lower the deviance by more than so many times ln(rows): 1 is the Bayesian criterion.
PRICE = 1.0
# Columns of less information value than this tell nothing (Siddiqi 2006).
LEAST_IV = 0.02
PENALTY = 5.0
_NOTHING = 1e-6
# The scale of points: so many at these odds of good to bad, and so many more when the odds double.
BASE_POINTS, BASE_ODDS, DOUBLE_POINTS = 600.0, 50.0, 20.0


@dataclass(frozen=True, slots=True)
class Bins:
    """The bins of one column. edges: upper bounds (inclusive) of all bins of numbers but the last; for a
    category, empty, and the bin is the code. woe: of each bin, then of missing. iv: information value."""

    edges: Floats
    woe: Floats
    iv: float
    is_category: bool

    def index(self, values: Floats) -> Ints:
        """The bin of each value; the last is that of missing values and unknown categories."""
        missing = len(self.woe) - 1
        if self.is_category:
            found = np.where(np.isnan(values), missing, values)
            return np.where((found >= 0) & (found < missing), found, missing).astype(np.int64)
        inside = np.searchsorted(self.edges, values, side="left")
        return np.where(np.isnan(values), missing, inside).astype(np.int64)

    def __call__(self, values: Floats) -> Floats:
        return np.asarray(self.woe[self.index(values)])


def binned(values: Floats, outcomes: Ints, is_category: bool) -> Bins:
    """The bins of a column, learnt on these rows."""
    known = ~np.isnan(values)
    if is_category:
        edges = np.empty(0)
        count = int(values[known].max()) + 1 if known.any() else 0
    else:
        edges = _edges(values[known], outcomes[known])
        count = len(edges) + 1
    blank = Bins(edges, np.zeros(count + 1), 0.0, is_category)
    index = blank.index(values)
    rows = np.bincount(index, minlength=count + 1).astype(np.float64)
    bad = np.bincount(index, weights=outcomes, minlength=count + 1)
    base = float(outcomes.mean())
    rate = (bad + SHRINK_ROWS * base) / (rows + SHRINK_ROWS)
    woe = np.asarray(float(logit(base)) - logit(rate))
    good_share = (rows - bad) / max(float((outcomes == 0).sum()), 1.0)
    bad_share = bad / max(float(outcomes.sum()), 1.0)
    iv = float(((good_share - bad_share) * woe).sum())
    return Bins(edges, woe, iv, is_category)


def _edges(values: Floats, outcomes: Ints) -> Floats:
    """Bounds between the bins of numbers without gaps."""
    rows = len(values)
    least = max(LEAST_ROWS, int(LEAST_SHARE * rows))
    if rows < 2 * least or outcomes.min() == outcomes.max() or values.min() == values.max():
        return np.empty(0)
    edges = np.unique(np.quantile(values, np.arange(1, GROUPS) / GROUPS, method="inverted_cdf"))
    edges = edges[edges < values.max()]
    index = np.searchsorted(edges, values, side="left")
    count = np.bincount(index, minlength=len(edges) + 1).astype(np.float64)
    bad = np.bincount(index, weights=outcomes, minlength=len(edges) + 1).astype(np.float64)
    cuts = _tree(count, bad, least)
    if not cuts:
        return np.empty(0)
    starts = [0, *cuts]
    kept = _kept_edges(np.add.reduceat(count, starts), np.add.reduceat(bad, starts))
    return np.asarray(edges[np.array(cuts, dtype=np.int64)[kept] - 1])


def _tree(count: Floats, bad: Floats, least: int) -> list[int]:
    """Where a decision tree cuts the groups: each time the cut that lowers the deviance most, anywhere."""
    rows, ill = np.concatenate([[0.0], count.cumsum()]), np.concatenate([[0.0], bad.cumsum()])

    def best(start: int, end: int) -> tuple[float, int]:
        at = np.arange(start + 1, end)
        left, right = rows[at] - rows[start], rows[end] - rows[at]
        gain = (
            _fit(left, ill[at] - ill[start])
            + _fit(right, ill[end] - ill[at])
            - _fit(rows[end : end + 1] - rows[start], ill[end : end + 1] - ill[start])
        )
        gain = np.where((left >= least) & (right >= least), gain, -1.0)
        found = int(gain.argmax()) if len(gain) else 0
        return (float(gain[found]), start + 1 + found) if len(gain) else (-1.0, start)

    leaves = {(0, len(count)): best(0, len(count))}
    cuts: list[int] = []
    while len(leaves) < PRE_BINS:
        span, (gain, at) = max(leaves.items(), key=lambda leaf: (leaf[1][0], -leaf[0][0]))
        if gain <= 0.0:
            break
        del leaves[span]
        leaves[(span[0], at)], leaves[(at, span[1])] = best(span[0], at), best(at, span[1])
        cuts.append(at)
    return sorted(cuts)


def _fit(rows: Floats, ill: Floats) -> Floats:
    """Log-likelihood of groups that have each their own share of defaults."""
    p = np.clip(ill / np.maximum(rows, 1.0), 1e-9, 1.0 - 1e-9)
    return np.asarray(ill * np.log(p) + (rows - ill) * np.log1p(-p))


def _kept_edges(count: Floats, bad: Floats) -> Ints:
    """Positions of the edges left after merging: rising, falling, or one turn, by the Bayesian criterion."""
    price = PRICE * float(np.log(count.sum()))
    up, down = (_thinned(count, bad, _pooled(count, bad, sign), price) for sign in (1, -1))
    choices = [(_deviance(count, bad, up) + price * len(up), up),
               (_deviance(count, bad, down) + price * len(down), down)]  # fmt: skip
    for turn in range(2, len(count) - 1):
        for sign in (1, -1):
            left = _pooled(count[:turn], bad[:turn], sign)
            right = [turn + start for start in _pooled(count[turn:], bad[turn:], -sign)]
            starts = _thinned(count, bad, left + right, price)
            # A turn is one more thing to say, and where it lies another.
            choices.append((_deviance(count, bad, starts) + price * (len(starts) + 2), starts))
    best = min(choices, key=lambda choice: choice[0])[1]
    return np.array([start - 1 for start in best if start], dtype=np.int64)


def _pooled(count: Floats, bad: Floats, sign: int) -> list[int]:
    """First bin of each block when neighbors are pooled until rates rise (sign 1) or fall (-1)."""
    blocks: list[tuple[int, float, float]] = []
    for at in range(len(count)):
        start, rows, ill = at, float(count[at]), float(bad[at])
        while blocks and sign * blocks[-1][2] * rows >= sign * ill * blocks[-1][1]:
            start, more, worse = blocks.pop()
            rows, ill = rows + more, ill + worse
        blocks.append((start, rows, ill))
    return [start for start, _, _ in blocks]


def _thinned(count: Floats, bad: Floats, starts: list[int], price: float) -> list[int]:
    """Neighbors joined, the most alike first, while what is lost is less than the price of a bin."""
    while len(starts) > 1:
        rows, ill = np.add.reduceat(count, starts), np.add.reduceat(bad, starts)
        apart = _fit(rows, ill)
        lost = 2.0 * (apart[:-1] + apart[1:] - _fit(rows[:-1] + rows[1:], ill[:-1] + ill[1:]))
        least = int(lost.argmin())
        if lost[least] >= price:
            break
        starts = starts[: least + 1] + starts[least + 2 :]
    return starts


def _deviance(count: Floats, bad: Floats, starts: Sequence[int]) -> float:
    """-2 x log-likelihood when each block has its own share of defaults."""
    return float(-2.0 * _fit(np.add.reduceat(count, starts), np.add.reduceat(bad, starts)).sum())


@dataclass(frozen=True, slots=True)
class Scorecard:
    """Bins and coefficients of the columns that the card uses. used: their positions in ``columns``."""

    columns: Columns
    used: tuple[int, ...]
    bins: tuple[Bins, ...]
    intercept: float
    coefficients: Floats
    name: str = NAME

    def contributions(self, values: Floats) -> Floats:
        """(rows, columns): what each column adds to the log-odds of default; 0 at the average applicant."""
        out = np.zeros((len(values), len(self.columns)))
        for column, bins, coefficient in zip(self.used, self.bins, self.coefficients, strict=True):
            out[:, column] = coefficient * bins(values[:, column])
        return out

    def log_odds(self, values: Floats) -> Floats:
        return np.asarray(self.intercept + self.contributions(values).sum(axis=1))

    def points(self, values: Floats) -> Floats:
        """Points as a credit office knows them: more is better."""
        factor = DOUBLE_POINTS / np.log(2.0)
        return np.asarray(BASE_POINTS - factor * (np.log(BASE_ODDS) + self.log_odds(values)))

    def card(self) -> list[dict[str, Any]]:
        """The card as people read it: each bin of each column with its bounds, weight and points."""
        factor = DOUBLE_POINTS / np.log(2.0)
        rows = []
        for column, bins, coefficient in zip(self.used, self.bins, self.coefficients, strict=True):
            facts = self.columns.columns[column]
            bounds = [None, *bins.edges.tolist(), None]
            for at, woe in enumerate(bins.woe.tolist()):
                is_missing = at == len(bins.woe) - 1
                rows.append({
                    "column": facts.name,
                    "category": facts.categories[at] if bins.is_category and not is_missing else None,
                    "above": None if is_missing or bins.is_category else bounds[at],
                    "up_to": None if is_missing or bins.is_category else bounds[at + 1],
                    "missing": is_missing,
                    "woe": woe,
                    "points": float(-factor * coefficient * woe),
                })  # fmt: skip
        return rows

    def as_record(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "columns": self.columns.as_record(),
            "used": list(self.used),
            "bins": [
                {
                    "edges": one.edges.tolist(),
                    "woe": one.woe.tolist(),
                    "iv": one.iv,
                    "category": one.is_category,
                }
                for one in self.bins
            ],
            "intercept": self.intercept,
            "coefficients": self.coefficients.tolist(),
        }


def from_record(record: Mapping[str, Any]) -> Scorecard:
    """The scorecard of ``as_record``."""
    return Scorecard(
        Columns.from_record(record["columns"]),
        tuple(record["used"]),
        tuple(
            Bins(np.array(one["edges"], dtype=np.float64), np.array(one["woe"]), one["iv"], one["category"])
            for one in record["bins"]
        ),
        float(record["intercept"]),
        np.array(record["coefficients"], dtype=np.float64),
    )


def fit(values: Floats, outcomes: Ints, columns: Columns, inner: Ints) -> Scorecard:
    """The card, calibrated on rows that its bins had not seen. inner: the inner fold of each row."""
    unseen = np.zeros(len(values))
    for one in np.unique(inner):
        test = inner == one
        unseen[test] = _card(values[~test], outcomes[~test], columns).log_odds(values[test])
    return _recalibrated(_card(values, outcomes, columns), calibrated(unseen, outcomes))


def _recalibrated(card: Scorecard, by: Calibration) -> Scorecard:
    return Scorecard(
        card.columns, card.used, card.bins, by.shift + by.slope * card.intercept, by.slope * card.coefficients
    )


def _card(values: Floats, outcomes: Ints, columns: Columns) -> Scorecard:
    categorical = columns.categorical
    every = [binned(values[:, at], outcomes, categorical[at]) for at in range(len(columns))]
    used = [at for at, bins in enumerate(every) if bins.iv >= LEAST_IV]
    weights = np.column_stack([np.zeros((len(values), 0)), *(every[at](values[:, at]) for at in used)])
    intercept, falls = signed_logistic(-weights, outcomes, PENALTY)
    kept = [at for at, fall in enumerate(falls) if fall > _NOTHING]
    return Scorecard(
        columns,
        tuple(used[at] for at in kept),
        tuple(every[used[at]] for at in kept),
        intercept,
        -falls[kept],
    )
