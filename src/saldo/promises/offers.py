"""Plans and discounts that are offered to a customer, and what becomes of the offers.

    offer_plan, offer_discount      made by one person
    approve, refuse                 by a second one, where the company's rules ask for one
    accept, decline                 by the customer, through a signed link, or told by a person
    withdraw                        taken back
    offers_of, offers_waiting, offer_by_token      reading

Nothing is agreed before the acceptance. An offer is about items as they stand: one that no longer fits
(something was paid, or is in another plan) cannot be accepted. The caller has checked what the actor may
(MAY_OFFER, MAY_APPROVE) and that it sees the account.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.money import from_mills, to_mills
from saldo.core.plans import BASIS_POINTS, DiscountTerms, PlanRule, discount_of, discount_terms
from saldo.identity.models import Grant
from saldo.identity.operations import record_event
from saldo.ledger.owed import deciding, owed_items
from saldo.promises.models import Offer, OfferStep
from saldo.promises.plan_policy import rules_of
from saldo.promises.plans import Installments, Milestones, check_schedule, plannable, record_plan
from saldo.promises.queries import MAY_PROMISE

MAY_OFFER = MAY_PROMISE
MAY_APPROVE = frozenset({Grant.Role.ADMINISTRATOR, Grant.Role.CREDIT_MANAGER})
PLAN, DISCOUNT = Offer.Kind.PLAN, Offer.Kind.DISCOUNT
APPROVED, REFUSED, ACCEPTED, DECLINED, WITHDRAWN = OfferStep.Kind.values
# States of an offer besides its ends.
TO_APPROVE, OPEN, EXPIRED = "to_approve", "open", "expired"
LANGUAGES = ("it", "en")
MAX_VALID_DAYS = 90


@dataclass(frozen=True, slots=True)
class OfferItem:
    """mills: what was open of it when it was offered. discount_mills: what may be kept of it."""

    item_id: int
    mills: int
    discount_mills: int = 0


@dataclass(frozen=True, slots=True)
class OfferRow:
    """An offer as people see it. state: to_approve, open, expired, refused, accepted, declined, withdrawn.

    Of a plan: installments, rule, milestones. Of a discount: rate_bp, pay_by, usual_date and terms.
    """

    id: int
    company_id: int
    account_id: int
    kind: str
    currency: str
    amount: Decimal
    state: str
    items: tuple[OfferItem, ...]
    installments: tuple[tuple[date, int], ...]
    milestones: tuple[tuple[date, str], ...]
    rule: PlanRule | None
    rate_bp: int
    pay_by: date | None
    usual_date: date | None
    terms: DiscountTerms | None
    language: str
    token: str
    expires_date: date
    needs_approval: bool
    approved_by: str
    ended_by: str
    ended_date: date | None
    ended_note: str
    evidence: Mapping[str, Any]
    document_id: int | None
    note: str
    effective_date: date
    actor: str
    recorded_at: datetime

    @property
    def discount_mills(self) -> int:
        return sum(item.discount_mills for item in self.items)

    @property
    def to_pay_mills(self) -> int:
        return to_mills(self.amount) - self.discount_mills


@dataclass(frozen=True, slots=True)
class Accepted:
    """plan_id: of the plan that came of it, None for a discount."""

    offer_id: int
    plan_id: int | None


# --- offering ---------------------------------------------------------------------------------------


def offer_plan(
    ctx: Context,
    account_id: int,
    currency: str,
    installments: Installments,
    item_ids: Sequence[int],
    rule: PlanRule | None = None,
    milestones: Milestones = (),
    note: str = "",
    language: str = "it",
    valid_days: int | None = None,
) -> int:
    """Offer a plan for the whole of these items; it can be accepted until valid_days are over, and not after
    its first installment's day. Offers of the same items that are still open are withdrawn.

    Raises SaldoError: offer_invalid, and as record_plan does.
    """
    check_schedule(ctx, installments, currency, item_ids, milestones)
    with deciding(ctx, account_id) as inner:
        assert inner.company_id is not None
        rules = rules_of(inner.company_id)
        items = plannable(inner, account_id, currency, installments, item_ids)
        own = rule or rules.rule
        total = sum(item.balance_mills for item in items)
        data = {
            "items": [{"item_id": item.item_id, "mills": item.balance_mills} for item in items],
            "installments": [[day.isoformat(), mills] for day, mills in installments],
            "milestones": [[day.isoformat(), text.strip()] for day, text in milestones],
            "tolerance_days": own.tolerance_days, "missed_limit": own.missed_limit,
            "late_percent": own.late_percent,
        }  # fmt: skip
        needs = rules.needs_second_person(total, ctx.as_of, installments[-1][0])
        last = min(_valid_until(ctx, valid_days, rules.offer_valid_days), installments[0][0])
        return _offered(inner, account_id, PLAN, currency, total, data, language, last, needs, note)


def offer_discount(
    ctx: Context,
    account_id: int,
    currency: str,
    item_ids: Sequence[int],
    rate_bp: int,
    pay_by: date,
    usual_date: date,
    note: str = "",
    language: str = "it",
    valid_days: int | None = None,
) -> int:
    """Offer a discount on each of these items to who pays the rest by a day. usual_date: when it would be
    paid otherwise, so that what it costs a year can be told.

    Raises SaldoError: discount_invalid, offer_invalid, item_in_plan, and what owed_items refuses.
    """
    if not 0 < rate_bp < BASIS_POINTS // 2 or not ctx.as_of <= pay_by < usual_date:
        raise SaldoError(
            "discount_invalid", rate=str(Decimal(rate_bp) / 100), pay_by=pay_by, usual=usual_date
        )
    with deciding(ctx, account_id) as inner:
        assert inner.company_id is not None
        rules = rules_of(inner.company_id)
        items = owed_items(inner, account_id, currency, item_ids)
        if not items:
            raise SaldoError("plan_without_items")
        told = [
            {"item_id": item.item_id, "mills": item.balance_mills,
             "discount_mills": discount_of(item.balance_mills, rate_bp, currency)}
            for item in items
        ]  # fmt: skip
        data = {
            "items": told, "rate_bp": rate_bp, "pay_by": pay_by.isoformat(),
            "usual_date": usual_date.isoformat(), "cost_of_money_bp": rules.cost_of_money_bp,
        }  # fmt: skip
        last = min(_valid_until(ctx, valid_days, rules.offer_valid_days), pay_by)
        total = sum(item.balance_mills for item in items)
        needs = rate_bp > rules.max_discount_bp
        return _offered(inner, account_id, DISCOUNT, currency, total, data, language, last, needs, note)


def _valid_until(ctx: Context, valid_days: int | None, usual_days: int) -> date:
    days = usual_days if valid_days is None else valid_days
    if not 1 <= days <= MAX_VALID_DAYS:
        raise SaldoError("offer_invalid", days=days, limit=MAX_VALID_DAYS)
    return ctx.as_of + timedelta(days=days)


def _offered(
    ctx: Context, account_id: int, kind: str, currency: str, mills: int, data: dict[str, Any], language: str,
    expires_date: date, needs_approval: bool, note: str,
) -> int:  # fmt: skip
    wanted = {item["item_id"] for item in data["items"]}
    for row in offers_of(ctx, account_id):
        if row.state in (OPEN, TO_APPROVE) and wanted & {item.item_id for item in row.items}:
            _step(ctx, row, WITHDRAWN, "replaced")
    made = Offer.objects.create(
        company_id=ctx.company_id, account_id=account_id, kind=kind, currency=currency,
        amount=from_mills(mills), data=data, language=language if language in LANGUAGES else LANGUAGES[-1],
        token=secrets.token_hex(12), expires_date=expires_date, needs_approval=needs_approval, note=note,
        effective_date=ctx.as_of, actor=ctx.actor, recorded_at=ctx.recorded_at,
    )  # fmt: skip
    told = {
        "offer": made.id, "kind": kind, "amount": str(made.amount), "currency": currency,
        "expires_date": expires_date.isoformat(), "needs_approval": needs_approval,
    }  # fmt: skip
    record_event(ctx, "offer.made", "account", account_id, told)
    return int(made.id)


# --- deciding ---------------------------------------------------------------------------------------


def approve(ctx: Context, offer_id: int, note: str = "") -> None:
    """By a second person. Raises SaldoError: offer_unknown, offer_not_open, offer_same_person."""
    with _deciding(ctx, offer_id) as (inner, row):
        _wanted(row, (TO_APPROVE,))
        if ctx.actor == row.actor:
            raise SaldoError("offer_same_person", offer=offer_id)
        _step(inner, row, APPROVED, note)


def refuse(ctx: Context, offer_id: int, note: str = "") -> None:
    """It is not offered after all. Raises SaldoError: offer_unknown, offer_not_open."""
    with _deciding(ctx, offer_id) as (inner, row):
        _wanted(row, (TO_APPROVE,))
        _step(inner, row, REFUSED, note)


def withdraw(ctx: Context, offer_id: int, note: str = "") -> None:
    """Raises SaldoError: offer_unknown, offer_not_open."""
    with _deciding(ctx, offer_id) as (inner, row):
        _wanted(row, (TO_APPROVE, OPEN))
        _step(inner, row, WITHDRAWN, note)


def accept(
    ctx: Context,
    offer_id: int,
    evidence: Mapping[str, Any],
    document_id: int | None = None,
    note: str = "",
) -> Accepted:
    """The customer accepts: what was offered is agreed, from this day on. evidence: who, and how it is known.

    document_id: what was accepted, in writing. Accepting twice changes nothing. Raises SaldoError:
    offer_unknown, offer_not_open, offer_outdated (what is owed is no longer what was offered).
    """
    with _deciding(ctx, offer_id) as (inner, row):
        if row.state == ACCEPTED:
            return Accepted(row.id, plan_of(row.id))
        _wanted(row, (OPEN,))
        _check_still(inner, row)
        _step(inner, row, ACCEPTED, note, evidence, document_id)
        plan_id = None
        if row.kind == PLAN:
            plan_id = record_plan(
                inner, row.account_id, row.currency, row.installments, [item.item_id for item in row.items],
                row.note, document_id, row.rule, row.milestones, offer_id=row.id,
            )  # fmt: skip
        return Accepted(row.id, plan_id)


def decline(ctx: Context, offer_id: int, evidence: Mapping[str, Any], note: str = "") -> None:
    """Raises SaldoError: offer_unknown, offer_not_open."""
    with _deciding(ctx, offer_id) as (inner, row):
        _wanted(row, (OPEN,))
        _step(inner, row, DECLINED, note, evidence)


@contextmanager
def _deciding(ctx: Context, offer_id: int) -> Iterator[tuple[Context, OfferRow]]:
    """The offer as it stands, under its account's lock."""
    account_id = Offer.objects.filter(id=offer_id).values_list("account_id", flat=True).first()
    if account_id is None:
        raise SaldoError("offer_unknown", offer=offer_id)
    with deciding(ctx, account_id) as inner:
        yield inner, offer(inner, offer_id)


