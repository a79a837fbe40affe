"""Measures of a probability of default against what happened, and their sampling error over folds.

AUC and KS judge the order, the Brier score and the calibration error judge the level. A standard error is
the jackknife that leaves out one fold at a time (Efron and Stein 1981), on the pooled predictions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

ECE_BINS = 10
_LEAST = 1e-12


def _ranks(values: Floats) -> Floats:
    """Ranks from 1, equal values sharing the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2.0)[inverse], dtype=np.float64)


def auc(outcomes: Ints, scores: Floats) -> float:
    """Chance that a default has a higher score than a non-default; ties count half. nan with one class."""
    bad = outcomes == 1
    n_bad, n_good = int(bad.sum()), int((~bad).sum())
    if not n_bad or not n_good:
        return float("nan")
    return float((_ranks(scores)[bad].sum() - n_bad * (n_bad + 1) / 2.0) / (n_bad * n_good))


def ks(outcomes: Ints, scores: Floats) -> float:
    """Largest distance between the two classes' distributions of scores (Kolmogorov-Smirnov)."""
    bad = outcomes == 1
    if bad.all() or not bad.any():
        return float("nan")
    edges = np.unique(scores)
    below_bad = np.searchsorted(np.sort(scores[bad]), edges, side="right") / bad.sum()
    below_good = np.searchsorted(np.sort(scores[~bad]), edges, side="right") / (~bad).sum()
    return float(np.abs(below_good - below_bad).max())


def brier(outcomes: Ints, chances: Floats) -> float:
    """Mean squared distance between probability and outcome."""
    return float(np.mean((chances - outcomes) ** 2))


def ece(outcomes: Ints, chances: Floats, bins: int = ECE_BINS) -> float:
    """Expected calibration error: |mean probability - share of defaults| over bins of equal count.

    Rows of one probability are never told apart: each counts as the mean outcome of its equals, so that the
    order of the rows has no part in it.
    """
    values, inverse, counts = np.unique(chances, return_inverse=True, return_counts=True)
    means = np.bincount(inverse, weights=outcomes) / counts
    order = np.argsort(chances, kind="stable")
    p, d = values[inverse][order], means[inverse][order]
    parts = np.array_split(np.arange(len(p)), min(bins, len(p)))
    return float(sum(abs(p[one].mean() - d[one].mean()) * len(one) for one in parts) / len(p))


MEASURES: Mapping[str, Callable[[Ints, Floats], float]] = {"auc": auc, "ks": ks, "brier": brier, "ece": ece}


def measured(outcomes: Ints, chances: Floats) -> dict[str, float]:
    """All of MEASURES."""
    return {name: measure(outcomes, chances) for name, measure in MEASURES.items()}


def standard_errors(outcomes: Ints, chances: Floats, fold: Ints) -> dict[str, float]:
    """Jackknife standard errors of MEASURES, one fold left out at a time. fold: whose test each row was."""
    names = np.unique(fold)
    if len(names) < 2:
        return {name: float("nan") for name in MEASURES}
    left_out = [measured(outcomes[fold != one], chances[fold != one]) for one in names]
    errors = {}
    for name in MEASURES:
        values = np.array([one[name] for one in left_out])
        share = (len(names) - 1) / len(names)
        errors[name] = float(np.sqrt(share * ((values - values.mean()) ** 2).sum()))
    return errors


def logit(chances: npt.NDArray[np.float64] | float) -> Floats:
    """Log-odds; probabilities of 0 and 1 are taken as very close to them."""
    p = np.clip(np.asarray(chances, dtype=np.float64), _LEAST, 1.0 - _LEAST)
    return np.asarray(np.log(p) - np.log1p(-p))


def chance(log_odds: npt.NDArray[np.float64] | float) -> Floats:
    """The probability of log-odds."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(np.asarray(log_odds, dtype=np.float64), -50.0, 50.0))))


def chance_of_one(log_odds: float) -> float:
    """As ``chance``, of one number: portfolios are scored one customer after another."""
    return 1.0 / (1.0 + math.exp(-min(max(log_odds, -50.0), 50.0)))


def logit_of_one(chance: float) -> float:
    """As ``logit``, of one number."""
    p = min(max(chance, _LEAST), 1.0 - _LEAST)
    return math.log(p) - math.log1p(-p)


def log_loss(outcomes: Ints, log_odds: Floats) -> float:
    """Mean negative log-likelihood of log-odds."""
    s = np.clip(log_odds, -50.0, 50.0)
    return float(np.mean(np.logaddexp(0.0, s) - outcomes * s))
