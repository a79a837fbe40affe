"""The plan of a day: for every account which step of which playbook, about what, by which way, and why.

Frames in, a frame out; the page of the rules with a worked example: docs/rules/playbooks.md.
"""

from __future__ import annotations

from datetime import date

import polars as pl

from saldo.analytics.askable import ITEMS, LEFT_OUT, PLAN
from saldo.analytics.playbook_arms import ENTRANTS, Trials, entrants, with_arms, with_marks
from saldo.analytics.playbook_messages import KEY, messages
from saldo.analytics.playbook_pauses import Pauses, with_floor, with_pauses
from saldo.analytics.playbook_segments import Numbered, assign
from saldo.analytics.playbook_steps import Day, due_steps, step_table
from saldo.analytics.playbook_told import left_out_sums, playbook_titles, with_reasons
from saldo.analytics.playbook_ways import capped, channel_options, choose_ways
from saldo.core.calendar import add_banking_days
from saldo.core.playbook import OVERDUE, SOON, WRITTEN
from saldo.core.sending import (
    BELOW_MINIMUM,
    BEYOND_STATEMENT,
    NO_ADDRESS,
    NOT_LIVE,
    REPLY_WAITING,
    TERM_RUNNING,
    SendingRules,
)


def plan(
    playbooks: Numbered,
    accounts: pl.DataFrame,
    askable_items: pl.DataFrame,
    sent: pl.DataFrame,
    ways: pl.DataFrame,
    as_of: date,
    booked_until: date | None,
    rules: SendingRules,
    is_live: bool,
    left_out: pl.DataFrame | None = None,
    pauses: Pauses | None = None,
    trials: Trials | None = None,
) -> pl.DataFrame:
    """PLAN of ``as_of``: one row per account, currency and track for which a step is due.

    playbooks: their versions' ids with them. accounts: ACCOUNTS; askable_items: ASKABLE; sent: SENT (a
    contact that a person made stands there with channel "call"); ways: WAYS. booked_until: the last day that
    the bank's statements (or the ERP's lists) tell, None where nothing says. is_live: the company sends. What
    is held back is kept with the code in ``blocked``. left_out: LEFT_OUT, for the reasons. pauses: what
    makes reminders wait; None: nothing does. trials: experiments of the day; None: every step as written.
    """
    pauses, trials = pauses or Pauses(), trials or Trials()
    assigned = with_marks(assigned_accounts(playbooks, accounts), trials)
    playbooks = with_arms(playbooks, trials)
    if not assigned.height:
        return pl.DataFrame(schema=PLAN)
    known = as_of if booked_until is None else min(as_of, booked_until)
    day = Day(as_of, known, rules.grace_days)
    steps = step_table(playbooks)
    due = due_steps(playbooks, assigned, askable_items, _contacted(sent), day)
    due = with_floor(due, steps, assigned, pauses)
    found = messages(due, steps, assigned).join(steps, on=["step_no", "track"], how="left")
    chosen = choose_ways(found, channel_options(playbooks), ways, rules)
    rows = (
        found.drop("channel")
        .join(chosen, on=KEY, how="left")
        .join(_of_playbook(assigned, playbooks), on=["account_id", "currency"], how="left")
        .with_columns(
            pl.col("missed").is_null().or_(pl.col("channel") != pl.col("wanted")).alias("contact_found"),
            pl.lit(known).alias("booked_until"),
            pl.col("channel").is_in(list(WRITTEN)).alias("is_written"),
        )
    )
    rows = with_pauses(rows, pauses)
    is_beyond = booked_until is not None and as_of > add_banking_days(booked_until, rules.statement_lag_days)
    rows = _with_caps(rows.with_columns(_held(is_live, is_beyond).alias("blocked")), sent, as_of, rules)
    out = pl.DataFrame(schema=LEFT_OUT) if left_out is None else left_out
    sums = left_out_sums(out, askable_items.select(*ITEMS), *_windows(steps, day))
    return with_reasons(rows, sums).sort(KEY).select(*PLAN).cast(pl.Schema(PLAN))


