"""Mail from strangers, taken apart without ever trusting a header: shared by the readers of mail.

The standard parser splits the parts; headers are decoded here, because its own decoding raises on headers
that real mail programs write. Anything undecodable becomes the nearest text, never an error.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email import policy
from email.errors import MessageError
from email.message import Message
from email.parser import BytesParser
from email.utils import getaddresses, parsedate_to_datetime
from itertools import islice

from saldo.core.errors import Rejection
from saldo.formats.records import Refusal

MAX_DEPTH = 20
MAX_PARTS = 2_000
# A header longer than this is an attack or garbage; addresses beyond it are not read.
MAX_HEADER_CHARACTERS = 64_000
# The standard parser takes quadratic time for the parameters of a Content-Type; no honest one is so long.
MAX_CONTENT_HEADER_CHARACTERS = 8_000
# More headers than this are not searched.
MAX_HEADERS = 2_000

Mail = Message

_FOLDED = re.compile(r"\r?\n[ \t]+|[\r\n]+")
_BETWEEN_WORDS = re.compile(r"(\?=)\s+(?==\?)")
_ENCODED_RUN = re.compile(r"(?:=\?[^?\s]{1,60}\?[bBqQ]\?[^?]*\?=)+")
_ENCODED_WORD = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?([^?]*)\?=")
_QUOTED_BYTE = re.compile(rb"=([0-9A-Fa-f]{2})")
# Codecs of the standard library that are no character sets, or take quadratic time.
_NO_CHARSETS = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "utf_7"})


class _ClippedHeaders(policy.Compat32):
    """The policy of old that keeps every header as it came, but clips those that describe the content."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name, value[:MAX_CONTENT_HEADER_CHARACTERS] if name.lower().startswith("content-") else value


_POLICY = _ClippedHeaders()


def parse_mail(data: bytes) -> Mail:
    """The message in ``data``. Raises Refusal("mail_broken") where its parts cannot be told apart."""
    try:
        message = BytesParser(policy=_POLICY).parsebytes(data.lstrip(b"\r\n\t \xef\xbb\xbf"))
        _check_depth(message)
    except (MessageError, ValueError, LookupError, RecursionError, TypeError, AttributeError) as error:
        raise Refusal(Rejection("mail_broken", "", "", {"reason": str(error) or "-"})) from error
    return message


def _check_depth(message: Mail) -> None:
    waiting = [(message, 0)]
    parts = 0
    while waiting:
        part, depth = waiting.pop()
        parts += 1
        if depth > MAX_DEPTH or parts > MAX_PARTS:
            raise ValueError("too many nested parts")
        waiting += [(inner, depth + 1) for inner in children(part)]


def children(part: Mail) -> list[Mail]:
    """The parts directly inside ``part``; of a message/rfc822 part the message it carries."""
    if not part.is_multipart():
        return []
    payload = part.get_payload()
    return [inner for inner in payload if isinstance(inner, Message)] if isinstance(payload, list) else []


def leaves(part: Mail) -> Iterator[Mail]:
    """The parts that hold content, in the order of the message, those of messages inside it too."""
    inside = children(part)
    if not inside:
        yield part
    for inner in inside:
        yield from leaves(inner)


def content_type(part: Mail) -> str:
    """The type in lower case ("text/plain" where none is readable)."""
    return part.get_content_type()


def content_of(part: Mail) -> bytes:
    """The decoded bytes of a leaf; empty where there are none."""
    try:
        content = part.get_payload(decode=True)
    except (ValueError, LookupError, binascii.Error, AttributeError, TypeError, AssertionError):
        return b""
    return content if isinstance(content, bytes) else b""


def flat(message: Mail) -> bytes:
    """A message as bytes again; empty where the standard library cannot write what it read."""
    try:
        return message.as_bytes()
    except (ValueError, LookupError, TypeError, AttributeError):
        return b""


def text_of_part(part: Mail) -> str:
    """The text of a leaf in its character set, or in the one its bytes show."""
    charset = part.get_param("charset", "")
    if isinstance(charset, tuple):
        charset = charset[2]
    return decoded(content_of(part), str(charset or "")).replace("\r\n", "\n").replace("\r", "\n")


