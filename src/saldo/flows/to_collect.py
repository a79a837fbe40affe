"""What accounts owe, and what of it may be asked for today: "outstanding" and "to be collected".

    outstanding   all that is open (debits), whatever its due date
    to collect    what is due by the day, less what is promised, disputed, in a plan, held, on its way through
                  the bank or perhaps paid already

docs/rules/promises.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from saldo.analytics.askable import ITEMS, left_out
from saldo.core.context import Context
from saldo.core.money import from_mills
from saldo.core.sending import DISPUTED, PLANNED, PROMISED
from saldo.flows import blocks as blocking
from saldo.ledger.queries import open_items
from saldo.outreach.settings import rules_of

TO_COLLECT = {
    "account_id": pl.Int64,
    "currency": pl.String,
    "outstanding_mills": pl.Int64,
    "due_mills": pl.Int64,
    "promised_mills": pl.Int64,
    "disputed_mills": pl.Int64,
    "planned_mills": pl.Int64,
    "other_mills": pl.Int64,
    "to_collect_mills": pl.Int64,
}
_NAMED = {PROMISED: "promised_mills", DISPUTED: "disputed_mills", PLANNED: "planned_mills"}


@dataclass(frozen=True, slots=True)
class Collectable:
    """Of one account and currency. due: by the day. The parts are of what is due; other: held, in flight, or
    perhaps paid. to_collect = due - what of each item is left out, never below 0 for an item."""

    currency: str
    outstanding: Decimal
    due: Decimal
    promised: Decimal
    disputed: Decimal
    planned: Decimal
    other: Decimal
    to_collect: Decimal


def to_collect(ctx: Context, account_ids: Sequence[int] | None = None) -> pl.DataFrame:
    """TO_COLLECT of the company's accounts (or of some) that owe anything, at both clocks of the context."""
    assert ctx.company_id is not None, "accounts of one company"
    rules = rules_of(ctx.company_id, ctx.known_at)
    owed = open_items(ctx, account_ids=account_ids)
    debits = owed.filter(pl.col("balance_mills") > 0)
    none = [pl.lit(None, dtype=kind).alias(name) for name, kind in ITEMS.items() if name not in debits]
    items = debits.with_columns(none).select(*ITEMS)
    blocked = blocking.blocks(ctx, rules, account_ids, owed)
    out = left_out(items, blocked, blocking.covers(ctx, account_ids, owed), rules)
    named = pl.col("code").replace_strict(_NAMED, default="other_mills")
    parts = out.with_columns(part=named).group_by("item_id").agg(
        *(pl.col("mills").filter(pl.col("part") == name).sum().alias(name) for name in _PARTS),
        pl.col("mills").sum().alias("out_mills"),
    )  # fmt: skip
    each = items.join(parts, on="item_id", how="left").with_columns(
        pl.col(*_PARTS, "out_mills").fill_null(0), is_due=pl.col("due_date") <= ctx.as_of
    )
    balance, is_due = pl.col("balance_mills"), pl.col("is_due")
    asked = (balance - pl.col("out_mills")).clip(lower_bound=0)
    return (
        each.group_by("account_id", "currency")
        .agg(
            balance.sum().alias("outstanding_mills"),
            balance.filter(is_due).sum().alias("due_mills"),
            *(pl.col(name).filter(is_due).sum() for name in _PARTS),
            asked.filter(is_due).sum().alias("to_collect_mills"),
        )
        .select(*TO_COLLECT)
        .sort("account_id", "currency")
    )


_PARTS = (*_NAMED.values(), "other_mills")


def collectable(ctx: Context, account_id: int) -> dict[str, Collectable]:
    """By currency, for the account's page. The caller has checked the account's scope."""
    columns = [name for name in TO_COLLECT if name.endswith("_mills")]
    return {
        row["currency"]: Collectable(row["currency"], *(from_mills(row[name]) for name in columns))
        for row in to_collect(ctx, [account_id]).iter_rows(named=True)
    }
