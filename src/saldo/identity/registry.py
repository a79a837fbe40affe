"""Keeping models: recording a version with its file, promoting one, going back to an older one."""

from __future__ import annotations

import gzip
from datetime import date
from typing import Any

from django.db import transaction

from saldo import __version__
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.identity.model_versions import content_of, hash_of, model_in_use
from saldo.identity.models import ModelFile, ModelPromotion, ModelVersion
from saldo.identity.operations import record_event, stamped

# Letters of the content's hash in a version's name: enough to tell two of one day apart.
_NAMED_LETTERS = 12


@transaction.atomic
def record_model(
    ctx: Context,
    company_id: int,
    engine: str,
    rung: str,
    record: dict[str, Any],
    parameters: dict[str, Any],
    metrics: dict[str, Any],
    data_hash: str,
    trained_as_of: date,
) -> int:
    """Keep a model and what made it; returns the ModelVersion's id. The same model again is the same version.

    record: JSON values (``Fitted.as_record``). It was trained on what was known at ``ctx.known_at`` (None:
    all that is known now).
    """
    content = content_of(engine, rung, record)
    digest = hash_of(content)
    name = f"{trained_as_of:%Y%m%d}-{digest[:_NAMED_LETTERS]}"
    ctx = stamped(ctx, company_id)
    made = {
        "rung": rung,
        "parameters": parameters,
        "metrics": metrics,
        "code_version": __version__,
        "data_hash": data_hash,
        "content_hash": digest,
        "trained_as_of": trained_as_of,
        "known_at": ctx.known_at or ctx.recorded_at,
        "recorded_at": ctx.recorded_at,
    }
    version, is_new = ModelVersion.objects.get_or_create(
        company_id=company_id, engine=engine, version=name, defaults=made
    )
    if not is_new:
        return version.id
    ModelFile.objects.create(model_version=version, content=gzip.compress(content, 6, mtime=0))
    data = {"engine": engine, "rung": rung, "version": name}
    record_event(ctx, "model.recorded", "model", version.id, data)
    return version.id


@transaction.atomic
def promote(ctx: Context, company_id: int, engine: str, version_id: int, reason: str) -> bool:
    """From now on this version is the one in use; an older one is promoted to go back to it.

    False where it is in use already. Raises SaldoError: model_reason_missing; model_unknown, for a version
    that is not one of the company's, of this engine.
    """
    if not reason.strip():
        raise SaldoError("model_reason_missing")
    version = ModelVersion.objects.filter(id=version_id, company_id=company_id, engine=engine).first()
    if version is None:
        raise SaldoError("model_unknown", model=version_id)
    ctx = stamped(ctx, company_id)
    before = model_in_use(company_id, engine)
    if before is not None and before.id == version_id:
        return False
    ModelPromotion.objects.create(
        company_id=company_id, engine=engine, model_version=version, actor=ctx.actor, reason=reason,
        recorded_at=ctx.recorded_at,
    )  # fmt: skip
    is_older = before is not None and before.recorded_at > version.recorded_at
    data = {
        "engine": engine,
        "version": version.version,
        "rung": version.rung,
        "instead_of": before and before.version,
        "reason": reason,
    }
    record_event(ctx, "model.rolled_back" if is_older else "model.promoted", "model", version.id, data)
    return True
