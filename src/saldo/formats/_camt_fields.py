"""Fields of camt messages: amounts, signs, dates, codes and parties, whatever the version calls them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from saldo.core.errors import Rejection
from saldo.core.money import InexactAmount, to_mills
from saldo.formats._bank_checks import StatedAmount
from saldo.formats._camt_tree import Node, text_of, texts_of
from saldo.formats.records import Refusal

# Few enough digits for exact arithmetic, more than any account holds.
_AMOUNT = re.compile(r"[0-9]{1,15}(?:\.[0-9]{0,12})?|\.[0-9]{1,12}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_TAX_SCHEMES = frozenset({"TXID", "ADE", "VAT"})


@dataclass(frozen=True, slots=True)
class Party:
    """One side of a transaction: debtor or creditor, with its account, its bank and who stands behind it."""

    name: str | None = None
    iban: str | None = None
    account: str | None = None
    bic: str | None = None
    tax_code: str | None = None
    other_id: str | None = None
    ultimate_name: str | None = None

    @property
    def is_known(self) -> bool:
        return bool(self.name or self.iban or self.account or self.ultimate_name)


def first_text(parent: Node | None, *paths: str) -> str | None:
    """The first text found at one of the paths, tried in their order."""
    return next((text for path in paths if (text := text_of(parent, path))), None)


def amount_of(element: Node | None, currency: str | None, where: str) -> StatedAmount:
    """The amount of an ``Amt``; ``currency`` where it states none.

    Raises Refusal if it is absent, is no plain decimal number, has parts of a mill, or has no currency.
    """
    text = (element.text or "").strip() if element is not None else ""
    stated = (element.get("Ccy") or "").strip().upper() if element is not None else ""
    code = stated or currency
    mills = plain_mills(text)
    if mills is None or code is None or not _CURRENCY.fullmatch(code):
        params = {"amount": f"{text} {stated}".strip()}
        raise Refusal(Rejection("bank_amount_unreadable", where, text, params))
    return StatedAmount(mills, code)


def plain_mills(text: str) -> int | None:
    """The mills of a plain decimal number; None where it is none or has parts of a mill."""
    try:
        return to_mills(Decimal(text)) if _AMOUNT.fullmatch(text) else None
    except InexactAmount:
        return None


def amount_if_readable(element: Node | None, currency: str | None) -> StatedAmount | None:
    """Like ``amount_of``, for amounts that explain and are not booked: None where unreadable."""
    try:
        return amount_of(element, currency, "") if element is not None else None
    except Refusal:
        return None


def sign_of(element: Node, where: str) -> int:
    """1 for a credit of the account, -1 for a debit. Raises Refusal where ``CdtDbtInd`` says neither.

    A reversal needs nothing more: the indicator is that of the reversing entry itself.
    """
    sign = sign_if_stated(element)
    if sign is None:
        stated = text_of(element, "CdtDbtInd") or "-"
        raise Refusal(Rejection("bank_sign_missing", where, stated, {"value": stated}))
    return sign


def sign_if_stated(element: Node) -> int | None:
    return {"CRDT": 1, "DBIT": -1}.get((text_of(element, "CdtDbtInd") or "").upper())


def transaction_code(element: Node) -> str | None:
    """ "PMNT/RCDT/ESCT" (domain, family, sub-family), else the bank's own code."""
    domain = (
        text_of(element, "BkTxCd/Domn/Cd"),
        text_of(element, "BkTxCd/Domn/Fmly/Cd"),
        text_of(element, "BkTxCd/Domn/Fmly/SubFmlyCd"),
    )
    return "/".join(part for part in domain if part) or text_of(element, "BkTxCd/Prtry/Cd")


def day_text(element: Node, name: str) -> str | None:
    """What stands in ``Dt`` or ``DtTm`` of a choice of dates."""
    return first_text(element, f"{name}/Dt", f"{name}/DtTm")


def account_id(account: Node | None) -> str | None:
    """The IBAN without blanks, else the account as its bank numbers it."""
    iban = text_of(account, "Id/IBAN")
    if iban:
        return iban.replace(" ", "").upper()
    return first_text(account, "Id/Othr/Id", "Id/PrtryAcct/Id", "Id/BBAN", "Id/UPIC", "Prxy/Id")


def party_of(details: Node, side: str) -> Party:
    """The debtor (``side`` "Dbtr") or the creditor ("Cdtr") of the details of a transaction."""
    parties, agents = details.find("RltdPties"), details.find("RltdAgts")
    iban = text_of(parties, f"{side}Acct/Id/IBAN")
    agent = f"{side}Agt/FinInstnId"
    tax_code, other_id = _identification(parties, side)
    return Party(
        name=_name(parties, side),
        iban=iban.replace(" ", "").upper() if iban else None,
        account=None if iban else account_id(parties.find(f"{side}Acct") if parties is not None else None),
        bic=first_text(agents, f"{agent}/BICFI", f"{agent}/BIC", f"{agent}/CmbndId/BIC"),
        tax_code=tax_code,
        other_id=other_id,
        ultimate_name=_name(parties, f"Ultmt{side}"),
    )


def _name(parties: Node | None, tag: str) -> str | None:
    return first_text(parties, f"{tag}/Nm", f"{tag}/Pty/Nm", f"{tag}/Agt/FinInstnId/Nm")


def _identification(parties: Node | None, side: str) -> tuple[str | None, str | None]:
    """(tax code, other identification). In Italy the issuer "ADE" marks a tax code."""
    if parties is None:
        return None, None
    other: str | None = None
    for holder in (f"{side}/Id", f"{side}/Pty/Id"):
        for kind in ("OrgId", "PrvtId"):
            tax = first_text(parties, f"{holder}/{kind}/TaxIdNb")
            if tax:
                return tax, other
            for one in parties.iterfind(f"{holder}/{kind}/Othr"):
                marks = {text_of(one, path) for path in ("Issr", "SchmeNm/Cd", "SchmeNm/Prtry")}
                if marks & _TAX_SCHEMES:
                    return text_of(one, "Id"), other
                other = other or text_of(one, "Id")
    return None, other


def charges_mills(element: Node, currency: str) -> int | None:
    """What the banks kept, in ``currency``, never negative; None where no charge is stated."""
    found: int | None = None
    for charges in element.iterfind("Chrgs"):
        total = amount_if_readable(charges.find("TtlChrgsAndTaxAmt"), currency)
        if total is not None and total.currency == currency:
            found = (found or 0) + total.mills
            continue
        for record in (charges, *charges.iterfind("Rcrd")):
            amount = amount_if_readable(record.find("Amt"), currency)
            if amount is not None and amount.currency == currency:
                # A charge is a debit unless it says otherwise.
                found = (found or 0) - amount.mills * (sign_if_stated(record) or -1)
    return None if found is None else max(found, 0)


def joined(parent: Node, path: str) -> str | None:
    return " ".join(texts_of(parent, path)) or None
