"""Reports of mail servers as they are really written: which address, gone for ever or full for now."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saldo.formats._mail import parse_mail
from saldo.formats.delivery_reports import (
    BOUNCE,
    COMPLAINT,
    DELAY,
    DELIVERY,
    READ,
    DeliveryReport,
    is_gone,
    read_report,
)
from saldo.formats.incoming import read_incoming
from saldo.formats.records import Refusal


def read(raw: str) -> DeliveryReport | None:
    return read_report(parse_mail(raw.encode()))


def plain(sender: str, subject: str, text: str, more: str = "") -> str:
    return f"From: {sender}\nTo: crediti@example.com\nSubject: {subject}\n{more}\n{text}\n"


QMAIL = plain(
    "MAILER-DAEMON@smtp.provider.test",
    "failure notice",
    """Hi. This is the qmail-send program at smtp.provider.test.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<acquisti@cliente.test>:
192.0.2.7 does not like recipient.
Remote host said: 550 5.1.1 <acquisti@cliente.test> User unknown
Giving up on 192.0.2.7.

--- Below this line is a copy of the message.

Return-Path: <crediti@example.com>
Message-ID: <m1@example.com>
To: acquisti@cliente.test
""",
)
EXIM = plain(
    "Mail Delivery System <Mailer-Daemon@mail.provider.test>",
    "Mail delivery failed: returning message to sender",
    """This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  contabile@cliente.test
    all relevant MX records point to non-existent hosts: Unrouteable address

------ This is a copy of the message, including all the headers. ------

Message-ID: <m2@example.com>
""",
    "X-Failed-Recipients: contabile@cliente.test\n",
)
EXCHANGE_IT = plain(
    "postmaster@cliente.test",
    "Non recapitabile: Sollecito di pagamento",
    """Recapito non riuscito per i seguenti destinatari o gruppi:

ufficio@cliente.test
L'indirizzo di posta elettronica immesso non è stato trovato. Controllare l'indirizzo e riprovare.
Utente sconosciuto

Informazioni di diagnostica per gli amministratori:
#550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup ##

Intestazioni originali del messaggio:
Message-ID: <m3@example.com>
""",
)
ITALIAN_FULL = plain(
    "Mail Delivery Subsystem <postmaster@provider.test>",
    "Mancata consegna",
    """Il messaggio per amministrazione@cliente.test non è stato consegnato.
Motivo: 552 5.2.2 casella di posta piena, spazio esaurito
Message-ID: <m4@example.com>
""",
)
LATE_IT = plain(
    "MAILER-DAEMON@provider.test",
    "Warning: message delayed, ritardo nel recapito (Delivery Status Notification)",
    """Il messaggio per a@cliente.test non è ancora stato recapitato; verranno effettuati altri tentativi.
