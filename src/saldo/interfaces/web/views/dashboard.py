"""The dashboard: what is open and late, how fast it turns to cash, what to expect."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from saldo.core.aging import BUCKETS
from saldo.interfaces import clock
from saldo.interfaces.web.charts import shares, weeks
from saldo.interfaces.web.desk import Desk, page
from saldo.ledger.portfolio import portfolio
from saldo.measurement.queries import BUCKETS as BUCKET_MEASURES
from saldo.measurement.queries import dashboard

TOP_ACCOUNTS = 8
COLUMN_OF_BUCKET = dict(zip(BUCKETS, BUCKET_MEASURES, strict=True))


def _currency(currency: str, figures: dict[str, Any]) -> dict[str, Any]:
    overdue, open_amount = figures["overdue"], figures["open"]
    return {
        **figures,
        "currency": currency,
        "overdue_share": float(overdue) / float(open_amount) if open_amount else None,
        "shares": shares({name: figures["buckets"][column] for name, column in COLUMN_OF_BUCKET.items()}),
        "columns": weeks(figures["weeks"]),
        "expected": sum(row["expected"] for row in figures["weeks"]),
    }


@page(lambda desk: desk.reads_all)
@require_GET
def dashboard_page(request: HttpRequest) -> HttpResponse:
    desk: Desk = request.desk
    if desk.run is None or desk.company is None:
        return render(request, "web/worklist_empty.html", {"first_day": clock.today()})
    found = dashboard(desk.run)
    ordered = sorted(found, key=lambda currency: currency != desk.company.currency)
    top = portfolio(desk.ctx, sort="overdue", limit=TOP_ACCOUNTS)
    shown = {
        "currencies": [_currency(currency, found[currency]) for currency in ordered],
        "top": [row for row in top.rows if row.overdue_mills > 0],
        "is_stale": desk.run.as_of < clock.today(),
    }
    return render(request, "web/dashboard/page.html", shown)
