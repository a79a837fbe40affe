"""What others say of a customer (rating agencies) as a leaning: how much more, or less, evidence of a change
it takes before the customer is warned of.

By Bayes' rule the odds that a customer is failing are the evidence of its payments times the odds before: of
a customer that an agency already sees as weak less of a change is enough, of a strong one it takes more.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl

from saldo.analytics.default_risk.ratings import rated_pd
from saldo.analytics.delay_types import Floats, Ints

# Of one account: the probability of default within a year that somebody else states, from known_date on.
OUTSIDE: dict[str, pl.DataType] = {
    "account_id": pl.Int64(),
    "known_date": pl.Date(),
    "pd": pl.Float64(),
}
# An older opinion says nothing of today.
_VALID_DAYS = 400
# No opinion weighs more than this in log odds, however sure it is.
_MOST = 2.5
_LEAST_PD = 1e-4
_FEWEST = 10


def outside_view(accounts: pl.DataFrame, ratings: pl.DataFrame) -> pl.DataFrame:
    """Ratings as OUTSIDE. accounts: account_id, customer_id; ratings: customer_id, agency, value, pd (null:
    by the stated scale of its agency), rating_date. Ratings that no scale reads are left out."""
    rows = [
        (customer, rated, read.pd)
        for customer, agency, value, pd, rated in ratings.select(
            "customer_id", "agency", "value", "pd", "rating_date"
        ).iter_rows()
        if (read := rated_pd(agency, value, pd)) is not None
    ]
    told = pl.DataFrame(
        rows, schema={"customer_id": pl.Int64, "known_date": pl.Date, "pd": pl.Float64}, orient="row"
    )
    return (
        accounts.select(pl.col("account_id", "customer_id").cast(pl.Int64))
        .join(told, on="customer_id")
        .select(*OUTSIDE)
        .sort("account_id", "known_date")
    )


def latest(outside: pl.DataFrame | None, as_of: date) -> pl.DataFrame:
    """The last opinion on each account that is known by ``as_of`` and not too old: OUTSIDE."""
    if outside is None:
        return pl.DataFrame(schema=OUTSIDE)
    known = pl.col("known_date").is_between(as_of - timedelta(days=_VALID_DAYS), as_of)
    return (
        outside.filter(known & pl.col("pd").is_between(0.0, 1.0))
        .sort("account_id", "known_date", "pd")
        .group_by("account_id", maintain_order=True)
        .last()
        .select(*OUTSIDE)
    )


def usual_pd(opinions: pl.DataFrame) -> float | None:
    """The mean opinion, which is what can be said of a customer on whom there is none; None where there are
    too few to tell."""
    return float(opinions["pd"].to_numpy().mean()) if opinions.height >= _FEWEST else None


def leanings(opinions: pl.DataFrame, accounts: Ints) -> Floats:
    """Log odds of each account's opinion against the usual one, 0 where there is none."""
    usual = usual_pd(opinions)
    result = np.zeros(len(accounts))
    if usual is None or not len(accounts):
        return result
    ids = opinions["account_id"].to_numpy()
    at = np.clip(np.searchsorted(accounts, ids), 0, len(accounts) - 1)
    here = accounts[at] == ids
    odds = _log_odds(opinions["pd"].to_numpy()) - _log_odds(np.array([usual]))
    result[at[here]] = np.clip(odds[here], -_MOST, _MOST)
    return result


def _log_odds(pd: Floats) -> Floats:
    clipped = np.clip(pd, _LEAST_PD, 1 - _LEAST_PD)
    return np.asarray(np.log(clipped / (1 - clipped)), dtype=np.float64)
