"""What comes back: every message is kept as it came, then read, told apart, and tied to whose it is.

    take        one message: a reply, a bounce, a receipt, a loop, a duplicate, or nothing that matters
    fetch       what is new in a mailbox

The bytes are kept first. A message is taken once, by its bytes and by its Message-ID. What is not certain
(whose it is, whether it is what it says) is said and left to a person; an error in reading one message loses
neither it nor the next.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import InterfaceError, OperationalError, transaction

from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.flows import handle_reply, mail_advices
from saldo.flows.mail_reports import Note, Reported, note, take_receipt, take_report
from saldo.formats.incoming import IncomingMail, read_incoming
from saldo.formats.messages import MessageRecord
from saldo.formats.records import Refusal
from saldo.intake.operations import keep_document
from saldo.ledger.owed import deciding
from saldo.outreach import reply_changes
from saldo.outreach.channels.imap import Incoming, Session, open_mailbox
from saldo.outreach.links import OPT_OUT_SUBJECT, OWN_HEADER, TokenFound, token_in
from saldo.outreach.mailboxes import (
    Mailbox,
    authserv_of,
    channel_of,
    cursor_id,
    mailbox,
    move_position,
    position,
)
from saldo.outreach.models import Message
from saldo.outreach.reply_changes import NewReply
from saldo.outreach.threading import BY_SECRET, NOT_KNOWN, Thread, thread_of
from saldo.storage.locks import hold_mail_lock, reading_mail, retried

logger = logging.getLogger(__name__)

REPLY, BOUNCE, COMPLAINT, RECEIPT, LOOP, DUPLICATE, IGNORED = (
    "reply", "bounce", "complaint", "receipt", "loop", "duplicate", "ignored",
)  # fmt: skip
# More messages from one address within an hour are no conversation; of programs, fewer are none.
MAX_AN_HOUR, MAX_AUTOMATIC_AN_HOUR = 12, 3
# A mailbox that was never read is not gone through from its beginning; one that was renumbered is read again
# as far back, and what was taken in before is recognized.
FIRST_DAYS, AGAIN_DAYS = 14, 60
MAX_FETCHED = 500
# A stated date older than this, or in the future, does not date the message.
MAX_DELAY_DAYS = 30
AGAINST = frozenset({"mail_token_tampered", "mail_dmarc_failed", "mail_spf_failed", "pec_sender_differs"})


@dataclass(frozen=True, slots=True)
class TakenMail:
    """What a message turned out to be. notes: [{code, params}], rendered by ``core.reasons``."""

    kind: str
    document_id: int
    reply_id: int | None = None
    message_id: int | None = None
    account_id: int | None = None
    notes: tuple[Note, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind, "document": self.document_id, "reply": self.reply_id,
            "message": self.message_id, "account": self.account_id,
            "notes": [one["code"] for one in self.notes],
        }  # fmt: skip


@dataclass(slots=True)
class Fetched:
    """taken: messages by what they were. failed: kept, but an error occurred in reading them. more: whether
    there is more to read than one reading takes."""

    mailbox: str
    taken: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    more: bool = False


@dataclass(frozen=True, slots=True)
class _Mail:
    """A message on its way: where it came to, its document, what was read of it."""

    raw: bytes
    mailbox: str
    company_id: int | None
    read: IncomingMail
    token: TokenFound
    notes: tuple[Note, ...]
    document_id: int = 0

    @property
    def message(self) -> MessageRecord:
        return self.read.message

    @property
    def channel(self) -> str:
        return channel_of(self.mailbox)

    @property
    def sender(self) -> str:
        certified = self.message.certified_sender if self.message.is_certified else None
        return (certified or (self.message.sender[1] if self.message.sender else "")).lower()


# -- one message -------------------------------------------------------------------------------------------


def take(
    ctx: Context,
    raw: bytes,
    mailbox: str,
    company_id: int | None = None,
    whole_size: int | None = None,
    name: str = "",
) -> TakenMail:
    """Take in one message. mailbox: its name ends in ":pec" where receipts of PEC come to. whole_size: bytes
    of the message where ``raw`` is only its beginning. Taking it again changes nothing."""
    notes: list[Note] = []
    if whole_size is not None and whole_size > len(raw):
        notes.append(note("mail_too_large", megabytes=round(whole_size / 2**20)))
    try:
        read = read_incoming(raw, OWN_HEADER, authserv_of(mailbox))
    except Refusal:
        return retried(lambda: keep_unread(ctx, raw, mailbox, company_id, "mail_broken", name))
    mail = _Mail(raw, mailbox, company_id, read, token_in(read.sent_to), tuple(notes))
    return retried(lambda: _taken(ctx, mail, name))


@transaction.atomic
def _taken(ctx: Context, mail: _Mail, name: str) -> TakenMail:
    digest = hashlib.sha256(mail.raw).hexdigest()
    hold_mail_lock(mail.message.message_id or digest)
    document_id = keep_document(ctx, name or f"{mail.mailbox} {digest[:16]}.eml", mail.raw)
    mail = replace(mail, document_id=document_id)
    if (before := _taken_before(mail)) is not None:
        return before
    if mail.read.receipt is not None:
        reported = take_receipt(ctx, mail.read, mail.channel, document_id)
        return _after_report(ctx, mail, reported, RECEIPT)
    if mail.read.report is not None:
        reported = take_report(ctx, mail.read.report, mail.token.token, document_id)
        return _after_report(ctx, mail, reported, reported.kind or IGNORED)
    return _take_words(ctx, mail)


def _taken_before(mail: _Mail) -> TakenMail | None:
    known = reply_changes.taken_as(mail.document_id)
    if known is not None:
        kind, own_id = known
        is_reply = kind == "reply"
        return TakenMail(
            DUPLICATE, mail.document_id, own_id if is_reply else None, None if is_reply else own_id
        )
    same = reply_changes.same_message(mail.message.message_id or "", mail.sender, mail.message.text)
    return TakenMail(DUPLICATE, mail.document_id, same) if same is not None else None


def _after_report(ctx: Context, mail: _Mail, reported: Reported, kind: str) -> TakenMail:
    """A report that was believed is done; another is kept as mail that says why."""
    message = reported.message
    if reported.kind:
        told = reported.kind if reported.kind in (BOUNCE, COMPLAINT, DUPLICATE) else kind
        assert message is not None
        return TakenMail(told, mail.document_id, None, message.id, message.account_id)
    thread = Thread(company_id=mail.company_id)
    if message is not None:
        thread = Thread(NOT_KNOWN, message, message.account_id, message.company_id)
    mail = replace(mail, notes=(*mail.notes, *reported.notes))
    reply_id = _kept(ctx, mail, thread, is_trusted=False, is_automatic=True)
    if reported.is_idle:
        _set_aside(ctx, reply_id, "report")
        return TakenMail(IGNORED, mail.document_id, reply_id, None, thread.account_id, mail.notes)
    return TakenMail(REPLY, mail.document_id, reply_id, None, thread.account_id, mail.notes)


def _take_words(ctx: Context, mail: _Mail) -> TakenMail:
    """Somebody's words, or a program's: kept, tied to whose they are, understood."""
    ids = [*mail.message.in_reply_to, *reversed(mail.message.references)]
    thread = thread_of(ids, mail.token.token, mail.sender, mail.company_id)
    if (looped := _loop(ctx, mail)) is not None:
        mail = replace(mail, notes=(*mail.notes, looped))
        reply_id = _kept(ctx, mail, thread, is_trusted=False, is_automatic=True)
        _set_aside(ctx, reply_id, "loop")
        return _told(LOOP, mail, thread, reply_id)
    mail = replace(mail, notes=(*mail.notes, *_doubts(mail, thread)))
    codes = {one["code"] for one in mail.notes}
    is_against = bool(codes & AGAINST)
    is_trusted = thread.threaded_by in BY_SECRET and thread.knows_address and not is_against
    if thread.account_id is None:
        return _take_stray(ctx, mail, thread)
    with deciding(ctx, thread.account_id) as inner:
        advice = mail_advices.note_of(inner, mail.raw, thread.company_id, is_against, mail.message)
        mail = replace(mail, notes=(*mail.notes, *advice))
        reply_id = _kept(inner, mail, thread, is_trusted, mail.message.is_automatic)
        handle_reply.understand(inner, reply_id, may_act=not is_against, opts_out=_opts_out(mail, thread))
    return _told(REPLY, mail, thread, reply_id)


def _take_stray(ctx: Context, mail: _Mail, thread: Thread) -> TakenMail:
    """Nobody's, as far as is known: it waits for a person, unless a program or a list wrote it."""
    reply_id = _kept(ctx, mail, thread, is_trusted=False, is_automatic=mail.message.is_automatic)
    if mail.message.is_automatic or mail.read.is_list:
        _set_aside(ctx, reply_id, "machine")
        return _told(IGNORED, mail, thread, reply_id)
    handle_reply.understand(ctx, reply_id, may_act=False)
    return _told(REPLY, mail, thread, reply_id)


