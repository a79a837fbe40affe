"""Adding and correcting an account's contacts, on its page."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from saldo.interfaces.web.desk import page
from saldo.interfaces.web.views.relations import may_of
from saldo.parties.contacts import FIELDS, MAY_EDIT_CONTACTS, add_contact, change_contact
from saldo.parties.queries import account_header, contacts_of

FIELD_CHARACTERS = 300


def _fields(request: HttpRequest) -> dict[str, str]:
    """What was posted: a field that the form lacks is not touched."""
    return {name: request.POST[name][:FIELD_CHARACTERS] for name in FIELDS if name in request.POST}


def _in_sight(request: HttpRequest, account_id: int) -> None:
    if request.desk.company is None or account_header(request.desk.ctx, account_id) is None:
        raise Http404


def _back(request: HttpRequest, account_id: int, words: str) -> HttpResponse:
    messages.success(request, words)
    if request.htmx:
        # The same page again: an address that differs in its place alone would load nothing.
        return HttpResponse(headers={"HX-Refresh": "true"})
    return redirect(f"{reverse('account', args=[account_id])}#contacts")


@page(may_of(MAY_EDIT_CONTACTS))
@require_POST
def add_page(request: HttpRequest, account_id: int) -> HttpResponse:
    _in_sight(request, account_id)
    add_contact(request.desk.ctx, account_id, **_fields(request))
    return _back(request, account_id, _("The contact is added. The next plan of the day counts on it."))


@page(may_of(MAY_EDIT_CONTACTS))
@require_POST
def change_page(request: HttpRequest, account_id: int, contact_id: int) -> HttpResponse:
    _in_sight(request, account_id)
    if all(contact.id != contact_id for contact in contacts_of(account_id)):
        raise Http404
    if change_contact(request.desk.ctx, contact_id, **_fields(request)):
        return _back(
            request, account_id, _("The contact is corrected. The next plan of the day counts on it.")
        )
    return _back(request, account_id, _("Nothing to change."))
