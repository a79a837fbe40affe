"""Writing a playbook as a form or as text, and trying it on the day's customers."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from saldo.collection.playbook_changes import NOTE_CHARACTERS
from saldo.collection.playbooks import playbooks, version_row
from saldo.core.errors import SaldoError
from saldo.core.outcomes import DELAY_REASONS
from saldo.core.playbook import (
    ATTACHMENTS,
    CHANNELS,
    MODES,
    OWNERS,
    PURPOSES,
    TONES,
    TRACKS,
    WRITTEN,
    Playbook,
)
from saldo.core.playbook_problems import Problem, mistakes
from saldo.core.playbook_text import CLASSES, LARGEST_BYTES, parse, read, shipped
from saldo.flows.try_playbook import check_playbook, save_playbook, try_playbook
from saldo.interfaces.web.desk import Desk, page
from saldo.interfaces.web.playbook_form import Form, changed, form_of, form_posted, place_problems, text_of
from saldo.interfaces.web.playbook_trial import shown_trial
from saldo.interfaces.web.views.playbooks import asked_version, may_edit, may_look
from saldo.outreach.templates import known

FORM, TEXT = "form", "text"
CHOICES = {
    "tracks": TRACKS, "channels": CHANNELS, "written": WRITTEN, "tones": TONES, "modes": MODES,
    "owners": OWNERS, "purposes": PURPOSES, "attachments": ATTACHMENTS, "classes": CLASSES,
    "promises": ("any", "none", "broken"), "states": ("any", "none"), "delay_codes": DELAY_REASONS,
}  # fmt: skip


@page(may_edit)
@require_http_methods(["GET", "POST"])
def edit_page(request: HttpRequest, code: str) -> HttpResponse:
    """Change a playbook: what is saved is its next version, in force only when another person says so."""
    row = version_row(request.desk.company.id, code, asked_version(request))
    newest = version_row(request.desk.company.id, code).version
    if request.method == "POST":
        return _posted(request, code)
    return _shown(request, row.content, _mode(request), code, based_on=newest)


@page(may_edit)
@require_http_methods(["GET", "POST"])
def new_page(request: HttpRequest) -> HttpResponse:
    """A new playbook, begun from the standard one."""
    if request.method == "POST":
        return _posted(request, "")
    form = form_of(parse(shipped()["standard"]), request.LANGUAGE_CODE[:2])
    taken = [row.shown.playbook.order for row in playbooks(request.desk.company.id)]
    form.head = {name: "" for name in form.head} | {"order": str(max(taken, default=0) + 10)}
    return _shown(request, text_of(form), FORM, "", None, form=form, problems=[])


def _mode(request: HttpRequest) -> str:
    return TEXT if request.GET.get("as") == TEXT else FORM


def _posted(request: HttpRequest, code: str) -> HttpResponse:
    """What a button of the editor asks for: check, save, try, the other view, or a change of the steps."""
    desk: Desk = request.desk
    told = request.POST
    wish, mode = told.get("do", "check"), told.get("mode", TEXT)
    form = form_posted(told) if mode == FORM else None
    focus = changed(form, wish) if form is not None else None
    text = text_of(form) if form is not None else told.get("text", "").replace("\r\n", "\n")
    based_on = int(told["based_on"]) if told.get("based_on", "").isdecimal() else None
    playbook, problems = check_playbook(text[: LARGEST_BYTES + 1], desk.company.id)
    problems = [*_wrong_code(desk, playbook, code), *problems]
    more: dict[str, Any] = {"problems": problems, "form": form, "note": told.get("note", ""), "focus": focus}
    if request.htmx and wish == "check":
        shown = _context(text, mode, code, based_on) | more
        return render(request, "web/playbooks/_problems.html", shown | {"is_checked": True})
    if wish in ("save", "try") and mistakes(problems):
        return _shown(request, text, mode, code, based_on, status=400, **more)
    if wish == "try":
        return _tried(request, text, code, based_on, mode, told.get("note", ""))
    if wish == "save":
        try:
            return _saved(request, text, based_on)
        except SaldoError as error:
            based_on = int(error.params.get("version", based_on or 0))
            return _shown(request, text, mode, code, based_on, status=409, error=error, **more)
    if wish in (FORM, TEXT):
        mode = wish if wish == TEXT or playbook is not None else TEXT
        more["form"] = None if mode == TEXT or form is None else form
    return _shown(request, text, mode, code, based_on, **more)


def _wrong_code(desk: Desk, playbook: Playbook | None, code: str) -> list[Problem]:
    """A playbook keeps its code; a new one takes none that is there."""
    if playbook is None or playbook.code == code:
        return []
    if code:
        return [Problem("playbook_code_changed", params={"code": playbook.code, "before": code})]
    taken = {row.code for row in playbooks(desk.company.id)}
    return [Problem("playbook_code_taken", params={"code": playbook.code})] if playbook.code in taken else []


def _saved(request: HttpRequest, text: str, based_on: int | None) -> HttpResponse:
    desk: Desk = request.desk
    note = request.POST.get("note", "").strip()[:NOTE_CHARACTERS]
    saved = save_playbook(desk.ctx, desk.company.id, text, note, based_on)
    if saved.is_new:
        said = _("Saved as version %(version)d. It is not in force until another person activates it.")
    else:
        said = _("Nothing has changed since version %(version)d.")
    messages.success(request, said % {"version": saved.version})
    response = redirect("playbook", code=saved.code)
    response["Location"] += f"?version={saved.version}"
    return response


def _context(text: str, mode: str, code: str, based_on: int | None) -> dict[str, Any]:
    return {"text": text, "mode": mode, "code": code, "based_on": based_on}


def _shown(
    request: HttpRequest,
    text: str,
    mode: str,
    code: str,
    based_on: int | None,
    status: int = 200,
    **more: Any,
) -> HttpResponse:
    company_id = request.desk.company.id
    if "problems" not in more:
        more["problems"] = check_playbook(text, company_id)[1]
    form: Form | None = more.pop("form", None)
    if mode == FORM and form is None:
        playbook, _problems = read(text)
        form = form_of(playbook, request.LANGUAGE_CODE[:2]) if playbook else None
    if form is None:
        mode = TEXT
    else:
        place_problems(form, more.get("problems", []))
    shown = CHOICES | _context(text, mode, code, based_on) | more
    shown |= {"form": form, "templates": sorted({code for code, _channel in known(company_id)})}
    shown |= {"loses_comments": mode == FORM and request.method == "GET" and "#" in text}
    return render(request, "web/playbooks/edit.html", shown, status=status)


@page(may_look)
@require_http_methods(["GET"])
def try_page(request: HttpRequest, code: str, version: int) -> HttpResponse:
    """What a saved version would do today. The page stands at once; htmx asks for the answer."""
    desk: Desk = request.desk
    row = version_row(desk.company.id, code, version)
    shown: dict[str, Any] = {"row": row, "playbook": row.playbook, "code": code}
    if request.htmx or "now" in request.GET:
        trial = try_playbook(desk.ctx, desk.company, row.content)
        shown |= shown_trial(trial, request.GET)
        if request.htmx:
            return render(request, "web/playbooks/_trial.html", shown)
    return render(request, "web/playbooks/trial.html", shown)


def _tried(
    request: HttpRequest, text: str, code: str, based_on: int | None, mode: str, note: str
) -> HttpResponse:
    """What a text that is still being written would do today."""
    desk: Desk = request.desk
    trial = try_playbook(desk.ctx, desk.company, text)
    shown = {"playbook": trial.playbook, "note": note} | _context(text, mode, code, based_on)
    return render(request, "web/playbooks/trial.html", shown | shown_trial(trial, {}))
