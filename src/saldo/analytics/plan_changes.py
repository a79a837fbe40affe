"""Two plans of the same day compared: who would get something else if a playbook were another."""

from __future__ import annotations

import polars as pl

from saldo.analytics.askable import PLAN

KEY = ["account_id", "currency", "track"]
COMPARED = ("playbook", "step", "level", "channel", "asked_mills", "blocked")
ADDED, DROPPED, CHANGED = "added", "dropped", "changed"
# One row per account, currency and track that is not the same in both plans.
CHANGES = {
    **{name: PLAN[name] for name in KEY},
    "kind": pl.String,
    "fields": pl.List(pl.String),
    **{f"{name}_before": PLAN[name] for name in COMPARED},
    **{name: PLAN[name] for name in COMPARED},
}
SUMMARY = {
    "track": pl.String,
    "level": pl.Int64,
    "step": pl.String,
    "channel": pl.String,
    "blocked": pl.String,
    "currency": pl.String,
    "messages": pl.Int64,
    "items": pl.Int64,
    "asked_mills": pl.Int64,
}


def plan_changes(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """CHANGES from one PLAN to another: kind ADDED, DROPPED or CHANGED, and the fields that differ."""
    kept = [*KEY, *COMPARED]
    both = (
        before.select(kept)
        .rename({name: f"{name}_before" for name in COMPARED})
        .join(after.select(kept), on=KEY, how="full", coalesce=True)
    )
    differs = [
        pl.when(pl.col(f"{name}_before").ne_missing(pl.col(name))).then(pl.lit(name)) for name in COMPARED
    ]
    kind = (
        pl.when(pl.col("step_before").is_null()).then(pl.lit(ADDED))
        .when(pl.col("step").is_null()).then(pl.lit(DROPPED))
        .otherwise(pl.lit(CHANGED))
    )  # fmt: skip
    told = both.with_columns(pl.concat_list(differs).list.drop_nulls().alias("fields"), kind.alias("kind"))
    changed = told.filter(pl.col("fields").list.len() > 0)
    return changed.select(*CHANGES).cast(pl.Schema(CHANGES)).sort(KEY)


def moves(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """account_id, currency, playbook_before, playbook: accounts that another playbook takes; null: none.

    before, after: account_id, currency, playbook of each account that has one.
    """
    kept = ["account_id", "currency", "playbook"]
    both = (
        before.select(kept)
        .rename({"playbook": "playbook_before"})
        .join(after.select(kept), on=kept[:2], how="full", coalesce=True)
    )
    moved = both.filter(pl.col("playbook_before").ne_missing(pl.col("playbook")))
    return moved.select("account_id", "currency", "playbook_before", "playbook").sort(kept[:2])


def summary(plan: pl.DataFrame) -> pl.DataFrame:
    """SUMMARY of a PLAN: messages, items and amount by step, channel, what holds them back, and currency."""
    by = ["track", "level", "step", "channel", "blocked", "currency"]
    found = plan.group_by(by).agg(
        pl.len().alias("messages"),
        pl.col("items").list.len().sum().alias("items"),
        pl.col("asked_mills").sum(),
    )
    # What falls due soon comes before what is overdue, as in a playbook.
    first = pl.col("track").replace_strict({"soon": 0, "overdue": 1, "thanks": 2}, default=3)
    return found.select(*SUMMARY).cast(pl.Schema(SUMMARY)).sort(first, *by[1:])
