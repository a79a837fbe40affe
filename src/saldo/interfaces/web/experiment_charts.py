"""The difference of an arm from the step as it is written, day by day, ready to be drawn.

A line is drawn in a box of its own, 1000 x 100, which is stretched; words keep their size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from saldo.analytics.experiments import Look


@dataclass(frozen=True, slots=True)
class PathChart:
    """line, band: paths. zero: the height of no difference. top: the largest difference shown, as a share."""

    line: str
    band: str
    zero: str
    top: float
    bottom: float
    first: date
    last: date


def path_chart(looks: Sequence[Look]) -> PathChart | None:
    """None where there is no more than a single day to see."""
    if len(looks) < 2:
        return None
    first, last = looks[0].day, looks[-1].day
    # The first intervals are wide; beyond this they are cut off.
    reach = max(0.05, *(abs(x) for look in looks[len(looks) // 4 :] for x in _ends(look)))
    reach = min(reach, 1.0)
    span = max((last - first).days, 1)

    def x(look: Look) -> float:
        return 1000 * (look.day - first).days / span

    def y(share: float) -> float:
        return 50 - 50 * max(-1.0, min(1.0, share / reach))

    middle = [f"{x(look):.1f},{y(look.difference.effect):.2f}" for look in looks]
    upper = [f"{x(look):.1f},{y(look.difference.high):.2f}" for look in looks]
    lower = [f"{x(look):.1f},{y(look.difference.low):.2f}" for look in reversed(looks)]
    band = f"M{' L'.join([*upper, *lower])} Z"
    return PathChart(f"M{' L'.join(middle)}", band, f"{y(0):.2f}", reach, -reach, first, last)


def _ends(look: Look) -> tuple[float, float]:
    return look.difference.low, look.difference.high
