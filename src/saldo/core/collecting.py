"""Receipts (RiBa) and direct debits (SDD): when their money is safe, what may be tried again, what a line is.

An order is presented, credited (the bank advances or pays it), provisional (due and counted as paid, may
still come back), paid, or returned. What each stage does to the ledger: docs/rules/collections.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import date, timedelta
from typing import Any

from saldo.core.calendar import add_banking_days
from saldo.core.normalize import normalized_number

RIBA, SDD = "riba", "sdd"
KINDS = (RIBA, SDD)
CORE, B2B = "CORE", "B2B"

PRESENTED, CREDITED, PROVISIONAL, PAID, RETURNED = "presented", "credited", "provisional", "paid", "returned"
UNPAID, REFUNDED, WITHDRAWN, UNKNOWN = "unpaid", "refunded", "withdrawn", "unknown"
ENDS = frozenset({UNPAID, REFUNDED, WITHDRAWN})

# ISO 20022 reasons. MS03 hides the real one for privacy: tried once, since it may be a lack of funds.
RETRY_REASONS = frozenset({"AM04", "AM05", "MS03"})
REFUND_REASONS = frozenset({"MD01", "MD06"})
# A mandate's or an account's fault: the same order can only come back again.
NEVER_REASONS = frozenset(
    {"AC01", "AC04", "AC06", "AC13", "AG01", "AG02", "BE05", "FF01", "FRAD", "MD01", "MD02", "MD06", "MD07",
     "MS02", "RC01", "RR01", "RR02", "RR03", "RR04", "SL01"}
)  # fmt: skip
RETRY_LATER, RETRY_NEVER, RETRY_ASK = "later", "never", "ask"

_CREDIT_CODES = {"30": RIBA, "06": SDD}
_RETURN_CODES = {"37": RIBA, "08": SDD}
_FAMILIES = {"DRFT": RIBA, "IDDT": SDD}
_RETURN_SUBFAMILIES = frozenset({"UDFT", "UPDD", "RCDD", "PRDD", "UPCT"})
_WORDS = {RIBA: re.compile(r"\bR\.?I\.?\s?B\.?A\b|\bEFFETT|\bDISTINTA\b|\bS\.?B\.?F\b"),
          SDD: re.compile(r"\bSDD\b|\bRID\b|\bADDEBITI? DIRETT")}  # fmt: skip
_RETURN_WORDS = re.compile(r"INSOLUT|IMPAGAT|RESPINT|STORN|RICHIAM|UNPAID|RETURNED|REFUND|RIMBORS")
_FEE_WORDS = re.compile(r"\bCOMM(?:ISSION|\.)|\bSPESE\b|\bCOMPETENZE\b|\bFEES?\b|\bCHARGES?\b|\bONERI\b")
_RECEIPT_DIGITS = re.compile(r"[0-9]+")
_RATE_NO = re.compile(r"\bRATA\s+([0-9]{1,3})\b")

_BATCH_NAME = re.compile(r"\b(?:DISTINTA|LOTTO|FLUSSO|SLIP|BATCH|PRESENTAZIONE)\s+(?:N\.?\s*)?(\S+)")
_LAST_DIGITS = re.compile(r"[0-9]+$")
_LEAST_NAME_DIGITS = 4

CREDIT_LINE, RETURN_LINE, FEE_LINE = "credit", "return", "fee"


@dataclass(frozen=True, slots=True)
class CollectionRules:
    """A company's settings for collections.

    *_safe_days: after so many days from the due date the money does not come back any more: banking days for
    RiBa and SDD business-to-business, calendar days for SDD Core (refund without a reason within 8 weeks).
    silent_days: banking days after the due date without credit and outcome, after which an order is not held
    to be under way any more. recharge_fees: whether the contract lets us charge the bank's fee of a return.
    lead_days: banking days that our bank wants before the collection.
    """

    riba_safe_days: int = 10
    b2b_safe_days: int = 3
    core_safe_days: int = 56
    silent_days: int = 10
    recharge_fees: bool = False
    lead_days: int = 1

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> CollectionRules:
        """From stored data; what it does not say keeps its default."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in data.items() if name in known})

    def safe_date(self, kind: str, scheme: str, since: date) -> date:
        """The last day on which money counted from ``since`` may still come back without our doing."""
        if kind == RIBA:
            return add_banking_days(since, self.riba_safe_days)
        if scheme == B2B:
            return add_banking_days(since, self.b2b_safe_days)
        return since + timedelta(days=self.core_safe_days)

    def silent_date(self, due_date: date) -> date:
        return add_banking_days(due_date, self.silent_days)


