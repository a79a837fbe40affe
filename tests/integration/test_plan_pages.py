"""Plans, offers, discounts and guarantees on the pages: one makes, another approves, a link accepts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from saldo.flows.follow_offers import link_of
from saldo.intake.models import Document
from saldo.interfaces import clock
from saldo.ledger.models import Item
from saldo.promises.models import Guarantee, Offer, OfferStep, PaymentPlan
from saldo.promises.offers import offers_of
from saldo.promises.plan_policy import change_rules, rules_of
from saldo.promises.queries import acknowledgements
from tests.web_world import AS_OF, World, build, context, user

pytestmark = pytest.mark.django_db
NOW = datetime(2025, 3, 21, 9, tzinfo=UTC)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(clock, "now", lambda: NOW)
    monkeypatch.setattr(clock, "today", lambda: AS_OF)
    return build()


def login(world: World, role: str) -> Client:
    client = Client()
    client.force_login(user(f"someone-{role}", role, world.companies["AURO"]))
    return client


def items(account_id: int, count: int = 2) -> list[Item]:
    return list(Item.objects.filter(account_id=account_id, amount__gt=0).order_by("id")[:count])


def plan_of(account_id: int, **more: Any) -> dict[str, Any]:
    """The form of a plan in two installments for the account's first two invoices (18,003 and something)."""
    chosen = items(account_id)
    total = sum(item.amount for item in chosen)
    half = (total / 2).quantize(total.quantize(total))
    first, second = f"{half:.2f}", f"{total - half.quantize(total):.2f}"
    return {
        "item": [item.id for item in chosen], "due": ["2025-04-30", "2025-05-30", ""],
        "part": [first.replace(".", ","), second.replace(".", ","), ""], "tolerance_days": "5",
        "missed_limit": "2", "late_percent": "0", "language": "it", **more,
    }  # fmt: skip


def newest() -> Any:
    row = Offer.objects.order_by("-id").first()
    assert row is not None
    return offers_of(context(), row.account_id)[0]


def public(row: Any) -> str:
    return "/l/p/" + link_of(row).rpartition("/")[2]


def test_a_plan_is_proposed_offered_approved_by_another_and_accepted_by_its_link(world: World) -> None:
    account_id, name = world.account("AURO", 0)
    change_rules(context(), world.companies["AURO"], four_eyes_mills=1_000_000)
    collector, manager = login(world, "collector"), login(world, "credit_manager")
    address = reverse("add_plan", args=[account_id])
    assert "Piano di rientro" in collector.get(address, HTTP_ACCEPT_LANGUAGE="it").content.decode()

    made = collector.post(address, plan_of(account_id))
    row = newest()
    assert made["Location"] == reverse("offer", args=[account_id, row.id]) and row.state == "to_approve"
    decide = reverse("offer_decide", args=[account_id, row.id])
    # Neither a collector nor who made it; and before the approval the link leads nowhere.
    assert collector.post(decide, {"act": "approve"}).status_code == 403
    signed = f"/l/p/{_signed(row.token)}"
    assert Client().get(signed).status_code == 404
    manager.post(decide, {"act": "approve"})

    page = Client().get(signed)
    assert page.status_code == 200 and name in page.content.decode()
    assert page.headers["Cache-Control"] == "no-store"
    assert not PaymentPlan.objects.exists() and newest().state == "open"
    assert Client().post(signed, {"act": "accept", "name": "Ugo Conti"}).status_code == 400  # not sure
    assert Client().post(signed, {"act": "accept", "sure": "yes", "name": " "}).status_code == 400
    done = Client().post(
        signed, {"act": "accept", "sure": "yes", "name": "Ugo  Conti", "role": "Titolare"},
        headers={"User-Agent": "Mozilla/5.0 prova"},
    )  # fmt: skip
    assert done.status_code == 200 and "Accettata da Ugo Conti" in done.content.decode()
    # Twice is once.
    Client().post(signed, {"act": "accept", "sure": "yes", "name": "Ugo Conti"})
    plan = PaymentPlan.objects.get()
    step = OfferStep.objects.get(kind="accepted")
    assert plan.offer_id == row.id and plan.document_id == step.document_id
    assert step.evidence["name"] == "Ugo Conti" and step.evidence["program"] == "Mozilla/5.0 prova"
    assert Document.objects.filter(id=step.document_id, name=f"offer-{row.id}.txt").exists()
    # In writing: it acknowledges the debt, for prescription.
    told = acknowledgements(replace(context(), as_of=AS_OF), [account_id])
    assert set(told["proof"]) == {"plan"} and told.height == 2
    assert name in manager.get(reverse("plans")).content.decode()
    body = manager.get(reverse("account", args=[account_id])).content.decode()
    assert "offerta" not in body and "30/04/2025" in body


def _signed(token: str) -> str:
    from saldo.outreach.links import offer_url

    return offer_url(token).rpartition("/")[2]


