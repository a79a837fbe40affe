"""The worklist: its rows, the pane of one action, and what a person did with it."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from saldo.collection.attention import at_work
from saldo.collection.callbacks import call_backs
from saldo.collection.operations import record_outcome
from saldo.collection.queries import (
    DONE,
    NOBODY,
    NOTE,
    PAGE_ROWS,
    SKIPPED,
    SORTS,
    UNDONE,
    ActionRow,
    WorklistFilter,
    action,
    hidden_today,
    outcomes_of,
    worklist,
    worklist_count,
    worklist_summary,
)
from saldo.core.errors import SaldoError
from saldo.core.outcomes import SKIP_REASONS
from saldo.core.typed_days import parse_day
from saldo.flows.log_call import undo
from saldo.interfaces import clock
from saldo.interfaces.web.callable import callable_contacts
from saldo.interfaces.web.cash_forms import number
from saldo.interfaces.web.context import nav_count
from saldo.interfaces.web.desk import Desk, page
from saldo.interfaces.web.draft import statement_draft
from saldo.interfaces.web.timeline import timeline
from saldo.ledger.statement import open_items, totals
from saldo.outreach.desk import planned_of_account
from saldo.outreach.settings import is_live
from saldo.parties.preferences import preferences_of
from saldo.parties.queries import account_header, account_with_contacts
from saldo.risk.desk import outlook, warned_accounts

PANE_TIMELINE = 8
PANE_ITEMS = 12
SNOOZE_DAYS = (1, 3, 7, 14)
# What is done outside of Saldo: the state it leaves, and the words kept in the history.
ANSWERS = {"emailed": (DONE, gettext_lazy("E-mail sent"))}


def parse_amount(text: str) -> Decimal | None:
    """An amount as a person types it: 1.234,56 or 1,234.56 or 1234."""
    compact = text.strip().replace(" ", "").replace("€", "").replace("'", "")
    last = max(compact.rfind(","), compact.rfind("."))
    if last >= 0 and len(compact) - last - 1 in (1, 2):
        compact = compact[:last].replace(",", "").replace(".", "") + "." + compact[last + 1 :]
    else:
        compact = compact.replace(",", "").replace(".", "")
    try:
        amount = Decimal(compact)
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and 0 <= amount < 10**14 else None


def parse_offset(text: str) -> int:
    """The first row of a window, from the address."""
    return min(int(text), 10**7) if text.isascii() and text.isdigit() and len(text) < 9 else 0


def _filter(request: HttpRequest) -> WorklistFilter:
    asked, desk = request.GET, request.desk
    lists = {"mine": desk.ctx.actor, "all": "", "nobody": NOBODY}
    return WorklistFilter(
        text=asked.get("q", "")[:120],
        block=asked.get("block", "")[:8],
        kind=asked.get("kind", "")[:12],
        minimum=parse_amount(asked.get("min", "")),
        sort=asked.get("sort") if asked.get("sort") in SORTS else "rank",
        collector=lists.get(asked.get("list", ""), desk.own_list),
        planned=asked.get("planned") == "1",
    )


@page()
@require_GET
def worklist_page(request: HttpRequest) -> HttpResponse:
    """The home page; htmx asks for the list alone (filters) or for the next rows (scrolling)."""
    desk: Desk = request.desk
    if desk.run is None or desk.company is None:
        return render(request, "web/worklist_empty.html", {"first_day": clock.today()})
    wanted, offset = _filter(request), parse_offset(request.GET.get("offset", ""))
    agreed = call_backs(desk.ctx)
    due = [one.account_id for one in agreed if one.is_due]
    rows = worklist(desk.ctx, desk.run, wanted, offset, first=due)
    ids = [row.account_id for row in rows]
    shown = {
        "wanted": wanted,
        "rows": rows[:PAGE_ROWS],
        "next_offset": offset + PAGE_ROWS if len(rows) > PAGE_ROWS else 0,
        "offset": offset,
        "in_blocks": wanted.sort == "rank",
        "warned": warned_accounts(desk.run.id, ids),
        "call_backs": [one for one in agreed if wanted.collector in ("", NOBODY, one.actor)],
        "whose": _whose(desk, wanted),
        "due": {one.account_id: one for one in agreed},
        "next_call": next((one.at for one in agreed if not one.is_due), None),
        "at_work": at_work(desk.ctx, ids),
    }
    if request.htmx and request.htmx.target == "more":
        if rows and rows[-1].block != request.GET.get("after"):
            shown["summary"] = worklist_summary(desk.ctx, desk.run, wanted, desk.reads_all)
        return render(request, "web/worklist/_rows.html", shown)
    summary = worklist_summary(desk.ctx, desk.run, wanted, desk.reads_all)
    if wanted.is_list and wanted.collector == desk.own_list:
        request.worklist_actions = summary.actions
    shown |= {"summary": summary, "is_stale": desk.run.as_of < clock.today()}
    templates = {"list": "web/worklist/_list.html", "summary": "web/worklist/_summary.html"}
    part = templates.get(request.htmx.target or "") if request.htmx else None
    return render(request, part or "web/worklist/page.html", shown)


def _whose(desk: Desk, wanted: WorklistFilter) -> str:
    """The list shown, by the name that the address has for it."""
    return {"": "all", NOBODY: "nobody"}.get(wanted.collector, "mine")


def _pane(request: HttpRequest, row: ActionRow) -> dict[str, Any]:
    desk: Desk = request.desk
    found = account_with_contacts(desk.ctx, row.account_id)
    if found is None or desk.company is None:
        raise Http404
    header, contacts = found
    items = open_items(desk.ctx, row.account_id)
    sums = totals(items)
    outcomes = outcomes_of(row.account_id)
    writable = next((c for c in contacts if c.email or c.pec), None)
    told = outlook(desk.ctx, row.account_id)
    # One span for the account: that of what weighs most, among what is late if anything is.
    leading = max(items, key=lambda item: (item.late_days > 0, item.balance), default=None)
    return {
        "row": row,
        "account": header,
        "items": items[:PANE_ITEMS],
        "items_count": len(items),
        "total": next((t for t in sums if t.currency == row.currency), None),
        "other_totals": [t for t in sums if t.currency != row.currency],
        "contacts": contacts,
        "callable": next(iter(callable_contacts(desk.ctx, header, contacts)), None),
        "writable": writable,
        "draft": statement_draft(header, desk.company.name, writable, items, sums, desk.ctx.as_of),
        "leading": leading,
        "span": told.forecasts.get(leading.id) if leading and told else None,
        "outlook": told,
        "history": timeline(desk.ctx, row.account_id, outcomes, PANE_TIMELINE),
        "hidden": hidden_today(outcomes, desk.ctx.as_of, desk.ctx.clock()),
        "seen": outcomes[0].id if outcomes else 0,
        "colleague": at_work(desk.ctx, [row.account_id]).get(row.account_id),
        "call_back": next(iter(call_backs(desk.ctx, [row.account_id])), None),
        "wishes": preferences_of(desk.ctx, row.account_id),
        "skip_reasons": SKIP_REASONS,
        "is_live": is_live(desk.company.id, clock.today()),
        "planned": next(iter(planned_of_account(desk.ctx, desk.run.id, row.account_id)), None),
        "snooze": [desk.ctx.as_of + timedelta(days=days) for days in SNOOZE_DAYS],
    }


@page()
@require_GET
def action_page(request: HttpRequest, action_id: int) -> HttpResponse:
    """One action: the side pane when htmx asks, a page of its own on a phone or by its address."""
    row = action(request.desk.ctx, action_id)
    if row is None:
        raise Http404
    template = "web/worklist/_pane.html" if request.htmx else "web/worklist/action.html"
    return render(request, template, _pane(request, row))


@page(lambda desk: desk.may_call)
@require_POST
def record(request: HttpRequest, account_id: int) -> HttpResponse:
    """Record one outcome. The answer is a notice with its undo; the page's own script moves the row."""
    desk: Desk = request.desk
    state, note = request.POST.get("state", ""), request.POST.get("note", "").strip()
    if answer := ANSWERS.get(request.POST.get("answer", "")):
        state, words = answer[0], str(answer[1])
        note = f"{words}: {note}" if note else words
    if state not in (DONE, SKIPPED, UNDONE, NOTE):
        return HttpResponse(status=400)
    until = _until(request) if state == SKIPPED else None
    if state == UNDONE:
        state = _undone(desk, account_id)
    else:
        told = {"skip_reason": request.POST.get("skip_reason", "")} if state == SKIPPED else {}
        seen = number(request.POST.get("seen")) if request.POST.get("seen") else None
        record_outcome(desk.ctx, account_id, state, note, until, **told, seen=seen)
    header = account_header(desk.ctx, account_id)
    notice = {"account": header, "state": state, "follow_up_date": until}
    if not request.htmx:
        messages.success(request, _notice(notice))
        return redirect(_next(request))
    own = WorklistFilter(collector=desk.own_list)
    left = worklist_count(desk.ctx, desk.run, own) if desk.run else 0
    response = render(request, "web/worklist/_notice.html", notice)
    told_page = {"account": account_id, "state": state, "left": nav_count(left)}
    response["HX-Trigger"] = json.dumps({"saldo:outcome": told_page})
    return response


def _undone(desk: Desk, account_id: int) -> str:
    """What the page is told of an undoing: a try that had left the action as it was only changes the pane."""
    undone = undo(desk.ctx, account_id)
    return NOTE if undone.state == NOTE else UNDONE


def _until(request: HttpRequest) -> date | None:
    """The day until which the action is put off, as it was typed."""
    text = (request.POST.get("until") or request.POST.get("follow_up_date", "")).strip()
    if not text:
        return None
    as_of = request.desk.ctx.as_of
    day = parse_day(text, as_of)
    if day is None:
        raise SaldoError("follow_up_not_later", date=text[:40], as_of=as_of)
    return day


def _notice(notice: dict[str, Any]) -> str:
    words = {DONE: _("done"), SKIPPED: _("postponed"), UNDONE: _("back in the list"), NOTE: _("note saved")}
    return f"{notice['account'].name}: {words[notice['state']]}"


def _next(request: HttpRequest) -> str:
    asked = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(asked, {request.get_host()}, require_https=request.is_secure())
    return asked if safe else "/"
