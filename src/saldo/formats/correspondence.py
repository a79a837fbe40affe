"""Mail as a whole: the message or receipt it is, the payment it announces, and the files it carries.

Like ``detect``, this module stands on top of the readers, which do not know each other.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from saldo.core.errors import Rejection, SaldoError
from saldo.formats import pec
from saldo.formats._mail import Mail, content_of, content_type, file_name, is_attachment, leaves, parse_mail
from saldo.formats.messages import MessageRecord, read_message
from saldo.formats.records import ReadResult, Refusal, refused
from saldo.formats.remittances import Row, as_rows, looks_like_advice, pdf_advice, read_rows, text_advice
from saldo.formats.tabular.csv_text import find_delimiter, to_utf8
from saldo.formats.tabular.xlsx import read_sheet

FORMAT = "eml"
# An advice lists hundreds of documents, not hundreds of thousands.
MAX_TABLE_BYTES = 16 * 2**20
MAX_TABLE_ROWS = 100_000


def read_mail(data: bytes) -> ReadResult:
    """The record of a message: a PEC receipt, or the message itself (the inner one of a PEC envelope), and
    the payment that its own words announce. What is attached is read by ``detect``."""
    try:
        outer = parse_mail(data)
    except Refusal as refusal:
        return refused(FORMAT, refusal.rejection)
    if pec.is_receipt(outer):
        return ReadResult(FORMAT, records=(pec.read_receipt(outer),))
    message = _certified(outer) if pec.is_transport(outer) else read_message(outer)
    records: list[Any] = [message]
    if not message.is_automatic and (advice := text_advice(message.text)):
        records.append(advice)
    return ReadResult(FORMAT, records=tuple(records))


def _certified(outer: Mail) -> MessageRecord:
    """The message inside a PEC envelope, with what the provider certifies of it."""
    inner = pec.transported(outer)
    envelope = pec.read_receipt(outer)
    message = read_message(outer if inner is None else inner)
    lost = Rejection("pec_message_missing", "postacert.eml", message.subject)
    return replace(
        message,
        message_id=message.message_id or envelope.reference_message_id,
        is_certified=True,
        certified_sender=envelope.sender,
        certified_at=envelope.date,
        certified_id=envelope.identifier,
        notices=(*message.notices, *envelope.notices, *(() if inner is not None else (lost,))),
    )


def is_receipt(data: bytes) -> bool:
    """Whether a mail is a PEC receipt, whose attachments are those of our own message."""
    try:
        return pec.is_receipt(parse_mail(data))
    except Refusal:
        return False


def attached(data: bytes) -> Iterator[tuple[str, bytes]]:
    """(name, bytes) of the files in a message and in those inside it. Raises Refusal("mail_broken")."""
    for ordinal, part in enumerate(leaves(parse_mail(data)), start=1):
        name = file_name(part)
        if name is None and _is_body(part):
            continue
        if content := content_of(part):
            yield name or f"part-{ordinal}", content


def _is_body(part: Mail) -> bool:
    main, _, sub = content_type(part).partition("/")
    if main == "message":  # the machine's part of a delivery report
        return True
    return main in ("text", "image") and not is_attachment(part) and "xml" not in sub


def attached_pdf(data: bytes) -> ReadResult | None:
    """The advice in an attached PDF; None where it is another document."""
    advice = pdf_advice(data)
    return None if advice is None else ReadResult("pdf", records=(advice,))


def attached_table(data: bytes, name: str, kind: str) -> ReadResult | None:
    """The advice in an attached table; None where it does not say clearly that it is one."""
    try:
        rows = table_rows(data, name, kind)
    except SaldoError:
        return None
    return read_rows(rows, kind) if looks_like_advice(rows) else None


def is_advice(data: bytes, name: str, kind: str) -> bool:
    """Whether a table says clearly that it is a remittance advice."""
    try:
        return len(data) <= MAX_TABLE_BYTES and looks_like_advice(table_rows(data, name, kind))
    except SaldoError:
        return False


def read_as_remittance(data: bytes, name: str, kind: str) -> ReadResult:
    """A table that somebody says is an advice. Raises SaldoError where it is no table at all."""
    return read_rows(table_rows(data, name, kind), kind)


def table_rows(data: bytes, name: str, kind: str) -> list[Row]:
    """The non-blank rows of a workbook or a delimited text. Raises SaldoError where there are none."""
    if len(data) > MAX_TABLE_BYTES:
        raise SaldoError("file_too_large", limit=f"{MAX_TABLE_BYTES // 2**20} MB")
    if kind == "xlsx":
        sheet = read_sheet(data, name)
        return as_rows(sheet.lines, sheet.cells, sheet.typed)
    if kind != "csv":
        raise SaldoError("not_a_table", name=name)
    text = to_utf8(data).data
    return _delimited(text.decode("utf-8", errors="replace"), find_delimiter(text))


def _delimited(text: str, delimiter: str) -> list[Row]:
    rows: list[Row] = []
    for line, cells in _records(text, delimiter):
        if any(cell.strip() for cell in cells):
            rows.append(Row(line, tuple(cells)))
        if len(rows) >= MAX_TABLE_ROWS:
            raise SaldoError("file_too_large", limit=f"{MAX_TABLE_ROWS} rows")
    if not rows:
        raise SaldoError("empty_file")
    return rows


def _records(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text.replace("\x00", "")), delimiter=delimiter)
    try:
        for cells in reader:
            yield reader.line_num, cells
    except csv.Error as error:
        raise SaldoError("not_a_table", name="csv") from error
