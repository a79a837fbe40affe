"""What came of the items that were open on some past days: the past that a cash forecast learns from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from saldo.analytics.book import Book, balances
from saldo.analytics.cash_history import cash_movements

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Items of which it is looked whether they were open, and landmarks, at most.
MOST_ITEMS, MOST_LANDMARKS = 100_000, 20_000
LANDMARK_DAYS, STEP_WEEKS = 13, 4
# Days after each landmark that are looked at.
SEEN_DAYS = 7 * STEP_WEEKS
# Amounts count up to this quantile: a few giants would be all that is seen.
AMOUNT_QUANTILE = 0.95


def past_landmarks(book: Book, as_of: date) -> pl.DataFrame:
    """LANDMARKS on past days whose following four weeks are over: whole customers, MOST_LANDMARKS at most."""
    first = book.items["known_date"].min()
    days = []
    if isinstance(first, date):
        # A book that has just begun holds only what is new.
        begin = max(first, book.known_from or first) + timedelta(days=SEEN_DAYS)
        days = [as_of - timedelta(days=7 * STEP_WEEKS * step) for step in range(1, LANDMARK_DAYS + 1)]
        days = [day for day in days if day >= begin]
    landmarks = pl.DataFrame({"as_of": days}, schema={"as_of": pl.Date})
    if not days:
        return landmarks.select(pl.lit(0, pl.Int64).alias("item_id"), "as_of").clear()
    customers = book.items.select("item_id", "customer_id", "known_date")
    asked = (
        _of_some(customers, MOST_ITEMS)
        .join(landmarks, how="cross")
        .filter(pl.col("known_date") <= pl.col("as_of"))
    )
    ends = book.ends.join(asked, on="item_id", how="semi")
    is_open = balances(replace(book, ends=ends), asked)["balance_mills"] > 0
    return _of_some(asked.filter(is_open), MOST_LANDMARKS).select("item_id", "as_of")


def _of_some(rows: pl.DataFrame, most: int) -> pl.DataFrame:
    """The rows of whole customers, as many of them as have no more than ``most`` rows together."""
    if rows.height <= most:
        return rows
    chosen = (
        rows.group_by("customer_id")
        .len()
        # Spread by a multiplicative hash: neither the first customers nor the largest ones.
        .sort((pl.col("customer_id").cast(pl.UInt64) * 2654435761) % 2**32, "customer_id")
        .filter(pl.col("len").cum_sum() <= most)
    )
    return rows.join(chosen, on="customer_id", how="semi", maintain_order="left")


@dataclass(frozen=True, slots=True)
class Seen:
    """Past landmarks with what came. A row each, in their order.

    days: the landmarks' days, sorted; of_day, group: the number of each landmark's day, and of its customer
    on that day. amount: its balance as a share of the mean one. came: share of the balance that was cash by
    the evening of each of SEEN_DAYS days after it (landmarks x days).
    """

    days: list[date]
    of_day: Ints
    group: Ints
    amount: Floats
    came: Floats


def look_back(book: Book, landmarks: pl.DataFrame, as_of: date) -> Seen:
    """What of ``landmarks`` (past_landmarks, at least one) was cash, as known on ``as_of``."""
    items = book.items.join(landmarks, on="item_id", how="semi")
    book = replace(book, items=items, ends=book.ends.join(items, on="item_id", how="semi"))
    facts = balances(book, landmarks)
    amount = facts["balance_mills"].to_numpy().astype(np.float64)
    amount = np.minimum(amount, np.quantile(amount, AMOUNT_QUANTILE))
    number = facts.select(
        (pl.col("as_of").rank("dense") - 1).cast(pl.Int64).alias("day"),
        (pl.struct("as_of", "customer_id").rank("dense") - 1).cast(pl.Int64).alias("group"),
    )
    return Seen(
        facts["as_of"].unique().sort().to_list(),
        number["day"].to_numpy(),
        number["group"].to_numpy(),
        amount / amount.mean(),
        _came_by_day(book, facts, as_of),
    )


def _came_by_day(book: Book, facts: pl.DataFrame, as_of: date) -> Floats:
    keys = facts.select("item_id", landmark="as_of").with_row_index("row")
    days = (pl.col("cash_date") - pl.col("landmark")).dt.total_days()
    paid = (
        keys.join(cash_movements(book).filter(pl.col("known_date") <= as_of), on="item_id")
        .filter(pl.col("known_date") > pl.col("landmark"))
        # Paid before the day and told after: the first thing that the forecast of the day meets.
        .select("row", "cash_mills", day=days.clip(lower_bound=1) - 1)
        .filter(pl.col("day") < SEEN_DAYS)
    )
    cell = paid["row"].to_numpy().astype(np.int64) * SEEN_DAYS + paid["day"].to_numpy()
    cash = np.bincount(cell, paid["cash_mills"].to_numpy(), minlength=facts.height * SEEN_DAYS)
    balance = facts["balance_mills"].to_numpy()[:, None]
    result: Floats = np.clip(cash.reshape(-1, SEEN_DAYS).cumsum(axis=1) / balance, 0.0, 1.0)
    return result
