"""The palette: accounts by name or code, documents by number, items by amount."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from saldo.interfaces.web.desk import page
from saldo.interfaces.web.views.worklist import parse_amount
from saldo.ledger.statement import find_amount, find_documents
from saldo.parties.queries import find_accounts

LONGEST = 80


@page()
@require_GET
def search(request: HttpRequest) -> HttpResponse:
    """Hits for ``q``; a page of their own without htmx."""
    text = request.GET.get("q", "").strip()[:LONGEST]
    # A search crosses companies: who looks for a customer may not know which of ours serves it.
    ctx = request.desk.ctx
    everywhere = type(ctx)(actor=ctx.actor, as_of=ctx.as_of, clock=ctx.clock, language=ctx.language)
    amount = (
        parse_amount(text) if any(c.isdigit() for c in text) and not any(c.isalpha() for c in text) else None
    )
    found = {
        "text": text,
        "accounts": find_accounts(everywhere, text) if len(text) > 1 else [],
        "documents": find_documents(everywhere, text) if len(text) > 1 else [],
        "amounts": find_amount(everywhere, amount) if amount else [],
    }
    return render(request, "web/search/_hits.html" if request.htmx else "web/search/page.html", found)
