"""Experiments: who gets which arm, how many customers it takes, and what may be concluded on any day.

The outcome of a customer is a share between 0 and 1. Two arms are compared by the difference of their means,
read as often as one likes: its interval holds on all days at once (normal mixture of Robbins; as "always
valid" by Johari, Pekelis, Walsh, 2017; asymptotic by Waudby-Smith and others, 2021). What may go wrong for
customers is rare and is counted exactly, by a mixture over binomials. docs/rules/experiments.md.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from statistics import NormalDist

from saldo.core.errors import SaldoError

DISPUTE, COMPLAINT, OPT_OUT = "dispute", "complaint", "opt_out"
HARMS = (DISPUTE, COMPLAINT, OPT_OUT)
# Chance, over all harms and arms of an experiment, to stop it although no arm does harm: caution is cheap.
HARM_ALPHA = 0.10
# Before each arm has so many customers whose time is over, nothing is concluded: the interval is one of large
# numbers.
LEAST_FINISHED = 50
# Of an outcome of which nothing is known: half of the customers pay, half do not.
WIDEST_VARIANCE = 0.25
# What a design may ask for.
LEAST_EFFECT, MOST_EFFECT = 0.01, 0.5
LEAST_DAYS, MOST_HORIZON, MOST_ENROLL = 7, 90, 365

BETTER, WORSE, NO_DIFFERENCE, TOO_EARLY, OPEN = "better", "worse", "no_difference", "too_early", "open"


@dataclass(frozen=True, slots=True)
class Design:
    """What an experiment is to find, and how surely.

    effect: the smallest difference worth finding, in shares (0.10: ten points of a hundred). alpha: chance of
    finding one that is not there, over all days and arms. power: chance of finding one of that size.
    horizon_days: how long a customer is looked at. enroll_days: how long customers come in.
    """

    effect: float = 0.10
    alpha: float = 0.05
    power: float = 0.80
    horizon_days: int = 14
    enroll_days: int = 90

    def checked(self) -> Design:
        """Itself. Raises SaldoError("experiment_numbers") where a number makes no sense."""
        bounds: tuple[tuple[str, float, float, float], ...] = (
            ("effect", self.effect, LEAST_EFFECT, MOST_EFFECT),
            ("alpha", self.alpha, 0.001, 0.2),
            ("power", self.power, 0.5, 0.99),
            ("horizon_days", self.horizon_days, LEAST_DAYS, MOST_HORIZON),
            ("enroll_days", self.enroll_days, LEAST_DAYS, MOST_ENROLL),
        )
        for name, value, low, high in bounds:
            # Not a number fails both comparisons.
            if not low <= value <= high:
                raise SaldoError("experiment_numbers", name=name, value=value, low=low, high=high)
        return self


@dataclass(frozen=True, slots=True)
class Running:
    """An experiment that gives arms on a day. step_text: the step as it was when the experiment began; where
    the playbook in force has another, the experiment does nothing. arms: CONTROL first."""

    id: int
    playbook: str
    step: str
    step_text: str
    salt: str
    arms: tuple[str, ...]
    from_date: date
    until_date: date

    def arm_of(self, customer_id: int) -> str:
        return arm_of(self.salt, customer_id, self.arms)


def arm_of(salt: str, customer_id: int, arms: Sequence[str]) -> str:
    """The arm of a customer: always the same, in equal shares, and by chance for whoever chose the salt."""
    digest = hashlib.blake2b(f"{salt}:{customer_id}".encode(), digest_size=8).digest()
    return arms[int.from_bytes(digest, "big") * len(arms) >> 64]


# -- how many customers --


def _planned_ratio(alpha: float) -> float:
    """The ratio of mixture variance to the effect's own at which the interval is the narrowest:
    r = ln(1 + r) + 2 ln(1/alpha). The half width is then sqrt(1 + r) standard errors."""
    ratio = 8.0
    for _ in range(60):
        ratio = math.log1p(ratio) + 2 * math.log(1 / alpha)
    return ratio


def _factor(alpha: float, power: float) -> float:
    """Standard errors that an effect must be long to be found with that power at the planned size."""
    return math.sqrt(1 + _planned_ratio(alpha)) + NormalDist().inv_cdf(power)


def needed_per_arm(design: Design, comparisons: int, variance: float) -> int:
    """Customers that each arm takes. comparisons: arms besides CONTROL, each with its share of alpha.
    variance: of one customer's outcome."""
    factor = _factor(design.alpha / comparisons, design.power)
    return max(math.ceil(2 * variance * (factor / design.effect) ** 2), LEAST_FINISHED)


