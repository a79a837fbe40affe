"""Cash application measured: how much is posted unasked, how much of it is right, and how fast.

    python -m benchmarks.cash --seed 7001             quality through the product, with a desk that teaches
    python -m benchmarks.cash --seed 7001 --cold      the same with nobody at the desk
    python -m benchmarks.cash --speed                 100,000 lines against 1,000,000 open items

Everything runs in scratch databases on the server in use, which are dropped at the end. What is right, and
the ceiling beside which the rate stands: docs/rules/cash-quality.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from benchmarks.measure import Result

LAST_DAY = date(2026, 10, 30)
# Everything was developed on this world; seeds from 7000 on are for the final measurement.
DEVELOPMENT_SEED = 901
MEASURED_DAYS, LEARNING_DAYS = 120, 120
# Lines that the desk posts on a day: one person, half of the time.
CAPACITY = 120
# The gate, and what is aimed at (docs/rules/cash-quality.md).
LEAST_PRECISION, LEAST_OF_CEILING = 0.999, 0.95


def measure_quality(options: argparse.Namespace) -> dict[str, Any]:
    """One trial in the database that DATABASE_URL names."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "saldo.config.settings")
    django.setup()
    from saldo.simulation.cash_trial.pure import read_tables
    from saldo.simulation.cash_trial.report import figures
    from saldo.simulation.cash_trial.run import CashJob, run
    from saldo.simulation.world.world import World

    if options.folder:
        t = read_tables(options.folder)
    else:
        t = World.make(options.size, options.seed, LAST_DAY).tables()
    measured = LAST_DAY - timedelta(days=options.days - 1)
    first = measured - timedelta(days=0 if options.cold else options.warm)
    job = CashJob(options.seed, first, measured, LAST_DAY, 0 if options.cold else options.capacity)
    began = time.perf_counter()

    def tell(day: date, lines: int) -> None:
        if day.weekday() == 4:
            print(f"{day}: {lines} lines, {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)

    trial = run(t, job, tell)
    if options.details:
        trial.write_details(options.details)
    return {
        "seed": options.seed, "mode": "cold" if options.cold else "learning", "first": str(measured),
        "last": str(LAST_DAY), "learnt_since": str(first), "seconds": round(time.perf_counter() - began),
        **figures(trial.outcomes), "euro": trial.euro(), "lines": dict(sorted(trial.counts.items())),
        "troubles": dict(trial.troubles), "refused": dict(trial.refused_files),
    }  # fmt: skip


def measure_speed(options: argparse.Namespace) -> dict[str, Any]:
    """One run in the database that DATABASE_URL names."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "saldo.config.settings")
    django.setup()
    from benchmarks.cash_speed import bench_speed

    return bench_speed(10 if options.small else 1)


def speed(small: bool = False) -> Result:
    """``python -m benchmarks.cash --speed``, as a row of the report."""
    told = in_scratch(["--speed", *(["--small"] if small else [])])
    return Result(**json.loads(told.splitlines()[-1]))


def quality(seed: int, *arguments: str) -> Result:
    """``python -m benchmarks.cash --seed``, as a row of the report."""
    told = json.loads(in_scratch(["--seed", str(seed), *arguments]).splitlines()[-1])
    show(told)
    whole = told["all"]
    names = ("lines", "rate", "rate_by_value", "ceiling", "rate_of_ceiling", "precision", "auto_wrong")
    result = Result(f"cash, quality, seed {seed}", "precision >= 99.9%, >= 95% of the ceiling")
    result.seconds = told["seconds"]
    result.figures = {name: whole[name] for name in names}
    result.met = is_met(told)
    return result


def is_met(told: dict[str, Any]) -> bool:
    """Precision, share of the ceiling, and every euro accounted for."""
    whole = told["all"]
    precise = (whole["precision"] or 0) >= LEAST_PRECISION and bool(told["euro"]["adds_up"])
    return precise and (whole["rate_of_ceiling"] or 0) >= LEAST_OF_CEILING


def show(told: dict[str, Any]) -> None:
    """Print the figures."""
    from saldo.simulation.cash_trial.report import table

    print(
        f"Seed {told['seed']}, {told['mode']}: transfers booked {told['first']} to {told['last']}, "
        f"learnt since {told['learnt_since']}, {told['seconds']} s"
    )
    print(table(told))
    print("euro that came in:", json.dumps(told["euro"]))
    print("all bank lines:", json.dumps(told["lines"]))
    print("what the desk could not do:", json.dumps(told["troubles"]))
    print("refused pieces of files:", json.dumps(told["refused"]))
    whole = told["all"]
    print(
        f"precision {whole['precision']:.5f} (97.5% sure: at least {whole['precision_at_least']:.5f}), "
        f"target {LEAST_PRECISION}; of the ceiling {whole['rate_of_ceiling']:.4f}, "
        f"target {LEAST_OF_CEILING}: {'met' if is_met(told) else 'MISSED'}"
    )


def in_scratch(arguments: list[str]) -> str:
    """What this module prints with ``arguments`` in a process of its own on a fresh database."""
    from saldo.simulation.trial.scratch import Server, scratch

    with scratch(Server.in_use()) as databases:
        url = databases.make("cash")
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "benchmarks.cash", "--inside", *arguments],
            env={**os.environ, "DATABASE_URL": url, "POLARS_MAX_THREADS": "1"},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    return done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=DEVELOPMENT_SEED)
    parser.add_argument("--size", default="medium")
    parser.add_argument("--folder", type=Path, help="a world that was written, instead of making the seed's")
    parser.add_argument("--cold", action="store_true", help="nobody at the desk, nothing learnt before")
    parser.add_argument("--days", type=int, default=MEASURED_DAYS)
    parser.add_argument("--warm", type=int, default=LEARNING_DAYS, help="days of learning before them")
    parser.add_argument("--capacity", type=int, default=CAPACITY, help="lines that the desk posts a day")
    parser.add_argument("--details", type=Path, help="write every wrong or missed line to this file")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    parser.add_argument("--speed", action="store_true", help="how fast, instead of how well")
    parser.add_argument("--small", action="store_true", help="a tenth of the size, for --speed")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        print(json.dumps(measure_speed(options) if options.speed else measure_quality(options)))
        return
    if options.speed:
        result = speed(small=options.small)
        print(result.line())
        sys.exit(result.met is False)
    told = json.loads(in_scratch(sys.argv[1:]).splitlines()[-1])
    if options.json:
        options.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    show(told)
    sys.exit(0 if is_met(told) else 1)


if __name__ == "__main__":
    main()