def _told(kind: str, mail: _Mail, thread: Thread, reply_id: int) -> TakenMail:
    message_id = thread.message.id if thread.message else None
    return TakenMail(kind, mail.document_id, reply_id, message_id, thread.account_id, mail.notes)


def _loop(ctx: Context, mail: _Mail) -> Note | None:
    """Whether it is a message of ours that came back, or one of a flood."""
    own = [one for one in mail.read.own_marks if len(one) <= 24]
    is_own = bool(own) and Message.objects.filter(token__in=own).exists()
    own_id = mail.message.message_id
    if is_own or (own_id and Message.objects.filter(rfc_id=own_id).exists()):
        return note("mail_own")
    if not mail.sender:
        return None
    now = ctx.recorded_at or ctx.clock()
    count = reply_changes.count_from(mail.sender, now, automatic_only=False)
    if count >= MAX_AN_HOUR:
        return note("mail_loop", count=count + 1)
    if mail.message.is_automatic:
        count = reply_changes.count_from(mail.sender, now, automatic_only=True)
        if count >= MAX_AUTOMATIC_AN_HOUR:
            return note("mail_loop", count=count + 1)
    return None


def _doubts(mail: _Mail, thread: Thread) -> list[Note]:
    """What speaks against the sender, or does not speak for it."""
    found = [note(f"mail_{check}_failed") for check in mail.read.failed_checks]
    found += [note(code) for code in mail.read.doubts]
    if mail.token.is_tampered:
        found.append(note("mail_token_tampered"))
    if thread.account_id is None:
        if not mail.message.is_automatic:
            found.append(note("mail_unknown_sender", address=mail.sender or "-"))
    elif thread.threaded_by not in BY_SECRET:
        found.append(note("mail_not_threaded"))
    elif not thread.knows_address:
        found.append(note("mail_from_elsewhere", address=mail.sender or "-"))
    if mail.read.is_list:
        found.append(note("mail_list"))
    return found