def effect_found(design: Design, comparisons: int, variance: float, per_arm: int) -> float:
    """The smallest difference that so many customers in each arm would show."""
    return _factor(design.alpha / comparisons, design.power) * math.sqrt(2 * variance / max(per_arm, 1))


def mixture_variance(design: Design, comparisons: int) -> float:
    """Variance of the mixture over effects: that at which the interval is narrowest at the planned size."""
    alpha = design.alpha / comparisons
    error = design.effect / _factor(alpha, design.power)
    return _planned_ratio(alpha) * error**2


# -- what is found --


@dataclass(frozen=True, slots=True)
class Sums:
    """Outcomes of an arm's customers whose time is over: how many, their sum and the sum of their squares."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0

    @property
    def mean(self) -> float | None:
        return self.total / self.count if self.count else None

    @property
    def mean_variance(self) -> float:
        """Variance of the mean. One customer who paid and one who did not are added, so that an arm in which
        all are alike does not look certain."""
        count = self.count + 2
        mean = (self.total + 1) / count
        return ((self.squares + 1) / count - mean**2) / max(self.count, 1)


@dataclass(frozen=True, slots=True)
class Difference:
    """An arm's mean less that of CONTROL, with the interval and the p that hold whenever one looks."""

    effect: float
    low: float
    high: float
    p: float


def difference(arm: Sums, control: Sums, mixture: float, alpha: float) -> Difference | None:
    """None before both have LEAST_FINISHED customers."""
    if min(arm.count, control.count) < LEAST_FINISHED:
        return None
    assert arm.mean is not None and control.mean is not None
    variance = arm.mean_variance + control.mean_variance
    effect, ratio = arm.mean - control.mean, mixture / variance
    width = math.sqrt(variance * (1 + 1 / ratio) * (math.log1p(ratio) - 2 * math.log(alpha)))
    log_mixture = ratio / (1 + ratio) * effect**2 / (2 * variance) - math.log1p(ratio) / 2
    return Difference(effect, effect - width, effect + width, math.exp(min(0.0, -log_mixture)))


def harm_evidence(in_arm: int, in_control: int) -> float:
    """How much likelier what went wrong is if the arm does harm than if it does not; 1: nothing says so.

    Were the arm like CONTROL, each customer for whom something went wrong would be in it with chance 1/2,
    whatever the harm depends on. Against that stands a chance anywhere between 1/2 and 1. The largest value
    that was ever reached is 1/p or more with chance p at most.
    """
    total = in_arm + in_control
    if not total:
        return 1.0
    # Beta(x+1, y+1) above 1/2: a sum of binomial chances, exact in whole numbers.
    tail = sum(math.comb(total + 1, k) for k in range(in_arm + 1))
    log_beta = math.lgamma(in_arm + 1) + math.lgamma(in_control + 1) - math.lgamma(total + 2)
    log_tail = math.log(tail) - (total + 1) * math.log(2)
    return math.exp(min(700.0, log_beta + log_tail + math.log(2) + total * math.log(2)))


def harm_limit(comparisons: int) -> float:
    """The evidence from which on an arm is taken to do harm."""
    return comparisons * len(HARMS) / HARM_ALPHA
