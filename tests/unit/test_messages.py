"""E-mail to facts: who wrote, which words are new, what is attached; whatever the mail program did to it."""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saldo.formats._mail import parse_mail
from saldo.formats.detect import read_file
from saldo.formats.messages import MessageRecord, read_message, split_quoted
from tests.fatturapa_samples import body, invoice


def read(raw: str | bytes) -> MessageRecord:
    data = raw.encode("utf-8") if isinstance(raw, str) else raw
    return read_message(parse_mail(data))


HEAD = "From: a@example.com\nMessage-ID: <1@example.com>\nDate: Thu, 5 Mar 2026 10:00:00 +0100\n"


def test_facts_of_a_plain_message() -> None:
    message = read(
        'From: "Rossi, Anna" <Anna.Rossi@Example.com>\nTo: b@example.test, "C" <c@example.test>\n'
        "Cc: d@example.test\nSubject: =?utf-8?Q?Pagamento_fattura_n=C2=B0_12?=\n =?utf-8?B?L8Og?=\n"
        "Message-ID: <2@example.com>\nIn-Reply-To: <1@example.test>\nReferences: <0@example.test>\n"
        " <1@example.test>\nDate: Thu, 5 Mar 2026 10:00:00 +0100\n\nBuongiorno,\r\npaghiamo il 20/03.\n"
    )
    assert message.sender == ("Rossi, Anna", "anna.rossi@example.com")
    assert message.to == (("", "b@example.test"), ("C", "c@example.test"))
    assert message.cc == (("", "d@example.test"),)
    assert message.subject == "Pagamento fattura n° 12/à"
    assert (message.message_id, message.in_reply_to) == ("<2@example.com>", ("<1@example.test>",))
    assert message.references == ("<0@example.test>", "<1@example.test>")
    assert message.date is not None
    assert message.date.astimezone(UTC) == datetime(2026, 3, 5, 9, tzinfo=UTC)
    assert message.text == "Buongiorno,\npaghiamo il 20/03."
    assert (message.quoted, message.is_automatic, message.notices) == ("", False, ())
    assert message.as_json()["from"] == {"name": "Rossi, Anna", "address": "anna.rossi@example.com"}


OLD = "Gentile cliente,\nla fattura 12 è scaduta."


@pytest.mark.parametrize(
    "mark",
    [
        "Il giorno gio 5 mar 2026 alle ore 10:00 Saldo <a@example.com> ha scritto:",
        "Il giorno gio 5 mar 2026 alle ore 10:00 Ufficio Crediti\n<a@example.com> ha scritto:",
        "On Thu, Mar 5, 2026 at 10:00 AM Saldo <a@example.com> wrote:",
        "Am 05.03.2026 um 10:00 schrieb Saldo:",
        "-----Messaggio originale-----\nDa: Saldo",
        "-------- Original Message --------",
        "________________________________\nDa: Saldo <a@example.com>\nInviato: giovedì 5 marzo 2026\nA: b",
        "From: Saldo\nSent: Thursday\nTo: b\nSubject: x",
    ],
)
def test_what_follows_a_mark_is_quoted(mark: str) -> None:
    new, old = split_quoted(f"Pago domani.\n\n{mark}\n\n{OLD}")
    assert new == "Pago domani."
    assert OLD in old


def test_answers_between_quoted_lines_are_new() -> None:
    new, old = split_quoted(
        "Buongiorno\nOn 5 Mar 2026, a@example.com wrote:\n> When do you pay?\nNext week.\n> All?\nHalf."
    )
    assert new == "Buongiorno\nNext week.\nHalf."
    assert "> When do you pay?" in old and "> All?" in old


@pytest.mark.parametrize(
    "text",
    [
        "On the invoice you wrote: 12",
        "Da: verificare\nVi faremo sapere",
        "Il totale è di 100,00 euro:\npagheremo",
        "Il geometra Rossi ha scritto:\nmanca la bolla",
    ],
)
def test_ordinary_words_are_no_mark(text: str) -> None:
    assert split_quoted(text) == (text, "")


def test_html_becomes_text_and_its_quotes_are_quoted() -> None:
    message = read(
        HEAD
        + "Content-Type: text/html; charset=utf-8\n\n<html><head><style>p{color:red}</style></head><body>"
        "<p>Il bonifico &egrave; partito.</p><table><tr><td>FT 1</td><td>10,00</td></tr></table>"
        "<div>On 5 Mar 2026 a@example.com wrote:</div><blockquote><p>Please pay</p></blockquote></html>"
    )
    assert message.text == "Il bonifico è partito.\n\nFT 1 10,00"
    assert "> Please pay" in message.quoted
    assert "color" not in message.text


def test_plain_part_is_preferred_unless_blank() -> None:
    made = EmailMessage()
    made["From"], made["Message-ID"] = "a@example.com", "<1@example.com>"
    made.set_content("testo")
    made.add_alternative("<p>html</p>", subtype="html")
    assert read(bytes(made)).text == "testo"
    made = EmailMessage()
    made["From"], made["Message-ID"] = "a@example.com", "<1@example.com>"
    made.set_content("  \n")
    made.add_alternative("<p>html</p>", subtype="html")
    assert read(bytes(made)).text == "html"


def test_attachments_have_names_types_and_sizes() -> None:
    made = EmailMessage()
    made["From"], made["Message-ID"] = "a@example.com", "<1@example.com>"
    made.set_content("in allegato")
    made.add_attachment(b"%PDF-1.7 12345", "application", "pdf", filename="contabile à.pdf")
    inner = EmailMessage()
    inner["Subject"] = "Vecchio"
    inner.set_content("parole vecchie")
    made.add_attachment(inner)
    message = read(bytes(made))
    assert [(a.name, a.content_type) for a in message.attachments] == [
        ("contabile à.pdf", "application/pdf"),
        ("Vecchio.eml", "message/rfc822"),
    ]
    assert message.attachments[0].size == 14
    assert message.text == "in allegato"


