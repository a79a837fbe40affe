"""Our bank accounts: what each bank said until when, where it has holes, and what waits for a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from saldo.cash.banks import AccountContinuity, Hole, StatementRow, continuity, statement
from saldo.cash.statements import add_bank_account, release_statement
from saldo.core.errors import SaldoError
from saldo.formats.bank_records import BOOKED
from saldo.interfaces.web.desk import page
from saldo.interfaces.web.views.cash import may_post, may_read
from saldo.interfaces.web.views.worklist import parse_offset

STATEMENTS = 60
FIELDS = ("iban", "name", "bic", "abi", "cab", "number", "currency", "sia", "creditor_id")


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the account's page: a statement, or a hole between two."""

    statement: StatementRow | None = None
    hole: Hole | None = None


@page(may_read)
@require_http_methods(["GET", "POST"])
def accounts_page(request: HttpRequest) -> HttpResponse:
    """The accounts with their last statement; and the form to add one, which says what it refuses."""
    desk, error = request.desk, None
    if request.method == "POST":
        if not may_post(desk):
            return HttpResponse(status=403)
        told = {name: request.POST.get(name, "").strip()[:80] for name in FIELDS}
        try:
            added = add_bank_account(desk.ctx, desk.company.id, **told)
        except SaldoError as refused:
            error = refused
        else:
            messages.success(request, _("%(account)s is there.") % {"account": added.label})
            return redirect("bank_account", bank_id=added.id)
    shown = {"accounts": continuity(desk.ctx), "error": error, "typed": request.POST}
    return render(request, "web/cash/accounts.html", shown, status=400 if error else 200)


def _account(request: HttpRequest, bank_id: int) -> AccountContinuity:
    try:
        found = continuity(request.desk.ctx, bank_id)[0]
    except SaldoError:
        raise Http404 from None
    if found.account.company_id != request.desk.company.id:
        raise Http404
    return found


def _entries(found: AccountContinuity) -> Sequence[Entry]:
    """Booked statements, the newest first, each after the hole that separates it from the one before it."""
    holes = {hole.before_id: hole for hole in found.holes}
    told: list[Entry] = []
    for row in reversed(found.statements):
        if row.kind != BOOKED:
            continue
        told.append(Entry(statement=row))
        if row.id in holes:
            told.append(Entry(hole=holes[row.id]))
    return told


@page(may_read)
@require_GET
def account_page(request: HttpRequest, bank_id: int) -> HttpResponse:
    """One account: its statements by day, the days that are missing, what does not add up."""
    found = _account(request, bank_id)
    entries = _entries(found)
    offset = parse_offset(request.GET.get("offset", ""))
    shown: dict[str, Any] = {
        "found": found, "entries": entries[offset : offset + STATEMENTS],
        "reports": [row for row in found.statements if row.kind != BOOKED][-5:][::-1],
        "next": offset + STATEMENTS if offset + STATEMENTS < len(entries) else None,
        "previous": max(0, offset - STATEMENTS) if offset else None,
    }  # fmt: skip
    return render(request, "web/cash/account.html", shown)


@page(may_post)
@require_POST
def release_page(request: HttpRequest, statement_id: int) -> HttpResponse:
    """A person has looked at a statement that does not add up, and lets its lines be posted."""
    row = statement(statement_id)
    found = _account(request, row.bank_account_id)
    release_statement(request.desk.ctx, statement_id, request.POST.get("note", "").strip()[:500])
    messages.success(request, _("Released: its lines are at the cash desk."))
    address = reverse("bank_account", args=[found.account.id])
    return HttpResponse(headers={"HX-Redirect": address}) if request.htmx else redirect(address)
