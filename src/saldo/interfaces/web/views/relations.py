"""What is agreed, objected to or claimed on an account, and who may be written to: the forms of its page.

Every form is one operation. What was recorded is never changed: it is ended.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from saldo.cash.claims import MAY_CLAIM, MAY_END_CLAIM, claims_of, end_claim, open_claims, record_claim
from saldo.collection.holds import MAY_HOLD, end_hold, hold, holds_of
from saldo.core.errors import SaldoError
from saldo.disputes.operations import end_dispute, open_dispute
from saldo.disputes.queries import MAY_DISPUTE, disputes_of
from saldo.flows.blocks import booked_until
from saldo.flows.judged_promises import promises_of
from saldo.interfaces.web.cash_forms import number
from saldo.interfaces.web.desk import Desk, page
from saldo.interfaces.web.outreach_labels import DISPUTE_REASONS, HOLD_REASONS
from saldo.interfaces.web.typed import day_or_none, mills_or_none
from saldo.interfaces.web.views.cash import may_read as may_read_cash
from saldo.interfaces.web.views.worklist import parse_offset
from saldo.parties.contacts import MAY_EDIT_CONTACTS
from saldo.parties.queries import account_header, contacts_of
from saldo.parties.stops import (
    MAY_RELEASE_ADDRESS,
    MAY_STOP_ADDRESS,
    RECORDING,
    give_consent,
    release_address,
    stop_address,
    stops_of,
)
from saldo.promises.operations import end_plan, end_promise, record_promise
from saldo.promises.plan_facts import plans_of
from saldo.promises.queries import MAY_PROMISE

NOTE_CHARACTERS = 500
CLAIM_ROWS = 50
PROMISE_ENDS = ("withdrawn", "mistake")
DISPUTE_ENDS = ("withdrawn", "credited", "refused", "written_off", "mistake")
PLAN_ENDS = ("completed", "fallen", "withdrawn")
CLAIM_ENDS = ("found", "not_found", "mistake")
STOPPABLE = ("email", "pec", "sms")
CONSENTS = ("sms", RECORDING)
# Each in its own words, as people look for it.
CONTACT_LANGUAGES = (("it", "Italiano"), ("en", "English"))


def _note(request: HttpRequest) -> str:
    return request.POST.get("note", "").strip()[:NOTE_CHARACTERS]


def _account(request: HttpRequest, account_id: int) -> Any:
    header = account_header(request.desk.ctx, account_id)
    if header is None or request.desk.company is None:
        raise Http404
    return header


def _back(request: HttpRequest, account_id: int, words: str, place: str = "agreed") -> HttpResponse:
    messages.success(request, words)
    address = f"{reverse('account', args=[account_id])}#{place}"
    return HttpResponse(headers={"HX-Redirect": address}) if request.htmx else redirect(address)


def _items(request: HttpRequest) -> list[int]:
    return [each for each in map(number, request.POST.getlist("item")) if each]


def may_of(allowed: frozenset[str]) -> Callable[[Desk], bool]:
    return lambda desk: desk.company is not None and bool(desk.roles & allowed)


def facts_of(desk: Desk, ctx: Any, account_id: int) -> dict[str, Any]:
    """All that the account's page shows of agreements and objections, and what the reader may add or end."""
    promises, plans = promises_of(ctx, account_id), plans_of(ctx, account_id, booked_until(ctx))
    disputes, holds, claims = (
        disputes_of(ctx, account_id),
        holds_of(ctx, account_id),
        claims_of(ctx, account_id),
    )
    return {
        "promises": promises, "open_promises": [row for row in promises if row.is_open],
        "plans": plans, "disputes": disputes, "holds": holds, "claims": claims,
        "stops": {row.address: row for row in stops_of(ctx, account_id)},
        "dispute_reasons": DISPUTE_REASONS.items(), "hold_reasons": HOLD_REASONS.items(),
        "promise_ends": PROMISE_ENDS, "dispute_ends": DISPUTE_ENDS, "plan_ends": PLAN_ENDS,
        "claim_ends": CLAIM_ENDS,
        "may_promise": bool(desk.roles & MAY_PROMISE), "may_dispute": bool(desk.roles & MAY_DISPUTE),
        "may_hold": bool(desk.roles & MAY_HOLD), "may_claim": bool(desk.roles & MAY_CLAIM),
        "may_end_claim": bool(desk.roles & MAY_END_CLAIM), "may_stop": bool(desk.roles & MAY_STOP_ADDRESS),
        "may_release": bool(desk.roles & MAY_RELEASE_ADDRESS),
        "may_edit_contacts": bool(desk.roles & MAY_EDIT_CONTACTS), "contact_languages": CONTACT_LANGUAGES,
    }  # fmt: skip