def _opts_out(mail: _Mail, thread: Thread) -> bool:
    """Whether it is what a mail program's "unsubscribe" button sends to the signed address."""
    is_button = mail.message.subject.strip().upper() == OPT_OUT_SUBJECT
    return is_button and mail.token.token is not None and thread.message is not None


# -- keeping -----------------------------------------------------------------------------------------------


def _kept(ctx: Context, mail: _Mail, thread: Thread, is_trusted: bool, is_automatic: bool) -> int:
    inner = reply_changes.recorded(ctx, thread.company_id)
    message = mail.message
    return reply_changes.keep_reply(
        inner,
        NewReply(
            mail.document_id, mail.channel, _received_at(ctx, message), thread.company_id, thread.account_id,
            thread.message.id if thread.message else None, message.message_id or "", mail.sender,
            message.sender[0] if message.sender else "", message.subject, message.text, is_automatic,
            thread.threaded_by, is_trusted, list(mail.notes),
        ),
    )  # fmt: skip


def _received_at(ctx: Context, message: MessageRecord) -> datetime:
    """As certified, else as stated where that is believable, else now."""
    now = ctx.clock()
    if message.certified_at is not None and message.certified_at <= now:
        return message.certified_at
    stated = message.date
    if stated is not None and now - timedelta(days=MAX_DELAY_DAYS) <= stated <= now:
        return stated
    return now


