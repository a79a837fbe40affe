"""The two questions, for whoever got the message: no login, and nobody's data on the page."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from saldo.core.care import CSAT_LEAST, CSAT_MOST, NPS_MOST
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.flows import ask_surveys
from saldo.interfaces import clock
from saldo.measurement.surveys import COMMENT_CHARACTERS

ACTOR = "system:link"
_STATUS = {"survey_answer_invalid": 400, "survey_over": 410}


def _context() -> Context:
    return Context(ACTOR, clock.today(), clock.now)


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 3 else None


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def survey_page(request: HttpRequest, signed: str) -> HttpResponse:
    """GET asks, POST keeps the answers; the signed link is what allows it."""
    ctx = _context()
    try:
        asked = ask_surveys.survey_page(ctx, signed)
    except SaldoError as error:
        return render(request, "public/link_broken.html", {"error": error}, status=404)
    with translation.override(asked.language if asked.language in ("it", "en") else "it"):
        shown = {
            "asked": asked, "csat_range": range(CSAT_LEAST, CSAT_MOST + 1), "nps_range": range(NPS_MOST + 1),
            "most": COMMENT_CHARACTERS,
            "typed": {"csat": asked.csat, "nps": asked.nps, "comment": asked.comment},
        }  # fmt: skip
        if request.method != "POST":
            if ctx.as_of > asked.until_date:
                error = SaldoError("survey_over", day=asked.until_date)
                return render(request, "public/link_broken.html", {"error": error}, status=410)
            return render(request, "public/survey.html", shown)
        told = request.POST
        csat, nps = _whole(told.get("csat", "")), _whole(told.get("nps", ""))
        try:
            ask_surveys.answer(ctx, signed, csat, nps, told.get("comment", ""))
        except SaldoError as error:
            typed = {"csat": csat, "nps": nps, "comment": told.get("comment", "")[:COMMENT_CHARACTERS]}
            template = (
                "public/survey.html" if error.code == "survey_answer_invalid" else "public/link_broken.html"
            )
            return render(
                request,
                template,
                shown | {"error": error, "typed": typed},
                status=_STATUS.get(error.code, 400),
            )
        return render(request, "public/survey_done.html", shown)
