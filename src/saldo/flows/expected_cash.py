"""Cash expected in the coming weeks: made with the day's forecasts, and read again."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import polars as pl

from saldo.analytics.book import Book
from saldo.analytics.cash_forecast import expected_weeks, seed_of
from saldo.analytics.curves import Curves
from saldo.analytics.payment_date.rungs import Fitted
from saldo.core.context import Context
from saldo.identity.queries import companies, latest_day_run
from saldo.measurement.queries import weeks_of


def expect_cash(
    book: Book,
    fitted: Fitted | None,
    landmarks: pl.DataFrame,
    curves: Curves,
    as_of: date,
    company_code: str,
) -> pl.DataFrame:
    """CASH_SCHEMA: what the day run of ``as_of`` keeps, every kind.

    landmarks: the open items on ``as_of`` with their ``curves``. fitted: the model of these, which is asked
    again about past days, to see how payment days move together; None: as the stated priors have it.
    """
    return expected_weeks(
        book,
        landmarks,
        curves,
        as_of,
        past=None if fitted is None else lambda earlier: fitted.curves(book, earlier),
        seed=seed_of(company_code, as_of),
    )


def expected_cash(ctx: Context) -> list[dict[str, Any]]:
    """The weeks that each company of the context expected on ``ctx.as_of``: every kind that its day run kept.

    Rows: company, currency, kind, week (1..), week_start, week_end, and as Decimal expected, low, middle,
    high and cumulative, cumulative_low, … (None where an old run kept none). A company
    whose day was not run has no rows.
    """
    rows = []
    for company in companies(ctx):
        run = latest_day_run(company.id, ctx.as_of)
        for week in weeks_of(run.id, kind="") if run is not None else []:
            start = week.pop("week_start")
            rows.append(
                {
                    "company": company.code,
                    "currency": week.pop("currency"),
                    "kind": week.pop("kind"),
                    "week": (start - ctx.as_of).days // 7 + 1,
                    "week_start": start,
                    "week_end": start + timedelta(days=6),
                    **week,
                }
            )
    return rows
