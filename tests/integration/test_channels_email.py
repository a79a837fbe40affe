"""E-mail and PEC against a real mail server: at every phase, whether the message may have left."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from saldo.core.sending import FAILED, POSTPONED, SENT, UNKNOWN
from saldo.outreach.channels import email, pec
from saldo.outreach.channels.config import NONE, STARTTLS, TLS, Smtp
from saldo.outreach.channels.mime import BadAddress
from saldo.outreach.channels.outgoing import Answer, Outgoing
from tests.mail_server import (
    DROP,
    DROP_AND_KEEP,
    HANG,
    ODD,
    PASSWORD,
    USER,
    Peer,
    certificate,
    free_port,
    mail_server,
)

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")


def smtp(port: int, **changes: object) -> Smtp:
    told = Smtp(
        "127.0.0.1", port, NONE, "", "", "crediti@alfa.example", "Alfa S.r.l.", timeout_seconds=2,
        answer_seconds=2,
    )  # fmt: skip
    return replace(told, **changes)  # type: ignore[arg-type]


def outgoing(**changes: object) -> Outgoing:
    told = Outgoing(
        token="abcdefghijklmnop", to_name="Rosa Bianchi", to_address="rosa@beta.example",
        subject="Sollecito: fattura 12 di € 1.000,00", text="Gentile Cliente,\n.un punto\nè scaduta.\n",
        html="<p>Gentile Cliente</p>", rfc_id="<abcdefghijklmnop@alfa.example>",
        reply_to="crediti+abcdefghijklmnop.qwertyui@alfa.example",
    )  # fmt: skip
    return replace(told, **changes)  # type: ignore[arg-type]


def sent_to(config: Smtp, out: Outgoing | None = None) -> Answer:
    out = out or outgoing()
    return email.send(config, out, email.build(config, out, NOW))


def test_what_arrives_is_what_was_written() -> None:
    peer = Peer()
    out = outgoing(
        attachments=(("estratto conto.pdf", "application/pdf", b"%PDF-1.7\r\n.\r\n\x00\xff"),),
        headers={"X-Saldo-Message": "abcdefghijklmnop"}, in_reply_to="<frage@beta.example>",
    )  # fmt: skip
    with mail_server(peer) as port:
        answer = sent_to(smtp(port), out)
    assert (answer.state, answer.detail) == (SENT, "250 2.0.0 queued as 4711")
    (got,) = peer.taken
    assert peer.envelopes == [("crediti@alfa.example", ["rosa@beta.example"])]
    assert got["From"] == '"Alfa S.r.l." <crediti@alfa.example>'
    assert got["To"] == "Rosa Bianchi <rosa@beta.example>"
    assert got["Subject"] == out.subject
    assert got["Reply-To"].addresses[0].addr_spec == out.reply_to
    assert got["Message-ID"] == out.rfc_id and got["In-Reply-To"] == "<frage@beta.example>"
    assert got["Auto-Submitted"] == "auto-generated" and got["X-Saldo-Message"] == "abcdefghijklmnop"
    assert got["Date"].datetime == NOW
    text, html = got.get_body(("plain",)), got.get_body(("html",))
    assert text is not None and text.get_content().splitlines() == out.text.splitlines()
    assert html is not None and "<p>Gentile Cliente</p>" in html.get_content()
    (attached,) = got.iter_attachments()
    assert attached.get_filename() == "estratto conto.pdf" and attached.get_content() == out.attachments[0][2]


@pytest.mark.parametrize(
    ("phase", "does", "state", "code", "is_bad"),
    [
        ("from", "451 4.3.0 later", POSTPONED, "smtp_from", False),
        ("from", "550 5.7.1 not from you", FAILED, "smtp_from", False),
        ("from", DROP, POSTPONED, "smtp_from", False),
        ("from", HANG, POSTPONED, "smtp_from", False),
        ("to", "450 4.7.1 greylisted", POSTPONED, "smtp_to", False),
        ("to", "550 5.1.1 no such user", FAILED, "recipient_refused", True),
        ("to", "550 no such user", FAILED, "recipient_refused", True),
        ("to", "550 5.2.1 mailbox disabled", FAILED, "recipient_refused", True),
        ("to", "550 5.7.1 we do not like you", FAILED, "smtp_to", False),
        ("to", "552 5.2.2 mailbox full", FAILED, "smtp_to", False),
        ("to", "554 no", FAILED, "recipient_refused", False),
        ("to", DROP, POSTPONED, "smtp_to", False),
        ("data", "451 4.3.0 later", POSTPONED, "smtp_data", False),
        ("data", "554 5.7.1 no", FAILED, "smtp_data", False),
        ("data", DROP, POSTPONED, "smtp_data", False),
        ("content", "451 4.3.0 later", POSTPONED, "smtp_content", False),
        ("content", "554 5.7.1 spam", FAILED, "smtp_content", False),
        ("content", DROP, UNKNOWN, "smtp_no_answer", False),
        ("content", DROP_AND_KEEP, UNKNOWN, "smtp_no_answer", False),
        ("content", HANG, UNKNOWN, "smtp_no_answer", False),
        ("content", ODD, UNKNOWN, "smtp_odd_answer", False),
    ],
)
def test_after_each_answer_it_is_clear_whether_it_may_have_left(
    phase: str, does: str, state: str, code: str, is_bad: bool
) -> None:
    peer = Peer({phase: does})
    with mail_server(peer) as port:
        answer = sent_to(smtp(port))
    assert (answer.state, answer.code, answer.is_bad_address) == (state, code, is_bad)
    # What is told to be here or nowhere is not there; only of the unknown may it be.
    assert not peer.taken or state == UNKNOWN


@contextmanager
def listener(greeting: bytes) -> Iterator[int]:
    """A server that says one thing and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with server.accept()[0] as line:
                line.sendall(greeting)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


