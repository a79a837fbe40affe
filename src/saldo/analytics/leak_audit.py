"""The leak audit of a book: its own columns against its outcomes, and every feature against the future.

``book_leaks`` judges each column as a model would see it, on the eve of each document, against the delay that
came of it. ``reads_the_future`` permutes all that became known after a day: a feature that notices reads it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl

from saldo.analytics.book import PAID, SCHEMAS, Book
from saldo.analytics.features import feature_names, features_at
from saldo.analytics.features_history import Floats
from saldo.analytics.features_sums import Ints
from saldo.analytics.leaks import CLOSED_LIMIT, Suspicion, suspicious_features

# Enough rows to judge a column, evenly spread over the items; open and closed items of one month at least.
MAX_ROWS = 20_000
LEAST_OF_A_KIND = 8
_DATE_FORMATS = ("%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%Y%m%d")

Features = Callable[[Book, pl.DataFrame], pl.DataFrame]


def book_leaks(book: Book, as_of: date) -> list[Suspicion]:
    """Columns of ``features_at`` and of the book's further ones that know when items are paid.

    Uses what is known at ``as_of``: the delays of items settled by then, asked about on the eve of their
    document. A further column that holds dates is judged as days since the document.
    """
    known = book.known_by(as_of)
    closed = _closed_when_known(known)
    settled = known.items.join(_delays(known), on="item_id", how="inner").drop_nulls("document_date")
    settled = settled.gather_every(max(1, -(-len(settled) // MAX_ROWS)))
    eve = settled.select("item_id", as_of=pl.col("document_date").dt.offset_by("-1d"))
    frame = features_at(known, eve)
    names = feature_names(book.extra)
    frame = frame.with_columns(days_of_dates(frame[name], frame["document_date"]) for name in book.extra)
    group = frame["account_id"].rank("dense").cast(pl.Int64).to_numpy() - 1
    outcome = settled["delay"].cast(pl.Float64).to_numpy()
    found = suspicious_features(frame, outcome, names, group, doubtful=book.extra)
    named = {suspicion.column for suspicion in closed}
    return closed + [suspicion for suspicion in found if suspicion.column not in named]


def without(book: Book, columns: list[str]) -> Book:
    """The book with these of its further columns out of use. Columns of every book are never left out."""
    return replace(book, extra=tuple(name for name in book.extra if name not in columns))


def _delays(book: Book) -> pl.DataFrame:
    """item_id, delay: of items paid whole, days from the due date to the last payment."""
    return (
        book.ends.join(book.items.select("item_id", "due_date", owed="amount_mills"), on="item_id")
        .group_by("item_id")
        .agg(
            pl.col("amount_mills").sum().alias("used"),
            pl.col("owed").first(),
            (pl.col("cause") == PAID).all().alias("is_paid"),
            (pl.col("end_date").max() - pl.col("due_date").first()).dt.total_days().alias("delay"),
        )
        .filter(pl.col("is_paid") & (pl.col("used") >= pl.col("owed")) & pl.col("delay").is_not_null())
        .select("item_id", "delay")
    )


def days_of_dates(column: pl.Series, since: pl.Series) -> pl.Series:
    """A column of dates (or of texts that all read as dates in one way) as days after ``since``.

    Any other column comes back as it is.
    """
    if column.dtype == pl.String and column.null_count() < len(column):
        for form in _DATE_FORMATS:
            read = column.str.strip_chars().str.to_date(form, strict=False)
            if read.null_count() == column.null_count():
                column = read
                break
    if column.dtype.is_temporal() and column.dtype != pl.Duration and column.dtype != pl.Time:
        days = (column.cast(pl.Date) - since).dt.total_days()
        return days.cast(pl.Float64).alias(column.name)
    return column


def _closed_when_known(book: Book) -> list[Suspicion]:
    """Further columns whose value, or lack of one, tells closed items from open ones of the same month."""
    used = book.ends.group_by("item_id").agg(pl.col("amount_mills").sum().alias("used"))
    items = book.items.join(used, on="item_id", how="left", maintain_order="left")
    is_closed = pl.col("used").fill_null(0) >= pl.col("amount_mills")
    items = items.with_columns(
        is_closed.alias("_closed"), pl.col("document_date").dt.truncate("1mo").alias("_month")
    )
    closed = items["_closed"].cast(pl.Boolean).to_numpy()
    if min(closed.sum(), (~closed).sum()) < LEAST_OF_A_KIND:
        return []
    month = items["_month"].rank("dense").fill_null(0).cast(pl.Int64).to_numpy()
    result = []
    for name in book.extra:
        shares = [_difference(values, closed, month) for values in _indicators(items[name])]
        value = max(shares, default=0.0)
        if value >= CLOSED_LIMIT:
            result.append(Suspicion(name, "known_when_closed", "explained", value))
    return result


def _indicators(column: pl.Series) -> list[Floats]:
    """Whether each row has a value, and, of a text, whether it has each of the commonest."""
    result = [column.is_not_null().cast(pl.Float64).to_numpy()]
    if column.dtype == pl.String:
        common = column.drop_nulls().value_counts(sort=True)[column.name].head(10)
        result += [(column == value).fill_null(False).cast(pl.Float64).to_numpy() for value in common]
    return result


def _difference(values: Floats, closed: np.ndarray[tuple[int], np.dtype[np.bool_]], month: Ints) -> float:
    """Mean over months of the difference of shares between closed and open items, weighted by rows.

    Only months with some of either kind count: a column that came into use one day tells months apart, and
    old items are closed.
    """
    size = int(month.max(initial=0)) + 1
    of_closed, of_open = (
        np.bincount(month[closed], minlength=size),
        np.bincount(month[~closed], minlength=size),
    )
    both = (of_closed > 0) & (of_open > 0)
    weight = np.minimum(of_closed, of_open)[both]
    if weight.sum() < LEAST_OF_A_KIND:
        return 0.0
    yes_closed = np.bincount(month[closed], weights=values[closed], minlength=size)[both] / of_closed[both]
    yes_open = np.bincount(month[~closed], weights=values[~closed], minlength=size)[both] / of_open[both]
    return abs(float((weight * (yes_closed - yes_open)).sum() / weight.sum()))


def shuffled_future(book: Book, day: date, seed: int = 0, asked: pl.DataFrame | None = None) -> Book:
    """The book with all facts that became known after ``day`` permuted, column by column, among themselves.

    They stay known after that day, but say something else. ``asked``: landmarks whose items describe
    themselves and so keep their own columns even where they are known later.
    """
    order = np.random.default_rng(seed)
    frames: dict[str, pl.DataFrame] = {}
    for name, schema in SCHEMAS.items():
        frame: pl.DataFrame = getattr(book, name)
        is_later = pl.col("known_date") > day
        if name == "items" and asked is not None:
            is_later &= ~pl.col("item_id").is_in(asked["item_id"].unique().implode())
        later = frame.filter(is_later)
        fixed = ("item_id", "known_date") if name == "items" else ("known_date",)
        permuted = later.with_columns(
            later[column].gather(order.permutation(len(later)))
            for column in (*schema, *(book.extra if name == "items" else ()))
            if column not in fixed
        )
        frames[name] = pl.concat([frame.filter(~is_later), permuted])
    return Book(**frames, known_from=book.known_from, extra=book.extra)


def reads_the_future(
    book: Book, landmarks: pl.DataFrame, day: date, features: Features = features_at, seed: int = 0
) -> list[str]:
    """Columns of ``features`` that change when the facts known after ``day`` are permuted.

    landmarks: none later than ``day`` (ValueError otherwise). Empty: the features do not read the future.
    """
    latest = landmarks["as_of"].max()
    if isinstance(latest, date) and latest > day:
        raise ValueError(f"a landmark of {latest} may use facts known after {day}")
    before = features(book, landmarks)
    after = features(shuffled_future(book, day, seed, landmarks), landmarks)
    return [name for name in before.columns if not before[name].equals(after[name])]
