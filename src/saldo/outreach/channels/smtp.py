"""Handing one message to a mail server, knowing after each command whether it may have left.

Until the server has been given the first byte of the message nothing has left: whatever goes wrong is a
failure, final or worth another try. From then on only a clear answer counts: 2xx it is theirs, 4xx or 5xx it
is not. No answer, or one that cannot be read, is unknown.
"""

from __future__ import annotations

import re
import smtplib
import ssl
from contextlib import suppress

from saldo.outreach.channels.config import NONE, STARTTLS, TLS, Smtp
from saldo.outreach.channels.outgoing import Answer, failed, sent, try_again, unknown

# RFC 5321 and 3463: what a server says of an address that does not exist (any more).
_NO_MAILBOX = frozenset({550, 551, 553})
_ENHANCED = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")


class NotConnected(Exception):
    """The server could not be reached or did not take us; nothing was handed over."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail


def send_bytes(config: Smtp, envelope_from: str, to_address: str, raw: bytes) -> Answer:
    """Hand ``raw`` over for one addressee."""
    if len(raw) > config.max_bytes:
        return failed("too_large", f"{len(raw)} > {config.max_bytes}")
    try:
        server = connect(config)
    except NotConnected as error:
        return try_again(error.code, error.detail)
    try:
        return _hand_over(server, config, envelope_from, to_address, raw)
    finally:
        # What is said at leaving changes nothing any more.
        with suppress(OSError, smtplib.SMTPException):
            server.quit()
        server.close()


def connect(config: Smtp) -> smtplib.SMTP:
    """A connection that is encrypted and logged in as the configuration says. Raises NotConnected."""
    step = "connect"
    server: smtplib.SMTP | None = None
    try:
        server = _open(config)
        step = "hello"
        server.ehlo_or_helo_if_needed()
        if config.security == STARTTLS:
            step = "tls"
            server.starttls(context=_trust(config))
            server.ehlo_or_helo_if_needed()
        if config.user:
            step = "login"
            server.login(config.user, config.password)
        return server
    except ssl.SSLError as error:
        problem = NotConnected("smtp_tls", _plain(error))
    except smtplib.SMTPNotSupportedError as error:
        problem = NotConnected(f"smtp_{step}", _plain(error))
    except smtplib.SMTPResponseException as error:
        problem = NotConnected(f"smtp_{step}", _answer(error.smtp_code, error.smtp_error, config))
    except (OSError, smtplib.SMTPException, ValueError) as error:
        problem = NotConnected(f"smtp_{step}", _plain(error))
    if server is not None:
        server.close()
    raise problem


def _open(config: Smtp) -> smtplib.SMTP:
    if config.security == TLS:
        return smtplib.SMTP_SSL(
            config.host, config.port, timeout=config.timeout_seconds, context=_trust(config)
        )
    assert config.security in (STARTTLS, NONE)
    return smtplib.SMTP(config.host, config.port, timeout=config.timeout_seconds)


def _trust(config: Smtp) -> ssl.SSLContext:
    """Certificates and names are checked, always."""
    return ssl.create_default_context(cafile=config.ca_file or None)


def _hand_over(server: smtplib.SMTP, config: Smtp, envelope_from: str, to_address: str, raw: bytes) -> Answer:
    step = "from"
    try:
        if (limit := _limit(server)) and len(raw) > limit:
            return failed("too_large", f"{len(raw)} > {limit}")
        code, said = server.mail(envelope_from, [f"size={len(raw)}"] if limit is not None else [])
        if code // 100 != 2:
            return _refused("smtp_from", code, said, config)
        step = "to"
        code, said = server.rcpt(to_address)
        if code // 100 != 2:
            return _refused_address(code, said, config)
        step = "data"
        server.putcmd("data")
        code, said = server.getreply()
        if code != 354:
            return _refused("smtp_data", code, said, config)
    except (OSError, smtplib.SMTPException, ValueError) as error:
        return try_again(f"smtp_{step}", _plain(error))
    return _content(server, raw, config)


def _content(server: smtplib.SMTP, raw: bytes, config: Smtp) -> Answer:
    """The message itself: from its first byte on it may have left."""
    try:
        if server.sock is not None:
            server.sock.settimeout(max(config.timeout_seconds, config.answer_seconds))
        server.send(_dotted(raw))
        code, said = server.getreply()
    except (OSError, smtplib.SMTPException, ValueError) as error:
        return unknown("smtp_no_answer", _plain(error))
    if code // 100 == 2:
        return sent(_answer(code, said, config))
    if code // 100 in (4, 5):
        return _refused("smtp_content", code, said, config)
    return unknown("smtp_odd_answer", _answer(code, said, config))


def _dotted(raw: bytes) -> bytes:
    """With its end mark; a line that begins with a dot gets another one (RFC 5321, 4.5.2)."""
    lines = re.sub(rb"\r\n|\n|\r", b"\r\n", raw)
    dotted = re.sub(rb"(?m)^\.", b"..", lines)
    return dotted + (b"" if dotted.endswith(b"\r\n") else b"\r\n") + b".\r\n"


def _limit(server: smtplib.SMTP) -> int | None:
    """The largest message that the server announced (0: it announced no figure; None: it knows no SIZE)."""
    if not server.has_extn("size"):
        return None
    told = server.esmtp_features.get("size", "")
    return int(told) if told.isdigit() else 0


def _refused(code_word: str, code: int, said: bytes, config: Smtp) -> Answer:
    """A refusal while nothing has left: 5xx is final, all else may be tried again."""
    answer = _answer(code, said, config)
    return failed(code_word, answer) if code // 100 == 5 else try_again(code_word, answer)


def _refused_address(code: int, said: bytes, config: Smtp) -> Answer:
    """5.1.x and 5.2.1 speak of the address itself; other reasons (a policy, a full box) do not."""
    answer = _answer(code, said, config)
    if code // 100 != 5:
        return try_again("smtp_to", answer)
    told = _ENHANCED.search(answer)
    if told is None:
        return failed("recipient_refused", answer, is_bad_address=code in _NO_MAILBOX)
    is_bad = told[2] == "1" or (told[2], told[3]) == ("2", "1")
    return failed("recipient_refused" if is_bad else "smtp_to", answer, is_bad_address=is_bad)


def _answer(code: int, said: bytes | str, config: Smtp) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    # A server that repeats what it was told must not carry the password into a log.
    if config.password:
        text = text.replace(config.password, "***")
    return f"{code} {text}"


def _plain(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
