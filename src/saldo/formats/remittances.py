"""Remittance advices: what a customer says it paid with one payment, on every medium it is sent by.

Amounts are never guessed. Media with named fields (ISO 20022, EDIFACT) keep their lines even where the sum
is wrong, with a notice; tables, PDFs and words keep them only where they make the stated total. Rules:
docs/how-to/read-messages-and-advices.md.
"""

from __future__ import annotations

from collections.abc import Sequence

from saldo.core.errors import Rejection
from saldo.formats._edifact import is_edifact
from saldo.formats._remittance import Remittance, RemittanceLine
from saldo.formats._remittance_edifact import read_remadv
from saldo.formats._remittance_iso import read_remt
from saldo.formats._remittance_pdf import remittance_of_pdf
from saldo.formats._remittance_table import Row, looks_like_advice, read_rows
from saldo.formats._remittance_text import remittance_of_text
from saldo.formats.records import ReadResult, Refusal, refused

__all__ = [
    "Remittance",
    "RemittanceLine",
    "Row",
    "as_rows",
    "is_edifact",
    "looks_like_advice",
    "pdf_advice",
    "read_pdf",
    "read_remadv",
    "read_remt",
    "read_rows",
    "text_advice",
]


def read_pdf(data: bytes) -> ReadResult:
    """A PDF that is expected to be an advice; refused where it has no text, or announces no payment."""
    try:
        advice, text = remittance_of_pdf(data)
    except Refusal as refusal:
        return refused("pdf", refusal.rejection)
    if not text.strip():
        return refused("pdf", Rejection("remittance_pdf_without_text", "", ""))
    if advice is None:
        return refused("pdf", Rejection("remittance_not_recognized", "", text))
    return ReadResult("pdf", records=(advice,))


def pdf_advice(data: bytes) -> Remittance | None:
    """The advice in a PDF that may be anything (an attachment); None where it is something else."""
    try:
        return remittance_of_pdf(data)[0]
    except Refusal:
        return None


def text_advice(text: str) -> Remittance | None:
    """The advice in the words of a mail; None where they announce no payment with an amount or a document."""
    advice = remittance_of_text(text, "mail")
    # In a mail, "we have paid invoice 12" without any amount is a claim to check, not an advice.
    return advice if advice is not None and advice.total_mills is not None else None


def as_rows(
    lines: Sequence[int], cells: Sequence[Sequence[str]], typed: Sequence[Sequence[int]]
) -> list[Row]:
    return [
        Row(line, tuple(row), frozenset(marks)) for line, row, marks in zip(lines, cells, typed, strict=True)
    ]
