"""Playbooks: which there are, one with its versions, putting one in force by a second person, retiring it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from saldo.collection.playbook_changes import NOTE_CHARACTERS, activate, install_shipped, retire
from saldo.collection.playbooks import (
    MAY_ACTIVATE_PLAYBOOKS,
    MAY_EDIT_PLAYBOOKS,
    PlaybookRow,
    VersionRow,
    activations,
    not_installed,
    person,
    playbooks,
    version_row,
    versions,
)
from saldo.core.playbook_checks import among
from saldo.core.playbook_diff import StepChange, changes
from saldo.core.playbook_problems import Problem
from saldo.flows.try_playbook import check_playbook
from saldo.identity.queries import user_rows
from saldo.interfaces.web.desk import Desk, page


def may_look(desk: Desk) -> bool:
    return desk.company is not None and desk.reads_all


def may_edit(desk: Desk) -> bool:
    return desk.company is not None and bool(desk.roles & MAY_EDIT_PLAYBOOKS)


def may_activate(desk: Desk) -> bool:
    return desk.company is not None and bool(desk.roles & MAY_ACTIVATE_PLAYBOOKS)


def rights(desk: Desk) -> dict[str, bool]:
    return {"may_edit": may_edit(desk), "may_activate": may_activate(desk)}


@page(may_look)
@require_GET
def playbooks_page(request: HttpRequest) -> HttpResponse:
    """Every playbook in the order they are tried, each as a line of its steps."""
    desk: Desk = request.desk
    rows = playbooks(desk.company.id)
    in_force = [row.active.playbook for row in rows if row.active]
    shown = rights(desk) | {
        "rows": rows,
        "warnings": among(in_force),
        "missing": len(not_installed(desk.company.id)) if may_edit(desk) else 0,
    }
    return render(request, "web/playbooks/page.html", shown)


@page(may_edit)
@require_POST
def install_page(request: HttpRequest) -> HttpResponse:
    made = install_shipped(request.desk.ctx, request.desk.company.id)
    if made:
        messages.success(request, _("Added. Read them, try them, then put them in force one by one."))
    return redirect("playbooks")


def one(desk: Desk, code: str) -> PlaybookRow:
    """Raises SaldoError("playbook_unknown")."""
    found = next((row for row in playbooks(desk.company.id) if row.code == code), None)
    if found is None:
        version_row(desk.company.id, code)
    assert found is not None
    return found


def asked_version(request: HttpRequest, name: str = "version") -> int | None:
    text = request.GET.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else None


@page(may_look)
@require_GET
def playbook_page(request: HttpRequest, code: str) -> HttpResponse:
    """One playbook: the version in force or the one asked for, its history, and what differs from another."""
    desk: Desk = request.desk
    row = one(desk, code)
    asked = asked_version(request)
    shown = version_row(desk.company.id, code, asked) if asked else row.shown
    against = asked_version(request, "against")
    other = version_row(desk.company.id, code, against) if against else _counterpart(row, shown)
    answer = rights(desk) | {
        "row": row, "shown": shown, "playbook": shown.playbook, "other": other,
        "changes": _changes(other, shown), "versions": versions(desk.company.id, code),
        "activations": activations(desk.company.id, code),
        "problems": _warnings(desk, shown),
        "is_author": person(shown.actor) == person(desk.ctx.actor),
    }  # fmt: skip
    return render(request, "web/playbooks/playbook.html", answer)


def _counterpart(row: PlaybookRow, shown: VersionRow) -> VersionRow | None:
    """What a version is compared with by itself: the one in force."""
    return row.active if row.active and row.active.id != shown.id else None


def _changes(before: VersionRow | None, after: VersionRow) -> list[StepChange]:
    return [] if before is None else changes(before.playbook, after.playbook)


def _warnings(desk: Desk, shown: VersionRow) -> list[Problem]:
    return check_playbook(shown.content, desk.company.id)[1]


@page(may_activate)
@require_http_methods(["GET", "POST"])
def activate_page(request: HttpRequest, code: str, version: int) -> HttpResponse:
    """Asks before a version comes into force, with what changes; its author is told who else may do it."""
    desk: Desk = request.desk
    shown = version_row(desk.company.id, code, version)
    if request.method == "POST":
        note = request.POST.get("note", "").strip()[:NOTE_CHARACTERS]
        if activate(desk.ctx, desk.company.id, shown.id, note):
            messages.success(request, _("In force from now on: the next run of the day plans with it."))
        return redirect("playbook", code=code)
    row = one(desk, code)
    answer: dict[str, Any] = {
        "row": row, "shown": shown, "playbook": shown.playbook, "other": _counterpart(row, shown),
        "changes": _changes(_counterpart(row, shown), shown), "problems": _warnings(desk, shown),
        "is_in_force": row.active is not None and row.active.id == shown.id,
        "goes_back": row.active is not None and shown.version < row.active.version,
        "is_author": person(shown.actor) == person(desk.ctx.actor),
    }  # fmt: skip
    if answer["is_author"]:
        answer["others"] = _others(desk, shown)
    return render(request, "web/playbooks/activate.html", answer)


def _others(desk: Desk, shown: VersionRow) -> list[str]:
    """Names of those who may activate what the author may not."""
    return [
        user.full_name or user.username
        for user in user_rows()
        if user.is_active
        and person(user.username) != person(shown.actor)
        and any(role in MAY_ACTIVATE_PLAYBOOKS and of in ("", desk.company.code) for role, of in user.roles)
    ]


@page(may_activate)
@require_http_methods(["GET", "POST"])
def retire_page(request: HttpRequest, code: str) -> HttpResponse:
    """Asks before a playbook goes out of force."""
    desk: Desk = request.desk
    row = one(desk, code)
    if request.method == "POST":
        note = request.POST.get("note", "").strip()[:NOTE_CHARACTERS]
        if retire(desk.ctx, desk.company.id, code, note):
            messages.success(request, _("Out of force. Its customers fall to the next playbook in order."))
        return redirect("playbook", code=code)
    rest = [each.active.playbook for each in playbooks(desk.company.id) if each.active and each.code != code]
    shown = {"row": row, "playbook": row.shown.playbook, "warnings": among(rest), "is_last": not rest}
    return render(request, "web/playbooks/retire.html", shown)
