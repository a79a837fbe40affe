"""What keeps amounts out of dunning: promises, disputes, plans, holds, what the bank is collecting, what may
be paid already. Read for a whole portfolio at once, as of a day and as known at an instant.

    blocks              BLOCKS: amounts of items, and why
    covers              COVERS: money that could cover what an account owes
    booked_until        the day to which the bank statements reach
    account_states      whether an account has a promise, a dispute, a plan

docs/rules/promises.md says what each takes, docs/rules/playbooks.md what follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import polars as pl

from saldo.analytics.askable import BLOCKS, COVERS
from saldo.cash.claims import claim_parts
from saldo.cash.collections import in_flight
from saldo.cash.expected import announced, reached_until, waiting_amounts, waiting_lines, waiting_parts
from saldo.collection.holds import holds_in_force
from saldo.core.context import Context
from saldo.core.promises import OPEN, UNKEPT
from saldo.core.sending import (
    CASH_FIRST,
    DISPUTED,
    HELD,
    IN_FLIGHT,
    PLANNED,
    PROMISED,
    SendingRules,
)
from saldo.disputes.queries import deduction_parts, dispute_parts
from saldo.flows.judged_promises import judgements
from saldo.ledger.owed import balances, open_debits
from saldo.ledger.queries import open_items
from saldo.promises.queries import plan_parts, promise_parts

UNAPPLIED, CREDIT_NOTE, ANNOUNCED, CLAIMED, BANK_LINE = (
    "unapplied", "credit_note", "announced", "claimed", "bank_line",
)  # fmt: skip
STATES = {
    "account_id": pl.Int64,
    "promise": pl.String,
    "has_dispute": pl.Boolean,
    "has_plan": pl.Boolean,
}
Accounts = Sequence[int] | None


def booked_until(ctx: Context) -> date | None:
    """The day to which the statements of the company's accounts reach; None: there is none.

    Of several accounts into which customers pay, the one that reaches least far decides.
    """
    return reached_until(ctx)


def blocks(
    ctx: Context,
    rules: SendingRules,
    account_ids: Accounts = None,
    items: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """BLOCKS that hold on the context's day. Of one reason and item the amounts never exceed its balance.

    items: the ledger's open items (of those accounts), where the caller has them already.
    """
    until = booked_until(ctx)
    owed = open_debits(ctx, account_ids) if items is None else items.filter(pl.col("balance_mills") > 0)
    debits = owed.select("item_id", "account_id", "currency", "due_date", "balance_mills")
    each = [
        _promised(ctx, rules, until, debits, account_ids),
        _planned(ctx, debits, account_ids),
        _disputed(ctx, debits, account_ids),
        _held(ctx, debits, account_ids),
        _in_flight(ctx, debits, account_ids),
        _claimed(ctx, debits, account_ids),
        _arrived(ctx, debits, account_ids),
    ]
    return pl.concat([frame.select(*BLOCKS) for frame in each])


def covers(ctx: Context, account_ids: Accounts = None, items: pl.DataFrame | None = None) -> pl.DataFrame:
    """COVERS of accounts. items: the ledger's open items, where the caller has them already."""
    credits = (open_items(ctx, account_ids=account_ids) if items is None else items).filter(
        pl.col("balance_mills") < 0
    )
    money = pl.col("kind").replace_strict(
        {"payment": UNAPPLIED, "provisional_payment": UNAPPLIED, "credit_note": CREDIT_NOTE}, default=None
    )
    of_ledger = credits.with_columns(
        code=money, mills=-pl.col("balance_mills"), ref=pl.col("item_id")
    ).filter(pl.col("code").is_not_null())
    nameless = claim_parts(ctx, account_ids).filter(pl.col("item_id").is_null())
    found = pl.concat(
        [
            of_ledger.select(*COVERS),
            nameless.with_columns(code=pl.lit(CLAIMED), ref=pl.col("claim_id")).select(*COVERS),
            announced(ctx, account_ids).with_columns(code=pl.lit(ANNOUNCED)).select(*COVERS),
            waiting_lines(ctx, account_ids).with_columns(code=pl.lit(BANK_LINE)).select(*COVERS),
        ]
    )
    return found if account_ids is None else found.filter(pl.col("account_id").is_in(list(account_ids)))


