"""From steps that are due for items to messages: one per account, currency and track.

The leading item (the highest level due, of equals the oldest) gives the step; every other item with a step
due rises by its own next level, at most to the message's; what is overdue besides is listed and does not
rise. A person's step (call, task) comes where nothing written is due. docs/rules/playbooks.md.
"""

from __future__ import annotations

import polars as pl

from saldo.analytics.askable import PLANNED_ITEM
from saldo.core.playbook import OVERDUE

KEY = ("account_id", "currency", "track")
# One row per account, currency and track. total_items: how many are asked for; rising: how many of them rise;
# oldest_days: days of the leading item; since_days: since its last message, null if there was none.
# noticed_mills, noticed_items: what a formal notice asked for, and a message of this level does not.
MESSAGES = {
    "account_id": pl.Int64,
    "currency": pl.String,
    "track": pl.String,
    "step_no": pl.Int64,
    "asked_mills": pl.Int64,
    "below_minimum": pl.Boolean,
    "lead_days": pl.Int64,
    "lead_level": pl.Int64,
    "since_date": pl.Date,
    "count": pl.Int64,
    "rising": pl.Int64,
    "oldest_days": pl.Int64,
    "noticed_mills": pl.Int64,
    "noticed_items": pl.Int64,
    "items": pl.List(PLANNED_ITEM),
}


def messages(due: pl.DataFrame, steps: pl.DataFrame, accounts: pl.DataFrame) -> pl.DataFrame:
    """MESSAGES of the day. due: DUE with floor (playbook_pauses); steps: STEPS; accounts: ACCOUNTS."""
    with_step = due.filter(pl.col("written").is_not_null() | pl.col("call").is_not_null())
    listed = due.join(with_step.select(KEY).unique(), on=KEY, how="semi")
    totals = listed.group_by(KEY).agg(pl.col("asked_mills").sum().alias("total_mills")).join(
        accounts.select("account_id", "currency", "open_mills"), on=["account_id", "currency"], how="left"
    )  # fmt: skip
    leading = _leading(with_step, steps, totals, listed.filter(pl.col("floor") > 0))
    return _with_items(leading, listed, steps)


def _leading(
    with_step: pl.DataFrame, steps: pl.DataFrame, totals: pl.DataFrame, floored: pl.DataFrame
) -> pl.DataFrame:
    """The step of each message: KEY, step_no, below_minimum, and facts of its leading item.

    Written before called; of each the highest level whose minimum is reached; where none reaches its own,
    the highest is kept as below its minimum.
    """
    kinds = [
        with_step.filter(pl.col(kind).is_not_null()).with_columns(pl.col(kind).alias("step_no"))
        for kind in ("written", "call")
    ]
    of_step = steps.select(
        "step_no", "day", pl.col("level").alias("step_level"), "min_amount_mills", "min_share", "is_written"
    )
    candidates = (
        pl.concat(kinds)
        .join(of_step, on="step_no", how="left")
        # The soon track has one level: there the step that comes latest leads.
        .sort("step_level", "day", "due_date", "item_id", descending=[True, True, False, False])
        .unique([*KEY, "step_level", "is_written"], keep="first", maintain_order=True)
        .join(totals, on=KEY, how="left", maintain_order="left")
    )
    # What only a message of a higher level may ask for is no part of the sum.
    key = [*KEY, "step_level", "is_written"]
    beneath = (
        candidates.select(key)
        .join(floored.select(*KEY, "floor", "asked_mills"), on=KEY, how="inner")
        .filter(_is_beneath())
        .group_by(key)
        .agg(pl.col("asked_mills").sum().alias("beneath_mills"))
    )
    candidates = candidates.join(beneath, on=key, how="left", maintain_order="left").with_columns(
        pl.col("total_mills") - pl.col("beneath_mills").fill_null(0)
    )
    total, open_mills = pl.col("total_mills"), pl.col("open_mills").fill_null(0)
    enough = (total >= pl.col("min_amount_mills")) & (
        total.cast(pl.Float64) >= pl.col("min_share") * open_mills.cast(pl.Float64)
    )
    return (
        candidates.with_columns((~enough).alias("below_minimum"))
        .sort(
            *KEY, "below_minimum", "is_written", "step_level",
            descending=[False, False, False, False, True, True], maintain_order=True,
        )
        .unique(KEY, keep="first", maintain_order=True)
        .select(
            *KEY, "step_no", "step_level", "is_written", "below_minimum",
            pl.col("days").alias("lead_days"), pl.col("level_before").alias("lead_level"),
            pl.col("last_date").alias("since_date"),
        )
    )  # fmt: skip


def _is_beneath() -> pl.Expr:
    """Whether the message's level is too low to ask for the item."""
    return pl.col("is_written") & (pl.col("floor") > pl.col("step_level"))


def _with_items(leading: pl.DataFrame, listed: pl.DataFrame, steps: pl.DataFrame) -> pl.DataFrame:
    levels = steps.select(pl.col("step_no").alias("written"), pl.col("level").alias("own_level"))
    rises = pl.col("is_written") & (pl.col("track") == OVERDUE) & pl.col("own_level").is_not_null()
    own = pl.min_horizontal(pl.col("own_level"), pl.col("step_level"))
    level = pl.max_horizontal("level_before", pl.when(rises).then(own))
    told = listed.join(leading.select(*KEY, "step_level", "is_written"), on=KEY, how="inner")
    noticed = told.filter(_is_beneath()).group_by(KEY).agg(
        pl.col("asked_mills").sum().alias("noticed_mills"), pl.len().cast(pl.Int64).alias("noticed_items")
    )  # fmt: skip
    rows = (
        told.filter(~_is_beneath())
        .join(levels, on="written", how="left")
        .with_columns(level.alias("level"))
        .sort(*KEY, "due_date", "item_id")
    )
    grouped = rows.group_by(KEY, maintain_order=True).agg(
        pl.col("asked_mills").sum(), pl.len().cast(pl.Int64).alias("count"),
        (pl.col("level") > pl.col("level_before")).sum().cast(pl.Int64).alias("rising"),
        pl.col("days").max().alias("oldest_days"),
        pl.struct(*(field.name for field in PLANNED_ITEM.fields)).alias("items"),
    )  # fmt: skip
    return (
        leading.join(grouped, on=KEY, how="inner")
        .join(noticed, on=KEY, how="left")
        .with_columns(pl.col("noticed_mills", "noticed_items").fill_null(0))
        .select(*MESSAGES)
        .sort(KEY)
    )