def retry_advice(cause: str) -> str:
    """Whether a returned order may be presented again: "later", "never", or "ask" a person."""
    if cause in RETRY_REASONS:
        return RETRY_LATER
    return RETRY_NEVER if cause in NEVER_REASONS else RETRY_ASK


def return_outcome(kind: str, reason: str, days_after_due: int) -> str:
    """Whether what came back was refused (unpaid) or taken back by the debtor after it had been paid."""
    if kind == SDD and (reason in REFUND_REASONS or days_after_due > 10):
        return REFUNDED
    return UNPAID


def method_kind(payment_method: str) -> str:
    """RIBA, SDD or "": what an item's payment method (FatturaPA MP…, or the ERP's own word) stands for."""
    word = re.sub(r"[^A-Z0-9]", "", payment_method.upper())
    if word == "MP12" or word.startswith(("RIBA", "RB")):
        return RIBA
    if word in ("MP16", "MP17", "MP19", "MP20", "MP21") or word.startswith(("SDD", "RID")):
        return SDD
    return ""


@dataclass(frozen=True, slots=True)
class LineMarks:
    """What a bank line is to collections. role: CREDIT_LINE, RETURN_LINE, FEE_LINE or "" (none of them).

    kind: RIBA, SDD or "" (either). is_certain: the bank's code says so, not only words in its text.
    """

    role: str
    kind: str
    is_certain: bool


def line_marks(mills: int, code: str, text: str, return_reason: str, has_payer: bool) -> LineMarks:
    """Tell the lines of collections from others. Words alone do not make a customer's transfer one."""
    words = text.upper()
    family, _, subfamily = code.rpartition("/")
    by_code = _FAMILIES.get(family.rpartition("/")[2], "")
    by_words = next((kind for kind, pattern in _WORDS.items() if pattern.search(words)), "")
    if mills < 0 and _FEE_WORDS.search(words):
        about = bool(_RETURN_WORDS.search(words) or by_words)
        return LineMarks(FEE_LINE if about else "", by_words, False)
    if mills > 0:
        kind = _CREDIT_CODES.get(code, by_code)
        if kind:
            return LineMarks(CREDIT_LINE, kind, True)
        return LineMarks(CREDIT_LINE if by_words and not has_payer else "", by_words, False)
    kind = _RETURN_CODES.get(code, by_code)
    if code in _RETURN_CODES or subfamily in _RETURN_SUBFAMILIES or (kind and return_reason):
        return LineMarks(RETURN_LINE, kind or by_words, True)
    if _RETURN_WORDS.search(words) and (by_words or kind or return_reason):
        return LineMarks(RETURN_LINE, kind or by_words, False)
    return LineMarks("", "", False)


def receipt_key(receipt: str) -> str:
    """Receipt numbers as they are compared: R000000015, 0000000015 and 15 are one."""
    digits = "".join(_RECEIPT_DIGITS.findall(receipt))
    return digits.lstrip("0") or receipt.strip().upper()


def names_number(text: str, number: str) -> bool:
    """Whether the debt's reference names a document by its whole number."""
    key = normalized_number(number)
    return bool(key) and key in number_keys(text)


def number_keys(text: str) -> frozenset[str]:
    """Every document number that may stand in a text: its words, and runs of up to three of them."""
    words = text.split()
    runs = (" ".join(words[start : start + size]) for size in (1, 2, 3) for start in range(len(words)))
    return frozenset(key for key in map(normalized_number, runs) if any(c.isdigit() for c in key))


def installment_in(text: str) -> int | None:
    """The number of the installment, where the reference says "RATA n"."""
    found = _RATE_NO.search(text.upper())
    return int(found[1]) if found else None


def names_batch(text: str, number: str) -> bool | None:
    """Whether a credit's text names the slip ``number``; None where it names none that can be compared.

    Banks shorten the name of the flow to its last digits: "DISTINTA 000029" is flow "RB2401020000000029". A
    short number may be a count or the bank's own: it names nothing.
    """
    known = number.upper()
    if known and known in text.upper():
        return True
    found = _BATCH_NAME.search(text.upper())
    told = found[1].strip(".,;") if found else ""
    if not told.isdigit() or len(told) < _LEAST_NAME_DIGITS:
        return None
    tail = _LAST_DIGITS.search(known)
    digits = tail[0] if tail else ""
    return bool(digits) and (digits.endswith(told) or digits.lstrip("0") == told.lstrip("0"))


def only(found: Iterable[Any]) -> Any | None:
    """The one element of ``found``; None where there is none or more than one."""
    first, *others = [*found][:2] or [None]
    return first if not others else None
