"""What a person decides about planned messages, and the messages that a person writes."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from saldo.core.errors import SaldoError
from saldo.flows.follow_offers import offer_message
from saldo.flows.queue_messages import approve, draft_for, refuse, write
from saldo.interfaces.web.cash_forms import number
from saldo.interfaces.web.context import mail_counts, nav_count
from saldo.interfaces.web.desk import page
from saldo.interfaces.web.outreach_labels import TEMPLATES
from saldo.interfaces.web.templatetags.outreach import block_words, refusal_words
from saldo.interfaces.web.views.outreach import TEXT_CHARACTERS, may_write, planned_or_404, planned_sums
from saldo.outreach.desk import PLANNED, planned_ids, planned_of_account, reply_line
from saldo.parties.queries import ContactRow, account_with_contacts

NOTE_CHARACTERS, SUBJECT_CHARACTERS, BODY_CHARACTERS = 500, 300, 20_000
# What a person may send by hand, and the template that it begins with.
WRITE_CHANNELS = ("email", "pec", "letter", "sms")
ATTACHABLE = ("statement", "invoices")
FIRST_TEMPLATE = "statement"


def _words(text: str) -> str:
    """A text as typed: forms send their line ends in another way than they were given."""
    return text.replace("\r\n", "\n").strip()


def left(request: HttpRequest) -> dict[str, str]:
    """The numbers that the page's script puts in their places after an act."""
    found = mail_counts(request)
    return {"nav-mail": nav_count(found.for_people), "tab-planned": nav_count(found.planned)}


def _still_listed(request: HttpRequest) -> dict[str, Any]:
    """What the list comes to now, under the filter with which the browser shows it; nothing beside a list."""
    desk, shown = request.desk, urlsplit(request.htmx.current_url or "")
    if desk.run is None or shown.path != reverse("mail"):
        return {}
    asked = QueryDict(shown.query)
    text, group = asked.get("q", "").strip()[:TEXT_CHARACTERS], asked.get("group", "")[:90]
    told = {"kind": PLANNED, "run": desk.run, "text": text, "group": group}
    return told | planned_sums(desk, PLANNED, text, group)


def _answer(request: HttpRequest, action_id: int, who: str, state: str, words: str) -> HttpResponse:
    if not request.htmx:
        messages.success(request, f"{who}: {words}")
        return redirect("mail")
    shown = {"who": who, "words": words} | _still_listed(request)
    response = render(request, "web/outreach/_decided.html", shown)
    told = {"line": action_id, "state": state, "left": left(request)}
    if "groups" in shown:
        told["blocks"] = {f"block-{each.group}": block_words(each) for each in shown["groups"]}
    response["HX-Trigger"] = json.dumps({"saldo:mailed": told})
    return response


def _changed(request: HttpRequest) -> dict[str, str]:
    """The words that a person changed in the draft; nothing where they are as they were."""
    told = {}
    for name, most in (("subject", SUBJECT_CHARACTERS), ("body", BODY_CHARACTERS)):
        typed, was = request.POST.get(name), request.POST.get(f"{name}_was")
        if typed is not None and was is not None and _words(typed) != _words(was):
            told[name] = _words(typed)[:most]
    return told


@page(may_write)
@require_POST
def approve_page(request: HttpRequest, action_id: int) -> HttpResponse:
    """The message may go out, with the words as shown or as changed here."""
    row = planned_or_404(request, action_id)
    queued = approve(
        request.desk.ctx, [row.id], request.POST.get("note", "")[:NOTE_CHARACTERS], **_changed(request)
    )
    if queued.refused:
        refused = queued.refused[0]
        raise SaldoError("message_held_back", reason=refusal_words(refused.code, refused.params))
    return _answer(request, row.id, row.name, "approved", _("approved"))


@page(may_write)
@require_POST
def refuse_page(request: HttpRequest, action_id: int) -> HttpResponse:
    row = planned_or_404(request, action_id)
    refuse(request.desk.ctx, [row.id], request.POST.get("note", "").strip()[:NOTE_CHARACTERS])
    return _answer(request, row.id, row.name, "refused", _("is not sent"))


@page(may_write)
@require_POST
def approve_all_page(request: HttpRequest) -> HttpResponse:
    """All that the filter shows, as many as the person was told; if the list has changed, nothing is done."""
    desk, told = request.desk, request.POST
    if desk.run is None:
        raise Http404
    ids = planned_ids(desk.ctx, desk.run.id, told.get("q", "")[:120], told.get("group", "")[:90])
    if str(desk.run.id) != told.get("run") or str(len(ids)) != told.get("count"):
        raise SaldoError("approval_list_changed", now=len(ids))
    queued = approve(desk.ctx, ids)
    done = len(queued.done)
    messages.success(
        request, ngettext("%(n)d message approved.", "%(n)d messages approved.", done) % {"n": done}
    )
    if queued.refused:
        _tell_refused(request, queued.refused)
    return redirect("mail")


