"""saldo experiment: arms of a step tried on customers drawn by lot: how many it takes, what it shows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from saldo.interfaces.commands.app import (
    as_of_option,
    command,
    company_option,
    context,
    day_of,
    json_option,
    prepare,
    print_json,
)

if TYPE_CHECKING:
    from saldo.core.experiments import Design
    from saldo.flows.experiments import Read, Size
    from saldo.identity.queries import CompanyRow

_DESIGN = (
    click.option("--effect", type=float, default=10.0, show_default=True,
                 help="Smallest difference worth finding, in points of a hundred."),
    click.option("--alpha", type=float, default=0.05, show_default=True,
                 help="Chance of finding one that is not there."),
    click.option("--power", type=float, default=0.8, show_default=True,
                 help="Chance of finding one of that size."),
    click.option("--horizon", type=int, default=14, show_default=True,
                 help="Days that each customer is looked at."),
    click.option("--enroll", type=int, default=90, show_default=True,
                 help="Days in which customers come in."),
)  # fmt: skip


def design_options(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_DESIGN):
        function = option(function)
    return function


def one_company(code: str | None) -> CompanyRow:
    """The company named, or the only one there is."""
    from saldo.core.errors import SaldoError
    from saldo.identity.queries import companies, company_by_code

    if code:
        return company_by_code(code)
    found = companies(context())
    if len(found) != 1:
        raise SaldoError("company_needed", known=", ".join(each.code for each in found))
    return found[0]


@click.group()
def experiment() -> None:
    """Experiments: arms of a playbook's step tried side by side."""


def _design(effect: float, alpha: float, power: float, horizon: int, enroll: int) -> Design:
    from saldo.core.experiments import Design

    return Design(effect / 100, alpha, power, horizon, enroll)


@experiment.command("list")
@as_of_option
@company_option
@json_option
@command
def experiment_list(as_of: datetime | None, company: str | None, as_json: bool) -> None:
    """Every experiment with its state, and the steps that have arms."""
    prepare()
    from saldo.collection.experiments import experiments
    from saldo.flows.experiments import candidates

    each, day = one_company(company), day_of(as_of)
    rows = [
        {
            "experiment": row.id, "playbook": row.playbook, "step": row.step, "arms": list(row.arms),
            "state": row.state(day), "from": row.from_date.isoformat(), "until": row.until_date.isoformat(),
            "ended": row.end.reason if row.end else None,
        }
        for row in experiments(each.id)
    ]  # fmt: skip
    steps = [
        {"playbook": book.code, "step": step.code, "arms": [arm.code for arm in step.arms]}
        for book, step in candidates(each.id)
    ]
    if as_json:
        print_json({"company": each.code, "experiments": rows, "steps": steps})
        return
    for row in rows:
        arms = ", ".join(row["arms"])
        click.echo(
            f"{row['experiment']:>5}  {row['playbook']} {row['step']}  {row['state']}  "
            f"{row['from']} to {row['until']}  {arms}"
        )
    for one in steps:
        click.echo(f"       {one['playbook']} {one['step']}: arms {', '.join(one['arms'])}")


@experiment.command("size")
@click.argument("playbook")
@click.argument("step")
@design_options
@as_of_option
@company_option
@json_option
@command
def experiment_size(
    playbook: str, step: str, as_of: datetime | None, company: str | None, as_json: bool, **design: Any
) -> None:
    """How many customers an experiment on STEP of PLAYBOOK takes, and how many there are."""
    prepare()
    from saldo.flows.experiments import size

    each = one_company(company)
    found = size(context(day_of(as_of)), each, playbook, step, _design(**design))
    if as_json:
        print_json({"company": each.code, **_size_told(found)})
        return
    _show_size(found)


def _size_told(found: Size) -> dict[str, Any]:
    return {
        "playbook": found.playbook, "step": found.step.code, "arms": found.arms, "needed": found.needed,
        "per_arm": found.per_arm, "found": found.found, "is_enough": found.is_enough,
        "past_mean": found.habit.mean, "past_customers": found.habit.seen,
        "effect_found": round(found.effect, 4),
    }  # fmt: skip


