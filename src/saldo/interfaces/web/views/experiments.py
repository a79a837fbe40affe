"""Experiments: which there are, starting one, what it shows, stopping it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from saldo.collection.experiment_changes import NOTE_CHARACTERS, stop
from saldo.collection.experiments import MAY_EXPERIMENT, STOPPED, experiments
from saldo.core.errors import SaldoError
from saldo.core.experiments import HARMS, Design
from saldo.flows.experiments import Size, candidates, read, size, start
from saldo.interfaces.web.desk import Desk, page
from saldo.interfaces.web.experiment_charts import path_chart
from saldo.interfaces.web.templatetags.saldo import language

_DEFAULT = Design()


def may_look(desk: Desk) -> bool:
    return desk.company is not None and desk.reads_all


def may_change(desk: Desk) -> bool:
    return desk.company is not None and bool(desk.roles & MAY_EXPERIMENT)


@page(may_look)
@require_GET
def experiments_page(request: HttpRequest) -> HttpResponse:
    """Every experiment, the newest first, and the steps that have arms to try."""
    desk: Desk = request.desk
    rows = [(row, row.state(desk.ctx.as_of)) for row in experiments(desk.company.id)]
    shown = {"rows": rows, "steps": candidates(desk.company.id), "may_change": may_change(desk)}
    return render(request, "web/experiments/page.html", shown)


@page(may_look)
@require_GET
def experiment_page(request: HttpRequest, experiment_id: int) -> HttpResponse:
    """What an experiment shows as of the day: its arms, the difference day by day, what goes wrong."""
    desk: Desk = request.desk
    found = read(desk.ctx, desk.company, experiment_id)
    told = found.reading
    charts = {
        arm.arm: path_chart([look for look in told.looks if look.arm == arm.arm]) for arm in told.arms[1:]
    }
    shown = {
        "found": found, "row": found.row, "reading": told, "step": found.row.step_then, "harms": HARMS,
        "charts": [(arm, chart) for arm, chart in charts.items() if chart],
        "harmful": told.harmful, "may_stop": may_change(desk) and found.state != STOPPED,
    }  # fmt: skip
    return render(request, "web/experiments/experiment.html", shown)


@page(may_change)
@require_http_methods(["GET", "POST"])
def experiment_new_page(request: HttpRequest) -> HttpResponse:
    """How many customers an experiment takes and how many there are; with enough, it can be started."""
    desk: Desk = request.desk
    steps = candidates(desk.company.id)
    told = request.POST if request.method == "POST" else request.GET
    chosen = told.get("of", "") or next((f"{book.code}/{step.code}" for book, step in steps), "")
    playbook, _slash, step = chosen.partition("/")
    answer: dict[str, Any] = {"steps": steps, "chosen": chosen, "form": _form(told)}
    try:
        design = _design(told)
        if request.method == "POST":
            note = request.POST.get("note", "")[:NOTE_CHARACTERS]
            made = start(desk.ctx, desk.company, playbook, step, design, note)
            messages.success(
                request, _("Started: from the next run of the day on, customers are drawn by lot.")
            )
            return redirect("experiment", experiment_id=made)
        answer["size"] = _size(desk, playbook, step, design) if steps else None
    except SaldoError as error:
        answer["problem"] = error.text(language())
    status = 422 if request.method == "POST" else 200
    return render(request, "web/experiments/new.html", answer, status=status)


def _size(desk: Desk, playbook: str, step: str, design: Design) -> Size:
    return size(desk.ctx, desk.company, playbook, step, design)


def _form(told: Any) -> dict[str, str]:
    return {
        "effect": told.get("effect", str(round(_DEFAULT.effect * 100))),
        "horizon": told.get("horizon", str(_DEFAULT.horizon_days)),
        "enroll": told.get("enroll", str(_DEFAULT.enroll_days)),
        "note": told.get("note", "")[:NOTE_CHARACTERS],
    }


def _design(told: Any) -> Design:
    """Raises SaldoError("experiment_numbers") for what is no number, too."""
    form = _form(told)
    return Design(
        effect=_number(form["effect"], "effect") / 100,
        horizon_days=round(_number(form["horizon"], "horizon_days")),
        enroll_days=round(_number(form["enroll"], "enroll_days")),
    ).checked()


def _number(text: str, name: str) -> float:
    try:
        value = float(text.replace(",", ".").strip())
    except ValueError:
        value = float("nan")
    if not abs(value) < 10_000:
        raise SaldoError("experiment_numbers", name=name, value=text[:20], low=1, high=365)
    return value


@page(may_change)
@require_http_methods(["GET", "POST"])
def experiment_stop_page(request: HttpRequest, experiment_id: int) -> HttpResponse:
    """Asks before an experiment ends: everybody gets the step as it is written again."""
    desk: Desk = request.desk
    found = read(desk.ctx, desk.company, experiment_id)
    if request.method == "POST":
        decided = request.POST.get("reason") == "decided"
        stop(desk.ctx, experiment_id, "decided" if decided else "person", request.POST.get("note", ""))
        messages.success(request, _("Stopped. What was found stays here."))
        return redirect("experiment", experiment_id=experiment_id)
    return render(request, "web/experiments/stop.html", {"found": found, "row": found.row})
