"""Make the pictures of the documentation from today's demo company: make screenshots (needs Chromium)."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

IMAGES = Path(__file__).parent / "images"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESKTOP, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
PAGES = {"worklist": "/", "dashboard": "/dashboard/", "cash": "/cash/", "posta": "/mail/"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(home: str) -> Iterator[tuple[str, str]]:
    """The address of a demo of its own, and its administrator's password."""
    saldo = [sys.executable, "-m", "saldo.interfaces.commands.main"]
    environment = os.environ | {"SALDO_HOME": home}
    environment.pop("DATABASE_URL", None)
    made = subprocess.run(
        [*saldo, "demo", "--no-serve", "--json"],
        env=environment,
        check=True,
        capture_output=True,
    )
    logins = {login["login"]: login["password"] for login in json.loads(made.stdout)["logins"]}
    port = free_port()
    server = subprocess.Popen([*saldo, "serve", "--port", str(port)], env=environment)
    try:
        wait_for(f"http://127.0.0.1:{port}/login/")
        yield f"http://127.0.0.1:{port}", logins["admin"]
    finally:
        server.terminate()
        server.wait(20)
        subprocess.run([*saldo, "db", "stop"], env=environment, check=False)


def wait_for(address: str, seconds: int = 60) -> None:
    for _ in range(seconds * 4):
        try:
            urllib.request.urlopen(address, timeout=2)
            return
        except OSError:
            time.sleep(0.25)
    raise TimeoutError(address)


def log_in(page: Page, password: str) -> None:
    page.goto("/login/")
    page.fill("input[name=username]", "admin")
    page.fill("input[name=password]", password)
    page.press("input[name=password]", "Enter")
    page.wait_for_load_state("networkidle")


def main() -> None:
    chromium = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if chromium is None:
        sys.exit("Chromium is not installed")
    IMAGES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as home,
        served(home) as (address, password),
        sync_playwright() as driver,
    ):
        browser = driver.chromium.launch(executable_path=chromium, args=FLAGS)
        for suffix, size, scheme in (
            ("", DESKTOP, "light"),
            ("-phone", PHONE, "light"),
            ("-dark", DESKTOP, "dark"),
        ):
            context = browser.new_context(
                viewport=size, base_url=address, color_scheme=scheme, locale="it-IT", device_scale_factor=1
            )
            page = context.new_page()
            log_in(page, password)
            for name, path in PAGES.items():
                page.goto(path)
                page.wait_for_load_state("networkidle")
                page.screenshot(path=IMAGES / f"{name}{suffix}.png")
            context.close()
        browser.close()


if __name__ == "__main__":
    main()
