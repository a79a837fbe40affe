"""Headers that every answer carries, the limit of an upload, and the language of who is reading."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.cache import patch_vary_headers

Handler = Callable[[HttpRequest], HttpResponse]

# Nothing inline and nothing from elsewhere: a name that reached the page unescaped could still do nothing.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
# What a form adds around its files.
FORM_OVERHEAD_BYTES = 1024 * 1024


class SecurityHeaders:
    """Content policy on every answer; an upload above the limit is refused before a byte of it is read."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if _declared_length(request) > settings.MAX_UPLOAD_BYTES + FORM_OVERHEAD_BYTES:
            # The body stays unread, so the connection cannot serve another request.
            response = HttpResponse(status=413, headers={"Connection": "close"})
        else:
            response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        response.headers.setdefault("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
        response.headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        if not request.path.startswith(settings.STATIC_URL):
            # Balances and names stay out of shared and on-disk caches.
            response.headers.setdefault("Cache-Control", "no-store")
        return response


def _declared_length(request: HttpRequest) -> int:
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0


class UserLanguage:
    """Italian, unless the user chose otherwise (before the login: what the browser was last told)."""

    COOKIE = "saldo_language"

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = getattr(request, "user", None)
        chosen = (
            user.language if user is not None and user.is_authenticated else request.COOKIES.get(self.COOKIE)
        )
        language = chosen if chosen in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE
        with translation.override(language):
            request.LANGUAGE_CODE = language
            response = self.get_response(request)
        response.headers.setdefault("Content-Language", language)
        patch_vary_headers(response, ("Cookie",))
        return response
