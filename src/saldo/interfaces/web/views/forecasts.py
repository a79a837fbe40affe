"""What is expected of one item, and the list of customers who changed."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from saldo.flows.item_forecast import ItemForecast, forecast_of_item
from saldo.interfaces import clock
from saldo.interfaces.web.desk import Desk, page
from saldo.interfaces.web.forecast_charts import CurveChart, curve_chart
from saldo.interfaces.web.views.accounts import clocks_of, header_of
from saldo.interfaces.web.views.worklist import parse_offset
from saldo.ledger.statement import ItemRow, open_items
from saldo.risk.desk import run_of, warning_list

# The plot of a curve, in pixels: below two rows of words, above the days.
PLOT_TOP, PLOT_HEIGHT = 34, 132
HORIZONS = (7, 30, 60, 90)
REASONS = 3
ROWS = 50


def _chart(item: ItemRow, told: ItemForecast) -> CurveChart:
    points = [(0, 0.0), *zip(told.days, told.paid, strict=True)]
    return curve_chart(
        points, told.as_of, item.due_date, told.expected_date, told.low_date, told.high_date,
        PLOT_HEIGHT, PLOT_TOP,
    )  # fmt: skip


@page()
@require_GET
def item_page(request: HttpRequest, account_id: int, item_id: int) -> HttpResponse:
    """When one open item will be paid: the whole curve and why. A row of the account's table for htmx."""
    header = header_of(request, account_id)
    clocks = clocks_of(request)
    item = next((each for each in open_items(clocks.ctx, account_id) if each.id == item_id), None)
    run = run_of(clocks.ctx)
    told = forecast_of_item(clocks.ctx, run, account_id, item_id) if item and run else None
    if item is None or told is None:
        raise Http404
    shown = {
        "account": header, "clocks": clocks, "item": item, "told": told, "chart": _chart(item, told),
        "chances": list(zip(HORIZONS, (told.p7, told.p30, told.p60, told.p90), strict=True)),
        "reasons": told.reasons[:REASONS], "plot_top": PLOT_TOP, "plot_height": PLOT_HEIGHT,
        "plot_end": PLOT_TOP + PLOT_HEIGHT, "plot_middle": PLOT_TOP + PLOT_HEIGHT // 2,
    }  # fmt: skip
    part = "web/accounts/_item_row.html" if request.htmx else "web/accounts/item.html"
    return render(request, part, shown)


@page()
@require_GET
def warnings_page(request: HttpRequest) -> HttpResponse:
    """Every customer with an early warning today, what weighs most first."""
    desk: Desk = request.desk
    if desk.run is None or desk.company is None:
        return render(request, "web/worklist_empty.html", {"first_day": clock.today()})
    offset = parse_offset(request.GET.get("offset", ""))
    found = warning_list(desk.ctx, desk.run.id, desk.company.currency)
    shown = {
        "rows": found[offset : offset + ROWS], "count": len(found), "first": offset + 1,
        "last": min(offset + ROWS, len(found)),
        "previous": max(0, offset - ROWS) if offset else None,
        "next": offset + ROWS if offset + ROWS < len(found) else None,
    }  # fmt: skip
    return render(request, "web/accounts/warnings.html", shown)
