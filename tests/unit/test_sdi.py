"""Notifications of SdI in both dialects."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saldo.formats.detect import detect_kind, read_file
from saldo.formats.sdi import SdiNotification, read_sdi

PUBLIC = "http://www.fatturapa.gov.it/sdi/messaggi/v1.0"
PRIVATE = "http://ivaservizi.agenziaentrate.gov.it/docs/xsd/fattura/messaggi/v1.0"


def notification(root: str, content: str, space: str = PRIVATE) -> bytes:
    head = (
        "<IdentificativoSdI>111222</IdentificativoSdI><NomeFile>IT01234560157_00012.xml.p7m</NomeFile>"
        "<DataOraRicezione>2026-03-05T10:11:12.000+01:00</DataOraRicezione>"
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><n:{root} xmlns:n="{space}" versione="1.0">{head}{content}'
        f"<MessageId>998877</MessageId></n:{root}>"
    ).encode()


def only(data: bytes, name: str = "") -> SdiNotification:
    result = read_sdi(data, name)
    assert not result.rejections
    [record] = result.records
    assert isinstance(record, SdiNotification)
    return record


def test_delivery() -> None:
    record = only(
        notification(
            "RicevutaConsegna",
            "<Hash>ab12</Hash><DataOraConsegna>2026-03-05T11:00:00</DataOraConsegna><Destinatario><Codice>"
            "ABC1234</Codice><Descrizione>Canale di prova</Descrizione></Destinatario>",
        )
    )
    assert (record.type, record.meaning, record.sdi_id) == ("RC", "delivered", "111222")
    assert (record.file_name, record.hash) == ("IT01234560157_00012.xml.p7m", "ab12")
    assert record.received_at is not None and record.delivered_at is not None
    assert record.received_at.astimezone(UTC) == datetime(2026, 3, 5, 9, 11, 12, tzinfo=UTC)
    # Without a zone it is Italian time.
    assert record.delivered_at.astimezone(UTC) == datetime(2026, 3, 5, 10, tzinfo=UTC)
    assert (record.recipient_code, record.message_id, record.is_public_body) == ("ABC1234", "998877", False)


def test_rejection_with_its_errors() -> None:
    errors = (
        "<ListaErrori><Errore><Codice>00404</Codice><Descrizione>Fattura duplicata</Descrizione></Errore>"
        "<Errore><Codice>00311</Codice><Descrizione>Codice non valido</Descrizione><Suggerimento>Verificare"
        "</Suggerimento></Errore></ListaErrori>"
    )
    for root, space in (("NotificaScarto", PUBLIC), ("RicevutaScarto", PRIVATE)):
        record = only(notification(root, errors, space))
        assert (record.type, record.is_rejection) == ("NS", True)
        assert [(one.code, one.description) for one in record.errors] == [
            ("00404", "Fattura duplicata"),
            ("00311", "Codice non valido"),
        ]


def test_not_delivered_is_no_rejection() -> None:
    private = only(
        notification(
            "RicevutaImpossibilitaRecapito",
            "<DataMessaADisposizione>2026-03-06</DataMessaADisposizione>",
        )
    )
    assert (private.type, private.meaning, private.is_rejection) == ("MC", "made_available", False)
    assert private.made_available_at is not None
    public = only(notification("NotificaMancataConsegna", "", PUBLIC))
    assert (public.type, public.is_rejection, public.is_public_body) == ("MC", False, True)


def test_outcome_of_an_administration() -> None:
    record = only(
        notification(
            "NotificaEsito",
            "<EsitoCommittente><RiferimentoFattura><NumeroFattura>12/PA</NumeroFattura><AnnoFattura>2026"
            "</AnnoFattura></RiferimentoFattura><Esito>EC02</Esito><Descrizione>CIG errato</Descrizione>"
            "</EsitoCommittente>",
            PUBLIC,
        )
    )
    assert (record.type, record.outcome, record.is_public_body) == ("NE", "EC02", True)
    assert (record.invoice_number, record.invoice_year) == ("12/PA", 2026)
    assert (record.description, record.is_rejection) == ("CIG errato", False)


@pytest.mark.parametrize(
    ("root", "type_", "public"),
    [
        ("NotificaDecorrenzaTermini", "DT", True),
        ("AttestazioneTrasmissioneFattura", "AT", True),
        ("NotificaEsitoCommittente", "EC", True),
        ("ScartoEsitoCommittente", "SE", True),
        ("MetadatiInvioFile", "MT", None),
        ("FileMetadati", "MT", None),
    ],
)
def test_types_by_root(root: str, type_: str, public: bool | None) -> None:
    record = only(notification(root, "", "http://example.test/other"))
    assert (record.type, record.is_public_body) == (type_, public)


def test_the_file_name_tells_where_the_root_does_not() -> None:
    assert only(notification("NuovaRicevuta", ""), "IT01234560157_00012_MC_001.xml").type == "MC"
    assert only(notification("NuovaRicevuta", "")).type == "unknown"
    conflict = only(notification("RicevutaConsegna", ""), "IT01234560157_00012_NS_001.xml")
    assert conflict.type == "RC"
    assert [notice.code for notice in conflict.notices] == ["sdi_type_conflict"]


def test_detected_by_name_space_too() -> None:
    data = notification("NuovaRicevuta", "")
    assert detect_kind(data) == "sdi-message"
    assert read_file(data, "IT01234560157_00012_DT_001.xml").records[0].type == "DT"


def test_bad_pieces_do_not_lose_the_rest() -> None:
    data = notification("RicevutaConsegna", "<DataOraConsegna>ieri</DataOraConsegna>")
    record = only(data.replace(b"<IdentificativoSdI>111222</IdentificativoSdI>", b""))
    codes = [notice.code for notice in record.notices]
    assert codes == ["sdi_identifier_missing", "instant_unreadable"]
    assert record.file_name
    assert [r.code for r in read_sdi(data[:-20]).rejections] == ["xml_truncated"]


@given(st.lists(st.tuples(st.integers(0, 2000), st.binary(max_size=4)), min_size=1, max_size=5))
@settings(max_examples=150, deadline=None)
def test_never_raises(changes: list[tuple[int, bytes]]) -> None:
    data = notification("NotificaEsito", "<ListaErrori><Errore><Codice>1</Codice></Errore></ListaErrori>")
    for place, put in changes:
        place %= len(data)
        data = data[:place] + put + data[place + 1 :]
    result = read_sdi(data, "x_NE_001.xml")
    assert result.records or result.rejections
    result.as_json("it")
