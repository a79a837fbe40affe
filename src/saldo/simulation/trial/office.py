"""The office of a trial: what it did, what it heard, and what that means for whom it may contact.

It stands where the people of a credit office stand: it sees Saldo and its own mail, never the truth of the
world. What a reply means is the same for every policy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta

from saldo.simulation.trial.policies import Contact, DueItem, Known, Suggestion, grouped
from saldo.simulation.trial.rules import Rules


@dataclass(frozen=True, slots=True)
class Heard:
    """A reply as a person understands it. day: the promised day, or the one of the return to the office."""

    reply_id: int
    account_id: int
    kind: str
    heard_date: date
    day: date | None = None


@dataclass(slots=True)
class Office:
    """The memory of one office. rest_until: the last day on which an account is left alone."""

    rules: Rules
    contacted: dict[int, list[date]] = field(default_factory=dict)
    rest_until: dict[int, date] = field(default_factory=dict)
    disputed: dict[int, date] = field(default_factory=dict)
    letters: dict[int, int] = field(default_factory=dict)
    heard: set[int] = field(default_factory=set)

    def morning(self, day: date, items: Iterable[DueItem], worklist: Iterable[Suggestion]) -> Known:
        return Known(
            day=day,
            items=grouped(items),
            worklist=tuple(worklist),
            resting=frozenset(
                account
                for until in (self.rest_until, self.disputed)
                for account, last in until.items()
                if day <= last
            ),
            contacted={account: tuple(days) for account, days in self.contacted.items()},
            letters=self.letters,
        )

    def did(self, day: date, contacts: Iterable[Contact]) -> None:
        for contact in contacts:
            self.contacted.setdefault(contact.account_id, []).append(day)
            for item_id in contact.lettered:
                self.letters[item_id] = self.letters.get(item_id, 0) + 1

    def hear(self, replies: Iterable[Heard]) -> list[tuple[Heard, date]]:
        """Take note of replies that are new; returns the promises with the day to come back to them."""
        promises = []
        for reply in sorted(replies, key=lambda each: each.reply_id):
            if reply.reply_id in self.heard:
                continue
            self.heard.add(reply.reply_id)
            if reply.kind == "promise":
                promises.append((reply, self._promised(reply)))
            elif reply.kind in _MEANINGS:
                _MEANINGS[reply.kind](self, reply)
        return promises

    def settle(self, accounts: Iterable[int]) -> None:
        """Disputes of these accounts are settled: by a credit note, or because they had no ground."""
        for account_id in accounts:
            self.disputed.pop(account_id, None)

    def _rests(self, account_id: int, last: date) -> None:
        self.rest_until[account_id] = max(last, self.rest_until.get(account_id, last))

    def _promised(self, reply: Heard) -> date:
        """The last day on which the promise is waited for."""
        rules = self.rules.replies
        if reply.day is None:
            last = reply.heard_date + timedelta(days=rules["promise_without_date_days"])
        else:
            last = reply.day + timedelta(days=rules["promise_tolerance_days"])
        self._rests(reply.account_id, last)
        return last

    def _for_days(self, reply: Heard, rule: str) -> None:
        self._rests(reply.account_id, reply.heard_date + timedelta(days=self.rules.replies[rule]))

    def _returns(self, reply: Heard) -> None:
        if reply.day is not None:
            self._rests(reply.account_id, reply.day - timedelta(days=1))

    def _objects(self, reply: Heard) -> None:
        most = self.rules.replies["dispute_most_days"]
        self.disputed[reply.account_id] = reply.heard_date + timedelta(days=most)

    def _somebody_else(self, reply: Heard) -> None:
        """The contact reached nobody who could pay: it does not count, the next person may be asked."""
        self._for_days(reply, "wrong_person_days")
        days = self.contacted.get(reply.account_id, [])
        if days:
            days.pop()


_MEANINGS: dict[str, Callable[[Office, Heard], None]] = {
    "already_paid": lambda office, reply: office._for_days(reply, "already_paid_days"),
    "angry": lambda office, reply: office._for_days(reply, "angry_days"),
    "out_of_office": Office._returns,
    "dispute": Office._objects,
    "wrong_person": Office._somebody_else,
}
