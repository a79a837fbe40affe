"""The accounts of the channels: channels.toml in SALDO_HOME, or the file that SALDO_CHANNELS names.

A table per company code; ``["*"]`` serves companies without one of their own. Passwords stand in the file, in
another file (password_file) or in the environment (password_env); both kinds of file must be readable by
their owner only. Nothing of them gets into the database, a page, a log or an error. docs/how-to/channels.md
says every key.
"""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parseaddr
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from saldo.core.errors import SaldoError

FILE_NAME = "channels.toml"
EVERY_COMPANY = "*"
# What the file also tells, besides companies: [drafting] is read by outreach/drafting.py.
NO_COMPANIES = ("public_url", "drafting")
NONE, STARTTLS, TLS = "none", "starttls", "tls"
SECURITIES = (NONE, STARTTLS, TLS)
SMTP_PORTS = {NONE: 25, STARTTLS: 587, TLS: 465}
IMAP_PORTS = {NONE: 143, STARTTLS: 143, TLS: 993}
DEFAULT_MAX_BYTES = 15 * 1024 * 1024
ENVELOPES = ("from", "reply")


@dataclass(frozen=True, slots=True)
class Smtp:
    """A server that takes mail for us. Secrets are kept out of its text.

    reply_to: where answers go when no mailbox of Saldo's takes them. envelope: whom the server tells what
    could not be delivered: "from", the address of the account, or "reply", the message's own signed address.
    timeout_seconds: for each answer; answer_seconds: for the last one, after the message itself (servers look
    it through before they answer). max_bytes: the largest message, as it goes over the line. ca_file:
    certificates to trust instead of the system's.
    """

    host: str
    port: int
    security: str
    user: str
    password: str = field(repr=False)
    from_address: str
    from_name: str = ""
    reply_to: str = ""
    envelope: str = "from"
    timeout_seconds: float = 30.0
    answer_seconds: float = 180.0
    max_bytes: int = DEFAULT_MAX_BYTES
    ca_file: str = ""


@dataclass(frozen=True, slots=True)
class Imap:
    """A mailbox that is read. address: what is written to, and where signed addresses are made of."""

    host: str
    port: int
    security: str
    user: str
    password: str = field(repr=False)
    address: str
    folder: str = "INBOX"
    seen_folder: str = ""
    authserv_id: str = ""
    timeout_seconds: float = 30.0
    ca_file: str = ""


@dataclass(frozen=True, slots=True)
class Sms:
    """Gateways as apprise writes them, ``{to}`` standing for the number; the first one is used."""

    urls: tuple[str, ...] = field(repr=False)
    max_parts: int = 3


@dataclass(frozen=True, slots=True)
class Anymail:
    """A provider of e-mail with an HTTP interface (django-anymail); settings are its backend's own."""

    backend: str
    settings: Mapping[str, Any] = field(repr=False)
    from_address: str
    from_name: str = ""
    reply_to: str = ""
    timeout_seconds: float = 30.0
    max_bytes: int = DEFAULT_MAX_BYTES


@dataclass(frozen=True, slots=True)
class Folder:
    """In place of a server: a folder into which messages are put, so that nothing leaves."""

    path: str
    from_address: str
    from_name: str = ""
    reply_to: str = ""


@dataclass(frozen=True, slots=True)
class CompanyChannels:
    """smtp, pec_smtp: a folder stands in their place where the company has one."""

    code: str
    smtp: Smtp | Folder | None = None
    anymail: Anymail | None = None
    imap: Imap | None = None
    pec_smtp: Smtp | Folder | None = None
    pec_imap: Imap | None = None
    sms: Sms | None = None


@dataclass(frozen=True, slots=True)
class Channels:
    """What the file says. public_url: where customers reach this Saldo, for links ("": no links are made)."""

    public_url: str = ""
    by_company: Mapping[str, CompanyChannels] = field(default_factory=dict)

    @property
    def companies(self) -> tuple[str, ...]:
        return tuple(code for code in self.by_company if code != EVERY_COMPANY)

    def of(self, company_code: str) -> CompanyChannels:
        """The channels of a company: each its own, else that of every company."""
        own, every = self.by_company.get(company_code), self.by_company.get(EVERY_COMPANY)
        if own is None or every is None:
            found = own or every
            return CompanyChannels(company_code) if found is None else _renamed(found, company_code)
        # One of two ways for e-mail: a company's own choice is not mixed with the general one.
        mail = own if own.smtp or own.anymail else every
        return CompanyChannels(
            company_code, mail.smtp, mail.anymail, own.imap or every.imap, own.pec_smtp or every.pec_smtp,
            own.pec_imap or every.pec_imap, own.sms or every.sms,
        )  # fmt: skip


