"""Keeping what was measured and forecast."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from saldo.measurement.models import Measure
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
        Measure(
            day_run_id=day_run_id,
            name=value.name,
            currency=value.currency,
            value=value.value,
            reason=value.reason,
            definition=value.definition[:40],
        )
        for value in values
    ]
    return len(Measure.objects.bulk_create(rows))


def keep_cash_forecast(day_run_id: int, weeks: pl.DataFrame) -> int:
    """weeks: week_start, currency, expected_mills, low_mills, high_mills."""
    return copy_in(
        "measurement_cashforecast",
        weeks.select(
            "week_start", "currency", "expected_mills", "low_mills", "high_mills",
            pl.lit(day_run_id).alias("day_run_id"),
        ),
    )  # fmt: skip
