"""A mail server on the loopback that does as it is told, and keeps what it was given."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP as Server
from aiosmtpd.smtp import AuthResult, LoginPassword

# How long a server that hangs does so: longer than any client of the tests waits.
HANG_SECONDS = 3.0
DROP, HANG, DROP_AND_KEEP, ODD = "drop", "hang", "drop and keep", "odd"
USER, PASSWORD = "crediti@alfa.example", "parola-segreta-9"


class Peer:
    """What the server does at each phase ("" accepts), and what it has taken in.

    at: phase ("from", "to", "data", "content") -> an answer such as "451 4.3.0 later", or DROP, HANG, ODD.
    DROP_AND_KEEP: the message is theirs, and the line falls before they say so.
    """

    def __init__(self, at: dict[str, str] | None = None, slow_seconds: float = 0.0) -> None:
        self.at = at or {}
        self.slow_seconds = slow_seconds
        self.taken: list[EmailMessage] = []
        self.raw: list[bytes] = []
        self.envelopes: list[tuple[str, list[str]]] = []
        self.arrived: Counter[str] = Counter()
        self.lock = threading.Lock()
        self.is_reading = threading.Event()

    def keep(self, envelope: Any) -> None:
        made = message_from_bytes(envelope.content, policy=policy.default)
        with self.lock:
            self.taken.append(made)  # type: ignore[arg-type]
            self.raw.append(envelope.content)
            self.envelopes.append((envelope.mail_from, list(envelope.rcpt_tos)))
            self.arrived[str(made["Message-ID"])] += 1

    async def handle_MAIL(
        self, server: Server, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        if told := await self._told(server, "from"):
            return told
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(
        self, server: Server, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        if told := await self._told(server, "to"):
            return told
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Server, session: Any, envelope: Any) -> str:
        self.is_reading.set()
        await asyncio.sleep(self.slow_seconds)
        if self.at.get("content") == DROP_AND_KEEP:
            self.keep(envelope)
            _drop(server)
            return "250 nobody hears it"
        if told := await self._told(server, "content"):
            return told
        self.keep(envelope)
        return "250 2.0.0 queued as 4711"

    async def _told(self, server: Server, phase: str) -> str:
        told = self.at.get(phase, "")
        if told == DROP:
            _drop(server)
            return "421 nobody hears it"
        if told == HANG:
            await asyncio.sleep(HANG_SECONDS)
            return "250 too late"
        return "all is well, my friend" if told == ODD else told


def _drop(server: Server) -> None:
    transport = server.transport
    if transport is not None:
        transport.abort()


class _Smtp(Server):
    async def smtp_DATA(self, arg: str) -> None:
        if told := await self.event_handler._told(self, "data"):
            await self.push(told)
            return
        await super().smtp_DATA(arg)


class _Controller(Controller):
    def factory(self) -> Server:
        return _Smtp(self.handler, **self.SMTP_kwargs)


def _may_log_in(server: Any, session: Any, envelope: Any, mechanism: str, told: Any) -> AuthResult:
    is_right = isinstance(told, LoginPassword) and told.password == PASSWORD.encode()
    return AuthResult(success=is_right)


@contextmanager
def mail_server(peer: Peer, port: int = 0, **options: Any) -> Iterator[int]:
    """The server, running; yields its port. options: those of aiosmtpd's SMTP and Controller."""
    if options.pop("logs_in", False):
        options |= {"authenticator": _may_log_in, "auth_required": True}
        options.setdefault("auth_require_tls", False)
    controller = _Controller(peer, hostname="127.0.0.1", port=port or free_port(), **options)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate of our own for 127.0.0.1, and a server's context with it."""
    if shutil.which("openssl") is None:
        pytest.skip("the openssl program is needed to make a certificate")
    key, told = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", told,
         "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(told, key)
    return told, context
