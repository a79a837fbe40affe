"""Reading forecasts."""

from __future__ import annotations

from typing import Any

from saldo.risk.models import PaymentForecast


def forecasts_of_account(day_run_id: int, account_id: int) -> dict[int, dict[str, Any]]:
    """Forecast of each open item of an account in a day run, by item id."""
    fields = (
        "item_id",
        "p7",
        "p30",
        "p60",
        "p90",
        "p_over_90",
        "expected_date",
        "low_date",
        "high_date",
        "rung",
    )
    found = PaymentForecast.objects.filter(day_run_id=day_run_id, account_id=account_id).values(*fields)
    return {row["item_id"]: row for row in found}
