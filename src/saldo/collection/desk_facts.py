"""What people did with accounts and learnt of them, as the frames that the ranking reads.

An outcome counts unless it was taken back on its own day. What a person said last of an account comes before
what was passed over earlier: a skip ends with the next conversation.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import polars as pl

from saldo.analytics.ranking_effects import SKIPS, TRIES
from saldo.core.context import Context
from saldo.core.outcomes import NO_ANSWER, NOT_FOUND, PHONE, SPOKEN, VISIT
from saldo.storage.frames import copy_out

# How far back tries of the telephone, timed contacts and skips are read.
TRIES_DAYS, TIMED_DAYS, SKIPS_DAYS, ROUNDS_DAYS = 180, 180, 365, 180
# A contact that seemed to take less or more was timed wrongly.
LEAST_SECONDS, MOST_SECONDS = 5, 3 * 3600
# Outcomes that stand: those that the next word about the account did not take back the same day.
STANDING = """
SELECT * FROM (
    SELECT o.id, o.account_id, o.as_of, o.state, o.channel, o.result, o.skip_reason, o.seconds, o.actor,
           o.recorded_at, o.follow_up_date, o.call_back_at,
           lead(o.state) OVER w AS next_state, lead(o.as_of) OVER w AS next_as_of
      FROM collection_outcome o JOIN parties_customeraccount a ON a.id = o.account_id
     WHERE (%(company_id)s::int IS NULL OR a.company_id = %(company_id)s)
       AND o.recorded_at <= %(known_at)s AND o.as_of <= %(as_of)s AND o.state <> 'note'
       AND (%(accounts)s::bigint[] IS NULL OR o.account_id = ANY(%(accounts)s::bigint[]))
    WINDOW w AS (PARTITION BY o.account_id ORDER BY o.recorded_at, o.id)) each
 WHERE state <> 'undone' AND NOT (coalesce(next_state, '') = 'undone' AND next_as_of = as_of)