def _wanted(row: OfferRow, states: Sequence[str]) -> None:
    if row.state not in states:
        raise SaldoError("offer_not_open", offer=row.id, state=row.state)


def _check_still(ctx: Context, row: OfferRow) -> None:
    """What was offered still fits what is owed."""
    try:
        items = owed_items(ctx, row.account_id, row.currency, [item.item_id for item in row.items])
        offered = {item.item_id: item.mills for item in row.items}
        is_same = all(item.balance_mills == offered[item.item_id] for item in items)
        if row.kind == PLAN:
            check_schedule(ctx, row.installments, row.currency, list(offered), row.milestones)
            plannable(ctx, row.account_id, row.currency, row.installments, list(offered))
    except SaldoError as error:
        raise SaldoError("offer_outdated", offer=row.id) from error
    if not is_same:
        raise SaldoError("offer_outdated", offer=row.id)


def _step(
    ctx: Context,
    row: OfferRow,
    kind: str,
    note: str,
    evidence: Mapping[str, Any] | None = None,
    document_id: int | None = None,
) -> None:
    OfferStep.objects.create(
        offer_id=row.id, kind=kind, note=note, evidence=dict(evidence or {}), document_id=document_id,
        effective_date=ctx.as_of, actor=ctx.actor, recorded_at=ctx.recorded_at,
    )  # fmt: skip
    data = {"offer": row.id, "kind": row.kind, "amount": str(row.amount), "currency": row.currency}
    data |= {"note": note} if note else {}
    data |= {"name": str(evidence["name"])} if evidence and evidence.get("name") else {}
    record_event(ctx, f"offer.{kind}", "account", row.account_id, data)


