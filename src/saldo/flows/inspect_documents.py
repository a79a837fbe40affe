"""What a file holds and how it would be read, before anything is written."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

import polars as pl

from saldo.core.context import Context
from saldo.core.errors import Rejection, SaldoError
from saldo.flows import import_bank, reading
from saldo.formats.bank_records import CollectionFlow
from saldo.formats.detect import TABULAR_KINDS, detect_kind
from saldo.formats.records import ReadResult
from saldo.formats.tabular import (
    RECORD_KINDS,
    Mapping,
    RawTable,
    dump_toml,
    open_table,
    read_records,
    suggest,
    to_customers,
    to_receivables,
)

PREVIEW_ROWS = 20
# What a company's history must reach back for payment behavior to be known.
HISTORY_MONTHS = 24


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a file holds and how it would be read. ``missing``: codes of what would make it worth more."""

    kind: str
    format: str
    rows: int
    rejections: list[Rejection]
    preview: list[dict[str, Any]]
    mapping_toml: str | None = None
    mapping_name: str | None = None
    confidence: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def inspect_file(ctx: Context, name: str, data: bytes, mapping_name_or_toml: str | None = None) -> Inspection:
    """Read a file without writing anything: its kind, the mapping proposed or asked for, the first rows.

    Raises SaldoError where the file as a whole cannot be read.
    """
    format_ = detect_kind(data, name)
    kind = None if mapping_name_or_toml else import_bank.kind_by_content(data, name)
    if kind is not None:
        result = import_bank.read_bank(data, name, None)
        rows = [*_lines(result), *_advised(result), *_receipts(result)]
        return Inspection(kind, format_, len(rows), list(result.rejections), rows[:PREVIEW_ROWS])
    if format_ not in TABULAR_KINDS:
        told = reading.read_invoices(data, name)
        return Inspection(
            "invoices",
            format_,
            told.frame.height,
            told.rejections,
            _preview(told.frame),
            missing=_missing(told.frame),
        )
    mapping = reading.mapping_of(mapping_name_or_toml)
    confidence: dict[str, float] = {}
    notes: list[str] = []
    if mapping is None:
        proposal = suggest(open_table(data, name, None))
        mapping, confidence = proposal.mapping, dict(proposal.confidence)
        notes = list(proposal.notes_it if ctx.language == "it" else proposal.notes_en)
    if mapping.kind == reading.BANK_KIND:
        return _bank_inspection(data, name, format_, mapping, confidence, notes)
    if mapping.kind in RECORD_KINDS:
        raise SaldoError("mapping_kind_not_imported", profile=mapping.name, kind=mapping.kind)
    raw = open_table(data, name, mapping)
    frame, rejections = _converted(ctx, raw, mapping)
    return Inspection(
        kind=mapping.kind,
        format=format_,
        rows=frame.height,
        rejections=[*raw.rejections, *rejections],
        preview=_preview(frame),
        mapping_toml=dump_toml(mapping),
        mapping_name=mapping.name,
        confidence=confidence,
        notes=notes,
        columns=list(raw.columns),
        missing=_missing(frame) if mapping.kind == "receivables" else [],
    )


def _bank_inspection(
    data: bytes, name: str, format_: str, mapping: Mapping, confidence: dict[str, float], notes: list[str]
) -> Inspection:
    """A bank's list of movements: its lines as the preview, and beside the notes what holds it back."""
    result = read_records(data, name, mapping, format_)
    lines = _lines(result)
    held = [notice for statement in result.statements for notice in statement.notices]
    return Inspection(
        kind=mapping.kind,
        format=format_,
        rows=len(lines),
        rejections=[*result.rejections, *held],
        preview=lines[:PREVIEW_ROWS],
        mapping_toml=dump_toml(mapping),
        mapping_name=mapping.name,
        confidence=confidence,
        notes=notes,
    )


def _lines(result: ReadResult) -> list[dict[str, Any]]:
    """The lines of statements by the names of the preview's columns."""
    return [
        {
            "row": line.ordinal,
            "document_date": line.booking_date,
            "amount_mills": line.amount_mills,
            "currency": line.currency,
            "customer_name": line.counterparty_name,
            "text": line.remittance_text,
        }
        for statement in result.statements
        for line in statement.transactions
    ]


def _advised(result: ReadResult) -> list[dict[str, Any]]:
    """What remittance advices say was paid; one that names no amounts is a row by itself."""
    return [
        {
            "row": number,
            "number": line.number if line else ", ".join(advice.document_refs),
            "document_date": line.document_date if line else advice.payment_date,
            "amount_mills": line.paid_mills if line else advice.total_mills,
            "currency": advice.currency,
            "customer_name": advice.payer_name,
        }
        for advice in result.records
        if advice.kind == "remittance"
        for number, line in enumerate(advice.lines or (None,), start=1)
    ]


def _receipts(result: ReadResult) -> list[dict[str, Any]]:
    """Receipts presented, or what became of them."""
    return [
        {
            "row": one.ordinal,
            "number": one.receipt,
            "due_date": one.due_date,
            "amount_mills": one.amount_mills,
            "currency": one.currency,
            "customer_name": one.debtor_name,
            "text": one.outcome,
        }
        for flow in result.records
        if isinstance(flow, CollectionFlow)
        for one in flow.outcomes
    ]


def _converted(ctx: Context, raw: RawTable, mapping: Mapping) -> tuple[pl.DataFrame, list[Rejection]]:
    if mapping.kind == "customers":
        return to_customers(raw, mapping)
    return to_receivables(raw, mapping, reading.currency_of_company(ctx, None))


def _preview(frame: pl.DataFrame) -> list[dict[str, Any]]:
    return frame.head(PREVIEW_ROWS).to_dicts()


def _missing(frame: pl.DataFrame) -> list[str]:
    """What a good forecast would need and this file does not have: closed items, and 24 months of them."""
    settled = frame["settled_date"].drop_nulls()
    if settled.is_empty():
        return ["closed_items"]
    first, last = frame["document_date"].min(), settled.max()
    if isinstance(first, date) and isinstance(last, date) and (last - first).days < HISTORY_MONTHS * 30:
        return ["history_months"]
    return []
