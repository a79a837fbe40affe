"""What customers wrote back: the list, one reply with its thread, and what a person makes of it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from saldo.core.errors import SaldoError
from saldo.core.money import from_mills
from saldo.flows.handle_reply import assign, confirm, dismiss, propose, reopen
from saldo.flows.judged_promises import promises_of
from saldo.interfaces.web import labels
from saldo.interfaces.web.cash_forms import number
from saldo.interfaces.web.context import mail_counts, nav_count
from saldo.interfaces.web.desk import page
from saldo.interfaces.web.outreach_labels import ACTS, DISPUTE_REASONS, HOLD_REASONS
from saldo.interfaces.web.templatetags.saldo import money
from saldo.interfaces.web.typed import day_or_none, mills_or_none
from saldo.interfaces.web.views.messages import download, may_download
from saldo.interfaces.web.views.outreach import asked_text, is_part, may_read, may_write, pages
from saldo.interfaces.web.views.worklist import parse_offset
from saldo.ledger.statement import open_items
from saldo.outreach import desk as post
from saldo.outreach.desk import ReplyLine
from saldo.outreach.replies import STILL_WAITING, attachment, reply
from saldo.parties.queries import find_accounts
from saldo.promises.queries import PromiseRow

MOST_HITS = 6
MOST_ITEMS = 60
NOTE_CHARACTERS = 500
# What a person may make of a reply, in the order of the keys 1-8, and the fields that each act takes.
FIELDS: dict[str, tuple[str, ...]] = {
    "promise": ("promised_date", "amount", "items", "replaces"),
    "paid_claim": ("amount", "paid_date", "items"),
    "dispute": ("reason", "amount", "items"),
    "hold": ("until_date", "reason"),
    "question": (),
    "wrong_contact": ("address",),
    "opt_out": ("address",),
    "complaint": ("until_date",),
    "nothing": (),
}
DAYS = ("promised_date", "paid_date", "until_date")
HOLD_DAYS = 7


@page(may_read)
@require_GET
def replies_page(request: HttpRequest) -> HttpResponse:
    """What waits, the surest first; or what was dealt with."""
    desk, offset, text = request.desk, parse_offset(request.GET.get("offset", "")), asked_text(request)
    is_done = request.GET.get("view") == "done"
    rows = post.replies(desk.ctx, desk.sees_strays, not is_done, text, offset)
    shown = pages(rows, offset) | {"tab": "replies", "text": text, "is_done": is_done}
    if is_part(request, "more"):
        return render(request, "web/outreach/_reply_rows.html", shown)
    part = is_part(request, "list")
    return render(request, f"web/outreach/{'_replies' if part else 'replies'}.html", shown)


def line_or_404(request: HttpRequest, reply_id: int) -> ReplyLine:
    found = post.reply_line(request.desk.ctx, reply_id, request.desk.sees_strays)
    if found is None:
        raise Http404
    return found


@page(may_read)
@require_GET
def reply_page(request: HttpRequest, reply_id: int) -> HttpResponse:
    """One reply: the side pane when htmx asks, a page of its own on a phone or by its address."""
    shown = _pane(request, line_or_404(request, reply_id))
    template = "web/outreach/_reply_pane.html" if request.htmx else "web/outreach/reply.html"
    return render(request, template, shown)


def _pane(request: HttpRequest, row: ReplyLine) -> dict[str, Any]:
    desk = request.desk
    thread = reply(desk.ctx, row.id)
    may_act = desk.may_write and (row.act is None or row.act in STILL_WAITING)
    proposal = propose(desk.ctx, row.id) if may_act and row.account_id else None
    act = request.GET.get("act") if request.GET.get("act") in FIELDS else (proposal.act if proposal else "")
    fields = dict(proposal.fields) if proposal and proposal.act == act else {}
    items = []
    if may_act and row.account_id and "items" in FIELDS.get(act or "", ()):
        items = [item for item in open_items(desk.ctx, row.account_id) if item.balance > 0][:MOST_ITEMS]
    return {
        "row": row, "thread": thread, "proposal": proposal, "act": act, "fields": fields, "items": items,
        "chosen_ids": set(fields.get("item_ids") or ()), "may_act": may_act,
        "wanted": FIELDS.get(act or "", ()),
        "open_promises": _open_promises(request, row.account_id) if act == "promise" and may_act else [],
        "amount": money(from_mills(fields["amount_mills"])) if fields.get("amount_mills") else "",
        "reasons": HOLD_REASONS.items() if act == "hold" else DISPUTE_REASONS.items(),
        "other_acts": [(code, ACTS[code]) for code in FIELDS if code != act],
        "default_until": desk.ctx.as_of + timedelta(days=HOLD_DAYS), "earliest": desk.ctx.as_of,
        "may_download": may_download(desk),
    }  # fmt: skip


def _open_promises(request: HttpRequest, account_id: int | None) -> list[PromiseRow]:
    rows = promises_of(request.desk.ctx, account_id) if account_id else []
    return [row for row in rows if row.is_open]


def typed_fields(data: QueryDict, act: str, currency: str) -> dict[str, Any]:
    """The fields of an act as the form has them. Raises SaldoError for a day or an amount that is none."""
    told: dict[str, Any] = {"note": data.get("note", "").strip()[:NOTE_CHARACTERS]}
    for name in FIELDS[act]:
        if name in DAYS:
            text = data.get(name, "")
            told[name] = day_or_none(text)
            if text and told[name] is None:
                raise SaldoError("date_not_understood", date=text[:40])
        elif name == "amount":
            told["amount_mills"] = mills_or_none(data.get("amount", ""), currency)
        elif name == "items":
            told["item_ids"] = [each for each in map(number, data.getlist("item")) if each]
        else:
            told[name] = data.get(name, "").strip()[:300]
    return told


@page(may_write)
@require_POST
def confirm_page(request: HttpRequest, reply_id: int) -> HttpResponse:
    """A person says what the reply is: the promise, the dispute, the claim … is recorded with it."""
    row = line_or_404(request, reply_id)
    act = request.POST.get("act", "")
    if act not in FIELDS:
        return HttpResponse(status=400)
    if act == "nothing":
        dismiss(request.desk.ctx, row.id, request.POST.get("note", "").strip()[:NOTE_CHARACTERS])
    else:
        confirm(
            request.desk.ctx, row.id, act, **typed_fields(request.POST, act, request.desk.company.currency)
        )
    return _answer(request, row, act)


@page(may_write)
@require_POST
def reopen_page(request: HttpRequest, reply_id: int) -> HttpResponse:
    """The reply waits again; what was recorded with it stays and is ended on the customer's page."""
    row = line_or_404(request, reply_id)
    reopen(request.desk.ctx, row.id, request.POST.get("note", "").strip()[:NOTE_CHARACTERS])
    return _answer(request, row, "reopened")


