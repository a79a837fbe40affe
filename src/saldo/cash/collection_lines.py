"""Bank lines as collections look at them: open ones, what they followed, and payments that came back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.db import connection

from saldo.cash.banks import POSTABLE_SQL
from saldo.core.collecting import only
from saldo.core.context import Context

# A payment is taken back within so many days: recalls and returns of transfers.
BOUNCE_DAYS = 30

_OPEN = f"""
SELECT t.id, t.bank_account_id, t.statement_id, t.ordinal, t.booking_date, (t.amount * 1000)::bigint,
       t.currency, t.code, t.is_reversal, t.bank_reference, t.customer_reference, t.end_to_end_id,
       t.mandate_id, t.payer_name, t.payer_iban, t.text, t.return_reason
  FROM cash_banktransaction t JOIN cash_statement s ON s.id = t.statement_id
 WHERE t.company_id = %(company)s AND {POSTABLE_SQL} AND t.status = 'BOOK'
   AND (%(ids)s::bigint[] IS NULL OR t.id = ANY(%(ids)s))
   AND coalesce((SELECT p.kind FROM cash_posting p WHERE p.transaction_id = t.id
                  ORDER BY p.sequence DESC LIMIT 1), 'undo') = 'undo'
 ORDER BY t.booking_date, t.statement_id, t.ordinal, t.id
"""
_BEFORE = """
SELECT r.order_id, t.statement_id = %(statement)s AND t.ordinal = %(ordinal)s
  FROM cash_banktransaction t JOIN cash_collectionresult r ON r.transaction_id = t.id
 WHERE t.bank_account_id = %(account)s AND t.booking_date = %(day)s
   AND r.outcome IN ('unpaid', 'refunded', 'withdrawn', 'booked')
"""
_RETURNED = """
SELECT DISTINCT order_id FROM cash_collectionresult
 WHERE transaction_id IS NOT NULL AND outcome IN ('unpaid', 'refunded', 'withdrawn', 'booked')
   AND order_id = ANY(%s)
"""
_PAYMENTS = """
SELECT DISTINCT p.payment_id, p.account_id
  FROM cash_banktransaction t
  JOIN LATERAL (SELECT * FROM cash_posting p WHERE p.transaction_id = t.id
                 ORDER BY p.sequence DESC LIMIT 1) p ON p.kind = 'match'
 WHERE t.bank_account_id = %(account)s AND t.kind = 'booked' AND t.currency = %(currency)s
   AND (t.amount * 1000)::bigint = %(mills)s AND t.booking_date BETWEEN %(first)s AND %(last)s
   AND p.payment_id IS NOT NULL
   AND (t.end_to_end_id <> '' AND t.end_to_end_id = ANY(%(references)s)
        OR t.bank_reference <> '' AND t.bank_reference = ANY(%(references)s)
        OR t.customer_reference <> '' AND t.customer_reference = ANY(%(references)s))
   AND NOT EXISTS (SELECT 1 FROM cash_posting b WHERE b.payment_id = p.payment_id AND b.kind = 'return')
"""


@dataclass(frozen=True, slots=True)
class CollectionLine:
    """An open bank line; mills signed: positive came in."""

    id: int
    bank_account_id: int
    statement_id: int
    ordinal: int
    booking_date: date
    mills: int
    currency: str
    code: str
    is_reversal: bool
    bank_reference: str
    customer_reference: str
    end_to_end_id: str
    mandate_id: str
    payer_name: str
    payer_iban: str
    text: str
    return_reason: str

    @property
    def references(self) -> list[str]:
        told = (self.end_to_end_id, self.bank_reference, self.customer_reference)
        return [text for text in told if text and text != "NOTPROVIDED"]


def open_lines(ctx: Context, transaction_ids: Sequence[int] | None = None) -> list[CollectionLine]:
    """Booked lines of the context's company that wait to be posted, in the order of the statements."""
    ids = None if transaction_ids is None else list(transaction_ids)
    with connection.cursor() as cursor:
        cursor.execute(_OPEN, {"company": ctx.company_id, "ids": ids})
        return [CollectionLine(*row) for row in cursor.fetchall()]


def returned_before(line: CollectionLine) -> int | None:
    """The order that came back with the line just before this one, or the only one of the account's day."""
    params = {
        "statement": line.statement_id, "ordinal": line.ordinal - 1, "account": line.bank_account_id,
        "day": line.booking_date,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_BEFORE, params)
        found = cursor.fetchall()
    before = [order_id for order_id, is_before in found if is_before]
    return only(before or {order_id for order_id, _ in found})


def returned_by_line(order_ids: Iterable[int]) -> set[int]:
    """Those of the orders whose return a bank line has told."""
    with connection.cursor() as cursor:
        cursor.execute(_RETURNED, [list(order_ids)])
        return {row[0] for row in cursor.fetchall()}


def payments_taken_back(line: CollectionLine) -> list[tuple[int, int]]:
    """(payment, account) of posted lines that a reversal may take back: same amount and reference."""
    params = {
        "account": line.bank_account_id, "currency": line.currency, "mills": -line.mills,
        "first": line.booking_date - timedelta(days=BOUNCE_DAYS), "last": line.booking_date,
        "references": line.references,
    }  # fmt: skip
    if not line.references:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_PAYMENTS, params)
        return [(row[0], row[1]) for row in cursor.fetchall()]
