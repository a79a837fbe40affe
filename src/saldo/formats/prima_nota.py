"""Writer of the prima nota incassi: what an ERP has to book for cash that was applied here, as CSV.

One row is one line of the entry; the rows of an entry balance (dare = avere), which is checked before a byte
is written. Semicolons, decimal commas and days as DD/MM/YYYY, as Italian accounting programs import them;
UTF-8 with a byte order mark, so that a spreadsheet shows accents rightly.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from saldo.core.money import decimal_text

COLUMNS = (
    "chiave", "riga", "data_registrazione", "data_contabile", "data_valuta", "causale", "conto",
    "codice_cliente", "cliente", "tipo_documento", "numero_documento", "data_documento", "rata", "scadenza",
    "dare", "avere", "divisa", "descrizione",
)  # fmt: skip

# What an entry is (column causale).
INCASSO, EFFETTI, INSOLUTO, RIMBORSO, STORNO = "INC", "EFF", "INS", "RIM", "STO"
# Accounts of a row (column conto): the bank's IBAN, the customer's, or one of these.
CUSTOMER, CHARGES, ROUNDING, DISCOUNT = "CLIENTI", "SPESE BANCARIE", "ABBUONI PASSIVI", "SCONTI CASSA"
WITHHOLDING, SPLIT_VAT = "RITENUTE SUBITE", "IVA SPLIT PAYMENT"
# Of a slip or its returns: receipts whose document is not known.
RECEIPTS = "EFFETTI"


@dataclass(frozen=True, slots=True)
class EntryRow:
    """One row. mills > 0: dare; < 0: avere. The document's fields are empty where the row is about none."""

    account: str
    mills: int
    customer_code: str = ""
    customer: str = ""
    document_kind: str = ""
    number: str = ""
    document_date: date | None = None
    installment_no: int | None = None
    due_date: date | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: the cash of one bank line (or its taking back) with its counterparts."""

    key: str
    cause: str
    registered: date
    booking_date: date
    value_date: date | None
    currency: str
    rows: tuple[EntryRow, ...]

    @property
    def difference_mills(self) -> int:
        return sum(row.mills for row in self.rows)


def render(entries: Sequence[Entry]) -> bytes:
    """The file. Raises ValueError for an entry that does not balance: nothing of it may reach an ERP."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for entry in entries:
        if entry.difference_mills:
            raise ValueError(f"entry {entry.key} does not balance by {entry.difference_mills} mills")
        for number, row in enumerate(entry.rows, start=1):
            writer.writerow(_fields(entry, number, row))
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def _fields(entry: Entry, number: int, row: EntryRow) -> tuple[str, ...]:
    return (
        entry.key, str(number), _day(entry.registered), _day(entry.booking_date), _day(entry.value_date),
        entry.cause, row.account, _text(row.customer_code), _text(row.customer), row.document_kind,
        _text(row.number), _day(row.document_date), str(row.installment_no or ""), _day(row.due_date),
        _amount(row.mills, entry.currency) if row.mills > 0 else "",
        _amount(-row.mills, entry.currency) if row.mills < 0 else "",
        entry.currency, _text(row.text),
    )  # fmt: skip


def _text(told: str) -> str:
    """One line of text that no spreadsheet takes for a formula: what others wrote is data."""
    plain = " ".join(told.split())
    return "'" + plain if plain[:1] in ("=", "+", "-", "@") else plain


def _day(day: date | None) -> str:
    return f"{day:%d/%m/%Y}" if day else ""


def _amount(mills: int, currency: str) -> str:
    return decimal_text(mills, currency).replace(".", ",")
