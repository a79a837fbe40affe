"""Cash of sales not yet invoiced: the company's own past documents with their payments, moved ahead.

Each coming month is expected to look like past ones, document by document: moved by whole months with
all that was paid on it, so that days of issue and of payment keep their place in the month, and scaled to the
level of the recent months and to the season where a year or more is known. Documents old enough to show the
whole horizon are moved, so that nothing is censored; where there are none yet, what is open of younger ones
is taken as paid with the median delay. Formula: docs/rules/cash-forecast.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from saldo.analytics.book import Book
from saldo.analytics.cash_history import cash_movements
from saldo.core.priors import CashPrior, default_priors

Floats = npt.NDArray[np.float64]

# Complete months that are moved ahead and averaged; with fewer complete months than these nothing is said.
PATTERN_MONTHS, LEAST_MONTHS = 6, 3
# Months ahead that are looked at together, and how many past months tell the errors.
QUARTER, LOOK_BACK = 3, 18


@dataclass(frozen=True, slots=True)
class SalesErrors:
    """How far invoicing was from what was expected: standard deviations of logarithms, of the level of three
    months and of a month beside its level."""

    level: float
    month: float


@dataclass(frozen=True, slots=True)
class SalesCash:
    """Of one currency, months of invoicing x weeks: expected cash, its variance, and the errors of sales."""

    by_month: Floats
    variance: Floats
    errors: SalesErrors

    @property
    def mean(self) -> Floats:
        """Expected cash of each week."""
        total: Floats = self.by_month.sum(axis=0)
        return total

    def draw(self, rng: np.random.Generator, draws: int) -> Floats:
        """draws x weeks. Numbers of documents are Poisson: weeks are independent but for the sales."""
        level = _factor(self.errors.level, rng.standard_normal(draws))
        total = np.zeros((draws, self.by_month.shape[1]))
        for mean, variance in zip(self.by_month, self.variance, strict=True):
            some = mean > 0
            spread = np.maximum(variance[some], 1e-12 * mean[some] ** 2)
            month = level * _factor(self.errors.month, rng.standard_normal(draws))
            size = (draws, int(some.sum()))
            total[:, some] += month[:, None] * rng.gamma(mean[some] ** 2 / spread, spread / mean[some], size)
        return total


def _factor(error: float, normal: Floats) -> Floats:
    """Log-normal factors of mean 1."""
    factors: Floats = np.exp(error * normal - error**2 / 2)
    return factors


def _month_of(day: date) -> int:
    return day.year * 12 + day.month - 1


def _months(column: str) -> pl.Expr:
    return pl.col(column).dt.year().cast(pl.Int64) * 12 + pl.col(column).dt.month().cast(pl.Int64) - 1


def _moved(column: str, months: pl.Expr) -> pl.Expr:
    """The day moved by whole months; the last day of a month stays the last one."""
    day = pl.col(column)
    moved = day.dt.offset_by(pl.format("{}mo", months))
    return pl.when(day == day.dt.month_end()).then(moved.dt.month_end()).otherwise(moved)


def monthly_levels(amounts: Floats, last_month: int, ahead: int) -> Floats:
    """Expected invoicing of the months after the last complete one: ``ahead`` values.

    amounts: of the complete months, oldest first; last_month: number of the last one (year x 12 + month - 1).
    The mean of the recent months without their season, times the season of the month. The season of a month
    is its share of its year's mean, over the years known, drawn halfway to none for one year, and so on.
    """
    years = len(amounts) // 12
    season = np.ones(12)
    if years:
        blocks = amounts[-12 * years :].reshape(years, 12)
        means = blocks.mean(axis=1, keepdims=True)
        ratios = np.divide(blocks, means, out=np.ones_like(blocks), where=means > 0).mean(axis=0)
        season = np.roll(1.0 + (ratios - 1.0) * years / (years + 1.0), (last_month + 1) % 12)
    recent = amounts[-PATTERN_MONTHS:]
    months = last_month - np.arange(len(recent))[::-1]
    level = float((recent / np.maximum(season[months % 12], 0.05)).mean())
    return level * season[(last_month + 1 + np.arange(ahead)) % 12]


def sales_errors(amounts: Floats, prior: CashPrior) -> SalesErrors:
    """Errors of the months as forecast at each past month, drawn to the stated ones while they are few."""
    levels, months = [], []
    for origin in range(max(LEAST_MONTHS, len(amounts) - LOOK_BACK), len(amounts) - QUARTER + 1):
        # Months may be numbered from any January: only their distance of a year counts.
        said = monthly_levels(amounts[:origin], origin - 1, QUARTER)
        came = amounts[origin : origin + QUARTER]
        if said.min() > 0 and came.min() > 0:
            level = np.log(came.sum() / said.sum())
            levels.append(level**2)
            # Three months have two degrees of freedom beside their level.
            months.append(((np.log(came / said) - level) ** 2).sum() / (QUARTER - 1))
    weight = prior.sales_error_weight

    def drawn(seen: list[float], stated: float) -> float:
        return float(np.sqrt((weight * stated**2 + sum(seen)) / (weight + len(seen))))

    return SalesErrors(drawn(levels, prior.sales_error), drawn(months, prior.sales_month_error))


def _complete_months(items: pl.DataFrame, as_of: date, known_from: date | None) -> tuple[int, int] | None:
    """Numbers of the first and the last month of which all documents are known."""
    first = items["document_date"].min()
    if not isinstance(first, date):
        return None
    begin = first if known_from is None else max(first, known_from)
    start = _month_of(begin) + (begin.day > 7)
    last = _month_of(as_of + timedelta(days=1)) - 1
    return (start, last) if last - start + 1 >= LEAST_MONTHS else None


def sales_cash(book: Book, as_of: date, weeks: int, prior: CashPrior | None = None) -> dict[str, SalesCash]:
    """Expected cash of what will be invoiced after ``as_of``, by currency; nothing where history is short."""
    prior = prior or default_priors().cash
    known = book.items.filter((pl.col("known_date") <= as_of) & (pl.col("document_date") <= as_of))
    span = _complete_months(known, as_of, book.known_from)
    if span is None:
        return {}
    first, last = span
    old_enough = as_of - timedelta(days=7 * weeks)
    moved_until = _month_of(old_enough + timedelta(days=1)) - 1
    dated = known.with_columns(month=_months("document_date")).filter(pl.col("month").is_between(first, last))
    paid = cash_movements(book).filter(pl.col("known_date") <= as_of)
    found = {}
    for (currency,), documents in dated.group_by("currency", maintain_order=True):
        amounts: Floats = np.bincount(
            documents["month"].to_numpy() - first,
            documents["amount_mills"].to_numpy().astype(np.float64),
            minlength=last - first + 1,
        ).astype(np.float64)
        is_old = moved_until >= first
        newest = moved_until if is_old else last
        sources = range(max(first, newest - PATTERN_MONTHS + 1), newest + 1)
        invoiced = {month: amounts[month - first] for month in sources if amounts[month - first] > 0}
        if not invoiced:
            continue
        moving = documents.filter(pl.col("month").is_in(list(invoiced)))
        payments = moving.join(paid, on="item_id")
        if not is_old:
            payments = pl.concat(
                [payments, _still_to_come(moving, payments, book.ends, as_of)], how="diagonal"
            )
        ahead = _month_of(as_of + timedelta(days=7 * weeks)) - last
        levels = monthly_levels(amounts, last, ahead)
        moved = np.stack(
            [
                _moved_to(payments, last + 1 + step, level, invoiced, as_of, weeks)
                for step, level in enumerate(levels)
            ]
        )
        found[str(currency)] = SalesCash(
            np.maximum(moved[:, 0], 0.0), moved[:, 1], sales_errors(amounts, prior)
        )
    return dict(sorted(found.items()))


def _still_to_come(
    documents: pl.DataFrame, payments: pl.DataFrame, ends: pl.DataFrame, as_of: date
) -> pl.DataFrame:
    """What is still open of documents that are too young to show it all, as paid with the median delay."""
    delay = payments.select((pl.col("cash_date") - pl.col("due_date")).dt.total_days().median()).item() or 0
    used = (
        ends.filter(pl.col("known_date") <= as_of)
        .group_by("item_id")
        .agg(pl.col("amount_mills").sum().alias("used"))
    )
    expected = pl.col("due_date") + pl.duration(days=round(delay))
    return (
        documents.join(used, on="item_id", how="left")
        .with_columns(
            cash_mills=pl.col("amount_mills") - pl.col("used").fill_null(0),
            cash_date=pl.max_horizontal(expected, pl.lit(as_of + timedelta(days=1))),
        )
        .filter(pl.col("cash_mills") > 0)
        .drop("used")
    )


def _moved_to(
    payments: pl.DataFrame, target: int, level: float, invoiced: dict[int, float], as_of: date, weeks: int
) -> Floats:
    """Cash of each week, and its variance, of what will be invoiced in month ``target`` after ``as_of``.

    payments: of the documents of the months ``invoiced`` (month -> amount). Weekends move to the Monday.
    """
    factor = {month: level / amount / len(invoiced) for month, amount in invoiced.items()}
    steps = target - pl.col("month")
    by_month = payments.with_columns(
        factor=pl.col("month").replace_strict(factor, return_dtype=pl.Float64),
        issued=_moved("document_date", steps),
        paid=_moved("cash_date", steps),
    )
    late = (8 - pl.col("paid").dt.weekday()) % 7
    days = (pl.col("paid") - pl.lit(as_of)).dt.total_days() + pl.when(late <= 2).then(late).otherwise(0)
    placed = by_month.with_columns(week=(days.clip(lower_bound=1) - 1) // 7).filter(
        (pl.col("issued") > as_of) & (pl.col("week") < weeks)
    )
    week = placed["week"].to_numpy()
    cash, factors = placed["cash_mills"].to_numpy().astype(np.float64), placed["factor"].to_numpy()
    return np.stack(
        [
            np.bincount(week, cash * factors, minlength=weeks),
            np.bincount(week, cash**2 * factors, minlength=weeks),
        ]
    )
