"""Speed of the simulated world: writing the large one, and a day of the small one through the real flows."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.measure import Result, measured

WARM_UP_DAYS, MEASURED_DAYS = 5, 60


def bench_world(folder: Path, size: str) -> Result:
    """``saldo world write`` in a process of its own, so that its memory is its own too."""
    command = [sys.executable, "-m", "saldo.interfaces.commands.main", "world", "write", "--size", size]
    with measured(f"world written, {size}", "large < 300 s, < 4 GiB") as result:
        subprocess.run([*command, "--to", str(folder / "world")], check=True, stdout=subprocess.DEVNULL)
    result.peak_mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    files = [path for path in (folder / "world" / "files").rglob("*") if path.is_file()]
    result.figures = {"files": len(files), "MB": round(sum(path.stat().st_size for path in files) / 1e6)}
    result.met = result.seconds < 300 and result.peak_mib < 4096 if size == "large" else None
    return result


def bench_simulated_day() -> Result:
    """The import of the day's two ERP files and the day runs of both companies; the world itself is apart.

    As in ``saldo simulate``, commits do not wait for the disk.
    """
    from django.db import connection

    from saldo.simulation.files.erp_exports import daily
    from saldo.simulation.trial.jobs import Job
    from saldo.simulation.trial.run import begin, business_days
    from saldo.simulation.world.world import World

    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
    trial = begin(Job("saldo", 1, "small", 2 * (WARM_UP_DAYS + MEASURED_DAYS)), World.make)
    seconds, simulated = [], 0.0
    with measured("simulated day, small, 2 companies", "< 0.4 s") as result:
        for day in list(business_days(trial))[: WARM_UP_DAYS + MEASURED_DAYS]:
            start = time.perf_counter()
            trial.world.advance(day)
            t = trial.world.tables()
            files = [(code, daily(t, company_id, day)) for company_id, code in trial.codes.items()]
            trial.desk.begin(day)
            began = time.perf_counter()
            simulated += began - start
            for code, file in files:
                if file is not None:
                    trial.desk.take_in(code, file)
            trial.desk.run()
            seconds.append(time.perf_counter() - began)
    each = seconds[WARM_UP_DAYS:]
    result.figures = {
        "s a day": round(sum(each) / len(each), 3),
        "slowest": round(max(each), 3),
        "the world itself": round(simulated / len(seconds), 3),
    }
    result.met = sum(each) / len(each) < 0.4
    return result
