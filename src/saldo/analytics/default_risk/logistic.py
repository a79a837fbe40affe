"""Ridge logistic regression by Newton steps, and the calibration of log-odds that is made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize

from saldo.analytics.default_risk.measures import Floats, Ints, chance, logit

_STEPS = 60
_CLOSE = 1e-9
# A calibration cannot claim more than the folds show: one default and one non-default are added in thought,
# at the base rate (Platt 1999), and the slope is pulled towards 1 as by so many rows of the base rate.
_SLOPE_PENALTY = 1.0


def ridge_logistic(
    x: Floats, outcomes: Floats | Ints, penalty: Floats | float, center: Floats | float = 0.0
) -> tuple[float, Floats]:
    """Intercept and coefficients that minimize -log-likelihood + sum penalty/2 (coefficient - center)^2.

    x: (rows, columns), finite. penalty > 0, so that it has one minimum also where a column separates the
    classes. The intercept is not penalized. Newton's method with halved steps.
    """
    rows, columns = x.shape
    design = np.column_stack([np.ones(rows), x])
    weight = np.concatenate([[0.0], np.broadcast_to(np.asarray(penalty, dtype=np.float64), (columns,))])
    middle = np.concatenate([[0.0], np.broadcast_to(np.asarray(center, dtype=np.float64), (columns,))])
    y = np.asarray(outcomes, dtype=np.float64)
    beta = middle.copy()
    beta[0] = float(logit(float(np.clip(y.mean(), 0.5 / rows, 1.0 - 0.5 / rows))))

    def loss(at: Floats) -> float:
        s = design @ at
        return float((np.logaddexp(0.0, s) - y * s).sum() + 0.5 * (weight * (at - middle) ** 2).sum())

    now = loss(beta)
    for _ in range(_STEPS):
        p = chance(design @ beta)
        slope = design.T @ (p - y) + weight * (beta - middle)
        curve = (design * (p * (1.0 - p))[:, None]).T @ design + np.diag(weight + 1e-9)
        step = np.linalg.solve(curve, slope)
        size = 1.0
        while (then := loss(beta - size * step)) > now and size > 1e-6:
            size /= 2.0
        if then > now:
            break
        beta = beta - size * step
        if now - then <= _CLOSE * (abs(now) + 1.0):
            break
        now = then
    return float(beta[0]), np.asarray(beta[1:])


def signed_logistic(x: Floats, outcomes: Ints, penalty: float) -> tuple[float, Floats]:
    """As ``ridge_logistic``, every coefficient 0 or more (L-BFGS-B): no column enters upside down."""
    rows, columns = x.shape
    design = np.column_stack([np.ones(rows), x])
    y = outcomes.astype(np.float64)
    weight = np.concatenate([[0.0], np.full(columns, penalty)])

    def loss(at: Floats) -> tuple[float, Floats]:
        s = design @ at
        value = (np.logaddexp(0.0, s) - y * s).sum() + 0.5 * (weight * at * at).sum()
        return float(value), design.T @ (chance(s) - y) + weight * at

    start = np.zeros(columns + 1)
    start[0] = float(logit(float(np.clip(y.mean(), 0.5 / rows, 1.0 - 0.5 / rows))))
    bounds = [(None, None)] + [(0.0, None)] * columns
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500})
    return float(found.x[0]), np.asarray(found.x[1:], dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Calibration:
    """Calibrated log-odds = shift + slope x log-odds. Linear, so that reasons stay exact sums."""

    shift: float
    slope: float

    def __call__(self, log_odds: Floats) -> Floats:
        return self.shift + self.slope * log_odds

    def as_record(self) -> dict[str, Any]:
        return {"shift": self.shift, "slope": self.slope}

    @staticmethod
    def from_record(record: Mapping[str, Any]) -> Calibration:
        return Calibration(float(record["shift"]), float(record["slope"]))


def calibrated(log_odds: Floats, outcomes: Ints) -> Calibration:
    """Learnt on log-odds of rows that the model had not seen (Platt 1999). Never turns the order around."""
    n_bad = int(outcomes.sum())
    n_good = len(outcomes) - n_bad
    soft = np.where(outcomes == 1, (n_bad + 1.0) / (n_bad + 2.0), 1.0 / (n_good + 2.0))
    middle = float(np.median(log_odds))
    shift, slope = ridge_logistic((log_odds - middle)[:, None], soft, _SLOPE_PENALTY, 1.0)
    steepness = max(float(slope[0]), 0.0)
    if not steepness:
        return Calibration(float(logit(n_bad / len(outcomes))), 0.0)
    return Calibration(shift - steepness * middle, steepness)
