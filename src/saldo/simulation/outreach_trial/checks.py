"""What must hold of every message that left, judged from the tables and the truth, not by the planner's code.

A violation is one line that says what was wrong. No amount may be asked for that is paid, promised, disputed,
held, in flight, or said to be paid, and never more than the balance; no level is jumped; caps are kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from django.db import connection

from saldo.core.playbook import OVERDUE
from saldo.core.sending import SendingRules
from saldo.simulation.outreach_trial.office import LeftMessage

# Of an item the newest promise counts that was not recorded by mistake.
_PROMISED = """
SELECT p.item_id, (p.amount * 1000)::bigint, (p.balance_before * 1000)::bigint, o.promised_date
  FROM promises_promiseitem p JOIN promises_promise o ON o.id = p.promise_id
 WHERE NOT EXISTS (SELECT 1 FROM promises_promiseend e WHERE e.promise_id = o.id)
   AND NOT EXISTS (SELECT 1 FROM promises_promiseitem q
                    WHERE q.item_id = p.item_id AND q.promise_id > o.id
                      AND NOT EXISTS (SELECT 1 FROM promises_promiseend e
                                       WHERE e.promise_id = q.promise_id AND e.outcome = 'mistake'))
"""
# The disputed part of an item is paid last; a resolution settles what was left of it on its day.
_DISPUTED = """
SELECT x.item_id,
       ((least(sum(x.amount), min(i.amount - coalesce(u.used, 0))) - sum(x.settled)) * 1000)::bigint
  FROM (SELECT i.item_id, i.amount, 0 AS settled FROM disputes_disputeitem i
        UNION ALL SELECT s.item_id, 0, s.amount FROM disputes_disputesettlement s
        UNION ALL SELECT i.item_id, -a.amount, 0
          FROM disputes_disputeitem i JOIN disputes_dispute d ON d.id = i.dispute_id
          JOIN ledger_allocation a ON a.debit_item_id = i.item_id AND a.recorded_at > d.recorded_at
          JOIN ledger_item c ON c.id = a.credit_item_id AND c.kind IN ('credit_note', 'write_off', 'discount')
       ) x
  JOIN ledger_item i ON i.id = x.item_id
  LEFT JOIN (SELECT item_id, sum(amount) AS used FROM ledger_allocation_side GROUP BY 1) u
    ON u.item_id = x.item_id
 GROUP BY 1 HAVING least(sum(x.amount), min(i.amount - coalesce(u.used, 0))) > sum(x.settled)
"""
_HELD = """
SELECT h.account_id, h.item_id FROM collection_hold h
 WHERE h.from_date <= %(day)s AND h.until_date >= %(day)s
   AND NOT EXISTS (SELECT 1 FROM collection_holdend e WHERE e.hold_id = h.id)
"""
_CLAIMED = """
SELECT i.item_id, c.id, (c.amount * 1000)::bigint
  FROM cash_paidclaimitem i JOIN cash_paidclaim c ON c.id = i.claim_id
 WHERE NOT EXISTS (SELECT 1 FROM cash_paidclaimend e WHERE e.claim_id = c.id)
"""
_STOPPED = """
SELECT s.channel, s.address, s.company_id FROM parties_addressstop s
 WHERE NOT EXISTS (SELECT 1 FROM parties_addressrelease r WHERE r.stop_id = s.id)
"""


@dataclass(frozen=True, slots=True)
class Truth:
    """Of the world, by Saldo's item: what is still owed once all that the imported statements tell is counted
    (cents); under way as a receipt; paid in words that name no document. late_cents: what an account still
    owes of what is late, by Saldo's account (where it is told)."""

    owed_cents: Mapping[int, int]
    in_flight: frozenset[int]
    unknowable: frozenset[int]
    late_cents: Mapping[int, int] = field(default_factory=dict)


