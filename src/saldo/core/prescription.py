"""The prescription clock: until when a claim can still be enforced. docs/rules/prescription.md.

    expires = the same day of the year, so many years after the day from which the term runs

The term runs from the due date (art. 2935 of the Italian civil code) and, after every interruption, anew from
the day of it (art. 2945). What interrupts: a formal demand that demonstrably reached the debtor (art. 2943),
and the debtor's own acknowledgement (art. 2944). A reminder that nobody can prove to have arrived does not.
An interruption counts only while the term is still running.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from saldo.core.calendar import add_months, public_holidays

FORMAL_NOTICE, ACKNOWLEDGEMENT = "formal_notice", "acknowledgement"
# Usual terms in years, by kind of item: ordinary (art. 2946); interest and what is paid by the year or in
# shorter terms (art. 2948 no. 4). Transport and forwarding: 1 (art. 2951), by the company's setting.
ORDINARY_YEARS = 10
YEARS = {"installment": ORDINARY_YEARS, "fee": ORDINARY_YEARS, "interest": 5}
MAX_YEARS = 20
SUNDAY = 6
# Feasts in a row are few; more would be a broken calendar.
_MAX_FEASTS = 10


@dataclass(frozen=True, slots=True)
class Interruption:
    """What restarted the term. proof: "pec_receipt", "letter_receipt", "promise" or "plan"; ref: the id of
    the message, promise or plan."""

    day: date
    kind: str
    proof: str
    ref: int


@dataclass(frozen=True, slots=True)
class Clock:
    """starts_date: the day from which the term runs now. last: the interruption that set it, if any."""

    starts_date: date
    expires_date: date
    last: Interruption | None
    is_expired: bool


@lru_cache(maxsize=16_384)
def expires(starts_date: date, years: int, country: str = "IT") -> date:
    """The last day on which the claim can be enforced or the term interrupted.

    The first day does not count, the last one does; one that is a feast moves to the next day that is not
    (art. 2963).

    >>> expires(date(2016, 3, 10), 10)
    datetime.date(2026, 3, 10)
    """
    day = add_months(starts_date, 12 * years)
    for _ in range(_MAX_FEASTS):
        if day.weekday() != SUNDAY and day not in public_holidays(country, day.year):
            break
        day += timedelta(days=1)
    return day


def years_of(kind: str, own: dict[str, int] | None = None) -> int:
    """The term of a kind of item: the company's own, else the law's."""
    return (own or {}).get(kind, YEARS.get(kind, ORDINARY_YEARS))


def clock(
    due_date: date, years: int, interruptions: Iterable[Interruption], as_of: date, country: str = "IT"
) -> Clock:
    """The clock of one claim as it stands on ``as_of``; later interruptions are not known yet.

    What happened before the due date (a promise on an item that is not due) does not shorten anything: the
    term cannot begin before the claim can be enforced.
    """
    starts, last = due_date, None
    known = sorted(
        (each for each in interruptions if each.day <= as_of), key=lambda each: (each.day, each.ref)
    )
    for each in known:
        if each.day > expires(starts, years, country):
            break
        if each.day >= starts:
            starts, last = each.day, each
    end = expires(starts, years, country)
    return Clock(starts, end, last, as_of > end)