Message-ID: <m5@example.com>
""",
)


@pytest.mark.parametrize(
    ("raw", "kind", "address", "own_id", "permanent"),
    [
        (QMAIL, BOUNCE, "acquisti@cliente.test", "<m1@example.com>", True),
        (EXIM, BOUNCE, "contabile@cliente.test", "<m2@example.com>", True),
        (EXCHANGE_IT, BOUNCE, "ufficio@cliente.test", "<m3@example.com>", True),
        (ITALIAN_FULL, BOUNCE, "amministrazione@cliente.test", "<m4@example.com>", False),
        (LATE_IT, DELAY, "a@cliente.test", "<m5@example.com>", False),
    ],
)
def test_plain_words_of_servers(raw: str, kind: str, address: str, own_id: str, permanent: bool) -> None:
    report = read(raw)
    assert report is not None
    assert (report.kind, report.recipients[0].address) == (kind, address)
    assert report.original_ids == (own_id,)
    assert report.is_permanent is permanent


def structured(fields: str, type_: str = "delivery-status", part: str = "message/delivery-status") -> str:
    return (
        "From: MAILER-DAEMON@mx.test\nTo: crediti@example.com\nSubject: x\nMIME-Version: 1.0\n"
        f'Content-Type: multipart/report; report-type={type_}; boundary="b"\n\n--b\n\nwords\n--b\n'
        f"Content-Type: {part}\n\n{fields}\n--b\nContent-Type: message/rfc822\n\n"
        "Message-ID: <m9@example.com>\nSubject: y\n\nbody\n--b--\n"
    )


def test_each_recipient_has_its_own_outcome() -> None:
    report = read(
        structured(
            "Reporting-MTA: dns; mx.test\n\n"
            "Final-Recipient: rfc822; Uno@Cliente.test\nAction: failed\nStatus: 5.1.1\n"
            "Diagnostic-Code: smtp; 550 5.1.1 unknown\n\n"
            "Original-Recipient: rfc822;due@cliente.test\nFinal-Recipient: rfc822; altro@altrove.test\n"
            "Action: relayed\nStatus: 2.1.9\n"
        )
    )
    assert report is not None and report.kind == BOUNCE and report.original_ids == ("<m9@example.com>",)
    assert [(one.address, one.is_permanent) for one in report.recipients] == [
        ("uno@cliente.test", True), ("due@cliente.test", False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("action", "kind"), [("delayed", DELAY), ("delivered", DELIVERY), ("expanded", DELIVERY)]
)
def test_reports_that_are_no_bounces(action: str, kind: str) -> None:
    report = read(structured(f"Final-Recipient: rfc822; a@b.test\nAction: {action}\nStatus: 2.0.0\n"))
    assert report is not None and (report.kind, report.is_permanent) == (kind, False)


def test_complaints_and_read_receipts() -> None:
    fields = "Feedback-Type: abuse\nOriginal-Rcpt-To: <a@b.test>\n"
    report = read(structured(fields, "feedback-report", "message/feedback-report"))
    assert report is not None and (report.kind, report.recipients[0].address) == (COMPLAINT, "a@b.test")
    part = "message/disposition-notification"
    read_it = read(structured("Disposition: manual-action; displayed\n", "disposition-notification", part))
    assert read_it is not None and read_it.kind == READ


@pytest.mark.parametrize(
    ("status", "detail", "gone"),
    [
        ("5.1.1", "", True),
        ("5.1.10", "", True),
        ("5.2.1", "mailbox disabled", True),
        ("5.4.4", "Host or domain name not found", True),
        ("5.1.8", "sender's domain does not exist", False),
        ("5.2.2", "user over quota", False),
        ("5.7.1", "Message rejected as spam, user unknown to us", False),
        ("5.7.26", "unauthenticated mail, DMARC policy", False),
        ("5.0.0", "550 no such user here", True),
        ("4.2.2", "mailbox full", False),
        ("4.1.1", "user unknown, try again later", False),
        ("", "550 5.1.1 unknown", True),
        ("", "550 User unknown", True),
        ("", "450 User unknown in local table, greylisted", False),
        ("", "554 blocked using a blocklist", False),
    ],
)
def test_only_an_address_that_is_no_good_for_ever_is_gone(status: str, detail: str, gone: bool) -> None:
    assert is_gone(status, detail) is gone


@pytest.mark.parametrize(
    "raw",
    [
        plain("anna@cliente.test", "Mancato recapito della merce", "Il messaggio per noi: user unknown"),
        plain("anna@cliente.test", "R: Sollecito", "Non è stato consegnato niente."),
        plain("postmaster@cliente.test", "R: Sollecito", "Vi scrivo io che curo la posta: paghiamo domani."),
    ],
)
def test_people_who_write_of_deliveries_are_no_servers(raw: str) -> None:
    assert read(raw) is None


@settings(max_examples=150)
@given(
    st.binary(max_size=400), st.sampled_from([QMAIL, EXIM, EXCHANGE_IT, ITALIAN_FULL]), st.integers(0, 900)
)
def test_nothing_makes_the_readers_fall_over(noise: bytes, sample: str, place: int) -> None:
    raw = sample.encode()
    broken = raw[:place] + noise + raw[place:]
    try:
        told = read_incoming(broken, "X-Saldo-Message")
    except Refusal:
        return
    assert told.message.subject is not None
