"""When each open item will be paid, as far as its account, its segment and the portfolio tell."""

from __future__ import annotations

import polars as pl

from saldo.analytics.payment_date.empirical_bayes import DelayModel, fit, forecast
from saldo.core.priors import default_priors
from saldo.flows.facts import Facts


def score_portfolio(facts: Facts) -> tuple[DelayModel, pl.DataFrame]:
    """The model of the day and the open debits with their forecast (FORECAST_SCHEMA)."""
    model = fit(facts.history, facts.as_of, default_priors().delay, facts.known_from)
    debits = facts.open_items.filter(pl.col("balance_mills") > 0)
    return model, forecast(model, debits)
