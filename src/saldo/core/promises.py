"""Whether promises were kept, what is left of them, and how long they are waited for. docs/rules/promises.md.

    remaining = max(0, promised - max(0, balance when promised - balance now))

What came off the item since the promise is expected no more, whatever it was; what came back (a returned
receipt) is expected again. Whether the customer *kept* the promise is another question: only cash says so, by
the bank's booking date, up to the day and the tolerance. It is answered when the bank statements reach that
day: before, nobody can know.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

# A promise further away is a payment plan, or a typing mistake.
MAX_DAYS = 366
# What became of a promise. VOID: it was never judged, since it ended on or before its day, or since nothing
# was left to pay without any payment (all of it was credited, or vanished from the ERP's list).
OPEN, KEPT, PARTIALLY_KEPT, BROKEN, VOID = "open", "kept", "partially_kept", "broken", "void"
STATES = (OPEN, KEPT, PARTIALLY_KEPT, BROKEN, VOID)
UNKEPT = frozenset({PARTIALLY_KEPT, BROKEN})
# How it ended, whatever became of it.
WITHDRAWN, REPLACED, MISTAKE = "withdrawn", "replaced", "mistake"


@dataclass(frozen=True, slots=True)
class Said:
    """A promise as it was given. Amounts in mills by item.

    replaced: items that a later promise names, with the day on which that was given and its id.
    open_at_end: what was open of each item once its time was over, by all that came off it until then.
    """

    id: int
    given_date: date
    promised_date: date
    parts: Mapping[int, int]
    replaced: Mapping[int, tuple[date, int]] = field(default_factory=dict)
    open_at_end: Mapping[int, int] = field(default_factory=dict)
    withdrawn_date: date | None = None


@dataclass(frozen=True, slots=True)
class Cash:
    """Money of one payment on one item, less what came back of it; item_id None: set against nothing yet.

    since: the promises that had been given before it was known. back_date: the last day on which some of it
    came back. is_waived: no money, but bank charges or rounding that were written off with a payment.
    """

    mills: int
    booked_date: date
    since: frozenset[int]
    item_id: int | None = None
    back_date: date | None = None
    is_waived: bool = False


@dataclass(frozen=True, slots=True)
class Judged:
    """promised_mills: without the parts that were promised anew in time. judged_date: the first day on which
    it could be judged by the calendar, or on which its money came back."""

    id: int
    promised_mills: int
    paid_mills: int
    state: str
    judged_date: date
    ended: str = ""


@dataclass(slots=True)
class _Count:
    said: Said
    last: date
    promised: dict[int, int]
    got: dict[int, int] = field(default_factory=dict)
    free: int = 0
    waived: int = 0
    back_date: date | None = None

    @property
    def paid(self) -> int:
        return sum(self.got.values()) + self.free

    @property
    def missing(self) -> int:
        return sum(self.promised.values()) - self.paid


def judge(
    promises: Sequence[Said],
    cash: Iterable[Cash],
    tolerance_days: int,
    as_of: date,
    booked_until: date | None = None,
    waiting: Iterable[Cash] = (),
) -> list[Judged]:
    """What became of the promises of one account and currency, in the order of their ids.

    Money on an item counts for the item's promise: for the older one while there is something to keep, and
    until a later one took its place. Money that is set against nothing yet counts for the promises that are
    short, first promised first. waiting: money at the cash desk that may be the account's; a promise that it
    could keep is not judged.
    """
    counts = [_counted(said, tolerance_days) for said in sorted(promises, key=lambda said: said.id)]
    by_item: dict[int, list[_Count]] = {}
    for count in counts:
        for item_id in count.said.parts:
            by_item.setdefault(item_id, []).append(count)
    loose = []
    for piece in sorted(cash, key=lambda piece: (piece.booked_date, piece.is_waived)):
        if piece.item_id is None:
            loose.append(piece)
        else:
            _on_item(piece, piece.item_id, by_item.get(piece.item_id, ()))
    short = sorted(counts, key=lambda count: (count.said.promised_date, count.said.id))
    for piece in loose:
        _in_turn(piece, [count for count in short if _lives(count) and count.missing > 0])
    lines = tuple(waiting)
    return [_judged(count, as_of, booked_until, lines) for count in counts]


def _counted(said: Said, tolerance_days: int) -> _Count:
    """What of the promise is judged: not the parts that were promised anew by its day."""
    promised = {
        item: mills
        for item, mills in said.parts.items()
        if item not in said.replaced or said.replaced[item][0] > said.promised_date
    }
    last = waited_until(said.promised_date, tolerance_days)
    anew = [said.replaced[item][0] for item in promised if item in said.replaced]
    if promised and len(anew) == len(promised):
        # Its place was taken within the tolerance: what came later is the new promise's.
        last = min(last, max(anew) - timedelta(days=1))
    return _Count(said, last, promised)


def _lives(count: _Count) -> bool:
    """Whether it got as far as its day."""
    said = count.said
    withdrawn = said.withdrawn_date is not None and said.withdrawn_date <= said.promised_date
    return bool(count.promised) and not withdrawn


def _on_item(piece: Cash, item_id: int, counts: Sequence[_Count]) -> None:
    left = piece.mills
    for count in counts:
        said = count.said
        later = said.replaced.get(item_id)
        is_laters = later is not None and piece.booked_date >= later[0] and later[1] in piece.since
        if item_id not in count.promised or not _lives(count):
            continue
        if said.id not in piece.since or piece.booked_date > count.last or is_laters:
            continue
        if piece.back_date is not None:
            count.back_date = max(piece.back_date, count.back_date or piece.back_date)
        if piece.is_waived:
            count.waived += left
            return
        got = count.got.get(item_id, 0)
        part = max(0, min(left, said.parts[item_id] - got))
        count.got[item_id] = got + part
        left -= part


def _in_turn(piece: Cash, counts: Sequence[_Count]) -> None:
    left = piece.mills
    for count in counts:
        if count.said.id in piece.since and piece.booked_date <= count.last:
            part = min(left, count.missing)
            count.free += part
            left -= part


def _judged(count: _Count, as_of: date, booked_until: date | None, waiting: Sequence[Cash]) -> Judged:
    said, promised = count.said, sum(count.promised.values())
    judged_date = max(count.last + timedelta(days=1), count.back_date or count.last)
    state = _state(count, as_of, booked_until, waiting)
    ended = ""
    if said.withdrawn_date is not None:
        ended = WITHDRAWN
    elif len(said.replaced) == len(said.parts):
        ended = REPLACED
    return Judged(said.id, promised or sum(said.parts.values()), count.paid, state, judged_date, ended)


def _state(count: _Count, as_of: date, booked_until: date | None, waiting: Sequence[Cash]) -> str:
    said = count.said
    if not _lives(count):
        return VOID
    if count.missing <= count.waived:
        return KEPT
    may_come = as_of <= count.last or (booked_until is not None and booked_until < count.last)
    may_be_here = any(said.id in line.since and line.booked_date <= count.last for line in waiting)
    if may_come or may_be_here:
        return OPEN
    if count.paid:
        return PARTIALLY_KEPT
    nothing_left = all(said.open_at_end.get(item, 1) <= 0 for item in count.promised)
    return VOID if nothing_left else BROKEN


def remaining_mills(promised_mills: int, before_mills: int, balance_mills: int) -> int:
    """What is still expected of a promised amount; never more than is open.

    >>> remaining_mills(1_000_000, 1_500_000, 900_000)
    400000
    """
    paid = max(0, before_mills - balance_mills)
    return min(max(0, promised_mills - paid), max(0, balance_mills))


def waited_until(promised_date: date, tolerance_days: int) -> date:
    return promised_date + timedelta(days=tolerance_days)


def is_waited_for(
    promised_date: date, tolerance_days: int, as_of: date, booked_until: date | None = None
) -> bool:
    """Whether the promise may still be kept as far as anybody knows. booked_until: the day to which the bank
    statements reach, None where there are none (the day alone decides)."""
    last = waited_until(promised_date, tolerance_days)
    return as_of <= last or (booked_until is not None and booked_until < last)


def level_of(earlier: Iterable[tuple[int, date, str]], promised_date: date, as_of: date) -> int:
    """The level of a new promise: one more than that of a promise on the same items that it puts off.

    earlier: (level, day, state) of the promises that there were. Put off: its day went by without it being
    kept, or the new day is a later one. What was kept counts no more.
    """
    levels = [
        level + (1 if day < as_of or day < promised_date else 0)
        for level, day, state in earlier
        if state != KEPT
    ]
    return max(levels, default=1)
