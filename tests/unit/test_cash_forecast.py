"""Expected cash: the worked examples of docs/rules/cash-forecast.md, and what each part of it must find."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from itertools import product

import numpy as np
import polars as pl
import pytest

from saldo.analytics import cash_dependence, cash_past, cash_simulation
from saldo.analytics.book import ENDS, ITEMS, PAID, RETURNED, Book, open_on
from saldo.analytics.cash_forecast import CASH_SCHEMA, cash_forecast, expected_weeks
from saldo.analytics.cash_history import cash_after, cash_movements, naive_weeks, past_weeks
from saldo.analytics.cash_paydays import (
    BEFORE_END,
    BEGINNING,
    CLOSED,
    FIFTEENTH,
    MIDDLE,
    MONTH_END,
    TENTH,
    Paydays,
    find_paydays,
    kind_of_day,
)
from saldo.analytics.cash_sales import monthly_levels, sales_cash, sales_errors
from saldo.analytics.cash_scoring import JUDGED, cash_scores
from saldo.analytics.cash_simulation import Dependence, Portfolio, draw_weeks
from saldo.analytics.curves import WEEKLY, Curves, step_curves
from saldo.core.calendar import end_of_month, next_business_day
from saldo.core.priors import default_priors

AS_OF = date(2026, 3, 31)
DAY = timedelta(days=1)
ALONE = Dependence(0.0, 0.0)


def flat(*shares: float) -> Curves:
    """Curves of items of which a share is paid within a week, and nothing after."""
    return Curves(WEEKLY, np.repeat(np.array(shares, dtype=np.float32)[:, None], len(WEEKLY), axis=1))


def items_of(*rows: tuple[int, str, int]) -> pl.DataFrame:
    """(customer, currency, balance in units) of items 1, 2, …"""
    return pl.DataFrame(
        [
            (number, customer, currency, units * 1000)
            for number, (customer, currency, units) in enumerate(rows, 1)
        ],
        schema={
            "item_id": pl.Int64,
            "customer_id": pl.Int64,
            "currency": pl.String,
            "balance_mills": pl.Int64,
        },
        orient="row",
    )


def book_of(items: list[tuple[int, date, date, int]], ends: list[tuple[int, date, int, str, date]]) -> Book:
    """items: (id, document = known, due, units); ends: (item, day, units, cause, known)."""
    rows = [
        (number, 1, 1, "A", "EUR", document, due, units * 1000, "transfer", document)
        for number, document, due, units in items
    ]
    ended = [(item, day, units * 1000, cause, known) for item, day, units, cause, known in ends]
    return Book(
        pl.DataFrame(rows, schema=ITEMS, orient="row"), pl.DataFrame(ended, schema=ENDS, orient="row")
    )


def test_worked_example_of_independent_items() -> None:
    """1,000 and 3,000 of one customer and 2,000 of another, each paid with 25%: all eight outcomes."""
    amounts = (1000, 3000, 2000)
    chances: dict[int, float] = {}
    for paid in product((0, 1), repeat=3):
        total = sum(a * p for a, p in zip(amounts, paid, strict=True))
        chances[total] = chances.get(total, 0.0) + float(np.prod([0.25 if p else 0.75 for p in paid]))
    totals = sorted(chances)
    below = np.cumsum([chances[total] for total in totals])
    p10, p50, p90 = (totals[int(np.searchsorted(below, q))] for q in (0.1, 0.5, 0.9))
    assert (p10, p50, p90) == (0, 1000, 4000)

    items = items_of(*((customer, "EUR", units) for customer, units in zip((1, 1, 2), amounts, strict=True)))
    week = cash_forecast(flat(0.25, 0.25, 0.25), items, AS_OF, dependence=ALONE).row(0, named=True)
    assert week["expected_mills"] == 1_500_000
    found = [week[f"{name}_mills"] for name in ("low", "middle", "high")]
    assert found == [p10 * 1000, p50 * 1000, p90 * 1000]
    assert (week["week_start"], week["week_end"]) == (AS_OF + DAY, AS_OF + 7 * DAY)


def test_items_of_one_customer_move_together_and_customers_do_not() -> None:
    """A hundred items: of one customer the band is wide, of a hundred customers it is narrow."""
    dependence, curves = Dependence(0.0, 0.5), flat(*[0.5] * 100)

    def width(customers: list[int]) -> float:
        items = items_of(*((customer, "EUR", 10) for customer in customers))
        week = cash_forecast(curves, items, AS_OF, dependence=dependence).row(0, named=True)
        return float(week["high_mills"] - week["low_mills"]) / 1_000_000

    together, apart = width([1] * 100), width(list(range(100)))
    # Given the factor u the share paid is Phi(u): uniform, so that P10 and P90 are 0.1 and 0.9.
    assert together == pytest.approx(0.8, abs=0.04)
    assert apart == pytest.approx(2 * 1.2816 * 0.05, abs=0.03)


@pytest.mark.parametrize("dependence", [Dependence(0.03, 0.2), Dependence(0.1, 0.0), ALONE])
def test_sums_of_many_items_are_those_of_items_drawn_one_by_one(
    dependence: Dependence, monkeypatch: pytest.MonkeyPatch
) -> None:
    spread = np.random.default_rng(5)
    share = 1 - np.exp(-np.arange(1, 14) / (1 + 4 * spread.random((1500, 1))))
    customer = np.sort(spread.integers(0, 400, 1500))
    customer = np.unique(customer, return_inverse=True)[1].astype(np.int64)
    portfolio = Portfolio(share, np.exp(spread.normal(5, 1, 1500)), customer)

    def quantiles() -> np.ndarray:
        draws = draw_weeks(portfolio, dependence, np.random.default_rng(1), 2000)
        weekly, summed = (
            np.quantile(draws, (0.1, 0.9), axis=0),
            np.quantile(draws.cumsum(1), (0.1, 0.9), axis=0),
        )
        return np.stack([weekly, summed]) / portfolio.amount.sum()

    one_by_one = quantiles()
    monkeypatch.setattr(cash_simulation, "DRAWN_ITEMS", 40)
    monkeypatch.setattr(cash_simulation, "DRAWN_CUSTOMERS", 30)
    monkeypatch.setattr(cash_simulation, "_CELLS", 100_000)  # several blocks
    assert np.abs(quantiles() - one_by_one).max() < 0.012


def test_what_is_too_little() -> None:
    nothing = cash_forecast(flat(), items_of(), AS_OF)
    assert nothing.is_empty() and nothing.schema == CASH_SCHEMA
    one = cash_forecast(flat(0.05), items_of((1, "EUR", 100)), AS_OF)
    assert one.schema == CASH_SCHEMA and one["expected_mills"][0] == 5000
    # Paid whole or not at all: one time in twenty is above P90.
    assert one.select("low_mills", "middle_mills", "high_mills").row(0) == (0, 0, 0)
    credits = items_of((1, "EUR", -50), (1, "EUR", 0))
    assert cash_forecast(flat(0.5, 0.5), credits, AS_OF).is_empty()


def test_sales_not_yet_invoiced_are_moved_with_their_payments() -> None:
    """1,000 on the 15th of each month, paid on the last day of the next one: so it goes on."""
    items, ends = [], []
    for number, (year, month) in enumerate(
        [(2025, m) for m in range(5, 13)] + [(2026, m) for m in range(1, 4)]
    ):
        issued = date(year, month, 15)
        paid = ((issued + 50 * DAY).replace(day=1)) - DAY
        paid = (
            paid if paid.month != issued.month else (issued.replace(day=28) + 34 * DAY).replace(day=1) - DAY
        )
        items.append((number, issued, paid, 1000))
        if paid <= AS_OF:
            ends.append((number, paid, 1000, PAID, paid))
    book = book_of(items, ends)
    cash = sales_cash(book, AS_OF, 13)["EUR"]
    # Of April, paid at the end of May, a Sunday: on Monday the 1st of June. Of May, on the 30th.
    weeks = [((day - AS_OF).days - 1) // 7 for day in (date(2026, 6, 1), date(2026, 6, 30))]
    assert np.flatnonzero(cash.mean).tolist() == weeks
    assert cash.mean[weeks] == pytest.approx([1_000_000] * 2, rel=1e-9)
    # After four months none is old enough: what is open is taken as paid on its due day, as the others were.
    day = date(2025, 8, 31)
    young = sales_cash(book.known_by(day), day, 13)["EUR"]
    # Of September; what October brings comes on Sunday the 30th of November, and so a day too late.
    assert young.mean.sum() == pytest.approx(1_000_000, rel=1e-9)
    assert sales_cash(book.known_by(date(2025, 6, 30)), date(2025, 6, 30), 13) == {}


def test_seasons_count_from_a_year_on() -> None:
    year = np.array([100.0] * 7 + [0.0] + [100.0] * 4)
    two = np.concatenate([year, year])
    # January to December twice; the August of the third year is the eighth month ahead.
    levels = monthly_levels(two, 11, 12)
    assert levels[7] < 0.45 * levels[6]
    assert levels[[0, 6, 11]] == pytest.approx(levels[0])
    assert monthly_levels(two[:6], 5, 3) == pytest.approx([100.0] * 3)
    prior = default_priors().cash
    steady, wild = sales_errors(np.full(24, 50.0), prior), sales_errors(np.array([50.0, 400.0] * 9), prior)
    assert steady.level < prior.sales_error and steady.month < prior.sales_month_error
    assert wild.month > 3 * prior.sales_month_error


def _moving_book(common: float, own: float) -> Book:
    """150 customers with four items a month, each paid with 50% by the copula, or credited."""
    rng = np.random.default_rng(8)
    old = AS_OF - 500 * DAY
    rows = [(0, 0, 0, "A", "EUR", old, old, 1000, None, old)]
    ends = [(0, old + DAY, 1000, PAID, old + DAY)]
    for step in range(1, 14):
        day = AS_OF - 28 * step * DAY
        shared = np.sqrt(common) * rng.standard_normal()
        for customer in range(150):
            latent = shared + np.sqrt(own) * rng.standard_normal()
            latent = latent + np.sqrt(1 - common - own) * rng.standard_normal(4)
            for is_late in latent > 0:
                item = len(rows)
                rows.append((item, customer, customer, "A", "EUR", day, day, 1000, None, day))
                ends.append((item, day + 2 * DAY, 1000, "credited" if is_late else PAID, day + 2 * DAY))
    return Book(pl.DataFrame(rows, schema=ITEMS, orient="row"), pl.DataFrame(ends, schema=ENDS, orient="row"))


@pytest.mark.parametrize(("common", "own"), [(0.0, 0.3), (0.2, 0.0)])
def test_correlations_are_found(common: float, own: float) -> None:
    book = _moving_book(common, own)
    landmarks = cash_past.past_landmarks(book, AS_OF)
    assert len(landmarks) == 13 * 600
    seen = cash_past.look_back(book, landmarks, AS_OF)
    found = cash_dependence.estimate_dependence(seen, np.full((len(landmarks), 4), 0.5))
    prior = default_priors().cash
    # Drawn to the stated one by the weight of four days in seventeen.
    drawn = (4 * prior.portfolio_correlation + 13 * common) / 17
    assert found.landmarks == 13
    assert found.portfolio == pytest.approx(drawn, abs=0.02 if common == 0 else 0.09)
    assert found.customer == pytest.approx(own, abs=0.06)
    assert found.week < 0.35


def test_kinds_of_days() -> None:
    """The 31st of May 2026 is a Sunday, so that the 1st of June is the month's end; the 10th of that month is
    a Wednesday, the 15th a Monday, the 1st of January closed."""
    days = [date(2026, 5, 31), date(2026, 6, 1), date(2026, 6, 3), date(2026, 6, 10), date(2026, 6, 15)]
    assert [kind_of_day(day) for day in days] == [CLOSED, MONTH_END, BEGINNING, TENTH, FIFTEENTH]
    assert [kind_of_day(date(2026, 6, day)) for day in (29, 30)] == [BEFORE_END, MONTH_END]
    assert kind_of_day(date(2026, 1, 1)) == CLOSED and kind_of_day(date(2026, 1, 2)) == BEGINNING
    # The 10th of May is a Sunday.
    assert kind_of_day(date(2026, 5, 11)) == TENTH and kind_of_day(date(2026, 5, 12)) == MIDDLE


def month_end(day: date) -> date:
    """The last day of the month, or the next open day."""
    return next_business_day(end_of_month(day))


def test_cash_is_moved_to_the_days_on_which_it_comes() -> None:
    """Everybody pays at the end of the month, of curves that say the same of each day."""
    days = [(date(2025, month, 20), month_end(date(2025, month, 20))) for month in range(1, 13)]
    rows = [(n, 1, 1, "A", "EUR", day, day, 1000, None, day) for n, (day, _) in enumerate(days * 20)]
    ends = [(n, end, 1000, PAID, end) for n, (_, end) in enumerate(days * 20)]
    book = Book(pl.DataFrame(rows, schema=ITEMS, orient="row"), pl.DataFrame(ends, schema=ENDS, orient="row"))
    landmarks = pl.DataFrame(
        {"item_id": list(range(len(rows))), "as_of": [day for day, _ in days * 20]},
        schema={"item_id": pl.Int64, "as_of": pl.Date},
    )
    even = Curves(WEEKLY, np.repeat((np.minimum(WEEKLY, 60) / 75)[None, :].astype(np.float32), len(rows), 0))
    paydays = find_paydays(cash_past.look_back(book, landmarks, AS_OF), even)
    assert paydays.factors is not None and paydays.factors[MONTH_END] > 5
    assert max(paydays.factors[kind] for kind in (CLOSED, TENTH, MIDDLE)) < 0.5
    weekly = np.diff(paydays.by_week(even.rows(np.array([0])), date(2026, 3, 20), 4)[0], prepend=0.0)
    assert weekly.argmax() == 1 and weekly[1] > 3 * weekly[0]  # the 31st of March is in the second week
    assert Paydays().by_week(even.rows(np.array([0])), AS_OF, 1)[0, 0] == pytest.approx(7 / 75)


def test_paydays_that_the_curves_do_not_know_widen_the_weeks() -> None:
    """Curves say the same of each of four weeks; all comes in the second, or in the third."""
    book = _moving_book(0.0, 0.0)
    turn = ((AS_OF - pl.col("end_date")).dt.total_days() // 28) % 2
    moved = pl.col("end_date") + pl.duration(days=7 + 7 * turn)
    ends = book.ends.with_columns(end_date=moved, known_date=moved)
    landmarks = cash_past.past_landmarks(replace(book, ends=ends), AS_OF)
    seen = cash_past.look_back(replace(book, ends=ends), landmarks, AS_OF)
    said = np.repeat(np.arange(1, 5)[None, :] / 8, len(landmarks), axis=0)
    found = cash_dependence.estimate_dependence(seen, said)
    assert found.week > 0.8


def test_without_a_past_the_correlations_are_the_stated_ones() -> None:
    book = book_of([(1, AS_OF - DAY, AS_OF, 10)], [])
    landmarks = cash_past.past_landmarks(book, AS_OF)
    assert landmarks.is_empty()
    rows = expected_weeks(book, open_on(book, AS_OF), flat(0.5), AS_OF, past=lambda earlier: flat())
    alone = items_of((1, "EUR", 10))
    stated = cash_forecast(flat(0.5), alone, AS_OF, dependence=cash_dependence.stated_dependence())
    assert rows.filter(pl.col("kind") == "open")["expected_mills"].equals(stated["expected_mills"])


def test_of_a_large_book_whole_customers_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    book = _moving_book(0.0, 0.0)
    monkeypatch.setattr(cash_past, "MOST_LANDMARKS", 1000)
    chosen = cash_past.past_landmarks(book, AS_OF).join(book.items, on="item_id")
    assert 900 < len(chosen) <= 1000
    assert set(chosen.group_by("customer_id").len()["len"]) == {13 * 4}


def test_cash_that_came_is_that_of_the_weeks_after() -> None:
    """A payment told late is of the first week, a return takes off, a credit note is no cash."""
    before = AS_OF - 30 * DAY
    book = book_of(
        [(1, before, before, 100), (2, before, before, 50), (3, AS_OF + DAY, AS_OF + 9 * DAY, 70)],
        [
            (1, AS_OF - 2 * DAY, 30, PAID, AS_OF - DAY),
            (1, AS_OF, 20, PAID, AS_OF + 2 * DAY),
            (2, AS_OF + 8 * DAY, 50, PAID, AS_OF + 8 * DAY),
            (2, AS_OF + 14 * DAY, -50, RETURNED, AS_OF + 15 * DAY),
            (2, AS_OF + 14 * DAY, 5, "credited", AS_OF + 15 * DAY),
            (3, AS_OF + 15 * DAY, 70, PAID, AS_OF + 15 * DAY),
        ],
    )
    came = cash_after(cash_movements(book), AS_OF, 13)
    assert came.select("week", "open_mills", "future_mills").rows() == [
        (1, 20_000, 0), (2, 0, 0), (3, 0, 70_000),
    ]  # fmt: skip
    assert cash_after(cash_movements(book), AS_OF, 1)["open_mills"].to_list() == [20_000]


def test_the_simple_forecast_repeats_the_last_weeks() -> None:
    first = AS_OF - 34 * DAY
    ends = [(1, AS_OF - 7 * back * DAY, 10 * (back + 1), PAID, AS_OF) for back in range(5)]
    ends.append((1, first, 1, PAID, AS_OF))
    past = past_weeks(cash_movements(book_of([(1, first, first, 1000)], ends)), AS_OF, None)["EUR"]
    assert past.tolist() == [51_000, 40_000, 30_000, 20_000, 10_000]
    simple = naive_weeks(past, 13)
    assert simple is not None
    week, total = simple
    assert week[0].tolist() == [30_200] * 13 and total[0, -1] == pytest.approx(13 * 30_200)
    assert (week[1] <= week[2]).all() and (total[1] <= total[3]).all()
    assert naive_weeks(past[:3], 13) is None


def test_a_company_with_five_invoices_and_no_past() -> None:
    due = [AS_OF + 5 * n * DAY for n in range(5)]
    book = book_of([(n, AS_OF - n * DAY, due[n], 100) for n in range(5)], [])
    landmarks = open_on(book, AS_OF)
    curves = step_curves(np.array([(day - AS_OF).days for day in due], dtype=float))
    rows = expected_weeks(book, landmarks, curves, AS_OF)
    assert sorted(set(rows["kind"])) == ["open", "total"]
    total = rows.filter(pl.col("kind") == "total")
    assert total["expected_mills"].to_list()[:4] == [200_000, 100_000, 200_000, 0]
    # All of it comes, by curves that are sure of it; only of the single week nobody is.
    assert total["cumulative_low_mills"][-1] == total["cumulative_high_mills"][-1] == 500_000
    assert total["low_mills"][0] < 200_000 < total["high_mills"][0]


def test_scores_of_past_forecasts() -> None:
    """Two forecasts of four weeks of 100; 80 and then 120 a week came of the one, 100 of the other."""

    def week(forecast: int, number: int, came: int, kind: str = "total") -> tuple[object, ...]:
        return (forecast, "EUR", kind, number, 100, 90, 110, 380, 420, came)

    rows = [week(1, n, 80 if n <= 2 else 120) for n in range(1, 5)] + [week(2, n, 100) for n in range(1, 5)]
    rows += [week(3, n, 0) for n in range(1, 4)]  # not over
    rows += [week(2, n, 0, "naive") for n in range(1, 5)]
    total, naive = cash_scores(pl.DataFrame(rows, schema=JUDGED, orient="row"))
    assert (total.kind, total.weeks, total.forecasts) == ("total", 4, 2)
    assert total.wape == pytest.approx(80 / 800) and total.total_error == 0 and total.bias == 0
    assert total.coverage == 0.5 and total.coverage_total == 1.0
    assert (naive.kind, naive.wape, naive.bias, naive.coverage) == ("naive", None, None, 0.0)
