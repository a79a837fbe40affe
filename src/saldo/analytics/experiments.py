"""Reading an experiment: from customers and what they paid to a difference with its interval, day by day, and
whether an arm does harm. docs/rules/experiments.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from saldo.core.experiments import (
    BETTER,
    HARMS,
    NO_DIFFERENCE,
    OPEN,
    TOO_EARLY,
    WORSE,
    Design,
    Difference,
    Sums,
    difference,
    harm_evidence,
    harm_limit,
    mixture_variance,
)
from saldo.core.playbook import CONTROL

# One row per customer in the experiment. share: of what was asked the part that was paid in time (0-1), null
# where it had all been paid before. is_finished: its time is over, by the bank's statements.
OUTCOMES = {
    "customer_id": pl.Int64,
    "account_id": pl.Int64,
    "arm": pl.String,
    "entered_date": pl.Date,
    "end_date": pl.Date,
    "is_finished": pl.Boolean,
    "share": pl.Float64,
    "asked_mills": pl.Int64,
    "paid_mills": pl.Int64,
    "has_unknown": pl.Boolean,
}
# What went wrong between us and an account: kind is one of core.experiments.HARMS.
HARM = {"account_id": pl.Int64, "kind": pl.String, "date": pl.Date}


@dataclass(frozen=True, slots=True)
class ArmReading:
    """entered: customers that came in; finished: those whose time is over and who owed something. mean: of
    their shares. harms: kind -> customers for whom it went wrong; evidence: the largest that was reached
    (None for CONTROL). verdict: BETTER, WORSE, NO_DIFFERENCE, TOO_EARLY or OPEN ("" for CONTROL). p: the
    smallest on any day so far. unknown: customers with an item that was closed nobody knows how."""

    arm: str
    entered: int
    finished: int
    mean: float | None
    unknown: int
    harms: Mapping[str, int]
    evidence: Mapping[str, float] | None
    difference: Difference | None
    p: float | None
    verdict: str

    def does_harm(self, comparisons: int) -> list[str]:
        limit = harm_limit(comparisons)
        return [kind for kind, evidence in (self.evidence or {}).items() if evidence >= limit]


@dataclass(frozen=True, slots=True)
class Look:
    """What was to be seen of an arm on a day."""

    day: date
    arm: str
    finished: int
    control_finished: int
    difference: Difference


@dataclass(frozen=True, slots=True)
class Reading:
    """arms: CONTROL first. looks: each day on which customers finished, of each arm. dropped: customers who
    had paid all before they came in."""

    arms: tuple[ArmReading, ...]
    looks: tuple[Look, ...]
    dropped: int

    @property
    def comparisons(self) -> int:
        return len(self.arms) - 1

    @property
    def harmful(self) -> dict[str, list[str]]:
        found = {each.arm: each.does_harm(self.comparisons) for each in self.arms}
        return {arm: kinds for arm, kinds in found.items() if kinds}


def reading(
    arms: Sequence[str], design: Design, outcomes: pl.DataFrame, harms: pl.DataFrame, is_over: bool
) -> Reading:
    """What an experiment shows. outcomes: OUTCOMES; harms: HARM. is_over: every customer's time is over, so
    that what is not different by now stays so."""
    assert arms[0] == CONTROL
    counted = outcomes.filter(pl.col("is_finished") & pl.col("share").is_not_null())
    looks = _looks(arms, design, counted)
    hurt = _hurt(outcomes, harms)
    told = tuple(_arm(arm, design, arms, outcomes, counted, looks, hurt, is_over) for arm in arms)
    dropped = outcomes.filter(pl.col("is_finished") & pl.col("share").is_null()).height
    return Reading(told, tuple(looks), dropped)


def _looks(arms: Sequence[str], design: Design, counted: pl.DataFrame) -> list[Look]:
    by_day = counted.group_by("end_date", "arm").agg(
        pl.len().alias("count"), pl.col("share").sum().alias("total"),
        pl.col("share").pow(2).sum().alias("squares"),
    )  # fmt: skip
    comparisons = len(arms) - 1
    mixture = mixture_variance(design, comparisons)
    sums = dict.fromkeys(arms, Sums())
    looks = []
    for day, rows in by_day.sort("end_date", "arm").group_by("end_date", maintain_order=True):
        for _, arm, count, total, squares in rows.iter_rows():
            old = sums[arm]
            sums[arm] = Sums(old.count + count, old.total + total, old.squares + squares)
        for arm in arms[1:]:
            found = difference(sums[arm], sums[CONTROL], mixture, design.alpha / comparisons)
            if found is not None:
                looks.append(Look(day[0], arm, sums[arm].count, sums[CONTROL].count, found))
    return looks


def _hurt(outcomes: pl.DataFrame, harms: pl.DataFrame) -> pl.DataFrame:
    """customer_id, arm, kind, date: the first of its kind within each customer's time."""
    return (
        outcomes.select("customer_id", "account_id", "arm", "entered_date", "end_date")
        .join(harms, on="account_id", how="inner")
        .filter((pl.col("date") >= pl.col("entered_date")) & (pl.col("date") <= pl.col("end_date")))
        .sort("date", "customer_id", "kind")
        .unique(["customer_id", "kind"], keep="first", maintain_order=True)
        .select("customer_id", "arm", "kind", "date")
    )


