"""How many sets of amounts come to a sum: exact, within a stated bound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Cells of the largest table (amounts x sums) that is filled; beyond it nothing is said.
MOST_CELLS = 400_000_000
# More sets than this are as good as many.
MANY = 3


@dataclass(frozen=True, slots=True)
class Ways:
    """count: the sets, up to MANY. chosen: positions of the only one. is_bounded: not searched."""

    count: int
    chosen: tuple[int, ...] = ()
    is_bounded: bool = False


def count_sums(amounts: Sequence[int], low: int, high: int | None = None) -> Ways:
    """The sets (not empty) of ``amounts`` whose sum is in [low, high]; negative amounts are credits.

    low > 0. A set with credits must have more in debits. Choosing a credit c of sum s is leaving |c| out of
    s + |c|: all amounts become positive, and one table over the sums counts the sets.
    """
    high = low if high is None else high
    lift = -sum(amount for amount in amounts if amount < 0)
    top = high + lift
    places = [at for at, amount in enumerate(amounts) if amount and (amount < 0 or amount <= top)]
    sizes = [abs(amounts[at]) for at in places]
    if low <= 0 or not places or sum(sizes) < low + lift:
        return Ways(0)
    if len(places) * (top + 1) > MOST_CELLS:
        return Ways(0, is_bounded=True)
    table = np.zeros(top + 1, dtype=np.uint8)
    table[0] = 1
    reached: list[np.ndarray] = []
    for size in sizes:
        reached.append(np.packbits(table > 0))
        table[size:] = np.minimum(table[size:] + table[: top + 1 - size].copy(), MANY)
    window = table[low + lift : top + 1]
    count = int(min(window.sum(dtype=np.int64), MANY))
    if count != 1:
        return Ways(count)
    return Ways(1, _walk_back(sizes, places, amounts, reached, low + lift + int(window.argmax())))


def _walk_back(
    sizes: Sequence[int], places: Sequence[int], amounts: Sequence[int], reached: list[np.ndarray], sum_: int
) -> tuple[int, ...]:
    """The only set: each amount is in it unless the sum could be reached without it."""
    taken: set[int] = set()
    for n in range(len(sizes) - 1, -1, -1):
        if not reached[n][sum_ >> 3] >> (7 - (sum_ & 7)) & 1:
            sum_ -= sizes[n]
            taken.add(places[n])
    return tuple(at for at in places if (at in taken) == (amounts[at] > 0))
