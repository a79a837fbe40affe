"""Geometry of the charts: figures in, SVG numbers out. Colors and fonts are the style sheet's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

COLUMN_HEIGHT = 120


@dataclass(frozen=True, slots=True)
class Week:
    """One column: the expected cash and its band, in SVG units from the top of COLUMN_HEIGHT."""

    start: date
    end: date
    expected: Decimal
    low: Decimal
    high: Decimal
    bar_y: str
    bar_height: str
    band_y: str
    band_height: str
    expected_y: str


@dataclass(frozen=True, slots=True)
class Share:
    """One bar of a breakdown: its amount, its share of the sum, and of the largest bar."""

    name: str
    amount: Any
    of_sum: float
    of_largest: float


def weeks(rows: Sequence[Mapping[str, Any]]) -> list[Week]:
    """Columns for expected cash per week; the scale ends at the highest band."""
    top = max((float(row["high"]) for row in rows), default=0.0) or 1.0

    def y(amount: Decimal) -> float:
        return COLUMN_HEIGHT * (1 - float(amount) / top)

    return [
        Week(
            start=row["week_start"],
            end=row["week_start"] + timedelta(days=6),
            expected=row["expected"],
            low=row["low"],
            high=row["high"],
            bar_y=f"{y(row['expected']):.2f}",
            bar_height=f"{COLUMN_HEIGHT - y(row['expected']):.2f}",
            band_y=f"{y(row['high']):.2f}",
            band_height=f"{max(1.0, y(row['low']) - y(row['high'])):.2f}",
            expected_y=f"{y(row['expected']):.2f}",
        )
        for row in rows
    ]


def shares(amounts: Mapping[str, Any]) -> list[Share]:
    """A breakdown in its own order."""
    total = float(sum(amounts.values())) or 1.0
    largest = float(max(amounts.values(), default=0)) or 1.0
    return [
        Share(name, amount, float(amount) / total, float(amount) / largest)
        for name, amount in amounts.items()
    ]
