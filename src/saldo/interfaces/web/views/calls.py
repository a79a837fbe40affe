"""Calls: the sheet with its script, what came of it in one request, and who is on the phone with whom."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime, time
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from saldo.collection.attention import attend, leave
from saldo.collection.callbacks import call_backs
from saldo.collection.queries import WorklistFilter, outcomes_of, worklist_count
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.outcomes import (
    ALREADY_PAID,
    CALL_BACK,
    CHANNELS,
    DELAY_REASONS,
    DISPUTED,
    NO_ANSWER,
    PHONE,
    PROMISED,
    REACHED,
    REFUSES,
    WRONG_NUMBER,
)
from saldo.core.typed_days import parse_day, parse_moment
from saldo.flows.call_script import script
from saldo.flows.log_call import CallLog, Logged, Recording, log_call
from saldo.intake.queries import document_bytes
from saldo.interfaces.web import labels
from saldo.interfaces.web.callable import callable_contacts
from saldo.interfaces.web.cash_forms import number
from saldo.interfaces.web.context import nav_count
from saldo.interfaces.web.desk import Desk, page
from saldo.interfaces.web.outreach_labels import DISPUTE_REASONS
from saldo.interfaces.web.templatetags.saldo import day_week
from saldo.interfaces.web.typed import mills_or_none
from saldo.interfaces.web.views.messages import download
from saldo.ledger.statement import ItemRow, open_items, totals
from saldo.parties.queries import LEGAL_ZONE, AccountHeader, ContactRow, account_with_contacts
from saldo.parties.stops import RECORDING, consenting

# In the order of their keys; those that need a day or an item open their own part of the sheet.
ANSWERS = (REACHED, PROMISED, DISPUTED, CALL_BACK, WRONG_NUMBER, NO_ANSWER, ALREADY_PAID, REFUSES)
OPENING = frozenset({PROMISED, DISPUTED, CALL_BACK})
# The letters of the row on which the fingers rest: one for each reason of a delay.
LETTERS = "asdfghjkl"
NOTE_CHARACTERS = 2000
SHEET_ITEMS = 20
MAX_RECORDING_BYTES = 50 * 1024 * 1024


def may_call(desk: Desk) -> bool:
    return desk.company is not None and desk.may_call


def _account(request: HttpRequest, account_id: int) -> tuple[AccountHeader, list[ContactRow]]:
    found = account_with_contacts(request.desk.ctx, account_id)
    if found is None:
        raise Http404
    return found


@page(may_call)
@require_http_methods(["GET", "POST"])
def call_page(request: HttpRequest, account_id: int) -> HttpResponse:
    """The sheet of a call, in the dialog of a list or as a page of its own; posted, what came of it."""
    header, contacts = _account(request, account_id)
    if request.method == "POST":
        return _log(request, header)
    template = "web/worklist/_call.html" if request.htmx else "web/worklist/call.html"
    return render(request, template, _sheet(request, header, contacts))


def _sheet(request: HttpRequest, header: AccountHeader, contacts: list[ContactRow]) -> dict[str, Any]:
    ctx: Context = request.desk.ctx
    items = open_items(ctx, header.id)
    debits = [item for item in items if item.balance > 0]
    currency = _currency(items, header.currency)
    callable_ones = callable_contacts(ctx, header, contacts)
    chosen = callable_ones[0] if callable_ones else None
    newest = outcomes_of(header.id, limit=1)
    part = request.GET.get("part", "")
    return {
        "account": header, "contacts": callable_ones, "chosen": chosen, "currency": currency,
        "script": script(ctx, header.id, currency, chosen.id if chosen else None),
        "items": [item for item in debits if item.currency == currency][:SHEET_ITEMS],
        "seen": newest[0].id if newest else 0,
        "answers": [(code, code in OPENING) for code in ANSWERS], "part": part if part in OPENING else "",
        "delay_reasons": list(zip(DELAY_REASONS, LETTERS, strict=True)),
        "dispute_reasons": DISPUTE_REASONS.items(),
        "may_record": consenting(header.id, RECORDING),
        "call_back": next(iter(call_backs(ctx, [header.id])), None),
    }  # fmt: skip


def _currency(items: Sequence[ItemRow], default: str) -> str:
    """The currency in which most is overdue, or open."""
    found = max(totals(items), key=lambda total: (total.overdue, total.open), default=None)
    return found.currency if found is not None and found.open else default


# --- what came of it --------------------------------------------------------------------------------


def _log(request: HttpRequest, header: AccountHeader) -> HttpResponse:
    desk: Desk = request.desk
    logged = log_call(desk.ctx, header.id, _told(request, header))
    words = _words(request.POST.get("result", ""), logged)
    if not request.htmx:
        messages.success(request, f"{header.name}: {words}")
        return redirect("worklist")
    own = WorklistFilter(collector=desk.own_list)
    left = worklist_count(desk.ctx, desk.run, own) if desk.run else 0
    shown = {"account": header, "state": logged.state, "words": words, "may_undo": True}
    response = render(request, "web/worklist/_notice.html", shown)
    told = {"account": header.id, "state": logged.state, "left": nav_count(left)}
    response["HX-Trigger"] = json.dumps({"saldo:outcome": told})
    return response


def _told(request: HttpRequest, header: AccountHeader) -> CallLog:
    """The form as it was typed. Of the parts of the sheet only that of the chosen result counts."""
    sent, ctx = request.POST, request.desk.ctx
    result = sent.get("result", "")
    currency = sent.get("currency", "")[:3] or header.currency
    needs_items = result in (PROMISED, DISPUTED, ALREADY_PAID)
    on, at = _when(ctx, sent.get("call_back", "")) if result in (CALL_BACK, NO_ANSWER) else (None, None)
    return CallLog(
        result=result,
        channel=sent.get("channel") if sent.get("channel") in CHANNELS else PHONE,
        note=sent.get("note", "")[:NOTE_CHARACTERS],
        contact_id=number(sent.get("contact")),
        delay_reason=sent.get("delay_reason", "")[:20],
        seconds=_seconds(sent.get("seconds", "")),
        currency=currency,
        amount_mills=mills_or_none(sent.get(f"{result}_amount", ""), currency) if needs_items else None,
        item_ids=[each for each in map(number, sent.getlist(f"{result}_item")) if each],
        promised_date=_day(ctx, sent.get("promised_date", "")) if result == PROMISED else None,
        replaces=sent.get("replaces") == "yes",
        dispute_reason=sent.get("dispute_reason", "other")[:20],
        follow_up_date=None if at else on,
        call_back_at=at,
        recording=_recording(request),
        seen=number(sent.get("seen")) if sent.get("seen") else None,
    )


def _seconds(text: str) -> int | None:
    """What the page measured; a page left open over night measured nothing."""
    measured = number(text)
    return measured if measured is not None and measured <= 4 * 3600 else None


def _day(ctx: Context, text: str) -> date | None:
    if not text.strip():
        return None
    day = parse_day(text, ctx.as_of)
    if day is None:
        raise SaldoError("date_not_understood", date=text.strip()[:40])
    return day


def _when(ctx: Context, text: str) -> tuple[date | None, datetime | None]:
    """The day, and the hour if one was typed."""
    if not text.strip():
        return None, None
    moment = parse_moment(text, ctx.as_of)
    if moment is None:
        raise SaldoError("date_not_understood", date=text.strip()[:40])
    day, hour = moment
    return day, None if hour is None else datetime.combine(day, hour, LEGAL_ZONE)


def _recording(request: HttpRequest) -> Recording | None:
    sent = request.FILES.get("recording")
    if sent is None:
        return None
    if sent.size > MAX_RECORDING_BYTES:
        raise SaldoError("recording_too_large", megabytes=MAX_RECORDING_BYTES // 1024 // 1024)
    return Recording(sent.name[:200], sent.read())


def _words(result: str, logged: Logged) -> str:
    """What the notice says: the result, and when the account comes back."""
    text = str(labels.label("result", result))
    if logged.call_back_at is not None:
        return f"{text}: {_moment(logged.call_back_at)}"
    if logged.follow_up_date is not None:
        return f"{text}, {_('back on')} {_spelled(logged.follow_up_date)}"
    return text


def _moment(at: datetime) -> str:
    local = at.astimezone(LEGAL_ZONE)
    return _("%(day)s at %(hour)s") % {"day": _spelled(local.date()), "hour": f"{local:%H:%M}"}


def _spelled(day: date) -> str:
    return day_week(day)


# --- beside it --------------------------------------------------------------------------------------


@page(may_call)
@require_POST
def at_work_page(request: HttpRequest, account_id: int) -> HttpResponse:
    """Somebody opens the account's call, or closes it without a result. Answers who else is at it."""
    ctx = request.desk.ctx
    _account(request, account_id)
    if request.POST.get("leave"):
        leave(ctx, account_id)
        return HttpResponse(status=204)
    return render(request, "web/worklist/_colleague.html", {"colleague": attend(ctx, account_id)})


