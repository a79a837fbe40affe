"""Aging buckets at their edges, and as a partition of all days."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saldo.core.aging import BUCKETS, bucket_bounds, bucket_of, days_past_due, is_overdue

AS_OF = date(2026, 6, 30)
DAYS = st.dates(date(2000, 1, 1), date(2060, 12, 31))


@pytest.mark.parametrize(
    ("late_days", "bucket"),
    [(-400, "current"), (-1, "current"), (0, "current"), (1, "1-30"), (30, "1-30"), (31, "31-60"),
     (60, "31-60"), (61, "61-90"), (90, "61-90"), (91, ">90"), (4000, ">90")],
)  # fmt: skip
def test_edges(late_days: int, bucket: str) -> None:
    due_date = AS_OF - timedelta(days=late_days)
    assert bucket_of(due_date, AS_OF) == bucket
    assert days_past_due(due_date, AS_OF) == max(0, late_days)
    assert is_overdue(due_date, AS_OF) == (late_days > 0)


@given(DAYS, DAYS)
def test_every_day_is_in_exactly_one_bucket_and_bounds_agree(due_date: date, as_of: date) -> None:
    late_days = (as_of - due_date).days
    bounds = {bucket: bucket_bounds(bucket) for bucket in BUCKETS}
    holding = [
        bucket
        for bucket, (low, high) in bounds.items()
        if (low is None or low <= late_days) and (high is None or late_days <= high)
    ]
    assert holding == [bucket_of(due_date, as_of)]
    assert is_overdue(due_date, as_of) == (holding != ["current"])


@given(DAYS, DAYS)
def test_buckets_only_grow_older(due_date: date, as_of: date) -> None:
    today, tomorrow = (BUCKETS.index(bucket_of(due_date, as_of + timedelta(days=i))) for i in (0, 1))
    assert today <= tomorrow <= today + 1


def test_unknown_bucket_is_an_error() -> None:
    with pytest.raises(KeyError):
        bucket_bounds("30-60")
