"""Which step of its playbook is due for each item today. The page of the rules: docs/rules/playbooks.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from saldo.analytics.playbook_segments import Numbered, holds, in_order
from saldo.core.playbook import CONTROL, OVERDUE, SOON, WRITTEN, Step

# One row per step of the playbooks, so that frames name a step by its number.
STEPS = {
    "step_no": pl.Int64,
    "place": pl.Int64,
    "step": pl.String,
    "track": pl.String,
    "level": pl.Int64,
    "day": pl.Int64,
    "channel": pl.String,
    "template": pl.String,
    "tone": pl.String,
    "mode": pl.String,
    "owner": pl.String,
    "purpose": pl.String,
    "min_amount_mills": pl.Int64,
    "min_share": pl.Float64,
    "repeat_days": pl.Int64,
    "is_written": pl.Boolean,
    "experiment_id": pl.Int64,
    "arm": pl.String,
}
# Items that a message may be about: asked_mills > 0. days: late by what the statements tell (track overdue),
# or from the due date (track soon, <= 0). written, call: the number of the step that is due, null if none.
DUE = {
    "item_id": pl.Int64,
    "account_id": pl.Int64,
    "currency": pl.String,
    "track": pl.String,
    "due_date": pl.Date,
    "days": pl.Int64,
    "asked_mills": pl.Int64,
    "level_before": pl.Int64,
    "last_date": pl.Date,
    "written": pl.Int64,
    "call": pl.Int64,
}


@dataclass(frozen=True, slots=True)
class Variant(Step):
    """A step as one arm of an experiment does it. marks: the account must have one of them; of CONTROL, none
    of them (those of the other arms)."""

    experiment_id: int = 0
    arm_code: str = ""
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Day:
    """as_of: today. known: the day up to which payments are known. grace_days: of SendingRules."""

    as_of: date
    known: date
    grace_days: int


@dataclass(frozen=True, slots=True)
class _Ladder:
    """The steps of one playbook with their numbers; a step's conditions are the column ``when<number>``."""

    steps: tuple[tuple[int, Step], ...]
    codes: tuple[str, ...]

    def of(self, track: str, is_written: bool) -> list[tuple[int, Step]]:
        """The lowest level first; of one level in their order."""
        wanted = [
            each
            for each in self.steps
            if each[1].track == track and (each[1].channel in WRITTEN) == is_written
        ]
        return sorted(wanted, key=lambda each: each[1].level)


def step_table(playbooks: Numbered) -> pl.DataFrame:
    """STEPS of the playbooks, numbered in the order in which these are tried."""
    rows = [
        (
            number, place, step.code, step.track, step.level, step.day, step.channel, step.template,
            step.tone, step.mode, step.owner, step.purpose, step.min_amount_mills, step.min_share,
            step.repeat_days, step.channel in WRITTEN,
            step.experiment_id if isinstance(step, Variant) else None,
            step.arm_code if isinstance(step, Variant) else "",
        )
        for number, place, step in _numbered(playbooks)
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=STEPS, orient="row")


def _numbered(playbooks: Numbered) -> list[tuple[int, int, Step]]:
    each = [
        (place, step) for place, (_, playbook) in enumerate(in_order(playbooks)) for step in playbook.steps
    ]
    return [(number, place, step) for number, (place, step) in enumerate(each)]


def due_steps(
    playbooks: Numbered, accounts: pl.DataFrame, items: pl.DataFrame, contacted: pl.DataFrame, day: Day
) -> pl.DataFrame:
    """DUE: every item that is overdue or falls due soon, with the step that is due for it.

    accounts: ACCOUNTS with place (and marks, where steps are done in arms). items: ASKABLE. contacted:
    account_id, last_call (the last contact that a person made), last_soon (the last message about what falls
    due soon).
    """
    numbered = _numbered(playbooks)
    earliest = min((step.day for _, _, step in numbered if step.track == SOON), default=1)
    days_left = (pl.lit(day.as_of) - pl.col("due_date")).dt.total_days()
    late = (pl.lit(day.known) - pl.col("due_date")).dt.total_days() > day.grace_days
    candidates = items.filter((pl.col("asked_mills") > 0) & (late | days_left.is_between(earliest, 0)))
    candidates = candidates.join(contacted, on="account_id", how="left", maintain_order="left")
    found = []
    for place, (_, playbook) in enumerate(in_order(playbooks)):
        steps = tuple((number, step) for number, own, step in numbered if own == place)
        ladder = _Ladder(steps, tuple(step.code for step in playbook.steps))
        applies = [_applies(step).alias(f"when{number}") for number, step in steps]
        own_accounts = accounts.filter(pl.col("place") == place).select("account_id", "currency", *applies)
        own_items = candidates.join(own_accounts, on=["account_id", "currency"], how="inner")
        found += [_late(own_items, ladder, day), _soon(own_items, ladder, day)]
    return pl.concat(found) if found else pl.DataFrame(schema=DUE)


def _applies(step: Step) -> pl.Expr:
    """Whether a step is for an account at all: its conditions, and the arm that the account is in."""
    if not isinstance(step, Variant):
        return holds(step.when)
    is_marked = pl.col("marks").list.eval(pl.element().is_in(list(step.marks))).list.any().fill_null(False)
    return holds(step.when) & (~is_marked if step.arm_code == CONTROL else is_marked)


def _late(items: pl.DataFrame, ladder: _Ladder, day: Day) -> pl.DataFrame:
    days = (pl.lit(day.known) - pl.col("due_date")).dt.total_days()
    rests = (pl.lit(day.as_of) - pl.col("last_date")).dt.total_days()
    late = items.filter(days > day.grace_days).with_columns(days.alias("days"), rests.alias("rests"))
    written = ladder.of(OVERDUE, is_written=True)
    late = late.with_columns(_next_level(written).alias("next_level"))
    late = late.with_columns(_alternative(written, "next_level", ladder).alias("next"))
    return _told(
        late, OVERDUE, pl.coalesce(_next_due(written), _repeat_due(written)),
        _call_due(ladder.of(OVERDUE, is_written=False), ladder, day),
    )  # fmt: skip


