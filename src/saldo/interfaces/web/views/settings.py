"""The user's own settings, and for administrators the list of users."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.forms import PasswordChangeForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import override
from django.views.decorators.http import require_http_methods, require_POST

from saldo.identity.operations import set_user_language, set_user_theme
from saldo.identity.queries import user_rows
from saldo.interfaces.web.desk import Desk, page

LANGUAGES = (("it", "Italiano"), ("en", "English"))
THEMES = ("auto", "light", "dark")


@page()
@require_http_methods(["GET", "POST"])
def settings_page(request: HttpRequest) -> HttpResponse:
    desk: Desk = request.desk
    form = PasswordChangeForm(request.user)
    if request.method == "POST":
        if "new_password1" in request.POST:
            form = PasswordChangeForm(request.user, request.POST)
            if form.is_valid():
                form.save()
                update_session_auth_hash(request, request.user)
                messages.success(request, _("Password changed."))
                return redirect("settings")
        else:
            _save_look(request)
            return redirect("settings")
    users = user_rows() if desk.is_administrator else []
    shown = {"form": form, "languages": LANGUAGES, "themes": THEMES, "users": users}
    return render(request, "web/settings/page.html", shown)


def _save_look(request: HttpRequest) -> None:
    language, theme = request.POST.get("language"), request.POST.get("theme")
    if language in dict(LANGUAGES):
        set_user_language(request.user, language)
    if theme in THEMES:
        set_user_theme(request.user, theme)
    with override(request.user.language):
        messages.success(request, _("Saved."))


@page()
@require_POST
def choose_company(request: HttpRequest) -> HttpResponse:
    """Work for another of the companies that the user sees."""
    asked = request.POST.get("company", "")
    if asked in {str(company.id) for company in request.desk.companies}:
        request.session["company_id"] = int(asked)
    back = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure())
    return redirect(back if safe else "worklist")
