"""Login, logout, and the language before the login."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from saldo.interfaces.web.middleware import UserLanguage

YEAR_SECONDS = 365 * 24 * 3600


class Login(LoginView):
    template_name = "web/login.html"
    redirect_authenticated_user = True


class Logout(LogoutView):
    pass


@require_POST
def choose_language(request: HttpRequest) -> HttpResponse:
    """Remember the language for a browser that nobody has logged in from yet."""
    back = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(
        back, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    response = redirect(back if safe else settings.LOGIN_URL)
    if request.POST.get("language") in dict(settings.LANGUAGES):
        response.set_cookie(
            UserLanguage.COOKIE, request.POST["language"], max_age=YEAR_SECONDS, httponly=True,
            samesite="Lax", secure=settings.SESSION_COOKIE_SECURE,
        )  # fmt: skip
    return response
