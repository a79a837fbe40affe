"""Holds: pauses in which nothing is asked of an account, or of one item of it.

    hold, end_hold                  changes, under the account's lock
    holds_in_force, holds_of        reading, as of a day and as known at an instant

The caller has checked that the actor may (MAY_HOLD) and sees the account.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import polars as pl

from saldo.collection.models import Hold, HoldEnd
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.identity.models import Grant
from saldo.identity.operations import record_event
from saldo.ledger.owed import balances, deciding
from saldo.storage.frames import copy_out

MAY_HOLD = frozenset({Grant.Role.ADMINISTRATOR, Grant.Role.CREDIT_MANAGER, Grant.Role.COLLECTOR})
REASONS = (
    "agreed",  # with the customer
    "relationship",  # sales or management asks to wait
    "documents",  # we owe the customer a document or an answer
    "legal",  # lawyers are at it
    "insolvency",
    "complaint",  # nobody writes while somebody looks into it
    "out_of_office",
    "other",
)
# A pause longer than a year is forgotten, not meant.
MAX_DAYS = 366
NOTE_CHARACTERS = 4000

IN_FORCE = {
    "hold_id": pl.Int64,
    "account_id": pl.Int64,
    "item_id": pl.Int64,
    "until_date": pl.Date,
    "reason": pl.String,
}
_IN_FORCE = """
SELECT h.id, h.account_id, h.item_id, h.until_date, h.reason
  FROM collection_hold h
 WHERE h.from_date <= %(as_of)s AND h.until_date >= %(as_of)s AND h.recorded_at <= %(known_at)s
   AND (%(company_id)s::int IS NULL OR h.company_id = %(company_id)s)
   AND (%(accounts)s::bigint[] IS NULL OR h.account_id = ANY(%(accounts)s::bigint[]))
   AND NOT EXISTS (SELECT 1 FROM collection_holdend e WHERE e.hold_id = h.id
                      AND e.effective_date <= %(as_of)s AND e.recorded_at <= %(known_at)s)
 ORDER BY h.id
"""


@dataclass(frozen=True, slots=True)
class HoldRow:
    """A hold as people see it. item_id None: of the whole account. state: open, over, ended or coming."""

    id: int
    account_id: int
    item_id: int | None
    from_date: date
    until_date: date
    reason: str
    state: str
    note: str
    document_id: int | None
    ended_date: date | None
    actor: str
    recorded_at: datetime


def holds_in_force(ctx: Context, account_ids: Sequence[int] | None = None) -> pl.DataFrame:
    """IN_FORCE: holds on the context's day. item_id null: the whole account."""
    params = {
        "as_of": ctx.as_of,
        "known_at": ctx.known_at or "infinity",
        "company_id": ctx.company_id,
        "accounts": None if account_ids is None else list(account_ids),
    }
    return copy_out(_IN_FORCE, params, IN_FORCE)


def holds_of(ctx: Context, account_id: int) -> list[HoldRow]:
    """The account's holds, newest first. The caller has checked the account's scope."""
    found = Hold.objects.filter(account_id=account_id).select_related("end").order_by("-id")
    return [_row(one, ctx) for one in found if ctx.known_at is None or one.recorded_at <= ctx.known_at]


def _row(one: Hold, ctx: Context) -> HoldRow:
    end = getattr(one, "end", None)
    if end and (end.effective_date > ctx.as_of or (ctx.known_at and end.recorded_at > ctx.known_at)):
        end = None
    if end:
        state = "ended"
    elif one.from_date > ctx.as_of:
        state = "coming"
    else:
        state = "open" if one.until_date >= ctx.as_of else "over"
    return HoldRow(
        one.id, one.account_id, one.item_id, one.from_date, one.until_date, one.reason, state, one.note,
        one.document_id, end.effective_date if end else None, one.actor, one.recorded_at,
    )  # fmt: skip


def hold(
    ctx: Context,
    account_id: int,
    until_date: date,
    reason: str,
    item_id: int | None = None,
    from_date: date | None = None,
    note: str = "",
    document_id: int | None = None,
) -> int:
    """Ask nothing of the account (or of one item) from a day (the context's) to ``until_date``, with both.

    Returns the hold's id. Raises SaldoError: hold_ends_before (it begins, or before today), hold_too_long,
    hold_reason_unknown, item_not_of_account, account_unknown.
    """
    begins = from_date or ctx.as_of
    if reason not in REASONS:
        raise SaldoError("hold_reason_unknown", reason=reason, known=", ".join(REASONS))
    if until_date < max(begins, ctx.as_of):
        raise SaldoError("hold_ends_before", until=until_date, begins=max(begins, ctx.as_of))
    if until_date > max(begins, ctx.as_of) + timedelta(days=MAX_DAYS):
        raise SaldoError("hold_too_long", days=MAX_DAYS)
    with deciding(ctx, account_id) as inner:
        if item_id is not None and balances(inner, [item_id])["account_id"].to_list() != [account_id]:
            raise SaldoError("item_not_of_account", item=item_id)
        made = Hold.objects.create(
            company_id=inner.company_id, account_id=account_id, item_id=item_id, from_date=begins,
            until_date=until_date, reason=reason, document_id=document_id, note=note[:NOTE_CHARACTERS],
            actor=ctx.actor, recorded_at=inner.recorded_at,
        )  # fmt: skip
        data = {
            "hold": made.id, "item": item_id, "from_date": begins.isoformat(),
            "until_date": until_date.isoformat(), "reason": reason,
        }  # fmt: skip
        record_event(inner, "hold.recorded", "account", account_id, data)
    return int(made.id)


def end_hold(ctx: Context, hold_id: int, note: str = "") -> int:
    """End a hold before its day, from the context's day on. Returns the end's id.

    Raises SaldoError: hold_unknown, hold_ended.
    """
    account_id = Hold.objects.filter(id=hold_id).values_list("account_id", flat=True).first()
    if account_id is None:
        raise SaldoError("hold_unknown", hold=hold_id)
    with deciding(ctx, account_id) as inner:
        if HoldEnd.objects.filter(hold_id=hold_id).exists():
            raise SaldoError("hold_ended", hold=hold_id)
        end = HoldEnd.objects.create(
            hold_id=hold_id, effective_date=ctx.as_of, note=note[:NOTE_CHARACTERS], actor=ctx.actor,
            recorded_at=inner.recorded_at,
        )  # fmt: skip
        record_event(inner, "hold.ended", "account", account_id, {"hold": hold_id, "note": note})
    return int(end.id)
