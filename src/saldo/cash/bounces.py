"""What a bank line takes back or takes for it, beside orders: fees of returns, payments that bounced."""

from __future__ import annotations

import json
from typing import Any

from django.db import connection

from saldo.cash.collecting import EVENT, FEE, FEE_EVENT, RETURN, standing_of, take_back
from saldo.cash.collections import orders_by_id, rules_of
from saldo.cash.facts import item_facts, line_facts
from saldo.cash.plans import AUTO, check_line
from saldo.cash.postings import changing, locked
from saldo.cash.rows import Rows
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.money import decimal_text
from saldo.storage.frames import reserve_ids


def record_fee(ctx: Context, company_id: int, transaction_id: int, order_id: int) -> bool:
    """The bank's fee of a return: posted, told on the account, and charged to it if the rules say so.

    The law lets us charge it only where it was agreed (or as a documented cost): off unless set. Returns
    whether it was charged.
    """
    (order,) = orders_by_id(ctx, [order_id])
    charges = rules_of(company_id).recharge_fees and order.account_id is not None
    accounts = [order.account_id] if order.account_id is not None else []

    def work() -> bool:
        now, _ = locked(company_id, accounts, ctx)
        found = line_facts([transaction_id]).get(transaction_id)
        line = check_line(found, transaction_id, company_id)
        (posting_id,) = reserve_ids("cash_posting", 1).to_list()
        rows = Rows(now)
        rows.posting(posting_id, line, FEE, AUTO, order.account_id, None,
                     note=f"return fee of {order.receipt}")  # fmt: skip
        if charges and order.account_id is not None:
            (item_id,) = reserve_ids("ledger_item", 1).to_list()
            details = {"reason": "return fee", "order": order.id, "of_item": order.item_id,
                       "transaction": line.id}  # fmt: skip
            rows.item(item_id, order.account_id, "fee", -line.mills, line.currency, line.booking_date,
                      document_id=line.document_id, details=details)  # fmt: skip
        rows.event(FEE_EVENT, accounts, line.booking_date, {
            "order": order.id, "receipt": order.receipt, "is_charged": charges, "transaction": line.id,
            "amount": decimal_text(-line.mills, line.currency), "currency": line.currency,
        })  # fmt: skip
        rows.write()
        return bool(charges)

    return changing(work, line=transaction_id)


def record_bounce(
    ctx: Context, company_id: int, transaction_id: int, payment_id: int, account_id: int
) -> int:
    """A payment that the bank took back (a reversal line): its items are open again, from the line's day.

    What was written off with the payment is taken back with it. Returns what the items get back, in mills.
    Raises SaldoError: of ``check_line``, and line_not_posted (the payment was undone or came back meanwhile).
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT shares, differences FROM cash_posting WHERE payment_id = %s AND kind = 'match'",
            [payment_id],
        )
        told, explained = map(_json, cursor.fetchone() or ("[]", "[]"))
    data = told + explained
    with_it = [one["credit_item"] for one in explained if one.get("credit_item")]
    items = item_facts([*with_it, *(one["item"] for one in data if one.get("item"))])
    accounts = sorted({account_id, *(item.account_id for item in items.values())})

    def work() -> int:
        now, _ = locked(company_id, accounts, ctx)
        line = check_line(line_facts([transaction_id]).get(transaction_id), transaction_id, company_id)
        if not _stands(payment_id):
            raise SaldoError("line_not_posted", line=transaction_id)
        reversals, rows = Rows(now), Rows(now)
        standing = list(standing_of(accounts, [payment_id], (), with_it))
        standing = [one for one in standing if one.kind != "credit_note"]
        taken = take_back(reversals, rows, standing, line.booking_date, "bounced")
        (posting_id,) = reserve_ids("cash_posting", 1).to_list()
        shares = [
            {"item": one.debit_id, "mills": -(one.mills or 0)}
            for one in standing
            if one.debit_id and one.payment_id == payment_id
        ]
        back = [one | {"mills": -one["mills"]} for one in explained if one.get("credit_item")]
        reversals.posting(
            posting_id, line, RETURN, AUTO, account_id, payment_id, shares, back, note="bounced payment"
        )
        rows.event(EVENT, accounts, line.booking_date, {
            "outcome": "bounced", "payment": payment_id, "transaction": line.id,
            "amount": decimal_text(-line.mills, line.currency), "currency": line.currency,
        })  # fmt: skip
        reversals.write()
        rows.write()
        return taken

    return changing(work, line=transaction_id)


def _stands(payment_id: int) -> bool:
    """Whether the payment's posting was neither undone nor came back."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FILTER (WHERE p.kind = 'match') = 1 AND count(*) = 1 FROM cash_posting p"
            " WHERE p.payment_id = %s",
            [payment_id],
        )
        return bool(cursor.fetchone()[0])


def _json(value: Any) -> list[dict[str, Any]]:
    return json.loads(value) if isinstance(value, str) else list(value)
