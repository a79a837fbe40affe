"""Reading one account: its items with their balances, its aging, its payments, how late it pays.

Everything is as of ``ctx.as_of`` with what was known at ``ctx.known_at``. The caller has checked that the
account is in the actor's scope (``parties.queries``); the searches, which cross accounts, join the scope.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from statistics import median
from typing import Any

from django.db import connection

from saldo.core.aging import BUCKETS, bucket_of, days_past_due
from saldo.core.context import Context
from saldo.core.normalize import normalized_number
from saldo.parties.queries import visible_accounts_sql

ZERO = Decimal(0)
# "Da abbinare" counts received money alone; what the ERP only implied by a lower balance settles too.
UNAPPLIED_KIND = "payment"
CASH_KINDS = ("payment", "provisional_payment")
# Delays as the account page shows them: label, first and last day from the due date.
DELAY_CLASSES: tuple[tuple[str, int, int], ...] = (
    ("<=0", -100_000, 0), ("1-15", 1, 15), ("16-30", 16, 30), ("31-60", 31, 60), ("61-90", 61, 90),
    (">90", 91, 100_000),
)  # fmt: skip

# An item's terms in force, and what of it is allocated, on a day, with what was known at an instant.
_ITEMS = """
SELECT i.id, i.account_id, i.kind, coalesce(inv.number, pay.number, '') AS number, i.installment_no, i.amount,
       i.currency, i.effective_date, coalesce(terms.due_date, i.due_date) AS due_date, i.due_origin,
       terms.due_date IS NOT NULL AS amended, i.payment_method, inv.order_ref,
       i.amount - sign(i.amount) * coalesce(used.amount, 0) AS balance, used.last_date AS settled_date
  FROM ledger_item i
  LEFT JOIN ledger_invoice inv ON inv.id = i.invoice_id
  LEFT JOIN ledger_payment pay ON pay.id = i.payment_id
  LEFT JOIN LATERAL (
      SELECT t.due_date FROM ledger_itemterms t
       WHERE t.item_id = i.id AND t.effective_date <= %(as_of)s AND t.recorded_at <= %(known_at)s
       ORDER BY t.effective_date DESC, t.recorded_at DESC, t.id DESC LIMIT 1
  ) terms ON true
  LEFT JOIN LATERAL (
      SELECT sum(side.amount) AS amount, max(side.effective_date) AS last_date
        FROM (SELECT a.amount, a.effective_date, a.recorded_at FROM ledger_allocation a
               WHERE i.amount > 0 AND a.debit_item_id = i.id
              UNION ALL
              SELECT coalesce(a.credit_amount, a.amount), a.effective_date, a.recorded_at
                FROM ledger_allocation a WHERE i.amount < 0 AND a.credit_item_id = i.id) side
       WHERE side.effective_date <= %(as_of)s AND side.recorded_at <= %(known_at)s
  ) used ON true
 WHERE i.account_id = %(account)s AND i.effective_date <= %(as_of)s AND i.recorded_at <= %(known_at)s
"""

# What was set against the account's debits, and due dates that moved: one list, newest first.
_HISTORY = """
(SELECT a.effective_date, CASE WHEN a.amount < 0 THEN 'reversal' ELSE c.kind END AS kind, a.currency,
        CASE WHEN c.kind = 'credit_note' THEN credit_note.number ELSE '' END AS number,
        sum(a.amount) AS amount, count(*) AS items,
        min(a.debit_number) AS first_number, max(a.late_days) AS late_days,
        NULL::date AS first_due_date, NULL::date AS due_date
   FROM (SELECT a.credit_item_id, a.effective_date, a.amount, d.currency, inv.number AS debit_number,
                a.effective_date - d.due_date AS late_days
           FROM ledger_item d
           JOIN ledger_allocation a ON a.debit_item_id = d.id
           LEFT JOIN ledger_invoice inv ON inv.id = d.invoice_id
          WHERE d.account_id = %(account)s AND a.effective_date <= %(as_of)s AND a.recorded_at <= %(known_at)s
          ORDER BY a.effective_date DESC, a.id DESC LIMIT %(rows)s) a
   JOIN ledger_item c ON c.id = a.credit_item_id
   LEFT JOIN ledger_invoice credit_note ON credit_note.id = c.invoice_id
  GROUP BY a.effective_date, 2, a.currency, 4
  ORDER BY a.effective_date DESC LIMIT %(limit)s)
