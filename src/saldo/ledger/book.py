"""The ledger as the frames that features and models read: debits, what ended them, due dates agreed later.

A fact's ``known_date`` is the first day on whose evening it could be known: the entry date in its source
where that is stated, else its effective day, without a lag. Never before its effective day, and never after
the day on which it was recorded here, which is an entry date that cannot be true.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import polars as pl

from saldo.analytics.book import CREDITED, ENDS, ITEMS, PAID, RETURNED, TERMS, UNKNOWN, WRITTEN_OFF, Book
from saldo.core.context import Context
from saldo.ledger.queries import clocks
from saldo.parties.frames import account_frame
from saldo.storage.frames import copy_out

# What customers owe. Debits of other kinds stand for the cause of a credit's end, and are used up on their
# own day; where one is not, somebody owes it.
OWED_KINDS = ("installment", "fee", "interest", "adjustment")
CAUSE_OF_KIND = {
    "payment": PAID,
    "credit_note": CREDITED,
    "discount": CREDITED,
    "adjustment": CREDITED,
    "split_vat": CREDITED,
    "withholding": CREDITED,
    "write_off": WRITTEN_OFF,
}
# Taxes that the customer does not pay to us: what is told with the invoice was never to be cash.
TAX_KINDS = ("split_vat", "withholding")

_KNOWN = """
CASE WHEN {0}.source_at IS NULL THEN {0}.effective_date
     ELSE greatest({0}.effective_date, least({0}.source_at, ({0}.recorded_at AT TIME ZONE 'UTC')::date)) END
"""
_ITEMS = f"""
SELECT i.id, i.account_id, i.kind, i.currency, i.effective_date, i.due_date, (i.amount * 1000)::bigint,
       nullif(i.payment_method, ''), {_KNOWN.format("i")}
  FROM ledger_item i
 WHERE i.amount > 0 AND i.company_id = %(company_id)s AND {{of_accounts}}
   AND i.effective_date <= %(as_of)s AND i.recorded_at <= %(known_at)s
   AND (i.kind = ANY(%(owed)s) OR NOT EXISTS (
        SELECT 1 FROM ledger_item_open_projection p
         WHERE p.item_id = i.id AND p.used_up AND p.last_effective_date = i.effective_date
           AND p.last_recorded_at <= %(known_at)s))
"""
# A correction has the day of what it corrects; what came back has a later day of its own.
_ENDS = f"""
SELECT a.id, a.debit_item_id, c.kind, a.effective_date, (a.amount * 1000)::bigint,
       CASE WHEN a.amount < 0 THEN
            a.effective_date > (SELECT o.effective_date FROM ledger_allocation o WHERE o.id = a.reverses_id)
       END, {_KNOWN.format("a")}
  FROM ledger_allocation a JOIN ledger_item_open_projection c ON c.item_id = a.credit_item_id
 WHERE a.company_id = %(company_id)s AND a.effective_date <= %(as_of)s AND a.recorded_at <= %(known_at)s
   AND {{of_items}}
"""
_TERMS = f"""
SELECT t.item_id, t.due_date, {_KNOWN.format("t")}
  FROM ledger_itemterms t JOIN ledger_item_open_projection i ON i.item_id = t.item_id
 WHERE i.company_id = %(company_id)s AND t.effective_date <= %(as_of)s AND t.recorded_at <= %(known_at)s
   AND {{of_items}}
 ORDER BY t.item_id, t.effective_date, t.recorded_at, t.id
