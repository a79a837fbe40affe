"""A message leaves through a mail server, its answer comes back through a mailbox, and is understood."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from saldo.core.sending import SENT
from saldo.flows.handle_reply import confirm, propose
from saldo.flows.read_mail import TakenMail, fetch, take
from saldo.flows.send_messages import send
from saldo.flows.write_messages import write
from saldo.intake.models import Document
from saldo.outreach import replies
from saldo.outreach.models import Reply, ReplyReading
from saldo.promises.models import Promise
from tests import mail_world
from tests.imap_server import ImapServer, running
from tests.mail_server import Peer, mail_server
from tests.sending_world import NOON, SendingWorld, channels_at, later

Post = tuple[SendingWorld, Peer, ImapServer]


@pytest.fixture
def post(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, db: None) -> Iterator[Post]:
    peer = Peer()
    with mail_server(peer) as port, running(tmp_path) as server:
        imap = f'host = "127.0.0.1"\nport = {server.port}\nsecurity = "none"\nuser = "crediti"\n'
        imap += 'password = "segreta"\naddress = "crediti@uno.example"'
        channels_at(tmp_path, port, monkeypatch, imap=imap)
        yield SendingWorld(), peer, server


def answered(sent: EmailMessage, text: str, by_reference: bool) -> bytes:
    """As a mail program answers what it got."""
    made = EmailMessage()
    made["From"] = "Rosa Beta <rosa@beta.example>"
    made["To"] = str(sent["Reply-To"])
    made["Subject"] = f"Re: {sent['Subject']}"
    made["Date"] = "Tue, 10 Mar 2026 14:00:00 +0100"
    made["Message-ID"] = f"<{by_reference}@beta.example>"
    if by_reference:
        made["In-Reply-To"] = str(sent["Message-ID"])
    quoted = "".join(f"> {line}\n" for line in sent.get_body(("plain",)).get_content().splitlines())
    made.set_content(f"{text}\n\nIl giorno mar 10 mar 2026 alle ore 12:00 Uno S.p.A. ha scritto:\n{quoted}")
    return bytes(made)


@pytest.mark.parametrize("by_reference", [True, False], ids=["message_id", "token"])
def test_there_and_back(post: Post, by_reference: bool) -> None:
    world, peer, server = post
    account, item = world.customer("Beta S.r.l.", "rosa@beta.example")
    message_id = world.message(account, {item: "1000.00"})
    assert send(world.ctx, message_id) == SENT
    (sent,) = peer.taken
    assert sent["X-Saldo-Message"] and str(sent["List-Unsubscribe"]).endswith("?subject=STOP>")
    raw = answered(sent, f"Buongiorno,\nla fattura F-{account} la paghiamo venerdì 20 marzo.", by_reference)
    server.put(raw, at=NOON + timedelta(hours=1))
    evening = later(world.ctx, hours=4)
    assert dict(fetch(evening, "ONE:email").taken) == {"reply": 1}
    row = Reply.objects.get()
    assert (row.message_id, row.account_id, row.is_trusted) == (message_id, account, True)
    assert row.threaded_by == ("message_id" if by_reference else "token")
    proposal = propose(evening, row.id)
    assert (proposal.act, proposal.one_key) == ("promise", True), proposal
    confirm(evening, row.id, proposal.act, **proposal.fields)
    promise = Promise.objects.get()
    assert (str(promise.promised_date), promise.amount, promise.document_id) == (
        "2026-03-20", 1000, row.document_id,
    )  # fmt: skip
    assert not replies.waiting(evening)


def test_an_answer_to_an_answer_closes_the_question(post: Post) -> None:
    world, peer, server = post
    account, item = world.customer("Beta S.r.l.", "rosa@beta.example")
    send(world.ctx, world.message(account, {item: "1000.00"}))
    server.put(answered(peer.taken[0], "Potete mandarci copia della fattura?", True), at=NOON)
    evening = later(world.ctx, hours=4)
    fetch(evening, "ONE:email")
    (row,) = replies.waiting(evening)
    assert row.label == "question"
    message_id = write(evening, account, "email", "Copia della fattura", "In allegato.", reply_id=row.id)
    assert not replies.waiting(evening)
    assert send(evening, message_id) == SENT
    assert peer.taken[1]["In-Reply-To"] == row_id(row.id)
    turns = replies.reply(evening, row.id).turns
    assert [turn.sender for turn in turns] == ["us", "customer", "us"]


def row_id(reply_id: int) -> str:
    return Reply.objects.values_list("rfc_id", flat=True).get(id=reply_id)


@pytest.mark.usefixtures("committed_db")
def test_two_who_take_one_message_at_once_keep_one_reply() -> None:
    world = mail_world.build()
    raw = mail_world.answer(world.message(), "Paghiamo venerdì.")
    told: list[TakenMail | Exception] = []
    ready = threading.Barrier(4)

    def work(bytes_taken: bytes) -> None:
        from django.db import connections

        ready.wait()
        try:
            told.append(take(mail_world.context(), bytes_taken, "ALFA:email"))
        except Exception as error:
            told.append(error)
        finally:
            connections.close_all()

    # The same bytes twice, and the same message by another way twice.
    ways: list[Any] = [raw, raw, b"Received: x\r\n" + raw, b"Received: y\r\n" + raw]
    threads = [threading.Thread(target=work, args=(each,)) for each in ways]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    kinds = sorted(each.kind if isinstance(each, TakenMail) else repr(each) for each in told)
    assert kinds == ["duplicate", "duplicate", "duplicate", "reply"]
    assert (Reply.objects.count(), ReplyReading.objects.count(), Document.objects.count()) == (1, 1, 3)