UNION ALL
(SELECT t.effective_date, 'terms', i.currency, coalesce(inv.number, ''), NULL, 1, NULL, NULL, i.due_date,
        t.due_date
   FROM ledger_item i
   JOIN ledger_itemterms t ON t.item_id = i.id
   LEFT JOIN ledger_invoice inv ON inv.id = i.invoice_id
  WHERE i.account_id = %(account)s AND t.effective_date <= %(as_of)s AND t.recorded_at <= %(known_at)s
  ORDER BY t.effective_date DESC, t.id DESC LIMIT %(limit)s)
ORDER BY effective_date DESC LIMIT %(limit)s
"""

# When each debit item was fully settled, where cash settled it. What was taken back since does not count.
_SETTLED = """
SELECT max(a.effective_date) - min(coalesce(terms.due_date, d.due_date)) AS delay_days,
       max(a.effective_date) AS settled_date
  FROM ledger_item d
  JOIN LATERAL (
      SELECT one.credit_item_id, sum(one.amount) AS amount,
             max(one.effective_date) FILTER (WHERE one.amount > 0) AS effective_date
        FROM ledger_allocation one
       WHERE one.debit_item_id = d.id AND one.effective_date <= %(as_of)s AND one.recorded_at <= %(known_at)s
       GROUP BY one.credit_item_id HAVING sum(one.amount) <> 0
  ) a ON true
  JOIN ledger_item c ON c.id = a.credit_item_id
  LEFT JOIN LATERAL (
      SELECT t.due_date FROM ledger_itemterms t
       WHERE t.item_id = d.id AND t.effective_date <= %(as_of)s AND t.recorded_at <= %(known_at)s
       ORDER BY t.effective_date DESC, t.recorded_at DESC, t.id DESC LIMIT 1
  ) terms ON true
 WHERE d.account_id = %(account)s AND d.kind = 'installment'
 GROUP BY d.id, d.amount
