"""Yearly balance sheets of customers: consistent within themselves and from year to year.

Assets are equity and liabilities; equity is that of the year before, the result, less what was paid out.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import polars as pl

from saldo.simulation.draws import Draws, Floats
from saldo.simulation.world.courses import EPOCH
from saldo.simulation.world.customers import day_series, in_schema
from saldo.simulation.world.health import days_of, health
from saldo.simulation.world.parameters import Parameters
from saldo.simulation.world.strata import Indexes, picked, shared_out
from saldo.simulation.world.tables import BALANCE_SHEETS

# Forms that file, with the capital that the law asks for (euro).
CAPITAL = {"S.p.A.": 50_000.0, "S.r.l.": 10_000.0, "S.r.l.s.": 1_000.0}
# Revenue of the middle customer of each size (euro a year), and spread of its logarithm.
REVENUE = {"large": 60e6, "medium": 14e6, "small": 3e6, "micro": 0.7e6}
REVENUE_SIGMA = 0.6
# Nobody's purchases from us are more than this part of its revenue. A limit is about four months of them.
PURCHASES_PART = 0.12
LIMITS_A_YEAR = 2.7
# Revenue per euro of assets, and stock as a part of current assets, by sector.
TURNOVER = {
    "meccanica": 1.05, "automazione": 1.15, "edilizia": 0.85, "agricoltura": 0.9, "alimentare": 1.35,
    "logistica": 1.5, "commercio": 1.6,
}  # fmt: skip
STOCK = {
    "meccanica": 0.32, "automazione": 0.28, "edilizia": 0.36, "agricoltura": 0.34, "alimentare": 0.24,
    "logistica": 0.05, "commercio": 0.38,
}  # fmt: skip
TAX_RATE = 0.28
KEPT_PART = 0.6
MOST_EQUITY = 0.88
FINANCIAL_DEBT_PART = 0.42
# Filed from the first of May to the end of June.
FIRST_FILING, LAST_FILING = (5, 2), (6, 30)


def balance_sheets(
    p: Parameters,
    draws: Draws,
    customers: pl.DataFrame,
    accounts: pl.DataFrame,
    first_day: date,
    last_day: date,
) -> pl.DataFrame:
    """BALANCE_SHEETS of tables.py in order of (customer_id, year): the years that are filed by ``last_day``,
    from the stated number of years before the first. Nothing is filed after an insolvency or a merger."""
    who = _who_files(p, draws, customers)
    firms = customers[who]
    steady = _Steady(draws, firms, _purchases(accounts, firms))
    xbrl = p.balance_sheets.xbrl_share
    medium = np.array(["csv", "xbrl"], dtype=object)[
        shared_out(draws, "sheet/medium", [1 - xbrl, xbrl], len(who))
    ]
    frames = []
    equity: Floats | None = None
    for year in range(first_day.year - p.balance_sheets.years, last_day.year):
        columns = steady.year(year, year - first_day.year, equity)
        equity = columns["equity"].astype(np.float64)
        filed = _filed(draws, firms, year)
        ends = np.fmin(days_of(firms["insolvency_date"]), days_of(firms["merged_date"]))
        seen = (filed <= (last_day - EPOCH).days) & ~(filed >= ends)
        seen &= firms["founded_year"].to_numpy() <= year
        columns |= {"customer_id": who, "year": np.full(len(who), year), "medium": medium}
        frame = in_schema({**columns, "filed_date": day_series(filed)}, BALANCE_SHEETS)
        frames.append(frame.filter(pl.Series(seen)))
    return pl.concat(frames).sort("customer_id", "year")


def _who_files(p: Parameters, draws: Draws, customers: pl.DataFrame) -> Indexes:
    files = customers["legal_form"].is_in(list(CAPITAL)) & (customers["country"] == "IT")
    among = np.flatnonzero(files.to_numpy())
    return picked(draws, "sheet/known", round(p.balance_sheets.known_share * len(among)), among)


def _purchases(accounts: pl.DataFrame, firms: pl.DataFrame) -> Floats:
    """What each customer buys from us in a year, about (euro)."""
    limits = accounts.group_by("customer_id").agg(pl.col("limit_cents").sum())
    joined = firms.select("customer_id").join(limits, on="customer_id", how="left", maintain_order="left")
    return joined["limit_cents"].fill_null(0).to_numpy() / 100 * LIMITS_A_YEAR


def _filed(draws: Draws, firms: pl.DataFrame, year: int) -> Floats:
    first = (date(year + 1, *FIRST_FILING) - EPOCH).days
    last = (date(year + 1, *LAST_FILING) - EPOCH).days
    return draws.whole("sheet/filed", first, last, firms["customer_id"].to_numpy(), year).astype(np.float64)


class _Steady:
    """What stays with a customer over the years, and the books that come out of it."""

    def __init__(self, draws: Draws, firms: pl.DataFrame, purchases: Floats) -> None:
        self.draws, self.firms = draws, firms
        self.ids = ids = firms["customer_id"].to_numpy()
        middle = self._by("size", REVENUE)
        drawn = middle * np.exp(REVENUE_SIGMA * draws.normal("sheet/revenue", ids))
        self.revenue = np.maximum(drawn, purchases / PURCHASES_PART)
        self.turnover = self._by("sector", TURNOVER) * np.exp(0.25 * draws.normal("sheet/turnover", ids))
        self.stock = np.clip(self._by("sector", STOCK) + 0.06 * draws.normal("sheet/stock", ids), 0.01, 0.55)
        self.current = np.clip(0.64 + 0.11 * draws.normal("sheet/current", ids), 0.3, 0.92)
        capital = 0.04 * self.revenue / self.turnover * np.exp(0.5 * draws.normal("sheet/capital", ids))
        self.capital = np.maximum(self._by("legal_form", CAPITAL), np.round(capital, -3))

    def _by(self, column: str, table: dict[str, float]) -> Floats:
        return self.firms[column].replace_strict(table, return_dtype=pl.Float64).to_numpy()

    def year(self, year: int, since: int, equity_before: Floats | None) -> dict[str, Any]:
        """The books of ``year`` in whole euro, ``since`` years after the first of the world."""
        state = health(self.draws, self.firms, year, float((date(year, 12, 31) - EPOCH).days))
        revenue = self.revenue * np.exp(
            0.025 * since + 0.04 * state + 0.08 * self.draws.normal("sheet/trade", self.ids, year)
        )
        assets = np.round(revenue / self.turnover)
        margin = 0.05 + 0.03 * state + 0.03 * self._noise("margin", year)
        # In bad years stocks and claims are written down as well.
        ebit = revenue * (margin - 0.03 * np.maximum(-1.0 - state, 0.0))
        at_start = self._first_equity(assets, state) if equity_before is None else equity_before
        debt = FINANCIAL_DEBT_PART * np.maximum(assets - at_start, 0.0)
        interest = debt * np.clip(0.04 - 0.006 * state, 0.015, 0.09)
        before_tax = ebit - interest
        result = before_tax - TAX_RATE * np.maximum(before_tax, 0.0)
        kept = np.where(result > 0, KEPT_PART * result, result)
        # What is more than a firm leaves in its books is paid out.
        equity = np.round(
            np.minimum(at_start + (0.0 if equity_before is None else kept), MOST_EQUITY * assets)
        )
        liabilities = assets - equity
        short = np.clip(0.68 - 0.05 * state + 0.1 * self._noise("short", year), 0.35, 0.97)
        current = np.round(assets * self.current)
        cash = np.clip(0.13 + 0.05 * state + 0.06 * self._noise("cash", year), 0.003, 0.4)
        receivables = (1.0 - cash - self.stock) * np.clip(0.9 + 0.05 * self._noise("other", year), 0.6, 1.0)
        return {
            "total_assets": _whole(assets),
            "current_assets": _whole(current),
            "cash": _whole(np.floor(current * cash)),
            "inventory": _whole(np.floor(current * self.stock)),
            "receivables": _whole(np.floor(current * receivables)),
            "equity": _whole(equity),
            "retained_earnings": _whole(equity - self.capital),
            "current_liabilities": _whole(np.floor(liabilities * short)),
            "total_liabilities": _whole(liabilities),
            "revenue": _whole(revenue),
            "ebit": _whole(ebit),
            "interest_expense": _whole(interest),
            "net_profit": _whole(result),
            "employees": _whole(np.maximum(1.0, revenue / 210_000 * np.exp(0.3 * self._noise("people", 0)))),
        }

    def _first_equity(self, assets: Floats, state: Floats) -> Floats:
        ratio = np.clip(0.27 + 0.11 * state + 0.06 * self._noise("equity", 0), -0.1, MOST_EQUITY)
        return assets * ratio

    def _noise(self, purpose: str, year: int) -> Floats:
        return self.draws.normal("sheet/" + purpose, self.ids, year)


def _whole(values: Floats) -> Indexes:
    return np.round(values).astype(np.int64)
