"""saldo send, saldo channels: from the command line, against a mail server on the loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from saldo.flows.send_messages import send
from saldo.outreach import deliveries
from tests.integration.test_cli import saldo
from tests.mail_server import DROP_AND_KEEP, Peer, free_port, mail_server
from tests.sending_world import SendingWorld, channels_at

pytestmark = pytest.mark.django_db
Post = tuple[SendingWorld, Peer]


@pytest.fixture
def post(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Post]:
    peer = Peer()
    with mail_server(peer) as port:
        imap = (
            f'host = "127.0.0.1"\nport = {free_port()}\nsecurity = "none"\nuser = "u"\npassword = "geheim-77"'
        )
        channels_at(tmp_path, port, monkeypatch, imap=f'{imap}\naddress = "crediti@uno.example"')
        yield SendingWorld(), peer


def as_json(*words: str) -> tuple[int, dict[str, Any]]:
    told = saldo(*words, "--json")
    return told.exit_code, json.loads(told.stdout)


def test_what_is_unknown_is_shown_resolved_and_tried_again(post: Post) -> None:
    world, peer = post
    peer.at = {"content": DROP_AND_KEEP}
    message = world.waiting()
    assert send(world.ctx, message) == "unknown"
    code, told = as_json("send", "unknown")
    assert code == 1 and [each["id"] for each in told["messages"]] == [message]
    assert "may have left" in saldo("send", "unknown").stdout
    code, told = as_json("send", "status", "--company", "ONE")
    assert (code, told["unknown"], told["waiting"]) == (0, 1, 0)
    assert saldo("send", "retry", str(message)).exit_code == 2  # unknown is not failed
    assert saldo("send", "resolve", str(message)).exit_code == 2  # neither --sent nor --not-sent
    assert saldo("send", "resolve", str(message), "--sent", "--not-sent").exit_code == 2
    assert deliveries.state_of(message) == "unknown"
    assert saldo("send", "resolve", str(message), "--not-sent", "--note", "dai log").exit_code == 0
    assert saldo("send", "retry", str(message)).exit_code == 0
    assert deliveries.state_of(message) == "queued" and as_json("send", "unknown") == (0, {"messages": []})
    peer.at = {}
    told = as_json("send", "status")[1]
    assert told["waiting"] == 1 and told["without_job"] == 0
    # Months after the day it was written for, it is too old to leave.
    assert as_json("send", "now", "--limit", "5") == (0, {"messages": {"cancelled": 1}})
    assert len(peer.taken) == 1 and saldo("send", "now").stdout.strip() == "nothing waits"


def test_a_test_message_and_a_check_of_the_channels(post: Post) -> None:
    _, peer = post
    code, told = as_json("send", "test", "--company", "ONE", "--to", "me@alfa.example")
    assert (code, told["state"]) == (0, "sent") and peer.taken[0]["To"] == "me@alfa.example"
    assert saldo("send", "test", "--company", "ONE", "--to", "nobody").exit_code == 2
    told = saldo("send", "test", "--company", "ONE", "--to", "3331234567", "--channel", "sms")
    assert told.exit_code == 2 and "not set up" in told.stderr  # type: ignore[attr-defined]
    code, told = as_json("channels", "check")
    states = {each["kind"]: each for each in told["companies"]["ONE"]}
    assert code == 1 and states["email"]["is_ok"] and states["imap"]["code"] == "imap_login"
    assert "geheim" not in json.dumps(told) and len(peer.taken) == 1


def test_a_file_that_others_can_read_is_refused(post: Post, tmp_path: Path) -> None:
    (tmp_path / "channels.toml").chmod(0o644)
    told = saldo("channels", "check")
    assert told.exit_code == 2 and "chmod 600" in told.stderr and "geheim" not in told.stderr