HAVING sum(a.amount) = d.amount AND bool_or(c.kind = ANY(%(cash)s)) AND NOT bool_or(c.kind = 'closure')
"""


@dataclass(frozen=True, slots=True)
class ItemRow:
    """One item as of a day. balance and amount are signed: positive = the customer owes us."""

    id: int
    kind: str
    number: str
    installment_no: int
    amount: Decimal
    balance: Decimal
    currency: str
    effective_date: date
    due_date: date | None
    due_origin: str
    amended: bool
    payment_method: str
    order_ref: str
    settled_date: date | None
    late_days: int
    bucket: str

    @property
    def is_open(self) -> bool:
        return self.balance != 0


@dataclass(slots=True)
class Totals:
    """The figures of an account in one currency: open and buckets hold debits only."""

    currency: str
    open: Decimal = ZERO
    credits: Decimal = ZERO
    unapplied: Decimal = ZERO
    overdue: Decimal = ZERO
    oldest_days: int = 0
    buckets: dict[str, Decimal] = field(default_factory=lambda: dict.fromkeys(BUCKETS, ZERO))

    @property
    def net(self) -> Decimal:
        return self.open - self.credits


@dataclass(frozen=True, slots=True)
class TimelineRow:
    """Something that happened on the account. kind names the text that a page makes of params."""

    effective_date: date
    kind: str
    params: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Behavior:
    """How an account has paid: by invoices settled with cash, in days from the due date in force."""

    paid: int
    median_days: int | None
    recent_median_days: int | None
    classes: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class DocumentFound:
    account_id: int
    name: str
    code: str
    number: str
    document_date: date
    amount: Decimal
    currency: str


def _clocks(ctx: Context, **more: Any) -> dict[str, Any]:
    known_at: datetime | str = ctx.known_at or "infinity"
    return {"as_of": ctx.as_of, "known_at": known_at, **more}


def _rows(sql: str, params: dict[str, Any] | Sequence[Any]) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _item(row: dict[str, Any], as_of: date) -> ItemRow:
    due, balance = row["due_date"], row["balance"]
    late = days_past_due(due, as_of) if due and balance > 0 else 0
    if due and not balance and row["settled_date"]:
        late = (row["settled_date"] - due).days
    return ItemRow(
        id=row["id"],
        kind=row["kind"],
        number=row["number"],
        installment_no=row["installment_no"],
        amount=row["amount"],
        balance=balance,
        currency=row["currency"],
        effective_date=row["effective_date"],
        due_date=due,
        due_origin=row["due_origin"],
        amended=row["amended"],
        payment_method=row["payment_method"],
        order_ref=row["order_ref"] or "",
        settled_date=row["settled_date"] if balance == 0 else None,
        late_days=late,
        bucket=bucket_of(due, as_of) if due and balance > 0 else "",
    )


def open_items(ctx: Context, account_id: int) -> list[ItemRow]:
    """The items with a balance: debits by due date, then credits."""
    sql = (
        f"SELECT * FROM ({_ITEMS}) item WHERE balance <> 0 "
        "ORDER BY amount < 0, due_date, number, installment_no, id"
    )
    return [_item(row, ctx.as_of) for row in _rows(sql, _clocks(ctx, account=account_id))]


def closed_items(ctx: Context, account_id: int, limit: int = 50, offset: int = 0) -> list[ItemRow]:
    """The items without a balance, the last settled first."""
    sql = (
        f"SELECT * FROM ({_ITEMS}) item WHERE balance = 0 "
        "ORDER BY settled_date DESC NULLS LAST, id DESC LIMIT %(limit)s OFFSET %(offset)s"
    )
    return [
        _item(row, ctx.as_of)
        for row in _rows(sql, _clocks(ctx, account=account_id, limit=limit, offset=offset))
    ]


def totals(items: Iterable[ItemRow]) -> list[Totals]:
    """Open, credits, overdue and aging of ``items`` by currency; the largest first, never summed."""
    found: dict[str, Totals] = {}
    for item in items:
        total = found.setdefault(item.currency, Totals(item.currency))
        if item.balance < 0:
            total.credits -= item.balance
            if item.kind == UNAPPLIED_KIND:
                total.unapplied -= item.balance
            continue
        total.open += item.balance
        if item.bucket:
            total.buckets[item.bucket] += item.balance
        if item.late_days > 0:
            total.overdue += item.balance
            total.oldest_days = max(total.oldest_days, item.late_days)
    return sorted(found.values(), key=lambda total: -total.open)


def history(ctx: Context, account_id: int, limit: int = 40) -> list[TimelineRow]:
    """What was set against the account's debits (payments, credit notes, closures, reversals) and the due
    dates that moved, newest first. What was paid on one day is one row."""
    rows = _rows(_HISTORY, _clocks(ctx, account=account_id, limit=limit, rows=limit * 25))
    return [TimelineRow(row["effective_date"], row["kind"], row) for row in rows]


def behavior(ctx: Context, account_id: int, recent: int = 6) -> Behavior:
    """How late the account pays: median delay of all and of the latest invoices, and their distribution."""
    rows = _rows(_SETTLED, _clocks(ctx, account=account_id, cash=list(CASH_KINDS)))
    rows.sort(key=lambda row: row["settled_date"])
    delays = [row["delay_days"] for row in rows]
    return Behavior(
        paid=len(delays),
        median_days=round(median(delays)) if delays else None,
        recent_median_days=round(median(delays[-recent:])) if len(delays) > recent else None,
        classes=tuple((name, sum(low <= d <= high for d in delays)) for name, low, high in DELAY_CLASSES),
    )


def find_documents(ctx: Context, text: str, limit: int = 6) -> list[DocumentFound]:
    """Invoices and credit notes with the number ``text``, in the actor's scope, newest first."""
    number = normalized_number(text)
    if not any(c.isdigit() for c in number):
        return []
    scope, params = visible_accounts_sql(ctx)
    sql = f"""
SELECT inv.account_id, c.name, acc.code, inv.number, inv.document_date, inv.currency,
       (SELECT sum(i.amount) FROM ledger_item i
         WHERE i.account_id = inv.account_id AND i.invoice_id = inv.id) AS amount
  FROM ledger_invoice inv
  JOIN parties_customeraccount acc ON acc.id = inv.account_id
  JOIN parties_customer c ON c.id = acc.customer_id
 WHERE (inv.number_norm = %s OR inv.number = %s) AND inv.account_id IN ({scope})
 ORDER BY inv.document_date DESC LIMIT %s"""
    rows = _rows(sql, [number, text.strip(), *params, limit])
    return [DocumentFound(**{**row, "amount": row["amount"] or ZERO}) for row in rows]


def find_amount(ctx: Context, amount: Decimal, limit: int = 6) -> list[DocumentFound]:
    """Items of exactly this amount that are not used up, in the actor's scope, newest first."""
    scope, params = visible_accounts_sql(ctx)
    sql = f"""
SELECT i.account_id, c.name, acc.code, coalesce(inv.number, '') AS number, i.effective_date AS document_date,
       i.currency, i.amount
  FROM ledger_item i
  JOIN ledger_item_open_projection p ON p.item_id = i.id AND p.used < p.cap
  JOIN parties_customeraccount acc ON acc.id = i.account_id
  JOIN parties_customer c ON c.id = acc.customer_id
  LEFT JOIN ledger_invoice inv ON inv.id = i.invoice_id
 WHERE i.amount = %s AND i.account_id IN ({scope})
 ORDER BY i.effective_date DESC LIMIT %s"""
    return [DocumentFound(**row) for row in _rows(sql, [amount, *params, limit])]
