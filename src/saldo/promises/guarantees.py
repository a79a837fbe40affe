"""Guarantees: what secures what an account owes, or one plan of it. Recording, ending, reading."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.money import from_mills
from saldo.identity.operations import record_event
from saldo.ledger.owed import checked_amount, deciding
from saldo.promises.models import Guarantee, GuaranteeEnd, PaymentPlan
from saldo.promises.queries import MAY_PROMISE

MAY_GUARANTEE = MAY_PROMISE
KINDS = tuple(Guarantee.Kind.values)
ENDS = tuple(GuaranteeEnd.Outcome.values)
IN_FORCE, LAPSED = "in_force", "lapsed"
# So long before its last day a guarantee is pointed out.
NEAR_DAYS = 60


@dataclass(frozen=True, slots=True)
class GuaranteeRow:
    """state: in_force, lapsed (its last day is over) or how it ended. is_near: its last day is near."""

    id: int
    account_id: int
    plan_id: int | None
    kind: str
    currency: str
    amount: Decimal
    giver: str
    expiry_date: date | None
    state: str
    is_near: bool
    document_id: int | None
    note: str
    effective_date: date
    actor: str
    recorded_at: datetime


def add_guarantee(
    ctx: Context,
    account_id: int,
    kind: str,
    currency: str,
    amount_mills: int,
    expiry_date: date | None = None,
    plan_id: int | None = None,
    giver: str = "",
    document_id: int | None = None,
    note: str = "",
) -> int:
    """A guarantee was given, from the context's day on; returns its id.

    Raises SaldoError: guarantee_kind_unknown, guarantee_lapsed, stated_amount_invalid, plan_unknown.
    """
    if kind not in KINDS:
        raise SaldoError("guarantee_kind_unknown", kind=kind[:40], known=", ".join(KINDS))
    if expiry_date is not None and expiry_date < ctx.as_of:
        raise SaldoError("guarantee_lapsed", date=expiry_date)
    checked_amount(amount_mills, currency)
    with deciding(ctx, account_id) as inner:
        if plan_id is not None and not PaymentPlan.objects.filter(id=plan_id, account_id=account_id).exists():
            raise SaldoError("plan_unknown", plan=plan_id)
        made = Guarantee.objects.create(
            company_id=inner.company_id, account_id=account_id, plan_id=plan_id, kind=kind,
            currency=currency, amount=from_mills(amount_mills), giver=giver.strip()[:200],
            expiry_date=expiry_date, document_id=document_id, note=note, effective_date=ctx.as_of,
            actor=ctx.actor, recorded_at=inner.recorded_at,
        )  # fmt: skip
        data = {"guarantee": made.id, "kind": kind, "amount": str(made.amount), "currency": currency}
        record_event(inner, "guarantee.given", "account", account_id, data)
    return int(made.id)


def end_guarantee(ctx: Context, guarantee_id: int, outcome: str, note: str = "") -> int:
    """Released, enforced, replaced, or recorded by mistake.

    Raises SaldoError: guarantee_unknown, guarantee_ended, outcome_unknown.
    """
    if outcome not in ENDS:
        raise SaldoError("outcome_unknown", outcome=outcome[:40], known=", ".join(ENDS))
    account_id = Guarantee.objects.filter(id=guarantee_id).values_list("account_id", flat=True).first()
    if account_id is None:
        raise SaldoError("guarantee_unknown", guarantee=guarantee_id)
    with deciding(ctx, account_id) as inner:
        if GuaranteeEnd.objects.filter(guarantee_id=guarantee_id).exists():
            raise SaldoError("guarantee_ended", guarantee=guarantee_id)
        end = GuaranteeEnd.objects.create(
            guarantee_id=guarantee_id, outcome=outcome, note=note, effective_date=ctx.as_of,
            actor=ctx.actor, recorded_at=inner.recorded_at,
        )  # fmt: skip
        data = {"guarantee": guarantee_id, "outcome": outcome, "note": note}
        record_event(inner, "guarantee.ended", "account", account_id, data)
    return int(end.id)


def guarantees_of(ctx: Context, account_id: int) -> list[GuaranteeRow]:
    """The account's guarantees, newest first. The caller has checked the account's scope."""
    return _rows(ctx, Guarantee.objects.filter(account_id=account_id))


def guarantees_near(ctx: Context) -> list[GuaranteeRow]:
    """The company's guarantees in force whose last day is near, the nearest first. The caller reads every
    account of the company."""
    last = ctx.as_of + timedelta(days=NEAR_DAYS)
    found = Guarantee.objects.filter(
        company_id=ctx.company_id, expiry_date__gte=ctx.as_of, expiry_date__lte=last
    )
    rows = [row for row in _rows(ctx, found) if row.state == IN_FORCE]
    return sorted(rows, key=lambda row: (row.expiry_date or last, row.id))


def _rows(ctx: Context, found: Any) -> list[GuaranteeRow]:
    given = found.filter(effective_date__lte=ctx.as_of).select_related("end").order_by("-id")
    return [_row(ctx, one) for one in given if ctx.known_at is None or one.recorded_at <= ctx.known_at]


def _row(ctx: Context, one: Any) -> GuaranteeRow:
    end = getattr(one, "end", None)
    is_ended = end is not None and end.effective_date <= ctx.as_of
    is_ended = is_ended and (ctx.known_at is None or end.recorded_at <= ctx.known_at)
    is_over = one.expiry_date is not None and one.expiry_date < ctx.as_of
    state = str(end.outcome) if is_ended else LAPSED if is_over else IN_FORCE
    near = one.expiry_date is not None and one.expiry_date <= ctx.as_of + timedelta(days=NEAR_DAYS)
    return GuaranteeRow(
        one.id, one.account_id, one.plan_id, one.kind, one.currency, one.amount, one.giver, one.expiry_date,
        state, near and state == IN_FORCE, one.document_id, one.note, one.effective_date, one.actor,
        one.recorded_at,
    )  # fmt: skip
