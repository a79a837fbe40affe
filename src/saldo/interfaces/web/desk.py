"""What every page starts from: who asks, for which company, as of which day, and what they may do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from saldo.collection.queries import MAY_CALL, MAY_COLLECT
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.identity.queries import (
    MAY_IMPORT,
    MAY_POST_CASH,
    MAY_PROMOTE,
    READS_ALL_ACCOUNTS,
    CompanyRow,
    current_day_run,
    roles,
)
from saldo.interfaces import clock
from saldo.interfaces.web.views.errors import problem
from saldo.parties.queries import SYSTEM, Seat, seats

ADMINISTRATOR, COLLECTOR = "administrator", "collector"
RESOLVES_ONLY = frozenset({"resolver"})
READS_MODELS = MAY_PROMOTE | {"cfo"}


@dataclass(frozen=True, slots=True)
class Desk:
    """ctx: limited to ``company`` and dated as of its latest day run (today, where no day was run).

    run: the latest run of the day, None before the first. roles: the user's in this company.
    """

    ctx: Context
    companies: tuple[CompanyRow, ...]
    company: CompanyRow | None
    run: Any
    roles: frozenset[str]

    @property
    def may_collect(self) -> bool:
        return bool(self.roles & MAY_COLLECT)

    @property
    def may_call(self) -> bool:
        """Whether the user logs calls and works the list; sales for the accounts that it sees."""
        return bool(self.roles & MAY_CALL)

    @property
    def own_list(self) -> str:
        """Whose worklist it is that the user sees first: a collector's own, else everybody's ("")."""
        return self.ctx.actor if COLLECTOR in self.roles and not self.roles & MAY_PROMOTE else ""

    @property
    def only_disputes(self) -> bool:
        """Whether the user answers disputes and does nothing else here."""
        return bool(self.roles) and self.roles <= RESOLVES_ONLY

    @property
    def may_import(self) -> bool:
        return bool(self.roles & MAY_IMPORT)

    @property
    def may_post_cash(self) -> bool:
        return bool(self.roles & MAY_POST_CASH)

    @property
    def reads_all(self) -> bool:
        return bool(self.roles & READS_ALL_ACCOUNTS)

    @property
    def may_promote(self) -> bool:
        """Whether the user says which model is in use."""
        return bool(self.roles & MAY_PROMOTE)

    @property
    def reads_models(self) -> bool:
        return bool(self.roles & READS_MODELS)

    @property
    def may_set_sending(self) -> bool:
        """Whether the user changes how messages are sent, and lets sending go on after it was stopped."""
        return bool(self.roles & MAY_PROMOTE)

    @property
    def may_write(self) -> bool:
        """Whether the user approves, writes and answers messages, and may stop sending."""
        return bool(self.roles & MAY_COLLECT)

    @property
    def sees_strays(self) -> bool:
        """Whether the user sees what came from nobody known, to say whose it is."""
        return self.may_collect

    @property
    def is_administrator(self) -> bool:
        return ADMINISTRATOR in self.roles


def _seat(request: HttpRequest, found: list[Seat]) -> Seat | None:
    """The company the user chose last, as long as they may see it; else the first."""
    chosen = request.session.get("company_id")
    return next((seat for seat in found if seat.company.id == chosen), found[0] if found else None)


def _roles(request: HttpRequest, seat: Seat | None) -> frozenset[str]:
    if request.user.is_superuser:
        return frozenset({ADMINISTRATOR})
    # Before the first company there is no seat, and somebody must be able to import.
    return seat.roles if seat else frozenset(roles(request.user, None))


def desk_of(request: HttpRequest) -> Desk:
    """The desk of a logged-in user."""
    user = request.user
    if user.username.startswith(SYSTEM):
        raise PermissionDenied
    ctx = Context(actor=user.username, as_of=clock.today(), clock=clock.now, language=request.LANGUAGE_CODE)
    found = seats(ctx)
    seat = _seat(request, found)
    run = None
    if seat is not None:
        ctx = ctx.within(seat.company.id)
        run = current_day_run(seat.company.id, ctx.as_of)
    if run is not None:
        ctx = ctx.at(run.as_of)
    companies = tuple(other.company for other in found)
    return Desk(ctx, companies, seat.company if seat else None, run, _roles(request, seat))


Page = Callable[..., HttpResponse]


def page(allowed: Callable[[Desk], bool] | None = None) -> Callable[[Page], Page]:
    """A view that needs a login: it gets ``request.desk``, and 403 where ``allowed`` says no."""

    def decorate(view: Page) -> Page:
        @login_required
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            request.desk = desk_of(request)
            if request.desk.only_disputes and request.path == reverse("worklist"):
                return redirect("disputes")
            if allowed is not None and not allowed(request.desk):
                raise PermissionDenied
            try:
                return view(request, *args, **kwargs)
            except SaldoError as error:
                return problem(request, error)

        return guarded

    return decorate
