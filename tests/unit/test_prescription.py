"""The prescription clock, and what is left of a promise."""

from __future__ import annotations

import doctest
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saldo.core import addresses, prescription, promises
from saldo.core.prescription import ACKNOWLEDGEMENT, FORMAL_NOTICE, Interruption, clock, expires, years_of
from saldo.core.promises import is_waited_for, remaining_mills

DUE = date(2016, 3, 31)


def notice(day: date, ref: int = 1) -> Interruption:
    return Interruption(day, FORMAL_NOTICE, "pec_receipt", ref)


@pytest.mark.parametrize("module", [addresses, prescription, promises])
def test_the_examples_of_the_docstrings_hold(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("start", "years", "end"),
    [
        (date(2016, 3, 31), 10, date(2026, 3, 31)),
        (date(2016, 2, 29), 5, date(2021, 3, 1)),  # 28 February 2021 is a Sunday
        (date(2016, 2, 29), 10, date(2026, 2, 28)),  # a Saturday is no feast
        (date(2015, 12, 25), 10, date(2025, 12, 27)),  # Christmas, then Saint Stephen's
        (date(2025, 4, 5), 1, date(2026, 4, 7)),  # Easter Sunday, then Easter Monday
    ],
)
def test_the_last_day_is_the_same_day_of_the_year_or_the_next_that_is_no_feast(
    start: date, years: int, end: date
) -> None:
    assert expires(start, years) == end


def test_a_formal_notice_starts_the_term_anew_from_its_receipt() -> None:
    told = clock(DUE, 10, [notice(date(2024, 5, 6))], date(2025, 1, 1))
    assert (told.starts_date, told.expires_date) == (date(2024, 5, 6), date(2034, 5, 6))
    assert told.last == notice(date(2024, 5, 6)) and not told.is_expired


def test_what_comes_after_the_end_does_not_bring_the_claim_back() -> None:
    late = notice(date(2026, 4, 1))
    told = clock(DUE, 10, [late], date(2026, 4, 2))
    assert told.is_expired and told.expires_date == date(2026, 3, 31) and told.last is None
    assert not clock(DUE, 10, [notice(date(2026, 3, 31))], date(2026, 4, 2)).is_expired


def test_the_last_of_several_counts_as_far_as_it_is_known() -> None:
    promised = Interruption(date(2023, 1, 10), ACKNOWLEDGEMENT, "promise", 7)
    told = [notice(date(2024, 5, 6)), promised]
    assert clock(DUE, 10, told, date(2024, 1, 1)).last == promised
    assert clock(DUE, 10, told, date(2024, 5, 6)).starts_date == date(2024, 5, 6)


def test_an_acknowledgement_before_the_due_date_does_not_shorten_the_term() -> None:
    early = Interruption(DUE - timedelta(days=30), ACKNOWLEDGEMENT, "promise", 7)
    assert clock(DUE, 10, [early], DUE).expires_date == date(2026, 3, 31)


def test_terms_by_kind_of_item() -> None:
    assert (years_of("installment"), years_of("interest"), years_of("fee")) == (10, 5, 10)
    assert years_of("installment", {"installment": 1}) == 1


days = st.dates(date(2010, 1, 1), date(2030, 1, 1))


@given(days, st.sampled_from([1, 5, 10]), st.lists(days, max_size=5), days)
def test_an_interruption_never_shortens_the_term(
    due: date, years: int, notices: list[date], as_of: date
) -> None:
    bare = clock(due, years, [], as_of)
    told = clock(due, years, [notice(day) for day in notices], as_of)
    assert told.expires_date >= bare.expires_date
    assert told.starts_date <= max(as_of, due)


# --- promises ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("promised", "before", "now", "left"),
    [(1000, 1500, 1500, 1000), (1000, 1500, 900, 400), (1000, 1500, 0, 0), (1000, 1500, 1800, 1000),
     (1000, 1000, 300, 300)],
)  # fmt: skip
def test_what_is_left_of_a_promise(promised: int, before: int, now: int, left: int) -> None:
    assert remaining_mills(promised, before, now) == left


mills = st.integers(0, 10**12)


@given(mills, mills, mills)
def test_never_more_is_expected_than_was_promised_or_is_open(promised: int, before: int, now: int) -> None:
    assert 0 <= remaining_mills(promised, before, now) <= min(promised, now)


def test_a_promise_is_waited_for_until_day_tolerance_and_statements_are_past() -> None:
    day = date(2026, 3, 10)
    assert is_waited_for(day, 3, date(2026, 3, 13))
    assert not is_waited_for(day, 3, date(2026, 3, 14))
    assert is_waited_for(day, 3, date(2026, 3, 20), booked_until=date(2026, 3, 12))
    assert not is_waited_for(day, 3, date(2026, 3, 20), booked_until=date(2026, 3, 13))


# --- addresses --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "country", "number"),
    [("333 1234567", "IT", "+393331234567"), ("02/1234567", "IT", "+39021234567"), ("", "IT", ""),
     ("+49 (0)30 123456", "DE", "+4930123456"), ("030 123456", "DE", "+4930123456"),
     ("0033 1 23 45 67 89", "IT", "+33123456789"), ("n.d.", "IT", "")],
)  # fmt: skip
def test_telephone_numbers(written: str, country: str, number: str) -> None:
    assert addresses.phone_number(written, country) == number


@pytest.mark.parametrize(
    ("address", "is_one"),
    [("Anna.Rossi@Example.com", True), ("a@b", False), ("two@example.com, other@example.com", False),
     ("anna@example.com\nBcc: x@example.com", False), ("@example.com", False),
     ("o'neil+ar@mail.example.co.uk", True), ("a" * 250 + "@example.com", False)],
)  # fmt: skip
def test_what_mail_may_be_sent_to(address: str, is_one: bool) -> None:
    assert addresses.is_email(address) == is_one
