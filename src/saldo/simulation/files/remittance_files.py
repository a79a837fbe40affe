"""Remittance advices as customers send them: PDF, workbook, mail, ISO 20022; bare or attached to a mail.

An advice says what the customer meant to pay: charges that its bank kept on the way are not known to it, what
it took off for itself (a discount, a rounding) is.
"""

from __future__ import annotations

import io
import json
import tomllib
import zipfile
from calendar import month_name
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any
from xml.sax.saxutils import escape

import polars as pl
import typst
from openpyxl import Workbook
from openpyxl.styles import Font
from openpyxl.writer.excel import ExcelWriter

from saldo.simulation.draws import Draws
from saldo.simulation.files._mail_parts import file_part, mail_date, multipart, text_part
from saldo.simulation.files.mail_text import office_time, text_message
from saldo.simulation.files.world_file import ZIP_EPOCH, WorldFile
from saldo.simulation.world.tables import Tables

# What the customer knows of: paid by it, kept by it, or taken off. "charges" it believes to have paid.
_PAID, _KEPT = ("paid", "charges", "credit"), ("rounding", "discount")
# A workbook by itself could be anything: it comes with the mail that says what it is.
_ATTACHED_SHARE = {"pdf": 0.7, "xlsx": 1.0, "iso20022": 0.3}
_PDF, _XLSX, _XML = (
    "application/pdf",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/xml",
)


@dataclass(frozen=True, slots=True)
class AdviceLine:
    """A document that is paid, amounts in cents. paid = gross - kept; negative: a credit."""

    number: str
    day: date
    gross_cents: int
    kept_cents: int

    @property
    def paid_cents(self) -> int:
        return self.gross_cents - self.kept_cents


@dataclass(frozen=True, slots=True)
class Advice:
    """What one advice says. company, payer: rows of COMPANIES and CUSTOMERS; payment: of PAYMENTS."""

    remittance_id: int
    medium: str
    sent_date: date
    company: dict[str, Any]
    payer: dict[str, Any]
    payment: dict[str, Any]
    sender: tuple[str, str]
    lines: tuple[AdviceLine, ...]

    @property
    def total_cents(self) -> int:
        return sum(line.paid_cents for line in self.lines)


def remittances(t: Tables, draws: Draws, first: date, last: date, share: float = 1.0) -> Iterator[WorldFile]:
    """The advices sent from ``first`` to ``last``, in order of (day, id); ``share``: part of them."""
    for advice in advices(t, draws, first, last, share):
        yield advice_file(draws, advice)


def advice_file(draws: Draws, advice: Advice) -> WorldFile:
    """One advice as a file: a mail, a document, or a mail with the document attached."""
    ix = advice.remittance_id
    folder = f"files/{advice.company['code']}/mail/{advice.sent_date:%Y%m%d}"
    if advice.medium == "mail":
        return WorldFile(f"{folder}-advice-{ix:06d}.eml", mail_bytes(draws, advice), advice.sent_date)
    name, kind, data = _document(draws, advice)
    if not draws.happens("advice/attached", _ATTACHED_SHARE[advice.medium], ix):
        return WorldFile(f"{folder}-{name}", data, advice.sent_date)
    words = _words(advice)["mail"]
    cover = _pick(draws, "cover", words["covers"], ix)
    boundary = f"=_advice_{ix:08d}"
    message = multipart(_headers(draws, advice), boundary, [text_part(cover), file_part(name, kind, data)])
    return WorldFile(f"{folder}-advice-{ix:06d}.eml", message, advice.sent_date)


def _document(draws: Draws, advice: Advice) -> tuple[str, str, bytes]:
    name = f"{_words(advice)['file']}-{advice.remittance_id:06d}"
    if advice.medium == "pdf":
        return f"{name}.pdf", _PDF, pdf_bytes(draws, advice)
    if advice.medium == "xlsx":
        return f"{name}.xlsx", _XLSX, xlsx_bytes(draws, advice)
    return f"{name}.xml", _XML, iso20022_bytes(advice)


# -- what they say ---------------------------------------------------------------------------------------


