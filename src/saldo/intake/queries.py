"""Reading batches, documents and rejections."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db.models import Count, Max, Q, QuerySet

from saldo.core.context import Context
from saldo.core.errors import Rejection as RefusedInput
from saldo.core.errors import SaldoError
from saldo.identity.queries import CompanyRow, company_row
from saldo.intake.models import Batch, DocumentPart, Rejection, Source


@dataclass(frozen=True, slots=True)
class BatchRow:
    id: int
    status: str
    kind: str
    document_id: int
    document_name: str
    mapping: str
    mapping_name: str
    company_id: int | None
    company_code: str
    as_at_date: date
    actor: str
    recorded_at: datetime
    finished_at: datetime | None
    counts: dict[str, Any]
    message: str
    complete: bool
    company: CompanyRow | None = None


def _row(batch: Batch) -> BatchRow:
    return BatchRow(
        id=batch.id,
        status=batch.status,
        kind=batch.kind,
        document_id=batch.document_id,
        document_name=batch.document.name,
        mapping=batch.mapping,
        mapping_name=batch.mapping_name,
        company_id=batch.company_id,
        company_code=batch.company.code if batch.company else "",
        as_at_date=batch.as_at_date,
        actor=batch.actor,
        recorded_at=batch.recorded_at,
        finished_at=batch.finished_at,
        counts=batch.counts,
        message=batch.message,
        complete=batch.complete,
        company=company_row(batch.company) if batch.company else None,
    )


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A source; posts_cash: who books cash, "erp" or "saldo"."""

    id: int
    name: str
    kind: str
    posts_cash: str


def erp_sources(company_id: int | None) -> list[SourceRow]:
    """The sources that sent lists of receivables of the company (or of any), the newest list first."""
    lists = Batch.objects.filter(kind="receivables", source__isnull=False)
    if company_id is not None:
        # A file of several companies is nobody's in particular.
        lists = lists.filter(Q(company_id=company_id) | Q(company_id=None))
    newest = lists.values("source_id").annotate(last=Max("id")).order_by("-last")
    found = Source.objects.in_bulk([row["source_id"] for row in newest])
    ordered = [found[row["source_id"]] for row in newest]
    return [SourceRow(each.id, each.name, each.kind, each.posts_cash) for each in ordered]


def posts_cash(source_id: int) -> str:
    """Who books the cash of a source: "erp" or "saldo"."""
    return Source.objects.values_list("posts_cash", flat=True).get(id=source_id)


def batch(batch_id: int) -> BatchRow:
    """Raises SaldoError("batch_unknown")."""
    found = Batch.objects.select_related("document", "company").filter(id=batch_id).first()
    if found is None:
        raise SaldoError("batch_unknown", id=batch_id)
    return _row(found)


def batches(ctx: Context, limit: int = 50) -> list[BatchRow]:
    """The newest batches, of the context's company if it is limited to one."""
    found = Batch.objects.select_related("document", "company")
    if ctx.company_id is not None:
        found = found.filter(company_id__in=[ctx.company_id]) | found.filter(company_id=None)
    return [_row(item) for item in found.order_by("-id")[:limit]]


def document_bytes(document_id: int) -> bytes:
    """The original bytes."""
    parts = DocumentPart.objects.filter(document_id=document_id).order_by("part_no")
    return b"".join(zlib.decompress(bytes(part.compressed)) for part in parts.iterator(chunk_size=4))


def rejections_of(batch_id: int, limit: int = 100, offset: int = 0) -> list[RefusedInput]:
    """What was refused, in file order."""
    found = Rejection.objects.filter(batch_id=batch_id).order_by("row", "id")[offset : offset + limit]
    return [RefusedInput(r.code, r.where, r.excerpt, r.params, r.row) for r in found]


def rejection_counts(batch_id: int) -> dict[str, int]:
    """Number of rejections by code."""
    found = Rejection.objects.filter(batch_id=batch_id).values_list("code").annotate(n=Count("id"))
    return dict(found.order_by("-n"))


def same_reading_done(document_id: int, mapping: str, company_id: int | None, kind: str) -> BatchRow | None:
    """An earlier batch that read the same bytes in the same way."""
    found = Batch.objects.filter(
        document_id=document_id, mapping=mapping, kind=kind, status=Batch.Status.DONE
    )
    if company_id is not None:
        found = found.filter(company_id=company_id)
    last = found.order_by("-id").values_list("id", flat=True).first()
    return None if last is None else batch(last)


def last_complete_day(source_id: int, company_id: int | None, mapping_name: str) -> date | None:
    """The day of the newest export of this source and scope that was read to the end."""
    found = Batch.objects.filter(
        source_id=source_id, mapping_name=mapping_name, status__in=[Batch.Status.DONE, Batch.Status.ASKS]
    )
    if company_id is not None:
        found = found.filter(company_id=company_id)
    return found.order_by("-as_at_date").values_list("as_at_date", flat=True).first()


def last_import_day() -> date | None:
    """Until which day the data reach: the day of the newest export read to the end."""
    found = Batch.objects.filter(status__in=[Batch.Status.DONE, Batch.Status.ASKS])
    return found.order_by("-as_at_date").values_list("as_at_date", flat=True).first()


def first_export_day(company_id: int, known_at: datetime | None) -> date | None:
    """The day of the first export of receivables read for the company (or for several at once)."""
    found = _exports(company_id, known_at).order_by("as_at_date")
    return found.values_list("as_at_date", flat=True).first()


def last_export_day(company_id: int, as_of: date, known_at: datetime | None) -> date | None:
    """The day of the newest export of receivables by ``as_of``: what was paid is known up to it."""
    found = _exports(company_id, known_at).filter(kind="receivables", as_at_date__lte=as_of)
    return found.order_by("-as_at_date").values_list("as_at_date", flat=True).first()


def _exports(company_id: int, known_at: datetime | None) -> QuerySet[Batch]:
    found = Batch.objects.filter(
        Q(company_id=company_id) | Q(company_id=None),
        kind__in=["receivables", "invoices"],
        status__in=[Batch.Status.DONE, Batch.Status.ASKS],
    )
    return found if known_at is None else found.filter(recorded_at__lte=known_at)
