"""Who is at an account just now, so that two people do not call one customer at the same time.

    attend, leave       somebody opens and closes the account's call
    at_work             who is at which accounts

Nobody is locked out: the second is told, and who records first wins (collection.operations).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction

from saldo.collection.models import Attention
from saldo.collection.operations import locked_account
from saldo.core.context import Context

# Who has not recorded anything for so long has left the call open and gone to lunch.
STALE_MINUTES = 20

_ATTEND = """
INSERT INTO collection_attention AS there (account_id, actor, since) VALUES (%s, %s, %s)
ON CONFLICT (account_id) DO UPDATE SET actor = excluded.actor, since = excluded.since
 WHERE there.actor = excluded.actor OR there.since < %s
RETURNING actor
"""


@dataclass(frozen=True, slots=True)
class Colleague:
    actor: str
    since: datetime


@transaction.atomic
def attend(ctx: Context, account_id: int) -> Colleague | None:
    """The actor is at the account from now on, unless somebody else is: that colleague is returned.

    Raises SaldoError("account_unknown").
    """
    locked_account(ctx, account_id)
    now = ctx.clock()
    with connection.cursor() as cursor:
        cursor.execute(_ATTEND, [account_id, ctx.actor, now, now - timedelta(minutes=STALE_MINUTES)])
        if cursor.fetchone():
            return None
    return at_work(ctx, [account_id]).get(account_id)


def leave(ctx: Context, account_id: int) -> None:
    """The actor is no longer at the account."""
    Attention.objects.filter(account_id=account_id, actor=ctx.actor).delete()


def at_work(ctx: Context, account_ids: Sequence[int]) -> dict[int, Colleague]:
    """Who, other than the actor, is at each of these accounts. The caller has checked their scope."""
    since = ctx.clock() - timedelta(minutes=STALE_MINUTES)
    found = Attention.objects.filter(account_id__in=account_ids, since__gte=since).exclude(actor=ctx.actor)
    return {one.account_id: Colleague(one.actor, one.since) for one in found}
