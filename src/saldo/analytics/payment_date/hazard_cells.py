"""Person-periods: each landmark followed through cells of time, until it is paid, gone or out of sight.

A cell is (edge before, edge] in days after the landmark. What a model sees in a cell besides the features of
the landmark: how far the cell is from the landmark, from the due date and from the day that the line
predicts, and the calendar of its last day.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from saldo.analytics.curves import DAILY, WEEKLY

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

CELL_NAMES = (
    "cell_day", "cell_past_due", "cell_past_center", "center_days", "cell_weekday", "cell_month_day",
    "cell_to_month_end", "cell_width", "cell_spreads", "cell_month",
)  # fmt: skip
# 1 January 1970 was a Thursday.
_FIRST_WEEKDAY = 3


@dataclass(frozen=True, slots=True)
class Cells:
    """Edges of the cells in days after the landmark, from 1."""

    ends: Ints

    @property
    def starts(self) -> Ints:
        return np.concatenate([[0], self.ends[:-1]])

    @property
    def widths(self) -> Ints:
        return self.ends - self.starts

    @property
    def is_daily(self) -> bool:
        return int(self.ends[0]) == 1


DAYS, WEEKS = Cells(DAILY), Cells(WEEKLY)


@dataclass(frozen=True, slots=True)
class Periods:
    """One row per landmark and cell: row of the landmark, number of the cell, whether it was paid in it."""

    row: Ints
    cell: Ints
    is_paid: Bools

    def __len__(self) -> int:
        return len(self.row)


def cells_seen(cells: Cells, until: Ints, sight: Ints) -> Ints:
    """Number of cells each landmark is followed through: those begun before its end, and over within sight.

    A cell that is not over yet tells only of payments, so it is left out whole, paid or not.
    """
    begun = np.searchsorted(cells.starts, until, side="left")
    over = np.searchsorted(cells.ends, sight, side="right")
    return np.minimum(begun, over).astype(np.int64)


def periods_of(cells: Cells, until: Ints, is_paid: Bools, sight: Ints) -> Periods:
    """until: days to the end of each landmark's piece; sight: days to the last day that is known."""
    count = cells_seen(cells, until, sight)
    row = np.repeat(np.arange(len(until)), count)
    cell = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    return Periods(row, cell, is_paid[row] & (until[row] <= cells.ends[cell]))


def all_periods(cells: Cells, landmarks: int) -> Periods:
    """Every landmark through every cell, landmark by landmark."""
    count = len(cells.ends)
    row = np.repeat(np.arange(landmarks), count)
    return Periods(row, np.tile(np.arange(count), landmarks), np.zeros(len(row), dtype=np.bool_))


def _calendar(day: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """(weekday 0 Monday, day of the month, days to the end of the month, month) of days since 1970."""
    dates = day.astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    first = months.astype("datetime64[D]").astype(np.int64)
    following = (months + 1).astype("datetime64[D]").astype(np.int64)
    month = months.astype(np.int64) % 12 + 1
    return (day + _FIRST_WEEKDAY) % 7, day - first + 1, following - 1 - day, month


def cell_columns(
    cells: Cells,
    periods: Periods,
    day: Ints,
    due_in: Ints,
    center: Floats,
    spread: Floats,
    is_seasonal: bool = False,
) -> Singles:
    """The columns CELL_NAMES of each period. day: of the landmark, since 1970; center: days predicted to go;
    spread: days around that; is_seasonal: the month is told, since years enough were seen."""
    end = cells.ends[periods.cell]
    # Each landmark's day stands in many rows, and few days differ: the calendar is looked up.
    first = int(day.min()) if len(day) else 0
    days = np.arange(first, (int(day.max()) if len(day) else 0) + int(cells.ends[-1]) + 1)
    weekday, month_day, to_month_end, month = _calendar(days)
    place = day[periods.row] + end - first
    result = np.empty((len(periods), len(CELL_NAMES)), dtype=np.float32)
    result[:, 0] = end
    result[:, 1] = end - due_in[periods.row]
    result[:, 2] = end - center[periods.row]
    result[:, 3] = center[periods.row]
    # In a week every weekday is met once: its last day's tells nothing.
    result[:, 4] = np.where(cells.widths[periods.cell] == 1, weekday[place], -1)
    result[:, 5] = month_day[place]
    result[:, 6] = to_month_end[place]
    result[:, 7] = cells.widths[periods.cell]
    result[:, 8] = result[:, 2] / spread[periods.row]
    result[:, 9] = month[place] if is_seasonal else 0
    return result
