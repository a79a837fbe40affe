"""The page of an offer for whoever has its link: read it, accept it, decline it. No login."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.money import from_mills
from saldo.core.offer_words import fall_words
from saldo.flows import follow_offers
from saldo.interfaces import clock

ACTOR = "system:link"
_STATUS = {"link_unknown": 404, "offer_name_missing": 400}


def _context() -> Context:
    return Context(ACTOR, clock.today(), clock.now)


def _seen(request: HttpRequest) -> dict[str, str]:
    """What is known of who accepts, besides the name: kept with the acceptance."""
    return {
        "address": request.META.get("REMOTE_ADDR", ""),
        "program": request.headers.get("User-Agent", "")[:300],
    }


# A page of the customer's own: the signed link is what allows it, no session has a token for its form.
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def offer_link(request: HttpRequest, signed: str) -> HttpResponse:
    """GET shows, POST decides: programs that look at links accept nothing."""
    ctx = _context()
    try:
        shown = follow_offers.offer_page(ctx, signed)
    except SaldoError as error:
        return _told(render(request, "public/link_broken.html", {"error": error}, status=404))
    with translation.override(shown.row.language):
        error = None
        if request.method == "POST":
            told = request.POST
            try:
                if told.get("act") == "accept" and told.get("sure") == "yes":
                    name, role = told.get("name", ""), told.get("role", "")
                    shown = follow_offers.accept_offer(ctx, signed, name, role, _seen(request))
                elif told.get("act") == "decline":
                    shown = follow_offers.decline_offer(ctx, signed, told.get("note", ""), _seen(request))
                else:
                    return _told(HttpResponse(status=400))
            except SaldoError as refused:
                error = refused
        row = shown.row
        values = {
            "page": shown, "row": row, "error": error, "to_pay": from_mills(row.to_pay_mills),
            "discount": from_mills(row.discount_mills),
            "items": [(item.number, from_mills(item.mills)) for item in shown.items],
            "installments": [(day, from_mills(mills)) for day, mills in row.installments],
            "falls": fall_words(row.rule, row.language) if row.rule else "",
            "typed": request.POST,
        }  # fmt: skip
        status = _STATUS.get(error.code, 409) if error else 200
        return _told(render(request, "public/offer.html", values, status=status))


def _told(response: HttpResponse) -> HttpResponse:
    """Of one customer only: nobody keeps a copy, and the address goes nowhere else."""
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
