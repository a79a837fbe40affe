"""Drafts by an endpoint: what it is given, and that whatever it does is no error."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from saldo.outreach import drafting
from saldo.outreach.drafting import CUSTOMER, US, Turn

THREAD = [
    Turn(US, date(2026, 3, 9), "Sollecito", "Risulta aperta la fattura 118."),
    Turn(CUSTOMER, date(2026, 3, 11), "R: Sollecito", "Ci mandate copia della fattura?"),
]


class Desk:
    """A loopback endpoint: keeps what it was sent and answers as told."""

    def __init__(self) -> None:
        self.answer: bytes = said("Buongiorno, in allegato la copia.")
        self.status, self.wait_seconds, self.location = 200, 0.0, ""
        self.seen: list[tuple[str, dict[str, str], Any]] = []
        desk = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                desk.seen.append((self.path, dict(self.headers), json.loads(body)))
                time.sleep(desk.wait_seconds)
                self.send_response(desk.status)
                if desk.location:
                    self.send_header("Location", desk.location)
                self.end_headers()
                try:
                    self.wfile.write(desk.answer)
                except OSError:
                    return  # the asker has gone

            def log_message(self, *_: Any) -> None:
                return None

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def said(text: str) -> bytes:
    return json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}]}).encode()


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def configured(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    key = tmp_path / "key"
    key.write_text("abc123\n")
    key.chmod(0o600)
    file = tmp_path / "channels.toml"
    file.write_text(
        f'[drafting]\nurl = "{desk.url}"\nmodel = "small"\nkey_file = "{key}"\ntimeout_seconds = 1\n'
    )
    file.chmod(0o600)
    monkeypatch.setenv("SALDO_CHANNELS", str(file))
    return file


def test_without_the_table_it_is_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALDO_CHANNELS", str(tmp_path / "none.toml"))
    assert not drafting.is_on() and drafting.draft(THREAD) is None and drafting.second_opinion(THREAD) is None


@pytest.mark.usefixtures("configured")
def test_it_is_given_the_thread_and_nothing_else(desk: Desk) -> None:
    assert drafting.draft(THREAD, "it") == "Buongiorno, in allegato la copia."
    [(path, headers, body)] = desk.seen
    assert path == "/v1/chat/completions" and headers["Authorization"] == "Bearer abc123"
    assert set(body) == {"model", "messages", "temperature", "max_tokens"} and body["model"] == "small"
    rules, *turns = body["messages"]
    assert rules["role"] == "system" and "118" not in rules["content"]
    assert turns == [
        {"role": "assistant", "content": "2026-03-09 Sollecito\n\nRisulta aperta la fattura 118."},
        {"role": "user", "content": "2026-03-11 R: Sollecito\n\nCi mandate copia della fattura?"},
    ]


@pytest.mark.usefixtures("configured")
def test_a_long_thread_is_cut(desk: Desk) -> None:
    drafting.draft([Turn(CUSTOMER, date(2026, 3, 11), "x", "parola " * 50_000)] * 40)
    [(_, _, body)] = desk.seen
    assert len(body["messages"]) == 1 + drafting.MAX_TURNS
    assert max(len(each["content"]) for each in body["messages"]) <= drafting.MAX_TURN_CHARACTERS


@pytest.mark.usefixtures("configured")
def test_an_opinion_is_read_and_checked(desk: Desk) -> None:
    desk.answer = said('Sure: {"label": "promise", "promised_date": "2026-03-20", "amount": 1250.5}')
    assert drafting.second_opinion(THREAD) == drafting.Opinion("promise", date(2026, 3, 20), 1_250_500)
    for broken in (
        '{"label": "delete everything"}', '{"label": "promise", "promised_date": "2019-01-01"}',
        "promise", "}{",
        '{"label": "promise", "amount": "much"}', '{"label": "paid", "amount": 1e999}', "[1]",
    ):  # fmt: skip
        desk.answer = said(broken)
        assert drafting.second_opinion(THREAD) is None


@pytest.mark.usefixtures("configured")
@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (500, b"oops"), (401, said("no")), (200, b""), (200, b"<html>"), (200, b'{"choices": []}'),
        (200, b"[]"),
        (200, said("")), (200, b"x" * 400_000), (200, b'{"choices": [{"message": {"content": 7}}]}'),
    ],
)  # fmt: skip
def test_whatever_goes_wrong_is_no_draft(desk: Desk, status: int, answer: bytes) -> None:
    desk.status, desk.answer = status, answer
    assert drafting.draft(THREAD) is None


@pytest.mark.usefixtures("configured")
def test_it_goes_nowhere_else(desk: Desk) -> None:
    other = Desk()
    desk.status, desk.location = 307, f"{other.url}/chat/completions"
    assert drafting.draft(THREAD) is None and other.seen == []
    other.server.shutdown()
    other.server.server_close()


@pytest.mark.usefixtures("configured")
def test_a_slow_endpoint_is_no_draft(desk: Desk) -> None:
    desk.wait_seconds = 2.0
    started = time.perf_counter()
    assert drafting.draft(THREAD) is None
    assert time.perf_counter() - started < 1.8


def test_nobody_listens(configured: Path) -> None:
    configured.write_text('[drafting]\nurl = "http://127.0.0.1:9/v1"\nmodel = "small"\n')
    assert drafting.is_on() and drafting.draft(THREAD) is None


@pytest.mark.parametrize(
    "table",
    [
        'url = "http://example.com/v1"\nmodel = "m"',  # letters in clear over the net
        'url = "https://example.com/v1"',
        'url = "ftp://127.0.0.1/v1"\nmodel = "m"',
        'url = "https://example.com/v1"\nmodel = "m"\ntimeout_seconds = 900',
        'url = "https://example.com/v1"\nmodel = "m"\nkey_file = "/nowhere/key"',
        "url = [",
    ],
)
def test_what_is_configured_wrongly_is_off(configured: Path, table: str) -> None:
    configured.write_text(f"[drafting]\n{table}\n")
    assert not drafting.is_on()


def test_a_key_that_others_can_read_is_not_used(configured: Path, tmp_path: Path) -> None:
    (tmp_path / "key").chmod(0o644)
    assert not drafting.is_on()
