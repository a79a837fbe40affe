"""Changes of payment plans, one account at a time under its lock.

    propose                         what the account could keep up, from its own cash
    record_plan, end_plan           a plan that was agreed, and its end
    judge_plans                     plans that fall by their own rule, or of which nothing is left
    meet_milestone                  what else was owed has come

A plan covers the whole of its items, and its installments add up to them. Beyond what one person may agree
(plan_policy) it takes an offer that a second person approved (promises.offers).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

from django.db import IntegrityError, transaction

from saldo.core.calendar import add_months
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.money import decimal_text, from_mills
from saldo.core.plans import HISTORY_MONTHS, PlanRule, Sustainable, monthly_cash, sustainable, usual_day_of
from saldo.identity.operations import record_event
from saldo.ledger.owed import Owed, checked_amount, deciding, owed_by, owed_items
from saldo.parties.models import CustomerAccount
from saldo.promises.models import (
    MilestoneMet,
    PaymentPlan,
    PlanEnd,
    PlanInstallment,
    PlanItem,
    PlanMilestone,
)
from saldo.promises.plan_facts import OPEN, cash_of, judged_plans
from saldo.promises.plan_policy import rules_of
from saldo.promises.queries import plan_parts

MAX_INSTALLMENTS = 120
MAX_MILESTONES = 10
MILESTONE_CHARACTERS = 200
PLAN_YEARS = 10
Installments = Sequence[tuple[date, int]]
Milestones = Sequence[tuple[date, str]]


@dataclass(frozen=True, slots=True)
class PlanProposal:
    """A plan that nobody agreed yet. items: (item id, mills) of what it covers, the oldest first."""

    currency: str
    debt_mills: int
    items: tuple[tuple[int, int], ...]
    rule: PlanRule
    needs_approval: bool
    found: Sustainable


def propose(
    ctx: Context,
    account_id: int,
    currency: str,
    item_ids: Sequence[int] = (),
    months: int | None = None,
    first_date: date | None = None,
    down_mills: int = 0,
) -> PlanProposal:
    """Sustainable installments for these items (default: all that is overdue and in no plan yet).

    months: so many installments; None: as many as the account's cash asks for. Nothing is recorded. Raises
    SaldoError: nothing_to_plan, plan_dates_invalid, and what owed_items refuses. The caller has checked the
    account's scope.
    """
    items = _items(ctx, account_id, currency, item_ids)
    debt = sum(item.balance_mills for item in items)
    _check_wish(ctx, months, first_date)
    rules = rules_of(_company_of(account_id), ctx.known_at)
    since = add_months(ctx.as_of.replace(day=1), -HISTORY_MONTHS)
    cash = cash_of(ctx, account_id, currency, since)
    found = sustainable(
        debt, currency, monthly_cash(cash, ctx.as_of), ctx.as_of, rules, usual_day_of(cash), months,
        first_date, min(max(0, down_mills), debt),
    )  # fmt: skip
    last = found.installments[-1][0]
    return PlanProposal(
        currency, debt, tuple((item.item_id, item.balance_mills) for item in items), rules.rule,
        rules.needs_second_person(debt, ctx.as_of, last), found,
    )  # fmt: skip


def _items(ctx: Context, account_id: int, currency: str, item_ids: Sequence[int]) -> list[Owed]:
    if item_ids:
        return owed_items(ctx, account_id, currency, item_ids)
    planned = set(plan_parts(ctx, [account_id])["item_id"])
    owed = owed_by(ctx, account_id, currency)
    found = [item for item in owed if item.due_date < ctx.as_of and item.item_id not in planned]
    if not found:
        raise SaldoError("nothing_to_plan", currency=currency)
    return found


def _check_wish(ctx: Context, months: int | None, first_date: date | None) -> None:
    is_bad = months is not None and not 1 <= months <= MAX_INSTALLMENTS
    if is_bad or (first_date is not None and not ctx.as_of <= first_date <= _last_day(ctx)):
        raise SaldoError("plan_dates_invalid", limit=MAX_INSTALLMENTS, years=PLAN_YEARS)


def _last_day(ctx: Context) -> date:
    return ctx.as_of + timedelta(days=366 * PLAN_YEARS)


def _company_of(account_id: int) -> int:
    found = CustomerAccount.objects.filter(id=account_id).values_list("company_id", flat=True).first()
    if found is None:
        raise SaldoError("account_unknown", account=account_id)
    return int(found)


def record_plan(
    ctx: Context,
    account_id: int,
    currency: str,
    installments: Installments,
    item_ids: Sequence[int],
    note: str = "",
    document_id: int | None = None,
    rule: PlanRule | None = None,
    milestones: Milestones = (),
    offer_id: int | None = None,
) -> int:
    """A payment plan for the whole of these items; installments: (due date, mills). Returns its id.

    rule: its own; None: the company's for new plans. milestones: (day, what else is owed by it). offer_id: of
    the offer that was accepted, which a second person has approved where the company asks for one.
    Raises SaldoError: plan_dates_invalid (none, in the past, not in order, too many, beyond ten years),
    plan_sum_differs, item_in_plan, plan_without_items, plan_needs_approval, and what owed_items and
    checked_amount refuse.
    """
    check_schedule(ctx, installments, currency, item_ids, milestones)
    with deciding(ctx, account_id) as inner:
        assert inner.company_id is not None
        items = plannable(inner, account_id, currency, installments, item_ids)
        total = sum(mills for _, mills in installments)
        rules = rules_of(inner.company_id)
        needs = rules.needs_second_person(total, ctx.as_of, installments[-1][0])
        if needs and offer_id is None:
            raise SaldoError("plan_needs_approval", amount=decimal_text(total, currency), currency=currency)
        own = rule or rules.rule
        plan = PaymentPlan.objects.create(
            company_id=inner.company_id, account_id=account_id, currency=currency, document_id=document_id,
            tolerance_days=own.tolerance_days, missed_limit=own.missed_limit, late_percent=own.late_percent,
            offer_id=offer_id, note=note, effective_date=ctx.as_of, actor=ctx.actor,
            recorded_at=inner.recorded_at,
        )  # fmt: skip
        _add_parts(plan, items, installments, milestones)
        data = {
            "plan": plan.id, "amount": str(from_mills(total)), "currency": currency,
            "installments": len(installments), "last_date": installments[-1][0].isoformat(),
        }  # fmt: skip
        data |= {"offer": offer_id} if offer_id else {}
        record_event(inner, "plan.recorded", "account", account_id, data)
    return int(plan.id)


def check_schedule(
    ctx: Context, installments: Installments, currency: str, item_ids: Sequence[int],
    milestones: Milestones = (),
) -> None:  # fmt: skip
    """What can be said of a plan without looking at the ledger; raises as record_plan does."""
    days = [due for due, _ in installments]
    wrong = SaldoError("plan_dates_invalid", limit=MAX_INSTALLMENTS, years=PLAN_YEARS)
    if not days or len(days) > MAX_INSTALLMENTS or days[0] < ctx.as_of or days[-1] > _last_day(ctx):
        raise wrong
    if any(later <= earlier for earlier, later in pairwise(days)):
        raise wrong
    for _, mills in installments:
        checked_amount(mills, currency)
    if not item_ids:
        raise SaldoError("plan_without_items")
    for day, text in milestones:
        is_bad = not text.strip() or len(text) > MILESTONE_CHARACTERS or len(milestones) > MAX_MILESTONES
        if is_bad or not ctx.as_of <= day <= _last_day(ctx):
            raise SaldoError("milestone_invalid", limit=MAX_MILESTONES, length=MILESTONE_CHARACTERS)


def plannable(
    ctx: Context, account_id: int, currency: str, installments: Installments, item_ids: Sequence[int]
) -> list[Owed]:
    """The items, none of them in a plan, and the installments add up to them; raises as record_plan does."""
    items = owed_items(ctx, account_id, currency, item_ids)
    planned = set(plan_parts(ctx, [account_id])["item_id"])
    for item in items:
        if item.item_id in planned:
            raise SaldoError("item_in_plan", item=item.item_id)
    total, owed = sum(mills for _, mills in installments), sum(item.balance_mills for item in items)
    if total != owed:
        told = {"sum": decimal_text(total, currency), "open": decimal_text(owed, currency)}
        raise SaldoError("plan_sum_differs", **told)
    return items


def _add_parts(
    plan: PaymentPlan, items: Sequence[Owed], installments: Installments, milestones: Milestones
) -> None:
    PlanItem.objects.bulk_create(
        PlanItem(plan=plan, item_id=item.item_id, amount=from_mills(item.balance_mills),
                 balance_before=from_mills(item.balance_mills))
        for item in items
    )  # fmt: skip
    PlanInstallment.objects.bulk_create(
        PlanInstallment(plan=plan, number=number, due_date=due, amount=from_mills(mills))
        for number, (due, mills) in enumerate(installments, start=1)
    )
    PlanMilestone.objects.bulk_create(
        PlanMilestone(plan=plan, number=number, due_date=day, text=text.strip())
        for number, (day, text) in enumerate(milestones, start=1)
    )


def end_plan(ctx: Context, plan_id: int, outcome: str, note: str = "") -> int:
    """A plan was completed, fell or was withdrawn. Returns the end's id.

    Raises SaldoError: plan_unknown, plan_ended, outcome_unknown.
    """
    known = PlanEnd.Outcome.values
    if outcome not in known:
        raise SaldoError("outcome_unknown", outcome=outcome, known=", ".join(known))
    account_id = PaymentPlan.objects.filter(id=plan_id).values_list("account_id", flat=True).first()
    if account_id is None:
        raise SaldoError("plan_unknown", plan=plan_id)
    with deciding(ctx, account_id) as inner:
        if PlanEnd.objects.filter(plan_id=plan_id).exists():
            raise SaldoError("plan_ended", plan=plan_id)
        end = PlanEnd.objects.create(
            plan_id=plan_id, outcome=outcome, note=note, effective_date=ctx.as_of, actor=ctx.actor,
            recorded_at=inner.recorded_at,
        )  # fmt: skip
        data = {"plan": plan_id, "outcome": outcome, "note": note}
        record_event(inner, "plan.ended", "account", account_id, data)
    return int(end.id)


def judge_plans(
    ctx: Context, booked_until: date | None = None, account_ids: Sequence[int] | None = None
) -> list[tuple[int, str]]:
    """End the plans that fall by their own rule, and those of which nothing is left; [(plan id, outcome)].

    Each under its account's lock, and looked at again there: who has paid meanwhile is not dropped. Run twice
    it does nothing the second time.
    """
    ended = []
    for row in judged_plans(ctx, booked_until, account_ids):
        if row.state == OPEN and not row.falls:
            continue
        with transaction.atomic(), deciding(ctx, row.account_id) as inner:
            again = judged_plans(inner, booked_until, [row.account_id])
            now = next((each for each in again if each.id == row.id), None)
            if now is None or (now.state == OPEN and not now.falls):
                continue
            outcome = PlanEnd.Outcome.FALLEN if now.falls else PlanEnd.Outcome.COMPLETED
            end_plan(inner, row.id, outcome)
            ended.append((row.id, str(outcome)))
    return ended


def meet_milestone(ctx: Context, milestone_id: int, note: str = "") -> int:
    """What was owed besides money has come. Raises SaldoError: milestone_unknown, milestone_met."""
    found = PlanMilestone.objects.filter(id=milestone_id).select_related("plan").first()
    if found is None:
        raise SaldoError("milestone_unknown", milestone=milestone_id)
    account_id = found.plan.account_id
    try:
        with deciding(ctx, account_id) as inner:
            met = MilestoneMet.objects.create(
                milestone=found, note=note, effective_date=ctx.as_of, actor=ctx.actor,
                recorded_at=inner.recorded_at,
            )  # fmt: skip
            data = {"plan": found.plan_id, "milestone": found.text, "note": note}
            record_event(inner, "plan.milestone_met", "account", account_id, data)
    except IntegrityError as error:
        raise SaldoError("milestone_met", milestone=milestone_id) from error
    return int(met.id)
