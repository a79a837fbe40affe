"""The rungs by name, simplest first, and how to make a fitted one again from its record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from saldo.analytics.payment_date.bayes import EMPIRICAL_BAYES, EmpiricalBayesRung
from saldo.analytics.payment_date.hazard import HAZARD, HazardRung
from saldo.analytics.payment_date.ridge import RIDGE_KM, RidgeKmRung
from saldo.analytics.payment_date.rungs import Fitted, Rung
from saldo.analytics.payment_date.simple import (
    CUSTOMER_MEDIAN,
    DUE_DATE,
    POOLED_KM,
    CustomerMedianRung,
    DueDateRung,
    PooledKmRung,
)

RUNGS: Mapping[str, Rung] = {
    DUE_DATE: DueDateRung(),
    CUSTOMER_MEDIAN: CustomerMedianRung(),
    POOLED_KM: PooledKmRung(),
    EMPIRICAL_BAYES: EmpiricalBayesRung(),
    RIDGE_KM: RidgeKmRung(),
    HAZARD: HazardRung(),
}
NAMES = tuple(RUNGS)
# These give a day and no probabilities: what judges probabilities has no meaning for them.
POINTS = (DUE_DATE, CUSTOMER_MEDIAN)


def rung(name: str) -> Rung:
    """Raises ValueError on a name that is none of NAMES."""
    if name not in RUNGS:
        raise ValueError(f"no rung is called {name!r}")
    return RUNGS[name]


def fitted_from(record: Mapping[str, Any]) -> Fitted:
    """The fitted rung of a record. Raises ValueError where the record is none, or its parts do not fit."""
    try:
        return rung(str(record["rung"])).from_record(record)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(f"not the record of a payment-date model: {error!r}") from error
