"""Draws of the cash of many items whose payment days move together.

A one-factor Gaussian copula by customer under a factor common to all (Vasicek 2002; Li 2000): item i of
customer c is paid by the end of week w where

    sqrt(portfolio) Z + sqrt(customer) Y_c + sqrt(1 - portfolio - customer) E_i  <=  Phi^-1(F_i(w))

with F_i the item's curve and Z, Y, E standard normal and independent. Each item keeps its own curve; late
ones come late together. Items that weigh are drawn one by one. The many small ones are not: given the factors
they are independent, so that their sum has a known mean, which is followed along the customer's factor, and a
normal spread about it (central limit theorem). Work and memory grow with items x weeks, never with
items x draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

DRAWS = 1000
# Drawn one by one: the largest customers, and of them the largest items.
DRAWN_CUSTOMERS, DRAWN_ITEMS = 1000, 2000
# Where a customer's cash is known as a function of its factor, and probabilities that are kept apart.
_NODES = np.linspace(-4.0, 4.0, 33)
_LEVELS = np.concatenate([[0.0], ndtr(np.linspace(-4.0, 4.0, 63)), [1.0]])
_COMMON = np.linspace(-3.5, 3.5, 15)
_CELLS = 8_000_000
_BLOCK = 2_000_000


@dataclass(frozen=True, slots=True)
class Dependence:
    """How payment days move together: shares of the variance of the latent normal, each from 0 to below 1.

    portfolio: common to all items; customer: common, beyond that, to the items of a customer. week: standard
    deviation of a logarithm, by which the cash of a week strays from what the curves say of that week, to the
    other weeks' gain or loss. landmarks: past days that were looked at; 0: the stated prior alone.
    """

    portfolio: float
    customer: float
    week: float = 0.0
    landmarks: int = 0

    def __post_init__(self) -> None:
        if not (self.portfolio >= 0 and self.customer >= 0 and self.portfolio + self.customer <= 0.99):
            raise ValueError(f"correlations {self.portfolio} and {self.customer} are none")
        if self.week < 0:
            raise ValueError(f"{self.week} is no standard deviation")

    @property
    def together(self) -> float:
        return self.portfolio + self.customer


@dataclass(frozen=True, slots=True)
class Portfolio:
    """Items of one currency, those of a customer side by side.

    share: items x weeks, share of the balance paid by the end of each week, never falling. customer: 0.. in
    the order of the items. amount: balances, in any one unit.
    """

    share: Floats
    amount: Floats
    customer: Ints

    def __len__(self) -> int:
        return len(self.amount)

    def rows(self, chosen: Bools) -> Portfolio:
        return Portfolio(self.share[chosen], self.amount[chosen], self.customer[chosen])

    @property
    def customers(self) -> int:
        return int(self.customer[-1]) + 1 if len(self) else 0


def draw_weeks(
    portfolio: Portfolio, dependence: Dependence, rng: np.random.Generator, draws: int = DRAWS
) -> Floats:
    """Cash of each week: draws x weeks. The same generator state gives the same draws."""
    weeks = portfolio.share.shape[1]
    total = np.zeros((draws, weeks))
    if not len(portfolio):
        return total
    # Stratified: the common factor carries most of the spread, so it is spread evenly over its own.
    common = ndtri((rng.permutation(draws) + 0.5) / draws)
    balances = np.bincount(portfolio.customer, portfolio.amount).astype(np.float64)
    is_drawn = _largest(balances, DRAWN_CUSTOMERS)
    of_drawn = is_drawn[portfolio.customer]
    one_by_one = np.zeros(len(portfolio), dtype=bool)
    one_by_one[of_drawn] = _largest(portfolio.amount[of_drawn], DRAWN_ITEMS)
    factors = np.sqrt(dependence.portfolio) * common[:, None] + np.sqrt(
        dependence.customer
    ) * rng.standard_normal((draws, int(is_drawn.sum())))
    place = np.cumsum(is_drawn) - 1

    single = portfolio.rows(one_by_one)
    total += _single_items(single, place[single.customer], factors, dependence, rng)
    rest = portfolio.rows(~one_by_one)
    if len(rest):
        total += _many_items(rest, is_drawn, factors, common, dependence, rng)
    return strayed(total, dependence.week, rng)


def strayed(cash: Floats, week: float, rng: np.random.Generator) -> Floats:
    """The draws with some of each week's cash moved to other weeks; what all weeks bring stays."""
    moved = cash * np.exp(week * rng.standard_normal(cash.shape))
    before, after = cash.sum(axis=1, keepdims=True), moved.sum(axis=1, keepdims=True)
    result: Floats = moved * np.divide(before, after, out=np.ones_like(before), where=after > 0)
    return result


