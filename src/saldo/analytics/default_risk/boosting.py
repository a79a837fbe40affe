"""LightGBM as it is used here: the same data give the same trees, on any number of threads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from saldo.analytics.boosters import library
from saldo.analytics.default_risk.measures import Floats, Ints

if TYPE_CHECKING:
    from lightgbm import Booster

_LEAST_LEAF, _MOST_LEAF, _LEAF_SHARE = 3, 20, 0.02


def boosted(
    values: Floats,
    outcomes: Ints,
    rounds: int,
    categorical: Sequence[int] = (),
    threads: int = 1,
    seed: int = 0,
    **parameters: Any,
) -> Booster:
    """Boosted trees for the log-odds of a binary outcome. categorical: positions of codes of categories."""
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
    trained: Booster = lgb.train(settings, data, rounds)
    return trained


def raw(booster: Booster, values: Floats, first: int = 0, rounds: int = -1) -> Floats:
    """Log-odds by ``rounds`` trees from ``first`` on (all: -1)."""
    found = booster.predict(
        values, raw_score=True, start_iteration=first, num_iteration=rounds, num_threads=1
    )
    return np.asarray(found, dtype=np.float64)


def staged(booster: Booster, values: Floats, stages: Sequence[int]) -> Floats:
    """Log-odds after each of ``stages`` rounds: (rows, stages)."""
    out = np.zeros((len(values), len(stages)))
    total, first = np.zeros(len(values)), 0
    for at, stage in enumerate(stages):
        # Trees can end early (nothing left to split): later stages are then the same.
        if first < booster.current_iteration():
            total = total + raw(booster, values, first, stage - first)
        out[:, at], first = total, stage
    return out


def gains(booster: Booster) -> Floats:
    """How much each column lowered the loss."""
    return np.asarray(booster.feature_importance("gain"), dtype=np.float64)


def of_text(text: str) -> Booster:
    """The trees of their text form."""
    made: Booster = library().Booster(model_str=text)
    return made
