"""What a backtest asks, and what became of it: items on the eve of their document, and the open book.

The model is always one of an earlier day than the question, and sees what was known on the question's day.
What became of an item is read from all that is known in the end; what is still open then is censored there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from saldo.analytics.book import PAID, RETURNED, Book, open_on
from saldo.analytics.features import features_at
from saldo.analytics.payment_date.landmarks import spread
from saldo.analytics.payment_date.pieces import IS_GONE, IS_PAID, ages, pieces

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

WEEKS = 4
SHARE_DAYS = (7, 30, 60, 90)


@dataclass(frozen=True)
class Asked:
    """Landmarks with their features (columns of ``balances`` included) and what became of them.

    days: until half of what was not credited or written off was paid; inf: not by the end of the data.
    sight: days to the end of the data. is_gone: all of it was credited or written off. shares: share paid
    within each of SHARE_DAYS, NaN beyond sight. fold: number of the fold whose model is asked.
    """

    features: pl.DataFrame
    fold: Ints
    days: Floats
    sight: Ints
    is_gone: Bools
    shares: Floats

    def __len__(self) -> int:
        return len(self.features)

    @property
    def landmarks(self) -> pl.DataFrame:
        return self.features.select("item_id", "as_of")

    @property
    def accounts(self) -> Ints:
        return self.features["account_id"].to_numpy().astype(np.int64)

    @property
    def due_in(self) -> Ints:
        return -ages(self.features)

    def of_fold(self, number: int) -> npt.NDArray[np.int64]:
        return np.flatnonzero(self.fold == number)


def _outcomes(book: Book, landmarks: pl.DataFrame, end: date) -> tuple[Floats, Bools, Floats]:
    """(days until half is paid, is gone, share paid within SHARE_DAYS) by what is known on ``end``."""
    parts = pieces(book, end).select("item_id", "exit_date", "outcome", "weight")
    after = (pl.col("exit_date") - pl.col("as_of")).dt.total_days().clip(lower_bound=1)
    is_open_then = (pl.col("exit_date") > pl.col("as_of")) | (pl.col("outcome") == 0)
    rows = (
        landmarks.select("item_id", "as_of")
        .with_row_index("row")
        .join(parts, on="item_id")
        .filter(is_open_then)
        .with_columns(after.alias("after"), is_paid=pl.col("outcome") == IS_PAID)
        .sort("row", "after")
    )
    kept = pl.col("weight").filter(pl.col("outcome") != IS_GONE).sum()
    paid_so_far = pl.when("is_paid").then("weight").otherwise(0.0).cum_sum()
    reached = (paid_so_far >= 0.5 * kept - 1e-9) & pl.col("is_paid")
    found = rows.group_by("row").agg(
        pl.col("after").filter(reached).min().alias("days"),
        kept.alias("kept"),
        *(
            (
                pl.col("weight").filter(pl.col("is_paid") & (pl.col("after") <= d)).sum()
                / pl.col("weight").sum()
            ).alias(f"within_{d}")
            for d in SHARE_DAYS
        ),
    )
    every = (
        landmarks.select("item_id")
        .with_row_index("row")
        .join(found, on="row", how="left", maintain_order="left")
    )
    days = every["days"].cast(pl.Float64).fill_null(np.inf).to_numpy()
    is_gone = (every["kept"].fill_null(0.0) <= 1e-9).to_numpy()
    shares = every.select(pl.col(f"within_{d}").fill_null(0.0) for d in SHARE_DAYS).to_numpy()
    return days, is_gone, shares.astype(np.float64)


def asked(book: Book, landmarks: pl.DataFrame, fold: Ints, end: date) -> Asked:
    """``landmarks`` of a book known until ``end``; those without anything open then are left out."""
    features = features_at(book, landmarks)
    usable = ((features["balance_mills"] > 0) & features["due_date"].is_not_null()).fill_null(False)
    features, fold = features.filter(usable), fold[usable.to_numpy()]
    days, is_gone, shares = _outcomes(book, features, end)
    sight = (
        features.select((pl.lit(end) - pl.col("as_of")).dt.total_days())
        .to_series()
        .to_numpy()
        .astype(np.int64)
    )
    beyond = np.array(SHARE_DAYS)[None, :] > sight[:, None]
    return Asked(features, fold, days, sight, is_gone, np.where(beyond, np.nan, shares))


def _fold_of(days: pl.Series, cuts: list[date]) -> Ints:
    """Number of the last cut-off before or on each day."""
    edges = np.array([cut.toordinal() for cut in cuts])
    numbers = days.to_physical().to_numpy().astype(np.int64) + date(1970, 1, 1).toordinal()
    return (np.searchsorted(edges, numbers, side="right") - 1).astype(np.int64)


def at_issue(book: Book, cuts: list[date], last: date, end: date, most: int) -> Asked:
    """Every item with a document after the first cut-off and until ``last``, asked on the eve."""
    tested = book.items.filter(
        (pl.col("document_date") > cuts[0]) & (pl.col("document_date") <= last)
        & (pl.col("amount_mills") > 0) & pl.col("due_date").is_not_null()
    )  # fmt: skip
    tested = _some(tested, "item_id", most).sort("document_date", "item_id")
    landmarks = tested.select("item_id", (pl.col("document_date") - timedelta(days=1)).alias("as_of"))
    paid_before = pieces(book, end).group_by("item_id").agg(pl.col("exit_date").max())
    still = landmarks.join(paid_before, on="item_id").filter(pl.col("exit_date") > pl.col("as_of"))
    landmarks = still.select("item_id", "as_of")
    return asked(book, landmarks, _fold_of(landmarks["as_of"], cuts), end)


def _some(frame: pl.DataFrame, key: str, most: int) -> pl.DataFrame:
    """About ``most`` rows, chosen by the number in ``key``, not by anything that happened."""
    if len(frame) <= most:
        return frame
    parts = 1_000_000
    return frame.filter(pl.Series(spread(frame[key].to_numpy(), parts, salt=7) < parts * most / len(frame)))


def open_book(book: Book, cuts: list[date], origins: list[date], end: date, most: int) -> Asked:
    """All items open on the evening of each origin; of a large book all those of some accounts."""
    if not origins:
        nothing = pl.DataFrame(schema={"item_id": pl.Int64, "as_of": pl.Date})
        return asked(book, nothing, np.zeros(0, dtype=np.int64), end)
    middle = origins[len(origins) // 2]
    expected = len(open_on(book.known_by(middle), middle)) * len(origins)
    if expected > most:
        accounts = book.items.select("account_id").unique().sort("account_id")
        chosen = _some(accounts, "account_id", max(1, int(len(accounts) * most / expected)))
        book = book.of_accounts(chosen["account_id"].to_list())
    landmarks = pl.concat([open_on(book.known_by(origin), origin) for origin in origins])
    return asked(book, landmarks, _fold_of(landmarks["as_of"], cuts), end)


@dataclass(frozen=True)
class Cash:
    """Actual cash of the open book: one row per landmark, one column per week after it, in mills."""

    weekly: Floats
    origin: Ints
    is_counted: Bools


def cash_of(book: Book, opened: Asked, end: date) -> Cash:
    """What was paid of each landmark in each of WEEKS weeks, returns taken off.

    What was paid by the day of the question, but not known then, counts in the first week. Only the currency
    of most items counts, and origins with all weeks known.
    """
    cash = book.ends.filter(pl.col("cause").is_in([PAID, RETURNED])).select(
        "item_id", "end_date", "known_date", paid_mills="amount_mills"
    )
    rows = (
        opened.landmarks.with_row_index("row")
        .join(cash, on="item_id")
        .filter(pl.col("known_date") > pl.col("as_of"))
    )
    after = (pl.col("end_date") - pl.col("as_of")).dt.total_days().clip(lower_bound=1)
    rows = rows.with_columns(((after - 1) // 7).alias("week")).filter(pl.col("week") < WEEKS)
    weekly = np.zeros((len(opened), WEEKS))
    np.add.at(
        weekly,
        (rows["row"].to_numpy(), rows["week"].to_numpy()),
        rows["paid_mills"].to_numpy().astype(np.float64),
    )
    currency = opened.features["currency"].fill_null("")
    main = currency.mode().sort().first() if len(currency) else ""
    counted = (currency == main).to_numpy()
    origin = opened.features["as_of"].to_physical().to_numpy().astype(np.int64)
    return Cash(weekly, origin, counted & (opened.sight >= 7 * WEEKS))