@page(may_of(MAY_PROMISE))
@require_POST
def promise_page(request: HttpRequest, account_id: int) -> HttpResponse:
    header = _account(request, account_id)
    currency = request.POST.get("currency", header.currency)[:3]
    day = day_or_none(request.POST.get("promised_date", ""))
    if day is None:
        raise SaldoError("date_not_understood", date=request.POST.get("promised_date", "")[:40])
    amount = mills_or_none(request.POST.get("amount", ""), currency)
    record_promise(
        request.desk.ctx, account_id, currency, day, amount, _items(request), _note(request),
        replaces=request.POST.get("replaces") == "yes",
    )  # fmt: skip
    return _back(request, account_id, _("The promise is recorded."))


@page(may_of(MAY_DISPUTE))
@require_POST
def dispute_page(request: HttpRequest, account_id: int) -> HttpResponse:
    """One item and the part of it that the customer objects to; without an amount, all of it."""
    header = _account(request, account_id)
    chosen = _items(request)
    amount = mills_or_none(request.POST.get("amount", ""), header.currency)
    open_dispute(
        request.desk.ctx, account_id, [(each, amount) for each in chosen],
        request.POST.get("reason", "other"), _note(request),
    )  # fmt: skip
    return _back(request, account_id, _("The dispute is open: its amount is not asked for."))


@page(may_of(MAY_HOLD))
@require_POST
def hold_page(request: HttpRequest, account_id: int) -> HttpResponse:
    _account(request, account_id)
    day = day_or_none(request.POST.get("until_date", ""))
    if day is None:
        raise SaldoError("date_not_understood", date=request.POST.get("until_date", "")[:40])
    item_id = number(request.POST.get("item"))
    hold(request.desk.ctx, account_id, day, request.POST.get("reason", "other"), item_id, note=_note(request))
    return _back(request, account_id, _("On hold: nothing is asked until that day is over."))


@page(may_of(MAY_CLAIM))
@require_POST
def claim_page(request: HttpRequest, account_id: int) -> HttpResponse:
    header = _account(request, account_id)
    currency = request.POST.get("currency", header.currency)[:3]
    amount = mills_or_none(request.POST.get("amount", ""), currency)
    day = day_or_none(request.POST.get("paid_date", ""))
    record_claim(request.desk.ctx, account_id, currency, _items(request), amount, day, _note(request))
    return _back(request, account_id, _("The cash desk looks for it; meanwhile nothing is asked."))


def _end(request: HttpRequest, account_id: int, rows: Any, row_id: int, ends: tuple[str, ...]) -> str:
    """The outcome asked for, of something of this account."""
    _account(request, account_id)
    if all(row.id != row_id for row in rows):
        raise Http404
    outcome = request.POST.get("outcome", "")
    if outcome not in ends:
        raise SaldoError("outcome_unknown", outcome=outcome[:40], known=", ".join(ends))
    return outcome


@page(may_of(MAY_PROMISE))
@require_POST
def end_promise_page(request: HttpRequest, account_id: int, fact_id: int) -> HttpResponse:
    ctx = request.desk.ctx
    outcome = _end(request, account_id, promises_of(ctx, account_id), fact_id, PROMISE_ENDS)
    end_promise(ctx, fact_id, outcome, _note(request))
    return _back(request, account_id, _("The promise has ended."))


@page(may_of(MAY_PROMISE))
@require_POST
def end_plan_page(request: HttpRequest, account_id: int, fact_id: int) -> HttpResponse:
    ctx = request.desk.ctx
    outcome = _end(request, account_id, plans_of(ctx, account_id), fact_id, PLAN_ENDS)
    end_plan(ctx, fact_id, outcome, _note(request))
    return _back(request, account_id, _("The plan has ended."))


