"""The office of a trial: what it did, what it heard, and what that means for whom it may contact.

It stands where the people of a credit office stand: it sees Saldo and its own mail, never the truth of the
world. What a reply means is the same for every policy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta

from saldo.simulation.trial.agreements import Agreements, Plan, Promise
from saldo.simulation.trial.policies import Contact, DueItem, Known, Suggestion, grouped
from saldo.simulation.trial.rules import PLAN, Rules


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
    # Of each account the last contact, and what was open of the items that it named.
    asked: dict[int, dict[int, int]] = field(default_factory=dict)
    channels: dict[int, list[tuple[str, date]]] = field(default_factory=dict)
    balances: dict[int, int] = field(default_factory=dict)
    agreements: Agreements = field(default_factory=Agreements)
    offered: dict[int, date] = field(default_factory=dict)
    # Minutes that earlier days left.
    saved_minutes: float = 0.0
    # Plans that nobody put down in Saldo yet.
    new_plans: list[Plan] = field(default_factory=list)

    def morning(self, day: date, items: Iterable[DueItem], worklist: Iterable[Suggestion]) -> Known:
        items = list(items)
        self.balances = {item.item_id: item.balance_mills for item in items}
        self.agreements.judge(self.balances, day)
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
            planned=self.agreements.planned(),
            offered=self.offered,
            saved_minutes=self.saved_minutes,
        )

    def did(self, day: date, contacts: Iterable[Contact]) -> None:
        contacts = list(contacts)
        spent = sum(self.rules.effort(contact.channel, self._prepared(contact, day)) for contact in contacts)
        most = self.rules.minutes * self.rules.saved_days
        self.saved_minutes = min(most, self.saved_minutes + self.rules.minutes - spent)
        for contact in contacts:
            if contact.purpose == PLAN:
                self.offered[contact.account_id] = day
            self.contacted.setdefault(contact.account_id, []).append(day)
            self.channels.setdefault(contact.account_id, []).append((contact.channel, day))
            self.asked[contact.account_id] = {item: self.balances.get(item, 0) for item in contact.items}
            for item_id in contact.lettered:
                self.letters[item_id] = self.letters.get(item_id, 0) + 1

    def _prepared(self, contact: Contact, day: date) -> str:
        """PLAN where an offer had to be prepared, not only repeated."""
        stands = self.rules.stands(self.offered.get(contact.account_id), day)
        return "" if stands else contact.purpose

    def hear(self, replies: Iterable[Heard]) -> list[tuple[Heard, date]]:
        """Take note of replies that are new; returns the promises, with the last day of each."""
        promises = []
        for reply in sorted(replies, key=lambda each: each.reply_id):
            if reply.reply_id in self.heard:
                continue
            self.heard.add(reply.reply_id)
            self._noted(reply)
            if reply.kind == "promise":
                last = self._promised(reply)
                promises.append((reply, last))
                items = tuple(self.asked.get(reply.account_id, ()))
                self.agreements.promises[reply.account_id] = Promise(reply.account_id, items, last)
            elif reply.kind in _MEANINGS:
                _MEANINGS[reply.kind](self, reply)
        return promises

    def _noted(self, reply: Heard) -> None:
        """Who answers was reached; what it says of its delay is kept."""
        if reply.kind not in _MACHINES:
            self.agreements.answered[reply.account_id] = reply.heard_date
        reason = DELAYS_OF_REPLIES.get(reply.kind)
        if reason is not None:
            self.agreements.reasons[reply.account_id] = (reason, reply.heard_date)

    def _plans(self, reply: Heard) -> None:
        asked = self.asked.get(reply.account_id, {})
        first = reply.day or reply.heard_date
        plan = self.agreements.agree(reply.account_id, asked, first, reply.heard_date)
        if plan is not None:
            self.new_plans.append(plan)

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


_MACHINES = ("out_of_office", "wrong_person")
# Reasons of delay (core.outcomes) by what was heard.
DELAYS_OF_REPLIES = {"dispute": "dispute", "plan_accepted": "cash"}
_MEANINGS: dict[str, Callable[[Office, Heard], None]] = {
    "already_paid": lambda office, reply: office._for_days(reply, "already_paid_days"),
    "angry": lambda office, reply: office._for_days(reply, "angry_days"),
    "out_of_office": Office._returns,
    "dispute": Office._objects,
    "plan_accepted": Office._plans,
    "wrong_person": Office._somebody_else,
}
