"""The cash desk: the bank lines of a day, the pane of one of them, and what a person makes of it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from saldo.cash import desk as lists
from saldo.cash.banks import bank_accounts
from saldo.cash.desk import GROUPS, PAGE_LINES, STATES, VIEWS, WAITING, DaySteps, LineFilter
from saldo.cash.desk_line import Line, line
from saldo.cash.waiting import waiting
from saldo.core.money import to_mills
from saldo.flows.jobs import defer_apply_cash
from saldo.interfaces.web import cash_acts, cash_forms
from saldo.interfaces.web.context import cash_waiting, nav_count
from saldo.interfaces.web.desk import Desk, page
from saldo.interfaces.web.views.worklist import parse_amount, parse_offset
from saldo.ledger.statement import find_amount, find_documents
from saldo.parties.queries import find_accounts

MOST_HITS = 6


def may_read(desk: Desk) -> bool:
    return desk.reads_all and desk.company is not None


def may_post(desk: Desk) -> bool:
    return desk.may_post_cash and desk.company is not None


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 15 else None


def parse_day(text: str | None) -> date | None:
    try:
        return parse_date(text or "")
    except ValueError:
        return None


def line_filter(asked: QueryDict) -> LineFilter:
    """The filter in the address; what is not understood filters nothing."""
    text = asked.get("q", "").strip()[:120]
    amount = parse_amount(text) if any(c.isdigit() for c in text) else None
    return LineFilter(
        view=asked["view"] if asked.get("view") in VIEWS else "day",
        day=parse_day(asked.get("day")),
        bank_account_id=_number(asked.get("bank")),
        statement_id=_number(asked.get("statement")),
        state=asked["state"] if asked.get("state") in STATES else "",
        text=text,
        amount=amount,
    )


def _dated(request: HttpRequest, wanted: LineFilter) -> tuple[LineFilter, DaySteps | None]:
    """The filter with its day, and the days beside it. A statement alone needs no day."""
    if wanted.view == "all" and not wanted.searches and wanted.statement_id is None:
        return replace(wanted, view="open"), None
    if wanted.view == "day" and wanted.statement_id is not None and wanted.day is None:
        wanted = replace(wanted, view="all")
    if wanted.view != "day":
        return lists.narrowed(request.desk.ctx, wanted), None
    steps = lists.day_steps(request.desk.ctx, wanted)
    return replace(wanted, day=steps.shown), steps


@page(may_read)
@require_GET
def desk_page(request: HttpRequest) -> HttpResponse:
    """The list; htmx asks for the list alone, for its figures, for one group, or for the next rows."""
    ctx = request.desk.ctx
    wanted, steps = _dated(request, line_filter(request.GET))
    shown: dict[str, Any] = {"wanted": wanted, "steps": steps, "text": request.GET.get("q", "")[:120]}
    target = request.htmx.target or "" if request.htmx else ""
    group, offset = request.GET.get("group", ""), parse_offset(request.GET.get("offset", ""))
    if group in GROUPS and target.startswith(("rows-", "more")):
        return _rows(request, wanted, (group,), group, offset)
    if target == "more":
        return _rows(request, wanted, _waiting(wanted), "", offset)
    if wanted.view == "day" and wanted.day is None:
        return render(request, "web/cash/empty.html", shown)
    shown |= _figures(request, wanted)
    if target == "figures":
        return render(request, "web/cash/_figures.html", shown)
    rows = lists.lines(ctx, wanted, _waiting(wanted)) if _waiting(wanted) else []
    shown |= {
        "rows": rows[:PAGE_LINES], "offset": 0,
        "next_offset": PAGE_LINES if len(rows) > PAGE_LINES else 0,
    }  # fmt: skip
    if group in GROUPS:
        shown |= {"opened": group, "opened_rows": lists.lines(ctx, wanted, (group,))[:PAGE_LINES]}
    if target == "list":
        return render(request, "web/cash/_list.html", shown)
    shown["banks"] = bank_accounts(ctx)
    return render(request, "web/cash/page.html", shown)


def _waiting(wanted: LineFilter) -> tuple[str, ...]:
    return tuple(group for group in wanted.groups if group in WAITING)


def _rows(
    request: HttpRequest, wanted: LineFilter, groups: tuple[str, ...], group: str, offset: int
) -> HttpResponse:
    rows = lists.lines(request.desk.ctx, wanted, groups, offset)
    shown = {
        "wanted": wanted, "rows": rows[:PAGE_LINES], "group": group, "offset": offset,
        "next_offset": offset + PAGE_LINES if len(rows) > PAGE_LINES else 0,
    }  # fmt: skip
    return render(request, "web/cash/_rows.html", shown)


def _figures(request: HttpRequest, wanted: LineFilter) -> dict[str, Any]:
    """The totals of what is shown, and the heads of the groups that are folded away."""
    sums = lists.figures(request.desk.ctx, wanted)
    folded = [
        (group, [(one.currency, one.groups[group]) for one in sums if group in one.groups])
        for group in wanted.groups
        if group not in WAITING
    ]
    heads = [
        {"group": group, "count": sum(each.count for _currency, each in parts), "sums": parts}
        for group, parts in folded
    ]
    return {
        "sums": sums, "heads": heads,
        "all_waiting": cash_waiting(request).count,
    }  # fmt: skip


def _line(request: HttpRequest, line_id: int) -> Line:
    found = line(request.desk.ctx, line_id)
    if found is None:
        raise Http404
    return found


@page(may_read)
@require_GET
def line_page(request: HttpRequest, line_id: int) -> HttpResponse:
    """One line: the side pane when htmx asks, a page of its own on a phone or by its address."""
    found = _line(request, line_id)
    shown = cash_forms.pane(request, found)
    if request.htmx:
        part = "_changes.html" if request.GET.get("part") == "changes" else "_pane.html"
        return render(request, f"web/cash/{part}", shown)
    wanted = line_filter(request.GET)
    if wanted.view == "day" and wanted.day is None and wanted.statement_id is None:
        wanted = replace(wanted, day=found.facts["booking_date"])
    else:
        wanted, _steps = _dated(request, wanted)
    ids = lists.waiting_ids(request.desk.ctx, wanted)
    at = ids.index(line_id) if line_id in ids else -1
    shown |= {
        "previous_id": ids[at - 1] if at > 0 else None,
        "following_id": ids[at + 1] if at + 1 < len(ids) else None,
        "query": request.GET.urlencode(),
    }
    return render(request, "web/cash/line.html", shown)


@page(may_read)
@require_GET
def find_page(request: HttpRequest, line_id: int) -> HttpResponse:
    """Customers and documents to set a line against, while a person types."""
    ctx, found = request.desk.ctx, _line(request, line_id)
    text = request.GET.get("find", "").strip()[:80]
    amount = parse_amount(text) if any(c.isdigit() for c in text) else None
    documents = []
    if len(text) > 1:
        documents = find_documents(ctx, text, MOST_HITS)
        if not documents and amount:
            documents = find_amount(ctx, amount, MOST_HITS)
    shown = {
        "line": found, "text": text, "mode": request.GET.get("mode", "split"),
        "accounts": find_accounts(ctx, text, MOST_HITS) if len(text) > 1 else [],
        "documents": documents, "account_id": _number(request.GET.get("account")),
        "others": request.GET.getlist("other"),
    }  # fmt: skip
    return render(request, "web/cash/_hits.html", shown)


@page(may_post)
@require_POST
def post_page(request: HttpRequest, line_id: int) -> HttpResponse:
    """One act on one line: confirm a proposal, split, on account, refund, not a customer's."""
    found = _line(request, line_id)
    done = cash_acts.post(request, found)
    return _answer(request, found, done)


