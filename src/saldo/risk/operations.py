"""Keeping what was forecast."""

from __future__ import annotations

import polars as pl

from saldo.storage.frames import copy_in

KEPT = (
    "item_id", "account_id", "p7", "p30", "p60", "p90", "p_over_90", "expected_date", "low_date",
    "high_date", "rung",
)  # fmt: skip


def keep_forecasts(day_run_id: int, forecasts: pl.DataFrame) -> int:
    """Store the forecast of every open item of a day run."""
    return copy_in("risk_paymentforecast", forecasts.select(*KEPT, pl.lit(day_run_id).alias("day_run_id")))