@page(may_of(MAY_DISPUTE))
@require_POST
def end_dispute_page(request: HttpRequest, account_id: int, fact_id: int) -> HttpResponse:
    ctx = request.desk.ctx
    outcome = _end(request, account_id, disputes_of(ctx, account_id), fact_id, DISPUTE_ENDS)
    end_dispute(ctx, fact_id, outcome, _note(request))
    return _back(request, account_id, _("The dispute has ended."))


@page(may_of(MAY_HOLD))
@require_POST
def end_hold_page(request: HttpRequest, account_id: int, fact_id: int) -> HttpResponse:
    ctx = request.desk.ctx
    _account(request, account_id)
    if all(row.id != fact_id for row in holds_of(ctx, account_id)):
        raise Http404
    end_hold(ctx, fact_id, _note(request))
    return _back(request, account_id, _("The hold has ended."))


@page(may_of(MAY_END_CLAIM))
@require_POST
def end_claim_page(request: HttpRequest, account_id: int, fact_id: int) -> HttpResponse:
    """What the cash desk found: the money, nothing, or that nobody had said so."""
    ctx = request.desk.ctx
    outcome = _end(request, account_id, claims_of(ctx, account_id), fact_id, CLAIM_ENDS)
    end_claim(ctx, fact_id, outcome, _note(request))
    words = {"found": _("found"), "not_found": _("not found"), "mistake": _("recorded by mistake")}[outcome]
    if request.POST.get("next") == "cash":
        messages.success(request, f"{_account(request, account_id).name}: {words}")
        return redirect("cash_claims")
    return _back(request, account_id, _("Noted: %(outcome)s.") % {"outcome": words})


@page(may_of(MAY_STOP_ADDRESS))
@require_POST
def stop_page(request: HttpRequest, account_id: int) -> HttpResponse:
    """Nothing is sent to an address of this account any more."""
    header = _account(request, account_id)
    channel, address = request.POST.get("channel", ""), request.POST.get("address", "").strip()[:200]
    known = {
        value for each in contacts_of(account_id) for value in (each.email, each.pec, each.phone) if value
    }
    if channel not in STOPPABLE or address not in known:
        return HttpResponse(status=400)
    stop_address(request.desk.ctx, channel, address, "person", header.company_id, note=_note(request))
    return _back(
        request, account_id, _("Nothing is sent to %(address)s any more.") % {"address": address}, "contacts"
    )


@page(may_of(MAY_RELEASE_ADDRESS))
@require_POST
def release_page(request: HttpRequest, account_id: int, fact_id: int) -> HttpResponse:
    _account(request, account_id)
    if all(row.id != fact_id for row in stops_of(request.desk.ctx, account_id)):
        raise Http404
    release_address(request.desk.ctx, fact_id, _note(request))
    return _back(request, account_id, _("The address may be written to again."), "contacts")


@page(may_of(MAY_RELEASE_ADDRESS))
@require_POST
def consent_page(request: HttpRequest, account_id: int, contact_id: int) -> HttpResponse:
    """A contact agreed to a channel, or no longer does."""
    _account(request, account_id)
    if all(contact.id != contact_id for contact in contacts_of(account_id)):
        raise Http404
    channel, is_given = request.POST.get("channel", ""), request.POST.get("given") == "yes"
    if channel not in CONSENTS:
        return HttpResponse(status=400)
    give_consent(request.desk.ctx, contact_id, channel, is_given, _note(request))
    return _back(request, account_id, _("The consent is recorded."), "contacts")


@page(may_read_cash)
def claims_page(request: HttpRequest) -> HttpResponse:
    """What customers say they have paid already, for the cash desk to look for."""
    offset = parse_offset(request.GET.get("offset", ""))
    rows = open_claims(request.desk.ctx)
    shown = {
        "rows": rows[offset : offset + CLAIM_ROWS], "count": len(rows),
        "may_end": bool(request.desk.roles & MAY_END_CLAIM),
        "next": offset + CLAIM_ROWS if offset + CLAIM_ROWS < len(rows) else None,
        "previous": max(0, offset - CLAIM_ROWS) if offset else None,
    }  # fmt: skip
    return render(request, "web/cash/claims.html", shown)
