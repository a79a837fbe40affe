"""What is found in a reply: facts, each with a confidence of its own."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date
from typing import Any, NamedTuple

# A fact with at least this confidence counts as sure: its field is filled in without a mark.
SURE = 0.9


class Owed(NamedTuple):
    """An item of the account, which a reply may be about. balance_mills: thousandths, positive = owed."""

    number: str
    balance_mills: int
    due_date: date | None = None
    currency: str = "EUR"


@dataclass(frozen=True, slots=True)
class Fact:
    """value: a date, an int (mills), a text or a tuple of positions in what is owed. text: its words."""

    value: Any
    confidence: float
    text: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a reply says, as far as it says it. parts: (day, mills) of a promise in several payments.

    is_all: all that is owed is meant. is_part: only a part. is_conditional: "se", "appena", "subject to".
    is_plan: about a plan of installments. wants_no_more: wording of an opt-out, whatever else it says.
    is_legal: a lawyer's letter. is_insolvent: it tells of a procedure of insolvency.
    """

    promised_date: Fact | None = None
    amount_mills: Fact | None = None
    currency: str | None = None
    parts: tuple[tuple[date, int], ...] = ()
    items: Fact | None = None
    return_date: Fact | None = None
    dispute_reason: Fact | None = None
    disputed_mills: Fact | None = None
    paid_date: Fact | None = None
    paid_mills: Fact | None = None
    payment_ref: Fact | None = None
    contact: Fact | None = None
    is_all: bool = False
    is_part: bool = False
    is_conditional: bool = False
    is_plan: bool = False
    wants_no_more: bool = False
    is_legal: bool = False
    is_insolvent: bool = False

    def as_json(self) -> dict[str, Any]:
        """Plain values; only what was found. items: positions; confidence: by name."""
        told: dict[str, Any] = {}
        sure: dict[str, float] = {}
        for each in fields(self):
            value = getattr(self, each.name)
            if value is None or value is False or value == ():
                continue
            if isinstance(value, Fact):
                sure[each.name] = round(value.confidence, 3)
                value = value.value
            if isinstance(value, date):
                value = value.isoformat()
            elif each.name == "parts":
                value = [[day.isoformat(), mills] for day, mills in value]
            elif isinstance(value, tuple):
                value = list(value)
            told["reason" if each.name == "dispute_reason" else each.name] = value
        if "dispute_reason" in sure:
            sure["reason"] = sure.pop("dispute_reason")
        return {**told, "confidence": sure} if sure else told
