"""Disputes as people work on them: the queue, one case with its timeline, and who may see which.

    seen_by        whether the actor may see a dispute, and so its documents
    queue          the disputes that the actor may see, those that wait longest first
    summary        the queue by owner and age
    case           one of them, with its items, documents and all that happened
    waiting        how many wait for the actor

Who sees an account sees its disputes. Whoever owns a dispute sees that one too, and of its account only what
the dispute needs: this is how somebody outside the credit office answers without seeing what customers owe.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from django.db import connection
from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from saldo.core.context import Context
from saldo.core.disputes import AGES, LEDGER, OFFICE, OWNER, age_band
from saldo.core.money import from_mills
from saldo.disputes.models import Dispute, DisputeEntry
from saldo.disputes.queries import MAY_DISPUTE, DisputeRow, rows_of
from saldo.disputes.standing import DISPUTE, standing
from saldo.intake.models import Document
from saldo.ledger.owed import balances, document_names
from saldo.parties.models import CustomerAccount
from saldo.parties.queries import SYSTEM, visible_accounts

QUEUE_LIMIT = 2_000


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """owner: a login, "-" for those of nobody, "" for all. waits_for: owner, office or ledger. reason: a
    code. state: "open" (all that did not end) or "ended". band: a place in core.disputes.AGES."""

    owner: str = ""
    waits_for: str = ""
    reason: str = ""
    state: str = "open"
    band: int | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class QueueRow:
    """A dispute in the queue. days: how long it has been open (or was); late_days: since its due date."""

    row: DisputeRow
    code: str
    name: str
    numbers: tuple[str, ...]
    days: int
    late_days: int
    sees_account: bool


@dataclass(frozen=True, slots=True)
class OwnerLine:
    """What one owner has: disputes and amounts by place in AGES, of one currency."""

    owner: str
    currency: str
    counts: tuple[int, ...]
    amounts: tuple[Decimal, ...]
    late: int

    @property
    def count(self) -> int:
        return sum(self.counts)

    @property
    def amount(self) -> Decimal:
        return sum(self.amounts, Decimal(0))


@dataclass(frozen=True, slots=True)
class CaseItem:
    """An item of the case. disputed, left: when it was opened, and still."""

    item_id: int
    number: str
    installment_no: int
    due_date: date | None
    balance: Decimal
    disputed: Decimal
    left: Decimal


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of the timeline. kind: "opened", an entry's kind, or "ledger" (outcome says what came; text:
    the number of the credit note). amount: negative where it was put back."""

    on: date
    kind: str
    actor: str = ""
    recorded_at: datetime | None = None
    outcome: str = ""
    amount: Decimal | None = None
    owner: str = ""
    due_date: date | None = None
    note: str = ""
    text: str = ""
    document_id: int | None = None


@dataclass(frozen=True, slots=True)
class Case:
    row: DisputeRow
    code: str
    name: str
    items: tuple[CaseItem, ...]
    moments: tuple[Moment, ...]
    documents: dict[int, str] = field(default_factory=dict)
    sees_account: bool = False
    is_owner: bool = False


# --- who sees what ----------------------------------------------------------------------------------


def _seen(ctx: Context) -> QuerySet[Dispute]:
    """Disputes of accounts that the actor may see, and those that the actor owns now."""
    found = Dispute.objects.all()
    if ctx.company_id is not None:
        found = found.filter(company_id=ctx.company_id)
    if ctx.actor.startswith(SYSTEM):
        return found
    given = DisputeEntry.objects.filter(dispute=OuterRef("id"), kind="owner").order_by("-id")
    owned = found.annotate(now_of=Coalesce(Subquery(given.values("owner")[:1]), F("owner")))
    return owned.filter(Q(account__in=visible_accounts(ctx)) | Q(now_of=ctx.actor))


def _seen_accounts(ctx: Context, account_ids: Iterable[int]) -> set[int]:
    return set(visible_accounts(ctx).filter(id__in=set(account_ids)).values_list("id", flat=True))


def _account_names(account_ids: Iterable[int]) -> dict[int, tuple[str, str]]:
    found = CustomerAccount.objects.filter(id__in=set(account_ids))
    return {one: (code, name) for one, code, name in found.values_list("id", "code", "customer__name")}


