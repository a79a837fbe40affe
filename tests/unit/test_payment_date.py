"""The payment date forecast on histories whose answer can be worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from saldo.analytics.payment_date import delays
from saldo.analytics.payment_date.empirical_bayes import (
    FORECAST_SCHEMA,
    fit,
    forecast,
    paid_within,
    payment_forecast,
)
from saldo.core.priors import default_priors

AS_OF = date(2026, 3, 31)
# account, segment, days from due date to AS_OF, delay (None: open)
Row = tuple[int, str | None, int, int | None]
HISTORY = {
    "account_id": pl.Int64, "segment": pl.Utf8, "document_date": pl.Date, "due_date": pl.Date,
    "paid_date": pl.Date, "closed_unknown": pl.Boolean,
}  # fmt: skip


def history(rows: list[Row], closed_unknown: bool = False) -> pl.DataFrame:
    """Rows of (account, segment, days from due date to AS_OF, delay or None if open)."""
    records = []
    for account, segment, age, delay in rows:
        due = AS_OF - timedelta(days=age)
        paid = None if delay is None else due + timedelta(days=delay)
        records.append((account, segment, due - timedelta(days=30), due, paid, closed_unknown))
    return pl.DataFrame(records, schema=HISTORY, orient="row")


def open_items(rows: list[tuple[int, str | None, int]]) -> pl.DataFrame:
    return history([(*row, None) for row in rows]).drop("paid_date", "closed_unknown")


def regular(account: int, delay: int, count: int, segment: str | None = "A") -> list[Row]:
    return [(account, segment, 60 + 7 * i, delay + i % 3 - 1) for i in range(count)]


def test_accounts_keep_their_own_habits() -> None:
    book = history(regular(1, 2, 30) + regular(2, 40, 30))
    result = payment_forecast(book, open_items([(1, "A", 0), (2, "A", 0)]), AS_OF)
    early, late = ((day - AS_OF).days for day in result["expected_date"])
    assert abs(early - 2) <= 2 and abs(late - 40) <= 4
    assert result["rung"].to_list() == ["account", "account"]
    assert result["median_delay_days"].to_list() == [2.0, 40.0]


def test_age_conditions_the_forecast() -> None:
    """What is already later than its account ever was is not expected yesterday."""
    book = history(regular(1, 2, 30) + regular(2, 40, 30))
    result = payment_forecast(book, open_items([(1, "A", 20), (1, "A", 120)]), AS_OF)
    assert all(day > AS_OF for day in result["expected_date"].drop_nulls())
    assert result["p_over_90"][1] == 1.0
    assert result["low_date"].min() > AS_OF


def test_the_rung_falls_from_account_to_segment_to_portfolio() -> None:
    book = history([row for account in range(20) for row in regular(account, 5, 3)] + regular(90, 30, 2, "B"))
    asked = open_items([(3, "A", 0), (500, "A", 0), (90, "B", 0), (600, None, 0), (700, "unseen", 0)])
    result = payment_forecast(book, asked, AS_OF)
    assert result["rung"].to_list() == ["account", "segment", "portfolio", "portfolio", "portfolio"]
    assert result["n_history"].to_list() == [3, 0, 2, 0, 0]


def test_open_items_alone_give_the_stated_prior_and_say_so() -> None:
    asked = open_items([(1, None, 0), (2, None, 45)])
    book = asked.with_columns(pl.lit(None, dtype=pl.Date).alias("paid_date"), closed_unknown=pl.lit(False))
    result = payment_forecast(book, asked, AS_OF)
    shares = dict(default_priors().delay.points)
    stated = 1 - (1 - shares[30]) / (1 - shares[0])
    assert result["p30"][0] == pytest.approx(stated)
    assert set(result["rung"]) == {"insufficient"}
    assert result["p30_high"][0] - result["p30_low"][0] > 0.3


def test_no_facts_at_all() -> None:
    empty = history([])
    result = payment_forecast(empty, open_items([(1, None, 0)]), AS_OF)
    assert result["rung"].to_list() == ["insufficient"]
    assert payment_forecast(empty, open_items([]), AS_OF).schema["p30"] == pl.Float64
    assert {name: result.schema[name] for name in FORECAST_SCHEMA} == FORECAST_SCHEMA


def test_a_median_beyond_the_horizon_is_null_with_its_reason() -> None:
    short = replace(default_priors().delay, horizon_days=90)
    book = history([row for account in range(20) for row in regular(account, 5, 5)])
    result = forecast(fit(book, AS_OF, short), open_items([(1, "A", 700)]))
    assert result["expected_date"].to_list() == [None]
    assert result["expected_date_reason"].to_list() == ["beyond_horizon"]
    assert result["high_date"].to_list() == [None]


def test_a_later_fact_is_refused() -> None:
    with pytest.raises(ValueError, match="after as_of"):
        fit(history([(1, "A", 5, 6)]), AS_OF)
    with pytest.raises(ValueError, match="without a due date"):
        undated = open_items([(1, "A", 0)]).with_columns(due_date=pl.lit(None, pl.Date))
        forecast(fit(history([]), AS_OF), undated)


def test_open_invoices_are_censored_not_dropped() -> None:
    """Forty invoices paid on time and forty open for 60 days: dropping the open ones would say 'on time'."""
    paid = [(a, "A", 60, 0) for a in range(40)]
    still_open = [(a, "A", 60, None) for a in range(40, 80)]
    asked = open_items([(999, "A", -20)])
    p_all = payment_forecast(history(paid + still_open), asked, AS_OF)["p30"][0]
    p_dropped = payment_forecast(history(paid), asked, AS_OF)["p30"][0]
    assert p_dropped > 0.75
    assert p_all == pytest.approx(0.5, abs=0.1)


def test_closures_of_unknown_cause_teach_nothing() -> None:
    book = history(regular(1, 2, 40))
    unknown = history(regular(1, 80, 40), closed_unknown=True).filter(pl.col("paid_date") <= AS_OF)
    asked = open_items([(1, "A", 0)])
    with_them = payment_forecast(pl.concat([book, unknown]), asked, AS_OF)
    assert with_them.equals(payment_forecast(book, asked, AS_OF))


def test_old_open_items_from_before_the_known_payments_do_not_slow_everybody() -> None:
    """Payments are known for 90 days only; items open since long before were chosen by being open."""
    recent = [(a, "A", 50 + a % 30, a % 7) for a in range(60)]
    book = history([*recent, *((a, "A", 100 + a, None) for a in range(100, 130))])
    asked = open_items([(500, "A", 0)])
    known_from = AS_OF - timedelta(days=90)
    careful = payment_forecast(book, asked, AS_OF, known_from=known_from)["p30"][0]
    assert careful > payment_forecast(book, asked, AS_OF)["p30"][0] + 0.1


def test_counts_are_those_worked_out_by_hand() -> None:
    """Paid on day 2; open at day 1; entering at day 1 and paid on day 46, in the cell of days 46 to 48."""
    counts = delays.count(
        np.array([0, 0, 0]), np.array([-1, -1, 1]), np.array([2, 1, 46]),
        np.array([True, False, True]), np.ones(3), 1,
    )  # fmt: skip
    cell = {int(end): k for k, end in enumerate(delays.EDGES[1:])}
    at_risk, paid = counts.at_risk[0], counts.paid[0]
    assert [at_risk[cell[day]] for day in (-2, -1, 0, 1, 2, 3)] == [0, 2, 2, 3, 2, 1]
    assert at_risk[cell[48]] == 1 and at_risk[cell[51]] == 0
    assert paid.sum() == 2 and paid[cell[2]] == 1 and paid[cell[48]] == 1


def test_a_censored_cell_counts_by_the_share_seen() -> None:
    zero = np.array([0])
    counts = delays.count(zero, zero, np.array([46]), np.array([False]), np.array([1.0]), 1)
    last = list(delays.EDGES[1:]).index(48)
    assert counts.at_risk[0][last] == pytest.approx(1 / 3)
    assert counts.at_risk.sum() == pytest.approx(46 + 1 / 3)


def test_log_gamma() -> None:
    x = np.array([1e-6, 0.1, 1.0, 2.5, 40.0, 1e6])
    assert delays._log_gamma(x) == pytest.approx([math.lgamma(v) for v in x], rel=1e-9, abs=1e-9)


def test_forecast_equals_paid_within() -> None:
    model = fit(history(regular(1, 5, 40)), AS_OF)
    asked = open_items([(1, "A", -10), (1, "A", 3)])
    result = forecast(model, asked)
    shares = paid_within(model, asked, [7, 30, 60, 90])
    assert shares.tolist() == result.select("p7", "p30", "p60", "p90").to_numpy().tolist()
