"""XML from strangers: attacks refused, truncation never accepted, harmless defects repaired and flagged."""

from __future__ import annotations

import pytest

from saldo.formats.fatturapa import read_fatturapa
from tests.fatturapa_samples import body, invoice, payment

LOT = invoice(
    body(number="1", payments=payment("61.00", "2026-03-31") + payment("61.00", "2026-04-30")),
    body(number="2"),
)
BOMB = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    + "".join(
        f'<!ENTITY {name} "{f"&{previous};" * 10}">'
        for previous, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    + "]><FatturaElettronica><Numero>&i;</Numero></FatturaElettronica>"
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize(
    "attack",
    [
        BOMB,
        '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><FatturaElettronica>&e;</FatturaElettronica>',
        '<!DOCTYPE x SYSTEM "http://example.test/x.dtd"><FatturaElettronica/>',
    ],
)
def test_documents_with_a_dtd_are_refused(attack: str, encoding: str) -> None:
    result = read_fatturapa(attack.encode(encoding))
    assert [rejection.code for rejection in result.rejections] == ["xml_dtd"]


def test_no_truncation_is_ever_accepted() -> None:
    whole = LOT.encode()
    assert [record.number for record in read_fatturapa(whole).invoices] == ["1", "2"]
    for cut in range(1, len(whole)):
        result = read_fatturapa(whole[:cut])
        assert not result.invoices, whole[:cut][-60:]
        assert len(result.rejections) == 1


def test_truncation_says_what_the_file_seemed_to_hold() -> None:
    whole = LOT.encode()
    [rejection] = read_fatturapa(whole[: whole.rindex(b"</FatturaElettronicaBody>")]).rejections
    assert rejection.code == "xml_truncated"
    assert "1, 2" in rejection.why("it")
    assert "SdI" in rejection.remedy("it")


def test_crossed_tags_are_refused() -> None:
    broken = LOT.replace("</Divisa><Data>", "<Data></Divisa>", 1)
    assert [rejection.code for rejection in read_fatturapa(broken.encode()).rejections] == ["xml_broken"]


DECLARED = LOT.replace("Cliente d&apos;Esempio", "Società Così")
UNDECLARED = DECLARED.replace('<?xml version="1.0" encoding="UTF-8"?>', "")
HARMLESS = {
    "windows-1252 declared as UTF-8": DECLARED.encode("windows-1252"),
    "windows-1252 undeclared": UNDECLARED.encode("windows-1252"),
    "UTF-8 declared as UTF-16": DECLARED.replace("UTF-8", "UTF-16").encode(),
    "unknown encoding": DECLARED.replace("UTF-8", "x-nothing").encode(),
    "spaces before the declaration": b"\r\n  " + DECLARED.encode(),
    "two byte order marks": b"\xef\xbb\xbf" * 2 + DECLARED.encode(),
    "NULs at the end": DECLARED.encode() + b"\x00" * 8,
    "control character": DECLARED.replace("Officine", "Officine\x0b").encode(),
    "bare ampersand": DECLARED.replace("Officine", "R & F Officine").encode(),
    "bad namespace URI": DECLARED.replace("http://ivaservizi", "http:// ivaservizi").encode(),
    "prefix never declared": DECLARED.replace("xmlns:p=", "xmlns:q=").encode(),
}
FINE = {
    "UTF-8": DECLARED.encode(),
    "byte order mark": b"\xef\xbb\xbf" + DECLARED.encode(),
    "UTF-16": DECLARED.replace("UTF-8", "UTF-16").encode("utf-16"),
    "windows-1252": DECLARED.replace("UTF-8", "windows-1252").encode("windows-1252"),
    "no declaration": UNDECLARED.encode(),
    "default namespace": DECLARED.replace("p:F", "F").replace("xmlns:p", "xmlns").encode(),
    "stylesheet and comments": DECLARED.replace(
        "<p:F", '<?xml-stylesheet href="x.xsl"?><!-- <y> --><p:F', 1
    ).replace("<Numero>1", "<Numero><!-- n -->1").encode(),
}  # fmt: skip


@pytest.mark.parametrize("name", HARMLESS)
def test_harmless_defects_are_repaired_and_flagged(name: str) -> None:
    result = read_fatturapa(HARMLESS[name])
    assert [record.number for record in result.invoices] == ["1", "2"]
    assert [record.repaired for record in result.invoices] == [True, True]
    assert [len(record.installments) for record in result.invoices] == [2, 1]
    assert result.invoices[0].buyer_name == "Società Così SpA"
    assert "xml_repaired" in [notice.code for notice in result.invoices[0].notices]


@pytest.mark.parametrize("name", FINE)
def test_encodings_need_no_repair(name: str) -> None:
    result = read_fatturapa(FINE[name])
    assert [(record.number, record.repaired) for record in result.invoices] == [("1", False), ("2", False)]
    assert result.invoices[0].buyer_name == "Società Così SpA"


@pytest.mark.parametrize("data", [b"", b"  \r\n", b"\x00\x00"])
def test_empty(data: bytes) -> None:
    assert [rejection.code for rejection in read_fatturapa(data).rejections] == ["empty_file"]


def test_deep_nesting_is_refused() -> None:
    deep = "<FatturaElettronica>" + "<a>" * 100_000 + "</a>" * 100_000 + "</FatturaElettronica>"
    assert [rejection.code for rejection in read_fatturapa(deep.encode()).rejections] == ["xml_broken"]


def test_large_attachment_is_no_obstacle() -> None:
    attachment = f"<Allegati><Attachment>{'QUJD' * 3_000_000}</Attachment></Allegati>"
    whole = invoice(
        body(number="1").replace("</FatturaElettronicaBody>", attachment + "</FatturaElettronicaBody>")
    )
    assert [record.number for record in read_fatturapa(whole.encode()).invoices] == ["1"]
