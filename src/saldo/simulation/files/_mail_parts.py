"""Mail as bytes that do not change: fixed boundaries, dates as told (the standard library draws its own)."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime
from email.header import Header
from email.utils import format_datetime


def header_lines(headers: Sequence[tuple[str, str]]) -> str:
    """Headers as they travel: what is not ASCII encoded, empty ones left out."""
    return "".join(f"{name}: {_encoded(name, value)}\r\n" for name, value in headers if value)


def _encoded(name: str, value: str) -> str:
    if value.isascii():
        return value
    return Header(value, "utf-8", header_name=name, maxlinelen=76).encode(linesep="\r\n")


def sent_message_id(message_id: int, sender: str) -> str:
    """The Message-ID of what a company sent (MESSAGES), by which replies and receipts name it."""
    return f"<saldo-{message_id}@{sender.partition('@')[2]}>"


def mail_date(instant: datetime) -> str:
    return format_datetime(instant)


def text_part(text: str) -> str:
    return (
        'Content-Type: text/plain; charset="utf-8"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
        + base64_lines(text.encode())
    )


def file_part(name: str, kind: str, data: bytes) -> str:
    return (
        f'Content-Type: {kind}; name="{name}"\r\nContent-Transfer-Encoding: base64\r\n'
        f'Content-Disposition: attachment; filename="{name}"\r\n\r\n' + base64_lines(data)
    )


def message_part(name: str, message: bytes) -> str:
    """A message inside another; it must hold only ASCII."""
    return (
        f'Content-Type: message/rfc822; name="{name}"\r\nContent-Transfer-Encoding: 7bit\r\n'
        f'Content-Disposition: attachment; filename="{name}"\r\n\r\n' + message.decode("ascii")
    )


def base64_lines(data: bytes) -> str:
    return base64.encodebytes(data).decode("ascii").replace("\n", "\r\n")


def multipart(headers: Sequence[tuple[str, str]], boundary: str, parts: Sequence[str]) -> bytes:
    """A multipart/mixed message. ``boundary`` must occur in no part."""
    head = header_lines([*headers, ("MIME-Version", "1.0")])
    head += f'Content-Type: multipart/mixed; boundary="{boundary}"\r\n\r\n'
    body = "".join(f"--{boundary}\r\n{part.rstrip(chr(13) + chr(10))}\r\n" for part in parts)
    return f"{head}{body}--{boundary}--\r\n".encode("ascii")


def text_mail(headers: Sequence[tuple[str, str]], text: str) -> bytes:
    """A message that is only text."""
    return (header_lines([*headers, ("MIME-Version", "1.0")]) + text_part(text)).encode("ascii")
