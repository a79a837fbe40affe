"""A dispute on its way: notes and documents, who owns it and by when, what its owner answers.

Each adds one entry to the dispute's timeline, under the account's lock, and an event to the account's. The
caller has checked that the actor may write on it: who may change disputes, and whoever owns it (cases.case).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

from saldo.core.context import Context
from saldo.core.disputes import VERDICTS, answer_due
from saldo.core.errors import SaldoError
from saldo.core.money import decimal_text, from_mills, to_mills
from saldo.disputes.models import Dispute, DisputeEntry
from saldo.disputes.policies import checked_owner, policy_of
from saldo.disputes.queries import DisputeRow, rows_of
from saldo.identity.operations import record_event
from saldo.ledger.owed import checked_amount, deciding

# A year on, it is another case.
MAX_DAYS = 366


@contextmanager
def handling(ctx: Context, dispute_id: int, is_live: bool = True) -> Iterator[tuple[Context, DisputeRow]]:
    """The dispute with its account locked: a stamped context and the dispute as it stands.

    Raises SaldoError: dispute_unknown; dispute_ended where it must be live and is not.
    """
    account_id = Dispute.objects.filter(id=dispute_id).values_list("account_id", flat=True).first()
    if account_id is None:
        raise SaldoError("dispute_unknown", dispute=dispute_id)
    with deciding(ctx, account_id) as inner:
        found = rows_of(inner, dispute_ids=[dispute_id])
        if not found:
            raise SaldoError("dispute_unknown", dispute=dispute_id)
        if is_live and not found[0].is_live:
            raise SaldoError("dispute_ended", dispute=dispute_id)
        yield inner, found[0]


def enter(ctx: Context, row: DisputeRow, kind: str, told: str, **fields: Any) -> DisputeEntry:
    """One entry, and the event ``told`` of the account; ``ctx`` is stamped."""
    entry = DisputeEntry.objects.create(
        dispute_id=row.id, kind=kind, effective_date=ctx.as_of, actor=ctx.actor,
        recorded_at=ctx.recorded_at, **fields,
    )  # fmt: skip
    data = {"dispute": row.id, "currency": row.currency}
    for name, value in fields.items():
        if value not in (None, ""):
            data[name] = str(value)
    record_event(ctx, told, "account", row.account_id, data)
    return entry


def add_note(ctx: Context, dispute_id: int, note: str, document_id: int | None = None) -> int:
    """What somebody found out or sent; also after the dispute has ended. Returns the entry's id.

    Raises SaldoError: dispute_unknown, dispute_note_empty.
    """
    note = note.strip()
    if not note and document_id is None:
        raise SaldoError("dispute_note_empty", dispute=dispute_id)
    with handling(ctx, dispute_id, is_live=False) as (inner, row):
        return enter(inner, row, "note", "dispute.note", note=note, document_id=document_id).id


def change_owner(
    ctx: Context, dispute_id: int, owner: str, due_date: date | None = None, note: str = ""
) -> int:
    """Give the dispute to somebody ("": back to the credit office), who has as long as its reason gives, or
    until ``due_date``. An answer of the owner before is no answer of the new one.

    Raises SaldoError: dispute_unknown, dispute_ended, dispute_owner_unknown, dispute_due_invalid.
    """
    with handling(ctx, dispute_id) as (inner, row):
        owner = checked_owner(row.company_id, owner)
        if owner == row.owner and due_date in (None, row.due_date):
            return 0
        entry = enter(inner, row, "owner", "dispute.owner", owner=owner, note=note.strip())
        if due_date is None and owner:
            due_date = answer_due(policy_of(row.company_id), row.reason, ctx.as_of)
        if due_date is not None and due_date != row.due_date:
            enter(inner, row, "due", "dispute.due", due_date=_checked_due(ctx, due_date))
    return entry.id


def change_due_date(ctx: Context, dispute_id: int, due_date: date, note: str = "") -> int:
    """Another day for the answer, or for the credit note that was agreed.

    Raises SaldoError: dispute_unknown, dispute_ended, dispute_due_invalid.
    """
    with handling(ctx, dispute_id) as (inner, row):
        day = _checked_due(ctx, due_date)
        return enter(inner, row, "due", "dispute.due", due_date=day, note=note.strip()).id


def _checked_due(ctx: Context, due_date: date) -> date:
    if not ctx.as_of <= due_date <= ctx.as_of + timedelta(days=MAX_DAYS):
        raise SaldoError("dispute_due_invalid", date=due_date.isoformat(), day=ctx.as_of.isoformat())
    return due_date


def change_claimed(ctx: Context, dispute_id: int, mills: int, note: str = "") -> int:
    """What the customer says now is wrong. It changes nothing of what leaves dunning.

    Raises SaldoError: dispute_unknown, dispute_ended, stated_amount_invalid.
    """
    with handling(ctx, dispute_id) as (inner, row):
        amount = from_mills(checked_amount(mills, row.currency))
        return enter(inner, row, "claimed", "dispute.claimed", amount=amount, note=note.strip()).id


def answer(ctx: Context, dispute_id: int, verdict: str, mills: int | None = None, note: str = "") -> int:
    """What the owner found: the customer is right (about ``mills`` of it), or is not. The credit office
    decides then. Raises SaldoError: dispute_unknown, dispute_ended, outcome_unknown, stated_amount_invalid,
    dispute_amount_beyond, dispute_note_empty (a "no" needs its reason).
    """
    if verdict not in VERDICTS:
        raise SaldoError("outcome_unknown", outcome=verdict[:40], known=", ".join(VERDICTS))
    note = note.strip()
    if not note and verdict != VERDICTS[0]:
        raise SaldoError("dispute_note_empty", dispute=dispute_id)
    with handling(ctx, dispute_id) as (inner, row):
        amount = None if mills is None else from_mills(within_current(row, mills))
        return enter(inner, row, "answer", "dispute.answer", outcome=verdict, amount=amount, note=note).id


def within_current(row: DisputeRow, mills: int) -> int:
    """An amount that may be said of what is left. Raises SaldoError."""
    checked_amount(mills, row.currency)
    if mills > to_mills(row.current):
        told = {
            "amount": decimal_text(mills, row.currency),
            "left": decimal_text(to_mills(row.current), row.currency),
        }
        raise SaldoError("dispute_amount_beyond", dispute=row.id, **told)
    return mills