def seen_by(ctx: Context, dispute_id: int) -> bool:
    return _seen(ctx).filter(id=dispute_id).exists()


def may_change(roles: frozenset[str], one: Case) -> bool:
    """Whether somebody with these roles decides about the case; its owner only writes and answers."""
    return one.sees_account and bool(roles & MAY_DISPUTE)


# --- the queue --------------------------------------------------------------------------------------


def queue(ctx: Context, wanted: QueueFilter | None = None) -> list[QueueRow]:
    """The disputes that the actor may see and that ``wanted`` asks for: what is latest in front, then by due
    date, then the largest. At most QUEUE_LIMIT."""
    wanted = wanted or QueueFilter()
    ids = list(_seen(ctx).filter(effective_date__lte=ctx.as_of).order_by("id").values_list("id", flat=True))
    rows = [row for row in _rows(ctx, ids) if _fits(ctx, row, wanted)]
    rows.sort(key=lambda row: (row.due_date or date.max, -row.current, row.id))
    return _named(ctx, rows[:QUEUE_LIMIT], wanted.text)


def _rows(ctx: Context, ids: Sequence[int]) -> list[DisputeRow]:
    return rows_of(ctx, dispute_ids=list(ids))


def _fits(ctx: Context, row: DisputeRow, wanted: QueueFilter) -> bool:
    return (
        row.is_live == (wanted.state != "ended")
        and wanted.owner in ("", row.owner or "-")
        and wanted.waits_for in ("", row.waits_for)
        and wanted.reason in ("", row.reason)
        and (wanted.band is None or age_band(_days(ctx, row)) == wanted.band)
    )


def _days(ctx: Context, row: DisputeRow) -> int:
    return ((row.ended_date or ctx.as_of) - row.effective_date).days


def _named(ctx: Context, rows: Sequence[DisputeRow], text: str) -> list[QueueRow]:
    names = _account_names(row.account_id for row in rows)
    seen = _seen_accounts(ctx, (row.account_id for row in rows))
    told = document_names([item_id for row in rows for item_id, _ in row.items])
    numbers = dict(told.select("item_id", "number").iter_rows())
    found = []
    for row in rows:
        code, name = names[row.account_id]
        late = (ctx.as_of - row.due_date).days if row.due_date and row.is_live else 0
        own = tuple(dict.fromkeys(numbers.get(item_id, "") for item_id, _ in row.items))
        line = QueueRow(row, code, name, own, _days(ctx, row), max(0, late), row.account_id in seen)
        if text.casefold() in f"{code} {name} {' '.join(own)} {row.id}".casefold():
            found.append(line)
    return found


def summary(rows: Sequence[QueueRow]) -> list[OwnerLine]:
    """The rows by owner, those of nobody first, and by how long they have been open."""
    found: dict[tuple[str, str], list[QueueRow]] = {}
    for one in rows:
        found.setdefault((one.row.owner, one.row.currency), []).append(one)
    lines = []
    for (owner, currency), own in sorted(found.items()):
        counts, amounts = [0] * len(AGES), [Decimal(0)] * len(AGES)
        for one in own:
            band = age_band(one.days)
            counts[band] += 1
            amounts[band] += one.row.current
        late = sum(one.late_days > 0 for one in own)
        lines.append(OwnerLine(owner, currency, tuple(counts), tuple(amounts), late))
    return lines


def waiting(ctx: Context, roles: frozenset[str]) -> int:
    """How many disputes wait for the actor: those it owns without an answer, and, for who decides, those
    that are answered or nobody's."""
    key = (ctx.company_id, ctx.actor, ctx.as_of, roles)
    newest = _newest()
    kept = _kept.get(key)
    if kept is None or kept[0] != newest or time.monotonic() - kept[1] > KEPT_SECONDS:
        if len(_kept) >= KEPT:
            _kept.clear()
        kept = _kept[key] = (newest, time.monotonic(), _waiting(ctx, roles))
    return kept[2]


# The number stands on every page: it is worked out again when something was added, and once a minute, since
# who sees which account may change too.
KEPT, KEPT_SECONDS = 1_000, 60.0
_Key = tuple[int | None, str, date, frozenset[str]]
_kept: dict[_Key, tuple[tuple[object, ...], float, int]] = {}


