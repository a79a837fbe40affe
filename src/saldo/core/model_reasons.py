"""Why a model was chosen, in words: codes and params as training gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from saldo.core.words import number_text

Params = Mapping[str, Any]
Wording = Callable[[Params], str]

_RUNGS_IT = {
    "due_date": "la scadenza",
    "customer_median": "la mediana del cliente",
    "pooled_km": "la curva di tutti i clienti",
    "empirical_bayes": "la media bayesiana per cliente",
    "ridge_km": "la regressione con residui",
    "hazard": "il modello appreso",
}
_RUNGS_EN = {
    "due_date": "the due date",
    "customer_median": "the customer's median",
    "pooled_km": "the curve of all customers",
    "empirical_bayes": "the empirical-Bayes average by customer",
    "ridge_km": "the regression with residuals",
    "hazard": "the learnt model",
}


def _days(value: Any, language: str) -> str:
    return number_text(Decimal(str(round(float(value), 2))), language, 2)


def _best_it(p: Params) -> str:
    name, loss = _RUNGS_IT.get(p["rung"], p["rung"]), _days(p["loss"], "it")
    return f"su {p['items']} fatture passate sbaglia meno di tutti: {name} (errore medio {loss} giorni)"


def _best_en(p: Params) -> str:
    name, loss = _RUNGS_EN.get(p["rung"], p["rung"]), _days(p["loss"], "en")
    return f"on {p['items']} past invoices it errs least: {name} (mean error {loss} days)"


def _simplest_it(p: Params) -> str:
    name, best = _RUNGS_IT.get(p["rung"], p["rung"]), _RUNGS_IT.get(p["best"], p["best"])
    gap = _days(p["gap"], "it")
    return f"basta {name}: {best} sbaglia solo {gap} giorni in meno su {p['items']} fatture, entro il caso"


def _simplest_en(p: Params) -> str:
    name, best = _RUNGS_EN.get(p["rung"], p["rung"]), _RUNGS_EN.get(p["best"], p["best"])
    gap = _days(p["gap"], "en")
    return f"{name} is enough: {best} errs only {gap} days less on {p['items']} invoices, within chance"


IT: dict[str, Wording] = {
    "rung_nothing_known": lambda p: "non c'è ancora alcuna fattura: resta il metodo semplice",
    "rung_too_short": lambda p: (
        f"con {p['items']} partite la storia è troppo breve per un confronto: resta il metodo semplice"
    ),
    "rung_too_few": lambda p: (
        f"con {p['items']} fatture da confrontare, meno di {p['least']}, resta il metodo semplice"
    ),
    "rung_best": _best_it,
    "rung_simplest": _simplest_it,
    "risk_too_few_outcomes": lambda p: (
        "troppo pochi clienti sono andati in default per imparare: restano i pesi dichiarati"
    ),
    "risk_learnt": lambda p: "appreso dai default dei propri clienti",
    "warning_too_few": lambda p: (
        f"con {p['items']} partite non si conoscono ancora le abitudini: nessun segnale d'allarme"
    ),
    "warning_learnt": lambda p: f"abitudini apprese da {p['items']} partite",
}
EN: dict[str, Wording] = {
    "rung_nothing_known": lambda p: "there is no invoice yet: the simple method stays",
    "rung_too_short": lambda p: (
        f"with {p['items']} items the history is too short to compare on: the simple method stays"
    ),
    "rung_too_few": lambda p: (
        f"with {p['items']} invoices to compare on, fewer than {p['least']}, the simple method stays"
    ),
    "rung_best": _best_en,
    "rung_simplest": _simplest_en,
    "risk_too_few_outcomes": lambda p: (
        "too few customers have defaulted to learn from: the stated weights stay"
    ),
    "risk_learnt": lambda p: "learnt from the defaults of its own customers",
    "warning_too_few": lambda p: f"with {p['items']} items the habits are not known yet: no early warnings",
    "warning_learnt": lambda p: f"habits learnt from {p['items']} items",
}
