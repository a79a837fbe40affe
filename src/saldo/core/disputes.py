"""What is left of a disputed amount, who is to move next, and by when. docs/rules/disputes.md.

    left_of_item      how objections to one item shrink as credits arrive and people decide
    case_of           a dispute's state, from what is left of its items
    answer_due        the day by which an answer is owed
    reminder_date     since when somebody should ask for it

An objection keeps its amount out of dunning until the ledger or a person says otherwise. What the ledger says
comes by itself: a credit note or a write-off that is set against the item takes the objection down, oldest
objection first; what is paid of the item beyond its undisputed part does, too. Nothing of it is stored: a
credit note that is taken back opens the dispute again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from saldo.core.calendar import add_business_days

# Why a customer objects.
REASONS = (
    "price", "quality", "quantity", "delivery", "missing_document", "order", "duplicate", "return", "other"
)  # fmt: skip

# How an amount left a dispute. Opened by mistake: it never was one.
CREDITED, WRITTEN_OFF, PAID, CLOSED = "credited", "written_off", "paid", "closed"
WITHDRAWN, REFUSED, MISTAKE = "withdrawn", "refused", "mistake"
# What people may say; "closed" only the ledger tells (an item vanished from the ERP's list).
OUTCOMES = (CREDITED, PAID, WRITTEN_OFF, WITHDRAWN, REFUSED, MISTAKE)
# Put back by a person: the customer objects again.
REOPENED = "reopened"
# The amount is asked for again: nothing in the ledger has to bear it out.
BACK_TO_DUNNING = frozenset({WITHDRAWN, REFUSED, MISTAKE})
# States of a dispute that did not end. Agreed: all that is left waits for our own credit note or write-off.
OPEN, AGREED = "open", "agreed"
LIVE = frozenset({OPEN, AGREED})
# Who is to move next.
OWNER, OFFICE, LEDGER = "owner", "office", "ledger"
JUSTIFIED, UNJUSTIFIED = "justified", "unjustified"
VERDICTS = (JUSTIFIED, UNJUSTIFIED)

# Kinds of credits that say what became of the objection.
_CREDITS: Mapping[str, str] = {
    "credit_note": CREDITED, "discount": CREDITED, "adjustment": CREDITED, "write_off": WRITTEN_OFF,
}  # fmt: skip
# Those that say only that the ERP shows less, not why.
UNEXPLAINED = frozenset({"provisional_payment", "closure"})

AGES = ((0, 7), (8, 30), (31, 60), (61, 90), (91, None))


@dataclass(frozen=True, slots=True)
class Change:
    """Mills that a person took off an objection, or put back (negative)."""

    day: date
    recorded_at: datetime
    mills: int
    outcome: str


@dataclass(frozen=True, slots=True)
class Objection:
    """An amount of one item that was objected to, and what people did with it. key: whose it is."""

    key: tuple[str, int]
    day: date
    recorded_at: datetime
    mills: int
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Settlement:
    """Mills of a credit set against the item, negative where that was taken back. kind: of the credit."""

    day: date
    recorded_at: datetime
    mills: int
    kind: str
    credit_item_id: int = 0


@dataclass(frozen=True, slots=True)
class Taken:
    """Mills that left an objection, or came back to it (negative), and what made them."""

    day: date
    recorded_at: datetime
    mills: int
    outcome: str
    credit_item_id: int = 0


@dataclass(slots=True)
class Left:
    """What is left of one objection. unexplained_mills: what the ERP's lists took off the item since then
    without saying why, and nobody has claimed for the dispute yet."""

    key: tuple[str, int]
    mills: int = 0
    unexplained_mills: int = 0
    taken: list[Taken] = field(default_factory=list)

    @property
    def ended_date(self) -> date | None:
        return self.taken[-1].day if self.taken and self.mills == 0 else None

    def total(self, outcome: str) -> int:
        return sum(one.mills for one in self.taken if one.outcome == outcome)


def left_of_item(
    amount_mills: int, objections: Sequence[Objection], settlements: Iterable[Settlement]
) -> dict[tuple[str, int], Left]:
    """What is left of each objection to an item of ``amount_mills``, once all of this has happened.

    >>> from datetime import UTC
    >>> def at(d): return date(2026, 3, d), datetime(2026, 3, d, tzinfo=UTC)
    >>> said = [Objection(("dispute", 1), *at(1), 100_000)]
    >>> left_of_item(1_000_000, said, [Settlement(*at(5), 60_000, "credit_note")])[("dispute", 1)].mills
    40000
    """
    item = _Item(amount_mills)
    steps: list[tuple[datetime, int, int, Settlement | Objection | Change, tuple[str, int]]] = []
    for place, told in enumerate(settlements):
        steps.append((told.recorded_at, 0, place, told, ("", 0)))
    for place, each in enumerate(objections):
        steps.append((each.recorded_at, 1, place, each, each.key))
        steps += [(one.recorded_at, 2, no, one, each.key) for no, one in enumerate(each.changes)]
    # In the order in which it became known; of one instant, what had been settled comes first.
    for _, _, _, step, key in sorted(steps, key=lambda found: found[:3]):
        if isinstance(step, Settlement):
            item.settle(step)
        elif isinstance(step, Objection):
            item.object(step)
        else:
            item.change(key, step)
    return item.left


class _Item:
    """An item on its way through time. Objections are kept in the order in which they were made."""

    def __init__(self, amount_mills: int) -> None:
        self.balance = amount_mills
        self.left: dict[tuple[str, int], Left] = {}
        self.days: dict[tuple[str, int], date] = {}
        self.spare: list[tuple[Settlement, int]] = []

    def settle(self, told: Settlement) -> None:
        self.balance -= told.mills
        outcome = _CREDITS.get(told.kind)
        if told.mills < 0:
            self._give_back(told, outcome)
        else:
            rest = self._absorb(told, outcome, told.mills, self.left) if outcome else told.mills
            self.spare.append((told, rest))
            if told.kind in UNEXPLAINED:
                for one in self.left.values():
                    one.unexplained_mills += told.mills
        self._within_balance(told)

    def _absorb(self, told: Settlement, outcome: str, mills: int, keys: Iterable[tuple[str, int]]) -> int:
        for key in keys:
            part = min(self.left[key].mills, mills)
            if part > 0:
                self._take(key, Taken(told.day, told.recorded_at, part, outcome, told.credit_item_id))
                mills -= part
        return mills

    def object(self, said: Objection) -> None:
        self.left[said.key] = Left(said.key, said.mills)
        self.days[said.key] = said.day
        # Known before the objection, but of a later day: it was not in the balance that was objected to.
        for told, rest in self.spare:
            outcome = _CREDITS.get(told.kind)
            if told.day > said.day and outcome:
                self._absorb(told, outcome, rest, [said.key])
        if self.spare:
            self._within_balance(self.spare[-1][0])

    def change(self, key: tuple[str, int], one: Change) -> None:
        left = self.left[key]
        mills = min(one.mills, left.mills)
        if mills:
            self._take(key, Taken(one.day, one.recorded_at, mills, one.outcome))
        if one.outcome == CREDITED:
            left.unexplained_mills = max(0, left.unexplained_mills - mills)

    def _take(self, key: tuple[str, int], one: Taken) -> None:
        """No day before the objection's own: a credit note may be dated earlier than what it answers."""
        left = self.left[key]
        day = max(one.day, self.days[key])
        left.taken.append(Taken(day, one.recorded_at, one.mills, one.outcome, one.credit_item_id))
        left.mills -= one.mills

    def _within_balance(self, told: Settlement) -> None:
        """Nobody disputes what is not owed any more: the newest objection gives way first."""
        beyond = sum(one.mills for one in self.left.values()) - max(0, self.balance)
        outcome = CLOSED if told.kind == "closure" else PAID
        for key in reversed(self.left):
            part = min(self.left[key].mills, beyond)
            if part > 0:
                self._take(key, Taken(told.day, told.recorded_at, part, outcome, told.credit_item_id))
                beyond -= part

    def _give_back(self, told: Settlement, outcome: str | None) -> None:
        """What was set against the item is taken back: what it took from the objections is there again."""
        back = -told.mills
        for key in reversed(self.left):
            left = self.left[key]
            for code in (outcome,) if outcome else (PAID, CLOSED):
                room = self.balance - sum(one.mills for one in self.left.values())
                part = min(left.total(code), back, room)
                if part > 0:
                    self._take(key, Taken(told.day, told.recorded_at, -part, code, told.credit_item_id))
                    back -= part


