"""The simple rungs: the due date, the customer's median delay, and pooled Kaplan-Meier by age.

They are always computed and shown: what a learnt model is worth is what it adds to them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import polars as pl

from saldo.analytics.book import Book, balances
from saldo.analytics.curves import DAILY, Curves, step_curves
from saldo.analytics.features import features_at
from saldo.analytics.payment_date import delays
from saldo.analytics.payment_date.pieces import IS_PAID, ages, days_between, pieces
from saldo.core.priors import default_priors

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

DUE_DATE, CUSTOMER_MEDIAN, POOLED_KM = "due_date", "customer_median", "pooled_km"

# So many curves at once fit into the processor's cache; one day after the other costs small books dearly.
_ROWS_AT_ONCE = 2_000


def curves_by_age(log_open: Floats, row: Ints, age: Ints, grid: Ints = DAILY) -> Curves:
    """Curves of items open at ``age`` days past due, from log P(open) at delays.EDGES of the row of each."""
    now = delays.log_open(log_open, row, age)
    paid = np.empty((len(age), len(grid)), dtype=np.float32)
    for start in range(0, len(age), _ROWS_AT_ONCE):
        part = slice(start, start + _ROWS_AT_ONCE)
        days = (age[part, None] + grid[None, :]).ravel()
        later = delays.log_open(log_open, np.repeat(row[part], len(grid)), days).reshape(-1, len(grid))
        paid[part] = -np.expm1(later - now[part, None])
    return Curves(grid, np.maximum.accumulate(np.clip(paid, 0.0, 1.0), axis=1))


def delay_counts(
    rows: pl.DataFrame, as_of: Ints, group: Ints, groups: int, half_life: float
) -> delays.Counts:
    """Counts by day past due of ``pieces``, weighted by share of the item and by age of the document.

    What was credited or written off is censored on that day. as_of: day number of each row's question.
    """
    document = rows["document_date"].to_physical().to_numpy().astype(np.int64)
    years = np.exp(-np.maximum(as_of - document, 0) * (np.log(2.0) / half_life))
    return delays.count(
        group,
        days_between(rows, "document_date", "due_date"),
        days_between(rows, "exit_date", "due_date"),
        (rows["outcome"] == IS_PAID).to_numpy(),
        years * rows["weight"].to_numpy(),
        groups,
    )


@dataclass(frozen=True, slots=True)
class DueDate:
    """All is paid on the due date; what is past it, the next day."""

    as_of: date
    name: str = DUE_DATE

    def curves(self, book: Book, landmarks: pl.DataFrame) -> Curves:
        return step_curves(-ages(balances(book, landmarks)).astype(np.float64))

    def as_record(self) -> dict[str, Any]:
        return {"rung": self.name, "as_of": self.as_of.isoformat()}


@dataclass(frozen=True, slots=True)
class DueDateRung:
    name: ClassVar[str] = DUE_DATE

    def fit(self, book: Book, as_of: date) -> DueDate:
        return DueDate(as_of)

    def from_record(self, record: Mapping[str, Any]) -> DueDate:
        return DueDate(date.fromisoformat(record["as_of"]))


@dataclass(frozen=True, slots=True)
class CustomerMedian:
    """All is paid the customer's median delay after the due date; without history, the portfolio's median."""

    as_of: date
    median_days: float
    name: str = CUSTOMER_MEDIAN

    def curves(self, book: Book, landmarks: pl.DataFrame) -> Curves:
        return self.curves_of(book, features_at(book, landmarks))

    def curves_of(self, book: Book, features: pl.DataFrame) -> Curves:
        """The curves of landmarks whose features are known already."""
        own = features["delay_median"].cast(pl.Float64).fill_null(self.median_days).to_numpy()
        return step_curves(own - ages(features))

    def as_record(self) -> dict[str, Any]:
        return {"rung": self.name, "as_of": self.as_of.isoformat(), "median_days": self.median_days}


@dataclass(frozen=True, slots=True)
class CustomerMedianRung:
    name: ClassVar[str] = CUSTOMER_MEDIAN

    def fit(self, book: Book, as_of: date) -> CustomerMedian:
        paid = pieces(book, as_of).filter(pl.col("outcome") == IS_PAID)
        delay = days_between(paid, "exit_date", "due_date")
        return CustomerMedian(as_of, float(np.median(delay)) if len(delay) else 0.0)

    def from_record(self, record: Mapping[str, Any]) -> CustomerMedian:
        return CustomerMedian(date.fromisoformat(record["as_of"]), float(record["median_days"]))


@dataclass(frozen=True, slots=True)
class PooledKm:
    """Every item pays as all items do, given how long it has been open. log_open: at delays.EDGES."""

    as_of: date
    log_open: Floats
    name: str = POOLED_KM

    def curves(self, book: Book, landmarks: pl.DataFrame) -> Curves:
        return self.curves_of(book, balances(book, landmarks))

    def curves_of(self, book: Book, features: pl.DataFrame) -> Curves:
        """The curves of landmarks whose balances are known already."""
        age = ages(features)
        return curves_by_age(self.log_open[None, :], np.zeros(len(age), dtype=np.int64), age)

    def as_record(self) -> dict[str, Any]:
        return {"rung": self.name, "as_of": self.as_of.isoformat(), "log_open": self.log_open.tolist()}


@dataclass(frozen=True, slots=True)
class PooledKmRung:
    name: ClassVar[str] = POOLED_KM

    def fit(self, book: Book, as_of: date) -> PooledKm:
        """Where nothing is known the stated prior remains."""
        prior = default_priors().delay
        rows = known_pieces(book, as_of)
        day = np.full(len(rows), as_of.toordinal() - date(1970, 1, 1).toordinal(), dtype=np.int64)
        everything = np.zeros(len(rows), dtype=np.int64)
        counts = delay_counts(rows, day, everything, 1, prior.half_life_days)
        if counts.paid.sum() == 0:
            counts = delays.Counts(np.zeros_like(counts.at_risk), np.zeros_like(counts.paid))
        hazard = delays.portfolio_hazard(counts, prior)
        return PooledKm(as_of, delays.log_open_at_edges(hazard[None, :])[0])

    def from_record(self, record: Mapping[str, Any]) -> PooledKm:
        log_open = np.array(record["log_open"], dtype=np.float64)
        if log_open.shape != delays.EDGES.shape:
            raise ValueError(f"{len(log_open)} edges, not {len(delays.EDGES)}")
        return PooledKm(date.fromisoformat(record["as_of"]), log_open)


def known_pieces(book: Book, as_of: date) -> pl.DataFrame:
    """``pieces`` at risk from the day from which payments are known: before it only what stayed open is."""
    return from_known(pieces(book, as_of), book.known_from)


def from_known(rows: pl.DataFrame, known_from: date | None) -> pl.DataFrame:
    """Pieces entered on ``known_from`` at the earliest, and those left out that ended before."""
    if known_from is None:
        return rows
    start = pl.lit(known_from)
    return rows.filter(pl.col("exit_date") >= start).with_columns(
        pl.max_horizontal("document_date", start).alias("document_date")
    )
