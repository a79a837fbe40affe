"""Reading measures and cash forecasts of a day run."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from saldo.identity.models import DayRun
from saldo.measurement.models import CashForecast, Measure

TOTALS = ("open", "credits", "net", "overdue", "overdue_net", "unapplied")
WEEK_COLUMNS = (
    "currency", "kind", "week_start", "expected", "low", "middle", "high",
    "cumulative", "cumulative_low", "cumulative_middle", "cumulative_high",
)  # fmt: skip
BUCKETS = ("current", "days_1_30", "days_31_60", "days_61_90", "days_over_90")


def measures_of(day_run_id: int) -> list[dict[str, Any]]:
    return list(
        Measure.objects.filter(day_run_id=day_run_id)
        .order_by("currency", "id")
        .values("name", "currency", "value", "reason", "definition")
    )


def weeks_of(day_run_id: int, kind: str = "total") -> list[dict[str, Any]]:
    """The weeks expected by a day run, by currency; all kinds for kind "".

    A run that knew no total (made before future sales were forecast) gives what its open items bring.
    """
    rows = CashForecast.objects.filter(day_run_id=day_run_id)
    if kind:
        wanted = rows.filter(kind=kind)
        rows = rows.filter(kind="open") if kind == "total" and not wanted.exists() else wanted
    return list(rows.order_by("currency", "kind", "week_start").values(*WEEK_COLUMNS))


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
