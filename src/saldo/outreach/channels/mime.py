"""A message as the bytes of an e-mail: plain text, the same as simple HTML, attachments."""

from __future__ import annotations

import re
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from saldo.outreach.channels.outgoing import Outgoing

# Lines are folded at 78; 7-bit bodies, since not every server on the way takes eight.
_POLICY = SMTP.clone(cte_type="7bit")
_LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}")
_DOMAIN = re.compile(r"(?=.{1,253}$)([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9-]{2,63}")


class BadAddress(ValueError):
    """Not an address that a message can be sent to."""


def one_line(text: str) -> str:
    """A header's text: nothing in it may begin another header."""
    return " ".join("".join(" " if c in "\r\n\x00" else c for c in text).split())


def address(text: str) -> str:
    """The address as servers take it, its domain in ASCII. Raises BadAddress."""
    local, at, domain = text.strip().rpartition("@")
    try:
        domain = domain.encode("idna").decode("ascii")
    except UnicodeError:
        raise BadAddress(text) from None
    dots_right = not (local.startswith(".") or local.endswith(".") or ".." in local)
    if not (at and dots_right and _LOCAL_PART.fullmatch(local) and _DOMAIN.fullmatch(domain)):
        raise BadAddress(text)
    return f"{local}@{domain}"


def _named(name: str, told: str) -> Address:
    local, _, domain = address(told).rpartition("@")
    return Address(one_line(name), local, domain)


def build(out: Outgoing, from_name: str, from_address: str, reply_to: str, now: datetime) -> EmailMessage:
    """The message, addressed and dated. Raises BadAddress where the addressee's is none."""
    made = EmailMessage(policy=_POLICY)
    made["From"] = _named(from_name, from_address)
    made["To"] = _named(out.to_name, out.to_address)
    if answers := out.reply_to or reply_to:
        made["Reply-To"] = _named(from_name, answers)
    made["Subject"] = one_line(out.subject)
    made["Date"] = format_datetime(now)
    if out.rfc_id:
        made["Message-ID"] = one_line(out.rfc_id)
    if out.in_reply_to:
        made["In-Reply-To"] = made["References"] = one_line(out.in_reply_to)
    if out.is_automatic:
        # RFC 3834: holiday answers and robots leave it alone.
        made["Auto-Submitted"] = "auto-generated"
    for name, value in out.headers.items():
        made[name] = one_line(value)
    made.set_content(out.text.replace("\r\n", "\n"), charset="utf-8", cte="quoted-printable")
    if out.html:
        made.add_alternative(out.html, subtype="html", charset="utf-8", cte="quoted-printable")
    for name, content_type, data in out.attachments:
        main, _, sub = content_type.partition("/")
        made.add_attachment(data, maintype=main, subtype=sub or "octet-stream", filename=one_line(name))
    return made


def as_bytes(made: EmailMessage) -> bytes:
    """As it goes over the line, with CRLF."""
    return made.as_bytes()
