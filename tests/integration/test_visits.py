"""A day of visits from the areas to what came of it, its sheet, and calls before large amounts fall due."""

from __future__ import annotations

import io
from datetime import date, timedelta

import pypdfium2
import pytest
from django.test import Client
from django.urls import reverse

from saldo.collection.models import Action, Outcome, VisitRound
from saldo.collection.rounds import rounds
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.disputes.operations import open_dispute
from saldo.flows import visit_sheet, visits
from saldo.flows.courtesy import courtesy_calls
from saldo.flows.log_call import CallLog
from saldo.interfaces import clock
from saldo.ledger.queries import open_items
from saldo.parties.models import Contact, Customer
from saldo.parties.preferences import record_preference
from saldo.promises.models import Promise
from saldo.risk.models import PaymentForecast
from tests.visits_world import NAMES, NOW, World, build, invoice
from tests.web_world import AS_OF, user


@pytest.fixture
def world(db: None, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(clock, "now", lambda: NOW)
    monkeypatch.setattr(clock, "today", lambda: AS_OF)
    return build()


def as_carla(world: World, actor: str = "carla") -> Context:
    return Context(actor, AS_OF, lambda: NOW).within(world.company_id)


def made(world: World, *places: int) -> int:
    ids = [world.accounts[place] for place in places]
    return visits.save(as_carla(world), world.company_id, "carla", AS_OF, ids)


def test_areas_and_a_day_in_one(world: World) -> None:
    ctx, company = as_carla(world), world.company_id
    found = visits.areas(ctx, company)
    assert [(area.key, area.cities, len(area.stops)) for area in found] == [
        ("IT-201", ("Milano",), 2), ("IT-001", ("Roma",), 1),
    ]  # fmt: skip
    placed = visits.draft(ctx, company, "IT-201")
    assert [each.stop.account_id for each in placed] == [
        world.accounts[0], world.accounts[1],
    ]  # fmt: skip
    assert placed[0].stop.worth_mills == 54_000_000 and placed[0].stop.items == 6
    assert visits.draft(ctx, company, "IT-201", minutes=30) == []
    record_preference(ctx, world.accounts[0], "no_visit")
    assert [len(area.stops) for area in visits.areas(ctx, company)] == [1, 1]


def test_what_is_disputed_is_not_worth_a_visit(world: World) -> None:
    ctx, company = as_carla(world), world.company_id
    account = world.accounts[0]
    items = open_items(ctx, account_ids=[account])["item_id"].to_list()
    open_dispute(ctx, account, [(each, None) for each in items], "price")
    assert [each.stop.account_id for each in visits.draft(ctx, company, "IT-201")] == [world.accounts[1]]


def test_a_round_is_reordered_and_called_off_by_further_rows(world: World) -> None:
    ctx = as_carla(world)
    first = made(world, 1, 0)
    assert made(world, 1, 0) == first, "the same day again is the same round"
    (row,) = rounds(ctx, AS_OF)
    ids = [stop.account_id for stop in row.stops]
    assert ids == [world.accounts[0], world.accounts[1]], "in the order of the way"
    second = visits.reorder(ctx, first, ids[1], -1)
    assert [stop.account_id for stop in visits.round_page(ctx, first).row.stops] == ids[::-1]
    visits.reorder(ctx, second, ids[0], 0)
    visits.reorder(ctx, second, ids[1], 0)
    assert rounds(ctx, AS_OF) == [] and VisitRound.objects.count() == 4
    with pytest.raises(SaldoError) as refused:
        visits.reorder(ctx, second, ids[0], 1)
    assert refused.value.code == "visit_not_planned"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"account_ids": []}, "visit_round_empty"),
        ({"day": AS_OF - timedelta(days=1)}, "visit_round_day"),
        ({"day": AS_OF + timedelta(days=61)}, "visit_round_day"),
        ({"collector": "nobody"}, "collector_unknown"),
        ({"foreign": True}, "account_unknown"),
        ({"nowhere": True}, "visit_no_address"),
        ({"refuses": True}, "visit_refused"),
    ],
)
def test_a_round_that_makes_no_sense_is_refused(world: World, change: dict[str, object], code: str) -> None:
    account = world.accounts[0]
    told = {"collector": "carla", "day": AS_OF, "account_ids": [account]}
    if change.pop("foreign", False):
        told["account_ids"] = [world.foreign]
    if change.pop("nowhere", False):
        Customer.objects.filter(accounts=account).update(zip_code="")
    if change.pop("refuses", False):
        record_preference(as_carla(world), account, "no_visit")
    with pytest.raises(SaldoError) as refused:
        visits.save(as_carla(world), world.company_id, **(told | change))  # type: ignore[arg-type]
    assert refused.value.code == code and not VisitRound.objects.exists()


