"""What may be asked of each open item today: its balance less what is promised, disputed, held, in a plan, in
flight or perhaps paid already. The page of the rules: docs/rules/playbooks.md.
"""

from __future__ import annotations

from datetime import date

import polars as pl

from saldo.core.sending import CASH_FIRST, SendingRules

# One row per open debit item, as a flow gathers it.
# level: the last reminder level that the item reached (0: none); last_date: the day of its last message of
# the overdue track; soon_steps: codes of the steps of the soon track that were sent about it.
ITEMS = {
    "item_id": pl.Int64,
    "account_id": pl.Int64,
    "currency": pl.String,
    "kind": pl.String,
    "balance_mills": pl.Int64,
    "due_date": pl.Date,
    "level": pl.Int64,
    "last_step": pl.String,
    "last_date": pl.Date,
    "soon_steps": pl.List(pl.String),
}
# Amounts of items that leave dunning, one row per reason and item: code is one of core.sending's PROMISED,
# DISPUTED, HELD, PLANNED, IN_FLIGHT, CASH_FIRST; mills null: the whole item. until_date: the last day on
# which it holds, null where nothing says. ref: id of the promise, dispute, hold, plan, order or claim.
BLOCKS = {
    "item_id": pl.Int64,
    "code": pl.String,
    "mills": pl.Int64,
    "until_date": pl.Date,
    "ref": pl.Int64,
}
# Money of an account that could cover what it owes: unapplied cash, credit notes left open, announced
# payments, "già pagato" without items. code: "unapplied", "credit_note", "announced", "claimed"; mills null:
# the whole account.
COVERS = {
    "account_id": pl.Int64,
    "currency": pl.String,
    "code": pl.String,
    "mills": pl.Int64,
    "ref": pl.Int64,
}
# One row per account (and currency of what it owes), for segments and conditions.
ACCOUNTS = {
    "account_id": pl.Int64,
    "currency": pl.String,
    "country": pl.String,
    "segment": pl.String,
    "class": pl.String,
    "open_mills": pl.Int64,
    "known_days": pl.Int64,
    "late_days": pl.Float64,
    "promise": pl.String,
    "has_dispute": pl.Boolean,
    "has_plan": pl.Boolean,
    "is_insolvent": pl.Boolean,
    "delay_reason": pl.String,
}
# What is left to ask: ITEMS with asked_mills (>= 0, <= balance) and codes (why less than the balance).
ASKABLE = {**ITEMS, "asked_mills": pl.Int64, "codes": pl.List(pl.String)}
# Messages that left, for caps, waits and fatigue: one row per message.
SENT = {
    "account_id": pl.Int64,
    "contact_id": pl.Int64,
    "address": pl.String,
    "channel": pl.String,
    "track": pl.String,
    "purpose": pl.String,
    "date": pl.Date,
}
# The ways to reach an account: one row per contact, channel and address, the best contact first (place 1).
WAYS = {
    "account_id": pl.Int64,
    "contact_id": pl.Int64,
    "name": pl.String,
    "channel": pl.String,
    "address": pl.String,
    "language": pl.String,
    "place": pl.Int64,
    "stop": pl.String,
    "has_consent": pl.Boolean,
}
# The plan of a day: one row per account, currency and track, as collection keeps it (PlaybookAction).
# items: [{item_id, asked_mills, level, level_before, due_date}]; blocked: "" or the code that holds it back;
# reasons: [{code, params}] as in the worklist (core.reasons renders them). experiment_id, arm: of the
# experiment whose arm does the step, null and "" where none does.
PLANNED_ITEM = pl.Struct(
    {
        "item_id": pl.Int64,
        "asked_mills": pl.Int64,
        "level": pl.Int64,
        "level_before": pl.Int64,
        "due_date": pl.Date,
    }
)
PLAN: dict[str, pl.DataType | type[pl.DataType]] = {
    "account_id": pl.Int64,
    "currency": pl.String,
    "track": pl.String,
    "playbook_id": pl.Int64,
    "playbook": pl.String,
    "segment": pl.String,
    "step": pl.String,
    "level": pl.Int64,
    "channel": pl.String,
    "template": pl.String,
    "tone": pl.String,
    "mode": pl.String,
    "owner": pl.String,
    "purpose": pl.String,
    "contact_id": pl.Int64,
    "asked_mills": pl.Int64,
    "items": pl.List(PLANNED_ITEM),
    "blocked": pl.String,
    "reasons": pl.List(pl.Struct({"code": pl.String, "params": pl.String})),
    "experiment_id": pl.Int64,
    "arm": pl.String,
}
# How much of an item leaves dunning, and why: BLOCKS and what COVERS comes to, one row per item and reason.
# mills: at most the item's balance, never null. until_date, ref: null for covers of several sources.
LEFT_OUT = {
    "item_id": pl.Int64,
    "code": pl.String,
    "mills": pl.Int64,
    "until_date": pl.Date,
    "ref": pl.Int64,
}
# A whole account whose customer says that all is paid: more than anybody can owe.
_ALL = 1 << 53


def askable(
    items: pl.DataFrame, blocks: pl.DataFrame, covers: pl.DataFrame, as_of: date, rules: SendingRules
) -> pl.DataFrame:
    """ASKABLE: ``items`` with what may be asked of each on ``as_of`` and the codes of what may not.

    items: ITEMS, one row per open debit. blocks: BLOCKS that hold on ``as_of``; their until_date is told to
    people and decides nothing here. covers: COVERS. asked = balance - blocked - covered, never below 0.
    """
    assert items["item_id"].is_unique().all(), "one row per item"
    return with_asked(items, left_out(items, blocks, covers, rules))


