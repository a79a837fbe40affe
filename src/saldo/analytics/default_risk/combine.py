"""One probability of default from statement, external rating and payment behavior, with its exact reasons.

combined = base + sum of w (part - base) in log-odds; the weights are stated in ``combine.toml``. Every reason
is a contribution to the combined log-odds in points of the score: base score + all points = the score before
it is cut at 0 and 100.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from typing import Any

from saldo.analytics.default_risk.classes import class_of, scale, score_of_one
from saldo.analytics.default_risk.measures import chance_of_one, logit_of_one

STATEMENT, ALTMAN, RATING_GIVEN, RATING_SCALE, BEHAVIOR = (
    "statement", "altman", "rating_given", "rating_scale", "behavior",
)  # fmt: skip
STRONGEST = 3
# What is not told apart: the rest of a part beside its named contributions.
REST = "risk_rest"


@dataclass(frozen=True, slots=True)
class Policy:
    """``combine.toml``. pulls: of each kind of part; behavior_half: closed items at which it counts half."""

    base_rate: float
    base_pull: float
    pulls: Mapping[str, float]
    behavior_half: float
    statement_days: int
    rating_days: int
    score_days: int


@cache
def policy() -> Policy:
    """The policy of ``combine.toml``."""
    text = files("saldo.analytics.default_risk").joinpath("combine.toml").read_text(encoding="utf-8")
    return parse_policy(text)


def parse_policy(text: str) -> Policy:
    """A policy from its TOML text. Raises ValueError where a pull is negative or a rate is none."""
    tree = tomllib.loads(text)
    kinds = (STATEMENT, ALTMAN, RATING_GIVEN, RATING_SCALE, BEHAVIOR)
    pulls = {name: float(tree["pulls"][name]) for name in kinds}
    found = Policy(
        float(tree["base_rate"]),
        float(tree["base_pull"]),
        pulls,
        float(tree["pulls"]["behavior_half"]),
        int(tree["validity"]["statement_days"]),
        int(tree["validity"]["rating_days"]),
        int(tree["validity"]["score_days"]),
    )
    if min(*pulls.values(), found.behavior_half) < 0.0 or found.base_pull <= 0.0:
        raise ValueError("pulls must not be negative, and that of the base above zero")
    if not 0.0 < found.base_rate < 1.0:
        raise ValueError("base_rate must lie between 0 and 1")
    return found


@dataclass(frozen=True, slots=True)
class Reason:
    """A contribution to a part's log-odds (+ = riskier), with what its words need. contribution None: all
    that the part says beyond the base rate."""

    code: str
    contribution: float | None
    params: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """One view of a customer. kind: STATEMENT ...; valid_until: the last day it counts; history: closed items
    (behavior). reasons: contributions known by name; what they leave of log_odds - base is the rest."""

    kind: str
    log_odds: float
    valid_until: date
    reasons: Sequence[Reason] = ()
    history: int | None = None


@dataclass(frozen=True, slots=True)
class Combined:
    """score: 0 (worst) to 100. reasons: {code, params with points}, strongest first, all of them."""

    log_odds: float
    pd: float
    score: int
    risk_class: str
    parts: Mapping[str, Mapping[str, float]]
    reasons: tuple[dict[str, Any], ...]
    base_points: float
    valid_until: date

    @property
    def strongest(self) -> list[dict[str, Any]]:
        """The three that people read: named ones only."""
        return [one for one in self.reasons if one["code"] != REST][:STRONGEST]


def combined(parts: Sequence[Part], as_of: date, base_rate: float, by: Policy | None = None) -> Combined:
    """One probability of the parts that are valid on ``as_of``; of none, the base rate."""
    rules = by or policy()
    base = logit_of_one(base_rate)
    per_log_odds = -scale().points_per_log_odds
    there = [part for part in parts if part.valid_until >= as_of]
    pulls = [_pull(part, rules) for part in there]
    total = sum(pulls) + rules.base_pull
    log_odds = base
    reasons: list[dict[str, Any]] = []
    told: dict[str, dict[str, float]] = {}
    for part, pull in zip(there, pulls, strict=True):
        weight = pull / total
        distance = part.log_odds - base
        log_odds += weight * distance
        told[part.kind] = {
            "pd": round(chance_of_one(part.log_odds), 6),
            "weight": round(weight, 4),
            "points": round(per_log_odds * weight * distance, 2),
        }
        sizes = [distance if one.contribution is None else one.contribution for one in part.reasons]
        named = [*part.reasons, Reason(REST, None, {"part": part.kind})]
        for one, size in zip(named, [*sizes, distance - sum(sizes)], strict=True):
            points = round(per_log_odds * weight * size, 2)
            if points:
                reasons.append({"code": one.code, "params": {**one.params, "points": points}})
    reasons.sort(key=lambda one: -abs(one["params"]["points"]))
    told["base"] = {"pd": round(base_rate, 6), "weight": round(rules.base_pull / total, 4)}
    return Combined(
        log_odds=log_odds,
        pd=chance_of_one(log_odds),
        score=round(score_of_one(log_odds)),
        risk_class=class_of(log_odds),
        parts=told,
        reasons=tuple(reasons),
        base_points=score_of_one(base),
        valid_until=min([part.valid_until for part in there] + [as_of + timedelta(days=rules.score_days)]),
    )


def _pull(part: Part, rules: Policy) -> float:
    pull = rules.pulls[part.kind]
    if part.kind != BEHAVIOR or part.history is None:
        return pull
    return pull * part.history / (part.history + rules.behavior_half) if part.history > 0 else 0.0
