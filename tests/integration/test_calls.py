"""Calls logged whole and taken back whole; call-backs at their hour; two people at one account."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from saldo.collection.models import Attention, Outcome
from saldo.core.errors import SaldoError
from saldo.core.money import Money
from saldo.flows.log_call import CallLog, Recording, log_call, undo
from saldo.interfaces import clock
from saldo.ledger import entries
from saldo.parties.models import AddressStop, Contact
from saldo.parties.stops import RECORDING, give_consent
from saldo.promises.models import Promise
from tests.web_world import AS_OF, CUSTOMERS, World, build, context, user

MORNING = datetime(2025, 3, 20, 8, tzinfo=UTC)


@pytest.fixture
def world(db: None) -> World:
    return build()


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """Sets the clock of the pages; it starts on the morning of the world's day."""

    def set_clock(instant: datetime) -> None:
        monkeypatch.setattr(clock, "now", lambda: instant)

    set_clock(MORNING)
    return set_clock


def collector(world: World, name: str = "luca", role: str = "collector") -> Client:
    client = Client()
    client.force_login(user(name, role, world.companies["AURO"]))
    return client


def contact(account_id: int, name: str = "Anna", phone: str = "0577 123456") -> Contact:
    return Contact.objects.create(account_id=account_id, name=name, phone=phone)


def post(client: Client, account_id: int, **data: Any) -> Any:
    return client.post(reverse("call", args=[account_id]), data, headers={"HX-Request": "true"})


def undone(client: Client, account_id: int) -> Any:
    address = reverse("outcome", args=[account_id])
    return client.post(address, {"state": "undone"}, headers={"HX-Request": "true"})


def listed(client: Client) -> list[str]:
    body = client.get(reverse("worklist")).content.decode()
    names = [name for name in CUSTOMERS["AURO"] if f">{name}</a>" in body]
    return sorted(names, key=lambda name: body.index(f">{name}</a>"))


def test_a_promise_is_logged_in_one_request_and_taken_back_whole(world: World, at: Any) -> None:
    client = collector(world)
    account_id, name = world.account("AURO", 0)
    anna = contact(account_id)
    answer = post(
        client, account_id, result="promise", promised_date="ven", promise_amount="1.000,00", contact=anna.id,
        delay_reason="approval", note="paga con la prossima distinta", seconds="95", seen="0",
    )  # fmt: skip
    assert json.loads(answer["HX-Trigger"])["saldo:outcome"]["state"] == "done"
    outcome, promise = Outcome.objects.get(), Promise.objects.get()
    assert (outcome.channel, outcome.result, outcome.delay_reason) == ("phone", "promise", "approval")
    assert (outcome.contact_id, outcome.seconds, outcome.data) == (anna.id, 95, {"promise_id": promise.id})
    assert (promise.amount, promise.promised_date) == (Decimal(1000), date(2025, 3, 21))
    assert name not in listed(client)

    undone(client, account_id)
    assert promise.end.outcome == "mistake"
    assert name in listed(client)
    assert Outcome.objects.order_by("-id").first().data == {"undoes": outcome.id}
    # There is nothing left to take back.
    assert "nulla da annullare" in undone(client, account_id).content.decode()


def test_a_promise_that_is_refused_leaves_no_outcome(world: World, at: Any) -> None:
    client = collector(world)
    account_id, _ = world.account("AURO", 0)
    for day, amount, words in (
        ("19/3", "", "2025-03-19"), ("+5", "999.999,00", "999999.00"), ("", "", "giorno"), ("boh", "", "boh"),
    ):  # fmt: skip
        answer = post(client, account_id, result="promise", promised_date=day, promise_amount=amount)
        assert answer["HX-Retarget"] == "#problem" and words in answer.content.decode(), day
    assert not Outcome.objects.exists() and not Promise.objects.exists()


