"""What customers agreed to, as the office of a trial remembers it: promises, plans, reasons of delay.

It is judged by the balances that the ERP's lists show, as people without the truth would judge it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from saldo.core.plans import PlanRule, PlanRules, judged, sustainable

# A plan falls with the first installment that is missed: who pays nothing else is asked again soon.
PLAN_RULE = PlanRule(tolerance_days=5, missed_limit=1)
# Each installment is at least a whole invoice, over half a year at most.
MOST_INSTALLMENTS = 6
CURRENCY = "EUR"
Installments = tuple[tuple[date, int], ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """items: what was open of each when it was agreed."""

    account_id: int
    items: Mapping[int, int]
    installments: Installments


@dataclass(frozen=True, slots=True)
class Promise:
    """last: the last day on which it is waited for."""

    account_id: int
    items: tuple[int, ...]
    last: date


@dataclass(slots=True)
class Agreements:
    """plans: those that stand, by account. broken: the day on which the last promise of an account was found
    broken. reasons: the last reason of delay that an account gave, with its day."""

    plans: dict[int, Plan] = field(default_factory=dict)
    promises: dict[int, Promise] = field(default_factory=dict)
    broken: dict[int, date] = field(default_factory=dict)
    reasons: dict[int, tuple[str, date]] = field(default_factory=dict)
    answered: dict[int, date] = field(default_factory=dict)

    def planned(self) -> frozenset[int]:
        """The items that plans cover."""
        return frozenset(item for plan in self.plans.values() for item in plan.items)

    def agree(self, account_id: int, items: Mapping[int, int], first: date, day: date) -> Plan | None:
        """A plan for items that are not in one yet, from its first day on; None if there are none."""
        covered = self.planned()
        free = {item: mills for item, mills in items.items() if mills > 0 and item not in covered}
        if not free:
            return None
        months = min(len(free), MOST_INSTALLMENTS)
        found = sustainable(
            sum(free.values()), CURRENCY, (), day, PlanRules(), months=months, first_date=max(first, day)
        )
        old = self.plans.get(account_id)
        plan = Plan(account_id, free, found.installments)
        # A second plan beside one that stands: they are judged as one.
        self.plans[account_id] = plan if old is None else _both(old, plan)
        return plan

    def judge(self, balances: Mapping[int, int], day: date) -> None:
        """Promises and plans on a morning. balances: of the items that are still open, in mills."""
        for account_id, plan in list(self.plans.items()):
            left = sum(min(balances.get(item, 0), mills) for item, mills in plan.items.items())
            paid = sum(plan.items.values()) - left
            verdict = judged(plan.installments, PLAN_RULE, ((day, paid),), 0, left, day)
            if verdict.falls or verdict.is_completed:
                del self.plans[account_id]
        for account_id, promise in list(self.promises.items()):
            if day <= promise.last:
                continue
            del self.promises[account_id]
            if any(balances.get(item, 0) > 0 for item in promise.items):
                self.broken[account_id] = day


def _both(old: Plan, new: Plan) -> Plan:
    sums: dict[date, int] = {}
    for due, mills in _sorted(old.installments + new.installments):
        sums[due] = sums.get(due, 0) + mills
    return Plan(old.account_id, {**old.items, **new.items}, tuple(sums.items()))


def _sorted(installments: Iterable[tuple[date, int]]) -> list[tuple[date, int]]:
    return sorted(installments)
