"""Writes a slip of receipts (distinta RiBa) for the bank: CBI records of 120 characters (CBI-RIB-001).

One flow IB … EF; per receipt the records 14 20 30 40 50 51 70. Amounts are integers of cents. Texts lose
their accents; names and addresses longer than their field are cut, references to the debt never are.

Everything is checked before the file exists. What is wrong is told all at once, a Rejection a fault with
the receipt it is about, and then there is no file: a bank refuses a slip whole, days later.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from stdnum.it import codicefiscale, iva

from saldo.core.errors import Rejection
from saldo.formats._plain import ascii_text

MAX_CENTS = 9_999_999_999_999
MAX_RECEIPTS = 1_428_570  # 7 records each, and IB and EF: the trailer counts records in 7 digits
_WIDTH = 120
_PRESENTED = "30000"
_FIVE_DIGITS = re.compile(r"[0-9]{5}")
_ACCOUNT = re.compile(r"[0-9A-Z]{1,12}")
_SIA = re.compile(r"[0-9A-Z]{5}")
_RECEIPT = re.compile(r"[0-9]{1,10}")
# The two-digit years of the format.
_FIRST_DAY, _LAST_DAY = date(2000, 1, 1), date(2069, 12, 31)


@dataclass(frozen=True, slots=True)
class SlipHead:
    """Who presents the slip, and to which account of ours. name: of the flow, not used twice on a day.

    account: number of the account, up to 12 letters and digits. creditor: name and address, a line each.
    """

    sia: str
    abi: str
    cab: str
    account: str
    created_date: date
    name: str
    creditor: tuple[str, ...]
    creditor_tax_code: str


@dataclass(frozen=True, slots=True)
class SlipReceipt:
    """One receipt. receipt: its number, up to 10 digits, by which the bank tells what became of it."""

    receipt: str
    due_date: date
    amount_cents: int
    debtor_name: str
    debtor_tax_code: str
    debtor_abi: str
    debtor_cab: str
    debtor_code: str = ""
    debtor_address: str = ""
    debtor_zip: str = ""
    debtor_city: str = ""
    debtor_province: str = ""
    debtor_bank: str = ""
    debt_reference: str = ""


@dataclass(frozen=True, slots=True)
class WrittenSlip:
    """data: the file, None where something was refused."""

    data: bytes | None
    receipts: int
    total_cents: int
    rejections: tuple[Rejection, ...] = ()


def write_riba_slip(head: SlipHead, receipts: Sequence[SlipReceipt]) -> WrittenSlip:
    """The slip as the bank's file, or everything that is wrong with it."""
    faults = [*_head_faults(head), *_slip_faults(receipts)]
    for receipt in receipts:
        faults += _receipt_faults(receipt)
    total = sum(receipt.amount_cents for receipt in receipts)
    data = None if faults else _flow(head, receipts, total)
    return WrittenSlip(data, len(receipts), total, tuple(faults))


# --- checks -----------------------------------------------------------------------------------------


def _head_faults(head: SlipHead) -> Iterator[Rejection]:
    def fault(what: str, value: str) -> Rejection:
        return Rejection("collection_creditor_invalid", "IB", value, {"what": what, "value": value or "-"})

    if not _SIA.fullmatch(head.sia):
        yield fault("SIA", head.sia)
    for what, value in (("ABI", head.abi), ("CAB", head.cab)):
        if not is_bank_code(value):
            yield fault(what, value)
    if not _ACCOUNT.fullmatch(head.account):
        yield fault("C/C", head.account)
    if not is_tax_code(head.creditor_tax_code):
        yield fault("CF/P.IVA", head.creditor_tax_code)
    if not any(ascii_text(line) for line in head.creditor):
        yield fault("nome/name", "")
    name = ascii_text(head.name)
    if not name or len(name) > 20:
        yield fault("nome supporto", head.name)
    if not _FIRST_DAY <= head.created_date <= _LAST_DAY:
        yield fault("data/date", head.created_date.isoformat())


def _slip_faults(receipts: Sequence[SlipReceipt]) -> Iterator[Rejection]:
    if not receipts:
        yield Rejection("collection_empty", "", "")
    if len(receipts) > MAX_RECEIPTS:
        yield Rejection("collection_too_many", "", "", {"found": len(receipts), "limit": MAX_RECEIPTS})
    seen: set[int] = set()
    for one in receipts:
        if not _RECEIPT.fullmatch(one.receipt) or not int(one.receipt):
            yield _fault("collection_receipt_invalid", one, one.receipt)
        elif int(one.receipt) in seen:
            yield _fault("collection_receipt_twice", one, one.receipt)
        else:
            seen.add(int(one.receipt))


