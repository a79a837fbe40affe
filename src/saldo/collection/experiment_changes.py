"""Starting and stopping experiments, and taking customers in."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

import polars as pl
from django.db import transaction

from saldo.collection.experiments import ENROLLING, MAY_EXPERIMENT, WATCHING, experiment_row, experiments
from saldo.collection.models import Experiment, ExperimentEnd, ExperimentEntry
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.experiments import Design
from saldo.core.playbook import CONTROL, Step
from saldo.core.playbook_text import step_text
from saldo.identity.models import Company, User
from saldo.identity.operations import record_event, stamped
from saldo.identity.queries import roles

NOTE_CHARACTERS = 1000
# The machine, when an arm does harm.
GUARD = "system:guardrail"


def may_experiment(ctx: Context, company_id: int) -> bool:
    """Whether the actor may start and stop experiments; the command line acts for the administrator."""
    if ctx.actor.startswith(("cli:", "system:")):
        return True
    user = User.objects.filter(username=ctx.actor, is_active=True).first()
    return user is not None and bool(roles(user, company_id) & MAY_EXPERIMENT)


@transaction.atomic
def start(
    ctx: Context,
    company_id: int,
    playbook: str,
    step: Step,
    design: Design,
    needed: int,
    customers: int,
    variance: float,
    mean: float | None = None,
    note: str = "",
) -> int:
    """Begin an experiment on a step that has arms, from the context's day on; returns its id.

    needed: customers that each arm takes; customers: how many can be expected while they come in; mean,
    variance: of one customer's outcome. Raises SaldoError: experiment_not_allowed, experiment_no_arms,
    experiment_numbers, experiment_short (an arm begins so late that little of the time is left),
    experiment_too_few, experiment_running.
    """
    if not may_experiment(ctx, company_id):
        raise SaldoError("experiment_not_allowed", roles=", ".join(sorted(MAY_EXPERIMENT)))
    if not step.arms:
        raise SaldoError("experiment_no_arms", step=step.code)
    design.checked()
    check_horizon(step, design)
    arms = [CONTROL, *(arm.code for arm in step.arms)]
    if customers < needed * len(arms):
        raise SaldoError(
            "experiment_too_few", needed=needed * len(arms), per_arm=needed, arms=len(arms), found=customers,
            days=design.enroll_days,
        )  # fmt: skip
    Company.objects.select_for_update(no_key=True).get(id=company_id)
    for each in experiments(company_id):
        is_on = each.state(ctx.as_of) in (ENROLLING, WATCHING)
        if is_on and (each.playbook, each.step) == (playbook, step.code):
            raise SaldoError("experiment_running", experiment=each.id, step=step.code)
    ctx = stamped(ctx, company_id)
    row = Experiment.objects.create(
        company_id=company_id,
        playbook_code=playbook,
        step=step.code,
        step_text=step_text(step),
        arms=arms,
        salt=secrets.token_hex(16),
        effect=design.effect,
        alpha=design.alpha,
        power=design.power,
        horizon_days=design.horizon_days,
        needed=needed,
        customers=customers,
        mean=mean,
        variance=variance,
        from_date=ctx.as_of,
        until_date=ctx.as_of + timedelta(days=design.enroll_days - 1),
        note=note.strip()[:NOTE_CHARACTERS],
        actor=ctx.actor,
        recorded_at=ctx.recorded_at,
    )
    data = {"playbook": playbook, "step": step.code, "arms": arms}
    record_event(ctx, "experiment.started", "experiment", row.id, data)
    return row.id


def check_horizon(step: Step, design: Design) -> None:
    """Each arm has half of a customer's time at least. Raises SaldoError("experiment_short")."""
    shifts = [0, *(arm.shift_days for arm in step.arms)]
    spread = max(shifts) - min(shifts)
    if spread * 2 > design.horizon_days:
        raise SaldoError("experiment_short", spread=spread, horizon=design.horizon_days, needed=spread * 2)


@transaction.atomic
def stop(
    ctx: Context,
    experiment_id: int,
    reason: str = "person",
    note: str = "",
    data: dict[str, Any] | None = None,
) -> int:
    """End an experiment: everybody gets the step as it is written again; returns the end's id.

    Raises SaldoError: experiment_unknown, experiment_not_allowed, experiment_ended.
    """
    found = Experiment.objects.filter(id=experiment_id).values_list("company_id", flat=True).first()
    if found is None:
        raise SaldoError("experiment_unknown", experiment=experiment_id)
    if not may_experiment(ctx, found):
        raise SaldoError("experiment_not_allowed", roles=", ".join(sorted(MAY_EXPERIMENT)))
    Company.objects.select_for_update(no_key=True).get(id=found)
    if experiment_row(found, experiment_id).end is not None:
        raise SaldoError("experiment_ended", experiment=experiment_id)
    ctx = stamped(ctx, found)
    end = ExperimentEnd.objects.create(
        experiment_id=experiment_id, reason=reason, data=data or {}, note=note.strip()[:NOTE_CHARACTERS],
        as_of=ctx.as_of, actor=ctx.actor, recorded_at=ctx.recorded_at,
    )  # fmt: skip
    record_event(ctx, "experiment.stopped", "experiment", experiment_id, {"reason": reason, **(data or {})})
    return end.id


@transaction.atomic
def enter(ctx: Context, company_id: int, entrants: pl.DataFrame) -> int:
    """Take customers in on the context's day; returns how many. entrants: ENTRANTS. Who is in stays in."""
    if entrants.is_empty():
        return 0
    ctx = stamped(ctx, company_id)
    open_ids = set(
        Experiment.objects.filter(
            company_id=company_id, end=None, from_date__lte=ctx.as_of, until_date__gte=ctx.as_of
        ).values_list("id", flat=True)
    )
    before = ExperimentEntry.objects.filter(experiment__company_id=company_id).count()
    rows = [
        ExperimentEntry(
            experiment_id=row["experiment_id"], customer_id=row["customer_id"], account_id=row["account_id"],
            arm=row["arm"], currency=row["currency"], items=row["items"], entered_date=ctx.as_of,
            recorded_at=ctx.recorded_at,
        )
        for row in entrants.iter_rows(named=True)
        if row["experiment_id"] in open_ids
    ]  # fmt: skip
    ExperimentEntry.objects.bulk_create(rows, batch_size=2000, ignore_conflicts=True)
    return ExperimentEntry.objects.filter(experiment__company_id=company_id).count() - before
