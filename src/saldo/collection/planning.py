"""The plan of a day: what people agreed that comes due, and the ranked actions as they are kept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import polars as pl

from saldo.analytics.book import CONTACTS
from saldo.collection.desk_facts import IS_CONTACT, STANDING, UNREACHED, standing_params
from saldo.collection.models import Action
from saldo.core.context import Context
from saldo.storage.frames import copy_in, copy_out

DATED_SCHEMA = {"account_id": pl.Int64, "code": pl.String, "date": pl.Date}
KEPT = (
    "account_id", "rank", "block", "minutes", "currency", "value_mills", "value_per_minute_mills",
    "overdue_mills", "to_collect_mills", "open_mills", "oldest_days", "p30", "rung", "collector",
    "is_planned",
)  # fmt: skip


def dated_entries(ctx: Context) -> pl.DataFrame:
    """DATED_SCHEMA: accounts whose last outcome asked to come back to them by the day.

    To try again after nobody answered was agreed with nobody: such an account comes back by its value. What
    was passed over with a reason until a day is no call-back, and says so.
    """
    sql = """
    SELECT account_id, CASE WHEN skip_reason = '' THEN 'callback' ELSE 'skip_ended' END, follow_up_date FROM (
        SELECT DISTINCT ON (o.account_id) o.account_id, o.state, o.follow_up_date, o.result, o.call_back_at,
               o.skip_reason
          FROM collection_outcome o JOIN parties_customeraccount a ON a.id = o.account_id
         WHERE a.company_id = %(company_id)s AND o.recorded_at <= %(known_at)s AND o.as_of <= %(as_of)s
           AND o.state <> 'note'
         ORDER BY o.account_id, o.recorded_at DESC, o.id DESC) last
     WHERE state <> 'undone' AND follow_up_date <= %(as_of)s
       AND (call_back_at IS NOT NULL OR result <> ALL(%(unreached)s)) ORDER BY account_id
    """
    return copy_out(sql, standing_params(ctx) | {"unreached": list(UNREACHED)}, DATED_SCHEMA)


# Contacts that people made and did not take back, by whatever channel.
_DONE = f"SELECT account_id, as_of FROM ({STANDING}) o WHERE {IS_CONTACT}"


def last_contacts(ctx: Context) -> pl.DataFrame:
    """account_id, last_contact: the day of the last contact that was recorded and not taken back."""
    sql = f"SELECT account_id, max(as_of) FROM ({_DONE}) done GROUP BY account_id"
    return copy_out(sql, standing_params(ctx), {"account_id": pl.Int64, "last_contact": pl.Date})


def contacts_made(ctx: Context, account_ids: Sequence[int] | None = None) -> pl.DataFrame:
    """CONTACTS: every contact that was recorded and not taken back."""
    sql = f"SELECT account_id, 'contact', as_of FROM ({_DONE}) done ORDER BY account_id, as_of"
    return copy_out(sql, standing_params(ctx, account_ids), CONTACTS)


def reasons_json(reasons: list[dict[str, str]]) -> str:
    """A row's reasons as they are kept: [{code, params}], params an object."""
    return json.dumps(
        [{"code": reason["code"], "params": json.loads(reason["params"])} for reason in reasons],
        ensure_ascii=False,
    )


def alternatives_json(alternatives: pl.Expr) -> pl.Expr:
    """A row's alternatives as they are kept: [{action, minutes, value_mills, gain_mills, code}]."""
    told = alternatives.list.eval(pl.element().struct.json_encode()).list.join(",")
    return pl.format("[{}]", told)


def keep_actions(day_run_id: int, ranked: pl.DataFrame) -> int:
    """Store the ranked worklist of a day run.

    ranked: RANKING_SCHEMA with account_id, open_mills, collector and is_planned.
    """
    reasons = pl.Series(
        "reasons", [reasons_json(row) for row in ranked["reasons"].to_list()], dtype=pl.String
    )
    return copy_in(
        "collection_action",
        ranked.select(
            *KEPT,
            pl.col("action").alias("kind"),
            pl.lit(day_run_id).alias("day_run_id"),
            reasons,
            alternatives_json(pl.col("alternatives")).alias("alternatives"),
        ),
    )


def stored_plan(day_run_id: int) -> list[dict[str, Any]]:
    """The actions of a day run in rank order, with the account's code and the customer's name."""
    found = Action.objects.filter(day_run_id=day_run_id).order_by("currency", "rank")
    return list(
        found.values(
            "rank", "block", "kind", "minutes", "currency", "value", "value_per_minute", "overdue",
            "to_collect", "open", "oldest_days", "p30", "rung", "reasons", "alternatives", "collector",
            "is_planned", "account_id", "account__code", "account__customer__name",
        )
    )  # fmt: skip
