"""Recording what a person did with an action: done, skipped, noted, or taken back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction

from saldo.collection.models import Attention, Outcome
from saldo.collection.queries import DONE, NOTE, SKIPPED, UNDONE
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.outcomes import CHANNELS, DELAY_REASONS, RESULTS, SKIP_REASONS
from saldo.identity.operations import record_event, stamped
from saldo.parties.models import CustomerAccount
from saldo.parties.queries import LEGAL_ZONE, visible_accounts

STATES = (DONE, SKIPPED, UNDONE, NOTE)
NOTE_CHARACTERS = 4000
# A follow-up further away than this is a typing mistake.
FOLLOW_UP_DAYS = 366


@dataclass(frozen=True, slots=True)
class _Told:
    """What was said of an outcome, checked word by word."""

    state: str
    note: str
    follow_up_date: date | None
    channel: str
    result: str
    skip_reason: str
    delay_reason: str
    call_back_at: datetime | None
    undoes: bool


def locked_account(ctx: Context, account_id: int) -> CustomerAccount:
    """The account, locked so that of two people who act on it at once the second comes after the first.

    Raises SaldoError("account_unknown") where there is none, or none that the actor may see.
    """
    # NO KEY: rows that point at the account may still be added by an import.
    found = visible_accounts(ctx).filter(id=account_id)
    account = found.select_for_update(of=("self",), no_key=True).first()
    if account is None:
        raise SaldoError("account_unknown", account=account_id)
    return account


def _check_words(told: _Told) -> None:
    for value, known in (
        (told.channel, CHANNELS), (told.result, RESULTS), (told.skip_reason, SKIP_REASONS),
        (told.delay_reason, DELAY_REASONS),
    ):  # fmt: skip
        if value and value not in known:
            raise SaldoError("outcome_word_unknown", word=value, known=", ".join(known))
    explained = told.note or told.result or told.undoes or (told.state == SKIPPED and told.skip_reason)
    if told.state in (SKIPPED, NOTE) and not explained:
        raise SaldoError("note_missing")


def _follow_up(ctx: Context, told: _Told) -> date | None:
    """The day to come back: that of the hour, if one is named. An hour may be one of the same day."""
    day = told.follow_up_date
    if told.call_back_at is not None:
        day = told.call_back_at.astimezone(LEGAL_ZONE).date()
        if told.call_back_at <= ctx.clock() and day <= ctx.as_of:
            raise SaldoError("call_back_past", at=told.call_back_at.astimezone(LEGAL_ZONE).strftime("%H:%M"))
    if day is None:
        return None
    earliest = ctx.as_of + timedelta(days=0 if told.call_back_at else 1)
    if told.state in (UNDONE, NOTE) or not earliest <= day <= ctx.as_of + timedelta(days=FOLLOW_UP_DAYS):
        raise SaldoError("follow_up_not_later", date=day, as_of=ctx.as_of)
    return day


def check_first(account_id: int, actor: str, seen: int | None) -> None:
    """Whoever records first wins: the other is told who dealt with the account since. seen: the newest
    outcome that the actor knew of, None where they do not say. Raises SaldoError("account_dealt_with")."""
    if seen is None:
        return
    newer = Outcome.objects.filter(account_id=account_id, id__gt=seen, state__in=(DONE, SKIPPED))
    other = newer.exclude(actor=actor).order_by("-id").first()
    if other is None:
        return
    undone = Outcome.objects.filter(account_id=account_id, id__gt=other.id, state=UNDONE)
    if not undone.exists():
        at = other.recorded_at.astimezone(LEGAL_ZONE).strftime("%H:%M")
        result = other.result or other.state
        raise SaldoError("account_dealt_with", who=other.actor, at=at, result=result)


@transaction.atomic
def record_outcome(
    ctx: Context,
    account_id: int,
    state: str,
    note: str = "",
    follow_up_date: date | None = None,
    *,
    channel: str = "",
    result: str = "",
    skip_reason: str = "",
    delay_reason: str = "",
    contact_id: int | None = None,
    seconds: int | None = None,
    call_back_at: datetime | None = None,
    data: dict[str, Any] | None = None,
    seen: int | None = None,
) -> int:
    """Add an outcome for the account on ``ctx.as_of`` and return its id.

    The words are those of ``core.outcomes``. call_back_at: the hour to call again, of the same day too; its
    legal day is then the follow-up date. seen: the newest outcome that the person had before them (0: none).

    Raises SaldoError: account_unknown (or not visible), outcome_word_unknown, note_missing (skipped needs a
    note, a reason or a result; note needs words or a result), follow_up_not_later (the day is not after
    ``ctx.as_of``, or more than a year later), call_back_past, account_dealt_with (somebody else recorded
    since).
    """
    assert state in STATES, state
    note = note.strip()[:NOTE_CHARACTERS]
    told = _Told(
        state, note, follow_up_date, channel, result, skip_reason, delay_reason, call_back_at,
        undoes="undoes" in (data or {}),
    )  # fmt: skip
    _check_words(told)
    follow_up_date = _follow_up(ctx, told)
    account = locked_account(ctx, account_id)
    check_first(account_id, ctx.actor, seen)
    ctx = stamped(ctx, account.company_id)
    outcome = Outcome.objects.create(
        account=account, as_of=ctx.as_of, state=state, channel=channel, result=result,
        skip_reason=skip_reason, delay_reason=delay_reason, contact_id=contact_id, seconds=seconds, note=note,
        follow_up_date=follow_up_date, call_back_at=call_back_at, data=data or {}, actor=ctx.actor,
        recorded_at=ctx.recorded_at,
    )  # fmt: skip
    Attention.objects.filter(account_id=account_id, actor=ctx.actor).delete()
    happened = {
        "outcome": outcome.id, "follow_up_date": follow_up_date and follow_up_date.isoformat(),
        "channel": channel, "result": result,
    }  # fmt: skip
    record_event(ctx, f"action.{state}", "account", account.id, happened)
    return outcome.id


def undo_outcome(ctx: Context, account_id: int, outcome_id: int | None = None, state: str = UNDONE) -> int:
    """Take back what was recorded last: the account's action is in the worklist again.

    outcome_id: the one that is taken back, kept with the undoing. state: NOTE where that one had left the
    action as it was. Its facts (a promise, a claim) are for flows.log_call to end.
    """
    return record_outcome(ctx, account_id, state, data={"undoes": outcome_id} if outcome_id else None)
