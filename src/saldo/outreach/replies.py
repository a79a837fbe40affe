"""Reading what came back: what waits for a person, the replies of an account, one reply with its thread.

Every list joins the actor's scope; what nobody could be found for is seen by who sees the whole company.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl
from django.db.models import BigIntegerField, Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Coalesce

from saldo.collection.planning import DATED_SCHEMA
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.formats.incoming import files_in
from saldo.identity.models import Company, Grant, User
from saldo.identity.queries import companies_seen_whole, roles
from saldo.intake.queries import document_bytes
from saldo.outreach.models import Message, Reply, ReplyHandling, ReplyReading
from saldo.parties.models import CustomerAccount
from saldo.parties.queries import SYSTEM, visible_accounts
from saldo.storage.frames import copy_out

MAY_HANDLE = frozenset(
    {Grant.Role.ADMINISTRATOR, Grant.Role.CREDIT_MANAGER, Grant.Role.COLLECTOR, Grant.Role.CUSTOMER_CARE}
)
# Who says which company a stray of a general mailbox is of.
GIVES_OUT = frozenset({Grant.Role.ADMINISTRATOR, Grant.Role.CREDIT_MANAGER})
# After these a person still has to look: an answer is owed, a brake was put on, an account was found.
REOPENED, QUESTION, ASSIGNED, BRAKE = "reopened", "question", "assigned", "brake"
STILL_WAITING = (REOPENED, QUESTION, ASSIGNED, BRAKE)
THREAD_TURNS = 30


@dataclass(frozen=True, slots=True)
class ReplyRow:
    """A reply as a list shows it. notes: [{code, params}], why it is not trusted, what was left aside.

    label, confidence, facts: the last reading's. act: the last thing that was done about it.
    """

    id: int
    company_id: int | None
    account_id: int | None
    account_code: str
    account_name: str
    message_id: int | None
    document_id: int
    channel: str
    from_name: str
    from_address: str
    subject: str
    text: str
    is_automatic: bool
    threaded_by: str
    is_trusted: bool
    notes: list[dict[str, Any]]
    received_at: datetime
    label: str
    confidence: float | None
    facts: dict[str, Any]
    act: str
    is_waiting: bool


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation. sender: "us" or "customer"."""

    sender: str
    at: datetime
    subject: str
    text: str
    message_id: int | None = None
    reply_id: int | None = None


@dataclass(frozen=True, slots=True)
class Handled:
    act: str
    data: dict[str, Any]
    note: str
    actor: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class AttachmentRow:
    """index: its place among the attachments, by which it is asked for. size: bytes."""

    index: int
    name: str
    content_type: str
    size: int


@dataclass(frozen=True, slots=True)
class ReplyThread:
    """One reply with what was written before and after it, oldest first."""

    row: ReplyRow
    reasons: list[dict[str, Any]]
    handled: list[Handled]
    turns: list[Turn]
    attachments: list[AttachmentRow]

    @property
    def document_id(self) -> int:
        return self.row.document_id


# -- lists -------------------------------------------------------------------------------------------------


def waiting(ctx: Context, limit: int = 100, account_id: int | None = None) -> list[ReplyRow]:
    """What a person has to look at, the oldest first."""
    found = _visible(ctx).filter(_waits())
    if account_id is not None:
        found = found.filter(own_account=account_id)
    return _rows(found.order_by("received_at", "id")[:limit])


def count_waiting(ctx: Context) -> int:
    return _visible(ctx).filter(_waits()).count()


def of_account(ctx: Context, account_id: int, limit: int = 50) -> list[ReplyRow]:
    """The account's replies, newest first."""
    found = _visible(ctx).filter(own_account=account_id)
    return _rows(found.order_by("-received_at", "-id")[:limit])


def newest(ctx: Context, limit: int = 100) -> list[ReplyRow]:
    """All that came back, newest first."""
    return _rows(_visible(ctx).order_by("-received_at", "-id")[:limit])


