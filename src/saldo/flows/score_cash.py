"""The company's past cash forecasts, judged by what came."""

from __future__ import annotations

import polars as pl

from saldo.analytics.cash_forecast import FUTURE, NAIVE, OPEN, TOTAL, WEEKS
from saldo.analytics.cash_scoring import JUDGED, CashScore, cash_scores
from saldo.core.context import Context
from saldo.measurement.cash_received import cash_beside, kept_weeks, last_cash_date, past_runs

DAYS = 365


def forecast_scores(ctx: Context, company_id: int, days: int = DAYS) -> list[CashScore]:
    """Scores of the forecasts of the last ``days`` days by currency, kind and horizon of 4, 8 and 13 weeks.

    What was said first of each day counts, week by week as far as payments are known. "open" is judged by
    cash on the items that the run knew, "future" by cash on later ones, "total" and "naive" by all, with
    what is still on account. An empty list: nothing can be judged yet.
    """
    until = last_cash_date(ctx, company_id)
    runs = past_runs(ctx, company_id, days)
    if until is None or not runs:
        return []
    days_of_run = pl.DataFrame(
        {"forecast": [run.id for run in runs], "as_of": [run.as_of for run in runs]},
        schema={"forecast": pl.Int64, "as_of": pl.Date},
    )
    told = (
        kept_weeks([run.id for run in runs])
        .join(days_of_run, on="forecast")
        .with_columns(week=(pl.col("week_start") - pl.col("as_of")).dt.total_days() // 7 + 1)
        .filter(pl.col("week_start") + pl.duration(days=6) <= until)
    )
    beside = cash_beside(ctx, company_id, runs, WEEKS)
    opened, later, account = (pl.col(f"{name}_mills").fill_null(0) for name in ("open", "future", "account"))
    came = (
        pl.when(pl.col("kind") == OPEN)
        .then(opened)
        .when(pl.col("kind") == FUTURE)
        .then(later)
        .when(pl.col("kind").is_in([TOTAL, NAIVE]))
        .then(opened + later + account)
    )
    joined = told.join(beside, on=["forecast", "currency", "week"], how="left")
    return cash_scores(joined.with_columns(came_mills=came).select(*JUDGED))
