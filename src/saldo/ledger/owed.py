"""What is owed of single items, as those who promise, dispute, hold or claim are asked about it.

deciding          the account, locked, under a stamped context
balances          the balances of items, whoever's they are
open_debits       what accounts owe, item by item
owed_items        items of one account and currency that are open, as a person named them
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

import polars as pl
from django.db import connection, transaction

from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.money import CURRENCY_EXPONENTS, decimal_text
from saldo.identity.operations import stamped
from saldo.ledger.queries import ALL_BALANCES, clocks, open_balances
from saldo.parties.models import CustomerAccount
from saldo.storage.frames import copy_out

BALANCES = {
    "item_id": pl.Int64,
    "account_id": pl.Int64,
    "company_id": pl.Int64,
    "kind": pl.String,
    "currency": pl.String,
    "due_date": pl.Date,
    "balance_mills": pl.Int64,
}
_COLUMNS = "b.id, b.account_id, b.company_id, b.kind, b.currency, b.due_date, (b.balance * 1000)::bigint"


@dataclass(frozen=True, slots=True)
class Owed:
    """A debit item with what is open of it."""

    item_id: int
    currency: str
    due_date: date
    balance_mills: int


@contextmanager
def deciding(ctx: Context, account_id: int) -> Iterator[Context]:
    """A transaction in which the account is locked: of two who decide about it, the second sees what the
    first did. Yields the context, stamped and of the account's company. The caller has checked that the
    account is in the actor's scope. Raises SaldoError("account_unknown").
    """
    with transaction.atomic():
        # NO KEY: rows that point at the account may still be added by an import.
        found = CustomerAccount.objects.filter(id=account_id).select_for_update(no_key=True).first()
        if found is None or ctx.company_id not in (None, found.company_id):
            raise SaldoError("account_unknown", account=account_id)
        yield stamped(ctx, found.company_id)


def balances(ctx: Context, item_ids: Sequence[int]) -> pl.DataFrame:
    """BALANCES of these items on the day, settled ones too; credits are negative."""
    if not item_ids:
        return pl.DataFrame(schema=BALANCES)
    sql = f"SELECT {_COLUMNS} FROM ({ALL_BALANCES} AND i.id = ANY(%(items)s::bigint[])) b ORDER BY b.id"
    return copy_out(sql, {**clocks(ctx), "items": list(item_ids)}, BALANCES)


def open_debits(ctx: Context, account_ids: Sequence[int] | None = None) -> pl.DataFrame:
    """BALANCES of all debits with a balance: of these accounts, or of the context's company."""
    sql = f"""
    SELECT {_COLUMNS} FROM ({open_balances(account_ids)} OFFSET 0) b
     WHERE b.sign > 0 AND b.balance > 0 ORDER BY b.account_id, b.due_date, b.id
    """
    params = {
        **clocks(ctx),
        "companies": None if ctx.company_id is None else [ctx.company_id],
        "accounts": None if account_ids is None else list(account_ids),
    }
    return copy_out(sql, params, BALANCES)


def owed_by(ctx: Context, account_id: int, currency: str) -> list[Owed]:
    """What the account owes in a currency, what falls due first in front."""
    found = open_debits(ctx, [account_id]).filter(pl.col("currency") == currency)
    return _owed(found)


def owed_items(ctx: Context, account_id: int, currency: str, item_ids: Iterable[int]) -> list[Owed]:
    """The named items, each once, what falls due first in front.

    Raises SaldoError: item_unknown, item_not_of_account, item_currency_differs, item_closed.
    """
    wanted = list(dict.fromkeys(item_ids))
    found = {row["item_id"]: row for row in balances(ctx, wanted).iter_rows(named=True)}
    for item_id in wanted:
        row = found.get(item_id)
        if row is None:
            raise SaldoError("item_unknown", item=item_id)
        if row["account_id"] != account_id:
            raise SaldoError("item_not_of_account", item=item_id)
        if row["currency"] != currency:
            raise SaldoError("item_currency_differs", item=item_id, told=row["currency"], currency=currency)
        if row["balance_mills"] <= 0:
            raise SaldoError("item_closed", item=item_id)
    return _owed(pl.DataFrame(list(found.values()), schema=BALANCES).sort("due_date", "item_id"))


