"""Reading models: which one is in use, what made it, and its file, checked."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from saldo.core.errors import SaldoError
from saldo.identity.models import ModelFile, ModelPromotion, ModelVersion


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A model version as people read it. company_id None: the engine is the same for all.

    metrics: what it was judged by when it was made. promoted_at, promoted_by, reason: its last promotion.
    """

    id: int
    company_id: int | None
    engine: str
    version: str
    rung: str
    parameters: dict[str, Any]
    metrics: dict[str, Any]
    code_version: str
    data_hash: str
    content_hash: str
    trained_as_of: date | None
    known_at: datetime | None
    recorded_at: datetime
    promoted_at: datetime | None = None
    promoted_by: str = ""
    reason: str = ""


def _row(version: ModelVersion, promotion: ModelPromotion | None = None) -> ModelRow:
    return ModelRow(
        version.id, version.company_id, version.engine, version.version, version.rung, version.parameters,
        version.metrics, version.code_version, version.data_hash, version.content_hash,
        version.trained_as_of, version.known_at, version.recorded_at,
        promotion and promotion.recorded_at, promotion.actor if promotion else "",
        promotion.reason if promotion else "",
    )  # fmt: skip


def content_of(engine: str, rung: str, record: dict[str, Any]) -> bytes:
    """The one way to write a model: the same model gives the same bytes.

    Raises ValueError on what JSON cannot say (NaN and infinity among it).
    """
    told = {"engine": engine, "rung": rung, "record": record}
    return json.dumps(told, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def hash_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def model_version(version_id: int) -> ModelRow:
    """Raises SaldoError("model_unknown")."""
    found = ModelVersion.objects.filter(id=version_id).first()
    if found is None:
        raise SaldoError("model_unknown", model=version_id)
    return _row(found, ModelPromotion.objects.filter(model_version=found).order_by("id").last())


def load_model(version_id: int) -> dict[str, Any]:
    """The record of a model, as it was given to ``registry.record_model``.

    Raises SaldoError: model_unknown (no such version, or one that keeps no file), model_file_mismatch (the
    bytes are not those that were recorded, or say that they are another model).
    """
    file = ModelFile.objects.select_related("model_version").filter(model_version_id=version_id).first()
    if file is None:
        raise SaldoError("model_unknown", model=version_id)
    version = file.model_version
    try:
        content = gzip.decompress(bytes(file.content))
    except (OSError, EOFError, zlib.error):
        content = b""
    if hash_of(content) != version.content_hash:
        raise SaldoError("model_file_mismatch", model=version.version, engine=version.engine)
    told = json.loads(content)
    if (told["engine"], told["rung"]) != (version.engine, version.rung):
        raise SaldoError("model_file_mismatch", model=version.version, engine=version.engine)
    record: dict[str, Any] = told["record"]
    return record


def model_in_use(
    company_id: int, engine: str, known_at: datetime | None = None, as_of: date | None = None
) -> ModelRow | None:
    """The version that was in use at an instant: the last one promoted by then, None before the first.

    as_of: only versions trained on facts up to this day; for a past day that is run for the first time now,
    a model of later would know what came after.
    """
    found = ModelPromotion.objects.filter(company_id=company_id, engine=engine)
    if known_at is not None:
        found = found.filter(recorded_at__lte=known_at)
    if as_of is not None:
        found = found.filter(model_version__trained_as_of__lte=as_of)
    last = found.select_related("model_version").order_by("-recorded_at", "-id").first()
    return None if last is None else _row(last.model_version, last)


def models_of(company_id: int, engine: str | None = None, limit: int = 50) -> list[ModelRow]:
    """The company's model versions, newest first, each with its last promotion."""
    found = ModelVersion.objects.filter(company_id=company_id)
    promotions = ModelPromotion.objects.filter(company_id=company_id)
    if engine is not None:
        found, promotions = found.filter(engine=engine), promotions.filter(engine=engine)
    last = {promotion.model_version_id: promotion for promotion in promotions.order_by("recorded_at", "id")}
    return [_row(each, last.get(each.id)) for each in found.order_by("-recorded_at", "-id")[:limit]]


@dataclass(frozen=True, slots=True)
class PromotionRow:
    """When a version came into use, who decided it and why."""

    model_version_id: int
    version: str
    rung: str
    actor: str
    reason: str
    recorded_at: datetime


def promotions_of(company_id: int, engine: str, limit: int = 50) -> list[PromotionRow]:
    """What was in use when, newest first."""
    found = ModelPromotion.objects.filter(company_id=company_id, engine=engine)
    return [
        PromotionRow(
            each.model_version_id, each.model_version.version, each.model_version.rung, each.actor,
            each.reason, each.recorded_at,
        )
        for each in found.select_related("model_version").order_by("-recorded_at", "-id")[:limit]
    ]  # fmt: skip
