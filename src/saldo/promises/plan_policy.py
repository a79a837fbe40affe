"""A company's rules for plans and discounts: reading, and changes by people (MAY_SET_PLANS)."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from django.db import transaction

from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.plans import PlanRules
from saldo.identity.models import Company, Grant
from saldo.identity.operations import record_event, stamped
from saldo.promises.models import PlanPolicy

MAY_SET_PLANS = frozenset({Grant.Role.ADMINISTRATOR, Grant.Role.CREDIT_MANAGER})
# First and last value of each rule; they are whole numbers.
RANGES: dict[str, tuple[int, int]] = {
    "four_eyes_mills": (0, 10**15), "four_eyes_months": (0, 120), "capacity_percent": (1, 100),
    "max_months": (1, 120), "default_months": (1, 120), "tolerance_days": (0, 60), "missed_limit": (0, 24),
    "late_percent": (0, 100), "check_in_days": (0, 30), "offer_valid_days": (1, 90),
    "cost_of_money_bp": (0, 5_000), "max_discount_bp": (0, 5_000),
}  # fmt: skip


def rules_of(company_id: int, known_at: datetime | None = None) -> PlanRules:
    """The company's rules as last changed; the stated defaults if nobody did."""
    found = PlanPolicy.objects.filter(company_id=company_id)
    if known_at is not None:
        found = found.filter(recorded_at__lte=known_at)
    newest = found.order_by("-recorded_at", "-id").first()
    return PlanRules.of(newest.data) if newest else PlanRules()


def change_rules(ctx: Context, company_id: int, note: str = "", **changes: Any) -> PlanRules:
    """Change some of the rules from now on; the others stay. Plans that were agreed keep their own.

    Raises SaldoError: plan_rule_unknown, plan_rule_invalid.
    """
    told = {name: _checked(name, value) for name, value in changes.items()}
    with transaction.atomic():
        # Of two who change it at once, the second builds on what the first left.
        Company.objects.select_for_update(no_key=True).get(id=company_id)
        before = rules_of(company_id)
        rules = PlanRules.of(before.data() | told)
        if rules.missed_limit == 0 and rules.late_percent == 0:
            raise SaldoError("plan_rule_invalid", name="missed_limit", value="0", first=1, last=24)
        if rules == before:
            return rules
        inner = stamped(ctx, company_id)
        PlanPolicy.objects.create(
            company_id=company_id, data=rules.data(), note=note, actor=ctx.actor,
            recorded_at=inner.recorded_at,
        )  # fmt: skip
        was, now = before.data(), rules.data()
        data = {name: [was[name], now[name]] for name in now if was[name] != now[name]}
        record_event(inner, "plan_rules.changed", "company", company_id, data)
    return rules


def _checked(name: str, value: Any) -> int:
    if name not in RANGES:
        raise SaldoError("plan_rule_unknown", name=name[:40], known=", ".join(RANGES))
    first, last = RANGES[name]
    text = str(value).strip()
    if isinstance(value, bool) or not re.fullmatch(r"\d{1,15}", text) or not first <= int(text) <= last:
        raise SaldoError("plan_rule_invalid", name=name, value=text[:40], first=first, last=last)
    return int(text)