def _newest() -> tuple[object, ...]:
    """What changes with every dispute, everything that is said of one, and every allocation."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT max(id) FROM disputes_dispute),"
            " (SELECT max(recorded_at) FROM disputes_disputeentry), (SELECT max(id) FROM ledger_allocation)"
        )
        return tuple(cursor.fetchone())


def _waiting(ctx: Context, roles: frozenset[str]) -> int:
    ids = list(_seen(ctx).filter(effective_date__lte=ctx.as_of).values_list("id", flat=True))
    decides = bool(roles & MAY_DISPUTE)
    return sum(
        (row.waits_for == OWNER and row.owner == ctx.actor)
        or (
            decides
            and (row.waits_for == OFFICE or (row.waits_for == LEDGER and row.reminder_date is not None))
        )
        for row in rows_of(ctx, dispute_ids=ids, only_live=True)
    )


# --- one case ---------------------------------------------------------------------------------------


def case(ctx: Context, dispute_id: int) -> Case | None:
    """The dispute, or None where there is none or the actor may not see it: the two look the same."""
    if not seen_by(ctx, dispute_id):
        return None
    found = rows_of(ctx, dispute_ids=[dispute_id])
    if not found:
        return None
    (row,) = found
    code, name = _account_names([row.account_id])[row.account_id]
    moments = _moments(ctx, row)
    ids = {one.document_id for one in moments if one.document_id is not None}
    return Case(
        row, code, name, _items(ctx, row), moments,
        dict(Document.objects.filter(id__in=ids).values_list("id", "name")),
        sees_account=bool(_seen_accounts(ctx, [row.account_id])), is_owner=row.owner == ctx.actor,
    )  # fmt: skip


def _items(ctx: Context, row: DisputeRow) -> tuple[CaseItem, ...]:
    ids = [item_id for item_id, _ in row.items]
    names = {one["item_id"]: one for one in document_names(ids).iter_rows(named=True)}
    owed = {one["item_id"]: one for one in balances(ctx, ids).iter_rows(named=True)}
    left = dict(row.left)
    items = []
    for item_id, disputed in row.items:
        name, now = names.get(item_id, {}), owed.get(item_id, {})
        items.append(
            CaseItem(
                item_id, name.get("number", ""), name.get("installment_no", 1), now.get("due_date"),
                from_mills(now.get("balance_mills", 0)), disputed, left.get(item_id, Decimal(0)),
            )
        )  # fmt: skip
    return tuple(items)


def _moments(ctx: Context, row: DisputeRow) -> tuple[Moment, ...]:
    """All that happened, the newest first: what people wrote, and what the ledger told."""
    opened = Dispute.objects.get(id=row.id)
    found = [
        Moment(
            row.effective_date, "opened", row.actor, row.recorded_at, row.reason, row.amount, opened.owner,
            opened.due_date, row.note, document_id=row.document_id,
        )
    ]  # fmt: skip
    entries = DisputeEntry.objects.filter(dispute_id=row.id, effective_date__lte=ctx.as_of).order_by("id")
    for entry in entries:
        if ctx.known_at is None or entry.recorded_at <= ctx.known_at:
            found.append(
                Moment(
                    entry.effective_date, entry.kind, entry.actor, entry.recorded_at, entry.outcome,
                    entry.amount, entry.owner, entry.due_date, entry.note, document_id=entry.document_id,
                )
            )  # fmt: skip
    found += _told_by_ledger(ctx, row)
    # Of one instant, in the order in which it was written.
    order = sorted(enumerate(found), key=lambda one: (one[1].recorded_at or row.recorded_at, one[0]))
    return tuple(one for _, one in reversed(order))


def _told_by_ledger(ctx: Context, row: DisputeRow) -> list[Moment]:
    own = [one for one in standing(ctx, dispute_ids=[row.id]) if one.kind == DISPUTE and one.ref == row.id]
    taken = [each for one in own for each in one.left.taken if each.credit_item_id]
    numbers = dict(
        document_names([each.credit_item_id for each in taken]).select("item_id", "number").iter_rows()
    )
    return [
        Moment(
            each.day, "ledger", "", each.recorded_at, each.outcome, from_mills(each.mills),
            text=numbers.get(each.credit_item_id, ""),
        )
        for each in taken
    ]  # fmt: skip
