"""A world as a Book says what files would have said, and nothing of what only the truth knows."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import polars as pl
import pytest

from saldo.analytics.book import SCHEMAS, balances
from saldo.simulation.forecast_trial.world_book import insolvencies, last_day, settled_dates, world_book
from saldo.simulation.world.tables import Tables
from saldo.simulation.world.world import World


@pytest.fixture(scope="module")
def tables() -> Tables:
    return World.make("small", 3, date(2026, 10, 30)).tables()


def test_balances_are_those_of_the_erp(tables: Tables) -> None:
    book = world_book(tables)
    until = last_day(tables)
    got = balances(book, book.items.select("item_id", as_of=pl.lit(until)))
    booked = tables.postings.group_by("installment_id").agg(booked=pl.col("amount_cents").sum())
    expected = (
        tables.installments.filter(pl.col("cash_cents") > 0)
        .join(booked, on="installment_id", how="left")
        .sort("installment_id")
        .select(pl.col("cash_cents") - pl.col("booked").fill_null(0))
    ) * 10
    assert got["balance_mills"].to_list() == expected["cash_cents"].to_list()
    closed = got.join(settled_dates(book), on="item_id").filter(pl.col("settled_date").is_not_null())
    assert (closed["balance_mills"] <= 0).all()
    assert closed.height == (got["balance_mills"] <= 0).sum()


def test_companies_share_out_the_book(tables: Tables) -> None:
    whole = world_book(tables)
    parts = [world_book(tables, code) for code in ("AURELIA", "TIBERIA")]
    for name in SCHEMAS:
        assert getattr(whole, name).height == sum(getattr(part, name).height for part in parts), name
    with pytest.raises(ValueError, match="has no company"):
        world_book(tables, "NOBODY")


def test_the_truth_of_customers_does_not_reach_the_book(tables: Tables) -> None:
    """Turn everything that only the truth knows upside down: the book stays the same."""
    hidden = [
        "sales_share", "paying_type", "slowness", "pay_weekday", "drift_from", "drift_to", "drift_days",
        "recovered_date", "insolvency_date", "reference_style", "remittance_habit",
    ]  # fmt: skip
    turned = tables.customers.with_columns(pl.col(name).reverse() for name in hidden)
    other = world_book(replace(tables, customers=turned))
    book = world_book(tables)
    for name in SCHEMAS:
        assert getattr(book, name).equals(getattr(other, name)), name
    truth = insolvencies(tables)
    assert truth.height == tables.accounts.height
    assert truth["insolvency_date"].is_not_null().any()
