"""Expected cash per week from the open items, with an interval.

Formula and worked example: docs/rules/cash-forecast.md. Only open debit items count: sales not yet invoiced,
and credits that customers may still deduct, do not.
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl

from saldo.analytics.payment_date import Z80, DelayModel, paid_within

WEEKS = 13

CASH_SCHEMA: dict[str, pl.DataType] = {
    "currency": pl.Utf8(),
    "week": pl.Int64(),
    "week_start": pl.Date(),
    "week_end": pl.Date(),
    "expected_mills": pl.Int64(),
    "low_mills": pl.Int64(),
    "high_mills": pl.Int64(),
    "cumulative_mills": pl.Int64(),
    "cumulative_low_mills": pl.Int64(),
    "cumulative_high_mills": pl.Int64(),
}


def _moments(balance: pl.Series, share: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> pl.DataFrame:
    """Expected cash and standard deviation of each item: a Bernoulli payment of its whole balance."""
    amount = balance.to_numpy().astype(np.float64)
    share = np.clip(share, 0.0, 1.0)
    return pl.DataFrame({"mean": amount * share, "spread": amount * np.sqrt(share * (1.0 - share))})


def _by_currency(items: pl.DataFrame) -> pl.DataFrame:
    """mean and sd per currency and period: spreads add up inside a customer, variances across customers."""
    customers = items.group_by("currency", "period", "customer_id").agg(
        pl.col("mean").sum(), pl.col("spread").sum(), pl.col("balance_mills").sum()
    )
    return customers.group_by("currency", "period").agg(
        pl.col("mean").sum(), (pl.col("spread") ** 2).sum().sqrt().alias("sd"), pl.col("balance_mills").sum()
    )


def _bands(moments: pl.DataFrame, prefix: str) -> pl.DataFrame:
    low = (pl.col("mean") - Z80 * pl.col("sd")).clip(lower_bound=0.0)
    high = pl.min_horizontal(pl.col("mean") + Z80 * pl.col("sd"), pl.col("balance_mills").cast(pl.Float64))
    return moments.select(
        "currency", "period",
        pl.col("mean").round().cast(pl.Int64).alias(f"{prefix}mean_mills"),
        low.round().cast(pl.Int64).alias(f"{prefix}low_mills"),
        high.round().cast(pl.Int64).alias(f"{prefix}high_mills"),
    )  # fmt: skip


def cash_forecast(model: DelayModel, open_items: pl.DataFrame, weeks: int = WEEKS) -> pl.DataFrame:
    """Expected cash in each of the next ``weeks`` weeks, by currency: the columns of CASH_SCHEMA.

    open_items: account_id, customer_id, segment, due_date, currency, balance_mills; items with a balance of
    zero or less are left out. Week 1 is the seven days after the model's as_of. low/high bound an 80%
    interval by a normal approximation in which all items of a customer are paid or unpaid together, and
    customers are independent. Expected weeks add up exactly to the cumulative figure.
    """
    debits = open_items.filter(pl.col("balance_mills") > 0)
    if debits.is_empty():
        return pl.DataFrame(schema=CASH_SCHEMA)
    cumulative = paid_within(model, debits, [7 * week for week in range(1, weeks + 1)])
    weekly = np.diff(cumulative, axis=1, prepend=0.0)
    keys = debits.select("currency", "customer_id", "balance_mills")

    def bands(share: np.ndarray[tuple[int, ...], np.dtype[np.float64]], prefix: str) -> pl.DataFrame:
        parts = [
            _by_currency(
                pl.concat([keys, _moments(debits["balance_mills"], share[:, week])], how="horizontal")
                .with_columns(pl.lit(week + 1, dtype=pl.Int64).alias("period"))
            )
            for week in range(weeks)
        ]  # fmt: skip
        return _bands(pl.concat(parts), prefix)

    joined = bands(cumulative, "cumulative_").join(bands(weekly, ""), on=["currency", "period"])
    total = pl.col("cumulative_mean_mills")
    start = pl.lit(model.as_of) + pl.duration(days=7 * (pl.col("period") - 1) + 1)
    return (
        joined.sort("currency", "period")
        .with_columns((total - total.shift(1).over("currency").fill_null(0)).alias("expected_mills"))
        .select(
            "currency",
            pl.col("period").alias("week"),
            start.cast(pl.Date).alias("week_start"),
            (start + timedelta(days=6)).cast(pl.Date).alias("week_end"),
            "expected_mills",
            pl.min_horizontal("low_mills", "expected_mills").alias("low_mills"),
            pl.max_horizontal("high_mills", "expected_mills").alias("high_mills"),
            total.alias("cumulative_mills"),
            "cumulative_low_mills",
            "cumulative_high_mills",
        )
    )
