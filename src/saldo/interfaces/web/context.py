"""What the frame around every page shows: company, day, how far the data reach, and what waits."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from saldo.cash.desk import COUNTED_LINES
from saldo.cash.waiting import Waiting, waiting
from saldo.collection.queries import COUNTED_ROWS, WorklistFilter, worklist_count
from saldo.disputes.cases import waiting as waiting_disputes
from saldo.interfaces import clock
from saldo.outreach.desk import MailCounts, counts


def nav_count(waiting: int, counted: int = COUNTED_ROWS) -> str:
    """The number beside an entry of the menu: nothing for none, 999+ for many."""
    return f"{counted - 1}+" if waiting >= counted else str(waiting or "")


def cash_waiting(request: HttpRequest) -> Waiting | None:
    """What waits at the cash desk; asked once a request."""
    desk = request.desk
    if desk.company is None:
        return None
    if not hasattr(request, "cash_waiting"):
        request.cash_waiting = waiting(desk.ctx)
    return request.cash_waiting


def mail_counts(request: HttpRequest) -> MailCounts:
    """What waits in the post, and whether sending is stopped; asked once a request."""
    desk = request.desk
    if desk.company is None:
        return MailCounts()
    if not hasattr(request, "mail_counts"):
        run_id = desk.run.id if desk.run is not None else None
        request.mail_counts = counts(desk.ctx, run_id, desk.sees_strays)
    return request.mail_counts


def shell(request: HttpRequest) -> dict[str, Any]:
    """Nothing for fragments and for pages before the login."""
    desk = getattr(request, "desk", None)
    if desk is None or getattr(request, "htmx", False):
        return {"desk": desk}
    actions = getattr(request, "worklist_actions", None)
    if actions is None:
        own = WorklistFilter(collector=desk.own_list)
        actions = worklist_count(desk.ctx, desk.run, own) if desk.run is not None else 0
    cash = cash_waiting(request)
    mail = mail_counts(request)
    bank_until = cash.booked_until if cash is not None else None
    return {
        "desk": desk,
        "today": clock.today(),
        "nav_actions": nav_count(actions),
        "nav_lines": nav_count(cash.count, COUNTED_LINES) if cash is not None and desk.reads_all else "",
        "mail": mail,
        "nav_mail": nav_count(mail.for_people),
        "nav_disputes": nav_count(waiting_disputes(desk.ctx, desk.roles)) if desk.company else "",
        "bank_until": bank_until,
        "data_until": bank_until or (cash.imported_until if cash is not None else None),
    }