"""
# Somebody was spoken with, or the deed was done.
IS_CONTACT = "(state = 'done' OR result = ANY(%(spoken)s))"
# Tries that reached nobody.
UNREACHED = (NO_ANSWER, NOT_FOUND)


def standing_params(ctx: Context, account_ids: Sequence[int] | None = None) -> dict[str, Any]:
    return {
        "company_id": ctx.company_id,
        "known_at": ctx.known_at or "infinity",
        "as_of": ctx.as_of,
        "accounts": None if account_ids is None else list(account_ids),
        "spoken": sorted(SPOKEN),
    }


def tries(ctx: Context) -> pl.DataFrame:
    """TRIES: calls of the last half year, and those in which somebody was spoken with."""
    sql = f"""
    SELECT account_id, count(*), count(*) FILTER (WHERE result = ANY(%(spoken)s)) FROM ({STANDING}) o
     WHERE channel = %(phone)s AND result = ANY(%(results)s) AND as_of > %(since)s
     GROUP BY account_id ORDER BY account_id
    """
    results = sorted({*SPOKEN, NO_ANSWER})
    params = {"phone": PHONE, "results": results, "since": ctx.as_of - timedelta(days=TRIES_DAYS)}
    return copy_out(sql, standing_params(ctx) | params, TRIES)


_TIMED = {"channel": pl.String, "count": pl.Int64, "seconds": pl.Int64}
_ACTION_OF = {PHONE: "call", VISIT: "visit"}


def timed_contacts(ctx: Context) -> dict[str, tuple[int, float]]:
    """action -> (contacts that were timed, their minutes in all): calls and visits of the last half year."""
    sql = f"""
    SELECT channel, count(*), sum(seconds) FROM ({STANDING}) o
     WHERE channel = ANY(%(channels)s) AND seconds BETWEEN %(least)s AND %(most)s AND as_of > %(since)s
     GROUP BY channel ORDER BY channel
    """
    params = {
        "channels": sorted(_ACTION_OF), "least": LEAST_SECONDS, "most": MOST_SECONDS,
        "since": ctx.as_of - timedelta(days=TIMED_DAYS),
    }  # fmt: skip
    found = copy_out(sql, standing_params(ctx) | params, _TIMED)
    return {_ACTION_OF[channel]: (count, seconds / 60) for channel, count, seconds in found.iter_rows()}


def skips(ctx: Context) -> pl.DataFrame:
    """SKIPS: what was passed over with a reason, and nothing has come after; with the action of that day."""
    sql = f"""
    WITH standing AS ({STANDING})
    SELECT s.account_id, s.as_of, s.skip_reason, coalesce(a.kind, ''), coalesce(a.currency, ''),
           coalesce((a.overdue * 1000)::bigint, 0),
           EXISTS (SELECT 1 FROM parties_contactchange g JOIN parties_contact t ON t.id = g.contact_id
                    WHERE t.account_id = s.account_id AND g.recorded_at > s.recorded_at
                      AND g.recorded_at <= %(known_at)s),
           s.follow_up_date
      FROM standing s
      LEFT JOIN LATERAL (
           SELECT a.kind, a.currency, a.overdue
             FROM identity_dayrun r JOIN collection_action a ON a.day_run_id = r.id
            WHERE r.company_id = %(company_id)s AND r.as_of = s.as_of AND r.recorded_at <= s.recorded_at
              AND a.account_id = s.account_id
            ORDER BY r.version DESC, a.overdue DESC, a.id LIMIT 1) a ON true
     WHERE s.state = 'skipped' AND s.skip_reason <> '' AND s.as_of > %(since)s
       AND NOT EXISTS (SELECT 1 FROM standing later
                        WHERE later.account_id = s.account_id
                          AND (later.recorded_at, later.id) > (s.recorded_at, s.id)
                          AND (later.state = 'done' OR later.result = ANY(%(spoken)s)))
     ORDER BY s.account_id, s.as_of, s.id
    """
    since = ctx.as_of - timedelta(days=SKIPS_DAYS)
    return copy_out(sql, standing_params(ctx) | {"since": since}, SKIPS)


_OFFERED = {"account_id": pl.Int64, "day": pl.Date}


def plans_spoken_of(ctx: Context) -> pl.DataFrame:
    """account_id, day: contacts of days on which the list suggested the offer of a plan."""
    sql = f"""
    SELECT s.account_id, s.as_of FROM ({STANDING}) s
     WHERE {IS_CONTACT} AND s.as_of > %(since)s
       AND (SELECT a.kind FROM identity_dayrun r JOIN collection_action a ON a.day_run_id = r.id
             WHERE r.company_id = %(company_id)s AND r.as_of = s.as_of AND r.recorded_at <= s.recorded_at
               AND a.account_id = s.account_id
             ORDER BY r.version DESC, a.overdue DESC, a.id LIMIT 1) = 'plan'
     ORDER BY s.account_id, s.as_of
    """
    since = ctx.as_of - timedelta(days=TRIES_DAYS)
    return copy_out(sql, standing_params(ctx) | {"since": since}, _OFFERED)


_LAST_BY = {"account_id": pl.Int64, "collector": pl.String}


def dealt_with(ctx: Context, days: int) -> pl.DataFrame:
    """account_id, collector: who dealt with the account last, within so many days."""
    sql = f"""
    SELECT DISTINCT ON (account_id) account_id, actor FROM ({STANDING}) o
     WHERE {IS_CONTACT} AND as_of > %(since)s
     ORDER BY account_id, recorded_at DESC, id DESC
    """
    since = ctx.as_of - timedelta(days=days)
    return copy_out(sql, standing_params(ctx) | {"since": since}, _LAST_BY)


def makes_visits(ctx: Context) -> bool:
    """Whether the company has planned visits in the last half year."""
    sql = """
    SELECT count(*) FROM collection_visitround
     WHERE company_id = %(company_id)s AND recorded_at <= %(known_at)s AND day > %(since)s
    """
    since = ctx.as_of - timedelta(days=ROUNDS_DAYS)
    found = copy_out(sql, standing_params(ctx) | {"since": since}, {"count": pl.Int64})
    return bool(found.item())
