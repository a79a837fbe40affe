"""The one sender: every message leaves through ``send``, at most once.

Three steps, for each message. First a transaction asks again whether it may leave, and writes "sending"; from
its commit on the message may have left, whatever happens to this process. Then the bytes go out, with no
transaction open. Then a second transaction writes what became of them. Whoever finds "sending" without an
outcome, and nobody at it, writes "unknown" and sends nothing: a person finds out. docs/rules/sending.md
argues why this is at most once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import DatabaseError, IntegrityError, InterfaceError, OperationalError, connection, transaction

from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.playbook import EMAIL, PEC, SMS
from saldo.core.sending import FAILED, LEFT, POSTPONED, SENDING, STOPPED, UNKNOWN, WAITING, SendingRules
from saldo.flows.hand_over import Handed, hand_over
from saldo.flows.jobs import defer_send, messages_with_job
from saldo.flows.send_checks import Case, Verdict, verdict
from saldo.outreach import deliveries
from saldo.outreach.channels.outgoing import Answer
from saldo.outreach.deliveries import DeliveryRow
from saldo.outreach.models import Message
from saldo.outreach.settings import rules_of
from saldo.parties.models import AddressStop, CustomerAccount
from saldo.parties.stops import stop_address
from saldo.storage.locks import retried
from saldo.storage.locks import sending as sole_sender

logger = logging.getLogger(__name__)

WORKER_GONE = "worker_gone"
# What certainly did not leave is tried again after these times, then given up.
BACKOFF = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 240))
# How often, and after how long, writing the outcome is tried while the database does not answer.
RECORD_PAUSES_SECONDS = (0.5, 2.0, 5.0)
# Longer than any server is waited for (its answers and the last one together).
SWEEP_SECONDS = 900


@dataclass(frozen=True, slots=True)
class Begun:
    """An attempt that has been written down: the message may leave now."""

    message: Message
    rules: SendingRules
    attempt: int


@dataclass(frozen=True, slots=True)
class Swept:
    """unknown: messages whose sender was gone. deferred: messages that had lost their job."""

    unknown: int
    deferred: int


def send(ctx: Context, message_id: int) -> str:
    """Send a message if it may leave and has not; returns the state it is in afterwards.

    Safe to call any number of times, by any number of processes, which may end at any moment.
    Raises SaldoError("message_unknown").
    """
    with sole_sender(message_id) as is_ours:
        if not is_ours:
            return deliveries.state_of(message_id)
        begun = _begin(ctx, message_id)
        if isinstance(begun, str):
            return begun
        handed = hand_over(ctx, begun.message, begun.rules, begun.attempt)
        return _record(ctx, begun, handed)


# -- before ------------------------------------------------------------------------------------------------


def _begin(ctx: Context, message_id: int) -> Begun | str:
    try:
        return retried(lambda: _begun(ctx, message_id))
    except IntegrityError:
        # Another process wrote the same attempt: it has it.
        return deliveries.state_of(message_id)
    except (DatabaseError, SaldoError):
        raise
    except Exception as error:
        # What cannot be judged does not leave, and does not come back every minute: a person looks.
        logger.exception("message %s could not be checked", message_id)
        deliveries.add(ctx, message_id, FAILED, code="not_checked", detail=type(error).__name__)
        return FAILED


@transaction.atomic
def _begun(ctx: Context, message_id: int) -> Begun | str:
    """Check the message under its account's lock, and write down what follows."""
    told = Message.objects.filter(id=message_id).values_list("account_id", flat=True).first()
    if told is None:
        raise SaldoError("message_unknown", message=message_id)
    CustomerAccount.objects.select_for_update(no_key=True).get(id=told)
    message = Message.objects.select_related("company", "account__customer", "in_reply_to").get(id=message_id)
    ctx = ctx.within(message.company_id)
    newest = deliveries.last(message_id)
    if newest is not None and newest.state == SENDING:
        # Nobody else is at it, or we would not have its lock: whoever began it is gone.
        deliveries.add(ctx, message_id, UNKNOWN, code=WORKER_GONE)
        return UNKNOWN
    if newest is None or newest.state not in WAITING:
        return deliveries.state_of(message_id)
    now = ctx.clock()
    if newest.not_before is not None and newest.not_before > now:
        defer_send(message_id, newest.not_before)
        return newest.state
    rules = rules_of(message.company_id)
    refused = verdict(Case(ctx, message, message.company, rules, now))
    if refused is not None:
        return _put_off(ctx, message_id, newest, refused)
    attempt = newest.attempt + 1
    deliveries.add(ctx, message_id, SENDING, attempt=attempt)
    return Begun(message, rules, attempt)


def _put_off(ctx: Context, message_id: int, newest: DeliveryRow, refused: Verdict) -> str:
    if refused.state == POSTPONED:
        defer_send(message_id, refused.not_before)
        if refused.code == STOPPED and (newest.state, newest.code) == (POSTPONED, STOPPED):
            return POSTPONED  # a stop of days is told once, not every half hour
    deliveries.add(
        ctx, message_id, refused.state, code=refused.code, detail=refused.detail,
        not_before=refused.not_before,
    )  # fmt: skip
    return refused.state


