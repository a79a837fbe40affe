"""Kinds are told by content; containers are opened within limits, and nothing in them is lost silently."""

from __future__ import annotations

import io
import zipfile
from email.message import EmailMessage

import pytest

from saldo.formats import detect
from saldo.formats.detect import contents_of, detect_kind, read_bytes, read_file
from tests.fatturapa_samples import body, invoice, simplified
from tests.unit.test_p7m import envelope


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def xml(number: str) -> bytes:
    return invoice(body(number=number)).encode()


SDI = b'<?xml version="1.0"?><ns3:RicevutaConsegna xmlns:ns3="http://example.test/sdi"><IdentificativoSdI>1</IdentificativoSdI></ns3:RicevutaConsegna>'
PEC = b'<?xml version="1.0"?><postacert tipo="posta-certificata" errore="nessuno"/>'


@pytest.mark.parametrize(
    ("data", "name", "kind"),
    [
        (xml("1"), "x.bin", "fatturapa"),
        (b"<!-- <Invoice> -->" + xml("1").partition(b"?>")[2], "", "fatturapa"),
        (xml("1").decode().replace("UTF-8", "UTF-16").encode("utf-16"), "", "fatturapa"),
        (simplified().encode(), "", "fatturapa"),
        (envelope(xml("1")), "x.xml", "fatturapa-p7m"),
        (envelope(b"other"), "x.p7m", "p7m"),
        (zipped({"a.xml": xml("1")}), "a.xml", "zip"),
        (zipped({"[Content_Types].xml": b"", "xl/workbook.xml": b""}), "a.zip", "xlsx"),
        (SDI, "IT00000000000_1_RC_001.xml", "sdi-message"),
        (PEC, "daticert.xml", "pec-data"),
        (b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:remt.001.001.04"/>', "", "remt"),
        (b"UNA:+.? 'UNB+UNOC:3+A+B+260305:1000+1'", "", "edifact"),
        (b"UNB+UNOA:2+A+B+260305:1000+1'", "", "edifact"),
        (b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.02"/>', "", "camt"),
        (b'<ubl:Invoice xmlns:ubl="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"/>', "", "ubl"),
        (b"<rsm:CrossIndustryInvoice/>", "", "cii"),
        (b"numero;data;importo\n1;2026-01-31;10,00\n", "x.xml", "csv"),
        ("numero\tdata\n1\t2026\n".encode("utf-16"), "", "csv"),
        (b"Citt\xe0;Importo\nForl\xec;1,00\n", "", "csv"),
        (b":20:X\r\n:25:IT\r\n:60F:C260101EUR1,00\r\n", "", "mt940"),
        (b"%PDF-1.7\n", "x.csv", "pdf"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600, "x.xls", "xls"),
        (b"", "x.xml", "empty"),
        (bytes(range(256)) * 4, "x.csv", "unknown"),
        (b"<html><body>Accesso negato; riprovare, grazie</body></html>", "fattura.xml", "unknown"),
    ],
)
def test_kind_by_content(data: bytes, name: str, kind: str) -> None:
    assert detect_kind(data, name) == kind


def test_archive_of_everything() -> None:
    inner = zipped({"c.xml": xml("3")})
    data = zipped(
        {
            "a.xml": xml("1"),
            "sub/b.xml.p7m": envelope(xml("2")),
            "inner.zip": inner,
            "cut.xml": xml("4")[:-30],
            "a_MT_001.xml": SDI,
            "partite.csv": b"a;b\n1;2\n",
            "note.bin": bytes(range(256)),
            "allegato.pdf": b"%PDF-1.7",
            "__MACOSX/._a.xml": b"\x00\x05",
        }
    )
    found = {name: result for name, result in read_bytes(data, "all.zip")}
    numbers = {
        name: [record.number for record in result.invoices]
        for name, result in found.items()
        if result.invoices
    }
    assert numbers == {
        "all.zip/a.xml": ["1"],
        "all.zip/sub/b.xml.p7m": ["2"],
        "all.zip/inner.zip/c.xml": ["3"],
    }
    refused = {name: result.rejections[0].code for name, result in found.items() if result.rejections}
    assert refused == {
        "all.zip/cut.xml": "xml_truncated",
        "all.zip/partite.csv": "table_needs_profile",
        "all.zip/note.bin": "format_not_read",
    }
    whole = read_file(data, "all.zip").as_json("it")
    assert [record["source"] for record in whole["invoices"]] == list(numbers)
    assert sorted(r["where"].partition(":")[0] for r in whole["rejections"]) == sorted(refused)
    assert {notice["code"] for notice in whole["notices"]} == {"companion_not_read"}
    assert [(record["kind"], record["type"]) for record in whole["records"]] == [("sdi_notification", "RC")]


def test_format_of_a_single_document_is_its_own() -> None:
    assert read_file(xml("1"), "/some/where/a.xml").as_json()["format"] == "fatturapa"
    assert read_file(envelope(xml("1")), "a.p7m").as_json()["format"] == "fatturapa"
    assert read_file(zipped({"a.xml": xml("1"), "b.xml": xml("2")}), "a.zip").format == "fatturapa"
    assert read_file(b"%PDF-1.7", "/some/where/a.pdf").rejections[0].code == "remittance_pdf_broken"
    assert read_file(b"\x89PNG", "/some/where/a.png").rejections[0].code == "format_not_read"


def test_certified_mail_with_the_original_inside() -> None:
    original = EmailMessage()
    original["Subject"], original["From"], original["To"] = "Fatture", "a@example.com", "b@example.com"
    original.set_content("In allegato; le fatture, grazie")
    original.add_attachment(
        envelope(xml("7")), "application", "pkcs7-mime", filename="IT00000000000_7.xml.p7m"
    )
    original.add_attachment(xml("8"), "application", "xml", filename="IT00000000000_8.xml")
    outer = EmailMessage()
    outer["Subject"], outer["From"], outer["Message-ID"] = (
        "POSTA CERTIFICATA",
        "pec@example.com",
        "<1@example.com>",
    )
    outer.set_content("Messaggio di posta certificata")
    outer.add_attachment(PEC, "application", "xml", filename="daticert.xml")
    outer.add_attachment(original, filename="postacert.eml")
    data = bytes(outer)
    assert detect_kind(data, "x.eml") == "eml"
    results = read_bytes(data, "x.eml")
    numbers = {name: [record.number for record in result.invoices] for name, result in results}
    assert numbers == {
        "x.eml": [],
        "x.eml/IT00000000000_7.xml.p7m": ["7"],
        "x.eml/IT00000000000_8.xml": ["8"],
    }
    assert not any(result.rejections for _, result in results)


@pytest.mark.parametrize("data", [zipped({}), zipped({"__MACOSX/x": b"1"})])
def test_container_without_documents(data: bytes) -> None:
    [(_, result)] = read_bytes(data, "a.zip")
    assert [rejection.code for rejection in result.rejections] == ["no_document_found"]


def test_bomb_member_is_refused_and_the_rest_is_read() -> None:
    data = zipped({"bomb.xml": b" " * (20 * 2**20), "a.xml": xml("1")})
    found, rejections = contents_of(data, "a.zip")
    assert [document.name for document in found] == ["a.zip/a.xml"]
    assert [(path, rejection.code) for path, rejection in rejections] == [("a.zip/bomb.xml", "archive_bomb")]


def test_total_size_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detect, "MAX_TOTAL_BYTES", 5_000)
    data = zipped({f"{number}.xml": xml(str(number)) for number in range(9)})
    found, rejections = contents_of(data, "a.zip")
    assert 0 < len(found) < 9
    assert [rejection.code for _, rejection in rejections] == ["archive_bomb"]


def test_too_many_members(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detect, "MAX_MEMBERS", 3)
    found, rejections = contents_of(zipped({f"{n}.xml": xml(str(n)) for n in range(4)}), "a.zip")
    assert not found
    assert [rejection.code for _, rejection in rejections] == ["archive_bomb"]


def test_archives_inside_archives_end() -> None:
    data = xml("1")
    for level in range(8):
        data = zipped({f"{level}.zip" if level else "a.xml": data})
    found, rejections = contents_of(data, "a.zip")
    assert not found
    assert [rejection.code for _, rejection in rejections] == ["container_too_deep"]


def test_damaged_archives() -> None:
    data = zipped({"a.xml": xml("1"), "b.xml": xml("2")})
    _, cut = contents_of(data[:-30], "a.zip")
    assert [rejection.code for _, rejection in cut] == ["zip_broken"]
    damaged = bytearray(data)
    damaged[60] ^= 0xFF
    found, rejections = contents_of(bytes(damaged), "a.zip")
    assert [document.name for document in found] == ["a.zip/b.xml"]
    assert [(path, rejection.code) for path, rejection in rejections] == [("a.zip/a.xml", "zip_broken")]


def test_password_protected_archive() -> None:
    data = bytearray(zipped({"a.xml": xml("1")}))
    # The encryption bit of the local header and of the central directory.
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    _, rejections = contents_of(bytes(data), "a.zip")
    assert [rejection.code for _, rejection in rejections] == ["zip_encrypted"]
