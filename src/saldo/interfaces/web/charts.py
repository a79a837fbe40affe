"""Geometry of the charts: figures in, SVG numbers out. Colors and fonts are the style sheet's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Share:
    """One bar of a breakdown: its amount, its share of the sum, and of the largest bar."""

    name: str
    amount: Any
    of_sum: float
    of_largest: float


def shares(amounts: Mapping[str, Any]) -> list[Share]:
    """A breakdown in its own order."""
    total = float(sum(amounts.values())) or 1.0
    largest = float(max(amounts.values(), default=0)) or 1.0
    return [
        Share(name, amount, float(amount) / total, float(amount) / largest)
        for name, amount in amounts.items()
    ]
