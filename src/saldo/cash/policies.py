"""How a company wants its cash applied: the policy in force, and a new one from an instant on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from saldo.cash.models import MatchPolicy
from saldo.core.context import Context
from saldo.core.matching.policy import DEFAULT, Policy, policy_of
from saldo.identity.operations import record_event, stamped


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """A policy with who set it and when; the defaults have neither."""

    policy: Policy
    actor: str = ""
    recorded_at: datetime | None = None


def policies(ctx: Context, company_id: int, limit: int = 10) -> list[PolicyRow]:
    """The policies of a company known at the context's instant, the one in force first."""
    found = MatchPolicy.objects.filter(company_id=company_id)
    if ctx.known_at is not None:
        found = found.filter(recorded_at__lte=ctx.known_at)
    newest = found.order_by("-recorded_at", "-id")[:limit]
    return [PolicyRow(policy_of(row.data), row.actor, row.recorded_at) for row in newest]


def policy_in_force(ctx: Context, company_id: int) -> Policy:
    """The company's policy, or the careful defaults."""
    rows = policies(ctx, company_id, 1)
    return rows[0].policy if rows else DEFAULT


def set_policy(ctx: Context, company_id: int, data: Mapping[str, Any]) -> Policy:
    """A new policy from now on. Raises SaldoError("match_policy_invalid") for a value out of its range."""
    policy = policy_of(data)
    with transaction.atomic():
        inner = stamped(ctx, company_id)
        MatchPolicy.objects.create(
            company_id=company_id, data=policy.as_data(), actor=ctx.actor, recorded_at=inner.recorded_at
        )
        record_event(inner, "cash.policy", "company", company_id, policy.as_data())
    return policy
