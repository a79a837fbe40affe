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
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.optimize import brentq
from scipy.special import ndtri

from saldo.analytics.book import Book, balances
from saldo.analytics.cash_history import cash_movements
from saldo.analytics.cash_simulation import Dependence
from saldo.analytics.curves import Curves, paid_within
from saldo.core.priors import CashPrior, default_priors

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Items of which it is looked whether they were open, and landmarks, at most.
MOST_ITEMS, MOST_LANDMARKS = 100_000, 20_000
LANDMARK_DAYS, STEP_WEEKS = 13, 4
# Weeks after each of them that are looked at, and those of them by whose end the correlations are taken.
WEEKS, HORIZONS = 4, (1, 4)
# Amounts count up to this quantile: a few giants would be all that is seen.
AMOUNT_QUANTILE = 0.95
_TERMS = 4


def stated_dependence(prior: CashPrior | None = None) -> Dependence:
    """What is assumed of a company of which nothing was seen."""
    prior = prior or default_priors().cash
    return Dependence(prior.portfolio_correlation, prior.customer_correlation, prior.week_error)


def past_landmarks(book: Book, as_of: date) -> pl.DataFrame:
    """LANDMARKS on past days whose following four weeks are over: whole customers, MOST_LANDMARKS at most."""
    first = book.items["known_date"].min()
    days = []
    if isinstance(first, date):
        # A book that has just begun holds only what is new.
        begin = max(first, book.known_from or first) + timedelta(days=7 * STEP_WEEKS)
        days = [as_of - timedelta(days=7 * STEP_WEEKS * step) for step in range(1, LANDMARK_DAYS + 1)]
        days = [day for day in days if day >= begin]
    landmarks = pl.DataFrame({"as_of": days}, schema={"as_of": pl.Date})
    if not days:
        return landmarks.select(pl.lit(0, pl.Int64).alias("item_id"), "as_of").clear()
    customers = book.items.select("item_id", "customer_id", "known_date")
    asked = (
        _of_some(customers, MOST_ITEMS)
        .join(landmarks, how="cross")
        .filter(pl.col("known_date") <= pl.col("as_of"))
    )
    ends = book.ends.join(asked, on="item_id", how="semi")
    is_open = balances(replace(book, ends=ends), asked)["balance_mills"] > 0
    return _of_some(asked.filter(is_open), MOST_LANDMARKS).select("item_id", "as_of")


def _of_some(rows: pl.DataFrame, most: int) -> pl.DataFrame:
    """The rows of whole customers, as many of them as have no more than ``most`` rows together."""
    if rows.height <= most:
        return rows
    chosen = (
        rows.group_by("customer_id")
        .len()
        # Spread by a multiplicative hash: neither the first customers nor the largest ones.
        .sort((pl.col("customer_id").cast(pl.UInt64) * 2654435761) % 2**32, "customer_id")
        .filter(pl.col("len").cum_sum() <= most)
    )
    return rows.join(chosen, on="customer_id", how="semi", maintain_order="left")


