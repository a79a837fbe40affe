"""Why a plan is proposed as it is, in words (core.reasons renders them)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from saldo.core.words import count_text, date_text, money_text

Params = Mapping[str, Any]
LAST_OF_MONTH = 31


def _money(p: Params, name: str, language: str) -> str:
    return money_text(int(p[f"{name}_mills"]), p["currency"], language)


def _since(p: Params, language: str) -> str:
    return date_text(p["since"], language)


def _day_it(p: Params) -> str:
    return (
        "di solito paga a fine mese" if p["day"] == LAST_OF_MONTH else f"di solito paga verso il {p['day']}"
    )


def _day_en(p: Params) -> str:
    if p["day"] == LAST_OF_MONTH:
        return "usually pays at the end of the month"
    return f"usually pays around day {p['day']} of the month"


IT: dict[str, Callable[[Params], str]] = {
    "plan_capacity": lambda p: (
        f"incassi del mese tipico {_money(p, 'typical', 'it')} ({p['months']} mesi interi): "
        f"una rata può prenderne il {p['percent']}%, cioè {_money(p, 'capacity', 'it')}"
    ),
    "plan_no_history": lambda p: (
        "storico degli incassi insufficiente: la durata è quella usuale della società, "
        "non una misura di quanto il cliente può pagare"
    ),
    "plan_beyond_capacity": lambda p: (
        f"la rata di {_money(p, 'installment', 'it')} supera quanto il cliente paga di solito: "
        f"servirebbero {count_text(p['months'], 'it')} rate"
    ),
    "plan_usual_day": _day_it,
    "plan_installment_due": lambda p: (
        f"rata del piano di rientro in arrivo: sentire il cliente (da {_since(p, 'it')})"
    ),
    "plan_milestone_due": lambda p: f"impegno del piano di rientro da verificare (da {_since(p, 'it')})",
    "plan_fallen": lambda p: f"piano di rientro decaduto: {_since(p, 'it')}",
}
EN: dict[str, Callable[[Params], str]] = {
    "plan_capacity": lambda p: (
        f"a typical month's cash is {_money(p, 'typical', 'en')} ({p['months']} whole months): "
        f"an installment may take {p['percent']}% of it, {_money(p, 'capacity', 'en')}"
    ),
    "plan_no_history": lambda p: (
        "not enough payments known: the length is the company's usual one, "
        "no measure of what the customer can pay"
    ),
    "plan_beyond_capacity": lambda p: (
        f"the installment of {_money(p, 'installment', 'en')} is more than the customer usually pays: "
        f"it would take {count_text(p['months'], 'en')} installments"
    ),
    "plan_usual_day": _day_en,
    "plan_installment_due": lambda p: (
        f"installment of the payment plan ahead: check in (since {_since(p, 'en')})"
    ),
    "plan_milestone_due": lambda p: f"milestone of the payment plan to check (since {_since(p, 'en')})",
    "plan_fallen": lambda p: f"payment plan fell on {_since(p, 'en')}",
}
