"""The policies that are compared: from what the office knows on a day to the contacts of that day.

A policy sees Saldo's open items and worklist and what the office itself did and heard; never the truth. All
of them have the same calls and the same letters a day, the same tones and the same pauses, so that only the
choice of whom, how and with what (a reminder, or the offer of a plan) differs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby

from saldo.simulation.trial.rules import CALL, PLAN, Rules

MAIL = "email"
REMINDER = "reminder"
# What the worklist's actions are in a trial; the others (to escalate, to close) contact nobody.
CHANNELS = {CALL: CALL, MAIL: MAIL, "pec": MAIL, PLAN: MAIL, "find_contact": CALL, "visit": CALL}


@dataclass(frozen=True, slots=True)
class DueItem:
    """An open debit; days: past due on the day, negative before."""

    item_id: int
    account_id: int
    days: int
    balance_mills: int


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A line of Saldo's worklist: whom, and by which action ("email", "call", "plan", ...)."""

    account_id: int
    kind: str


@dataclass(frozen=True, slots=True)
class Known:
    """What the office knows in the morning.

    items: open debits by account, the overdue ones and those due within the courtesy days. resting: accounts
    that a reply in hand leaves alone. contacted: days of the contacts of each account, in order. letters: how
    many letters of the fixed calendar each item has had. planned: items of plans that are being kept.
    """

    day: date
    items: Mapping[int, tuple[DueItem, ...]]
    worklist: tuple[Suggestion, ...]
    resting: frozenset[int]
    contacted: Mapping[int, tuple[date, ...]]
    letters: Mapping[int, int]
    planned: frozenset[int] = frozenset()
    offered: Mapping[int, date] = field(default_factory=dict)
    saved_minutes: float = 0.0

    def overdue(self, account_id: int) -> tuple[DueItem, ...]:
        """What is overdue and may be asked for."""
        items = self.items.get(account_id, ())
        return tuple(item for item in items if item.days > 0 and item.item_id not in self.planned)

    def soon(self, account_id: int) -> tuple[DueItem, ...]:
        """What falls due soon."""
        items = self.items.get(account_id, ())
        return tuple(item for item in items if item.days <= 0 and item.item_id not in self.planned)


@dataclass(frozen=True, slots=True)
class Contact:
    """One contact: the items it names, and those that it counts as a letter of the calendar for."""

    account_id: int
    channel: str
    tone: str
    items: tuple[int, ...]
    lettered: tuple[int, ...] = ()
    purpose: str = REMINDER


@dataclass(frozen=True, slots=True)
class Policy:
    """chooses: the contacts of a day. reads_items, reads_worklist: what of Saldo it looks at; what nobody
    looks at need not be computed."""

    name: str
    chooses: Callable[[Known, Rules], list[Contact]]
    reads_items: bool = True
    reads_worklist: bool = False


def _none(known: Known, rules: Rules) -> list[Contact]:
    return []


def _calendar(known: Known, rules: Rules) -> list[Contact]:
    """Letters to all that are due for one, the oldest debt first; the backlog waits for another day."""
    due = []
    for account_id in _late_accounts(known, rules):
        lettered = [item for item in known.overdue(account_id) if _letter_due(item, known, rules)]
        if lettered:
            level = max(known.letters.get(item.item_id, 0) for item in lettered)
            due.append((max(item.days for item in lettered), account_id, level, lettered))
    due.sort(key=lambda row: (-row[0], row[1]))
    left = {CALL: rules.budget.calls, MAIL: rules.budget.written}
    contacts = []
    for _, account_id, level, lettered in due:
        wanted = CALL if level + 1 >= rules.calendar.calls_from else MAIL
        channel = _taken(left, wanted)
        if channel is None:
            break
        contacts.append(
            Contact(
                account_id,
                channel,
                rules.calendar.tones[level],
                tuple(item.item_id for item in known.overdue(account_id)),
                tuple(item.item_id for item in lettered),
            )
        )
    return contacts


def _letter_due(item: DueItem, known: Known, rules: Rules) -> bool:
    """No letter is jumped: an old item gets its first one first."""
    had = known.letters.get(item.item_id, 0)
    return had < len(rules.calendar.days) and item.days >= rules.calendar.days[had]


