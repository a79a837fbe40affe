"""How messages are sent: the go-live list, caps and hours, the stop button, what channels there are."""

from __future__ import annotations

from datetime import time
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.dateparse import parse_date, parse_time
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from saldo.core.errors import SaldoError
from saldo.core.sending import DISPUTED, HELD, PLANNED, PROMISED, SendingRules
from saldo.flows.cut_over import (
    NO_CHANNEL,
    NO_CUTOVER,
    NO_LEVELS,
    NO_PLAYBOOK,
    NO_STATEMENT,
    Starting,
    go_live,
    import_reminders,
    state,
)
from saldo.interfaces import clock
from saldo.interfaces.web.desk import Desk, page
from saldo.outreach.channels.checks import state as channel_state
from saldo.outreach.settings import change_rules, resume, rules_of, stop, stop_of

NOTE_CHARACTERS = 500
# Numbers of the rules: name, label, what it means, the least and the most.
NUMBERS: tuple[tuple[str, Any, Any, int, int], ...] = (
    ("daily_cap", gettext_lazy("Messages a day"),
     gettext_lazy("Of the whole company. Those who owe most come first; the rest waits for the next day."),
     0, 100_000),
    ("contact_day_cap", gettext_lazy("To one contact a day"),
     gettext_lazy("One for what falls due soon, one for what is overdue."), 1, 2),
    ("contact_week_cap", gettext_lazy("To one contact in seven days"),
     gettext_lazy("Across e-mail, PEC, SMS and letters."), 1, 14),
    ("account_month_cap", gettext_lazy("To one customer in 30 days"),
     gettext_lazy("Too many messages make customers stop reading."), 1, 60),
    ("rest_days", gettext_lazy("Days between two reminders"),
     gettext_lazy("To the same customer, whatever the steps say."), 0, 60),
    ("reply_wait_days", gettext_lazy("Days a reply may hold reminders"),
     gettext_lazy("While a reply waits for a person nothing overdue is reminded; 0: it never holds."), 0, 60),
    ("grace_days", gettext_lazy("Days of grace after the due date"),
     gettext_lazy("Before anything counts as overdue for a reminder."), 0, 60),
    ("promise_tolerance_days", gettext_lazy("Days of tolerance for a promise"),
     gettext_lazy("After the promised day, for the money to arrive."), 0, 30),
    ("statement_lag_days", gettext_lazy("Banking days a statement may be old"),
     gettext_lazy("With older statements nothing overdue is reminded: it may have been paid."), 0, 30),
    ("survey_rest_days", gettext_lazy("Days between two surveys"),
     gettext_lazy("Nobody is asked twice within these days, whatever was closed meanwhile."), 30, 730),
)  # fmt: skip
TIMES: tuple[tuple[str, Any], ...] = (
    ("quiet_from", gettext_lazy("Nothing leaves from")),
    ("quiet_to", pgettext_lazy("hours", "until")),
)
FLAGS: tuple[tuple[str, Any, Any], ...] = (
    ("on_saturday", gettext_lazy("Also on Saturdays"), gettext_lazy("Never on Sundays and holidays.")),
    ("sms_needs_consent", gettext_lazy("SMS only with consent"),
     gettext_lazy("An SMS leaves only to contacts who agreed to it.")),
    ("thanks", gettext_lazy("Thank for payments"),
     gettext_lazy("A short note once what was asked for has been paid.")),
    ("survey", gettext_lazy("Ask how it went"),
     gettext_lazy("Two questions by e-mail after a dispute or a payment plan is closed.")),
)  # fmt: skip
TEXTS: tuple[tuple[str, Any, Any], ...] = (
    ("sender_name", gettext_lazy("Sender’s name"),
     gettext_lazy("As customers see it, for instance “Credit office, Aurora S.p.A.”.")),
    ("iban", gettext_lazy("IBAN for payments"), gettext_lazy("Printed on letters, and in their QR code.")),
    ("bic", gettext_lazy("BIC"), gettext_lazy("Needed for accounts abroad only.")),
    ("letter_folder", gettext_lazy("Folder for letters"),
     gettext_lazy("Where a printing service fetches them. Empty: they wait under Post, to be printed here.")),
)  # fmt: skip
WHOLE = (PROMISED, DISPUTED, HELD, PLANNED)
# The age of an old item, and the level from which it starts when sending begins.
AGE_BANDS = ((1, 30), (31, 60), (61, 90), (91, None))


# What is done before the first message, in this order.
STEPS = (NO_PLAYBOOK, NO_CHANNEL, NO_STATEMENT, NO_LEVELS, NO_CUTOVER)


def may_look(desk: Desk) -> bool:
    return desk.company is not None and desk.reads_all


def may_set(desk: Desk) -> bool:
    return desk.company is not None and desk.may_set_sending


def may_stop(desk: Desk) -> bool:
    return desk.company is not None and desk.may_write


@page(may_look)
@require_GET
def sending_page(request: HttpRequest) -> HttpResponse:
    desk: Desk = request.desk
    return render(request, "web/sending/page.html", _shown(desk, rules_of(desk.company.id), {}))


