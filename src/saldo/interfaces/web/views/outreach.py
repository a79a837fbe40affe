"""Posta: what waits for approval, what is held back, what goes out, what went, what nobody knows about."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from saldo.core.context import Context
from saldo.core.sending import SENT as SENT_STATE
from saldo.flows.queue_messages import preview
from saldo.interfaces.web.context import mail_counts
from saldo.interfaces.web.desk import Desk, page
from saldo.interfaces.web.views.worklist import parse_offset
from saldo.ledger.statement import ItemRow, open_items
from saldo.outreach import desk as post
from saldo.outreach.desk import BLOCKED, OUTGOING_STATES, PAGE_ROWS, PLANNED, PlannedRow
from saldo.outreach.desk_message import decision_of
from saldo.parties.queries import account_with_contacts

TEXT_CHARACTERS = 120
LAST_MESSAGES = 5
FAILED_STATES = ("failed", "bounced", "complaint", "cancelled")
SENT_FILTERS = {
    "": (),
    "arrived": ("accepted", "delivered", "opened", "clicked", "published", "printed"),
    "left": (SENT_STATE,),
    "failed": FAILED_STATES,
}


def may_read(desk: Desk) -> bool:
    return desk.company is not None


def may_write(desk: Desk) -> bool:
    return desk.may_write and desk.company is not None


def asked_text(request: HttpRequest) -> str:
    return request.GET.get("q", "").strip()[:TEXT_CHARACTERS]


def pages(rows: list[Any], offset: int, size: int = PAGE_ROWS) -> dict[str, Any]:
    """A window of rows with the offsets beside it; ``rows`` holds one more where there are others."""
    return {
        "rows": rows[:size],
        "offset": offset,
        "next_offset": offset + size if len(rows) > size else 0,
        "next": offset + size if len(rows) > size else None,
        "previous": max(0, offset - size) if offset else None,
    }


def is_part(request: HttpRequest, target: str) -> bool:
    return bool(request.htmx and (request.htmx.target or "") == target)


def _planned_list(request: HttpRequest, kind: str) -> HttpResponse:
    """The day's planned messages, by playbook and step; htmx asks for the list or for the next rows."""
    desk: Desk = request.desk
    text, group = asked_text(request), request.GET.get("group", "")[:90]
    offset = parse_offset(request.GET.get("offset", ""))
    shown: dict[str, Any] = {"kind": kind, "tab": kind, "text": text, "group": group, "run": desk.run}
    if desk.run is None:
        return render(request, "web/outreach/planned.html", shown | {"rows": [], "groups": []})
    found = post.planned(desk.ctx, desk.run.id, kind, text, group, offset)
    shown |= pages(found, offset)
    if is_part(request, "more"):
        return render(request, "web/outreach/_planned_rows.html", shown)
    shown |= planned_sums(desk, kind, text, group)
    part = is_part(request, "list")
    return render(request, f"web/outreach/{'_planned_list' if part else 'planned'}.html", shown)


def planned_sums(desk: Desk, kind: str, text: str, group: str) -> dict[str, Any]:
    """What the list under this filter comes to: messages and amounts, in all and by step."""
    groups = post.planned_groups(desk.ctx, desk.run.id, kind, text)
    chosen = [each for each in groups if group in ("", each.group)]
    sums: dict[str, Any] = {}
    for each in chosen:
        for currency, amount in each.sums.items():
            sums[currency] = sums.get(currency, 0) + amount
    return {"groups": groups, "count": sum(each.count for each in chosen), "sums": sums}


@page(may_read)
@require_GET
def to_approve_page(request: HttpRequest) -> HttpResponse:
    return _planned_list(request, PLANNED)


@page(may_read)
@require_GET
def blocked_page(request: HttpRequest) -> HttpResponse:
    return _planned_list(request, BLOCKED)


def planned_or_404(request: HttpRequest, action_id: int) -> PlannedRow:
    found = post.planned_one(request.desk.ctx, action_id)
    if found is None or request.desk.company is None:
        raise Http404
    return found


@page(may_read)
@require_GET
def planned_page(request: HttpRequest, action_id: int) -> HttpResponse:
    """One planned message as it would go out: the side pane, or a page of its own."""
    row = planned_or_404(request, action_id)
    shown = planned_pane(request, row)
    template = "web/outreach/_planned_pane.html" if request.htmx else "web/outreach/planned_one.html"
    return render(request, template, shown)


def planned_pane(request: HttpRequest, row: PlannedRow) -> dict[str, Any]:
    ctx: Context = request.desk.ctx
    found = account_with_contacts(ctx, row.account_id)
    if found is None:
        raise Http404
    header, contacts = found
    decision = decision_of(row.id)
    asked, beside = _items(ctx, row)
    since = ctx.as_of - timedelta(days=post.SENT_DAYS)
    sent = post.messages(ctx, since, without=OUTGOING_STATES, limit=LAST_MESSAGES, account_id=row.account_id)
    return {
        "row": row, "account": header, "contacts": contacts, "items": asked, "beside": beside,
        "decision": decision,
        "draft": preview(ctx, row.id) if decision is None else None,
        "last": sent[:LAST_MESSAGES],
        "may_act": request.desk.may_write and decision is None and not row.blocked, "may_edit": True,
    }  # fmt: skip


def _items(ctx: Context, row: PlannedRow) -> tuple[list[tuple[ItemRow, dict[str, Any]]], list[ItemRow]]:
    """The items that the message asks for, each with what is asked of it; and what else is open."""
    told = {each["item_id"]: each for each in row.items}
    items = [item for item in open_items(ctx, row.account_id) if item.currency == row.currency]
    asked = [(item, told[item.id]) for item in items if item.id in told]
    return asked, [item for item in items if item.id not in told and item.balance > 0]


@page(may_read)
@require_GET
def outgoing_page(request: HttpRequest) -> HttpResponse:
    """What waits to leave, or was put off: when, and why."""
    return _message_list(request, "outgoing", OUTGOING_STATES, post.WAITING_DAYS)


@page(may_read)
@require_GET
def sent_page(request: HttpRequest) -> HttpResponse:
    """What left or did not, with what became of it."""
    state = request.GET.get("state", "")
    states = SENT_FILTERS.get(state, ())
    without = () if states else (*OUTGOING_STATES, "unknown")
    return _message_list(request, "sent", states, post.SENT_DAYS, without, state if states else "")


def _message_list(
    request: HttpRequest,
    tab: str,
    states: tuple[str, ...],
    days: int,
    without: tuple[str, ...] = (),
    state: str = "",
) -> HttpResponse:
    ctx, offset, text = request.desk.ctx, parse_offset(request.GET.get("offset", "")), asked_text(request)
    rows = post.messages(ctx, ctx.as_of - timedelta(days=days), states, without, text, offset)
    shown = pages(rows, offset) | {"tab": tab, "text": text, "state": state, "filters": SENT_FILTERS}
    part = is_part(request, "list")
    return render(request, f"web/outreach/{'_messages' if part else 'messages'}.html", shown)


@page(may_read)
@require_GET
def unknown_page(request: HttpRequest) -> HttpResponse:
    """Messages of which nobody knows whether they left: a person says so, one by one."""
    rows = post.unknown_messages(request.desk.ctx)
    request.mail_counts = mail_counts(request)
    return render(request, "web/outreach/unknown.html", {"tab": "unknown", "rows": rows})