def _renamed(found: CompanyChannels, code: str) -> CompanyChannels:
    return CompanyChannels(
        code, found.smtp, found.anymail, found.imap, found.pec_smtp, found.pec_imap, found.sms
    )


def file_path() -> Path:
    chosen = os.environ.get("SALDO_CHANNELS")
    return Path(chosen).expanduser() if chosen else Path(settings.HOME) / FILE_NAME


def channels() -> Channels:
    """What the file says now; no file says that there are no channels.

    Raises SaldoError: channels_readable (others can read it), channels_invalid (naming the key).
    """
    path = file_path()
    try:
        told = path.stat()
    except OSError:
        return Channels()
    _check_private(path, told.st_mode)
    return _read(path, told.st_mtime_ns, told.st_size)


@lru_cache(maxsize=4)
def _read(path: Path, changed: int, size: int) -> Channels:
    """Once for each state of the file."""
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SaldoError("channels_invalid", path=str(path), key="-", problem=type(error).__name__) from None
    except tomllib.TOMLDecodeError as error:
        # Its text names the line and what was expected there, never the value.
        raise SaldoError("channels_invalid", path=str(path), key="-", problem=str(error)) from None
    return parse(data, path)


def _check_private(path: Path, mode: int) -> None:
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SaldoError("channels_readable", path=str(path))


def parse(data: Mapping[str, Any], path: Path) -> Channels:
    """Channels from the file's content. Raises SaldoError("channels_invalid")."""
    root = _Table(data, "", path)
    public_url = root.text("public_url").rstrip("/")
    if public_url and urlsplit(public_url).scheme not in ("http", "https"):
        root.wrong("public_url", "http:// or https://")
    by_company = {code: _company(root.table(code), code) for code in data if code not in NO_COMPANIES}
    return Channels(public_url, by_company)


def _company(table: _Table, code: str) -> CompanyChannels:
    table.only("smtp", "anymail", "folder", "imap", "pec", "sms")
    ways = [way for way in ("smtp", "anymail", "folder") if table.has(way)]
    if len(ways) > 1:
        table.wrong(ways[1], f"either {ways[0]} or {ways[1]}")
    pec = table.table("pec") if table.has("pec") else _Table({}, "", table.path)
    pec.only("smtp", "imap")
    mail, certified = _folders(table.table("folder")) if table.has("folder") else (None, None)
    if certified is not None and pec.has("smtp"):
        pec.wrong("smtp", "either folder.pec_from or pec.smtp")
    return CompanyChannels(
        code,
        smtp=_smtp(table.table("smtp")) if table.has("smtp") else mail,
        anymail=_anymail(table.table("anymail")) if table.has("anymail") else None,
        imap=_imap(table.table("imap")) if table.has("imap") else None,
        pec_smtp=_smtp(pec.table("smtp")) if pec.has("smtp") else certified,
        pec_imap=_imap(pec.table("imap")) if pec.has("imap") else None,
        sms=_sms(table.table("sms")) if table.has("sms") else None,
    )


def _folders(table: _Table) -> tuple[Folder, Folder | None]:
    """The folder as the way of e-mail and, with an address for it, of PEC."""
    table.only("path", "from", "pec_from", "reply_to")
    path = str(table.path.parent / Path(table.text("path", required=True)).expanduser())
    name, address = table.mailbox("from")
    mail = Folder(path, address, name, table.mailbox("reply_to", required=False)[1])
    name, address = table.mailbox("pec_from", required=False)
    return mail, Folder(path, address, name) if address else None


_SECRETS = ("password", "password_file", "password_env")


def _smtp(table: _Table) -> Smtp:
    table.only(
        "host", "port", "security", "user", *_SECRETS, "from", "reply_to", "envelope", "timeout_seconds",
        "answer_seconds", "max_bytes", "ca_file",
    )  # fmt: skip
    security = table.choice("security", SECURITIES, STARTTLS)
    name, address = table.mailbox("from")
    return Smtp(
        table.text("host", required=True), table.port(SMTP_PORTS[security]), security, table.text("user"),
        table.secret(), address, name, table.mailbox("reply_to", required=False)[1],
        table.choice("envelope", ENVELOPES, "from"), table.number("timeout_seconds", 30, 600),
        table.number("answer_seconds", 180, 900),
        int(table.number("max_bytes", DEFAULT_MAX_BYTES, 200 * 1024 * 1024)), table.text("ca_file"),
    )  # fmt: skip


