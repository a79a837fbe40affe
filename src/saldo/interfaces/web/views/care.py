"""What customers say: why they are late, how content they are, what they asked for; and courtesy calls."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from saldo.core.outcomes import DELAY_REASONS, PHONE
from saldo.core.preferences import CONTACT, KINDS
from saldo.flows.courtesy import DAYS, LARGE_SHARE, SPOKEN_DAYS, courtesy_calls
from saldo.flows.log_call import CallLog, log_call
from saldo.interfaces.web.cash_forms import number
from saldo.interfaces.web.desk import Desk, page
from saldo.interfaces.web.typed import day_or_none, mills_or_none
from saldo.interfaces.web.views.relations import may_of
from saldo.measurement.causes import MAY_READ_CAUSES, customers_of_cause, delay_causes
from saldo.measurement.surveys import answers, results
from saldo.parties.preferences import (
    MAY_PREFER,
    end_preference,
    preferences_of,
    record_preference,
)
from saldo.parties.queries import account_header

PERIODS = (30, 90, 365)
ANSWER_ROWS = 50
NOTE_CHARACTERS = 500
# What a courtesy call usually comes to.
COURTESY_RESULTS = ("reached", "promise", "no_answer", "call_back")


def _days(request: HttpRequest) -> int:
    asked = number(request.GET.get("days"))
    return asked if asked in PERIODS else PERIODS[1]


@page(may_of(MAY_READ_CAUSES))
@require_GET
def care_page(request: HttpRequest) -> HttpResponse:
    """Reasons for delay by cause, and what surveys said, over a period."""
    desk: Desk = request.desk
    days, until = _days(request), desk.ctx.as_of
    since = until - timedelta(days=days)
    shown = {
        "days": days, "periods": PERIODS, "since": since, "until": until,
        "causes": delay_causes(desk.ctx, since, until),
        "surveys": results(desk.ctx, since, until),
        "answers": answers(desk.ctx, since, until)[:ANSWER_ROWS],
    }  # fmt: skip
    return render(request, "web/care/page.html", shown)


@page(may_of(MAY_READ_CAUSES))
@require_GET
def cause_page(request: HttpRequest, reason: str) -> HttpResponse:
    """The customers behind one cause."""
    desk: Desk = request.desk
    if reason not in DELAY_REASONS:
        raise Http404
    days, until = _days(request), desk.ctx.as_of
    rows = customers_of_cause(desk.ctx, reason, until - timedelta(days=days), until)
    return render(request, "web/care/cause.html", {"reason": reason, "days": days, "rows": rows})


def preferences_shown(desk: Desk, ctx: Any, account_id: int) -> dict[str, Any]:
    """What the account's page shows of what the customer asked for."""
    return {
        "preferences": preferences_of(ctx, account_id),
        "may_prefer": bool(desk.roles & MAY_PREFER),
        "preference_kinds": KINDS,
    }


def _account(request: HttpRequest, account_id: int) -> Any:
    header = account_header(request.desk.ctx, account_id)
    if header is None or request.desk.company is None:
        raise Http404
    return header


def _back(request: HttpRequest, account_id: int, words: str) -> HttpResponse:
    messages.success(request, words)
    return redirect(f"{reverse('account', args=[account_id])}#asked")


@page(may_of(MAY_PREFER))
@require_POST
def preference_page(request: HttpRequest, account_id: int) -> HttpResponse:
    """Something that the customer asked for, once."""
    _account(request, account_id)
    told = request.POST
    kind = told.get("kind", "")[:40]
    contact_id = number(told.get("contact")) if kind == CONTACT or told.get("contact") else None
    record_preference(
        request.desk.ctx, account_id, kind, told.get("value", ""), told.get("note", ""), contact_id or None
    )
    return _back(request, account_id, _("Noted: nobody needs to ask for it again."))


@page(may_of(MAY_PREFER))
@require_POST
def end_preference_page(request: HttpRequest, account_id: int, fact_id: int) -> HttpResponse:
    ctx = request.desk.ctx
    _account(request, account_id)
    if all(row.id != fact_id for row in preferences_of(ctx, account_id)):
        raise Http404
    end_preference(ctx, fact_id, request.POST.get("note", "").strip()[:NOTE_CHARACTERS])
    return _back(request, account_id, _("It no longer holds."))


def may_call(desk: Desk) -> bool:
    return desk.company is not None and desk.may_call


@page(may_call)
@require_GET
def courtesy_page(request: HttpRequest) -> HttpResponse:
    """Whom to call before a large amount falls due."""
    desk: Desk = request.desk
    typed = request.GET.get("min", "")[:40]
    minimum = mills_or_none(typed, desk.company.currency)
    rows = courtesy_calls(desk.ctx, desk.company.id, DAYS, minimum)
    shown = {
        "rows": rows, "days": DAYS, "share": LARGE_SHARE, "spoken_days": SPOKEN_DAYS, "typed": typed,
        "results": COURTESY_RESULTS, "total": sum(row.asked_mills for row in rows),
        "currency": desk.company.currency, "earliest": desk.ctx.as_of + timedelta(days=1),
    }  # fmt: skip
    return render(request, "web/care/courtesy.html", shown)


@page(may_call)
@require_POST
def courtesy_outcome_page(request: HttpRequest, account_id: int) -> HttpResponse:
    """What came of a courtesy call."""
    desk: Desk = request.desk
    header = _account(request, account_id)
    result, told = request.POST.get("result", ""), request.POST
    if result not in COURTESY_RESULTS:
        return HttpResponse(status=400)
    day = day_or_none(told.get("day", ""))
    log = CallLog(
        result=result, channel=PHONE, note=told.get("note", "").strip()[:NOTE_CHARACTERS],
        promised_date=day if result == "promise" else None,
        amount_mills=mills_or_none(told.get("amount", ""), header.currency) if result == "promise" else None,
        item_ids=[each for each in map(number, told.getlist("item")) if each] if result == "promise" else (),
        follow_up_date=day if result in ("call_back", "no_answer") else None,
    )  # fmt: skip
    log_call(desk.ctx, account_id, log)
    messages.success(request, f"{header.name}: {_('call recorded')}")
    return redirect("courtesy")
