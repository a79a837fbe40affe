"""The disputes desk: the queue by owner and age, one case with its timeline, and the rules of a company.

Whoever owns a dispute works on its page, in the credit office or outside of it; who may change disputes also
decides how it ends.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from saldo.core.disputes import AGES, AGREED, REASONS, VERDICTS
from saldo.core.errors import SaldoError
from saldo.disputes.cases import (
    Case,
    QueueFilter,
    case,
    may_change,
    queue,
    summary,
)
from saldo.disputes.handling import add_note, answer, change_claimed, change_due_date, change_owner
from saldo.disputes.policies import MAX_DAYS, MAY_SET_POLICY, change_policy, owners_of, policy_of
from saldo.disputes.resolving import reopen, resolve
from saldo.intake.operations import keep_document
from saldo.intake.queries import document_bytes
from saldo.interfaces.web.desk import Desk, page
from saldo.interfaces.web.dispute_labels import ENDS
from saldo.interfaces.web.typed import day_or_none, mills_or_none
from saldo.interfaces.web.views.messages import download
from saldo.interfaces.web.views.worklist import parse_offset

ROWS = 100
NOTE_CHARACTERS = 2000
MINE = "me"


def may_look(desk: Desk) -> bool:
    return desk.company is not None


def may_set(desk: Desk) -> bool:
    return desk.company is not None and bool(desk.roles & MAY_SET_POLICY)


def may_write(desk: Desk, one: Case) -> bool:
    """Whoever owns it, decides about it, or sells to the customer adds to its timeline."""
    return one.is_owner or may_change(desk.roles, one) or (one.sees_account and "sales" in desk.roles)


# --- the queue --------------------------------------------------------------------------------------


@page(may_look)
@require_GET
def disputes_page(request: HttpRequest) -> HttpResponse:
    """Who sits on what, and since when. Somebody who only answers disputes sees those given to them."""
    desk: Desk = request.desk
    told = request.GET
    owner = told.get("owner", "")
    band = told.get("band", "")
    wanted = QueueFilter(
        owner=desk.ctx.actor if owner == MINE else owner[:150],
        waits_for=told.get("waits", "")[:10], reason=told.get("reason", "")[:20],
        state="ended" if told.get("state") == "ended" else "open",
        band=int(band) if band in {str(place) for place in range(len(AGES))} else None,
        text=told.get("q", "").strip()[:120],
    )  # fmt: skip
    rows = queue(desk.ctx, wanted)
    every = rows if wanted == QueueFilter() else queue(desk.ctx, QueueFilter())
    offset = parse_offset(told.get("offset", ""))
    shown: dict[str, Any] = {
        "rows": rows[offset : offset + ROWS], "count": len(rows), "wanted": wanted, "owner": owner,
        "lines": summary(every), "bands": range(len(AGES)), "reasons": REASONS,
        "mine": sum(one.row.owner == desk.ctx.actor for one in every),
        "late": sum(one.late_days > 0 for one in every), "live": len(every),
        "names": _names(desk), "may_set": may_set(desk), "me": MINE,
        "next": offset + ROWS if offset + ROWS < len(rows) else None,
        "previous": max(0, offset - ROWS) if offset else None,
    }  # fmt: skip
    return render(request, "web/disputes/page.html", shown)


def _names(desk: Desk) -> dict[str, str]:
    assert desk.company is not None
    return dict(owners_of(desk.company.id))


# --- one case ---------------------------------------------------------------------------------------


def _case(request: HttpRequest, dispute_id: int) -> Case:
    found = case(request.desk.ctx, dispute_id)
    if found is None:
        raise Http404
    return found


@page(may_look)
@require_GET
def dispute_page(request: HttpRequest, dispute_id: int) -> HttpResponse:
    return _shown(request, _case(request, dispute_id))


def _shown(request: HttpRequest, one: Case, error: SaldoError | None = None) -> HttpResponse:
    desk: Desk = request.desk
    answers = one.is_owner or may_change(desk.roles, one)
    shown = {
        "case": one, "row": one.row, "names": _names(desk), "ends": list(ENDS), "verdicts": VERDICTS,
        "may_change": may_change(desk.roles, one), "may_write": may_write(desk, one),
        "may_answer": answers and one.row.is_live and one.row.state != AGREED,
        "today": desk.ctx.as_of, "error": error, "typed": request.POST,
    }  # fmt: skip
    return render(request, "web/disputes/case.html", shown, status=400 if error else 200)


def _done(request: HttpRequest, dispute_id: int, words: str) -> HttpResponse:
    """Back to the case; to the queue, where the actor may not see it any more."""
    messages.success(request, words)
    if case(request.desk.ctx, dispute_id) is None:
        return redirect("disputes")
    return redirect("dispute", dispute_id)


def _note(request: HttpRequest) -> str:
    return request.POST.get("note", "").replace("\r\n", "\n").strip()[:NOTE_CHARACTERS]


def _day(text: str) -> date | None:
    day = day_or_none(text)
    if day is None and text.strip():
        raise SaldoError("date_not_understood", date=text.strip()[:40])
    return day


@page(may_look)
@require_POST
def note_page(request: HttpRequest, dispute_id: int) -> HttpResponse:
    """A note, a document, or both."""
    one = _case(request, dispute_id)
    if not may_write(request.desk, one):
        raise PermissionDenied
    file = request.FILES.get("file")
    try:
        document_id = None
        if file is not None and file.size and file.size <= settings.MAX_UPLOAD_BYTES:
            document_id = keep_document(request.desk.ctx, str(file.name)[:200], file.read())
        add_note(request.desk.ctx, dispute_id, _note(request), document_id)
    except SaldoError as refused:
        return _shown(request, one, refused)
    return _done(request, dispute_id, _("Added to the dispute."))


@page(may_look)
@require_POST
def owner_page(request: HttpRequest, dispute_id: int) -> HttpResponse:
    """Give it to somebody else, or change the day; its owner may hand it on, too."""
    one = _case(request, dispute_id)
    if not (one.is_owner or may_change(request.desk.roles, one)):
        raise PermissionDenied
    ctx, owner = request.desk.ctx, request.POST.get("owner", "")[:150]
    try:
        day = _day(request.POST.get("due_date", ""))
        day = None if day == one.row.due_date else day
        if owner != one.row.owner:
            change_owner(ctx, dispute_id, owner, day, _note(request))
        elif day is not None:
            change_due_date(ctx, dispute_id, day, _note(request))
    except SaldoError as refused:
        return _shown(request, one, refused)
    return _done(request, dispute_id, _("Saved."))


@page(may_look)
@require_POST
def answer_page(request: HttpRequest, dispute_id: int) -> HttpResponse:
    """What was found: the customer is right, or is not."""
    one = _case(request, dispute_id)
    if not (one.is_owner or may_change(request.desk.roles, one)):
        raise PermissionDenied
    try:
        mills = mills_or_none(request.POST.get("amount", ""), one.row.currency)
        answer(request.desk.ctx, dispute_id, request.POST.get("verdict", ""), mills, _note(request))
    except SaldoError as refused:
        return _shown(request, one, refused)
    return _done(request, dispute_id, _("The answer is with the credit office."))


@page(may_look)
@require_POST
def resolve_page(request: HttpRequest, dispute_id: int) -> HttpResponse:
    one = _case(request, dispute_id)
    if not may_change(request.desk.roles, one):
        raise PermissionDenied
    try:
        mills = mills_or_none(request.POST.get("amount", ""), one.row.currency)
        day = _day(request.POST.get("due_date", ""))
        done = resolve(
            request.desk.ctx, dispute_id, request.POST.get("outcome", ""), mills, _note(request), day
        )
    except SaldoError as refused:
        return _shown(request, one, refused)
    if done.waits_mills:
        words = _("Noted. It is not asked for; the dispute ends when the ledger shows it.")
    else:
        words = _("Noted.")
    return _done(request, dispute_id, words)


@page(may_look)
@require_POST
def reopen_page(request: HttpRequest, dispute_id: int) -> HttpResponse:
    one = _case(request, dispute_id)
    if not may_change(request.desk.roles, one):
        raise PermissionDenied
    try:
        mills = mills_or_none(request.POST.get("amount", ""), one.row.currency)
        reopen(request.desk.ctx, dispute_id, mills, _note(request))
    except SaldoError as refused:
        return _shown(request, one, refused)
    return _done(request, dispute_id, _("The dispute is open again."))


@page(may_look)
@require_POST
def claimed_page(request: HttpRequest, dispute_id: int) -> HttpResponse:
    """What the customer says now is wrong."""
    one = _case(request, dispute_id)
    if not may_change(request.desk.roles, one):
        raise PermissionDenied
    try:
        mills = mills_or_none(request.POST.get("amount", ""), one.row.currency)
        if mills is None:
            raise SaldoError("amount_not_understood", amount="")
        change_claimed(request.desk.ctx, dispute_id, mills, _note(request))
    except SaldoError as refused:
        return _shown(request, one, refused)
    return _done(request, dispute_id, _("Saved."))


@page(may_look)
@require_GET
def document_page(request: HttpRequest, dispute_id: int, document_id: int) -> HttpResponse:
    """A document of the dispute's timeline, and no other."""
    one = _case(request, dispute_id)
    if document_id not in one.documents:
        raise Http404
    name = one.documents[document_id]
    is_pdf = name.lower().endswith(".pdf")
    kind = "application/pdf" if is_pdf else "application/octet-stream"
    return download(document_bytes(document_id), name or "document", kind, inline=True)


