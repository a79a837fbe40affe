"""Training on the company's own book, and days that say which model they used."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from saldo.analytics.payment_date.promotion import train as payment_date_train
from saldo.core.errors import SaldoError
from saldo.core.reasons import render
from saldo.flows import train_models
from saldo.flows.day import run_day
from saldo.flows.item_forecast import forecast_of_item
from saldo.flows.train_models import train
from saldo.identity.model_versions import load_model, model_in_use, model_version, models_of
from saldo.identity.queries import latest_day_run
from saldo.identity.registry import promote
from saldo.risk.models import PaymentForecast, RiskScore
from tests.learning_world import LAST_DAY, at, company_with, rows

pytestmark = pytest.mark.django_db
ENGINE = "payment_date"
# What is tested here is what becomes of a model, whichever it is; the learnt one takes its time.
QUICK = ("due_date", "pooled_km")


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_models.payment_date, "train", partial(payment_date_train, names=QUICK))


def used_on(run_id: int) -> set[int]:
    found = PaymentForecast.objects.filter(day_run_id=run_id)
    return set(found.values_list("model_version_id", flat=True))


def test_a_company_of_five_invoices_keeps_a_simple_model_and_says_so(db: None) -> None:
    company = company_with("FIVE", rows(5, 400, LAST_DAY, LAST_DAY - timedelta(days=40)), LAST_DAY)
    trained = {one.engine: one for one in train(at(LAST_DAY), company)}
    payment = trained[ENGINE]
    assert not payment.promoted and payment.reason["code"] == "rung_too_short"
    assert "simple method stays" in render(payment.reason["code"], payment.reason["params"], "en")
    # The report is kept for the model page; what forecasts is still the simple method.
    assert payment.model and payment.model.metrics["promoted"] == payment.model.rung
    assert not trained["default_risk"].promoted and trained["default_risk"].model is None
    run = run_day(at(LAST_DAY, 9), company)
    (used,) = used_on(run.day_run_id)
    assert run.items and model_version(used).rung == "empirical_bayes"
    assert model_in_use(company, ENGINE) is None


def test_the_day_uses_the_model_that_was_in_use(db: None, quickly: None) -> None:
    company = company_with("LEARN", rows(30, 20, LAST_DAY), LAST_DAY)
    before = run_day(at(LAST_DAY, 8), company)
    (cold,) = used_on(before.day_run_id)
    assert model_version(cold).company_id is None and model_version(cold).rung == "empirical_bayes"
    (first,) = train(at(LAST_DAY, 9), company, [ENGINE])
    assert first.promoted and model_in_use(company, ENGINE).id == first.model.id
    assert first.metrics["promoted"] == first.model.rung
    assert {row["name"] for row in first.metrics["rungs"]} == set(QUICK)
    # The same facts again: the same model, word for word, and nothing changes.
    (again,) = train(replace(at(LAST_DAY, 10), known_at=first.model.known_at), company, [ENGINE])
    assert not again.promoted and again.model.id == first.model.id
    # The day that was run before the training is the same day; what is run after it uses the model.
    rerun = run_day(at(LAST_DAY, 11), company)
    assert not rerun.is_new and rerun.day_run_id == before.day_run_id
    tomorrow = LAST_DAY + timedelta(days=1)
    after = run_day(at(tomorrow), company)
    assert used_on(after.day_run_id) == {first.model.id}
    # Trained on more, promoted; then taken back. Each day says what was in use when it was run.
    later = LAST_DAY + timedelta(days=45)
    company_with("LEARN", rows(30, 20, later), later)
    (second,) = train(at(later, 8), company, [ENGINE])
    assert second.promoted and second.model.data_hash != first.model.data_hash
    with_second = run_day(at(later, 9), company)
    promote(at(later, 10), company, ENGINE, first.model.id, "the second was wrong")
    with_first = run_day(at(later + timedelta(days=1)), company)
    assert used_on(with_second.day_run_id) == {second.model.id}
    assert used_on(with_first.day_run_id) == {first.model.id}
    for day in (LAST_DAY, tomorrow, later):
        known = latest_day_run(company, day)
        assert not run_day(replace(at(later, 12), as_of=day), company).is_new, day
        assert latest_day_run(company, day).id == known.id
    assert len(models_of(company, ENGINE)) == 2
    # A day before the first training that is run now only knows a model of its own day: none.
    early = LAST_DAY - timedelta(days=30)
    assert used_on(run_day(replace(at(later, 13), as_of=early), company).day_run_id) == {cold}


def test_an_item_is_told_on_opening_as_the_day_told_it(db: None, quickly: None) -> None:
    company = company_with("OPENED", rows(30, 20, LAST_DAY), LAST_DAY)
    (trained,) = train(at(LAST_DAY, 8), company, [ENGINE])
    run_day(at(LAST_DAY, 9), company)
    run = latest_day_run(company, LAST_DAY)
    scored = set(RiskScore.objects.filter(day_run=run).values_list("account_id", flat=True))
    for stored in PaymentForecast.objects.filter(day_run=run).order_by("item_id")[::7]:
        told = forecast_of_item(at(LAST_DAY, 10), run, stored.account_id, stored.item_id)
        assert told and told.model and told.model.id == trained.model.id
        by_day = dict(zip(told.days, told.paid, strict=True))
        for days in (7, 30, 60, 90):
            assert by_day[days] == pytest.approx(getattr(stored, f"p{days}"), abs=1e-4)
        assert list(told.paid) == sorted(told.paid)
        assert told.facts["paid_invoices"] > 15 and told.facts["open_mills"] > 0
        if stored.reasons is not None:
            assert told.reasons == stored.reasons
        assert stored.account_id in scored
    assert forecast_of_item(at(LAST_DAY, 10), run, stored.account_id, 0) is None


def test_a_tampered_model_stops_the_day_before_it_writes(db: None, quickly: None) -> None:
    from django.db import connection

    from saldo.flows.score_portfolio import fitted_model

    company = company_with("TAMPER", rows(30, 20, LAST_DAY), LAST_DAY)
    (trained,) = train(at(LAST_DAY, 8), company, [ENGINE])
    fitted_model.cache_clear()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE identity_modelfile DISABLE TRIGGER USER")
        cursor.execute("UPDATE identity_modelfile SET content = substring(content from 2)")
        cursor.execute("ALTER TABLE identity_modelfile ENABLE TRIGGER USER")
    with pytest.raises(SaldoError) as refused:
        load_model(trained.model.id)
    with pytest.raises(SaldoError) as refused:
        run_day(at(LAST_DAY, 9), company)
    assert refused.value.code == "model_file_mismatch"
    assert latest_day_run(company, LAST_DAY) is None