def row_of(ctx: Context, reply_id: int) -> ReplyRow:
    """Raises SaldoError("reply_unknown"): there is none, or it is not for the actor's eyes."""
    found = _rows(_visible(ctx).filter(id=reply_id))
    if not found:
        raise SaldoError("reply_unknown", reply=reply_id)
    return found[0]


def reply(ctx: Context, reply_id: int) -> ReplyThread:
    """One reply, all of it. Raises SaldoError("reply_unknown")."""
    row = row_of(ctx, reply_id)
    reading = ReplyReading.objects.filter(reply_id=reply_id).order_by("-id").first()
    handled = ReplyHandling.objects.filter(reply_id=reply_id).order_by("id")
    files = files_in(document_bytes(row.document_id))
    return ReplyThread(
        row,
        list(reading.reasons) if reading else [],
        [Handled(one.act, one.data, one.note, one.actor, one.recorded_at) for one in handled],
        _turns(row),
        [AttachmentRow(place, name, kind, len(data)) for place, (name, kind, data) in enumerate(files)],
    )


def attachment(ctx: Context, reply_id: int, index: int) -> tuple[str, str, bytes]:
    """(name, content type, bytes). Raises SaldoError: reply_unknown, attachment_unknown."""
    row = row_of(ctx, reply_id)
    files = files_in(document_bytes(row.document_id))
    if not 0 <= index < len(files):
        raise SaldoError("attachment_unknown", reply=reply_id, index=index)
    return files[index]


# -- the day's work ----------------------------------------------------------------------------------------

_WAITING_ACCOUNTS = """
SELECT own.account_id, 'reply', min((own.received_at AT TIME ZONE 'Europe/Rome')::date)
  FROM (SELECT r.id, r.received_at,
               coalesce(r.account_id, (SELECT (h.data->>'account_id')::bigint FROM outreach_replyhandling h
                                        WHERE h.reply_id = r.id AND h.act = 'assigned'
                                          AND h.recorded_at <= %(known_at)s
                                        ORDER BY h.id DESC LIMIT 1)) AS account_id,
               (SELECT h.act FROM outreach_replyhandling h
                 WHERE h.reply_id = r.id AND h.recorded_at <= %(known_at)s
                 ORDER BY h.id DESC LIMIT 1) AS act
          FROM outreach_reply r WHERE r.recorded_at <= %(known_at)s) own
  JOIN parties_customeraccount a ON a.id = own.account_id
 WHERE (%(company)s::bigint IS NULL OR a.company_id = %(company)s)
   AND (own.act IS NULL OR own.act = ANY(%(still)s))
   AND (own.received_at AT TIME ZONE 'Europe/Rome')::date <= %(as_of)s
 GROUP BY own.account_id ORDER BY own.account_id
"""


def waiting_accounts(ctx: Context) -> pl.DataFrame:
    """DATED_SCHEMA: accounts with a reply that waits for a person, since when; code "reply"."""
    params = {
        "company": ctx.company_id,
        "known_at": ctx.known_at or "infinity",
        "as_of": ctx.as_of,
        "still": list(STILL_WAITING),
    }
    return copy_out(_WAITING_ACCOUNTS, params, DATED_SCHEMA)


# -- how -------------------------------------------------------------------------------------------------


def _with_last() -> QuerySet[Reply]:
    """Replies with their last reading and handling, and the account they belong to or were given to."""
    readings = ReplyReading.objects.filter(reply_id=OuterRef("id")).order_by("-id")
    handlings = ReplyHandling.objects.filter(reply_id=OuterRef("id")).order_by("-id")
    given = handlings.filter(act=ASSIGNED).annotate(
        given=Cast(KeyTextTransform("account_id", "data"), BigIntegerField())
    )
    return Reply.objects.annotate(
        own_account=Coalesce(F("account_id"), Subquery(given.values("given")[:1])),
        label=Subquery(readings.values("label")[:1]),
        confidence=Subquery(readings.values("confidence")[:1]),
        facts=Subquery(readings.values("facts")[:1]),
        act=Subquery(handlings.values("act")[:1]),
    )


