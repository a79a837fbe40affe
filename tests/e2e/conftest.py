"""A real server on a free port, a real browser, and the database of the tests."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest

# The browser's driver runs an event loop in the test's thread, beside which the tests use the database.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "1")

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


def browser_path() -> str | None:
    named = os.environ.get("SALDO_CHROMIUM")
    return named or next((path for name in BROWSERS if (path := shutil.which(name))), None)


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Each request has a thread of its own, and closes its database connection when it ends."""
        from django.db import connections

        try:
            super().process_request_thread(request, client_address)
        finally:
            connections.close_all()


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def site(committed_db: None) -> Iterator[str]:
    """The address of the running application."""
    from saldo.config.wsgi import application

    server = make_server("127.0.0.1", 0, application, server_class=_Server, handler_class=_Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    path = browser_path()
    if path is None:
        pytest.skip("no Chromium on this machine: install chromium, or name one in SALDO_CHROMIUM")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Any, site: str) -> Iterator[Any]:
    """A page at 1440 x 900; whatever the browser complains about fails the test."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, base_url=site, locale="it-IT")
    shown = context.new_page()
    complaints: list[str] = []
    shown.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    shown.on("pageerror", lambda error: complaints.append(str(error)))
    yield shown
    context.close()
    assert not complaints, complaints