"""
_READ_ITEMS = {
    "item_id": pl.Int64,
    "account_id": pl.Int64,
    "kind": pl.String,
    "currency": pl.String,
    "document_date": pl.Date,
    "due_date": pl.Date,
    "amount_mills": pl.Int64,
    "method": pl.String,
    "known_date": pl.Date,
}
_READ_ENDS = {
    "id": pl.Int64,
    "item_id": pl.Int64,
    "kind": pl.String,
    "end_date": pl.Date,
    "amount_mills": pl.Int64,
    "came_back": pl.Boolean,
    "known_date": pl.Date,
}


def book_of(ctx: Context, account_ids: Sequence[int] | None = None, known_from: date | None = None) -> Book:
    """The debits of ``ctx.company_id`` (or of some of its accounts) with what ended them, at both clocks.

    Contacts, promises, disputes and orders are told downstream of the ledger, and added there. ``items`` also
    has the ledger's ``kind``. known_from: as in ``Book``. On the evening of ``ctx.as_of`` the balances of the
    book are those of the ledger, to the cent.
    """
    assert ctx.company_id is not None, "a book is that of one company"
    params: dict[str, Any] = {**clocks(ctx), "company_id": ctx.company_id, "owed": list(OWED_KINDS)}
    of_accounts = "true" if account_ids is None else "i.account_id = ANY(%(accounts)s)"
    params["accounts"] = None if account_ids is None else list(account_ids)
    owed = (
        copy_out(_ITEMS.format(of_accounts=of_accounts), params, _READ_ITEMS)
        .sort("item_id")
        .join(account_frame(ctx, account_ids), on="account_id", how="left", maintain_order="left")
    )
    # Few items by their index; all of them by one scan.
    params["items"] = None if account_ids is None else owed["item_id"].to_list()
    of_items = "true" if account_ids is None else "{} = ANY(%(items)s)"
    told = (
        copy_out(_ENDS.format(of_items=of_items.format("a.debit_item_id")), params, _READ_ENDS)
        .sort("item_id", "end_date", "id")
        .join(
            owed.select("item_id", "document_date", item_known="known_date"),
            on="item_id",
            maintain_order="left",
        )
    )
    terms = copy_out(_TERMS.format(of_items=of_items.format("t.item_id")), params, TERMS)
    is_tax = pl.col("kind").is_in(TAX_KINDS) & (pl.col("end_date") == pl.col("document_date"))
    taxes = told.filter(is_tax).group_by("item_id").agg(tax_mills=pl.col("amount_mills").sum())
    return Book(
        items=_without_taxes(owed, taxes),
        ends=_ends(told.filter(~is_tax)),
        terms=terms.join(owed, on="item_id", how="semi", maintain_order="left"),
        known_from=known_from,
    )


def _without_taxes(owed: pl.DataFrame, taxes: pl.DataFrame) -> pl.DataFrame:
    """ITEMS and ``kind``, at the amounts that were to be cash."""
    return (
        owed.join(taxes, on="item_id", how="left", maintain_order="left")
        .with_columns(pl.col("amount_mills") - pl.col("tax_mills").fill_null(0))
        .filter(pl.col("amount_mills") > 0)
        .select(*ITEMS, "kind")
    )


def _ends(told: pl.DataFrame) -> pl.DataFrame:
    """ENDS from allocations: what is not known of an item before the item is."""
    cause = pl.col("kind").replace_strict(CAUSE_OF_KIND, default=UNKNOWN, return_dtype=pl.String)
    is_return = pl.col("came_back").fill_null(False) & (pl.col("kind") == "payment")
    return told.select(
        "item_id",
        "end_date",
        "amount_mills",
        pl.when(is_return).then(pl.lit(RETURNED)).otherwise(cause).alias("cause"),
        pl.max_horizontal("known_date", "item_known").alias("known_date"),
    ).select(*ENDS)


def paid_before(ctx: Context, day: date) -> bool:
    """Whether the ledger knows of an installment of the company that was paid in full before ``day``."""
    sql = """
    SELECT 1 FROM ledger_item_open_projection p
     WHERE p.company_id = %(company_id)s AND p.kind = 'installment' AND p.sign > 0 AND p.used_up
       AND p.last_effective_date < %(day)s AND p.last_effective_date <= %(as_of)s
       AND p.last_recorded_at <= %(known_at)s
       AND EXISTS (SELECT 1 FROM ledger_allocation a
                     JOIN ledger_item_open_projection c ON c.item_id = a.credit_item_id
                    WHERE a.debit_item_id = p.item_id AND c.kind = 'payment')
     LIMIT 1
    """
    params = {**clocks(ctx), "company_id": ctx.company_id, "day": day}
    return copy_out(sql, params, {"found": pl.Int64}).height > 0
