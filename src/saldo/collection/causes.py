"""Why customers say that they are late: the newest reason of each account, as calls and visits recorded it.

It is what playbooks ask about (core.playbook.When.delay_reasons) and what the ranking weighs the effect of an
action by. Causes counted by period are measurement.causes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import polars as pl

from saldo.core.context import Context
from saldo.storage.frames import copy_out

# A reason that is older says nothing of today.
REASON_DAYS = 90
DELAY_REASONS = {
    "account_id": pl.Int64,
    "reason": pl.String,
    "day": pl.Date,
    "actor": pl.String,
}
# What was taken back was never said: an "undone" names it, or follows it on the same day.
_REASONS = """
SELECT DISTINCT ON (account_id) account_id, delay_reason, as_of, actor FROM (
    SELECT o.id, o.account_id, o.delay_reason, o.as_of, o.actor, o.recorded_at,
           EXISTS (SELECT 1 FROM collection_outcome u
                    WHERE u.account_id = o.account_id AND u.recorded_at <= %(known_at)s
                      AND (u.data->>'undoes')::bigint = o.id)
           OR EXISTS (SELECT 1 FROM collection_outcome u
                       WHERE u.account_id = o.account_id AND u.state = 'undone' AND u.as_of = o.as_of
                         AND u.recorded_at <= %(known_at)s AND NOT u.data ? 'undoes' AND u.id > o.id
                         AND NOT EXISTS (SELECT 1 FROM collection_outcome v
                                          WHERE v.account_id = o.account_id AND v.id > o.id AND v.id < u.id
                                            AND v.state <> 'note')) AS is_undone
      FROM collection_outcome o JOIN parties_customeraccount a ON a.id = o.account_id
     WHERE o.delay_reason <> '' AND o.recorded_at <= %(known_at)s AND o.as_of <= %(as_of)s
       AND (%(since)s::date IS NULL OR o.as_of > %(since)s)
       AND (%(company_id)s::int IS NULL OR a.company_id = %(company_id)s)
       AND (%(accounts)s::bigint[] IS NULL OR o.account_id = ANY(%(accounts)s::bigint[]))) each
 WHERE NOT is_undone
 ORDER BY account_id, as_of DESC, recorded_at DESC, id DESC
"""


def delay_reasons(
    ctx: Context, account_ids: Sequence[int] | None = None, days: int | None = REASON_DAYS
) -> pl.DataFrame:
    """DELAY_REASONS (core.outcomes.DELAY_REASONS): the newest of each account within ``days``, None: ever."""
    params = {
        "as_of": ctx.as_of,
        "known_at": ctx.known_at or "infinity",
        "since": None if days is None else ctx.as_of - timedelta(days=days),
        "company_id": ctx.company_id,
        "accounts": None if account_ids is None else list(account_ids),
    }
    return copy_out(_REASONS, params, DELAY_REASONS)
