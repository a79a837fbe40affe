"""A customer's contacts in a real browser: added and corrected by keyboard, and the same form on a phone."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from saldo.parties.queries import contacts_of
from tests.web_world import PASSWORD, World, build, user


@pytest.fixture
def world(page: Any) -> World:
    made = build()
    user("luca", "collector", made.companies["AURO"], password=PASSWORD)
    page.goto("/login/")
    page.get_by_label("Utente").fill("luca")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.locator("nav.side").wait_for()
    page.wait_for_load_state("load")
    return made


def test_a_contact_by_keyboard(page: Any, world: World) -> None:
    account = world.account("AURO", 0)[0]
    page.goto(reverse("account", args=[account]) + "#contacts")
    # Where none is known the form is open.
    form = page.locator("#contacts .adds form")
    form.get_by_label("Nome").focus()
    page.keyboard.type("Anna Rossi")
    form.get_by_label("Telefono").focus()
    page.keyboard.type("interno")
    page.keyboard.press("Enter")
    # Refused in words, and what was typed is still there.
    page.locator("#problem", has_text="interno").wait_for()
    assert form.get_by_label("Nome").input_value() == "Anna Rossi"
    form.get_by_label("Telefono").fill("02 5550100")
    page.keyboard.press("Enter")
    page.locator("#contacts .contact", has_text="Anna Rossi").wait_for()

    page.locator("#contacts .contact summary", has_text="Correggi").focus()
    page.keyboard.press("Enter")
    page.locator("#contacts .contact").get_by_label("E-mail").fill("anna@cliente.test")
    page.keyboard.press("Enter")
    page.locator("#contacts .contact a", has_text="anna@cliente.test").wait_for()
    assert [(row.name, row.email, row.phone) for row in contacts_of(account)] == [
        ("Anna Rossi", "anna@cliente.test", "02 5550100")
    ]


def test_the_form_fits_a_phone(page: Any, world: World) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(reverse("account", args=[world.account("AURO", 0)[0]]) + "#contacts")
    button = page.locator("#contacts .adds form button")
    button.scroll_into_view_if_needed()
    assert button.is_visible()
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