def account_states(ctx: Context, rules: SendingRules, account_ids: Accounts = None) -> pl.DataFrame:
    """STATES of the accounts that have any. promise: "open" (one is waited for), "broken" (none is, and of
    one that was not kept, or in part only, something is still owed) or "none"."""
    judged = judgements(ctx, account_ids, rules).filter(pl.col("left_mills") > 0)
    is_open = (pl.col("state") == OPEN) & (pl.col("ended") == "")
    promises = (
        judged.filter(is_open | pl.col("state").is_in(list(UNKEPT)))
        .group_by("account_id")
        .agg(promise=pl.when(is_open.any()).then(pl.lit("open")).otherwise(pl.lit("broken")))
    )
    disputes = pl.concat([dispute_parts(ctx, account_ids), deduction_parts(ctx, account_ids)])
    still = balances(ctx, disputes["item_id"].unique().to_list()).filter(pl.col("balance_mills") > 0)
    disputed = disputes.join(still, on="item_id", how="semi").select("account_id", has_dispute=pl.lit(True))
    planned = _remaining(ctx, plan_parts(ctx, account_ids)).select("account_id", has_plan=pl.lit(True))
    keys = pl.concat([frame.select("account_id") for frame in (promises, disputed, planned)]).unique()
    return (
        keys.join(promises, on="account_id", how="left")
        .join(disputed.unique(), on="account_id", how="left")
        .join(planned.unique(), on="account_id", how="left")
        .with_columns(pl.col("promise").fill_null("none"), pl.col("has_dispute", "has_plan").fill_null(False))
        .select(*STATES)
        .sort("account_id")
    )


# --- one reason each --------------------------------------------------------------------------------


def _remaining(ctx: Context, parts: pl.DataFrame) -> pl.DataFrame:
    """The parts of which something is still expected, with ``mills`` (core.promises.remaining_mills)."""
    now = balances(ctx, parts["item_id"].unique().to_list()).select("item_id", "balance_mills")
    return _with_remaining(parts.join(now, on="item_id"))


def _with_remaining(parts: pl.DataFrame) -> pl.DataFrame:
    paid = (pl.col("before_mills") - pl.col("balance_mills")).clip(lower_bound=0)
    left = (pl.col("amount_mills") - paid).clip(lower_bound=0)
    return parts.with_columns(mills=pl.min_horizontal(left, pl.col("balance_mills"))).filter(
        pl.col("mills") > 0
    )


def _is_waited_for(ctx: Context, rules: SendingRules, until: date | None) -> pl.Expr:
    """core.promises.is_waited_for, for a column of promised days."""
    last = pl.col("promised_date") + timedelta(days=rules.promise_tolerance_days)
    in_time = last >= ctx.as_of
    return in_time if until is None else in_time | (last > until)


def _promised(
    ctx: Context, rules: SendingRules, until: date | None, debits: pl.DataFrame, account_ids: Accounts
) -> pl.DataFrame:
    parts = promise_parts(ctx, account_ids).join(debits.select("item_id", "balance_mills"), on="item_id")
    waited = _with_remaining(parts).filter(_is_waited_for(ctx, rules, until))
    return waited.with_columns(
        code=pl.lit(PROMISED),
        until_date=pl.col("promised_date") + timedelta(days=rules.promise_tolerance_days),
        ref=pl.col("promise_id"),
    )


def _planned(ctx: Context, debits: pl.DataFrame, account_ids: Accounts) -> pl.DataFrame:
    """A plan that was not ended covers what is left of its items, late or not: it falls by its own rule."""
    parts = plan_parts(ctx, account_ids).join(debits.select("item_id", "balance_mills"), on="item_id")
    return _with_remaining(parts).with_columns(
        code=pl.lit(PLANNED), until_date=pl.col("last_date"), ref=pl.col("plan_id")
    )


def _disputed(ctx: Context, debits: pl.DataFrame, account_ids: Accounts) -> pl.DataFrame:
    """Disputes, and what short payments kept back. Together never more than the item's balance: the dispute
    comes first, since a deduction is often its first sign."""
    parts = pl.concat([dispute_parts(ctx, account_ids), deduction_parts(ctx, account_ids)])
    joined = parts.join(debits.select("item_id", "balance_mills"), on="item_id", maintain_order="left")
    before = pl.col("amount_mills").cum_sum().over("item_id") - pl.col("amount_mills")
    free = (pl.col("balance_mills") - before).clip(lower_bound=0)
    return (
        joined.with_columns(mills=pl.min_horizontal(pl.col("amount_mills"), free))
        .filter(pl.col("mills") > 0)
        .with_columns(code=pl.lit(DISPUTED), until_date=pl.lit(None, pl.Date))
    )


