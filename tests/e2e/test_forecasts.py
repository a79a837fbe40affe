"""An account by keyboard: its open items, the curve of one of them, and why; the same on a phone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.test_staff import EXPECT_MILLISECONDS, log_in
from tests.forecast_pages_world import add_version, build_forecasts, put_in_use
from tests.web_world import PASSWORD, World, user


@pytest.fixture
def world(page: Any) -> World:
    page.set_default_timeout(EXPECT_MILLISECONDS)
    return build_forecasts()


def test_an_item_opens_its_curve_by_keyboard(page: Any, world: World) -> None:
    account_id, name = world.account("AURO", 0)
    user("luca", "credit_manager", world.companies["AURO"], password=PASSWORD)
    log_in(page, "luca")
    page.goto(f"/accounts/{account_id}/")
    assert page.locator("h1").inner_text() == name
    page.keyboard.press("j")
    page.keyboard.press("j")
    row = page.locator("tr.row.selected")
    link = row.locator("a.name")
    assert link.get_attribute("aria-expanded") == "false"
    page.keyboard.press("Enter")
    curve = page.locator("tr.detail .curve > svg")
    curve.wait_for()
    assert link.get_attribute("aria-expanded") == "true"
    assert page.locator(f"#{link.get_attribute('aria-controls')}").count() == 1
    box = curve.bounding_box()
    assert box["width"] > 300 and box["height"] > 150
    # The line starts at the left edge of the plot, at the bottom, and reaches its right edge.
    line = page.locator("tr.detail path.line").bounding_box()
    assert abs(line["width"] - box["width"]) < 4
    assert "Di solito paga 22 giorni dopo la scadenza" in page.locator("tr.detail").inner_text()
    page.keyboard.press("Enter")
    page.locator("tr.detail").wait_for(state="hidden")
    assert link.get_attribute("aria-expanded") == "false"
    # Another item keeps its own part; the first one is not fetched twice.
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    page.locator("tr.detail:visible").wait_for()
    assert page.locator("tr.detail").count() == 2


def test_the_pages_fit_a_phone(page: Any, world: World) -> None:
    company = world.companies["AURO"]
    put_in_use(company, add_version(company, "20250310-bbbb"), "prova")
    user("luca", "credit_manager", company, password=PASSWORD)
    page.set_viewport_size({"width": 390, "height": 844})
    log_in(page, "luca")
    account_id, _ = world.account("AURO", 0)
    for address in (f"/accounts/{account_id}/", "/accounts/warnings/", "/models/", "/dashboard/"):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, address
    page.goto(f"/accounts/{account_id}/")
    page.locator("tr.row a.name").first.click()
    page.locator("tr.detail .curve > svg").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
