"""Draws in fixed proportions: another seed gives other customers the parts, but deals the same parts.

What is dealt is spread over the ranks, so that large and small customers get about the same mix.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saldo.simulation.draws import Draws

Indexes = NDArray[np.int64]


def counts_of(shares: Sequence[float], total: int) -> list[int]:
    """``total`` split by ``shares`` into whole numbers, by largest remainder."""
    exact = np.asarray(shares, dtype=np.float64) * total / sum(shares)
    counts = np.floor(exact).astype(np.int64)
    order = np.argsort(counts - exact, kind="stable")
    counts[order[: total - int(counts.sum())]] += 1
    return [int(count) for count in counts]


def dealt(draws: Draws, purpose: str, counts: Sequence[int]) -> Indexes:
    """An array of sum(counts) places, in which index k stands counts[k] times, evenly spread with jitter."""
    places = [
        (np.arange(count) + draws.uniform(purpose, index, np.arange(count))) / max(count, 1)
        for index, count in enumerate(counts)
    ]
    kinds = np.repeat(np.arange(len(counts)), counts)
    return kinds[np.argsort(np.concatenate(places), kind="stable")]


def shared_out(draws: Draws, purpose: str, shares: Sequence[float], total: int) -> Indexes:
    """``total`` indexes into ``shares``, each in its share."""
    return dealt(draws, purpose, counts_of(shares, total))


def picked(draws: Draws, purpose: str, count: int, among: NDArray[Any]) -> NDArray[Any]:
    """``count`` of the values ``among`` (all where there are fewer), spread over them, in their order."""
    count = min(count, len(among))
    return among[dealt(draws, purpose, [len(among) - count, count]) == 1]


def shuffled(draws: Draws, purpose: str, total: int) -> Indexes:
    """The numbers from 0 to total - 1 in a drawn order."""
    return np.argsort(draws.bits(purpose, np.arange(total)), kind="stable")
