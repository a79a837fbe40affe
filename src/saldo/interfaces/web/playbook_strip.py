"""A playbook's steps on a line of days around the due date, ready to be drawn."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _

from saldo.core.playbook import CALL, TASK, THANKS, Playbook
from saldo.core.playbook_words import day_words
from saldo.interfaces.web.labels import label
from saldo.interfaces.web.templatetags.outreach import step_words
from saldo.interfaces.web.templatetags.saldo import language

# Days that every line shows; days close to the due date get more room than those far away.
FIRST_DAY, LAST_DAY = -20, 95
TICKS = (-15, -7, 0, 7, 15, 30, 45, 60, 90)
_ROOM = 0.62


@dataclass(frozen=True, slots=True)
class Point:
    """x: percent of the width, as the drawing takes it. kind: "written", "person"."""

    x: str
    kind: str
    tone: str
    title: str


@dataclass(frozen=True, slots=True)
class Tick:
    x: str
    text: str
    is_due: bool


@dataclass(frozen=True, slots=True)
class Strip:
    points: list[Point]
    ticks: list[Tick]
    label: str


def strip(playbook: Playbook) -> Strip:
    """Everything but thanks, which follow a payment and not a due date."""
    points = [
        Point(
            _x(step.day),
            "person" if step.channel in (CALL, TASK) else "written",
            step.tone,
            f"{step_words(step.code)}: {day_words(step.day, language())}, {label('channel', step.channel)}",
        )
        for step in sorted(playbook.steps, key=lambda step: step.day)
        if step.track != THANKS
    ]
    ticks = [
        Tick(_x(day), _("due") if day == 0 else f"{day:+d}".replace("-", "−"), day == 0) for day in TICKS
    ]
    return Strip(points, ticks, "; ".join(point.title for point in points))


def _x(day: int) -> str:
    """Where a day stands, in percent from the left."""
    low, high = _bent(FIRST_DAY), _bent(LAST_DAY)
    share = (_bent(max(FIRST_DAY, min(LAST_DAY, day))) - low) / (high - low)
    return f"{2 + share * 96:.2f}%"


def _bent(day: int) -> float:
    return (1 if day >= 0 else -1) * abs(day) ** _ROOM
