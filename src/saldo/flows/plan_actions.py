"""Whom to contact, how and why: the ranked worklist."""

from __future__ import annotations

import polars as pl

from saldo.analytics.ranking import rank
from saldo.core.priors import default_priors
from saldo.flows.facts import Facts


def plan_actions(facts: Facts, forecasts: pl.DataFrame, currency: str) -> pl.DataFrame:
    """RANKING_SCHEMA with account_id and open_mills; ``currency`` is the company's, which ranks first."""
    ranked = rank(forecasts, facts.as_of, default_priors().priority, facts.dated, currency)
    opened = forecasts.group_by("account_id", "currency").agg(pl.col("balance_mills").sum().alias("open_mills"))
    return ranked.join(opened, on=["account_id", "currency"], how="left", maintain_order="left")
