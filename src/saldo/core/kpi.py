"""Indicators of the credit office: formulas on plain numbers, each with the definition that goes with it.

Amounts are integer mills of one currency. Definitions and worked examples: docs/rules/kpi.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

SALES_DAYS = 90
BUCKETS = ("current", "1-30", "31-60", "61-90", ">90")

SALES_UNKNOWN = "sales_unknown"
NO_SALES = "no_sales"
NOTHING_OPEN = "nothing_open"
NOTHING_PAID = "nothing_paid"
NOTHING_TO_COLLECT = "nothing_to_collect"

DEFINITIONS = {
    "dso": "dso/1: open incl. VAT / sales of the trailing 90 days incl. VAT net of credit notes x 90",
    "best_possible_dso": "best_possible_dso/1: open not yet overdue / the same sales x 90",
    "average_days_delinquent": "average_days_delinquent/1: DSO - best-possible DSO",
    "overdue_share": "overdue_share/1: overdue / open, both gross of credits",
    "cei": "cei/1: (opening AR + sales - closing AR) / (opening AR + sales - closing current AR)",
    "invoice_to_cash_days": "invoice_to_cash_days/1: sum of amount x (paid - document date) / sum of amount",
}


@dataclass(frozen=True, slots=True)
class Kpi:
    """A value with its definition. ``value`` is None with a reason where it cannot be known.

    unit: "days" or "share" (0-1). numerator and denominator are what the value was made of, in mills
    (mill-days for weighted days), so that it can be checked.
    """

    code: str
    value: float | None
    unit: str
    definition: str
    reason: str | None = None
    numerator: int | None = None
    denominator: int | None = None


def _ratio(code: str, unit: str, numerator: int, denominator: int, factor: int, empty: str) -> Kpi:
    if denominator <= 0:
        return Kpi(code, None, unit, DEFINITIONS[code], empty, numerator, denominator)
    value = numerator * factor / denominator
    return Kpi(code, value, unit, DEFINITIONS[code], None, numerator, denominator)


def _sales_ratio(code: str, amount_mills: int, sales_mills: int | None) -> Kpi:
    if sales_mills is None:
        return Kpi(code, None, "days", DEFINITIONS[code], SALES_UNKNOWN, amount_mills, None)
    return _ratio(code, "days", amount_mills, sales_mills, SALES_DAYS, NO_SALES)


def dso(open_mills: int, sales_mills: int | None) -> Kpi:
    """Days sales outstanding. ``sales_mills``: of the trailing 90 days, None where they are not known."""
    return _sales_ratio("dso", open_mills, sales_mills)


def best_possible_dso(current_mills: int, sales_mills: int | None) -> Kpi:
    """The DSO if nothing were overdue. ``current_mills``: open and not yet overdue."""
    return _sales_ratio("best_possible_dso", current_mills, sales_mills)


def average_days_delinquent(open_mills: int, current_mills: int, sales_mills: int | None) -> Kpi:
    """DSO less best-possible DSO: the days that overdue items add."""
    return _sales_ratio("average_days_delinquent", open_mills - current_mills, sales_mills)


def overdue_share(overdue_mills: int, open_mills: int) -> Kpi:
    """Share of the open amount that is overdue."""
    return _ratio("overdue_share", "share", overdue_mills, open_mills, 1, NOTHING_OPEN)


def cei(opening_mills: int, sales_mills: int | None, closing_mills: int, closing_current_mills: int) -> Kpi:
    """Collection effectiveness index of a period: collected share of what could have been collected.

    Sales are those of the period net of credit notes; write-offs must be added back to ``closing_mills`` by
    the caller, for neither is collection.
    """
    if sales_mills is None:
        return Kpi("cei", None, "share", DEFINITIONS["cei"], SALES_UNKNOWN)
    collectable = opening_mills + sales_mills
    collected, possible = collectable - closing_mills, collectable - closing_current_mills
    return _ratio("cei", "share", collected, possible, 1, NOTHING_TO_COLLECT)


def invoice_to_cash_days(paid: Iterable[tuple[int, int]]) -> Kpi:
    """Value-weighted days from document to payment, from (amount in mills, days) of each paid installment."""
    weighted = total = 0
    for amount_mills, days in paid:
        weighted += amount_mills * days
        total += amount_mills
    return invoice_to_cash_of_sums(weighted, total)


def invoice_to_cash_of_sums(mill_days: int, paid_mills: int) -> Kpi:
    """``invoice_to_cash_days`` from its two sums."""
    return _ratio("invoice_to_cash_days", "days", mill_days, paid_mills, 1, NOTHING_PAID)


def bucket_of(days_past_due: int) -> str:
    """Aging bucket of an open debit. An item is overdue from the day after its due date."""
    if days_past_due <= 0:
        return BUCKETS[0]
    return BUCKETS[min((days_past_due - 1) // 30 + 1, 4)]


def aging(balances: Iterable[tuple[int, int]]) -> dict[str, int]:
    """Mills per bucket, in the order of BUCKETS, from (balance, days past due); debits only, never netted."""
    result = dict.fromkeys(BUCKETS, 0)
    for balance_mills, days in balances:
        if balance_mills > 0:
            result[bucket_of(days)] += balance_mills
    return result
