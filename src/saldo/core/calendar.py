"""Days: ends of month, business and banking days, and windows of a fixed number of days.

Holidays come from the ``holidays`` package, so moving feasts and new laws are data of that package
(Italy: 4 October is a public holiday again from 2026). A due date is never moved by these functions on
its own: who moves a date (a reminder to a business day, a RiBa to a banking day) calls them on purpose.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

import holidays

from saldo.core.errors import SaldoError

SATURDAY = 5
WINDOW_DAYS = 30


def days_in_month(day: date) -> int:
    return monthrange(day.year, day.month)[1]


def start_of_month(day: date) -> date:
    return day.replace(day=1)


def end_of_month(day: date) -> date:
    return day.replace(day=days_in_month(day))


def is_end_of_month(day: date) -> bool:
    return day.day == days_in_month(day)


def add_months(day: date, months: int) -> date:
    """The same day ``months`` later (earlier if negative), or the last of a shorter month.

    31 January + 1 month = 28 or 29 February. Raises ValueError outside years 1 to 9999.
    """
    index = day.year * 12 + day.month - 1 + months
    return on_day(date(index // 12, index % 12 + 1, 1), day.day)


def on_day(month: date, day_of_month: int) -> date:
    """Day ``day_of_month`` of the month that ``month`` is in, or its last day where it is shorter."""
    return month.replace(day=min(day_of_month, days_in_month(month)))


def next_on_day(day: date, day_of_month: int) -> date:
    """The first ``day_of_month`` on or after ``day`` (31 means the last day of any month)."""
    this_month = on_day(day, day_of_month)
    return this_month if this_month >= day else on_day(add_months(start_of_month(day), 1), day_of_month)


@lru_cache(maxsize=1024)
def public_holidays(country: str, year: int, subdivision: str | None = None) -> frozenset[date]:
    """Public holidays of one year, Sundays only where they are feasts.

    country: ISO 3166 alpha-2. subdivision: as the ``holidays`` package codes it (Italy: the province, which
    adds the patron saint's day). Raises SaldoError("unknown_calendar") if there is no such calendar.
    """
    try:
        return frozenset(holidays.country_holidays(country, subdiv=subdivision, years=year))
    except NotImplementedError as error:
        place = f"{country}-{subdivision}" if subdivision else country
        raise SaldoError("unknown_calendar", country=place) from error


@lru_cache(maxsize=256)
def target_closing_days(year: int) -> frozenset[date]:
    """Weekdays and others on which the euro's TARGET settlement system is closed."""
    return frozenset(holidays.financial_holidays("ECB", years=year))


def is_business_day(day: date, country: str = "IT", subdivision: str | None = None) -> bool:
    """Monday to Friday and no public holiday of the country."""
    return day.weekday() < SATURDAY and day not in public_holidays(country, day.year, subdivision)


def is_banking_day(day: date, country: str = "IT") -> bool:
    """A business day of the country on which TARGET is open too: cash can be booked and settled."""
    return is_business_day(day, country) and day not in target_closing_days(day.year)


def next_business_day(day: date, country: str = "IT", subdivision: str | None = None) -> date:
    """``day`` itself if it is a business day, else the first one after it."""
    while not is_business_day(day, country, subdivision):
        day += timedelta(days=1)
    return day


def previous_business_day(day: date, country: str = "IT", subdivision: str | None = None) -> date:
    """``day`` itself if it is a business day, else the last one before it."""
    while not is_business_day(day, country, subdivision):
        day -= timedelta(days=1)
    return day


def add_business_days(day: date, days: int, country: str = "IT", subdivision: str | None = None) -> date:
    """The ``days``-th business day after ``day`` (before it if negative); 0 gives ``day`` unchanged."""
    step = timedelta(days=1 if days > 0 else -1)
    for _ in range(abs(days)):
        day += step
        while not is_business_day(day, country, subdivision):
            day += step
    return day


def add_banking_days(day: date, days: int, country: str = "IT") -> date:
    """The ``days``-th banking day after ``day`` (days >= 0): when a RiBa or SDD collection is safe."""
    if days < 0:
        raise ValueError(f"banking days are counted forward, not {days}")
    for _ in range(days):
        day += timedelta(days=1)
        while not is_banking_day(day, country):
            day += timedelta(days=1)
    return day


@dataclass(frozen=True, slots=True)
class Window:
    """A span of days, both ends included."""

    first: date
    last: date

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise ValueError(f"a window cannot end ({self.last}) before it starts ({self.first})")

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1


def trailing_windows(last: date, count: int, days: int = WINDOW_DAYS) -> list[Window]:
    """``count`` adjoining windows of ``days`` days, oldest first, the newest ending on ``last`` (included).

    Rolls and trends use fixed days rather than calendar months, so that February is not a better month.
    """
    if count < 0 or days < 1:
        raise ValueError(f"cannot make {count} windows of {days} days")
    ends = [last - timedelta(days=days * back) for back in range(count - 1, -1, -1)]
    return [Window(end - timedelta(days=days - 1), end) for end in ends]


def month_window(day: date) -> Window:
    """The calendar month that ``day`` is in."""
    return Window(start_of_month(day), end_of_month(day))