def test_a_server_that_is_not_there_or_turns_us_away() -> None:
    assert sent_to(smtp(free_port())).code == "smtp_connect"
    for greeting, code in ((b"", "smtp_connect"), (b"554 go away\r\n", "smtp_connect"), (b"220 \r\n", None)):
        with listener(greeting) as port:
            answer = sent_to(smtp(port))
        assert answer.state == POSTPONED and code in (None, answer.code)


def test_a_slow_server_is_waited_for() -> None:
    with mail_server(Peer(slow_seconds=0.8)) as port:
        assert sent_to(smtp(port, timeout_seconds=0.5)).state == SENT


def test_tls_is_checked(tmp_path: Path) -> None:
    ours, context = certificate(tmp_path)
    peer = Peer()
    with mail_server(peer, tls_context=context, require_starttls=True) as port:
        assert sent_to(smtp(port, security=STARTTLS, ca_file=str(ours))).state == SENT
        strange = sent_to(smtp(port, security=STARTTLS))
        plain = sent_to(smtp(port))
    assert (strange.state, strange.code) == (POSTPONED, "smtp_tls")
    assert plain.code == "smtp_from" and len(peer.taken) == 1
    with mail_server(Peer()) as port:
        # A server that does not offer it gets nothing in the clear.
        assert sent_to(smtp(port, security=STARTTLS, ca_file=str(ours))).code == "smtp_tls"
    with mail_server(Peer(), ssl_context=context) as port:
        assert sent_to(smtp(port, security=TLS, ca_file=str(ours))).state == SENT


def test_login_and_no_password_in_what_is_told() -> None:
    peer = Peer()
    with mail_server(peer, logs_in=True) as port:
        right = smtp(port, user=USER, password=PASSWORD)
        assert sent_to(right).state == SENT
        wrong = sent_to(smtp(port, user=USER, password="sbagliata-123"))
        without = sent_to(smtp(port))
    assert (wrong.state, wrong.code) == (POSTPONED, "smtp_login")
    assert "sbagliata" not in wrong.detail and PASSWORD not in repr(right)
    assert without.state in (POSTPONED, FAILED) and len(peer.taken) == 1


def test_size_is_known_before_anything_is_sent() -> None:
    big = outgoing(attachments=(("x.bin", "application/octet-stream", b"x" * 300_000),))
    peer = Peer()
    with mail_server(peer) as port:
        assert sent_to(smtp(port, max_bytes=100_000), big).code == "too_large"
    with mail_server(peer, data_size_limit=100_000) as port:
        answer = sent_to(smtp(port), big)
    assert (answer.state, answer.code) == (FAILED, "too_large") and not peer.taken


def test_nothing_in_a_name_or_subject_begins_a_header() -> None:
    peer = Peer()
    with mail_server(peer) as port:
        sent_to(smtp(port), outgoing(subject="Ciao\r\nBcc: altri@gamma.example", to_name="A\nBcc: x@y.zz"))
    assert peer.taken[0]["Bcc"] is None and peer.envelopes[0][1] == ["rosa@beta.example"]


@pytest.mark.parametrize(
    "bad", ["", "rosa", "rosa@", "@beta.example", "rosa@beta", "a b@beta.example", "r@b.ex\r\nBcc: x@y.zz",
            "rosà@beta.example", "a..b@beta.example", "x" * 65 + "@beta.example", "r@-b.example", "r@.x"],
)  # fmt: skip
def test_what_is_no_address_is_refused_before_a_server_is_asked(bad: str) -> None:
    with pytest.raises(BadAddress):
        email.build(smtp(1), outgoing(to_address=bad), NOW)


def test_a_domain_with_accents_goes_out_in_ascii() -> None:
    peer = Peer()
    with mail_server(peer) as port:
        assert sent_to(smtp(port), outgoing(to_address="rosa@città.example")).state == SENT
    assert peer.envelopes[0][1] == ["rosa@xn--citt-3na.example"]


def test_the_signed_address_hears_of_bounces_where_the_server_allows_it() -> None:
    peer = Peer()
    with mail_server(peer) as port:
        sent_to(smtp(port, envelope="reply"))
        config = smtp(port, from_address="alfa@pec.example", envelope="reply")
        pec.send(config, outgoing(), pec.build(config, outgoing(reply_to=""), NOW))
    assert [told[0] for told in peer.envelopes] == [outgoing().reply_to, "alfa@pec.example"]
    assert peer.taken[1]["Reply-To"] is None
