"""A collector's day by keyboard: a call, a promise, what was kept of it, and a call-back at its hour."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from saldo.core.money import Money
from saldo.flows.day import run_day
from saldo.interfaces import clock
from saldo.ledger import entries
from tests.e2e.test_staff import log_in, selected, wait_for_pane
from tests.web_world import World, build, context, user

EXPECT_MILLISECONDS = 30_000
JUDGED = date(2025, 3, 25)


@pytest.fixture
def world(page: Any) -> World:
    page.set_default_timeout(EXPECT_MILLISECONDS)
    return build()


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    return lambda instant: monkeypatch.setattr(clock, "now", lambda: instant)


def open_call(page: Any, name: str) -> None:
    wait_for_pane(page, name)
    page.locator("#pane [data-key=c]").wait_for()
    page.keyboard.press("c")
    page.locator("#dlg-call[open] .script").wait_for()


def pays_in_part(world: World, name: str) -> None:
    """The bank books 400 euro of the 1,000 that were promised."""
    from saldo.promises.models import PromiseItem

    item = PromiseItem.objects.order_by("item_id").first()
    ctx = replace(context(), as_of=date(2025, 3, 21), clock=lambda: datetime(2025, 3, 21, 12, tzinfo=UTC))
    shares = [entries.Share(item.item_id, Decimal(400))]
    entries.record_payment(
        ctx, world.accounts["AURO"][name], Money(Decimal(400), "EUR"), shares, number="B-1"
    )


def test_call_promise_judged_and_called_back(page: Any, world: World, at: Any) -> None:
    from saldo.parties.models import Contact

    for account_id in world.accounts["AURO"].values():
        Contact.objects.create(account_id=account_id, name="Anna Ferri", role="Conti", phone="0577 123456")
    user("luca", "collector", world.companies["AURO"], password="una-parola-lunga-1")
    at(datetime(2025, 3, 20, 8, tzinfo=UTC))
    log_in(page, "luca")
    name = selected(page)

    # Promise: c, the reason's letter, 2, the day and the amount, Enter.
    open_call(page, name)
    assert "Chiedere" in page.locator("#dlg-call .script").inner_text()
    page.keyboard.press("f")
    assert page.locator("#dlg-call [name=delay_reason]:checked").get_attribute("value") == "approval"
    page.keyboard.press("2")
    page.locator("#dlg-call details[data-part=promise][open]").wait_for()
    page.keyboard.type("ven")
    page.locator("#dlg-call .typed", has_text="ven 21/03/2025").wait_for()
    page.keyboard.press("Tab")
    page.keyboard.type("1.000")
    page.keyboard.press("Enter")
    page.locator("#toasts", has_text=f"{name}: promessa").wait_for()
    page.locator("tr.row .name", has_text=name).wait_for(state="detached")

    # The bank tells of a part of it; the day after the tolerance says so, on top of the list.
    pays_in_part(world, name)
    company = world.companies["AURO"]
    morning = datetime(2025, 3, 25, 6, tzinfo=UTC)
    run_day(replace(context(), as_of=JUDGED, company_id=company, clock=lambda: morning), company)
    at(datetime(2025, 3, 25, 8, tzinfo=UTC))
    page.goto("/")
    assert selected(page) == name
    assert "in parte" in page.locator("tr.row.selected .why").inner_text()

    # Asked to be called back: the row is gone until the hour, then it comes first.
    open_call(page, name)
    assert "Aveva promesso" in page.locator("#dlg-call .script").inner_text()
    page.keyboard.press("4")
    page.locator("#dlg-call details[data-part=call_back][open]").wait_for()
    page.keyboard.type("11:30")
    page.locator("#dlg-call .typed", has_text="11:30").wait_for()
    page.keyboard.press("Enter")
    page.locator("#toasts", has_text="richiamare: mar 25/03/2025 alle 11:30").wait_for()
    page.locator("tr.row .name", has_text=name).wait_for(state="detached")
    at(datetime(2025, 3, 25, 10, 31, tzinfo=UTC))
    page.goto("/")
    assert selected(page) == name
    assert page.locator(".call-backs a.due").count() == 1
    assert page.locator("tr.block").first.inner_text() == "Da richiamare adesso"

    # Escape leaves the part, then the sheet; nothing is recorded.
    open_call(page, name)
    page.keyboard.press("3")
    page.locator("#dlg-call details[data-part=dispute][open]").wait_for()
    page.keyboard.press("Escape")
    assert page.locator("#dlg-call[open]").count() == 1
    page.keyboard.press("Escape")
    page.locator("#dlg-call[open]").wait_for(state="detached")
    assert selected(page) == name
