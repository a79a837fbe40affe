"""Experiments in the plan of a day: each account gets the step in its own arm, and whoever the step comes
due for the first time is noted, the same way for all arms. docs/rules/experiments.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace

import polars as pl

from saldo.analytics.playbook_messages import messages
from saldo.analytics.playbook_pauses import Pauses, with_floor, with_pauses
from saldo.analytics.playbook_segments import Numbered
from saldo.analytics.playbook_steps import Day, Variant, due_steps, step_table
from saldo.core.experiments import Running
from saldo.core.playbook import CONTROL, Playbook, Step
from saldo.core.playbook_text import step_text

# The arm of each account in each experiment.
ARMS = {"account_id": pl.Int64, "experiment_id": pl.Int64, "customer_id": pl.Int64, "arm": pl.String}
ENTERED_ITEM = pl.Struct({"item_id": pl.Int64, "asked_mills": pl.Int64})
# Customers for whom the step of an experiment came due on a day: one row per experiment and customer.
ENTRANTS: dict[str, pl.DataType | type[pl.DataType]] = {
    "experiment_id": pl.Int64,
    "customer_id": pl.Int64,
    "account_id": pl.Int64,
    "currency": pl.String,
    "arm": pl.String,
    "items": pl.List(ENTERED_ITEM),
}


@dataclass(frozen=True, slots=True)
class Trials:
    """running: experiments that give arms on the day. arms: ARMS. entered: experiment_id, customer_id of
    those who came in before."""

    running: tuple[Running, ...] = ()
    arms: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=ARMS))
    entered: pl.DataFrame = field(
        default_factory=lambda: pl.DataFrame(schema={"experiment_id": pl.Int64, "customer_id": pl.Int64})
    )


def applying(playbooks: Numbered, running: Sequence[Running]) -> dict[tuple[str, str], Running]:
    """(playbook, step) -> the experiment whose step stands in a playbook as it stood when it began."""
    steps = {(book.code, step.code): step for _, book in playbooks for step in book.steps if step.arms}
    return {
        (each.playbook, each.step): each
        for each in running
        if (step := steps.get((each.playbook, each.step))) is not None and step_text(step) == each.step_text
    }


def with_arms(playbooks: Numbered, trials: Trials) -> list[tuple[int, Playbook]]:
    """Playbooks with the steps of experiments in all their arms, each for the accounts of that arm."""
    found = applying(playbooks, trials.running)
    return [
        (version, replace(book, steps=tuple(v for s in book.steps for v in _variants(book, s, found))))
        for version, book in playbooks
    ]


def _variants(book: Playbook, step: Step, found: dict[tuple[str, str], Running]) -> list[Step]:
    experiment = found.get((book.code, step.code))
    if experiment is None:
        return [step]
    made = [_variant(replace(step, arms=()), experiment.id, CONTROL, _marks(experiment))]
    for arm in step.arms:
        made.append(_variant(step.done_as(arm), experiment.id, arm.code, (mark(experiment.id, arm.code),)))
    return made


def _variant(step: Step, experiment_id: int, arm: str, marks: tuple[str, ...]) -> Step:
    own = {each.name: getattr(step, each.name) for each in fields(Step)}
    return Variant(**own, experiment_id=experiment_id, arm_code=arm, marks=marks)


def _marks(experiment: Running) -> tuple[str, ...]:
    """Accounts of none of these get the step as it is written, also those that are in no arm."""
    return tuple(mark(experiment.id, arm) for arm in experiment.arms if arm != CONTROL)


def mark(experiment_id: int, arm: str) -> str:
    return f"{experiment_id}:{arm}"


def with_marks(accounts: pl.DataFrame, trials: Trials) -> pl.DataFrame:
    """ACCOUNTS with ``marks``: the arms that they are in."""
    marks = trials.arms.group_by("account_id").agg(
        pl.concat_str(pl.col("experiment_id").cast(pl.String), pl.lit(":"), pl.col("arm")).alias("marks")
    )
    return accounts.join(marks, on="account_id", how="left", maintain_order="left").with_columns(
        pl.col("marks").fill_null(pl.lit([], dtype=pl.List(pl.String)))
    )


def entrants(
    playbooks: Numbered,
    trials: Trials,
    assigned: pl.DataFrame,
    items: pl.DataFrame,
    contacted: pl.DataFrame,
    pauses: Pauses,
    day: Day,
) -> pl.DataFrame:
    """ENTRANTS: customers for whom a message of an experiment's step is due today and never was.

    Whether it is due does not depend on the arm: it is asked of the step as the earliest arm does it. What
    keeps a message back for other reasons than a pause of reminders is not asked.
    """
    found = applying(playbooks, trials.running)
    if not found or not trials.arms.height:
        return pl.DataFrame(schema=ENTRANTS)
    neutral = [
        (version, replace(book, steps=tuple(_earliest(book, step, found) for step in book.steps)))
        for version, book in playbooks
    ]
    waiting = trials.arms.join(trials.entered, on=["experiment_id", "customer_id"], how="anti")
    concerned = assigned.join(waiting.select("account_id").unique(), on="account_id", how="semi")
    steps = step_table(neutral)
    due = with_floor(due_steps(neutral, concerned, items, contacted, day), steps, concerned, pauses)
    rows = messages(due, steps, concerned).join(steps, on=["step_no", "track"], how="left").join(
        concerned.select("account_id", "currency", "playbook"), on=["account_id", "currency"], how="left"
    )  # fmt: skip
    keys = [(playbook, step, each.id) for (playbook, step), each in found.items()]
    experiments = pl.DataFrame(keys, schema=["playbook", "step", "experiment_id"], orient="row")
    told = (
        with_pauses(rows.filter("is_written"), pauses)
        .filter(pl.col("since_reply").is_null() & pl.col("until_term").is_null())
        .drop("experiment_id", "arm")
        .join(experiments, on=["playbook", "step"], how="inner")
        .join(waiting, on=["account_id", "experiment_id"], how="inner")
    )
    # Items that the message lists without being at its level wait for their own step.
    of_step = (
        told.with_row_index("row")
        .select("row", "level", "items")
        .explode("items")
        .drop_nulls("items")
        .filter(pl.col("items").struct.field("level") == pl.col("level"))
        .group_by("row", maintain_order=True)
        .agg(
            pl.struct(
                pl.col("items").struct.field("item_id"), pl.col("items").struct.field("asked_mills")
            ).alias("items")
        )
    )
    return (
        told.with_row_index("row")
        .drop("items")
        .join(of_step, on="row", how="inner", maintain_order="left")
        .sort("experiment_id", "customer_id", "account_id", "currency")
        .unique(["experiment_id", "customer_id"], keep="first", maintain_order=True)
        .select(*ENTRANTS)
        .cast(pl.Schema(ENTRANTS))
    )


def _earliest(book: Playbook, step: Step, found: dict[tuple[str, str], Running]) -> Step:
    if (book.code, step.code) not in found:
        return step
    shifts = [0, *(arm.shift_days for arm in step.arms)]
    until = None if step.until_day is None else step.until_day + max(shifts)
    return replace(step, day=step.day + min(shifts), until_day=until, arms=())
