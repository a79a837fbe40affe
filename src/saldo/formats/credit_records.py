"""Records that tell what a customer is worth and what it has ordered: balance sheets, ratings, sales orders.

Amounts are integers of mills (thousandths of the currency unit), signed as the source writes them; shares
(a probability of default) are exact decimals from 0 to 1. What a source says beyond these fields is kept as
text, never dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from saldo.core.money import decimal_text
from saldo.formats.records import Notice

# The lines of a balance sheet that Saldo knows by name. retained_earnings: reserves and profits carried
# forward, without the profit of the year. ebit: operating result before financial items and taxes.
# current_liabilities: debts due within the next year. total_liabilities: all but the equity.
LINES = (
    "total_assets", "current_assets", "cash", "inventory", "receivables", "equity", "retained_earnings",
    "current_liabilities", "total_liabilities", "revenue", "ebit", "interest_expense", "net_profit",
)  # fmt: skip

OPEN, DELIVERED, INVOICED, CANCELLED, UNKNOWN = "open", "delivered", "invoiced", "cancelled", "unknown"
# From the least done to the most: an order is as far as the line of it that is least done.
STATUSES = (OPEN, DELIVERED, INVOICED, CANCELLED)


@dataclass(frozen=True, slots=True)
class BalanceSheet:
    """The yearly figures of one company. period_end: the closing day of the year they are about.

    lines: names of LINES -> mills; one that the source does not give is absent, never zero. facts: every
    other figure, as written. employees: the average of the year.
    """

    period_end: date
    currency: str
    lines: Mapping[str, int]
    tax_code: str | None = None
    vat: str | None = None
    customer_code: str | None = None
    name: str | None = None
    employees: Decimal | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    row: int = 0
    position: int = 1
    source: str | None = None
    notices: tuple[Notice, ...] = ()
    kind: str = "balance_sheet"

    @property
    def year(self) -> int:
        return self.period_end.year

    def as_json(self, language: str = "en") -> dict[str, Any]:
        return {
            "kind": self.kind,
            "tax_code": self.tax_code,
            "vat": self.vat,
            "customer_code": self.customer_code,
            "name": self.name,
            "year": self.year,
            "period_end": self.period_end.isoformat(),
            "currency": self.currency,
            "lines": {name: decimal_text(mills, self.currency) for name, mills in self.lines.items()},
            "employees": _plain(self.employees),
            "facts": dict(self.facts),
            "row": self.row,
            "position": self.position,
            "source": self.source,
            "notices": [notice.as_json(language) for notice in self.notices],
        }


@dataclass(frozen=True, slots=True)
class ExternalRating:
    """What a provider of business information says of a company on a day.

    rating: the class as written ("A2", "CB3"). score: the provider's own scale. pd: probability of default
    within a year, 0 to 1. limit_mills: the credit limit it recommends. events: negative events as written.
    """

    provider: str
    vat: str | None = None
    tax_code: str | None = None
    customer_code: str | None = None
    name: str | None = None
    rating: str | None = None
    score: Decimal | None = None
    pd: Decimal | None = None
    limit_mills: int | None = None
    currency: str = "EUR"
    valid_from: date | None = None
    valid_to: date | None = None
    events: tuple[str, ...] = ()
    row: int = 0
    source: str | None = None
    notices: tuple[Notice, ...] = ()
    kind: str = "rating"

    def as_json(self, language: str = "en") -> dict[str, Any]:
        return {
            "kind": self.kind,
            "provider": self.provider,
            "vat": self.vat,
            "tax_code": self.tax_code,
            "customer_code": self.customer_code,
            "name": self.name,
            "rating": self.rating,
            "score": _plain(self.score),
            "pd": _plain(self.pd),
            "recommended_limit": _amount(self.limit_mills, self.currency),
            "currency": self.currency,
            "valid_from": _iso(self.valid_from),
            "valid_to": _iso(self.valid_to),
            "events": list(self.events),
            "row": self.row,
            "source": self.source,
            "notices": [notice.as_json(language) for notice in self.notices],
        }


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One row of an order. amount_mills: incl. VAT. status_text: as written."""

    row: int
    line: str | None
    amount_mills: int
    delivery_date: date | None
    status: str
    status_text: str | None
    not_invoiced_mills: int | None

    def as_json(self, currency: str) -> dict[str, Any]:
        return {
            "row": self.row,
            "line": self.line,
            "amount": decimal_text(self.amount_mills, currency),
            "delivery_date": _iso(self.delivery_date),
            "status": self.status,
            "status_text": self.status_text,
            "delivered_not_invoiced": _amount(self.not_invoiced_mills, currency),
        }


