"""What became of messages: their states, which may follow which, and the records of it.

The newest delivery of a message decides its state; only among those that say it has left the strongest does,
since receipts come in any order. docs/rules/sending.md draws the states.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction

from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.sending import (
    ACCEPTED,
    BOUNCED,
    CANCELLED,
    CLICKED,
    COMPLAINT,
    DELIVERED,
    FAILED,
    LEFT,
    OPENED,
    POSTPONED,
    PRINTED,
    PUBLISHED,
    QUEUED,
    SENDING,
    SENT,
    UNKNOWN,
)
from saldo.identity.models import Grant, User
from saldo.identity.operations import record_event, stamped
from saldo.identity.queries import roles
from saldo.outreach.models import Delivery, Message

MAY_RESOLVE = frozenset({Grant.Role.ADMINISTRATOR, Grant.Role.CREDIT_MANAGER, Grant.Role.COLLECTOR})
TOLD_BY_PERSON = "told_by_person"
# Of several facts about a message that has left, the later in this order says more.
STRENGTH = (SENT, PUBLISHED, PRINTED, ACCEPTED, DELIVERED, OPENED, CLICKED, BOUNCED, COMPLAINT)
# What somebody else says happened to it: proof that it left, whatever we knew.
EVIDENCE = frozenset({ACCEPTED, DELIVERED, BOUNCED, COMPLAINT, OPENED, CLICKED})
# Which state may follow which; "" is a message without any delivery.
NEXT: dict[str, frozenset[str]] = {
    "": frozenset({QUEUED, POSTPONED}),
    QUEUED: frozenset({SENDING, POSTPONED, CANCELLED, FAILED}),
    POSTPONED: frozenset({SENDING, POSTPONED, CANCELLED, FAILED, QUEUED}),
    SENDING: frozenset({SENT, PRINTED, PUBLISHED, FAILED, UNKNOWN, POSTPONED}) | EVIDENCE,
    # A worker that was thought gone may still tell its answer, and so may a person.
    UNKNOWN: frozenset({SENT, PRINTED, PUBLISHED, FAILED}) | EVIDENCE,
    FAILED: frozenset({QUEUED}) | EVIDENCE,
    CANCELLED: frozenset(),
    # A PEC provider refuses (non accettazione) only after its server has taken the message.
    SENT: frozenset({SENT, PRINTED, FAILED}) | EVIDENCE,
    **{state: EVIDENCE | {SENT, PRINTED} for state in LEFT if state != SENT},
}


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    id: int
    message_id: int
    state: str
    attempt: int
    code: str
    detail: str
    not_before: datetime | None
    document_id: int | None
    occurred_at: datetime
    actor: str


@dataclass(frozen=True, slots=True)
class MessageTold:
    """A message in one line, with its newest delivery."""

    id: int
    company_code: str
    account_code: str
    account_name: str
    channel: str
    to_address: str
    subject: str
    newest: DeliveryRow


def _row(found: Delivery) -> DeliveryRow:
    return DeliveryRow(
        found.id, found.message_id, found.state, found.attempt, found.code, found.detail, found.not_before,
        found.document_id, found.occurred_at, found.actor,
    )  # fmt: skip


def deliveries_of(message_id: int) -> list[DeliveryRow]:
    """All that became of a message, the oldest first."""
    return [_row(found) for found in Delivery.objects.filter(message_id=message_id).order_by("id")]


def last(message_id: int) -> DeliveryRow | None:
    """The newest delivery of a message."""
    found = Delivery.objects.filter(message_id=message_id).order_by("-id").first()
    return _row(found) if found else None


def state_among(in_order: Iterable[str]) -> str:
    """The state that a sequence of deliveries comes to; "" where there are none."""
    state = ""
    for told in in_order:
        if state in LEFT and told in LEFT:
            state = max(state, told, key=STRENGTH.index)
        else:
            state = told
    return state


def states(message_ids: Iterable[int]) -> dict[int, str]:
    """The states of messages; one without deliveries is left out."""
    rows: dict[int, list[str]] = {}
    found = Delivery.objects.filter(message_id__in=list(message_ids)).order_by("id")
    for message_id, state in found.values_list("message_id", "state"):
        rows.setdefault(message_id, []).append(state)
    return {message_id: state_among(told) for message_id, told in rows.items()}


def state_of(message_id: int) -> str:
    """The state of a message; "" where nothing has become of it yet."""
    return states([message_id]).get(message_id, "")


def tries(message_id: int) -> int:
    """Attempts begun since a person (or the one who wrote it) last queued the message."""
    found = Delivery.objects.filter(message_id=message_id)
    queued = found.filter(state=QUEUED).order_by("-id").values_list("id", flat=True).first()
    return found.filter(state=SENDING, id__gt=queued or 0).count()


def counts(company_id: int | None, since: datetime) -> dict[str, int]:
    """How many of the messages recorded since then have which newest delivery."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT d.state, count(*) FROM outreach_message m CROSS JOIN LATERAL"
            " (SELECT state FROM outreach_delivery WHERE message_id = m.id ORDER BY id DESC LIMIT 1) d"
            " WHERE m.recorded_at >= %s AND (%s::bigint IS NULL OR m.company_id = %s) GROUP BY 1 ORDER BY 1",
            [since, company_id, company_id],
        )
        return dict(cursor.fetchall())


