"""What went wrong between us and our customers: disputes, complaints, and who wants no more messages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl
from django.conf import settings

from saldo.analytics.experiments import HARM
from saldo.core.context import Context
from saldo.storage.frames import copy_out

# A reply is of the account that it names, or that a person gave it to. A stopped address is of the accounts
# that were written to there.
_HARMS = """
SELECT DISTINCT account_id, kind, date FROM (
    SELECT d.account_id, 'dispute' AS kind, d.effective_date AS date
      FROM disputes_dispute d
     WHERE d.recorded_at <= %(known_at)s AND d.account_id = ANY(%(accounts)s)
    UNION ALL
    SELECT coalesce((h.data->>'account_id')::bigint, r.account_id), h.act,
           (h.recorded_at AT TIME ZONE %(zone)s)::date
      FROM outreach_replyhandling h JOIN outreach_reply r ON r.id = h.reply_id
     WHERE h.act IN ('complaint', 'opt_out') AND h.recorded_at <= %(known_at)s
       AND coalesce((h.data->>'account_id')::bigint, r.account_id) = ANY(%(accounts)s)
    UNION ALL
    SELECT m.account_id, s.reason, (s.recorded_at AT TIME ZONE %(zone)s)::date
      FROM parties_addressstop s
      JOIN outreach_message m ON lower(m.to_address) = s.address AND m.channel = s.channel
     WHERE s.reason IN ('complaint', 'opt_out') AND s.recorded_at <= %(known_at)s
       AND m.recorded_at <= s.recorded_at AND m.account_id = ANY(%(accounts)s)
       AND (s.company_id IS NULL OR s.company_id = m.company_id)
) harm
 WHERE date >= %(since)s AND date <= %(as_of)s
 ORDER BY date, account_id, kind
"""


def harms(ctx: Context, account_ids: Sequence[int], since: date) -> pl.DataFrame:
    """HARM of some accounts from a day on, at both clocks of the context."""
    params = {
        "accounts": list(account_ids),
        "since": since,
        "as_of": ctx.as_of,
        "known_at": ctx.known_at or "infinity",
        "zone": settings.TIME_ZONE,
    }
    return copy_out(_HARMS, params, HARM)
