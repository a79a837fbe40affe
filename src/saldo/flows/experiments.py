"""Experiments of a company: how many customers one takes, starting it, reading it on any day, and stopping it
where an arm does harm.

size     what an experiment would take, and what there is
start    begun, or refused with the number needed
read     what it shows as of the context's day
watch    the day's look at what goes wrong
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

import polars as pl

from saldo.analytics.experiments import HARM, Habit, Reading, habit, reading
from saldo.analytics.playbook_arms import applying
from saldo.analytics.playbook_plan import assigned_accounts
from saldo.analytics.playbook_segments import holds
from saldo.collection import experiment_changes as changes
from saldo.collection.experiments import OVER, STOPPED, ExperimentRow, experiment_row, experiments, outcomes
from saldo.collection.playbooks import in_force
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.experiments import WIDEST_VARIANCE, Design, effect_found, needed_per_arm
from saldo.core.playbook import Playbook, Step
from saldo.flows.facts import Facts, gather
from saldo.flows.plan_outreach import accounts_of, known_until
from saldo.identity.queries import CompanyRow
from saldo.outreach.harms import harms


@dataclass(frozen=True, slots=True)
class Size:
    """What an experiment on a step would take. per_arm: customers that each of ``arms`` takes (the step as
    written is one). found: customers that can be expected. habit: what the past says. effect: the smallest
    difference that those would show."""

    playbook: str
    step: Step
    design: Design
    arms: int
    per_arm: int
    found: int
    habit: Habit
    variance: float
    effect: float

    @property
    def needed(self) -> int:
        return self.per_arm * self.arms

    @property
    def is_enough(self) -> bool:
        return self.found >= self.needed


@dataclass(frozen=True, slots=True)
class Read:
    """An experiment and what it shows. known_until: the last day that payments are known of. is_applied:
    false where the playbook in force has not the step it began with, so that nobody gets an arm."""

    row: ExperimentRow
    reading: Reading
    state: str
    known_until: date
    is_applied: bool


def candidates(company_id: int) -> list[tuple[Playbook, Step]]:
    """Steps of playbooks in force that have arms."""
    return [(book, step) for _, book in in_force(company_id) for step in book.steps if step.arms]


def step_in_force(company_id: int, playbook: str, step: str) -> tuple[list[tuple[int, Playbook]], Step]:
    """The playbooks in force, and the step of one. Raises SaldoError: playbook_not_in_force,
    experiment_step_unknown, experiment_no_arms."""
    playbooks = in_force(company_id)
    book = next((each for _, each in playbooks if each.code == playbook), None)
    if book is None:
        raise SaldoError("playbook_not_in_force", code=playbook)
    found = book.step(step)
    if found is None:
        known = ", ".join(each.code for each in book.steps if each.arms) or "–"
        raise SaldoError("experiment_step_unknown", step=step, playbook=playbook, known=known)
    if not found.arms:
        raise SaldoError("experiment_no_arms", step=step)
    return playbooks, found


def size(
    ctx: Context,
    company: CompanyRow,
    playbook: str,
    step: str,
    design: Design,
    facts: Facts | None = None,
) -> Size:
    """How many customers the experiment takes and how many there are. Raises as ``step_in_force``, and
    SaldoError("experiment_numbers" or "experiment_short")."""
    ctx = ctx.within(company.id)
    design.checked()
    playbooks, found = step_in_force(company.id, playbook, step)
    changes.check_horizon(found, design)
    told = _habit(ctx, company, playbooks, playbook, found, design, facts or gather(ctx))
    variance = WIDEST_VARIANCE if told.variance is None else told.variance
    arms = len(found.arms) + 1
    return Size(
        playbook=playbook,
        step=found,
        design=design,
        arms=arms,
        per_arm=needed_per_arm(design, arms - 1, variance),
        found=told.customers,
        habit=told,
        variance=variance,
        effect=effect_found(design, arms - 1, variance, told.customers // arms),
    )


def _habit(
    ctx: Context,
    company: CompanyRow,
    playbooks: list[tuple[int, Playbook]],
    playbook: str,
    step: Step,
    design: Design,
    facts: Facts,
) -> Habit:
    """The step's past among the customers of its playbook. Which playbook treats an account is known of those
    that owe something today; of the others the same share is taken to be of it."""
    accounts = accounts_of(ctx, company, facts)
    assigned = assigned_accounts(playbooks, accounts).filter(
        (pl.col("playbook") == playbook) & holds(step.when)
    )
    owing = accounts["account_id"].unique()
    own = assigned["account_id"].unique()
    history = facts.history.filter(~pl.col("closed_unknown"))
    first = step.day + min(0, *(arm.shift_days for arm in step.arms))
    until = min(known_until(ctx, company.id) or ctx.as_of, ctx.as_of)
    treated = history.filter(pl.col("account_id").is_in(own.implode()))
    told = habit(treated, first, design, ctx.as_of, until)
    others = history.filter(~pl.col("account_id").is_in(owing.implode()))
    more = habit(others, first, design, ctx.as_of, until).customers
    return replace(told, customers=told.customers + round(more * own.len() / max(owing.len(), 1)))


def start(ctx: Context, company: CompanyRow, playbook: str, step: str, design: Design, note: str = "") -> int:
    """Begin an experiment on a step of a playbook in force; returns its id. Raises as ``size`` and as
    ``collection.experiment_changes.start``: with too few customers, experiment_too_few."""
    if not changes.may_experiment(ctx, company.id):
        raise SaldoError("experiment_not_allowed", roles=", ".join(sorted(changes.MAY_EXPERIMENT)))
    found = size(ctx, company, playbook, step, design)
    return changes.start(
        ctx, company.id, playbook, found.step, design, found.per_arm, found.found, found.variance,
        found.habit.mean, note,
    )  # fmt: skip


def read(ctx: Context, company: CompanyRow, experiment_id: int) -> Read:
    """Raises SaldoError("experiment_unknown")."""
    return _read(ctx.within(company.id), experiment_row(company.id, experiment_id))


def _read(ctx: Context, row: ExperimentRow) -> Read:
    until = min(known_until(ctx, row.company_id) or ctx.as_of, ctx.as_of)
    found = outcomes(ctx, row, until)
    ids = found["account_id"].unique().to_list()
    hurt = harms(ctx, ids, row.from_date) if ids else pl.DataFrame(schema=HARM)
    state = row.state(ctx.as_of)
    is_over = state in (OVER, STOPPED) and bool(found["is_finished"].all())
    return Read(row, reading(row.arms, row.design, found, hurt, is_over), state, until, _is_applied(row))


def _is_applied(row: ExperimentRow) -> bool:
    return bool(applying(in_force(row.company_id), [row.running]))


def watch(ctx: Context, company_id: int) -> list[int]:
    """Stop the experiments in which an arm does harm; returns their ids."""
    ctx = ctx.within(company_id)
    stopped = []
    for row in experiments(company_id):
        if row.state(ctx.as_of) in (OVER, STOPPED) or row.from_date > ctx.as_of:
            continue
        if harmful := _read(ctx, row).reading.harmful:
            changes.stop(replace(ctx, actor=changes.GUARD), row.id, "harm", data={"arms": harmful})
            stopped.append(row.id)
    return stopped
