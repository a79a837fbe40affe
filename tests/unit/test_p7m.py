"""Signed envelopes: every encoding in use is opened, and what holds no document is refused."""

from __future__ import annotations

import base64
import shutil
import subprocess
from pathlib import Path

import pytest
from asn1crypto import cms

from saldo.formats.detect import detect_kind, read_bytes
from saldo.formats.p7m import is_p7m, open_p7m
from saldo.formats.records import Refusal
from tests.fatturapa_samples import invoice

XML = invoice().encode()


def envelope(content: bytes | None) -> bytes:
    """DER of a SignedData without signers: the form of a .p7m, made without keys."""
    signed = cms.SignedData(
        {
            "version": "v1",
            "digest_algorithms": [],
            "encap_content_info": {"content_type": "data", "content": content},
            "signer_infos": [],
        }
    )
    der: bytes = cms.ContentInfo({"content_type": "signed_data", "content": signed}).dump()
    return der


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a self-signed key, and the openssl program at hand."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("signer")
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=Prova"
    )
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    return folder


def signed(folder: Path, content: bytes, *options: str) -> bytes:
    command = ["openssl", "cms", "-sign", "-binary", "-signer", "cert.pem", "-inkey", "key.pem", *options]
    return subprocess.run(command, cwd=folder, input=content, check=True, capture_output=True).stdout


def test_real_signatures_in_every_encoding(signer: Path) -> None:
    der = signed(signer, XML, "-nodetach", "-outform", "DER")
    made = {
        "DER": der,
        "BER": signed(signer, XML, "-nodetach", "-stream", "-outform", "DER"),
        "PEM": signed(signer, XML, "-nodetach", "-outform", "PEM"),
        "base64": base64.encodebytes(der),
        "base64, one line": b"\xef\xbb\xbf" + base64.b64encode(der) + b"\r\n",
        "signed twice": signed(signer, der, "-nodetach", "-outform", "DER"),
        "base64 inside": signed(signer, base64.encodebytes(der), "-nodetach", "-outform", "DER"),
    }
    assert made["BER"][1] == 0x80, "the sample must use an indefinite length"
    for name, data in made.items():
        assert open_p7m(data) == XML, name
        assert detect_kind(data, "IT00000000000_1.xml.p7m") == "fatturapa-p7m", name


def test_large_content_in_ber_chunks(signer: Path) -> None:
    large = XML + b" " * 200_000
    assert open_p7m(signed(signer, large, "-nodetach", "-stream", "-outform", "DER")) == large


def test_signature_cut_short_is_refused(signer: Path) -> None:
    der = signed(signer, XML, "-nodetach", "-outform", "DER")
    for cut in range(40, len(der), 7):
        with pytest.raises(Refusal):
            open_p7m(der[:cut])


def test_detached_signature_is_refused(signer: Path) -> None:
    with pytest.raises(Refusal) as refusal:
        open_p7m(signed(signer, XML, "-outform", "DER"))
    assert refusal.value.rejection.code == "p7m_detached"


def test_encrypted_envelope_is_refused(signer: Path) -> None:
    command = ["openssl", "cms", "-encrypt", "-aes128", "-binary", "-outform", "DER", "cert.pem"]
    data = subprocess.run(command, cwd=signer, input=XML, check=True, capture_output=True).stdout
    [(_, result)] = read_bytes(data, "IT00000000000_1.xml.p7m")
    assert [rejection.code for rejection in result.rejections] == ["p7m_not_signed_data"]


def test_opened_without_keys_too() -> None:
    assert open_p7m(envelope(XML)) == XML
    assert open_p7m(envelope(envelope(XML))) == XML
    with pytest.raises(Refusal) as refusal:
        open_p7m(envelope(None))
    assert refusal.value.rejection.code == "p7m_detached"


def test_endless_envelopes_are_refused() -> None:
    data = XML
    for _ in range(12):
        data = envelope(data)
    with pytest.raises(Refusal) as refusal:
        open_p7m(data)
    assert refusal.value.rejection.code == "container_too_deep"


@pytest.mark.parametrize(
    "data", [XML, b"", b"0", b"0123456789;x\n", b"MIME-Version: 1.0\n", b"MII", b"%PDF-1.7"]
)
def test_what_is_no_envelope(data: bytes) -> None:
    assert not is_p7m(data)


def test_reads_through_the_envelope() -> None:
    [(name, result)] = read_bytes(envelope(XML), "IT00000000000_1.xml.p7m")
    assert name == "IT00000000000_1.xml.p7m"
    assert result.format == "fatturapa"
    assert [record.number for record in result.invoices] == ["12/2026"]
