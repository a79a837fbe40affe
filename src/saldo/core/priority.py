"""Priority: what contacting an account today is worth, per minute of a collector.

Plain formulas on single numbers; ``saldo.analytics.ranking`` applies the same ones to a whole portfolio.
Formula, assumptions and worked example: docs/rules/priority.md. The assumptions are in ``priors.toml``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from saldo.core.priors import ActionPrior, PriorityPrior

# Bounds of the odds: a probability of exactly 0 or 1 has none, and no contact changes it.
_LEAST, _MOST = 1e-9, 1.0 - 1e-9


@dataclass(frozen=True, slots=True)
class ItemOutlook:
    """An open item as the ranking sees it: balance in mills, p30 and p_over_90 if nobody does anything."""

    balance_mills: int
    p30: float
    p_over_90: float


def uplifted(p: float, log_odds: float) -> float:
    """Probability ``p`` after adding ``log_odds`` to its log-odds."""
    p = min(max(p, _LEAST), _MOST)
    return 1.0 / (1.0 + math.exp(-math.log(p / (1.0 - p)) - log_odds))


def urgency(p_over_90: float, prior: PriorityPrior) -> float:
    """Share of an amount that is gained when it is paid within 30 days rather than later.

    The cost of capital of the days saved, and the loss expected on what passes 90 days.
    """
    return prior.capital_cost_rate * prior.days_saved / 365 + prior.loss_over_90_rate * p_over_90


def gross_gain_mills(item: ItemOutlook, action: ActionPrior, prior: PriorityPrior) -> float:
    """Balance x [p30 with the action - p30 without] x urgency, in mills."""
    change = uplifted(item.p30, action.log_odds_uplift) - uplifted(item.p30, 0.0)
    return item.balance_mills * change * urgency(item.p_over_90, prior)


def action_cost_mills(action: ActionPrior, prior: PriorityPrior) -> float:
    """Collector's time, out-of-pocket cost and what the contact costs the relationship, in mills."""
    time = action.minutes * prior.collector_cost_per_minute_mills
    return time + action.cost_mills + action.relationship_cost_mills


def action_value_mills(items: Sequence[ItemOutlook], action: ActionPrior, prior: PriorityPrior) -> float:
    """Expected gain of ``action`` on an account, in mills; doing nothing is worth 0."""
    gain = sum(gross_gain_mills(item, action, prior) for item in items)
    return gain - action_cost_mills(action, prior)


def best_action(items: Sequence[ItemOutlook], prior: PriorityPrior) -> tuple[ActionPrior, float]:
    """The action of highest value and its value in mills; the first listed wins a tie."""
    values = [(action, action_value_mills(items, action, prior)) for action in prior.actions]
    return max(values, key=lambda pair: pair[1])


def value_per_minute_mills(value_mills: float, action: ActionPrior) -> float:
    """Value per minute of collector's time; 0 for doing nothing."""
    return value_mills / action.minutes if action.minutes else 0.0


def amount_times_age(balances_and_days: Sequence[tuple[int, int]]) -> int:
    """Mills x days past due, summed: the order of accounts whose paid history is not known."""
    return sum(balance * max(days, 0) for balance, days in balances_and_days)


def payment_that_lowers_mills(
    overdue_mills: int, value_mills: float, cost_mills: float, target: float
) -> int:
    """Payment after which the account's value falls to ``target`` mills, if its items are paid evenly."""
    gross = value_mills + cost_mills
    if gross <= 0 or target >= value_mills:
        return 0
    return math.ceil(overdue_mills * min(1.0, (value_mills - target) / gross))


def review_due(overdue_since: date | None, last_contact: date | None, as_of: date, review_days: int) -> bool:
    """Whether an overdue account has gone ``review_days`` without contact.

    The wait starts from the later of the last contact and the day it became overdue.
    """
    if overdue_since is None:
        return False
    start = max(overdue_since, last_contact) if last_contact else overdue_since
    return (as_of - start).days >= review_days
