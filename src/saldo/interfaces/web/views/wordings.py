"""The texts of messages: which there are, changing one, and what it would look like."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from saldo.core.errors import SaldoError
from saldo.core.wording import VARIABLES, Template
from saldo.interfaces.web.desk import page
from saldo.interfaces.web.outreach_labels import TEMPLATES
from saldo.interfaces.web.views.sending import may_look, may_set
from saldo.outreach.templates import history, listing, newest, preview, problems, save

BODY_CHARACTERS, SUBJECT_CHARACTERS, NOTE_CHARACTERS = 20_000, 200, 500
LANGUAGES = ("it", "en")


@page(may_look)
@require_GET
def wordings_page(request: HttpRequest) -> HttpResponse:
    """Every text by occasion, channel and language; those that the company changed are marked."""
    rows = listing(request.desk.company.id)
    order = list(TEMPLATES)
    groups: dict[str, list[Any]] = {}
    for row in sorted(rows, key=lambda row: (row.channel, row.language != "it", row.language)):
        groups.setdefault(row.code, []).append(row)
    shown = sorted(groups.items(), key=lambda pair: order.index(pair[0]) if pair[0] in order else len(order))
    return render(request, "web/sending/wordings.html", {"tab": "sending", "groups": shown})


@page(may_look)
@require_http_methods(["GET", "POST"])
def wording_page(request: HttpRequest, code: str, channel: str, language: str) -> HttpResponse:
    """One text: change it, look at it with an example, and see who changed it. htmx asks for the preview."""
    desk = request.desk
    stored = newest(desk.company.id, code, channel, language)
    if stored is None or language not in LANGUAGES:
        raise Http404
    subject, body, error = stored.subject, stored.body, None
    if request.method == "POST":
        if not may_set(desk):
            return HttpResponse(status=403)
        subject = request.POST.get("subject", "").strip()[:SUBJECT_CHARACTERS]
        body = request.POST.get("body", "").replace("\r\n", "\n").strip()[:BODY_CHARACTERS]
        if not request.htmx and "save" in request.POST:
            try:
                note = request.POST.get("note", "").strip()[:NOTE_CHARACTERS]
                save(desk.ctx, desk.company.id, code, channel, language, subject, body, note)
            except SaldoError as refused:
                error = refused
            else:
                messages.success(request, _("Saved: messages written from now on use it."))
                return redirect("wording", code=code, channel=channel, language=language)
    typed = Template(code, channel, language, subject, body)
    language_shown = request.LANGUAGE_CODE[:2]
    found = [problem.text(language_shown) for problem in problems(typed)]
    shown = {
        "tab": "sending", "stored": stored, "subject": subject, "body": body, "error": error,
        "problems": found,
        "rendered": preview(desk.ctx, desk.company.id, typed) if not found else None,
        "versions": history(desk.company.id, code, channel, language), "may_set": may_set(desk),
        "variables": [(name, getattr(meaning, language_shown)) for name, meaning in VARIABLES.items()],
    }  # fmt: skip
    if request.htmx:
        return render(request, "web/sending/_wording_preview.html", shown)
    return render(request, "web/sending/wording.html", shown, status=400 if error else 200)
