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
    items = book.items.filter(
        (pl.col("known_date") <= as_of) & (pl.col("amount_mills") > 0) & pl.col("due_date").is_not_null()
    ).select("item_id", "account_id", "segment", "document_date", sane_due_date(), "amount_mills")
    outcome = (
        pl.when(pl.col("cause") == PAID).then(IS_PAID)
        .when(pl.col("cause").is_in([CREDITED, WRITTEN_OFF])).then(IS_GONE)
        .otherwise(OPEN)
    )  # fmt: skip
    ends = _surviving(book.ends.filter(pl.col("known_date") <= as_of)).select(
        "item_id", pl.col("end_date").alias("exit_date"), outcome.cast(pl.Int8).alias("outcome"), "_kept"
    )
    ended = items.join(ends, on="item_id", maintain_order="left").with_columns(
        (pl.col("_kept") / pl.col("amount_mills")).alias("weight")
    )
    shares = ended.group_by("item_id").agg(pl.col("weight").sum().alias("_ended"))
    rest = (
        items.join(shares, on="item_id", how="left", maintain_order="left")
        .with_columns(
            pl.lit(seen_until).alias("exit_date"),
            pl.lit(OPEN, pl.Int8).alias("outcome"),
            (1.0 - pl.col("_ended").fill_null(0.0)).alias("weight"),
        )
        .filter(pl.col("weight") > _LEAST_SHARE)
    )
    columns = [
        "item_id",
        "account_id",
        "segment",
        "document_date",
        "due_date",
        "exit_date",
        "outcome",
        "weight",
    ]
    both = pl.concat([ended.select(columns), rest.select(columns)])
    over = pl.col("weight").sum().over("item_id").clip(lower_bound=1.0)
    return (
        both.filter(pl.col("weight") > _LEAST_SHARE)
        .with_columns(pl.col("weight") / over)
        .sort("document_date", "item_id", "exit_date")
    )


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
