"""Cash forecasts kept and read again, and judged by what the ledger says came."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest

from saldo.analytics.cash_forecast import CASH_SCHEMA
from saldo.core.context import Context
from saldo.core.money import Money
from saldo.flows.expected_cash import expected_cash
from saldo.flows.score_cash import forecast_scores
from saldo.identity.models import DayRun
from saldo.identity.operations import open_day_run
from saldo.ledger import entries
from saldo.ledger.entries import Share
from saldo.ledger.models import Item
from saldo.measurement.cash_received import cash_beside
from saldo.measurement.operations import keep_cash_forecast
from saldo.measurement.queries import weeks_of
from tests.cash_world import World

pytestmark = pytest.mark.django_db
DAY = date(2026, 1, 10)


def at(day: str) -> Context:
    """What is written that day, known at noon."""
    then = date.fromisoformat(day)
    return Context("anna", then, lambda: datetime(then.year, then.month, then.day, 12, tzinfo=UTC))


def kept_run(company_id: int, kinds: tuple[str, ...], version: int = 1, weekly: int = 100) -> DayRun:
    """A run of DAY that expects ``weekly`` (give or take ten) in each of thirteen weeks, of each kind."""

    def row(kind: str, week: int) -> tuple[object, ...]:
        start = DAY + timedelta(days=7 * week - 6)
        amounts = [weekly + step for step in (0, -10, 0, 10)]
        sums = [week * (weekly + step) for step in (0, -40, 0, 40)]
        return (
            "EUR",
            kind,
            week,
            start,
            start + timedelta(days=6),
            *(1000 * each for each in amounts + sums),
        )

    rows = [row(kind, week) for kind in kinds for week in range(1, 14)]
    ctx = replace(at(str(DAY)), known_at=datetime(2026, 1, 10, 20, tzinfo=UTC), company_id=company_id)
    run = open_day_run(ctx, version, "test", f"{version}")
    keep_cash_forecast(run.id, pl.DataFrame(rows, schema=CASH_SCHEMA, orient="row"))
    return run


def euro(amount: str) -> Money:
    return Money(Decimal(amount), "EUR")


@pytest.fixture
def company() -> int:
    """What came after DAY: 100 on a known item told late, 60 and 40 on account, 50 on a new item, 60 back."""
    world = World()
    account = world.account("Acme S.r.l.")
    old = entries.record_invoice(at("2026-01-05"), account, "F-1", euro("1000"), [(DAY, Decimal(1000))])
    (item,) = old.item_ids
    # Known already: not of the forecast.
    entries.record_payment(at("2026-01-08"), account, euro("7"), [Share(item, Decimal(7))])
    new = entries.record_invoice(at("2026-01-15"), account, "F-2", euro("500"), [(DAY, Decimal(500))])
    pay: Callable[..., object] = entries.record_payment
    pay(at("2026-01-12"), account, euro("100"), [Share(item, Decimal(100))], booking_date=date(2026, 1, 9))
    pay(at("2026-01-20"), account, euro("100"), [Share(item, Decimal(60))])
    pay(at("2026-01-30"), account, euro("50"), [Share(new.item_ids[0], Decimal(50))])
    entries.reverse_allocation(at("2026-02-03"), item, Decimal(60), "insoluto", credit_item_id=_credit(60))
    entries.record_credit_note(at("2026-02-10"), account, "N-1", euro("30"), [Share(item, Decimal(30))])
    pay(at("2026-05-30"), account, euro("1"), [Share(item, Decimal(1))])
    return int(world.company.id)


def _credit(amount: int) -> int:
    from saldo.ledger.models import Allocation

    return Allocation.objects.get(amount=amount).credit_item_id


def test_cash_is_of_the_week_and_of_the_kind_it_came_to(company: int) -> None:
    run = kept_run(company, ("total",))
    came = cash_beside(at("2026-06-30"), company, [run], 13)
    assert came.drop("forecast", "currency").rows() == [
        (1, 100_000, 0, 0),
        (2, 60_000, 0, 40_000),
        (3, 0, 50_000, 0),
        (4, -60_000, 0, 0),
    ]
    assert Item.objects.filter(kind="credit_note").exists()  # no cash


def test_forecasts_are_scored_by_their_first_version(company: int) -> None:
    kept_run(company, ("open", "future", "total", "naive"))
    kept_run(company, ("total",), version=2, weekly=9)
    scores = {(score.kind, score.weeks): score for score in forecast_scores(at("2026-06-30"), company)}
    total = scores["total", 4]
    # Said 100 a week; came 100, 100, 50 and -60.
    assert total.forecasts == 1 and total.wape == pytest.approx(210 / 190)
    assert total.bias == pytest.approx(210 / 190) and total.total_error == pytest.approx(210 / 190)
    assert (total.coverage, total.coverage_total) == (0.5, 0.0)
    assert scores["naive", 4].wape == total.wape
    assert scores["open", 4].wape == pytest.approx((0 + 40 + 100 + 160) / 100)
    assert scores["future", 4].wape == pytest.approx((100 + 100 + 50 + 100) / 50)
    assert scores["total", 13].bias == pytest.approx((1300 - 190) / 190)


def test_nothing_is_judged_before_its_weeks_are_over_and_told(company: int) -> None:
    kept_run(company, ("total",))
    # Payments are known to the 30th of January: two weeks and a half.
    assert forecast_scores(at("2026-02-02"), company) == []
    assert forecast_scores(at(str(DAY)), company) == []


def test_kept_weeks_are_read_again(company: int) -> None:
    run = kept_run(company, ("open", "total"))
    rows = expected_cash(replace(at(str(DAY)), company_id=company))
    assert len(rows) == 26
    row = next(row for row in rows if row["kind"] == "total" and row["week"] == 2)
    assert (row["week_start"], row["week_end"]) == (date(2026, 1, 18), date(2026, 1, 24))
    assert (row["low"], row["cumulative"], row["cumulative_high"]) == (90, 200, 280)
    assert {week["kind"] for week in weeks_of(run.id)} == {"total"}
    old = kept_run(company, ("open",), version=2)
    assert {week["kind"] for week in weeks_of(old.id)} == {"open"}
