"""What learnt models see: landmarks with their features and what was known to become of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from saldo.analytics.book import Book
from saldo.analytics.features import features_at
from saldo.analytics.payment_date.columns import Columns, chosen_columns
from saldo.analytics.payment_date.landmarks import Ints, Questions, day_numbers, questions_of, spread
from saldo.analytics.payment_date.pieces import IS_GONE, IS_PAID, ages, pieces

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

# Fewer paid items than this teach nothing that a table of delays does not.
LEAST_PAID = 60


@dataclass(frozen=True)
class TrainingSet:
    """Landmarks, as rows of pieces with a day, and the features of each; columns: those used of them.

    until: days from the landmark to the end of the piece, or to the last day it is known to have been open.
    """

    pieces: pl.DataFrame
    questions: Questions
    features: pl.DataFrame
    columns: Columns
    seen_until: int

    @cached_property
    def matrix(self) -> npt.NDArray[np.float32]:
        return self.columns.matrix(self.features)

    @cached_property
    def until(self) -> Ints:
        return day_numbers(self.pieces["exit_date"])[self.questions.row] - self.questions.day

    @cached_property
    def due_in(self) -> Ints:
        """Days from the landmark to the due date: below 0 past it."""
        return due_in(self.features)

    def _is(self, outcome: int) -> Bools:
        return (self.pieces["outcome"] == outcome).to_numpy()[self.questions.row]

    @cached_property
    def is_paid(self) -> Bools:
        return self._is(IS_PAID)

    @cached_property
    def is_gone(self) -> Bools:
        return self._is(IS_GONE)

    @cached_property
    def weight(self) -> Floats:
        return self.pieces["weight"].to_numpy()[self.questions.row].astype(np.float64)


def due_in(features: pl.DataFrame) -> Ints:
    """Days from each landmark to the due date in force then, of a frame with the columns of ``balances``."""
    return -ages(features)


def sampled(pieces_: pl.DataFrame, share: float, salt: int = 0) -> pl.DataFrame:
    """That share of the items, whole, chosen by their number."""
    if share >= 1.0:
        return pieces_
    parts = 1_000_000
    chosen = spread(pieces_["item_id"].to_numpy(), parts, salt) < share * parts
    return pieces_.filter(pl.Series(chosen))


def training_set(book: Book, as_of: date, step_days: int, most_questions: int) -> TrainingSet:
    """Landmarks of what is known on the evening of ``as_of``, at most about ``most_questions`` of them.

    Raises ValueError with fewer than LEAST_PAID paid pieces.
    """
    rows = pieces(book, as_of)
    if int((rows["outcome"] == IS_PAID).sum()) < LEAST_PAID:
        raise ValueError("too_few_paid")
    end = rows["exit_date"].max()
    questions = questions_of(rows, step_days, book.known_from)
    if len(questions) > most_questions:
        rows = sampled(rows, most_questions / len(questions))
        questions = questions_of(rows, step_days, book.known_from)
    known = book.known_by(as_of)
    features = features_at(known, questions.landmarks(rows))
    usable = (features["balance_mills"] > 0).fill_null(False).to_numpy()
    questions, features = questions.rows(usable), features.filter(pl.Series(usable))
    if not len(questions) or not isinstance(end, date):
        raise ValueError("too_few_paid")
    columns = chosen_columns(features, book.extra)
    return TrainingSet(rows, questions, features, columns, end.toordinal() - date(1970, 1, 1).toordinal())
