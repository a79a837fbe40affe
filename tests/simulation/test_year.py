"""A year of a small world under the invariants of every day: two halves at once, a process for each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from saldo.simulation.trial.jobs import ONE_THREAD
from saldo.simulation.trial.scratch import SETTINGS, Server, scratch

ROOT = Path(__file__).resolve().parents[2]
FIRST_DAY, DAYS = date(2026, 1, 1), 365
HALF = 182
SECONDS = 900


@pytest.mark.slow
def test_a_year_of_a_small_world(django_db_setup: None) -> None:
    halves = ((FIRST_DAY, HALF), (FIRST_DAY + timedelta(days=HALF), DAYS - HALF))
    with scratch(Server.in_use()) as databases:
        running = [
            _started(databases.make(f"half{n}"), first, days) for n, (first, days) in enumerate(halves)
        ]
        told = [_told(process) for process in running]
    # It was not a year in which nothing happened.
    assert sum(half["days"] for half in told) > 245
    assert sum(half["contacts"] for half in told) > 300
    assert sum(half["cash_cents"] for half in told) > 1_000_000_00
    assert {"promise", "dispute"} <= {kind for half in told for kind in half["replies"]}
    assert {"payment", "return", "write_off"} <= {kind for half in told for kind in half["postings"]}


def _started(address: str, first: date, days: int) -> subprocess.Popen[str]:
    environment = {**os.environ, **ONE_THREAD, "DATABASE_URL": address, "DJANGO_SETTINGS_MODULE": SETTINGS}
    command = [sys.executable, "-W", "ignore", "-m", "tests.simulation.year", first.isoformat(), str(days)]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def _told(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, said = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, said[-3000:]
    result: dict[str, Any] = json.loads(out)
    return result