@pytest.mark.parametrize(
    ("header", "mark"),
    [
        ("Auto-Submitted: auto-replied", "Auto-Submitted"),
        ("X-Autoreply: yes", "X-Autoreply"),
        ("Precedence: bulk", "Precedence"),
        ("Return-Path: <>", "Return-Path"),
        ("Content-Type: multipart/report; boundary=x", "Content-Type"),
    ],
)
def test_marks_of_machines(header: str, mark: str) -> None:
    assert read(f"{HEAD}{header}\n\nSono in ferie").automatic_marks == (mark,)


def test_people_are_not_machines() -> None:
    head = "Auto-Submitted: no\nReturn-Path: <a@example.com>\nPrecedence: normal\n"
    assert not read(f"{HEAD}{head}\nciao").is_automatic


@pytest.mark.parametrize(
    ("charset", "data"),
    [
        ("iso-8859-15", "è € 10".encode("iso-8859-15")),
        ("windows-1252", "è € 10".encode("windows-1252")),
        ("utf-8", "è € 10".encode()),
        ("x-unknown", "è € 10".encode()),
        ("ascii", "è € 10".encode("windows-1252")),
        ("idna", "è € 10".encode()),
    ],
)
def test_any_charset(charset: str, data: bytes) -> None:
    head = f"{HEAD}Content-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: 8bit\n\n"
    assert read(head.encode() + data).text == "è € 10"


def test_raw_bytes_in_headers_are_read() -> None:
    message = read(b"From: Societ\xc3\xa0 <a@example.com>\nSubject: Perch\xe8\n\nx")
    assert message.sender == ("Società", "a@example.com")
    assert message.subject == "Perchè"


def test_what_is_missing_is_said() -> None:
    message = read("Subject: x\nMIME-Version: 1.0\nDate: someday\n\nciao")
    assert [notice.code for notice in message.notices] == ["message_without_sender", "message_without_date"]
    assert (message.sender, message.date, message.message_id) == (None, None, None)


def test_long_text_is_clipped_with_a_notice() -> None:
    message = read(f"{HEAD}\n" + "parola " * 40_000)
    assert len(message.text) <= 200_000
    assert "message_clipped" in [notice.code for notice in message.notices]


def test_a_file_gives_its_message_and_what_is_attached() -> None:
    made = EmailMessage()
    made["From"], made["Message-ID"], made["Subject"] = "a@example.com", "<1@example.com>", "Fattura"
    made.set_content("in allegato")
    xml = invoice(body(number="7")).encode()
    made.add_attachment(xml, "application", "xml", filename="IT00000000000_7.xml")
    result = read_file(bytes(made), "m.eml")
    assert [record.number for record in result.invoices] == ["7"]
    assert [(record.kind, record.subject) for record in result.records] == [("message", "Fattura")]
    assert result.format == "fatturapa"
    alone = read_file(HEAD.encode() + b"\nciao", "m.eml")
    assert (alone.format, len(alone.records), alone.rejections) == ("eml", 1, ())


def test_endless_nesting_is_refused_once() -> None:
    data = HEAD.encode()
    for level in range(60):
        data += f'Content-Type: multipart/mixed; boundary="b{level}"\n\n--b{level}\n'.encode()
    result = read_file(data + b"\nx", "m.eml")
    assert [rejection.code for rejection in result.rejections] == ["mail_broken"]


SAMPLE = (
    HEAD + "Subject: =?utf-8?B?w6A=?= =?x?Q?=FF?=\nReferences: <a@b> <c@d>\nMIME-Version: 1.0\n"
    'Content-Type: multipart/mixed; boundary="b"\n\n--b\n'
    'Content-Type: multipart/alternative; boundary="c"\n\n'
    "--c\nContent-Type: text/plain; charset=utf-8\n\nciao\nOn 5 Mar 2026 x wrote:\n> a\n--c\n"
    "Content-Type: text/html\n\n<p>ciao<blockquote>x</p>\n--c--\n--b\nContent-Type: application/pdf\n"
    "Content-Transfer-Encoding: base64\nContent-Disposition: attachment; filename*=utf-8''%C3%A0.pdf\n\n"
    "JVBERi0x\n--b\nContent-Type: message/rfc822\n\nSubject: in\n\ny\n--b--\n"
).encode()


@given(
    st.lists(st.tuples(st.integers(0, 10**4), st.integers(0, 12), st.binary(max_size=5)), max_size=6),
)
@settings(max_examples=300, deadline=None)
def test_never_raises(changes: list[tuple[int, int, bytes]]) -> None:
    data = SAMPLE
    for place, cut, put in changes:
        place %= len(data) + 1
        data = data[:place] + put + data[place + cut :]
    result = read_file(data, "m.eml")
    assert result.records or result.rejections
    result.as_json("it")


@given(st.text(alphabet=st.sampled_from("=?utf8BbQq-_ \n\t<>@,;:\"'é\udc80abc."), max_size=80))
@settings(max_examples=200, deadline=None)
def test_any_header(value: str) -> None:
    raw = b"MIME-Version: 1.0\n" + b"".join(
        name + b": " + value.encode("utf-8", "surrogateescape") + b"\n"
        for name in (b"From", b"To", b"Subject", b"Date", b"Message-ID", b"References", b"Content-Type")
    )
    read_message(parse_mail(raw + b"\nx")).as_json("en")
