"""Copies of invoices for customers: the PDF that the e-invoice carries, else one made from what it says.

Only e-invoices have a copy. A list from an ERP holds other customers' lines as well, and is never sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from saldo.core.message_facts import clean, day_text
from saldo.core.text_tables import Paragraph, Table
from saldo.core.words import number_text
from saldo.formats.detect import contents_of
from saldo.formats.fatturapa_copy import CopyParty, InvoiceCopy, copies
from saldo.intake.queries import document_bytes
from saldo.ledger.models import Invoice
from saldo.outreach.letters.typeset import Block, Heading, Letterhead, Sheet, pdf

_WORDS = {
    "it": {
        "title": "Fattura n. {number} del {day}", "credit": "Nota di credito n. {number} del {day}",
        "note": "Copia di cortesia, priva di valore fiscale: l'originale è la fattura elettronica.",
        "from": "Fornitore", "to": "Cliente", "vat": "P. IVA {vat}",
        "lines": ("Descrizione", "Quantità", "Prezzo", "IVA %", "Importo"), "total": "Totale documento",
        "taxes": ("Aliquota", "Imponibile", "Imposta"), "dues": ("Scadenza", "Modalità", "Importo"),
    },
    "en": {
        "title": "Invoice no. {number} of {day}", "credit": "Credit note no. {number} of {day}",
        "note": "Copy for information only: the original is the electronic invoice.",
        "from": "Seller", "to": "Buyer", "vat": "VAT no. {vat}",
        "lines": ("Description", "Quantity", "Price", "VAT %", "Amount"), "total": "Total",
        "taxes": ("VAT rate", "Net", "VAT"), "dues": ("Due date", "Method", "Amount"),
    },
}  # fmt: skip
_CREDITS = ("TD04", "TD08")


@dataclass(frozen=True, slots=True)
class InvoiceFile:
    """A copy. number: of the invoice it is of."""

    invoice_id: int
    number: str
    name: str
    data: bytes


def copies_of(invoice_ids: Sequence[int], language: str, at: datetime) -> tuple[list[InvoiceFile], list[str]]:
    """The copies that could be made, and the numbers of invoices of which none can."""
    made, missing = [], []
    rows = Invoice.objects.filter(id__in=list(invoice_ids)).prefetch_related("sightings")
    found = {invoice.id: invoice for invoice in rows}
    read: dict[int, list[InvoiceCopy]] = {}
    for invoice_id in invoice_ids:
        invoice = found[invoice_id]
        copy = _copy_of(invoice, read)
        if copy is None:
            missing.append(invoice.number)
            continue
        data = copy.attached[0][1] if copy.attached else _made(copy, language, at)
        made.append(InvoiceFile(invoice_id, invoice.number, _file_name(invoice.number, language), data))
    return made, missing


def _copy_of(invoice: Invoice, read: dict[int, list[InvoiceCopy]]) -> InvoiceCopy | None:
    """The invoice in the documents that told it, by its number and day: a lot or an archive holds several."""
    told = [invoice.document_id, *(sighting.document_id for sighting in invoice.sightings.all())]
    for document_id in filter(None, told):
        if document_id not in read:
            read[document_id] = _copies_in(document_bytes(document_id))
        for copy in read[document_id]:
            if copy.number == invoice.number and copy.date[:10] == invoice.document_date.isoformat():
                return copy
    return None


def _copies_in(data: bytes) -> list[InvoiceCopy]:
    documents = contents_of(data, "document")[0]
    return [copy for one in documents if one.kind.startswith("fatturapa") for copy in copies(one.data)]


def _file_name(number: str, language: str) -> str:
    safe = "".join(c if c.isalnum() or c in "-_." else "-" for c in clean(number))[:60]
    return f"{'fattura' if language == 'it' else 'invoice'}-{safe}.pdf"


def _made(copy: InvoiceCopy, language: str, at: datetime) -> bytes:
    words = _WORDS[language]
    title = _title(copy, language)
    lines = tuple(
        (clean(line.description), _figure(line.quantity, language, 0), _figure(line.price, language, 2),
         _figure(line.vat_rate, language, 0), _figure(line.total, language, 2))
        for line in copy.lines
    )  # fmt: skip
    vat = tuple(
        (f"{_figure(one.rate, language, 0)}% {one.nature}".strip(), _figure(one.base, language, 2),
         _figure(one.tax, language, 2))
        for one in copy.vat
    )  # fmt: skip
    dues = tuple(
        (_day(due.date, language), due.method, _figure(due.amount, language, 2)) for due in copy.dues
    )
    total = (str(words["total"]), "", "", copy.currency, _figure(copy.total, language, 2))
    blocks: list[Block] = [
        Heading(title), Paragraph((str(words["note"]),)),
        Paragraph((f"{words['to']}:", *_party(copy.buyer, language))),
        *([Paragraph((clean(copy.subject),))] if copy.subject else []),
        Table(tuple(words["lines"]), lines, (total,) if copy.total else (), (False, True, True, True, True)),
        *([Table(tuple(words["taxes"]), vat, (), (False, True, True))] if vat else []),
        *([Table(tuple(words["dues"]), dues, (), (False, False, True))] if dues else []),
    ]  # fmt: skip
    head = Letterhead(clean(copy.seller.name), tuple(_party(copy.seller, language)[1:]))
    return pdf([Sheet(head, tuple(blocks))], language, title, at)


def _title(copy: InvoiceCopy, language: str) -> str:
    kind = "credit" if copy.document_type in _CREDITS else "title"
    return str(_WORDS[language][kind]).format(number=clean(copy.number), day=_day(copy.date, language))


def _party(party: CopyParty, language: str) -> list[str]:
    vat = str(_WORDS[language]["vat"]).format(vat=party.vat) if party.vat else ""
    return [line for line in map(clean, (party.name, party.address, party.place, vat)) if line]


def _day(text: str, language: str) -> str:
    try:
        return day_text(date.fromisoformat(text[:10]), language)
    except ValueError:
        return text


def _figure(text: str, language: str, places: int) -> str:
    """A decimal of the document in the reader's form, with the decimals it has."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        return text
    if not value.is_finite():
        return text
    exponent = value.normalize().as_tuple().exponent
    return number_text(value, language, max(places, -exponent if isinstance(exponent, int) else 0))
