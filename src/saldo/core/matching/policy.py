"""How a company wants its cash applied: thresholds of the zones and tolerances, with careful defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from saldo.core.errors import SaldoError


@dataclass(frozen=True, slots=True)
class Policy:
    """auto_above: a proposal is posted without a person from this probability on; propose_above: shown as a
    proposal from this one on, else the line is left as it is.

    rounding_mills, charges_mills: what may be written off unasked of one payment, per currency unit of
    thousandths; charges_share: and never more than this share of the payment. discount_grace_days: an
    early-payment discount still counts as in time. allows_partial: a payment smaller than the one document it
    names may be posted in part. oldest_first: a known payer's unexplained round sum may be set against its
    oldest items (proposed only; never posted unasked). search_items, search_steps: bounds of the subset
    search. recent_days: how far back settled items are looked at, to see duplicates.
    """

    auto_above: float = 0.995
    propose_above: float = 0.30
    rounding_mills: int = 1_000
    charges_mills: int = 30_000
    charges_share: float = 0.02
    discount_grace_days: int = 5
    allows_partial: bool = True
    oldest_first: bool = False
    search_items: int = 40
    search_steps: int = 20_000
    recent_days: int = 120

    def as_data(self) -> dict[str, Any]:
        return asdict(self)


DEFAULT = Policy()
_RATES = ("auto_above", "propose_above", "charges_share")


def policy_of(data: Mapping[str, Any]) -> Policy:
    """The policy that stored or typed data describe, on top of the defaults.

    Raises SaldoError("match_policy_invalid", name, value) for an unknown name or a value out of its range.
    """
    known = {each.name: each for each in fields(Policy)}
    values: dict[str, Any] = {}
    for name, value in data.items():
        kind = type(getattr(DEFAULT, name)) if name in known else None
        if kind is float and type(value) is int:
            value = float(value)
        is_right = kind is not None and type(value) is kind
        in_range = is_right and (kind is bool or (0 <= value <= 1 if name in _RATES else 0 <= value < 10**12))
        if not in_range:
            raise SaldoError("match_policy_invalid", name=name, value=str(value)[:40])
        values[name] = value
    policy = replace(DEFAULT, **values)
    if policy.propose_above > policy.auto_above:
        raise SaldoError("match_policy_invalid", name="propose_above", value=str(policy.propose_above))
    return policy
