"""From bytes to rows ready for the ledger: read, find the company and the account, complete the dates.

Each step takes a frame and gives a frame and what it refused; no row is dropped silently.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import lru_cache
from typing import Any

import polars as pl

from saldo.analytics.export_diff import KEY
from saldo.analytics.keys import normalized_numbers
from saldo.core.context import Context
from saldo.core.errors import Rejection, SaldoError
from saldo.core.money import CURRENCY_EXPONENTS, decimal_text
from saldo.core.terms import PaymentTerms, due_dates, parse_terms
from saldo.formats.detect import named_if_inner, read_bytes
from saldo.formats.receivables import frame_of
from saldo.formats.tabular import RECORD_KINDS, Mapping, convert, load_profile, open_table, parse_profile
from saldo.identity.operations import ensure_company
from saldo.identity.queries import CompanyRow, companies, company_by_code

# Without agreed terms payment is due 30 days after the invoice (D.Lgs. 231/2002, art. 4).
LEGAL_TERM_DAYS = 30
INVOICE_SOURCE = "sdi"
# A trillion units. Sums are 64-bit mills, into which nine thousand such amounts fit; in a ledger that is only
# added to, one slip of the keyboard must not make every later sum impossible.
MAX_ITEM_MILLS = 10**15 - 1
DEFAULT_COMPANY = "MAIN"
# Tables of movements are read as statements, not as receivables.
BANK_KIND = "bank"
# Profiles of records that an import takes in; the others are read only.
IMPORTED_RECORDS = (BANK_KIND, "balance_sheets", "ratings")
# Records of mail, which is only the envelope of the invoices attached to it.
CARRIER_KINDS = frozenset({"message", "pec_receipt"})
DOCUMENT_KINDS = frozenset({"invoice", "credit_note", "debit_note", "payment"})


@dataclass(frozen=True, slots=True)
class Told:
    """What a document tells, and what its source declares about it.

    ignored: number of rows that are no lines of receivables (blank, totals, zero, types the profile ignores).
    """

    frame: pl.DataFrame
    rejections: list[Rejection]
    source: str
    posts_cash: str = "erp"
    complete: bool = False
    kinds: frozenset[str] = DOCUMENT_KINDS
    creates_companies: bool = False
    amends: bool = True
    notices: list[Rejection] = field(default_factory=list)
    sellers: dict[str, str] = field(default_factory=dict)
    ignored: int = 0

    def main_currency(self) -> str:
        """The currency of most rows, for a company that is not known yet."""
        stated = self.frame["currency"].drop_nulls() if "currency" in self.frame.columns else pl.Series([])
        return str(stated.mode().sort()[0]) if len(stated) else "EUR"

    def refusing(self, refused: list[Rejection], kept: pl.DataFrame) -> Told:
        return replace(self, frame=kept, rejections=[*self.rejections, *refused])


def mapping_of(text_or_name: str | None) -> Mapping | None:
    """The profile with that name, in that file, or written out in that text.

    Raises SaldoError("mapping_kind_not_imported") for one whose tables are read, and of no use here yet.
    """
    if not text_or_name:
        return None
    mapping = _written_out(text_or_name) if "\n" in text_or_name else load_profile(text_or_name)
    if mapping.kind in RECORD_KINDS and mapping.kind not in IMPORTED_RECORDS:
        raise SaldoError("mapping_kind_not_imported", profile=mapping.name, kind=mapping.kind)
    return mapping


@lru_cache(maxsize=16)
def _written_out(text: str) -> Mapping:
    """A profile's text is parsed once, not at each step of an import."""
    return parse_profile(text, "custom")


def read_receivables(data: bytes, name: str, mapping: Mapping, default_currency: str | None) -> Told:
    """A table of receivables by its mapping profile."""
    raw = open_table(data, name, mapping)
    converted = convert(raw, mapping, default_currency)
    return Told(
        frame=converted.frame,
        rejections=[*raw.rejections, *converted.rejections],
        ignored=raw.ignored + converted.ignored.height,
        source=mapping.source or mapping.name,
        posts_cash=mapping.export.posts_cash,
        complete=mapping.export.complete,
        kinds=frozenset(mapping.export.scope) or DOCUMENT_KINDS,
        creates_companies=mapping.company.unknown == "create",
    )


