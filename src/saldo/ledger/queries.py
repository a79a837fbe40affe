"""Reading the ledger as of a day, as known at an instant."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import polars as pl
from django.db import connection

from saldo.analytics.export_diff import KNOWN_SCHEMA
from saldo.core.context import Context
from saldo.storage.frames import copy_out

# Kinds whose cause is not known yet: they stand until the true cause arrives.
PROVISIONAL_KINDS = ("provisional_payment", "closure")
# Counter items that an export made: of unknown cause, or the settlement that it told (no bank line).
_TOLD_BY_EXPORT = "({0}.kind = ANY(%(provisional)s) OR {0}.kind = 'payment' AND {0}.payment_id IS NULL)"

_TERMS = """
SELECT DISTINCT ON (item_id) item_id, due_date FROM ledger_itemterms
 WHERE effective_date <= %(as_of)s AND recorded_at <= %(known_at)s
 ORDER BY item_id, effective_date DESC, recorded_at DESC, id DESC
"""
# Wholly used by then: the projection tells it without a look at the allocations.
_SETTLED = """(p.used_up AND p.last_effective_date <= %(as_of)s AND p.last_recorded_at <= %(known_at)s)"""


# Used of a debit or of a credit. Neither what was settled nor what nothing was set against yet needs its
# allocations read, so the work grows with what was part-paid on the day, not with the history.
_USED = f"""
CASE WHEN {_SETTLED} THEN p.cap
     WHEN coalesce(p.first_effective_date > %(as_of)s OR p.first_recorded_at > %(known_at)s, true) THEN 0
     WHEN p.sign > 0 THEN coalesce((
          SELECT sum(a.amount) FROM ledger_allocation a WHERE a.debit_item_id = p.item_id
             AND a.effective_date <= %(as_of)s AND a.recorded_at <= %(known_at)s), 0)
     ELSE coalesce((
          SELECT sum(coalesce(a.credit_amount, a.amount)) FROM ledger_allocation a
           WHERE a.credit_item_id = p.item_id
             AND a.effective_date <= %(as_of)s AND a.recorded_at <= %(known_at)s), 0)
END
"""
# Every item that is known, even dated after as_of, with its balance at (as_of, known_at), settled ones too.
KNOWN_BALANCES = f"""
SELECT i.id, i.company_id, i.account_id, i.invoice_id, i.payment_id, i.kind, i.installment_no, i.amount,
       i.currency, i.effective_date, coalesce(t.due_date, i.due_date) AS due_date, i.payment_method,
       p.sign * (p.cap - {_USED}) AS balance
  FROM ledger_item i
  JOIN ledger_item_open_projection p ON p.item_id = i.id
  LEFT JOIN ({_TERMS}) t ON t.item_id = i.id
 WHERE i.recorded_at <= %(known_at)s
"""
# Those of the day.
ALL_BALANCES = f"{KNOWN_BALANCES} AND i.effective_date <= %(as_of)s"
# The items that may have a balance at (as_of, known_at), from the projection alone: picked by one scan,
# and only then looked at one by one.
_OPEN_BALANCES = f"""
SELECT p.item_id AS id, p.company_id, p.account_id, p.kind, p.currency, p.effective_date, p.sign,
       p.cap * p.sign AS amount, coalesce(t.due_date, p.due_date) AS due_date,
       p.sign * (p.cap - {_USED}) AS balance
  FROM (SELECT * FROM ledger_item_open_projection p
         WHERE (%(companies)s::int[] IS NULL OR p.company_id = ANY(%(companies)s::int[]))
           AND {{of_accounts}}
           AND p.effective_date <= %(as_of)s AND p.recorded_at <= %(known_at)s AND NOT {_SETTLED}
        OFFSET 0) p
  LEFT JOIN ({_TERMS}) t ON t.item_id = p.item_id
