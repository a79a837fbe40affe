"""The mailboxes that are read, as channels.toml tells them, and how far each was read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from saldo.core.errors import SaldoError
from saldo.identity.queries import CompanyRow, company_by_code
from saldo.outreach.channels.config import EVERY_COMPANY, Imap, channels
from saldo.outreach.models import MailboxCursor

EMAIL, PEC = "email", "pec"


@dataclass(frozen=True, slots=True)
class Mailbox:
    """name: "<company>:email" or "<company>:pec". account: how it is reached."""

    name: str
    company_code: str
    channel: str
    account: Imap

    @property
    def company(self) -> CompanyRow | None:
        """None: the mailbox serves every company that has none of its own."""
        return None if self.company_code == EVERY_COMPANY else company_by_code(self.company_code)


@dataclass(frozen=True, slots=True)
class Position:
    """How far a mailbox was read; uid_validity 0: never."""

    uid_validity: int = 0
    last_uid: int = 0
    read_at: datetime | None = None


def mailboxes() -> list[Mailbox]:
    """Every mailbox that is configured, in order of name."""
    found = []
    # What a company takes from the general table is read once, as the general mailbox.
    for code, own in channels().by_company.items():
        for channel, account in ((EMAIL, own.imap), (PEC, own.pec_imap)):
            if account is not None:
                found.append(Mailbox(f"{code}:{channel}", code, channel, account))
    return sorted(found, key=lambda mailbox: mailbox.name)


def mailbox(name: str) -> Mailbox:
    """Raises SaldoError("mailbox_unknown")."""
    known = mailboxes()
    for each in known:
        if each.name.lower() == name.lower():
            return each
    raise SaldoError("mailbox_unknown", name=name, known=", ".join(each.name for each in known) or "-")


def channel_of(name: str) -> str:
    """By which channel what comes to a mailbox came: its name says it."""
    return PEC if name.lower().endswith(f":{PEC}") else EMAIL


def authserv_of(name: str) -> str:
    """The name by which the mailbox's own server signs its checks of the sender; empty where not told."""
    for each in mailboxes():
        if each.name.lower() == name.lower():
            return each.account.authserv_id
    return ""


def cursor_id(name: str) -> int:
    """The identifier under which a mailbox is locked while it is read."""
    return int(MailboxCursor.objects.get_or_create(name=name)[0].id)


def position(name: str) -> Position:
    found = MailboxCursor.objects.filter(name=name).first()
    return Position(found.uid_validity, found.last_uid, found.read_at) if found else Position()


def move_position(name: str, uid_validity: int, last_uid: int, read_at: datetime) -> None:
    values = {"uid_validity": uid_validity, "last_uid": last_uid, "read_at": read_at}
    MailboxCursor.objects.update_or_create(name=name, defaults=values)
