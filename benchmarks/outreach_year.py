"""Simulated years in which playbooks write to customers: nothing that may not be asked for is ever asked.

    python -m benchmarks.outreach_year --seeds 1..20 [--days 365] [--processes 2] [--size small]

Every seed is a world of its own on a scratch database of its own. Prints a line a seed and the sums; ends
with code 1 where anything was violated. Rules of the checks: saldo.simulation.outreach_trial.checks.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from saldo.simulation.trial.jobs import ONE_THREAD
from saldo.simulation.trial.scratch import SETTINGS, Scratch, Server, scratch

SECONDS = 3_600


def live(databases: Scratch, seed: int, days: int, size: str) -> dict[str, Any]:
    """One year, in a process of its own."""
    label = f"seed{seed}"
    environment = {
        **os.environ, **ONE_THREAD, "DATABASE_URL": databases.make(label), "DJANGO_SETTINGS_MODULE": SETTINGS,
    }  # fmt: skip
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "saldo.simulation.outreach_trial",
        str(seed),
        str(days),
        size,
    ]
    started = time.perf_counter()
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    databases.drop(label)
    if not done.stdout.strip():
        raise RuntimeError(f"seed {seed}: {done.stderr.strip()[-3000:]}")
    told: dict[str, Any] = json.loads(done.stdout)
    told["seconds"] = round(time.perf_counter() - started)
    return told


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="1..20", help="FIRST..LAST")
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--size", default="small")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    first, _, last = options.seeds.partition("..")
    seeds = range(int(first), int(last or first) + 1)
    found = []
    with scratch(Server.in_use()) as databases, ThreadPoolExecutor(options.processes) as pool:
        for told in pool.map(lambda seed: live(databases, seed, options.days, options.size), seeds):
            found.append(told)
            if not options.json:
                print(line(told), flush=True)
                for violation in told["first_violations"]:
                    print(f"  {violation}", flush=True)
    print(json.dumps(found) if options.json else summary(found))
    return 1 if any(told["violations"] for told in found) else 0


def line(told: dict[str, Any]) -> str:
    right, read = readings(told)
    return (
        f"seed {told['seed']}: {told['days']} days, {told['messages']} messages left, "
        f"{told['items_asked']} items asked, {told['violations']} violations, "
        f"{read} replies ({right / max(1, read):.1%} read right), ends {told['ends']}, {told['seconds']} s"
    )


def readings(told: dict[str, Any]) -> tuple[int, int]:
    replies = told["replies"].values()
    return sum(right for right, _ in replies), sum(count for _, count in replies)


def summary(found: list[dict[str, Any]]) -> str:
    kinds: Counter[str] = Counter()
    rights: Counter[str] = Counter()
    for told in found:
        for kind, (right, count) in told["replies"].items():
            kinds[kind] += count
            rights[kind] += right
    key_right, key_all = (sum(told["by_one_key"][place] for told in found) for place in (0, 1))
    by_kind = ", ".join(
        f"{kind} {rights[kind] / count:.1%} of {count}" for kind, count in sorted(kinds.items())
    )
    return (
        f"{len(found)} years: {sum(told['violations'] for told in found)} violations, "
        f"{sum(told['messages'] for told in found)} messages left, "
        f"{sum(told['items_asked'] for told in found)} items asked; replies read right "
        f"{sum(rights.values()) / max(1, sum(kinds.values())):.1%} of {sum(kinds.values())} ({by_kind}); "
        f"confirmed as proposed {key_all}, of these read right {key_right / max(1, key_all):.1%}"
    )


if __name__ == "__main__":
    sys.exit(main())
