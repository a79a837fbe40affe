"""A playbook changed by keyboard, its mistake found while typing, and put in force by somebody else."""

from __future__ import annotations

from typing import Any

import pytest

from saldo.collection.playbook_changes import save
from saldo.collection.playbooks import in_force, version_row
from saldo.core.playbook_text import shipped
from tests.e2e.test_staff import EXPECT_MILLISECONDS, log_in
from tests.web_world import PASSWORD, World, build, context, user

ONE = "/playbooks/of/standard/"


@pytest.fixture
def world(page: Any) -> World:
    page.set_default_timeout(EXPECT_MILLISECONDS)
    made = build()
    for name in ("luca", "marta"):
        user(name, "credit_manager", made.companies["AURO"], password=PASSWORD)
    save(context("anna"), made.companies["AURO"], shipped()["standard"])
    return made


def test_a_step_is_changed_by_keyboard_and_its_mistake_shown_at_once(page: Any, world: World) -> None:
    company = world.companies["AURO"]
    log_in(page, "luca")
    page.goto(f"{ONE}edit/")
    day = page.locator("input[name=s2-day]")
    day.focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("presto")
    page.locator("#playbook-problems .is-error").wait_for()
    assert "presto" in page.locator("#playbook-problems").inner_text()
    day.focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("8")
    page.locator("#playbook-problems .is-error").wait_for(state="detached")
    page.locator("button[name=do][value=save]").focus()
    with page.expect_navigation():
        page.keyboard.press("Enter")
    saved = version_row(company, "standard")
    assert (saved.version, saved.actor) == (2, "luca")
    step = saved.playbook.step("sollecito-1")
    assert step is not None and step.day == 8
    page.goto(f"{ONE}2/activate/")
    assert page.locator("form button.go").count() == 0
    assert "marta" in page.locator("main").inner_text()


def test_a_problem_leads_to_its_line_in_the_text(page: Any, world: World) -> None:
    log_in(page, "luca")
    page.goto(f"{ONE}edit/?as=text")
    area = page.locator("textarea[name=text]")
    area.fill(area.input_value().replace('channel = "pec"', 'channel = "pecc"', 1))
    button = page.locator("#playbook-problems [data-line]").first
    button.focus()
    page.keyboard.press("Enter")
    chosen = page.evaluate("(a => a.value.slice(a.selectionStart, a.selectionEnd))(document.activeElement)")
    assert chosen == 'channel = "pecc"'


def test_another_person_puts_it_in_force_and_the_pages_fit_a_phone(page: Any, world: World) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    log_in(page, "marta")
    for address in (
        "/playbooks/",
        ONE,
        f"{ONE}edit/",
        f"{ONE}edit/?as=text",
        f"{ONE}1/try/",
        "/playbooks/new/",
    ):
        page.goto(address)
        page.wait_for_load_state("networkidle")
        wide = page.evaluate(
            "[document.querySelector('main').scrollWidth, document.documentElement.clientWidth]"
        )
        assert wide[0] <= wide[1], (address, wide)
    page.goto(f"{ONE}1/activate/")
    with page.expect_navigation():
        page.locator("form button.go").click()
    assert [playbook.code for _, playbook in in_force(world.companies["AURO"])] == ["standard"]
