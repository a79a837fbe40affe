"""Weeks cut into days: those inside a cell take their shares from how all items are paid by the due date.

A large book is learnt in weeks, but many items are paid on the due date itself, which may lie anywhere in a
cell. Inside a cell the paid share grows with the portfolio's cumulative hazard by days past due instead of
evenly; what a cell holds in all stays as it was.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from saldo.analytics.curves import DAILY, WEEKLY, Curves
from saldo.analytics.payment_date import delays

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Beyond so many rows days are given for five weeks only: a million rows of all would take a gibibyte.
MANY_ROWS = 150_000
FIVE_WEEKS: Ints = np.unique(np.concatenate([np.arange(1, 36), WEEKLY])).astype(np.int64)
_CHUNK = 50_000


def refined(curves: Curves, due_in: Ints, log_open: Floats) -> Curves:
    """The curves on days. due_in: days to each due date; log_open: the portfolio's, at delays.EDGES."""
    grid = DAILY if len(curves) <= MANY_ROWS else FIVE_WEEKS
    paid = np.empty((len(curves), len(grid)), dtype=np.float32)
    gone = None if curves.gone is None else np.empty_like(paid)
    for start in range(0, len(curves), _CHUNK):
        rows = slice(start, start + _CHUNK)
        due = due_in[rows]
        for place, day in enumerate(grid.tolist()):
            cell = min(int(np.searchsorted(curves.days, day)), len(curves.days) - 1)
            begin, end = (int(curves.days[cell - 1]) if cell else 0), int(curves.days[cell])
            share = _share(begin, day, end, due, log_open)
            paid[rows, place] = _between(curves.paid[rows], cell, share)
            if gone is not None and curves.gone is not None:
                even = np.full(len(due), (day - begin) / (end - begin))
                gone[rows, place] = _between(curves.gone[rows], cell, even)
    return Curves(grid, np.maximum.accumulate(paid, axis=1), gone)


def _share(begin: int, day: int, end: int, due: Ints, log_open: Floats) -> Floats:
    """Share of the cell's payments by the evening of ``day``."""
    row = np.zeros(len(due), dtype=np.int64)
    before, now, after = (-delays.log_open(log_open[None, :], row, at - due) for at in (begin, day, end))
    whole = after - before
    even = (day - begin) / (end - begin)
    known = whole > 1e-9
    result: Floats = np.where(known, (now - before) / np.where(known, whole, 1.0), even)
    return np.clip(result, 0.0, 1.0)


def _between(values: npt.NDArray[np.float32], cell: int, share: Floats) -> Floats:
    before = values[:, cell - 1].astype(np.float64) if cell else np.zeros(len(values))
    result: Floats = before + share * (values[:, cell] - before)
    return result
