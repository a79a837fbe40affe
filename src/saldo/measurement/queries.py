"""Reading measures and cash forecasts of a day run."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from saldo.identity.models import DayRun
from saldo.measurement.models import CashForecast, Measure

TOTALS = ("open", "credits", "net", "overdue", "overdue_net", "unapplied")
BUCKETS = ("current", "days_1_30", "days_31_60", "days_61_90", "days_over_90")


def measures_of(day_run_id: int) -> list[dict[str, Any]]:
    return list(
        Measure.objects.filter(day_run_id=day_run_id)
        .order_by("currency", "id")
        .values("name", "currency", "value", "reason", "definition")
    )


def weeks_of(day_run_id: int) -> list[dict[str, Any]]:
    return list(
        CashForecast.objects.filter(day_run_id=day_run_id)
        .order_by("currency", "week_start")
        .values("currency", "week_start", "expected", "low", "high")
    )


def dashboard(run: DayRun) -> dict[str, dict[str, Any]]:
    """Per currency: the totals, the aging buckets, the KPIs and the expected weeks of a day run."""
    boards: dict[str, dict[str, Any]] = {}
    for row in measures_of(run.id):
        board = boards.setdefault(row["currency"], {"buckets": {}, "measures": [], "weeks": []})
        if row["name"] in TOTALS:
            board[row["name"]] = row["value"]
        elif row["name"] in BUCKETS:
            board["buckets"][row["name"]] = row["value"]
        else:
            board["measures"].append(row)
    for week in weeks_of(run.id):
        boards.setdefault(week["currency"], {"buckets": {}, "measures": [], "weeks": []})["weeks"].append(
            week
        )
    for board in boards.values():
        for name in TOTALS:
            board.setdefault(name, Decimal(0))
        for name in BUCKETS:
            board["buckets"].setdefault(name, Decimal(0))
    return boards