def _set_aside(ctx: Context, reply_id: int, why: str) -> None:
    """Nobody needs to look at it."""
    system = replace(ctx, actor="system:mail")
    reply_changes.add_handling(system, reply_id, "nothing", {"why": why})


@transaction.atomic
def keep_unread(
    ctx: Context, raw: bytes, mailbox: str, company_id: int | None, code: str, name: str = ""
) -> TakenMail:
    """Keep a message that could not be read, for a person to look at."""
    digest = hashlib.sha256(raw).hexdigest()
    hold_mail_lock(digest)
    document_id = keep_document(ctx, name or f"{mailbox} {digest[:16]}.eml", raw)
    known = reply_changes.taken_as(document_id)
    if known is not None:
        return TakenMail(DUPLICATE, document_id, known[1] if known[0] == "reply" else None)
    inner = reply_changes.recorded(ctx, company_id)
    new = NewReply(document_id, channel_of(mailbox), ctx.clock(), company_id, notes=[note(code)])
    return TakenMail(REPLY, document_id, reply_changes.keep_reply(inner, new), notes=(note(code),))


# -- a mailbox ---------------------------------------------------------------------------------------------


def fetch(ctx: Context, name: str) -> Fetched:
    """Take in what is new in a mailbox, up to a number of messages; the next reading takes the rest.

    Raises SaldoError: mailbox_unknown, company_unknown, mailbox_unreachable, mailbox_login_refused,
    mailbox_folder_missing, mailbox_not_encrypted.
    """
    box = mailbox(name)
    company = box.company
    done = Fetched(box.name)
    with reading_mail(cursor_id(box.name)), open_mailbox(box.name, box.account) as session:
        uids = _new(ctx, session, box.name)
        done.more = len(uids) > MAX_FETCHED
        read: list[int] = []
        for incoming in session.messages(uids[:MAX_FETCHED]):
            _take_one(ctx, incoming, box, company.id if company else None, done)
            move_position(box.name, session.uid_validity, incoming.uid, ctx.clock())
            read.append(incoming.uid)
        # Also what was deleted meanwhile is behind us.
        last = uids[:MAX_FETCHED][-1] if uids else position(box.name).last_uid
        move_position(box.name, session.uid_validity, last, ctx.clock())
        session.put_away(read)
    return done


def _new(ctx: Context, session: Session, name: str) -> list[int]:
    """The identifiers not read yet."""
    known = position(name)
    if known.uid_validity == session.uid_validity:
        return session.new_uids(known.last_uid)
    days = AGAIN_DAYS if known.uid_validity else FIRST_DAYS
    return session.uids_since(ctx.as_of - timedelta(days=days))


def _take_one(ctx: Context, incoming: Incoming, box: Mailbox, company_id: int | None, done: Fetched) -> None:
    whole = incoming.size if incoming.is_cut else None
    try:
        taken = take(ctx, incoming.raw, box.name, company_id, whole)
    except (OperationalError, InterfaceError):
        raise  # the database, not the message
    except Exception as error:
        # Whatever it is, the messages after it must not wait for it.
        logger.exception("message %s of %s was not understood", incoming.uid, box.name)
        if isinstance(error, SaldoError):
            logger.warning("%s", error)
        done.failed += 1
        taken = keep_unread(ctx, incoming.raw, box.name, company_id, "mail_not_understood")
    done.taken[taken.kind] += 1