# --- reading ----------------------------------------------------------------------------------------


def offers_of(ctx: Context, account_id: int) -> list[OfferRow]:
    """The account's offers, newest first. The caller has checked the account's scope."""
    return _rows(ctx, Offer.objects.filter(account_id=account_id))


def offers_waiting(ctx: Context) -> list[OfferRow]:
    """The company's offers that wait: for a second person, for the customer; the oldest first. The caller
    reads every account of the company."""
    found = Offer.objects.filter(company_id=ctx.company_id, expires_date__gte=ctx.as_of)
    rows = [row for row in _rows(ctx, found) if row.state in (TO_APPROVE, OPEN)]
    return sorted(rows, key=lambda row: (row.state != TO_APPROVE, row.id))


def accepted_discounts(ctx: Context, account_ids: Sequence[int] | None = None) -> list[OfferRow]:
    """Discounts that were accepted, the oldest first."""
    found = Offer.objects.filter(kind=DISCOUNT, steps__kind=ACCEPTED)
    if ctx.company_id is not None:
        found = found.filter(company_id=ctx.company_id)
    if account_ids is not None:
        found = found.filter(account_id__in=account_ids)
    return sorted(_rows(ctx, found), key=lambda row: row.id)


def granted_discounts(ctx: Context, since: date) -> dict[int, tuple[int, date]]:
    """{item: (mills, last day)} of accepted discounts that cash booked from ``since`` on may earn."""
    return {
        item.item_id: (item.discount_mills, row.pay_by)
        for row in accepted_discounts(ctx)
        for item in row.items
        if row.pay_by is not None and row.pay_by >= since
    }


