"""What is left of a promise, and how long it is waited for. docs/rules/promises.md.

    remaining = max(0, promised - max(0, balance when promised - balance now))

What came off the item since the promise counts as paid on it, whatever was named first; what came back (a
returned receipt) counts as owed again. A promise is waited for until its day and the tolerance are over, and
until the bank statements reach that day: before that nobody can know whether it was kept.
"""

from __future__ import annotations

from datetime import date, timedelta

# A promise further away is a payment plan, or a typing mistake.
MAX_DAYS = 366


def remaining_mills(promised_mills: int, before_mills: int, balance_mills: int) -> int:
    """What is still expected of a promised amount; never more than is open.

    >>> remaining_mills(1_000_000, 1_500_000, 900_000)
    400000
    """
    paid = max(0, before_mills - balance_mills)
    return min(max(0, promised_mills - paid), max(0, balance_mills))


def waited_until(promised_date: date, tolerance_days: int) -> date:
    return promised_date + timedelta(days=tolerance_days)


def is_waited_for(
    promised_date: date, tolerance_days: int, as_of: date, booked_until: date | None = None
) -> bool:
    """Whether the promise may still be kept as far as anybody knows. booked_until: the day to which the bank
    statements reach, None where there are none (the day alone decides)."""
    last = waited_until(promised_date, tolerance_days)
    return as_of <= last or (booked_until is not None and booked_until < last)
