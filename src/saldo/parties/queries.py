"""Reading accounts: who may see which, their headers and contacts, and finding one by its name.

``visible_accounts`` is the only scope filter of the product. Every query about accounts joins it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Case, Exists, IntegerField, OuterRef, Q, QuerySet, When
from django.db.models.functions import JSONObject
from rapidfuzz import fuzz, process

from saldo.core.context import Context
from saldo.core.normalize import search_text
from saldo.identity.models import Company, Grant, User
from saldo.identity.queries import READS_ALL_ACCOUNTS, CompanyRow
from saldo.parties.models import AccountAccess, Contact, CustomerAccount

SYSTEM = "system:"
# Below this likeness (0-100) a name is not what was meant.
FUZZY_MINIMUM = 72
FUZZY_POOL = 60_000
LEGAL_ZONE = ZoneInfo("Europe/Rome")


@dataclass(frozen=True, slots=True)
class AccountHeader:
    """An account as a page names it."""

    id: int
    company_id: int
    company_code: str
    currency: str
    code: str
    name: str
    vat_number: str
    tax_code: str
    country: str
    address: str
    segment: str
    terms_text: str


@dataclass(frozen=True, slots=True)
class Seat:
    """A company as the actor sees it, with the actor's roles in it."""

    company: CompanyRow
    roles: frozenset[str]


@dataclass(frozen=True, slots=True)
class ContactRow:
    id: int
    name: str
    role: str
    email: str
    pec: str
    phone: str
    language: str


@dataclass(frozen=True, slots=True)
class Found:
    """One hit of the search: an account, and what of it matched."""

    account_id: int
    name: str
    code: str
    company_code: str
    exact: bool


def _whole_company(actor: str, company: str) -> Q:
    """Whether the actor reads every account of the company in the column ``company``.

    No part of it depends on the row, so PostgreSQL works it out once and not for every account.
    """
    grants = Grant.objects.filter(user__username=actor, user__is_active=True, role__in=READS_ALL_ACCOUNTS)
    return Q(Exists(grants.filter(company_id=None))) | Q(
        **{f"{company}__in": grants.exclude(company_id=None).values("company_id")}
    )


def _superuser(actor: str) -> Q:
    return Q(Exists(User.objects.filter(username=actor, is_active=True, is_superuser=True)))


def _today(ctx: Context) -> date:
    """The day whose rights count: that of asking. Who looks at an earlier day gets no earlier rights."""
    return ctx.clock().astimezone(LEGAL_ZONE).date()


def _in_force(actor: str, today: date) -> Q:
    return Q(user__username=actor, user__is_active=True, from_date__lte=today) & (
        Q(to_date=None) | Q(to_date__gte=today)
    )


def _visible(actor: str, company_id: int | None, today: date) -> QuerySet[CustomerAccount]:
    accounts = CustomerAccount.objects.all()
    if company_id is not None:
        accounts = accounts.filter(company_id=company_id)
    if actor.startswith(SYSTEM):
        return accounts
    access = AccountAccess.objects.filter(_in_force(actor, today)).values("account_id")
    return accounts.filter(_superuser(actor) | _whole_company(actor, "company_id") | Q(id__in=access))


def visible_accounts(ctx: Context) -> QuerySet[CustomerAccount]:
    """The accounts that the actor may see today, in the context's company or in all.

    A grant that reads all shows the whole company; anyone else (sales) sees the accounts of an
    AccountAccess in force. Scheduled work ("system:...") sees everything.
    """
    return _visible(ctx.actor, ctx.company_id, _today(ctx))


@lru_cache(maxsize=512)
def _visible_sql(actor: str, company_id: int | None, today: date) -> tuple[str, tuple[Any, ...]]:
    """The text alone is kept, never what it finds: a right that is withdrawn is gone at once."""
    return _visible(actor, company_id, today).values("id").query.sql_with_params()


def visible_accounts_sql(ctx: Context) -> tuple[str, tuple[Any, ...]]:
    """``visible_accounts`` as a subquery of account ids, for queries written in SQL: (sql, params)."""
    return _visible_sql(ctx.actor, ctx.company_id, _today(ctx))