@page(may_post)
@require_POST
def undo_page(request: HttpRequest, line_id: int) -> HttpResponse:
    """Take back what the line was posted as: the line waits again, the items are open as before."""
    found = _line(request, line_id)
    cash_acts.undo_line(request, found)
    return _answer(request, found, "undone")


@page(may_post)
@require_POST
def apply_page(request: HttpRequest) -> HttpResponse:
    """Look at the open lines again: invoices, advices or rules may have come since."""
    with transaction.atomic():
        defer_apply_cash(request.desk.company.id)
    messages.success(
        request, _("The open lines are being looked at again: proposals come as they are found.")
    )
    return redirect("cash")


def _answer(request: HttpRequest, found: Line, done: str) -> HttpResponse:
    """A notice with its undo, and what the page's script needs to go on; without it, the next line."""
    notice = {"line": found, "done": done}
    if not request.htmx:
        amount = cash_forms.amount_text(found.amount, found.currency)
        messages.success(request, f"{amount}: {cash_forms.done_word(done)}")
        return redirect(_next_address(request, found, done))
    left = nav_count(waiting(request.desk.ctx).count, lists.COUNTED_LINES)
    response = render(request, "web/cash/_notice.html", notice)
    told = {"line": found.id, "state": done, "left": left, "mills": to_mills(found.amount)}
    response["HX-Trigger"] = json.dumps({"saldo:posted": told})
    return response


def _next_address(request: HttpRequest, found: Line, done: str) -> str:
    query = request.POST.get("query", "")[:400]
    following = _number(request.POST.get("following"))
    stay = found.id if done == "undone" else following
    address = reverse("cash_line", args=[stay]) if stay else reverse("cash")
    return f"{address}?{query}" if query else address
