"""Changes to companies, users and day runs; the stamp of what is recorded."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.db import transaction

from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.identity.models import Company, DayRun, Event, Grant, ModelVersion, User
from saldo.identity.queries import CompanyRow
from saldo.storage.locks import exclusive_instant, hold_recording_lock


def stamped(ctx: Context, company_id: int) -> Context:
    """The context with recorded_at set, under the company's shared lock (held to the transaction's end).

    Taken after the lock: a day run that fixes its known_at under the exclusive lock sees either all that a
    transaction records or nothing of it.
    """
    hold_recording_lock(company_id)
    return replace(ctx, recorded_at=ctx.recorded_at or ctx.clock(), company_id=company_id)


def record_event(
    ctx: Context, kind: str, subject_kind: str, subject_id: int, data: dict[str, Any] | None = None
) -> None:
    """Add one event to the log; ``ctx`` must be stamped."""
    assert ctx.recorded_at is not None, "record_event needs a stamped context"
    Event.objects.create(
        company_id=ctx.company_id,
        kind=kind,
        subject_kind=subject_kind,
        subject_id=subject_id,
        effective_date=ctx.as_of,
        recorded_at=ctx.recorded_at,
        actor=ctx.actor,
        data=data or {},
    )


@transaction.atomic
def ensure_company(
    ctx: Context, code: str, name: str = "", currency: str = "EUR", vat_number: str = ""
) -> CompanyRow:
    """The company with this code, made if it is not there yet."""
    company, made = Company.objects.get_or_create(
        code=code, defaults={"name": name or code, "currency": currency, "vat_number": vat_number}
    )
    if made:
        record_event(stamped(ctx, company.id), "company.created", "company", company.id, {"code": code})
    return CompanyRow(company.id, company.code, company.name, company.currency, company.vat_number)


@transaction.atomic
def add_user(
    ctx: Context, username: str, password: str, role: str, company_id: int | None = None, **profile: str
) -> User:
    """A user with one role. Raises SaldoError for a login that exists or a role that does not."""
    if role not in Grant.Role.values:
        raise SaldoError("role_unknown", role=role, known=", ".join(Grant.Role.values))
    if User.objects.filter(username__iexact=username).exists():
        raise SaldoError("user_exists", username=username)
    user = User.objects.create_user(username, password=password, **profile)
    user.is_staff = user.is_superuser = role == Grant.Role.ADMINISTRATOR and company_id is None
    user.save(update_fields=["is_staff", "is_superuser"])
    Grant.objects.create(user=user, company_id=company_id, role=role)
    record_event(
        replace(ctx, recorded_at=ctx.clock(), company_id=company_id),
        "user.added",
        "user",
        user.id,
        {"role": role},
    )
    return user


def set_user_language(user: User, language: str) -> None:
    user.language = language
    user.save(update_fields=["language"])


def set_user_theme(user: User, theme: str) -> None:
    user.theme = theme
    user.save(update_fields=["theme"])


def fix_known_at(ctx: Context, company_id: int) -> Context:
    """The context with known_at fixed in an instant when nobody records for the company."""
    with exclusive_instant(company_id):
        return replace(ctx, known_at=ctx.clock(), company_id=company_id)


def open_day_run(ctx: Context, version: int, code_version: str, digest: str) -> DayRun:
    """A new run of the day; ``ctx`` carries its known_at."""
    return DayRun.objects.create(
        company_id=ctx.company_id,
        as_of=ctx.as_of,
        version=version,
        known_at=ctx.known_at,
        recorded_at=ctx.clock(),
        code_version=code_version,
        digest=digest,
    )


def ensure_model_version(
    ctx: Context, engine: str, version: str, parameters: dict[str, Any], rung: str = ""
) -> ModelVersion:
    """The version of an engine that is the same for every company and keeps no file."""
    made = {"parameters": parameters, "rung": rung, "recorded_at": ctx.clock()}
    found, _ = ModelVersion.objects.get_or_create(company=None, engine=engine, version=version, defaults=made)
    return found


def set_password(ctx: Context, username: str, password: str) -> None:
    """Raises SaldoError("user_unknown")."""
    user = User.objects.filter(username__iexact=username).first()
    if user is None:
        raise SaldoError("user_unknown", username=username)
    user.set_password(password)
    user.save(update_fields=["password"])
    record_event(replace(ctx, recorded_at=ctx.clock(), company_id=None), "user.password", "user", user.id)