def test_a_call_is_not_undone_after_the_payment(world: World, at: Any) -> None:
    ctx = context("luca").within(world.companies["AURO"])
    user("luca", "collector", world.companies["AURO"])
    account_id, _ = world.account("AURO", 2)
    log_call(ctx, account_id, CallLog(result="promise", promised_date=AS_OF + timedelta(days=5)))
    item = Promise.objects.get().items.order_by("item_id").first()
    shares = [entries.Share(item.item_id, Decimal(100))]
    later = replace(context(), clock=lambda: MORNING)
    entries.record_payment(later, account_id, Money(Decimal(100), "EUR"), shares, number="B-1")
    with pytest.raises(SaldoError) as refused:
        undo(ctx, account_id)
    assert refused.value.code == "undo_after_payment"
    assert not hasattr(Promise.objects.get(), "end")


def test_undone_by_a_colleague_the_promise_stays(world: World, at: Any) -> None:
    account_id, name = world.account("AURO", 1)
    post(collector(world), account_id, result="promise", promised_date="+5")
    colleague = collector(world, "maria")
    undone(colleague, account_id)
    assert name in listed(colleague)
    assert not hasattr(Promise.objects.get(), "end")


def test_a_wrong_number_leaves_the_row_with_the_next_number(world: World, at: Any) -> None:
    client = collector(world)
    account_id, name = world.account("AURO", 0)
    anna, bruno = contact(account_id), contact(account_id, "Bruno", "+39 02 7654321")
    post(client, account_id, result="wrong_number", contact=anna.id)
    assert name in listed(client)
    assert AddressStop.objects.get().address == "+390577123456"
    sheet = client.get(reverse("call", args=[account_id])).content.decode()
    assert bruno.phone in sheet and anna.phone not in sheet
    undone(client, account_id)
    assert anna.phone in client.get(reverse("call", args=[account_id])).content.decode()
    # Of no contact, no number can be wrong.
    assert post(client, account_id, result="wrong_number")["HX-Retarget"] == "#problem"


def test_a_call_back_waits_for_its_hour_and_then_comes_first(world: World, at: Any) -> None:
    client = collector(world)
    order = listed(client)
    account_id = world.accounts["AURO"][order[-1]]
    post(client, account_id, result="call_back", call_back="15:30", note="chiedere di Anna")
    assert order[-1] not in listed(client)
    body = client.get(reverse("worklist")).content.decode()
    assert "<b>15:30</b>" in body and 'data-next-call="2025-03-20T15:30:00+01:00"' in body
    at(datetime(2025, 3, 20, 14, 30, tzinfo=UTC))
    assert listed(client) == [order[-1], *order[:-1]]
    # No answer at the hour: it is tried again on the next working day, with the others.
    post(client, account_id, result="no_answer")
    assert order[-1] not in listed(client)
    assert Outcome.objects.order_by("-id").first().follow_up_date == date(2025, 3, 21)


def test_nothing_is_written_until_an_agreed_call_back(world: World, at: Any) -> None:
    client = collector(world)
    account_id, _ = world.account("AURO", 0)
    post(client, account_id, result="call_back", call_back="mer 10:00")
    outcome = Outcome.objects.get()
    assert outcome.call_back_at == datetime(2025, 3, 26, 9, tzinfo=UTC)
    assert outcome.follow_up_date == date(2025, 3, 26)
    from saldo.collection.models import Hold

    assert Hold.objects.get(id=outcome.data["hold_id"]).until_date == date(2025, 3, 25)
    assert post(client, account_id, result="call_back", call_back="7:00")["HX-Retarget"] == "#problem"
    assert post(client, account_id, result="call_back")["HX-Retarget"] == "#problem"


def test_of_two_collectors_the_first_to_record_counts(world: World, at: Any) -> None:
    luca, maria = collector(world), collector(world, "maria")
    account_id, _ = world.account("AURO", 0)
    place = reverse("at_work", args=[account_id])
    assert "luca" not in luca.post(place).content.decode()
    assert "luca" in maria.post(place).content.decode()
    assert "luca" in maria.get(reverse("worklist")).content.decode()

    post(luca, account_id, result="reached", seen="0")
    assert not Attention.objects.exists()
    late = post(maria, account_id, result="promise", promised_date="+3", seen="0").content.decode()
    assert "luca" in late and "09:00" in late
    assert Outcome.objects.count() == 1 and not Promise.objects.exists()
    # Who has seen what came of it may add to it.
    seen = Outcome.objects.get().id
    post(maria, account_id, result="promise", promised_date="+3", seen=str(seen))
    assert Promise.objects.count() == 1
    # One's own earlier call is no other's.
    post(maria, account_id, result="already_paid", seen=str(seen))
    assert Outcome.objects.count() == 3