def _held(ctx: Context, debits: pl.DataFrame, account_ids: Accounts) -> pl.DataFrame:
    """The whole of the items: of a hold of the account, of all that it owes."""
    holds = holds_in_force(ctx, account_ids)
    whole = holds.filter(pl.col("item_id").is_null()).drop("item_id").join(debits, on="account_id")
    single = holds.filter(pl.col("item_id").is_not_null()).join(
        debits.select("item_id"), on="item_id", how="semi"
    )
    columns = ("item_id", "until_date", "hold_id")
    return (
        pl.concat([whole.select(columns), single.select(columns)])
        .sort("item_id", "until_date", "hold_id")
        .unique("item_id", keep="last", maintain_order=True)
        .with_columns(code=pl.lit(HELD), mills=pl.lit(None, pl.Int64), ref=pl.col("hold_id"))
    )


def _in_flight(ctx: Context, debits: pl.DataFrame, account_ids: Accounts) -> pl.DataFrame:
    wanted = None if account_ids is None else debits["item_id"].to_list()
    collecting = in_flight(ctx, wanted).join(debits.select("item_id"), on="item_id", how="semi")
    return collecting.with_columns(
        code=pl.lit(IN_FLIGHT), mills=pl.lit(None, pl.Int64), until_date=pl.lit(None, pl.Date),
        ref=pl.lit(None, pl.Int64),
    )  # fmt: skip


def _claimed(ctx: Context, debits: pl.DataFrame, account_ids: Accounts) -> pl.DataFrame:
    """Items that the customer says it has paid: whole, or, where it states an amount, that amount on the
    claim's items, what falls due first in front."""
    parts = claim_parts(ctx, account_ids).filter(pl.col("item_id").is_not_null())
    joined = parts.join(debits.select("item_id", "due_date", "balance_mills"), on="item_id")
    joined = joined.sort("claim_id", "due_date", "item_id")
    before = pl.col("balance_mills").cum_sum().over("claim_id") - pl.col("balance_mills")
    left = (pl.col("mills") - before).clip(lower_bound=0)
    spread = pl.when(pl.col("mills").is_null()).then(None).otherwise(
        pl.min_horizontal(left, pl.col("balance_mills"))
    )  # fmt: skip
    return (
        joined.with_columns(mills=spread)
        .filter(pl.col("mills").is_null() | (pl.col("mills") > 0))
        .with_columns(code=pl.lit(CASH_FIRST), until_date=pl.lit(None, pl.Date), ref=pl.col("claim_id"))
    )


def _arrived(ctx: Context, debits: pl.DataFrame, account_ids: Accounts) -> pl.DataFrame:
    """What bank lines that wait at the cash desk seem to pay of single items: the money is here already."""
    named = waiting_parts(ctx, account_ids).select("item_id", "mills", "ref")
    parts = pl.concat([named, _alike(ctx, debits)]).join(
        debits.select("item_id", "balance_mills"), on="item_id"
    )
    return (
        parts.group_by("item_id", maintain_order=True)
        .agg(pl.col("mills").sum(), pl.col("balance_mills").first(), pl.col("ref").first())
        .sort("item_id")
        .with_columns(
            mills=pl.min_horizontal("mills", "balance_mills"), code=pl.lit(CASH_FIRST),
            until_date=pl.lit(None, pl.Date),
        )
    )  # fmt: skip


def _alike(ctx: Context, debits: pl.DataFrame) -> pl.DataFrame:
    """item_id, mills, ref: items of exactly the amount of a line of which nobody knows what it pays. For the
    account whose line it seems to be it counts as money that could cover (``covers``)."""
    lines = waiting_amounts(ctx).rename({"account_id": "payer_id"})
    return (
        debits.join(lines, left_on=["balance_mills", "currency"], right_on=["mills", "currency"], how="inner")
        .filter(pl.col("payer_id").is_null() | (pl.col("payer_id") != pl.col("account_id")))
        .select("item_id", pl.col("balance_mills").alias("mills"), "ref")
        .sort("item_id", "ref")
    )