def _told(items: pl.DataFrame, track: str, written: pl.Expr, call: pl.Expr) -> pl.DataFrame:
    return items.with_columns(
        pl.lit(track).alias("track"), pl.col("level").alias("level_before"),
        written.cast(pl.Int64).alias("written"), call.cast(pl.Int64).alias("call"),
    ).select(*DUE)  # fmt: skip


def _first(chain: Sequence[tuple[pl.Expr, int]]) -> pl.Expr:
    """The number of the first condition that holds, null if none does."""
    if not chain:
        return pl.lit(None, dtype=pl.Int64)
    return pl.coalesce(pl.when(condition).then(pl.lit(number, dtype=pl.Int64)) for condition, number in chain)


def _next_level(written: Sequence[tuple[int, Step]]) -> pl.Expr:
    """The lowest level above the item's own for which something is written to this account."""
    return _first(
        [((pl.col("level") < step.level) & pl.col(f"when{number}"), step.level) for number, step in written]
    )


def _alternative(written: Sequence[tuple[int, Step]], level: str, ladder: _Ladder) -> pl.Expr:
    """Of the steps of that level the first whose conditions hold and whose predecessor was sent."""
    return _first(
        [
            ((pl.col(level) == step.level) & pl.col(f"when{number}") & _after(step, ladder), number)
            for number, step in written
        ]
    )


def _after(step: Step, ladder: _Ladder) -> pl.Expr:
    """What must have been sent before was; of a history that is not this playbook's the level tells it."""
    if not step.after:
        return pl.lit(True)
    last = pl.col("last_step").fill_null("")
    level = next((s.level for _, s in ladder.steps if s.code == step.after and s.track == OVERDUE), None)
    told_by_level = pl.lit(False) if level is None else pl.col("level") == level
    return (
        (last == step.after)
        | (~last.is_in(list(ladder.codes)) & told_by_level)
        | pl.col("soon_steps").list.contains(step.after).fill_null(False)
    )


def _in_days(step: Step) -> pl.Expr:
    come = pl.col("days") >= step.day
    return come if step.until_day is None else come & (pl.col("days") <= step.until_day)


def _waited(days: int) -> pl.Expr:
    return pl.col("rests").is_null() | (pl.col("rests") >= days)


def _next_due(written: Sequence[tuple[int, Step]]) -> pl.Expr:
    return _first(
        [
            ((pl.col("next") == number) & _in_days(step) & _waited(step.wait_days), number)
            for number, step in written
        ]
    )


def _repeat_due(written: Sequence[tuple[int, Step]]) -> pl.Expr:
    return _first(
        [
            (
                (pl.col("level") == step.level) & pl.col(f"when{number}") & _in_days(step)
                & _waited(max(step.wait_days, step.repeat_days)),
                number,
            )
            for number, step in written
            if step.repeat_days
        ]
    )  # fmt: skip


def _call_due(calls: Sequence[tuple[int, Step]], ladder: _Ladder, day: Day) -> pl.Expr:
    """The highest one for the item's level or the one above, that nobody has made since it came due."""
    chain = []
    for number, step in sorted(calls, key=lambda each: -each[1].level):
        since = pl.max_horizontal(
            pl.col("due_date") + pl.duration(days=step.day),
            pl.col("last_date") + pl.duration(days=step.wait_days),
        )
        made = pl.col("last_call") >= since
        if step.repeat_days:
            made &= pl.col("last_call") > pl.lit(day.as_of) - pl.duration(days=step.repeat_days)
        at_level = pl.col("level").is_in([step.level - 1, step.level])
        due = at_level & pl.col(f"when{number}") & _in_days(step) & _waited(step.wait_days)
        chain.append((due & _after(step, ladder) & ~made.fill_null(False), number))
    return _first(chain)


def _soon(items: pl.DataFrame, ladder: _Ladder, day: Day) -> pl.DataFrame:
    """Of the steps whose day has come the latest; what a later one has overtaken is not sent any more."""
    days = (pl.lit(day.as_of) - pl.col("due_date")).dt.total_days()
    rests = (pl.lit(day.as_of) - pl.col("last_soon")).dt.total_days()
    soon = items.filter(days <= 0).with_columns(days.alias("days"), rests.alias("rests"))
    written = sorted(ladder.of(SOON, is_written=True), key=lambda each: -each[1].day)
    calls = sorted(ladder.of(SOON, is_written=False), key=lambda each: -each[1].day)
    due = _told(
        soon, SOON, _first([(_soon_due(step, number, written, ladder), number) for number, step in written]),
        _call_due(calls, ladder, day),
    )  # fmt: skip
    return due.filter(pl.col("written").is_not_null() | pl.col("call").is_not_null())


def _soon_due(step: Step, number: int, written: Sequence[tuple[int, Step]], ladder: _Ladder) -> pl.Expr:
    overtaken = [other.code for _, other in written if other.day >= step.day]
    sent = pl.col("soon_steps").fill_null(pl.lit([], dtype=pl.List(pl.String)))
    return (
        pl.col(f"when{number}")
        & _in_days(step)
        & _waited(step.wait_days)
        & _after_soon(step)
        & ~sent.list.eval(pl.element().is_in(overtaken)).list.any().fill_null(False)
    )


def _after_soon(step: Step) -> pl.Expr:
    return pl.col("soon_steps").list.contains(step.after).fill_null(False) if step.after else pl.lit(True)
