"""What a day with models leaves, on top of web_world: reasons, scores, warnings, versions, expected cash.

The figures are those of stored rows, as the engines write them; the pages only read them.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.web_world import AS_OF, World, build

RECORDED = datetime(2025, 3, 19, 22, tzinfo=UTC)
REASONS = [
    {"code": "delay_median", "params": {"value": 22.0, "days": 14.2}},
    {"code": "days_past_due", "params": {"value": 33.0, "days": 6.0}},
    {"code": "a_code_of_another_version", "params": {"days": -3.0}},
]
SCORE_REASONS = [
    {"code": "days_past_due", "params": {"value": 33.0, "points": -9.0}},
    {"code": "terms_days", "params": {"value": 30.0, "points": 4.0}},
]
DRIFT = {
    "code": "warning_delay_drift",
    "params": {
        "items": 5, "recent_days": 19.0, "usual_items": 41, "usual_days": 5.0, "overdue_items": 3,
        "oldest_days": 33,
    },
}  # fmt: skip
SILENCE = {"code": "warning_silence", "params": {"days": 48, "usual_days": 11.0, "past": 23}}


def bins(shift: float) -> list[dict[str, Any]]:
    return [
        {"forecast": at / 10 + 0.05, "observed": min(1.0, at / 10 + 0.05 + shift), "items": 100 + 10 * at}
        for at in range(10)
    ]


def metrics(promoted: str = "hazard") -> dict[str, Any]:
    """A backtest as a version keeps it."""

    def rung(name: str, mae: float, coverage: float | None) -> dict[str, Any]:
        return {
            "name": name, "mae_days": mae, "mae_days_se": 0.14, "within_7_days": 0.66, "c_index": 0.8,
            "auc_late": None if coverage is None else 0.88, "coverage_80": coverage, "crps_days": mae - 1.7,
            "error_4w_total": 0.028,
        }  # fmt: skip

    return {
        "promoted": promoted, "items": 1180, "accounts": 96, "folds": 5, "from": "2024-06-01",
        "to": "2025-02-28",
        "rungs": [
            rung("due_date", 11.03, None), rung("customer_median", 6.39, None),
            rung("empirical_bayes", 6.28, 0.807), rung("hazard", 5.71, 0.794),
        ],
        "calibration": {"7": bins(0.03), "30": bins(-0.02), "60": bins(0.01), "90": bins(0.0)},
        "drift": [
            {
                "month": f"2024-{month:02}", "median_delay_days": float(month), "late_share": 0.3,
                "paid_30_share": 0.5 + month / 50, "forecast_30_share": 0.52 + month / 50, "items": 90,
            }
            for month in range(6, 13)
        ],
        "differences": {"customer_median": {"mean": -0.68, "se": 0.14, "se_by_customer": 0.2}},
        "leaks": [{"feature": "settled_code", "auc": 0.998, "excluded": True}],
    }  # fmt: skip


def add_version(
    company_id: int, version: str, rung: str = "hazard", days_ago: int = 0, engine: str = "payment_date"
) -> int:
    from saldo.identity.models import ModelVersion

    made = ModelVersion.objects.create(
        company_id=company_id, engine=engine, version=version, rung=rung, metrics=metrics(rung),
        code_version="0.4.0", data_hash="ab12" * 16, content_hash="cd34" * 16,
        trained_as_of=AS_OF - timedelta(days=days_ago + 1), known_at=RECORDED - timedelta(days=days_ago),
        recorded_at=RECORDED - timedelta(days=days_ago),
    )  # fmt: skip
    return int(made.id)


def put_in_use(company_id: int, version_id: int, reason: str, days_ago: int = 0) -> None:
    from saldo.identity.models import ModelPromotion, ModelVersion

    row = ModelVersion.objects.get(id=version_id)
    ModelPromotion.objects.create(
        company_id=company_id, engine=row.engine, model_version=row, actor="system:worker", reason=reason,
        recorded_at=RECORDED - timedelta(days=days_ago),
    )  # fmt: skip


def add_forecast_facts(world: World, company: str = "AURO", place: int = 0) -> None:
    """Reasons of the account's items, its score and a warning, in the latest run."""
    from saldo.identity.models import DayRun
    from saldo.risk.models import PaymentForecast, RiskScore

    run = DayRun.objects.filter(company_id=world.companies[company]).latest("id")
    account_id, _ = world.account(company, place)
    PaymentForecast.objects.filter(day_run=run, account_id=account_id).update(
        rung="account", reasons=REASONS, expected_date=date(2025, 4, 12), low_date=date(2025, 3, 28),
        high_date=date(2025, 5, 9), p7=0.06, p30=0.61, p60=0.93, p90=0.97,
    )  # fmt: skip
    RiskScore.objects.filter(day_run=run, account_id=account_id).delete()
    RiskScore.objects.create(
        day_run=run, account_id=account_id, score=38, pd=0.0621, risk_class="D",
        parts={"behavior": {"weight": 0.7}, "base": {"weight": 0.3}}, reasons=SCORE_REASONS,
        missing=["statement", "rating"], valid_until=AS_OF + timedelta(days=90),
    )  # fmt: skip
    warn(world, company, place, 2.4)


def warn(world: World, company: str, place: int, size: float, code: str = "delay_drift") -> None:
    from saldo.identity.models import DayRun
    from saldo.risk.models import EarlyWarning

    run = DayRun.objects.filter(company_id=world.companies[company]).latest("id")
    account_id, _ = world.account(company, place)
    EarlyWarning.objects.create(
        day_run=run, account_id=account_id, code=code, since_date=date(2025, 2, 12), size=size,
        reasons=[DRIFT if code == "delay_drift" else SILENCE],
    )  # fmt: skip


def add_expected_cash(world: World, company: str = "AURO") -> None:
    """Four weeks of every kind, instead of what the run had kept."""
    from saldo.identity.models import DayRun
    from saldo.measurement.models import CashForecast

    run = DayRun.objects.filter(company_id=world.companies[company]).latest("id")
    CashForecast.objects.filter(day_run=run).delete()
    for week in range(4):
        for kind, expected in (("open", 9000), ("future", 3000), ("total", 12000), ("naive", 10500)):
            amount = Decimal(expected - 1000 * week)
            CashForecast.objects.create(
                day_run=run, kind=kind, week_start=AS_OF + timedelta(days=1 + 7 * week), currency="EUR",
                expected=amount, low=amount - 2000, middle=amount - 100, high=amount + 2500,
            )  # fmt: skip


def build_forecasts() -> World:
    """web_world with two customers of AURO warned, its models, and its expected cash."""
    world = build()
    add_forecast_facts(world)
    warn(world, "AURO", 1, 9.0, "silence")
    add_expected_cash(world)
    return world
