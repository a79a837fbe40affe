"""Days and hours typed in a hurry."""

from __future__ import annotations

from datetime import date, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saldo.core.typed_days import parse_day, parse_moment

# A Wednesday.
TODAY = date(2026, 11, 25)

DAYS = [
    ("ven", date(2026, 11, 27)),
    ("Venerdì", date(2026, 11, 27)),
    ("fri", date(2026, 11, 27)),
    ("mer", date(2026, 12, 2)),  # said on a Wednesday: the next one
    ("15/12", date(2026, 12, 15)),
    ("15.12", date(2026, 12, 15)),
    ("15-12-27", date(2027, 12, 15)),
    ("15/12/2026", date(2026, 12, 15)),
    ("2026-12-15", date(2026, 12, 15)),
    ("7/1", date(2027, 1, 7)),  # a day without a year is the next one
    ("20/11", date(2026, 11, 20)),  # a slip: refused as past, not moved to next year
    ("30", date(2026, 11, 30)),
    ("2", date(2026, 12, 2)),
    ("31", date(2026, 12, 31)),
    ("+7", date(2026, 12, 2)),
    ("+ 2 sett", date(2026, 12, 9)),
    ("10gg", date(2026, 12, 5)),
    ("+1m", date(2026, 12, 25)),
    ("domani", date(2026, 11, 26)),
    ("dom", date(2026, 11, 26)),
    ("domenica", date(2026, 11, 29)),
    ("oggi", TODAY),
    ("tomorrow", date(2026, 11, 26)),
    ("fine mese", date(2026, 11, 30)),
    ("entro il 10 dicembre", date(2026, 12, 10)),
    ("15 dicembre", date(2026, 12, 15)),
    ("dopodomani", date(2026, 11, 27)),
]
NO_DAYS = [
    "",
    "   ",
    "boh",
    "32/12",
    "31/2",
    "0",
    "99",
    "ven o sab",
    "la settimana prossima",
    "1/13",
    "+",
    "x" * 500,
]


@pytest.mark.parametrize(("text", "day"), DAYS)
def test_a_day_as_it_is_typed(text: str, day: date) -> None:
    assert parse_day(text, TODAY) == day


@pytest.mark.parametrize("text", NO_DAYS)
def test_what_names_no_one_day_is_no_day(text: str) -> None:
    assert parse_day(text, TODAY) is None


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("ven 15:30", (date(2026, 11, 27), time(15, 30))),
        ("ven 15", (date(2026, 11, 27), time(15))),
        ("15:30", (TODAY, time(15, 30))),
        ("alle 16", (TODAY, time(16))),
        ("domani alle 9", (date(2026, 11, 26), time(9))),
        ("+7 10:00", (date(2026, 12, 2), time(10))),
        ("15/12 9h30", (date(2026, 12, 15), time(9, 30))),
        ("domani pomeriggio", (date(2026, 11, 26), time(14, 30))),
        ("3:30 pm", (TODAY, time(15, 30))),
        ("ven", (date(2026, 11, 27), None)),
        ("15/12", (date(2026, 12, 15), None)),
        ("25:99", None),
        ("", None),
    ],
)
def test_a_day_with_its_hour(text: str, moment: object) -> None:
    assert parse_moment(text, TODAY) == moment


@given(st.text(max_size=80))
def test_nothing_that_is_typed_breaks_it(text: str) -> None:
    parse_moment(text, TODAY)
    parse_day(text, TODAY)


@given(st.dates(date(2026, 11, 25), date(2027, 11, 1)))
def test_a_date_reads_back_as_it_is_written(day: date) -> None:
    assert parse_day(day.strftime("%d/%m/%Y"), TODAY) == day
    assert parse_day(day.strftime("%d/%m"), TODAY) in (day, day.replace(year=day.year - 1))