def _shown(desk: Desk, rules: SendingRules, typed: Any) -> dict[str, Any]:
    cut_over = state(desk.ctx, desk.company.id)
    return {
        "tab": "sending", "rules": rules, "may_set": may_set(desk), "cut_over": cut_over, "bands": AGE_BANDS,
        "today": clock.today(),
        "steps": [(code, code not in cut_over.missing) for code in STEPS],
        "lacks": [code for code in STEPS[:3] if code in cut_over.missing],
        "stopped": stop_of(desk.company.id),
        "channels": channel_state(desk.company.code, rules.letter_folder),
        "numbers": [
            {"name": name, "label": label, "why": why, "least": least, "most": most,
             "value": typed.get(name, getattr(rules, name))}
            for name, label, why, least, most in NUMBERS
        ],
        "times": [(name, label, typed.get(name, f"{getattr(rules, name):%H:%M}")) for name, label in TIMES],
        "flags": [(name, label, why, getattr(rules, name)) for name, label, why in FLAGS],
        "texts": [(name, label, why, typed.get(name, getattr(rules, name))) for name, label, why in TEXTS],
        "signatures": [
            (code, typed.get(f"signature_{code}", rules.signature.get(code, ""))) for code in ("it", "en")
        ],
        "whole": [(code, code in rules.blocks_whole_item) for code in WHOLE],
    }  # fmt: skip


@page(may_set)
@require_POST
def rules_page(request: HttpRequest) -> HttpResponse:
    """Change the rules; what is refused comes back with what was typed."""
    desk: Desk = request.desk
    try:
        change_rules(desk.ctx, desk.company.id, **_typed(request))
    except SaldoError as error:
        shown = _shown(desk, rules_of(desk.company.id), request.POST) | {"error": error}
        return render(request, "web/sending/page.html", shown, status=400)
    messages.success(request, _("Saved."))
    return redirect("sending")


def _typed(request: HttpRequest) -> dict[str, Any]:
    told = request.POST
    changes: dict[str, Any] = {}
    for name, label, _why, least, most in NUMBERS:
        text = told.get(name, "").strip()
        if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
            raise _refused(label, text, f"{least}–{most}")
        changes[name] = int(text)
    for name, label in TIMES:
        moment = _time(told.get(name, ""))
        if moment is None:
            raise _refused(label, told.get(name, ""), "08:30")
        changes[name] = moment
    for name, _label, _why in FLAGS:
        changes[name] = told.get(name) == "1"
    for name, _label, _why in TEXTS:
        changes[name] = told.get(name, "").strip()[:300]
    changes["signature"] = {
        code: told.get(f"signature_{code}", "").replace("\r\n", "\n").strip()[:1000] for code in ("it", "en")
    }
    changes["blocks_whole_item"] = tuple(code for code in WHOLE if told.get(f"whole_{code}") == "1")
    changes["tracking"] = told.get("tracking") == "1"
    return changes


def _refused(label: Any, value: str, wanted: str) -> SaldoError:
    return SaldoError("sending_rule_invalid", name=str(label), value=value[:20], wanted=wanted)


def _time(text: str) -> time | None:
    try:
        return parse_time(text)
    except ValueError:
        return None


def _note(request: HttpRequest) -> str:
    return request.POST.get("note", "").strip()[:NOTE_CHARACTERS]


def _back(request: HttpRequest) -> HttpResponse:
    asked = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(asked, {request.get_host()}, require_https=request.is_secure())
    return redirect(asked if safe else "sending")


@page(may_stop)
@require_POST
def stop_page(request: HttpRequest) -> HttpResponse:
    """Ferma invii: from now on nothing leaves for the company's customers."""
    stop(request.desk.ctx, request.desk.company.id, _note(request))
    messages.warning(request, _("Sending is stopped. Nothing leaves until somebody lets it go on."))
    return _back(request)


@page(may_set)
@require_POST
def resume_page(request: HttpRequest) -> HttpResponse:
    resume(request.desk.ctx, request.desk.company.id, _note(request))
    messages.success(request, _("Sending goes on."))
    return _back(request)


@page(may_set)
@require_http_methods(["POST"])
def reminders_page(request: HttpRequest) -> HttpResponse:
    """Past reminders from a file: number, date and level, so that nobody gets a first reminder again."""
    file = request.FILES.get("file")
    if file is None:
        raise SaldoError("upload_missing")
    found = import_reminders(request.desk.ctx, request.desk.company.id, str(file.name)[:200], file.read())
    shown = _shown(request.desk, rules_of(request.desk.company.id), {}) | {"imported": found}
    return render(request, "web/sending/page.html", shown)


@page(may_set)
@require_POST
def live_page(request: HttpRequest) -> HttpResponse:
    """Sending begins on a day, with the starting levels of what is old already."""
    try:
        day = parse_date(request.POST.get("cutover_date", ""))
    except ValueError:
        day = None
    if day is None:
        raise SaldoError("date_not_understood", date=request.POST.get("cutover_date", "")[:40])
    bands = {}
    for first, _last in AGE_BANDS:
        level = request.POST.get(f"level_{first}", "0")
        bands[first] = int(level) if level.isascii() and level.isdigit() and len(level) < 3 else 0
    go_live(
        request.desk.ctx, request.desk.company.id, day, Starting(bands),
        accept_missing=request.POST.get("accept_missing") == "1", note=_note(request),
    )  # fmt: skip
    messages.success(
        request,
        _("Sending begins on the day you chose. Steps still wait for approval where their playbook says so."),
    )
    return redirect("sending")
