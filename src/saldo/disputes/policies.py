"""A company's rules about disputes: by when an answer is owed and who gives it, by reason."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from saldo.core.context import Context
from saldo.core.disputes import REASONS, DisputePolicy
from saldo.core.errors import SaldoError
from saldo.disputes.models import DisputeSettings
from saldo.identity.models import Company, Grant, User
from saldo.identity.operations import record_event, stamped

MAY_SET_POLICY = frozenset({Grant.Role.ADMINISTRATOR, Grant.Role.CREDIT_MANAGER})
MAX_DAYS = 90


def policy_of(company_id: int, known_at: datetime | None = None) -> DisputePolicy:
    """The rules as last changed; the stated defaults if nobody did."""
    found = DisputeSettings.objects.filter(company_id=company_id)
    if known_at is not None:
        found = found.filter(recorded_at__lte=known_at)
    newest = found.order_by("-recorded_at", "-id").first()
    return DisputePolicy(**newest.data) if newest else DisputePolicy()


def owners_of(company_id: int) -> list[tuple[str, str]]:
    """(login, name) of everybody who may be given a dispute: whoever has a role in the company."""
    granted = Q(grants__company_id=company_id) | Q(grants__company_id=None, grants__isnull=False)
    found = (
        User.objects.filter(granted | Q(is_superuser=True), is_active=True).distinct().order_by("username")
    )
    return [(user.username, user.get_full_name() or user.username) for user in found]


def checked_owner(company_id: int, owner: str) -> str:
    """A login that may own a dispute of the company, or "" for nobody. Raises SaldoError."""
    owner = owner.strip()
    known = [login for login, _ in owners_of(company_id)] if owner else []
    if owner and owner not in known:
        raise SaldoError("dispute_owner_unknown", owner=owner[:80], known=", ".join(known))
    return owner


def change_policy(
    ctx: Context,
    company_id: int,
    days: Mapping[str, int] | None = None,
    owners: Mapping[str, str] | None = None,
    credit_days: int | None = None,
    remind_days: int | None = None,
    note: str = "",
) -> DisputePolicy:
    """Change some of the rules from now on. days, owners: by reason; the others stay as they are.

    Raises SaldoError: dispute_policy_invalid, dispute_reason_unknown, dispute_owner_unknown.
    """
    for reason in {*(days or ()), *(owners or ())}:
        if reason not in REASONS:
            raise SaldoError("dispute_reason_unknown", reason=str(reason)[:40], known=", ".join(REASONS))
    for number in (*(days or {}).values(), credit_days, remind_days):
        if number is not None and not 1 <= number <= MAX_DAYS:
            raise SaldoError("dispute_policy_invalid", days=number, most=MAX_DAYS)
    named = {reason: checked_owner(company_id, owner) for reason, owner in (owners or {}).items()}
    with transaction.atomic():
        # Of two who change it at once, the second builds on what the first left.
        Company.objects.select_for_update(no_key=True).get(id=company_id)
        before = policy_of(company_id)
        rules = DisputePolicy(
            days={**before.days, **(days or {})}, owners={**before.owners, **named},
            credit_days=before.credit_days if credit_days is None else credit_days,
            remind_days=before.remind_days if remind_days is None else remind_days,
        )  # fmt: skip
        if rules == before:
            return rules
        inner = stamped(ctx, company_id)
        DisputeSettings.objects.create(
            company_id=company_id, data=rules.data(), note=note, actor=ctx.actor,
            recorded_at=inner.recorded_at,
        )  # fmt: skip
        record_event(inner, "dispute.policy", "company", company_id, rules.data())
    return rules
