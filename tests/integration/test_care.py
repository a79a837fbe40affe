"""What customers asked for and how it is used, surveys from the closed dispute to the answer, and causes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.utils import DatabaseError
from django.test import Client

from saldo.collection.operations import record_outcome
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.disputes.operations import end_dispute, open_dispute
from saldo.flows import ask_surveys
from saldo.flows.message_drafts import attached, moment
from saldo.flows.send_checks import Case, verdict
from saldo.interfaces import clock
from saldo.measurement.causes import customers_of_cause, delay_causes
from saldo.measurement.models import Survey, SurveyAnswer
from saldo.measurement.surveys import answers, low_answers, results
from saldo.outreach.models import Message
from saldo.outreach.settings import change_rules, rules_of
from saldo.parties.models import Contact, Customer, CustomerAccount
from saldo.parties.preferences import (
    end_preference,
    preferences_in_force,
    preferences_of,
    record_preference,
)
from saldo.parties.ways import ways
from tests import mail_world
from tests.mail_world import ADDRESS, DAY, NOW, World, context

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    path = tmp_path / "channels.toml"
    path.write_text(mail_world.CHANNELS.format(port=1, security="none", more=""))
    path.chmod(0o600)
    monkeypatch.setenv("SALDO_CHANNELS", str(path))
    monkeypatch.setattr(clock, "now", lambda: NOW)
    monkeypatch.setattr(clock, "today", lambda: NOW.date())
    made = mail_world.build()
    change_rules(context(date(2026, 3, 2), "anna"), made.company_id, cutover_date=date(2026, 1, 1))
    return made


def within(world: World, day: date = DAY, actor: str = "system:test") -> Context:
    return context(day, actor).within(world.company_id)


# -- what was asked for ---------------------------------------------------------------------------------


def test_a_preference_is_asked_for_once_and_ends_once(world: World) -> None:
    ctx = within(world)
    first = record_preference(ctx, world.account_id, "call_hours", "lun-ven 14-18")
    assert record_preference(ctx, world.account_id, "call_hours", "mon-fri 14:00-18:00") == first
    other = record_preference(ctx, world.account_id, "call_hours", "9-12")
    record_preference(ctx, world.account_id, "do_not_ask", "il numero d'ordine")
    record_preference(ctx, world.account_id, "do_not_ask", "la partita IVA")
    told = [(row.kind, row.value) for row in preferences_of(ctx, world.account_id)]
    assert told == [
        ("do_not_ask", "la partita IVA"), ("do_not_ask", "il numero d'ordine"), ("call_hours", "09:00-12:00"),
    ]  # fmt: skip
    assert end_preference(ctx, other) == world.account_id
    with pytest.raises(SaldoError) as refused:
        end_preference(ctx, other)
    assert refused.value.code == "preference_ended"
    # What held on an earlier day, and what was known then, still stands.
    known = replace(ctx, known_at=NOW - timedelta(days=1))
    assert preferences_in_force(known).is_empty()
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM parties_preference")


def test_a_refused_channel_is_no_way_and_the_named_contact_stands_first(world: World) -> None:
    ctx = within(world)
    other = Contact.objects.create(
        account_id=world.account_id, name="Titolare", role="titolare", email="capo@cliente.test",
        phone="+390255501",
    )  # fmt: skip
    mail = {row["address"]: row for row in ways(ctx).rows(named=True) if row["channel"] == "email"}
    assert mail[ADDRESS]["place"] == 1 and mail["capo@cliente.test"]["place"] == 2

    record_preference(ctx, world.account_id, "contact", contact_id=other.id)
    record_preference(ctx, world.account_id, "no_call", contact_id=other.id)
    told = {(row["channel"], row["address"]): row for row in ways(ctx).rows(named=True)}
    assert told["email", "capo@cliente.test"]["place"] == 1 and told["email", ADDRESS]["stop"] == ""
    assert told["call", "+390255501"]["stop"] == "preference" and told["sms", "+390255501"]["stop"] == ""

    record_preference(ctx, world.account_id, "no_email")
    stops = {(row["channel"], row["address"]): row["stop"] for row in ways(ctx).rows(named=True)}
    assert stops["email", ADDRESS] == stops["email", "capo@cliente.test"] == "preference"
    # Who has to be served in due form is served.
    assert stops["pec", mail_world.PEC_ADDRESS] == ""


def test_the_sender_asks_once_more_and_attachments_go_along(world: World) -> None:
    ctx = within(world)
    message = world.message(purpose="person", track="", as_of=DAY)
    case = Case(ctx, message, message.company, rules_of(world.company_id), NOW)
    assert verdict(case) is None
    record_preference(ctx, world.account_id, "no_email")
    found = verdict(case)
    assert found is not None and (found.state, found.code, found.detail) == (
        "cancelled", "address_stopped", "preference",
    )  # fmt: skip
    record_preference(ctx, world.account_id, "invoice_copies")
    enclosed = moment(ctx, [world.account_id]).enclosed[world.account_id]
    assert attached(("statement",), "email", enclosed) == ("statement", "invoices")
    assert attached((), "sms", enclosed) == ()


# -- surveys ---------------------------------------------------------------------------------------------


@pytest.fixture
def switched_on(world: World) -> World:
    change_rules(within(world, actor="anna"), world.company_id, survey=True)
    return world


def close(world: World, day: date = DAY - timedelta(days=1), outcome: str = "withdrawn") -> int:
    opened = open_dispute(
        within(world, day - timedelta(days=3)), world.account_id, [(world.items["F-1"], 10_000)], "price"
    )
    end_dispute(within(world, day), opened, outcome)
    return opened


def test_nobody_is_asked_until_the_company_wants_it(world: World) -> None:
    close(world)
    assert ask_surveys.queue_surveys(within(world), world.company_id).done == ()


def test_a_closed_dispute_is_asked_about_once(switched_on: World) -> None:
    world, ctx = switched_on, within(switched_on)
    dispute = close(world)
    queued = ask_surveys.queue_surveys(ctx, world.company_id)
    (message,) = Message.objects.filter(id__in=queued.done)
    survey = Survey.objects.get()
    assert (survey.subject_kind, survey.subject_id, survey.token) == ("dispute", dispute, message.token)
    assert message.purpose == "survey" and f"/l/s/{message.token}." in message.body
    assert "1.000" not in message.body, "no amounts in it"
    # The caps of the machine's messages hold for it.
    assert not Case(ctx, message, message.company, rules_of(world.company_id), NOW).is_personal
    assert ask_surveys.queue_surveys(ctx, world.company_id).done == ()

    close(world, DAY + timedelta(days=20))
    soon = within(world, DAY + timedelta(days=21))
    again = ask_surveys.queue_surveys(soon, world.company_id)
    assert again.done == () and [each.code for each in again.refused] == ["survey_asked_lately"]
    change_rules(within(world, actor="anna"), world.company_id, survey_rest_days=30)
    late = within(world, DAY + timedelta(days=32))
    assert len(ask_surveys.queue_surveys(late, world.company_id).done) == 1


def test_who_has_another_dispute_open_is_not_asked(switched_on: World) -> None:
    world = switched_on
    close(world)
    open_dispute(within(world), world.account_id, [(world.items["F-2"], None)], "quality")
    assert ask_surveys.queue_surveys(within(world), world.company_id).done == ()


@pytest.fixture
def page(switched_on: World) -> Iterator[str]:
    close(switched_on)
    (message,) = ask_surveys.queue_surveys(within(switched_on), switched_on.company_id).done
    body = Message.objects.get(id=message).body
    yield "/l/s/" + body.split("/l/s/")[1].split()[0]


def test_the_customer_answers_on_its_page(switched_on: World, page: str) -> None:
    client = Client()
    shown = client.get(page)
    assert shown.status_code == 200 and "ALFA S.p.A." in shown.content.decode()
    assert "Cliente S.r.l." not in shown.content.decode(), "the page tells nobody's data"
    assert not SurveyAnswer.objects.exists(), "looking changes nothing"
    missing = client.post(page, {"csat": "4"})
    assert missing.status_code == 400 and not SurveyAnswer.objects.exists()
    assert client.post(page, {"csat": "2", "nps": "3", "comment": "troppo lenti"}).status_code == 200
    client.post(page, {"csat": "2", "nps": "3", "comment": "troppo lenti"})
    assert SurveyAnswer.objects.count() == 1, "the same answer is one"
    client.post(page, {"csat": "4", "nps": "9"})

    ctx = within(switched_on)
    (row,) = answers(ctx, DAY - timedelta(days=7), DAY)
    assert (row.csat, row.nps, row.is_low) == (4, 9, False), "of several the last counts"
    whole, disputes = results(ctx, DAY - timedelta(days=7), DAY)
    assert (whole.asked, whole.answered, disputes.kind) == (1, 1, "dispute")
    assert whole.nps is not None and whole.nps.value == 100.0


@pytest.mark.parametrize("bad", ["0", "6", "x", "-1"])
def test_an_answer_off_the_scale_is_refused(switched_on: World, page: str, bad: str) -> None:
    told = Client().post(page, {"csat": bad, "nps": "9"})
    assert told.status_code == 400 and not SurveyAnswer.objects.exists()


def test_a_changed_link_leads_nowhere_and_an_old_one_is_over(
    switched_on: World, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Client().get(page[:-1] + ("a" if page[-1] != "a" else "b")).status_code == 404
    later = NOW + timedelta(days=40)
    monkeypatch.setattr(clock, "now", lambda: later)
    monkeypatch.setattr(clock, "today", lambda: later.date())
    assert Client().post(page, {"csat": "4", "nps": "9"}).status_code == 410
    assert not SurveyAnswer.objects.exists()


def test_an_unhappy_answer_is_a_call_to_make(switched_on: World, page: str) -> None:
    Client().post(page, {"csat": "1", "nps": "2"})
    assert low_answers(within(switched_on)).rows() == [(switched_on.account_id, "survey_low", DAY)]


# -- causes ---------------------------------------------------------------------------------------------


def test_a_customer_is_counted_under_its_last_reason(world: World) -> None:
    other = CustomerAccount.objects.create(
        company_id=world.company_id, customer=Customer.objects.create(name="Altro S.r.l."), code="C2",
        recorded_at=NOW,
    )  # fmt: skip

    def said(account: int, reason: str, day: date) -> int:
        return record_outcome(
            context(day), account, "done", channel="phone", result="reached", delay_reason=reason
        )

    said(world.account_id, "cash", DAY - timedelta(days=9))
    said(world.account_id, "approval", DAY - timedelta(days=2))
    said(other.id, "cash", DAY - timedelta(days=1))
    ctx = within(world)
    rows = delay_causes(ctx, DAY - timedelta(days=30), DAY)
    assert [(row.reason, row.contacts, row.customers) for row in rows] == [("cash", 2, 1), ("approval", 1, 1)]
    assert {row.reason: {k: str(v) for k, v in row.overdue.items()} for row in rows} == {
        "approval": {"EUR": "1500"}, "cash": {},
    }  # fmt: skip
    for row in rows:
        behind = customers_of_cause(ctx, row.reason, DAY - timedelta(days=30), DAY)
        assert len(behind) == row.customers, "the customers behind a row add up to it"
        told: dict[str, Any] = {}
        for each in behind:
            told |= each.overdue
        assert told == row.overdue
    assert delay_causes(ctx, DAY - timedelta(days=60), DAY - timedelta(days=10)) == []