@dataclass(slots=True)
class Checks:
    """violations: in words. history: what left before, by account. unknown: asked though paid, where no
    reader of the statements could have known whose money it was."""

    rules: Mapping[int, SendingRules]
    ladders: Mapping[int, tuple[int, ...]]
    violations: list[str] = field(default_factory=list)
    history: dict[int, list[LeftMessage]] = field(default_factory=lambda: defaultdict(list))
    unknown: int = 0
    asked: int = 0

    def day(
        self,
        left: Sequence[LeftMessage],
        balances: Mapping[int, tuple[int, int]],
        booked: Mapping[int, date | None],
        truth: Truth,
        facts: Facts,
    ) -> None:
        """Check what left on one day; facts: those that were recorded when it left."""
        for message in left:
            self._addressed(message, facts)
            self._levels(message)
            self._caps(message, left)
            for item in message.items:
                if item.asked_mills > 0:
                    self.asked += 1
                    self._asked(message, item.item_id, item.asked_mills, balances, booked, facts, truth)
            self._claimed(message, balances, facts)
            self._in_all(message, truth)
        self._daily(left)
        for message in left:
            self.history[message.account_id].append(message)

    def _wrong(self, message: LeftMessage, what: str) -> None:
        which = f"{message.day} message {message.message_id} account {message.account_id}"
        self.violations.append(f"{which}: {what}")

    # -- amounts -----------------------------------------------------------------------------------------

    def _asked(
        self, message: LeftMessage, item: int, asked: int, balances: Mapping[int, tuple[int, int]],
        booked: Mapping[int, date | None], facts: Facts, truth: Truth,
    ) -> None:  # fmt: skip
        balance, account = balances.get(item, (0, 0))
        if asked > balance or account != message.account_id:
            self._wrong(message, f"item {item} asked {asked} of a balance of {balance}")
        blocked = facts.disputed.get(item, 0)
        blocked += self._promised(message, item, balance, booked.get(message.company_id), facts)
        if item in facts.claimed_whole:
            blocked += balance
        if asked > max(0, balance - blocked):
            self._wrong(message, f"item {item} asked {asked} of {balance}, of which {blocked} left dunning")
        if item in facts.held_items or message.account_id in facts.held_accounts:
            self._wrong(message, f"item {item} asked while held")
        if item in truth.in_flight:
            self._wrong(message, f"item {item} asked while a receipt or debit is under way")
        owed = truth.owed_cents.get(item)
        if owed is not None and asked > max(0, owed) * 10:
            if item in truth.unknowable:
                self.unknown += 1
            else:
                self._wrong(message, f"item {item} asked {asked}, of which {owed * 10} was still owed")

    def _in_all(self, message: LeftMessage, truth: Truth) -> None:
        """Whatever its transfers name: an account is reminded of no more than what it still owes."""
        asked = sum(item.asked_mills for item in message.items)
        late = truth.late_cents.get(message.account_id)
        if message.track == OVERDUE and late is not None and asked > late * 10:
            self._wrong(message, f"asked {asked} in all, of which {late * 10} was still owed")

    def _claimed(self, message: LeftMessage, balances: Mapping[int, tuple[int, int]], facts: Facts) -> None:
        """Of the items of a claim of some amount, at least that amount is not asked for."""
        asked = {item.item_id: item.asked_mills for item in message.items}
        for amount, items in facts.claimed:
            if not items & set(asked):
                continue
            balance = sum(balances.get(item, (0, 0))[0] for item in items)
            if sum(asked.get(item, 0) for item in items) > max(0, balance - amount):
                self._wrong(message, f"items {sorted(items)} asked beyond a claim of {amount} of {balance}")

    def _promised(
        self, message: LeftMessage, item: int, balance: int, booked: date | None, facts: Facts
    ) -> int:
        """What open promises of the item keep out: until tolerance is over and statements reach the day."""
        tolerance = timedelta(days=self.rules[message.company_id].promise_tolerance_days)
        total = 0
        for amount, before, promised in facts.promised.get(item, ()):
            if message.day <= promised + tolerance or booked is None or booked < promised:
                total += _rest(amount, before, balance)
        return total

    # -- ways, levels, caps ------------------------------------------------------------------------------

    def _addressed(self, message: LeftMessage, facts: Facts) -> None:
        # A company stops an address for itself, a bounce or a complaint for all of them.
        to = (message.channel, message.to_address)
        if {(*to, None), (*to, message.company_id)} & facts.stopped:
            self._wrong(message, f"{message.channel} to a stopped address")

    def _levels(self, message: LeftMessage) -> None:
        ladder = self.ladders.get(message.message_id, ())
        for item in message.items:
            between = [level for level in ladder if item.level_before < level < item.level]
            highest = max(message.level, item.level_before)
            if between or not item.level_before <= item.level <= highest:
                told = f"item {item.item_id} went from level {item.level_before} to {item.level}"
                self._wrong(message, f"{told} of {ladder}")
            last = self._last_level(message.account_id, item.item_id)
            if item.level_before < last:
                self._wrong(message, f"item {item.item_id} had reached level {last}, not {item.level_before}")

    def _last_level(self, account: int, item: int) -> int:
        levels = [each.level for old in self.history[account] for each in old.items if each.item_id == item]
        return max(levels, default=0)

    def _caps(self, message: LeftMessage, left: Sequence[LeftMessage]) -> None:
        if not message.track or message.track not in ("soon", OVERDUE):
            return
        rules = self.rules[message.company_id]
        earlier = [old for old in self.history[message.account_id] if old.track in ("soon", OVERDUE)]
        # Each company counts what it wrote itself.
        today = [
            old for old in left
            if old.to_address == message.to_address != "" and old.company_id == message.company_id
        ]  # fmt: skip
        if len(today) > rules.contact_day_cap:
            self._wrong(message, f"{len(today)} messages to {message.to_address} in a day")
        if (
            sum(old.track == message.track and old.currency == message.currency for old in today) > 1
            and len({old.account_id for old in today}) == 1
        ):
            self._wrong(message, f"two messages of track {message.track} in a day")
        everywhere = [old for olds in self.history.values() for old in olds]
        week = [
            old for old in everywhere
            if old.to_address == message.to_address != "" and old.company_id == message.company_id
            and (message.day - old.day).days < 7
        ]  # fmt: skip
        if len(week) + len(today) > rules.contact_week_cap:
            self._wrong(message, f"{len(week) + len(today)} messages to {message.to_address} in a week")
        month = [old for old in earlier if (message.day - old.day).days < 30]
        of_today = [old for old in left if old.account_id == message.account_id]
        if len(month) + len(of_today) > rules.account_month_cap:
            self._wrong(message, f"{len(month) + len(of_today)} messages to the account in a month")
        if message.track == OVERDUE:
            last = max((old.day for old in earlier if old.track == OVERDUE), default=None)
            if last is not None and (message.day - last).days < rules.rest_days:
                self._wrong(message, f"reminded on {last} already")

    def _daily(self, left: Sequence[LeftMessage]) -> None:
        for company, rules in self.rules.items():
            of_company = [message for message in left if message.company_id == company]
            if len(of_company) > rules.daily_cap:
                self._wrong(of_company[-1], f"{len(of_company)} messages of the company in a day")


