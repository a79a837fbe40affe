"""Reasons in words: a code and its facts, as a credit manager would say them, in Italian and English.

A decision stores its reasons as code and parameters, never as text, so that they can be read in any language
and counted. Every code has a function per language; ``render`` picks it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from saldo.core import (
    behavior_reasons,
    call_words,
    cash_reasons,
    forecast_reasons,
    mail_reasons,
    model_reasons,
    plan_reasons,
    playbook_reasons,
    priority_reasons,
    reply_reasons,
    risk_reasons,
    warning_reasons,
)
from saldo.core.words import count_text, date_text, money_text, number_text, percent_text

Params = Mapping[str, Any]
Wording = Callable[[Params], str]


def _days_it(days: int) -> str:
    return "un giorno" if days == 1 else f"{number_text(days, 'it')} giorni"


def _days_en(days: int) -> str:
    return "one day" if days == 1 else f"{number_text(days, 'en')} days"


def _invoices_it(count: int) -> str:
    return f"{count_text(count, 'it')} {'fattura' if count == 1 else 'fatture'}"


def _invoices_en(count: int) -> str:
    return f"{count_text(count, 'en')} {'invoice' if count == 1 else 'invoices'}"


def _habit_it(p: Params) -> str:
    delay = p.get("mean_delay_days")
    if delay is None or p.get("rung") != "account":
        return "pochi pagamenti noti: stima dal suo cluster" if p.get("rung") == "segment" else (
            "pochi pagamenti noti: stima dall'intero portafoglio"
        )  # fmt: skip
    days = round(delay)
    if days == 0:
        return "di solito paga alla scadenza"
    return f"paga in media {_days_it(abs(days))} {'dopo la' if days > 0 else 'prima della'} scadenza"


def _habit_en(p: Params) -> str:
    delay = p.get("mean_delay_days")
    if delay is None or p.get("rung") != "account":
        level = "its segment" if p.get("rung") == "segment" else "the whole portfolio"
        return f"few payments known: estimated from {level}"
    days = round(delay)
    if days == 0:
        return "usually pays on the due date"
    return f"pays on average {_days_en(abs(days))} {'after' if days > 0 else 'before'} the due date"


def _overdue_it(p: Params) -> str:
    old = int(p["over_30_items"])
    if old:
        return f"{_invoices_it(old)} oltre 30 giorni"
    count, days = int(p["overdue_items"]), int(p["oldest_days"])
    if not count:
        return "nulla di scaduto"
    if count == 1:
        return f"una fattura scaduta da {_days_it(days)}"
    return f"{_invoices_it(count)} scadute, al massimo da {_days_it(days)}"


def _overdue_en(p: Params) -> str:
    old = int(p["over_30_items"])
    if old:
        return f"{_invoices_en(old)} more than 30 days late"
    count, days = int(p["overdue_items"]), int(p["oldest_days"])
    if not count:
        return "nothing overdue"
    if count == 1:
        return f"one invoice overdue by {_days_en(days)}"
    return f"{_invoices_en(count)} overdue, by {_days_en(days)} at most"


def _amount(p: Params, language: str, key: str = "amount_mills") -> str:
    return money_text(int(p[key]), str(p["currency"]), language, decimals=0)


def _rate(p: Params, language: str, key: str) -> str:
    return money_text(int(p[key]), str(p["currency"]), language)


def _situation_it(p: Params) -> str:
    chance = percent_text(p["p30"], "it")
    return f"{_habit_it(p)}; {_overdue_it(p)}; {chance} di probabilità di incasso in 30 giorni"


def _situation_en(p: Params) -> str:
    chance = percent_text(p["p30"], "en")
    return f"{_habit_en(p)}; {_overdue_en(p)}; {chance} chance of payment within 30 days"


def _insufficient_it(p: Params) -> str:
    return f"storico insufficiente: in ordine di importo per anzianità ({_amount(p, 'it')}, {_overdue_it(p)})"


def _insufficient_en(p: Params) -> str:
    return f"insufficient history: ordered by amount times age ({_amount(p, 'en')}, {_overdue_en(p)})"


def _from_it(day: str) -> str:
    text = date_text(day, "it")
    return f"dall'{text}" if text.startswith(("8 ", "11 ")) else f"dal {text}"


def _on_it(day: str) -> str:
    text = date_text(day, "it")
    return f"l'{text}" if text.startswith(("8 ", "11 ")) else f"il {text}"


def _since_it(text: str) -> Wording:
    return lambda p: f"{text} {_from_it(p['since'])}"


def _since_en(text: str) -> Wording:
    return lambda p: f"{text} since {date_text(p['since'], 'en')}"


_IT: dict[str, Wording] = {
    "situation": _situation_it,
    "insufficient_history": _insufficient_it,
    "courtesy_check": lambda p: (
        f"{_amount(p, 'it')} in scadenza a giorni e nulla di scaduto: verifica di cortesia"
    ),
    "review_due": _since_it("da rivedere: nessun contatto"),
    "callback": _since_it("richiamata concordata, in attesa"),
    "reply_waiting": _since_it("ha risposto e aspetta"),
    "survey_low": _since_it("scontento nelle due domande"),
    "promise_broken": _since_it("promessa non mantenuta"),
    "promise_partly_kept": _since_it("promessa mantenuta solo in parte"),
    "dispute_due": _since_it("contestazione senza risposta"),
    "insoluto": lambda p: f"insoluto: tornato dalla banca {_on_it(p['since'])}",
    "more_value_per_minute": lambda p: (
        f"viene prima del successivo perché un minuto qui rende {_rate(p, 'it', 'value_mills')} "
        f"contro {_rate(p, 'it', 'next_mills')}"
    ),
    "more_amount_times_age": lambda p: (
        "viene prima del successivo perché importo per giorni di ritardo è "
        f"{number_text(p['amount_days'], 'it')} contro {number_text(p['next_amount_days'], 'it')}"
    ),
    "payment_would_lower": lambda p: f"scenderebbe di un posto con un incasso di circa {_amount(p, 'it')}",
    "payment_would_remove": lambda p: (
        f"con un incasso di circa {_amount(p, 'it')} non varrebbe più la pena di un contatto"
    ),
    "contact_not_worth": lambda p: (
        f"oggi un contatto costa {_rate(p, 'it', 'cost_mills')} "
        f"e ne renderebbe {_rate(p, 'it', 'gain_mills')}: meglio attendere"
    ),
    "amount_would_raise": lambda p: f"varrebbe un contatto con circa {_amount(p, 'it')} di scaduto",
    "history_would_change": lambda p: (
        "con le partite chiuse degli ultimi 24 mesi si potrebbe stimare quando paga"
    ),
    "contact_would_remove": lambda p: "un contatto registrato oggi lo toglie da qui",
}

_EN: dict[str, Wording] = {
    "situation": _situation_en,
    "insufficient_history": _insufficient_en,
    "courtesy_check": lambda p: f"{_amount(p, 'en')} falls due within days, nothing overdue: courtesy check",
    "review_due": _since_en("review due: no contact"),
    "callback": _since_en("agreed callback, waiting"),
    "reply_waiting": _since_en("has replied and is waiting"),
    "survey_low": _since_en("unhappy in the two questions"),
    "promise_broken": _since_en("promise broken"),
    "promise_partly_kept": _since_en("promise kept in part only"),
    "dispute_due": _since_en("dispute without an answer"),
    "insoluto": lambda p: f"came back unpaid from the bank on {date_text(p['since'], 'en')}",
    "more_value_per_minute": lambda p: (
        f"comes before the next one because a minute here is worth {_rate(p, 'en', 'value_mills')} "
        f"against {_rate(p, 'en', 'next_mills')}"
    ),
    "more_amount_times_age": lambda p: (
        "comes before the next one because amount times days late is "
        f"{number_text(p['amount_days'], 'en')} against {number_text(p['next_amount_days'], 'en')}"
    ),
    "payment_would_lower": lambda p: f"a payment of about {_amount(p, 'en')} would move it down one place",
    "payment_would_remove": lambda p: (
        f"after a payment of about {_amount(p, 'en')} a contact would not pay off"
    ),
    "contact_not_worth": lambda p: (
        f"a contact today costs {_rate(p, 'en', 'cost_mills')} "
        f"and would bring {_rate(p, 'en', 'gain_mills')}: better wait"
    ),
    "amount_would_raise": lambda p: f"with about {_amount(p, 'en')} overdue it would be worth a contact",
    "history_would_change": lambda p: (
        "with the closed items of the last 24 months, its payment habits could be estimated"
    ),
    "contact_would_remove": lambda p: "a contact logged today takes it off this block",
}

_OTHERS = (
    cash_reasons, risk_reasons, behavior_reasons, warning_reasons, model_reasons, forecast_reasons,
    playbook_reasons, mail_reasons, reply_reasons, plan_reasons, priority_reasons, call_words,
)  # fmt: skip
WORDINGS: dict[str, dict[str, Wording]] = {
    "it": _IT | {code: wording for each in _OTHERS for code, wording in each.IT.items()},
    "en": _EN | {code: wording for each in _OTHERS for code, wording in each.EN.items()},
}


def render(code: str, params: Params | str, language: str = "it") -> str:
    """The reason in words. ``params`` is a mapping or its JSON text. Raises KeyError for an unknown code."""
    values = json.loads(params) if isinstance(params, str) else params
    wordings = WORDINGS.get(language, _EN)
    return wordings[code](values)
