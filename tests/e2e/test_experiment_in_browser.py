"""An experiment from the keyboard: the number needed is computed, what it shows fits a telephone too."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from saldo.collection.models import ExperimentEnd
from saldo.identity.models import User
from tests.e2e.test_staff import EXPECT_MILLISECONDS, log_in
from tests.experiment_world import DAY, World
from tests.web_world import PASSWORD

BASE = "/playbooks/experiments/"


@pytest.fixture
def world(page: Any) -> World:
    page.set_default_timeout(EXPECT_MILLISECONDS)
    made = World(24)
    for name in ("anna", "bruno"):
        person = User.objects.get(username=name)
        person.set_password(PASSWORD)
        person.save()
    return made


def fits(page: Any) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def test_computed_read_and_stopped_by_keyboard(page: Any, world: World) -> None:
    number = world.begin()
    world.run(DAY)
    arms = world.arms()
    for account in sorted(arms)[:6]:
        world.pay(account, DAY + timedelta(days=3))
    world.run(DAY + timedelta(days=15))
    log_in(page, "anna")
    page.goto(BASE)
    page.locator("a.go").focus()
    with page.expect_navigation():
        page.keyboard.press("Enter")
    page.locator("input[name=effect]").focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("50")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    told = page.locator("main").inner_text()
    assert "Clienti necessari" in told and "100" in told and "Troppo pochi clienti" in told

    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 844})
        for address in (BASE, f"{BASE}new/", f"{BASE}{number}/", f"{BASE}{number}/stop/"):
            page.goto(address)
            assert fits(page), (width, address)
    page.goto(f"{BASE}{number}/")
    assert "troppo presto per dirlo" in page.locator("main").inner_text()
    page.goto(f"{BASE}{number}/stop/")
    page.locator("button.go").focus()
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert ExperimentEnd.objects.get().actor == "anna"
