"""What the frame around every page shows: company, day, how far the data reach, and what waits."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from saldo.collection.queries import worklist_summary
from saldo.intake.queries import batches
from saldo.interfaces import clock

RECENT_BATCHES = 12


def _data_until(desk: Any) -> Any:
    """The day of the newest complete import of the company: what happened later is not known yet."""
    for batch in batches(desk.ctx, RECENT_BATCHES):
        if batch.status == "done" and (not batch.company_code or batch.company_code == desk.company.code):
            return batch.as_at_date
    return None


def shell(request: HttpRequest) -> dict[str, Any]:
    """Nothing for fragments and for pages before the login."""
    desk = getattr(request, "desk", None)
    if desk is None or getattr(request, "htmx", False):
        return {"desk": desk}
    summary = getattr(request, "worklist_summary", None)
    if summary is None and desk.run is not None:
        summary = worklist_summary(desk.ctx, desk.run)
    return {
        "desk": desk,
        "today": clock.today(),
        "nav_actions": summary.actions if summary else 0,
        "data_until": _data_until(desk) if desk.company else None,
    }