def _show_size(found: Size) -> None:
    click.echo(
        f"{found.needed} customers needed ({found.per_arm} in each of {found.arms} arms), "
        f"{found.found} expected in {found.design.enroll_days} days"
    )
    if found.habit.mean is not None:
        click.echo(
            f"in the past {found.habit.mean:.1%} of {found.habit.seen} customers' debt was paid within "
            f"{found.design.horizon_days} days"
        )
    click.echo(f"these customers would show a difference of {100 * found.effect:.1f} points or more")


@experiment.command("start")
@click.argument("playbook")
@click.argument("step")
@design_options
@click.option("--note", default="", help="What the experiment is to tell.")
@as_of_option
@company_option
@json_option
@command
def experiment_start(
    playbook: str,
    step: str,
    note: str,
    as_of: datetime | None,
    company: str | None,
    as_json: bool,
    **design: Any,
) -> None:
    """Begin an experiment on STEP of PLAYBOOK; refused, with the number needed, for too few customers."""
    prepare()
    from saldo.flows.experiments import start

    each = one_company(company)
    made = start(context(day_of(as_of)), each, playbook, step, _design(**design), note)
    if as_json:
        print_json({"company": each.code, "experiment": made})
        return
    click.echo(f"experiment {made} started: from the next run of the day on customers are drawn by lot")


@experiment.command("read")
@click.argument("number", type=int)
@as_of_option
@company_option
@json_option
@command
def experiment_read(number: int, as_of: datetime | None, company: str | None, as_json: bool) -> None:
    """What experiment NUMBER shows: the difference of each arm with its interval, and what goes wrong."""
    prepare()
    from saldo.flows.experiments import read

    each = one_company(company)
    found = read(context(day_of(as_of)), each, number)
    if as_json:
        print_json({"company": each.code, **_read_told(found)})
        return
    head = f"{found.row.playbook} {found.row.step}: {found.state}"
    click.echo(f"{head}; payments known up to {found.known_until}")
    if not found.is_applied:
        click.echo("  no playbook in force has the step as it was at the beginning: nobody gets an arm")
    for arm in found.reading.arms:
        mean = "–" if arm.mean is None else f"{arm.mean:.1%}"
        line = f"  {arm.arm:<16}{arm.entered:>7} in {arm.finished:>7} over  paid {mean:>7}"
        if arm.difference is not None:
            gap = arm.difference
            line += f"  {100 * gap.effect:+.1f} [{100 * gap.low:+.1f}, {100 * gap.high:+.1f}] p {arm.p:.4f}"
        hurt = ", ".join(f"{kind} {count}" for kind, count in arm.harms.items() if count)
        click.echo(f"{line}  {arm.verdict}{'  ' + hurt if hurt else ''}".rstrip())


def _read_told(found: Read) -> dict[str, Any]:
    arms = []
    for arm in found.reading.arms:
        gap = arm.difference
        arms.append(
            {
                "arm": arm.arm, "entered": arm.entered, "finished": arm.finished, "mean": arm.mean,
                "effect": gap and gap.effect, "low": gap and gap.low, "high": gap and gap.high, "p": arm.p,
                "verdict": arm.verdict, "harms": dict(arm.harms),
                "does_harm": arm.does_harm(found.reading.comparisons), "unknown": arm.unknown,
            }
        )  # fmt: skip
    return {
        "experiment": found.row.id, "playbook": found.row.playbook, "step": found.row.step,
        "state": found.state, "known_until": found.known_until.isoformat(), "is_applied": found.is_applied,
        "needed_per_arm": found.row.needed, "dropped": found.reading.dropped, "arms": arms,
    }  # fmt: skip


@experiment.command("stop")
@click.argument("number", type=int)
@click.option("--decided", is_flag=True, help="It showed what it was to show.")
@click.option("--note", default="", help="A few words that stay in the history.")
@as_of_option
@command
def experiment_stop(number: int, decided: bool, note: str, as_of: datetime | None) -> None:
    """End experiment NUMBER: everybody gets the step as it is written again."""
    prepare()
    from saldo.collection.experiment_changes import stop

    stop(context(day_of(as_of)), number, "decided" if decided else "person", note)
    click.echo(f"experiment {number} stopped")
