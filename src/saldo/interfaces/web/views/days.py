"""Computing the day from a page: start it, and wait for it."""

from __future__ import annotations

from datetime import date

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.dateparse import parse_date
from django.views.decorators.http import require_GET, require_POST

from saldo.flows.jobs import defer_day
from saldo.identity.queries import latest_day_run
from saldo.interfaces import clock
from saldo.interfaces.web.desk import Desk, page

# After this many seconds the page says what may be wrong.
SLOW_SECONDS = 60


def _asked_day(text: str) -> date:
    try:
        return parse_date(text) or clock.today()
    except ValueError:
        return clock.today()


@page(lambda desk: desk.may_collect and desk.company is not None)
@require_POST
def run_day(request: HttpRequest) -> HttpResponse:
    """Defer the day run and go to the page that waits for it."""
    desk: Desk = request.desk
    as_of = _asked_day(request.POST.get("as_of", ""))
    before = latest_day_run(desk.company.id, as_of)
    with transaction.atomic():
        defer_day(desk.company.id, as_of)
    started = int(clock.now().timestamp())
    address = (
        f"{reverse('day_wait')}?as_of={as_of.isoformat()}&after={before.id if before else 0}&since={started}"
    )
    return redirect(address)


@page(lambda desk: desk.may_collect and desk.company is not None)
@require_GET
def wait_page(request: HttpRequest) -> HttpResponse:
    """Shows that the day is being computed; goes to the worklist when it is there."""
    asked = request.GET
    as_of = _asked_day(asked.get("as_of", ""))
    after = int(asked["after"]) if asked.get("after", "").isdigit() else 0
    run = latest_day_run(request.desk.company.id, as_of)
    if run is not None and run.id > after:
        if request.htmx:
            return HttpResponse(headers={"HX-Redirect": reverse("worklist")})
        return redirect("worklist")
    since = int(asked["since"]) if asked.get("since", "").isdigit() else 0
    seconds = max(0, int(clock.now().timestamp()) - since) if since else 0
    shown = {"as_of": as_of, "seconds": min(seconds, 86_400), "is_slow": seconds > SLOW_SECONDS}
    return render(request, "web/days/_wait.html" if request.htmx else "web/days/wait.html", shown)