def _imap(table: _Table) -> Imap:
    table.only(
        "host", "port", "security", "user", *_SECRETS, "address", "folder", "seen_folder", "authserv_id",
        "timeout_seconds", "ca_file",
    )  # fmt: skip
    security = table.choice("security", SECURITIES, TLS)
    return Imap(
        table.text("host", required=True), table.port(IMAP_PORTS[security]), security,
        table.text("user", required=True), table.secret(), table.mailbox("address")[1],
        table.text("folder") or "INBOX", table.text("seen_folder"), table.text("authserv_id"),
        table.number("timeout_seconds", 30, 600), table.text("ca_file"),
    )  # fmt: skip


def _anymail(table: _Table) -> Anymail:
    table.only("backend", "settings", "from", "reply_to", "timeout_seconds", "max_bytes", *_SECRETS)
    name, address = table.mailbox("from")
    options = dict(table.table("settings").data) if table.has("settings") else {}
    # A key that is a secret may stand elsewhere, like a password: api_key = {file = "…"} or {env = "…"}.
    for key, value in options.items():
        if isinstance(value, Mapping):
            options[key] = table.table("settings").table(key).elsewhere(key)
    return Anymail(
        table.text("backend", required=True), options, address, name,
        table.mailbox("reply_to", required=False)[1], table.number("timeout_seconds", 30, 600),
        int(table.number("max_bytes", DEFAULT_MAX_BYTES, 200 * 1024 * 1024)),
    )  # fmt: skip


def _sms(table: _Table) -> Sms:
    table.only("url", "url_file", "url_env", "max_parts")
    url = table.secret("url", required=True)
    if "{to}" not in url:
        table.wrong("url", "{to}")
    return Sms((url,), int(table.number("max_parts", 3, 10)))


class _Table:
    """One table of the file; what is wrong in it is told by its key, never by its value."""

    def __init__(self, data: Mapping[str, Any], name: str, path: Path) -> None:
        self.data, self.name, self.path = data, name, path

    def wrong(self, key: str, problem: str) -> None:
        where = f"{self.name}.{key}" if self.name else key
        raise SaldoError("channels_invalid", path=str(self.path), key=where, problem=problem)

    def has(self, key: str) -> bool:
        return key in self.data

    def only(self, *known: str) -> None:
        for key in self.data:
            if key not in known:
                self.wrong(key, f"? ({', '.join(known)})")

    def table(self, key: str) -> _Table:
        value = self.data.get(key)
        if not isinstance(value, Mapping):
            self.wrong(key, "[table]")
        return _Table(value or {}, f"{self.name}.{key}" if self.name else key, self.path)

    def text(self, key: str, required: bool = False) -> str:
        value = self.data.get(key, "")
        if not isinstance(value, str) or "\n" in value or "\r" in value:
            self.wrong(key, '"text"')
        if required and not value.strip():
            self.wrong(key, "-")
        return str(value).strip()

    def choice(self, key: str, known: tuple[str, ...], default: str) -> str:
        value = self.text(key) or default
        if value not in known:
            self.wrong(key, " | ".join(known))
        return value

    def number(self, key: str, default: float, most: float) -> float:
        value = self.data.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= most:
            self.wrong(key, f"1-{most}")
        return float(value)

    def port(self, default: int) -> int:
        return int(self.number("port", default, 65_535))

    def mailbox(self, key: str, required: bool = True) -> tuple[str, str]:
        """Name and address of ``Name <address>``."""
        name, address = parseaddr(self.text(key, required))
        if (address and ("@" not in address or " " in address)) or (required and not address):
            self.wrong(key, "Name <name@example.com>")
        return name, address

    def secret(self, key: str = "password", required: bool = False) -> str:
        ways = [way for way in (key, f"{key}_file", f"{key}_env") if self.has(way)]
        if len(ways) > 1:
            self.wrong(ways[1], " | ".join(ways))
        if not ways:
            if required or (key == "password" and self.text("user")):
                self.wrong(key, "-")
            return ""
        told = self.text(ways[0], required=True)
        if ways[0] == key:
            return told
        return self._of_file(ways[0], told) if ways[0].endswith("_file") else self._of_env(ways[0], told)

    def elsewhere(self, key: str) -> str:
        """A secret written as {file = "…"} or {env = "…"}."""
        self.only("file", "env")
        if self.has("file"):
            return self._of_file("file", self.text("file", required=True))
        return self._of_env("env", self.text("env", required=True))

    def _of_file(self, key: str, told: str) -> str:
        path = self.path.parent / Path(told).expanduser()
        try:
            _check_private(path, path.stat().st_mode)
            return path.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            self.wrong(key, f"{told}: {type(error).__name__}")
        raise AssertionError("unreachable")

    def _of_env(self, key: str, told: str) -> str:
        value = os.environ.get(told, "")
        if not value:
            self.wrong(key, f"${told}: -")
        return value
