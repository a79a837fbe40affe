"""Ridge + Kaplan-Meier: the delay as a straight line of the features, and how far from it items are paid.

The line is learnt on the eve of each document, open items censored (``censored``). An item that is open later
is asked about with what is known then, and its curve is that of the residuals beyond its present age.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import polars as pl

from saldo.analytics.book import Book
from saldo.analytics.curves import DAILY, Curves
from saldo.analytics.features import features_at
from saldo.analytics.payment_date.censored import Line
from saldo.analytics.payment_date.columns import Columns
from saldo.analytics.payment_date.effects import Effects
from saldo.analytics.payment_date.training import due_in, line_of, training_set

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

RIDGE_KM = "ridge_km"
MOST_QUESTIONS = 150_000
# Share of items that follow no line, paid at a constant pace: nobody is ever beyond all that was seen.
STRAY_SHARE, STRAY_DAYS = 0.005, 60.0


def _open(line: Line, beyond: Floats, spread: Floats) -> Floats:
    """Share still open so many days beyond the line, given the spread around it."""
    residual = beyond / spread
    stray = np.exp(-np.maximum(residual - line.residuals[0], 0.0) * spread / STRAY_DAYS)
    result: Floats = (1.0 - STRAY_SHARE) * (1.0 - line.share_ended(residual)) + STRAY_SHARE * stray
    return np.maximum(result, 1e-12)


def line_curves(line: Line, matrix: npt.NDArray[np.float32], due_in: Ints, grid: Ints = DAILY) -> Curves:
    """The line's curves of items that are due in so many days and still open."""
    begun = -due_in - line.predicted(matrix)
    spread = line.spread(matrix)
    now = _open(line, begun, spread)
    paid = np.empty((len(begun), len(grid)), dtype=np.float32)
    for place, days in enumerate(grid):
        paid[:, place] = 1.0 - _open(line, begun + days, spread) / now
    return Curves(grid, np.maximum.accumulate(np.clip(paid, 0.0, 1.0), axis=1))


@dataclass(frozen=True, slots=True)
class RidgeKm:
    as_of: date
    columns: Columns
    effects: Effects
    line: Line
    name: str = RIDGE_KM

    def curves(self, book: Book, landmarks: pl.DataFrame) -> Curves:
        return self.curves_of(book, features_at(book, landmarks))

    def curves_of(self, book: Book, features: pl.DataFrame) -> Curves:
        """The curves of landmarks whose features are known already."""
        features = self.effects.added(book, features)
        return line_curves(self.line, self.columns.matrix(features), due_in(features))

    def as_record(self) -> dict[str, Any]:
        return {
            "rung": self.name, "as_of": self.as_of.isoformat(),
            "columns": self.columns.as_record(),
            "effects": self.effects.as_record(), "line": self.line.as_record(),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class RidgeKmRung:
    name: ClassVar[str] = RIDGE_KM

    def fit(self, book: Book, as_of: date) -> RidgeKm:
        """Raises ValueError("too_few_paid") with too few paid items."""
        known = training_set(book, as_of, step_days=0, most_questions=MOST_QUESTIONS)
        return RidgeKm(as_of, known.columns, known.effects, line_of(known))

    def from_record(self, record: Mapping[str, Any]) -> RidgeKm:
        columns, line = Columns.from_record(record["columns"]), Line.from_record(record["line"])
        if len(columns) != len(line.slopes):
            raise ValueError(f"{len(columns)} columns, but {len(line.slopes)} slopes")
        effects = Effects.from_record(record["effects"])
        return RidgeKm(date.fromisoformat(record["as_of"]), columns, effects, line)