def test_a_visit_records_a_promise_and_the_sheet_says_what_to_know(world: World) -> None:
    ctx = as_carla(world)
    account = world.accounts[0]
    Contact.objects.create(account_id=account, name="Rosa Verdi", phone="+39025550")
    record_preference(ctx, account, "do_not_ask", "il numero d'ordine")
    number = made(world, 0, 1)
    content = visit_sheet.sheet_pdf(ctx, visits.round_page(ctx, number), "it")
    document = pypdfium2.PdfDocument(io.BytesIO(content))
    text = "".join(page.get_textpage().get_text_range() for page in document).replace("\xa0", " ")
    for told in ("Giro visite del 20 marzo 2025", "1. Officina Bellaluna", "Rosa Verdi", "Via Dante 14",
                 "il numero d'ordine", "AURO-11/25", "54.000,00 €", "Esito:"):  # fmt: skip
        assert told in text, told
    log = CallLog(result="promise", promised_date=AS_OF + timedelta(days=5), amount_mills=9_000_000,
                  delay_reason="cash")  # fmt: skip
    visits.record_visit(ctx, number, account, log)
    outcome = Outcome.objects.get(account_id=account)
    assert (outcome.channel, outcome.result, outcome.delay_reason) == ("visit", "promise", "cash")
    assert Promise.objects.get(account_id=account).amount == 9000
    day = visits.round_page(ctx, number)
    assert (day.done, day.stops[0].outcome.result if day.stops[0].outcome else "") == (1, "promise")
    assert day.stops[0].asked_mills == 45_000_000, "what is promised is not asked for"
    with pytest.raises(SaldoError):
        visits.record_visit(ctx, number, world.accounts[2], log)


def login(name: str) -> Client:
    from saldo.identity.models import User

    client = Client()
    client.force_login(User.objects.get(username=name))
    return client


def test_the_pages_of_a_day(world: World) -> None:
    client = login("carla")
    assert "Milano" in client.get(reverse("visits")).content.decode()
    proposed = client.get(reverse("visit_new"), {"area": "IT-201"}).content.decode()
    account = world.accounts[0]
    assert NAMES[0] in proposed and NAMES[2] not in proposed
    kept = client.post(reverse("visit_new"), {"area": "IT-201", "day": "2025-03-20", "account": [account]})
    number = VisitRound.objects.get().id
    assert kept["Location"] == reverse("visit_round", args=[number])
    assert NAMES[0] in client.get(reverse("visit_round", args=[number])).content.decode()
    assert client.get(reverse("visit_sheet", args=[number])).content.startswith(b"%PDF")
    told = {"result": "not_found", "note": "chiuso per ferie"}
    assert client.post(reverse("visit_outcome", args=[number, account]), told).status_code == 302
    assert "chiuso per ferie" in client.get(reverse("visit_round", args=[number])).content.decode()
    # Another collector's day is nobody else's, but the manager's.
    user("dario", "collector", world.company_id)
    assert login("dario").get(reverse("visit_round", args=[number])).status_code == 404
    assert login("marco").get(reverse("visit_round", args=[number])).status_code == 200


def due_soon(world: World) -> list[int]:
    return [
        invoice(account, f"AURO-9{place}/25", amount, date(2025, 3, 25 + place))
        for place, (account, amount) in enumerate(
            zip(world.accounts, ("90000.00", "40000.00", "200.00"), strict=True), start=1
        )
    ]


def test_large_amounts_are_called_about_before_they_fall_due(world: World) -> None:
    due_soon(world)
    ctx, company = as_carla(world), world.company_id
    (row,) = courtesy_calls(ctx, company)
    assert (row.name, row.asked_mills, row.first_due_date) == (
        NAMES[0], 90_000_000, date(2025, 3, 26),
    )  # fmt: skip
    assert row.documents == ("AURO-91/25",) and row.p_late is None, "without a forecast nothing is claimed"
    assert len(courtesy_calls(ctx, company, minimum_mills=0)) == 3
    assert len(courtesy_calls(ctx, company, minimum_mills=40_000_000)) == 2
    record_preference(ctx, row.account_id, "no_call")
    assert [each.name for each in courtesy_calls(ctx, company)] == [], "half of it was that one's"
    record_preference(ctx, world.accounts[1], "call_hours", "14-18")
    (other,) = courtesy_calls(ctx, company, minimum_mills=40_000_000)
    assert (other.advice.may_call, other.advice.hours) == (False, "14:00-18:00")


def test_the_chance_of_lateness_orders_the_calls(world: World) -> None:
    ctx = as_carla(world)
    for account, item, p30 in zip(world.accounts, due_soon(world), (0.95, 0.25, 0.5), strict=True):
        PaymentForecast.objects.create(
            day_run_id=world.run_id, item_id=item, account_id=account, p7=0.1, p30=p30, p60=0.9, p90=0.95,
            rung="account",
        )  # fmt: skip
    rows = courtesy_calls(ctx, world.company_id, minimum_mills=0)
    # 40,000 at 75% late is more at risk than 90,000 at 5%.
    assert [(row.name, round(row.at_risk_mills)) for row in rows] == [
        (NAMES[1], 30_000_000), (NAMES[0], 4_500_000), (NAMES[2], 100_000),
    ]  # fmt: skip
    Action.objects.filter(account_id=world.accounts[1]).update(kind="call")
    assert [row.name for row in courtesy_calls(ctx, world.company_id, minimum_mills=0)] == [
        NAMES[0],
        NAMES[2],
    ]


def test_a_courtesy_call_is_recorded_from_the_page(world: World) -> None:
    due_soon(world)
    client, account = login("carla"), world.accounts[0]
    assert NAMES[0] in client.get(reverse("courtesy")).content.decode()
    client.post(reverse("courtesy_outcome", args=[account]), {"result": "reached", "note": "paga puntuale"})
    assert Outcome.objects.get(account_id=account).result == "reached"
    assert f'id="account-{account}"' not in client.get(reverse("courtesy")).content.decode()
