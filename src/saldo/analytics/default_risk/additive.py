"""The explained model: a sum of one curve for each column, so that its reasons are exact.

Boosted trees that may split on one column only (LightGBM's interaction constraints) make a generalized
additive model, as an explainable boosting machine without interactions does (Lou, Caruana and Gehrke 2012;
Nori et al. 2019). Bagged over the inner folds; how many rounds, and the calibration, are learnt on the rows
that each bag had not seen. The trees are then read out into one table of steps per column: that table is the
whole model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from saldo.analytics.default_risk.boosting import Unseen, grown_together, raw, started
from saldo.analytics.default_risk.columns import Columns
from saldo.analytics.default_risk.logistic import calibrated
from saldo.analytics.default_risk.measures import Floats, Ints

if TYPE_CHECKING:
    from lightgbm import Booster

NAME = "additive_trees"
STAGES = (10, 25, 50, 100, 150, 200, 300, 400)
SETTINGS = {"learning_rate": 0.08, "num_leaves": 3, "lambda_l2": 5.0}


@dataclass(frozen=True, slots=True)
class Steps:
    """The curve of one column: ``values`` of the steps between ``edges`` (upper bounds, inclusive), for
    categories of the codes; ``missing``: of a missing value or an unknown category."""

    edges: Floats
    values: Floats
    missing: float
    is_category: bool

    def __call__(self, column: Floats) -> Floats:
        if self.is_category:
            known = (column >= 0) & (column < len(self.values))
            at = np.where(known, column, 0).astype(np.int64)
            return np.where(known, self.values[at], self.missing)
        at = np.searchsorted(self.edges, column, side="left")
        return np.where(np.isnan(column), self.missing, self.values[np.minimum(at, len(self.values) - 1)])


@dataclass(frozen=True, slots=True)
class Additive:
    """intercept + the sum of the curves = calibrated log-odds of default."""

    columns: Columns
    intercept: float
    curves: tuple[Steps, ...]
    name: str = NAME

    def contributions(self, values: Floats) -> Floats:
        """(rows, columns): what each column adds to the log-odds; 0 on average over the training rows."""
        return np.column_stack(
            [np.zeros((len(values), 0)), *(curve(values[:, at]) for at, curve in enumerate(self.curves))]
        )

    def log_odds(self, values: Floats) -> Floats:
        return np.asarray(self.intercept + self.contributions(values).sum(axis=1))

    def as_record(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "columns": self.columns.as_record(),
            "intercept": self.intercept,
            "curves": [
                {
                    "edges": curve.edges.tolist(),
                    "values": curve.values.tolist(),
                    "missing": curve.missing,
                    "category": curve.is_category,
                }
                for curve in self.curves
            ],
        }


def from_record(record: Mapping[str, Any]) -> Additive:
    """The model of ``as_record``."""
    curves = tuple(
        Steps(
            np.array(one["edges"], dtype=np.float64),
            np.array(one["values"], dtype=np.float64),
            float(one["missing"]),
            bool(one["category"]),
        )
        for one in record["curves"]
    )
    return Additive(Columns.from_record(record["columns"]), float(record["intercept"]), curves)


def fit(values: Floats, outcomes: Ints, columns: Columns, inner: Ints, threads: int = 1) -> Additive:
    """Bagged over the inner folds. inner: the fold of each row, 0 ...; each bag leaves one of them out."""
    categorical = [at for at, yes in enumerate(columns.categorical) if yes]
    alone = [[at] for at in range(len(columns))]
    bags: list[Unseen] = []
    for bag in np.unique(inner):
        test = inner == bag
        booster = started(
            values[~test], outcomes[~test], categorical, threads, int(bag),
            interaction_constraints=alone, **SETTINGS,
        )  # fmt: skip
        bags.append(Unseen(booster, np.flatnonzero(test), values[test]))
    rounds, unseen = grown_together(bags, outcomes, STAGES)
    by = calibrated(unseen, outcomes)
    plain = _read_out([bag.booster for bag in bags], rounds, values, columns)
    curves = tuple(
        Steps(one.edges, by.slope * one.values, by.slope * one.missing, one.is_category)
        for one in plain.curves
    )
    return Additive(columns, by.shift + by.slope * plain.intercept, curves)


def _read_out(bags: list[Booster], rounds: int, values: Floats, columns: Columns) -> Additive:
    """The mean of the bags as curves, each centered on the training rows."""
    edges = _all_edges(bags, rounds, len(columns))
    origin = np.zeros(len(columns))
    asked: list[Floats] = []
    for at, is_category in enumerate(columns.categorical):
        if is_category:
            points = np.arange(len(columns.columns[at].categories), dtype=np.float64)
        else:
            last = edges[at][-1:]
            points = np.concatenate([edges[at], last + np.abs(last) + 1.0])
        asked.append(np.concatenate([points, [np.nan]]))
    rows = np.tile(origin, (1 + sum(map(len, asked)), 1))
    start = 1
    for at, points in enumerate(asked):
        rows[start : start + len(points), at] = points
        start += len(points)
    score = np.mean([raw(bag, rows, 0, rounds) for bag in bags], axis=0)
    intercept, start = float(score[0]), 1
    curves = []
    for at, points in enumerate(asked):
        heights = score[start : start + len(points)] - score[0]
        start += len(points)
        own = values[:, at]
        curve = Steps(edges[at], heights[:-1], float(heights[-1]), columns.categorical[at])
        if not len(curve.values):
            curve = Steps(edges[at], np.zeros(1), curve.missing, curve.is_category)
        mean = float(curve(own)[~np.isnan(own)].mean()) if (~np.isnan(own)).any() else 0.0
        if not np.isnan(own).any():
            # Never seen missing: says nothing, rather than what the trees do with a gap by default.
            curve = Steps(curve.edges, curve.values, mean, curve.is_category)
        mean = float(curve(own).mean())
        intercept += mean
        curves.append(Steps(curve.edges, curve.values - mean, curve.missing - mean, curve.is_category))
    return Additive(columns, intercept, tuple(curves))


def _all_edges(bags: list[Booster], rounds: int, columns: int) -> list[Floats]:
    """Every threshold of each column, in order."""
    found: list[set[float]] = [set() for _ in range(columns)]
    for bag in bags:
        for tree in bag.dump_model(num_iteration=rounds)["tree_info"]:
            for split in _splits(tree["tree_structure"]):
                if split["decision_type"] == "<=":
                    found[split["split_feature"]].add(float(split["threshold"]))
    return [np.array(sorted(one), dtype=np.float64) for one in found]


def _splits(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if "split_feature" in node:
        yield node
        yield from _splits(node["left_child"])
        yield from _splits(node["right_child"])
