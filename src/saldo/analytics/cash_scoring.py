"""Past cash forecasts judged by the cash that came."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

HORIZONS = (4, 8, 13)

# One week of one forecast with what came in it. forecast: its number; week counts from 1. The bands and the
# sums so far may be null (not kept): they are judged where they stand.
JUDGED: dict[str, pl.DataType] = {
    "forecast": pl.Int64(),
    "currency": pl.String(),
    "kind": pl.String(),
    "week": pl.Int64(),
    "expected_mills": pl.Int64(),
    "low_mills": pl.Int64(),
    "high_mills": pl.Int64(),
    "cumulative_low_mills": pl.Int64(),
    "cumulative_high_mills": pl.Int64(),
    "came_mills": pl.Int64(),
}


@dataclass(frozen=True, slots=True)
class CashScore:
    """How good the forecasts of one kind and currency were over their first ``weeks`` weeks.

    forecasts: how many are over. wape: sum of |expected - came| by week / sum of what came. total_error: the
    same of the sums of the weeks. bias: (expected - came) / came, of all; above 0: said too high. coverage:
    share of the weeks inside P10..P90 (80% if the bands are right); coverage_total: of the sums. None: there
    is nothing to divide by.
    """

    currency: str
    kind: str
    weeks: int
    forecasts: int
    wape: float | None
    total_error: float | None
    bias: float | None
    coverage: float | None
    coverage_total: float | None


def cash_scores(judged: pl.DataFrame) -> list[CashScore]:
    """Scores of JUDGED by currency, kind and horizon; only forecasts whose horizon is over count."""
    scores = []
    for weeks in HORIZONS:
        over = pl.col("week").max().over("forecast", "currency", "kind") >= weeks
        rows = judged.filter(over & (pl.col("week") <= weeks))
        scores += [_score(weeks, row) for row in _summed(rows, weeks).iter_rows(named=True)]
    order = {"total": 0, "open": 1, "future": 2, "naive": 3}
    return sorted(scores, key=lambda score: (score.currency, order.get(score.kind, 9), score.weeks))


def _summed(rows: pl.DataFrame, weeks: int) -> pl.DataFrame:
    error = pl.col("expected_mills").cast(pl.Float64) - pl.col("came_mills")
    came = pl.col("came_mills").cast(pl.Float64)
    total = came.sum().over("forecast", "currency", "kind")
    ends = pl.col("week") == weeks
    return rows.with_columns(
        error=error,
        total=total,
        total_error=error.sum().over("forecast", "currency", "kind").abs(),
        inside=pl.col("came_mills").is_between("low_mills", "high_mills"),
        inside_total=total.is_between("cumulative_low_mills", "cumulative_high_mills"),
    ).group_by("currency", "kind").agg(
        pl.col("forecast").n_unique().alias("forecasts"),
        pl.col("error").abs().sum().alias("absolute"),
        pl.col("error").sum().alias("signed"),
        pl.col("total_error").filter(ends).sum(),
        came.sum().alias("came"),
        pl.col("inside").mean().alias("coverage"),
        pl.col("inside_total").filter(ends).mean().alias("coverage_total"),
    )  # fmt: skip


def _score(weeks: int, row: dict[str, object]) -> CashScore:
    came = row["came"]
    assert isinstance(came, float)

    def share(name: str) -> float | None:
        value = row[name]
        return value / came if came > 0 and isinstance(value, float) else None

    def mean(name: str) -> float | None:
        value = row[name]
        return value if isinstance(value, float) else None

    return CashScore(
        currency=str(row["currency"]),
        kind=str(row["kind"]),
        weeks=weeks,
        forecasts=int(str(row["forecasts"])),
        wape=share("absolute"),
        total_error=share("total_error"),
        bias=share("signed"),
        coverage=mean("coverage"),
        coverage_total=mean("coverage_total"),
    )
