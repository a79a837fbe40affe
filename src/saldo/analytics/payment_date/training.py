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
from saldo.analytics.payment_date.censored import Line, fit_line
from saldo.analytics.payment_date.columns import Columns, chosen_columns
from saldo.analytics.payment_date.effects import NAMES as EFFECTS
from saldo.analytics.payment_date.effects import Effects, fit_effects
from saldo.analytics.payment_date.landmarks import (
    Ints,
    Questions,
    day_number,
    day_numbers,
    questions_of,
    spread,
)
from saldo.analytics.payment_date.pieces import IS_GONE, IS_PAID, ages, pieces

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

# Fewer paid items than this teach nothing that a table of delays does not.
LEAST_PAID = 60
EFFECT_SCALE = 0.01


@dataclass(frozen=True)
class TrainingSet:
    """Landmarks, as rows of pieces with a day, and the features of each; columns: those used of them.

    until: days from the landmark to the end of the piece, or to the last day it is known to have been open.
    """

    pieces: pl.DataFrame
    questions: Questions
    features: pl.DataFrame
    columns: Columns
    effects: Effects
    seen_until: int

    @cached_property
    def matrix(self) -> npt.NDArray[np.float32]:
        return self.columns.matrix(self.features)

    @cached_property
    def customer(self) -> Ints:
        """The account of each row, numbered from 0."""
        return np.unique(self.features["account_id"].to_numpy(), return_inverse=True)[1].astype(np.int64)

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
    effects = fit_effects(known, rows)
    columns = chosen_columns(features, book.extra)
    columns = Columns(columns.numbers + EFFECTS, columns.texts)
    features = effects.added(known, features)
    return TrainingSet(rows, questions, features, columns, effects, day_number(end))


def penalty_scale(columns: Columns) -> Floats:
    """How much of the ridge penalty each column bears: hardly any what is shrunk already."""
    return np.array([EFFECT_SCALE if name in EFFECTS else 1.0 for name in columns.names])


def line_of(known: TrainingSet) -> Line:
    """The line through the delays, learnt on the eve of each document."""
    issue = known.questions.is_issue
    delay = (known.until - known.due_in).astype(np.float64)
    return fit_line(
        known.matrix[issue], delay[issue], known.is_paid[issue], known.weight[issue], known.customer[issue],
        penalty_scale(known.columns),
    )  # fmt: skip
