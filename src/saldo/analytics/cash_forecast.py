"""Expected cash per week from the open items, with an interval.

Formula and worked example: docs/rules/cash-forecast.md. Only open debit items count: sales not yet invoiced,
and credits that customers may still deduct, do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from saldo.analytics.payment_date.empirical_bayes import Z80, DelayModel, paid_within

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


Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Groups:
    """The items' customers and currencies: the group of each item, and the currency of each group."""

    of_item: Ints
    amount: Floats
    currency_of: Ints
    currencies: pl.Series

    @classmethod
    def of(cls, debits: pl.DataFrame) -> _Groups:
        key = ["currency", "customer_id"]
        groups = debits.select(key).unique(maintain_order=True).with_row_index("group")
        currencies = groups.select(pl.col("currency").unique(maintain_order=True)).to_series()
        place = {code: index for index, code in enumerate(currencies.to_list())}
        joined = debits.select(key).join(groups, on=key, how="left", nulls_equal=True, maintain_order="left")
        return cls(
            of_item=joined["group"].to_numpy().astype(np.int64),
            amount=debits["balance_mills"].to_numpy().astype(np.float64),
            currency_of=np.array([place[code] for code in groups["currency"].to_list()], dtype=np.int64),
            currencies=currencies,
        )

    def summed(self, values: Floats) -> Floats:
        """Sums of each group, from one value an item."""
        return np.bincount(self.of_item, values, minlength=len(self.currency_of)).astype(np.float64)

    def by_currency(self, values: Floats) -> Floats:
        """Sums of each currency, from one value a group."""
        return np.bincount(self.currency_of, values, minlength=len(self.currencies)).astype(np.float64)


def _by_currency(groups: _Groups, share: Floats) -> pl.DataFrame:
    """mean and sd per currency and period, from each item's probability of being paid in each period.

    An item is a Bernoulli payment of its whole balance; spreads add up inside a customer, variances across
    customers.
    """
    means, deviations = [], []
    for period in range(share.shape[1]):
        p = np.clip(share[:, period], 0.0, 1.0)
        spread = groups.summed(groups.amount * np.sqrt(p * (1.0 - p)))
        means.append(groups.by_currency(groups.summed(groups.amount * p)))
        deviations.append(np.sqrt(groups.by_currency(spread**2)))
    currencies, periods = len(groups.currencies), share.shape[1]
    balance = groups.by_currency(groups.summed(groups.amount))
    return pl.DataFrame(
        {
            "currency": groups.currencies.to_list() * periods,
            "period": np.repeat(np.arange(1, periods + 1, dtype=np.int64), currencies),
            "mean": np.concatenate(means),
            "sd": np.concatenate(deviations),
            "balance_mills": np.tile(balance, periods),
        }
    )


def _bands(moments: pl.DataFrame, prefix: str) -> pl.DataFrame:
    low = (pl.col("mean") - Z80 * pl.col("sd")).clip(lower_bound=0.0)
    high = pl.min_horizontal(pl.col("mean") + Z80 * pl.col("sd"), pl.col("balance_mills"))
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
    groups = _Groups.of(debits)

    def bands(share: Floats, prefix: str) -> pl.DataFrame:
        return _bands(_by_currency(groups, share), prefix)

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
