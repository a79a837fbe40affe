"""The demo company's exports as its ERP would write them: customers in XLSX, items in windows-1252 CSV."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Callable, Iterable
from datetime import date, datetime, time
from typing import Any

from openpyxl import Workbook
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter
from openpyxl.writer.excel import ExcelWriter

from saldo.simulation.demo_customers import DemoCustomer, table
from saldo.simulation.demo_sales import CREDIT_NOTE, INVOICE, ON_ACCOUNT, DemoDocument, DemoInstallment

ENCODING = "windows-1252"
# The earliest moment that a zip archive can state.
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
KIND_CODES = {INVOICE: "FT", CREDIT_NOTE: "NC", ON_ACCOUNT: "AC"}
CUSTOMER_HEADERS = (
    "Codice cliente", "Ragione sociale", "Partita IVA", "Codice fiscale", "Nazione", "Indirizzo", "CAP",
    "Città", "Provincia", "Contatto", "Ruolo", "E-mail", "PEC", "Telefono", "Lingua",
)  # fmt: skip
CUSTOMER_WIDTHS = (14, 36, 16, 16, 8, 30, 8, 16, 9, 24, 24, 36, 36, 20, 7)
ITEM_HEADERS = (
    "Cod. cliente", "Ragione sociale", "Partita IVA", "Causale", "Num. documento", "Data documento",
    "Data scadenza", "Rata", "Condizioni di pagamento", "Modalità", "Rif. ordine", "Importo", "Residuo",
    "Data saldo",
)  # fmt: skip
CODE, NAME, VAT, DOCUMENT_DATE, AMOUNT = 0, 1, 2, 5, 11
Row = list[str]


def vat_as_written(customer: DemoCustomer) -> str:
    """An Italian ERP leaves out the prefix of Italian numbers."""
    return customer.vat.removeprefix("IT")


# -- customers -------------------------------------------------------------------------------------------


def customers_xlsx(customers: Iterable[DemoCustomer], written_on: date) -> bytes:
    """One row per contact. The same customers and day give the same bytes."""
    book = Workbook()
    book.properties.creator = table("demo")["company"]["name"]
    evening = datetime.combine(written_on, time(19))
    book.properties.created = book.properties.modified = evening
    sheet = book.active
    sheet.title = "Clienti"
    sheet.append(CUSTOMER_HEADERS)
    for cell in sheet[1]:
        cell.font = Font(bold=True)
    for column, width in enumerate(CUSTOMER_WIDTHS, start=1):
        sheet.column_dimensions[get_column_letter(column)].width = width
    sheet.freeze_panes = "A2"
    for row in customer_rows(customers):
        sheet.append(row)
    packed = io.BytesIO()
    ExcelWriter(book, _TimelessZip(packed, "w", zipfile.ZIP_DEFLATED)).save()
    return packed.getvalue()


def customer_rows(customers: Iterable[DemoCustomer]) -> list[Row]:
    return [
        [
            customer.code, customer.name, vat_as_written(customer), customer.tax_code, customer.country,
            customer.address, customer.zip, customer.city, customer.province, contact.name, contact.role,
            contact.email, customer.pec, contact.phone, customer.language,
        ]
        for customer in customers
        for contact in customer.contacts
    ]  # fmt: skip


class _TimelessZip(zipfile.ZipFile):
    """A zip archive whose members all bear the same time, so that the same content is the same bytes."""

    def writestr(self, name: Any, data: Any, *args: Any, **kwargs: Any) -> None:
        member = zipfile.ZipInfo(str(name), ZIP_EPOCH)
        member.compress_type = zipfile.ZIP_DEFLATED
        super().writestr(member, data, *args, **kwargs)

    def write(self, filename: Any, arcname: Any = None, *args: Any, **kwargs: Any) -> None:
        with open(filename, "rb") as file:
            self.writestr(arcname or filename, file.read())


# -- items -----------------------------------------------------------------------------------------------


def history_rows(documents: Iterable[DemoDocument], as_at: date) -> list[Row]:
    """Installments settled by the end of ``as_at``, in order of date."""
    return [
        item_row(document, part, as_at)
        for document in documents
        for part in document.installments
        if part.settled_date <= as_at
    ]


def open_rows(documents: Iterable[DemoDocument], as_at: date) -> list[Row]:
    """Installments and credits with a balance at the end of ``as_at``."""
    return [
        item_row(document, part, as_at)
        for document in documents
        for part in document.installments
        if part.open_cents(as_at) != 0
    ]


def item_row(document: DemoDocument, part: DemoInstallment, as_at: date) -> Row:
    customer = document.customer
    is_invoice = document.kind == INVOICE
    return [
        customer.code,
        customer.name,
        vat_as_written(customer),
        KIND_CODES[document.kind],
        document.number,
        _day(document.document_date),
        _day(part.due_date),
        str(part.number),
        customer.terms.text if is_invoice else "",
        customer.terms.method if is_invoice else "",
        document.order_ref,
        italian_amount(part.amount_cents),
        italian_amount(part.open_cents(as_at)),
        _day(part.settled_date) if part.settled_date <= as_at else "",
    ]


def _day(day: date) -> str:
    return day.strftime("%d/%m/%Y")


def italian_amount(cents: int) -> str:
    """-123456 -> "-1.234,56"."""
    whole, rest = divmod(abs(cents), 100)
    return f"{'-' if cents < 0 else ''}{whole:,}".replace(",", ".") + f",{rest:02d}"


def items_csv(rows: Iterable[Row]) -> bytes:
    """Lines joined as the ERP does it: no quotes, even where a name holds a delimiter."""
    lines = [";".join(ITEM_HEADERS), *(";".join(row) for row in rows)]
    return ("\r\n".join(lines) + "\r\n").encode(ENCODING)


# -- spoilt rows -----------------------------------------------------------------------------------------


def _impossible_date(row: Row) -> Row:
    return [*row[:DOCUMENT_DATE], "31/02/" + row[DOCUMENT_DATE][-4:], *row[DOCUMENT_DATE + 1 :]]


def _no_customer(row: Row) -> Row:
    return ["", "", "", *row[VAT + 1 :]]


def _other_decimal_mark(row: Row) -> Row:
    swapped = row[AMOUNT].translate(str.maketrans(".,", ",."))
    return [*row[:AMOUNT], swapped, *row[AMOUNT + 1 :]]


def _delimiter_in_name(row: Row) -> Row:
    return [row[CODE], row[NAME] + "; filiale di Genova", *row[NAME + 1 :]]


# What is done to a row, and the error code that it must be refused with.
SPOILERS: dict[str, tuple[Callable[[Row], Row], str]] = {
    "impossible_date": (_impossible_date, "date_impossible"),
    "no_customer": (_no_customer, "missing_customer"),
    "other_decimal_mark": (_other_decimal_mark, "amount_separator"),
    "delimiter_in_name": (_delimiter_in_name, "row_too_many_cells"),
}


def spoil(seed: int, rows: list[Row]) -> tuple[list[Row], dict[int, str]]:
    """``rows`` with those of [bad_rows] spoilt, and {row number in the file: error code it must get}."""
    kinds = table("demo")["bad_rows"]["kinds"]
    rng = random.Random(f"{seed}:bad rows")
    # Invoices of a thousand euro or more: a decimal mark is only seen to be the wrong one beside the other.
    candidates = [at for at, row in enumerate(rows) if row[3] == "FT" and "." in row[AMOUNT]]
    planted: dict[int, str] = {}
    spoilt = list(rows)
    for at, kind in zip(rng.sample(candidates, len(kinds)), kinds, strict=True):
        change, code = SPOILERS[kind]
        spoilt[at] = change(rows[at])
        planted[at + 2] = code
    return spoilt, dict(sorted(planted.items()))
