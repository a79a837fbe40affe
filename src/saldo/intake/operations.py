"""Keeping what came in: sources, documents with their bytes, batches, rejections."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import polars as pl
from django.db import connection, transaction

from saldo.core.context import Context
from saldo.core.errors import Rejection as RefusedInput
from saldo.core.errors import SaldoError
from saldo.identity.operations import record_event
from saldo.intake.models import Batch, Document, DocumentPart, Source
from saldo.storage.frames import copy_in

PART_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Reading:
    """How a document is to be read: kind, mapping (TOML text), and for which company and day."""

    kind: str
    mapping: str = ""
    mapping_name: str = ""
    company_id: int | None = None
    as_at: date | None = None


def keep_document(ctx: Context, name: str, data: bytes) -> int:
    """Store the original bytes once, whatever their name; returns the document's id."""
    digest = hashlib.sha256(data).hexdigest()
    with connection.cursor() as cursor:
        # New, usually; of two that bring the same bytes at once, the second waits for the first.
        cursor.execute(
            "INSERT INTO intake_document (sha256, name, size_bytes, recorded_at) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT (sha256) DO NOTHING RETURNING id",
            [digest, name[:255], len(data), ctx.recorded_at or ctx.clock()],
        )
        made = cursor.fetchone()
    if made is None:
        return Document.objects.values_list("id", flat=True).get(sha256=digest)
    (document_id,) = made
    for part_no, start in enumerate(range(0, len(data), PART_BYTES)):
        part = zlib.compress(data[start : start + PART_BYTES], level=1)
        DocumentPart.objects.create(document_id=document_id, part_no=part_no, compressed=part)
    return int(document_id)


@transaction.atomic
def open_batch(ctx: Context, name: str, data: bytes, reading: Reading) -> int:
    """Keep the document and queue its reading; returns the batch's id."""
    batch = Batch.objects.create(
        document_id=keep_document(ctx, name, data),
        company_id=reading.company_id,
        kind=reading.kind,
        mapping=reading.mapping,
        mapping_name=reading.mapping_name[:60],
        as_at_date=reading.as_at or ctx.as_of,
        actor=ctx.actor,
        recorded_at=ctx.clock(),
    )
    return batch.id


def ensure_source(name: str, kind: str, posts_cash: str) -> int:
    source, _ = Source.objects.get_or_create(
        name=name[:60], defaults={"kind": kind, "posts_cash": posts_cash}
    )
    return source.id


@transaction.atomic
def choose_who_posts_cash(ctx: Context, name: str, posts_cash: str) -> None:
    """Say who books the cash of a source, "erp" or "saldo". Raises SaldoError("source_unknown")."""
    changed = Source.objects.filter(name=name).first()
    if changed is None or posts_cash not in Source.PostsCash.values:
        known = ", ".join(Source.objects.order_by("name").values_list("name", flat=True))
        raise SaldoError("source_unknown", name=name, known=known or "-")
    changed.posts_cash = posts_cash
    changed.save(update_fields=["posts_cash"])
    stamp = replace(ctx, recorded_at=ctx.recorded_at or ctx.clock(), company_id=None)
    record_event(stamp, "source.posts_cash", "source", changed.id, {"posts_cash": posts_cash})


def start_batch(batch_id: int, source_id: int, complete: bool) -> None:
    Batch.objects.filter(id=batch_id).update(
        status=Batch.Status.RUNNING, source_id=source_id, complete=complete, message=""
    )


def note_progress(batch_id: int, counts: dict[str, Any]) -> None:
    Batch.objects.filter(id=batch_id).update(counts=counts)


def finish_batch(ctx: Context, batch_id: int, status: str, counts: dict[str, Any], message: str = "") -> None:
    Batch.objects.filter(id=batch_id).update(
        status=status, counts=counts, message=message, finished_at=ctx.clock()
    )


def keep_rejections(ctx: Context, batch_id: int, refused: Sequence[RefusedInput]) -> int:
    """Store what was refused; in bulk, since a file in a wrong format refuses every row."""
    return copy_in(
        "intake_rejection",
        _rejection_frame(refused).with_columns(
            pl.lit(batch_id).alias("batch_id"),
            pl.lit(str(ctx.recorded_at or ctx.clock())).alias("recorded_at"),
        ),
    )


def _rejection_frame(refused: Iterable[RefusedInput]) -> pl.DataFrame:
    rows = [
        (
            r.code,
            r.where[:200],
            r.excerpt[:200],
            json.dumps(dict(r.params), ensure_ascii=False, default=str),
            r.row,
        )
        for r in refused
    ]
    schema = {
        "code": pl.String,
        "where": pl.String,
        "excerpt": pl.String,
        "params": pl.String,
        "row": pl.Int64,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")
