"""Sums of an account's past by day, for many (account, day) questions at once.

Everything here is whole numbers: groups (accounts, or accounts in one currency) are codes from 0, days are
days since 1970, amounts are mills. Running sums go through all groups in one array and are subtracted at a
group's start, so that a group's sum is the same whichever other groups stand beside it: whole numbers
neither round nor, modulo 2**64, overflow in between.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_DAY_BITS = 22
_ZERO = 1 << (_DAY_BITS - 1)
# Later than any day asked about; days beyond it either way (typing errors) count as that day.
NEVER = 1_000_000


def day_numbers(dates: pl.Series, missing: int = NEVER) -> Ints:
    """Days since 1970 of a Date column, within ±NEVER; ``missing`` for null."""
    numbers = dates.to_physical().cast(pl.Int64).fill_null(missing).clip(-NEVER, NEVER)
    return numbers.to_numpy().astype(np.int64, copy=False)


def keys(group: Ints, day: Ints) -> Ints:
    """One number per (group, day), in the order of group, then day."""
    result: Ints = (group << _DAY_BITS) + (np.clip(day, -NEVER, NEVER) + _ZERO)
    return result


@dataclass(frozen=True, slots=True)
class Asked:
    """Questions (group, day), each once, sorted; ``row``: the question of each landmark."""

    group: Ints
    day: Ints
    row: Ints

    def __len__(self) -> int:
        return len(self.group)


def asked(group: Ints, day: Ints) -> Asked:
    """The distinct questions among the landmarks' groups and days."""
    unique, row = np.unique(keys(group, day), return_inverse=True)
    return Asked(unique >> _DAY_BITS, (unique & ((1 << _DAY_BITS) - 1)) - _ZERO, row.reshape(-1))


class Running:
    """Events of groups in the order of their day (then as given), with running sums of their values."""

    def __init__(self, group: Ints, day: Ints, values: Mapping[str, Ints] | None = None) -> None:
        key = keys(group, day)
        self.order: Ints = np.argsort(key, kind="stable")
        self._key = key[self.order]
        self._sums = {
            name: np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(value[self.order])])
            for name, value in (values or {}).items()
        }

    def span(self, group: Ints, day: Ints) -> tuple[Ints, Ints]:
        """Of each (group, day): position in ``order`` of the group's first event, and after its last one."""
        first = np.searchsorted(self._key, keys(group, np.full_like(group, -NEVER)), side="left")
        after = np.searchsorted(self._key, keys(group, day), side="right")
        return first.astype(np.int64), np.maximum(after, first).astype(np.int64)

    def until(self, group: Ints, day: Ints) -> dict[str, Ints]:
        """Number of events (``n``) and sum of each value up to and including each day."""
        first, after = self.span(group, day)
        sums = {name: running[after] - running[first] for name, running in self._sums.items()}
        return {"n": after - first, **sums}

    def between(self, group: Ints, after: Ints, until: Ints) -> dict[str, Ints]:
        """The same over the days after ``after`` up to and including ``until``."""
        late, early = self.until(group, until), self.until(group, np.minimum(after, until))
        return {name: late[name] - early[name] for name in late}


def covering(
    group: Ints, begin: Ints, end: Ints, values: Mapping[str, Ints], questions: Asked
) -> dict[str, Ints]:
    """Number (``n``) and sums of values of the intervals [begin, end) in which each question's day lies."""
    some = begin < end
    group, begin, end = group[some], begin[some], end[some]
    values = {name: value[some] for name, value in values.items()}
    begun = Running(group, begin, values).until(questions.group, questions.day)
    ended = Running(group, end, values).until(questions.group, questions.day)
    return {name: begun[name] - ended[name] for name in begun}


def least_covering(group: Ints, begin: Ints, end: Ints, value: Ints, questions: Asked) -> Ints:
    """Least value of the intervals [begin, end) in which each question's day lies; NEVER where none does.

    Each interval covers a run of the sorted questions. A segment tree over them takes the minimum along the
    O(log n) nodes of that run; a question then looks up its own branch.
    """
    size = len(questions)
    point = keys(questions.group, questions.day)
    left = np.searchsorted(point, keys(group, begin), side="left") + size
    right = np.searchsorted(point, keys(group, end), side="left") + size
    tree = np.full(2 * size, NEVER, dtype=np.int64)
    while len(left):
        some = left < right
        left, right, value = left[some], right[some], value[some]
        odd = (left & 1) == 1
        np.minimum.at(tree, left[odd], value[odd])
        left = left + odd
        odd = (right & 1) == 1
        right = right - odd
        np.minimum.at(tree, right[odd], value[odd])
        left, right = left >> 1, right >> 1
    node = np.arange(size, 2 * size)
    least = np.full(size, NEVER, dtype=np.int64)
    while size and node[-1] > 0:
        least = np.minimum(least, tree[node])
        node = node >> 1
    return least
