"""Records of what banks say: statement lines, and what became of receipts and direct debits.

Amounts are integers of mills (thousandths of the currency unit). In a statement line the sign is ours:
positive came into the account, negative left it, whatever marks the format used. Codes (of transactions, of
returns, of outcomes) are kept as the bank wrote them: an unknown one is data, not an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from saldo.core.money import decimal_text
from saldo.formats.records import Notice

# What a statement is worth. Only a booked one is a fact; an intraday one is evidence until the booked one
# confirms it; a notification (camt.054) explains lines without being a statement.
BOOKED = "booked"
INTRADAY = "intraday"
NOTIFICATION = "notification"


@dataclass(frozen=True, slots=True)
class BankTransaction:
    """One line of a statement, or one transaction of a line that books a batch.

    ordinal: from 1 within the statement. entry: number of the statement line it belongs to; entry_size: how
    many transactions that line holds. status: as in camt ("BOOK", "PDNG", "INFO"; "BOOK" for formats
    without). code: the bank's transaction code as written ("PMNT/RCDT/ESCT", "NTRF", CBI "48").
    is_reversal: the line takes back an earlier one (camt RvslInd, MT940 RC/RD). return_reason: the reason
    code of a return ("AC04", "MD06"). document_refs: invoice numbers stated in structured fields.
    charges_mills: costs the banks say they kept, positive. original_*: amount instructed in another currency.
    """

    ordinal: int
    booking_date: date | None
    amount_mills: int
    currency: str
    value_date: date | None = None
    entry: int = 1
    entry_size: int = 1
    status: str = "BOOK"
    code: str | None = None
    is_reversal: bool = False
    bank_reference: str | None = None
    customer_reference: str | None = None
    end_to_end_id: str | None = None
    transaction_id: str | None = None
    mandate_id: str | None = None
    creditor_reference: str | None = None
    counterparty_name: str | None = None
    counterparty_iban: str | None = None
    counterparty_bic: str | None = None
    counterparty_tax_code: str | None = None
    ultimate_name: str | None = None
    remittance_text: str = ""
    document_refs: tuple[str, ...] = ()
    return_reason: str | None = None
    return_text: str | None = None
    charges_mills: int = 0
    original_mills: int | None = None
    original_currency: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {
            "ordinal": self.ordinal,
            "booking_date": _iso(self.booking_date),
            "value_date": _iso(self.value_date),
            "amount": decimal_text(self.amount_mills, self.currency),
            "currency": self.currency,
            "entry": self.entry,
            "entry_size": self.entry_size,
            "status": self.status,
            "code": self.code,
            "is_reversal": self.is_reversal,
            "bank_reference": self.bank_reference,
            "customer_reference": self.customer_reference,
            "end_to_end_id": self.end_to_end_id,
            "transaction_id": self.transaction_id,
            "mandate_id": self.mandate_id,
            "creditor_reference": self.creditor_reference,
            "counterparty_name": self.counterparty_name,
            "counterparty_iban": self.counterparty_iban,
            "counterparty_bic": self.counterparty_bic,
            "counterparty_tax_code": self.counterparty_tax_code,
            "ultimate_name": self.ultimate_name,
            "remittance_text": self.remittance_text,
            "document_refs": list(self.document_refs),
            "return_reason": self.return_reason,
            "return_text": self.return_text,
            "charges": decimal_text(self.charges_mills, self.currency),
            "original_amount": _amount(self.original_mills, self.original_currency),
            "original_currency": self.original_currency,
            "fields": dict(self.fields),
        }


@dataclass(frozen=True, slots=True)
class StatementBalance:
    """One balance as the bank states it; code: as written (camt "OPBD", "CLAV", …; MT940 "60F", "64", …;
    CBI: its record)."""

    code: str
    amount_mills: int
    currency: str
    balance_date: date | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "amount": decimal_text(self.amount_mills, self.currency),
            "currency": self.currency,
            "date": _iso(self.balance_date),
        }


@dataclass(frozen=True, slots=True)
class BankStatement:
    """One statement of one account: balances signed like the lines (negative = overdrawn), None if unstated.

    kind: BOOKED, INTRADAY or NOTIFICATION. number and sequence: as the bank numbers it. is_quarantined: the
    balances and the lines do not add up, so that a person must look before anything is posted. balances: all
    that the bank states, of every kind and currency; opening and closing are in the statement's currency.
    """

    kind: str
    account: str
    currency: str | None
    transactions: tuple[BankTransaction, ...]
    number: str | None = None
    sequence: str | None = None
    from_date: date | None = None
    to_date: date | None = None
    opening_mills: int | None = None
    opening_date: date | None = None
    closing_mills: int | None = None
    closing_date: date | None = None
    is_quarantined: bool = False
    position: int = 1
    source: str | None = None
    notices: tuple[Notice, ...] = ()
    balances: tuple[StatementBalance, ...] = ()

    @property
    def difference_mills(self) -> int | None:
        """Closing balance less opening balance less the booked lines; None where a balance is missing.

        Zero for a statement that adds up. Lines that are not booked (PDNG, INFO) are in no balance. None
        also where a booked line is in another currency: amounts of two currencies have no sum.
        """
        if self.opening_mills is None or self.closing_mills is None:
            return None
        booked = [line for line in self.transactions if line.status == "BOOK"]
        if self.currency is not None and any(line.currency != self.currency for line in booked):
            return None
        return self.closing_mills - self.opening_mills - sum(line.amount_mills for line in booked)

    def as_json(self, language: str = "en") -> dict[str, Any]:
        return {
            "kind": self.kind,
            "account": self.account,
            "currency": self.currency,
            "number": self.number,
            "sequence": self.sequence,
            "from_date": _iso(self.from_date),
            "to_date": _iso(self.to_date),
            "opening_balance": _amount(self.opening_mills, self.currency),
            "opening_date": _iso(self.opening_date),
            "closing_balance": _amount(self.closing_mills, self.currency),
            "closing_date": _iso(self.closing_date),
            "balances": [balance.as_json() for balance in self.balances],
            "difference": _amount(self.difference_mills, self.currency),
            "is_quarantined": self.is_quarantined,
            "position": self.position,
            "source": self.source,
            "transactions": [line.as_json() for line in self.transactions],
            "notices": [notice.as_json(language) for notice in self.notices],
        }


@dataclass(frozen=True, slots=True)
class CollectionOutcome:
    """What became of one receipt (RiBa) or direct debit that was presented.

    outcome: "paid", "unpaid", "withdrawn" or "unknown", by a table of causes that a bank may write
    otherwise; "presented" in the flow that presents it. cause: the cause as written.
    receipt: number of the receipt (record 51); of a direct debit its end-to-end id, and the cause is then the
    reason code of ISO 20022 ("AM04"), or the status where there is no reason ("ACCP").
    """

    ordinal: int
    receipt: str | None
    amount_mills: int
    due_date: date | None
    cause: str
    outcome: str
    debtor_code: str | None = None
    debtor_name: str | None = None
    debtor_tax_code: str | None = None
    debt_reference: str = ""
    debtor_abi: str | None = None
    debtor_cab: str | None = None
    currency: str = "EUR"

    def as_json(self) -> dict[str, Any]:
        return {
            "ordinal": self.ordinal,
            "receipt": self.receipt,
            "amount": decimal_text(self.amount_mills, self.currency),
            "currency": self.currency,
            "due_date": _iso(self.due_date),
            "cause": self.cause,
            "outcome": self.outcome,
            "debtor_code": self.debtor_code,
            "debtor_name": self.debtor_name,
            "debtor_tax_code": self.debtor_tax_code,
            "debt_reference": self.debt_reference,
            "debtor_abi": self.debtor_abi,
            "debtor_cab": self.debtor_cab,
        }


@dataclass(frozen=True, slots=True)
class CollectionFlow:
    """One flow (IB … EF) of receipts or of their outcomes; ``kind``: "riba-presented" or "riba-outcomes".

    Of pain.002 "sdd-outcomes" ("payment-outcomes" for our own payments); ``name`` is then the message of ours
    that it answers.
    """

    kind: str
    sender: str
    receiver: str
    created_date: date | None
    name: str
    outcomes: tuple[CollectionOutcome, ...]
    total_mills: int = 0
    position: int = 1
    source: str | None = None
    notices: tuple[Notice, ...] = ()

    def as_json(self, language: str = "en") -> dict[str, Any]:
        return {
            "kind": self.kind,
            "sender": self.sender,
            "receiver": self.receiver,
            "created_date": _iso(self.created_date),
            "name": self.name,
            "total": decimal_text(self.total_mills, "EUR"),
            "position": self.position,
            "source": self.source,
            "outcomes": [one.as_json() for one in self.outcomes],
            "notices": [notice.as_json(language) for notice in self.notices],
        }


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _amount(mills: int | None, currency: str | None) -> str | None:
    return None if mills is None else decimal_text(mills, currency or "EUR")