def _arm(
    arm: str,
    design: Design,
    arms: Sequence[str],
    outcomes: pl.DataFrame,
    counted: pl.DataFrame,
    looks: Sequence[Look],
    hurt: pl.DataFrame,
    is_over: bool,
) -> ArmReading:
    own, shares = outcomes.filter(pl.col("arm") == arm), counted.filter(pl.col("arm") == arm)["share"]
    mean = shares.mean()
    told = {kind: hurt.filter((pl.col("arm") == arm) & (pl.col("kind") == kind)).height for kind in HARMS}
    seen = [look for look in looks if look.arm == arm]
    is_control = arm == CONTROL
    last = seen[-1].difference if seen else None
    p = min((look.difference.p for look in seen), default=None)
    return ArmReading(
        arm=arm,
        entered=own.height,
        finished=shares.len(),
        mean=float(mean) if isinstance(mean, float) else None,
        unknown=own.filter(pl.col("is_finished") & pl.col("has_unknown")).height,
        harms=told,
        evidence=None if is_control else {kind: _evidence(hurt, arm, kind) for kind in HARMS},
        difference=last,
        p=p,
        verdict="" if is_control else _verdict(last, p, design.alpha / (len(arms) - 1), is_over),
    )


def _verdict(last: Difference | None, p: float | None, alpha: float, is_over: bool) -> str:
    """Whatever was sure on one day is sure: its sign is that of the difference as it stands."""
    if last is None or p is None:
        return NO_DIFFERENCE if is_over else TOO_EARLY
    if p <= alpha:
        return BETTER if last.effect > 0 else WORSE
    return NO_DIFFERENCE if is_over else OPEN


def _evidence(hurt: pl.DataFrame, arm: str, kind: str) -> float:
    """The largest evidence that an arm does harm, on any day."""
    events = hurt.filter((pl.col("kind") == kind) & pl.col("arm").is_in([arm, CONTROL]))
    in_arm = in_control = 0
    most = 1.0
    for day in events.group_by("date", maintain_order=True).agg(
        (pl.col("arm") == arm).sum().alias("arm"), (pl.col("arm") == CONTROL).sum().alias("control")
    ).iter_rows():  # fmt: skip
        in_arm, in_control = in_arm + day[1], in_control + day[2]
        most = max(most, harm_evidence(in_arm, in_control))
    return most


# -- how many customers there are --


@dataclass(frozen=True, slots=True)
class Habit:
    """What the past says of a step. customers: for how many it would have come due in the days that customers
    come in. seen: customers whose time is over that mean and variance are of."""

    customers: int
    seen: int
    mean: float | None
    variance: float | None


# Fewer customers say nothing of the outcome's variance.
LEAST_SEEN = 30
BASELINE_DAYS = 365
_LEAST_VARIANCE = 0.02


def habit(history: pl.DataFrame, first_day: int, design: Design, as_of: date, known_until: date) -> Habit:
    """The past of a step. history: customer_id, document_date, due_date, amount_mills, paid_date of items,
    those closed nobody knows how left out. first_day: of the step, in its earliest arm."""
    reached = history.with_columns(
        (pl.col("due_date") + pl.duration(days=first_day)).alias("from_date")
    ).filter(
        (pl.col("document_date") <= pl.col("from_date"))
        & (pl.col("paid_date").is_null() | (pl.col("paid_date") > pl.col("from_date")))
    )
    recent = reached.filter(
        (pl.col("from_date") > pl.lit(as_of) - pl.duration(days=design.enroll_days))
        & (pl.col("from_date") <= as_of)
    )
    end = pl.col("from_date") + pl.duration(days=design.horizon_days)
    over = reached.filter(
        (end <= known_until) & (pl.col("from_date") > pl.lit(as_of) - pl.duration(days=BASELINE_DAYS))
    ).with_columns(end.alias("end"))
    shares = (
        over.filter(pl.col("from_date") == pl.col("from_date").min().over("customer_id"))
        .group_by("customer_id")
        .agg(
            pl.col("amount_mills").filter(pl.col("paid_date") <= pl.col("end")).sum().alias("paid"),
            pl.col("amount_mills").sum().alias("asked"),
        )
        .select((pl.col("paid") / pl.col("asked")).cast(pl.Float64).alias("share"))["share"]
    )
    customers = recent["customer_id"].n_unique()
    if shares.len() < LEAST_SEEN:
        return Habit(customers, shares.len(), None, None)
    mean, variance = shares.mean(), shares.var()
    assert isinstance(mean, float) and isinstance(variance, float)
    return Habit(customers, shares.len(), mean, max(variance, _LEAST_VARIANCE))
