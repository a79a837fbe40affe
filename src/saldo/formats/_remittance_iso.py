"""Remittance advices of ISO 20022 (remt.001, every version, by local names)."""

from __future__ import annotations

from datetime import date

from lxml import etree

from saldo.core.errors import Rejection
from saldo.formats._remittance import Remittance, RemittanceLine, balanced, day_of, plain_amount
from saldo.formats._xml import local_name, parse_xml, text_of
from saldo.formats.records import Notice, ReadResult, Refusal, refused

FORMAT = "remt"
_CREDIT_TYPES = frozenset({"CREN"})
_DAYS = ("ReqdExctnDt", "ReqdExctnDt/Dt", "ReqdExctnDt/DtTm", "IntrBkSttlmDt", "ReqdColltnDt")
_TAX_IDS = (".//OrgId/Othr/Id", ".//PrvtId/Othr/Id", ".//OrgId/OthrId/Id", ".//OrgId/PrtryId/Id")


def read_remt(data: bytes) -> ReadResult:
    """Every advice in a remt.001 message. One that cannot be read does not lose the others."""
    try:
        root = parse_xml(data, local_name).root
    except Refusal as refusal:
        return refused(FORMAT, refusal.rejection)
    records: list[Remittance] = []
    rejections: list[Rejection] = []
    for position, advice in enumerate(root.iter("RmtInf"), start=1):
        try:
            records.append(_advice(root, advice, position))
        except Refusal as refusal:
            rejections.append(refusal.rejection)
    if not records and not rejections:
        rejections.append(Rejection("remittance_empty", "RmtInf", local_name(root)))
    return ReadResult(FORMAT, records=tuple(records), rejections=tuple(rejections))


def _advice(root: etree._Element, advice: etree._Element, position: int) -> Remittance:
    where = f"RmtInf[{position}]"
    payment = advice.find("OrgnlPmtInf")
    currencies = {element.get("Ccy") for element in advice.iter() if element.get("Ccy")}
    if len(currencies) > 1:
        names = ", ".join(sorted(str(one) for one in currencies))
        raise Refusal(Rejection("remittance_currencies", where, names, {"currencies": names}))
    notices: list[Notice] = []
    lines = [line for part in advice.iterfind("Strd") for line in _lines(part, where)]
    for free in advice.iterfind("Ustrd"):
        if free.text and free.text.strip():
            notices.append(Rejection("remittance_free_text", where, free.text.strip()))
    debtor = payment.find("Dbtr") if payment is not None else None
    identity = _identity(debtor)
    result = Remittance(
        medium="iso20022",
        total_mills=_total(payment, where),
        currency=next(iter(currencies), None),
        lines=tuple(lines),
        payer_name=text_of(debtor, "Nm") or text_of(debtor, "Pty/Nm"),
        payer_vat=identity if identity and identity[:2].isalpha() else None,
        payer_tax_code=identity if identity and not identity[:2].isalpha() else None,
        payer_iban=text_of(payment, "DbtrAcct/Id/IBAN"),
        payment_date=_payment_date(payment),
        reference=text_of(advice, "RmtId") or text_of(root, ".//GrpHdr/MsgId"),
        end_to_end_id=text_of(payment, "Refs/EndToEndId") or text_of(payment, "EndToEndId"),
        position=position,
        notices=tuple(notices),
    )
    return balanced(result, keeps_lines=True)


def _identity(debtor: etree._Element | None) -> str | None:
    """The debtor's VAT number or tax code, as banks put it among its identifications."""
    return next((found for path in _TAX_IDS if (found := text_of(debtor, path))), None)


def _payment_date(payment: etree._Element | None) -> date | None:
    texts = (text_of(payment, path) for path in _DAYS)
    return next((day for text in texts if text and (day := day_of(text[:10]))), None)


def _total(payment: etree._Element | None, where: str) -> int | None:
    paths = ("Amt/InstdAmt", "Amt", "InstdAmt", "IntrBkSttlmAmt")
    stated = next((text for path in paths if (text := text_of(payment, path))), None)
    return None if stated is None else _mills(stated, where)


def _lines(part: etree._Element, where: str) -> list[RemittanceLine]:
    """One structured part: usually one document; several only where no amount would have to be divided."""
    documents = part.findall("RfrdDocInf")
    creditor_ref = text_of(part, "CdtrRefInf/Ref")
    amounts = part.find("RfrdDocAmt")
    if len(documents) > 1 and amounts is not None:
        raise Refusal(Rejection("remittance_amount_shared", where, text_of(documents[0], "Nb") or ""))
    if not documents:
        return [_line(None, amounts, creditor_ref, part, where)] if creditor_ref else []
    return [_line(one, amounts, text_of(one, "Nb") or creditor_ref, part, where) for one in documents]


def _line(
    document: etree._Element | None,
    amounts: etree._Element | None,
    number: str | None,
    part: etree._Element,
    where: str,
) -> RemittanceLine:
    if not number:
        raise Refusal(Rejection("remittance_number_missing", where, text_of(part, "AddtlRmtInf") or ""))
    type_ = text_of(document, "Tp/CdOrPrtry/Cd") or text_of(document, "Tp/Cd") or ""
    day = text_of(document, "RltdDt/Dt") or text_of(document, "RltdDt") or ""
    credit_note = _optional(amounts, "CdtNoteAmt", where)
    paid = _optional(amounts, "RmtdAmt", where)
    is_credit = type_ in _CREDIT_TYPES
    if paid is None and is_credit:
        paid = credit_note
    return RemittanceLine(
        number=number,
        document_date=day_of(day[:10]),
        paid_mills=paid,
        gross_mills=_optional(amounts, "DuePyblAmt", where),
        discount_mills=_deductions(amounts, where),
        reason=_reason(part, amounts),
        is_credit=is_credit,
    )


def _deductions(amounts: etree._Element | None, where: str) -> int:
    """The discounts that are stated as such. Adjustments go either way: they show in gross less paid."""
    kept = 0
    for discount in amounts.iterfind("DscntApldAmt") if amounts is not None else ():
        text = text_of(discount, "Amt") or (discount.text or "").strip()
        kept += _mills(text, where) if text else 0
    return kept


def _reason(part: etree._Element, amounts: etree._Element | None) -> str | None:
    paths = ("AdjstmntAmtAndRsn/AddtlInf", "AdjstmntAmtAndRsn/Rsn")
    told = [*(text_of(amounts, path) for path in paths), text_of(part, "AddtlRmtInf")]
    return "; ".join(dict.fromkeys(one for one in told if one)) or None


def _optional(amounts: etree._Element | None, tag: str, where: str) -> int | None:
    text = text_of(amounts, tag) or text_of(amounts, f"{tag}/Amt")
    return None if text is None else _mills(text, where)


def _mills(text: str, where: str) -> int:
    mills = plain_amount(text)
    if mills is None:
        raise Refusal(Rejection("remittance_amount_unreadable", where, text))
    return mills
