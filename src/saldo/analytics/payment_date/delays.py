"""Delay distributions of accounts, shrunk account -> segment -> portfolio -> stated prior.

The delay of an installment is its payment day minus its due day, signed. Time is cut into cells, daily
around the due date and wider far from it; inside a cell the hazard is constant. Each cell has a hazard:
the share of the installments still open when it begins that are paid in it. Installments still open are
right-censored at ``as_of`` and count as open up to their present age; installments enter at their document
date (left truncation), so that short terms say nothing about days before the invoice existed.

1. *Profiles.* How one account pays is taken to be one of a fixed grid of profiles: logistic curves of a
   typical delay and a spread, each mixed with a little of the portfolio's own curve. The share of accounts
   that follows each profile is estimated by EM (a nonparametric mixing distribution: Laird 1978), from the
   stated prior as pseudo-accounts; a segment's shares are shrunk to the portfolio's (Dirichlet). An account's
   curve is the mean of the profiles weighted by how well they fit its own invoices, so an account without
   history has its segment's curve, and one with a long history its own profile.
2. *Own shape.* Cell by cell, (paid + c * hazard) / (at risk + c): the posterior mean of a beta process of
   concentration c (Hjort 1990) around that curve.
The concentrations are chosen by marginal likelihood on a grid, that is, from the data (empirical Bayes).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from saldo.core.priors import DelayPrior

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Ends of days past due between which the hazard is constant; cell k is (EDGES[k], EDGES[k + 1]].
EDGES: Ints = np.array(
    [
        *range(-120, -60, 10),
        *range(-60, -30, 5),
        *range(-30, 45, 1),
        *range(45, 90, 3),
        *range(90, 180, 10),
        *range(180, 360, 30),
        *(365, 450, 545, 730),
    ],
    dtype=np.int64,
)
CELLS = len(EDGES) - 1
FIRST_DAY, LAST_DAY = int(EDGES[0]), int(EDGES[-1])
WIDTHS: Floats = np.diff(EDGES).astype(np.float64)

# The profiles: typical delay and spread (of a logistic curve: standard deviation 1.8 times the scale).
PROFILE_DAYS: Floats = np.array(
    [-90, -75, -60, -50, *range(-40, 43, 3), 48, 55, 65, 75, 90, 110, 140, 180, 250, 365, 540, 800],
    dtype=np.float64,
)
PROFILE_SCALES: Floats = np.array([3.0, 6.0, 12.0, 24.0])
PROFILE_BLEND = 0.05
BLEND_DAYS: Ints = np.array([-120, -60, -30, -15, 0, 15, 30, 45, 60, 90, 180, 365, 730], dtype=np.int64)
STRENGTH_GRID = (2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0)
# Strengths are estimated on at most this many groups, evenly spread: enough to settle a grid of nine.
SAMPLE_GROUPS = 2000
EM_ROUNDS = 60
_LEAST = 1e-9


def _locate(days: Ints) -> tuple[Ints, Floats]:
    """Cell in which the end of each day lies, and the share of that cell elapsed by then, in (0, 1]."""
    inside = np.clip(days, FIRST_DAY + 1, LAST_DAY)
    cell = np.searchsorted(EDGES, inside, side="left") - 1
    return cell.astype(np.int64), (inside - EDGES[cell]) / WIDTHS[cell]


@dataclass(frozen=True, slots=True)
class Counts:
    """Weighted installments at risk and paid, one row per group and one column per cell."""

    at_risk: Floats
    paid: Floats

    def summed(self, group: Ints, groups: int) -> Counts:
        """The counts of coarser groups; ``group`` is the coarser group of each row."""
        at_risk, paid = np.zeros((groups, CELLS)), np.zeros((groups, CELLS))
        np.add.at(at_risk, group, self.at_risk)
        np.add.at(paid, group, self.paid)
        return Counts(at_risk, paid)


def count(
    group: Ints,
    entry_days: Ints,
    exit_days: Ints,
    is_paid: npt.NDArray[np.bool_],
    weight: Floats,
    groups: int,
) -> Counts:
    """Counts per group and cell of installments at risk from ``entry_days`` to ``exit_days``, both included.

    Days are past due. A censored installment counts in its last cell by the share of it that it was seen
    open. What is paid later than the last cell is open in all of them.
    """
    entry_days = np.minimum(entry_days, exit_days)
    is_event = is_paid & (exit_days <= LAST_DAY)
    begun = np.clip(entry_days - 1, FIRST_DAY, LAST_DAY - 1)
    first = np.searchsorted(EDGES, begun, side="right") - 1
    missed = (begun - EDGES[first]) / WIDTHS[first]
    last, seen = _locate(exit_days)
    # Installments that ended before the first cell, or began after the last one, were never observed in it.
    observed = (exit_days > FIRST_DAY) | is_event
    observed &= entry_days <= LAST_DAY
    used = np.where(observed, weight, 0.0)

    def tally(cell: Ints, value: Floats, cells: int) -> Floats:
        flat = np.bincount(group * cells + cell, weights=value, minlength=groups * cells)
        return flat.reshape(groups, cells).astype(np.float64, copy=False)

    steps = tally(first, used, CELLS + 1) - tally(last + 1, used, CELLS + 1)
    at_risk = np.cumsum(steps, axis=1)[:, :CELLS]
    at_risk -= tally(first, used * missed, CELLS)
    at_risk -= tally(last, np.where(is_event, 0.0, used * (1.0 - seen)), CELLS)
    paid = tally(last, np.where(is_event, used, 0.0), CELLS)
    return Counts(np.maximum(at_risk, paid), paid)


def _log_gamma(x: Floats) -> Floats:
    """log Gamma for x > 0 (Stirling's series after shifting the argument by 7; error below 1e-9)."""
    # One logarithm of the product instead of seven: counts are far from where it would overflow (1e44).
    shift = x * (x + 1) * (x + 2) * (x + 3) * (x + 4) * (x + 5) * (x + 6)
    y = x + 7.0
    inverse = 1.0 / y
    square = inverse * inverse
    series = inverse * (1 / 12 - square * (1 / 360 - square / 1260))
    result: Floats = (y - 0.5) * np.log(y) - y + 0.5 * np.log(2 * np.pi) + series - np.log(shift)
    return result


def _hazard_of(log_open: Floats) -> Floats:
    """P(paid in the cell | open when it begins) from log P(open) at the edges, along the last axis."""
    hazard: Floats = np.clip(-np.expm1(np.diff(log_open, axis=-1)), _LEAST, 1.0 - _LEAST)
    return hazard


def prior_hazard(prior: DelayPrior) -> Floats:
    """The stated prior's hazard in each cell."""
    days, shares = (np.array(column, dtype=np.float64) for column in zip(*prior.points, strict=True))
    return _hazard_of(np.interp(EDGES, days, np.log1p(-shares)))


def portfolio_hazard(counts: Counts, prior: DelayPrior) -> Floats:
    """The portfolio's hazard in each cell, with the stated prior as a few more invoices."""
    paid, at_risk = counts.paid.sum(axis=0), counts.at_risk.sum(axis=0)
    strength = prior.strength_invoices
    hazard: Floats = (paid + strength * prior_hazard(prior)) / (at_risk + strength)
    return np.clip(hazard, _LEAST, 1.0 - _LEAST)


def profiles(portfolio: Floats) -> Floats:
    """Hazards of each profile, one row per profile: a logistic curve and PROFILE_BLEND of the portfolio's.

    The portfolio's curve is taken smooth (between BLEND_DAYS), lest its peaks, such as the due date itself,
    make every profile fit the invoices paid on them.
    """
    location, scale = (grid.ravel()[:, None] for grid in np.meshgrid(PROFILE_DAYS, PROFILE_SCALES))
    is_open = 1.0 / (1.0 + np.exp(np.minimum((EDGES[None, :] + 0.5 - location) / scale, 500.0)))
    is_open /= is_open[:, :1]
    curve = log_open_at_edges(portfolio[None, :])[0]
    common = np.exp(np.interp(EDGES, BLEND_DAYS, curve[np.searchsorted(EDGES, BLEND_DAYS)]))
    return _hazard_of(np.log((1.0 - PROFILE_BLEND) * is_open + PROFILE_BLEND * common))


def _fit_of_profiles(counts: Counts, hazard: Floats) -> Floats:
    """Likelihood of each group's counts under each profile, relative to the group's best profile."""
    log_likelihood = counts.paid @ np.log(hazard).T + (counts.at_risk - counts.paid) @ np.log1p(-hazard).T
    fit: Floats = np.exp(log_likelihood - log_likelihood.max(axis=1, keepdims=True))
    return fit


def _responsibilities(fit: Floats, shares: Floats) -> Floats:
    """P(profile | data) of each row, from the fit and the shares (one row, or one per row of ``fit``)."""
    joint = fit * shares
    result: Floats = joint / joint.sum(axis=1, keepdims=True)
    return result


def _prior_accounts(prior: DelayPrior, hazard: Floats) -> tuple[Floats, Floats]:
    """The stated prior as accounts of one invoice: weight and fit of an invoice paid in each cell."""
    open_prior = np.exp(log_open_at_edges(prior_hazard(prior)[None, :]))[0]
    open_profile = np.exp(log_open_at_edges(hazard))
    weight = prior.strength_invoices * np.append(-np.diff(open_prior), open_prior[-1])
    fit = np.concatenate([-np.diff(open_profile, axis=1), open_profile[:, -1:]], axis=1).T
    return weight, np.maximum(fit, 1e-300)


def _dirichlet_strength(observed: Floats, shares: Floats) -> float:
    """Concentration with the highest Dirichlet-multinomial likelihood of the segments' profile counts."""
    if len(observed) < 2:
        return STRENGTH_GRID[-1]

    def likelihood(c: float) -> float:
        base = np.maximum(c * shares, 1e-9)[None, :]
        terms = (_log_gamma(base + observed) - _log_gamma(np.broadcast_to(base, observed.shape))).sum(axis=1)
        total, size = np.full(len(observed), c), observed.sum(axis=1)
        return float((terms + _log_gamma(total) - _log_gamma(total + size)).sum())

    return max(STRENGTH_GRID, key=likelihood)


def _shape_strength(counts: Counts, hazard: Floats) -> float:
    """Concentration of the beta process with the highest marginal (beta-binomial) likelihood."""
    step = max(1, len(hazard) // SAMPLE_GROUPS)
    at_risk, sampled_paid, hazard = counts.at_risk[::step], counts.paid[::step], hazard[::step]
    seen = at_risk > 0
    paid, open_after, p = sampled_paid[seen], (at_risk - sampled_paid)[seen], hazard[seen]
    # In most cells nothing is paid, and their first two terms cancel.
    some = paid > 0
    some_paid, some_p = paid[some], p[some]

    def likelihood(c: float) -> float:
        a, b = c * some_p, c * (1.0 - p)
        terms = _log_gamma(b + open_after) - _log_gamma(b) - _log_gamma(c + paid + open_after)
        of_paid = _log_gamma(a + some_paid) - _log_gamma(a)
        return float(terms.sum() + of_paid.sum() + len(p) * _log_gamma(np.array([c]))[0])

    return max(STRENGTH_GRID, key=likelihood)


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """P(paid in the cell | open when it begins) at each level, one row per group.

    segment_strength: accounts that the portfolio counts for in a segment; shape_strength: invoices that the
    mix of profiles counts for in an account's own shape; likeness: how alike accounts are, as the number of
    invoices that knowing the segment, but not the account, is worth. profiles: hazards of each profile;
    segment_shares: the mix of profiles in each segment, that of the portfolio last (both empty where nothing
    was estimated).
    """

    portfolio: Floats
    segments: Floats
    accounts: Floats
    segment_strength: float
    shape_strength: float
    likeness: float
    profiles: Floats
    segment_shares: Floats


def prior_only(accounts: int, segments: int, prior: DelayPrior) -> Hierarchy:
    """All levels where too little is known: the stated prior."""
    hazard = prior_hazard(prior)[None, :]
    strength = prior.strength_invoices
    levels = (hazard, np.repeat(hazard, segments, axis=0), np.repeat(hazard, accounts, axis=0))
    nothing = np.zeros((0, CELLS))
    return Hierarchy(
        *levels, strength, strength, likeness=strength, profiles=nothing, segment_shares=np.zeros((0, 0))
    )


def _likeness(shares: Floats, hazard: Floats) -> float:
    """Concentration of the beta distribution with the spread between accounts of P(paid by the due date)."""
    paid = 1.0 - np.exp(log_open_at_edges(hazard)[:, np.searchsorted(EDGES, 0)])
    mean = float(shares @ paid)
    variance = float(shares @ (paid - mean) ** 2)
    return max(mean * (1.0 - mean) / max(variance, 1e-6) - 1.0, 1.0)


def _mixing_shares(rows: Sequence[tuple[Floats, Floats]]) -> Floats:
    """Share of each profile by EM, from blocks of rows, each with its fit and weights.

    Sum over rows of weight x P(profile | row), without writing down the responsibilities: they are
    fit x shares / (fit . shares). Sums by einsum: for threads of their own the small ones are too short.
    """
    profiles_ = rows[0][0].shape[1]
    shares = np.full(profiles_, 1.0 / profiles_)
    for _ in range(EM_ROUNDS):
        support = np.zeros(profiles_)
        for fit, weight in rows:
            support += np.einsum("ij,i->j", fit, weight / np.einsum("ij,j->i", fit, shares))
        shares = shares * support
        shares /= shares.sum()
    return shares


def estimate(accounts: Counts, segment_of: Ints, segments: int, prior: DelayPrior) -> Hierarchy:
    """All levels from the counts of the accounts; ``segment_of`` is the segment of each account's row."""
    hazard = profiles(portfolio_hazard(accounts, prior))
    fit = _fit_of_profiles(accounts, hazard)
    prior_weight, prior_fit = _prior_accounts(prior, hazard)
    shares = _mixing_shares([(prior_fit, prior_weight), (fit, np.ones(len(fit)))])
    by_segment = np.zeros((segments, len(hazard)))
    np.add.at(by_segment, segment_of, _responsibilities(fit, shares))
    strength = _dirichlet_strength(by_segment, shares)
    segment_shares = by_segment + strength * shares
    segment_shares /= segment_shares.sum(axis=1, keepdims=True)
    profile_open = np.exp(log_open_at_edges(hazard))

    def mixed(weights: Floats) -> Floats:
        return _hazard_of(np.log(weights @ profile_open))

    base = mixed(_responsibilities(fit, segment_shares[segment_of]))
    c = _shape_strength(accounts, base)
    return Hierarchy(
        portfolio=mixed(shares[None, :]),
        segments=mixed(segment_shares),
        accounts=np.clip((accounts.paid + c * base) / (accounts.at_risk + c), _LEAST, 1.0 - _LEAST),
        segment_strength=strength,
        shape_strength=c,
        likeness=_likeness(shares, hazard),
        profiles=hazard,
        segment_shares=np.vstack([segment_shares, shares]),
    )


def account_hazards(
    accounts: Counts, segment_of: Ints, profiles_: Floats, segment_shares: Floats, shape_strength: float
) -> Floats:
    """Hazards of accounts from their counts of another day, with the levels above as they were estimated.

    segment_of: the row of ``segment_shares`` (its last one: the portfolio's) of each account.
    """
    fit = _fit_of_profiles(accounts, profiles_)
    weights = _responsibilities(fit, segment_shares[segment_of])
    base = _hazard_of(np.log(weights @ np.exp(log_open_at_edges(profiles_))))
    c = shape_strength
    result: Floats = np.clip((accounts.paid + c * base) / (accounts.at_risk + c), _LEAST, 1.0 - _LEAST)
    return result


def log_open_at_edges(probability: Floats) -> Floats:
    """log P(still open) at each of EDGES, from the hazard of each cell; one row per group."""
    result = np.zeros((len(probability), CELLS + 1))
    np.cumsum(np.log1p(-probability), axis=1, out=result[:, 1:])
    return result


def log_open(curves: Floats, row: Ints, days: Ints) -> Floats:
    """log P(still open at the end of day ``days`` past due) on the curve of ``row``.

    Beyond the last edge the daily hazard stays what it was, on average, from 365 days on.
    """
    inside = np.clip(days, FIRST_DAY, LAST_DAY)
    cell, elapsed = _locate(inside)
    begin, end = curves[row, cell], curves[row, cell + 1]
    within = begin + (end - begin) * elapsed
    within = np.where(inside == FIRST_DAY, 0.0, within)
    result: Floats = within + tail_slope(curves)[row] * np.maximum(days - LAST_DAY, 0)
    return result


def tail_slope(curves: Floats) -> Floats:
    """Change of log P(open) a day, from 365 days past due on."""
    start = int(np.searchsorted(EDGES, 365))
    slope: Floats = (curves[:, -1] - curves[:, start]) / (LAST_DAY - 365)
    return slope