def seats(ctx: Context) -> list[Seat]:
    """The companies of which the actor sees at least one account, or all of them, or answers disputes, in
    order of code."""
    held = (
        Grant.objects.filter(Q(company_id=None) | Q(company_id=OuterRef("id")), user__username=ctx.actor)
        .order_by("role")
        .values("role")
    )
    companies = Company.objects.order_by("code").annotate(held_roles=ArraySubquery(held))
    if not ctx.actor.startswith(SYSTEM):
        access = AccountAccess.objects.filter(
            _in_force(ctx.actor, _today(ctx)), account__company_id=OuterRef("id")
        )
        # Who answers disputes sees no account, and has a desk all the same.
        answers = Exists(held.filter(role=Grant.Role.RESOLVER, user__is_active=True))
        companies = companies.filter(
            _superuser(ctx.actor) | _whole_company(ctx.actor, "id") | Exists(access) | answers
        )
    return [
        Seat(CompanyRow(c.id, c.code, c.name, c.currency, c.vat_number), frozenset(c.held_roles))
        for c in companies
    ]


def account_header(ctx: Context, account_id: int) -> AccountHeader | None:
    """The account, or None where there is none or the actor may not see it: the two look the same."""
    found = visible_accounts(ctx).filter(id=account_id).select_related("customer", "company").first()
    return None if found is None else _header(found)


def account_with_contacts(ctx: Context, account_id: int) -> tuple[AccountHeader, list[ContactRow]] | None:
    """``account_header`` and ``contacts_of`` in one question to the database."""
    columns = {name: name for name in ("id", "name", "role", "email", "pec", "phone", "language")}
    people = Contact.objects.filter(account_id=OuterRef("id")).values(row=JSONObject(**columns))
    accounts = visible_accounts(ctx).filter(id=account_id).annotate(people=ArraySubquery(people))
    found = accounts.select_related("customer", "company").first()
    if found is None:
        return None
    return _header(found), _first_to_call([ContactRow(**row) for row in found.people])


def _header(found: CustomerAccount) -> AccountHeader:
    customer = found.customer
    place = " ".join(part for part in (customer.zip_code, customer.city, customer.province) if part)
    return AccountHeader(
        id=found.id,
        company_id=found.company_id,
        company_code=found.company.code,
        currency=found.company.currency,
        code=found.code,
        name=customer.name,
        vat_number=customer.vat_number,
        tax_code=customer.tax_code,
        country=customer.country,
        address=", ".join(part for part in (customer.address, place) if part),
        segment=found.segment,
        terms_text=found.terms_text,
    )


def contacts_of(account_id: int) -> list[ContactRow]:
    """The account's contacts, those who can be called first. The caller has checked the account's scope."""
    found = Contact.objects.filter(account_id=account_id)
    return _first_to_call(
        [ContactRow(c.id, c.name, c.role, c.email, c.pec, c.phone, c.language) for c in found]
    )


def _first_to_call(rows: list[ContactRow]) -> list[ContactRow]:
    return sorted(rows, key=lambda row: (not row.phone, not row.email, row.name))


def find_accounts(ctx: Context, text: str, limit: int = 8) -> list[Found]:
    """Accounts whose name begins with ``text`` (any word of it), whose code or VAT number is ``text``;
    where nothing does, those whose name is most like it."""
    wanted = search_text(text)
    if not wanted:
        return []
    compact = text.strip().upper().replace(" ", "")
    accounts = visible_accounts(ctx).select_related("customer", "company")
    matches = (
        Q(customer__search_text__startswith=wanted)
        | Q(customer__search_text__contains=f" {wanted}")
        | Q(customer__names__search_text__startswith=wanted)
        | Q(code__iexact=text.strip())
        | Q(customer__vat_number__in=[compact, f"IT{compact}"])
    )
    begins = Case(
        When(customer__search_text__startswith=wanted, then=0), default=1, output_field=IntegerField()
    )
    ordered = accounts.filter(matches).annotate(begins=begins).distinct()
    hits = list(ordered.order_by("begins", "customer__search_text")[:limit])
    if hits or len(wanted) < 4:
        return [_found(hit, True) for hit in hits]
    names = dict(accounts.order_by("id").values_list("id", "customer__search_text")[:FUZZY_POOL])
    near = process.extract(wanted, names, scorer=fuzz.WRatio, limit=limit, score_cutoff=FUZZY_MINIMUM)
    by_id = {hit.id: hit for hit in accounts.filter(id__in=[key for _, _, key in near])}
    return [_found(by_id[key], False) for _, _, key in near]


def _found(account: CustomerAccount, exact: bool) -> Found:
    return Found(account.id, account.customer.name, account.code, account.company.code, exact)
