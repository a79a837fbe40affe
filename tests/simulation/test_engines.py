"""The trial on Saldo's engines alone: it sees what an office sees, and the truth does not reach it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import polars as pl
import pytest

from saldo.simulation.trial.engines import EngineDesk
from saldo.simulation.trial.jobs import Job
from saldo.simulation.trial.office import Office
from saldo.simulation.trial.rules import rules
from saldo.simulation.trial.run import begin, business_days, live
from saldo.simulation.world.tables import Tables
from saldo.simulation.world.world import World

DAY = date(2026, 3, 2)
TRUTH = [
    "paying_type", "slowness", "pay_weekday", "drift_from", "drift_to", "drift_days", "recovered_date",
    "insolvency_date",
]  # fmt: skip


@pytest.fixture(scope="module")
def tables() -> Tables:
    return World.make("small", 4, DAY).tables()


def _desk(t: Tables) -> EngineDesk:
    desk = EngineDesk(DAY)
    desk.look(t)
    return desk


def test_the_truth_of_customers_does_not_reach_the_list(tables: Tables) -> None:
    turned = tables.customers.with_columns(pl.col(name).reverse() for name in TRUTH)
    office = Office(rules("small"))
    seen, other = _desk(tables), _desk(replace(tables, customers=turned))
    assert seen.worklist(office)
    assert seen.worklist(office) == other.worklist(office)
    assert seen.due_items() == other.due_items()


def test_items_are_those_that_the_erp_shows_open(tables: Tables) -> None:
    booked = tables.postings.group_by("installment_id").agg(pl.col("amount_cents").sum().alias("booked"))
    left = (
        tables.installments.filter((pl.col("cash_cents") > 0) & (pl.col("due_date") < DAY))
        .join(booked, on="installment_id", how="left")
        .with_columns((pl.col("cash_cents") - pl.col("booked").fill_null(0)).alias("left"))
        .filter(pl.col("left") > 0)
        .select("installment_id", "left")
    )
    overdue = {item.item_id: item.balance_mills for item in _desk(tables).due_items() if item.days > 0}
    assert len(overdue) > 20
    assert overdue == {line: cents * 10 for line, cents in left.iter_rows()}


def test_a_month_is_worked_within_its_contacts_and_minutes() -> None:
    trial = begin(Job("saldo", 4, "small", 30, engines=True), World.make)
    budget, spent, contacts = trial.rules.budget, 0.0, 0
    for count, day in enumerate(business_days(trial), start=1):
        offered = dict(trial.office.offered)
        made = live(trial, day)
        assert sum(contact.channel == "call" for contact in made) <= budget.calls + budget.written
        assert len(made) <= budget.contacts
        contacts += len(made)
        for contact in made:
            is_new = not trial.rules.stands(offered.get(contact.account_id), day)
            spent += trial.rules.effort(contact.channel, contact.purpose if is_new else "")
        assert spent <= trial.rules.minutes * count
    assert contacts > 20
    assert trial.first_day + timedelta(days=29) == trial.last_day
