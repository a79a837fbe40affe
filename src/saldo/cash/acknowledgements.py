"""What the ERP shows of the cash that was posted here: what it does not show yet, and what it told itself.

awaited            what we posted on items and a source has not shown (a frame)
untied_payments    our bank payments that no line of the source is tied to
pending            the same for people: postings that await the ERP, by age
acknowledge, tie   the source shows it now
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import polars as pl
from django.db import connection

from saldo.core.context import Context
from saldo.ledger.queries import clocks
from saldo.storage.frames import copy_in, copy_out

# What the ERP has not shown within a year it will not show: from then on its lists are taken at their word.
AWAITED_DAYS = 365
# Why cash on account was set against items that the ERP closed with it: it has nothing more to show.
USED_BY_ERP = "used by the ERP"

# Postings that stand, with what each gave to items (credits taken off count too), by the line of the ERP.
_STANDING = """
WITH standing AS (
    SELECT p.id, p.transaction_id, p.account_id, p.payment_id, p.effective_date, p.recorded_at, p.shares,
           p.differences, (t.amount * 1000)::bigint - coalesce(
               (SELECT sum((e ->> 'mills')::bigint) FROM jsonb_array_elements(p.shares) e), 0) AS rest
      FROM cash_posting p JOIN cash_banktransaction t ON t.id = p.transaction_id
     WHERE t.company_id = %(company)s AND p.kind = 'match' AND p.recorded_at <= %(known_at)s
       AND p.effective_date >= %(since)s
       AND NOT EXISTS (SELECT 1 FROM cash_posting u WHERE u.transaction_id = p.transaction_id
                          AND u.sequence > p.sequence AND u.recorded_at <= %(known_at)s)
), given AS (
    -- Less what an export had told of the item before the bank line came.
    SELECT s.id AS posting_id, s.effective_date, (e ->> 'item')::bigint AS item_id,
           sum(abs((e ->> 'mills')::bigint)) - coalesce(sum((e ->> 'told')::bigint), 0) AS mills
      FROM standing s, jsonb_array_elements(s.shares || s.differences) e
     WHERE e ->> 'kind' IS NULL OR e ->> 'credit_item' IS NOT NULL
     GROUP BY 1, 2, 3
    HAVING sum(abs((e ->> 'mills')::bigint)) > coalesce(sum((e ->> 'told')::bigint), 0)
    UNION ALL
    -- What was on account and set against items later, but for what the ERP itself told of.
    SELECT s.id, s.effective_date, d.id, (sum(a.amount) * 1000)::bigint
      FROM standing s
      JOIN ledger_item c ON c.account_id = s.account_id AND c.payment_id = s.payment_id AND c.kind = 'payment'
      JOIN ledger_allocation a ON a.credit_item_id = c.id AND a.recorded_at > s.recorded_at
           AND a.recorded_at <= %(known_at)s AND a.reason <> %(by_erp)s
      JOIN ledger_item d ON d.id = a.debit_item_id AND d.kind <> 'reopening'
     WHERE s.rest > 0
     GROUP BY 1, 2, 3 HAVING sum(a.amount) > 0
), waiting AS (
    SELECT g.*, CASE WHEN i.kind = 'adjustment' THEN coalesce(
               (SELECT min(b.id) FROM ledger_item b
                 WHERE b.account_id = i.account_id AND b.invoice_id = i.invoice_id
                   AND b.installment_no = i.installment_no AND b.kind IN ('installment', 'credit_note')),
               i.id) ELSE i.id END AS line_item_id
      FROM given g JOIN ledger_item i ON i.id = g.item_id
     WHERE NOT EXISTS (SELECT 1 FROM cash_cashacknowledgement k
                        WHERE k.posting_id = g.posting_id AND k.item_id = g.item_id)
)
"""


def _params(ctx: Context, company_id: int) -> dict[str, object]:
    return {
        **clocks(ctx),
        "company": company_id,
        "since": ctx.as_of - timedelta(days=AWAITED_DAYS),
        "by_erp": USED_BY_ERP,
    }


AWAITED_SCHEMA = {"item_id": pl.Int64, "awaited_mills": pl.Int64}


def awaited(ctx: Context, company_ids: Sequence[int]) -> pl.DataFrame:
    """AWAITED_SCHEMA: what was posted from the bank on each line and its ERP has not shown yet.

    Receipts and direct debits that fell due and have not come back count too: ERPs book them in their time.
    """
    sql = (
        _STANDING
        + """
    SELECT line_item_id, sum(mills)::bigint FROM (
        SELECT line_item_id, mills FROM waiting
        UNION ALL
        SELECT a.debit_item_id, (a.amount * 1000)::bigint
          FROM ledger_item_open_projection p
          JOIN ledger_item c ON c.id = p.item_id AND (c.details ->> 'order') IS NOT NULL
          JOIN ledger_allocation a ON a.credit_item_id = c.id AND a.recorded_at <= %(known_at)s
          JOIN ledger_item d ON d.id = a.debit_item_id AND d.kind <> 'reopening'
         WHERE p.company_id = %(company)s AND p.kind = 'provisional_payment' AND p.effective_date >= %(since)s
           AND p.recorded_at <= %(known_at)s) each
     GROUP BY 1 HAVING sum(mills) > 0 ORDER BY 1
    """
    )
    found = [copy_out(sql, _params(ctx, company_id), AWAITED_SCHEMA) for company_id in company_ids]
    return pl.concat([*found, pl.DataFrame(schema=AWAITED_SCHEMA)])


def acknowledge(
    ctx: Context, company_ids: Sequence[int], line_item_ids: Sequence[int], source_id: int, document_id: int
) -> int:
    """A source shows what was posted on these lines: nobody waits for it any more."""
    if not line_item_ids:
        return 0
    made = 0
    sql = (
        _STANDING
        + """
    INSERT INTO cash_cashacknowledgement
           (posting_id, item_id, source_id, document_id, reference, effective_date, recorded_at)
    SELECT posting_id, item_id, %(source)s, %(document)s, '', %(as_of)s, %(recorded_at)s
      FROM waiting WHERE line_item_id = ANY(%(lines)s) GROUP BY posting_id, item_id
    ON CONFLICT (posting_id, item_id) DO NOTHING
    """
    )
    for company_id in company_ids:
        params = _params(ctx, company_id) | {
            "source": source_id,
            "document": document_id,
            "recorded_at": ctx.recorded_at,
            "lines": list(line_item_ids),
        }
        with connection.cursor() as cursor:
            cursor.execute(sql, params)
            made += cursor.rowcount
    return made


TIED_SCHEMA = {
    "account_id": pl.Int64,
    "number_norm": pl.String,
    "year": pl.Int16,
    "transaction_id": pl.Int64,
}


def tied_lines(source_id: int, account_ids: Sequence[int]) -> pl.DataFrame:
    """TIED_SCHEMA: lines of a source that are cash which a bank line told already."""
    sql = """
    SELECT g.account_id, g.number_norm, g.year, p.transaction_id
      FROM ledger_paymentsighting g
      LEFT JOIN cash_posting p ON p.payment_id = g.payment_id AND p.kind = 'match'
     WHERE g.source_id = %(source)s AND g.account_id = ANY(%(accounts)s)
    """
    return copy_out(sql, {"source": source_id, "accounts": list(account_ids)}, TIED_SCHEMA)


UNTIED_SCHEMA = {
    "posting_id": pl.Int64,
    "payment_id": pl.Int64,
    "account_id": pl.Int64,
    "booking_date": pl.Date,
    "currency": pl.String,
    "amount_mills": pl.Int64,
    "on_account_mills": pl.Int64,
}


def untied_payments(
    ctx: Context, company_ids: Sequence[int], source_id: int, account_ids: Sequence[int]
) -> pl.DataFrame:
    """UNTIED_SCHEMA: standing bank payments of accounts that no line of the source is tied to.

    on_account_mills: the part that no item took when it was posted.
    """
    sql = (
        _STANDING
        + """
    SELECT s.id, p.id, p.account_id, p.booking_date, p.currency, (-i.amount * 1000)::bigint,
           (-i.amount * 1000)::bigint - coalesce((SELECT sum((e ->> 'mills')::bigint)
                                                    FROM jsonb_array_elements(s.shares) e), 0)::bigint
      FROM standing s JOIN ledger_payment p ON p.id = s.payment_id
      JOIN ledger_item i ON i.payment_id = p.id AND i.kind = 'payment'
     WHERE p.account_id = ANY(%(accounts)s)
       AND NOT EXISTS (SELECT 1 FROM ledger_paymentsighting g
                        WHERE g.payment_id = p.id AND g.source_id = %(source)s)
     ORDER BY p.account_id, p.booking_date, p.id
    """
    )
    more = {"source": source_id, "accounts": list(account_ids)}
    found = [copy_out(sql, _params(ctx, company_id) | more, UNTIED_SCHEMA) for company_id in company_ids]
    return pl.concat([*found, pl.DataFrame(schema=UNTIED_SCHEMA)])


def tie(ctx: Context, ties: pl.DataFrame, source_id: int, document_id: int) -> int:
    """Record that lines of a source are our payments. ties: posting_id, payment_id, account_id, number,
    number_norm, year, row."""
    shared = ties.with_columns(
        pl.lit(source_id).alias("source_id"),
        pl.lit(document_id).alias("document_id"),
        pl.lit(str(ctx.recorded_at)).alias("recorded_at"),
        pl.col("number").str.slice(0, 60),
    )
    copy_in(
        "cash_cashacknowledgement",
        shared.select(
            "posting_id",
            "source_id",
            "document_id",
            pl.col("number").alias("reference"),
            pl.lit(ctx.as_of).alias("effective_date"),
            "recorded_at",
        ),
    )
    return copy_in(
        "ledger_paymentsighting",
        shared.select(
            "payment_id", "account_id", "source_id", "number", "number_norm", "year", "document_id", "row",
            "recorded_at",
        ),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class BankCredit:
    """What is left on account of the payment of a bank line."""

    transaction_id: int
    item_id: int
    account_id: int
    currency: str
    booking_date: date
    mills: int


def bank_credits(ctx: Context, account_ids: Sequence[int], since: date) -> list[BankCredit]:
    """Cash on account that bank lines brought since a day, the oldest first."""
    sql = """
    SELECT x.transaction_id, i.id, i.account_id, i.currency, i.effective_date,
           ((p.cap - p.used) * 1000)::bigint
      FROM ledger_item_open_projection p JOIN ledger_item i ON i.id = p.item_id
      JOIN cash_posting x ON x.payment_id = i.payment_id AND x.kind = 'match'
     WHERE p.account_id = ANY(%(accounts)s) AND p.company_id = %(company)s AND p.kind = 'payment'
       AND NOT p.used_up AND p.effective_date BETWEEN %(since)s AND %(as_of)s
     ORDER BY i.effective_date, i.id
    """
    params = {"accounts": list(account_ids), "company": ctx.company_id, "since": since, "as_of": ctx.as_of}
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return [BankCredit(*row) for row in cursor.fetchall()]


@dataclass(frozen=True, slots=True)
class WaitingPosting:
    """A standing posting of one account that no list has shown on any of its items. mills: given to them."""

    transaction_id: int
    account_id: int
    currency: str
    booking_date: date
    mills: int
    item_ids: tuple[int, ...]


def waiting_postings(
    ctx: Context, account_ids: Sequence[int], open_item_ids: Sequence[int]
) -> list[WaitingPosting]:
    """Postings of accounts whose items a list still has open, all of them; without write-offs, and without
    money on account that was used since: what was decided after the posting is not taken back."""
    sql = (
        _STANDING
        + """
    SELECT s.transaction_id, s.account_id, t.currency, t.booking_date, sum(w.mills)::bigint,
           array_agg(w.item_id)
      FROM standing s JOIN waiting w ON w.posting_id = s.id
      JOIN cash_banktransaction t ON t.id = s.transaction_id
     WHERE s.account_id = ANY(%(accounts)s) AND jsonb_array_length(s.differences) = 0
       AND NOT EXISTS (SELECT 1 FROM ledger_item c JOIN ledger_allocation a ON a.credit_item_id = c.id
                        WHERE c.account_id = s.account_id AND c.payment_id = s.payment_id
                          AND c.kind = 'payment' AND a.recorded_at > s.recorded_at)
     GROUP BY s.id, s.transaction_id, s.account_id, s.shares, t.currency, t.booking_date
    HAVING bool_and(w.line_item_id = ANY(%(open)s)) AND count(*) = jsonb_array_length(s.shares)
     ORDER BY t.booking_date, s.transaction_id
    """
    )
    assert ctx.company_id is not None
    more = {"accounts": list(account_ids), "open": list(open_item_ids)}
    with connection.cursor() as cursor:
        cursor.execute(sql, _params(ctx, ctx.company_id) | more)
        return [WaitingPosting(*row[:5], tuple(row[5])) for row in cursor.fetchall()]


@dataclass(frozen=True, slots=True)
class PendingRow:
    """A posting that the ERP has not shown on all of its items."""

    posting_id: int
    transaction_id: int
    account_id: int
    customer: str
    booking_date: date
    amount: Decimal
    currency: str
    days: int
    is_exported: bool


def pending(ctx: Context, limit: int = 500) -> list[PendingRow]:
    """The postings of the context's company that await the ERP, oldest first."""
    assert ctx.company_id is not None
    sql = (
        _STANDING
        + """
    SELECT s.id, s.transaction_id, s.account_id, c.name, s.effective_date, t.amount, t.currency,
           %(as_of)s::date - s.effective_date,
           EXISTS (SELECT 1 FROM cash_cashexportline x WHERE x.posting_id = s.id)
      FROM standing s JOIN cash_banktransaction t ON t.id = s.transaction_id
      JOIN parties_customeraccount a ON a.id = s.account_id JOIN parties_customer c ON c.id = a.customer_id
     WHERE s.id IN (SELECT posting_id FROM waiting) AND s.effective_date <= %(as_of)s
     ORDER BY s.effective_date, s.id LIMIT %(limit)s
    """
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, _params(ctx, ctx.company_id) | {"limit": limit})
        return [PendingRow(*row) for row in cursor.fetchall()]