def advices(t: Tables, draws: Draws, first: date, last: date, share: float = 1.0) -> Iterator[Advice]:
    """The content of ``remittances``. Payments for no document are left out: nobody advises them."""
    sent = t.remittances.filter(pl.col("sent_date").is_between(first, last)).sort(
        "sent_date", "remittance_id"
    )
    chosen = draws.happens("documents/share", share, sent["remittance_id"].to_numpy())
    sent = sent.filter(pl.Series(chosen, dtype=pl.Boolean))
    ids = sent.select("payment_id").unique()
    payments = {row["payment_id"]: row for row in _rows_of(t.payments, ids, "payment_id")}
    lines = _lines(t, ids)
    payer_ids = pl.DataFrame(
        {"customer_id": [row["payer_id"] for row in payments.values()]}, {"customer_id": pl.Int32}
    )
    payers = {row["customer_id"]: row for row in _rows_of(t.customers, payer_ids, "customer_id")}
    writers: dict[int, list[dict[str, Any]]] = {}
    for row in _rows_of(t.contacts, payer_ids, "customer_id"):
        writers.setdefault(row["customer_id"], []).append(row)
    companies = {row["company_id"]: row for row in t.companies.iter_rows(named=True)}
    for row in sent.iter_rows(named=True):
        payment = payments[row["payment_id"]]
        payer = payers.get(payment["payer_id"])
        if payer is not None and (told := lines.get(row["payment_id"])):
            yield Advice(
                row["remittance_id"], row["medium"], row["sent_date"], companies[payment["company_id"]],
                payer, payment, _sender(payer, writers.get(payer["customer_id"], []), row["sent_date"]),
                told,
            )  # fmt: skip


def _rows_of(frame: pl.DataFrame, ids: pl.DataFrame, key: str) -> Iterator[dict[str, Any]]:
    return frame.join(ids.unique(), on=key, how="semi", maintain_order="left").iter_rows(named=True)


def _lines(t: Tables, ids: pl.DataFrame) -> dict[int, tuple[AdviceLine, ...]]:
    """By payment, its documents in the order in which they were paid; installments of one are one line."""
    kind, cents = pl.col("kind"), pl.col("amount_cents")
    told = t.payment_lines.filter(kind.is_in([*_PAID, *_KEPT])).join(ids, on="payment_id", how="semi")
    grouped = (
        told.with_row_index("position")
        .join(t.installments.select("installment_id", "invoice_id"), on="installment_id")
        .group_by("payment_id", "invoice_id")
        .agg(
            pl.col("position").min(),
            cents.sum().alias("gross"),
            pl.when(kind.is_in(_KEPT)).then(cents).otherwise(0).sum().alias("kept"),
        )
        .join(t.invoices.select("invoice_id", "number", "date"), on="invoice_id")
        .filter(pl.col("gross") != 0)
        .sort("position")
    )
    found: dict[int, list[AdviceLine]] = {}
    for row in grouped.select("payment_id", "number", "date", "gross", "kept").iter_rows():
        found.setdefault(row[0], []).append(AdviceLine(*row[1:]))
    return {payment: tuple(lines) for payment, lines in found.items()}


def _sender(payer: dict[str, Any], contacts: Sequence[dict[str, Any]], day: date) -> tuple[str, str]:
    """Who writes: a contact with an address who has not left, else the office."""
    for contact in contacts:
        if contact["email"] and (contact["left_date"] is None or day <= contact["left_date"]):
            return contact["name"], contact["email"]
    office = "accounts" if payer["language"] == "en" else "amministrazione"
    return payer["name"], f"{office}@{payer['domain']}"


