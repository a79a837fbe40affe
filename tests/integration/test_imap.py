"""Mailboxes read by IMAP, against a real server: each message once, nothing touched, every failure told."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from saldo.core.errors import SaldoError
from saldo.flows import read_mail
from saldo.flows.handle_reply import propose
from saldo.flows.read_mail import Fetched, fetch
from saldo.intake.queries import document_bytes
from saldo.outreach import replies
from saldo.outreach.mailboxes import mailboxes, move_position, position
from saldo.outreach.models import Reply
from tests import mail_world
from tests.imap_server import ImapServer, running
from tests.mail_server import certificate
from tests.mail_world import NOW, World, context

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("imap")


@pytest.fixture
def server(folder: Path) -> Iterator[ImapServer]:
    with running(folder) as found:
        yield found


@pytest.fixture
def world(server: ImapServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    configured(tmp_path, monkeypatch, server.port)
    return mail_world.build()


def configured(
    folder: Path, monkeypatch: pytest.MonkeyPatch, port: int, security: str = "none", more: str = ""
) -> None:
    path = folder / "channels.toml"
    path.write_text(mail_world.CHANNELS.format(port=port, security=security, more=more))
    path.chmod(0o600)
    monkeypatch.setenv("SALDO_CHANNELS", str(path))


def fetched(**more: Any) -> Fetched:
    return fetch(context(**more), "ALFA:email")


def refused(code: str) -> None:
    with pytest.raises(SaldoError) as caught:
        fetched()
    assert caught.value.code == code, caught.value


def test_each_message_once_and_nothing_is_touched(world: World, server: ImapServer) -> None:
    message = world.message()
    raw = mail_world.answer(
        message, "La fattura F-1 di 1.000,00 euro la paghiamo venerdì 20 marzo con bonifico."
    )
    server.put(raw, at=NOW)
    before = server.flags()
    assert dict(fetched().taken) == {"reply": 1}
    assert server.flags() == before
    row = Reply.objects.get()
    assert (row.message_id, row.is_trusted) == (message.id, True)
    assert document_bytes(row.document_id).replace(b"\r\n", b"\n") == raw.replace(b"\r\n", b"\n")
    assert not fetched().taken
    server.put(mail_world.bounce(message, mail_world.ADDRESS, "5.1.1", "550 5.1.1 User unknown"), at=NOW)
    assert dict(fetched().taken) == {"bounce": 1}
    # What the customer wrote is understood, with what it owes beside it.
    proposal = propose(context(), row.id)
    assert (proposal.act, proposal.label) == ("promise", "promise")
    assert str(proposal.fields["promised_date"]) == "2026-03-20"
    assert proposal.fields["item_ids"] == [world.items["F-1"]]


def test_a_renumbered_mailbox_is_read_again_and_adds_nothing(world: World, server: ImapServer) -> None:
    server.put(mail_world.answer(world.message(), "Ok."), at=NOW)
    fetched()
    known = position("ALFA:email")
    move_position("ALFA:email", known.uid_validity + 1, 1, NOW)
    assert dict(fetched().taken) == {"duplicate": 1}
    assert position("ALFA:email").uid_validity == known.uid_validity


def test_the_first_reading_does_not_go_through_years(world: World, server: ImapServer) -> None:
    server.put(mail_world.answer(world.message(), "Vecchia"), at=NOW - timedelta(days=40))
    server.put(mail_world.answer(world.message(), "Nuova"), at=NOW - timedelta(days=2))
    fetched()
    assert [row.text for row in Reply.objects.all()] == ["Nuova"]
    server.put(mail_world.answer(world.message(), "Nuovissima"), at=NOW - timedelta(days=50))
    fetched()
    assert [row.text for row in Reply.objects.order_by("id")] == ["Nuova", "Nuovissima"]


def test_what_was_read_goes_to_its_folder_where_there_is_one(
    world: World, server: ImapServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.create("Letti")
    configured(tmp_path, monkeypatch, server.port, more='seen_folder = "Letti"')
    before = len(server.flags())
    server.put(mail_world.answer(world.message(), "Ok."), at=NOW)
    assert dict(fetched().taken) == {"reply": 1}
    assert (len(server.flags()), len(server.flags("Letti"))) == (before, 1)


def test_thirty_megabytes_are_kept_by_their_beginning(world: World, server: ImapServer) -> None:
    large = mail_world.mail("Allego i documenti richiesti.", In_Reply_To=str(world.message().rfc_id))
    large.add_attachment(bytes(30 * 2**20), "application", "octet-stream", filename="tutto.bin")
    server.put(bytes(large), mail_world.answer(world.message(), "E questa?"), at=NOW)
    assert dict(fetched().taken) == {"reply": 2}
    first, second = Reply.objects.order_by("id")
    assert (first.text, second.text) == ("Allego i documenti richiesti.", "E questa?")
    assert first.notes == [{"code": "mail_too_large", "params": {"megabytes": 41}}]
    assert len(document_bytes(first.document_id)) <= 256 * 2**10
    assert not fetched().taken


def test_a_message_that_breaks_the_reading_holds_up_no_other(
    world: World, server: ImapServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fragile(ctx: Any, raw: bytes, *rest: Any) -> Any:
        if b"Veleno" in raw:
            raise RuntimeError("as no test foresaw")
        return take(ctx, raw, *rest)

    take = read_mail.take
    monkeypatch.setattr(read_mail, "take", fragile)
    message = world.message()
    server.put(mail_world.answer(message, "Veleno"), mail_world.answer(message, "Sano"), at=NOW)
    done = fetched()
    assert (done.failed, dict(done.taken)) == (1, {"reply": 2})
    kept = replies.waiting(context())
    assert {"code": "mail_not_understood", "params": {}} in kept[0].notes + kept[1].notes
    assert not fetched().taken


def test_a_deleted_message_is_no_obstacle(world: World, server: ImapServer) -> None:
    server.put(mail_world.answer(world.message(), "Una"), at=NOW)
    fetched()
    server.put(mail_world.answer(world.message(), "Due"), mail_world.answer(world.message(), "Tre"), at=NOW)
    server.delete(position("ALFA:email").last_uid + 1)
    assert dict(fetched().taken) == {"reply": 1}
    assert Reply.objects.order_by("-id")[0].text == "Tre"


# -- failures -----------------------------------------------------------------------------------------------


def test_failures_say_what_to_do(
    world: World, server: ImapServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured(tmp_path, monkeypatch, server.port, more='folder = "Nessuna"')
    refused("mailbox_folder_missing")
    path = tmp_path / "channels.toml"
    path.write_text(path.read_text().replace("segreta", "sbagliata").replace('folder = "Nessuna"', ""))
    refused("mailbox_login_refused")
    path.write_text(path.read_text().replace("127.0.0.1", "mail.example.com"))
    refused("mailbox_not_encrypted")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        configured(tmp_path, monkeypatch, free.getsockname()[1])
        refused("mailbox_unreachable")
    with pytest.raises(SaldoError) as caught:
        fetch(context(), "BETA:email")
    assert caught.value.code == "mailbox_unknown"


def test_a_server_that_says_nothing_is_left_in_time(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        configured(tmp_path, monkeypatch, silent.getsockname()[1], more="timeout_seconds = 1")
        began = time.monotonic()
        refused("mailbox_unreachable")
        assert time.monotonic() - began < 5


def test_a_line_that_falls_in_the_middle_loses_nothing(
    world: World, server: ImapServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = world.message()
    server.put(*(mail_world.answer(message, f"Numero {n}") for n in range(4)), at=NOW)
    port = _cut_after(server.port, b"Numero 1")
    configured(tmp_path, monkeypatch, port)
    refused("mailbox_unreachable")
    first = Reply.objects.count()
    assert 1 <= first < 4
    configured(tmp_path, monkeypatch, server.port)
    fetched()
    assert sorted(row.text for row in Reply.objects.all()) == [f"Numero {n}" for n in range(4)]


def _cut_after(port: int, mark: bytes) -> int:
    """A wire to the server that breaks once ``mark`` has passed through it."""
    listener = socket.create_server(("127.0.0.1", 0))

    def pump(source: socket.socket, target: socket.socket, watched: bool) -> None:
        seen = b""
        try:
            while data := source.recv(4096):
                seen = (seen + data)[-8192:]
                target.sendall(data)
                if watched and mark in seen:
                    source.shutdown(socket.SHUT_RDWR)
                    target.shutdown(socket.SHUT_RDWR)
                    return
        except OSError:
            return

    def serve() -> None:
        ours, _ = listener.accept()
        theirs = socket.create_connection(("127.0.0.1", port))
        threading.Thread(target=pump, args=(ours, theirs, False), daemon=True).start()
        pump(theirs, ours, True)
        for each in (ours, theirs, listener):
            each.close()

    threading.Thread(target=serve, daemon=True).start()
    return int(listener.getsockname()[1])


def test_only_a_certificate_that_somebody_vouches_for(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusted, _ = certificate(folder)
    with running(folder, with_tls=True) as server:
        configured(tmp_path, monkeypatch, server.port, "starttls")
        mail_world.build()
        refused("mailbox_unreachable")
        configured(tmp_path, monkeypatch, server.port, "starttls", f'ca_file = "{trusted}"')
        assert not fetched().failed
        assert [(each.name, each.channel) for each in mailboxes()] == [("ALFA:email", "email")]
