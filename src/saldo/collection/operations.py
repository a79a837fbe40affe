"""Recording what a person did with an action: done, skipped, noted, or taken back."""

from __future__ import annotations

from datetime import date, timedelta

from django.db import transaction

from saldo.collection.models import Outcome
from saldo.collection.queries import DONE, NOTE, SKIPPED, UNDONE
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.identity.operations import record_event, stamped
from saldo.parties.models import CustomerAccount
from saldo.parties.queries import visible_accounts

STATES = (DONE, SKIPPED, UNDONE, NOTE)
NOTE_CHARACTERS = 4000
# A follow-up further away than this is a typing mistake.
FOLLOW_UP_DAYS = 366


def _account(ctx: Context, account_id: int) -> CustomerAccount:
    """The account, locked so that of two people who act on it at once the second comes after the first."""
    account = visible_accounts(ctx).filter(id=account_id).select_for_update(of=("self",)).first()
    if account is None:
        raise SaldoError("account_unknown", account=account_id)
    return account


def _check_follow_up(ctx: Context, state: str, follow_up_date: date | None) -> None:
    if follow_up_date is None:
        return
    if state in (UNDONE, NOTE) or not ctx.as_of < follow_up_date <= ctx.as_of + timedelta(
        days=FOLLOW_UP_DAYS
    ):
        raise SaldoError("follow_up_not_later", date=follow_up_date, as_of=ctx.as_of)


@transaction.atomic
def record_outcome(
    ctx: Context, account_id: int, state: str, note: str = "", follow_up_date: date | None = None
) -> int:
    """Add an outcome for the account on ``ctx.as_of`` and return its id.

    Raises SaldoError: account_unknown (or not visible), note_missing (skipped and note need words),
    follow_up_not_later (the day is not after ``ctx.as_of``, or more than a year later).
    """
    assert state in STATES, state
    note = note.strip()[:NOTE_CHARACTERS]
    if state in (SKIPPED, NOTE) and not note:
        raise SaldoError("note_missing")
    _check_follow_up(ctx, state, follow_up_date)
    account = _account(ctx, account_id)
    ctx = stamped(ctx, account.company_id)
    outcome = Outcome.objects.create(
        account=account,
        as_of=ctx.as_of,
        state=state,
        note=note,
        follow_up_date=follow_up_date,
        actor=ctx.actor,
        recorded_at=ctx.recorded_at,
    )
    data = {"outcome": outcome.id, "follow_up_date": follow_up_date and follow_up_date.isoformat()}
    record_event(ctx, f"action.{state}", "account", account.id, data)
    return outcome.id


def undo_outcome(ctx: Context, account_id: int) -> int:
    """Take back what was recorded last: the account's action is in the worklist again."""
    return record_outcome(ctx, account_id, UNDONE)
