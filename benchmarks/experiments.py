"""How often experiments are wrong, and how often they find what is there (docs/rules/experiments.md, 7).

    python -m benchmarks.experiments

Customers come in one by one, and the difference is read on every seventh of each arm, as a person does who
looks every morning and stops when there is something to see.
"""

from __future__ import annotations

import numpy as np

from saldo.core.experiments import (
    LEAST_FINISHED,
    Design,
    Sums,
    difference,
    harm_evidence,
    harm_limit,
    mixture_variance,
    needed_per_arm,
)

SEED, EXPERIMENTS, EVERY = 7, 400, 7


def found_share(
    rates: tuple[float, float], customers: int, experiments: int = EXPERIMENTS, every: int = EVERY,
    seed: int = SEED,
) -> float:  # fmt: skip
    """Share of experiments that found a difference on any day. rates: chance to pay of each arm."""
    draws, design = np.random.default_rng(seed), Design()
    mixture = mixture_variance(design, 1)
    found = 0
    for _ in range(experiments):
        arms = [np.cumsum(draws.random(customers) < rate, dtype=float) for rate in rates]
        for count in range(LEAST_FINISHED, customers + 1, every):
            told = [Sums(count, float(arm[count - 1]), float(arm[count - 1])) for arm in arms]
            gap = difference(told[1], told[0], mixture, design.alpha)
            assert gap is not None
            if gap.p <= design.alpha:
                found += 1
                break
    return found / experiments


def stopped_share(harms: int, experiments: int, seed: int = SEED) -> float:
    """Share of harmless arms that were stopped for one kind of harm, of which so many happened in all."""
    draws, limit = np.random.default_rng(seed), harm_limit(1)
    stopped = 0
    for _ in range(experiments):
        in_arm = 0
        for count, is_arm in enumerate(draws.random(harms) < 0.5, start=1):
            in_arm += int(is_arm)
            if harm_evidence(in_arm, count - in_arm) >= limit:
                stopped += 1
                break
    return stopped / experiments


def main() -> None:
    planned = needed_per_arm(Design(), 1, 0.25)
    for rate in (0.5, 0.1, 0.03):
        print(f"no difference, {rate:.0%} pay: {found_share((rate, rate), 2000):.1%} found one")
    for low, high in ((0.5, 0.6), (0.45, 0.55)):
        share = found_share((low, high), planned)
        print(f"{low:.0%} and {high:.0%} pay, {planned} customers in each arm: {share:.1%} found it")
    print(f"harmless arm, 100 disputes: {stopped_share(100, 2000):.1%} stopped")


if __name__ == "__main__":
    main()
