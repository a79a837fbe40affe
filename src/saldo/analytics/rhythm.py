"""Two rhythms of a customer: how long it stays silent when something is due, and how much it orders.

Both compare the last weeks with the account's own past and give the probability that its own past would do
as much or more by chance; accounts with little past borrow the spread of the others, never their level.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
from scipy import stats

from saldo.analytics.book import PAID, Book
from saldo.analytics.delay_types import Floats, Ints

FEWEST_SILENCES, FEWEST_ORDERS = 8, 8
# Weight of the spread among all accounts beside the account's own, in observations.
_SPREAD_WEIGHT = 8.0
ORDER_DAYS = 30
_PAST_DAYS = 360
_LEAST_SPREAD = 0.25
# An order or a month of orders that is less than this many times the usual is no spike.
_LEAST_TIMES = 2.0
_QUARTER_DAYS = 91.0


def silences(book: Book, as_of: date) -> pl.DataFrame:
    """Accounts that owe something past due and pay nothing: account_id, days (since the last payment, or
    since the oldest item that waits fell due, the later of the two), usual_days (their median silence
    before), past (silences seen), chance (that one lasts as long or longer, by a log-normal of their own),
    per_quarter (how many they have), since_date.
    """
    known = book.known_by(as_of)
    waits = _waits(known, as_of)
    past = (
        waits.filter(pl.col("paid_date").is_not_null() & (pl.col("days") > 0))
        .with_columns(level=pl.col("days").clip(1).log())
        .group_by("account_id")
        .agg(
            past=pl.len(),
            level=pl.col("level").mean(),
            spread=pl.col("level").var().fill_null(0.0),
            usual_days=pl.col("days").median(),
            first=pl.col("paid_date").min(),
        )
        .filter(pl.col("past") >= FEWEST_SILENCES)
    )
    now = waits.filter(pl.col("paid_date").is_null() & (pl.col("days") > 0)).select(
        "account_id", "days", since_date="start"
    )
    joined = now.join(past, on="account_id").sort("account_id")
    count = joined["past"].to_numpy().astype(np.float64)
    chance = _log_normal_tail(
        np.log(np.maximum(joined["days"].to_numpy().astype(np.float64), 1.0)),
        joined["level"].to_numpy(), joined["spread"].to_numpy(), count, _pooled(past, "spread", "past"),
    )  # fmt: skip
    span = (pl.lit(as_of) - pl.col("first")).dt.total_days().clip(_QUARTER_DAYS)
    return joined.with_columns(
        chance=pl.Series(chance, dtype=pl.Float64), per_quarter=pl.col("past") * _QUARTER_DAYS / span
    ).select("account_id", "days", "usual_days", "past", "chance", "per_quarter", "since_date")


def _waits(known: Book, as_of: date) -> pl.DataFrame:
    """The silences of each account: account_id, start, paid_date (null: the one that lasts), days.

    Before a payment it is silent from the payment before, or from the due date of the oldest item that
    waited for it, whichever is later.
    """
    paid = known.ends.filter((pl.col("cause") == PAID) & (pl.col("amount_mills") > 0))
    settled = known.ends.group_by("item_id").agg(
        used=pl.col("amount_mills").sum(), last=pl.col("end_date").max()
    )
    items = (
        known.items.select("item_id", "account_id", "due_date", "amount_mills")
        .join(settled, on="item_id", how="left")
        .with_columns(is_open=pl.col("used").fill_null(0) < pl.col("amount_mills"))
    )
    days = (
        paid.join(items.select("item_id", "account_id"), on="item_id")
        .group_by("account_id", paid_date="end_date")
        .agg()
    )
    waiting = pl.concat([
        items.filter(~pl.col("is_open")).select("account_id", "due_date", day="last"),
        items.filter("is_open").select("account_id", "due_date", day=pl.lit(None, pl.Date)),
    ])  # fmt: skip
    far = date.max
    ahead = pl.concat([
        waiting.with_columns(pl.col("day").fill_null(far)).select("account_id", "day", "due_date"),
        days.select("account_id", day="paid_date", due_date=pl.lit(None, pl.Date)),
        days.select("account_id").unique().with_columns(day=pl.lit(far), due_date=pl.lit(None, pl.Date)),
    ])  # fmt: skip
    oldest = (
        ahead.group_by("account_id", "day")
        .agg(pl.col("due_date").min())
        .sort("account_id", "day")
        # The oldest due date among what is paid on the day or later; null passes nothing on.
        .with_columns(oldest=pl.col("due_date").fill_null(far).cum_min(reverse=True).over("account_id"))
        .join(
            days.select("account_id", day="paid_date", paid=pl.lit(True)),
            on=["account_id", "day"],
            how="left",
        )
        .filter(pl.col("paid").fill_null(False) | (pl.col("day") == far))
        .with_columns(before=pl.col("day").shift(1).over("account_id"))
        .filter(pl.col("before").is_not_null() & (pl.col("oldest") < far))
        .with_columns(start=pl.max_horizontal("before", "oldest"))
    )
    end = pl.when(pl.col("day") == far).then(pl.lit(as_of)).otherwise("day")
    return oldest.with_columns(
        paid_date=pl.when(pl.col("day") != far).then("day"),
        days=(end - pl.col("start")).dt.total_days().clip(0),
    ).select("account_id", "start", "paid_date", "days")


def order_spikes(book: Book, as_of: date) -> pl.DataFrame:
    """Accounts that order more often, or a larger order, than ever: account_id, orders (of the last 30
    days), usual_orders (of 30 days), largest_mills, usual_mills (median order), past (orders before), chance
    (of the stranger of the two, doubled), per_quarter (orders), since_date (of the first of those orders).

    The number of orders: negative binomial by the account's own rate and the spread between its months that
    all accounts have. The amount: log-normal of its own.
    """
    start = as_of - timedelta(days=ORDER_DAYS - 1)
    known = book.orders.filter((pl.col("known_date") <= as_of) & (pl.col("amount_mills") > 0))
    before = known.filter(
        (pl.col("known_date") < start) & (pl.col("known_date") >= start - timedelta(days=_PAST_DAYS))
    ).with_columns(level=pl.col("amount_mills").log())
    months = pl.col("month")
    per_month = (
        before.with_columns(month=(pl.lit(start) - pl.col("known_date")).dt.total_days() // ORDER_DAYS)
        .group_by("account_id", "month")
        .agg(orders=pl.len())
        .group_by("account_id")
        .agg(total=pl.col("orders").sum(), squares=(pl.col("orders") ** 2).sum(), span=months.max() + 1)
    )
    past = (
        before.group_by("account_id")
        .agg(
            past=pl.len(),
            level=pl.col("level").mean(),
            spread=pl.col("level").var().fill_null(0.0),
            usual_mills=pl.col("amount_mills").median(),
        )
        .join(per_month, on="account_id")
        .filter(pl.col("past") >= FEWEST_ORDERS)
    )
    now = (
        known.filter(pl.col("known_date") >= start)
        .group_by("account_id")
        .agg(
            orders=pl.len(), largest_mills=pl.col("amount_mills").max(), since_date=pl.col("known_date").min()
        )
    )
    joined = now.join(past, on="account_id").sort("account_id")
    often = _more_often(joined, past)
    larger = _larger(joined, past)
    usual = pl.col("total") / pl.col("span")
    return joined.with_columns(
        chance=pl.Series(np.minimum(1.0, 2 * np.minimum(often, larger)), dtype=pl.Float64),
        usual_orders=usual,
        per_quarter=usual * _QUARTER_DAYS / ORDER_DAYS,
    ).select(
        "account_id", "orders", "usual_orders", "largest_mills", "usual_mills", "past", "chance",
        "per_quarter", "since_date",
    )  # fmt: skip


def _more_often(joined: pl.DataFrame, past: pl.DataFrame) -> Floats:
    """Chance of as many orders or more in a month."""
    span, total = past["span"].to_numpy().astype(np.float64), past["total"].to_numpy().astype(np.float64)
    mean = total / np.maximum(span, 1)
    variance = past["squares"].to_numpy() / np.maximum(span, 1) - mean**2
    # Months beyond the pure chance of a Poisson count, relative to the level, over all accounts.
    extra = float(np.clip((variance - mean).sum() / max((mean**2).sum(), 1e-9), 0.01, 4.0))
    months = joined["span"].to_numpy().astype(np.float64)
    level = (joined["total"].to_numpy() + 0.5) / (months + 0.5)
    size = 1.0 / (extra + 1.0 / (joined["total"].to_numpy() + 0.5))
    orders: Ints = joined["orders"].to_numpy().astype(np.int64)
    chance: Floats = stats.nbinom.sf(orders - 1, size, size / (size + level))
    return np.where(orders >= _LEAST_TIMES * level, chance, 1.0)


def _larger(joined: pl.DataFrame, past: pl.DataFrame) -> Floats:
    """Chance of one order as large or larger among so many."""
    count = joined["past"].to_numpy().astype(np.float64)
    largest = joined["largest_mills"].to_numpy().astype(np.float64)
    one = _log_normal_tail(
        np.log(np.maximum(largest, 1.0)), joined["level"].to_numpy(), joined["spread"].to_numpy(), count,
        _pooled(past, "spread", "past"),
    )  # fmt: skip
    any_of = -np.expm1(joined["orders"].to_numpy() * np.log1p(-np.minimum(one, 1 - 1e-12)))
    return np.where(largest >= _LEAST_TIMES * joined["usual_mills"].to_numpy(), any_of, 1.0)


def _pooled(past: pl.DataFrame, spread: str, count: str) -> float:
    """Variance within accounts, over all of them."""
    free = past.select((pl.col(count) - 1).cast(pl.Float64)).to_series()
    total = float(free.sum() or 0.0)
    return max(float((past[spread] * free).sum() or 0.0) / total, _LEAST_SPREAD**2) if total > 0 else 1.0


def _log_normal_tail(value: Floats, level: Floats, spread: Floats, count: Floats, pooled: float) -> Floats:
    """Chance of a value as large or larger, by Student's t with the variance drawn to the pooled one."""
    free = np.maximum(count - 1, 0) + _SPREAD_WEIGHT
    variance = (spread * np.maximum(count - 1, 0) + pooled * _SPREAD_WEIGHT) / free
    deviation = np.sqrt(np.maximum(variance, _LEAST_SPREAD**2) * (1 + 1 / np.maximum(count, 1)))
    result: Floats = stats.t.sf((value - level) / deviation, free)
    return result
