"""Pages for whoever holds a message of ours: a link that leads on, an image, the way to opt out.

No login and nobody's data: what is signed says which message it was, and the pages say nothing of it.
"""

from __future__ import annotations

import base64
import re

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils import translation
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.flows import follow_links
from saldo.interfaces import clock

ACTOR = "system:link"
_PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
# Programs that look at links or images for somebody; most say so.
_MACHINES = re.compile(
    r"bot\b|crawl|spider|preview|scan|monitor|proofpoint|mimecast|barracuda|safelinks|urldefense|trendmicro|"
    r"symantec|messagelabs|forcepoint|sophos|fireeye|headless|phantom|curl|wget|python|java/|okhttp|go-http|"
    r"libwww|httpclient|facebookexternal|slack|whatsapp|telegram|skype|teams",
    re.I,
)
_PREFETCH = ("Purpose", "Sec-Purpose", "X-Purpose", "X-Moz")


def _context() -> Context:
    return Context(ACTOR, clock.today(), clock.now)


def is_person(request: HttpRequest) -> bool:
    """Whether nothing says that a program asks: only GET counts, no prefetching, no agent known as one."""
    agent = request.headers.get("User-Agent", "")
    is_early = any("prefetch" in request.headers.get(name, "").lower() for name in _PREFETCH)
    is_early = is_early or any("preview" in request.headers.get(name, "").lower() for name in _PREFETCH)
    return request.method == "GET" and bool(agent) and not is_early and not _MACHINES.search(agent)


@require_safe
def click(request: HttpRequest, signed: str) -> HttpResponse:
    try:
        target = follow_links.clicked(_context(), signed, is_person(request))
    except SaldoError as error:
        return _broken(request, error)
    response = HttpResponseRedirect(target)
    # The address that leads on belongs to one recipient: it is nobody else's to see.
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


@require_safe
def look(request: HttpRequest, signed: str) -> HttpResponse:
    """The image, whatever the link says: a broken picture would only puzzle people."""
    try:
        follow_links.opened(_context(), signed, is_person(request))
    except SaldoError:
        return HttpResponse(status=404)
    return HttpResponse(_PIXEL, content_type="image/gif")


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def opt_out(request: HttpRequest, signed: str) -> HttpResponse:
    """GET asks, POST does: programs that look at links opt nobody out. A mail program's own button posts
    (RFC 8058), with no page before it and so with no token of a form; the signed link is what allows it."""
    try:
        if request.method == "POST":
            told = follow_links.opt_out(_context(), signed)
        else:
            told = follow_links.opt_out_page(_context(), signed)
    except SaldoError as error:
        return _broken(request, error)
    with translation.override(told.language if told.language in ("it", "en") else "it"):
        template = "public/opted_out.html" if told.is_done else "public/opt_out.html"
        return render(request, template, {"told": told})


def _broken(request: HttpRequest, error: SaldoError) -> HttpResponse:
    return render(request, "public/link_broken.html", {"error": error}, status=404)
