"""The stated priors: what Saldo assumes until a company's own data say otherwise.

They live in ``priors.toml`` next to this module, so that a user can see them, copy them and change them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

from saldo.core.money import to_mills

NO_ACTION = "none"
FIND_CONTACT = "find_contact"


@dataclass(frozen=True, slots=True)
class DelayPrior:
    """The delay distribution of a portfolio with no known payment, and how evidence is weighed.

    points: (days past due, share paid by the end of that day), both strictly increasing, from share 0.
    """

    points: tuple[tuple[int, float], ...]
    strength_invoices: float
    half_life_days: float
    account_minimum: int
    segment_minimum: int
    portfolio_minimum: int
    horizon_days: int
    source: str

    def __post_init__(self) -> None:
        pairs = list(zip(self.points, self.points[1:], strict=False))
        _require(len(self.points) >= 2, "delay.days needs at least two points")
        _require(all(a[0] < b[0] and a[1] < b[1] for a, b in pairs), "delay points must increase")
        _require(self.points[0][1] == 0.0 and self.points[-1][1] < 1.0, "delay shares go from 0 to below 1")
        _require(self.strength_invoices > 0 and self.half_life_days > 0, "delay strengths must be positive")
        _require(self.horizon_days >= 90, "delay.horizon_days must be at least 90")
        minimums = (self.account_minimum, self.segment_minimum, self.portfolio_minimum)
        _require(min(minimums) >= 1, "delay minimums must be at least 1")


@dataclass(frozen=True, slots=True)
class CashPrior:
    """How payment days move together, and how far invoicing is from what is expected, until it is measured.

    Correlations are shares of the variance; the weights say how many observations of each they count as.
    """

    portfolio_correlation: float
    customer_correlation: float
    week_error: float
    week_error_ahead: float
    prior_days: float
    prior_groups: float
    sales_error: float
    sales_month_error: float
    sales_error_weight: float
    source: str

    def __post_init__(self) -> None:
        shares = (self.portfolio_correlation, self.customer_correlation)
        _require(min(shares) >= 0 and sum(shares) < 1, "cash correlations are shares of one whole")
        _require(min(self.prior_days, self.prior_groups) > 0, "cash weights must be positive")
        errors = (
            self.week_error,
            self.week_error_ahead,
            self.sales_error,
            self.sales_month_error,
            self.sales_error_weight,
        )
        _require(min(errors) > 0, "cash errors must be positive")


@dataclass(frozen=True, slots=True)
class ActionPrior:
    """One candidate action: its effect on the log-odds of payment within 30 days, its time and its costs.

    minutes: with one item; minutes_per_item: for each further one. is_offered: it is among the candidates
    unless something rules it out; else only where the account's facts allow it.
    """

    action: str
    log_odds_uplift: float
    minutes: float
    cost_mills: int
    relationship_cost_mills: int
    source: str
    minutes_per_item: float = 0.0
    is_offered: bool = True

    def __post_init__(self) -> None:
        costs = (self.minutes, self.minutes_per_item, self.cost_mills, self.relationship_cost_mills)
        _require(min(costs) >= 0, f"action {self.action}: minutes and costs are not negative")
        _require(
            (self.action == NO_ACTION) == (self.minutes == 0),
            f"action {self.action}: every action but '{NO_ACTION}' takes time",
        )


@dataclass(frozen=True, slots=True)
class PriorityPrior:
    """What the ranking assumes. Amounts in mills of the reporting currency, rates as shares (0-1)."""

    actions: tuple[ActionPrior, ...]
    collector_cost_per_minute_mills: int
    capital_cost_rate: float
    days_saved: int
    loss_over_90_rate: float
    minimum_overdue_mills: int
    courtesy_minimum_mills: int
    courtesy_days: int
    review_days: int
    source: str

    def __post_init__(self) -> None:
        _require(any(a.action == NO_ACTION for a in self.actions), f"the action '{NO_ACTION}' is missing")
        _require(len(self.actions) >= 2, "at least one action besides doing nothing is needed")
        _require(0 <= self.loss_over_90_rate <= 1, "priority.loss_over_90_rate is a share")
        _require(self.capital_cost_rate >= 0 and self.days_saved >= 0, "the cost of waiting is not negative")

    @property
    def contacts(self) -> tuple[ActionPrior, ...]:
        """The actions other than doing nothing."""
        return tuple(a for a in self.actions if a.action != NO_ACTION)


@dataclass(frozen=True, slots=True)
class Priors:
    version: str
    delay: DelayPrior
    cash: CashPrior
    priority: PriorityPrior


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(f"priors: {message}")


def _mills(text: str) -> int:
    return to_mills(Decimal(text))


def _delay(table: Mapping[str, Any]) -> DelayPrior:
    return DelayPrior(
        points=tuple(zip(table["days"], table["paid_share"], strict=True)),
        strength_invoices=float(table["strength_invoices"]),
        half_life_days=float(table["half_life_days"]),
        account_minimum=int(table["account_minimum"]),
        segment_minimum=int(table["segment_minimum"]),
        portfolio_minimum=int(table["portfolio_minimum"]),
        horizon_days=int(table["horizon_days"]),
        source=str(table["source"]),
    )


def _cash(table: Mapping[str, Any]) -> CashPrior:
    return CashPrior(
        portfolio_correlation=float(table["portfolio_correlation"]),
        customer_correlation=float(table["customer_correlation"]),
        week_error=float(table["week_error"]),
        week_error_ahead=float(table["week_error_ahead"]),
        prior_days=float(table["prior_days"]),
        prior_groups=float(table["prior_groups"]),
        sales_error=float(table["sales_error"]),
        sales_month_error=float(table["sales_month_error"]),
        sales_error_weight=float(table["sales_error_weight"]),
        source=str(table["source"]),
    )


def _action(name: str, table: Mapping[str, Any]) -> ActionPrior:
    return ActionPrior(
        action=name,
        log_odds_uplift=float(table["log_odds_uplift"]),
        minutes=float(table["minutes"]),
        cost_mills=_mills(table["cost"]),
        relationship_cost_mills=_mills(table["relationship_cost"]),
        source=str(table["source"]),
        minutes_per_item=float(table.get("minutes_per_item", 0.0)),
        is_offered=bool(table.get("is_offered", True)),
    )


def _priority(table: Mapping[str, Any]) -> PriorityPrior:
    return PriorityPrior(
        actions=tuple(_action(name, entry) for name, entry in table["actions"].items()),
        collector_cost_per_minute_mills=_mills(table["collector_cost_per_minute"]),
        capital_cost_rate=float(table["capital_cost_rate"]),
        days_saved=int(table["days_saved"]),
        loss_over_90_rate=float(table["loss_over_90_rate"]),
        minimum_overdue_mills=_mills(table["minimum_overdue"]),
        courtesy_minimum_mills=_mills(table["courtesy_minimum"]),
        courtesy_days=int(table["courtesy_days"]),
        review_days=int(table["review_days"]),
        source=str(table["source"]),
    )


def parse_priors(text: str) -> Priors:
    """The priors of a TOML text laid out as ``priors.toml``. Raises ValueError or KeyError if it is wrong."""
    table = tomllib.loads(text)
    delay, cash, priority = _delay(table["delay"]), _cash(table["cash"]), _priority(table["priority"])
    return Priors(str(table["version"]), delay, cash, priority)


@cache
def default_priors() -> Priors:
    """The priors shipped with Saldo."""
    return parse_priors(files("saldo.core").joinpath("priors.toml").read_text(encoding="utf-8"))
