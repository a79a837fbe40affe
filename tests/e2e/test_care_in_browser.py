"""A round of visits made and worked through by keyboard, and a survey answered on a phone, in a browser."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse

from saldo.collection.models import Outcome, VisitRound
from saldo.disputes.operations import end_dispute, open_dispute
from saldo.flows import ask_surveys
from saldo.interfaces import clock
from saldo.measurement.models import SurveyAnswer
from saldo.outreach.models import Message
from saldo.outreach.settings import change_rules
from saldo.parties.models import Contact
from saldo.parties.preferences import preferences_of
from tests import mail_world, visits_world
from tests.visits_world import NAMES, NOW, World
from tests.web_world import AS_OF, PASSWORD


@pytest.fixture
def world(page: Any, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(clock, "now", lambda: NOW)
    monkeypatch.setattr(clock, "today", lambda: AS_OF)
    made = visits_world.build()
    page.goto("/login/")
    page.get_by_label("Utente").fill("carla")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.locator("nav.side").wait_for()
    page.wait_for_load_state("load")
    return made


def fits(page: Any) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0)


def test_a_day_of_visits_by_keyboard(page: Any, world: World) -> None:
    page.goto(reverse("visits"))
    page.locator(".areas tr", has_text="Milano").get_by_role("link", name="Preparare un giro").focus()
    page.keyboard.press("Enter")
    page.locator(".areas tr", has_text=NAMES[1]).wait_for()
    page.get_by_label(NAMES[1]).focus()
    page.keyboard.press("Space")
    page.get_by_label("Giorno").fill(AS_OF.isoformat())
    page.get_by_role("button", name="Creare il giro").focus()
    page.keyboard.press("Enter")
    stop = page.locator(".visits li", has_text=NAMES[0])
    stop.wait_for()
    assert [each["account_id"] for each in VisitRound.objects.get().stops] == [world.accounts[0]]
    if not stop.get_by_label("Paga entro il").is_visible():
        stop.locator("summary", has_text="Esito").focus()
        page.keyboard.press("Enter")
    stop.get_by_label("Paga entro il").fill((AS_OF + timedelta(days=5)).isoformat())
    stop.get_by_label("Importo").fill("9000")
    stop.get_by_role("button", name="Promessa").focus()
    page.keyboard.press("Enter")
    page.locator(".visits .tag", has_text="Promessa").wait_for()
    outcome = Outcome.objects.get()
    assert (outcome.channel, outcome.result) == ("visit", "promise")
    page.set_viewport_size({"width": 390, "height": 844})
    for name in ("visits", "courtesy", "care"):
        page.goto(reverse(name))
        assert fits(page), name
    page.goto(reverse("visit_round", args=[VisitRound.objects.get().id]))
    assert fits(page)


def test_a_request_is_noted_on_the_customers_page(page: Any, world: World) -> None:
    page.goto(reverse("account", args=[world.accounts[0]]) + "#asked")
    page.locator("#asked summary", has_text="Annotare una richiesta").focus()
    page.keyboard.press("Enter")
    form = page.locator("#asked form", has=page.locator("select[name=kind]"))
    form.locator("select[name=kind]").select_option("call_hours")
    form.get_by_label("Orari o parole").fill("lun-ven 14-18")
    page.keyboard.press("Enter")
    page.locator("#asked li", has_text="lun-ven 14:00-18:00").wait_for()
    ctx = visits_world.context(world)
    assert [row.kind for row in preferences_of(ctx, world.accounts[0])] == ["call_hours"]


def test_a_survey_on_a_phone(
    page: Any, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "channels.toml"
    path.write_text(mail_world.CHANNELS.format(port=1, security="none", more="").replace("ALFA", "AURO"))
    path.chmod(0o600)
    monkeypatch.setenv("SALDO_CHANNELS", str(path))
    account = world.accounts[0]
    Contact.objects.create(account_id=account, name="Rosa Verdi", email="rosa@cliente.test")
    ctx = visits_world.context(world)
    change_rules(ctx, world.company_id, cutover_date=AS_OF, survey=True)
    end_dispute(ctx, open_dispute(ctx, account, [(world.items[0], 10_000)], "price"), "withdrawn")
    (message,) = ask_surveys.queue_surveys(ctx, world.company_id).done
    address = "/l/s/" + Message.objects.get(id=message).body.split("/l/s/")[1].split()[0]
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(address)
    assert fits(page)
    page.locator("input[name=csat]").first.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.locator("input[name=nps]").first.focus()
    page.keyboard.press("ArrowLeft")
    page.get_by_label("Che cosa dovremmo fare meglio?").fill("rispondere prima")
    page.get_by_role("button", name="Inviare le risposte").click()
    page.get_by_role("heading", name="Grazie").wait_for()
    answer = SurveyAnswer.objects.get()
    assert (answer.csat, answer.nps, answer.comment) == (4, 10, "rispondere prima")