def sees_general(ctx: Context) -> bool:
    """Whether the actor sees what nobody could be found for in a mailbox that serves every company: who
    administers or manages credit of any company, and who sees all companies whole."""
    if ctx.actor.startswith(SYSTEM):
        return True
    user = User.objects.filter(username=ctx.actor, is_active=True).first()
    return _sees_general(user, [row.id for row in companies_seen_whole(user)] if user else [])


def _sees_general(user: User | None, whole: list[int]) -> bool:
    if user is None:
        return False
    return bool(roles(user, None) & GIVES_OUT) or (bool(whole) and len(whole) == Company.objects.count())


def _visible(ctx: Context) -> QuerySet[Reply]:
    found = _with_last()
    strays = Q(own_account=None)
    if not ctx.actor.startswith(SYSTEM):
        user = User.objects.filter(username=ctx.actor, is_active=True).first()
        whole = [row.id for row in companies_seen_whole(user)] if user else []
        strays &= Q(company_id__in=whole) | (Q(company=None) if _sees_general(user, whole) else Q(pk=None))
    if ctx.company_id is not None:
        # What came to a mailbox of every company may be of this one.
        strays &= Q(company_id=ctx.company_id) | Q(company=None)
    accounts = visible_accounts(ctx).filter(id=OuterRef("own_account"))
    return found.filter(Exists(accounts) | strays)


def _waits() -> Q:
    return Q(act=None) | Q(act__in=STILL_WAITING)


def _rows(found: QuerySet[Reply]) -> list[ReplyRow]:
    replies = list(found)
    wanted = {one.own_account for one in replies if one.own_account}
    names = {
        account_id: (code, name)
        for account_id, code, name in CustomerAccount.objects.filter(id__in=wanted).values_list(
            "id", "code", "customer__name"
        )
    }
    return [_row(one, *names.get(one.own_account, ("", ""))) for one in replies]


def _row(one: Any, code: str, name: str) -> ReplyRow:
    return ReplyRow(
        one.id, one.company_id, one.own_account, code, name, one.message_id, one.document_id, one.channel,
        one.from_name, one.from_address, one.subject, one.text, one.is_automatic, one.threaded_by,
        one.is_trusted, one.notes, one.received_at, one.label or "", one.confidence, one.facts or {},
        one.act or "", one.act is None or one.act in STILL_WAITING,
    )  # fmt: skip


def _turns(row: ReplyRow) -> list[Turn]:
    """The account's written messages and replies around this one; a stray stands alone."""
    if row.account_id is None:
        return [_said(row)]
    sent = Message.objects.filter(account_id=row.account_id, channel=row.channel)
    sent = sent.exclude(deliveries__state="cancelled").order_by("-recorded_at")[:THREAD_TURNS]
    got = Reply.objects.filter(account_id=row.account_id, channel=row.channel).exclude(id=row.id)
    turns = [Turn("us", one.recorded_at, one.subject, one.body, message_id=one.id) for one in sent]
    turns += [
        Turn("customer", one.received_at, one.subject, one.text, reply_id=one.id)
        for one in got.order_by("-received_at")[:THREAD_TURNS]
    ]
    return _in_order([*turns, _said(row)])


def _said(row: ReplyRow) -> Turn:
    return Turn("customer", row.received_at, row.subject, row.text, reply_id=row.id)


def _in_order(turns: Iterable[Turn]) -> list[Turn]:
    return sorted(turns, key=lambda turn: (turn.at, turn.message_id or 0, turn.reply_id or 0))


def account_of(reply_id: int) -> int | None:
    """The account that a reply belongs to or was given to."""
    found = _with_last().filter(id=reply_id).values_list("own_account", flat=True)
    return found.first()
