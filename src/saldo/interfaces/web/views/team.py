"""The team: who does what today, in how many minutes, what is slipping; minutes and accounts are given."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from saldo.collection.assignments import (
    MOST_MINUTES,
    assign,
    collector_of,
    collectors_of,
    hand_over,
    may_be_given,
    set_capacity,
)
from saldo.core.desk_prior import default_desk_prior
from saldo.core.errors import SaldoError
from saldo.flows.team import team_of_day
from saldo.interfaces import clock
from saldo.interfaces.web.desk import Desk, page
from saldo.interfaces.web.typed import day_or_none
from saldo.parties.queries import account_header

NOTE_CHARACTERS = 500


def _leads(desk: Desk) -> bool:
    return desk.company is not None and desk.may_promote


def _reads(desk: Desk) -> bool:
    return _leads(desk) or (desk.company is not None and desk.reads_models)


@page(_reads)
@require_GET
def team_page(request: HttpRequest) -> HttpResponse:
    """Everybody's day, and what nobody has done though its day is over."""
    desk: Desk = request.desk
    if desk.run is None:
        return render(request, "web/worklist_empty.html", {"first_day": clock.today()})
    today = desk.ctx.at(clock.today())
    shown = {
        "team": team_of_day(desk.ctx, desk.run),
        "currency": desk.company.currency,
        "may_lead": _leads(desk),
        "people": collectors_of(today),
        "may_be_given": may_be_given(desk.company.id),
        "most": MOST_MINUTES,
        "usual": default_desk_prior().default_minutes,
        "today": clock.today(),
        "has_minutes": any(one.minutes for one in collectors_of(today)),
    }
    return render(request, "web/team/page.html", shown)


def _days(request: HttpRequest) -> tuple[object, object]:
    told = []
    for name in ("from_date", "until_date"):
        typed = request.POST.get(name, "").strip()
        day = day_or_none(typed)
        if typed and day is None:
            raise SaldoError("desk_days_wrong", first=typed, last=typed, as_of=clock.today())
        told.append(day)
    return told[0], told[1]


@page(_leads)
@require_POST
def capacity_page(request: HttpRequest) -> HttpResponse:
    """Minutes a day of a collector."""
    desk: Desk = request.desk
    typed = request.POST.get("minutes", "").strip()
    if not (typed.isascii() and typed.isdigit() and len(typed) < 6):
        raise SaldoError("capacity_wrong", minutes=typed or "–", most=MOST_MINUTES)
    first, last = _days(request)
    set_capacity(
        desk.ctx.at(clock.today()), request.POST.get("collector", "").strip()[:150], int(typed), first, last,
        request.POST.get("note", "").strip()[:NOTE_CHARACTERS],
    )  # fmt: skip
    messages.success(request, _("Minutes recorded: the next run of the day shares the work out by them."))
    return redirect("team")


@page(_leads)
@require_POST
def hand_over_page(request: HttpRequest) -> HttpResponse:
    """All of a collector's accounts become somebody else's, for good or for some days."""
    desk: Desk = request.desk
    first, last = _days(request)
    count = hand_over(
        desk.ctx.at(clock.today()), request.POST.get("former", "").strip()[:150],
        request.POST.get("collector", "").strip()[:150], first, last,
        request.POST.get("note", "").strip()[:NOTE_CHARACTERS],
    )  # fmt: skip
    told = ngettext("%(n)s customer changed hands.", "%(n)s customers changed hands.", count) % {"n": count}
    messages.success(request, told)
    return redirect("team")


@page(_leads)
@require_http_methods(["GET", "POST"])
def assign_page(request: HttpRequest, account_id: int) -> HttpResponse:
    """Whose account this is."""
    desk: Desk = request.desk
    ctx = desk.ctx.at(clock.today())
    header = account_header(ctx, account_id)
    if header is None:
        raise Http404
    if request.method == "POST":
        first, last = _days(request)
        assign(
            ctx, [account_id], request.POST.get("collector", "").strip()[:150], first, last,
            request.POST.get("note", "").strip()[:NOTE_CHARACTERS],
        )  # fmt: skip
        messages.success(request, _("Recorded: the list follows at once."))
        return redirect("account", account_id)
    shown = {
        "account": header,
        "collector": collector_of(ctx, account_id),
        "may_be_given": may_be_given(desk.company.id),
        "today": clock.today(),
    }
    return render(request, "web/team/assign.html", shown)
