"""What makes reminders wait, as the facts of mail tell it: replies that a person owes an answer, and formal
notices whose term runs. docs/rules/playbooks.md, "What makes reminders wait".
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import polars as pl
from django.conf import settings

from saldo.analytics.playbook_pauses import NOTICED, REPLIES, TERMS, Pauses
from saldo.core.context import Context
from saldo.core.message_facts import FORMAL_DAYS
from saldo.core.playbook import FORMAL_NOTICE
from saldo.core.sending import LEFT, SendingRules
from saldo.outreach.replies import ASSIGNED, BRAKE, STILL_WAITING
from saldo.storage.frames import copy_out

# Replies that nobody has dealt with: those that are surely of the account, or that a person gave to it. What
# a machine wrote waits for nobody's answer, and an absence with its hold neither.
_REPLIES = """
SELECT own.account_id, min(own.day)
  FROM (SELECT (r.received_at AT TIME ZONE %(zone)s)::date AS day,
               coalesce(r.account_id, (g.data->>'account_id')::bigint) AS account_id
          FROM outreach_reply r
          LEFT JOIN LATERAL (
               SELECT h.data FROM outreach_replyhandling h
                WHERE h.reply_id = r.id AND h.act = %(assigned)s AND h.recorded_at <= %(known_at)s
                ORDER BY h.id DESC LIMIT 1) g ON true
          LEFT JOIN LATERAL (
               SELECT h.act FROM outreach_replyhandling h
                WHERE h.reply_id = r.id AND h.recorded_at <= %(known_at)s
                ORDER BY h.id DESC LIMIT 1) l ON true
          LEFT JOIN LATERAL (
               SELECT x.label FROM outreach_replyreading x
                WHERE x.reply_id = r.id AND x.recorded_at <= %(known_at)s
                ORDER BY x.id DESC LIMIT 1) u ON true
         WHERE r.recorded_at <= %(known_at)s AND NOT r.is_automatic
           AND (r.is_trusted OR g.data IS NOT NULL)
           AND (l.act IS NULL OR l.act = ANY(%(still)s))
           AND NOT (l.act IS NOT DISTINCT FROM %(brake)s AND u.label IS NOT DISTINCT FROM 'out_of_office')
           AND r.received_at >= %(first)s::date - interval '1 day') own
  JOIN parties_customeraccount a ON a.id = own.account_id
 WHERE (%(company)s::bigint IS NULL OR a.company_id = %(company)s)
   AND (%(accounts)s::bigint[] IS NULL OR a.id = ANY(%(accounts)s::bigint[]))
   AND own.day > %(first)s AND own.day <= %(as_of)s
 GROUP BY own.account_id ORDER BY own.account_id
"""
# Formal notices that left, and did not fail after all.
_NOTICES = """
SELECT m.id, m.account_id, m.currency, m.level::bigint, d.left_date
  FROM outreach_message m
  JOIN LATERAL (
       SELECT max(x.id) FILTER (WHERE x.state = ANY(%(left)s)) AS last_left,
              max(x.id) FILTER (WHERE x.state = 'failed') AS last_failed,
              (min(x.occurred_at) FILTER (WHERE x.state = ANY(%(left)s)) AT TIME ZONE %(zone)s)::date
                AS left_date
         FROM outreach_delivery x
        WHERE x.message_id = m.id AND x.recorded_at <= %(known_at)s) d ON true
 WHERE m.purpose = %(purpose)s AND m.recorded_at <= %(known_at)s
   AND (%(company)s::bigint IS NULL OR m.company_id = %(company)s)
   AND (%(accounts)s::bigint[] IS NULL OR m.account_id = ANY(%(accounts)s::bigint[]))
   AND d.last_left > coalesce(d.last_failed, 0) AND d.left_date <= %(as_of)s
"""
_TERMS = f"""
SELECT account_id, currency, max(level), max(left_date) + %(days)s::int
  FROM ({_NOTICES}) n WHERE left_date >= %(as_of)s::date - %(days)s::int
 GROUP BY account_id, currency ORDER BY account_id, currency
"""
_NOTICED = f"""
SELECT DISTINCT i.item_id FROM ({_NOTICES}) n JOIN outreach_messageitem i ON i.message_id = n.id
  JOIN ledger_item_open_projection p ON p.item_id = i.item_id
   AND NOT (p.used_up AND p.last_effective_date <= %(as_of)s AND p.last_recorded_at <= %(known_at)s)
 WHERE i.level >= n.level ORDER BY i.item_id
"""


def pauses(ctx: Context, rules: SendingRules, account_ids: Sequence[int] | None = None) -> Pauses:
    """What makes reminders of the accounts wait on the context's day, as known at its instant."""
    params = {
        "as_of": ctx.as_of,
        "known_at": ctx.known_at or "infinity",
        "company": ctx.company_id,
        "accounts": None if account_ids is None else list(account_ids),
        "zone": settings.TIME_ZONE,
    }
    formal = {**params, "left": sorted(LEFT), "purpose": FORMAL_NOTICE}
    return Pauses(
        replies=_replies(params, ctx, rules),
        terms=copy_out(_TERMS, {**formal, "days": FORMAL_DAYS}, TERMS),
        noticed=copy_out(_NOTICED, formal, NOTICED),
    )


def _replies(params: dict[str, object], ctx: Context, rules: SendingRules) -> pl.DataFrame:
    if not rules.reply_wait_days:
        return pl.DataFrame(schema=REPLIES)
    told = {
        "first": ctx.as_of - timedelta(days=rules.reply_wait_days),
        "still": list(STILL_WAITING),
        "assigned": ASSIGNED,
        "brake": BRAKE,
    }
    return copy_out(_REPLIES, {**params, **told}, REPLIES)