def _rest(amount: int, before: int, balance: int) -> int:
    """What of a promise or claim is still to come: less what was paid on the item since."""
    return max(0, min(balance, amount - max(0, before - balance)))


@dataclass(frozen=True, slots=True)
class Facts:
    """What stands recorded, by item. promised: (amount, balance when it was given, promised day) of open
    promises; claimed: (amount, items) of open claims of an amount; claimed_whole: items of the others."""

    promised: Mapping[int, Sequence[tuple[int, int, date]]]
    disputed: Mapping[int, int]
    claimed: Sequence[tuple[int, frozenset[int]]]
    claimed_whole: frozenset[int]
    held_accounts: frozenset[int]
    held_items: frozenset[int]
    stopped: frozenset[tuple[str, str, int | None]]

    @classmethod
    def of(cls, day: date) -> Facts:
        promised: dict[int, list[tuple[int, int, date]]] = defaultdict(list)
        for item, amount, before, until in _rows(_PROMISED):
            promised[item].append((amount, before, until))
        whole: set[int] = set()
        parts: dict[tuple[int, int], set[int]] = defaultdict(set)
        for item, claim, amount in _rows(_CLAIMED):
            if amount is None:
                whole.add(item)
            else:
                parts[claim, amount].add(item)
        held = list(_rows(_HELD, {"day": day}))
        return cls(
            promised,
            dict(_rows(_DISPUTED)),  # type: ignore[arg-type]
            [(amount, frozenset(items)) for (_, amount), items in parts.items()],
            frozenset(whole),
            frozenset(account for account, item in held if item is None),
            frozenset(item for _, item in held if item is not None),
            frozenset((channel, address.lower(), company) for channel, address, company in _rows(_STOPPED)),
        )


def _rows(sql: str, params: Mapping[str, object] | None = None) -> Iterable[tuple]:  # type: ignore[type-arg]
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()
