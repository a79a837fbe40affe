"""The team page: who may read and lead, what it counts, what is slipping, and the forms that give work."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse

from saldo.collection.assignments import assigned, capacities
from saldo.collection.operations import record_outcome
from saldo.collection.team import members, slips
from saldo.core.context import Context
from saldo.flows.day import run_day
from saldo.identity.queries import latest_day_run
from saldo.interfaces import clock
from tests.web_world import AS_OF, World, build, user


@pytest.fixture
def world(db: None, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(clock, "today", lambda: AS_OF)
    made = build()
    for name in ("anna", "bruno"):
        user(name, "collector", made.companies["AURO"])
    return made


def login(world: World, role: str) -> Client:
    client = Client()
    client.force_login(user(f"someone-{role}", role, world.companies["AURO"]))
    return client


def at(world: World, days: int = 0, actor: str = "system:test") -> Context:
    day = AS_OF + timedelta(days=days)
    now = datetime(2025, 3, 20, 9, tzinfo=UTC) + timedelta(days=days)
    return Context(actor, day, lambda: now, company_id=world.companies["AURO"])


def test_managers_lead_the_cfo_reads_collectors_do_neither(world: World) -> None:
    own = world.account("AURO", 0)[0]
    for role, may_read, may_lead in (
        ("administrator", True, True), ("credit_manager", True, True), ("cfo", True, False),
        ("collector", False, False), ("sales", False, False), ("customer_care", False, False),
    ):  # fmt: skip
        client = login(world, role)
        assert client.get(reverse("team")).status_code == (200 if may_read else 403), role
        posted = client.post(reverse("team_capacity"), {"collector": "anna", "minutes": "240"})
        assert posted.status_code == (302 if may_lead else 403), role
        given = client.post(reverse("assign_collector", args=[own]), {"collector": "anna"})
        assert given.status_code in ((302,) if may_lead else (403, 404)), role


def test_minutes_accounts_and_handing_over_from_the_page(world: World) -> None:
    client = login(world, "credit_manager")
    own = world.account("AURO", 0)[0]
    client.post(reverse("team_capacity"), {"collector": "anna", "minutes": "240", "note": "mattina"})
    client.post(reverse("assign_collector", args=[own]), {"collector": "anna"})
    until = (AS_OF + timedelta(days=3)).isoformat()
    client.post(reverse("team_hand_over"), {"former": "anna", "collector": "bruno", "until_date": until})
    ctx = Context("system:test", AS_OF, clock.now, company_id=world.companies["AURO"])
    assert capacities(ctx).select("collector", "minutes").rows() == [("anna", 240)]
    assert assigned(ctx).select("account_id", "collector").rows() == [(own, "bruno")]
    body = client.get(reverse("team")).content.decode()
    assert "anna" in body and "mattina" in body and "bruno" in body


def test_what_cannot_be_recorded_is_told(world: World) -> None:
    client = login(world, "credit_manager")
    for data in ({"collector": "anna", "minutes": "-3"}, {"collector": "nessuno", "minutes": "60"}):
        response = client.post(reverse("team_capacity"), data)
        assert response.status_code in (400, 404), data
    wrong = {"collector": "anna", "minutes": "60", "until_date": "2001-01-01"}
    assert client.post(reverse("team_capacity"), wrong).status_code == 400


def test_done_today_and_what_slips(world: World) -> None:
    first, second = (world.account("AURO", place)[0] for place in (0, 1))
    company = world.companies["AURO"]
    record_outcome(at(world, actor="anna"), first, "done", channel="phone", result="reached", seconds=300)
    record_outcome(
        at(world, actor="anna"), second, "skipped", channel="phone", result="call_back",
        follow_up_date=AS_OF + timedelta(days=1),
    )  # fmt: skip
    run = latest_day_run(company, AS_OF)
    anna = next(one for one in members(at(world), run) if one.username == "anna")
    # Five minutes that were timed, and the stated eight of the other call.
    assert (anna.done, anna.spoken, anna.used_minutes) == (2, 2, 13.0)
    # Two days later the call-back of the day before is slipping.
    run_day(at(world, 2), company)
    late = slips(at(world, 2), latest_day_run(company, AS_OF + timedelta(days=2)))
    assert [(one.account_id, one.reason, one.since) for one in late] == [
        (second, "callback", AS_OF + timedelta(days=1))
    ]
