"""Which open items make up an amount: all of them, the oldest ones, those of a month, or any combination.

The search for any combination meets in the middle: the sums of one half of the items are looked up against
the sums of the other, so n items cost about 2·2^(n/2) steps instead of 2^n. Where these are too many it fills
a table of reachable sums, one bit each. It says whether it looked at everything; ``accidents`` says how many
combinations would make the amount anyway: a sum that was bound to be found proves nothing.
docs/rules/cash-application.md has the formulas.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import comb, gcd, sqrt

Indexes = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a search: items it looks at, and steps. A step is a sum that is made, or BITS of a table."""

    items: int = 40
    steps: int = 20_000


# Bits of a table that cost about as much as one sum.
BITS = 1_024
# Two ways are as good as many: the sum is ambiguous.
MANY = 2


@dataclass(frozen=True, slots=True)
class Search:
    """What a search found. found: indexes in ascending order of one or two combinations.

    ways: combinations that make the amount, MANY for all above one. complete: every combination was looked
    at, or two were found. steps: what it cost, never above Limits.steps.
    """

    found: tuple[Indexes, ...]
    ways: int
    complete: bool
    steps: int


def subsets(
    balances: Sequence[int], target: int, limits: Limits = Limits(), alike: Sequence[Hashable] = ()
) -> Search:
    """The combinations of ``balances`` (negative: credits) that make ``target`` (positive) exactly.

    alike: a key for each balance. Equal balances with equal keys are interchangeable, and only the first of
    them in order is taken: two equal installments of one document are no ambiguity, the older one is paid.
    Where neither halves nor table are within the steps, only one to three items, and all but one or two of
    them, are tried.
    """
    credits = -sum(each for each in balances if each < 0)
    usable = [i for i, each in enumerate(balances) if each and each <= target + credits]
    groups = _groups(usable, balances, alike)
    left, right = _halves(groups, balances)
    if len(usable) > limits.items:
        return _few(usable, groups, balances, target, limits)
    half = limits.steps // 2
    met = _meet(left, right, balances, target, credits, half)
    if met.complete:
        return met
    grain = gcd(target, *(balances[i] for i in usable))
    bits_cost = (len(usable) + 1) * ((target + credits) // grain // BITS + 1)
    if bits_cost + met.steps <= limits.steps:
        return _table(groups, balances, target, grain, bits_cost + met.steps)
    return _few(usable, groups, balances, target, replace(limits, steps=limits.steps - met.steps))


def _groups(usable: Sequence[int], balances: Sequence[int], alike: Sequence[Hashable]) -> list[list[int]]:
    """Indexes of interchangeable balances together, in order."""
    if not alike:
        return [[i] for i in usable]
    together: dict[Hashable, list[int]] = {}
    for i in usable:
        together.setdefault((alike[i], balances[i]), []).append(i)
    return list(together.values())


def _halves(groups: list[list[int]], balances: Sequence[int]) -> tuple[list[list[int]], list[list[int]]]:
    """The groups in two parts with about as many sums each; large amounts in both, as they end a sum soon."""
    left: list[list[int]] = []
    right: list[list[int]] = []
    sums_left = sums_right = 1
    for group in sorted(groups, key=lambda each: (len(each), abs(balances[each[0]])), reverse=True):
        if sums_left <= sums_right:
            left.append(group)
            sums_left *= len(group) + 1
        else:
            right.append(group)
            sums_right *= len(group) + 1
    return left, right


def accidents(balances: Sequence[int], size: int, target: int) -> float:
    """How many combinations as small as one of ``size`` items (or as near to all of them) can be expected to
    make the target by mere accident, from above.

    Combinations · grain / √Σ balance²: the sums of n items lie about their mean like a normal distribution,
    whose highest density is 1 / (σ √2π) with σ = √Σ balance² / 2, rounded up to 1 / (2 σ). The grain is the
    largest power of ten that divides them all: round sums meet more often.
    """
    n = len(balances)
    combinations = sum(comb(n, k) for k in range(min(size, n - size) + 1))
    common, grain = gcd(target, *balances), 1
    while common and common % (10 * grain) == 0:
        grain *= 10
    spread = sqrt(sum(float(each) * each for each in balances))
    return min(combinations, 10**15) * grain / spread if spread else 0.0


def _sums(groups: list[list[int]], balances: Sequence[int], most: int, steps: int) -> list[tuple[int, int]]:
    """(sum, mask) of every combination of the groups whose sum can still be part of the target; it stops at
    ``steps`` of them."""
    made = [(0, 0)]
    for group in groups:
        total = mask = 0
        more: list[tuple[int, int]] = []
        for i in group:  # the first ones of a group first: never a later one without them
            total += balances[i]
            mask |= 1 << i
            more += [(s + total, m | mask) for s, m in made if s + total <= most]
            if len(made) + len(more) >= steps:
                return (made + more)[:steps]
        made += more
    return made


def _meet(
    left: list[list[int]],
    right: list[list[int]],
    balances: Sequence[int],
    target: int,
    credits: int,
    most_steps: int,
) -> Search:
    """The combinations that are a sum of each half; incomplete, and nothing found, where it is too much."""
    ours = _sums(left, balances, target + credits, most_steps // 2)
    theirs = _sums(right, balances, target + credits, most_steps - most_steps // 2)
    steps = len(ours) + len(theirs)
    if len(ours) >= most_steps // 2 or len(theirs) >= most_steps - most_steps // 2:
        return Search((), 0, False, steps)
    by_sum: dict[int, list[int]] = {}
    for total, mask in ours:
        known = by_sum.setdefault(total, [])
        if len(known) < MANY:
            known.append(mask)
    found: list[Indexes] = []
    for total, mask in theirs:
        for other in by_sum.get(target - total, ()):
            found.append(_indexes(mask | other))
            if len(found) == MANY:
                return Search(tuple(found), MANY, True, steps)
    return Search(tuple(found), len(found), True, steps)


def _table(groups: list[list[int]], balances: Sequence[int], target: int, grain: int, steps: int) -> Search:
    """Bit n of ``once`` says that n·grain can be made, of ``twice`` that it can be made in two ways.

    Taking a credit of c off a sum s is the same as not taking c into s + c: all sizes become positive, and
    what is looked for is target + Σ credits.
    """
    top = (target - sum(balances[i] for group in groups for i in group if balances[i] < 0)) // grain
    cut = (1 << (top + 1)) - 1
    once, twice = 1, 0
    before: list[int] = []
    for group in groups:
        before.append(once)
        size = abs(balances[group[0]]) // grain
        first_once, first_twice = once, twice
        for count in range(1, len(group) + 1):
            moved = first_once << count * size & cut
            twice |= (first_twice << count * size & cut) | (once & moved)
            once |= moved
        if twice >> top & 1:
            before.append(once)
            break
    if not once >> top & 1:
        return Search((), 0, True, steps)
    chosen = _walked(groups[: len(before)], balances, before, top, grain)
    ways = MANY if twice >> top & 1 else 1
    return Search((_signed(groups, balances, chosen),), ways, True, steps)


def _walked(
    groups: list[list[int]], balances: Sequence[int], before: list[int], top: int, grain: int
) -> set[int]:
    """A way to ``top``, from the last group back: of each group as few as can be."""
    chosen: set[int] = set()
    for place in range(len(groups) - 1, -1, -1):
        group = groups[place]
        size = abs(balances[group[0]]) // grain
        count = next(
            n for n in range(len(group) + 1) if top >= n * size and before[place] >> top - n * size & 1
        )
        chosen.update(group[:count])
        top -= count * size
    return chosen


def _signed(groups: list[list[int]], balances: Sequence[int], chosen: set[int]) -> Indexes:
    """Debits that were chosen, credits that were not."""
    return tuple(sorted(i for group in groups for i in group if (i in chosen) == (balances[i] > 0)))


def _indexes(mask: int) -> Indexes:
    return tuple(i for i in range(mask.bit_length()) if mask >> i & 1)


def _few(
    usable: Sequence[int],
    groups: list[list[int]],
    balances: Sequence[int],
    target: int,
    limits: Limits,
) -> Search:
    """One to three items, and all but one or two of them; never complete."""
    before = {late: early for group in groups for early, late in pairwise(group)}
    total = sum(balances[i] for i in usable)
    found: dict[Indexes, None] = {}
    steps = 0
    for is_rest, wanted, most in ((False, target, 3), (True, total - target, 2)):
        for size in range(1, most + 1):
            cost = len(usable) ** max(1, size - 1)
            if steps + cost > limits.steps:
                break
            steps += cost
            for chosen in _of_size(usable, balances, wanted, size):
                steps += 1
                picked = set(usable) - set(chosen) if is_rest else set(chosen)
                if picked and all(before.get(i, i) in picked for i in picked):
                    found[tuple(sorted(picked))] = None
                if len(found) == MANY or steps >= limits.steps:
                    return Search(tuple(found), len(found), len(found) == MANY, steps)
    return Search(tuple(found), len(found), False, steps)


def _of_size(usable: Sequence[int], balances: Sequence[int], wanted: int, size: int) -> Iterator[Indexes]:
    """Combinations of ``size`` (1 to 3) items that make ``wanted``, the last one by its amount."""
    by_amount: dict[int, list[int]] = {}
    for i in usable:
        by_amount.setdefault(balances[i], []).append(i)
    if size == 1:
        yield from ((i,) for i in by_amount.get(wanted, ()))
    elif size == 2:
        for i in usable:
            yield from ((i, j) for j in by_amount.get(wanted - balances[i], ()) if j > i)
    else:
        for place, i in enumerate(usable):
            for j in usable[place + 1 :]:
                yield from ((i, j, k) for k in by_amount.get(wanted - balances[i] - balances[j], ()) if k > j)


def leading(balances: Sequence[int], target: int) -> int:
    """How many of the first balances make the target exactly; 0 where none do."""
    total = 0
    for count, each in enumerate(balances, start=1):
        total += each
        if total == target:
            return count
        if total > target:
            return 0
    return 0
