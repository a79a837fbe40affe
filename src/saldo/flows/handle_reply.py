"""From what a customer wrote to what is recorded: proposed by the machine, confirmed with one key.

    understand     read a reply as it comes in, and put on the brakes that wait for nobody
    propose        the act that would answer it, filled in
    confirm        record it: the promise, the dispute, "già pagato", the pause, the stop of an address
    dismiss        nothing follows from it
    reopen         take back what was recorded, as far as it can be
    assign         a stray belongs to this customer

Brakes are what must not wait: an opt-out stops the address at once, angry words (or a lawyer's) pause the
account for some days and stay for a person to answer, a program's "out of office" pauses until the return.
None of them acts on a message whose sender is in doubt by evidence.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from django.db import transaction

from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.flows import reply_acts, understand_reply
from saldo.flows.jobs import defer_second_opinion
from saldo.flows.second_opinion import is_wanted
from saldo.flows.understand_reply import (
    ACTS,
    COMPLAINT,
    HIGH,
    HOLD,
    LOW,
    NOTHING,
    OPT_OUT,
    PAUSE_DAYS,
    QUESTION,
    Proposal,
    absence_end,
    address_of,
    proposal_of,
)
from saldo.identity.models import User
from saldo.identity.queries import roles
from saldo.ledger.owed import deciding
from saldo.outreach import drafting, replies, reply_changes
from saldo.outreach.models import ReplyReading
from saldo.outreach.replies import ASSIGNED, BRAKE, MAY_HANDLE, REOPENED, ReplyRow
from saldo.parties.queries import SYSTEM, visible_accounts

MACHINE = "system:mail"


def propose(ctx: Context, reply_id: int) -> Proposal:
    """Raises SaldoError("reply_unknown")."""
    row = replies.row_of(ctx, reply_id)
    reading = ReplyReading.objects.filter(reply_id=reply_id).order_by("-id").first()
    return proposal_of(ctx, row, list(reading.reasons) if reading else [])


def confirm(ctx: Context, reply_id: int, act: str, note: str = "", **fields: Any) -> int:
    """Record what answers a reply, all of it in one transaction; returns the handling's id.

    fields: as ``propose`` names them; what is not given is left open. Raises SaldoError: reply_unknown,
    reply_handled (somebody was faster), reply_act_unknown, reply_needs_account, reply_field_missing,
    reply_not_allowed, and whatever the recorded fact refuses.
    """
    if act not in ACTS:
        raise SaldoError("reply_act_unknown", act=act, known=", ".join(ACTS))
    row = _to_handle(ctx, reply_id)
    if row.account_id is None:
        if act not in (NOTHING, QUESTION):
            raise SaldoError("reply_needs_account", reply=reply_id)
        return _handled(ctx, row, act, {}, note)
    with deciding(ctx, row.account_id) as inner:
        row = _still_waiting(inner, reply_id)
        if act not in (NOTHING, QUESTION):
            # A person's decision takes the place of the machine's brake.
            reply_acts.undo(inner, _brake_of(row), f"reply {reply_id}: {act}", only=("hold_id",))
        data = reply_acts.record(inner, row, act, fields, note)
        return _handled(inner, row, act, data, note)


def dismiss(ctx: Context, reply_id: int, note: str = "") -> int:
    """Nothing follows from it. Raises SaldoError: reply_unknown, reply_handled, reply_not_allowed."""
    return confirm(ctx, reply_id, NOTHING, note)


def reopen(ctx: Context, reply_id: int, note: str = "") -> int:
    """Take back what was recorded (as a mistake) and put the reply back into the inbox.

    Raises SaldoError: reply_unknown, reply_not_handled, reply_not_allowed.
    """
    row = replies.row_of(ctx, reply_id)
    _check_right(ctx, row)
    with transaction.atomic():
        if row.account_id is not None:
            with deciding(ctx, row.account_id) as inner:
                return _reopened(inner, reply_id, note)
        return _reopened(ctx, reply_id, note)


def _reopened(ctx: Context, reply_id: int, note: str) -> int:
    row = replies.row_of(ctx, reply_id)
    if row.act in ("", REOPENED):
        raise SaldoError("reply_not_handled", reply=reply_id)
    ended = reply_acts.undo(ctx, _last_data(reply_id), note or f"reply {reply_id} reopened")
    return _handled(ctx, row, REOPENED, {"ended": ended}, note)


def assign(ctx: Context, reply_id: int, account_id: int, note: str = "") -> int:
    """A stray is this customer's: it is read again beside what the customer owes, and waits there.

    Raises SaldoError: reply_unknown, account_unknown, reply_has_account, reply_not_allowed.
    """
    row = replies.row_of(ctx, reply_id)
    _check_right(ctx, row)
    if row.account_id is not None:
        raise SaldoError("reply_has_account", reply=reply_id)
    if not visible_accounts(ctx).filter(id=account_id).exists():
        raise SaldoError("account_unknown", account=account_id)
    with deciding(ctx, account_id) as inner:
        done = _handled(inner, row, ASSIGNED, {"account_id": account_id}, note)
        understand_reply.read(inner, replies.row_of(inner, reply_id))
    return done


# -- by itself ---------------------------------------------------------------------------------------------


def understand(ctx: Context, reply_id: int, may_act: bool, opts_out: bool = False) -> None:
    """Read a reply as it comes in and put on the brakes; the account is locked, if it has one.

    may_act: False where there is evidence against its sender. opts_out: it came by an unsubscribe button.
    """
    machine = replace(ctx, actor=MACHINE)
    row = replies.row_of(machine, reply_id)
    facts = understand_reply.read(machine, row)
    row = replies.row_of(machine, reply_id)
    if may_act and row.account_id is not None:
        act, data = _by_itself(machine, row, facts, opts_out)
        if act:
            _handled(machine, row, act, data, "")
    if drafting.is_on() and is_wanted(replies.row_of(machine, reply_id)):
        defer_second_opinion(reply_id)


def _by_itself(
    ctx: Context, row: ReplyRow, facts: dict[str, Any], opts_out: bool
) -> tuple[str, dict[str, Any]]:
    """(act, data) of what needs no person; ("", {}) where one decides."""
    label, is_sure = str(facts["label"]), facts["zone"] == HIGH
    if opts_out or (label == "opt_out" and is_sure):
        return OPT_OUT, reply_acts.record(ctx, row, OPT_OUT, {"address": address_of(row)}, "")
    data: dict[str, Any] = {}
    if facts.get("wants_no_more"):
        data |= reply_acts.record(ctx, row, OPT_OUT, {"address": address_of(row)}, "")
    if (label == "angry" and is_sure) or facts.get("is_legal") or facts.get("is_insolvent"):
        data |= reply_acts.record(ctx, row, COMPLAINT, {"until_date": _pause(ctx)}, "")
    if data:
        return BRAKE, data | {"label": label}
    if row.is_automatic:
        return _of_machine(ctx, row, facts)
    return "", {}


def _of_machine(ctx: Context, row: ReplyRow, facts: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """What a program wrote: an absence is waited for, an acknowledgement is nothing, the rest waits."""
    label, zone = str(facts["label"]), facts["zone"]
    if label == "out_of_office" and zone != LOW:
        fields = {"until_date": absence_end(ctx, row), "reason": "out_of_office"}
        return HOLD, reply_acts.record(ctx, row, HOLD, fields, "")
    if label == "other" or zone == LOW:
        return NOTHING, {"why": "machine"}
    return "", {}


def _pause(ctx: Context) -> date:
    return ctx.as_of + timedelta(days=PAUSE_DAYS)


# -- checks ------------------------------------------------------------------------------------------------


def _to_handle(ctx: Context, reply_id: int) -> ReplyRow:
    row = _still_waiting(ctx, reply_id)
    _check_right(ctx, row)
    return row


def _still_waiting(ctx: Context, reply_id: int) -> ReplyRow:
    row = replies.row_of(ctx, reply_id)
    if not row.is_waiting:
        raise SaldoError("reply_handled", reply=reply_id, act=row.act)
    return row


def _check_right(ctx: Context, row: ReplyRow) -> None:
    """Whoever has the command line, and scheduled work, may; of users those with a role for it."""
    if ctx.actor.startswith((SYSTEM, "cli:", "cli")):
        return
    user = User.objects.filter(username=ctx.actor, is_active=True).first()
    if user is None or not roles(user, row.company_id) & MAY_HANDLE:
        raise SaldoError("reply_not_allowed")


def _handled(ctx: Context, row: ReplyRow, act: str, data: dict[str, Any], note: str) -> int:
    return reply_changes.add_handling(ctx, row.id, act, data, note)


def _last_data(reply_id: int) -> dict[str, Any]:
    return reply_changes.last_data(reply_id)


def _brake_of(row: ReplyRow) -> dict[str, Any]:
    return _last_data(row.id) if row.act == BRAKE else {}
