"""The post by keyboard in a real browser: a planned message approved, a reply confirmed by one key."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.outreach_pages_world import PostWorld, build_post
from tests.web_world import CUSTOMERS, PASSWORD, user

EXPECT_MILLISECONDS = 30_000


@pytest.fixture
def post(page: Any) -> PostWorld:
    page.set_default_timeout(EXPECT_MILLISECONDS)
    made = build_post()
    user("luca", "collector", made.companies["AURO"], password=PASSWORD)
    page.goto("/login/")
    page.get_by_label("Utente").fill("luca")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.locator("nav.side").wait_for()
    page.wait_for_load_state("load")
    return made


def in_pane(page: Any, line: int, selector: str = "") -> Any:
    place = page.locator(f'#pane [data-line="{line}"] {selector}'.strip())
    place.first.wait_for()
    return place


def test_the_post_is_worked_off_by_keyboard(page: Any, post: PostWorld) -> None:
    from saldo.collection.models import PlaybookDecision
    from saldo.outreach.models import Message, ReplyHandling
    from saldo.promises.models import Promise

    page.keyboard.press("g")
    page.keyboard.press("p")
    page.wait_for_url("**/mail/")
    rows = page.locator("tr.row")
    assert rows.count() == 2 and page.locator("#nav-mail").inner_text() == "3"
    first, second = (int(rows.nth(place).get_attribute("data-line")) for place in (0, 1))

    # The first is read and approved with one key; the next opens by itself.
    in_pane(page, first, ".mail-body table")
    page.keyboard.press("a")
    page.locator("#toasts", has_text="approvato").wait_for()
    in_pane(page, second, '[data-key="x"]')
    assert Message.objects.filter(action_id=first).count() == 1
    assert page.locator("#nav-mail").inner_text() == "2"
    # What the list comes to, and what "approve all" would approve, went down with it.
    assert page.locator("#figures b").first.inner_text() == "1"
    assert page.locator("#dlg-all [name=count]").input_value() == "1"

    # The second is not sent: the dialog asks why.
    page.keyboard.press("x")
    page.locator("#dlg-refuse[open]").wait_for()
    page.keyboard.press("Enter")
    assert page.locator("#dlg-refuse[open]").count() == 1
    page.keyboard.type("li chiamo io")
    page.keyboard.press("Enter")
    page.locator("#list h2", has_text="Nulla da approvare").wait_for()
    assert PlaybookDecision.objects.get(action_id=second).note == "li chiamo io"

    # What came back is a promise, filled in: Enter records it, u takes it back.
    page.goto("/mail/replies/")
    reply = post.reply["AURO"]
    assert in_pane(page, reply, "[name=promised_date]").input_value() == "2025-03-28"
    page.keyboard.press("Enter")
    page.locator("#list h2", has_text="Nessuna risposta in attesa").wait_for()
    promise = Promise.objects.get()
    assert promise.promised_date.isoformat() == "2025-03-28"
    assert page.locator("#nav-mail").inner_text() == ""
    page.keyboard.press("u")
    page.locator("tr.row .name", has_text=CUSTOMERS["AURO"][0]).wait_for()
    assert ReplyHandling.objects.latest("id").act == "reopened"

    # The brake is always at hand, and every page says that it is on.
    page.locator("button.danger").first.click()
    page.locator("#dlg-stop[open]").wait_for()
    page.keyboard.press("Enter")
    page.locator(".stopped", has_text="Invii fermi").wait_for()


@pytest.mark.parametrize("width", [1600, 1280, 1000, 390])
def test_the_columns_of_replies_keep_off_the_edge(page: Any, post: PostWorld, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    page.goto("/mail/replies/")
    page.locator("table.replies").wait_for()
    gap = page.evaluate(
        """() => { const edge = document.querySelector("table.replies").getBoundingClientRect().right;
          return Math.min(...[...document.querySelectorAll("table.replies td, table.replies th")]
            .filter(cell => cell.offsetParent).map(cell => { const range = document.createRange();
              range.selectNodeContents(cell); return edge - range.getBoundingClientRect().right; })); }"""
    )
    assert gap >= 8, gap


def test_the_post_on_a_phone(page: Any, post: PostWorld) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/mail/replies/")
    page.locator("tr.row .name").first.click()
    page.wait_for_url(re.compile(rf"/mail/replies/{post.reply['AURO']}/"))
    message, account = post.message["AURO"], post.world.account("AURO", 0)[0]
    for address in (
        "/mail/", "/mail/sent/", "/mail/unknown/", "/mail/replies/", f"/mail/replies/{post.reply['AURO']}/",
        f"/mail/{message}/", f"/mail/planned/{post.planned['AURO']}/", f"/accounts/{account}/",
        f"/accounts/{account}/write/", "/sending/", "/sending/texts/", "/cash/claims/",
    ):  # fmt: skip
        page.goto(address)
        too_wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert too_wide <= 0, address
