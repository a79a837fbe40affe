"""Whom to contact, how and why: the ranked worklist."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import polars as pl

from saldo.analytics.ranking import DATED, VALUE, WAIT, Desk, rank
from saldo.core.playbook import CALL, EMAIL, OVERDUE, SOON, WRITTEN
from saldo.core.priors import NO_ACTION, PriorityPrior, default_priors
from saldo.core.sending import NO_ADDRESS
from saldo.flows.facts import Facts
from saldo.flows.plan_outreach import Outreach, nothing_to_ask


def plan_actions(
    facts: Facts,
    forecasts: pl.DataFrame,
    currency: str,
    outreach: Outreach | None = None,
    desk: Desk | None = None,
) -> pl.DataFrame:
    """RANKING_SCHEMA with account_id and open_mills; ``currency`` is the company's.

    What a contact would not pay for is left to wait, but not forgotten: an account that is overdue and that
    nobody contacted for the stated days comes back for review. outreach: what playbooks do today; to whom
    they write nobody needs to write besides, and what they leave to people comes first; and what may be asked
    of each item, which is what an action is worth. desk: what people did, learnt and have time for.
    """
    prior = default_priors().priority
    dated, written = facts.dated, None
    # What the bank is collecting is owed and counts in the totals, but nobody is asked for it.
    asked = forecasts.join(facts.in_flight, on="item_id", how="anti")
    if outreach is not None:
        dated = pl.concat([dated, _left_to_people(outreach.plan, facts.as_of, prior)])
        asked = _with_asked(_without_settled(asked, outreach, dated), outreach)
        written = outreach.written
    ranked = _ranked(asked, facts, dated, prior, currency, desk)
    if written is not None and (waiting := _being_written(ranked, written)).height:
        others = asked.join(waiting, on=["account_id", "currency"], how="anti")
        ranked = _renumbered([_ranked(others, facts, dated, prior, currency, desk), waiting])
    opened = forecasts.group_by("account_id", "currency").agg(
        pl.col("balance_mills").sum().alias("open_mills")
    )
    return ranked.join(opened, on=["account_id", "currency"], how="left", maintain_order="left")


def _ranked(
    asked: pl.DataFrame,
    facts: Facts,
    dated: pl.DataFrame,
    prior: PriorityPrior,
    currency: str,
    desk: Desk | None,
) -> pl.DataFrame:
    ranked = rank(asked, facts.as_of, prior, dated, currency, desk=desk)
    reviews = _reviews(ranked, facts, prior)
    if reviews.is_empty():
        return ranked
    reviewed = rank(asked, facts.as_of, prior, pl.concat([dated, reviews]), currency, desk=desk)
    return _with_reviews(ranked, reviewed, reviews["account_id"])


def _left_to_people(plan: pl.DataFrame, as_of: date, prior: PriorityPrior) -> pl.DataFrame:
    """account_id, code, date: calls and tasks of playbooks, and whom they could not write to, where it is
    about more than the minimum."""
    is_person = ~pl.col("channel").is_in(list(WRITTEN)) & (pl.col("blocked") == "")
    code = (
        pl.when(is_person & (pl.col("channel") == CALL)).then(pl.lit("playbook_call"))
        .when(is_person).then(pl.lit("playbook_task"))
        .when(pl.col("blocked") == NO_ADDRESS).then(pl.lit(NO_ADDRESS))
    )  # fmt: skip
    asked_late = is_person | (pl.col("track") == OVERDUE)
    worth = asked_late & (pl.col("asked_mills") >= prior.minimum_overdue_mills)
    return plan.filter(worth & code.is_not_null()).select(
        "account_id", code.alias("code"), pl.lit(as_of).alias("date")
    )


def _without_settled(asked: pl.DataFrame, outreach: Outreach, dated: pl.DataFrame) -> pl.DataFrame:
    """Items of which nothing is left to ask leave the ranking, unless their account needs a person anyway."""
    settled = nothing_to_ask(outreach.left_out, outreach.items)
    needs_person = pl.col("account_id").is_in(dated["account_id"].implode())
    return asked.filter(needs_person | ~pl.col("item_id").is_in(settled["item_id"].implode()))


def _with_asked(asked: pl.DataFrame, outreach: Outreach) -> pl.DataFrame:
    """With asked_mills: what of each item may be asked."""
    return asked.join(
        outreach.items.select("item_id", "asked_mills"), on="item_id", how="left", maintain_order="left"
    ).with_columns(pl.coalesce("asked_mills", "balance_mills").alias("asked_mills"))


def _being_written(ranked: pl.DataFrame, written: pl.DataFrame) -> pl.DataFrame:
    """Rows that would suggest a message where one goes out today about the same: they wait, and say so."""
    track = pl.when(pl.col("overdue_mills") > 0).then(pl.lit(OVERDUE)).otherwise(pl.lit(SOON))
    found = (
        ranked.filter((pl.col("block") == VALUE) & (pl.col("action") == EMAIL))
        .with_columns(track.alias("track"))
        .join(written, on=["account_id", "track"], how="inner", maintain_order="left")
    )
    code = pl.when(pl.col("step") == "").then(pl.lit("message_sent")).otherwise(pl.lit("message_planned"))
    told = pl.struct(code.alias("code"), pl.struct("channel", "step").struct.json_encode().alias("params"))
    zero = [pl.lit(0.0).alias("minutes"), *(pl.lit(0, pl.Int64).alias(name) for name in _VALUES)]
    first = pl.concat_list(told, pl.col("reasons").list.filter(_is_situation()))
    return found.with_columns(
        pl.lit(WAIT).alias("block"), pl.lit(NO_ACTION).alias("action"), first.alias("reasons"), *zero
    ).select(ranked.columns)


_VALUES = ("value_mills", "value_per_minute_mills")


def _is_pause() -> pl.Expr:
    return pl.element().struct.field("code").is_in(["skipped", "contacted_lately"])


def _is_situation() -> pl.Expr:
    return pl.element().struct.field("code").is_in(["situation", "insufficient_history", "courtesy_check"])


def _with_reviews(ranked: pl.DataFrame, reviewed: pl.DataFrame, accounts: pl.Series) -> pl.DataFrame:
    """The reviews after what is worth a minute, before what waits: they must not push it down."""
    due = pl.col("account_id").is_in(accounts.implode())
    parts = [
        ranked.filter(~due & (pl.col("block") != WAIT)),
        reviewed.filter(due).with_columns(pl.lit(VALUE).alias("block")),
        ranked.filter(~due & (pl.col("block") == WAIT)),
    ]
    return _renumbered(parts)


def _renumbered(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The parts one after the other, by currency, with their ranks and minutes told anew."""
    return (
        pl.concat(parts)
        .sort("currency", maintain_order=True)
        .with_columns(
            pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over("currency").alias("rank"),
            pl.col("minutes").cum_sum().over("currency").alias("cumulative_minutes"),
        )
    )


def _reviews(ranked: pl.DataFrame, facts: Facts, prior: PriorityPrior) -> pl.DataFrame:
    """Waiting accounts whose last contact (or first overdue day) lies the stated days back; not those that
    somebody passed over, or contacted, and that wait for that."""
    since = pl.max_horizontal(
        pl.lit(facts.as_of) - pl.duration(days=pl.col("oldest_days")), pl.col("last_contact")
    ).cast(pl.Date)
    return (
        ranked.filter((pl.col("block") == WAIT) & ~pl.col("reasons").list.eval(_is_pause()).list.any())
        .filter(~pl.col("account_id").is_in(ranked.filter(pl.col("block") == DATED)["account_id"].implode()))
        .join(facts.contacts, on="account_id", how="left")
        .select("account_id", pl.lit("review_due").alias("code"), since.alias("date"))
        .filter(pl.col("date") <= facts.as_of - timedelta(days=prior.review_days))
        .unique("account_id", keep="first", maintain_order=True)
    )
