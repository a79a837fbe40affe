"""The distribution of payment days of many items: what every model of the payment date gives.

A curve says, of an item with a balance on the evening of ``as_of``, which share of that balance is expected
to be paid within so many days. Where items are paid whole it is the probability of the payment. What is
credited or written off instead never becomes cash, and stands apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Singles = npt.NDArray[np.float32]

# Days after as_of at which curves are given: each day while books are small, else each week.
DAILY: Ints = np.array([*range(1, 121), *range(127, 183, 7), *range(210, 366, 30), 365], dtype=np.int64)
WEEKLY: Ints = np.array(
    [*range(7, 29, 7), 30, *range(35, 57, 7), 60, 63, 70, 77, 84, 90, 98, 112, 126, 154, 182, 240, 300, 365],
    dtype=np.int64,
)
_LEAST = 1e-9


@dataclass(frozen=True, slots=True)
class Curves:
    """One row per item, in the order of the landmarks asked about; one column per day of ``days``.

    days: days after as_of, increasing, from 1. paid: share paid by the evening of as_of + days, never
    falling. gone: share credited or written off by then (None: not modeled). paid + gone <= 1. Between two
    days the share grows linearly; beyond the last day nothing is said.
    """

    days: Ints
    paid: Singles
    gone: Singles | None = None

    def __post_init__(self) -> None:
        if self.paid.shape[1:] != self.days.shape:
            raise ValueError(f"curves of {self.paid.shape[1:]} columns over {self.days.shape} days")

    def __len__(self) -> int:
        return len(self.paid)

    def rows(self, chosen: Ints) -> Curves:
        """The curves of the chosen rows, in that order."""
        return replace(self, paid=self.paid[chosen], gone=None if self.gone is None else self.gone[chosen])


def step_curves(days_until: Floats, grid: Ints = DAILY) -> Curves:
    """Curves of a model that gives a date only: all is paid on that day, on the next one if it is past."""
    paid = (grid[None, :] >= np.maximum(np.ceil(days_until), 1)[:, None]).astype(np.float32)
    return Curves(grid, paid)


def _interpolated(days: Ints, values: Singles, wanted: npt.NDArray[np.number]) -> Floats:
    """values at ``wanted`` days (one per row and column, or one row for all), 0 at day 0, flat at the end."""
    edges = np.concatenate([[0], days]).astype(np.float64)
    inside = np.clip(np.asarray(wanted, dtype=np.float64), 0.0, edges[-1])
    cell = np.clip(np.searchsorted(edges, inside, side="left"), 1, len(edges) - 1)
    share = (inside - edges[cell - 1]) / (edges[cell] - edges[cell - 1])

    def at(place: Ints) -> Floats:
        found = values[:, place] if place.ndim == 1 else np.take_along_axis(values, place, axis=1)
        return found.astype(np.float64)

    after = at(cell - 1)
    before = np.where(cell > 1, at(np.maximum(cell - 2, 0)), 0.0)
    result: Floats = before + (after - before) * share
    return result


def paid_within(curves: Curves, days: Sequence[int] | npt.NDArray[np.number]) -> Floats:
    """Share paid within each of ``days``: shape (items, days). Days of shape (items, k) ask each its own."""
    return _interpolated(curves.days, curves.paid, np.asarray(days))


def gone_within(curves: Curves, days: Sequence[int] | npt.NDArray[np.number]) -> Floats:
    """Share credited or written off within each of ``days``; zeros where it is not modeled."""
    asked = np.asarray(days)
    if curves.gone is None:
        return np.zeros(asked.shape if asked.ndim == 2 else (len(curves), len(asked)))
    return _interpolated(curves.days, curves.gone, asked)


def days_until(curves: Curves, share: float) -> Floats:
    """Days until ``share`` of the balance is paid, by interpolation; inf where the horizon ends before."""
    reached = curves.paid >= share - _LEAST
    first = reached.argmax(axis=1)
    edges = np.concatenate([[0], curves.days]).astype(np.float64)
    rows = np.arange(len(curves))
    after = curves.paid[rows, first].astype(np.float64)
    before = np.where(first > 0, curves.paid[rows, np.maximum(first - 1, 0)], 0.0).astype(np.float64)
    part = np.clip((share - before) / np.maximum(after - before, _LEAST), 0.0, 1.0)
    day = edges[first] + part * (edges[first + 1] - edges[first])
    return np.where(reached.any(axis=1), day, np.inf)