def assigned_accounts(playbooks: Numbered, accounts: pl.DataFrame) -> pl.DataFrame:
    """ACCOUNTS that some playbook is for, with ASSIGNED (its segment as segment_of). Nothing is ever asked of
    the insolvent."""
    solvent = accounts.filter(~pl.col("is_insolvent").fill_null(False))
    return solvent.join(
        assign(playbooks, solvent).rename({"segment": "segment_of"}),
        on=["account_id", "currency"],
        how="inner",
    )


def newcomers(
    playbooks: Numbered,
    accounts: pl.DataFrame,
    askable_items: pl.DataFrame,
    sent: pl.DataFrame,
    as_of: date,
    booked_until: date | None,
    rules: SendingRules,
    pauses: Pauses,
    trials: Trials,
) -> pl.DataFrame:
    """ENTRANTS of the day into its experiments; parameters as of ``plan``. Nobody comes in while statements
    are too old to tell who has paid."""
    if booked_until is not None and as_of > add_banking_days(booked_until, rules.statement_lag_days):
        return pl.DataFrame(schema=ENTRANTS)
    known = as_of if booked_until is None else min(as_of, booked_until)
    day = Day(as_of, known, rules.grace_days)
    assigned = assigned_accounts(playbooks, accounts)
    return entrants(playbooks, trials, assigned, askable_items, _contacted(sent), pauses, day)


def _of_playbook(assigned: pl.DataFrame, playbooks: Numbered) -> pl.DataFrame:
    """What a row says of its account: the playbook, its segment and title, and why it is that one."""
    named = assigned.drop("segment").rename({"segment_of": "segment"})
    return named.join(playbook_titles(playbooks), on="place", how="left").drop("place")


def _windows(steps: pl.DataFrame, day: Day) -> tuple[pl.Expr, pl.Expr]:
    """Whether an item is overdue, and whether it falls due soon enough for some step."""
    earliest = steps.filter(pl.col("track") == SOON)["day"].min()
    late = (pl.lit(day.known) - pl.col("due_date")).dt.total_days() > day.grace_days
    left = (pl.lit(day.as_of) - pl.col("due_date")).dt.total_days()
    return late, pl.lit(False) if earliest is None else left.is_between(pl.lit(earliest), 0)


def _contacted(sent: pl.DataFrame) -> pl.DataFrame:
    """account_id, last_call (by a person), last_soon (the last message about what falls due soon)."""
    is_written = pl.col("channel").is_in(list(WRITTEN))
    return sent.group_by("account_id").agg(
        pl.col("date").filter(~is_written).max().alias("last_call"),
        pl.col("date").filter(is_written & (pl.col("track") == SOON)).max().alias("last_soon"),
    )


def _held(is_live: bool, is_beyond: bool) -> pl.Expr:
    """What holds a row back before any cap is asked; calls and tasks are for people, live or not."""
    late = pl.col("track") == OVERDUE
    return (
        pl.when(pl.col("is_written") & pl.lit(not is_live)).then(pl.lit(NOT_LIVE))
        .when(late & pl.lit(is_beyond)).then(pl.lit(BEYOND_STATEMENT))
        .when(pl.col("since_reply").is_not_null()).then(pl.lit(REPLY_WAITING))
        .when(pl.col("until_term").is_not_null()).then(pl.lit(TERM_RUNNING))
        .when("below_minimum").then(pl.lit(BELOW_MINIMUM))
        .when(pl.col("is_written") & ~pl.col("contact_found")).then(pl.lit(NO_ADDRESS))
        .otherwise(pl.lit(""))
    )  # fmt: skip


def _with_caps(rows: pl.DataFrame, sent: pl.DataFrame, as_of: date, rules: SendingRules) -> pl.DataFrame:
    free = rows.filter((pl.col("blocked") == "") & pl.col("is_written"))
    held = capped(free.select(*KEY, "contact_id", "address", "asked_mills"), sent, as_of, rules)
    return (
        rows.join(held, on=KEY, how="left", maintain_order="left")
        .with_columns(pl.coalesce("cap", "blocked").alias("blocked"))
        .drop("cap")
    )
