"""A call or a visit is logged: what came of it, and all that it says, in one transaction.

    log_call    the outcome with its promise, dispute, claim, hold, stopped number or hour to call again
    undo        takes the last one back, as long as nothing was built on it

The caller has checked that the actor may; that the account is in the actor's scope is checked here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q

from saldo.cash.claims import end_claim, record_claim
from saldo.collection.holds import end_hold, hold
from saldo.collection.models import Outcome
from saldo.collection.operations import check_first, locked_account, record_outcome, undo_outcome
from saldo.collection.queries import DONE, NOTE, SKIPPED, UNDONE
from saldo.core.addresses import phone_number
from saldo.core.calendar import next_business_day
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.outcomes import (
    ALREADY_PAID,
    CALL_BACK,
    DISPUTED,
    PHONE,
    PROMISED,
    RESULTS,
    RETRY_DAYS,
    STATE_OF,
    WRONG_NUMBER,
)
from saldo.core.playbook import CALL
from saldo.disputes.models import DisputeItem
from saldo.disputes.operations import end_dispute, open_dispute
from saldo.identity.operations import stamped
from saldo.intake.operations import keep_document
from saldo.ledger.models import Allocation
from saldo.ledger.owed import oldest_first, owed_by, owed_items
from saldo.parties.models import Contact, CustomerAccount
from saldo.parties.queries import LEGAL_ZONE
from saldo.parties.stops import RECORDING, has_consent, release_address, stop_address, stops_of
from saldo.promises.models import PromiseItem
from saldo.promises.operations import end_promise, record_promise

# Who asked to be called again is not written to until then; beyond these days it would be forgotten.
CALL_BACK_HOLD_DAYS = 7
# Longer than a working day is no call.
MAX_SECONDS = 8 * 3600
# What others may have ended meanwhile; it cannot be taken back then.
_ENDED = frozenset({"promise_ended", "dispute_ended", "claim_ended"})


@dataclass(frozen=True, slots=True)
class Recording:
    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class CallLog:
    """What the person noted. result, channel, delay_reason: words of ``core.outcomes``.

    item_ids and amount_mills belong to the promise, the dispute or the claim, in ``currency`` (default: the
    company's). follow_up_date, call_back_at: when to call again; without them a try that reached nobody comes
    back by itself. seen: the newest outcome that was on the person's screen (0: none).
    """

    result: str
    channel: str = PHONE
    note: str = ""
    contact_id: int | None = None
    delay_reason: str = ""
    seconds: int | None = None
    currency: str = ""
    amount_mills: int | None = None
    item_ids: Sequence[int] = ()
    promised_date: date | None = None
    replaces: bool = False
    dispute_reason: str = ""
    paid_date: date | None = None
    follow_up_date: date | None = None
    call_back_at: datetime | None = None
    recording: Recording | None = None
    seen: int | None = None


@dataclass(frozen=True, slots=True)
class Logged:
    """facts: what was recorded besides, by the names of Outcome.data (promise_id, dispute_id, claim_id,
    hold_id, stop_id, recording_id)."""

    outcome_id: int
    state: str
    follow_up_date: date | None
    call_back_at: datetime | None
    facts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Undone:
    """took_back: what ended with it, by the names of Outcome.data; state: what the outcome had been."""

    outcome_id: int
    state: str
    took_back: tuple[str, ...]


@transaction.atomic
def log_call(ctx: Context, account_id: int, log: CallLog) -> Logged:
    """Record a call or a visit with all that it says, or nothing of it.

    Raises SaldoError: account_unknown, outcome_word_unknown, contact_unknown, account_dealt_with (somebody
    else recorded since), call_seconds_invalid, promise_day_missing, call_back_day_missing,
    recording_without_consent, and what record_promise, open_dispute, record_claim, stop_address and
    record_outcome refuse.
    """
    if log.result not in RESULTS:
        raise SaldoError("outcome_word_unknown", word=log.result, known=", ".join(RESULTS))
    if log.seconds is not None and not 0 <= log.seconds <= MAX_SECONDS:
        raise SaldoError("call_seconds_invalid", seconds=log.seconds)
    account = locked_account(ctx, account_id)
    check_first(account_id, ctx.actor, log.seen)
    inner = ctx.within(account.company_id)
    contact = _contact(account, log.contact_id)
    facts = _FACTS.get(log.result, _nothing)(inner, account, contact, log)
    if log.recording is not None:
        facts["recording_id"] = _recording(inner, contact, log.recording)
    follow_up_date = _follow_up(ctx, log)
    state = STATE_OF[log.result]
    outcome_id = record_outcome(
        inner, account_id, state, log.note, follow_up_date, channel=log.channel, result=log.result,
        delay_reason=log.delay_reason, contact_id=contact and contact.id, seconds=log.seconds,
        call_back_at=log.call_back_at, data=dict(facts),
    )  # fmt: skip
    if log.call_back_at is not None:
        follow_up_date = log.call_back_at.astimezone(LEGAL_ZONE).date()
    return Logged(outcome_id, state, follow_up_date, log.call_back_at, facts)


def _contact(account: CustomerAccount, contact_id: int | None) -> Contact | None:
    if contact_id is None:
        return None
    found = Contact.objects.filter(id=contact_id, account_id=account.id).first()
    if found is None:
        raise SaldoError("contact_unknown", contact=contact_id)
    return found


def _follow_up(ctx: Context, log: CallLog) -> date | None:
    """The day named, else the working day on which a try that reached nobody is made again."""
    if log.follow_up_date is not None or log.call_back_at is not None:
        return log.follow_up_date
    if log.result == CALL_BACK:
        raise SaldoError("call_back_day_missing")
    days = RETRY_DAYS.get(log.result, 0)
    return next_business_day(ctx.as_of + timedelta(days=days)) if days else None


# --- what each result records besides ---------------------------------------------------------------

Facts = dict[str, int]


def _nothing(ctx: Context, account: CustomerAccount, contact: Contact | None, log: CallLog) -> Facts:
    return {}


def _currency(account: CustomerAccount, log: CallLog) -> str:
    return log.currency or account.company.currency


def _promise(ctx: Context, account: CustomerAccount, contact: Contact | None, log: CallLog) -> Facts:
    if log.promised_date is None:
        raise SaldoError("promise_day_missing")
    promise_id = record_promise(
        ctx, account.id, _currency(account, log), log.promised_date, log.amount_mills, log.item_ids, log.note,
        replaces=log.replaces,
    )  # fmt: skip
    return {"promise_id": promise_id}


def _dispute(ctx: Context, account: CustomerAccount, contact: Contact | None, log: CallLog) -> Facts:
    """Of several items an amount is spread over the oldest first; of an account that owes one item, it is
    that one."""
    currency = _currency(account, log)
    if log.item_ids:
        items = owed_items(ctx, account.id, currency, log.item_ids)
    else:
        items = owed_by(ctx, account.id, currency)
        if len(items) != 1:
            raise SaldoError("dispute_without_items")
    parts: list[tuple[int, int | None]]
    if log.amount_mills is None:
        parts = [(item.item_id, None) for item in items]
    elif len(items) == 1:
        parts = [(items[0].item_id, log.amount_mills)]
    else:
        parts = [(item.item_id, mills) for item, mills in oldest_first(items, log.amount_mills)]
    reason = log.dispute_reason or "other"
    return {"dispute_id": open_dispute(ctx, account.id, parts, reason, log.note)}


def _claim(ctx: Context, account: CustomerAccount, contact: Contact | None, log: CallLog) -> Facts:
    currency = _currency(account, log)
    items = log.item_ids
    claim_id = record_claim(ctx, account.id, currency, items, log.amount_mills, log.paid_date, log.note)
    return {"claim_id": claim_id}


def _call_back(ctx: Context, account: CustomerAccount, contact: Contact | None, log: CallLog) -> Facts:
    """Until the day agreed nothing is written to the customer: somebody is speaking with it."""
    day = log.follow_up_date
    if log.call_back_at is not None:
        day = log.call_back_at.astimezone(LEGAL_ZONE).date()
    if day is None or not ctx.as_of < day:
        return {}
    until = min(day - timedelta(days=1), ctx.as_of + timedelta(days=CALL_BACK_HOLD_DAYS - 1))
    return {"hold_id": hold(ctx, account.id, until, "agreed", note=log.note)}


def _wrong_number(ctx: Context, account: CustomerAccount, contact: Contact | None, log: CallLog) -> Facts:
    """Nobody calls that number for this company any more."""
    if contact is None:
        raise SaldoError("contact_missing")
    number = phone_number(contact.phone, account.customer.country or "IT") or contact.phone
    before = {stop.id for stop in stops_of(ctx, account.id)}
    stop_id = stop_address(ctx, CALL, number, "wrong_contact", account.company_id, note=log.note)
    return {} if stop_id in before else {"stop_id": stop_id}


_FACTS: dict[str, Callable[[Context, CustomerAccount, Contact | None, CallLog], Facts]] = {
    PROMISED: _promise, DISPUTED: _dispute, ALREADY_PAID: _claim, CALL_BACK: _call_back,
    WRONG_NUMBER: _wrong_number,
}  # fmt: skip


def _recording(ctx: Context, contact: Contact | None, recording: Recording) -> int:
    """Kept only where the person spoken with has agreed to it beforehand."""
    if contact is None or not has_consent(contact.id, RECORDING):
        raise SaldoError("recording_without_consent")
    return keep_document(stamped(ctx, contact.account.company_id), recording.name, recording.content)


# --- taking back ------------------------------------------------------------------------------------


@transaction.atomic
def undo(ctx: Context, account_id: int) -> Undone:
    """Take back the account's last outcome.

    On its own day, by the person who recorded it, all that it recorded goes with it. By anybody else, or
    later, the action only comes back to the list: a promise stays a promise.

    Raises SaldoError: account_unknown, nothing_to_undo, undo_after_payment (money moved on what it is about),
    undo_decided (somebody has ended what it recorded).
    """
    account = locked_account(ctx, account_id)
    inner = ctx.within(account.company_id)
    last = _last(account_id)
    if last is None or (last.state == NOTE and not _is_own(ctx, last)):
        raise SaldoError("nothing_to_undo")
    if not _is_own(ctx, last):
        record_outcome(inner, account_id, UNDONE, data={"brings_back": last.id})
        return Undone(last.id, last.state, ())
    took_back = tuple(name for name in _TAKE_BACK if name in last.data)
    _check_nothing_moved(last)
    for name in took_back:
        _take_back(inner, name, int(last.data[name]))
    undo_outcome(inner, account_id, last.id, NOTE if last.state == NOTE else UNDONE)
    return Undone(last.id, last.state, took_back)


def _is_own(ctx: Context, last: Outcome) -> bool:
    return last.actor == ctx.actor and last.as_of == ctx.as_of


def _last(account_id: int) -> Outcome | None:
    """The last outcome that stands: done, skipped, or a try that left the action as it was."""
    undone: set[int] = set()
    for one in Outcome.objects.filter(account_id=account_id).order_by("-recorded_at", "-id")[:40]:
        if "undoes" in one.data or "brings_back" in one.data:
            undone.add(int(one.data.get("undoes") or one.data["brings_back"]))
        elif one.state == UNDONE:
            return None
        elif one.id not in undone and (one.state in (DONE, SKIPPED) or one.result):
            return one
    return None


def _check_nothing_moved(last: Outcome) -> None:
    """What was paid or credited since on the items of a promise or a dispute is tied to them."""
    items = {
        *PromiseItem.objects.filter(promise_id=last.data.get("promise_id")).values_list("item_id", flat=True),
        *DisputeItem.objects.filter(dispute_id=last.data.get("dispute_id")).values_list("item_id", flat=True),
    }
    if not items:
        return
    on_items = Q(debit_item_id__in=items) | Q(credit_item_id__in=items)
    moved = Allocation.objects.filter(on_items, recorded_at__gt=last.recorded_at).order_by("id").first()
    if moved is not None:
        raise SaldoError("undo_after_payment", date=moved.effective_date)


def _take_back(ctx: Context, name: str, fact_id: int) -> None:
    try:
        _TAKE_BACK[name](ctx, fact_id)
    except SaldoError as error:
        if error.code in _ENDED:
            raise SaldoError("undo_decided") from error
        # A hold that somebody ended and a number that somebody released are as they should be.
        if error.code not in ("hold_ended", "stop_unknown"):
            raise


_TAKE_BACK: dict[str, Callable[[Context, int], Any]] = {
    "promise_id": lambda ctx, fact_id: end_promise(ctx, fact_id, "mistake"),
    "dispute_id": lambda ctx, fact_id: end_dispute(ctx, fact_id, "mistake"),
    "claim_id": lambda ctx, fact_id: end_claim(ctx, fact_id, "mistake"),
    "hold_id": end_hold,
    "stop_id": lambda ctx, fact_id: release_address(ctx, fact_id, "the call was taken back"),
}
