"""Changes of disputes: deductions opened and ended, inside the caller's transaction."""

from __future__ import annotations

from datetime import date

from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.money import from_mills
from saldo.disputes.models import Deduction, DeductionEnd
from saldo.identity.operations import record_event
from saldo.ledger.models import Item


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