def file_name(part: Mail) -> str | None:
    """The name of an attachment, decoded; None where it has none."""
    try:
        name = part.get_filename()
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
    return " ".join(_header_decoded(name).split()) or None if name else None


def is_attachment(part: Mail) -> bool:
    """Whether the part says of itself that it is no body."""
    disposition = _raw(part, "content-disposition")
    return bool(disposition) and disposition[0].strip().lower().startswith("attachment")


def header(message: Mail, name: str) -> str:
    """The first header of that name, decoded, on one line; empty where it is missing."""
    values = _raw(message, name)
    return " ".join(_header_decoded(values[0]).split()) if values else ""


def has_header(message: Mail, name: str) -> bool:
    return bool(_raw(message, name))


def addresses(message: Mail, name: str) -> tuple[tuple[str, str], ...]:
    """(name, address) of everyone in the headers of that name; addresses in lower case."""
    joined = [_FOLDED.sub(" ", _characters(value))[:MAX_HEADER_CHARACTERS] for value in _raw(message, name)]
    try:
        found = getaddresses(joined)
    except (ValueError, IndexError, TypeError, AttributeError):
        found = []
    people = [(" ".join(_header_decoded(who).split()), where.strip().lower()) for who, where in found]
    return tuple((who, where) for who, where in people if who or where)


def message_ids(message: Mail, name: str) -> tuple[str, ...]:
    """The identifiers in a header, with their angle brackets."""
    found = re.findall(r"<[^<>\s]{1,990}>", " ".join(_raw(message, name))[:MAX_HEADER_CHARACTERS])
    return tuple(dict.fromkeys(_characters(one) for one in found))


def sent_at(message: Mail) -> datetime | None:
    """The instant in the Date header; one without a zone is taken as UTC. None where it is no date."""
    try:
        instant = parsedate_to_datetime(header(message, "date"))
        aware = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
        aware.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return aware


def decoded(data: bytes, charset: str = "") -> str:
    """``data`` in ``charset`` if that is one and fits, else as UTF-8, else as windows-1252."""
    name = charset.strip().strip("\"'").lower().replace("-", "_")
    for candidate in (name if name not in _NO_CHARSETS else "", "utf-8"):
        try:
            if candidate:
                return data.decode(candidate)
        except (LookupError, UnicodeError, ValueError):
            continue
    return data.decode("windows-1252", errors="replace")


def _raw(message: Mail, name: str) -> list[str]:
    wanted = name.lower()
    return [str(value) for key, value in islice(message.raw_items(), MAX_HEADERS) if key.lower() == wanted]


def _characters(raw: str) -> str:
    """A header as the parser keeps it, its raw 8-bit bytes made characters."""
    if raw.isascii():
        return raw
    return decoded(raw.encode("utf-8", errors="surrogateescape"))


def _header_decoded(raw: str) -> str:
    text = _FOLDED.sub(" ", _characters(raw))
    text = _BETWEEN_WORDS.sub(r"\1", text)
    text = _ENCODED_RUN.sub(lambda run: _words_decoded(run.group()), text)
    return "".join(c if c.isprintable() else " " for c in text)


def _words_decoded(run: str) -> str:
    """Encoded words in a row: one character may be cut across two of them."""
    pieces: list[tuple[str, bytes]] = []
    for charset, way, body in _ENCODED_WORD.findall(run):
        content = _word_bytes(way, body)
        name = charset.partition("*")[0].lower()
        if pieces and pieces[-1][0] == name:
            pieces[-1] = (name, pieces[-1][1] + content)
        else:
            pieces.append((name, content))
    return "".join(decoded(content, name) for name, content in pieces)


def _word_bytes(way: str, body: str) -> bytes:
    raw = body.encode("utf-8", errors="replace")
    if way in "qQ":
        return _QUOTED_BYTE.sub(lambda code: bytes([int(code.group(1), 16)]), raw.replace(b"_", b" "))
    try:
        return base64.b64decode(raw + b"=" * (-len(raw) % 4))
    except (binascii.Error, ValueError):
        return raw
