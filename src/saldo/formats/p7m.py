"""Signed envelopes (.p7m, CAdES): the content is taken out; the signature is not verified.

SdI has verified it already. Accepted: DER, BER with indefinite lengths, PEM, base64 without armor, and
envelopes inside envelopes. Refused: detached signatures (no content inside) and encrypted envelopes.
"""

from __future__ import annotations

import base64
import binascii
import re

from asn1crypto import cms

from saldo.core.errors import Rejection
from saldo.formats.records import Refusal

MAX_ENVELOPES = 6
_PKCS7_OID_PREFIX = bytes.fromhex("06092a864886f70d0107")
# Base64 of a sequence header: 30 80 (indefinite) and 30 81..84 (lengths).
_BASE64_HEAD = re.compile(rb"M[IY][A-Za-z0-9+/]")


def is_p7m(data: bytes) -> bool:
    """Whether ``data`` is a PKCS#7 envelope, as bytes or as text."""
    if data[:1] == b"\x30":
        return _PKCS7_OID_PREFIX in data[:40]
    text = _unpadded(data[:400])
    if text.startswith(b"-----BEGIN "):
        return b"PKCS" in text[:40] or b"CMS" in text[:40]
    if not _BASE64_HEAD.match(text):
        return False
    compact = b"".join(text.split())
    try:
        return _PKCS7_OID_PREFIX in base64.b64decode(compact[: len(compact) // 4 * 4], validate=True)[:40]
    except binascii.Error:
        return False


def open_p7m(data: bytes) -> bytes:
    """The innermost content of the envelope ``data``. Raises Refusal."""
    for _ in range(MAX_ENVELOPES):
        data = _content_of(_as_der(data))
        if not is_p7m(data):
            return data
    raise Refusal(Rejection("container_too_deep", ".p7m", "", {"limit": MAX_ENVELOPES}))


def _as_der(data: bytes) -> bytes:
    if data[:1] == b"\x30":
        return data
    text = _without_armor(_unpadded(data))
    compact = b"".join(text.split())
    try:
        return base64.b64decode(compact, validate=True)
    except binascii.Error as error:
        raise _broken(text, str(error)) from error


def _content_of(der: bytes) -> bytes:
    try:
        envelope = cms.ContentInfo.load(der)
        content_type = envelope["content_type"].native
        if content_type != "signed_data":
            raise Refusal(Rejection("p7m_not_signed_data", ".p7m", "", {"content_type": content_type}))
        content = envelope["content"]["encap_content_info"]["content"]
        # Force the parts after the content too: an envelope cut short must not pass.
        envelope["content"]["signer_infos"].native  # noqa: B018
        inner = None if content.native is None else bytes(content)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise _broken(der, str(error).partition("\n")[0]) from error
    if inner is None:
        raise Refusal(Rejection("p7m_detached", ".p7m", ""))
    return inner


def _broken(data: bytes, reason: str) -> Refusal:
    excerpt = data[:60].decode("ascii", errors="replace")
    return Refusal(Rejection("p7m_broken", ".p7m", excerpt, {"reason": reason}))


def _without_armor(text: bytes) -> bytes:
    """What stands between the BEGIN and END lines of PEM, or all of it when there are none."""
    _, begin, rest = text.partition(b"-----BEGIN ")
    _, end_of_line, inside = rest.partition(b"-----")
    return inside.partition(b"-----END ")[0] if begin and end_of_line else text


def _unpadded(data: bytes) -> bytes:
    return data.removeprefix(b"\xef\xbb\xbf").strip()
