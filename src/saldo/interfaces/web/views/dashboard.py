"""The dashboard: what is open and late, how fast it turns to cash, what to expect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from saldo.analytics.cash_scoring import CashScore
from saldo.core.aging import BUCKETS
from saldo.flows.score_cash import forecast_scores
from saldo.interfaces import clock
from saldo.interfaces.web.charts import shares
from saldo.interfaces.web.desk import Desk, page
from saldo.interfaces.web.forecast_charts import cash_weeks
from saldo.ledger.portfolio import portfolio
from saldo.measurement.queries import BUCKETS as BUCKET_MEASURES
from saldo.measurement.queries import dashboard, weeks_of

TOP_ACCOUNTS = 8
JUDGED_WEEKS = 4
COLUMN_OF_BUCKET = dict(zip(BUCKETS, BUCKET_MEASURES, strict=True))


def _weeks(rows: Sequence[Mapping[str, Any]], currency: str) -> list[dict[str, Any]]:
    """The weeks of a currency: the total's figures, with what is of open items, of later sales, and naive.

    A run that knew no total gives what its open items bring.
    """
    own = [row for row in rows if row["currency"] == currency]
    leading = "total" if any(row["kind"] == "total" for row in own) else "open"
    beside: dict[Any, dict[str, Any]] = {}
    for row in own:
        beside.setdefault(row["week_start"], {})[row["kind"]] = row["expected"]
    return [
        {**row, **{kind: beside[row["week_start"]].get(kind) for kind in ("open", "future", "naive")}}
        for row in own
        if row["kind"] == leading
    ]


def _judged(scores: Sequence[CashScore], currency: str) -> dict[str, CashScore]:
    """What came of the forecasts of four weeks: of the total (else of open items), and of the naive one."""
    of_four = [one for one in scores if one.currency == currency and one.weeks == JUDGED_WEEKS]
    return {one.kind: one for one in of_four}


def _currency(
    currency: str, figures: dict[str, Any], weeks: Sequence[Mapping[str, Any]], scores: Sequence[CashScore]
) -> dict[str, Any]:
    overdue, open_amount = figures["overdue"], figures["open"]
    shown, judged = _weeks(weeks, currency), _judged(scores, currency)
    return {
        **figures,
        "currency": currency,
        "overdue_share": float(overdue) / float(open_amount) if open_amount else None,
        "shares": shares({name: figures["buckets"][column] for name, column in COLUMN_OF_BUCKET.items()}),
        "columns": cash_weeks(shown),
        "has_future": any(row["future"] for row in shown),
        "has_naive": any(row["naive"] is not None for row in shown),
        "judged": judged.get("total") or judged.get("open"),
        "judged_naive": judged.get("naive"),
    }


@page(lambda desk: desk.reads_all)
@require_GET
def dashboard_page(request: HttpRequest) -> HttpResponse:
    desk: Desk = request.desk
    if desk.run is None or desk.company is None:
        return render(request, "web/worklist_empty.html", {"first_day": clock.today()})
    found, weeks = dashboard(desk.run), weeks_of(desk.run.id, "")
    scores = forecast_scores(desk.ctx, desk.company.id)
    ordered = sorted(found, key=lambda currency: currency != desk.company.currency)
    top = portfolio(desk.ctx, sort="overdue", limit=TOP_ACCOUNTS)
    shown = {
        "currencies": [_currency(currency, found[currency], weeks, scores) for currency in ordered],
        "top": [row for row in top.rows if row.overdue_mills > 0],
        "is_stale": desk.run.as_of < clock.today(),
    }
    return render(request, "web/dashboard/page.html", shown)