def _largest(values: Floats, count: int) -> Bools:
    """The ``count`` largest; the earlier of equal ones."""
    chosen = np.zeros(len(values), dtype=bool)
    chosen[np.argsort(-values, kind="stable")[:count]] = True
    return chosen


def _single_items(
    items: Portfolio, place: Ints, factors: Floats, dependence: Dependence, rng: np.random.Generator
) -> Floats:
    weeks = items.share.shape[1]
    limits = ndtri(items.share).astype(np.float32)
    own = np.float32(np.sqrt(1.0 - dependence.together))
    factors = factors.astype(np.float32)
    paid = np.zeros((len(factors), weeks))
    size = max(1, _BLOCK // max(len(items), 1))
    for start in range(0, len(factors), size):
        block = factors[start : start + size]
        latent = rng.standard_normal((len(block), len(items)), dtype=np.float32)
        latent *= own
        latent += block[:, place]
        # The week of each payment; one past the last: none of them.
        week = np.zeros(latent.shape, dtype=np.uint8)
        for number in range(weeks):
            week += latent > limits[:, number]
        cell = week + np.arange(len(block))[:, None] * (weeks + 1)
        amounts = np.broadcast_to(items.amount, cell.shape).ravel()
        sums = np.bincount(cell.ravel(), amounts, minlength=len(block) * (weeks + 1))
        paid[start : start + size] = sums.reshape(len(block), weeks + 1)[:, :weeks]
    return paid


def _many_items(
    items: Portfolio,
    is_drawn: Bools,
    factors: Floats,
    common: Floats,
    dependence: Dependence,
    rng: np.random.Generator,
) -> Floats:
    """Items that are not drawn one by one: of drawn customers along their factor, of the others pooled."""
    weeks = items.share.shape[1]
    pool, noise = _Pool(weeks, dependence), np.zeros((weeks, weeks))
    followed = np.zeros((len(factors), weeks))
    place = np.cumsum(is_drawn) - 1
    positions = factors / max(np.sqrt(dependence.together), 1e-9)
    for first, last in _customer_blocks(items, weeks):
        rows = slice(*np.searchsorted(items.customer, [first, last]))
        block = Portfolio(items.share[rows], items.amount[rows], items.customer[rows] - first)
        curves, own = _along_factor(block, last - first, dependence)
        noise += own
        drawn = is_drawn[first:last]
        followed += _followed(curves[drawn], positions[:, place[first:last][drawn]])
        pool.add(curves[~drawn])
    return np.maximum(followed + pool.draw(common, noise, rng), 0.0)


def _customer_blocks(items: Portfolio, weeks: int) -> list[tuple[int, int]]:
    """Spans of customers, whose tables fit into memory, with a bounded number of items."""
    most = max(1, _CELLS // (weeks * len(_LEVELS)))
    ends = np.searchsorted(items.customer, np.arange(items.customers), side="right")
    spans, first = [], 0
    while first < items.customers:
        before = ends[first - 1] if first else 0
        by_items = int(np.searchsorted(ends, before + _BLOCK // 4, side="right"))
        last = max(first + 1, min(first + most, by_items))
        spans.append((first, last))
        first = last
    return spans


def _along_factor(items: Portfolio, customers: int, dependence: Dependence) -> tuple[Floats, Floats]:
    """Mean cash of each week given the factor (customers x weeks x nodes), and the items' own covariance.

    Probabilities are split between the two neighboring levels, so that amounts are gathered by level, and
    the conditional probability is asked per level and not per item.
    """
    weeks = items.share.shape[1]
    given = _given_factor(dependence)
    level = np.clip(np.searchsorted(_LEVELS, items.share, side="right") - 1, 0, len(_LEVELS) - 2)
    part = (items.share - _LEVELS[level]) / (_LEVELS[level + 1] - _LEVELS[level])
    cell = (items.customer[:, None] * weeks + np.arange(weeks)) * len(_LEVELS) + level
    size = customers * weeks * len(_LEVELS)
    held = np.bincount(cell.ravel(), (items.amount[:, None] * (1.0 - part)).ravel(), minlength=size)
    held += np.bincount(cell.ravel() + 1, (items.amount[:, None] * part).ravel(), minlength=size)
    paid = (held.reshape(-1, len(_LEVELS)) @ given).reshape(customers, weeks, len(_NODES))
    return np.diff(paid, axis=1, prepend=0.0), _own_covariance(items, level, part, given)


def _given_factor(dependence: Dependence) -> Floats:
    """Probability at each level given the factor at each node (levels x nodes)."""
    scale = np.sqrt(dependence.together)
    shifted = ndtri(_LEVELS)[:, None] - scale * _NODES[None, :]
    result: Floats = ndtr(shifted / np.sqrt(1.0 - dependence.together))
    return result


def _weights(center: Floats, spread: float) -> Floats:
    """Weights of the nodes for a normal about each of ``center`` (centers x nodes), in units of the nodes."""
    if spread < _NODES[1] - _NODES[0]:
        # Too narrow for the grid: all of it on the two neighbors.
        cell = np.clip(np.searchsorted(_NODES, center) - 1, 0, len(_NODES) - 2)
        part = np.clip((center - _NODES[cell]) / (_NODES[1] - _NODES[0]), 0.0, 1.0)
        weights = np.zeros((len(center), len(_NODES)))
        weights[np.arange(len(center)), cell] = 1.0 - part
        weights[np.arange(len(center)), cell + 1] = part
        return weights
    weights = np.exp(-0.5 * ((_NODES[None, :] - center[:, None]) / spread) ** 2)
    weights /= weights.sum(axis=1, keepdims=True)
    return weights


def _own_covariance(items: Portfolio, level: Ints, part: Floats, given: Floats) -> Floats:
    """Covariance over the weeks of what the items vary on their own once the factors are known.

    An item's payment week is one draw of its distribution; of that covariance, the share that the factors
    leave is taken as the same for all weeks.
    """
    weight = _weights(np.zeros(1), 1.0)[0]
    left = (given * (1.0 - given)) @ weight
    alone = left[level] * (1.0 - part) + left[level + 1] * part
    whole = items.share * (1.0 - items.share)
    kept = alone.sum(axis=1) / np.maximum(whole.sum(axis=1), 1e-12)
    scale = items.amount**2 * np.clip(kept, 0.0, 1.0)
    weekly = np.diff(items.share, axis=1, prepend=0.0)
    result: Floats = np.diag(scale @ weekly) - weekly.T @ (weekly * scale[:, None])
    return result


def _followed(curves: Floats, positions: Floats) -> Floats:
    """Mean cash of drawn customers (customers x weeks x nodes) at the positions of their factors.

    positions: draws x customers. Between two nodes the mean is taken as a line.
    """
    at = np.clip((positions - _NODES[0]) / (_NODES[1] - _NODES[0]), 0.0, len(_NODES) - 1.0)
    cell = np.minimum(at.astype(np.int64), len(_NODES) - 2)
    part = at - cell
    result = np.zeros((len(positions), curves.shape[1]))
    for customer in range(len(curves)):
        along = np.ascontiguousarray(curves[customer].T)
        left, right = along[cell[:, customer]], along[cell[:, customer] + 1]
        result += left + (right - left) * part[:, customer, None]
    return result


class _Pool:
    """Customers that are not drawn, summed up at some values of the common factor: a normal for each."""

    def __init__(self, weeks: int, dependence: Dependence) -> None:
        scale = max(np.sqrt(dependence.together), 1e-9)
        centers = np.sqrt(dependence.portfolio) / scale * _COMMON
        self._weights = _weights(centers, float(np.sqrt(dependence.customer) / scale))
        self._mean = np.zeros((len(_COMMON), weeks))
        self._covariance = np.zeros((len(_COMMON), weeks, weeks))

    def add(self, curves: Floats) -> None:
        """Customers' mean cash along their factor (customers x weeks x nodes)."""
        by_node = np.ascontiguousarray(curves.transpose(2, 0, 1))
        second = by_node.transpose(0, 2, 1) @ by_node
        means = np.tensordot(self._weights, by_node, axes=(1, 0))
        self._mean += means.sum(axis=1)
        self._covariance += np.tensordot(self._weights, second, axes=(1, 0))
        self._covariance -= means.transpose(0, 2, 1) @ means

    def draw(self, common: Floats, noise: Floats, rng: np.random.Generator) -> Floats:
        """Cash of the weeks at the common factor of each draw. noise: covariance beyond the customers'."""
        at = np.clip((common - _COMMON[0]) / (_COMMON[1] - _COMMON[0]), 0.0, len(_COMMON) - 1.0)
        cell = np.minimum(at.astype(np.int64), len(_COMMON) - 2)
        part = (at - cell)[:, None]
        mean = self._mean[cell] * (1.0 - part) + self._mean[cell + 1] * part
        values, vectors = np.linalg.eigh(self._covariance + noise)
        roots = vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]
        normals = rng.standard_normal(mean.shape)
        result: Floats = mean + (roots[np.rint(at).astype(np.int64)] @ normals[:, :, None])[:, :, 0]
        return result