def read_invoices(data: bytes, name: str) -> Told:
    """E-invoices: an XML, a p7m, or an archive of many."""
    results = [(path, named_if_inner(name, path, result)) for path, result in read_bytes(data, name)]
    invoices = [invoice for _, result in results for invoice in result.invoices]
    others = [(path, record) for path, result in results for record in result.records]
    told_nothing = not invoices and not any(result.rejections or result.notices for _, result in results)
    only_mail = bool(others) and all(record.kind in CARRIER_KINDS for _, record in others)
    return Told(
        frame=frame_of(invoices),
        rejections=[rejection for _, result in results for rejection in result.rejections]
        + ([Rejection("no_document_found", "", name)] if only_mail and told_nothing else []),
        source=INVOICE_SOURCE,
        creates_companies=True,
        amends=False,
        notices=[notice for _, result in results for notice in result.notices]
        + [
            Rejection("record_not_posted", "", path, {"kind": record.kind})
            for path, record in others
            if record.kind not in CARRIER_KINDS
        ]
        + [
            Rejection("record_not_posted", "", path, {"kind": result.format})
            for path, result in results
            if result.statements
        ],
        sellers={i.seller_vat: i.seller_name for i in invoices if i.seller_vat and i.seller_name},
    )


def refuse(
    frame: pl.DataFrame,
    condition: pl.Expr,
    code: str,
    params: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
) -> tuple[pl.DataFrame, list[Rejection]]:
    """Split off the rows for which ``condition`` holds, as rejections."""
    bad = frame.filter(condition)
    if bad.is_empty():
        return frame, []
    rejections = [
        Rejection(code, f"row {row['row']}", row["excerpt"] or "", params(row) if params else {}, row["row"])
        for row in bad.iter_rows(named=True)
    ]
    return frame.filter(~condition.fill_null(False)), rejections


def with_company(ctx: Context, told: Told, company: CompanyRow | None) -> Told:
    """Rows with company_id: the company asked for, else the one the row names, else the only one there is."""
    if company is not None:
        return replace(told, frame=told.frame.with_columns(pl.lit(company.id, pl.Int64).alias("company_id")))
    named = told.frame.select("company_code", "company_vat").unique()
    found = {pair: _company_of(ctx, told, *pair) for pair in named.iter_rows()}
    lookup = pl.DataFrame(
        [(code, vat, row.id if row else None) for (code, vat), row in found.items()],
        schema={"company_code": pl.String, "company_vat": pl.String, "company_id": pl.Int64},
        orient="row",
    )
    frame = told.frame.join(lookup, on=["company_code", "company_vat"], how="left", nulls_equal=True)
    known = ", ".join(row.code for row in companies(ctx))
    kept, refused = refuse(
        frame,
        pl.col("company_id").is_null(),
        "row_company_unknown",
        lambda row: {"company": row["company_code"] or row["company_vat"] or "?", "known": known or "-"},
    )
    return told.refusing(refused, kept)


def without_received(ctx: Context, told: Told) -> Told:
    """Refuse invoices that others issued to us: they are debts of ours, not receivables."""
    if told.frame["company_vat"].null_count() == told.frame.height:  # no table names its issuer
        return told
    ours = [row.vat_number for row in companies(ctx) if row.vat_number]
    received = pl.col("customer_vat").is_in(ours) & ~pl.col("company_vat").is_in(ours)
    kept, refused = refuse(told.frame, received, "row_invoice_received", _seller)
    return told.refusing(refused, kept)


def _seller(row: dict[str, Any]) -> dict[str, Any]:
    return {"seller": row["company_vat"]}


def _company_of(ctx: Context, told: Told, code: str | None, vat: str | None) -> CompanyRow | None:
    ours = companies(ctx)
    if vat and (match := next((row for row in ours if row.vat_number == vat), None)):
        return match
    if code and (match := next((row for row in ours if row.code.lower() == code.lower()), None)):
        return match
    if not code and not vat:
        if len(ours) > 1:
            return None
        return ours[0] if ours else ensure_company(ctx, DEFAULT_COMPANY, "", told.main_currency())
    if told.creates_companies or not ours:
        return ensure_company(
            ctx, (code or vat or "")[:20], told.sellers.get(vat or "", ""), told.main_currency(), vat or ""
        )
    return None


def currency_of_company(ctx: Context, company: CompanyRow | None) -> str:
    """The currency of rows that state none."""
    if company is not None:
        return company.currency
    ours = {row.currency for row in companies(ctx)}
    return ours.pop() if len(ours) == 1 else "EUR"