def _tell_refused(request: HttpRequest, refused: Any) -> None:
    counted: dict[str, int] = {}
    for each in refused:
        counted[each.code] = counted.get(each.code, 0) + 1
    reasons = ", ".join(f"{refusal_words(code, {})} ({n})" for code, n in sorted(counted.items()))
    messages.warning(request, _("Not approved: %(reasons)s") % {"reasons": reasons})


@page(may_write)
@require_http_methods(["GET", "POST"])
def compose_page(request: HttpRequest, account_id: int) -> HttpResponse:
    """A message by hand, or the answer to a reply: begun with a template, sent by the one sender."""
    found = account_with_contacts(request.desk.ctx, account_id)
    if found is None:
        raise Http404
    header, contacts = found
    data = request.POST if request.method == "POST" else request.GET
    reply_id = number(data.get("reply"))
    reply = reply_line(request.desk.ctx, reply_id, False) if reply_id else None
    if reply is not None and reply.account_id != account_id:
        raise Http404
    channel = (
        data.get("channel") if data.get("channel") in WRITE_CHANNELS else _first_channel(contacts, reply)
    )
    contact_id = number(data.get("contact"))
    template = (
        data.get("template") if data.get("template") in TEMPLATES else ("" if reply else FIRST_TEMPLATE)
    )
    error = None
    if request.method == "POST" and "send" in request.POST:
        try:
            message_id = _write(request, account_id, channel, contact_id, reply_id)
        except SaldoError as refused:
            error = refused
        else:
            messages.success(request, _("Queued: it leaves within minutes, outside of quiet hours."))
            return redirect("message", message_id=message_id)
    draft = draft_for(request.desk.ctx, account_id, template or FIRST_TEMPLATE, channel, contact_id)
    run = request.desk.run
    shown = {
        "account": header, "contacts": contacts, "channel": channel, "channels": WRITE_CHANNELS,
        "error": error, "contact_id": contact_id, "template": template, "templates": TEMPLATES,
        "reply": reply, "draft": draft,
        **_begun(request, account_id, draft, reply, bool(template)),
        "attachable": ATTACHABLE, "attached": data.getlist("attach"),
        "planned": planned_of_account(request.desk.ctx, run.id, account_id) if run and not reply else [],
    }  # fmt: skip
    return render(request, "web/outreach/compose.html", shown, status=400 if error else 200)


def _first_channel(contacts: list[ContactRow], reply: Any) -> str:
    if reply is not None and reply.channel in WRITE_CHANNELS:
        return str(reply.channel)
    if any(contact.email for contact in contacts):
        return "email"
    return "pec" if any(contact.pec for contact in contacts) else "letter"


def _begun(
    request: HttpRequest, account_id: int, draft: Any, reply: Any, has_template: bool
) -> dict[str, str]:  # fmt: skip
    """What stands in the form: of an offer its text and its link, for who writes it to the customer."""
    offer_id = number(request.GET.get("offer"))
    if request.method == "GET" and offer_id:
        base = request.build_absolute_uri("/").rstrip("/")
        subject, body = offer_message(request.desk.ctx, account_id, offer_id, base)
        return {"subject": subject, "body": body}
    return {"subject": _subject(request, draft, reply), "body": _body(request, draft, has_template)}


def _subject(request: HttpRequest, draft: Any, reply: Any) -> str:
    if request.method == "POST":
        return request.POST.get("subject", "")
    if reply is not None:
        before = reply.subject.strip()
        return before if before.lower().startswith("re:") else f"Re: {before}"
    return str(draft.subject)


def _body(request: HttpRequest, draft: Any, has_template: bool) -> str:
    if request.method == "POST":
        return request.POST.get("body", "")
    return str(draft.body) if has_template else ""


def _write(
    request: HttpRequest, account_id: int, channel: str, contact_id: int | None, reply_id: int | None
) -> int:
    told = request.POST
    body = _words(told.get("body", ""))[:BODY_CHARACTERS]
    if not body:
        raise SaldoError("message_empty")
    return write(
        request.desk.ctx, account_id, channel, told.get("subject", "").strip()[:SUBJECT_CHARACTERS], body,
        contact_id=contact_id, to_address=told.get("to_address", "").strip()[:300], reply_id=reply_id,
        attach=tuple(each for each in told.getlist("attach") if each in ATTACHABLE),
    )  # fmt: skip
