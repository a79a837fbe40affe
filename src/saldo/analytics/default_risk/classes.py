"""From a probability of default to a score of 0 to 100 and a class A to E (``classes.toml``)."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from saldo.analytics.default_risk.measures import Floats, chance_of_one, logit


@dataclass(frozen=True, slots=True)
class Scale:
    """low, high: log-odds of the scores 0 and 100. classes: (name, largest probability), from the best."""

    low: float
    high: float
    classes: tuple[tuple[str, float], ...]

    @property
    def points_per_log_odds(self) -> float:
        return 100.0 / (self.low - self.high)


@cache
def scale() -> Scale:
    """The scale of ``classes.toml``."""
    text = files("saldo.analytics.default_risk").joinpath("classes.toml").read_text(encoding="utf-8")
    return parse_scale(text)


def parse_scale(text: str) -> Scale:
    """A scale from its TOML text. Raises ValueError where it has no order."""
    tree = tomllib.loads(text)
    low, high = float(logit(tree["score"]["pd_at_0"])), float(logit(tree["score"]["pd_at_100"]))
    classes = tuple((str(one["name"]), float(one["up_to"])) for one in tree["classes"])
    bounds = [bound for _, bound in classes]
    if low <= high or bounds != sorted(set(bounds)) or not bounds or bounds[-1] < 1.0:
        raise ValueError("classes must rise to 1, and pd_at_0 be above pd_at_100")
    return Scale(low, high, classes)


def score_of(log_odds: Floats | float) -> Floats:
    """The score, 0 (worst) to 100, unrounded."""
    found = scale()
    raw = (found.low - np.asarray(log_odds, dtype=np.float64)) * found.points_per_log_odds
    return np.asarray(np.clip(raw, 0.0, 100.0))


def score_of_one(log_odds: float) -> float:
    """As ``score_of``, of one number."""
    found = scale()
    return min(max((found.low - log_odds) * found.points_per_log_odds, 0.0), 100.0)


def points_of(contribution: Floats | float) -> Floats:
    """How many points of the score a contribution to the log-odds is: more log-odds, fewer points."""
    return np.asarray(-np.asarray(contribution, dtype=np.float64) * scale().points_per_log_odds)


def class_of(log_odds: float) -> str:
    """The class of log-odds."""
    pd = round(chance_of_one(log_odds), 12)
    return next(name for name, up_to in scale().classes if pd <= up_to)
