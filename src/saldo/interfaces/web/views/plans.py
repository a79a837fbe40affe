"""Payment plans, discounts for paying early and guarantees: the forms of an account, and the company's page.

A plan begins with a proposal from the account's own cash, which a person changes; it is offered, and agreed
when the customer accepts.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from saldo.core.errors import SaldoError
from saldo.core.money import decimal_text, from_mills, to_mills
from saldo.core.plans import PlanRule, discount_terms
from saldo.flows.follow_offers import agree_by_hand, link_of, page_of
from saldo.flows.plans import company_plans, expected_payment
from saldo.interfaces.web.cash_forms import number
from saldo.interfaces.web.desk import Desk, page
from saldo.interfaces.web.plan_labels import AGREED_WAYS, GUARANTEE_KINDS, RULES, WORDS
from saldo.interfaces.web.typed import day_or_none, mills_or_none
from saldo.interfaces.web.views.relations import _account, _back, _items, _note, may_of
from saldo.ledger.statement import open_items
from saldo.promises import offers
from saldo.promises.guarantees import ENDS, MAY_GUARANTEE, add_guarantee, end_guarantee, guarantees_of
from saldo.promises.offers import MAY_APPROVE, MAY_OFFER
from saldo.promises.plan_facts import plans_of
from saldo.promises.plan_policy import MAY_SET_PLANS, RANGES, change_rules, rules_of
from saldo.promises.plans import meet_milestone, propose

SPARE_ROWS = 2
DISCOUNT_BP, PAY_BY_DAYS = 100, 10


def _debits(request: HttpRequest, account_id: int, currency: str) -> list[Any]:
    found = open_items(request.desk.ctx, account_id)
    return [item for item in found if item.balance > 0 and item.currency == currency]


def _chosen(request: HttpRequest) -> list[int]:
    given = request.POST if request.method == "POST" else request.GET
    return [each for each in map(number, given.getlist("item")) if each]


def _error_of(work: Any) -> tuple[Any, SaldoError | None]:
    try:
        return work(), None
    except SaldoError as error:
        return None, error


@page(may_of(MAY_OFFER))
@require_http_methods(["GET", "POST"])
def plan_page(request: HttpRequest, account_id: int) -> HttpResponse:
    """A plan in the making: GET proposes, POST offers what the person made of it."""
    header = _account(request, account_id)
    ctx = request.desk.ctx
    currency = (request.POST or request.GET).get("currency", header.currency)[:3]
    error = None
    if request.method == "POST":
        made, error = _error_of(lambda: _offer_plan(request, account_id, currency))
        if error is None:
            return redirect("offer", account_id=account_id, offer_id=made)
    asked = request.GET
    wish = {
        "months": number(asked.get("months")), "first_date": day_or_none(asked.get("first_date", "")),
        "down": asked.get("down", ""),
    }  # fmt: skip
    proposal, refused = _error_of(
        lambda: propose(
            ctx, account_id, currency, _chosen(request), wish["months"], wish["first_date"],
            mills_or_none(wish["down"], currency) or 0,
        )
    )  # fmt: skip
    chosen = {item_id for item_id, _ in proposal.items} if proposal else set(_chosen(request))
    rows = _typed_rows(request) or _proposed_rows(proposal)
    typed = request.POST
    rule = proposal.rule if proposal else PlanRule()
    shown = {
        "account": header, "currency": currency, "debits": _debits(request, account_id, currency),
        "chosen": chosen, "proposal": proposal, "error": error or refused, "wish": wish,
        "rows": [*rows, *(("", "") for _ in range(SPARE_ROWS))],
        "debt": from_mills(proposal.debt_mills) if proposal else None,
        "rule": {
            name: typed.get(name, getattr(rule, name))
            for name in ("tolerance_days", "missed_limit", "late_percent")
        },
        "typed": typed, "today": ctx.as_of,
    }  # fmt: skip
    return render(request, "web/plans/plan.html", shown, status=400 if error else 200)


def _proposed_rows(proposal: Any) -> list[tuple[str, str]]:
    if proposal is None:
        return []
    found = proposal.found.installments
    return [(day.isoformat(), _typed_amount(mills, proposal.currency)) for day, mills in found]


def _typed_amount(mills: int, currency: str) -> str:
    """As it stands in a field: no thousands, a comma as in Italian forms."""
    return decimal_text(mills, currency).replace(".", ",")


def _typed_rows(request: HttpRequest) -> list[tuple[str, str]]:
    days, amounts = request.POST.getlist("due"), request.POST.getlist("part")
    return [(day, amount) for day, amount in zip(days, amounts, strict=False) if day or amount]


def _offer_plan(request: HttpRequest, account_id: int, currency: str) -> int:
    installments = []
    for day, amount in _typed_rows(request):
        due, mills = day_or_none(day), mills_or_none(amount, currency)
        if due is None:
            raise SaldoError("date_not_understood", date=day[:40])
        installments.append((due, mills or 0))
    told = request.POST
    rule = PlanRule(*(_small(told.get(name)) for name in ("tolerance_days", "missed_limit", "late_percent")))
    if not rule.missed_limit and not rule.late_percent:
        raise SaldoError("plan_rule_invalid", name="missed_limit", value="0", first=1, last=24)
    text, day = told.get("milestone", "").strip(), day_or_none(told.get("milestone_date", ""))
    stones = [(day, text)] if text and day else []
    return offers.offer_plan(
        request.desk.ctx, account_id, currency, sorted(installments), _items(request), rule, stones,
        _note(request), told.get("language", "it"),
    )  # fmt: skip


def _small(text: str | None) -> int:
    told = (text or "0").strip()
    return min(int(told), 100) if told.isascii() and told.isdigit() and len(told) < 4 else 0


@page(may_of(MAY_OFFER))
@require_http_methods(["GET", "POST"])
def discount_page(request: HttpRequest, account_id: int) -> HttpResponse:
    """A discount for paying early: GET tells what it costs a year, POST offers it."""
    header = _account(request, account_id)
    ctx = request.desk.ctx
    given = request.POST if request.method == "POST" else request.GET
    currency = given.get("currency", header.currency)[:3]
    debits = _debits(request, account_id, currency)
    chosen = set(_chosen(request)) & {item.id for item in debits}
    typed = {
        "rate": given.get("rate", f"{DISCOUNT_BP / 100:.2f}".replace(".", ",")),
        "pay_by": day_or_none(given.get("pay_by", "")) or ctx.as_of + timedelta(days=PAY_BY_DAYS),
        "usual": day_or_none(given.get("usual", "")),
    }  # fmt: skip
    picked = sorted(chosen or {item.id for item in debits})
    if typed["usual"] is None and picked:
        typed["usual"] = max(
            expected_payment(ctx, account_id, picked), typed["pay_by"] + timedelta(days=1)
        )  # fmt: skip
    rate, error = _error_of(lambda: _basis_points(typed["rate"]))
    if request.method == "POST" and error is None:
        made, error = _error_of(
            lambda: offers.offer_discount(
                ctx, account_id, currency, sorted(chosen), rate, typed["pay_by"],
                typed["usual"] or typed["pay_by"], _note(request), given.get("language", "it"),
            )
        )  # fmt: skip
        if error is None:
            return redirect("offer", account_id=account_id, offer_id=made)
    rules = rules_of(header.company_id)
    terms = None
    fits = rate and typed["usual"] and ctx.as_of <= typed["pay_by"] < typed["usual"] and picked
    if fits:
        amounts = [to_mills(item.balance) for item in debits if item.id in picked]
        terms = discount_terms(
            amounts, currency, rate, typed["pay_by"], typed["usual"], rules.cost_of_money_bp
        )  # fmt: skip
    shown = {
        "account": header, "currency": currency, "debits": debits, "chosen": set(picked), "typed": typed,
        "terms": _terms_shown(terms, currency), "error": error, "today": ctx.as_of,
        "cost_of_money": Decimal(rules.cost_of_money_bp) / 100,
        "needs_approval": bool(rate) and rate > rules.max_discount_bp,
    }  # fmt: skip
    return render(request, "web/plans/discount.html", shown, status=400 if error else 200)


def _basis_points(text: str) -> int:
    try:
        rate = Decimal(text.strip().replace(",", ".").rstrip("% "))
        points = int(rate * 100)
    except (InvalidOperation, ValueError, OverflowError) as wrong:
        raise SaldoError("amount_not_understood", amount=text.strip()[:40]) from wrong
    if not 0 < points < 5_000:
        raise SaldoError("amount_not_understood", amount=text.strip()[:40])
    return points


def _terms_shown(terms: Any, currency: str) -> dict[str, Any] | None:
    if terms is None:
        return None
    return {
        "discount": from_mills(terms.discount_mills), "to_pay": from_mills(terms.to_pay_mills),
        "days": terms.days, "annual": Decimal(terms.annual_bp) / 100,
        "break_even": Decimal(terms.break_even_bp) / 100, "is_worth": terms.is_worth,
    }  # fmt: skip


# --- one offer --------------------------------------------------------------------------------------


def _offer(request: HttpRequest, account_id: int, offer_id: int) -> Any:
    _account(request, account_id)
    found = [row for row in offers.offers_of(request.desk.ctx, account_id) if row.id == offer_id]
    if not found:
        raise Http404
    return found[0]


@page(may_of(MAY_OFFER))
@require_http_methods(["GET"])
def offer_page(request: HttpRequest, account_id: int, offer_id: int) -> HttpResponse:
    row = _offer(request, account_id, offer_id)
    link = link_of(row)
    shown = {
        "account": _account(request, account_id), "row": row, "page": page_of(request.desk.ctx, row),
        "link": link and (link if "://" in link else request.build_absolute_uri(link)),
        "may_approve": bool(request.desk.roles & MAY_APPROVE) and row.actor != request.desk.ctx.actor,
        "terms": _terms_shown(row.terms, row.currency), "words": WORDS, "ways": AGREED_WAYS.items(),
    }  # fmt: skip
    return render(request, "web/plans/offer.html", shown)


@page(may_of(MAY_OFFER))
@require_POST
def decide_page(request: HttpRequest, account_id: int, offer_id: int) -> HttpResponse:
    """What becomes of an offer, by people: approved, refused, withdrawn, or accepted on the phone."""
    row = _offer(request, account_id, offer_id)
    ctx, act, note = request.desk.ctx, request.POST.get("act", ""), _note(request)
    if act in ("approve", "refuse"):
        if not request.desk.roles & MAY_APPROVE:
            return HttpResponse(status=403)
        (offers.approve if act == "approve" else offers.refuse)(ctx, row.id, note)
        told = _("The offer is approved.") if act == "approve" else _("The offer is not approved.")
    elif act == "withdraw":
        offers.withdraw(ctx, row.id, note)
        told = _("The offer is withdrawn.")
    elif act == "agree" and request.POST.get("way") in AGREED_WAYS:
        agree_by_hand(ctx, row.id, request.POST.get("name", ""), request.POST["way"])
        return _back(request, account_id, _("It is agreed."))
    else:
        return HttpResponse(status=400)
    messages.success(request, told)
    return redirect("offer", account_id=account_id, offer_id=offer_id)


# --- guarantees, milestones -------------------------------------------------------------------------


@page(may_of(MAY_GUARANTEE))
@require_POST
def guarantee_page(request: HttpRequest, account_id: int) -> HttpResponse:
    header, told = _account(request, account_id), request.POST
    amount = mills_or_none(told.get("amount", ""), header.currency)
    if amount is None:
        raise SaldoError("amount_not_understood", amount="")
    plan = number(told.get("plan"))
    add_guarantee(
        request.desk.ctx, account_id, told.get("kind", ""), header.currency, amount,
        day_or_none(told.get("expiry_date", "")), plan, told.get("giver", ""), note=_note(request),
    )  # fmt: skip
    return _back(request, account_id, _("The guarantee is recorded."))


@page(may_of(MAY_GUARANTEE))
@require_POST
def end_guarantee_page(request: HttpRequest, account_id: int, fact_id: int) -> HttpResponse:
    _account(request, account_id)
    if all(row.id != fact_id for row in guarantees_of(request.desk.ctx, account_id)):
        raise Http404
    end_guarantee(request.desk.ctx, fact_id, request.POST.get("outcome", ""), _note(request))
    return _back(request, account_id, _("The guarantee has ended."))


@page(may_of(MAY_OFFER))
@require_POST
def milestone_page(request: HttpRequest, account_id: int, fact_id: int) -> HttpResponse:
    _account(request, account_id)
    stones = [stone.id for plan in plans_of(request.desk.ctx, account_id) for stone in plan.milestones]
    if fact_id not in stones:
        raise Http404
    meet_milestone(request.desk.ctx, fact_id, _note(request))
    return _back(request, account_id, _("Noted: that commitment is met."))


# --- the company's page -----------------------------------------------------------------------------


def _reads_all(desk: Desk) -> bool:
    return desk.company is not None and desk.reads_all


@page(_reads_all)
@require_http_methods(["GET"])
def plans_page(request: HttpRequest) -> HttpResponse:
    """What waits for a second person or the customer, plans that are behind, guarantees that end soon."""
    desk = request.desk
    found = company_plans(desk.ctx)
    rules = rules_of(desk.company.id)
    shown = {
        "found": found, "words": WORDS, "may_set": bool(desk.roles & MAY_SET_PLANS),
        "may_offer": bool(desk.roles & MAY_OFFER),
        "rules": [
            (name, label, _rule_value(name, getattr(rules, name)), *_range(name)) for name, label in RULES
        ],
    }  # fmt: skip
    return render(request, "web/plans/page.html", shown)


def _rule_value(name: str, value: int) -> int:
    return value // 1000 if name == "four_eyes_mills" else value


def _range(name: str) -> Sequence[int]:
    first, last = RANGES[name]
    return (first, last // 1000) if name == "four_eyes_mills" else (first, last)


@page(may_of(MAY_SET_PLANS))
@require_POST
def plan_rules_page(request: HttpRequest) -> HttpResponse:
    told = {name: request.POST[name] for name in RANGES if name in request.POST}
    amount = told.get("four_eyes_mills", "").strip()
    if amount.isascii() and amount.isdigit():
        told["four_eyes_mills"] = f"{amount}000"
    change_rules(request.desk.ctx, request.desk.company.id, _note(request), **told)
    messages.success(request, _("The rules for plans are saved; plans that were agreed keep their own."))
    return redirect("plans")


def offered_facts(desk: Desk, ctx: Any, account_id: int) -> dict[str, Any]:
    """Of the account's page: its offers and guarantees, and what the reader may do about them."""
    may = bool(desk.roles & MAY_OFFER)
    found = offers.offers_of(ctx, account_id) if may else []
    return {
        "offers": [row for row in found if row.state in (offers.OPEN, offers.TO_APPROVE)]
        + [row for row in found if row.kind == offers.DISCOUNT and row.state == offers.ACCEPTED][:2],
        "guarantees": guarantees_of(ctx, account_id), "guarantee_ends": ENDS,
        "guarantee_kinds": GUARANTEE_KINDS.items(), "plan_words": WORDS, "may_offer": may,
    }  # fmt: skip
