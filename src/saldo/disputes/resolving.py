"""How a dispute ends, in part or whole, and that it did not end after all.

    resolve        withdrawn or refused: asked for again. Credited or written off: the ledger must show it;
                   what it does not show yet stays out of dunning until it does
    end_dispute    all that is left
    reopen         the customer objects again

No money is moved here. A credit note or a write-off is an entry of the ledger; once it is set against an
item, the dispute goes down by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from saldo.core.calendar import add_business_days
from saldo.core.context import Context
from saldo.core.disputes import BACK_TO_DUNNING, CREDITED, OUTCOMES, PAID, REOPENED
from saldo.core.errors import SaldoError
from saldo.core.money import decimal_text, from_mills, to_mills
from saldo.disputes.handling import enter, handling, within_current
from saldo.disputes.models import DisputeEntry, DisputeSettlement
from saldo.disputes.policies import policy_of
from saldo.disputes.queries import DisputeRow, dispute_parts
from saldo.disputes.standing import DISPUTE, standing
from saldo.ledger.owed import balances, checked_amount


@dataclass(frozen=True, slots=True)
class Resolved:
    """settled_mills left the dispute now; waits_mills stays out of dunning until the ledger shows it."""

    entry_id: int
    settled_mills: int
    waits_mills: int


def resolve(
    ctx: Context,
    dispute_id: int,
    outcome: str,
    mills: int | None = None,
    note: str = "",
    due_date: date | None = None,
) -> Resolved:
    """How ``mills`` of what is left ended (None: all of it).

    withdrawn (by the customer), refused (by us), mistake: asked for again from now on. credited, written_off:
    what the ERP's lists took off the item meanwhile without saying why is said to be this; the rest waits for
    the credit note or write-off, due by ``due_date`` (default: the company's credit_days). paid: only the
    ledger says that, and then the dispute has ended already.

    Raises SaldoError: dispute_unknown, dispute_ended, outcome_unknown, stated_amount_invalid,
    dispute_amount_beyond, dispute_not_paid.
    """
    if outcome not in OUTCOMES:
        raise SaldoError("outcome_unknown", outcome=outcome[:40], known=", ".join(OUTCOMES))
    with handling(ctx, dispute_id) as (inner, row):
        wanted = to_mills(row.current) if mills is None else within_current(row, mills)
        if outcome == PAID:
            raise SaldoError("dispute_not_paid", dispute=dispute_id, left=_text(to_mills(row.current), row))
        if outcome in BACK_TO_DUNNING:
            entry = _settle(inner, row, outcome, _spread(dict(_left(row)), wanted), note)
            return Resolved(entry.id, wanted, 0)
        return _agree(inner, row, outcome, wanted, note.strip(), due_date)


def end_dispute(ctx: Context, dispute_id: int, outcome: str, note: str = "") -> int:
    """``resolve`` of all that is left. Returns the entry's id."""
    return resolve(ctx, dispute_id, outcome, None, note).entry_id


def _agree(
    ctx: Context, row: DisputeRow, outcome: str, mills: int, note: str, due_date: date | None
) -> Resolved:
    """We will credit or write off: what came without its cause is that, the rest is waited for."""
    shown = _unexplained(ctx, row) if outcome == CREDITED else {}
    settled = _spread(shown, mills)
    entry_id = _settle(ctx, row, outcome, settled, note).id if settled else 0
    waits = mills - sum(settled.values())
    if waits:
        entry = enter(
            ctx, row, "agreed", "dispute.agreed", outcome=outcome, amount=from_mills(waits), note=note
        )
        entry_id = entry.id
        day = due_date or add_business_days(ctx.as_of, policy_of(row.company_id).credit_days)
        enter(ctx, row, "due", "dispute.due", due_date=day)
    return Resolved(entry_id, mills - waits, waits)


def _unexplained(ctx: Context, row: DisputeRow) -> dict[int, int]:
    """{item id: mills} that the ERP's lists took off since the objection without a cause."""
    found = {}
    for one in standing(ctx, dispute_ids=[row.id]):
        if one.kind == DISPUTE and one.ref == row.id:
            found[one.item_id] = min(one.left.unexplained_mills, one.left.mills)
    return found


def _left(row: DisputeRow) -> list[tuple[int, int]]:
    return [(item_id, to_mills(amount)) for item_id, amount in row.left]


def _spread(free: Mapping[int, int], mills: int) -> dict[int, int]:
    """``mills`` over the items, the older ones first, each as far as it goes."""
    parts = {}
    for item_id, most in free.items():
        part = min(most, mills)
        if part > 0:
            parts[item_id] = part
            mills -= part
    return parts


def _settle(
    ctx: Context, row: DisputeRow, outcome: str, parts: Mapping[int, int], note: str, sign: int = 1
) -> DisputeEntry:
    kind, told = ("resolution", "dispute.ended") if sign > 0 else ("reopening", "dispute.reopened")
    total = sum(parts.values())
    if sign > 0 and total < to_mills(row.current):
        told = "dispute.settled"
    entry = enter(
        ctx, row, kind, told, outcome=outcome, amount=from_mills(total) if total else None, note=note.strip()
    )
    DisputeSettlement.objects.bulk_create(
        DisputeSettlement(entry=entry, item_id=item_id, amount=sign * from_mills(mills))
        for item_id, mills in parts.items()
    )
    return entry


def reopen(ctx: Context, dispute_id: int, mills: int | None = None, note: str = "") -> int:
    """The customer objects again to a dispute that has ended: to ``mills`` of its items, or (None) to what
    people took off it, as far as that is owed and nothing else disputes it. Returns the entry's id.

    Raises SaldoError: dispute_unknown, dispute_still_open, stated_amount_invalid, dispute_nothing_to_reopen.
    """
    with handling(ctx, dispute_id, is_live=False) as (inner, row):
        if row.is_live:
            raise SaldoError("dispute_still_open", dispute=dispute_id)
        free = _free(inner, row)
        if mills is None:
            given = _given_up(row.id)
            parts = {item: min(free[item], given.get(item, 0)) for item in free}
            parts = {item: part for item, part in parts.items() if part > 0}
        else:
            parts = _spread(free, checked_amount(mills, row.currency))
        if not parts or (mills is not None and sum(parts.values()) < mills):
            raise SaldoError(
                "dispute_nothing_to_reopen", dispute=dispute_id, free=_text(sum(free.values()), row)
            )
        row = replace(row, current=Decimal(0))
        return _settle(inner, row, REOPENED, parts, note, sign=-1).id


def _free(ctx: Context, row: DisputeRow) -> dict[int, int]:
    """{item id: mills} that is owed of the dispute's items and that no other dispute has."""
    items = [item_id for item_id, _ in row.items]
    parts = dispute_parts(ctx, [row.account_id])
    taken: dict[int, int] = {}
    for item_id, mills in parts.select("item_id", "amount_mills").iter_rows():
        taken[item_id] = taken.get(item_id, 0) + mills
    owed = dict(balances(ctx, items).select("item_id", "balance_mills").iter_rows())
    return {item: max(0, owed.get(item, 0) - taken.get(item, 0)) for item in items}


def _given_up(dispute_id: int) -> dict[int, int]:
    """{item id: mills} that people took off, less what was put back."""
    given: dict[int, int] = {}
    found = DisputeSettlement.objects.filter(entry__dispute_id=dispute_id).values_list("item_id", "amount")
    for item_id, amount in found:
        given[item_id] = given.get(item_id, 0) + to_mills(amount)
    return given


def _text(mills: int, row: DisputeRow) -> str:
    return decimal_text(mills, row.currency)
