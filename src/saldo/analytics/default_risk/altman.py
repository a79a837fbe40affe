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
# How Z'' is read as a probability where a portfolio has no outcomes of its own: log-odds of default within a
# year = LOG_ODDS_AT_GREY - LOG_ODDS_SLOPE x (Z'' - middle of the grey zone). These two are stated assumptions
# (2% in the middle, odds that halve with each point), to be replaced by outcomes as soon as there are some.
MIDDLE = (DISTRESS + SAFE) / 2.0
LOG_ODDS_AT_GREY = float(np.log(0.02 / 0.98))
LOG_ODDS_SLOPE = float(np.log(2.0))


def z_score(x1: Floats, x2: Floats, x3: Floats, x4: Floats) -> Floats:
    """Z'' of ratios as they are (0.12 is 12%), NaN where one is missing."""
    ratios = {"x1": x1, "x2": x2, "x3": x3, "x4": x4}
    total = np.full(np.shape(x1), CONSTANT)
    for name, weight in WEIGHTS.items():
        total = total + weight * np.clip(np.asarray(ratios[name], dtype=np.float64), LEAST, MOST)
    return np.asarray(total, dtype=np.float64)


def contributions(x1: Floats, x2: Floats, x3: Floats, x4: Floats) -> Floats:
    """(rows, 4): what each ratio adds to the log-odds of ``log_odds_of``; with those of the middle of the
    grey zone they add up to it. 0 where a ratio is missing. A ratio adds nothing where it brings its equal
    part of the way from the constant to that middle."""
    share = (MIDDLE - CONSTANT) / len(WEIGHTS)
    out = np.zeros((len(x1), len(WEIGHTS)))
    for at, (ratio, weight) in enumerate(zip((x1, x2, x3, x4), WEIGHTS.values(), strict=True)):
        part = weight * np.clip(np.asarray(ratio, dtype=np.float64), LEAST, MOST) - share
        out[:, at] = np.where(np.isnan(part), 0.0, -LOG_ODDS_SLOPE * part)
    return out


def zone(z: float) -> str:
    """The zone of a Z''."""
    return DISTRESS_ZONE if z < DISTRESS else SAFE_ZONE if z > SAFE else GREY_ZONE


def log_odds_of(z: Floats | float) -> Floats:
    """Log-odds of default within a year by the stated assumption."""
    return np.asarray(LOG_ODDS_AT_GREY - LOG_ODDS_SLOPE * (np.asarray(z, dtype=np.float64) - MIDDLE))


@dataclass(frozen=True, slots=True)
class AltmanRung:
    """Z'' turned into log-odds on outcomes. positions: of X1 to X4; typical: Z'' where a ratio is missing."""

    positions: tuple[int, int, int, int]
    calibration: Calibration
    typical: float
    name: str = NAME

    def log_odds(self, values: Floats) -> Floats:
        z = z_score(*(values[:, at] for at in self.positions))
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
    z = z_score(*(values[:, at] for at in positions))
    typical = float(np.nanmedian(z)) if not np.isnan(z).all() else MIDDLE
    return AltmanRung(positions, calibrated(-np.where(np.isnan(z), typical, z), outcomes), typical)
