"""PEC: receipts by their headers and daticert.xml, and the messages inside certified envelopes."""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saldo.formats.detect import read_file
from saldo.formats.messages import MessageRecord
from saldo.formats.pec import PecReceipt
from tests.fatturapa_samples import body, invoice


def daticert(type_: str, error: str = "nessuno", more: str = "") -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><postacert tipo="{type_}" errore="{error}"><intestazione>'
        "<mittente>Crediti@pec.example.com</mittente>"
        '<destinatari tipo="certificato">cliente@pec.example.test</destinatari>'
        '<destinatari tipo="esterno">altro@example.test</destinatari>'
        "<risposte>crediti@pec.example.com</risposte><oggetto>Sollecito n. 1</oggetto></intestazione><dati>"
        "<gestore-emittente>Gestore di Prova S.p.A.</gestore-emittente>"
        '<data zona="+0100"><giorno>05/03/2026</giorno><ora>10:11:12</ora></data>'
        "<identificativo>opec.1@pec.example.com</identificativo><msgid>&lt;m1@saldo.test&gt;</msgid>"
        f'<ricevuta tipo="completa"/>{more}</dati></postacert>'
    ).encode()


def pec(headers: dict[str, str], data: bytes | None, inner: EmailMessage | None = None) -> bytes:
    message = EmailMessage()
    message["From"], message["To"] = "posta-certificata@pec.example.com", "crediti@pec.example.com"
    message["Subject"], message["Message-ID"] = "ACCETTAZIONE: Sollecito n. 1", "<opec.1@pec.example.com>"
    message["Date"] = "Thu, 5 Mar 2026 10:11:20 +0100"
    for name, value in headers.items():
        message[name] = value
    message.set_content("Ricevuta")
    if data is not None:
        message.add_attachment(data, "application", "xml", filename="daticert.xml")
    if inner is not None:
        message.add_attachment(inner, filename="postacert.eml")
    return bytes(message)


def receipt(data: bytes) -> PecReceipt:
    result = read_file(data, "r.eml")
    assert not result.rejections
    [record] = result.records
    assert isinstance(record, PecReceipt)
    return record


ACCEPTED = {"X-Ricevuta": "accettazione", "X-Riferimento-Message-ID": "<m1@saldo.test>"}


def test_acceptance() -> None:
    record = receipt(pec(ACCEPTED, daticert("accettazione")))
    assert (record.type, record.outcome, record.error) == ("accettazione", "accepted", "nessuno")
    assert record.sender == "crediti@pec.example.com"
    assert record.recipients == (
        ("cliente@pec.example.test", "certificato"),
        ("altro@example.test", "esterno"),
    )
    assert (record.subject, record.provider) == ("Sollecito n. 1", "Gestore di Prova S.p.A.")
    assert record.date is not None
    assert record.date.astimezone(UTC) == datetime(2026, 3, 5, 9, 11, 12, tzinfo=UTC)
    assert record.identifier == "opec.1@pec.example.com"
    assert (record.reference_message_id, record.notices) == ("<m1@saldo.test>", ())


def test_delivery_says_to_whom_and_how_completely() -> None:
    original = EmailMessage()
    original["Subject"], original["From"] = "Sollecito n. 1", "crediti@pec.example.com"
    original.set_content("Vi comunichiamo di aver disposto bonifico di € 10,00 per fattura 1")
    data = pec(
        {"X-Ricevuta": "avvenuta-consegna", "X-TipoRicevuta": "breve"},
        daticert("avvenuta-consegna", more="<consegna>Cliente@pec.example.test</consegna>"),
        original,
    )
    record = receipt(data)
    assert (record.outcome, record.receipt_type) == ("delivered", "breve")
    assert record.delivered_to == "cliente@pec.example.test"
    # Without the header, daticert.xml says which message it is about.
    assert record.reference_message_id == "<m1@saldo.test>"


@pytest.mark.parametrize(
    ("type_", "outcome"),
    [
        ("mancata-consegna", "failed"),
        ("errore-consegna", "failed"),
        ("non-accettazione", "refused"),
        ("preavviso-errore-consegna", "delayed"),
        ("presa-in-carico", "taken_in_charge"),
        ("qualcosa-di-nuovo", "unknown"),
    ],
)
def test_outcomes(type_: str, outcome: str) -> None:
    more = "<errore-esteso>5.1.1 - casella inesistente</errore-esteso>"
    record = receipt(pec({"X-Ricevuta": type_}, daticert(type_, "no-dest", more)))
    assert (record.type, record.outcome, record.error) == (type_, outcome, "no-dest")
    assert record.error_text == "5.1.1 - casella inesistente"


def test_receipt_without_certification_data() -> None:
    record = receipt(pec(ACCEPTED | {"X-Ricevuta": "mancata-consegna"}, None))
    assert (record.outcome, record.reference_message_id) == ("failed", "<m1@saldo.test>")
    assert (record.sender, record.provider) == ("crediti@pec.example.com", "pec.example.com")
    assert record.date is not None
    assert [notice.code for notice in record.notices] == ["pec_data_missing"]
    broken = receipt(pec(ACCEPTED, daticert("accettazione")[:-30]))
    assert [notice.code for notice in broken.notices] == ["pec_data_broken"]


def test_envelope_gives_the_message_inside() -> None:
    original = EmailMessage()
    original["Subject"], original["From"] = "Contestazione", "cliente@pec.example.test"
    original["Message-ID"], original["To"] = "<c1@example.test>", "crediti@pec.example.com"
    original["Date"] = "Thu, 5 Mar 2026 10:00:00 +0100"
    original.set_content("Contestiamo la fattura 12.")
    xml = invoice(body(number="9")).encode()
    original.add_attachment(xml, "application", "xml", filename="IT00000000000_9.xml")
    certified = daticert("posta-certificata").replace(b"Crediti@pec.example.com", b"cliente@pec.example.test")
    result = read_file(pec({"X-Trasporto": "posta-certificata"}, certified, original), "in.eml")
    [record] = result.records
    assert isinstance(record, MessageRecord)
    assert (record.is_certified, record.subject) == (True, "Contestazione")
    assert (record.text, record.message_id) == ("Contestiamo la fattura 12.", "<c1@example.test>")
    assert record.certified_sender == "cliente@pec.example.test"
    assert record.certified_id == "opec.1@pec.example.com"
    assert [one.name for one in record.attachments] == ["IT00000000000_9.xml"]
    assert [one.number for one in result.invoices] == ["9"]


def test_envelope_without_its_message() -> None:
    result = read_file(pec({"X-Trasporto": "posta-certificata"}, daticert("posta-certificata")), "in.eml")
    [record] = result.records
    assert [notice.code for notice in record.notices] == ["pec_message_missing"]


def test_certification_data_alone() -> None:
    [record] = read_file(daticert("avvenuta-consegna"), "daticert.xml").records
    assert (record.outcome, record.receipt_type) == ("delivered", "completa")


@given(st.lists(st.tuples(st.integers(0, 10**4), st.binary(max_size=4)), min_size=1, max_size=5))
@settings(max_examples=150, deadline=None)
def test_never_raises(changes: list[tuple[int, bytes]]) -> None:
    original = EmailMessage()
    original["Subject"] = "x"
    original.set_content("y")
    data = pec({"X-Trasporto": "posta-certificata"}, daticert("posta-certificata"), original)
    for place, put in changes:
        place %= len(data)
        data = data[:place] + put + data[place + 1 :]
    result = read_file(data, "x.eml")
    assert result.records or result.rejections
    result.as_json("it")
