"""The indicators: the worked examples of docs/rules/kpi.md."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saldo.analytics import kpi as frames
from saldo.core import kpi

AS_OF = date(2026, 3, 31)


def test_worked_example() -> None:
    """600,000 open, 200,000 of it overdue, 900,000 sold in 90 days."""
    assert kpi.dso(600_000_000, 900_000_000).value == 60.0
    assert kpi.best_possible_dso(400_000_000, 900_000_000).value == 40.0
    assert kpi.average_days_delinquent(600_000_000, 400_000_000, 900_000_000).value == 20.0
    assert kpi.overdue_share(200_000_000, 600_000_000).value == pytest.approx(1 / 3)
    assert kpi.cei(500_000, 900_000, 600_000, 400_000).value == pytest.approx(0.8)
    assert kpi.invoice_to_cash_days([(100_000, 30), (300_000, 70)]).value == 60.0


def test_what_cannot_be_known_is_none_with_its_reason() -> None:
    assert (kpi.dso(1, None).value, kpi.dso(1, None).reason) == (None, "sales_unknown")
    assert kpi.dso(1, 0).reason == "no_sales"
    assert kpi.cei(1, None, 1, 1).reason == "sales_unknown"
    assert kpi.overdue_share(0, 0).reason == "nothing_open"
    assert kpi.invoice_to_cash_days([]).reason == "nothing_paid"
    assert kpi.dso(1, None).definition.startswith("dso/1")


@pytest.mark.parametrize(
    ("days", "bucket"),
    [(0, "current"), (1, "1-30"), (30, "1-30"), (31, "31-60"), (60, "31-60"), (90, "61-90"), (91, ">90")],
)
def test_bucket_edges(days: int, bucket: str) -> None:
    assert kpi.bucket_of(days) == bucket


@given(st.lists(st.tuples(st.integers(-(10**9), 10**9), st.integers(-400, 800)), min_size=1, max_size=50))
def test_aging_partitions_the_debits_and_frame_agrees(rows: list[tuple[int, int]]) -> None:
    by_bucket = kpi.aging(rows)
    assert sum(by_bucket.values()) == sum(b for b, _ in rows if b > 0)
    items = pl.DataFrame(
        [("EUR", AS_OF - timedelta(days=days), balance) for balance, days in rows],
        schema={"currency": pl.Utf8, "due_date": pl.Date, "balance_mills": pl.Int64}, orient="row",
    )  # fmt: skip
    result = frames.portfolio_kpis(items, AS_OF, {"EUR": 10**6})["EUR"]
    assert result.buckets == by_bucket
    assert result.net_mills == sum(b for b, _ in rows)
    assert result.overdue_mills == result.open_mills - by_bucket["current"]
    assert result.indicators["dso"] == kpi.dso(result.open_mills, 10**6)


def test_currencies_stay_apart_and_sales_need_the_whole_period() -> None:
    items = pl.DataFrame(
        {"currency": ["EUR", "USD"], "due_date": [AS_OF, AS_OF], "balance_mills": [1000, 7000]}
    )
    documents = pl.DataFrame(
        {"currency": ["EUR", "EUR", "EUR"], "amount_mills": [5000, -1000, 999],
         "document_date": [AS_OF, AS_OF - timedelta(days=89), AS_OF - timedelta(days=90)]}
    )  # fmt: skip
    sales = frames.trailing_sales(documents, AS_OF, date(2025, 1, 1))
    assert sales == {"EUR": 4000}
    assert frames.trailing_sales(documents, AS_OF, None) is None
    assert frames.trailing_sales(documents, AS_OF, AS_OF - timedelta(days=88)) is None
    result = frames.portfolio_kpis(items, AS_OF, sales)
    assert result["EUR"].indicators["dso"].value == 22.5
    assert result["USD"].indicators["dso"].reason == "no_sales"


def test_invoice_to_cash_of_a_frame() -> None:
    day = AS_OF - timedelta(days=10)
    history = pl.DataFrame(
        {"currency": ["EUR"] * 4, "amount_mills": [10**17, 3 * 10**17, 5000, 5000],
         "document_date": [day - timedelta(days=30), day - timedelta(days=70), day, day],
         "paid_date": [day, day, None, day], "closed_unknown": [False, False, False, True]}
    )  # fmt: skip
    result = frames.invoice_to_cash(history, day, AS_OF)["EUR"]
    assert result.value == 60.0 and result.denominator == 4 * 10**17
