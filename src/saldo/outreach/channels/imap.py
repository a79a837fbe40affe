"""What came to a mailbox since it was read last, by IMAP. Nothing is marked, and nothing is moved unless the
mailbox has a folder for what was read."""

from __future__ import annotations

import imaplib
import ipaddress
import re
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

from imap_tools import (
    BaseMailBox,
    ImapToolsError,
    MailBox,
    MailboxFolderSelectError,
    MailboxLoginError,
    MailBoxStartTls,
    MailBoxUnencrypted,
)

from saldo.core.errors import SaldoError
from saldo.outreach.channels.config import NONE, STARTTLS, Imap

# Of a larger message only the beginning is taken: the headers and, nearly always, the words.
MAX_MESSAGE_BYTES = 25 * 2**20
BEGINNING_BYTES = 256 * 2**10
# As IMAP writes months, whatever the server's language.
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SIZE = re.compile(rb"RFC822\.SIZE (\d+)")
_UID = re.compile(rb"UID (\d+)")
_SERVER_ERRORS = (ImapToolsError, imaplib.IMAP4.error, OSError, EOFError)


@dataclass(frozen=True, slots=True)
class Incoming:
    """One message of a mailbox. size: of all of it in bytes; raw is shorter where it was too large."""

    uid: int
    raw: bytes
    size: int

    @property
    def is_cut(self) -> bool:
        return len(self.raw) < self.size


class Session:
    """An open mailbox. uid_validity changes when the server numbers its messages anew."""

    def __init__(self, name: str, account: Imap, box: BaseMailBox) -> None:
        self._name, self._account, self._box = name, account, box
        self.uid_validity = int(box.client.response("UIDVALIDITY")[1][0] or 0)

    def new_uids(self, after: int) -> list[int]:
        """The identifiers above ``after``, in order."""
        with _told(self._name):
            found = self._box.uids(f"UID {after + 1}:*", charset=None)
        # "n:*" means the last message too, also where its number is lower.
        return sorted(uid for uid in map(int, found) if uid > after)

    def uids_since(self, day: date) -> list[int]:
        """The identifiers of what came since a day, in order."""
        with _told(self._name):
            return sorted(
                map(int, self._box.uids(f"SINCE {day:%d}-{_MONTHS[day.month - 1]}-{day:%Y}", charset=None))
            )

    def messages(self, uids: Sequence[int]) -> Iterator[Incoming]:
        """The messages of these identifiers; one that was deleted meanwhile is left out."""
        for uid in uids:
            with _told(self._name):
                size = self._size(uid)
                raw = None if size is None else self._bytes(uid, size)
            if size is not None and raw is not None:
                yield Incoming(uid, raw, max(size, len(raw)) if size <= MAX_MESSAGE_BYTES else size)

    def put_away(self, uids: Sequence[int]) -> None:
        """Move to the folder for what was read, where the mailbox has one."""
        if self._account.seen_folder and uids:
            with _told(self._name):
                self._box.move([str(uid) for uid in uids], self._account.seen_folder)

    def _size(self, uid: int) -> int | None:
        for part in self._fetched(uid, "(UID RFC822.SIZE)"):
            text = part if isinstance(part, bytes) else part[0]
            told, of = _SIZE.search(text), _UID.search(text)
            if told and of and int(of.group(1)) == uid:
                return int(told.group(1))
        return None

    def _bytes(self, uid: int, size: int) -> bytes | None:
        asked = "BODY.PEEK[]" if size <= MAX_MESSAGE_BYTES else f"BODY.PEEK[]<0.{BEGINNING_BYTES}>"
        for part in self._fetched(uid, f"(UID {asked})"):
            if isinstance(part, tuple):
                return bytes(part[1])
        return None

    def _fetched(self, uid: int, parts: str) -> list[bytes | tuple[bytes, bytes]]:
        status, found = self._box.client.uid("FETCH", str(uid), parts)
        if status != "OK":
            raise imaplib.IMAP4.error(f"FETCH {uid}: {status}")
        return [part for part in found if part]


@contextmanager
def open_mailbox(name: str, account: Imap) -> Iterator[Session]:
    """A session with the mailbox. Raises SaldoError: mailbox_unreachable, mailbox_login_refused,
    mailbox_folder_missing, mailbox_not_encrypted."""
    if account.security == NONE and not _is_local(account.host):
        raise SaldoError("mailbox_not_encrypted", name=name, host=account.host)
    with _told(name):
        box = _connected(account)
    try:
        try:
            box.login(account.user, account.password, initial_folder=None)
        except (MailboxLoginError, imaplib.IMAP4.error) as error:
            if isinstance(error, imaplib.IMAP4.abort):
                raise SaldoError("mailbox_unreachable", name=name, reason=str(error)) from error
            raise SaldoError("mailbox_login_refused", name=name, user=account.user) from error
        try:
            box.folder.set(account.folder, readonly=not account.seen_folder)
        except MailboxFolderSelectError as error:
            raise SaldoError("mailbox_folder_missing", name=name, folder=account.folder) from error
        yield Session(name, account, box)
    except _SERVER_ERRORS as error:
        raise SaldoError("mailbox_unreachable", name=name, reason=_reason(error)) from error
    finally:
        # A server that is gone already needs no farewell.
        try:
            box.logout()
        except _SERVER_ERRORS:
            box.client.shutdown()


def _connected(account: Imap) -> BaseMailBox:
    if account.security == NONE:
        return MailBoxUnencrypted(account.host, account.port, timeout=account.timeout_seconds)
    context = ssl.create_default_context(cafile=account.ca_file or None)
    make = MailBoxStartTls if account.security == STARTTLS else MailBox
    return make(account.host, account.port, timeout=account.timeout_seconds, ssl_context=context)


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Whatever the server or the line does becomes an error that says what to do."""
    try:
        yield
    except _SERVER_ERRORS as error:
        raise SaldoError("mailbox_unreachable", name=name, reason=_reason(error)) from error


def _reason(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:200]


def _is_local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
