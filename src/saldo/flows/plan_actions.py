"""Whom to contact, how and why: the ranked worklist."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from saldo.analytics.ranking import DATED, VALUE, WAIT, rank
from saldo.core.priors import PriorityPrior, default_priors
from saldo.flows.facts import Facts


def plan_actions(facts: Facts, forecasts: pl.DataFrame, currency: str) -> pl.DataFrame:
    """RANKING_SCHEMA with account_id and open_mills; ``currency`` is the company's.

    What a contact would not pay for is left to wait, but not forgotten: an account that is overdue and that
    nobody contacted for the stated days comes back for review.
    """
    prior = default_priors().priority
    # What the bank is collecting is owed and counts in the totals, but nobody is asked for it.
    asked = forecasts.join(facts.in_flight, on="item_id", how="anti")
    ranked = rank(asked, facts.as_of, prior, facts.dated, currency)
    reviews = _reviews(ranked, facts, prior)
    if reviews.height:
        reviewed = rank(asked, facts.as_of, prior, pl.concat([facts.dated, reviews]), currency)
        ranked = _with_reviews(ranked, reviewed, reviews["account_id"])
    opened = forecasts.group_by("account_id", "currency").agg(
        pl.col("balance_mills").sum().alias("open_mills")
    )
    return ranked.join(opened, on=["account_id", "currency"], how="left", maintain_order="left")


def _with_reviews(ranked: pl.DataFrame, reviewed: pl.DataFrame, accounts: pl.Series) -> pl.DataFrame:
    """The reviews after what is worth a minute, before what waits: they must not push it down."""
    due = pl.col("account_id").is_in(accounts.implode())
    parts = [
        ranked.filter(~due & (pl.col("block") != WAIT)),
        reviewed.filter(due).with_columns(pl.lit(VALUE).alias("block")),
        ranked.filter(~due & (pl.col("block") == WAIT)),
    ]
    return (
        pl.concat(parts)
        .sort("currency", maintain_order=True)
        .with_columns(
            pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over("currency").alias("rank"),
            pl.col("minutes").cum_sum().over("currency").alias("cumulative_minutes"),
        )
    )


def _reviews(ranked: pl.DataFrame, facts: Facts, prior: PriorityPrior) -> pl.DataFrame:
    """Waiting accounts whose last contact (or first overdue day) lies the stated days back."""
    since = pl.max_horizontal(
        pl.lit(facts.as_of) - pl.duration(days=pl.col("oldest_days")), pl.col("last_contact")
    ).cast(pl.Date)
    return (
        ranked.filter(pl.col("block") == WAIT)
        .filter(~pl.col("account_id").is_in(ranked.filter(pl.col("block") == DATED)["account_id"].implode()))
        .join(facts.contacts, on="account_id", how="left")
        .select("account_id", pl.lit("review_due").alias("code"), since.alias("date"))
        .filter(pl.col("date") <= facts.as_of - timedelta(days=prior.review_days))
        .unique("account_id", keep="first", maintain_order=True)
    )
