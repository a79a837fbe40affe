"""What the matching engine reads and what it proposes. Amounts are integers of mills.

Signs: items as in the ledger (positive = they owe us, negative = a credit of theirs); a line as on our bank
account (positive came in).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

# Kinds of proposals.
MATCH = "match"  # pays items, wholly or in part
DUPLICATE = "duplicate"  # pays again what was already paid: to give back, or to keep on account
ON_ACCOUNT = "on_account"  # the payer is known, what it pays is not (or it says "acconto")
ADVANCE = "advance"  # paid ahead for an order: applied nowhere else
UNKNOWN = "unknown"  # nobody could be named

# Zones (DESIGN §4): post automatically, propose, leave.
AUTO = "auto"
PROPOSE = "propose"
LEAVE = "leave"

# What a share leaves of its item, where it can be explained.
CHARGES = "charges"  # kept by banks: written off within the policy's limit
ROUNDING = "rounding"  # written off within the policy's limit
DISCOUNT = "discount"  # early-payment discount that the terms grant, taken in time
DISCOUNT_LATE = "discount_late"  # the same, taken out of time: never written off unasked
WITHHOLDING = "withholding"  # tax kept that the ERP did not flag: proposed, never posted unasked
SPLIT_VAT = "split_vat"  # VAT of split payment that the ERP did not flag: likewise
SHORT = "short"  # not explained: stays open, a person may make a Deduction of it


@dataclass(frozen=True, slots=True)
class AdviceLine:
    """A document that an advice names. paid_mills: its share (negative: a credit taken off), if stated."""

    number: str
    paid_mills: int | None = None
    document_date: date | None = None
    is_credit: bool = False


@dataclass(frozen=True, slots=True)
class Advice:
    """A payer's own word on what one payment is for. adds_up: its lines make its total (None: no total)."""

    remittance_id: int
    lines: tuple[AdviceLine, ...]
    document_refs: tuple[str, ...] = ()
    total_mills: int | None = None
    adds_up: bool | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A booked line of our account that came in, as the engine sees it.

    references: document numbers in structured fields. creditor_reference: RF… (ISO 11649).
    """

    line_id: int
    booking_date: date
    amount_mills: int
    currency: str
    text: str = ""
    payer_name: str = ""
    payer_iban: str = ""
    payer_tax_code: str = ""
    ultimate_name: str = ""
    creditor_reference: str = ""
    end_to_end_id: str = ""
    references: tuple[str, ...] = ()
    charges_mills: int = 0
    original_mills: int | None = None
    original_currency: str = ""
    advice: Advice | None = None


@dataclass(frozen=True, slots=True)
class OpenItem:
    """An item that a line may pay (or a credit that it may take off), with its balance before the run.

    number: of its document. balance_mills has the item's sign; 0 for one that was settled lately, on
    closed_date, which lets duplicates be seen. order_ref: of its document, or of an advance. discount_mills,
    discount_until: early-payment discount that the terms grant. is_in_flight: presented as RiBa or SDD.
    """

    item_id: int
    account_id: int
    kind: str
    number: str
    document_date: date
    due_date: date | None
    currency: str
    amount_mills: int
    balance_mills: int
    installment_no: int = 1
    invoice_id: int | None = None
    order_ref: str = ""
    closed_date: date | None = None
    discount_mills: int = 0
    discount_until: date | None = None
    is_in_flight: bool = False


@dataclass(frozen=True, slots=True)
class Share:
    """What a line gives to an item: positive to a debit; negative: a credit that the payer took off."""

    item_id: int
    mills: int


@dataclass(frozen=True, slots=True)
class Difference:
    """What a share leaves of its item, and why (the constants above); mills > 0."""

    kind: str
    item_id: int
    mills: int


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason as code and facts; core.reasons has the words. params hold only JSON values."""

    code: str
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Proposal:
    """One way to apply a line.

    The sum of shares plus unapplied_mills is the line's amount, always. account_id: whose payment it is
    (None only for UNKNOWN). pattern: the evidence class, whose confirmed matches make the probability.
    probability: that exactly this is right.
    """

    kind: str
    account_id: int | None
    shares: tuple[Share, ...]
    unapplied_mills: int
    differences: tuple[Difference, ...]
    pattern: str
    probability: float
    zone: str
    reasons: tuple[Reason, ...]
