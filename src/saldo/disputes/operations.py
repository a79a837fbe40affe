"""Changes of disputes.

    open_dispute                              a reasoned objection, under the account's lock
    resolve, end_dispute, reopen              how it ended, and that it did not (disputes.resolving)
    add_note, change_owner, change_due_date, change_claimed, answer      on its way (disputes.handling)
    open_deduction, end_deduction             a short payment's rest, inside the caller's transaction

The caller has checked that the actor may (MAY_DISPUTE) and sees the account.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl

from saldo.core.context import Context
from saldo.core.disputes import answer_due
from saldo.core.errors import SaldoError
from saldo.core.money import decimal_text, from_mills
from saldo.disputes.handling import add_note, answer, change_claimed, change_due_date, change_owner
from saldo.disputes.models import Deduction, DeductionEnd, Dispute, DisputeItem
from saldo.disputes.policies import checked_owner, owners_of, policy_of
from saldo.disputes.queries import MAY_DISPUTE, dispute_parts
from saldo.disputes.resolving import end_dispute, reopen, resolve
from saldo.identity.operations import record_event
from saldo.ledger.models import Item
from saldo.ledger.owed import checked_amount, deciding, owed_items

__all__ = [
    "MAY_DISPUTE", "add_note", "answer", "change_claimed", "change_due_date", "change_owner", "end_deduction",
    "end_dispute", "open_deduction", "open_dispute", "reopen", "resolve", "withdraw_deductions_of",
]  # fmt: skip


def open_deduction(
    ctx: Context,
    item_id: int,
    mills: int,
    reason: str = "unknown",
    note: str = "",
    effective_date: date | None = None,
    transaction_id: int | None = None,
) -> int:
    """Keep apart what a customer did not pay of an item; ``ctx`` is stamped. Returns the deduction's id.

    Raises SaldoError: item_unknown, deduction_reason_unknown.
    """
    assert ctx.recorded_at is not None
    item = Item.objects.filter(id=item_id, amount__gt=0).first()
    if item is None:
        raise SaldoError("item_unknown", item=item_id)
    if reason not in Deduction.Reason.values:
        raise SaldoError("deduction_reason_unknown", reason=reason, known=", ".join(Deduction.Reason.values))
    deduction = Deduction.objects.create(
        company_id=item.company_id, account_id=item.account_id, item_id=item_id,
        transaction_id=transaction_id, amount=from_mills(mills), currency=item.currency, reason=reason,
        note=note, effective_date=effective_date or ctx.as_of, actor=ctx.actor,
        recorded_at=ctx.recorded_at,
    )  # fmt: skip
    data = {"deduction": deduction.id, "item": item_id, "reason": reason, "amount": str(from_mills(mills))}
    record_event(ctx, "dispute.deduction_opened", "account", item.account_id, data)
    return deduction.id


def end_deduction(
    ctx: Context, deduction_id: int, outcome: str, note: str = "", effective_date: date | None = None
) -> int:
    """How a deduction ended; ``ctx`` is stamped. Raises SaldoError: deduction_unknown, deduction_ended."""
    assert ctx.recorded_at is not None
    deduction = Deduction.objects.filter(id=deduction_id).first()
    if deduction is None or outcome not in DeductionEnd.Outcome.values:
        raise SaldoError("deduction_unknown", deduction=deduction_id)
    if DeductionEnd.objects.filter(deduction=deduction).exists():
        raise SaldoError("deduction_ended", deduction=deduction_id)
    end = DeductionEnd.objects.create(
        deduction=deduction, outcome=outcome, note=note, effective_date=effective_date or ctx.as_of,
        actor=ctx.actor, recorded_at=ctx.recorded_at,
    )  # fmt: skip
    data = {"deduction": deduction_id, "item": deduction.item_id, "outcome": outcome}
    record_event(ctx, "dispute.deduction_ended", "account", deduction.account_id, data)
    return end.id


def withdraw_deductions_of(ctx: Context, transaction_id: int, note: str) -> int:
    """The line that came short was posted by mistake: what it opened is withdrawn. Returns how many."""
    open_ones = Deduction.objects.filter(transaction_id=transaction_id, end__isnull=True)
    for deduction_id in open_ones.order_by("id").values_list("id", flat=True):
        end_deduction(ctx, deduction_id, DeductionEnd.Outcome.WITHDRAWN, note)
    return len(open_ones)


def open_dispute(
    ctx: Context,
    account_id: int,
    items: Sequence[tuple[int, int | None]],
    reason: str,
    note: str = "",
    claimed_mills: int | None = None,
    document_id: int | None = None,
    owner: str = "",
    due_date: date | None = None,
) -> int:
    """An objection to items: (item id, mills objected to, None for all that is not disputed yet).

    Only what is objected to leaves dunning. claimed_mills: what the customer says is wrong, where that is
    another amount. owner, due_date: who is to answer, and by when; where they are not given, the company's
    rules for the reason say so. Returns the dispute's id.

    Raises SaldoError: dispute_reason_unknown, dispute_without_items, dispute_exceeds (more than is open and
    not disputed yet), item_unknown, item_not_of_account, item_currency_differs, item_closed,
    stated_amount_invalid, account_unknown, dispute_owner_unknown.
    """
    if reason not in Dispute.Reason.values:
        raise SaldoError("dispute_reason_unknown", reason=reason, known=", ".join(Dispute.Reason.values))
    wanted = dict(items)
    if not wanted:
        raise SaldoError("dispute_without_items")
    with deciding(ctx, account_id) as inner:
        currency = _currency_of(next(iter(wanted)))
        if claimed_mills is not None:
            checked_amount(claimed_mills, currency)
        parts = _objected(inner, account_id, currency, wanted)
        owner, due_date = _by_policy(inner, reason, owner, due_date)
        dispute = Dispute.objects.create(
            company_id=inner.company_id, account_id=account_id, currency=currency, reason=reason,
            claimed_amount=None if claimed_mills is None else from_mills(claimed_mills), owner=owner,
            due_date=due_date, document_id=document_id, note=note, effective_date=ctx.as_of, actor=ctx.actor,
            recorded_at=inner.recorded_at,
        )  # fmt: skip
        DisputeItem.objects.bulk_create(
            DisputeItem(dispute=dispute, item_id=item_id, amount=from_mills(mills))
            for item_id, mills in parts.items()
        )
        data = {
            "dispute": dispute.id, "reason": reason, "currency": currency, "items": list(parts),
            "amount": str(from_mills(sum(parts.values()))),
        }  # fmt: skip
        record_event(inner, "dispute.opened", "account", account_id, data)
    return int(dispute.id)


def _by_policy(ctx: Context, reason: str, owner: str, due_date: date | None) -> tuple[str, date | None]:
    """Who answers and by when: as told, else as the company's rules say. An owner of the rules who has left
    leaves the dispute to the office."""
    assert ctx.company_id is not None
    policy = policy_of(ctx.company_id)
    if owner:
        owner = checked_owner(ctx.company_id, owner)
    else:
        usual = policy.owners.get(reason, "")
        owner = usual if usual and usual in dict(owners_of(ctx.company_id)) else ""
    return owner, due_date or answer_due(policy, reason, ctx.as_of)


def _currency_of(item_id: int) -> str:
    found = Item.objects.filter(id=item_id).values_list("currency", flat=True).first()
    if found is None:
        raise SaldoError("item_unknown", item=item_id)
    return str(found)


def _objected(ctx: Context, account_id: int, currency: str, wanted: dict[int, int | None]) -> dict[int, int]:
    """{item id: mills}, each within what is open of the item and no other dispute has."""
    disputed = dict(
        dispute_parts(ctx, [account_id]).group_by("item_id").agg(pl.col("amount_mills").sum()).iter_rows()
    )
    parts = {}
    for item in owed_items(ctx, account_id, currency, wanted):
        free = item.balance_mills - disputed.get(item.item_id, 0)
        asked = wanted[item.item_id]
        mills = free if asked is None else checked_amount(asked, currency)
        if mills <= 0 or mills > free:
            told = {
                "amount": decimal_text(max(mills, 0), currency),
                "free": decimal_text(max(free, 0), currency),
            }
            raise SaldoError("dispute_exceeds", item=item.item_id, **told)
        parts[item.item_id] = mills
    return parts