@page(may_write)
@require_POST
def assign_page(request: HttpRequest, reply_id: int) -> HttpResponse:
    """A person says whose the reply is."""
    row = line_or_404(request, reply_id)
    account_id = number(request.POST.get("account"))
    if account_id is None:
        return HttpResponse(status=400)
    assign(request.desk.ctx, row.id, account_id)
    if request.htmx:
        told = {"line": row.id, "state": "assigned", "left": _left(request)}
        return HttpResponse("", headers={"HX-Trigger": json.dumps({"saldo:mailed": told})})
    return redirect("reply", reply_id=row.id)


@page(may_write)
@require_GET
def find_page(request: HttpRequest, reply_id: int) -> HttpResponse:
    """Customers to tie a reply to, while a person types."""
    row = line_or_404(request, reply_id)
    text = request.GET.get("find", "").strip()[:80]
    hits = find_accounts(request.desk.ctx, text, MOST_HITS) if len(text) > 1 else []
    return render(request, "web/outreach/_reply_hits.html", {"row": row, "hits": hits, "text": text})


@page(lambda desk: may_read(desk) and may_download(desk))
@require_GET
def file_page(request: HttpRequest, reply_id: int, index: int) -> HttpResponse:
    """An attachment as it came: always saved, never opened by the browser on our address."""
    row = line_or_404(request, reply_id)
    name, content_type, content = attachment(request.desk.ctx, row.id, index)
    return download(content, name or _("attachment"), content_type)


def _left(request: HttpRequest) -> dict[str, str]:
    found = mail_counts(request)
    return {
        "nav-mail": nav_count(found.for_people), "tab-replies": nav_count(found.replies),
        "tab-planned": nav_count(found.planned),
    }  # fmt: skip


def _answer(request: HttpRequest, row: ReplyLine, act: str) -> HttpResponse:
    who, words = row.name or row.from_address, labels.label("act", act)
    if not request.htmx:
        messages.success(request, f"{who}: {words}")
        return redirect("reply", reply_id=row.id) if act == "reopened" else redirect("mail_replies")
    undo = "" if act == "reopened" else reverse("reply_reopen", args=[row.id])
    response = render(request, "web/outreach/_notice.html", {"who": who, "words": words, "undo": undo})
    told = {"line": row.id, "state": act, "left": _left(request)}
    response["HX-Trigger"] = json.dumps({"saldo:mailed": told})
    return response
