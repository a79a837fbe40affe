"""A company's book, as the models of payment and risk read it: the ledger's facts and what stands beside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

import polars as pl

from saldo.analytics.book import Book
from saldo.collection.planning import contacts_made
from saldo.core.context import Context
from saldo.disputes.queries import objections
from saldo.intake.queries import first_export_day
from saldo.ledger.book import book_of, paid_before
from saldo.outreach.history import message_contacts
from saldo.promises.queries import promises_told

# Payments from so long before the first export can only come from an imported history.
HISTORY_LEAD_DAYS = 30


def payments_known_from(ctx: Context) -> date | None:
    """None where a history of closed items was imported, else the first export: it told only what was open.

    Without it the items that were paid before are missing, and who is still open would look typical.
    """
    assert ctx.company_id is not None
    first_export = first_export_day(ctx.company_id, ctx.known_at)
    if first_export is None or paid_before(ctx, first_export - timedelta(days=HISTORY_LEAD_DAYS)):
        return None
    return first_export


def gather_book(ctx: Context, account_ids: Sequence[int] | None = None) -> Book:
    """What was known of ``ctx.company_id`` (or of some of its accounts) at both clocks of the context."""
    book = book_of(ctx, account_ids, payments_known_from(ctx))
    contacts = pl.concat([contacts_made(ctx, account_ids), message_contacts(ctx, account_ids)])
    return replace(
        book,
        contacts=contacts.sort("account_id", "known_date", "channel"),
        promises=_of_items(promises_told(ctx, account_ids), book),
        disputes=_of_items(objections(ctx, account_ids), book),
    )


def _of_items(told: pl.DataFrame, book: Book) -> pl.DataFrame:
    return told.join(book.items, on="item_id", how="semi", maintain_order="left")