def _receipt_faults(one: SlipReceipt) -> Iterator[Rejection]:
    if type(one.amount_cents) is not int or not 1 <= one.amount_cents <= MAX_CENTS:
        yield _fault("collection_amount_invalid", one, str(one.amount_cents))
    if not _FIRST_DAY <= one.due_date <= _LAST_DAY:
        yield _fault("collection_date_invalid", one, one.due_date.isoformat())
    if not ascii_text(one.debtor_name):
        yield _fault("collection_name_missing", one, one.debtor_name)
    if not is_tax_code(one.debtor_tax_code):
        yield _fault("collection_tax_code_invalid", one, one.debtor_tax_code)
    for value in (one.debtor_abi, one.debtor_cab):
        if not is_bank_code(value):
            yield _fault("collection_bank_invalid", one, f"{one.debtor_abi} {one.debtor_cab}".strip())
            break
    for text, limit in ((one.debt_reference, 80), (one.debtor_code, 16)):
        if len(ascii_text(text)) > limit:
            yield _fault("collection_text_too_long", one, text, limit=limit)
    if not ascii_text(one.debt_reference):
        yield _fault("collection_reference_missing", one, "")


def is_bank_code(text: str) -> bool:
    """An ABI or a CAB."""
    return bool(_FIVE_DIGITS.fullmatch(text))


def is_tax_code(text: str) -> bool:
    """A VAT number or tax code of Italy whose check character is right, without country prefix."""
    return bool(text) and text.isascii() and (iva.is_valid(text) or codicefiscale.is_valid(text)) and (
        text == text.strip() and len(text) in (11, 16)
    )  # fmt: skip


def _fault(code: str, one: SlipReceipt, value: str, **params: object) -> Rejection:
    told = {"receipt": one.receipt or "-", "debtor": one.debtor_name or "-", "value": value or "-", **params}
    return Rejection(code, f"ricevuta/receipt {one.receipt or '-'}", value, told)


# --- records ----------------------------------------------------------------------------------------


def _flow(head: SlipHead, receipts: Sequence[SlipReceipt], total: int) -> bytes:
    start = f"{head.sia}{head.abi}{_day(head.created_date)}{_field(head.name, 20)}"
    records = [f" IB{start}"]
    for ordinal, receipt in enumerate(receipts, start=1):
        records += _receipt(head, receipt, f"{ordinal:07d}")
    count = len(records) + 1
    records.append(f" EF{start}{'':6}{len(receipts):07d}{total:015d}{0:015d}{count:07d}")
    # 114 of head and trailer, 120 of record 14: the currency, E for euro.
    return "".join(f"{_ended(record)}\r\n" for record in records).encode("ascii")


def _ended(record: str) -> str:
    return f"{record:113}E{'':6}" if record[1:3] in ("IB", "EF") else f"{record:{_WIDTH}}"


def _receipt(head: SlipHead, one: SlipReceipt, at: str) -> Iterator[str]:
    banks = f"{head.abi}{head.cab}{head.account:12}{one.debtor_abi}{one.debtor_cab}"
    yield (
        f" 14{at}{'':12}{_day(one.due_date)}{_PRESENTED}{one.amount_cents:013d}-{banks}{'':12}"
        f"{head.sia}4{_field(one.debtor_code, 16)}{'':6}E"
    )
    creditor = [_field(line, 24) for line in (*head.creditor, "", "", "", "")[:4]]
    yield f" 20{at}{''.join(creditor)}"
    yield f" 30{at}{_field(one.debtor_name, 60)}{_field(one.debtor_tax_code, 16)}"
    place = f"{_field(one.debtor_city, 23)}{_field(one.debtor_province, 2)}"
    yield (
        f" 40{at}{_field(one.debtor_address, 30)}{_field(one.debtor_zip, 5)}{place}"
        f"{_field(one.debtor_bank, 50)}"
    )
    yield f" 50{at}{_field(one.debt_reference, 80)}{'':10}{_field(head.creditor_tax_code, 16)}"
    yield f" 51{at}{int(one.receipt):010d}{_field(head.creditor[0] if head.creditor else '', 20)}"
    yield f" 70{at}"


def _field(text: str, width: int) -> str:
    return f"{ascii_text(text)[:width]:{width}}"


def _day(day: date) -> str:
    return day.strftime("%d%m%y")
