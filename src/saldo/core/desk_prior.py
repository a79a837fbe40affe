"""What is assumed of a collector's day: effort, reach, repetition, reasons of delay, skips, capacity.

The figures are in ``priors_desk.toml`` beside this module; docs/rules/priority.md says what each does.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

from saldo.core.money import to_mills
from saldo.core.outcomes import DELAY_REASONS, SKIP_REASONS


@dataclass(frozen=True, slots=True)
class SkipRule:
    """What the next ranking makes of one reason for passing an account over.

    days: the account waits. growth: share by which what is overdue must have grown for it to come back
    earlier (None: never). action_days: the suggested action is not suggested again. excludes: actions that
    are not suggested until a contact of the account changes.
    """

    days: int = 0
    growth: float | None = None
    action_days: int = 0
    excludes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeskPrior:
    version: str
    items_at_most: int
    effort_weight: float
    reach_share: float
    reach_weight: float
    window_days: int
    kept_share: float
    unanswered_share: float
    least_share: float
    rest_days: int
    reason_days: int
    reasons: Mapping[str, Mapping[str, float]]
    skips: Mapping[str, SkipRule]
    plan_after_days: int
    plan_late_days: int
    plan_again_days: int
    plan_kept_share: float
    escalation_contacts: int
    escalation_days: int
    escalation_minimum_mills: int
    default_minutes: int
    keeps_days: int

    def __post_init__(self) -> None:
        shares = (self.reach_share, self.kept_share, self.unanswered_share, self.least_share)
        _require(all(0 < share <= 1 for share in shares), "shares are above 0 and at most 1")
        _require(min(self.effort_weight, self.reach_weight) > 0, "weights are positive")
        _require(set(self.reasons) <= set(DELAY_REASONS), "delay_reasons names a reason that there is not")
        _require(set(self.skips) == set(SKIP_REASONS), "skips must tell of every reason and of no other")
        factors = [factor for table in self.reasons.values() for factor in table.values()]
        _require(min(factors, default=0.0) >= 0, "factors of delay reasons are not negative")
        _require(self.default_minutes > 0, "capacity.default_minutes is positive")

    @property
    def skip_days(self) -> int:
        """How far back a skip can still count."""
        return max(max(rule.days, rule.action_days) for rule in self.skips.values())


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(f"desk priors: {message}")


def _skip(table: Mapping[str, Any]) -> SkipRule:
    return SkipRule(
        days=int(table.get("days", 0)),
        growth=None if table.get("growth") is None else float(table["growth"]),
        action_days=int(table.get("action_days", 0)),
        excludes=tuple(table.get("excludes", ())),
    )


def parse_desk_prior(text: str) -> DeskPrior:
    """The priors of a TOML text laid out as ``priors_desk.toml``. Raises ValueError or KeyError if wrong."""
    table = tomllib.loads(text)
    repeat, reach, escalation = table["repeat"], table["reach"], table["escalation"]
    reasons = {code: factors for code, factors in table["delay_reasons"].items() if code != "valid_days"}
    return DeskPrior(
        version=str(table["version"]),
        items_at_most=int(table["effort"]["items_at_most"]),
        effort_weight=float(table["effort"]["weight"]),
        reach_share=float(reach["share"]),
        reach_weight=float(reach["weight"]),
        window_days=int(repeat["window_days"]),
        kept_share=float(repeat["kept_share"]),
        unanswered_share=float(repeat["unanswered_share"]),
        least_share=float(repeat["least_share"]),
        rest_days=int(repeat["rest_days"]),
        reason_days=int(table["delay_reasons"]["valid_days"]),
        reasons=reasons,
        skips={code: _skip(rule) for code, rule in table["skips"].items()},
        plan_after_days=int(table["plan"]["after_days"]),
        plan_late_days=int(table["plan"]["late_days"]),
        plan_again_days=int(table["plan"]["again_days"]),
        plan_kept_share=float(table["plan"]["kept_share"]),
        escalation_contacts=int(escalation["contacts"]),
        escalation_days=int(escalation["oldest_days"]),
        escalation_minimum_mills=to_mills(Decimal(escalation["minimum"])),
        default_minutes=int(table["capacity"]["default_minutes"]),
        keeps_days=int(table["capacity"]["keeps_days"]),
    )


@cache
def default_desk_prior() -> DeskPrior:
    """The assumptions shipped with Saldo."""
    return parse_desk_prior(files("saldo.core").joinpath("priors_desk.toml").read_text(encoding="utf-8"))