"""

OPEN_BALANCES = _OPEN_BALANCES.format(
    of_accounts="(%(accounts)s::bigint[] IS NULL OR p.account_id = ANY(%(accounts)s::bigint[]))"
)
# The same for so few accounts that their items are found one by one, not by a scan.
FEW_ACCOUNTS = 2_000
_OPEN_OF_FEW = _OPEN_BALANCES.format(
    of_accounts="p.item_id = ANY(ARRAY(SELECT few.id FROM ledger_item few"
    " WHERE few.account_id = ANY(%(accounts)s::bigint[])))"
)


def open_balances(account_ids: Sequence[int] | None) -> str:
    """OPEN_BALANCES, in the form that suits the number of accounts; parameters are the same."""
    is_few = account_ids is not None and len(account_ids) <= FEW_ACCOUNTS
    return _OPEN_OF_FEW if is_few else OPEN_BALANCES


OPEN_ITEMS_SCHEMA = {
    "item_id": pl.Int64,
    "company_id": pl.Int64,
    "account_id": pl.Int64,
    "kind": pl.String,
    "currency": pl.String,
    "document_date": pl.Date,
    "due_date": pl.Date,
    "amount_mills": pl.Int64,
    "balance_mills": pl.Int64,
}
HISTORY_SCHEMA = {
    "item_id": pl.Int64,
    "company_id": pl.Int64,
    "account_id": pl.Int64,
    "currency": pl.String,
    "document_date": pl.Date,
    "due_date": pl.Date,
    "amount_mills": pl.Int64,
    "paid_date": pl.Date,
    "closed_unknown": pl.Boolean,
}
BUCKET_COLUMNS = ("current", "days_1_30", "days_31_60", "days_61_90", "days_over_90")
TOTALS_SCHEMA = {
    "company_id": pl.Int64,
    "account_id": pl.Int64,
    "currency": pl.String,
    "open_mills": pl.Int64,
    "credits_mills": pl.Int64,
    "unapplied_mills": pl.Int64,
    "overdue_mills": pl.Int64,
    **{f"{name}_mills": pl.Int64 for name in BUCKET_COLUMNS},
    "oldest_due_date": pl.Date,
    "open_items": pl.Int64,
}


_BUCKET_SUMS = ", ".join(
    f"coalesce(sum(amount) FILTER (WHERE side > 0 AND bucket = {n}), 0) AS b{n}" for n in range(5)
)


def clocks(ctx: Context) -> dict[str, Any]:
    """The two clocks as SQL parameters; without known_at all that is recorded is known."""
    return {"as_of": ctx.as_of, "known_at": ctx.known_at or "infinity"}


def _companies(ctx: Context, company_ids: Sequence[int] | None) -> list[int] | None:
    if company_ids is not None:
        return list(company_ids)
    return None if ctx.company_id is None else [ctx.company_id]


def open_items(
    ctx: Context, company_ids: Sequence[int] | None = None, account_ids: Sequence[int] | None = None
) -> pl.DataFrame:
    """OPEN_ITEMS_SCHEMA: every item with a balance on the day, debits and credits (of some accounts)."""
    sql = f"""
    SELECT b.id, b.company_id, b.account_id, b.kind, b.currency, b.effective_date, b.due_date,
           (b.amount * 1000)::bigint, (b.balance * 1000)::bigint
      FROM ({open_balances(account_ids)} OFFSET 0) b
     WHERE b.balance <> 0
     ORDER BY b.account_id, b.id
    """
    params = {
        **clocks(ctx),
        "companies": _companies(ctx, company_ids),
        "accounts": None if account_ids is None else list(account_ids),
    }
    return copy_out(sql, params, OPEN_ITEMS_SCHEMA)


def totals(ctx: Context, by_account: bool = True, account_ids: Sequence[int] | None = None) -> pl.DataFrame:
    """TOTALS_SCHEMA: open, credits, overdue and aging per account (or per company) and currency.

    Buckets hold debits only, by due date in force; overdue is what was due before the day.
    """
    # Grouped by bucket first: one sum a row instead of ten.
    sql = f"""
    WITH part AS MATERIALIZED (
        SELECT company_id, {"account_id" if by_account else "NULL::bigint AS account_id"}, currency,
               sign AS side, kind = 'payment' AS is_payment,
               CASE WHEN %(as_of)s::date <= due_date THEN 0
                    ELSE least((%(as_of)s::date - due_date + 29) / 30, 4) END AS bucket,
               sum(balance) AS amount, min(due_date) AS oldest, count(*) AS items
          FROM ({OPEN_BALANCES} OFFSET 0) x
         WHERE balance <> 0
         GROUP BY 1, 2, 3, 4, 5, 6
    ), sums AS (
        SELECT company_id, account_id, currency,
               coalesce(sum(amount) FILTER (WHERE side > 0), 0) AS open,
               coalesce(-sum(amount) FILTER (WHERE side < 0), 0) AS credits,
               coalesce(-sum(amount) FILTER (WHERE side < 0 AND is_payment), 0) AS unapplied,
               coalesce(sum(amount) FILTER (WHERE side > 0 AND bucket > 0), 0) AS overdue,
               {_BUCKET_SUMS},
               min(oldest) FILTER (WHERE side > 0) AS oldest,
               coalesce(sum(items) FILTER (WHERE side > 0), 0) AS items
          FROM part GROUP BY 1, 2, 3
    )
    SELECT company_id, account_id, currency,
           {", ".join(f"({name} * 1000)::bigint" for name in ("open", "credits", "unapplied", "overdue"))},
           {", ".join(f"(b{n} * 1000)::bigint" for n in range(5))}, oldest, items::bigint
      FROM sums ORDER BY 1, 3, 2
    """
    params = {
        **clocks(ctx),
        "companies": _companies(ctx, None),
        "accounts": account_ids and list(account_ids),
    }
    return copy_out(sql, params, TOTALS_SCHEMA)


def payment_history(ctx: Context) -> pl.DataFrame:
    """HISTORY_SCHEMA: every installment known on the day, with the day it was fully paid (null = still open).

    closed_unknown marks what a vanished row, a credit note or a write-off closed: no evidence of a payment.
    """
    sql = f"""
    WITH debit AS (
        SELECT i.id, i.company_id, i.account_id, i.currency, i.effective_date, i.amount,
               coalesce(t.due_date, i.due_date) AS due_date
          FROM ledger_item i LEFT JOIN ({_TERMS}) t ON t.item_id = i.id
         WHERE i.kind = 'installment' AND i.amount > 0
           AND i.effective_date <= %(as_of)s AND i.recorded_at <= %(known_at)s
           AND (%(company_id)s::int IS NULL OR i.company_id = %(company_id)s)
    ), used AS (
        SELECT a.debit_item_id AS id, sum(a.amount) AS used, max(a.effective_date) AS last_date,
               bool_or(c.kind NOT IN ('payment', 'split_vat', 'withholding', 'adjustment')) AS unknown
          FROM ledger_allocation a JOIN ledger_item c ON c.id = a.credit_item_id
         WHERE a.effective_date <= %(as_of)s AND a.recorded_at <= %(known_at)s
           AND (%(company_id)s::int IS NULL OR a.company_id = %(company_id)s)
         GROUP BY 1
    )
    SELECT d.id, d.company_id, d.account_id, d.currency, d.effective_date, d.due_date,
           (d.amount * 1000)::bigint, CASE WHEN u.used >= d.amount THEN u.last_date END,
           coalesce(u.unknown AND u.used >= d.amount, false)
      FROM debit d LEFT JOIN used u ON u.id = d.id
    """
    return copy_out(sql, {**clocks(ctx), "company_id": ctx.company_id}, HISTORY_SCHEMA)


def known_lines(
    ctx: Context, company_ids: Sequence[int], source_id: int, account_ids: Sequence[int] | None = None
) -> pl.DataFrame:
    """Every line of every business document of the companies (or accounts), as an export is compared with it.

    Balances are as of the context's day. The line's amount includes later adjustments of it.
    """
    sql = f"""
    WITH b AS (
        SELECT x.* FROM ({KNOWN_BALANCES}) x
         WHERE x.company_id = ANY(%(companies)s) AND (x.invoice_id IS NOT NULL OR x.payment_id IS NOT NULL)
           AND (%(accounts)s::bigint[] IS NULL OR x.account_id = ANY(%(accounts)s::bigint[]))
    ), told AS (
        SELECT s.item_id, sum(s.amount) FILTER (WHERE s.kind <> 'payment') AS provisional,
               sum(s.amount) FILTER (WHERE s.kind = 'payment') AS settled
          FROM (SELECT a.debit_item_id AS item_id, a.amount, c.kind FROM ledger_allocation a
                  JOIN ledger_item c ON c.id = a.credit_item_id AND {_TOLD_BY_EXPORT.format("c")}
                 WHERE a.recorded_at <= %(known_at)s AND a.effective_date <= %(as_of)s
                   AND a.company_id = ANY(%(companies)s)
                UNION ALL
                SELECT a.credit_item_id, coalesce(a.credit_amount, a.amount), d.kind
                  FROM ledger_allocation a
                  JOIN ledger_item d ON d.id = a.debit_item_id AND {_TOLD_BY_EXPORT.format("d")}
                 WHERE a.recorded_at <= %(known_at)s AND a.effective_date <= %(as_of)s
                   AND a.company_id = ANY(%(companies)s)) s
         GROUP BY 1
    ), line AS (
        SELECT account_id, invoice_id, payment_id, installment_no,
               min(id) FILTER (WHERE kind <> 'adjustment') AS item_id, min(currency) AS currency,
               sum(amount) AS amount, sum(balance) AS balance,
               min(due_date) FILTER (WHERE kind <> 'adjustment') AS due_date,
               min(effective_date) AS item_date, min(company_id) AS company_id, count(*) AS parts,
               coalesce(sum(t.provisional), 0) AS provisional, coalesce(sum(t.settled), 0) AS settled
          -- A payment with an invoice is the counter of a settled line, not a line of its own.
          FROM b LEFT JOIN told t ON t.item_id = b.id
         WHERE kind IN ('installment', 'credit_note', 'adjustment')
            OR kind = 'payment' AND invoice_id IS NULL
         GROUP BY 1, 2, 3, 4
    )
    SELECT l.account_id, coalesce(v.kind, 'payment'), coalesce(v.number_norm, p.number_norm),
           coalesce(v.year, p.year), l.installment_no, l.item_id, coalesce(l.invoice_id, l.payment_id),
           l.currency, (l.amount * 1000)::bigint, (l.balance * 1000)::bigint,
           (l.provisional * 1000)::bigint, (l.settled * 1000)::bigint, l.due_date,
           l.item_date, l.company_id, l.parts, l.invoice_id,
           coalesce(v.source_id, p.source_id) = %(source)s, s.id IS NOT NULL
      FROM line l
      LEFT JOIN ledger_invoice v ON v.id = l.invoice_id
      LEFT JOIN ledger_payment p ON p.id = l.payment_id
      LEFT JOIN ledger_invoicesighting s ON s.invoice_id = l.invoice_id AND s.source_id = %(source)s
     WHERE l.item_id IS NOT NULL
    """
    params = {
        **clocks(ctx),
        "companies": list(company_ids),
        "source": source_id,
        "accounts": None if account_ids is None else list(account_ids),
        "provisional": list(PROVISIONAL_KINDS),
    }
    return copy_out(sql, params, KNOWN_SCHEMA)


PARTS_SCHEMA = {
    "line_item_id": pl.Int64,
    "part_item_id": pl.Int64,
    "item_date": pl.Date,
    "balance_mills": pl.Int64,
}


def line_parts(ctx: Context, item_ids: Sequence[int]) -> pl.DataFrame:
    """PARTS_SCHEMA: the open items (the first one and its adjustments) of the lines of these base items."""
    sql = f"""
    SELECT base.id, b.id, b.effective_date, (abs(b.balance) * 1000)::bigint
      FROM ledger_item base
      JOIN ({ALL_BALANCES}) b ON b.invoice_id = base.invoice_id AND b.installment_no = base.installment_no
       AND b.kind IN (base.kind, 'adjustment') AND sign(b.amount) = sign(base.amount)
     WHERE base.id = ANY(%(items)s) AND b.balance <> 0
    """
    return copy_out(sql, {**clocks(ctx), "items": list(item_ids)}, PARTS_SCHEMA)


ENLARGEMENTS_SCHEMA = {"line_item_id": pl.Int64, "item_id": pl.Int64, "item_date": pl.Date}


def enlargements(item_ids: Sequence[int]) -> pl.DataFrame:
    """ENLARGEMENTS_SCHEMA: the items that made the lines of these base items larger since."""
    sql = """
    SELECT base.id, i.id, i.effective_date FROM ledger_item base
      JOIN ledger_item i ON i.account_id = base.account_id AND i.invoice_id = base.invoice_id
       AND i.installment_no = base.installment_no
       AND i.kind = 'adjustment' AND sign(i.amount) = sign(base.amount)
     WHERE base.id = ANY(%(items)s)
    """
    return copy_out(sql, {"items": list(item_ids)}, ENLARGEMENTS_SCHEMA)


PROVISIONAL_SCHEMA = {
    "line_item_id": pl.Int64,
    "is_payment": pl.Boolean,
    "allocation_id": pl.Int64,
    "item_id": pl.Int64,
    "counter_item_id": pl.Int64,
    "is_debit": pl.Boolean,
    "amount_mills": pl.Int64,
    "effective_date": pl.Date,
    "company_id": pl.Int64,
    "account_id": pl.Int64,
    "invoice_id": pl.Int64,
    "currency": pl.String,
}


def provisional_allocations(ctx: Context, item_ids: Sequence[int], settled: bool = False) -> pl.DataFrame:
    """PROVISIONAL_SCHEMA: what stands provisionally against these lines, newest first, net of reversals.

    A line is its first item and the items that made it larger. settled: with the payments that the export
    itself told (not the bank), after all that is provisional.
    """
    sql = f"""
    WITH part AS (
        SELECT base.id AS line_id, base.id AS item_id
          FROM ledger_item base WHERE base.id = ANY(%(items)s)
        UNION ALL
        SELECT base.id, i.id FROM ledger_item base
          JOIN ledger_item i ON i.account_id = base.account_id AND i.invoice_id = base.invoice_id
           AND i.installment_no = base.installment_no
           AND i.kind = 'adjustment' AND sign(i.amount) = sign(base.amount)
         WHERE base.id = ANY(%(items)s)
    ), pair AS (
        SELECT part.line_id, part.item_id, a.credit_item_id AS counter_id, true AS is_debit,
               a.amount, a.effective_date, a.id
          FROM part JOIN ledger_allocation a ON a.debit_item_id = part.item_id
           AND a.recorded_at <= %(known_at)s
        UNION ALL
        SELECT part.line_id, part.item_id, a.debit_item_id, false, coalesce(a.credit_amount, a.amount),
               a.effective_date, a.id
          FROM part JOIN ledger_allocation a ON a.credit_item_id = part.item_id
           AND a.recorded_at <= %(known_at)s
    )
    SELECT p.line_id, c.kind = 'payment', max(p.id), p.item_id, p.counter_id, p.is_debit,
           (sum(p.amount) * 1000)::bigint, max(p.effective_date), c.company_id, c.account_id, c.invoice_id,
           c.currency
      FROM pair p JOIN ledger_item c ON c.id = p.counter_id AND {_TOLD_BY_EXPORT.format("c")}
       AND (%(settled)s OR c.kind <> 'payment')
     GROUP BY p.line_id, p.item_id, p.counter_id, p.is_debit, c.id
    HAVING sum(p.amount) > 0
     ORDER BY p.line_id, c.kind = 'payment', max(p.effective_date) DESC, p.counter_id DESC
    """
    params = {
        **clocks(ctx),
        "items": list(item_ids),
        "settled": settled,
        "provisional": list(PROVISIONAL_KINDS),
    }
    return copy_out(sql, params, PROVISIONAL_SCHEMA)


SALES_SCHEMA = {
    "company_id": pl.Int64,
    "currency": pl.String,
    "document_date": pl.Date,
    "sales_mills": pl.Int64,
}


def daily_sales(ctx: Context, from_date: date) -> pl.DataFrame:
    """SALES_SCHEMA: invoiced incl. VAT, net of credit notes, without split-payment VAT, by day."""
    sql = """
    SELECT company_id, currency, effective_date, (sum(amount) * 1000)::bigint
      FROM ledger_item
     WHERE kind IN ('installment', 'credit_note', 'split_vat', 'adjustment')
       AND effective_date > %(from_date)s AND effective_date <= %(as_of)s AND recorded_at <= %(known_at)s
       AND (%(company_id)s::int IS NULL OR company_id = %(company_id)s)
     GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    """
    return copy_out(sql, {**clocks(ctx), "from_date": from_date, "company_id": ctx.company_id}, SALES_SCHEMA)


def first_document_date(ctx: Context) -> date | None:
    """The oldest document the ledger knows: how far back history reaches."""
    frame = copy_out(
        "SELECT min(effective_date) FROM ledger_item WHERE effective_date <= %(as_of)s AND recorded_at <= "
        "%(known_at)s AND (%(company_id)s::int IS NULL OR company_id = %(company_id)s)",
        {**clocks(ctx), "company_id": ctx.company_id},
        {"first": pl.Date},
    )
    return frame["first"][0] if frame.height else None


def projection_differences() -> list[tuple[int, str, str]]:
    """Items whose stored projection differs from what their rows say: (item id, stored, recomputed)."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT i.id, coalesce(p.used::text, 'none'), coalesce(u.used, 0)::text
              FROM ledger_item i
              LEFT JOIN ledger_item_open_projection p ON p.item_id = i.id
              LEFT JOIN (SELECT item_id, sum(amount) AS used, bool_or(amount < 0) AS reversal,
                                min(effective_date) AS first_date, min(recorded_at) AS first_at,
                                max(effective_date) AS last_date, max(recorded_at) AS last_at
                           FROM ledger_allocation_side GROUP BY item_id) u ON u.item_id = i.id
             WHERE (p.first_effective_date, p.first_recorded_at, p.last_effective_date, p.last_recorded_at)
                   IS DISTINCT FROM (u.first_date, u.first_at, u.last_date, u.last_at)
                OR (p.company_id, p.account_id, p.kind, p.currency, p.sign, p.effective_date, p.due_date,
                    p.recorded_at)
                   IS DISTINCT FROM (i.company_id, i.account_id, i.kind, i.currency, sign(i.amount),
                                     i.effective_date, i.due_date, i.recorded_at)
                OR p.item_id IS NULL OR p.used_up <> (p.used = p.cap)
                OR p.used <> coalesce(u.used, 0) OR p.cap <> abs(i.amount)
                OR p.has_reversal <> coalesce(u.reversal, false)
            """
        )
        return list(cursor.fetchall())