# --- a dispute as a whole ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Agreement:
    """We will credit or write off this much: until the ledger shows it, nobody is asked for it."""

    recorded_at: datetime
    mills: int
    outcome: str


@dataclass(frozen=True, slots=True)
class CaseState:
    """state: OPEN, AGREED, or how most of it ended. waits_mills: agreed and not in the ledger yet.
    taken_mills: by outcome."""

    state: str
    left_mills: int
    waits_mills: int
    ended_date: date | None
    taken_mills: Mapping[str, int]


def case_of(parts: Sequence[Left], agreements: Sequence[Agreement] = ()) -> CaseState:
    """A dispute's state from what is left of its items and what was agreed since it was opened (again)."""
    left = sum(part.mills for part in parts)
    every = sorted((one for part in parts for one in part.taken), key=lambda one: one.recorded_at)
    # What had been taken off before it was opened again says nothing of how it ends.
    since = max((one.recorded_at for one in every if one.outcome == REOPENED), default=None)
    every = [one for one in every if since is None or one.recorded_at > since]
    taken: dict[str, int] = {}
    for one in every:
        taken[one.outcome] = taken.get(one.outcome, 0) + one.mills
    taken = {code: mills for code, mills in taken.items() if mills > 0}
    waits = 0
    for agreed in agreements:
        came = sum(
            each.mills for each in every
            if each.outcome in (CREDITED, WRITTEN_OFF) and each.recorded_at > agreed.recorded_at
        )  # fmt: skip
        waits = max(waits, agreed.mills - came)
    waits = min(waits, left)
    if left:
        return CaseState(AGREED if waits == left else OPEN, left, waits, None, taken)
    days = [part.ended_date for part in parts if part.ended_date]
    # Of equals, what came last says it.
    order = [one.outcome for one in every]
    state = max(taken, key=lambda code: (taken[code], _last(order, code)), default=WITHDRAWN)
    return CaseState(state, 0, 0, max(days, default=None), taken)


