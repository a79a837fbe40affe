"""Plans and discounts as the days go by: what falls, what is completed, which discounts were earned.

look_after          before the day is fixed: ends plans by their own rule, credits earned discounts
discounts_of        what became of accepted discounts
expected_payment    when items would be paid otherwise, for what a discount costs
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from statistics import median

import polars as pl
from django.db import transaction

from saldo.core.context import Context
from saldo.core.money import from_mills, to_mills
from saldo.flows.blocks import booked_until
from saldo.identity.queries import current_day_run
from saldo.ledger.entries import write_off
from saldo.ledger.owed import balances, deciding
from saldo.parties.models import CustomerAccount
from saldo.promises.guarantees import GuaranteeRow, guarantees_near
from saldo.promises.models import DiscountCredit
from saldo.promises.offers import OfferItem, OfferRow, accepted_discounts, offers_waiting
from saldo.promises.plan_facts import OPEN as RUNNING
from saldo.promises.plan_facts import PlanRow, dated_plans, judged_plans
from saldo.promises.plan_policy import rules_of
from saldo.promises.plans import judge_plans
from saldo.risk.queries import stored_forecast

DISCOUNT = "discount"
# What became of an accepted discount on an item.
WAITING, EARNED, CREDITED, LAPSED = "waiting", "earned", "credited", "lapsed"
# Where nothing says when an overdue item will be paid.
UNKNOWN_DAYS = 30


@dataclass(frozen=True, slots=True)
class LookedAfter:
    """ended: (plan, outcome). credited: discounts that were credited now, item by item."""

    ended: tuple[tuple[int, str], ...]
    credited: int


@dataclass(frozen=True, slots=True)
class DiscountRow:
    """An accepted discount on one item. mills: what is, or would be, credited."""

    offer_id: int
    account_id: int
    item_id: int
    currency: str
    mills: int
    pay_by: date
    state: str


def look_after(ctx: Context, company_id: int) -> LookedAfter:
    """Once a day and whenever asked: run twice it changes nothing the second time."""
    within = ctx.within(company_id)
    until = booked_until(within)
    credited = credit_discounts(within, until)
    return LookedAfter(tuple(judge_plans(within, until)), credited)


def plan_entries(ctx: Context, account_ids: Sequence[int] | None = None) -> pl.DataFrame:
    """account_id, code, date of what a person must look after: installments to come, milestones, plans that
    fell (promises.plan_facts.dated_plans)."""
    assert ctx.company_id is not None
    days = rules_of(ctx.company_id, ctx.known_at).check_in_days
    return dated_plans(ctx, days, booked_until(ctx), account_ids)


def credit_discounts(ctx: Context, until: date | None = None) -> int:
    """Credit the discounts whose cash came in time, item by item; how many."""
    count = 0
    for offer in accepted_discounts(ctx):
        for row in _states(ctx, offer, until):
            if row.state == EARNED:
                count += _credit(ctx, offer, row.item_id, until)
    return count


def _credit(ctx: Context, offer: OfferRow, item_id: int, until: date | None) -> bool:
    """Under the account's lock, and looked at again there."""
    with transaction.atomic(), deciding(ctx, offer.account_id) as inner:
        now = next(row for row in _states(inner, offer, until) if row.item_id == item_id)
        if now.state != EARNED or now.mills <= 0:
            return False
        amount = from_mills(now.mills)
        made = write_off(inner, item_id, amount, "discount for paying early", DISCOUNT)
        DiscountCredit.objects.create(
            offer_id=offer.id, item_id=item_id, credit_item_id=made.item_ids[0], amount=amount,
            recorded_at=inner.recorded_at,
        )  # fmt: skip
    return True


def discounts_of(ctx: Context, account_id: int, until: date | None = None) -> list[DiscountRow]:
    """What became of the account's accepted discounts. The caller has checked the account's scope."""
    return [row for offer in accepted_discounts(ctx, [account_id]) for row in _states(ctx, offer, until)]


def _states(ctx: Context, offer: OfferRow, until: date | None) -> list[DiscountRow]:
    """An item's discount is earned when, of what was booked by the day, no more than the discount is left.
    Nothing is lost before the bank statements reach that day."""
    assert offer.pay_by is not None
    item_ids = [item.item_id for item in offer.items]
    made: dict[int, Decimal] = dict(
        DiscountCredit.objects.filter(offer_id=offer.id).values_list("item_id", "amount")
    )
    then = _balances(ctx.at(min(ctx.as_of, offer.pay_by), ctx.known_at), item_ids)
    now = _balances(ctx, item_ids)
    is_over = ctx.as_of > offer.pay_by and (until is None or until >= offer.pay_by)
    rows = []
    for item in offer.items:
        state, mills = _state(item, made.get(item.item_id), then, now, is_over)
        rows.append(
            DiscountRow(offer.id, offer.account_id, item.item_id, offer.currency, mills, offer.pay_by, state)
        )
    return rows


def _state(
    item: OfferItem, made: Decimal | None, then: dict[int, int], now: dict[int, int], is_over: bool
) -> tuple[str, int]:
    if made is not None:
        return CREDITED, to_mills(made)
    left = min(then.get(item.item_id, 0), now.get(item.item_id, 0))
    if then.get(item.item_id, 0) <= item.discount_mills:
        # Nothing to credit where the cash desk has taken the discount with the payment, or all was paid.
        return (EARNED, left) if left > 0 else (CREDITED, 0)
    return (LAPSED if is_over else WAITING), item.discount_mills


def _balances(ctx: Context, item_ids: Sequence[int]) -> dict[int, int]:
    return dict(balances(ctx, item_ids).select("item_id", "balance_mills").iter_rows())


@dataclass(frozen=True, slots=True)
class CompanyPlans:
    """What of a company's plans, offers and guarantees somebody should look at. names: customer by account.
    behind: plans with something late, most of it first; coming: the others that run."""

    offers: tuple[OfferRow, ...]
    behind: tuple[PlanRow, ...]
    coming: tuple[PlanRow, ...]
    guarantees: tuple[GuaranteeRow, ...]
    names: dict[int, str]


def company_plans(ctx: Context) -> CompanyPlans:
    """The caller reads every account of the company."""
    running = [row for row in judged_plans(ctx, booked_until(ctx)) if row.state == RUNNING]
    late = sorted((row for row in running if row.late), key=lambda row: (-row.missed, -row.late, row.id))
    offers, guarantees = offers_waiting(ctx), guarantees_near(ctx)
    wanted = {row.account_id for row in (*running, *offers, *guarantees)}
    found = CustomerAccount.objects.filter(id__in=wanted).values_list("id", "customer__name")
    others = (row for row in running if not row.late)
    return CompanyPlans(tuple(offers), tuple(late), tuple(others), tuple(guarantees), dict(found))


def expected_payment(ctx: Context, account_id: int, item_ids: Sequence[int]) -> date:
    """When these items would be paid without an offer: the median of their forecasts in the newest day run;
    where there is none the latest due date, or UNKNOWN_DAYS from now for what is overdue."""
    assert ctx.company_id is not None
    run = current_day_run(ctx.company_id, ctx.as_of)
    found = [stored_forecast(run.id, account_id, item_id) for item_id in item_ids] if run else []
    days = [each.expected_date for each in found if each is not None and each.expected_date is not None]
    if days:
        return date.fromordinal(int(median(day.toordinal() for day in days)))
    due = balances(ctx, list(item_ids))["due_date"].max()
    is_future = isinstance(due, date) and due > ctx.as_of
    return due if is_future and isinstance(due, date) else ctx.as_of + timedelta(days=UNKNOWN_DAYS)