@dataclass(frozen=True, slots=True)
class SalesOrder:
    """One order of a customer with its lines (at least one); amounts incl. VAT, summed over the lines.

    not_invoiced_mills: value delivered and not yet invoiced, None where no line states it.
    """

    number: str
    currency: str
    lines: tuple[OrderLine, ...]
    company_code: str | None = None
    customer_code: str | None = None
    customer_vat: str | None = None
    customer_name: str | None = None
    order_date: date | None = None
    source: str | None = None
    notices: tuple[Notice, ...] = ()
    kind: str = "order"

    @property
    def amount_mills(self) -> int:
        return sum(line.amount_mills for line in self.lines)

    @property
    def not_invoiced_mills(self) -> int | None:
        stated = [line.not_invoiced_mills for line in self.lines if line.not_invoiced_mills is not None]
        return sum(stated) if stated else None

    @property
    def status(self) -> str:
        """That of the line that is least done; "unknown" as soon as one is."""
        found = {line.status for line in self.lines}
        return UNKNOWN if UNKNOWN in found else next(word for word in STATUSES if word in found)

    @property
    def delivery_date(self) -> date | None:
        """The first day on which something is expected to be delivered."""
        return min((line.delivery_date for line in self.lines if line.delivery_date), default=None)

    def as_json(self, language: str = "en") -> dict[str, Any]:
        return {
            "kind": self.kind,
            "number": self.number,
            "company_code": self.company_code,
            "customer_code": self.customer_code,
            "customer_vat": self.customer_vat,
            "customer_name": self.customer_name,
            "order_date": _iso(self.order_date),
            "delivery_date": _iso(self.delivery_date),
            "currency": self.currency,
            "amount": decimal_text(self.amount_mills, self.currency),
            "delivered_not_invoiced": _amount(self.not_invoiced_mills, self.currency),
            "status": self.status,
            "lines": [line.as_json(self.currency) for line in self.lines],
            "source": self.source,
            "notices": [notice.as_json(language) for notice in self.notices],
        }


def balance_notices(
    lines: Mapping[str, int], currency: str, tolerance_mills: int, where: str, row: int = 0
) -> list[Notice]:
    """What does not add up in a balance sheet: assets against their sources, parts against their wholes.

    tolerance_mills: by how much a sum may be off, since sources round each figure.
    """
    notices: list[Notice] = []

    def told(code: str, **params: Any) -> None:
        notices.append(Notice(code, where, "", params, row))

    if {"total_assets", "equity", "total_liabilities"} <= lines.keys():
        sources = lines["equity"] + lines["total_liabilities"]
        if abs(lines["total_assets"] - sources) > tolerance_mills:
            told(
                "balance_sheet_differs",
                assets=decimal_text(lines["total_assets"], currency),
                sources=decimal_text(sources, currency),
            )
    for part, whole in (
        ("current_assets", "total_assets"),
        ("current_liabilities", "total_liabilities"),
        ("cash", "current_assets"),
        ("inventory", "current_assets"),
    ):
        if part in lines and whole in lines and lines[part] > lines[whole] + tolerance_mills:
            told(
                "balance_sheet_part_exceeds",
                part=part,
                whole=whole,
                part_amount=decimal_text(lines[part], currency),
                whole_amount=decimal_text(lines[whole], currency),
            )
    return notices


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _plain(number: Decimal | None) -> str | None:
    return None if number is None else f"{number:f}"


def _amount(mills: int | None, currency: str) -> str | None:
    return None if mills is None else decimal_text(mills, currency)
