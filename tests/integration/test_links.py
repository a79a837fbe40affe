"""Links in our messages: they lead where they say or nowhere, count people, and let anybody out."""

from __future__ import annotations

import re
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from saldo.core.sending import SendingRules
from saldo.flows import follow_links
from saldo.interfaces import clock
from saldo.outreach import links
from saldo.outreach.deliveries import state_of
from saldo.outreach.models import Delivery
from saldo.outreach.settings import change_rules
from saldo.parties.models import AddressStop
from tests import mail_world
from tests.mail_world import ADDRESS, NOW, World, context

pytestmark = pytest.mark.django_db
BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"}
TARGET = "https://example.com/portale?a=1&b=è"
RULES = SendingRules(tracking=True)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    path = tmp_path / "channels.toml"
    path.write_text(mail_world.CHANNELS.format(port=1, security="none", more=""))
    path.chmod(0o600)
    monkeypatch.setenv("SALDO_CHANNELS", str(path))
    monkeypatch.setattr(clock, "now", lambda: NOW)
    monkeypatch.setattr(clock, "today", lambda: NOW.date())
    made = mail_world.build()
    change_rules(context(date(2026, 3, 2), "anna"), made.company_id, tracking=True)
    return made


def path_of(url: str) -> str:
    assert url.startswith("https://crediti.example.com/l/")
    return url.removeprefix("https://crediti.example.com")


def get(url: str, method: str = "get", **headers: str) -> Any:
    return getattr(Client(headers=BROWSER | headers), method)(url)


def kinds(message: Any) -> list[str]:
    return [one.state for one in Delivery.objects.filter(message=message).order_by("id")][3:]


def test_a_click_leads_on_and_counts_once(world: World) -> None:
    message = world.message()
    url = path_of(links.tracked(TARGET, message.token, RULES))
    for _ in range(2):
        told = get(url)
        assert (told.status_code, told["Location"], told["Referrer-Policy"]) == (
            302, "https://example.com/portale?a=1&b=%C3%A8", "no-referrer",
        )  # fmt: skip
    assert kinds(message) == ["clicked"] and state_of(message.id) == "clicked"


def test_a_link_with_one_character_changed_leads_nowhere(world: World) -> None:
    message = world.message()
    signed = path_of(links.tracked(TARGET, message.token, RULES)).removeprefix("/l/c/")
    other = path_of(links.tracked("https://phishing.test/", message.token, RULES)).removeprefix("/l/c/")
    mixed = f"{other.partition('.')[0]}.{signed.partition('.')[2]}"
    changed = [
        signed[:place] + ("A" if signed[place] != "A" else "B") + signed[place + 1 :] for place in (3, 20, -2)
    ]
    for bad in (*changed, mixed, signed[:-4], "x", f"{signed}.{signed}", "."):
        told = get(f"/l/c/{bad}")
        assert told.status_code == 404 and "Location" not in told, bad
        assert "phishing" not in told.content.decode()
    token = links.opt_out_url(message.token).rpartition("/")[2]
    for bad in (token[:-1] + ("a" if token[-1] != "a" else "b"), "nobody." + token.partition(".")[2]):
        assert get(f"/l/x/{bad}").status_code == 404 and get(f"/l/x/{bad}", "post").status_code == 404
        assert get(f"/l/o/{bad}.gif").status_code == 404
    # A signature for one purpose is none for another.
    assert get(f"/l/o/{token}.gif").status_code == 404
    assert kinds(message) == [] and not AddressStop.objects.exists()


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("head", {}),
        ("get", {"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1)"}),
        ("get", {"User-Agent": "python-requests/2.32"}),
        ("get", {"User-Agent": ""}),
        ("get", {"Purpose": "prefetch"}),
        ("get", {"Sec-Purpose": "prefetch;prerender"}),
    ],
)
def test_programs_are_not_counted(world: World, method: str, headers: dict[str, str]) -> None:
    message = world.message()
    assert get(path_of(links.tracked(TARGET, message.token, RULES)), method, **headers).status_code == 302
    assert get(path_of(links.open_pixel(message.token, RULES)), method, **headers).status_code == 200
    assert kinds(message) == []


