"""The forecast of a day, in the stable JSON of the command line: cash by week, and the items behind it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import polars as pl

from saldo.analytics.book import balances, open_on
from saldo.core.context import Context
from saldo.core.money import CURRENCY_EXPONENTS, decimal_text
from saldo.flows.day import day_of, run_day
from saldo.flows.expected_cash import expected_cash
from saldo.identity.queries import CompanyRow, companies, latest_day_run
from saldo.ledger.book import book_of
from saldo.risk.queries import forecasts_of_run

TOTAL = "total"
AMOUNTS = ("expected", "low", "middle", "high")
_HORIZONS = (7, 30, 60, 90)
_BAND = {"p10": "low", "p50": "middle", "p90": "high"}


def forecast_of_day(ctx: Context) -> dict[str, Any]:
    """{as_of, known_at, weeks, parts, items}, amounts as decimal texts, for each company of the context.

    What the run of the day kept; a day that was not run yet is run first. With ``ctx.known_at`` it comes from
    what was known then, and nothing is kept. weeks: kind "total"; parts: the other kinds. items: by company,
    currency and rung how many are open, what is expected of them within so many days, and what is expected to
    get more than 90 days late.
    """
    weeks: list[dict[str, Any]] = []
    items: list[dict[str, Any]] = []
    for company in companies(ctx):
        found = _kept(ctx, company) if ctx.known_at is None else _computed(ctx, company)
        weeks += found[0]
        items += found[1]
    return {
        "as_of": ctx.as_of.isoformat(),
        "known_at": ctx.known_at and ctx.known_at.isoformat(),
        "weeks": [row for row in weeks if row["kind"] == TOTAL],
        "parts": [row for row in weeks if row["kind"] != TOTAL],
        "items": items,
    }


_Rows = tuple[list[dict[str, Any]], list[dict[str, Any]]]


def _kept(ctx: Context, company: CompanyRow) -> _Rows:
    run = latest_day_run(company.id, ctx.as_of)
    if run is None:
        run_day(ctx, company.id)
        run = latest_day_run(company.id, ctx.as_of)
    assert run is not None
    weeks = [_week(row) for row in expected_cash(ctx.within(company.id))]
    then = replace(ctx.within(company.id), known_at=run.known_at)
    book = book_of(then)
    owed = balances(book, open_on(book, ctx.as_of)).select("item_id", "currency", "balance_mills")
    forecasts = forecasts_of_run(run.id).join(owed, on="item_id", maintain_order="left")
    return weeks, _items(company, forecasts)


def _computed(ctx: Context, company: CompanyRow) -> _Rows:
    day = day_of(ctx.within(company.id), company)
    weeks = []
    for row in day.weeks.iter_rows(named=True):
        amounts = {
            name.removesuffix("_mills"): Decimal(value) / 1000
            for name, value in row.items()
            if name.endswith("_mills")
        }
        known = {name: value for name, value in row.items() if not name.endswith("_mills")}
        weeks.append(_week({"company": company.code, **known, **amounts}))
    return weeks, _items(company, day.forecasts)


def _week(row: dict[str, Any]) -> dict[str, Any]:
    """A row of ``expected_cash`` with texts for days and amounts, and the band by its quantiles too."""
    currency = row["currency"]
    told = {name: _text(value, currency) for name, value in row.items()}
    return told | {name: told[band] for name, band in _BAND.items()}


def _text(value: Any, currency: str) -> Any:
    if isinstance(value, Decimal):
        return _amount(value * 1000, currency)
    return value.isoformat() if hasattr(value, "isoformat") else value


def _amount(mills: Decimal | int, currency: str) -> str:
    """An expected amount, which is no fact, to the smallest unit of its currency."""
    quantum = 10 ** (3 - CURRENCY_EXPONENTS.get(currency, 2))
    return decimal_text(round(Decimal(mills) / quantum) * quantum, currency)


def _items(company: CompanyRow, forecasts: pl.DataFrame) -> list[dict[str, Any]]:
    owed = pl.col("balance_mills")
    summed = (
        forecasts.group_by("currency", "rung")
        .agg(
            pl.len().alias("items"),
            owed.sum().alias("open"),
            *(
                (owed * pl.col(f"p{days}")).sum().round().cast(pl.Int64).alias(f"paid_{days}")
                for days in _HORIZONS
            ),
            (owed * pl.col("p_over_90").fill_null(0.0)).sum().round().cast(pl.Int64).alias("over_90"),
        )
        .sort("currency", "rung")
    )
    amounts = ("open", *(f"paid_{days}" for days in _HORIZONS), "over_90")
    return [
        {"company": company.code, **row, **{name: _amount(row[name], row["currency"]) for name in amounts}}
        for row in summed.iter_rows(named=True)
    ]
