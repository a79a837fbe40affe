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
CALL = "call"
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
    )
