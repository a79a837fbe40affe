"""FatturaPA (ordinary FPA12/FPR12, simplified FSM10, older versions): XML -> InvoiceRecord.

Elements are found by local name, so every version and prefix reads alike. A lot holds several bodies: one
that is refused does not stop the others. Unknown codes are data. Source of the fields: the technical
specifications of the Agenzia delle Entrate; of expected cash: docs/rules/fatturapa.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from lxml import etree

from saldo.core.errors import Rejection
from saldo.core.money import MAX_MILLS
from saldo.formats._fatturapa_cash import CashPlan, DocumentFigures, Share, cash_plan
from saldo.formats._fatturapa_fields import (
    AMOUNT,
    amount_at,
    date_at,
    document_date_of,
    missing,
    required,
    upper,
    vat_number,
)
from saldo.formats._xml import XmlDocument, local_name, parse_xml, text_of, texts_of
from saldo.formats.records import (
    CREDIT_NOTE,
    DEBIT_NOTE,
    INVOICE,
    SELF_INVOICE,
    InstallmentRecord,
    InvoiceRecord,
    Notice,
    ReadResult,
    Refusal,
    refused,
)

FORMAT = "fatturapa"

_KIND_OF_TYPE = {
    "TD04": CREDIT_NOTE,
    "TD08": CREDIT_NOTE,
    "TD05": DEBIT_NOTE,
    "TD09": DEBIT_NOTE,
    # Reverse charge, integrations, own use, purchases from San Marino: the issuer is the one who pays.
    # TD24, TD25 (deferred invoices) and TD26 (sale of depreciable goods) are ordinary receivables.
    **dict.fromkeys(
        ("TD16", "TD17", "TD18", "TD19", "TD20", "TD21", "TD22", "TD23", "TD27", "TD28", "TD29"), SELF_INVOICE
    ),
}
# CondizioniPagamento of an advance, which is often paid before the invoice is issued.
_ADVANCE = "TP03"
_MAX_TERM_DAYS = 3660


@dataclass(frozen=True, slots=True)
class _Party:
    vat: str | None
    tax_code: str | None
    name: str | None
    country: str | None
    vat_is_valid: bool = True


@dataclass(frozen=True, slots=True)
class _Payment:
    """One DettaglioPagamento as written. amount_mills is None when the document does not state it."""

    amount_mills: int | None
    due_date: date | None
    due_date_derived: bool
    terms_text: str | None
    conditions: str | None
    method: str | None
    iban: str | None
    payee: str | None


def read_fatturapa(data: bytes) -> ReadResult:
    """Read the XML of one FatturaPA (one or many bodies). Never raises for bad content: it rejects."""
    try:
        document = parse_xml(data, readable=_numbers_in)
        return _read_document(document)
    except Refusal as refusal:
        return refused(FORMAT, refusal.rejection)


def _numbers_in(root: etree._Element) -> str:
    return ", ".join(texts_of(root, ".//DatiGeneraliDocumento/Numero"))


def _read_document(document: XmlDocument) -> ReadResult:
    header = document.root.find("FatturaElettronicaHeader")
    bodies = document.root.findall("FatturaElettronicaBody")
    if not bodies:
        raise Refusal(Rejection("fatturapa_without_body", local_name(document.root), ""))
    seller = _party(header, "CedentePrestatore")
    buyer = _party(header, "CessionarioCommittente")
    shared = _document_notices(document, seller, buyer)
    invoices, rejections = [], []
    for position, body in enumerate(bodies, start=1):
        try:
            invoices.append(
                _read_body(_Body(header, body, seller, buyer, position, document.repairs), shared)
            )
        except Refusal as refusal:
            rejections.append(refusal.rejection)
    return ReadResult(FORMAT, tuple(invoices), rejections=tuple(rejections))


def _document_notices(document: XmlDocument, seller: _Party, buyer: _Party) -> tuple[Notice, ...]:
    notices = []
    if document.repairs:
        notices.append(Notice("xml_repaired", "", "", {"repairs": ", ".join(document.repairs)}))
    for element, party in (("CedentePrestatore", seller), ("CessionarioCommittente", buyer)):
        if not party.vat_is_valid:
            notices.append(Notice("vat_number_checksum", element, party.vat or "", {"vat": party.vat}))
    return tuple(notices)


# -- parties ---------------------------------------------------------------------------------------------


def _party(header: etree._Element | None, role: str) -> _Party:
    """Ordinary and simplified invoices place the same facts at different depths."""
    element = header.find(role) if header is not None else None
    if element is None:
        return _Party(None, None, None, None)

    ids = _first_of(element, "DatiAnagrafici", "IdentificativiFiscali")
    names = _first_of(element, "DatiAnagrafici/Anagrafica", "AltriDatiIdentificativi")
    id_country = text_of(ids, "IdFiscaleIVA/IdPaese")
    vat, is_valid = vat_number(id_country, text_of(ids, "IdFiscaleIVA/IdCodice"))
    person = " ".join(word for tag in ("Nome", "Cognome") if (word := text_of(names, tag)))
    return _Party(
        vat=vat,
        tax_code=upper(text_of(ids, "CodiceFiscale")),
        name=text_of(names, "Denominazione") or person or None,
        country=upper(text_of(element, "Sede/Nazione") or text_of(names, "Sede/Nazione") or id_country),
        vat_is_valid=is_valid,
    )


def _first_of(element: etree._Element, *paths: str) -> etree._Element:
    """The first of ``paths`` that exists below ``element``, else ``element`` itself."""
    found = (element.find(path) for path in paths)
    return next((place for place in found if place is not None), element)


# -- one body --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Body:
    header: etree._Element | None
    element: etree._Element
    seller: _Party
    buyer: _Party
    position: int
    repairs: tuple[str, ...]

    @property
    def place(self) -> str:
        return f"FatturaElettronicaBody[{self.position}]"


def _read_body(body: _Body, shared_notices: tuple[Notice, ...]) -> InvoiceRecord:
    general = body.element.find("DatiGenerali/DatiGeneraliDocumento")
    place = f"{body.place}/DatiGenerali/DatiGeneraliDocumento"
    if general is None:
        raise missing(place, "DatiGeneraliDocumento")
    number = required(general, "Numero", place)
    document_date = document_date_of(general, place)
    if not (body.buyer.vat or body.buyer.tax_code or body.buyer.name):
        raise missing("FatturaElettronicaHeader/CessionarioCommittente", "CessionarioCommittente", number)
    notices = list(shared_notices)
    payments = list(_payments(body, notices))
    figures = _figures(body.element, general, body.place)
    plan = _plan(figures, payments, place, number)
    notices += _plan_notices(plan, figures, payments, body.place)
    currency = upper(text_of(general, "Divisa"))
    kind = _kind(text_of(general, "TipoDocumento"), body, plan.gross_mills, notices)
    return InvoiceRecord(
        number=number,
        kind=kind,
        document_date=document_date,
        currency=currency,
        total_mills=_total(figures, plan),
        expected_cash_mills=plan.expected_mills,
        installments=_installments(plan, payments),
        document_type=text_of(general, "TipoDocumento"),
        total_computed="fatturapa_total_computed" in plan.findings,
        split_vat_mills=figures.split_vat_mills,
        withholding_mills=figures.withholding_mills,
        seller_vat=body.seller.vat,
        seller_tax_code=body.seller.tax_code,
        seller_name=body.seller.name,
        buyer_vat=body.buyer.vat,
        buyer_tax_code=body.buyer.tax_code,
        buyer_name=body.buyer.name,
        buyer_country=body.buyer.country,
        recipient_code=text_of(body.header, "DatiTrasmissione/CodiceDestinatario"),
        recipient_pec=text_of(body.header, "DatiTrasmissione/PECDestinatario"),
        issued_by=text_of(body.header, "SoggettoEmittente"),
        order_refs=texts_of(body.element, "DatiGenerali/DatiOrdineAcquisto/IdDocumento"),
        related_invoices=texts_of(body.element, "DatiGenerali/DatiFattureCollegate/IdDocumento")
        or texts_of(body.element, "DatiGenerali/DatiFatturaRettificata/NumeroFR"),
        description=" ".join(texts_of(general, "Causale")) or None,
        position=body.position,
        repaired=bool(body.repairs),
        notices=tuple(notices),
    )


def _kind(document_type: str | None, body: _Body, gross_mills: int, notices: list[Notice]) -> str:
    kind = _KIND_OF_TYPE.get(document_type or "", INVOICE)
    if body.seller.vat and body.seller.vat == body.buyer.vat and kind != SELF_INVOICE:
        notices.append(Notice("buyer_is_seller", body.place, body.seller.vat))
    if kind == SELF_INVOICE:
        notices.append(Notice("self_invoice_left_out", body.place, document_type or ""))
    elif kind != CREDIT_NOTE and gross_mills < 0:
        notices.append(Notice("negative_invoice", body.place, document_type or ""))
        kind = CREDIT_NOTE
    return kind


def _total(figures: DocumentFigures, plan: CashPlan) -> int:
    """The total as stated; the computed one only where the document states none."""
    if "fatturapa_total_computed" in plan.findings or figures.stated_mills is None:
        return plan.gross_mills
    return figures.stated_mills


def _plan(figures: DocumentFigures, payments: list[_Payment], place: str, number: str) -> CashPlan:
    try:
        plan = cash_plan(figures, [payment.amount_mills or 0 for payment in payments])
    except ValueError as error:
        raise missing(place, "ImportoTotaleDocumento", number) from error
    some_lack_it = any(payment.amount_mills is None for payment in payments)
    if some_lack_it and any(payment.amount_mills for payment in payments):
        raise missing(f"{place.partition('/')[0]}/DatiPagamento", "ImportoPagamento", number)
    if abs(plan.gross_mills) > MAX_MILLS or abs(plan.expected_mills) > MAX_MILLS:
        raise Refusal(Rejection("fatturapa_bad_amount", place, number, {"element": "ImportoTotaleDocumento"}))
    return plan


def _plan_notices(
    plan: CashPlan, figures: DocumentFigures, payments: list[_Payment], place: str
) -> Iterator[Notice]:
    asked = sum(payment.amount_mills or 0 for payment in payments)
    known = {
        "stated": figures.stated_mills,
        "computed": figures.computed_mills,
        "asked": asked,
        "gross": plan.gross_mills,
        "split_vat": figures.split_vat_mills,
        "withholding": figures.withholding_mills,
    }
    params = {name: "-" if mills is None else f"{Decimal(mills) / 1000:.2f}" for name, mills in known.items()}
    for code in plan.findings:
        yield Notice(code, place, "", params)


def _installments(plan: CashPlan, payments: list[_Payment]) -> tuple[InstallmentRecord, ...]:
    return tuple(
        _installment(number, share, payments[share.asked_index] if payments else None)
        for number, share in enumerate(plan.shares, start=1)
    )


def _installment(number: int, share: Share, payment: _Payment | None) -> InstallmentRecord:
    if payment is None:
        return InstallmentRecord(
            number, None, share.expected_mills, share.expected_mills, share.split_vat_mills,
            share.withholding_mills,
        )  # fmt: skip
    return InstallmentRecord(
        number=number,
        due_date=payment.due_date,
        amount_mills=payment.amount_mills or share.expected_mills,
        expected_mills=share.expected_mills,
        split_vat_mills=share.split_vat_mills,
        withholding_mills=share.withholding_mills,
        method=payment.method,
        conditions=payment.conditions,
        terms_text=payment.terms_text,
        due_date_derived=payment.due_date_derived,
        iban=payment.iban,
        payee=payment.payee,
    )


# -- figures ---------------------------------------------------------------------------------------------


def _figures(body: etree._Element, general: etree._Element, place: str) -> DocumentFigures:
    general_place = f"{place}/DatiGenerali/DatiGeneraliDocumento"
    withholdings = [
        amount_at(element, "ImportoRitenuta", f"{general_place}/DatiRitenuta") or 0
        for element in general.iterfind("DatiRitenuta")
    ]
    computed, split_vat = _summary(body, f"{place}/DatiBeniServizi")
    if computed is not None:
        computed += amount_at(general, "Arrotondamento", general_place) or 0
        computed += _document_discount(general, computed, general_place)
    return DocumentFigures(
        stated_mills=amount_at(general, "ImportoTotaleDocumento", general_place),
        computed_mills=computed,
        stamp_mills=amount_at(general, "DatiBollo/ImportoBollo", general_place) or 0,
        split_vat_mills=split_vat,
        withholding_mills=sum(withholdings),
    )


def _summary(body: etree._Element, place: str) -> tuple[int | None, int]:
    """(total, split-payment VAT) of the VAT summary; total None when there is no summary.

    The rounding inside a summary line is already part of its taxable amount (SdI check 00422).
    """
    lines = body.findall("DatiBeniServizi/DatiRiepilogo")
    if not lines:
        # The simplified invoice has lines with VAT included and no summary.
        goods = body.findall("DatiBeniServizi")
        amounts = [amount_at(element, "Importo", place) for element in goods]
        known = [amount for amount in amounts if amount is not None]
        return (sum(known) if known else None), 0
    total = split_vat = 0
    for ordinal, line in enumerate(lines, start=1):
        line_place = f"{place}/DatiRiepilogo[{ordinal}]"
        tax = amount_at(line, "Imposta", line_place) or 0
        total += (amount_at(line, "ImponibileImporto", line_place) or 0) + tax
        if text_of(line, "EsigibilitaIVA") == "S":
            split_vat += tax
    return total, split_vat


def _document_discount(general: etree._Element, base_mills: int, place: str) -> int:
    """Discounts (negative) and surcharges on the whole document: the total is stated net of them."""
    change = 0
    for element in general.iterfind("ScontoMaggiorazione"):
        sign = -1 if text_of(element, "Tipo") == "SC" else 1
        amount = amount_at(element, "Importo", place)
        percent = text_of(element, "Percentuale")
        if amount is None and percent and AMOUNT.fullmatch(percent):
            cents = (Decimal(base_mills) * Decimal(percent) / 1000).quantize(Decimal(1))
            amount = int(cents) * 10
        change += sign * abs(amount or 0)
    return change


# -- payments --------------------------------------------------------------------------------------------


def _payments(body: _Body, notices: list[Notice]) -> Iterator[_Payment]:
    ordinal = 0
    for block in body.element.iterfind("DatiPagamento"):
        conditions = text_of(block, "CondizioniPagamento")
        for detail in block.iterfind("DettaglioPagamento"):
            ordinal += 1
            place = f"{body.place}/DatiPagamento/DettaglioPagamento[{ordinal}]"
            if conditions == _ADVANCE:
                notices.append(Notice("fatturapa_advance_payment", place, conditions))
            yield _payment(detail, conditions, place, notices)


def _payment(detail: etree._Element, conditions: str | None, place: str, notices: list[Notice]) -> _Payment:
    due_date = date_at(detail, "DataScadenzaPagamento", place, notices)
    term_days = _term_days(detail)
    derived = False
    if due_date is None and term_days is not None:
        start = date_at(detail, "DataRiferimentoTerminiPagamento", place, notices)
        due_date = start + timedelta(days=term_days) if start else None
        derived = due_date is not None
    iban = text_of(detail, "IBAN")
    return _Payment(
        amount_mills=amount_at(detail, "ImportoPagamento", place),
        due_date=due_date,
        due_date_derived=derived,
        terms_text=f"{term_days} gg" if term_days is not None else None,
        conditions=conditions,
        method=text_of(detail, "ModalitaPagamento"),
        iban=iban.replace(" ", "").upper() if iban else None,
        payee=text_of(detail, "Beneficiario"),
    )


def _term_days(detail: etree._Element) -> int | None:
    text = text_of(detail, "GiorniTerminiPagamento")
    if not text or not re.fullmatch(r"\d{1,4}", text) or int(text) > _MAX_TERM_DAYS:
        return None
    return int(text)
