"""Altman's Z'' for companies that are not listed and do not manufacture: default risk without outcomes.

Z'' = 3.25 + 6.56 X1 + 3.26 X2 + 6.72 X3 + 1.05 X4, with X1 = working capital / total assets, X2 = retained
earnings / total assets, X3 = EBIT / total assets, X4 = book equity / total liabilities (Altman, Hartzell and
Peck 1995, "Emerging markets corporate bonds: a scoring system"; without the constant: Altman 1983, 2000).
Below 4.35 (1.10 without the constant) is the distress zone, above 5.85 (2.60) the safe zone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from saldo.analytics.default_risk.logistic import Calibration, calibrated
from saldo.analytics.default_risk.measures import Floats, Ints

NAME = "altman_z"
CONSTANT = 3.25
WEIGHTS: Mapping[str, float] = {"x1": 6.56, "x2": 3.26, "x3": 6.72, "x4": 1.05}
_WEIGHTS = np.array(list(WEIGHTS.values()))
# The ratios by their names in ratios.toml.
RATIOS: Mapping[str, str] = {
    "x1": "working_capital_share",
    "x2": "retained_earnings_share",
    "x3": "ebit_share",
    "x4": "equity_to_debt",
}
DISTRESS, SAFE = 4.35, 5.85
DISTRESS_ZONE, GREY_ZONE, SAFE_ZONE = "distress", "grey", "safe"
# A ratio beyond these bounds says no more than the bound: X4 of a company without debts has no limit.
LEAST, MOST = -4.0, 10.0
# How Z'' is read as a probability where a portfolio has no outcomes of its own: the odds of default within a
# year double with each point less. STATED ASSUMPTION: 2% in the middle of the grey zone; where a model knows
# the portfolio's base rate and its usual Z'', that rate at that Z''.
MIDDLE = (DISTRESS + SAFE) / 2.0
LOG_ODDS_AT_MIDDLE = float(np.log(0.02 / 0.98))
LOG_ODDS_SLOPE = float(np.log(2.0))


def z_score(ratios: Floats) -> Floats:
    """Z'' of ratios X1 to X4 (rows, 4) as they are (0.12 is 12%), NaN where one is missing."""
    return np.asarray(CONSTANT + np.clip(ratios, LEAST, MOST) @ _WEIGHTS)


def contributions(ratios: Floats, middle: float = MIDDLE) -> Floats:
    """(rows, 4): what each ratio adds to the log-odds of ``log_odds_of``; with those at ``middle`` they add
    up to it. 0 where a ratio is missing. A ratio adds nothing where it brings its equal part of the way from
    the constant to the middle."""
    parts = np.clip(ratios, LEAST, MOST) * _WEIGHTS - (middle - CONSTANT) / len(_WEIGHTS)
    return np.where(np.isnan(parts), 0.0, -LOG_ODDS_SLOPE * parts)


def zone(z: float) -> str:
    """The zone of a Z''."""
    return DISTRESS_ZONE if z < DISTRESS else SAFE_ZONE if z > SAFE else GREY_ZONE


def log_odds_of(
    z: Floats | float, middle: float = MIDDLE, log_odds_at_middle: float = LOG_ODDS_AT_MIDDLE
) -> Floats:
    """Log-odds of default within a year by the stated assumption."""
    return np.asarray(log_odds_at_middle - LOG_ODDS_SLOPE * (np.asarray(z, dtype=np.float64) - middle))


@dataclass(frozen=True, slots=True)
class AltmanRung:
    """Z'' turned into log-odds on outcomes. positions: of X1 to X4; typical: Z'' where a ratio is missing."""

    positions: tuple[int, int, int, int]
    calibration: Calibration
    typical: float
    name: str = NAME

    def log_odds(self, values: Floats) -> Floats:
        z = z_score(values[:, self.positions])
        return self.calibration(-np.where(np.isnan(z), self.typical, z))

    def as_record(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "positions": list(self.positions),
            "calibration": self.calibration.as_record(),
            "typical": self.typical,
        }


def fit(values: Floats, outcomes: Ints, positions: tuple[int, int, int, int]) -> AltmanRung:
    """Two numbers learnt: where Z'' lies on the log-odds, and how steep."""
    z = z_score(values[:, positions])
    typical = float(np.nanmedian(z)) if not np.isnan(z).all() else MIDDLE
    return AltmanRung(positions, calibrated(-np.where(np.isnan(z), typical, z), outcomes), typical)
