"""Why an item is expected when it is, in words: what no feature says by itself. Sizes stand beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from saldo.core.words import MONTHS_EN, MONTHS_IT, number_text

Params = Mapping[str, Any]
Wording = Callable[[Params], str]

_WEEKDAYS_IT = ("lunedì", "martedì", "mercoledì", "giovedì", "venerdì", "sabato", "domenica")
_WEEKDAYS_EN = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def _habit_it(days: int) -> str:
    if days == 0:
        return "alla scadenza"
    side = "dopo la" if days > 0 else "prima della"
    return f"{_count(days, 'it')} {'giorno' if abs(days) == 1 else 'giorni'} {side} scadenza"


def _habit_en(days: int) -> str:
    if days == 0:
        return "on the due date"
    side = "after" if days > 0 else "before"
    return f"{_count(days, 'en')} {'day' if abs(days) == 1 else 'days'} {side} the due date"


def _count(value: int, language: str) -> str:
    return number_text(abs(value), language)


def _usual_it(p: Params) -> str:
    n = int(p["n"])
    basis = "una sola fattura" if n == 1 else f"mediana di {_count(n, 'it')} fatture"
    return f"paga di solito {_habit_it(round(p['value']))} ({basis})"


def _usual_en(p: Params) -> str:
    n = int(p["n"])
    basis = "a single invoice" if n == 1 else f"median of {_count(n, 'en')} invoices"
    return f"usually pays {_habit_en(round(p['value']))} ({basis})"


def _value(value: Any, language: str) -> str:
    if value is None:
        return "non noto" if language == "it" else "not known"
    if isinstance(value, bool):
        return ("sì" if value else "no") if language == "it" else ("yes" if value else "no")
    if isinstance(value, int | float):
        return number_text(Decimal(repr(round(value, 2))), language, 0 if float(value).is_integer() else 2)
    return str(value)


def _column(language: str) -> Wording:
    return lambda p: f"{str(p['name']).replace('_', ' ')}: {_value(p['value'], language)}"


IT: dict[str, Wording] = {
    "usual_delay": _usual_it,
    "no_history": lambda p: "nessun pagamento noto di questo cliente",
    "portfolio_delay": lambda p: f"gli altri clienti pagano di solito {_habit_it(round(p['value']))}",
    "due_date_only": lambda p: "si conta sulla scadenza",
    "item_column": _column("it"),
    "document_month": lambda p: f"fattura di {MONTHS_IT[int(p['value']) - 1]}",
    "document_weekday": lambda p: f"fattura emessa di {_WEEKDAYS_IT[int(p['value']) - 1]}",
}
EN: dict[str, Wording] = {
    "usual_delay": _usual_en,
    "no_history": lambda p: "no payment of this customer is known",
    "portfolio_delay": lambda p: f"other customers usually pay {_habit_en(round(p['value']))}",
    "due_date_only": lambda p: "the due date is counted on",
    "item_column": _column("en"),
    "document_month": lambda p: f"invoiced in {MONTHS_EN[int(p['value']) - 1]}",
    "document_weekday": lambda p: f"invoiced on a {_WEEKDAYS_EN[int(p['value']) - 1]}",
}
