"""Calendar arithmetic against days looked up in a printed calendar."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saldo.core import calendar as cal
from saldo.core.errors import SaldoError

DAYS = st.dates(date(2000, 1, 1), date(2060, 12, 31))


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2024, 1, 31), 1, date(2024, 2, 29)),
        (date(2026, 11, 30), 3, date(2027, 2, 28)),
        (date(2026, 3, 31), -1, date(2026, 2, 28)),
        (date(2026, 1, 15), -13, date(2024, 12, 15)),
    ],
)
def test_add_months(day: date, months: int, expected: date) -> None:
    assert cal.add_months(day, months) == expected


def test_italian_holidays() -> None:
    closed = ["2026-01-06", "2026-04-06", "2026-06-02", "2026-12-08", "2026-08-15", "2026-08-16"]
    assert not any(cal.is_business_day(date.fromisoformat(day)) for day in closed)
    assert cal.is_business_day(date(2026, 4, 3))  # Good Friday: people work, TARGET is closed
    assert not cal.is_banking_day(date(2026, 4, 3))
    assert cal.is_business_day(date(2026, 12, 7)) and not cal.is_business_day(date(2026, 12, 7), "IT", "MI")
    assert cal.is_business_day(date(2026, 6, 2), "FR") and not cal.is_business_day(date(2026, 7, 14), "FR")


def test_unknown_country_says_so() -> None:
    with pytest.raises(SaldoError, match="no calendar of public holidays for: XX"):
        cal.is_business_day(date(2026, 1, 7), "XX")


def test_stepping_over_easter() -> None:
    thursday, tuesday = date(2026, 4, 2), date(2026, 4, 7)
    assert cal.add_business_days(thursday, 1) == date(2026, 4, 3)
    assert cal.add_business_days(thursday, 2) == tuesday
    assert cal.add_business_days(tuesday, -2) == thursday
    assert cal.add_banking_days(thursday, 1) == tuesday
    assert cal.next_business_day(date(2026, 4, 4)) == tuesday
    assert cal.previous_business_day(date(2026, 4, 6)) == date(2026, 4, 3)
    with pytest.raises(ValueError):
        cal.add_banking_days(thursday, -1)


@given(DAYS, st.integers(1, 31))
def test_next_on_day_is_the_first_such_day(day: date, wanted: int) -> None:
    found = cal.next_on_day(day, wanted)
    assert day <= found <= day + timedelta(days=61)
    assert found.day == min(wanted, cal.days_in_month(found))
    between = (day + timedelta(days=i) for i in range((found - day).days))
    assert all(each.day != min(wanted, cal.days_in_month(each)) for each in between)


@given(DAYS, st.integers(1, 40))
def test_business_days_counted_forward_are_counted_back(day: date, count: int) -> None:
    start = cal.next_business_day(day)
    assert cal.add_business_days(cal.add_business_days(start, count), -count) == start


@given(DAYS, st.integers(0, 15), st.integers(1, 60))
def test_trailing_windows_adjoin_and_end_on_the_day(last: date, count: int, days: int) -> None:
    windows = cal.trailing_windows(last, count, days)
    covered = [window.first + timedelta(days=i) for window in windows for i in range(window.days)]
    assert covered == [last - timedelta(days=i) for i in range(count * days - 1, -1, -1)]
    assert all(window.days == days for window in windows)


def test_windows_include_both_ends() -> None:
    february = cal.month_window(date(2024, 2, 10))
    assert date(2024, 2, 29) in february and date(2024, 2, 1) in february and date(2024, 3, 1) not in february
    with pytest.raises(ValueError):
        cal.Window(date(2026, 2, 1), date(2026, 1, 31))