def waiting_since(company_id: int | None, states_told: Iterable[str], before: datetime) -> list[int]:
    """Messages whose newest delivery is one of these and older than that, the oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT d.message_id FROM outreach_delivery d JOIN outreach_message m ON m.id = d.message_id"
            " WHERE d.state = ANY(%s) AND d.occurred_at < %s AND (%s::bigint IS NULL OR m.company_id = %s)"
            " AND NOT EXISTS (SELECT 1 FROM outreach_delivery l WHERE l.message_id = d.message_id"
            " AND l.id > d.id) ORDER BY d.id",
            [list(states_told), before, company_id, company_id],
        )
        return [row[0] for row in cursor.fetchall()]


def in_lines(message_ids: Iterable[int]) -> list[MessageTold]:
    """Messages in one line each, in order of their ids."""
    found = Delivery.objects.filter(message_id__in=list(message_ids)).order_by("message_id", "-id")
    newest = found.distinct("message_id").select_related("message__company", "message__account__customer")
    return [
        MessageTold(
            row.message_id, row.message.company.code, row.message.account.code,
            row.message.account.customer.name, row.message.channel, row.message.to_address,
            row.message.subject, _row(row),
        )
        for row in newest
    ]  # fmt: skip


@transaction.atomic
def add(
    ctx: Context,
    message_id: int,
    state: str,
    *,
    attempt: int | None = None,
    code: str = "",
    detail: str = "",
    document_id: int | None = None,
    occurred_at: datetime | None = None,
    not_before: datetime | None = None,
) -> int:
    """Record what became of a message; returns the delivery's id.

    attempt: None keeps that of the newest delivery. Raises SaldoError: message_unknown, delivery_not_possible
    (no such thing can follow its state).
    """
    message = hold(message_id)
    newest = last(message_id)
    now_in = newest.state if newest else ""
    if state not in NEXT[now_in]:
        raise SaldoError("delivery_not_possible", message=message_id, state=state, last=now_in or "-")
    stamp = stamped(ctx, message.company_id)
    assert stamp.recorded_at is not None
    made = Delivery.objects.create(
        message_id=message_id,
        state=state,
        attempt=attempt if attempt is not None else (newest.attempt if newest else 0),
        code=code[:40],
        detail=detail[:2000],
        not_before=not_before,
        document_id=document_id,
        occurred_at=occurred_at or stamp.recorded_at,
        actor=ctx.actor,
        recorded_at=stamp.recorded_at,
    )
    if state not in (SENDING, QUEUED):
        told = {"message": message_id, "channel": message.channel, "code": code}
        record_event(stamp, f"message.{state}", "account", message.account_id, told)
    return int(made.id)


def hold(message_id: int) -> Message:
    """The message, nobody else deciding about it until the transaction ends."""
    # Not FOR UPDATE: rows that point to the message may be added meanwhile.
    found = Message.objects.select_for_update(no_key=True).filter(id=message_id).first()
    if found is None:
        raise SaldoError("message_unknown", message=message_id)
    return found


def check_right(ctx: Context, company_id: int) -> None:
    """Raises SaldoError("sending_not_allowed") for a user without a role that may decide about messages."""
    user = User.objects.filter(username=ctx.actor, is_active=True).first()
    if user is None and ":" in ctx.actor:
        return  # the machine itself, or whoever has its command line
    if user is None or not roles(user, company_id) & MAY_RESOLVE:
        raise SaldoError("sending_not_allowed", actor=ctx.actor)


def _of_company(message_id: int) -> int:
    found = Message.objects.filter(id=message_id).values_list("company_id", flat=True).first()
    if found is None:
        raise SaldoError("message_unknown", message=message_id)
    return int(found)


@transaction.atomic
def resolve_unknown(ctx: Context, message_id: int, was_sent: bool, note: str = "") -> None:
    """A person says whether a message of unknown outcome has left.

    Raises SaldoError: message_unknown, sending_not_allowed, delivery_not_unknown.
    """
    check_right(ctx, _of_company(message_id))
    hold(message_id)
    if state_of(message_id) != UNKNOWN:
        raise SaldoError("delivery_not_unknown", message=message_id, state=state_of(message_id) or "-")
    add(ctx, message_id, SENT if was_sent else FAILED, code=TOLD_BY_PERSON, detail=note)


@transaction.atomic
def requeue(ctx: Context, message_id: int, note: str = "") -> None:
    """A person wants a failed message tried again; the caller defers its job in the same transaction.

    Raises SaldoError: message_unknown, sending_not_allowed, delivery_not_failed.
    """
    check_right(ctx, _of_company(message_id))
    hold(message_id)
    if state_of(message_id) != FAILED:
        raise SaldoError("delivery_not_failed", message=message_id, state=state_of(message_id) or "-")
    add(ctx, message_id, QUEUED, code="again", detail=note)


@transaction.atomic
def mark_printed(ctx: Context, message_id: int, note: str = "") -> None:
    """A letter that Saldo kept has been printed and posted by a person."""
    check_right(ctx, _of_company(message_id))
    add(ctx, message_id, PRINTED, code=TOLD_BY_PERSON, detail=note)
