"""``saldo simulate``: collection policies compared on the same simulated years."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import nullcontext
from types import FrameType
from typing import Any

import click

from saldo.core.errors import SaldoError
from saldo.interfaces.commands import app
from saldo.simulation.trial import report
from saldo.simulation.trial.figures import Figures
from saldo.simulation.trial.jobs import Job, run_all
from saldo.simulation.trial.policies import POLICIES
from saldo.simulation.trial.rules import rules, sizes
from saldo.simulation.trial.scratch import Server, scratch

TERMINATED = 143


@click.command()
@click.option("--days", type=click.IntRange(7, 1095), default=365, show_default=True, help="Calendar days.")
@click.option("--policy", "names", default=",".join(POLICIES), show_default=True, help="NAME[,NAME...]")
@click.option("--seeds", type=click.IntRange(1, 1000), default=5, show_default=True, help="How many worlds.")
@click.option("--start-seed", type=int, default=1, show_default=True, help="The seed of the first world.")
@click.option("--size", type=click.Choice(sizes()), default=sizes()[0], show_default=True)
@click.option("--processes", type=click.IntRange(1, 256), help="Runs at the same time (default: the cores).")
@click.option("--engines", is_flag=True, help="Without a database: forecast and ranking alone, much faster.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@app.command
def simulate(
    days: int,
    names: str,
    seeds: int,
    start_seed: int,
    size: str,
    processes: int | None,
    engines: bool,
    as_json: bool,
) -> None:
    """Try collection policies on simulated years, at equal contacts, and compare what they bring.

    Works on databases of its own, which are dropped at the end: your data is not touched.
    """
    policies = _asked(names)
    jobs = [
        Job(policy, seed, size, days, engines=engines)
        for seed in range(start_seed, start_seed + seeds)
        for policy in policies
    ]
    signal.signal(signal.SIGTERM, _ended)
    server = nullcontext() if engines else scratch(Server.in_use())
    with server as databases, app.bar("Simulated days", quiet=False) as tell:
        found = run_all(jobs, databases, min(processes or os.cpu_count() or 1, len(jobs)), tell)
    results: dict[str, dict[int, Figures]] = {policy: {} for policy in policies}
    for job, figures in found.items():
        results[job.policy][job.seed] = figures
    if as_json:
        app.print_json(report.as_json(results, size, days, rules(size).first_day))
    else:
        click.echo(report.as_text(results, size, days))


def _asked(names: str) -> list[str]:
    """The policies named, each once. Raises SaldoError("policy_unknown")."""
    asked = list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    unknown = [name for name in asked if name not in POLICIES]
    if unknown or not asked:
        raise SaldoError("policy_unknown", policy=", ".join(unknown) or "-", known=", ".join(POLICIES))
    return asked


def _ended(number: int, frame: FrameType | None) -> Any:
    """Asked to end: by leaving, so that what was made is dropped on the way out."""
    sys.exit(TERMINATED)
