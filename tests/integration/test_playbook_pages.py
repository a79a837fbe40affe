"""The pages of playbooks: who may, the form and the text, the second person, the dry run."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from lxml import html

from saldo.collection.playbook_changes import activate, install_shipped, save
from saldo.collection.playbooks import in_force, version_row, versions
from saldo.core.playbook_text import parse, render, shipped
from saldo.interfaces.web.playbook_form import changed, form_of
from saldo.parties.models import Contact
from tests.web_world import World, build, context, user

pytestmark = pytest.mark.django_db
STANDARD = shipped()["standard"]
EDIT = reverse("playbook_edit", args=["standard"])
MANAGERS = ("administrator", "credit_manager")


@pytest.fixture
def world(db: None) -> World:
    return build()


@pytest.fixture
def company(world: World) -> int:
    return world.companies["AURO"]


def client_of(world: World, name: str, role: str = "credit_manager", **profile: str) -> Client:
    client = Client()
    person = user(name, role, world.companies["AURO"])
    for key, value in profile.items():
        setattr(person, key, value)
    person.save()
    client.force_login(person)
    return client


def fields(client: Client, **more: Any) -> dict[str, Any]:
    """What a browser posts of the form as the page shows it."""
    form = html.fromstring(client.get(EDIT).content.decode()).xpath('//form[contains(@class, "editor")]')[0]
    posted: dict[str, Any] = {}
    for name, value in form.form_values():
        posted.setdefault(name, []).append(value)
    return posted | more


def test_who_sees_and_who_changes(world: World, company: int) -> None:
    install_shipped(context(), company)
    for role in ("administrator", "credit_manager", "collector", "cash_specialist", "cfo", "customer_care"):
        client = client_of(world, f"one-{role}", role)
        may = role in MANAGERS
        assert client.get(reverse("playbooks")).status_code == 200, role
        assert client.get(reverse("playbook", args=["standard"])).status_code == 200, role
        assert client.get(EDIT).status_code == (200 if may else 403), role
        assert client.get(reverse("playbook_new")).status_code == (200 if may else 403), role
        for name in ("playbook_activate", "playbook_retire", "playbook_edit"):
            args = ["standard", 1] if name == "playbook_activate" else ["standard"]
            if not may:
                assert client.post(reverse(name, args=args)).status_code == 403, (role, name)
    sales = client_of(world, "one-sales", "sales")
    assert sales.get(reverse("playbooks")).status_code == 403
    assert in_force(company) == []


def test_the_first_four_are_added_and_shown_in_their_order(world: World, company: int) -> None:
    client = client_of(world, "luca")
    empty = client.get(reverse("playbooks")).content.decode()
    assert reverse("playbook_install") in empty
    page = client.post(reverse("playbook_install"), follow=True).content.decode()
    places = [page.index(reverse("playbook", args=[code])) for code in shipped()]
    assert places == sorted(places)
    assert reverse("playbook_install") not in page


@pytest.mark.parametrize("language", ["it", "en"])
def test_what_the_form_shows_is_what_it_saves(world: World, company: int, language: str) -> None:
    client = client_of(world, "luca", language=language)
    for text in shipped().values():
        # One address serves all four: the code is not what is tried here.
        given = parse(text.replace(f'code = "{parse(text).code}"', 'code = "standard"', 1))
        save(context("anna"), company, render(given) + "# a remark that the form does not know\n")
        newest = version_row(company, "standard").version
        assert client.post(EDIT, fields(client, do="save")).status_code == 302
        saved = version_row(company, "standard")
        assert (saved.version, saved.playbook) == (newest + 1, given)


def test_a_step_changed_in_the_form_is_the_next_version(world: World, company: int) -> None:
    save(context("anna"), company, STANDARD)
    client = client_of(world, "luca")
    posted = fields(client, note="più tardi", do="save")
    posted |= {"s2-day": "8", "s2-min_amount": "1.250,50", "s4-min_share": "2,5", "s2-channel": "pec"}
    posted |= {"s2-fallback": ["letter", "email"]}
    answer = client.post(EDIT, posted)
    assert answer.status_code == 302 and answer["Location"].endswith("?version=2")
    saved = version_row(company, "standard")
    assert (saved.actor, saved.note) == ("luca", "più tardi")
    step = saved.playbook.step("sollecito-1")
    assert step is not None
    assert (step.day, step.min_amount_mills, step.channel, step.fallback) == (
        8, 1_250_500, "pec", ("letter", "email"),
    )  # fmt: skip
    assert saved.playbook.steps[4].min_share == 0.025


def test_mistakes_stand_beside_their_step_and_nothing_is_lost(world: World, company: int) -> None:
    save(context("anna"), company, STANDARD)
    client = client_of(world, "luca")
    posted = fields(client, do="save") | {"s2-day": "tra poco", "s5-code": "", "order": "ultimo"}
    answer = client.post(EDIT, posted)
    page = answer.content.decode()
    assert answer.status_code == 400 and len(versions(company)) == 1
    assert 'value="tra poco"' in page and 'value="ultimo"' in page
    assert 'href="#step-3"' in page and 'href="#step-6"' in page
    assert page.count("is-wrong") == 2
    live = client.post(EDIT, posted | {"do": "check"}, headers={"HX-Request": "true"}).content.decode()
    assert live.lstrip().startswith('<section id="playbook-problems"') and "tra poco" in live


def test_steps_are_moved_added_and_taken_out_without_a_script(world: World, company: int) -> None:
    save(context("anna"), company, STANDARD)
    client = client_of(world, "luca")

    def codes(wish: str) -> list[str]:
        page = client.post(EDIT, fields(client, do=wish)).content.decode()
        return re.findall(r'name="s\d+-code" value="([^"]*)"', page)

    before = [step.code for step in parse(STANDARD).steps]
    assert codes("check") == before
    assert codes("down-0")[:2] == [before[1], before[0]]
    assert codes("up-0") == before
    assert codes("drop-1") == [before[0], *before[2:]]
    assert codes("add") == [*before, ""]
    assert codes("copy-2")[:5] == [*before[:3], "", before[3]]
    assert codes("drop-99") == before
    assert changed(form_of(parse(STANDARD), "it"), "drop--1") is None
    assert len(versions(company)) == 1


def test_from_the_form_to_the_text_and_back(world: World, company: int) -> None:
    save(context("anna"), company, STANDARD)
    client = client_of(world, "luca")
    assert "# Restarts prescription" in client.get(EDIT, {"as": "text"}).content.decode()
    page = client.post(EDIT, fields(client, do="text") | {"s2-day": "9"}).content.decode()
    assert '<textarea name="text"' in page and "day = 9" in page
    back = client.post(EDIT, {"mode": "text", "do": "form", "text": STANDARD.replace("day = 5", "day = 9")})
    assert 'name="s2-day" value="9"' in back.content.decode()
    # A text that cannot be read stays a text.
    broken = client.post(EDIT, {"mode": "text", "do": "form", "text": "code = "}).content.decode()
    assert '<textarea name="text"' in broken and 'data-line="1"' in broken


def test_a_playbook_keeps_its_code_and_a_new_one_takes_none(world: World, company: int) -> None:
    save(context("anna"), company, STANDARD)
    client = client_of(world, "luca")
    other = STANDARD.replace('code = "standard"', 'code = "altro"', 1)
    assert client.post(EDIT, {"mode": "text", "do": "save", "text": other}).status_code == 400
    new = reverse("playbook_new")
    assert client.post(new, {"mode": "text", "do": "save", "text": STANDARD}).status_code == 400
    assert client.post(new, {"mode": "text", "do": "save", "text": other}).status_code == 302
    assert {row.code for row in versions(company)} == {"standard", "altro"}


def test_two_who_write_at_once(world: World, company: int) -> None:
    save(context("anna"), company, STANDARD)
    client = client_of(world, "luca")
    opened = {"mode": "text", "do": "save", "based_on": "1", "text": STANDARD.replace("day = 5", "day = 6")}
    save(context("anna"), company, STANDARD.replace("day = 5", "day = 7"))
    refused = client.post(EDIT, opened)
    assert refused.status_code == 409 and "anna" in refused.content.decode()
    assert 'name="based_on" value="2"' in refused.content.decode()
    assert client.post(EDIT, opened | {"based_on": "2"}).status_code == 302
    assert version_row(company, "standard").version == 3


def test_the_author_is_told_who_may_put_it_in_force(world: World, company: int) -> None:
    saved = save(context("luca"), company, STANDARD)
    address = reverse("playbook_activate", args=["standard", 1])
    author = client_of(world, "luca", first_name="Luca", last_name="Brenta")
    second = client_of(world, "marta", first_name="Marta", last_name="Adda")
    client_of(world, "piero", "collector", first_name="Piero", last_name="Sesia")
    page = author.get(address).content.decode()
    assert "Marta Adda" in page and "Luca Brenta</b>" not in page and "Piero Sesia" not in page
    refused = author.post(address)
    assert refused.status_code == 400 and "luca" in refused.content.decode()
    assert in_force(company) == []
    assert second.post(address, {"note": "letto"}).status_code == 302
    assert [version for version, _ in in_force(company)] == [saved.id]
    assert second.post(reverse("playbook_retire", args=["standard"])).status_code == 302
    assert in_force(company) == []


def test_what_differs_is_shown_in_words(world: World, company: int) -> None:
    activate(context("marta"), company, save(context("luca"), company, STANDARD).id)
    later = STANDARD.replace("day = 5", "day = 9").replace('min_amount = "30.00"', 'min_amount = "1500.00"')
    save(context("luca"), company, later)
    client = client_of(world, "marta")
    page = client.get(reverse("playbook", args=["standard"]), {"version": "2"}).content.decode()
    assert "<del>dopo 5 giorni</del>" in page and "<ins>dopo 9 giorni</ins>" in page
    assert "<ins>1.500</ins>" in page
    for bad in ("99", "x", "-1", "1" * 40):
        answer = client.get(reverse("playbook", args=["standard"]), {"version": bad})
        assert answer.status_code in (200, 400, 404), bad
    assert client.get(reverse("playbook", args=["mai-visto"])).status_code in (400, 404)


def test_the_dry_run_of_a_version_and_of_what_is_being_written(world: World, company: int) -> None:
    for account in world.accounts["AURO"].values():
        Contact.objects.create(account_id=account, name="Ada", email=f"ada{account}@example.com")
    activate(context("marta"), company, save(context("luca"), company, STANDARD).id)
    save(context("luca"), company, STANDARD.replace('min_amount = "30.00"', 'min_amount = "20000"'))
    client = client_of(world, "marta")
    address = reverse("playbook_try", args=["standard", 2])
    waiting = client.get(address).content.decode()
    assert f'hx-get="{address}"' in waiting and "trial-steps" not in waiting
    page = client.get(address, headers={"HX-Request": "true"}).content.decode()
    assert world.account("AURO", 2)[1] in page and "54.024,00" in page
    assert not page.lstrip().startswith("<!doctype")
    text = STANDARD.replace("day = 5", "day = 60")
    tried = client.post(EDIT, {"mode": "text", "do": "try", "text": text, "note": "prova"}).content.decode()
    assert "day = 60" in tried and 'value="prova"' in tried
    assert len(versions(company)) == 2
