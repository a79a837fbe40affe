"""Visits: where money waits, a day of them, its sheet for paper, and what came of each."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from saldo.collection.rounds import AHEAD_DAYS, MAY_PLAN_OTHERS, MAY_VISIT, addresses, rounds
from saldo.core.errors import SaldoError
from saldo.core.outcomes import DELAY_REASONS
from saldo.core.visits import DAY_MINUTES, total_minutes
from saldo.flows import visit_sheet, visits
from saldo.flows.log_call import CallLog
from saldo.interfaces import clock
from saldo.interfaces.web.cash_forms import number
from saldo.interfaces.web.desk import Desk, page
from saldo.interfaces.web.typed import day_or_none, mills_or_none
from saldo.interfaces.web.views.relations import may_of
from saldo.interfaces.web.views.worklist import parse_amount

SHOWN_DAYS = 14
AREA_ROWS = 60
NOTE_CHARACTERS = 500
HOURS = (2, 4, 7)
RESULTS = ("reached", "promise", "dispute", "already_paid", "refuses", "not_found")


def _minimum(request: HttpRequest) -> Decimal:
    return parse_amount(request.GET.get("min", "") or request.POST.get("min", "")) or Decimal(0)


def _collector(request: HttpRequest) -> str:
    """Whose day it is: one's own; somebody else's is for who may plan others' days."""
    desk: Desk = request.desk
    asked = (request.POST.get("collector") or request.GET.get("collector") or "").strip()[:150]
    return asked if asked and desk.roles & MAY_PLAN_OTHERS else desk.ctx.actor


@page(may_of(MAY_VISIT))
@require_GET
def visits_page(request: HttpRequest) -> HttpResponse:
    """The rounds that are planned, and the areas where money waits."""
    desk: Desk = request.desk
    minimum = _minimum(request)
    mine = "" if desk.roles & MAY_PLAN_OTHERS else desk.ctx.actor
    found = visits.areas(desk.ctx, desk.company.id, minimum)
    shown = {
        "rounds": rounds(desk.ctx, clock.today() - timedelta(days=SHOWN_DAYS), mine),
        "areas": found[:AREA_ROWS], "more": max(len(found) - AREA_ROWS, 0),
        "typed": request.GET.get("min", ""),
        "currency": desk.company.currency, "has_run": desk.run is not None, "today": clock.today(),
    }  # fmt: skip
    return render(request, "web/visits/page.html", shown)


@page(may_of(MAY_VISIT))
@require_http_methods(["GET", "POST"])
def new_page(request: HttpRequest) -> HttpResponse:
    """A day in an area: GET proposes it, POST keeps what was ticked."""
    desk: Desk = request.desk
    area = (request.POST.get("area") or request.GET.get("area") or "")[:12]
    day = day_or_none(request.POST.get("day", "") or request.GET.get("day", "")) or _next_day(clock.today())
    if request.method == "POST":
        chosen = [each for each in map(number, request.POST.getlist("account")) if each]
        made = visits.save(
            desk.ctx, desk.company.id, _collector(request), day, chosen,
            request.POST.get("note", "").strip()[:NOTE_CHARACTERS],
        )  # fmt: skip
        messages.success(request, _("The round is ready."))
        return redirect("visit_round", made)
    hours = number(request.GET.get("hours")) or 0
    minutes = hours * 60 if hours in HOURS else DAY_MINUTES
    placed = visits.draft(desk.ctx, desk.company.id, area, minutes, _minimum(request))
    names = addresses(desk.ctx, [each.stop.account_id for each in placed])
    shown = {
        "area": area, "day": day, "hours": HOURS, "chosen_hours": minutes // 60,
        "minutes": total_minutes(placed),
        "stops": [(each, names[each.stop.account_id][1]) for each in placed if each.stop.account_id in names],
        "currency": desk.company.currency, "may_plan_others": bool(desk.roles & MAY_PLAN_OTHERS),
        "collector": _collector(request), "typed": request.GET.get("min", ""),
        "first": clock.today(), "last": clock.today() + timedelta(days=AHEAD_DAYS),
    }  # fmt: skip
    return render(request, "web/visits/new.html", shown)


def _next_day(today: date) -> date:
    """The next weekday."""
    return today + timedelta(days={4: 3, 5: 2}.get(today.weekday(), 1))


def _round(request: HttpRequest, round_id: int) -> visits.VisitDay:
    """The round, for whose day it is or who may plan others' days."""
    desk: Desk = request.desk
    try:
        found = visits.round_page(desk.ctx, round_id)
    except SaldoError as error:
        raise Http404 from error
    if found.row.collector != desk.ctx.actor and not desk.roles & MAY_PLAN_OTHERS:
        raise Http404
    return found


@page(may_of(MAY_VISIT))
@require_GET
def round_page(request: HttpRequest, round_id: int) -> HttpResponse:
    found = _round(request, round_id)
    shown: dict[str, Any] = {
        "round": found, "row": found.row, "currency": found.currency, "results": RESULTS,
        "delay_reasons": DELAY_REASONS, "is_today": found.row.day <= clock.today(),
        "may_change": found.row.day >= request.desk.ctx.as_of, "earliest": request.desk.ctx.as_of,
    }  # fmt: skip
    return render(request, "web/visits/round.html", shown)


@page(may_of(MAY_VISIT))
@require_POST
def change_page(request: HttpRequest, round_id: int) -> HttpResponse:
    """One customer earlier, later, or out of the round."""
    _round(request, round_id)
    account_id = number(request.POST.get("account")) or 0
    steps = {"up": -1, "down": 1, "out": 0}.get(request.POST.get("move", ""))
    if steps is None:
        return HttpResponse(status=400)
    made = visits.reorder(request.desk.ctx, round_id, account_id, steps)
    left = visits.round_page(request.desk.ctx, made).row.stops
    if not left:
        messages.success(request, _("The round is called off."))
        return redirect("visits")
    return redirect("visit_round", made)


@page(may_of(MAY_VISIT))
@require_GET
def sheet_page(request: HttpRequest, round_id: int) -> HttpResponse:
    """The sheet to take along, as PDF."""
    found = _round(request, round_id)
    content = visit_sheet.sheet_pdf(request.desk.ctx, found, request.LANGUAGE_CODE)
    response = HttpResponse(content, content_type="application/pdf")
    name = f"{_('visits')}-{found.row.day.isoformat()}.pdf"
    response["Content-Disposition"] = f'inline; filename="{name}"'
    return response


@page(may_of(MAY_VISIT))
@require_POST
def outcome_page(request: HttpRequest, round_id: int, account_id: int) -> HttpResponse:
    """What came of one visit."""
    desk: Desk = request.desk
    found = _round(request, round_id)
    told = request.POST
    result = told.get("result", "")
    if result not in RESULTS:
        return HttpResponse(status=400)
    takes = result in ("promise", "dispute", "already_paid")
    log = CallLog(
        result=result, note=told.get("note", "").strip()[:NOTE_CHARACTERS],
        delay_reason=told.get("delay_reason", "")[:20], currency=found.currency,
        amount_mills=mills_or_none(told.get("amount", ""), found.currency) if takes else None,
        item_ids=[each for each in map(number, told.getlist("item")) if each] if takes else (),
        promised_date=day_or_none(told.get("promised_date", "")) if result == "promise" else None,
        dispute_reason="other" if result == "dispute" else "",
    )  # fmt: skip
    visits.record_visit(desk.ctx, round_id, account_id, log)
    name = next(stop.account.name for stop in found.stops if stop.account.id == account_id)
    messages.success(request, f"{name}: {_('visit recorded')}")
    return redirect("visit_round", found.row.id)
