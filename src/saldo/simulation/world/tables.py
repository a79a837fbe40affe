"""The tables of a world: what is true, as Polars frames. The writers turn them into files; nothing else may.

Amounts are integers of cents of euro. Ids count from 0 in the order stated. Columns marked "truth" are what
no file may say.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import polars as pl

Schema = dict[str, pl.DataType | type[pl.DataType]]

COMPANIES: Schema = {
    "company_id": pl.Int16, "code": pl.String, "name": pl.String, "vat": pl.String, "tax_code": pl.String,
    "address": pl.String, "zip": pl.String, "city": pl.String, "province": pl.String,
    "erp": pl.String,                 # "full" or "delta"
    "sia": pl.String, "creditor_id": pl.String, "email": pl.String, "pec": pl.String, "products": pl.String,
}  # fmt: skip

# Bank accounts of our companies.
BANKS: Schema = {
    "bank_id": pl.Int16, "company_id": pl.Int16, "name": pl.String, "abi": pl.String, "cab": pl.String,
    "account": pl.String,             # 12 characters
    "cin": pl.String, "iban": pl.String, "bic": pl.String,
    "format": pl.String,              # "camt053", "mt940", "rh"
    "opening_cents": pl.Int64,        # balance before the first day of the world
}  # fmt: skip

# Legal entities, the largest first. paid_by: the parent that pays for this subsidiary.
CUSTOMERS: Schema = {
    "customer_id": pl.Int32, "name": pl.String, "legal_form": pl.String, "sector": pl.String,
    "size": pl.String,                # "large", "medium", "small", "micro"
    "special": pl.String,             # "", "public_body" (split payment), "condominium" (withholding tax)
    "country": pl.String, "region": pl.String, "province": pl.String, "city": pl.String, "zip": pl.String,
    "address": pl.String,
    "vat": pl.String,                 # with country prefix; "" where there is none
    "tax_code": pl.String, "sdi_code": pl.String, "pec": pl.String, "domain": pl.String,
    "language": pl.String,            # "it" or "en"
    "founded_year": pl.Int16,
    "parent_id": pl.Int32, "paid_by": pl.Int32,
    "merged_into": pl.Int32, "merged_date": pl.Date,
    # truth
    "sales_share": pl.Float64, "paying_type": pl.String, "slowness": pl.Float64,
    "pay_weekday": pl.Int8,           # 0 = Monday; -1: any
    "drift_from": pl.Date, "drift_to": pl.Date, "drift_days": pl.Float64, "recovered_date": pl.Date,
    "insolvency_date": pl.Date,
    "reference_style": pl.String,     # a key of [references].styles
    "remittance_habit": pl.String,    # a key of [remittances].habit
}  # fmt: skip

CONTACTS: Schema = {
    "customer_id": pl.Int32, "name": pl.String, "role": pl.String,
    "email": pl.String,               # "" where there is none
    "phone": pl.String,
    "left_date": pl.Date,             # truth: who writes after this day gets "wrong person"
}  # fmt: skip

# Bank accounts of customers: the one in force on a day is the last with from_date <= day.
PAYER_BANKS: Schema = {
    "customer_id": pl.Int32, "from_date": pl.Date, "iban": pl.String, "bic": pl.String, "abi": pl.String,
    "cab": pl.String, "bank_name": pl.String,
}  # fmt: skip

# Company x customer.
ACCOUNTS: Schema = {
    "account_id": pl.Int32, "company_id": pl.Int16, "customer_id": pl.Int32,
    "code": pl.String,                # the customer's number in that company's ERP
    "terms_text": pl.String,
    "method": pl.String,              # "transfer", "riba", "sdd"
    "scheme": pl.String,              # "CORE" or "B2B" for sdd, else ""
    "mandate_id": pl.String, "mandate_date": pl.Date,
    "limit_cents": pl.Int64,
}  # fmt: skip

# Documents. Amounts of credits are positive too; kind tells them apart. Invoices are numbered from 0 in order
# of date, the others after them as they come. on_account: what the ERP books for money of no invoice.
INVOICES: Schema = {
    "invoice_id": pl.Int32, "account_id": pl.Int32,
    "kind": pl.String,                # "invoice", "credit_note", "on_account"
    "number": pl.String, "date": pl.Date,
    "taxable_cents": pl.Int64, "vat_cents": pl.Int64, "total_cents": pl.Int64, "vat_rate": pl.Float64,
    "split_vat_cents": pl.Int64,      # VAT that a public body pays to the state
    "withholding_cents": pl.Int64,    # tax that a condominium keeps
    "order_number": pl.String,        # "" where it names none
    "related_id": pl.Int32,           # of a credit note: the invoice it is about
    "reason": pl.String,              # of a credit note: "", or the reason of the dispute it ends
}  # fmt: skip

# The lines of the ERP: installments of invoices, and one line for each credit note and payment on account
# (amounts negative).
INSTALLMENTS: Schema = {
    "installment_id": pl.Int32, "invoice_id": pl.Int32, "account_id": pl.Int32, "no": pl.Int16,
    "due_date": pl.Date,
    "amount_cents": pl.Int64,         # signed share of the total, with split VAT and withholding
    "cash_cents": pl.Int64,           # signed: what the customer is to pay us
}  # fmt: skip

ORDERS: Schema = {
    "order_id": pl.Int32, "account_id": pl.Int32, "number": pl.String, "date": pl.Date,
    "delivery_date": pl.Date, "total_cents": pl.Int64,
    "invoice_id": pl.Int32,           # null: not invoiced in this world
}  # fmt: skip

# Lines of our bank accounts, in order of (booking_date, ...). amount_cents: positive = came in.
PAYMENTS: Schema = {
    "payment_id": pl.Int32, "company_id": pl.Int16, "bank_id": pl.Int16,
    "kind": pl.String,                # "transfer", "riba" (credit of a slip), "sdd" (credit of a batch),
                                      # "riba_return", "sdd_return", "fee", "refund" (debits)
    "payer_id": pl.Int32,             # customer that pays; null for riba, sdd, fee
    "booking_date": pl.Date, "value_date": pl.Date, "amount_cents": pl.Int64,
    "payer_name": pl.String,          # as the bank prints it
    "payer_iban": pl.String, "text": pl.String, "end_to_end": pl.String,
    "creditor_reference": pl.String,  # RF…, structured; "" where there is none
    "charges_cents": pl.Int64,        # kept by the payer's bank, >= 0
    "batch_id": pl.Int32,             # slip or batch that a riba / sdd line (or its return) belongs to
    "returns_id": pl.Int32,           # of a return: the receipt_id
    "return_reason": pl.String,       # ISO code for sdd ("AM04"), CBI cause for riba ("30010")
    "faults": pl.List(pl.String),     # truth: names of [faults], reference styles, "other_payer" (of a group)
}  # fmt: skip

# truth: what a payment is for. kind: "paid"; "charges", "rounding", "discount" (what is missing, positive,
# was meant as paid); "duplicate", "on_account" (installment: the line that the ERP makes of it on the next
# business day, no row before); "credit" (a credit note that was taken off); "refund" (of the line
# of money on account, or of a credit note that was not used up).
PAYMENT_LINES: Schema = {
    "payment_id": pl.Int32, "installment_id": pl.Int32, "kind": pl.String,
    "amount_cents": pl.Int64,
}  # fmt: skip

# What the ERP books against its lines, signed like them: the open amount of a line on a day is its cash_cents
# less the postings up to that day. kind: "payment", "credit", "write_off", "return", "refund".
POSTINGS: Schema = {
    "installment_id": pl.Int32, "posted_date": pl.Date, "effective_date": pl.Date,
    "amount_cents": pl.Int64, "kind": pl.String, "payment_id": pl.Int32,
}  # fmt: skip

# Receipts (RiBa) and direct debits that were presented.
RECEIPTS: Schema = {
    "receipt_id": pl.Int32, "kind": pl.String, "installment_id": pl.Int32, "account_id": pl.Int32,
    "batch_id": pl.Int32, "bank_id": pl.Int16, "presented_date": pl.Date, "due_date": pl.Date,
    "amount_cents": pl.Int64,
    # truth until it happens
    "returned_date": pl.Date, "return_reason": pl.String,
}  # fmt: skip

# Advices that customers send for a payment (its lines are those of PAYMENT_LINES).
REMITTANCES: Schema = {
    "remittance_id": pl.Int32, "payment_id": pl.Int32, "medium": pl.String, "sent_date": pl.Date,
}  # fmt: skip

# What was sent to customers.
MESSAGES: Schema = {
    "message_id": pl.Int32, "account_id": pl.Int32, "sent_date": pl.Date, "channel": pl.String,
    "tone": pl.String,                # "courtesy", "soft", "firm", "formal"
    "purpose": pl.String,             # "reminder", "plan"
    "installments": pl.List(pl.Int32),
}  # fmt: skip

# What came back. kind is truth for who reads the mail: "promise", "dispute", "already_paid", "out_of_office",
# "wrong_person", "angry", "question", "plan_accepted".
REPLIES: Schema = {
    "reply_id": pl.Int32, "message_id": pl.Int32, "account_id": pl.Int32, "reply_date": pl.Date,
    "channel": pl.String,             # "email" is written as a file; "call" is what was said
    "kind": pl.String,
    "promise_date": pl.Date, "promise_cents": pl.Int64,
    "reason": pl.String,              # of a dispute
    "return_date": pl.Date,           # of an out of office
    "installments": pl.List(pl.Int32),
    "is_honest": pl.Boolean,          # truth: a promise that will be kept, a payment that was made
}  # fmt: skip

DISPUTES: Schema = {
    "installment_id": pl.Int32, "reason": pl.String, "is_valid": pl.Boolean, "opened_date": pl.Date,
    "resolved_date": pl.Date, "credit_cents": pl.Int64,  # truth until that day, with is_valid
}  # fmt: skip

# Yearly balance sheets in euro (whole), one row a customer and year.
BALANCE_SHEETS: Schema = {
    "customer_id": pl.Int32, "year": pl.Int16, "filed_date": pl.Date,
    "medium": pl.String,              # "xbrl" or "csv"
    "total_assets": pl.Int64, "current_assets": pl.Int64, "cash": pl.Int64, "inventory": pl.Int64,
    "receivables": pl.Int64, "equity": pl.Int64, "retained_earnings": pl.Int64,
    "current_liabilities": pl.Int64, "total_liabilities": pl.Int64, "revenue": pl.Int64, "ebit": pl.Int64,
    "interest_expense": pl.Int64, "net_profit": pl.Int64, "employees": pl.Int32,
}  # fmt: skip

RATINGS: Schema = {
    "customer_id": pl.Int32, "rated_date": pl.Date, "provider": pl.String,
    "rating": pl.String,              # "A" to "E"
    "score": pl.Int16,                # 0 (worst) to 100
    "pd": pl.Float64, "limit_cents": pl.Int64, "events": pl.String,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tables:
    """Everything that is true of a world up to a day. Field names are those of the schemas in lower case."""

    companies: pl.DataFrame
    banks: pl.DataFrame
    customers: pl.DataFrame
    contacts: pl.DataFrame
    payer_banks: pl.DataFrame
    accounts: pl.DataFrame
    invoices: pl.DataFrame
    installments: pl.DataFrame
    orders: pl.DataFrame
    payments: pl.DataFrame
    payment_lines: pl.DataFrame
    postings: pl.DataFrame
    receipts: pl.DataFrame
    remittances: pl.DataFrame
    messages: pl.DataFrame
    replies: pl.DataFrame
    disputes: pl.DataFrame
    balance_sheets: pl.DataFrame
    ratings: pl.DataFrame

    def named(self) -> dict[str, pl.DataFrame]:
        return {field.name: getattr(self, field.name) for field in fields(self)}
