"""The rules that all policies share, as ``trial.toml`` states them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

from saldo.core.money import to_mills

COURTESY = "courtesy"
CALL, PLAN = "call", "plan"
WRITTEN = ("email", "letter")


@dataclass(frozen=True, slots=True)
class Budget:
    """Contacts of a business day."""

    calls: int
    written: int

    @property
    def contacts(self) -> int:
        return self.calls + self.written


@dataclass(frozen=True, slots=True)
class ToneRule:
    tone: str
    age: int
    earlier: int


@dataclass(frozen=True, slots=True)
class Calendar:
    """The letters of fixed dunning: day past due and tone of each; calls_from counts from 1."""

    days: tuple[int, ...]
    tones: tuple[str, ...]
    calls_from: int


@dataclass(frozen=True, slots=True)
class Rules:
    """What the offices that are compared have in common. Days are calendar days."""

    first_day: date
    budget: Budget
    pause_days: int
    minimum_overdue_mills: int
    tones: tuple[ToneRule, ...]
    calendar: Calendar
    replies: dict[str, int]
    effort_minutes: dict[str, float]
    offer_stands_days: int
    saved_days: int

    @property
    def minutes(self) -> float:
        """What the contacts of a day take when all of them are made."""
        written = self.budget.written * self.effort_minutes["written"]
        return self.budget.calls * self.effort_minutes[CALL] + written

    def effort(self, channel: str, kind: str) -> float:
        """Minutes of a contact; an offer of a plan is prepared before it is made."""
        minutes = self.effort_minutes[CALL if channel == CALL else "written"]
        return minutes + (self.effort_minutes[PLAN] if kind == PLAN else 0.0)

    def stands(self, offered: date | None, day: date) -> bool:
        """Whether an offer of a plan is still there."""
        return offered is not None and (day - offered).days < self.offer_stands_days

    def tone(self, age_days: int, earlier: int) -> str:
        """The tone for an account whose oldest item is so old, asked ``earlier`` times since then."""
        if age_days <= 0:
            return COURTESY
        (*_, last) = (rule.tone for rule in self.tones if age_days >= rule.age and earlier >= rule.earlier)
        return str(last)


@cache
def _told() -> dict[str, Any]:
    return tomllib.loads((files("saldo.simulation.trial") / "trial.toml").read_text(encoding="utf-8"))


def sizes() -> tuple[str, ...]:
    """The sizes of world that have a budget."""
    return tuple(_told()["budgets"])


def effort_minutes() -> dict[str, float]:
    """Minutes of a call and of a written contact, and those that an offer of a plan adds."""
    return dict(_told()["minutes"])


def offer_stands_days() -> int:
    """How long an offer of a plan stands, and is repeated by each contact."""
    return int(_told()["plans"]["stands_days"])


def rules(size: str) -> Rules:
    told = _told()
    return Rules(
        first_day=told["run"]["first_day"],
        budget=Budget(**told["budgets"][size]),
        pause_days=told["contacts"]["pause_days"],
        minimum_overdue_mills=to_mills(Decimal(told["contacts"]["minimum_overdue"])),
        tones=tuple(ToneRule(**rule) for rule in told["tone"]),
        calendar=Calendar(
            tuple(told["calendar"]["days"]), tuple(told["calendar"]["tones"]), told["calendar"]["calls_from"]
        ),
        replies=dict(told["replies"]),
        effort_minutes=effort_minutes(),
        offer_stands_days=offer_stands_days(),
        saved_days=told["plans"]["saved_days"],
    )
