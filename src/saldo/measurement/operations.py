"""Keeping what was measured and forecast."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from saldo.storage.frames import copy_in


@dataclass(frozen=True, slots=True)
class MeasureValue:
    """A KPI's value with the version of its definition; amounts in currency units, shares from 0 to 1."""

    name: str
    currency: str
    value: Decimal | None
    reason: str
    definition: str


def keep_measures(day_run_id: int, values: Iterable[MeasureValue]) -> int:
    rows = [
        (v.name, v.currency, None if v.value is None else str(v.value), v.reason, v.definition[:40])
        for v in values
    ]
    columns = ("name", "currency", "value", "reason", "definition")
    frame = pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")
    return copy_in("measurement_measure", frame.with_columns(pl.lit(day_run_id).alias("day_run_id")))


def keep_cash_forecast(day_run_id: int, weeks: pl.DataFrame) -> int:
    """weeks: CASH_SCHEMA of analytics.cash_forecast, every kind."""
    kept = weeks.drop("week", "week_end").with_columns(pl.lit(day_run_id).alias("day_run_id"))
    return copy_in("measurement_cashforecast", kept)
