"""What was written to customers, as frames: messages that left, and what that makes of their items.

A message has left once a delivery says so (core.sending.LEFT) and no later one says that it failed after all.
One that is queued, on its way, or of unknown outcome counts as sent today: nothing like it is planned again
before it is known what became of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import polars as pl
from django.conf import settings

from saldo.analytics.askable import SENT
from saldo.analytics.book import CONTACTS
from saldo.collection.levels import item_levels
from saldo.core.context import Context
from saldo.core.playbook import OVERDUE, SOON
from saldo.core.sending import CANCELLED, FAILED, LEFT
from saldo.storage.frames import copy_out

# Nothing waits longer than this to be sent, or for a person to say what became of it.
WAITING_DAYS = 60
HISTORY = {
    "item_id": pl.Int64,
    "level": pl.Int64,
    "last_step": pl.String,
    "last_date": pl.Date,
    "soon_steps": pl.List(pl.String),
}
# Messages of a company with what became of them at both clocks: left_date, null while it has not left;
# waits: nobody knows yet whether it will.
_BECAME = """
SELECT m.id, m.account_id, m.contact_id, m.to_address, m.channel, m.track, m.purpose, m.step, m.level,
       CASE WHEN coalesce(d.last_left, 0) > coalesce(d.last_failed, 0) THEN d.left_date END AS left_date,
       coalesce(d.last_left, 0) <= coalesce(d.last_failed, 0)
         AND coalesce(d.last_state, '') <> ALL(%(ended)s) AS waits
  FROM outreach_message m
  JOIN parties_customeraccount a ON a.id = m.account_id
  LEFT JOIN LATERAL (
       SELECT max(x.id) FILTER (WHERE x.state = ANY(%(left)s)) AS last_left,
              max(x.id) FILTER (WHERE x.state = 'failed') AS last_failed,
              (min(x.occurred_at) FILTER (WHERE x.state = ANY(%(left)s)) AT TIME ZONE %(zone)s)::date
                AS left_date,
              (array_agg(x.state ORDER BY x.id DESC))[1] AS last_state
         FROM outreach_delivery x
        WHERE x.message_id = m.id AND x.recorded_at <= %(known_at)s) d ON true
 WHERE (%(company_id)s::int IS NULL OR m.company_id = %(company_id)s)
   AND (%(accounts)s::bigint[] IS NULL OR m.account_id = ANY(%(accounts)s::bigint[]))
   AND m.recorded_at <= %(known_at)s AND m.as_of BETWEEN %(first)s AND %(as_of)s
"""
# Items that have a balance on the day: what was written about others decides nothing any more.
_OPEN = """
  JOIN ledger_item_open_projection p ON p.item_id = i.item_id
   AND NOT (p.used_up AND p.last_effective_date <= %(as_of)s AND p.last_recorded_at <= %(known_at)s)
"""
_SENT = f"""
SELECT account_id, contact_id, to_address, channel, track, purpose,
       CASE WHEN waits THEN %(as_of)s::date ELSE left_date END AS day
  FROM ({_BECAME}) b
 WHERE waits OR left_date BETWEEN %(since)s AND %(as_of)s
 ORDER BY account_id, id
"""
# An item is lifted by a message in which it rises; one in which nothing rises repeats its own level. What is
# only listed in a message for others goes on waiting. The step is its own where the level is the message's.
_LIFTED = f"""
SELECT DISTINCT ON (i.item_id) i.item_id, i.level::bigint,
       CASE WHEN i.level = b.level THEN b.step ELSE '' END AS step,
       max(b.left_date) OVER (PARTITION BY i.item_id, i.level) AS last_date
  FROM ({_BECAME}) b
  JOIN outreach_messageitem i ON i.message_id = b.id
  {_OPEN}
 WHERE b.left_date <= %(as_of)s AND b.track = '{OVERDUE}'
   AND (i.level > i.level_before
        OR i.level = b.level AND NOT EXISTS (SELECT 1 FROM outreach_messageitem o
                                              WHERE o.message_id = b.id AND o.level > o.level_before))
 ORDER BY i.item_id, i.level DESC, b.left_date DESC, b.id DESC
"""
_SOON = f"""
SELECT i.item_id, string_agg(DISTINCT b.step, chr(31) ORDER BY b.step) AS steps
  FROM ({_BECAME}) b JOIN outreach_messageitem i ON i.message_id = b.id
  {_OPEN}
 WHERE b.left_date <= %(as_of)s AND b.track = '{SOON}'
 GROUP BY i.item_id
"""


def _params(ctx: Context, account_ids: Sequence[int] | None) -> dict[str, Any]:
    return {
        "as_of": ctx.as_of,
        "known_at": ctx.known_at or "infinity",
        "company_id": ctx.company_id,
        "accounts": None if account_ids is None else list(account_ids),
        "left": sorted(LEFT),
        "ended": [FAILED, CANCELLED],
        "zone": settings.TIME_ZONE,
        "first": date.min,
    }


def sent_messages(ctx: Context, since: date, account_ids: Sequence[int] | None = None) -> pl.DataFrame:
    """SENT: messages that left from ``since`` to the context's day; those whose end is open are of today."""
    first = since - timedelta(days=WAITING_DAYS)
    return copy_out(_SENT, {**_params(ctx, account_ids), "since": since, "first": first}, SENT)


def message_contacts(ctx: Context, account_ids: Sequence[int] | None = None) -> pl.DataFrame:
    """CONTACTS: messages that left, whoever wrote them, with their channel."""
    sql = f"""
    SELECT account_id, channel, left_date FROM ({_BECAME}) b
     WHERE left_date <= %(as_of)s ORDER BY account_id, left_date, id
    """
    return copy_out(sql, _params(ctx, account_ids), CONTACTS)


def item_history(ctx: Context, account_ids: Sequence[int] | None = None) -> pl.DataFrame:
    """HISTORY: open items that were written about, or that had a level before Saldo wrote.

    Of the two levels the higher counts, with its date; of equal ones our own, with the later date.
    last_step is "" where the level is not from a message of that step.
    """
    params = _params(ctx, account_ids)
    lifted = copy_out(
        _LIFTED, params,
        {"item_id": pl.Int64, "level": pl.Int64, "last_step": pl.String, "last_date": pl.Date},
    )  # fmt: skip
    soon = copy_out(_SOON, params, {"item_id": pl.Int64, "soon_steps": pl.String})
    told = item_levels(ctx, account_ids).select(
        "item_id", pl.col("level").alias("told_level"), pl.col("reached_date").alias("told_date")
    )
    both = lifted.join(told, on="item_id", how="full", coalesce=True).join(
        soon.with_columns(pl.col("soon_steps").str.split("\x1f")), on="item_id", how="full", coalesce=True
    )
    own, other = pl.col("level").fill_null(0), pl.col("told_level").fill_null(0)
    return both.select(
        "item_id",
        pl.max_horizontal(own, other).alias("level"),
        pl.when(own >= other).then("last_step").otherwise(pl.lit("")).fill_null("").alias("last_step"),
        pl.when(own > other).then("last_date").when(own < other).then("told_date")
        .otherwise(pl.max_horizontal("last_date", "told_date")).alias("last_date"),
        pl.col("soon_steps").fill_null(pl.lit([], dtype=pl.List(pl.String))),
    ).sort("item_id")  # fmt: skip