# -- afterwards --------------------------------------------------------------------------------------------


def _record(ctx: Context, begun: Begun, handed: Handed) -> str:
    """Write the outcome. While the database is away it is tried some times; then the message stays "sending"
    and whoever finds it so calls it unknown."""
    for pause in (*RECORD_PAUSES_SECONDS, None):
        try:
            return retried(lambda: _recorded(ctx, begun, handed))
        except (OperationalError, InterfaceError):
            if pause is None or connection.in_atomic_block:
                raise
            logger.warning("message %s: its outcome could not be written yet", begun.message.id)
            connection.close()
            time.sleep(pause)
    raise AssertionError("unreachable")


@transaction.atomic
def _recorded(ctx: Context, begun: Begun, handed: Handed) -> str:
    message, answer = begun.message, handed.answer
    ctx = ctx.within(message.company_id)
    deliveries.hold(message.id)
    newest = deliveries.last(message.id)
    assert newest is not None
    if newest.attempt != begun.attempt or newest.state not in {SENDING, UNKNOWN} | LEFT:
        # A person has decided about it meanwhile; what they said stands.
        logger.warning("message %s: a late answer, %s %s", message.id, answer.state, answer.code)
        return deliveries.state_of(message.id)
    if newest.state in LEFT and answer.state not in LEFT:
        return newest.state  # a receipt was quicker than the server's answer, and says more
    state, not_before = _outcome(ctx, begun, answer, newest)
    detail = f"{answer.detail} [{answer.provider_id}]" if answer.provider_id else answer.detail
    if newest.state != UNKNOWN or state != UNKNOWN:
        deliveries.add(
            ctx, message.id, state, code=answer.code, detail=detail, document_id=handed.document_id,
            not_before=not_before,
        )  # fmt: skip
    if state == POSTPONED:
        defer_send(message.id, not_before)
    if answer.is_bad_address and message.channel in (EMAIL, PEC, SMS) and message.to_address.strip():
        stop_address(
            ctx, message.channel, message.to_address, AddressStop.Reason.INVALID, message.company_id,
            handed.document_id, detail,
        )  # fmt: skip
    return state


def _outcome(ctx: Context, begun: Begun, answer: Answer, newest: DeliveryRow) -> tuple[str, datetime | None]:
    """The state that follows from the channel's answer, and when it is tried again."""
    if answer.state != POSTPONED:
        return answer.state, None
    tries = deliveries.tries(begun.message.id)
    if newest.state == UNKNOWN or tries > len(BACKOFF):
        return FAILED, None
    return POSTPONED, ctx.clock() + BACKOFF[tries - 1]


# -- people ------------------------------------------------------------------------------------------------


def resolve(ctx: Context, message_id: int, was_sent: bool, note: str = "") -> None:
    """A person says what became of a message of unknown outcome (deliveries.resolve_unknown)."""
    deliveries.resolve_unknown(ctx, message_id, was_sent, note)


@transaction.atomic
def retry(ctx: Context, message_id: int, note: str = "") -> None:
    """A person wants a failed message tried again. Everything is checked again before it leaves.

    Raises SaldoError: message_unknown, sending_not_allowed, delivery_not_failed.
    """
    deliveries.requeue(ctx, message_id, note)
    defer_send(message_id)


@transaction.atomic
def post_letters(ctx: Context, message_ids: Sequence[int], note: str = "") -> int:
    """A person has printed and posted letters that Saldo kept; returns how many there were.

    Raises SaldoError: message_unknown, sending_not_allowed, delivery_not_possible (then none is marked).
    """
    for message_id in sorted(set(message_ids)):
        deliveries.mark_printed(ctx, message_id, note)
    return len(set(message_ids))


# -- what was left lying -----------------------------------------------------------------------------------


def sweep(ctx: Context, older_than_seconds: float = SWEEP_SECONDS) -> Swept:
    """Find messages whose sender is gone, and messages whose job is gone. None of them stays so."""
    before = ctx.clock() - timedelta(seconds=older_than_seconds)
    unknown = 0
    for message_id in deliveries.waiting_since(ctx.company_id, (SENDING,), before):
        unknown += send(ctx, message_id) == UNKNOWN
    deferred = 0
    waiting = deliveries.waiting_since(ctx.company_id, WAITING, before)
    with_job = messages_with_job() if waiting else set()
    for message_id in waiting:
        if message_id not in with_job:
            newest = deliveries.last(message_id)
            deferred += defer_send(message_id, newest.not_before if newest else None)
    return Swept(unknown, deferred)


def send_waiting(ctx: Context, limit: int | None = None) -> dict[str, int]:
    """Send now, in this process, what may go; returns how many messages ended in which state."""
    told: dict[str, int] = {}
    for message_id in deliveries.waiting_since(ctx.company_id, WAITING, ctx.clock())[:limit]:
        state = send(ctx, message_id)
        told[state] = told.get(state, 0) + 1
    return told