def estimate_dependence(
    book: Book, landmarks: pl.DataFrame, curves: Curves, as_of: date, prior: CashPrior | None = None
) -> Dependence:
    """The correlations seen on ``landmarks`` by ``as_of``, drawn to the stated ones while little was seen.

    curves: of ``landmarks``, in their order, by the model whose errors they are.
    """
    prior = prior or default_priors().cash
    if landmarks.is_empty():
        return stated_dependence(prior)
    items = book.items.join(landmarks, on="item_id", how="semi")
    book = replace(book, items=items, ends=book.ends.join(items, on="item_id", how="semi"))
    facts = balances(book, landmarks)
    amount = facts["balance_mills"].to_numpy().astype(np.float64)
    amount = np.minimum(amount, np.quantile(amount, AMOUNT_QUANTILE))
    amount = amount / amount.mean()
    day, of_day = np.unique(facts["as_of"].to_numpy(), return_inverse=True)
    group = facts.select(pl.struct("as_of", "customer_id").rank("dense").cast(pl.Int64) - 1).to_series()
    within = _Pairs(group.to_numpy())
    between = _Pairs(of_day.astype(np.int64))
    said = paid_within(curves, 7 * np.arange(1, WEEKS + 1))
    came = _came_by_week(book, facts, as_of)
    for week in HORIZONS:
        within.add(amount, said[:, week - 1], came[:, week - 1])
        between.add(amount, said[:, week - 1], came[:, week - 1])
    common = between.less(within).correlation()
    together = within.correlation()
    days, groups = len(day), within.groups()
    portfolio = _drawn_to(common, days, prior.portfolio_correlation, prior.prior_days)
    own = _drawn_to(max(together - common, 0.0), groups, prior.customer_correlation, prior.prior_groups)
    known = Dependence(min(portfolio, 0.5), min(own, 0.45))
    seen = _week_error(amount, said, came, group.to_numpy(), of_day.astype(np.int64), known)
    week_error = np.sqrt(_drawn_to(seen, days, prior.week_error**2, prior.prior_days))
    return replace(known, week=min(float(week_error), 1.0), landmarks=days)


def _week_error(
    amount: Floats, said: Floats, came: Floats, group: Ints, of_day: Ints, known: Dependence
) -> float:
    """Relative variance of a week's cash beyond what the copula gives it, and so by what the curves miss.

    The copula's variance by the first term of Mehler's expansion: a week has the limits of its two ends.
    """
    weekly, cash = np.diff(said, axis=1, prepend=0.0), np.diff(came, axis=1, prepend=0.0)
    limit = ndtri(np.clip(said, 1e-6, 1 - 1e-6))
    density = np.exp(-0.5 * limit**2) / np.sqrt(2 * np.pi)
    moved = amount[:, None] * np.diff(density, axis=1, prepend=0.0)
    beyond, expected = 0.0, 0.0
    for week in range(said.shape[1]):
        error = np.bincount(of_day, amount * (cash[:, week] - weekly[:, week]))
        alone = float((amount**2 * weekly[:, week] * (1 - weekly[:, week])).sum())
        of_customer, of_all = (np.bincount(each, moved[:, week]) for each in (group, of_day))
        own = float((moved[:, week] ** 2).sum())
        beyond += float((error**2).sum()) - alone
        beyond -= known.customer * (float((of_customer**2).sum()) - own)
        beyond -= known.portfolio * (float((of_all**2).sum()) - own)
        expected += float((np.bincount(of_day, amount * weekly[:, week]) ** 2).sum())
    return max(beyond, 0.0) / max(expected, 1e-12)


def _drawn_to(seen: float, times: int, stated: float, weight: float) -> float:
    return (weight * stated + times * seen) / (weight + times)


def _came_by_week(book: Book, facts: pl.DataFrame, as_of: date) -> Floats:
    """Share of each landmark's balance that was cash by the end of each week after it, as known on as_of."""
    keys = facts.select("item_id", landmark="as_of").with_row_index("row")
    weeks = ((pl.col("cash_date") - pl.col("landmark")).dt.total_days() + 6) // 7
    paid = (
        keys.join(cash_movements(book).filter(pl.col("known_date") <= as_of), on="item_id")
        .filter(pl.col("known_date") > pl.col("landmark"))
        .select("row", "cash_mills", week=weeks.clip(lower_bound=1) - 1)
        .filter(pl.col("week") < WEEKS)
    )
    cell = paid["row"].to_numpy().astype(np.int64) * WEEKS + paid["week"].to_numpy()
    cash = np.bincount(cell, paid["cash_mills"].to_numpy(), minlength=facts.height * WEEKS)
    balance = facts["balance_mills"].to_numpy()[:, None]
    result: Floats = np.clip(cash.reshape(-1, WEEKS).cumsum(axis=1) / balance, 0.0, 1.0)
    return result


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
