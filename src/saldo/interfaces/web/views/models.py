"""The models: which one is in use and why, how good it is, what it was before; who may, promotes another."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from saldo.core.errors import SaldoError
from saldo.flows.jobs import defer_training
from saldo.flows.score_cash import forecast_scores
from saldo.identity.model_versions import (
    ModelRow,
    PromotionRow,
    model_in_use,
    model_version,
    models_of,
    promotions_of,
)
from saldo.identity.registry import promote
from saldo.interfaces.web.desk import Desk, page
from saldo.interfaces.web.forecast_labels import ENGINES
from saldo.interfaces.web.model_page import learnt_from, report_of
from saldo.risk.desk import training_material

VERSIONS = 30
# So much there must be at least before a model says more than general experience.
LEAST_PAID, GOOD_MONTHS = 30, 24
REASON_LENGTH = 500


def may_read(desk: Desk) -> bool:
    return desk.reads_models and desk.company is not None


def may_promote(desk: Desk) -> bool:
    return desk.may_promote and desk.company is not None


def _engine(request: HttpRequest) -> str:
    asked = request.GET.get("engine", "")
    return asked if asked in ENGINES else next(iter(ENGINES))


@page(may_read)
@require_GET
def models_page(request: HttpRequest) -> HttpResponse:
    """The version in use of an engine with its backtest, its history, and what came of kept forecasts."""
    desk: Desk = request.desk
    engine = _engine(request)
    company_id = desk.company.id
    used = model_in_use(company_id, engine)
    versions = models_of(company_id, engine, VERSIONS)
    shown: dict[str, Any] = {
        "engine": engine, "engines": list(ENGINES), "used": used, "versions": versions,
        "report": report_of(used.metrics) if used else None,
        "learnt": learnt_from(used.metrics) if used else {},
        "promotions": _told(company_id, engine, versions),
        "least_paid": LEAST_PAID, "good_months": GOOD_MONTHS,
    }  # fmt: skip
    if used is None:
        shown["material"] = training_material(company_id)
    elif engine == "payment_date":
        shown["scores"] = forecast_scores(desk.ctx, company_id)
    return render(request, "web/models/page.html", shown)


def _told(
    company_id: int, engine: str, versions: list[ModelRow]
) -> list[tuple[PromotionRow, dict[str, Any]]]:
    """What was in use when, each with the backtest of its version, in whose words it may say why."""
    metrics = {row.id: row.metrics for row in versions}
    return [
        (row, metrics.get(row.model_version_id, {})) for row in promotions_of(company_id, engine, VERSIONS)
    ]


def _version(desk: Desk, version_id: int) -> ModelRow:
    """A version of the company's own; any other looks as if it were not there."""
    found = model_version(version_id)
    if found.company_id != desk.company.id:
        raise Http404
    return found


@page(may_promote)
@require_http_methods(["GET", "POST"])
def promote_page(request: HttpRequest, version_id: int) -> HttpResponse:
    """Asks before another version comes into use, with the reason; a roll back is an older one."""
    desk: Desk = request.desk
    row = _version(desk, version_id)
    used = model_in_use(desk.company.id, row.engine)
    if request.method == "POST":
        reason = request.POST.get("reason", "").strip()[:REASON_LENGTH]
        if not reason:
            raise SaldoError("model_reason_missing")
        if promote(desk.ctx, desk.company.id, row.engine, row.id, reason):
            messages.success(request, _("In use from now on. The next run of the day forecasts with it."))
        return redirect(f"{reverse('models')}?engine={row.engine}")
    shown = {
        "row": row, "used": used, "report": report_of(row.metrics),
        "goes_back": used is not None and row.recorded_at < used.recorded_at,
    }  # fmt: skip
    return render(request, "web/models/promote.html", shown)


@page(may_promote)
@require_POST
def train_page(request: HttpRequest) -> HttpResponse:
    """Train again as a job; the page says when it is done."""
    desk: Desk = request.desk
    with transaction.atomic():
        is_new = defer_training(desk.company.id, desk.ctx.actor, desk.ctx.language)
    if is_new:
        messages.success(request, _("Asked for. It takes some minutes; then the new version stands here."))
    else:
        messages.success(request, _("Training is waiting already."))
    return redirect("models")