@page()
@require_GET
def typed_day_page(request: HttpRequest) -> HttpResponse:
    """How a typed day is understood, to be seen before it is sent."""
    ctx: Context = request.desk.ctx
    fields = ("promised_date", "call_back", "until")
    text = next((request.GET[name] for name in fields if name in request.GET), "")
    if "call_back" in request.GET:
        moment = parse_moment(text[:60], ctx.as_of)
        day, hour = moment if moment else (None, None)
    else:
        day, hour = parse_day(text[:60], ctx.as_of), None
    shown = {"day": day, "hour": hour, "is_past": _is_past(ctx, day, hour), "is_typed": bool(text.strip())}
    return render(request, "web/worklist/_typed_day.html", shown)


def _is_past(ctx: Context, day: date | None, hour: time | None) -> bool:
    if day is None:
        return False
    if hour is None:
        return day < ctx.as_of
    return datetime.combine(day, hour, LEGAL_ZONE) <= ctx.clock() and day <= ctx.as_of


@page(lambda desk: desk.company is not None and desk.may_collect)
@require_GET
def recording_page(request: HttpRequest, account_id: int, outcome_id: int) -> HttpResponse:
    """The recording of a call as it was kept: saved, never opened by the browser on our address."""
    _account(request, account_id)
    found = next((one for one in outcomes_of(account_id, limit=1000) if one.id == outcome_id), None)
    if found is None or "recording_id" not in found.data:
        raise Http404
    name = f"{found.as_of}-{outcome_id}"
    return download(document_bytes(int(found.data["recording_id"])), name, "application/octet-stream")
