"""Geometry of the charts about forecasts.

x is a percentage of the width and y pixels, so that a chart fills the width it is given and its words keep
their size. A line is drawn in a box of its own, 1000 x 100, which is stretched.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

# The least and most days shown.
LEAST_DAYS, MOST_DAYS = 28, 365
# A due date further back than this is told in words: it would push the curve into a corner.
PAST_DAYS = 45
TICK_STEPS = (7, 14, 30, 60, 90)
MOST_TICKS = 6
# Marks nearer to the right edge than this put their words on their left.
TURN_SHARE = 0.72


@dataclass(frozen=True, slots=True)
class Mark:
    """A day on the axis. side: "start" or "end", where its words stand."""

    kind: str
    on: date
    x: str
    label_x: str
    side: str


@dataclass(frozen=True, slots=True)
class CurveChart:
    """The share paid by day. line and area: paths in 1000 x 100; band_x, band_width: the 80% interval."""

    line: str
    area: str
    ticks: tuple[Mark, ...]
    marks: tuple[Mark, ...]
    today_x: str
    band_x: str
    band_width: str
    dot_x: str
    dot_y: str


def curve_chart(
    points: Sequence[tuple[int, float]],
    as_of: date,
    due_date: date | None,
    expected_date: date | None,
    low_date: date | None,
    high_date: date | None,
    height: int,
    top: int,
) -> CurveChart:
    """points: (days after as_of, share paid by then), rising from (0, 0). height, top: of the plot."""
    last = _last_day(as_of, high_date)
    past = _days(as_of, due_date)
    first = past if past is not None and -PAST_DAYS <= past < 0 else 0
    last = max(last, min(past or 0, MOST_DAYS))
    span = last - first

    def place(day: float) -> float:
        return (day - first) / span

    known = [(day, share) for day, share in points if day <= last]
    if known[-1][0] < last:
        known.append((last, share_at(points, last)))
    corners = [f"{1000 * place(day):.1f},{100 * (1 - share):.2f}" for day, share in known]
    line = f"M0,100 L{' L'.join(corners)}"
    low = place(max(_days(as_of, low_date) or 0, 0))
    high = place(min(_days(as_of, high_date) or last, last)) if low_date is not None else low
    middle = _days(as_of, expected_date)
    dot = None if middle is None or middle > last else max(middle, 0)
    return CurveChart(
        line=line,
        area=f"{line} L1000,100 Z",
        ticks=_ticks(as_of, last, place),
        marks=tuple(
            _mark(kind, day, place(days))
            for kind, day, days in (
                ("due", due_date, past), ("expected", expected_date, middle)
            )
            if day is not None and days is not None and first <= days <= last
        ),
        today_x=_percent(place(0)),
        band_x=_percent(low),
        band_width=_percent(max(high - low, 0.0)),
        dot_x="" if dot is None else _percent(place(dot)),
        dot_y="" if dot is None else f"{top + height * (1 - share_at(points, dot)):.1f}",
    )  # fmt: skip


def share_at(points: Sequence[tuple[int, float]], day: float) -> float:
    """The share paid by ``day``, by straight lines between ``points``; flat after the last."""
    at = bisect_left(points, day, key=lambda point: point[0])
    if at == 0:
        return points[0][1]
    if at == len(points):
        return points[-1][1]
    (before, low), (after, high) = points[at - 1], points[at]
    return low + (high - low) * (day - before) / (after - before)


def _last_day(as_of: date, high_date: date | None) -> int:
    """Some way beyond the end of the interval; the whole year where that lies beyond it."""
    high = _days(as_of, high_date)
    return MOST_DAYS if high is None else min(max(high * 7 // 5, LEAST_DAYS), MOST_DAYS)


def _ticks(as_of: date, last: int, place: Any) -> tuple[Mark, ...]:
    step = next((step for step in TICK_STEPS if last / step <= MOST_TICKS), TICK_STEPS[-1])
    return tuple(
        _mark("tick", as_of + timedelta(days=days), place(days))
        for days in range(step, last + 1, step)
        if place(days) <= 0.97
    )


def _mark(kind: str, on: date, at: float) -> Mark:
    side = "end" if at > TURN_SHARE else "start"
    shift = -0.8 if side == "end" else 0.8
    return Mark(kind, on, _percent(at), f"{100 * at + shift:.2f}%", side)


def _days(as_of: date, day: date | None) -> int | None:
    return None if day is None else (day - as_of).days


def _percent(share: float) -> str:
    return f"{100 * share:.2f}%"


@dataclass(frozen=True, slots=True)
class Reliability:
    """Forecast against outcome. of: the horizon in days, or the name of the rung.

    dots: (x, y, radius) in a square of 100; rows: their figures.
    """

    of: int | str
    dots: tuple[tuple[str, str, str], ...]
    rows: tuple[Mapping[str, Any], ...]
    items: int
    error: float


def reliability(of: int | str, bins: Sequence[Mapping[str, Any]]) -> Reliability:
    """bins: forecast and observed share (0–1) and number of items of each group of forecasts.

    error: the mean distance between the two, by items (ECE).
    """
    items = sum(int(each["items"]) for each in bins)
    largest = max((int(each["items"]) for each in bins), default=1) or 1
    distance = sum(abs(each["forecast"] - each["observed"]) * each["items"] for each in bins)
    return Reliability(
        of=of,
        dots=tuple(
            (
                f"{100 * each['forecast']:.1f}",
                f"{100 * (1 - each['observed']):.1f}",
                f"{1.4 + 2.6 * (each['items'] / largest) ** 0.5:.1f}",
            )
            for each in bins
        ),
        rows=tuple(bins),
        items=items,
        error=distance / items if items else 0.0,
    )


@dataclass(frozen=True, slots=True)
class Trend:
    """Up to two lines over time in 1000 x 100: what was forecast and what came."""

    lines: tuple[tuple[str, str], ...]
    top: float
    bottom: float


def trend(rows: Sequence[Mapping[str, Any]], names: Sequence[str], whole: bool = False) -> Trend:
    """One line for each of ``names``; months without a value are left out. whole: the scale is 0 to 1."""
    values = [float(row[name]) for name in names for row in rows if row.get(name) is not None]
    top = 1.0 if whole else max(values, default=1.0)
    bottom = 0.0 if whole else min([0.0, *values])
    span = (top - bottom) or 1.0
    width = max(len(rows) - 1, 1)
    lines = []
    for name in names:
        corners = [
            f"{1000 * at / width:.1f},{100 * (top - float(row[name])) / span:.2f}"
            for at, row in enumerate(rows)
            if row.get(name) is not None
        ]
        if corners:
            lines.append((name, "M" + " L".join(corners)))
    return Trend(tuple(lines), top, bottom)


COLUMN_HEIGHT = 120


@dataclass(frozen=True, slots=True)
class CashWeek:
    """One column: open items and future sales one above the other, the P10–P90 band, P50 and the naive
    forecast as lines; in SVG units from the top of COLUMN_HEIGHT."""

    start: date
    end: date
    figures: Mapping[str, Any]
    open_y: str
    open_height: str
    future_y: str
    future_height: str
    band_y: str
    band_height: str
    middle_y: str
    naive_y: str


def cash_weeks(rows: Sequence[Mapping[str, Any]]) -> list[CashWeek]:
    """rows: week_start, expected, low, high of the total, with middle, open, future and naive where known."""
    highest = [max(row["high"], row["expected"], row.get("naive") or 0) for row in rows]
    top = float(max(highest, default=0)) or 1.0

    def y(amount: Any) -> float:
        return COLUMN_HEIGHT * (1 - float(amount) / top)

    columns = []
    for row in rows:
        of_open = row["open"] if row.get("open") is not None else row["expected"]
        future = row.get("future") or 0
        stacked = float(of_open) + float(future)
        columns.append(
            CashWeek(
                start=row["week_start"],
                end=row["week_start"] + timedelta(days=6),
                figures=row,
                open_y=f"{y(of_open):.2f}",
                open_height=f"{max(0.0, COLUMN_HEIGHT - y(of_open)):.2f}",
                future_y=f"{y(stacked):.2f}",
                future_height=f"{max(0.0, y(of_open) - y(stacked)):.2f}",
                band_y=f"{y(row['high']):.2f}",
                band_height=f"{max(1.0, y(row['low']) - y(row['high'])):.2f}",
                middle_y="" if row.get("middle") is None else f"{y(row['middle']):.2f}",
                naive_y="" if row.get("naive") is None else f"{y(row['naive']):.2f}",
            )
        )
    return columns
