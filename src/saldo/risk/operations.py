"""Keeping what was forecast, scored and noticed on a day."""

from __future__ import annotations

import polars as pl

from saldo.storage.frames import copy_in

KEPT = (
    "item_id", "account_id", "p7", "p30", "p60", "p90", "p_over_90", "expected_date", "low_date",
    "high_date", "rung",
)  # fmt: skip
# reasons, parts and missing are JSON text.
SCORES: dict[str, pl.DataType] = {
    "account_id": pl.Int64(),
    "score": pl.Int64(),
    "pd": pl.Float64(),
    "risk_class": pl.String(),
    "parts": pl.String(),
    "reasons": pl.String(),
    "missing": pl.String(),
    "valid_until": pl.Date(),
}
WARNINGS: dict[str, pl.DataType] = {
    "account_id": pl.Int64(),
    "code": pl.String(),
    "since_date": pl.Date(),
    "size": pl.Float64(),
    "reasons": pl.String(),
}


def keep_forecasts(day_run_id: int, model_version_id: int, forecasts: pl.DataFrame) -> int:
    """Store the forecast of every open item of a day run, named after the model that made it.

    reasons (JSON text, null where nobody asked yet) are kept where the frame has them.
    """
    kept = [*KEPT, "reasons"] if "reasons" in forecasts.columns else list(KEPT)
    return copy_in(
        "risk_paymentforecast",
        forecasts.select(
            *kept,
            pl.lit(day_run_id).alias("day_run_id"),
            pl.lit(model_version_id).alias("model_version_id"),
        ),
    )


def keep_scores(day_run_id: int, model_version_id: int, scores: pl.DataFrame) -> int:
    """Store the risk scores of a day run (SCORES)."""
    return copy_in(
        "risk_riskscore",
        scores.select(
            *SCORES,
            pl.lit(day_run_id).alias("day_run_id"),
            pl.lit(model_version_id).alias("model_version_id"),
        ),
    )


def keep_warnings(day_run_id: int, warnings: pl.DataFrame) -> int:
    """Store the early warnings of a day run (WARNINGS)."""
    return copy_in("risk_earlywarning", warnings.select(*WARNINGS, pl.lit(day_run_id).alias("day_run_id")))
