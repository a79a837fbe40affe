"""Whose list each row of the day is on, and what of it the day's minutes reach."""

from __future__ import annotations

import polars as pl

from saldo.analytics.ranking import DATED, WAIT
from saldo.collection.assignments import assigned, capacities
from saldo.collection.desk_facts import dealt_with
from saldo.core.context import Context
from saldo.core.desk_prior import default_desk_prior
from saldo.core.priors import default_priors
from saldo.core.sharing import Work, shared_out


def with_collectors(ctx: Context, ranked: pl.DataFrame, currency: str) -> pl.DataFrame:
    """The ranked worklist with collector and is_planned.

    An account is with whom it was given to; else with who dealt with it lately; else it is shared out. While
    nobody has minutes the list is everybody's ("") and all of it is planned. What comes first whatever its
    value is always planned; of the rest, each list as far as its minutes reach.
    """
    told = capacities(ctx)
    minutes = {name: float(amount) for name, amount in told.select("collector", "minutes").iter_rows()}
    owners = dict(
        dealt_with(ctx, default_desk_prior().keeps_days)
        .filter(pl.col("collector").is_in(list(minutes)))
        .iter_rows()
    )
    owners |= dict(assigned(ctx).select("account_id", "collector").iter_rows())
    if not minutes:
        collector = pl.col("account_id").replace_strict(owners, default="", return_dtype=pl.String)
        return ranked.with_columns(collector.alias("collector"), pl.lit(True).alias("is_planned"))
    shares = shared_out(_works(ranked, owners, currency), minutes)
    collector = pl.col("account_id").replace_strict(shares, default="", return_dtype=pl.String)
    return _planned(ranked.with_columns(collector.alias("collector")), minutes, currency)


def _works(ranked: pl.DataFrame, owners: dict[int, str], currency: str) -> list[Work]:
    """One for each account; of several currencies the company's own, or else the first, tells its value.

    What must be done whatever its value is worth its minutes at least.
    """
    per_minute = default_priors().priority.collector_cost_per_minute_mills
    one_each = ranked.sort(pl.col("currency") != currency, maintain_order=True).unique(
        "account_id", keep="first", maintain_order=True
    )
    value = pl.max_horizontal("value_mills", pl.col("minutes") * per_minute).cast(pl.Float64)
    return [
        Work(account, worth, owners.get(account, ""))
        for account, worth in one_each.select("account_id", value).iter_rows()
    ]


def _planned(ranked: pl.DataFrame, minutes: dict[str, float], currency: str) -> pl.DataFrame:
    """With is_planned: in each list, what comes first, and then as far as the minutes reach."""
    first, waits = pl.col("block") == DATED, pl.col("block") == WAIT
    told = pl.col("collector").replace_strict(minutes, default=None, return_dtype=pl.Float64)
    ordered = ranked.with_row_index("_row").sort(
        [~first, waits, pl.col("currency") != currency, pl.col("_row")], maintain_order=True
    )
    reached = pl.col("minutes").cum_sum().over("collector") <= told
    return (
        ordered.with_columns((first | waits | reached.fill_null(True)).alias("is_planned"))
        .sort("_row")
        .drop("_row")
    )
