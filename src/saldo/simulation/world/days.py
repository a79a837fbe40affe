"""Days as whole numbers since 1970-01-01, and the banking calendar on arrays of them."""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saldo.core.calendar import public_holidays

EPOCH = date(1970, 1, 1)
# A day that no world reaches: what is never paid is paid then.
NEVER = 2_000_000
Days = NDArray[np.int64]


def number(day: date) -> int:
    return (day - EPOCH).days


@cache
def day_of(number_: int) -> date:
    return EPOCH + timedelta(days=number_)


@cache
def calendar() -> np.busdaycalendar:
    """Italian business days of half a century."""
    feasts = [day for year in range(2000, 2051) for day in public_holidays("IT", year)]
    return np.busdaycalendar(holidays=sorted(feasts))


def _dates(days: Any) -> Any:
    return np.asarray(days, dtype=np.int64).astype("datetime64[D]")


def next_business(days: Any) -> Days:
    """Each day, or the next business day."""
    return np.busday_offset(_dates(days), 0, roll="forward", busdaycal=calendar()).astype(np.int64)


def previous_business(days: Any) -> Days:
    return np.busday_offset(_dates(days), 0, roll="backward", busdaycal=calendar()).astype(np.int64)


def add_business(days: Any, count: Any) -> Days:
    """``count`` business days later."""
    return np.busday_offset(_dates(days), count, roll="forward", busdaycal=calendar()).astype(np.int64)


def is_business(days: Any) -> NDArray[np.bool_]:
    return np.is_busday(_dates(days), busdaycal=calendar())


def weekday(days: Any) -> Days:
    """0 = Monday."""
    return (np.asarray(days, dtype=np.int64) + 3) % 7


def month_of(days: Any) -> Days:
    """Months since January 1970."""
    return _dates(days).astype("datetime64[M]").astype(np.int64)


def month_start(months: Any) -> Days:
    return np.asarray(months, dtype=np.int64).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)


def month_end(days: Any) -> Days:
    """The last day of the month of each day."""
    return month_start(month_of(days) + 1) - 1


def year_of(days: Any) -> Days:
    return _dates(days).astype("datetime64[Y]").astype(np.int64) + 1970


def next_of_month(days: Any, day_of_month: int) -> Days:
    """The first ``day_of_month`` (31: the last day) on or after each day."""
    days = np.asarray(days, dtype=np.int64)
    this = np.minimum(month_start(month_of(days)) + day_of_month - 1, month_end(days))
    following = month_start(month_of(days) + 1)
    then = np.minimum(following + day_of_month - 1, month_end(following))
    return np.where(this >= days, this, then)
