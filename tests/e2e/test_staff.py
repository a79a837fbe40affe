"""A morning at the desk, in a real browser: the worklist by keyboard, and an import from file to result."""

from __future__ import annotations

import re
import threading
from typing import Any

import pytest
from django.db import connections

from tests.web_world import CUSTOMERS, HEADER, PASSWORD, World, build, user

EXPECT_MILLISECONDS = 8000


@pytest.fixture
def world(page: Any) -> World:
    page.set_default_timeout(EXPECT_MILLISECONDS)
    return build()


def log_in(page: Any, name: str) -> None:
    page.goto("/")
    page.get_by_label("Utente").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Accedi").click()
    page.locator("nav.side").wait_for()
    page.wait_for_load_state("load")


def selected(page: Any) -> str:
    return str(page.locator("tr.row.selected .name").inner_text())


def wait_for_pane(page: Any, name: str) -> None:
    page.locator("#pane .pane-head h2", has_text=name).wait_for()


def test_the_worklist_by_keyboard(page: Any, world: World) -> None:
    user("luca", "collector", world.companies["AURO"], password=PASSWORD)
    log_in(page, "luca")
    first, second = (page.locator("tr.row .name").nth(i).inner_text() for i in (0, 1))
    wait_for_pane(page, first)
    page.keyboard.press("j")
    assert selected(page) == second
    wait_for_pane(page, second)
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "pane"

    page.keyboard.press("x")
    page.locator("#toasts", has_text=f"{second}: fatto").wait_for()
    page.locator("tr.row .name", has_text=second).wait_for(state="detached")
    assert page.locator("#nav-count").inner_text() == "2"
    page.keyboard.press("u")
    page.locator("tr.row.selected .name", has_text=second).wait_for()
    assert page.locator("#nav-count").inner_text() == "3"

    # A call that nobody answers: one key, and it comes back on the next working day.
    wait_for_pane(page, second)
    page.locator("#pane [data-key=c]").wait_for()
    page.keyboard.press("c")
    page.locator("#dlg-call[open] .script").wait_for()
    page.keyboard.press("6")
    page.locator("#toasts", has_text="non risponde, torna il ven 21/03/2025").wait_for()

    # Postponing without a reason does not leave the form; a reason is one key.
    left = selected(page)
    wait_for_pane(page, left)
    page.keyboard.press("s")
    page.locator("#dlg-snooze[open]").wait_for()
    page.keyboard.press("Enter")
    assert page.locator("#dlg-snooze[open]").count() == 1
    page.keyboard.press("3")
    page.locator("#toasts", has_text=f"{left}: rimandato a gio 27/03/2025").wait_for()

    page.keyboard.press("Control+k")
    page.keyboard.type("molino")
    page.locator("#hits a", has_text=CUSTOMERS["AURO"][2]).wait_for()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/accounts/\d+/"))
    assert page.locator("h1").inner_text() == CUSTOMERS["AURO"][2]
    page.keyboard.press("g")
    page.keyboard.press("d")
    page.wait_for_url("**/dashboard/")
    assert page.locator("h1").inner_text() == "Cruscotto"


def test_on_a_phone_the_pane_is_a_page(page: Any, world: World) -> None:
    user("luca", "credit_manager", world.companies["AURO"], password=PASSWORD)
    page.set_viewport_size({"width": 390, "height": 844})
    log_in(page, "luca")
    name = page.locator("tr.row .name").first.inner_text()
    page.locator("tr.row .name").first.click()
    page.wait_for_url(re.compile(r"/worklist/\d+/"))
    assert page.locator(".pane-head h2").inner_text() == name
    for address in ("/", "/accounts/", "/dashboard/", "/imports/", "/settings/"):
        page.goto(address)
        too_wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert too_wide <= 0, address


def work_off_the_queue() -> None:
    """What a worker does until nothing waits; in a thread, because the browser has this one's loop."""
    from procrastinate.contrib.django import app

    def work() -> None:
        with app.replace_connector(app.connector.get_worker_connector()) as worker:
            worker.run_worker(wait=False, install_signal_handlers=False, listen_notify=False)

    # The worker's own thread closes its connection when its job ends, not ten minutes later.
    connections.settings["default"]["CONN_MAX_AGE"] = 0
    thread = threading.Thread(target=work)
    thread.start()
    thread.join(60)
    assert not thread.is_alive()


def test_an_import_from_file_to_result(page: Any, world: World) -> None:
    user("carla", "credit_manager", world.companies["AURO"], password=PASSWORD)
    log_in(page, "carla")
    page.keyboard.press("g")
    page.keyboard.press("i")
    page.wait_for_url("**/imports/")
    rows = [
        f"C9;Segheria Quercegrossa S.r.l.;Q-{n}/25;0{n}/02/2025;0{n}/03/2025;{n}00,00" for n in range(1, 6)
    ]
    rows.append("C9;Segheria Quercegrossa S.r.l.;Q-6/25;05/02/2025;31/02/2025;600,00")
    data = (HEADER + "\n".join(rows) + "\n").encode()
    page.set_input_files("[data-files]", {"name": "partite.csv", "mimeType": "text/csv", "buffer": data})

    page.wait_for_url("**/imports/new/**")
    # The proposal is corrected in the form, and the preview follows.
    for field, header in (
        ("customer_code", "Codice"),
        ("customer_name", "Cliente"),
        ("due_date", "Scadenza"),
    ):
        select = page.locator(f"[name=column-{field}]")
        if select.input_value() != header:
            with page.expect_response(lambda response: "/imports/new/" in response.url):
                select.select_option(header)
        page.locator(f"[name=column-{field}] option:checked", has_text=header).wait_for(state="attached")
    refused = page.locator(".rejections li")
    refused.wait_for()
    assert "31/02/2025" in refused.inner_text()
    assert page.locator(".preview tbody tr").count() == 5
    page.get_by_role("button", name=re.compile("Importa")).click()
    page.wait_for_url(re.compile(r"/imports/\d+/"))
    page.locator("#progress").wait_for()
    work_off_the_queue()
    page.locator("h1", has_text="partite.csv").wait_for()
    page.locator(".facts").wait_for()
    figures = page.locator(".facts dd").all_inner_texts()
    assert figures == ["5", "0", "0", "1"], figures
    with page.expect_download() as download:
        page.get_by_role("link", name="Scarica in CSV").click()
    text = download.value.path().read_text(encoding="utf-8-sig")
    assert "31/02/2025" in text
    # What was imported is found.
    page.keyboard.press("/")
    page.keyboard.type("Q-3/25")
    page.locator("#hits a", has_text="Segheria Quercegrossa").wait_for()