# --- the company's rules ----------------------------------------------------------------------------


@page(may_set)
@require_http_methods(["GET", "POST"])
def policy_page(request: HttpRequest) -> HttpResponse:
    """By when an answer is owed and who gives it, by reason."""
    desk: Desk = request.desk
    assert desk.company is not None
    error = None
    if request.method == "POST":
        try:
            _change(request, desk.company.id)
        except SaldoError as refused:
            error = refused
        else:
            messages.success(request, _("Saved."))
            return redirect("dispute_policy")
    policy, typed = policy_of(desk.company.id), request.POST
    shown = {
        "lines": [
            (
                reason, typed.get(f"days-{reason}", policy.days_for(reason)),
                typed.get(f"owner-{reason}", policy.owners.get(reason, "")),
            )
            for reason in REASONS
        ],
        "credit_days": typed.get("credit_days", policy.credit_days),
        "remind_days": typed.get("remind_days", policy.remind_days),
        "names": _names(desk), "most": MAX_DAYS, "error": error,
    }  # fmt: skip
    return render(request, "web/disputes/policy.html", shown, status=400 if error else 200)


def _change(request: HttpRequest, company_id: int) -> None:
    told = request.POST
    change_policy(
        request.desk.ctx, company_id,
        days={reason: _number(told.get(f"days-{reason}", "")) for reason in REASONS},
        owners={reason: told.get(f"owner-{reason}", "")[:150] for reason in REASONS},
        credit_days=_number(told.get("credit_days", "")), remind_days=_number(told.get("remind_days", "")),
    )  # fmt: skip


def _number(text: str) -> int:
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) < 4):
        raise SaldoError("dispute_policy_invalid", days=text[:10] or "–", most=MAX_DAYS)
    return int(text)
