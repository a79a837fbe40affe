"""LightGBM as it is used here: the same data give the same trees, on any number of threads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from saldo.analytics.boosters import library
from saldo.analytics.default_risk.measures import Floats, Ints, log_loss

if TYPE_CHECKING:
    from lightgbm import Booster

PATIENCE = 2
_LEAST_LEAF, _MOST_LEAF, _LEAF_SHARE = 3, 20, 0.02


def started(
    values: Floats,
    outcomes: Ints,
    categorical: Sequence[int] = (),
    threads: int = 1,
    seed: int = 0,
    **parameters: Any,
) -> Booster:
    """A model of no trees yet for the log-odds of a binary outcome. categorical: positions of codes."""
    leaf = int(np.clip(_LEAF_SHARE * len(values), _LEAST_LEAF, _MOST_LEAF))
    settings: dict[str, Any] = {
        "objective": "binary",
        "num_threads": threads,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
        "seed": seed,
        "min_data_in_leaf": leaf,
        "max_bin": 127,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "lambda_l2": 5.0,
    } | parameters
    lgb = library()
    data = lgb.Dataset(values, outcomes, categorical_feature=list(categorical), params=settings)
    made: Booster = lgb.Booster(settings, data)
    return made


def grow(booster: Booster, rounds: int) -> None:
    """So many trees more; fewer where nothing is left to split."""
    for _ in range(rounds):
        if booster.update():
            return


def boosted(values: Floats, outcomes: Ints, rounds: int, **options: Any) -> Booster:
    """A model of ``rounds`` trees; see ``started`` for the options."""
    booster = started(values, outcomes, **options)
    grow(booster, rounds)
    return booster


@dataclass(frozen=True, slots=True)
class Unseen:
    """A bag with the rows that it is not taught on: their positions, and their values as it takes them."""

    booster: Booster
    rows: Ints
    values: Floats


def grown_together(bags: Sequence[Unseen], outcomes: Ints, stages: Sequence[int]) -> tuple[int, Floats]:
    """The number of rounds that predicts the unseen rows best, and their log-odds after it.

    All bags grow from stage to stage; it ends when PATIENCE stages have brought no gain.
    """
    scores = np.zeros(len(outcomes))
    best_loss, best_stage, best_scores = np.inf, stages[0], scores
    first = waited = 0
    for stage in stages:
        for bag in bags:
            grow(bag.booster, stage - first)
            # A bag with nothing left to split has fewer trees than its stage.
            if bag.booster.current_iteration() > first:
                scores[bag.rows] += raw(bag.booster, bag.values, first, stage - first)
        loss = log_loss(outcomes, scores)
        first, waited = stage, waited + 1
        if loss < best_loss:
            best_loss, best_stage, best_scores, waited = loss, stage, scores.copy(), 0
        if waited == PATIENCE:
            break
    for bag in bags:
        bag.booster.free_dataset()
    return best_stage, best_scores


def raw(booster: Booster, values: Floats, first: int = 0, rounds: int = -1) -> Floats:
    """Log-odds by ``rounds`` trees from ``first`` on (all: -1)."""
    found = booster.predict(
        values, raw_score=True, start_iteration=first, num_iteration=rounds, num_threads=1
    )
    return np.asarray(found, dtype=np.float64)


def gains(booster: Booster) -> Floats:
    """How much each column lowered the loss."""
    return np.asarray(booster.feature_importance("gain"), dtype=np.float64)


def of_text(text: str) -> Booster:
    """The trees of their text form."""
    made: Booster = library().Booster(model_str=text)
    return made
