"""The day's figures: totals, aging and KPIs."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import polars as pl

from saldo.analytics.kpi import CurrencyKpis, invoice_to_cash, portfolio_kpis, trailing_sales
from saldo.core.kpi import SALES_DAYS, Kpi
from saldo.core.money import from_mills
from saldo.flows.facts import Facts
from saldo.measurement.operations import MeasureValue

TOTALS_VERSION = "totals/1"
BUCKET_NAMES = {
    "current": "current",
    "1-30": "days_1_30",
    "31-60": "days_31_60",
    "61-90": "days_61_90",
    ">90": "days_over_90",
}


def _boards(facts: Facts) -> dict[str, CurrencyKpis]:
    sales = trailing_sales(facts.sales.rename({"sales_mills": "amount_mills"}), facts.as_of, facts.sales_from)
    return portfolio_kpis(facts.open_items, facts.as_of, sales)


def kpi_boards(facts: Facts) -> dict[str, list[Kpi]]:
    """The indicators of the day by currency; a null value carries the reason why it cannot be known."""
    return _with_invoice_to_cash(facts, _boards(facts))


def _with_invoice_to_cash(facts: Facts, boards: dict[str, CurrencyKpis]) -> dict[str, list[Kpi]]:
    to_cash = invoice_to_cash(facts.history, facts.as_of - timedelta(days=SALES_DAYS - 1), facts.as_of)
    return {
        currency: [*board.indicators.values(), *([to_cash[currency]] if currency in to_cash else [])]
        for currency, board in boards.items()
    }


def measure(facts: Facts) -> list[MeasureValue]:
    """Every figure of the day by currency: totals, aging buckets, indicators."""
    unapplied = dict(
        facts.open_items.filter((pl.col("balance_mills") < 0) & (pl.col("kind") == "payment"))
        .group_by("currency")
        .agg(-pl.col("balance_mills").sum())
        .iter_rows()
    )
    boards = _boards(facts)
    indicators = _with_invoice_to_cash(facts, boards)
    values: list[MeasureValue] = []
    for currency, board in boards.items():
        amounts = {
            "open": board.open_mills,
            "credits": board.credits_mills,
            "net": board.net_mills,
            "overdue": board.overdue_mills,
            "overdue_net": max(board.overdue_mills - board.credits_mills, 0),
            "unapplied": unapplied.get(currency, 0),
            **{BUCKET_NAMES[name]: mills for name, mills in board.buckets.items()},
        }
        values += [
            MeasureValue(name, currency, from_mills(mills), "", TOTALS_VERSION)
            for name, mills in amounts.items()
        ]
        values += [_of_kpi(kpi, currency) for kpi in indicators[currency]]
    return values


def _of_kpi(kpi: Kpi, currency: str) -> MeasureValue:
    value = None if kpi.value is None else Decimal(repr(kpi.value)).quantize(Decimal("0.000001"))
    return MeasureValue(kpi.code, currency, value, kpi.reason or "", kpi.definition.split(":")[0])
