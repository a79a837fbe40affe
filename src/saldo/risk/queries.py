"""Reading forecasts as day runs stored them, and what scores are made of; what people read: ``desk``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from saldo.core.context import Context
from saldo.risk.models import PaymentForecast
from saldo.storage.frames import copy_out


@dataclass(frozen=True, slots=True)
class StoredForecast:
    """The forecast of one item. reasons: {code, params} each, strongest first; None where none were kept."""

    item_id: int
    account_id: int
    model_version_id: int | None
    p7: float
    p30: float
    p60: float
    p90: float
    p_over_90: float | None
    expected_date: date | None
    low_date: date | None
    high_date: date | None
    rung: str
    reasons: list[dict[str, Any]] | None


_FORECAST = (
    "item_id", "account_id", "model_version_id", "p7", "p30", "p60", "p90", "p_over_90", "expected_date",
    "low_date", "high_date", "rung", "reasons",
)  # fmt: skip


def stored_forecast(day_run_id: int, account_id: int, item_id: int) -> StoredForecast | None:
    found = PaymentForecast.objects.filter(day_run_id=day_run_id, account_id=account_id, item_id=item_id)
    row = found.values(*_FORECAST).first()
    return None if row is None else StoredForecast(**row)


OF_RUN = {
    "item_id": pl.Int64,
    "account_id": pl.Int64,
    **dict.fromkeys(("p7", "p30", "p60", "p90", "p_over_90"), pl.Float64),
    **dict.fromkeys(("expected_date", "low_date", "high_date"), pl.Date),
    "rung": pl.String,
}


def forecasts_of_run(day_run_id: int) -> pl.DataFrame:
    """OF_RUN: the forecast of every open item of a day run, by item."""
    sql = f"""SELECT {", ".join(OF_RUN)} FROM risk_paymentforecast
               WHERE day_run_id = %(run)s ORDER BY item_id"""
    return copy_out(sql, {"run": day_run_id}, OF_RUN)


STATEMENTS = {"customer_id": pl.Int64, "year_end_date": pl.Date, "figures": pl.String}
RATINGS = {
    "customer_id": pl.Int64,
    "agency": pl.String,
    "value": pl.String,
    "pd": pl.Float64,
    "rating_date": pl.Date,
    "valid_until": pl.Date,
}
# The customers of a company; what is told of one is shared by all the companies that know it.
_OF_COMPANY = """
 WHERE s.customer_id IN (SELECT customer_id FROM parties_customeraccount WHERE company_id = %(company_id)s)
   AND s.recorded_at <= %(known_at)s
"""


def _of(ctx: Context) -> dict[str, Any]:
    return {"company_id": ctx.company_id, "known_at": ctx.known_at or "infinity", "as_of": ctx.as_of}


def known_statements(ctx: Context) -> pl.DataFrame:
    """STATEMENTS: every year known of the company's customers; figures told last come last."""
    sql = f"""SELECT s.customer_id, s.year_end_date, s.figures::text
                FROM risk_financialstatement s {_OF_COMPANY}
                 AND s.year_end_date <= %(as_of)s ORDER BY s.customer_id, s.year_end_date, s.id"""
    return copy_out(sql, _of(ctx), STATEMENTS)


def known_ratings(ctx: Context) -> pl.DataFrame:
    """RATINGS: every external rating known of the company's customers, the oldest first."""
    sql = f"""SELECT s.customer_id, s.agency, s.value, s.pd, s.rating_date, s.valid_until
                FROM risk_rating s {_OF_COMPANY}
                 AND s.rating_date <= %(as_of)s ORDER BY s.customer_id, s.rating_date, s.id"""
    return copy_out(sql, _of(ctx), RATINGS)


def stored_classes(ctx: Context) -> pl.DataFrame:
    """account_id, risk_class: by the last day run of the context's company that scored risk by then."""
    sql = """
    SELECT s.account_id, s.risk_class FROM risk_riskscore s
     WHERE s.day_run_id = (SELECT r.id FROM identity_dayrun r
                            WHERE r.company_id = %(company_id)s AND r.as_of <= %(as_of)s
                              AND r.known_at <= %(known_at)s
                            ORDER BY r.as_of DESC, r.version DESC LIMIT 1)
     ORDER BY s.account_id
    """
    params = {"company_id": ctx.company_id, "as_of": ctx.as_of, "known_at": ctx.known_at or "infinity"}
    return copy_out(sql, params, {"account_id": pl.Int64, "risk_class": pl.String})