def with_consistent_money(told: Told, default_currency: str) -> Told:
    """Rows whose currency, sign and open amount make sense together."""
    frame = told.frame.with_columns(pl.col("currency").fill_null(default_currency))
    # An ERP writes a credit note as a negative invoice.
    frame = frame.with_columns(
        kind=pl.when((pl.col("amount_mills") < 0) & pl.col("kind").is_in(["invoice", "debit_note"]))
        .then(pl.lit("credit_note"))
        .otherwise("kind")
    )
    sign = pl.col("amount_mills").sign()
    net = pl.col("amount_mills") - pl.col("split_vat_mills") - pl.col("withholding_mills")
    opened = pl.col("open_mills")
    checks = [
        (~pl.col("currency").is_in(list(CURRENCY_EXPONENTS)), "unknown_currency", _currency),
        (pl.col("amount_mills") == 0, "row_amount_zero", None),
        (pl.col("amount_mills").abs() > MAX_ITEM_MILLS, "row_amount_too_large", _amount),
        ((sign > 0) & pl.col("kind").is_in(["credit_note", "payment"]), "row_credit_positive", _kind),
        (~(opened * sign).is_between(0, net * sign), "row_open_exceeds", _amounts),
    ]  # fmt: skip
    refused: list[Rejection] = []
    if _any_holds(frame, [condition for condition, _, _ in checks]):
        for condition, code, params in checks:
            frame, bad = refuse(frame, condition, code, params)
            refused += bad
    return told.refusing(refused, frame)


def _any_holds(frame: pl.DataFrame, conditions: list[pl.Expr]) -> bool:
    """Whether a condition holds for a row: one pass, where rows are seldom refused."""
    return bool(frame.select(pl.any_horizontal(conditions).any()).item())


def _currency(row: dict[str, Any]) -> dict[str, Any]:
    return {"currency": row["currency"]}


def _amount(row: dict[str, Any]) -> dict[str, Any]:
    return {"amount": decimal_text(row["amount_mills"], row["currency"])}


def _kind(row: dict[str, Any]) -> dict[str, Any]:
    return {"kind": row["kind"]}


def _amounts(row: dict[str, Any]) -> dict[str, Any]:
    currency = row["currency"]
    return {
        "amount": decimal_text(row["amount_mills"], currency),
        "open": decimal_text(row["open_mills"], currency),
    }


def with_due_dates(told: Told) -> Told:
    """Every debit with a due date: stated, else from its terms, else from the law; due_origin says which."""
    frame = told.frame.with_columns(due_origin=pl.lit("stated"))
    missing = (pl.col("amount_mills") > 0) & pl.col("due_date").is_null()
    lacking = frame.filter(missing)
    if lacking.is_empty():
        return replace(told, frame=frame)
    derived = [part for row in lacking.iter_rows(named=True) for part in _installments(row)]
    made = pl.DataFrame(derived, schema=frame.schema, orient="row")
    return replace(told, frame=pl.concat([frame.filter(~missing.fill_null(False)), made]))


def _installments(row: dict[str, Any]) -> list[dict[str, Any]]:
    """The row as one row an installment of its terms (a row with its own deductions stays one)."""
    terms = _terms(row["terms_text"] or "")
    if terms is None:
        due = row["document_date"] + timedelta(days=LEGAL_TERM_DAYS)
        return [row | {"due_date": due, "due_origin": "law"}]
    quantum = 10 ** (3 - CURRENCY_EXPONENTS[row["currency"]])
    dates = due_dates(terms, row["document_date"], row["amount_mills"], quantum_mills=quantum)
    whole = row["open_mills"] is None or row["open_mills"] == row["amount_mills"]
    if not whole or row["settled_date"] or row["split_vat_mills"] or row["withholding_mills"]:
        return [row | {"due_date": max(day for day, _ in dates), "due_origin": "terms"}]
    return [
        row
        | {
            "due_date": day,
            "due_origin": "terms",
            "installment_no": number,
            "amount_mills": amount,
            "open_mills": None if row["open_mills"] is None else amount,
        }
        for number, (day, amount) in enumerate(dates, start=row["installment_no"])
    ]


@lru_cache(maxsize=4096)
def _terms(text: str) -> PaymentTerms | None:
    try:
        return parse_terms(text) if text.strip() else None
    except SaldoError:
        return None


def with_keys(told: Told) -> Told:
    """Rows with number_norm and year, one row a key: a second row with the same key is refused."""
    frame = told.frame.with_columns(
        number_norm=normalized_numbers(told.frame["number"]).str.slice(0, 60),
        year=pl.col("document_date").dt.year().cast(pl.Int16),
        installment_no=pl.col("installment_no").cast(pl.UInt16),
    )
    frame, blank = refuse(frame, pl.col("number_norm") == "", "row_number_missing")
    second = frame.filter(pl.col("row") != pl.col("row").min().over(KEY))["row"].unique()
    # One refusal a row, also where its terms made several installments of it.
    repeats = frame.filter(pl.col("row").is_in(second.implode())).unique("row", maintain_order=True)
    _, refused = refuse(repeats, pl.lit(True), "row_duplicate", lambda row: {"number": row["number"]})
    return told.refusing([*blank, *refused], frame.filter(~pl.col("row").is_in(second.implode())))


def company_asked(code: str | None) -> CompanyRow | None:
    return company_by_code(code) if code else None
