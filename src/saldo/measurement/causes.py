"""Why customers say they are late: counted by cause, with what they owe. docs/rules/care.md

    delay_causes         one row a cause: contacts, customers, what they owe past due
    customers_of_cause   the customers behind a row: they add up to it

A contact is an outcome that somebody recorded with a reason and did not take back. A customer is counted
under the last reason that it gave in the period, so that no amount stands in two rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import connection

from saldo.core.context import Context
from saldo.identity.models import Grant
from saldo.identity.queries import READS_ALL_ACCOUNTS
from saldo.ledger.owed import open_debits
from saldo.parties.queries import visible_accounts_sql

# Whoever reads all accounts; sales its own customers.
MAY_READ_CAUSES = READS_ALL_ACCOUNTS | {Grant.Role.SALES}
_TOLD = """
SELECT o.account_id, o.delay_reason, o.as_of, o.actor, o.note, o.id, c.name
  FROM collection_outcome o
  JOIN parties_customeraccount acc ON acc.id = o.account_id
  JOIN parties_customer c ON c.id = acc.customer_id
 WHERE o.delay_reason <> '' AND o.as_of BETWEEN %(since)s AND %(until)s AND o.recorded_at <= %(known_at)s
   AND acc.company_id = %(company_id)s
   AND NOT EXISTS (SELECT 1 FROM collection_outcome u
                    WHERE u.account_id = o.account_id
                      AND u.recorded_at <= %(known_at)s AND (u.data->>'undoes')::bigint = o.id)
 ORDER BY o.as_of DESC, o.id DESC
"""


@dataclass(frozen=True, slots=True)
class CustomerRow:
    """A customer with the last reason that it gave. overdue: {currency: what is open past due}."""

    account_id: int
    name: str
    reason: str
    day: date
    actor: str
    note: str
    overdue: dict[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CauseRow:
    """contacts: how often the reason was given; customers: whose last one it is. share: of customers."""

    reason: str
    contacts: int
    customers: int
    share: float
    overdue: dict[str, Decimal]


def _told(ctx: Context, since: date, until: date) -> list[tuple[Any, ...]]:
    """Reasons that were given, newest first, of the accounts that the actor sees."""
    assert ctx.company_id is not None
    scope, values = visible_accounts_sql(ctx)
    params = {
        "since": since, "until": until, "known_at": ctx.known_at or "infinity", "company_id": ctx.company_id,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_TOLD, params)
        rows = cursor.fetchall()
        ids = sorted({row[0] for row in rows})
        cursor.execute(
            f"SELECT id FROM parties_customeraccount WHERE id = ANY(%s::bigint[]) AND id IN ({scope})",
            [ids, *values],
        )
        seen = {row[0] for row in cursor.fetchall()}
    return [row for row in rows if row[0] in seen]


def _customers(ctx: Context, rows: Sequence[tuple[Any, ...]]) -> list[CustomerRow]:
    newest: dict[int, tuple[Any, ...]] = {}
    for row in rows:
        newest.setdefault(row[0], row)
    owed: dict[int, dict[str, Decimal]] = {}
    if newest:
        for item in open_debits(ctx, list(newest)).iter_rows(named=True):
            if item["due_date"] is not None and item["due_date"] < ctx.as_of:
                sums = owed.setdefault(item["account_id"], {})
                mills = Decimal(item["balance_mills"]) / 1000
                sums[item["currency"]] = sums.get(item["currency"], Decimal(0)) + mills
    return [
        CustomerRow(account, name, reason, day, actor, note, owed.get(account, {}))
        for account, reason, day, actor, note, _, name in newest.values()
    ]


def delay_causes(ctx: Context, since: date, until: date) -> list[CauseRow]:
    """The causes of a period (both days included), the most frequent among customers first."""
    rows = _told(ctx, since, until)
    customers = _customers(ctx, rows)
    contacts: dict[str, int] = {}
    for row in rows:
        contacts[row[1]] = contacts.get(row[1], 0) + 1
    found = []
    for reason, count in contacts.items():
        own = [row for row in customers if row.reason == reason]
        found.append(CauseRow(reason, count, len(own), len(own) / len(customers), _sums(own)))
    return sorted(found, key=lambda row: (-row.customers, -row.contacts, row.reason))


def _sums(customers: Sequence[CustomerRow]) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {}
    for row in customers:
        for currency, amount in row.overdue.items():
            sums[currency] = sums.get(currency, Decimal(0)) + amount
    return dict(sorted(sums.items()))


def customers_of_cause(ctx: Context, reason: str, since: date, until: date) -> list[CustomerRow]:
    """The customers whose last reason in the period is this one, those who owe most first."""
    customers = [row for row in _customers(ctx, _told(ctx, since, until)) if row.reason == reason]
    return sorted(customers, key=lambda row: (-max(row.overdue.values(), default=Decimal(0)), row.name))