def with_asked(items: pl.DataFrame, out: pl.DataFrame) -> pl.DataFrame:
    """ASKABLE from ITEMS and their LEFT_OUT."""
    taken = out.group_by("item_id").agg(
        pl.col("mills").sum().alias("out_mills"), pl.col("code").unique().sort().alias("codes")
    )
    return (
        items.select(*ITEMS)
        .join(taken, on="item_id", how="left", maintain_order="left")
        .with_columns(
            (pl.col("balance_mills") - pl.col("out_mills").fill_null(0))
            .clip(lower_bound=0)
            .alias("asked_mills"),
            pl.col("codes").fill_null(pl.lit([], dtype=pl.List(pl.String))),
        )
        .select(*ASKABLE)
    )


def left_out(
    items: pl.DataFrame, blocks: pl.DataFrame, covers: pl.DataFrame, rules: SendingRules
) -> pl.DataFrame:
    """LEFT_OUT of ``items``: blocks first, then covers of what is left."""
    blocked = _blocked(items, blocks, rules)
    if not covers.height:
        return blocked
    out = blocked.group_by("item_id").agg(pl.col("mills").sum().alias("out_mills"))
    covered = (
        items.join(covers.select("account_id").unique(), on="account_id", how="semi", maintain_order="left")
        .join(out, on="item_id", how="left", maintain_order="left")
        .select(
            "item_id", "account_id", "currency", "balance_mills", "due_date",
            (pl.col("balance_mills") - pl.col("out_mills").fill_null(0))
            .clip(lower_bound=0)
            .alias("free_mills"),
        )
    )  # fmt: skip
    return pl.concat([blocked, _covered(covered, covers)])


def _blocked(items: pl.DataFrame, blocks: pl.DataFrame, rules: SendingRules) -> pl.DataFrame:
    """Blocks as amounts: no amount, or a reason whose policy is so, takes the whole item."""
    balance = pl.col("balance_mills")
    whole = pl.col("mills").is_null() | pl.col("code").is_in(list(rules.blocks_whole_item))
    return (
        blocks.join(items.select("item_id", "balance_mills"), on="item_id", how="inner")
        .with_columns(
            pl.when(whole).then(balance).otherwise(pl.min_horizontal("mills", balance)).alias("mills")
        )
        .select(*LEFT_OUT)
        .filter(pl.col("mills") > 0)
        .sort("item_id", "code", "ref", nulls_last=True)
    )


def _covered(items: pl.DataFrame, covers: pl.DataFrame) -> pl.DataFrame:
    """What the money of each account could pay: an item of exactly that amount first, then the oldest.

    items: of accounts with covers only, with free_mills: what blocks have left of them.
    """
    covers = _of_currencies(items, covers)
    exact = pl.DataFrame(schema={"item_id": pl.Int64, "mills": pl.Int64})
    for amount in ("balance_mills", "free_mills"):
        open_items = items.filter(pl.col("free_mills") > 0).join(exact, on="item_id", how="anti")
        pairs = _equal_pairs(open_items, covers, amount)
        exact = pl.concat([exact, pairs.select("item_id", pl.col("free_mills").alias("mills"))])
        covers = covers.join(pairs.select("cover"), on="cover", how="anti")
    totals = covers.group_by("account_id", "currency").agg(pl.col("mills").sum().alias("cover_mills"))
    before = pl.col("free_mills").cum_sum().over("account_id", "currency") - pl.col("free_mills")
    oldest_first = (
        items.join(exact, on="item_id", how="anti")
        .join(totals, on=["account_id", "currency"], how="inner")
        .sort("account_id", "currency", "due_date", "item_id")
        .with_columns((pl.col("cover_mills") - before).clip(lower_bound=0).alias("rest_mills"))
        .select("item_id", pl.min_horizontal("free_mills", "rest_mills").alias("mills"))
    )
    return pl.concat([exact, oldest_first]).filter(pl.col("mills") > 0).sort("item_id").select(
        "item_id", pl.lit(CASH_FIRST).alias("code"), "mills",
        pl.lit(None, dtype=pl.Date).alias("until_date"), pl.lit(None, dtype=pl.Int64).alias("ref"),
    )  # fmt: skip


def _of_currencies(items: pl.DataFrame, covers: pl.DataFrame) -> pl.DataFrame:
    """Covers with a number and a currency each; one without a currency stands in each of its account."""
    numbered = covers.with_columns(pl.col("mills").fill_null(_ALL), pl.col("currency").fill_null("")).filter(
        pl.col("mills") > 0
    )
    owed = items.select("account_id", pl.col("currency").alias("owed")).unique()
    any_currency = (
        numbered.filter(pl.col("currency") == "")
        .join(owed, on="account_id", how="inner")
        .with_columns(pl.col("owed").alias("currency"))
        .select(numbered.columns)
    )
    return (
        pl.concat([numbered.filter(pl.col("currency") != ""), any_currency])
        .sort("account_id", "currency", "mills", "code", "ref", nulls_last=True)
        .with_row_index("cover")
        .select("cover", "account_id", "currency", "mills")
    )


def _equal_pairs(items: pl.DataFrame, covers: pl.DataFrame, amount: str) -> pl.DataFrame:
    """cover, item_id, free_mills: of equal amounts the first cover goes with the oldest item."""
    key = ["account_id", "currency", "mills"]
    ranked = (
        items.with_columns(pl.col(amount).alias("mills"))
        .sort("due_date", "item_id")
        .with_columns(pl.int_range(pl.len()).over(key).alias("nth"))
    )
    return (
        covers.with_columns(pl.int_range(pl.len()).over(key).alias("nth"))
        .join(ranked, on=[*key, "nth"], how="inner")
        .select("cover", "item_id", "free_mills")
    )
