"""Aging: how late an open item is, and in which bucket.

An item is overdue from the day *after* its due date: paid on the due date is paid in time. The buckets
are those every credit office knows; only debit items are put into them, never netted with credits.
"""

from __future__ import annotations

from datetime import date

CURRENT = "current"
# (bucket, first and last day past due); days past due 0 and below are "current".
_RANGES = (("1-30", 1, 30), ("31-60", 31, 60), ("61-90", 61, 90))
OLDEST = ">90"
BUCKETS: tuple[str, ...] = (CURRENT, *(name for name, _, _ in _RANGES), OLDEST)


def days_past_due(due_date: date, as_of: date) -> int:
    """Days from the due date to ``as_of``; 0 on the due date and before it, never negative."""
    return max(0, (as_of - due_date).days)


def is_overdue(due_date: date, as_of: date) -> bool:
    """Whether the due date lies strictly before ``as_of``."""
    return due_date < as_of


def bucket_of(due_date: date, as_of: date) -> str:
    """The aging bucket, one of BUCKETS, of an item due on ``due_date`` seen on ``as_of``."""
    late_days = days_past_due(due_date, as_of)
    if late_days == 0:
        return CURRENT
    return next((name for name, _, last in _RANGES if late_days <= last), OLDEST)


def bucket_bounds(bucket: str) -> tuple[int | None, int | None]:
    """First and last days past due of a bucket, both included; None where it is open-ended.

    For queries and frames that sort many rows at once. Raises KeyError for an unknown bucket.
    """
    bounds: dict[str, tuple[int | None, int | None]] = {name: (low, high) for name, low, high in _RANGES}
    return {**bounds, CURRENT: (None, 0), OLDEST: (_RANGES[-1][2] + 1, None)}[bucket]
