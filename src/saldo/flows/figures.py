"""Figures of any day, as known at any instant, in the stable JSON of the command line."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import polars as pl

from saldo.core.context import Context
from saldo.core.kpi import Kpi
from saldo.core.money import decimal_text
from saldo.flows.facts import combined, gather
from saldo.flows.record_measures import kpi_boards
from saldo.identity.queries import companies
from saldo.ledger.queries import totals
from saldo.parties.frames import account_names

BUCKETS = {
    "current": "current_mills",
    "1-30": "days_1_30_mills",
    "31-60": "days_31_60_mills",
    "61-90": "days_61_90_mills",
    ">90": "days_over_90_mills",
}
AMOUNTS = ("open", "credits", "net", "overdue", "overdue_net", "unapplied")


def aging_of_day(ctx: Context, by_account: bool = False, currency: str | None = None) -> dict[str, Any]:
    """{as_of, known_at, currencies: [totals], accounts?: [totals]}, amounts as decimal strings.

    With one currency its totals stand at the top level too; different currencies are never summed.
    """
    found = totals(ctx, by_account=True)
    if currency:
        found = found.filter(pl.col("currency") == currency.upper())
    amounts = [name for name, kind in found.schema.items() if name.endswith("_mills") and kind == pl.Int64]
    by_currency = found.group_by("currency").agg(pl.col(amounts).sum()).sort("currency")
    totals_told = [_amounts(row) for row in by_currency.iter_rows(named=True)]
    told: dict[str, Any] = {
        "as_of": ctx.as_of.isoformat(),
        "known_at": ctx.known_at and ctx.known_at.isoformat(),
        **_single(totals_told),
        "currencies": totals_told,
    }
    if by_account:
        named = found.join(account_names(), on="account_id", how="left").sort("code", "currency")
        told["accounts"] = [
            {"account": row["code"], "name": row["name"], "company": row["company"], **_amounts(row)}
            for row in named.iter_rows(named=True)
        ]
    return told


def _single(totals_told: list[dict[str, Any]]) -> dict[str, Any]:
    """The totals of the only currency; zeros where nothing is open; nulls where there are several."""
    if len(totals_told) == 1:
        return totals_told[0]
    empty = None if totals_told else "0.00"
    return {
        "currency": None,
        **dict.fromkeys(AMOUNTS, empty),
        "buckets": dict.fromkeys(BUCKETS, empty),
    }


def _amounts(row: dict[str, Any]) -> dict[str, Any]:
    currency = row["currency"]
    mills = {
        "open": row["open_mills"],
        "credits": row["credits_mills"],
        "net": row["open_mills"] - row["credits_mills"],
        "overdue": row["overdue_mills"],
        "overdue_net": max(row["overdue_mills"] - row["credits_mills"], 0),
        "unapplied": row["unapplied_mills"],
    }
    return {
        "currency": currency,
        **{name: decimal_text(value, currency) for name, value in mills.items()},
        "buckets": {name: decimal_text(row[column], currency) for name, column in BUCKETS.items()},
    }


def kpis_of_day(ctx: Context) -> dict[str, Any]:
    """{as_of, known_at, currencies: [{company, currency, indicators}]}, each company by itself.

    At the top level stand the values of all companies together where they have one currency, else nulls.
    Computed from the facts, not read from the stored measures: the two agree by a test.
    """
    each = {company.code: gather(ctx.within(company.id)) for company in companies(ctx)}
    told = [
        {"company": code, "currency": currency, "indicators": [_indicator(kpi) for kpi in indicators]}
        for code, facts in each.items()
        for currency, indicators in kpi_boards(facts).items()
    ]
    together = kpi_boards(combined(list(each.values()))) if each else {}
    indicators = next(iter(together.values())) if len(together) == 1 else []
    names = {kpi.code for board in together.values() for kpi in board} or {"dso", "overdue_share"}
    return {
        "as_of": ctx.as_of.isoformat(),
        "known_at": ctx.known_at and ctx.known_at.isoformat(),
        **dict.fromkeys(sorted(names)),
        **{kpi.code: kpi.value for kpi in indicators},
        "currencies": told,
    }


def _indicator(kpi: Kpi) -> dict[str, Any]:
    return asdict(kpi) | {"name": kpi.code}
