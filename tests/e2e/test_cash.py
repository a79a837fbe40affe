"""A day's statement cleared in a real browser by keyboard alone, and the same desk on a phone."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.cash_pages_world import CashWorld, build_cash
from tests.web_world import CUSTOMERS, PASSWORD, user

EXPECT_MILLISECONDS = 20_000


@pytest.fixture
def cash(page: Any) -> CashWorld:
    page.set_default_timeout(EXPECT_MILLISECONDS)
    made = build_cash()
    user("carla", "cash_specialist", made.world.companies["AURO"], password=PASSWORD)
    return made


def log_in(page: Any) -> None:
    page.goto("/login/")
    page.get_by_label("Utente").focus()
    page.keyboard.type("carla")
    page.get_by_label("Password").focus()
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.locator("nav.side").wait_for()
    page.wait_for_load_state("load")


def in_pane(page: Any, line: int, selector: str = "") -> Any:
    place = page.locator(f'#pane [data-line="{line}"] {selector}'.strip())
    place.first.wait_for()
    return place


def posted(line: int) -> list[tuple[str, str]]:
    from saldo.cash.models import Posting

    found = Posting.objects.filter(transaction_id=line).order_by("sequence")
    return list(found.values_list("kind", "mode"))


def test_a_day_is_cleared_by_keyboard_alone(page: Any, cash: CashWorld) -> None:
    lines = cash.lines
    log_in(page)
    page.keyboard.press("g")
    page.keyboard.press("b")
    page.wait_for_url("**/cash/")
    assert page.locator("#nav-lines").inner_text() == "4"

    # The surest line is open: another proposal, back to the first, confirm; the next line comes by itself.
    in_pane(page, lines["sure"], '[data-key="Enter"]')
    page.keyboard.press("2")
    in_pane(page, lines["sure"], ".tag.w")
    page.keyboard.press("1")
    in_pane(page, lines["sure"], ".tag.k")
    page.keyboard.press("Enter")
    page.locator("#toasts", has_text="abbinato").wait_for()
    in_pane(page, lines["short"], '[data-key="Enter"]')
    assert posted(lines["sure"]) == [("match", "confirmed")]
    assert page.locator("#nav-lines").inner_text() == "3"

    # Undone with one key, and done again: the line is back where it was.
    page.keyboard.press("u")
    page.locator(f'tr.row.selected[data-line="{lines["sure"]}"]').wait_for()
    in_pane(page, lines["sure"], '[data-key="Enter"]')
    page.keyboard.press("Enter")
    in_pane(page, lines["short"], '[data-key="s"]')

    # What came short: split by hand, with the rest of one item as a deduction.
    page.keyboard.press("s")
    amounts = in_pane(page, lines["short"], "[data-pays]")
    assert amounts.nth(0).input_value() == "4.501,50"
    confirm = page.locator("[data-confirm-split]")
    page.keyboard.type("4.000,00")
    assert page.locator("[data-left]").inner_text() == "501,50"
    assert confirm.is_disabled()
    page.keyboard.press("t")
    assert amounts.nth(0).input_value() == "4.501,50"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.type("prez")
    assert confirm.is_enabled()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    in_pane(page, lines["twice"], '[data-key="Enter"]')
    assert posted(lines["short"]) == [("match", "manual")]

    # Paid twice: to be given back. Then nobody's line: its customer is searched, and it stays on account.
    page.keyboard.press("Enter")
    in_pane(page, lines["nobody"], '[data-key="a"]')
    page.keyboard.press("a")
    in_pane(page, lines["nobody"], "[data-find]")
    page.keyboard.type("molino")
    page.locator("[data-hit]", has_text=CUSTOMERS["AURO"][2]).wait_for()
    page.keyboard.press("Enter")
    in_pane(page, lines["nobody"], "[data-key=Enter]")
    page.keyboard.press("Enter")
    page.locator("#list h2", has_text="Giornata chiusa").wait_for()
    assert page.locator("#nav-lines").inner_text() == ""
    assert page.locator(".flow .late").count() == 0

    # What went out is folded away: unfold it, and say what it was.
    toggle = page.locator("#group-out [data-group-toggle]")
    toggle.focus()
    page.keyboard.press(" ")
    page.locator(f'#rows-out tr[data-line="{lines["out"]}"] a.name').focus()
    in_pane(page, lines["out"], '[data-key="x"]')
    page.keyboard.press("x")
    page.locator("#dlg-other[open]").wait_for()
    page.keyboard.press("1")
    page.locator("#toasts", has_text="non da cliente").wait_for()
    assert posted(lines["out"]) == [("not_customer", "manual")]
    assert posted(lines["nobody"]) == [("match", "manual")]


def test_on_a_phone_one_line_follows_the_other(page: Any, cash: CashWorld) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    log_in(page)
    page.goto("/cash/")
    page.locator("tr.row .name").first.click()
    page.wait_for_url(re.compile(rf"/cash/lines/{cash.lines['sure']}/"))
    page.locator('[data-key="Enter"]').click()
    page.wait_for_url(re.compile(rf"/cash/lines/{cash.lines['short']}/"))
    assert posted(cash.lines["sure"]) == [("match", "confirmed")]
    bank = cash.banks["AURO"]
    for address in (
        "/cash/", "/cash/?view=open", "/cash/unapplied/", "/cash/accounts/", f"/cash/accounts/{bank}/",
        "/cash/learnt/", "/cash/rules/", f"/cash/lines/{cash.lines['short']}/?mode=split&rank=1",
    ):  # fmt: skip
        page.goto(address)
        too_wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert too_wide <= 0, address
