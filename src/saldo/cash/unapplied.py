"""Money that waits: payments not set against anything, and bank lines not posted, by age.

Ages are in days from the booking date to the context's day. Amounts of different currencies are never summed.
Only the accounts that the actor may see count; bank lines belong to nobody yet, so the caller shows them to
those who read all accounts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from saldo.cash.desk import rows_of
from saldo.cash.waiting import waiting
from saldo.core.context import Context
from saldo.parties.queries import visible_accounts_sql

# Label and last day of each age.
AGES: tuple[tuple[str, int], ...] = (("0-7", 7), ("8-30", 30), ("31-90", 90), (">90", 10**6))
ZERO = Decimal(0)

_PAYMENTS = """
SELECT i.id, i.account_id, i.currency, i.effective_date, p.cap - p.used AS amount, i.amount AS whole,
       coalesce(pay.number, '') AS number, coalesce(pay.text, '') AS text,
       posting.transaction_id, posting.note
  FROM ledger_item_open_projection p
  JOIN ledger_item i ON i.id = p.item_id
  LEFT JOIN ledger_payment pay ON pay.id = i.payment_id
  LEFT JOIN LATERAL (
      SELECT x.transaction_id, x.note FROM cash_posting x
       WHERE x.payment_id = i.payment_id AND x.kind <> 'undo' ORDER BY x.sequence DESC LIMIT 1
  ) posting ON true
 WHERE p.company_id = %(company)s AND p.kind = 'payment' AND p.sign < 0 AND NOT p.used_up
   AND p.effective_date <= %(as_of)s
"""
_LINES = """
SELECT t.currency, %(as_of)s::date - t.booking_date AS days, count(*) AS count, sum(t.amount) AS amount
  FROM cash_banktransaction t
 WHERE t.company_id = %(company)s AND t.kind = 'booked' AND t.amount > 0
   AND t.id = ANY(%(waiting)s::bigint[])
 GROUP BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class UnappliedRow:
    """A payment with a balance. amount: what is left of it; whole: as it came in."""

    id: int
    account_id: int
    account_name: str
    currency: str
    effective_date: date
    days: int
    age: str
    amount: Decimal
    whole: Decimal
    number: str
    text: str
    transaction_id: int | None
    note: str


@dataclass(slots=True)
class AgeSums:
    """By age, in one currency: payments to be matched, and lines not posted."""

    currency: str
    payments: dict[str, Decimal] = field(default_factory=lambda: {name: ZERO for name, _ in AGES})
    lines: dict[str, Decimal] = field(default_factory=lambda: {name: ZERO for name, _ in AGES})
    payments_count: int = 0
    lines_count: int = 0

    @property
    def payments_total(self) -> Decimal:
        return sum(self.payments.values(), ZERO)

    @property
    def lines_total(self) -> Decimal:
        return sum(self.lines.values(), ZERO)


def age_of(days: int) -> str:
    return next(name for name, last in AGES if days <= last)


def unapplied_payments(ctx: Context, account_id: int | None = None) -> list[UnappliedRow]:
    """The payments with a balance, of all accounts or of one: the customers with most first, then by day."""
    scope, scoped = visible_accounts_sql(ctx)
    named = {f"s{place}": value for place, value in enumerate(scoped)}
    for name in named:
        scope = scope.replace("%s", f"%({name})s", 1)
    one = " AND p.account_id = %(account)s" if account_id is not None else ""
    sql = f"""
    SELECT x.*, c.name AS account_name, sum(x.amount) OVER (PARTITION BY x.account_id, x.currency) AS held
      FROM ({_PAYMENTS}{one}) x
      JOIN parties_customeraccount a ON a.id = x.account_id
      JOIN parties_customer c ON c.id = a.customer_id
     WHERE x.account_id IN ({scope})
     ORDER BY held DESC, c.sort_name, x.account_id, x.currency, x.effective_date, x.id
    """
    params = {"company": ctx.company_id, "as_of": ctx.as_of, "account": account_id, **named}
    return [_row(row, ctx.as_of) for row in rows_of(sql, params)]


def _row(row: Mapping[str, Any], as_of: date) -> UnappliedRow:
    days = (as_of - row["effective_date"]).days
    kept = {name: row[name] for name in UnappliedRow.__slots__ if name in row}
    kept |= {"note": row["note"] or "", "whole": -row["whole"]}
    return UnappliedRow(**kept, days=days, age=age_of(days))


def age_sums(ctx: Context, payments: list[UnappliedRow]) -> list[AgeSums]:
    """What waits by age and currency, the largest currency first."""
    found: dict[str, AgeSums] = {}
    for row in payments:
        sums = found.setdefault(row.currency, AgeSums(row.currency))
        sums.payments[row.age] += row.amount
        sums.payments_count += 1
    lines_params = {"company": ctx.company_id, "as_of": ctx.as_of, "waiting": list(waiting(ctx).ids)}
    for line in rows_of(_LINES, lines_params):
        sums = found.setdefault(line["currency"], AgeSums(line["currency"]))
        sums.lines[age_of(line["days"])] += line["amount"]
        sums.lines_count += line["count"]
    return sorted(found.values(), key=lambda one: -(one.payments_total + one.lines_total))