def test_who_closes_the_sheet_is_no_longer_at_it(world: World, at: Any) -> None:
    luca, maria = collector(world), collector(world, "maria")
    place = reverse("at_work", args=[world.account("AURO", 0)[0]])
    luca.post(place)
    luca.post(place, {"leave": "1"})
    assert "luca" not in maria.post(place).content.decode()
    at(MORNING + timedelta(minutes=21))
    assert "maria" not in luca.post(place).content.decode()


def test_a_recording_is_kept_only_with_consent(world: World, at: Any) -> None:
    user("luca", "collector", world.companies["AURO"])
    ctx = context("luca").within(world.companies["AURO"])
    account_id, _ = world.account("AURO", 0)
    anna = contact(account_id)
    log = CallLog(result="reached", contact_id=anna.id, recording=Recording("a.mp3", b"sound"))
    with pytest.raises(SaldoError) as refused:
        log_call(ctx, account_id, log)
    assert refused.value.code == "recording_without_consent" and not Outcome.objects.exists()
    give_consent(ctx, anna.id, RECORDING)
    logged = log_call(ctx, account_id, log)
    client = collector(world, "carla", "credit_manager")
    kept = client.get(reverse("recording", args=[account_id, logged.outcome_id]))
    assert kept.content == b"sound" and "attachment" in kept["Content-Disposition"]
    give_consent(ctx, anna.id, RECORDING, is_given=False)
    with pytest.raises(SaldoError):
        log_call(ctx, account_id, log)


def test_skipping_takes_one_key_and_keeps_its_reason(world: World, at: Any) -> None:
    client = collector(world)
    account_id, name = world.account("AURO", 0)
    address = reverse("outcome", args=[account_id])
    sent = {"state": "skipped", "skip_reason": "sales_asks", "until": "+7", "seen": "0"}
    client.post(address, sent, headers={"HX-Request": "true"})
    outcome = Outcome.objects.get()
    assert (outcome.skip_reason, outcome.follow_up_date) == ("sales_asks", AS_OF + timedelta(days=7))
    assert name not in listed(client)
    bad = client.post(address, {**sent, "skip_reason": "bored"}, headers={"HX-Request": "true"})
    assert "bored" in bad.content.decode()


def test_the_sheet_says_what_to_ask_and_what_was_said(world: World, at: Any) -> None:
    client = collector(world)
    account_id, _ = world.account("AURO", 0)
    address = reverse("call", args=[account_id])
    sheet = client.get(address).content.decode().replace("\xa0", " ")
    assert "Chiedere 54.024,00 €" in sheet and "non registrare" in sheet
    post(client, account_id, result="promise", promised_date="+3", promise_amount="54.024,00",
         delay_reason="cash", note="la banca tarda")  # fmt: skip
    sheet = client.get(address).content.decode().replace("\xa0", " ")
    assert "non si richiede" in sheet and "la banca tarda" in sheet and "manca liquidità" in sheet
    assert "Non chiedere 54.024,00 €: promessi" in sheet


def test_a_typed_day_is_told_back(world: World, at: Any) -> None:
    client = collector(world)
    address = reverse("typed_day")
    told = {"ven": "ven 21/03/2025", "+7": "gio 27/03/2025", "19/3": "già pass", "boh": "giorno", "": ""}
    for text, words in told.items():
        assert words in client.get(address, {"promised_date": text}).content.decode(), text
    assert "15:30" in client.get(address, {"call_back": "ven 15:30"}).content.decode()


def test_logging_a_call_asks_the_database_a_few_times(
    world: World, at: Any, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    client = collector(world)
    account_id, _ = world.account("AURO", 0)
    with django_assert_max_num_queries(40):
        post(client, account_id, result="no_answer", seen="0")
    with django_assert_max_num_queries(70):
        post(client, account_id, result="promise", promised_date="+5", seen="1000000")
    with django_assert_max_num_queries(60):
        assert client.get(reverse("call", args=[account_id])).status_code == 200
