"""One message: its words, what became of it, its files; what a person says of an unknown outcome; letters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from saldo.core.errors import SaldoError
from saldo.core.playbook import LETTER
from saldo.core.sending import LEFT
from saldo.flows.prescription import MAY_RECORD_RECEIPT, record_return_receipt
from saldo.flows.send_messages import post_letters, resolve, retry
from saldo.intake.queries import document_bytes
from saldo.interfaces.web.desk import Desk, page
from saldo.interfaces.web.typed import day_or_none
from saldo.interfaces.web.views.outreach import may_read, may_write
from saldo.outreach.desk import replies_of_account
from saldo.outreach.desk_message import MessageView, letters_to_print, message
from saldo.outreach.rendering import attachments_of, letter_pdf, letters_pdf

NOTE_CHARACTERS = 500
MOST_REPLIES = 50


@dataclass(frozen=True, slots=True)
class File:
    index: int
    name: str
    size: int


def may_download(desk: Desk) -> bool:
    """The bytes as sent and received: for who works with them, not for who only looks."""
    return desk.may_write or "cash_specialist" in desk.roles


def note_of(request: HttpRequest) -> str:
    return request.POST.get("note", "").strip()[:NOTE_CHARACTERS]


def message_or_404(request: HttpRequest, message_id: int) -> MessageView:
    found = message(request.desk.ctx, message_id)
    if found is None:
        raise Http404
    return found


def download(content: bytes, name: str, content_type: str, inline: bool = False) -> HttpResponse:
    """Bytes as a file. Only PDF opens in the browser; whatever else came from outside is saved."""
    shown_type = content_type if inline and content_type == "application/pdf" else "application/octet-stream"
    response = HttpResponse(content, content_type=shown_type)
    response["Content-Disposition"] = content_disposition_header(shown_type != "application/pdf", name)
    response["X-Content-Type-Options"] = "nosniff"
    return response


@page(may_read)
@require_GET
def message_page(request: HttpRequest, message_id: int) -> HttpResponse:
    view = message_or_404(request, message_id)
    came = replies_of_account(view.account_id, MOST_REPLIES)
    shown: dict[str, Any] = {
        "view": view, "facts": view.facts, "may_download": may_download(request.desk),
        "last": view.deliveries[-1] if view.deliveries else None,
        "replies": [reply for reply in came if reply.message_id == view.id],
        "attachments": _files(request, view),
        "may_receipt": may_receipt(request.desk) and view.facts["channel"] == LETTER and view.state in LEFT,
        "today": request.desk.ctx.as_of,
    }  # fmt: skip
    return render(request, "web/outreach/message.html", shown)


def _files(request: HttpRequest, view: MessageView) -> list[File]:
    if not view.facts["attach"]:
        return []
    made = attachments_of(request.desk.ctx, view.id)
    return [File(index, name, len(content)) for index, (name, _type, content) in enumerate(made)]


@page(may_read)
@require_GET
def file_page(request: HttpRequest, message_id: int, index: int) -> HttpResponse:
    """An attachment of a message."""
    view = message_or_404(request, message_id)
    made = attachments_of(request.desk.ctx, view.id)
    if index >= len(made):
        raise Http404
    name, content_type, content = made[index]
    return download(content, name, content_type, inline=True)


@page(may_read)
@require_GET
def letter_page(request: HttpRequest, message_id: int) -> HttpResponse:
    view = message_or_404(request, message_id)
    name = f"{view.facts['code']}-{view.facts['as_of']:%Y%m%d}.pdf"
    return download(letter_pdf(request.desk.ctx, view.id), name, "application/pdf", inline=True)


@page(lambda desk: may_read(desk) and may_download(desk))
@require_GET
def delivery_page(request: HttpRequest, message_id: int, delivery_id: int) -> HttpResponse:
    """The bytes that were sent, or the receipt that came, exactly as they are (.eml)."""
    view = message_or_404(request, message_id)
    found = next((each for each in view.deliveries if each.id == delivery_id), None)
    if found is None or found.document_id is None:
        raise Http404
    return download(document_bytes(found.document_id), found.document_name or "message.eml", "message/rfc822")


@page(may_write)
@require_POST
def resolve_page(request: HttpRequest, message_id: int) -> HttpResponse:
    """A person says whether a message of unknown outcome left."""
    view = message_or_404(request, message_id)
    was_sent = request.POST.get("was_sent")
    if was_sent not in ("yes", "no"):
        return HttpResponse(status=400)
    resolve(request.desk.ctx, view.id, was_sent == "yes", note_of(request))
    words = _("Noted: it was sent.") if was_sent == "yes" else _("Noted: it was not sent.")
    messages.success(request, f"{view.facts['name']}: {words}")
    return redirect("mail_unknown")


def may_receipt(desk: Desk) -> bool:
    return desk.company is not None and bool(desk.roles & MAY_RECORD_RECEIPT)


@page(may_receipt)
@require_POST
def receipt_page(request: HttpRequest, message_id: int) -> HttpResponse:
    """The card of a registered letter came back: its day, and its scan if there is one."""
    view = message_or_404(request, message_id)
    day = day_or_none(request.POST.get("delivered_date", ""))
    if day is None:
        raise SaldoError("date_not_understood", date=request.POST.get("delivered_date", "")[:40])
    file = request.FILES.get("file")
    name, data = (str(file.name)[:200], file.read()) if file else ("", None)
    record_return_receipt(request.desk.ctx, view.id, day, name, data, note_of(request))
    messages.success(request, _("The receipt is recorded."))
    return redirect("message", message_id=view.id)


@page(may_write)
@require_POST
def retry_page(request: HttpRequest, message_id: int) -> HttpResponse:
    view = message_or_404(request, message_id)
    retry(request.desk.ctx, view.id, note_of(request))
    messages.success(request, _("It is tried again."))
    return redirect("message", message_id=view.id)


@page(may_write)
@require_http_methods(["GET", "POST"])
def letters_page(request: HttpRequest) -> HttpResponse:
    """Letters kept in Saldo: one file to print, then noted as posted."""
    ctx = request.desk.ctx
    ids = letters_to_print(ctx)
    if request.method == "POST":
        upto = request.POST.get("upto", "")
        printed = [each for each in ids if upto.isdigit() and each <= int(upto)]
        post_letters(ctx, printed, note_of(request))
        messages.success(request, _("Noted: printed and posted."))
        return redirect("letters")
    shown = {"tab": "sent", "count": len(ids), "upto": max(ids, default=0)}
    return render(request, "web/outreach/letters.html", shown)


@page(may_write)
@require_GET
def letters_file(request: HttpRequest) -> HttpResponse:
    ids = letters_to_print(request.desk.ctx)
    if not ids:
        raise Http404
    name = f"{_('letters')}-{request.desk.ctx.as_of:%Y%m%d}.pdf"
    return download(letters_pdf(request.desk.ctx, ids), name, "application/pdf", inline=True)
