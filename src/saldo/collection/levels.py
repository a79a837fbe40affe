"""Reminder levels that items had before Saldo wrote about them: imported, or chosen by a person.

    item_levels, known_items    the last one of each item
    record_levels               new ones, of many accounts at once

What Saldo itself sent is told by the messages (outreach.history); of the two the higher level counts.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
from django.db import transaction

from saldo.collection.models import ItemLevel
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.identity.models import Grant
from saldo.identity.operations import record_event, stamped
from saldo.storage.frames import copy_in, copy_out

MAY_CHOOSE_LEVELS = frozenset({Grant.Role.ADMINISTRATOR, Grant.Role.CREDIT_MANAGER})
IMPORTED, CHOSEN = ItemLevel.Origin.IMPORTED.value, ItemLevel.Origin.CHOSEN.value
MAX_LEVEL = 9

LEVELS = {"item_id": pl.Int64, "level": pl.Int64, "reached_date": pl.Date}
# What is to be recorded.
NEW_LEVELS = {"account_id": pl.Int64, **LEVELS}
_LEVELS = """
SELECT DISTINCT ON (l.item_id) l.item_id, l.level, l.reached_date, l.origin
  FROM collection_itemlevel l
 WHERE l.recorded_at <= %(known_at)s AND l.reached_date <= %(as_of)s
   AND (%(company_id)s::int IS NULL OR l.company_id = %(company_id)s)
   AND (%(accounts)s::bigint[] IS NULL OR l.account_id = ANY(%(accounts)s::bigint[]))
 ORDER BY l.item_id, l.recorded_at DESC, l.id DESC
"""


def item_levels(ctx: Context, account_ids: Sequence[int] | None = None) -> pl.DataFrame:
    """LEVELS: the last level told of each item, where it is above zero."""
    return known_items(ctx, account_ids).filter(pl.col("level") > 0).select(*LEVELS)


def known_items(ctx: Context, account_ids: Sequence[int] | None = None) -> pl.DataFrame:
    """LEVELS and origin: the last level told of each item, zero (said to be new) too."""
    params = {
        "as_of": ctx.as_of,
        "known_at": ctx.known_at or "infinity",
        "company_id": ctx.company_id,
        "accounts": None if account_ids is None else list(account_ids),
    }
    return copy_out(_LEVELS, params, {**LEVELS, "origin": pl.String})


def record_levels(ctx: Context, company_id: int, told: pl.DataFrame, origin: str) -> int:
    """Record NEW_LEVELS as imported or chosen; rows that say what is known already are left out.

    Returns how many were new. Raises SaldoError("level_out_of_range").
    """
    outside = told.filter(~pl.col("level").is_between(0, MAX_LEVEL))
    if outside.height:
        raise SaldoError("level_out_of_range", level=outside["level"][0], highest=MAX_LEVEL)
    with transaction.atomic():
        inner = stamped(ctx.within(company_id), company_id)
        known = known_items(inner).filter(pl.col("origin") == origin)
        fresh = told.join(known, on=["item_id", "level", "reached_date"], how="anti")
        if fresh.is_empty():
            return 0
        copy_in(
            "collection_itemlevel",
            fresh.select(
                pl.lit(company_id).alias("company_id"), "account_id", "item_id", "level", "reached_date",
                pl.lit(origin).alias("origin"), pl.lit(ctx.actor).alias("actor"),
                pl.lit(str(inner.recorded_at)).alias("recorded_at"),
            ),
        )  # fmt: skip
        data = {"items": fresh.height, "origin": origin, "highest": fresh["level"].max()}
        record_event(inner, "levels.recorded", "company", company_id, data)
    return fresh.height
