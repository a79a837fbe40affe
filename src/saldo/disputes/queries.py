"""Reading disputes and deductions as of a day, as known at an instant.

objections          DISPUTES of a Book: every objection, ended ones too
dispute_parts       what is left of each item that is in a dispute
deduction_parts     what is left of what short payments kept back of each item
disputes_of         one account's disputes
rows_of             disputes by their ids
overdue_disputes    accounts with a dispute whose answer is overdue, for the worklist
closed_disputes     those that ended in a time, for surveys and figures

"Left" is what neither the ledger (a credit note on the item) nor a person took off it: core.disputes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
from django.db.models import Prefetch

from saldo.analytics.book import DISPUTES
from saldo.core.context import Context
from saldo.core.disputes import (
    LIVE,
    MISTAKE,
    Agreement,
    CaseState,
    Left,
    case_of,
    reminder_date,
    waits_for,
)
from saldo.core.money import from_mills, to_mills
from saldo.disputes.models import Dispute, DisputeEntry
from saldo.disputes.policies import policy_of
from saldo.disputes.standing import DEDUCTION, DISPUTE, standing
from saldo.identity.models import Grant

MAY_DISPUTE = frozenset(
    {
        Grant.Role.ADMINISTRATOR,
        Grant.Role.CREDIT_MANAGER,
        Grant.Role.COLLECTOR,
        Grant.Role.CASH_SPECIALIST,
        Grant.Role.CUSTOMER_CARE,
    }
)
PARTS = {"ref": pl.Int64, "account_id": pl.Int64, "item_id": pl.Int64, "amount_mills": pl.Int64}
OVERDUE = {"account_id": pl.Int64, "code": pl.String, "date": pl.Date}
# What somebody wrote on the dispute: a reminder waits after it.
_WORDS = ("note", "owner", "due", "answer", "agreed", "reopening")


@dataclass(frozen=True, slots=True)
class DisputeRow:
    """A dispute as people see it. Three amounts: amount, what of its items was objected to when it was
    opened; current, what of that still leaves dunning; claimed_amount, what the customer says is wrong, if it
    says so. state: "open", "agreed" or how it ended; waits: of current, what waits for our credit note.
    waits_for: owner, office or ledger; "" once it ended. items: (item id, amount), left: (item id, what is
    left of it). last_date: the newest day on which anybody wrote on it."""

    id: int
    company_id: int
    account_id: int
    currency: str
    reason: str
    amount: Decimal
    current: Decimal
    claimed_amount: Decimal | None
    waits: Decimal
    state: str
    waits_for: str
    items: tuple[tuple[int, Decimal], ...]
    left: tuple[tuple[int, Decimal], ...]
    taken: dict[str, Decimal]
    owner: str
    due_date: date | None
    note: str
    document_id: int | None
    effective_date: date
    ended_date: date | None
    last_date: date
    actor: str
    recorded_at: datetime
    reminder_date: date | None

    @property
    def is_live(self) -> bool:
        return self.state in LIVE

    @property
    def is_answered(self) -> bool:
        return self.waits_for == "office" and bool(self.owner)


@dataclass(frozen=True, slots=True)
class ClosedDispute:
    dispute_id: int
    account_id: int
    ended_date: date
    outcome: str


def objections(ctx: Context, account_ids: Sequence[int] | None = None) -> pl.DataFrame:
    """DISPUTES: the amounts of items that customers did not accept, ended ones too."""
    rows = [(one.item_id, one.mills, one.left.ended_date, one.day) for one in standing(ctx, account_ids)]
    return pl.DataFrame(rows, schema=DISPUTES, orient="row")


def dispute_parts(ctx: Context, account_ids: Sequence[int] | None = None) -> pl.DataFrame:
    """PARTS of disputes (``ref``) of which something is left."""
    return _parts(ctx, account_ids, DISPUTE)


def deduction_parts(ctx: Context, account_ids: Sequence[int] | None = None) -> pl.DataFrame:
    """PARTS of deductions (``ref``) of which something is left."""
    return _parts(ctx, account_ids, DEDUCTION)


def _parts(ctx: Context, account_ids: Sequence[int] | None, kind: str) -> pl.DataFrame:
    found = [one for one in standing(ctx, account_ids) if one.kind == kind and one.left.mills > 0]
    rows = sorted((one.ref, one.account_id, one.item_id, one.left.mills) for one in found)
    return pl.DataFrame(rows, schema=PARTS, orient="row")


def disputes_of(ctx: Context, account_id: int) -> list[DisputeRow]:
    """The account's disputes, newest first. The caller has checked the account's scope."""
    return list(reversed(rows_of(ctx, account_ids=[account_id])))


def rows_of(
    ctx: Context,
    account_ids: Sequence[int] | None = None,
    dispute_ids: Sequence[int] | None = None,
    only_live: bool = False,
) -> list[DisputeRow]:
    """Disputes of accounts, or by their ids, or all of the context's company, in order of id.

    only_live: those that did not end.
    """
    if account_ids == [] or dispute_ids == []:
        return []
    parts: dict[int, list[tuple[int, Left]]] = {}
    for one in standing(ctx, account_ids, dispute_ids):
        if one.kind == DISPUTE:
            parts.setdefault(one.ref, []).append((one.item_id, one.left))
    wanted = parts if dispute_ids is None else [ref for ref in dispute_ids if ref in parts]
    if only_live:
        wanted = [ref for ref in wanted if any(left.mills for _, left in parts[ref])]
    entries = DisputeEntry.objects.filter(effective_date__lte=ctx.as_of).order_by("id")
    if ctx.known_at is not None:
        entries = entries.filter(recorded_at__lte=ctx.known_at)
    found = (
        Dispute.objects.filter(id__in=list(wanted)).order_by("id")
        .prefetch_related("items", Prefetch("entries", entries, to_attr="told"))
    )  # fmt: skip
    days: dict[int, int] = {}
    for company_id in {one.company_id for one in found}:
        days[company_id] = policy_of(company_id, ctx.known_at).remind_days
    return [_row(ctx, one, parts[one.id], days[one.company_id]) for one in found]


def _row(ctx: Context, one: Any, parts: list[tuple[int, Left]], remind_days: int) -> DisputeRow:
    entries: list[DisputeEntry] = one.told
    state = case_of([left for _, left in parts], _agreements(entries))
    owner, due, claimed = one.owner, one.due_date, one.claimed_amount
    answered = False
    for entry in entries:
        if entry.kind == "owner":
            owner, answered = entry.owner, False
        elif entry.kind == "due":
            due = entry.due_date
        elif entry.kind == "claimed":
            claimed = entry.amount
        elif entry.kind in ("answer", "reopening"):
            answered = entry.kind == "answer"
    last = max([one.effective_date, *(each.effective_date for each in entries if each.kind in _WORDS)])
    live = state.state in LIVE
    items = tuple(sorted((part.item_id, part.amount) for part in one.items.all()))
    return DisputeRow(
        id=one.id, company_id=one.company_id, account_id=one.account_id, currency=one.currency,
        reason=one.reason, amount=sum((amount for _, amount in items), Decimal(0)),
        current=from_mills(state.left_mills), claimed_amount=claimed, waits=from_mills(state.waits_mills),
        state=state.state, waits_for=waits_for(state.state, owner, answered) if live else "", items=items,
        left=tuple(sorted((item_id, from_mills(left.mills)) for item_id, left in parts)),
        taken=_amounts(state), owner=owner, due_date=due, note=one.note, document_id=one.document_id,
        effective_date=one.effective_date, ended_date=state.ended_date, last_date=last, actor=one.actor,
        recorded_at=one.recorded_at,
        reminder_date=reminder_date(due, last, remind_days, ctx.as_of) if live else None,
    )  # fmt: skip


def _amounts(state: CaseState) -> dict[str, Decimal]:
    return {code: from_mills(mills) for code, mills in state.taken_mills.items()}


def _agreements(entries: Iterable[DisputeEntry]) -> list[Agreement]:
    """What was agreed since the dispute was opened, or opened again."""
    found: list[Agreement] = []
    for entry in entries:
        if entry.kind == "reopening":
            found = []
        elif entry.kind == "agreed" and entry.amount is not None:
            found.append(Agreement(entry.recorded_at, to_mills(entry.amount), entry.outcome))
    return found


def overdue_disputes(ctx: Context, account_ids: Sequence[int] | None = None) -> pl.DataFrame:
    """OVERDUE (code "dispute_due"): accounts of which a dispute has no answer although its day has gone by,
    since when it is to be asked for. It goes away when somebody writes on the dispute."""
    since: dict[int, date] = {}
    for row in rows_of(ctx, account_ids, only_live=True):
        if row.reminder_date is not None:
            since[row.account_id] = min(since.get(row.account_id, row.reminder_date), row.reminder_date)
    rows = [(account_id, "dispute_due", day) for account_id, day in sorted(since.items())]
    return pl.DataFrame(rows, schema=OVERDUE, orient="row")


def closed_disputes(ctx: Context, since: date) -> list[ClosedDispute]:
    """Disputes that ended from ``since`` on and are not open again, oldest first; those opened by mistake are
    left out."""
    return [
        ClosedDispute(row.id, row.account_id, row.ended_date, row.state)
        for row in rows_of(ctx)
        if row.ended_date is not None and row.ended_date >= since and row.state != MISTAKE
    ]
