"""The canonical columns of every kind of table."""

from __future__ import annotations

from saldo.formats.credit_records import LINES

AMOUNT_COLUMNS = ("amount", "open", "paid", "debit", "credit", "sign")
RECEIVABLES_COLUMNS = (
    "company_code", "customer_code", "customer_name", "customer_vat", "customer_tax_code", "customer_country",
    "kind", "number", "document_date", "due_date", "terms_text", "installment_no", "currency",
    *AMOUNT_COLUMNS, "split_vat", "withholding", "settled_date", "payment_method", "order_ref", "source_key",
    "source_at",
)  # fmt: skip
CUSTOMERS_COLUMNS = (
    "company_code", "customer_code", "customer_name", "vat", "tax_code", "country", "address", "zip", "city",
    "province", "contact_name", "contact_role", "email", "pec", "phone", "language",
)  # fmt: skip
ORDERS_COLUMNS = (
    "company_code", "number", "line", "customer_code", "customer_name", "customer_vat", "order_date",
    "delivery_date", "amount", "currency", "status", "delivered_not_invoiced",
)  # fmt: skip
RATINGS_COLUMNS = (
    "vat", "tax_code", "customer_code", "customer_name", "country", "provider", "rating", "score", "pd",
    "limit", "currency", "valid_from", "valid_to", "events",
)  # fmt: skip
BALANCE_SHEETS_COLUMNS = (
    "vat", "tax_code", "customer_code", "customer_name", "country", "year", "period_end", "currency",
    *LINES, "employees",
)  # fmt: skip
# "in" and "out" instead of "amount"; "text" is all its headers joined, not the first one found.
BANK_COLUMNS = (
    "account", "booking_date", "value_date", "amount", "in", "out", "sign", "currency", "balance", "text",
    "counterparty_name", "counterparty_iban", "bank_reference", "code",
)  # fmt: skip
BANK = "bank"
# Kinds that become statements or records of a ReadResult rather than a frame for the ledger.
RECORD_KINDS = (BANK, "orders", "ratings", "balance_sheets")
COLUMNS_OF = {
    "receivables": RECEIVABLES_COLUMNS,
    "customers": CUSTOMERS_COLUMNS,
    "orders": ORDERS_COLUMNS,
    "ratings": RATINGS_COLUMNS,
    "balance_sheets": BALANCE_SHEETS_COLUMNS,
    BANK: BANK_COLUMNS,
}
