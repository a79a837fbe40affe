"""Reading forecasts, risk scores and early warnings as day runs stored them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from saldo.risk.models import EarlyWarning, PaymentForecast, RiskScore


@dataclass(frozen=True, slots=True)
class StoredForecast:
    """The forecast of one item. reasons: {code, params} each, strongest first; None where none were kept."""

    item_id: int
    account_id: int
    model_version_id: int | None
    p7: float
    p30: float
    p60: float
    p90: float
    p_over_90: float | None
    expected_date: date | None
    low_date: date | None
    high_date: date | None
    rung: str
    reasons: list[dict[str, Any]] | None


@dataclass(frozen=True, slots=True)
class StoredScore:
    """A customer's risk score: score 0 (worst) to 100, pd within twelve months, class A to E."""

    account_id: int
    model_version_id: int | None
    score: int
    pd: float
    risk_class: str
    parts: dict[str, Any]
    reasons: list[dict[str, Any]]
    missing: list[str]
    valid_until: date


@dataclass(frozen=True, slots=True)
class StoredWarning:
    """A change in how a customer behaves, seen from since_date on; size: how far it is over its threshold."""

    account_id: int
    code: str
    since_date: date
    size: float
    reasons: list[dict[str, Any]]


_FORECAST = (
    "item_id", "account_id", "model_version_id", "p7", "p30", "p60", "p90", "p_over_90", "expected_date",
    "low_date", "high_date", "rung", "reasons",
)  # fmt: skip
_SCORE = (
    "account_id", "model_version_id", "score", "pd", "risk_class", "parts", "reasons", "missing",
    "valid_until",
)  # fmt: skip
_WARNING = ("account_id", "code", "since_date", "size", "reasons")


def forecasts_of_account(day_run_id: int, account_id: int) -> dict[int, dict[str, Any]]:
    """Forecast of each open item of an account in a day run, by item id."""
    found = PaymentForecast.objects.filter(day_run_id=day_run_id, account_id=account_id)
    return {row["item_id"]: row for row in found.values(*_FORECAST)}


def stored_forecast(day_run_id: int, account_id: int, item_id: int) -> StoredForecast | None:
    found = PaymentForecast.objects.filter(day_run_id=day_run_id, account_id=account_id, item_id=item_id)
    row = found.values(*_FORECAST).first()
    return None if row is None else StoredForecast(**row)


def risk_score(day_run_id: int, account_id: int) -> StoredScore | None:
    row = RiskScore.objects.filter(day_run_id=day_run_id, account_id=account_id).values(*_SCORE).first()
    return None if row is None else StoredScore(**row)


def warnings_of_account(day_run_id: int, account_id: int) -> list[StoredWarning]:
    """The account's early warnings in a day run, the largest first."""
    found = EarlyWarning.objects.filter(day_run_id=day_run_id, account_id=account_id)
    return [StoredWarning(**row) for row in found.order_by("-size", "code").values(*_WARNING)]


def warnings_of_run(day_run_id: int, limit: int = 50) -> list[StoredWarning]:
    """The early warnings of a day run, the largest first."""
    found = EarlyWarning.objects.filter(day_run_id=day_run_id).order_by("-size", "account_id", "code")
    return [StoredWarning(**row) for row in found.values(*_WARNING)[:limit]]
