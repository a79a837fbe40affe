"""What the frame around every page shows: company, day, how far the data reach, and what waits."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from saldo.cash.desk import COUNTED_LINES, booked_until, waiting_count
from saldo.collection.queries import COUNTED_ROWS, worklist_count
from saldo.intake.queries import batches
from saldo.interfaces import clock

RECENT_BATCHES = 12


def _data_until(desk: Any) -> Any:
    """The day of the newest complete import of the company: what happened later is not known yet."""
    for batch in batches(desk.ctx, RECENT_BATCHES):
        if batch.status == "done" and (not batch.company_code or batch.company_code == desk.company.code):
            return batch.as_at_date
    return None


def nav_count(waiting: int, counted: int = COUNTED_ROWS) -> str:
    """The number beside an entry of the menu: nothing for none, 999+ for many."""
    return f"{counted - 1}+" if waiting >= counted else str(waiting or "")


def _nav_lines(request: HttpRequest, desk: Any) -> str:
    """How many bank lines wait, for those who see them."""
    if not desk.reads_all or desk.company is None:
        return ""
    known = getattr(request, "cash_waiting", None)
    return nav_count(waiting_count(desk.ctx) if known is None else known, COUNTED_LINES)


def shell(request: HttpRequest) -> dict[str, Any]:
    """Nothing for fragments and for pages before the login."""
    desk = getattr(request, "desk", None)
    if desk is None or getattr(request, "htmx", False):
        return {"desk": desk}
    waiting = getattr(request, "worklist_actions", None)
    if waiting is None:
        waiting = worklist_count(desk.ctx, desk.run) if desk.run is not None else 0
    return {
        "desk": desk,
        "today": clock.today(),
        "nav_actions": nav_count(waiting),
        "nav_lines": _nav_lines(request, desk),
        "bank_until": (bank_until := booked_until(desk.ctx) if desk.company else None),
        "data_until": bank_until or (_data_until(desk) if desk.company else None),
    }
