"""Call-backs: whom somebody promised to call again at an hour, due or still to come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import connection

from saldo.core.context import Context
from saldo.parties.queries import visible_accounts_sql

# One that nobody kept for so long is no appointment any more: the account is in the list by its own worth.
FORGOTTEN_DAYS = 30

# The account's last outcome but for notes, if it names an hour.
_CALL_BACKS = """
SELECT o.id, o.account_id, acc.code, c.name, o.call_back_at, o.follow_up_date, o.actor, o.note
  FROM collection_outcome o
  JOIN parties_customeraccount acc ON acc.id = o.account_id
  JOIN parties_customer c ON c.id = acc.customer_id
 WHERE o.call_back_at IS NOT NULL AND o.state IN ('done', 'skipped')
   AND o.follow_up_date BETWEEN %s AND %s AND o.as_of <= %s
   AND (%s::bigint[] IS NULL OR o.account_id = ANY(%s::bigint[])) AND o.account_id IN ({scope})
   AND NOT EXISTS (SELECT 1 FROM collection_outcome later
                    WHERE later.account_id = o.account_id AND later.state <> 'note' AND later.as_of <= %s
                      AND (later.recorded_at, later.id) > (o.recorded_at, o.id))
 ORDER BY o.call_back_at, o.id
"""


@dataclass(frozen=True, slots=True)
class CallBack:
    """An agreed hour. on: its legal day. actor: who agreed it; is_due: it has come, or its day is over."""

    outcome_id: int
    account_id: int
    code: str
    name: str
    at: datetime
    on: date
    actor: str
    note: str
    is_due: bool


def call_backs(ctx: Context, account_ids: Sequence[int] | None = None) -> list[CallBack]:
    """The agreed hours of the context's day, and those before it that nobody kept, in order of their hour."""
    scope, scope_params = visible_accounts_sql(ctx)
    wanted = None if account_ids is None else list(account_ids)
    since = ctx.as_of - timedelta(days=FORGOTTEN_DAYS)
    params = [since, ctx.as_of, ctx.as_of, wanted, wanted, *scope_params, ctx.as_of]
    now = ctx.clock()
    with connection.cursor() as cursor:
        cursor.execute(_CALL_BACKS.format(scope=scope), params)
        rows = cursor.fetchall()
    return [
        CallBack(id_, account, code, name, at, on, actor, note, at <= now or on < ctx.as_of)
        for id_, account, code, name, at, on, actor, note in rows
    ]
