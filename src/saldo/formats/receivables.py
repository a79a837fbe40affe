"""The canonical receivables frame: what every reader of receivables hands to the import flow.

One row is one installment (or one credit line). Amounts are Int64 mills, signed: positive = they owe us.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from saldo.core.errors import clipped
from saldo.core.money import decimal_text
from saldo.formats.records import CREDIT_NOTE, SELF_INVOICE, InstallmentRecord, InvoiceRecord

RECEIVABLES_SCHEMA: dict[str, Any] = {
    "row": pl.UInt32,
    "company_code": pl.Utf8,
    "company_vat": pl.Utf8,
    "customer_code": pl.Utf8,
    "customer_name": pl.Utf8,
    "customer_vat": pl.Utf8,
    "customer_tax_code": pl.Utf8,
    "customer_country": pl.Utf8,
    "kind": pl.Utf8,
    "number": pl.Utf8,
    "document_date": pl.Date,
    "due_date": pl.Date,
    "terms_text": pl.Utf8,
    "installment_no": pl.UInt16,
    "currency": pl.Utf8,
    "amount_mills": pl.Int64,
    "open_mills": pl.Int64,
    "split_vat_mills": pl.Int64,
    "withholding_mills": pl.Int64,
    "settled_date": pl.Date,
    "payment_method": pl.Utf8,
    "order_ref": pl.Utf8,
    "source_key": pl.Utf8,
    "source_at": pl.Date,
    "excerpt": pl.Utf8,
}


def frame_of(invoices: Sequence[InvoiceRecord]) -> pl.DataFrame:
    """The receivables frame of ``invoices``; self-invoices, which nobody owes to us, are left out.

    Of an invoice, Σ(amount − split VAT − withholding) is the cash expected. A credit note carries its net
    cash effect as a negative amount, with split VAT and withholding zero: the two columns are never
    negative, so they could not be subtracted from a negative amount.
    """
    rows = [row for invoice in invoices if invoice.kind != SELF_INVOICE for row in _rows_of(invoice)]
    for ordinal, row in enumerate(rows, start=1):
        row["row"] = ordinal
    return pl.DataFrame(rows, schema=RECEIVABLES_SCHEMA, orient="row")


def _rows_of(invoice: InvoiceRecord) -> Iterator[dict[str, Any]]:
    shared = {
        "company_vat": invoice.seller_vat,
        "customer_name": invoice.buyer_name,
        "customer_vat": invoice.buyer_vat,
        "customer_tax_code": invoice.buyer_tax_code,
        "customer_country": invoice.buyer_country,
        "kind": invoice.kind,
        "number": invoice.number,
        "document_date": invoice.document_date,
        "currency": invoice.currency,
        "order_ref": invoice.order_refs[0] if invoice.order_refs else None,
    }
    for part in invoice.installments:
        amount, split_vat, withholding = _ledger_amounts(invoice, part)
        yield {
            **shared,
            "due_date": part.due_date,
            "terms_text": part.terms_text,
            "installment_no": part.number,
            "amount_mills": amount,
            "split_vat_mills": split_vat,
            "withholding_mills": withholding,
            "payment_method": part.method,
            "excerpt": _excerpt(invoice, part),
        }


def _ledger_amounts(invoice: InvoiceRecord, part: InstallmentRecord) -> tuple[int, int, int]:
    """(amount, split VAT, withholding) in mills with the signs of the ledger."""
    if invoice.kind == CREDIT_NOTE:
        # Some software states credit notes with negative amounts: either way they lower what is owed.
        sign = -1 if invoice.expected_cash_mills > 0 else 1
        return sign * part.expected_mills, 0, 0
    if part.split_vat_mills < 0 or part.withholding_mills < 0:
        return part.expected_mills, 0, 0
    return part.gross_mills, part.split_vat_mills, part.withholding_mills


def _excerpt(invoice: InvoiceRecord, part: InstallmentRecord) -> str:
    words = [
        invoice.document_type,
        invoice.number,
        invoice.document_date.isoformat(),
        invoice.buyer_name,
        decimal_text(part.amount_mills, invoice.currency or "EUR"),
        invoice.currency,
        part.due_date.isoformat() if part.due_date else None,
        part.method,
    ]
    return clipped(" ".join(word for word in words if word))
