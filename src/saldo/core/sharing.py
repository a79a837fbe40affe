"""Who works which accounts: given ones stay, the others are shared out so that everybody's list is worth the
same for the minutes they have. docs/rules/priority.md.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Work:
    """An account's work of a day. value: expected gain (any unit); collector: whose it is already, or ""."""

    account_id: int
    value: float
    collector: str = ""


def shared_out(works: Sequence[Work], minutes: Mapping[str, float]) -> dict[int, str]:
    """account -> collector. minutes: those that each collector has that day; 0: away.

    What somebody who is there already has stays. The rest goes, the worthiest first, to whoever's list is
    worth least for each of their minutes; of equals to the one with fewer accounts, then by name. So two
    lists of people with equal minutes differ by no more than the worthiest account that was shared out,
    beyond what they already had. With nobody there it stays whose it is, or everybody's ("").
    """
    there = {name: amount for name, amount in minutes.items() if amount > 0}
    kept = {work.account_id: work.collector for work in works if work.collector in there}
    if not there:
        return {work.account_id: work.collector for work in works}
    worth = dict.fromkeys(there, 0.0)
    count = dict.fromkeys(there, 0)
    for work in works:
        if name := kept.get(work.account_id):
            worth[name] += max(work.value, 0.0)
            count[name] += 1
    heap = [(worth[name] / there[name], count[name] / there[name], name) for name in sorted(there)]
    heapq.heapify(heap)
    free = (work for work in works if work.account_id not in kept)
    for work in sorted(free, key=lambda work: (-work.value, work.account_id)):
        load, held, name = heap[0]
        kept[work.account_id] = name
        heapq.heapreplace(heap, (load + max(work.value, 0.0) / there[name], held + 1 / there[name], name))
    return kept