def test_a_scanner_that_follows_links_at_delivery_is_not_counted(world: World) -> None:
    message = world.message()
    signed = path_of(links.tracked(TARGET, message.token, RULES)).removeprefix("/l/c/")
    at_once = context(now=datetime.fromisoformat("2026-03-12T08:00:03+00:00"))
    assert follow_links.clicked(at_once, signed, is_person=True) == TARGET
    assert kinds(message) == []


def test_looking_counts_where_it_may_be_counted(world: World) -> None:
    message = world.message()
    url = path_of(links.open_pixel(message.token, RULES))
    told = get(url)
    assert (told["Content-Type"], told.content[:4], told["Cache-Control"]) == (
        "image/gif",
        b"GIF8",
        "no-store",
    )
    assert kinds(message) == ["opened"]
    change_rules(context(date(2026, 3, 3), "anna"), world.company_id, tracking=False)
    second = world.message()
    assert get(path_of(links.tracked(TARGET, second.token, RULES))).status_code == 302
    assert kinds(second) == []
    off = SendingRules()
    assert links.tracked(TARGET, second.token, off) == TARGET and links.open_pixel(second.token, off) == ""
    assert links.tracked("mailto:a@b.test", second.token, RULES) == "mailto:a@b.test"


def test_opting_out_asks_first_and_is_done_at_once(world: World) -> None:
    message = world.message()
    url = path_of(links.opt_out_url(message.token))
    page = get(url)
    assert page.status_code == 200 and not AddressStop.objects.exists()
    text = page.content.decode()
    assert ADDRESS not in text and "Cliente" not in text, "the page tells nobody's data"
    assert re.search(r'<form method="post"', text)
    # As mail programs do it (RFC 8058): no page before, no cookie.
    done = Client(enforce_csrf_checks=True).post(url, {"List-Unsubscribe": "One-Click"})
    assert done.status_code == 200
    (stop,) = AddressStop.objects.all()
    assert (stop.address, stop.channel, stop.reason, stop.company_id) == (
        ADDRESS, "email", "opt_out", world.company_id,
    )  # fmt: skip
    assert Client().post(url).status_code == 200 and AddressStop.objects.count() == 1


def test_headers_for_the_unsubscribe_button(world: World) -> None:
    message = world.message()
    told = links.unsubscribe_headers(message.token, "ALFA")
    assert told["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert told["List-Unsubscribe"].startswith(f"<{links.opt_out_url(message.token)}>, <mailto:crediti+")
    assert links.unsubscribe_headers(message.token, "NOBODY") != {}


def test_nothing_is_made_where_nothing_is_configured(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALDO_CHANNELS", "/nonexistent/channels.toml")
    assert (links.public_url(), links.own_address("ALFA"), links.mail_domain("ALFA")) == ("", "", "")
    assert (links.opt_out_url("tok000000001"), links.reply_address("tok000000001", "ALFA")) == ("", "")
    assert links.unsubscribe_headers("tok000000001", "ALFA") == {}
    assert links.tracked(TARGET, "tok000000001", RULES) == TARGET


def test_a_new_key_keeps_old_messages_answerable(world: World, settings: Any) -> None:
    old = links.reply_address("tok000000001", "ALFA")
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another key altogether, as long as it should be"
    assert links.token_in([old]) == links.TokenFound("tok000000001")
    assert links.reply_address("tok000000001", "ALFA") != old
    settings.SECRET_KEY_FALLBACKS = []
    assert links.token_in([old]) == links.TokenFound(None, is_tampered=True)
    assert links.token_in(["anna+spesa@example.com", "x"]) == links.TokenFound(None)