def _last(order: Sequence[str], code: str) -> int:
    return len(order) - 1 - list(reversed(order)).index(code)


def waits_for(state: str, owner: str, is_answered: bool) -> str:
    """Who is to move next: the owner until it answered, then the office that decides, then the ledger."""
    if state == AGREED:
        return LEDGER
    return OWNER if owner and not is_answered else OFFICE


# --- by when ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DisputePolicy:
    """A company's rules. days, owners: business days for an answer and who gives it, by reason. credit_days:
    business days in which an agreed credit note is to arrive. remind_days: business days without a word,
    after the day has gone by, until somebody should ask again."""

    days: Mapping[str, int] = field(default_factory=dict)
    owners: Mapping[str, str] = field(default_factory=dict)
    credit_days: int = 10
    remind_days: int = 3

    def days_for(self, reason: str) -> int:
        return self.days.get(reason, DEFAULT_DAYS.get(reason, DEFAULT_DAYS["other"]))

    def data(self) -> dict[str, object]:
        return {
            "days": dict(self.days), "owners": dict(self.owners), "credit_days": self.credit_days,
            "remind_days": self.remind_days,
        }  # fmt: skip


# A missing copy is sent the same week; goods must be looked at first.
DEFAULT_DAYS: Mapping[str, int] = {
    "price": 5, "quality": 10, "quantity": 5, "delivery": 5, "missing_document": 2, "order": 5,
    "duplicate": 3, "return": 10, "other": 5,
}  # fmt: skip


def answer_due(policy: DisputePolicy, reason: str, day: date) -> date:
    """The day by which an answer is owed.

    >>> answer_due(DisputePolicy(), "missing_document", date(2026, 3, 6))
    datetime.date(2026, 3, 10)
    """
    return add_business_days(day, policy.days_for(reason))


def reminder_date(due_date: date | None, last_word: date, remind_days: int, as_of: date) -> date | None:
    """Since when an overdue answer is to be asked for; None where it is not (yet). last_word: the newest day
    on which anybody wrote on the dispute.

    >>> reminder_date(date(2026, 3, 10), date(2026, 3, 2), 3, date(2026, 3, 12))
    datetime.date(2026, 3, 11)
    >>> reminder_date(date(2026, 3, 10), date(2026, 3, 12), 3, date(2026, 3, 13))
    """
    if due_date is None or as_of <= due_date:
        return None
    since = (
        add_business_days(due_date, 1) if last_word <= due_date else add_business_days(last_word, remind_days)
    )
    return since if since <= as_of else None


def age_band(days: int) -> int:
    """The place in AGES of a dispute that has been open this long."""
    return next(place for place, (_, last) in enumerate(AGES) if last is None or days <= last)
