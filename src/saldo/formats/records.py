"""Records that every reader of this package produces: what a document says, before the ledger sees it.

Amounts are integers of mills (thousandths of the currency unit) with the sign the document itself uses:
a credit note usually states positive amounts and is told apart by its ``kind``. The signs of the ledger
(positive = they owe us) are applied by ``receivables.frame_of``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from saldo.core.errors import Rejection
from saldo.core.money import decimal_text

# A notice has the shape of a rejection (a code of the catalogue, where, excerpt), but nothing was refused.
Notice = Rejection

INVOICE = "invoice"
CREDIT_NOTE = "credit_note"
DEBIT_NOTE = "debit_note"
# Issued by the buyer to itself (reverse charge, own use): it comes back from SdI but nobody owes it to us.
SELF_INVOICE = "self_invoice"


class Refusal(Exception):
    """Raised inside a reader when a document, or one part of it, must be refused; carries the Rejection."""

    def __init__(self, rejection: Rejection) -> None:
        self.rejection = rejection
        super().__init__(rejection.code)


@dataclass(frozen=True, slots=True)
class InstallmentRecord:
    """One payment asked for by a document.

    amount_mills: as written in the document. expected_mills: the cash that will reach us.
    split_vat_mills, withholding_mills: what the customer pays to the state on our behalf instead of to us.
    The gross share of the document is ``gross_mills`` = expected + split VAT + withholding.
    """

    number: int
    due_date: date | None
    amount_mills: int
    expected_mills: int
    split_vat_mills: int = 0
    withholding_mills: int = 0
    method: str | None = None
    conditions: str | None = None
    terms_text: str | None = None
    due_date_derived: bool = False
    iban: str | None = None
    payee: str | None = None

    @property
    def gross_mills(self) -> int:
        return self.expected_mills + self.split_vat_mills + self.withholding_mills

    def as_json(self, currency: str) -> dict[str, Any]:
        return {
            "number": self.number,
            "due_date": _iso(self.due_date),
            "amount": decimal_text(self.amount_mills, currency),
            "method": self.method,
            "expected_cash": decimal_text(self.expected_mills, currency),
            "split_vat": decimal_text(self.split_vat_mills, currency),
            "withholding": decimal_text(self.withholding_mills, currency),
            "conditions": self.conditions,
            "terms_text": self.terms_text,
            "due_date_derived": self.due_date_derived,
            "iban": self.iban,
            "payee": self.payee,
        }


@dataclass(frozen=True, slots=True)
class InvoiceRecord:
    """One invoice, credit note or debit note as its document states it, with at least one installment."""

    number: str
    kind: str
    document_date: date
    currency: str | None
    total_mills: int
    expected_cash_mills: int
    installments: tuple[InstallmentRecord, ...]
    document_type: str | None = None
    total_computed: bool = False
    split_vat_mills: int = 0
    withholding_mills: int = 0
    seller_vat: str | None = None
    seller_tax_code: str | None = None
    seller_name: str | None = None
    buyer_vat: str | None = None
    buyer_tax_code: str | None = None
    buyer_name: str | None = None
    buyer_country: str | None = None
    recipient_code: str | None = None
    recipient_pec: str | None = None
    issued_by: str | None = None
    order_refs: tuple[str, ...] = ()
    related_invoices: tuple[str, ...] = ()
    description: str | None = None
    position: int = 1
    source: str | None = None
    repaired: bool = False
    notices: tuple[Notice, ...] = ()

    def as_json(self, language: str = "en") -> dict[str, Any]:
        currency = self.currency or "EUR"
        return {
            "number": self.number,
            "kind": self.kind,
            "date": self.document_date.isoformat(),
            "currency": self.currency,
            "total": decimal_text(self.total_mills, currency),
            "expected_cash": decimal_text(self.expected_cash_mills, currency),
            "seller_vat": self.seller_vat,
            "buyer_vat": self.buyer_vat,
            "installments": [part.as_json(currency) for part in self.installments],
            "document_type": self.document_type,
            "total_computed": self.total_computed,
            "split_vat": decimal_text(self.split_vat_mills, currency),
            "withholding": decimal_text(self.withholding_mills, currency),
            "seller_name": self.seller_name,
            "seller_tax_code": self.seller_tax_code,
            "buyer_name": self.buyer_name,
            "buyer_tax_code": self.buyer_tax_code,
            "buyer_country": self.buyer_country,
            "recipient_code": self.recipient_code,
            "recipient_pec": self.recipient_pec,
            "issued_by": self.issued_by,
            "order_refs": list(self.order_refs),
            "related_invoices": list(self.related_invoices),
            "description": self.description,
            "position": self.position,
            "source": self.source,
            "repaired": self.repaired,
            "notices": [notice.as_json(language) for notice in self.notices],
        }


@dataclass(frozen=True, slots=True)
class ReadResult:
    """What one document (or, once ``merged``, one file) holds, what was refused, what to know.

    statements: ``bank_records.BankStatement``. records: everything else that is no invoice (outcomes of
    receipts, remittance advices, messages, receipts of PEC and SdI, orders, balance sheets, ratings), each a
    frozen dataclass with ``kind``, ``source`` and ``as_json(language)``.
    """

    format: str
    invoices: tuple[InvoiceRecord, ...] = ()
    statements: tuple[Any, ...] = ()
    records: tuple[Any, ...] = ()
    rejections: tuple[Rejection, ...] = ()
    notices: tuple[Notice, ...] = field(default=())

    def as_json(self, language: str = "en") -> dict[str, Any]:
        """The stable JSON of ``saldo read``: amounts as decimal strings, dates ISO."""
        return {
            "format": self.format,
            "invoices": [invoice.as_json(language) for invoice in self.invoices],
            "statements": [statement.as_json(language) for statement in self.statements],
            "records": [record.as_json(language) for record in self.records],
            "rejections": [rejection.as_json(language) for rejection in self.rejections],
            "notices": [notice.as_json(language) for notice in self.notices],
        }


def refused(format_: str, rejection: Rejection) -> ReadResult:
    """The result of a document of which nothing could be taken."""
    return ReadResult(format=format_, rejections=(rejection,))


def named(name: str, result: ReadResult) -> ReadResult:
    """``result`` with the name of its document on everything in it, for results that will be merged."""
    return replace(
        result,
        invoices=tuple(replace(invoice, source=name) for invoice in result.invoices),
        statements=tuple(replace(statement, source=name) for statement in result.statements),
        records=tuple(replace(record, source=name) for record in result.records),
        rejections=tuple(_placed(name, rejection) for rejection in result.rejections),
        notices=tuple(_placed(name, notice) for notice in result.notices),
    )


def _placed(name: str, rejection: Rejection) -> Rejection:
    return replace(rejection, where=f"{name}: {rejection.where}".rstrip(": "))


def merged(format_: str, results: Sequence[ReadResult]) -> ReadResult:
    """One result out of those of the documents of a container, in their order."""
    return ReadResult(
        format=format_,
        invoices=tuple(invoice for result in results for invoice in result.invoices),
        statements=tuple(statement for result in results for statement in result.statements),
        records=tuple(record for result in results for record in result.records),
        rejections=tuple(rejection for result in results for rejection in result.rejections),
        notices=tuple(notice for result in results for notice in result.notices),
    )


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None