def _owed(frame: pl.DataFrame) -> list[Owed]:
    rows = frame.select("item_id", "currency", "due_date", "balance_mills")
    return [Owed(*row) for row in rows.iter_rows()]


def checked_amount(mills: int, currency: str) -> int:
    """An amount that a person may state: above zero, with the decimals of its currency.

    Raises SaldoError("stated_amount_invalid").
    """
    if currency not in CURRENCY_EXPONENTS:
        raise SaldoError("stated_amount_invalid", amount=str(mills), currency=currency)
    if mills <= 0 or mills % 10 ** (3 - CURRENCY_EXPONENTS[currency]):
        raise SaldoError("stated_amount_invalid", amount=decimal_text(mills, currency), currency=currency)
    return mills


def oldest_first(items: Sequence[Owed], mills: int) -> list[tuple[Owed, int]]:
    """``mills`` spread over the items in their order; what is beyond them is left out."""
    spread = []
    for item in items:
        part = min(item.balance_mills, mills)
        if part > 0:
            spread.append((item, part))
            mills -= part
    return spread


def installments_of(
    account_ids: Sequence[int], numbers: Iterable[str]
) -> dict[tuple[int, str], list[tuple[int, int]]]:
    """{(account id, normalized number): [(item id, installment number)]} of invoices and debit notes, whether
    open or not."""
    sql = """
    SELECT v.account_id, v.number_norm, i.id, i.installment_no
      FROM ledger_invoice v JOIN ledger_item i ON i.invoice_id = v.id AND i.kind = 'installment'
     WHERE v.account_id = ANY(%s) AND v.number_norm = ANY(%s) AND v.kind <> 'credit_note'
     ORDER BY v.year, i.installment_no, i.id
    """
    found: dict[tuple[int, str], list[tuple[int, int]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(sql, [list(account_ids), list(numbers)])
        for account_id, number, item_id, installment_no in cursor.fetchall():
            found.setdefault((account_id, number), []).append((item_id, installment_no))
    return found


DOCUMENTS = {
    "account_id": pl.Int64, "invoice_id": pl.Int64, "number": pl.String, "document_date": pl.Date,
    "item_id": pl.Int64, "installment_no": pl.Int64,
}  # fmt: skip


def documents_of(account_ids: Sequence[int]) -> pl.DataFrame:
    """DOCUMENTS: every installment of the accounts' invoices and debit notes, whether open or not."""
    sql = """
    SELECT v.account_id, v.id, v.number, v.document_date, i.id, i.installment_no
      FROM ledger_invoice v JOIN ledger_item i ON i.invoice_id = v.id AND i.kind = 'installment'
     WHERE v.account_id = ANY(%(accounts)s::bigint[]) AND v.kind <> 'credit_note'
     ORDER BY v.id, i.installment_no, i.id
    """
    return copy_out(sql, {"accounts": list(account_ids)}, DOCUMENTS)


NAMES = {
    "item_id": pl.Int64, "code": pl.String, "name": pl.String, "number": pl.String,
    "installment_no": pl.Int64,
}  # fmt: skip


def document_names(item_ids: Sequence[int]) -> pl.DataFrame:
    """NAMES: customer and document of each item; its own number is empty where there is none."""
    sql = """
    SELECT i.id, a.code, c.name, coalesce(v.number, p.number, ''), i.installment_no
      FROM ledger_item i JOIN parties_customeraccount a ON a.id = i.account_id
      JOIN parties_customer c ON c.id = a.customer_id
      LEFT JOIN ledger_invoice v ON v.id = i.invoice_id LEFT JOIN ledger_payment p ON p.id = i.payment_id
     WHERE i.id = ANY(%(items)s::bigint[]) ORDER BY i.id
    """
    return copy_out(sql, {"items": list(item_ids)}, NAMES)