@cache
def _all_words() -> dict[str, Any]:
    text = files("saldo.simulation.files").joinpath("remittance_words.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _words(advice: Advice) -> dict[str, Any]:
    words: dict[str, Any] = _all_words()["en" if advice.payer["language"] == "en" else "it"]
    return words


def _pick(draws: Draws, purpose: str, choices: Sequence[Any], *ids: int) -> Any:
    return choices[int(draws.whole(f"advice/{purpose}", 0, len(choices) - 1, *ids).item())]


def _amount(cents: int, language: str) -> str:
    """-123456 -> "-1.234,56" or "-1,234.56"."""
    whole, rest = divmod(abs(cents), 100)
    text = f"{'-' if cents < 0 else ''}{whole:,}.{rest:02d}"
    return text if language == "en" else text.translate(str.maketrans(",.", ".,"))


def _day(day: date, language: str) -> str:
    return f"{day.day} {month_name[day.month]} {day.year}" if language == "en" else f"{day:%d/%m/%Y}"


def _has_deductions(advice: Advice) -> bool:
    return any(line.kept_cents for line in advice.lines)


# -- mail ------------------------------------------------------------------------------------------------


def mail_bytes(draws: Draws, advice: Advice) -> bytes:
    return text_message(draws, _headers(draws, advice), mail_text(draws, advice), advice.remittance_id)


def mail_text(draws: Draws, advice: Advice) -> str:
    """The words of an advice: a greeting, a line for each document, the total, a signature."""
    ix, mail, language = advice.remittance_id, _words(advice)["mail"], _language(advice)
    facts = _facts(advice)
    manner = int(draws.whole("advice/rows", 0, len(mail["rows"]) - 1, ix).item())
    rows = []
    for line in advice.lines:
        kind = "credit_rows" if line.paid_cents < 0 else "reduced_rows" if line.kept_cents else "rows"
        rows.append(
            mail[kind][manner].format(
                number=line.number,
                date=_day(line.day, language),
                gross=_amount(line.gross_cents, language),
                kept=_amount(abs(line.kept_cents), language),
                paid=_amount(abs(line.paid_cents), language),
            )
        )
    greeting, opening, total = (
        _pick(draws, name, mail[name], ix).format_map(facts) for name in ("greetings", "openings", "totals")
    )
    closing = _pick(draws, "closings", mail["closings"], ix)
    signature = f"{advice.sender[0]}\n{advice.payer['name']}"
    return "\n".join([greeting, "", opening, "", *rows, "", total, "", closing, signature, ""])


def _headers(draws: Draws, advice: Advice) -> list[tuple[str, str]]:
    ix = advice.remittance_id
    subject = _pick(draws, "subjects", _words(advice)["mail"]["subjects"], ix).format_map(_facts(advice))
    name, address = advice.sender
    quoted = name.replace('"', "'")
    return [
        ("From", f'"{quoted}" <{address}>' if quoted.isascii() else f"{quoted} <{address}>"),
        ("To", advice.company["email"]),
        ("Subject", subject),
        ("Date", mail_date(office_time(draws, "advice/time", advice.sent_date, ix))),
        ("Message-ID", f"<advice-{ix}@{advice.payer['domain']}>"),
    ]


def _language(advice: Advice) -> str:
    return "en" if advice.payer["language"] == "en" else "it"


def _facts(advice: Advice) -> dict[str, str]:
    language = _language(advice)
    return {
        "payer": advice.payer["name"],
        "payee": advice.company["name"],
        "day": _day(advice.payment["booking_date"], language),
        "total": _amount(advice.total_cents, language),
    }


# -- tables ----------------------------------------------------------------------------------------------


def _head_facts(advice: Advice) -> list[tuple[str, str]]:
    """What stands above the table."""
    words = _words(advice)
    payer, payment = advice.payer, advice.payment
    facts = [
        (words["payer"], payer["name"]),
        (words["vat"], payer["vat"]),
        (words["payer_iban"], payment["payer_iban"]),
        (words["payee"], advice.company["name"]),
        (words["day"], _day(payment["booking_date"], _language(advice))),
        (words["reference"], f"P{advice.payment['payment_id']:08d}"),
    ]
    return [(label, value) for label, value in facts if value]


def _columns(draws: Draws, advice: Advice) -> tuple[list[str], list[int]]:
    """(headers, which of number, date, gross, deduction, paid they are): the middle two only where needed."""
    headers = _pick(draws, "headers", _words(advice)["headers"], advice.remittance_id)
    kept = [0, 1, 2, 3, 4] if _has_deductions(advice) else [0, 1, 4]
    return [headers[index] for index in kept], kept


def pdf_bytes(draws: Draws, advice: Advice) -> bytes:
    """A page that Typst sets, without fonts or dates of the machine it runs on."""
    ix, words, language = advice.remittance_id, _words(advice), _language(advice)
    headers, kept = _columns(draws, advice)
    rows = []
    for line in advice.lines:
        cells = [line.number, _day(line.day, language)]
        cells += [_amount(cents, language) for cents in (line.gross_cents, line.kept_cents, line.paid_cents)]
        rows.append([cells[index] for index in kept])
    content = {
        "title": _pick(draws, "pdf title", words["pdf_titles"], ix),
        "language": language,
        "facts": _head_facts(advice),
        "headers": headers,
        "rows": rows,
        "ruled": bool(draws.happens("advice/ruled", 0.5, ix)),
        "total": [words["total"], _amount(advice.total_cents, language)],
        "note": words["note"],
    }
    pdf: bytes = typst.compile(
        _template(),
        format="pdf",
        ignore_system_fonts=True,
        timestamp=0,
        sys_inputs={"advice": json.dumps(content)},
    )
    return pdf


@cache
def _template() -> bytes:
    return files("saldo.simulation.files").joinpath("remittance_advice.typ.txt").read_bytes()


def xlsx_bytes(draws: Draws, advice: Advice) -> bytes:
    """A workbook with numbers and dates in its cells. The same advice gives the same bytes."""
    words = _words(advice)
    book = Workbook()
    book.properties.creator = advice.payer["name"]
    sent = office_time(draws, "advice/time", advice.sent_date, advice.remittance_id).replace(tzinfo=None)
    book.properties.created = book.properties.modified = sent
    sheet = book.active
    sheet.title = words["file"]
    sheet.append([_pick(draws, "pdf title", words["pdf_titles"], advice.remittance_id)])
    for fact in _head_facts(advice):
        sheet.append(fact)
    sheet.append([])
    headers, kept = _columns(draws, advice)
    sheet.append(headers)
    for cell in sheet[sheet.max_row]:
        cell.font = Font(bold=True)
    for line in advice.lines:
        amounts = [cents / 100 for cents in (line.gross_cents, line.kept_cents, line.paid_cents)]
        cells = [line.number, line.day, *amounts]
        sheet.append([cells[index] for index in kept])
        for column in range(3, len(kept) + 1):
            sheet.cell(sheet.max_row, column).number_format = "#,##0.00"
    sheet.append([words["total"], *[None] * (len(kept) - 2), advice.total_cents / 100])
    sheet.cell(sheet.max_row, len(kept)).number_format = "#,##0.00"
    packed = io.BytesIO()
    ExcelWriter(book, _TimelessZip(packed, "w", zipfile.ZIP_DEFLATED)).save()
    return packed.getvalue()


class _TimelessZip(zipfile.ZipFile):
    """A zip archive whose members all bear the same time."""

    def writestr(self, name: Any, data: Any, *args: Any, **kwargs: Any) -> None:  # type: ignore[override]
        member = zipfile.ZipInfo(str(name), ZIP_EPOCH)
        member.compress_type = zipfile.ZIP_DEFLATED
        super().writestr(member, data, *args, **kwargs)

    def write(self, filename: Any, arcname: Any = None, *args: Any, **kwargs: Any) -> None:
        with open(filename, "rb") as file:
            self.writestr(arcname or filename, file.read())


# -- ISO 20022 -------------------------------------------------------------------------------------------


def iso20022_bytes(advice: Advice) -> bytes:
    """A remt.001.001.02 message of one advice."""
    payment, payer, ix = advice.payment, advice.payer, advice.remittance_id
    end_to_end = payment["end_to_end"] if payment["end_to_end"] not in ("", "NOTPROVIDED") else f"P{ix:08d}"
    vat = f"<Id><OrgId><Othr><Id>{escape(payer['vat'])}</Id></Othr></OrgId></Id>" if payer["vat"] else ""
    iban = payment["payer_iban"]
    account = f"<DbtrAcct><Id><IBAN>{escape(iban)}</IBAN></Id></DbtrAcct>" if iban else ""
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:remt.001.001.02"><RmtAdvc>'
        f"<GrpHdr><MsgId>RA{ix:010d}</MsgId><CreDtTm>{advice.sent_date}T08:00:00</CreDtTm>"
        f"<InitgPty><Nm>{escape(payer['name'])}</Nm></InitgPty></GrpHdr>"
        f"<RmtInf><RmtId>RA{ix:010d}</RmtId>{''.join(_structured(line) for line in advice.lines)}"
        f"<OrgnlPmtInf><Refs><EndToEndId>{escape(end_to_end)}</EndToEndId></Refs>"
        f'<Amt><InstdAmt Ccy="EUR">{_plain(advice.total_cents)}</InstdAmt></Amt>'
        f"<ReqdExctnDt>{payment['booking_date']}</ReqdExctnDt>"
        f"<Dbtr><Nm>{escape(payer['name'])}</Nm>{vat}</Dbtr>{account}"
        f"<Cdtr><Nm>{escape(advice.company['name'])}</Nm></Cdtr></OrgnlPmtInf></RmtInf></RmtAdvc></Document>\n"
    )
    return text.encode()


def _structured(line: AdviceLine) -> str:
    is_credit = line.paid_cents < 0
    kept = f'<DscntApldAmt Ccy="EUR">{_plain(line.kept_cents)}</DscntApldAmt>' if line.kept_cents else ""
    amounts = (
        f'<CdtNoteAmt Ccy="EUR">{_plain(-line.paid_cents)}</CdtNoteAmt>'
        if is_credit
        else f'<DuePyblAmt Ccy="EUR">{_plain(line.gross_cents)}</DuePyblAmt>{kept}'
        f'<RmtdAmt Ccy="EUR">{_plain(line.paid_cents)}</RmtdAmt>'
    )
    return (
        f"<Strd><RfrdDocInf><Tp><CdOrPrtry><Cd>{'CREN' if is_credit else 'CINV'}</Cd></CdOrPrtry></Tp>"
        f"<Nb>{escape(line.number)}</Nb><RltdDt>{line.day}</RltdDt></RfrdDocInf>"
        f"<RfrdDocAmt>{amounts}</RfrdDocAmt></Strd>"
    )


def _plain(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}" if cents >= 0 else f"-{_plain(-cents)}"
