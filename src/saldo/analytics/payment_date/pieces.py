"""Items as the pieces that they were paid in: what every model of the payment date learns from.

An item paid in two parts is two pieces weighted by their shares. What came back (a returned RiBa, a bounced
payment) was no payment: it undoes the latest ones before it. What is not known to have ended is censored,
never dropped; a closure of unknown cause is censored on its day.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from saldo.analytics.book import CREDITED, PAID, WRITTEN_OFF, Book

Ints = npt.NDArray[np.int64]

_ITEM = ("item_id", "account_id", "segment", "document_date", "due_date", "amount_mills")
COLUMNS = ("item_id", "account_id", "segment", "document_date", "due_date", "exit_date", "outcome", "weight")
# outcome of a piece
OPEN, IS_PAID, IS_GONE = 0, 1, 2
_LEAST_SHARE = 1e-6
# Payments that become known later than this after their day are too rare to wait for.
LONGEST_LAG_DAYS = 14
# Nobody's terms are longer: a due date beyond is a slip of the pen, and counts as this far away.
LONGEST_TERMS_DAYS = 730


def entry_lag_days(book: Book) -> int:
    """Days by which nine in ten payments are known: a later landmark cannot tell paid from open yet."""
    lag = (book.ends["known_date"] - book.ends["end_date"]).dt.total_days()
    high = lag.quantile(0.9, "higher") if len(lag) else None
    return int(min(max(high or 0, 0), LONGEST_LAG_DAYS))


def _surviving(ends: pl.DataFrame) -> pl.DataFrame:
    """The ends that were not undone: each one's share of the stack of amounts that nothing later took off."""
    used = pl.col("amount_mills").cum_sum().over("item_id")
    ordered = ends.sort("item_id", "end_date", "known_date", maintain_order=True).with_columns(
        used.alias("_used")
    )
    if not (ends["amount_mills"] < 0).any():
        return ordered.with_columns(_kept="amount_mills")
    lowest = pl.col("_used").reverse().cum_min().reverse().over("item_id")
    before = pl.col("_used") - pl.col("amount_mills")
    kept = (lowest - pl.max_horizontal(before, pl.lit(0))).clip(lower_bound=0)
    return ordered.with_columns(kept.alias("_kept")).filter(pl.col("amount_mills") > 0)


def sane_due_date(document: str = "document_date", due: str = "due_date") -> pl.Expr:
    """The due date, at most LONGEST_TERMS_DAYS from the document's date on either side."""
    far = pl.duration(days=LONGEST_TERMS_DAYS)
    return pl.col(due).clip(pl.col(document) - far, pl.col(document) + far)


def pieces(book: Book, as_of: date) -> pl.DataFrame:
    """The pieces of every item known on the evening of ``as_of``, by what was known then.

    Columns: item_id, account_id, segment, document_date, due_date, exit_date, outcome (OPEN, IS_PAID,
    IS_GONE), weight (share of the item's amount; an item's weights add up to 1). exit_date of what is open:
    the last day on which it is known to have been open. Items without a positive amount or a due date are
    left out.
    """
    seen_until = as_of - timedelta(days=entry_lag_days(book))
    items = _usable(book.items.filter(pl.col("known_date") <= as_of)).select(
        *_ITEM, pl.lit(seen_until).alias("_seen")
    )
    ends = book.ends.filter(pl.col("known_date") <= as_of)
    return _cut(items, ends).select(COLUMNS).sort("document_date", "item_id", "exit_date")


def pieces_at(book: Book, pairs: pl.DataFrame, lag_days: int) -> pl.DataFrame:
    """``pieces`` of the accounts of ``pairs`` (pair, account_id, as_of), each as known on its day.

    Adds the column pair. lag_days: days by which payments become known, as of the day of the training.
    """
    known = pl.col("known_date") <= pl.col("as_of")
    seen = (pl.col("as_of") - pl.duration(days=lag_days)).alias("_seen")
    items = _usable(book.items).join(pairs, on="account_id").filter(known)
    ends = book.ends.join(items.select("item_id", "pair", "as_of"), on="item_id").filter(known)
    # An item stands once for each pair: there it is an item of its own.
    numbers = items.select("pair", "item_id").with_row_index("_number").cast({"_number": pl.Int64})
    items = items.with_columns(item_id=numbers["_number"]).select(*_ITEM, seen, "pair")
    ends = ends.join(numbers, on=["pair", "item_id"]).with_columns(item_id="_number")
    cut = _cut(items.drop("pair"), ends)
    return cut.join(items.select("item_id", "pair"), on="item_id").select("pair", *COLUMNS)


def _usable(items: pl.DataFrame) -> pl.DataFrame:
    wanted = (pl.col("amount_mills") > 0) & pl.col("due_date").is_not_null()
    return items.filter(wanted).with_columns(sane_due_date())


def _cut(items: pl.DataFrame, ends: pl.DataFrame) -> pl.DataFrame:
    """Items (_ITEM and _seen, the last day known of each) cut by what ended them."""
    outcome = (
        pl.when(pl.col("cause") == PAID).then(IS_PAID)
        .when(pl.col("cause").is_in([CREDITED, WRITTEN_OFF])).then(IS_GONE)
        .otherwise(OPEN)
    )  # fmt: skip
    survived = _surviving(ends).select(
        "item_id", pl.col("end_date").alias("exit_date"), outcome.cast(pl.Int8).alias("outcome"), "_kept"
    )
    ended = items.join(survived, on="item_id", maintain_order="left").with_columns(
        (pl.col("_kept") / pl.col("amount_mills")).alias("weight")
    )
    shares = ended.group_by("item_id", maintain_order=True).agg(pl.col("weight").sum().alias("_ended"))
    rest = items.join(shares, on="item_id", how="left", maintain_order="left").with_columns(
        pl.col("_seen").alias("exit_date"),
        pl.lit(OPEN, pl.Int8).alias("outcome"),
        (1.0 - pl.col("_ended").fill_null(0.0)).alias("weight"),
    )
    both = pl.concat([ended.select(COLUMNS), rest.select(COLUMNS)]).filter(pl.col("weight") > _LEAST_SHARE)
    over = pl.col("weight").sum().over("item_id").clip(lower_bound=1.0)
    return both.with_columns(pl.col("weight") / over)


def days_between(frame: pl.DataFrame, later: str, earlier: str) -> Ints:
    """later - earlier in days, one number a row."""
    return (
        frame.select((pl.col(later) - pl.col(earlier)).dt.total_days())
        .to_series()
        .to_numpy()
        .astype(np.int64)
    )


def ages(facts: pl.DataFrame) -> Ints:
    """Days past due on the evening of each landmark; facts has as_of, document_date, due_date."""
    frame = facts.select("as_of", sane_due_date())
    return days_between(frame, "as_of", "due_date")
