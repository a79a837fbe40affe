"""Balance sheets and external ratings into the database, beside the customers that they are about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from django.db import transaction

from saldo.core.context import Context
from saldo.core.errors import Rejection
from saldo.core.money import decimal_text
from saldo.flows import reading
from saldo.flows.import_result import ImportResult
from saldo.flows.posting import Progress
from saldo.formats.credit_records import BalanceSheet, ExternalRating
from saldo.formats.detect import contents_of, detect_kind, read_file
from saldo.formats.records import ReadResult
from saldo.formats.tabular import read_records
from saldo.identity.operations import record_event
from saldo.intake import operations as intake
from saldo.intake import queries as batches
from saldo.parties.lookup import Named, companies_of_customers, customers_named
from saldo.risk.credit_files import RatingTold, StatementTold, keep_ratings, keep_statements
from saldo.storage.locks import recording_session

SHEETS, RATINGS = "balance_sheets", "ratings"
KINDS = (SHEETS, RATINGS)
_CONTAINERS = frozenset({"zip", "eml", "p7m"})
_VALUE_CHARACTERS, _AGENCY_CHARACTERS = 20, 40


@dataclass(frozen=True, slots=True)
class _Matched:
    """A record that was read, with the customers it is about."""

    record: BalanceSheet | ExternalRating
    customer_ids: list[int]


def kind_by_content(data: bytes, name: str) -> str | None:
    """The import that a file without a flag belongs to, if it is one of these."""
    kind = detect_kind(data, name)
    if kind in _CONTAINERS:
        inside = {document.kind for document in contents_of(data, name)[0]}
        return SHEETS if inside and inside <= {"xbrl"} else None
    return SHEETS if kind == "xbrl" else None


def import_credit(
    ctx: Context, batch: batches.BatchRow, accept_closures: bool, progress: Progress
) -> ImportResult:
    """Read a queued batch. A record about nobody we know is refused: read the file again when we do."""
    profile = reading.mapping_of(batch.mapping + "\n") if batch.mapping.strip() else None
    data = batches.document_bytes(batch.document_id)
    if profile is not None:
        told = read_records(data, batch.document_name, profile, detect_kind(data, batch.document_name))
    else:
        told = read_file(data, batch.document_name)
    source = (profile.source or profile.name) if profile else batch.kind
    intake.start_batch(batch.id, intake.ensure_source(source, batch.kind, "erp"), complete=False)
    records = [each for each in told.records if isinstance(each, BalanceSheet | ExternalRating)]
    matched, unknown = _matched(records, batch)
    companies = companies_of_customers([one for each in matched for one in each.customer_ids])
    with recording_session(companies), transaction.atomic():
        ctx = replace(ctx, recorded_at=ctx.clock())
        counts = _kept(ctx, batch, matched)
        result = _finished(ctx, batch, told, unknown, counts, len(records))
        for company_id in companies if counts["new"] else ():
            record_event(ctx.within(company_id), "import.done", "batch", batch.id, result.counts)
    return result


def _matched(
    records: Sequence[BalanceSheet | ExternalRating], batch: batches.BatchRow
) -> tuple[list[_Matched], list[Rejection]]:
    company_id = batch.company.id if batch.company else None
    names = [Named(each.vat, each.tax_code, each.customer_code) for each in records]
    found = customers_named(names, company_id)
    matched = [_Matched(each, ids) for each, ids in zip(records, found, strict=True) if ids]
    unknown = [_unknown(each) for each, ids in zip(records, found, strict=True) if not ids]
    return matched, unknown


def _unknown(record: BalanceSheet | ExternalRating) -> Rejection:
    named = [record.vat, record.tax_code, record.customer_code]
    params = {"customer": ", ".join(dict.fromkeys(name for name in named if name)) or "?"}
    where = record.source or (f"row {record.row}" if record.row else record.kind)
    return Rejection("credit_customer_unknown", where, record.name or "", params, record.row)


def _kept(ctx: Context, batch: batches.BatchRow, matched: Sequence[_Matched]) -> Counter[str]:
    """Keep what is new; counts of records by whether they brought something."""
    counts: Counter[str] = Counter(new=0, unchanged=0)
    for each in matched:
        if isinstance(each.record, BalanceSheet):
            sheets = [_statement(each.record, customer_id) for customer_id in each.customer_ids]
            made = keep_statements(ctx, sheets, batch.document_id)
        else:
            day = batch.as_at_date
            ratings = [_rating(each.record, customer_id, day) for customer_id in each.customer_ids]
            made = keep_ratings(ctx, ratings, batch.document_id)
        counts["new" if made else "unchanged"] += 1
    return counts


def _statement(sheet: BalanceSheet, customer_id: int) -> StatementTold:
    figures = {name: decimal_text(mills, sheet.currency) for name, mills in sorted(sheet.lines.items())}
    return StatementTold(customer_id, sheet.period_end, sheet.currency, figures)


def _rating(rating: ExternalRating, customer_id: int, day: date) -> RatingTold:
    """A rating without a class is told by its score; without a day it counts from the file's."""
    value = rating.rating or ("" if rating.score is None else format(rating.score, "f"))
    return RatingTold(
        customer_id,
        rating.provider[:_AGENCY_CHARACTERS],
        value[:_VALUE_CHARACTERS],
        None if rating.pd is None else float(rating.pd),
        rating.valid_from or day,
        rating.valid_to,
    )


def _finished(
    ctx: Context,
    batch: batches.BatchRow,
    told: ReadResult,
    unknown: Sequence[Rejection],
    kept: Counter[str],
    records: int,
) -> ImportResult:
    refused = [*told.rejections, *unknown]
    notices = [*told.notices, *_others(told, batch.document_name)]
    counts: dict[str, Any] = {
        "done": kept["new"],
        "unchanged": kept["unchanged"],
        "closed": 0,
        "rejected": len(refused),
        "ignored": 0,
        "rows": records + len(told.rejections),
        "notices": len(notices),
    }
    intake.keep_rejections(ctx, batch.id, refused)
    intake.finish_batch(ctx, batch.id, "done", counts)
    return ImportResult(kept["new"], kept["unchanged"], 0, refused, "done", batch.id, "", counts, notices)


def _others(told: ReadResult, name: str) -> list[Rejection]:
    """What a file holds beside: read, and of no use here."""
    kinds = {each.kind for each in told.records if not isinstance(each, BalanceSheet | ExternalRating)}
    kinds -= set(reading.CARRIER_KINDS)
    return [Rejection("record_not_posted", "", name, {"kind": kind}) for kind in sorted(kinds)]