def _oldest(known: Known, rules: Rules) -> list[Contact]:
    def age(account_id: int) -> int:
        return max(item.days for item in known.overdue(account_id))

    return _asked(known, rules, _in_order(known, rules, age))


def _largest(known: Known, rules: Rules) -> list[Contact]:
    def amount(account_id: int) -> int:
        return sum(item.balance_mills for item in known.overdue(account_id))

    return _asked(known, rules, _in_order(known, rules, amount))


def _in_order(known: Known, rules: Rules, size: Callable[[int], int]) -> Iterator[Suggestion]:
    """The late accounts from the greatest down; the first ones are called, the others are written to."""
    late = sorted(_late_accounts(known, rules), key=lambda account_id: (-size(account_id), account_id))
    return (Suggestion(account_id, CALL) for account_id in late)


def _saldo(known: Known, rules: Rules) -> list[Contact]:
    """The day's worklist in its order, by the actions that it suggests while there are minutes left."""
    return _asked(known, rules, known.worklist)


def _late_accounts(known: Known, rules: Rules) -> list[int]:
    return [
        account_id
        for account_id in known.items
        if account_id not in known.resting
        and sum(item.balance_mills for item in known.overdue(account_id)) >= rules.minimum_overdue_mills
    ]


def _asked(known: Known, rules: Rules, wanted: Iterable[Suggestion]) -> list[Contact]:
    """Down the list while the budget lasts, over accounts that rest or were contacted lately."""
    left = {CALL: rules.budget.calls, MAIL: rules.budget.written}
    minutes = rules.minutes + known.saved_minutes
    contacts: list[Contact] = []
    for suggestion in wanted:
        account_id = suggestion.account_id
        if account_id in known.resting or _paused(known, rules, account_id):
            continue
        # A courtesy names what falls due soon, a reminder only what is overdue.
        named = known.overdue(account_id) or known.soon(account_id)
        if not named or any(contact.account_id == account_id for contact in contacts):
            continue
        kind, stands = suggestion.kind, rules.stands(known.offered.get(account_id), known.day)
        if kind == PLAN and stands:
            # It is repeated, and nothing has to be prepared.
            kind = MAIL
        channel = _channel(left, kind, minutes, rules)
        if channel is None:
            continue
        minutes -= rules.effort(channel, kind)
        age = max(item.days for item in named)
        tone = rules.tone(age, _earlier(known, account_id, age))
        purpose = PLAN if (kind == PLAN or stands) and age > 0 else REMINDER
        contacts.append(
            Contact(account_id, channel, tone, tuple(item.item_id for item in named), purpose=purpose)
        )
    return contacts


def _channel(left: dict[str, int], kind: str, minutes: float, rules: Rules) -> str | None:
    """The channel of an action, or the other one, if there are minutes left for it; it is used up by one."""
    wanted = CHANNELS.get(kind)
    if wanted is None:
        return None
    for channel in sorted(left, key=lambda name: name != wanted):
        if left[channel] > 0 and rules.effort(channel, kind) <= minutes:
            left[channel] -= 1
            return channel
    return None


def _paused(known: Known, rules: Rules, account_id: int) -> bool:
    days = known.contacted.get(account_id, ())
    return bool(days) and (known.day - days[-1]).days < rules.pause_days


def _earlier(known: Known, account_id: int, age_days: int) -> int:
    """Contacts since the oldest item fell due."""
    return sum(1 for day in known.contacted.get(account_id, ()) if (known.day - day).days < age_days)


def _taken(left: dict[str, int], wanted: str) -> str | None:
    """The channel wanted, or the other one; one less of it is left."""
    for channel in sorted(left, key=lambda name: name != wanted):
        if left[channel] > 0:
            left[channel] -= 1
            return channel
    return None


POLICIES = {
    policy.name: policy
    for policy in (
        Policy("none", _none, reads_items=False),
        Policy("calendar", _calendar),
        Policy("oldest", _oldest),
        Policy("largest", _largest),
        Policy("saldo", _saldo, reads_worklist=True),
    )
}


def grouped(items: Iterable[DueItem]) -> dict[int, tuple[DueItem, ...]]:
    """Items by account, in the accounts' order."""
    ordered = sorted(items, key=lambda item: (item.account_id, item.item_id))
    return {account: tuple(rows) for account, rows in groupby(ordered, key=lambda item: item.account_id)}
