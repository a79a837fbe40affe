"""What messages tell of accounts and items, read for many at once."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl
from django.db import connection

from saldo.core.context import Context
from saldo.core.message_facts import Receiver
from saldo.ledger.queries import totals

# Italian to whom we write in Italian by default: Italy, San Marino, the Vatican, and who has no country.
_ITALIAN = frozenset({"IT", "SM", "VA", ""})


@dataclass(frozen=True, slots=True)
class ItemTold:
    """An item as a message names it. installment: its number where the document has several, else 0."""

    kind: str
    number: str
    document_date: date
    installment: int


@dataclass(frozen=True, slots=True)
class Way:
    """How an account is reached by one channel. stop: why its address may not be used ("" if it may)."""

    contact_id: int | None
    name: str
    address: str
    language: str
    stop: str
    has_consent: bool


def receivers(account_ids: Collection[int]) -> dict[int, Receiver]:
    """The customers of accounts, with the address for a letter."""
    sql = """
    SELECT acc.id, c.name, acc.code, c.address, c.zip_code, c.city, c.province, c.country
      FROM parties_customeraccount acc JOIN parties_customer c ON c.id = acc.customer_id
     WHERE acc.id = ANY(%s)"""
    return {
        each: Receiver(each, name, code, "", street, _place(zip_code, city, province), country)
        for each, name, code, street, zip_code, city, province, country in _rows(sql, [list(account_ids)])
    }


def _place(zip_code: str, city: str, province: str) -> str:
    return " ".join(part for part in (zip_code, city, f"({province})" if province else "") if part)


def items_told(item_ids: Collection[int]) -> dict[int, ItemTold]:
    """Numbers and dates of items."""
    sql = """
    SELECT i.id, i.kind, coalesce(inv.number, pay.number, ''), coalesce(inv.document_date, i.effective_date),
           CASE WHEN i.kind = 'installment' AND EXISTS (
                     SELECT 1 FROM ledger_item o
                      WHERE o.invoice_id = i.invoice_id AND o.kind = 'installment' AND o.id <> i.id)
                THEN i.installment_no ELSE 0 END
      FROM ledger_item i
      LEFT JOIN ledger_invoice inv ON inv.id = i.invoice_id
      LEFT JOIN ledger_payment pay ON pay.id = i.payment_id
     WHERE i.id = ANY(%s)"""
    return {each: ItemTold(*told) for each, *told in _rows(sql, [list(item_ids)])}


def credits_of(ctx: Context, account_ids: Collection[int]) -> dict[tuple[int, str], int]:
    """(account, currency) -> credits not applied, in mills."""
    found = totals(ctx, account_ids=list(account_ids)) if account_ids else pl.DataFrame()
    return {
        (account, currency): mills
        for account, currency, mills in found.select("account_id", "currency", "credits_mills").rows()
        if mills
    } if found.height else {}  # fmt: skip


def language_of(told: str, country: str) -> str:
    """The language for a contact: its own where we write it, else by the customer's country."""
    if told in ("it", "en"):
        return told
    return "it" if not told and country.upper() in _ITALIAN else "en"


def way_of(ways: dict[int, list[dict[str, Any]]], account_id: int, channel: str, contact_id: int | None,
           address: str = "") -> Way | None:  # fmt: skip
    """The contact asked for, if it has the channel; else the account's best one that may be written to."""
    rows = [row for row in ways.get(account_id, ()) if row["channel"] == channel and row["address"]]
    if address:
        rows = [row for row in rows if row["address"].casefold() == address.casefold()]
    rows.sort(key=lambda row: (row["contact_id"] != contact_id, bool(row["stop"]), row["place"]))
    if not rows:
        return None
    row = rows[0]
    return Way(row["contact_id"], row["name"] or "", row["address"], row["language"] or "", row["stop"] or "",
               bool(row["has_consent"]))  # fmt: skip


def by_account(ways: pl.DataFrame) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = {}
    for row in ways.rows(named=True):
        found.setdefault(row["account_id"], []).append(row)
    return found


def _rows(sql: str, params: list[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()
