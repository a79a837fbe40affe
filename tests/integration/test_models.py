"""The registry of models: kept once, checked when read, promoted and taken back, by day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.identity.model_versions import load_model, model_in_use, model_version, models_of
from saldo.identity.models import Event
from saldo.identity.operations import ensure_company, ensure_model_version
from saldo.identity.registry import promote, record_model

pytestmark = pytest.mark.django_db
DAY = date(2026, 3, 2)
ENGINE = "payment_date"


def at(day: date, hour: int = 12) -> Context:
    instant = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
    return Context("clara", day, lambda: instant)


def kept(ctx: Context, company_id: int, record: dict[str, Any], **more: Any) -> int:
    told = {"parameters": {"leaves": 15}, "metrics": {"mae_days": 5.1}, "data_hash": "d" * 64, **more}
    return record_model(
        ctx, company_id, ENGINE, more.pop("rung", "hazard"), record,
        told["parameters"], told["metrics"], told["data_hash"], ctx.as_of,
    )  # fmt: skip


@pytest.fixture
def company(db: None) -> int:
    return ensure_company(at(DAY), "MODELS").id


def test_a_model_is_kept_with_all_that_made_it(company: int) -> None:
    record = {"trees": "tree\nsplit=1", "means": {"b": 0.1, "a": [1, 2.5]}}
    version_id = kept(at(DAY), company, record)
    row = model_version(version_id)
    assert load_model(version_id) == record
    assert (row.engine, row.rung, row.trained_as_of, row.data_hash) == (ENGINE, "hazard", DAY, "d" * 64)
    assert row.metrics == {"mae_days": 5.1} and row.parameters == {"leaves": 15}
    assert row.code_version and len(row.content_hash) == 64 and row.known_at == row.recorded_at
    # The same model in another order of its keys is the same version; another one of the day is not.
    again = kept(at(DAY, 15), company, {"means": {"a": [1, 2.5], "b": 0.1}, "trees": "tree\nsplit=1"})
    assert again == version_id
    assert kept(at(DAY), company, {**record, "trees": "tree\nsplit=2"}) != version_id
    assert len(models_of(company)) == 2
    with pytest.raises(ValueError):
        kept(at(DAY), company, {"mean": float("nan")})


@pytest.mark.parametrize("tamper", ["bytes", "cut", "other model"])
def test_a_file_that_is_not_the_recorded_one_is_refused(company: int, tamper: str) -> None:
    version_id = kept(at(DAY), company, {"trees": "one"})
    other = kept(at(DAY), company, {"trees": "two"})
    change = {
        "bytes": "set_byte(content, length(content) - 12, 1 + get_byte(content, length(content) - 12))",
        "cut": "substring(content from 1 for 9)",
        "other model": f"(SELECT content FROM identity_modelfile WHERE model_version_id = {other})",
    }[tamper]
    statement = f"UPDATE identity_modelfile SET content = {change} WHERE model_version_id = {version_id}"
    with connection.cursor() as cursor:
        with pytest.raises(IntegrityError), transaction.atomic():
            cursor.execute(statement)
        # Whoever owns the database can switch the guard off; the hash still tells.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE identity_modelfile DISABLE TRIGGER USER")
        cursor.execute(statement)
        cursor.execute("ALTER TABLE identity_modelfile ENABLE TRIGGER USER")
    with pytest.raises(SaldoError) as refused:
        load_model(version_id)
    assert refused.value.code == "model_file_mismatch"
    assert load_model(other) == {"trees": "two"}


def test_the_model_in_use_is_that_of_the_instant(company: int) -> None:
    first = kept(at(DAY), company, {"trees": "first"})
    later = DAY + timedelta(days=30)
    second = kept(at(later), company, {"trees": "second"})
    assert model_in_use(company, ENGINE) is None
    assert promote(at(DAY), company, ENGINE, first, "it beats the simple ones")
    assert promote(at(later), company, ENGINE, second, "better still")
    assert not promote(at(later, 13), company, ENGINE, second, "again")

    def used(day: date, hour: int, as_of: date | None = None) -> int | None:
        row = model_in_use(company, ENGINE, datetime(day.year, day.month, day.day, hour, tzinfo=UTC), as_of)
        return row and row.id

    assert used(DAY, 11) is None and used(DAY, 12) == first
    assert used(later, 11) == first and used(later, 12) == second
    # A day before the second one's training knows nothing of it, whenever it is run.
    assert used(later, 23, as_of=later - timedelta(days=1)) == first
    assert used(later, 23, as_of=DAY - timedelta(days=1)) is None
    # Back to the first.
    assert promote(at(later, 20), company, ENGINE, first, "the second was wrong about May")
    row = model_in_use(company, ENGINE)
    assert row and (row.id, row.promoted_by, row.reason) == (first, "clara", "the second was wrong about May")
    assert used(later, 19) == second
    told = Event.objects.filter(subject_kind="model", kind__in=["model.promoted", "model.rolled_back"])
    assert [event.kind for event in told.order_by("id")] == [
        "model.promoted", "model.promoted", "model.rolled_back",
    ]  # fmt: skip
    assert told.order_by("id").last().data["instead_of"] == model_version(second).version


def test_only_an_own_model_of_the_engine_is_promoted(company: int) -> None:
    stranger = ensure_company(at(DAY), "STRANGER").id
    theirs = kept(at(DAY), stranger, {"trees": "theirs"})
    shared = ensure_model_version(at(DAY), ENGINE, "empirical-bayes-1", {}).id
    own = kept(at(DAY), company, {"trees": "own"})
    wrong = ((company, ENGINE, theirs), (company, ENGINE, shared), (company, "default_risk", own))
    for company_id, engine, version_id in wrong:
        with pytest.raises(SaldoError) as refused:
            promote(at(DAY), company_id, engine, version_id, "by mistake")
        assert refused.value.code == "model_unknown"
    with pytest.raises(SaldoError) as refused:
        load_model(shared)
    assert refused.value.code == "model_unknown"
    with pytest.raises(SaldoError) as refused:
        promote(at(DAY), company, ENGINE, own, "  ")
    assert refused.value.code == "model_reason_missing"
    assert model_in_use(company, ENGINE) is None
    # The same engine version for all is one row, whoever asks and whenever.
    assert ensure_model_version(at(DAY + timedelta(1)), ENGINE, "empirical-bayes-1", {}).id == shared
