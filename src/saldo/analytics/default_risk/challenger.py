"""The challenger: boosted trees on the columns and on ratios made of pairs of them.

Synthetic features after Zieba, Tomczak and Tomczak (2016, "Ensemble boosted trees with synthetic features
generation in application to bankruptcy prediction"): sums, differences, products and ratios of two columns.
Which columns are paired, and which pairs are kept, is chosen by the gain of quick models on the rows that a
bag is trained on, never on those it is judged on. Bagged over the inner folds, calibrated on the rows that
each bag had not seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from saldo.analytics.default_risk.boosting import (
    Unseen,
    boosted,
    gains,
    grown_together,
    of_text,
    raw,
    started,
)
from saldo.analytics.default_risk.columns import Columns
from saldo.analytics.default_risk.logistic import Calibration, calibrated
from saldo.analytics.default_risk.measures import Floats, Ints

if TYPE_CHECKING:
    from lightgbm import Booster

NAME = "boosted_ratios"
# Columns that are paired, and pairs that are kept.
PAIRED, KEPT = 16, 100
SUM, DIFFERENCE, PRODUCT, RATIO, INVERSE = "+", "-", "*", "/", "\\"
STAGES = (10, 25, 50, 100, 150, 200, 300, 400)
SETTINGS = {"learning_rate": 0.05, "num_leaves": 8, "feature_fraction": 0.2, "max_bin": 63}
_SCOUT = {"learning_rate": 0.1, "num_leaves": 15, "feature_fraction": 0.2, "max_bin": 63}
SCOUT_ROUNDS = 80

Pair = tuple[str, int, int]


def synthetic(values: Floats, pairs: list[Pair]) -> Floats:
    """The columns of ``pairs`` (operation, position, position), NaN where one is missing or none exists."""
    out = np.empty((len(values), len(pairs)))
    with np.errstate(all="ignore"):
        for at, (operation, first, second) in enumerate(pairs):
            a, b = values[:, first], values[:, second]
            if operation == SUM:
                out[:, at] = a + b
            elif operation == DIFFERENCE:
                out[:, at] = a - b
            elif operation == PRODUCT:
                out[:, at] = a * b
            elif operation == RATIO:
                out[:, at] = a / b
            else:
                out[:, at] = b / a
    out[~np.isfinite(out)] = np.nan
    return out


@dataclass(frozen=True, slots=True)
class Bag:
    """One of the models whose log-odds are averaged. pairs: the columns it adds to those given."""

    pairs: tuple[Pair, ...]
    trees: Booster

    def widened(self, values: Floats) -> Floats:
        return np.column_stack([values, synthetic(values, list(self.pairs))])


@dataclass(frozen=True, slots=True)
class Challenger:
    """columns: what goes in. typical: what stands for a gap in a column that had none in training."""

    columns: Columns
    typical: Floats
    bags: tuple[Bag, ...]
    rounds: int
    calibration: Calibration
    name: str = NAME

    def log_odds(self, values: Floats) -> Floats:
        filled = np.where(np.isnan(values), self.typical, values)
        found = [raw(bag.trees, bag.widened(filled), 0, self.rounds) for bag in self.bags]
        return self.calibration(np.mean(found, axis=0))

    def as_record(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "columns": self.columns.as_record(),
            "typical": [None if np.isnan(value) else float(value) for value in self.typical],
            "rounds": self.rounds,
            "calibration": self.calibration.as_record(),
            "bags": [
                {
                    "pairs": [list(pair) for pair in bag.pairs],
                    "trees": bag.trees.model_to_string(num_iteration=self.rounds),
                }
                for bag in self.bags
            ],
        }


def from_record(record: Mapping[str, Any]) -> Challenger:
    """The model of ``as_record``."""
    return Challenger(
        Columns.from_record(record["columns"]),
        np.array([np.nan if value is None else value for value in record["typical"]], dtype=np.float64),
        tuple(
            Bag(
                tuple((str(operation), int(a), int(b)) for operation, a, b in bag["pairs"]),
                of_text(bag["trees"]),
            )
            for bag in record["bags"]
        ),
        int(record["rounds"]),
        Calibration.from_record(record["calibration"]),
    )


def fit(values: Floats, outcomes: Ints, columns: Columns, inner: Ints, threads: int = 1) -> Challenger:
    """Bagged over the inner folds. inner: the fold of each row; each bag leaves one of them out."""
    categorical = [at for at, yes in enumerate(columns.categorical) if yes]
    typical = _typical(values)
    bags: list[Bag] = []
    judged: list[Unseen] = []
    for one in np.unique(inner):
        test = inner == one
        pairs = chosen_pairs(values[~test], outcomes[~test], categorical, threads, int(one))
        wide = np.column_stack([values, synthetic(values, pairs)])
        trees = started(wide[~test], outcomes[~test], categorical, threads, int(one), **SETTINGS)
        judged.append(Unseen(trees, np.flatnonzero(test), wide[test]))
        bags.append(Bag(tuple(pairs), trees))
    rounds, unseen = grown_together(judged, outcomes, STAGES)
    return Challenger(columns, typical, tuple(bags), rounds, calibrated(unseen, outcomes))


def chosen_pairs(
    values: Floats, outcomes: Ints, categorical: list[int], threads: int, seed: int
) -> list[Pair]:
    """The pairs that lower the loss most, of the columns that do, on these rows."""
    scout = boosted(
        values, outcomes, SCOUT_ROUNDS, categorical=categorical, threads=threads, seed=seed, **_SCOUT
    )
    gain = gains(scout)
    gain[categorical] = 0.0
    best = [int(at) for at in np.argsort(-gain, kind="stable")[:PAIRED] if gain[at] > 0.0]
    pairs = [
        (operation, a, b)
        for a, b in combinations(best, 2)
        for operation in (SUM, DIFFERENCE, PRODUCT, RATIO, INVERSE)
    ]
    if not pairs:
        return []
    made = synthetic(values, pairs)
    second = boosted(
        made, outcomes, SCOUT_ROUNDS, threads=threads, seed=seed, **_SCOUT | {"feature_fraction": 0.1}
    )
    worth = gains(second)
    return [pairs[int(at)] for at in np.argsort(-worth, kind="stable")[:KEPT] if worth[at] > 0.0]


def _typical(values: Floats) -> Floats:
    """The median of each column without a gap, NaN for the others: their gaps the trees have learnt."""
    whole = ~np.isnan(values).any(axis=0)
    typical = np.full(values.shape[1], np.nan)
    typical[whole] = np.median(values[:, whole], axis=0)
    return typical
