"""What makes the overdue track wait for an account: a reply that a person owes an answer, the term of a
formal notice. And what a formal notice asked for, which no message of a lower level asks for again.

docs/rules/playbooks.md, "What makes reminders wait".
"""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from saldo.analytics.playbook_messages import KEY
from saldo.core.playbook import FORMAL_NOTICE, OVERDUE

# Accounts with a reply that holds reminders, and since when.
REPLIES = {"account_id": pl.Int64, "reply_date": pl.Date}
# Terms of formal notices that run: messages below the level wait until the day, the day included.
TERMS = {"account_id": pl.Int64, "currency": pl.String, "term_level": pl.Int64, "term_date": pl.Date}
# Items that a formal notice asked for.
NOTICED = {"item_id": pl.Int64}


@dataclass(frozen=True, slots=True)
class Pauses:
    """replies: REPLIES, one row per account. terms: TERMS, one per account and currency. noticed: NOTICED."""

    replies: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=REPLIES))
    terms: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=TERMS))
    noticed: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=NOTICED))


def with_floor(
    due: pl.DataFrame, steps: pl.DataFrame, assigned: pl.DataFrame, pauses: Pauses
) -> pl.DataFrame:
    """DUE with ``floor``: the lowest level of a written message that may ask for the item, 0 where any may.

    It is the item's own level once a formal notice asked for it, or where that level is at least the one of
    its playbook's formal notice (a level that was imported tells of no message).
    """
    is_late = (pl.col("track") == OVERDUE) & pl.col("is_written")
    formal = (
        steps.filter((pl.col("purpose") == FORMAL_NOTICE) & is_late)
        .group_by("place")
        .agg(pl.col("level").min().alias("formal_level"))
    )
    of_account = assigned.select("account_id", "currency", "place").join(formal, on="place")
    noticed = pauses.noticed.select("item_id", pl.lit(True).alias("is_noticed")).unique()
    is_formal = pl.col("is_noticed").fill_null(False) | (
        pl.col("level_before") >= pl.col("formal_level")
    ).fill_null(False)
    return (
        due.join(noticed, on="item_id", how="left", maintain_order="left")
        .join(
            of_account.select("account_id", "currency", "formal_level"),
            on=["account_id", "currency"], how="left", maintain_order="left",
        )
        .with_columns(
            pl.when((pl.col("track") == OVERDUE) & is_formal).then("level_before").otherwise(0).alias("floor")
        )
        .drop("is_noticed", "formal_level")
    )  # fmt: skip


def with_pauses(rows: pl.DataFrame, pauses: Pauses) -> pl.DataFrame:
    """Rows of messages (KEY, level, is_written) with what makes them wait: since_reply, the day of the reply;
    until_term, the last day of the term; null where nothing does."""
    waits = (pl.col("track") == OVERDUE) & pl.col("is_written")
    below = pl.col("level") < pl.col("term_level")
    return (
        rows.join(pauses.replies, on="account_id", how="left", maintain_order="left")
        .join(pauses.terms, on=list(KEY[:2]), how="left", maintain_order="left")
        .with_columns(
            pl.when(waits).then("reply_date").alias("since_reply"),
            pl.when(waits & below).then("term_date").alias("until_term"),
        )
        .drop("reply_date", "term_level", "term_date")
    )
