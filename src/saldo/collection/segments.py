"""The segment that an account was given: by a person, else as the ERP says it."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from saldo.collection.models import SegmentChoice
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.identity.models import Grant
from saldo.identity.operations import record_event
from saldo.ledger.owed import deciding
from saldo.parties.queries import visible_accounts
from saldo.storage.frames import copy_out

MAY_CHOOSE_SEGMENT = frozenset({Grant.Role.ADMINISTRATOR, Grant.Role.CREDIT_MANAGER, Grant.Role.COLLECTOR})
NOTE_CHARACTERS = 4000
SEGMENTS = {"account_id": pl.Int64, "segment": pl.String, "country": pl.String}


def segments(ctx: Context, account_ids: Sequence[int] | None = None) -> pl.DataFrame:
    """SEGMENTS of the company's accounts: the last choice of a person ("" gives it back to the ERP's word),
    and the customer's country."""
    sql = """
    SELECT a.id, coalesce(nullif(s.segment, ''), a.segment), coalesce(c.country, '')
      FROM parties_customeraccount a JOIN parties_customer c ON c.id = a.customer_id
      LEFT JOIN (SELECT DISTINCT ON (account_id) account_id, segment FROM collection_segmentchoice
                  WHERE recorded_at <= %(known_at)s ORDER BY account_id, recorded_at DESC, id DESC) s
             ON s.account_id = a.id
     WHERE a.company_id = %(company_id)s AND a.recorded_at <= %(known_at)s
       AND (%(accounts)s::bigint[] IS NULL OR a.id = ANY(%(accounts)s::bigint[]))
     ORDER BY a.id
    """
    params = {
        "company_id": ctx.company_id,
        "known_at": ctx.known_at or "infinity",
        "accounts": None if account_ids is None else list(account_ids),
    }
    return copy_out(sql, params, SEGMENTS)


def choose_segment(ctx: Context, account_id: int, segment: str, note: str = "") -> int:
    """Put an account into a segment whatever the rules say; "" gives it back to them. Returns the id.

    The caller has checked that the actor may (MAY_CHOOSE_SEGMENT). Raises SaldoError("account_unknown").
    """
    if not visible_accounts(ctx).filter(id=account_id).exists():
        raise SaldoError("account_unknown", account=account_id)
    with deciding(ctx, account_id) as inner:
        choice = SegmentChoice.objects.create(
            account_id=account_id, segment=segment.strip()[:40], note=note.strip()[:NOTE_CHARACTERS],
            actor=inner.actor, recorded_at=inner.recorded_at,
        )  # fmt: skip
        record_event(inner, "segment.chosen", "account", account_id, {"segment": choice.segment})
    return choice.id
