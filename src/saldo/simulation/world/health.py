"""How healthy a customer is on a day: the truth behind balance sheets and ratings.

Not kind: what is told overlaps. Who pays late by choice is healthy; insolvencies that no drift announces show
half as much; drifts that end well look bad for a while too.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from saldo.simulation.draws import Draws, Floats

# Standard deviations above or below the ordinary customer.
BY_TYPE = {
    "prompt": 0.5,
    "end_of_month": 0.3,
    "forgetful": 0.0,
    "short_of_cash": -0.8,
    "disputer": 0.0,
    "strategic": 0.1,
}
# Before an insolvency it falls by this much, the more the closer (years until it is half as far).
BEFORE_INSOLVENCY = 2.4
HALF_YEARS = 1.5
WITHOUT_DRIFT_FACTOR = 0.5
# At the height of a drift that ends well.
IN_DRIFT = 0.8
OWN_SIGMA = 0.9
PASSING_SIGMA = 0.35


def days_of(dates: pl.Series) -> Floats:
    """Days since 1970, NaN for null."""
    return dates.cast(pl.Int32).cast(pl.Float64).fill_null(float("nan")).to_numpy()


def signal(customers: pl.DataFrame, day: NDArray[np.float64] | float) -> Floats:
    """What can be known of each customer on ``day`` (days since 1970), in standard deviations."""
    base = customers["paying_type"].replace_strict(BY_TYPE, return_dtype=pl.Float64).to_numpy()
    insolvency = days_of(customers["insolvency_date"])
    years = np.maximum(insolvency - day, 0.0) / 365.25
    has_drift = customers["drift_from"].is_not_null().to_numpy()
    strength = BEFORE_INSOLVENCY * np.where(has_drift, 1.0, WITHOUT_DRIFT_FACTOR)
    falls = np.nan_to_num(strength * 0.5 ** (years / HALF_YEARS))
    top = days_of(customers["drift_to"])
    apart = np.abs(day - top) / 365.25
    dips = np.nan_to_num(IN_DRIFT * np.clip(1.0 - apart, 0.0, 1.0)) * np.isnan(insolvency)
    return base - falls - dips


def health(draws: Draws, customers: pl.DataFrame, year: int, day: float) -> Floats:
    """The signal with what is the customer's own and the year's: what its books are made of."""
    ids = customers["customer_id"].to_numpy()
    own = OWN_SIGMA * draws.normal("health/own", ids)
    return signal(customers, day) + own + PASSING_SIGMA * draws.normal("health/year", ids, year)
