"""The cash that came, as the ledger knows it, cut so that it can be set beside what was expected before.

Cash on items is what payments were set against, on the day on which the bank booked the payment, less what
came back, on its own day. What a payment left on account came too, on no item. What an export told of items
without their payments (they vanished, or less of them is open) is no cash: its cause is not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import polars as pl

from saldo.core.context import Context
from saldo.identity.models import DayRun
from saldo.measurement.models import CashForecast
from saldo.storage.frames import copy_out

# As in ledger.book: what customers owe. A reopening is what was given back, and no claim that cash is for.
_OWED = ["installment", "fee", "interest", "adjustment"]

# Instants are cut into the forecasts' own: known_after is the number of runs whose known_at is before it.
_CASH = """
WITH event AS (
    SELECT d.currency, a.amount, d.effective_date AS item_day, d.recorded_at AS item_recorded,
           CASE WHEN r.is_return THEN a.effective_date ELSE c.effective_date END AS day,
           CASE WHEN r.is_return THEN a.recorded_at ELSE c.recorded_at END AS recorded
      FROM ledger_allocation a
      JOIN ledger_item_open_projection c ON c.item_id = a.credit_item_id AND c.kind = 'payment'
      JOIN ledger_item_open_projection d ON d.item_id = a.debit_item_id AND d.kind = ANY(%(owed)s)
     CROSS JOIN LATERAL (
           SELECT a.amount < 0 AND a.effective_date > coalesce(
                  (SELECT o.effective_date FROM ledger_allocation o WHERE o.id = a.reverses_id),
                  a.effective_date) AS is_return) r
     WHERE a.company_id = %(company_id)s AND a.effective_date <= %(as_of)s AND a.recorded_at <= %(known_at)s
    UNION ALL
    SELECT c.currency, c.cap - c.used, NULL, NULL, c.effective_date, c.recorded_at
      FROM ledger_item_open_projection c
     WHERE c.company_id = %(company_id)s AND c.kind = 'payment' AND c.sign < 0 AND NOT c.used_up
       AND c.effective_date <= %(as_of)s AND c.recorded_at <= %(known_at)s
)
SELECT currency, day, width_bucket(recorded, %(instants)s::timestamptz[]),
       item_day, width_bucket(item_recorded, %(instants)s::timestamptz[]), (sum(amount) * 1000)::bigint
  FROM event
 WHERE day > %(first)s OR recorded > %(first)s
 GROUP BY 1, 2, 3, 4, 5
"""
_CASH_SCHEMA = {
    "currency": pl.String,
    "day": pl.Date,
    "known_after": pl.Int64,
    "item_day": pl.Date,
    "item_known_after": pl.Int64,
    "cash_mills": pl.Int64,
}
_KEPT = """
SELECT day_run_id, currency, kind, week_start, (expected * 1000)::bigint, (low * 1000)::bigint,
       (high * 1000)::bigint, (cumulative_low * 1000)::bigint, (cumulative_high * 1000)::bigint
  FROM measurement_cashforecast WHERE day_run_id = ANY(%(runs)s)
 ORDER BY day_run_id, currency, kind, week_start
"""
_KEPT_SCHEMA = {
    "forecast": pl.Int64,
    "currency": pl.String,
    "kind": pl.String,
    "week_start": pl.Date,
    "expected_mills": pl.Int64,
    "low_mills": pl.Int64,
    "high_mills": pl.Int64,
    "cumulative_low_mills": pl.Int64,
    "cumulative_high_mills": pl.Int64,
}


def past_runs(ctx: Context, company_id: int, days: int) -> list[DayRun]:
    """The first run of each of the last ``days`` days that kept a forecast: what was said first counts."""
    runs = DayRun.objects.filter(
        company_id=company_id, as_of__gt=ctx.as_of - timedelta(days=days), as_of__lt=ctx.as_of
    )
    if ctx.known_at is not None:
        runs = runs.filter(recorded_at__lte=ctx.known_at)
    first = runs.order_by("as_of", "version").distinct("as_of")
    return [run for run in first if CashForecast.objects.filter(day_run=run).exists()]


def kept_weeks(run_ids: Sequence[int]) -> pl.DataFrame:
    """Every kept week of these runs. forecast: the id of the run."""
    return copy_out(_KEPT, {"runs": list(run_ids)}, _KEPT_SCHEMA)


def cash_beside(ctx: Context, company_id: int, runs: Sequence[DayRun], weeks: int) -> pl.DataFrame:
    """forecast, currency, week, open_mills, future_mills, account_mills: what came after each run.

    Of what the run did not know: booked after its day, or told after its known_at (then of the first week).
    open: on items that it knew; future: on others; account: still on account.
    """
    if not runs:
        return pl.DataFrame(schema=_BESIDE_SCHEMA)
    instants = sorted({run.known_at for run in runs})
    first = min(min(run.as_of, run.known_at.date() - timedelta(days=1)) for run in runs)
    cash = copy_out(
        _CASH,
        {
            "company_id": company_id, "as_of": ctx.as_of, "known_at": ctx.known_at or "infinity",
            "owed": _OWED, "first": first,
            # A fact recorded at the very instant was known.
            "instants": [instant + timedelta(microseconds=1) for instant in instants],
        },
        _CASH_SCHEMA,
    )  # fmt: skip
    place = {instant: number for number, instant in enumerate(instants)}
    return pl.concat([_after(cash, run.id, run.as_of, place[run.known_at], weeks) for run in runs])


_BESIDE_SCHEMA: dict[str, Any] = {
    "forecast": pl.Int64,
    "currency": pl.String,
    "week": pl.Int64,
    "open_mills": pl.Int64,
    "future_mills": pl.Int64,
    "account_mills": pl.Int64,
}


def _after(cash: pl.DataFrame, run_id: int, as_of: date, place: int, weeks: int) -> pl.DataFrame:
    was_known = (pl.col("day") <= as_of) & (pl.col("known_after") <= place)
    days = (pl.col("day") - pl.lit(as_of)).dt.total_days()
    is_open = ((pl.col("item_day") <= as_of) & (pl.col("item_known_after") <= place)).fill_null(False)
    on_account = pl.col("item_day").is_null()
    amount = pl.col("cash_mills")
    return (
        cash.with_columns(week=((days + 6) // 7).clip(lower_bound=1))
        .filter(~was_known & (pl.col("week") <= weeks))
        .group_by("currency", "week")
        .agg(
            amount.filter(is_open).sum().alias("open_mills"),
            amount.filter(~is_open & ~on_account).sum().alias("future_mills"),
            amount.filter(on_account).sum().alias("account_mills"),
        )
        .select(pl.lit(run_id, pl.Int64).alias("forecast"), *list(_BESIDE_SCHEMA)[1:])
        .sort("currency", "week")
    )


def last_cash_date(ctx: Context, company_id: int) -> date | None:
    """The last day on which a payment is booked: beyond it nobody knows yet what came."""
    sql = """
    SELECT max(effective_date) FROM ledger_item_open_projection
     WHERE company_id = %(company_id)s AND kind = 'payment' AND effective_date <= %(as_of)s
       AND recorded_at <= %(known_at)s
    """
    params = {"company_id": company_id, "as_of": ctx.as_of, "known_at": ctx.known_at or "infinity"}
    found: date | None = copy_out(sql, params, {"day": pl.Date})["day"][0]
    return found