def offer(ctx: Context, offer_id: int) -> OfferRow:
    """Raises SaldoError("offer_unknown")."""
    rows = _rows(ctx, Offer.objects.filter(id=offer_id))
    if not rows:
        raise SaldoError("offer_unknown", offer=offer_id)
    return rows[0]


def offer_by_token(ctx: Context, token: str) -> OfferRow | None:
    rows = _rows(ctx, Offer.objects.filter(token=token))
    return rows[0] if rows else None


def plan_of(offer_id: int) -> int | None:
    return Offer.objects.filter(id=offer_id).values_list("plan__id", flat=True).first()


def _rows(ctx: Context, found: Any) -> list[OfferRow]:
    offers = list(
        found.filter(effective_date__lte=ctx.as_of).prefetch_related("steps").order_by("-id")
    )  # fmt: skip
    return [
        _row(ctx, one) for one in offers if ctx.known_at is None or one.recorded_at <= ctx.known_at
    ]  # fmt: skip


def _row(ctx: Context, one: Any) -> OfferRow:
    steps = [
        step
        for step in one.steps.all()
        if step.effective_date <= ctx.as_of and (ctx.known_at is None or step.recorded_at <= ctx.known_at)
    ]
    approved = next((step for step in steps if step.kind == APPROVED), None)
    end = next((step for step in steps if step.kind != APPROVED), None)
    data, is_plan = one.data, one.kind == PLAN
    items = tuple(
        OfferItem(each["item_id"], each["mills"], each.get("discount_mills", 0)) for each in data["items"]
    )
    return OfferRow(
        one.id, one.company_id, one.account_id, one.kind, one.currency, one.amount,
        _state(ctx, one, approved, end), items,
        tuple((date.fromisoformat(day), mills) for day, mills in data.get("installments", ())),
        tuple((date.fromisoformat(day), text) for day, text in data.get("milestones", ())),
        PlanRule(data["tolerance_days"], data["missed_limit"], data["late_percent"]) if is_plan else None,
        data.get("rate_bp", 0), _day(data, "pay_by"), _day(data, "usual_date"),
        None if is_plan else _terms(one.currency, items, data), one.language, one.token, one.expires_date,
        one.needs_approval, approved.actor if approved else "", end.actor if end else "",
        end.effective_date if end else None, end.note if end else "", end.evidence if end else {},
        end.document_id if end else None, one.note, one.effective_date, one.actor, one.recorded_at,
    )  # fmt: skip


def _state(ctx: Context, one: Any, approved: Any, end: Any) -> str:
    if end is not None:
        return str(end.kind)
    if ctx.as_of > one.expires_date:
        return EXPIRED
    return TO_APPROVE if one.needs_approval and approved is None else OPEN


def _day(data: Mapping[str, Any], name: str) -> date | None:
    return date.fromisoformat(data[name]) if name in data else None


def _terms(currency: str, items: Sequence[OfferItem], data: Mapping[str, Any]) -> DiscountTerms:
    pay_by, usual = date.fromisoformat(data["pay_by"]), date.fromisoformat(data["usual_date"])
    amounts = [item.mills for item in items]
    return discount_terms(amounts, currency, data["rate_bp"], pay_by, usual, data["cost_of_money_bp"])
