"""A designed error as an answer. The pages 400, 403, 404 and 500 are templates that Django finds by name."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from saldo.core.errors import SaldoError


def problem(request: HttpRequest, error: SaldoError) -> HttpResponse:
    """Inside the open form when htmx asks, else as a page."""
    if getattr(request, "htmx", False):
        response = render(request, "web/_problem.html", {"error": error})
        # The page's script puts it into the open dialog, or at the top of the page.
        response["HX-Retarget"] = "#problem"
        response["HX-Reswap"] = "innerHTML"
        return response
    status = 404 if error.code.endswith("_unknown") else 400
    return render(request, "web/problem.html", {"error": error}, status=status)
