"""How much payment days move together, from a company's own past, as correlations of the copula.

On past days the model's curves are set beside what came. Where two items are both later (or both earlier)
than said more often than chance, they move together: the mean product of their errors is their covariance,
which the copula ties to its correlation by Mehler's expansion

    cov(i, k) = sum over n of  r^n / n!  He(n-1)(q_i) He(n-1)(q_k) phi(q_i) phi(q_k),      q = Phi^-1(p)

Pairs of items of one customer give the two correlations together, pairs of different customers the common
one. Both are drawn to stated priors while little was seen.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import ndtri

from saldo.analytics.cash_past import Seen
from saldo.analytics.cash_simulation import Dependence
from saldo.core.priors import CashPrior, default_priors

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# The weeks after each landmark by whose end the correlations are taken.
HORIZONS = (1, 4)
_TERMS = 4


def stated_dependence(prior: CashPrior | None = None) -> Dependence:
    """What is assumed of a company of which nothing was seen."""
    prior = prior or default_priors().cash
    return Dependence(prior.portfolio_correlation, prior.customer_correlation, prior.week_error)


def estimate_dependence(seen: Seen, said: Floats, prior: CashPrior | None = None) -> Dependence:
    """The correlations seen on past landmarks, drawn to the stated ones while little was seen.

    said: share of each landmark expected to be paid by the end of each of the weeks seen (landmarks x weeks).
    """
    prior = prior or default_priors().cash
    came = seen.came[:, 6::7]
    within, between = _Pairs(seen.group), _Pairs(seen.of_day)
    for week in HORIZONS:
        within.add(seen.amount, said[:, week - 1], came[:, week - 1])
        between.add(seen.amount, said[:, week - 1], came[:, week - 1])
    common = between.less(within).correlation()
    together = within.correlation()
    days, groups = len(seen.days), within.groups()
    portfolio = _drawn_to(common, days, prior.portfolio_correlation, prior.prior_days)
    own = _drawn_to(max(together - common, 0.0), groups, prior.customer_correlation, prior.prior_groups)
    known = Dependence(min(portfolio, 0.5), min(own, 0.45))
    beyond = _week_error(seen, said, came, known) * prior.week_error_ahead**2
    week_error = np.sqrt(_drawn_to(beyond, days, prior.week_error**2, prior.prior_days))
    return replace(known, week=min(float(week_error), 1.0), landmarks=days)


def _week_error(seen: Seen, said: Floats, came: Floats, known: Dependence) -> float:
    """Relative variance of a week's cash beyond what the copula gives it, and so by what the curves miss.

    The copula's variance by the first term of Mehler's expansion: a week has the limits of its two ends.
    """
    amount, of_day = seen.amount, seen.of_day
    weekly, cash = np.diff(said, axis=1, prepend=0.0), np.diff(came, axis=1, prepend=0.0)
    limit = ndtri(np.clip(said, 1e-6, 1 - 1e-6))
    density = np.exp(-0.5 * limit**2) / np.sqrt(2 * np.pi)
    moved = amount[:, None] * np.diff(density, axis=1, prepend=0.0)
    beyond, expected = 0.0, 0.0
    for week in range(said.shape[1]):
        error = np.bincount(of_day, amount * (cash[:, week] - weekly[:, week]))
        alone = float((amount**2 * weekly[:, week] * (1 - weekly[:, week])).sum())
        of_customer, of_all = (np.bincount(each, moved[:, week]) for each in (seen.group, of_day))
        own = float((moved[:, week] ** 2).sum())
        beyond += float((error**2).sum()) - alone
        beyond -= known.customer * (float((of_customer**2).sum()) - own)
        beyond -= known.portfolio * (float((of_all**2).sum()) - own)
        expected += float((np.bincount(of_day, amount * weekly[:, week]) ** 2).sum())
    return max(beyond, 0.0) / max(expected, 1e-12)


def _drawn_to(seen: float, times: int, stated: float, weight: float) -> float:
    return (weight * stated + times * seen) / (weight + times)


class _Pairs:
    """Sums over the pairs of items of one group: products of their errors, and Mehler's terms."""

    def __init__(self, group: Ints) -> None:
        self._group = group
        self._errors = 0.0
        self._terms = np.zeros(_TERMS)

    def groups(self) -> int:
        """Groups with a pair at all."""
        return int((np.bincount(self._group) > 1).sum())

    def add(self, amount: Floats, said: Floats, came: Floats) -> None:
        self._errors += self._sum(amount * (came - said))
        limit = ndtri(np.clip(said, 1e-6, 1 - 1e-6))
        density = amount * np.exp(-0.5 * limit**2) / np.sqrt(2 * np.pi)
        hermite = [np.ones_like(limit), limit, limit**2 - 1, limit**3 - 3 * limit]
        factorial = 1.0
        for n, polynomial in enumerate(hermite):
            factorial *= n + 1
            self._terms[n] += self._sum(density * polynomial) / factorial

    def _sum(self, values: Floats) -> float:
        sums = np.bincount(self._group, values)
        return float((sums**2).sum() - (values**2).sum())

    def less(self, other: _Pairs) -> _Pairs:
        """The pairs that are not in ``other``, whose groups lie inside of these."""
        rest = _Pairs(self._group)
        rest._errors, rest._terms = self._errors - other._errors, self._terms - other._terms
        return rest

    def correlation(self) -> float:
        """The one between 0 and .9 whose covariances add up to the products of errors."""

        def missing(rho: float) -> float:
            return float(self._terms @ rho ** np.arange(1, _TERMS + 1)) - self._errors

        if self._terms[0] <= 0 or missing(0.0) >= 0:
            return 0.0
        return 0.9 if missing(0.9) <= 0 else float(brentq(missing, 0.0, 0.9, xtol=1e-4))
