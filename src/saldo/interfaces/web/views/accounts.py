"""Customers: the list, one account, and its printed statement."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.dateparse import parse_date, parse_datetime
from django.views.decorators.http import require_GET

from saldo.cash.desk import lines_of_account
from saldo.collection.assignments import collector_of
from saldo.collection.queries import hidden_today, outcomes_of
from saldo.core.context import Context
from saldo.flows.prescription import prescription
from saldo.flows.to_collect import collectable
from saldo.interfaces import clock
from saldo.interfaces.web.charts import shares
from saldo.interfaces.web.context import cash_waiting
from saldo.interfaces.web.desk import Desk, page
from saldo.interfaces.web.timeline import timeline
from saldo.interfaces.web.views.care import preferences_shown
from saldo.interfaces.web.views.plans import offered_facts
from saldo.interfaces.web.views.relations import facts_of
from saldo.interfaces.web.views.worklist import parse_offset
from saldo.ledger.portfolio import COLUMN_OF_BUCKET, SORTS, portfolio
from saldo.ledger.statement import UNAPPLIED_KIND, behavior, closed_items, open_items, totals
from saldo.parties.queries import AccountHeader, account_header, account_with_contacts
from saldo.risk.desk import outlook

ROWS = 50
TIMELINE_ROWS = 40
BANK_LINES = 8
PRESCRIBING = 3
LEGAL_ZONE = ZoneInfo("Europe/Rome")


@page()
@require_GET
def accounts_page(request: HttpRequest) -> HttpResponse:
    desk: Desk = request.desk
    if desk.company is None:
        return render(request, "web/worklist_empty.html", {"first_day": clock.today()})
    asked = request.GET
    offset = parse_offset(asked.get("offset", ""))
    sort = asked.get("sort") if asked.get("sort") in SORTS else "overdue"
    bucket = asked.get("bucket") if asked.get("bucket") in COLUMN_OF_BUCKET else ""
    found = portfolio(desk.ctx, asked.get("q", "")[:120], bucket, sort, offset, ROWS)
    shown = {
        "page": found, "sort": sort, "bucket": bucket, "offset": offset, "buckets": list(COLUMN_OF_BUCKET),
        "first": offset + 1, "last": offset + len(found.rows),
        "previous": max(0, offset - ROWS) if offset else None,
        "next": offset + ROWS if offset + ROWS < found.count else None,
    }  # fmt: skip
    part = request.htmx and request.htmx.target == "list"
    return render(request, "web/accounts/_list.html" if part else "web/accounts/page.html", shown)


@dataclass(frozen=True, slots=True)
class Clocks:
    """The day and the moment an account is looked at, as asked in the address. known_text is for the form."""

    ctx: Context
    is_changed: bool
    known_text: str


def clocks_of(request: HttpRequest) -> Clocks:
    """``as_of`` and ``known_at`` of the address; what is not a date is as if it were not there."""
    ctx = request.desk.ctx
    as_of, known_at = _date(request.GET.get("as_of", "")), _instant(request.GET.get("known_at", ""))
    known_text = known_at.astimezone(LEGAL_ZONE).strftime("%Y-%m-%dT%H:%M") if known_at else ""
    changed = (as_of is not None and as_of != ctx.as_of) or known_at is not None
    return Clocks(ctx.at(as_of or ctx.as_of, known_at), changed, known_text)


def _date(text: str) -> date | None:
    try:
        return parse_date(text)
    except ValueError:
        return None


def _instant(text: str) -> datetime | None:
    """A moment as the browser's field writes it, in Italian time; the whole minute counts as known."""
    try:
        moment = parse_datetime(text)
    except ValueError:
        return None
    if moment is None or not 1970 <= moment.year <= 9000:
        return None
    local = moment if moment.tzinfo else moment.replace(tzinfo=LEGAL_ZONE)
    return local.replace(second=59, microsecond=999_999).astimezone(UTC)


def header_of(request: HttpRequest, account_id: int) -> AccountHeader:
    header = account_header(request.desk.ctx, account_id)
    if header is None:
        raise Http404
    return header


@page()
@require_GET
def account_page(request: HttpRequest, account_id: int) -> HttpResponse:
    """Everything about one account, as of a day and as known at a moment. The closed items are a tab."""
    desk: Desk = request.desk
    found = account_with_contacts(desk.ctx, account_id)
    if found is None:
        raise Http404
    header, contacts = found
    clocks = clocks_of(request)
    offset = parse_offset(request.GET.get("offset", ""))
    if request.GET.get("tab") == "closed":
        items = closed_items(clocks.ctx, account_id, ROWS + 1, offset)
        shown: dict[str, Any] = {
            "account": header, "clocks": clocks, "tab": "closed", "closed": items[:ROWS],
            "collector": collector_of(clocks.ctx, account_id),
            "next": offset + ROWS if len(items) > ROWS else None,
            "previous": max(0, offset - ROWS) if offset else None,
        }  # fmt: skip
        return render(request, "web/accounts/account.html", shown)
    items = open_items(clocks.ctx, account_id)
    sums = totals(items)
    paid = behavior(clocks.ctx, account_id)
    outcomes = outcomes_of(account_id)
    largest = max((count for _, count in paid.classes), default=0) or 1
    shown = {
        "account": header,
        "collector": collector_of(clocks.ctx, account_id),
        "clocks": clocks,
        "tab": "open",
        "items": items,
        "totals": [(total, shares(total.buckets)) for total in sums],
        "behavior": paid,
        "delay_bars": [(name, count, count / largest) for name, count in paid.classes],
        "contacts": contacts,
        "outlook": outlook(clocks.ctx, account_id),
        "history": timeline(clocks.ctx, account_id, outcomes, TIMELINE_ROWS),
        "hidden": hidden_today(outcomes, desk.ctx.as_of),
        "debits": [item for item in items if item.balance > 0],
        "item_numbers": {item.id: item.number for item in items},
        "prescribing": prescription(clocks.ctx, [account_id])
        .sort("expires_date")
        .head(PRESCRIBING)
        .to_dicts(),
        "collect": collectable(clocks.ctx, account_id),
        **facts_of(desk, clocks.ctx, account_id),
        **offered_facts(desk, clocks.ctx, account_id),
        **preferences_shown(desk, clocks.ctx, account_id),
    }
    cash = cash_waiting(request)
    shown["has_bank"] = cash is not None and cash.booked_until is not None
    shown["unapplied"] = [item for item in items if item.kind == UNAPPLIED_KIND and item.balance < 0]
    return render(request, "web/accounts/account.html", shown)


@page()
@require_GET
def account_lines(request: HttpRequest, account_id: int) -> HttpResponse:
    """The newest bank lines that are, or seem to be, the account's."""
    header = header_of(request, account_id)
    rows = lines_of_account(request.desk.ctx, account_id, BANK_LINES)
    part = "web/accounts/_lines.html" if request.htmx else "web/accounts/lines.html"
    return render(request, part, {"account": header, "rows": rows})


@page()
@require_GET
def statement_page(request: HttpRequest, account_id: int) -> HttpResponse:
    """The statement of account, for paper."""
    header = header_of(request, account_id)
    clocks = clocks_of(request)
    items = open_items(clocks.ctx, account_id)
    return render(
        request, "web/accounts/statement.html",
        {
            "account": header, "clocks": clocks, "items": items, "totals": totals(items),
            "company": request.desk.company,
        },
    )  # fmt: skip
