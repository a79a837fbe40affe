"""The cash that came: by week, and as a forecast made earlier has to be compared with it.

Cash is what payments took off items, on their day, less what came back (a returned RiBa or debit, a bounced
payment). Credit notes, discounts and write-offs are none, nor is what ended for an unknown cause.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from saldo.analytics.book import PAID, RETURNED, Book

Floats = npt.NDArray[np.float64]
# Weeks whose cash the simple forecast repeats, and with how few of them there is none.
NAIVE_WEEKS, LEAST_WEEKS = 13, 4
# Normal quantile of a one-sided 90%.
Z80 = 1.2815515655446004

MOVEMENTS: dict[str, pl.DataType] = {
    "item_id": pl.Int64(),
    "currency": pl.String(),
    "item_known": pl.Date(),
    "cash_date": pl.Date(),
    "known_date": pl.Date(),
    "cash_mills": pl.Int64(),
}


def cash_movements(book: Book) -> pl.DataFrame:
    """MOVEMENTS: every payment of an item (positive) and every return (negative)."""
    return (
        book.ends.filter(pl.col("cause").is_in([PAID, RETURNED]))
        .join(book.items.select("item_id", "currency", item_known="known_date"), on="item_id")
        .select(
            "item_id", "currency", "item_known",
            pl.col("end_date").alias("cash_date"), "known_date", pl.col("amount_mills").alias("cash_mills"),
        )
    )  # fmt: skip


def cash_after(movements: pl.DataFrame, as_of: date, weeks: int) -> pl.DataFrame:
    """currency, week (1..), open_mills, future_mills: cash that the evening of ``as_of`` did not know yet.

    open: on items known by then; future: on later ones. A payment with a day before, that was told after, is
    of the first week: the forecast could not know it.
    """
    days = (pl.col("cash_date") - pl.lit(as_of)).dt.total_days()
    return (
        movements.filter(
            (pl.col("cash_date") <= as_of + timedelta(days=7 * weeks))
            & ((pl.col("cash_date") > as_of) | (pl.col("known_date") > as_of))
        )
        .with_columns(week=((days + 6) // 7).clip(lower_bound=1), is_open=pl.col("item_known") <= as_of)
        .group_by("currency", "week")
        .agg(
            pl.col("cash_mills").filter("is_open").sum().alias("open_mills"),
            pl.col("cash_mills").filter(~pl.col("is_open")).sum().alias("future_mills"),
        )
        .sort("currency", "week")
    )


def past_weeks(movements: pl.DataFrame, as_of: date, known_from: date | None) -> dict[str, Floats]:
    """Per currency the cash of each of the last NAIVE_WEEKS weeks before ``as_of``, oldest first.

    Only weeks of which all payments are known; the company's first payment ends the row too.
    """
    known = movements.filter((pl.col("known_date") <= as_of) & (pl.col("cash_date") <= as_of))
    first = known["cash_date"].min()
    if not isinstance(first, date):
        return {}
    begin = first if known_from is None else max(first, known_from)
    count = min(NAIVE_WEEKS, ((as_of - begin).days + 1) // 7)
    back = (pl.lit(as_of) - pl.col("cash_date")).dt.total_days() // 7
    sums = known.with_columns(back=back).filter(pl.col("back") < count)
    found: dict[str, Floats] = {}
    for (currency,), rows in sums.group_by("currency", maintain_order=True):
        place = count - 1 - rows["back"].to_numpy()
        found[str(currency)] = np.bincount(
            place, rows["cash_mills"].to_numpy().astype(np.float64), minlength=count
        ).astype(np.float64)
    return dict(sorted(found.items()))


def naive_weeks(past: Floats, weeks: int) -> tuple[Floats, Floats] | None:
    """The simple forecast: each week as the mean of the past ones, with their own spread.

    Two arrays of 4 x weeks (expected, P10, P50, P90): of each week and of the sum so far. None with fewer
    than LEAST_WEEKS weeks.
    """
    if len(past) < LEAST_WEEKS:
        return None
    mean, spread = past.mean(), past.std(ddof=1)
    one = np.array([mean, *np.quantile(past, (0.1, 0.5, 0.9))])
    count = np.arange(1, weeks + 1)
    width = Z80 * spread * np.sqrt(count)
    total = np.stack(
        [count * mean, np.maximum(count * mean - width, 0.0), count * mean, count * mean + width]
    )
    return np.repeat(one[:, None], weeks, axis=1), total
