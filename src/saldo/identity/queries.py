"""Reading companies, users' rights and events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db.models import Q

from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.identity.models import Company, DayRun, Event, Grant, User

READS_ALL_ACCOUNTS = frozenset(
    {
        Grant.Role.ADMINISTRATOR,
        Grant.Role.CREDIT_MANAGER,
        Grant.Role.COLLECTOR,
        Grant.Role.CASH_SPECIALIST,
        Grant.Role.CFO,
        Grant.Role.CUSTOMER_CARE,
    }
)
MAY_IMPORT = frozenset({Grant.Role.ADMINISTRATOR, Grant.Role.CREDIT_MANAGER, Grant.Role.CASH_SPECIALIST})
# Who may say what a bank line is; everyone who reads all accounts of a company may look.
MAY_POST_CASH = frozenset({Grant.Role.ADMINISTRATOR, Grant.Role.CREDIT_MANAGER, Grant.Role.CASH_SPECIALIST})

# Who may say which model is in use.
MAY_PROMOTE = frozenset({Grant.Role.ADMINISTRATOR, Grant.Role.CREDIT_MANAGER})


@dataclass(frozen=True, slots=True)
class CompanyRow:
    id: int
    code: str
    name: str
    currency: str
    vat_number: str


def company_row(company: Company) -> CompanyRow:
    return CompanyRow(company.id, company.code, company.name, company.currency, company.vat_number)


def companies(ctx: Context) -> list[CompanyRow]:
    """Every company, or the one the context is limited to, in order of code."""
    found = Company.objects.all()
    if ctx.company_id is not None:
        found = found.filter(id=ctx.company_id)
    return [company_row(company) for company in found]


def company_by_code(code: str) -> CompanyRow:
    """Raises SaldoError("company_unknown")."""
    company = Company.objects.filter(code__iexact=code).first()
    if company is None:
        raise SaldoError("company_unknown", code=code, known=", ".join(c.code for c in Company.objects.all()))
    return company_row(company)


def roles(user: User, company_id: int | None) -> set[str]:
    """The roles of ``user`` in a company; those granted for every company count everywhere."""
    if user.is_superuser:
        return {Grant.Role.ADMINISTRATOR}
    return {
        grant.role
        for grant in user.grants.all()
        if grant.company_id is None or company_id is None or grant.company_id == company_id
    }


def companies_seen_whole(user: User) -> list[CompanyRow]:
    """Companies all of whose accounts the user may read."""
    rows = [company_row(company) for company in Company.objects.all()]
    if user.is_superuser:
        return rows
    granted = {grant.company_id for grant in user.grants.all() if grant.role in READS_ALL_ACCOUNTS}
    return [row for row in rows if None in granted or row.id in granted]


def may_import(user: User) -> bool:
    return bool(roles(user, None) & MAY_IMPORT)


def may_import_anywhere(user: User) -> bool:
    """Whether the user may import for every company, and so let the file say which."""
    return user.is_superuser or any(
        grant.company_id is None and grant.role in MAY_IMPORT for grant in user.grants.all()
    )


def current_day_run(company_id: int, today: date) -> DayRun | None:
    """The newest run of a day not after ``today``: a look ahead does not take the place of the day's work.

    Where only later days were run, the newest of them.
    """
    runs = DayRun.objects.filter(company_id=company_id, as_of__lte=today)
    return runs.order_by("-as_of", "-version").first() or latest_day_run(company_id)


def latest_day_run(company_id: int, as_of: date | None = None) -> DayRun | None:
    """The newest version of the run of ``as_of`` (or of the newest day that was run)."""
    runs = DayRun.objects.filter(company_id=company_id)
    if as_of is not None:
        runs = runs.filter(as_of=as_of)
    return runs.order_by("-as_of", "-version").first()


def events_of(subject_kind: str, subject_id: int, limit: int = 50) -> list[dict[str, Any]]:
    """The newest events about one subject."""
    found = Event.objects.filter(subject_kind=subject_kind, subject_id=subject_id)
    return list(
        found.order_by("-recorded_at", "-id").values(
            "kind", "effective_date", "recorded_at", "actor", "data"
        )[:limit]
    )


def companies_of_event(kind: str, subject_kind: str, subject_id: int) -> list[int]:
    """The companies that an event of one subject was recorded for."""
    found = Event.objects.filter(kind=kind, subject_kind=subject_kind, subject_id=subject_id)
    return sorted(set(found.exclude(company_id=None).values_list("company_id", flat=True)))


def last_recorded_at(company_id: int) -> datetime | None:
    """When the newest facts of the company were recorded: tells whether a day run has seen everything."""
    facts = Q(kind__startswith="import.") | Q(kind__startswith="ledger.") | Q(kind__startswith="cash.")
    return (
        Event.objects.filter(facts, company_id=company_id)
        .order_by("-recorded_at")
        .values_list("recorded_at", flat=True)
        .first()
    )


@dataclass(frozen=True, slots=True)
class UserRow:
    username: str
    full_name: str
    email: str
    is_active: bool
    last_login: datetime | None
    roles: tuple[tuple[str, str], ...]


def user_rows() -> list[UserRow]:
    """Every user with (role, company code) pairs; an empty code is every company."""
    users = User.objects.order_by("username").prefetch_related("grants__company")
    return [
        UserRow(
            user.username,
            user.get_full_name(),
            user.email,
            user.is_active,
            user.last_login,
            tuple((g.role, g.company.code if g.company else "") for g in user.grants.all()),
        )
        for user in users
    ]
