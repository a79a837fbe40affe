"""Priority: what contacting an account today is worth, per minute of a collector.

Plain formulas on single numbers; ``saldo.analytics.ranking`` applies the same ones to a whole portfolio.
Formula, assumptions and worked example: docs/rules/priority.md. The assumptions are in ``priors.toml``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from saldo.core.desk_prior import DeskPrior
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


def gross_gain_mills(
    item: ItemOutlook, action: ActionPrior, prior: PriorityPrior, factor: float = 1.0
) -> float:
    """Balance x [p30 with the action - p30 without] x urgency, in mills.

    factor: what this account makes of the stated effect (``effect_factor``).
    """
    change = uplifted(item.p30, action.log_odds_uplift * factor) - uplifted(item.p30, 0.0)
    return item.balance_mills * change * urgency(item.p_over_90, prior)


def action_minutes(action: ActionPrior, items: int, desk: DeskPrior, base: float | None = None) -> float:
    """Minutes of an action on a dossier of so many items. base: learnt from timed contacts, if they were."""
    if not action.minutes:
        return 0.0
    further = min(max(items, 1), desk.items_at_most) - 1
    return (action.minutes if base is None else base) + action.minutes_per_item * further


def learned_minutes(stated: float, timed: int, minutes: float, weight: float) -> float:
    """The stated minutes, drawn to the mean of ``timed`` contacts that took ``minutes`` in all."""
    return (stated * weight + minutes) / (weight + timed)


def action_cost_mills(action: ActionPrior, prior: PriorityPrior, minutes: float | None = None) -> float:
    """Collector's time, out-of-pocket cost and what the contact costs the relationship, in mills."""
    time = (action.minutes if minutes is None else minutes) * prior.collector_cost_per_minute_mills
    return time + action.cost_mills + action.relationship_cost_mills


def action_value_mills(
    items: Sequence[ItemOutlook],
    action: ActionPrior,
    prior: PriorityPrior,
    factor: float = 1.0,
    minutes: float | None = None,
) -> float:
    """Expected gain of ``action`` on an account, in mills; doing nothing is worth 0."""
    gain = sum(gross_gain_mills(item, action, prior, factor) for item in items)
    return gain - action_cost_mills(action, prior, minutes)


def best_action(
    items: Sequence[ItemOutlook], prior: PriorityPrior, desk: DeskPrior | None = None, price: float = 0.0
) -> tuple[ActionPrior, float]:
    """Of the actions that are offered to every account the one of highest value less what its minutes would
    bring elsewhere, and its value in mills; the first listed wins a tie. price: mills a minute."""

    def value(action: ActionPrior) -> tuple[float, float]:
        minutes = action.minutes if desk is None else action_minutes(action, len(items), desk)
        worth = action_value_mills(items, action, prior, minutes=minutes)
        return worth - price * minutes, worth

    valued = [(action, *value(action)) for action in prior.actions if action.is_offered]
    action, _, worth = max(valued, key=lambda entry: entry[1])
    return action, worth


def reach_factor(tries: int, spoken: int, desk: DeskPrior) -> float:
    """How much more or less often somebody answers here than is stated: 1 where nobody has tried."""
    share = (desk.reach_share * desk.reach_weight + spoken) / (desk.reach_weight + tries)
    return share / desk.reach_share


def repeat_factor(contacts: int, desk: DeskPrior, unanswered: int = 0) -> float:
    """What is left of an effect after so many contacts, of which so many messages were not answered."""
    left = desk.kept_share**contacts * desk.unanswered_share**unanswered
    return max(left, desk.least_share)


def value_per_minute_mills(value_mills: float, action: ActionPrior, minutes: float | None = None) -> float:
    """Value per minute of collector's time; 0 for doing nothing."""
    spent = action.minutes if minutes is None else minutes
    return value_mills / spent if spent else 0.0


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
