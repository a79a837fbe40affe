"""Whether channels work: what is configured, and a try to connect that sends nothing."""

from __future__ import annotations

import imaplib
import os
import ssl
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from saldo.core.errors import SaldoError
from saldo.outreach.channels.config import NONE, STARTTLS, TLS, Anymail, Folder, Imap, Sms, Smtp, channels
from saldo.outreach.channels.email import backend_of
from saldo.outreach.channels.outgoing import clip
from saldo.outreach.channels.smtp import NotConnected, connect

EMAIL, MAILBOX, PEC, PEC_MAILBOX, SMS, LETTER, PORTAL = (
    "email", "imap", "pec", "pec_imap", "sms", "letter", "portal",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ChannelState:
    """One channel of a company. is_ok: nothing speaks against it (a state) or it was reached (a check).

    code: what is wrong ("" nothing). detail: the place it goes to, or what the other side said; never a
    secret.
    """

    kind: str
    is_set: bool
    is_ok: bool
    code: str = ""
    detail: str = ""


def state(company_code: str, letter_folder: str = "") -> list[ChannelState]:
    """What is configured for a company; nobody is asked. A file that cannot be read is told by each one."""
    return _each(company_code, letter_folder, connects=False)


def check(company_code: str, letter_folder: str = "") -> list[ChannelState]:
    """The same, having tried: servers are connected to and logged in to, a gateway's address is read."""
    return _each(company_code, letter_folder, connects=True)


def _each(company_code: str, letter_folder: str, connects: bool) -> list[ChannelState]:
    try:
        own = channels().of(company_code)
    except SaldoError as error:
        kinds = (EMAIL, MAILBOX, PEC, PEC_MAILBOX, SMS)
        broken = [ChannelState(kind, False, False, error.code, error.why("en")) for kind in kinds]
        return [*broken, _letter(letter_folder), ChannelState(PORTAL, True, True)]
    return [
        _mail(EMAIL, own.smtp or own.anymail, connects),
        _mailbox(MAILBOX, own.imap, connects),
        _mail(PEC, own.pec_smtp, connects),
        _mailbox(PEC_MAILBOX, own.pec_imap, connects),
        _sms(own.sms, connects),
        _letter(letter_folder),
        ChannelState(PORTAL, True, True),
    ]


def _mail(kind: str, config: Smtp | Anymail | Folder | None, connects: bool) -> ChannelState:
    if config is None:
        return ChannelState(kind, False, False, "channel_not_set_up")
    if isinstance(config, Folder):
        is_ok = _is_writable(Path(config.path))
        told = f"{config.from_address} ({config.path})"
        return ChannelState(kind, True, is_ok, "" if is_ok else "folder_not_written", told)
    if isinstance(config, Anymail):
        detail = f"{config.from_address} ({config.backend})"
        if connects:
            try:
                backend_of(config)
            except Exception as error:  # a provider's own library says what it lacks in its own ways
                return ChannelState(kind, True, False, "provider_not_set_up", type(error).__name__)
        return ChannelState(kind, True, True, "", detail)
    detail = f"{config.from_address} ({config.host}:{config.port}, {config.security})"
    if connects:
        try:
            server = connect(config)
        except NotConnected as error:
            return ChannelState(kind, True, False, error.code, clip(error.detail))
        with suppress(OSError):
            server.close()
    return ChannelState(kind, True, True, "", detail)


def _mailbox(kind: str, config: Imap | None, connects: bool) -> ChannelState:
    if config is None:
        return ChannelState(kind, False, False, "channel_not_set_up")
    if connects:
        try:
            _log_in(config)
        except (OSError, imaplib.IMAP4.error, ssl.SSLError) as error:
            told = clip(f"{type(error).__name__}: {error}")
            return ChannelState(kind, True, False, "imap_login", told.replace(config.password or "\0", "***"))
    return ChannelState(kind, True, True, "", f"{config.address} ({config.host}:{config.port})")


def _log_in(config: Imap) -> None:
    trust = ssl.create_default_context(cafile=config.ca_file or None)
    if config.security == TLS:
        server: imaplib.IMAP4 = imaplib.IMAP4_SSL(
            config.host, config.port, ssl_context=trust, timeout=config.timeout_seconds
        )
    else:
        server = imaplib.IMAP4(config.host, config.port, timeout=config.timeout_seconds)
    try:
        assert config.security in (TLS, STARTTLS, NONE)
        if config.security == STARTTLS:
            server.starttls(trust)
        server.login(config.user, config.password)
        told, _ = server.select(f'"{config.folder}"', readonly=True)
        if told != "OK":
            raise imaplib.IMAP4.error(f"folder {config.folder}")
    finally:
        with suppress(OSError, imaplib.IMAP4.error):
            server.logout()


def _sms(config: Sms | None, connects: bool) -> ChannelState:
    if config is None:
        return ChannelState(SMS, False, False, "channel_not_set_up")
    if connects:
        import apprise

        gateway = apprise.Apprise.instantiate(
            config.urls[0].replace("{to}", "%2B390000000000"), suppress_exceptions=True
        )
        if gateway is None:
            return ChannelState(SMS, True, False, "gateway_not_set_up")
    return ChannelState(SMS, True, True, "", config.urls[0].partition("://")[0])


def _letter(folder: str) -> ChannelState:
    """Without a folder letters are kept in Saldo, which always works."""
    if not folder:
        return ChannelState(LETTER, True, True, "to_print")
    path = Path(folder).expanduser()
    is_ok = path.is_dir() and os.access(path, os.W_OK | os.X_OK)
    return ChannelState(LETTER, True, is_ok, "" if is_ok else "folder_not_written", str(path))


def _is_writable(folder: Path) -> bool:
    """Whether messages can be put there: it, or the nearest folder above it in which it is made."""
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)