def test_one_changed_character_and_an_offer_whose_day_is_over(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    account_id, name = world.account("AURO", 1)
    login(world, "collector").post(reverse("add_plan", args=[account_id]), plan_of(account_id))
    signed = public(newest())
    for place in (6, len(signed) - 1):
        other = "a" if signed[place] != "a" else "b"
        broken = Client().get(f"{signed[:place]}{other}{signed[place + 1 :]}")
        assert broken.status_code == 404 and name not in broken.content.decode()
    monkeypatch.setattr(clock, "today", lambda: AS_OF + timedelta(days=rules_of(0).offer_valid_days + 1))
    assert "2025" in Client().get(signed).content.decode()
    late = Client().post(signed, {"act": "accept", "sure": "yes", "name": "Ugo Conti"})
    assert late.status_code == 409 and not PaymentPlan.objects.exists()


def test_a_plan_that_does_not_add_up_is_told_and_nothing_typed_is_lost(world: World) -> None:
    account_id, _ = world.account("AURO", 0)
    typed = plan_of(account_id, note="parlato con il titolare")
    typed["part"][0] = "1,00"
    client = login(world, "collector")
    answer = client.post(reverse("add_plan", args=[account_id]), typed)
    assert answer.status_code == 400
    body = answer.content.decode()
    assert 'value="1,00"' in body and "parlato con il titolare" in body and "Le rate sommano" in body
    for wrong in ({"item": []}, {"due": ["soon", "2025-05-30"]}, {"missed_limit": "0"}):
        assert client.post(reverse("add_plan", args=[account_id]), typed | wrong).status_code == 400
    assert not Offer.objects.exists()


def test_a_discount_is_offered_with_what_it_costs_and_agreed_on_the_phone(world: World) -> None:
    account_id, _ = world.account("AURO", 2)
    client = login(world, "collector")
    address = reverse("add_discount", args=[account_id])
    asked = {"rate": "2", "pay_by": "2025-03-31", "usual": "2025-04-20", "item": items(account_id, 1)[0].id}
    assert "37,24%" in client.get(address, asked).content.decode()
    assert client.post(address, asked | {"rate": "molto"}).status_code == 400
    client.post(address, asked)
    row = newest()
    agreed = {"act": "agree", "name": "Ugo Conti", "way": "phone"}
    assert client.post(reverse("offer_decide", args=[account_id, row.id]), agreed).status_code == 302
    row = newest()
    assert (row.state, row.discount_mills, row.evidence["way"]) == ("accepted", 60_030, "phone")
    # Words on the phone are no writing.
    assert row.document_id is None


def test_guarantees_are_recorded_and_ended_and_rules_are_for_managers(world: World) -> None:
    account_id, _ = world.account("AURO", 0)
    collector, manager = login(world, "collector"), login(world, "credit_manager")
    given = {"kind": "surety", "amount": "5.000,00", "expiry_date": "2025-12-31", "giver": "Ugo Conti"}
    collector.post(reverse("add_guarantee", args=[account_id]), given)
    row = Guarantee.objects.get()
    assert str(row.amount) == "5000.000" and row.expiry_date == date(2025, 12, 31)
    collector.post(reverse("end_guarantee", args=[account_id, row.id]), {"outcome": "released"})
    assert Guarantee.objects.get().end.outcome == "released"
    rules = {"four_eyes_mills": "40000", "tolerance_days": "7"}
    assert collector.post(reverse("plan_rules"), rules).status_code == 403
    manager.post(reverse("plan_rules"), rules)
    found = rules_of(world.companies["AURO"])
    assert (found.four_eyes_mills, found.tolerance_days) == (40_000_000, 7)


def test_nobody_decides_about_the_offers_of_another_company(world: World) -> None:
    stranger, name = world.account("BORE", 0)
    client = Client()
    client.force_login(user("of-bore", "credit_manager", world.companies["BORE"]))
    client.post(reverse("add_plan", args=[stranger]), plan_of(stranger))
    row = newest()
    own = world.account("AURO", 0)[0]
    manager = login(world, "credit_manager")
    for account_id in (stranger, own):
        for act in ("approve", "withdraw", "agree"):
            address = reverse("offer_decide", args=[account_id, row.id])
            assert manager.post(address, {"act": act, "name": "Ugo Conti", "way": "paper"}).status_code == 404
    assert name not in manager.get(reverse("plans")).content.decode()
    assert newest().state == "open"


def test_the_page_of_plans_costs_the_same_for_many(world: World) -> None:
    manager = login(world, "credit_manager")
    counts = []
    for place in range(3):
        account_id, _ = world.account("AURO", place)
        manager.post(reverse("add_plan", args=[account_id]), plan_of(account_id))
        row = newest()
        agreed = {"act": "agree", "name": "Ugo Conti", "way": "paper"}
        manager.post(reverse("offer_decide", args=[account_id, row.id]), agreed)
        with CaptureQueriesContext(connection) as found:
            assert manager.get(reverse("plans")).status_code == 200
        counts.append(len(found))
    assert counts[1] == counts[2], counts
