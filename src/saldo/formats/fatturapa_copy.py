"""A FatturaPA as a person reads it: parties, lines, VAT, and the files that its issuer put inside.

For copies sent to customers. What ``fatturapa`` reads is what the ledger needs; this is the rest. Nothing is
computed: what the document says is shown as it says it.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from lxml import etree

from saldo.formats._xml import parse_xml, text_of, texts_of
from saldo.formats.records import Refusal

MAX_LINES = 2_000


@dataclass(frozen=True, slots=True)
class CopyParty:
    name: str
    vat: str
    address: str
    place: str


@dataclass(frozen=True, slots=True)
class CopyLine:
    """Texts as the document has them; "" where it has none. Amounts in its plain decimal form."""

    description: str
    quantity: str
    unit: str
    price: str
    total: str
    vat_rate: str


@dataclass(frozen=True, slots=True)
class CopyVat:
    rate: str
    nature: str
    base: str
    tax: str


@dataclass(frozen=True, slots=True)
class CopyDue:
    date: str
    amount: str
    method: str


@dataclass(frozen=True, slots=True)
class InvoiceCopy:
    """attached: (name, bytes) of the files inside the document, PDF only."""

    number: str
    date: str
    document_type: str
    currency: str
    total: str
    seller: CopyParty
    buyer: CopyParty
    subject: str
    lines: tuple[CopyLine, ...]
    vat: tuple[CopyVat, ...]
    dues: tuple[CopyDue, ...]
    attached: tuple[tuple[str, bytes], ...]


def copies(data: bytes) -> list[InvoiceCopy]:
    """Every invoice of a document; none where it is no FatturaPA or cannot be read."""
    try:
        root = parse_xml(data).root
    except Refusal:
        return []
    header = root.find("FatturaElettronicaHeader")
    if header is None:
        return []
    seller, buyer = _party(header, "CedentePrestatore"), _party(header, "CessionarioCommittente")
    return [_copy(body, seller, buyer) for body in root.iterfind("FatturaElettronicaBody")]


def _copy(body: etree._Element, seller: CopyParty, buyer: CopyParty) -> InvoiceCopy:
    general = body.find("DatiGenerali/DatiGeneraliDocumento")
    goods = body.find("DatiBeniServizi")
    lines = () if goods is None else tuple(goods.iterfind("DettaglioLinee"))[:MAX_LINES]
    vat = () if goods is None else tuple(goods.iterfind("DatiRiepilogo"))
    return InvoiceCopy(
        number=_text(general, "Numero"),
        date=_text(general, "Data"),
        document_type=_text(general, "TipoDocumento"),
        currency=_text(general, "Divisa").upper(),
        total=_text(general, "ImportoTotaleDocumento"),
        seller=seller,
        buyer=buyer,
        subject="" if general is None else " ".join(texts_of(general, "Causale")),
        lines=tuple(
            CopyLine(*(_text(line, tag) for tag in ("Descrizione", "Quantita", "UnitaMisura",
                                                    "PrezzoUnitario", "PrezzoTotale", "AliquotaIVA")))
            for line in lines
        ),
        vat=tuple(
            CopyVat(*(_text(one, tag) for tag in ("AliquotaIVA", "Natura", "ImponibileImporto", "Imposta")))
            for one in vat
        ),
        dues=tuple(
            CopyDue(*(_text(one, tag) for tag in ("DataScadenzaPagamento", "ImportoPagamento",
                                                  "ModalitaPagamento")))
            for one in body.iterfind("DatiPagamento/DettaglioPagamento")
        ),
        attached=tuple(filter(None, map(_attached, body.iterfind("Allegati")))),
    )  # fmt: skip


def _attached(element: etree._Element) -> tuple[str, bytes] | None:
    """A PDF inside the document; anything else (archives, pictures) is left where it is."""
    name, text = _text(element, "NomeAttachment"), _text(element, "Attachment")
    try:
        content = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
    if not content.startswith(b"%PDF-"):
        return None
    return (name if name.lower().endswith(".pdf") else f"{name or 'allegato'}.pdf"), content


def _party(header: etree._Element, role: str) -> CopyParty:
    party = header.find(role)
    if party is None:
        return CopyParty("", "", "", "")
    who = party.find("DatiAnagrafici")
    person = " ".join(filter(None, (_text(who, "Anagrafica/Nome"), _text(who, "Anagrafica/Cognome"))))
    country, code = _text(who, "IdFiscaleIVA/IdPaese"), _text(who, "IdFiscaleIVA/IdCodice")
    seat = party.find("Sede")
    street = " ".join(filter(None, (_text(seat, "Indirizzo"), _text(seat, "NumeroCivico"))))
    place = " ".join(filter(None, (_text(seat, "CAP"), _text(seat, "Comune"), _text(seat, "Provincia"))))
    name = _text(who, "Anagrafica/Denominazione") or person
    return CopyParty(name, f"{country}{code}" or _text(who, "CodiceFiscale"), street, place)


def _text(parent: etree._Element | None, path: str) -> str:
    return text_of(parent, path) or ""
