"""A list of invoices with the day each was paid, as a ``Book``: what backtests on a file learn from.

Input is the canonical receivables frame of the readers, one row an installment, with ``segment`` and any
further columns. Everything about an invoice is taken to be known on its own day, or its entry date where the
file states one, and a payment on the day on which it was made.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

import polars as pl

from saldo.analytics.book import ENDS, ITEMS, PAID, Book
from saldo.analytics.features import feature_names
from saldo.core.errors import Rejection, SaldoError
from saldo.core.terms import due_dates, parse_terms

# D.Lgs. 231/2002, art. 4: what counts where no term was agreed.
LEGAL_TERM_DAYS = 30
DEBITS = ("invoice", "debit_note")


@dataclass(frozen=True, slots=True)
class HistoryBook:
    """book: items in the order of ``rows`` (item_id, row, number). counts: see ``book_of``."""

    book: Book
    rows: pl.DataFrame
    rejections: list[Rejection]
    counts: dict[str, int]


def book_of(
    frame: pl.DataFrame, extra: tuple[str, ...] = (), *, today: date, currency: str = "EUR"
) -> HistoryBook:
    """The debits of a receivables frame that has ``segment`` and the columns ``extra`` too.

    Left out and counted: ``credits`` (credit notes, payments); ``undated`` (nothing open, but no day on which
    it was paid). Of what was paid in part without a date, the open part counts (``part_paid``). A payment
    before the invoice counts on the invoice's day (``prepaid``). A missing due date comes from the terms
    (``due_by_terms``), else from the law (``due_by_law``). today: what is dated later is refused.
    """
    late = (pl.col("document_date") > today) | (pl.col("settled_date") > today).fill_null(False)
    rejections = [_refused(row, today) for row in frame.filter(late).iter_rows(named=True)]
    known = frame.filter(~late).with_columns(
        cash_mills=pl.col("amount_mills") - pl.col("split_vat_mills") - pl.col("withholding_mills"),
        is_paid=pl.col("settled_date").is_not_null(),
    )
    debits = known.filter(pl.col("kind").is_in(DEBITS) & (pl.col("cash_mills") > 0))
    is_undated = ~pl.col("is_paid") & (pl.col("open_mills") <= 0).fill_null(False)
    kept, origins = _with_due_dates(debits.filter(~is_undated))
    items = _items(kept, currency)
    ends = _ends(items)
    counts = {
        "items": len(items),
        "paid": len(ends),
        "open": len(items) - len(ends),
        "accounts": items["account_id"].n_unique(),
        "credits": len(known) - len(debits),
        "undated": len(debits) - len(kept),
        "part_paid": int((items["amount_mills"] < items["cash_mills"]).sum()),
        "prepaid": len(items.filter(pl.col("settled_date") < pl.col("document_date"))),
        "due_by_terms": origins.count("terms"),
        "due_by_law": origins.count("law"),
    }
    named = {name: _free_name(name) for name in extra}
    further = [items[name].alias(new) for name, new in named.items()]
    book = Book(items.select(*ITEMS).with_columns(further), ends, extra=tuple(named.values()))
    return HistoryBook(book, items.select("item_id", "row", "number"), rejections, counts)


def _items(kept: pl.DataFrame, currency: str) -> pl.DataFrame:
    """``kept`` with the columns of ITEMS."""
    account = pl.concat_str(pl.col("company_code").fill_null(""), _customer(), separator="\x1f")
    is_part = ~pl.col("is_paid") & (pl.col("open_mills") < pl.col("cash_mills")).fill_null(False)
    return kept.with_columns(
        pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias("item_id"),
        account.rank("dense").cast(pl.Int64).alias("account_id"),
        _customer().rank("dense").cast(pl.Int64).alias("customer_id"),
        pl.col("currency").fill_null(currency),
        pl.when(is_part).then("open_mills").otherwise("cash_mills").alias("amount_mills"),
        pl.col("payment_method").alias("method"),
        pl.max_horizontal("document_date", "source_at").alias("known_date"),
    )


def _ends(items: pl.DataFrame) -> pl.DataFrame:
    return (
        items.filter("is_paid")
        .select(
            "item_id",
            pl.max_horizontal("settled_date", "document_date").alias("end_date"),
            "amount_mills",
            pl.lit(PAID).alias("cause"),
            pl.max_horizontal("settled_date", "known_date").alias("known_date"),
        )
        .select(*ENDS)
    )


def _with_due_dates(debits: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """Every row with a due date, and where those that were missing come from."""
    lacking = debits.filter(pl.col("due_date").is_null())
    columns = ("terms_text", "document_date", "amount_mills")
    found = [_due(*row) for row in lacking.select(*columns).iter_rows()]
    derived = lacking.select("row", pl.Series("derived", [day for day, _ in found], dtype=pl.Date))
    filled = debits.join(derived, on="row", how="left", maintain_order="left")
    return filled.with_columns(pl.coalesce("due_date", "derived").alias("due_date")), [
        one for _, one in found
    ]


def _free_name(name: str) -> str:
    """The name of a further column, unless a feature or a column of the book has it."""
    return f"{name} (file)" if name in {*ITEMS, *feature_names(), "as_of", "balance_mills"} else name


def _customer() -> pl.Expr:
    """Who owes, by the best key that the row has."""
    return pl.coalesce("customer_code", "customer_vat", "customer_tax_code", "customer_name").fill_null("")


def _refused(row: dict[str, Any], today: date) -> Rejection:
    late = max(day for day in (row["document_date"], row["settled_date"]) if day is not None)
    params = {"day": late.isoformat(), "today": today.isoformat()}
    return Rejection("date_in_future", f"row {row['row']}", row["excerpt"], params, row["row"])


def _due(terms_text: str | None, document_date: date, amount_mills: int) -> tuple[date, str]:
    """(due date, "terms" or "law"). Of several installments the last one: the row is paid as a whole."""
    terms = _terms(terms_text or "")
    if terms is None:
        return document_date + timedelta(days=LEGAL_TERM_DAYS), "law"
    return max(day for day, _ in due_dates(terms, document_date, amount_mills)), "terms"


@lru_cache(maxsize=4096)
def _terms(text: str) -> Any:
    try:
        return parse_terms(text) if text.strip() else None
    except SaldoError:
        return None
