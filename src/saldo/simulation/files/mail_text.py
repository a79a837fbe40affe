"""Mail of one text part, in the encodings that mail programs choose; the same draws give the same bytes."""

from __future__ import annotations

import base64
import quopri
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from saldo.simulation.draws import Draws
from saldo.simulation.files._mail_parts import header_lines

ROME = ZoneInfo("Europe/Rome")
# (charset, transfer encoding) and how usual it is.
_MANNERS = (("utf-8", "quoted-printable"), ("utf-8", "base64"), ("windows-1252", "quoted-printable"),
            ("utf-8", "8bit"))  # fmt: skip
_MANNER_WEIGHTS = (0.5, 0.2, 0.2, 0.1)
_OFFICE_OPENS, _OFFICE_SECONDS = time(8), 10 * 3600


def office_time(draws: Draws, purpose: str, day: date, *ids: int) -> datetime:
    """An instant of ``day`` between eight and eighteen in Rome."""
    seconds = int(draws.whole(purpose, 0, _OFFICE_SECONDS, *ids).item())
    return datetime.combine(day, _OFFICE_OPENS, ROME) + timedelta(seconds=seconds)


def text_message(draws: Draws, headers: Sequence[tuple[str, str]], text: str, *ids: int) -> bytes:
    """A message of one plain text, in one of the usual encodings."""
    charset, transfer = _MANNERS[int(draws.choice("mail/encoding", _MANNER_WEIGHTS, *ids).item())]
    body = text.replace("\r\n", "\n").replace("\n", "\r\n")
    try:
        data = body.encode(charset)
    except UnicodeEncodeError:
        charset, data = "utf-8", body.encode()
    head = header_lines(
        [
            *headers,
            ("MIME-Version", "1.0"),
            ("Content-Type", f'text/plain; charset="{charset}"'),
            ("Content-Transfer-Encoding", transfer),
        ]
    )
    return head.encode("ascii") + b"\r\n" + _transferred(data, transfer)


def _transferred(data: bytes, transfer: str) -> bytes:
    if transfer == "base64":
        return base64.encodebytes(data).replace(b"\n", b"\r\n")
    if transfer == "quoted-printable":
        encoded = quopri.encodestring(data.replace(b"\r\n", b"\n"))
        return encoded.replace(b"\n", b"\r\n") + b"\r\n"
    return data + b"\r\n"
