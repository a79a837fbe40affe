"""How early, how often and how wrongly insolvencies of simulated worlds are warned of.

    python -m benchmarks.early_warning --seed 1 --seed 2 [--false-alarms 0.05] [--no-ratings]
    python -m benchmarks.early_warning --seed 1 --ceiling

Definitions are those of saldo.simulation.forecast_trial.warning_trial. One medium world takes about two
minutes.
"""

from __future__ import annotations

import argparse
import json
from datetime import date

from saldo.analytics.early_warning import WarningPolicy
from saldo.simulation.forecast_trial.warning_ceiling import ceiling
from saldo.simulation.forecast_trial.warning_trial import Counts, product_looks, run_trial
from saldo.simulation.forecast_trial.world_book import (
    insolvencies,
    last_day,
    outside_opinions,
    world_book,
)
from saldo.simulation.world.world import World

LAST_DAY = date(2026, 10, 30)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, action="append", required=True)
    parser.add_argument("--false-alarms", type=float, default=WarningPolicy().false_alarms)
    parser.add_argument("--no-ratings", action="store_true", help="payments and orders alone")
    parser.add_argument("--ceiling", action="store_true", help="an observer who knows the customers' types")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    policy = WarningPolicy(false_alarms=options.false_alarms)
    total = Counts()
    for seed in options.seed:
        world = World.make("medium", seed, LAST_DAY).tables()
        book, truth = world_book(world), insolvencies(world)
        if options.ceiling:
            total.add(ceiling(world, book, truth, last_day(world), policy))
            continue
        outside = None if options.no_ratings else outside_opinions(world)
        total.add(run_trial(book, truth, last_day(world), product_looks(policy, outside), policy))
    found = total.as_json()
    if options.json:
        print(json.dumps({"seeds": options.seed, **found}))
        return
    for name, value in found.items():
        if isinstance(value, dict) and "low" in value:
            low, high = value["low"], value["high"]
            print(f"{name:24} {value['share']:.1%}  ({low:.1%} to {high:.1%}, of {value['of']})")
        else:
            print(f"{name:24} {value}")


if __name__ == "__main__":
    main()
