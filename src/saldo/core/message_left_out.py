"""Why less is asked than is owed, item by item, so that whoever reads a message can add it up.

What an account's credits could pay is kept out of dunning as one sum (``analytics.askable``); a message
names the credit note that stands against each item, and what it names there is no credit any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from saldo.core.message_facts import CREDIT_NOTE, LeftOut, Line

# Covers that stand in the ledger as credits of the customer; others are money that has not arrived there.
UNAPPLIED = "unapplied"
LEDGER_CREDITS = (CREDIT_NOTE, UNAPPLIED)


@dataclass(frozen=True, slots=True)
class Cover:
    """Money that could pay items. code: as in COVERS (analytics.askable). ref: a ledger credit's item."""

    code: str
    mills: int
    ref: int | None = None


@dataclass(frozen=True, slots=True)
class Why:
    """One reason for which mills of an item are not asked. cover: of what credits could pay, which one."""

    code: str
    mills: int
    cover: Cover | None = None

    @property
    def is_credit(self) -> bool:
        return self.cover is not None and self.cover.code in LEDGER_CREDITS


def shared(parts: Sequence[tuple[int, int]], covers: Sequence[Cover], code: str) -> dict[int, list[Why]]:
    """Which cover stands against which item. parts: (item, mills that covers keep back), the oldest first.

    A cover of the same amount goes with an item first; then credit notes before money. Every mill of the
    parts is told once, and of no cover more than it is; what no cover explains keeps ``code`` alone.
    """
    order = {each: n for n, each in enumerate(LEDGER_CREDITS)}
    pool = sorted(covers, key=lambda cover: order.get(cover.code, len(order)))
    left = [cover.mills for cover in pool]
    found: dict[int, list[Why]] = {item: [] for item, _ in parts}
    rest = dict(parts)
    for item, mills in parts:
        equal = (n for n, cover in enumerate(pool) if left[n] == cover.mills == mills)
        if (n := next(equal, None)) is not None:
            found[item].append(Why(code, mills, pool[n]))
            left[n] = rest[item] = 0
    for item, _ in parts:
        for n, cover in enumerate(pool):
            if mills := min(rest[item], left[n]):
                found[item].append(Why(code, mills, cover))
                left[n] -= mills
                rest[item] -= mills
        if rest[item]:
            found[item].append(Why(code, rest[item]))
    return found


def explained(line: Line, whys: Sequence[Why]) -> list[tuple[LeftOut, Why]]:
    """The balance of an item less what is asked of it, shared out over its reasons in their order.

    Of reasons that overlap the first takes the amount, the others have none. What no reason explains is told
    without one.
    """
    rest = line.balance_mills - line.asked_mills
    found = []
    for why in whys:
        mills = min(why.mills, rest)
        rest -= mills
        found.append((LeftOut(line, why.code, mills), replace(why, mills=mills)))
    if rest:
        found.append((LeftOut(line, "", rest), Why("", rest)))
    return found
