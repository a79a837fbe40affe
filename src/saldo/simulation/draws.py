"""Random draws without a state: a draw is a function of the seed, a purpose and the ids of what it is for.

The order in which things are asked does not matter, so that two policies tried on one world meet the same
customers in the same mood (common random numbers), and a world advanced day by day equals one made at once.
Mixing by SplitMix64 (Steele, Lea, Flood 2014); normal numbers by Box-Muller. Arrays in, arrays out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ids = Any  # an integer, or an array of integers

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def _mixed(values: Any) -> Any:
    values = (values ^ (values >> np.uint64(30))) * _MIX_1
    values = (values ^ (values >> np.uint64(27))) * _MIX_2
    return values ^ (values >> np.uint64(31))


class Draws:
    """The draws of one seed. Ids are whole numbers, or arrays of them that broadcast to one shape."""

    def __init__(self, seed: int) -> None:
        with np.errstate(over="ignore"):
            self._seed = _mixed(np.uint64(seed & 0xFFFFFFFFFFFFFFFF) + _GOLDEN)

    def bits(self, purpose: str, *ids: Ids) -> NDArray[np.uint64]:
        """64 random bits for each id: an array, or one number where all ids are single numbers."""
        with np.errstate(over="ignore"):
            state = _mixed(self._seed + np.uint64(crc32(purpose.encode())) * _GOLDEN)
            for each in ids:
                state = _mixed(
                    state + np.asarray(each).astype(np.int64).astype(np.uint64) * _GOLDEN + _GOLDEN
                )
            return state

    def uniform(self, purpose: str, *ids: Ids) -> Floats:
        """In [0, 1)."""
        return (self.bits(purpose, *ids) >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def normal(self, purpose: str, *ids: Ids) -> Floats:
        """Standard normal."""
        first = 1.0 - self.uniform(purpose + "/r", *ids)
        turn = self.uniform(purpose + "/t", *ids)
        return np.sqrt(-2.0 * np.log(first)) * np.cos(2.0 * np.pi * turn)

    def happens(self, purpose: str, probability: Any, *ids: Ids) -> NDArray[np.bool_]:
        return self.uniform(purpose, *ids) < probability

    def whole(self, purpose: str, low: Any, high: Any, *ids: Ids) -> NDArray[np.int64]:
        """Whole numbers from low to high, both included."""
        span = np.asarray(high) - np.asarray(low) + 1
        return (np.asarray(low) + np.floor(self.uniform(purpose, *ids) * span)).astype(np.int64)

    def between(self, purpose: str, low: float, high: float, *ids: Ids) -> Floats:
        return low + (high - low) * self.uniform(purpose, *ids)

    def choice(self, purpose: str, weights: Sequence[float], *ids: Ids) -> NDArray[np.int64]:
        """Indexes into ``weights``, each with its share."""
        steps = np.cumsum(np.asarray(weights, dtype=np.float64))
        return np.searchsorted(steps / steps[-1], self.uniform(purpose, *ids), side="right").clip(
            0, len(steps) - 1
        )
