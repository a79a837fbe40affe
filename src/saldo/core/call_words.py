"""The sentences of a call script, in Italian and English: to be said, or to be known before dialing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from saldo.core.words import date_text, money_text, number_text

Params = Mapping[str, Any]
Wording = Callable[[Params], str]

RESULTS = {
    "it": {
        "reached": "parlato", "promise": "ha promesso", "dispute": "ha contestato",
        "already_paid": "dice di aver già pagato", "refuses": "non intende pagare",
        "call_back": "ha chiesto di essere richiamato", "no_answer": "non ha risposto",
        "wrong_number": "numero sbagliato", "not_found": "non trovato",
    },
    "en": {
        "reached": "spoken with", "promise": "promised", "dispute": "disputed",
        "already_paid": "says it is already paid", "refuses": "will not pay",
        "call_back": "asked to be called back", "no_answer": "no answer",
        "wrong_number": "wrong number", "not_found": "not found",
    },
}  # fmt: skip
DELAY_REASONS = {
    "it": {
        "cash": "manca liquidità", "dispute": "contestazione", "missing_document": "manca un documento",
        "approval": "in attesa di approvazione", "forgotten": "dimenticanza", "absence": "assenza",
        "process": "tempi interni", "bank": "disguido bancario", "other": "altro",
    },
    "en": {
        "cash": "short of cash", "dispute": "dispute", "missing_document": "a document is missing",
        "approval": "waiting for approval", "forgotten": "forgotten", "absence": "absence",
        "process": "internal process", "bank": "bank problem", "other": "other",
    },
}  # fmt: skip
_LEFT_OUT = {
    "it": {
        "promised": "promessi", "disputed": "contestati", "planned": "nel piano di rientro",
        "held": "sospesi", "in_flight": "già presentati in banca", "cash_first": "forse già pagati",
    },
    "en": {
        "promised": "promised", "disputed": "disputed", "planned": "in the payment plan", "held": "on hold",
        "in_flight": "presented to the bank", "cash_first": "perhaps paid already",
    },
}  # fmt: skip
_PARTS = {
    "it": {"morning": "di mattina", "afternoon": "di pomeriggio"},
    "en": {"morning": "in the morning", "afternoon": "in the afternoon"},
}


def _money(p: Params, language: str, key: str = "mills") -> str:
    return money_text(int(p[key]), str(p["currency"]), language)


def _left_out(p: Params, language: str) -> str:
    return ", ".join(_LEFT_OUT[language].get(code, code) for code in p["why"])


def _on_it(day: str) -> str:
    text = date_text(day, "it")
    return f"l'{text}" if text.startswith(("8 ", "11 ")) else f"il {text}"


def _by_it(day: str) -> str:
    return f"entro {_on_it(day)}"


def _days(count: int, language: str) -> str:
    if count == 1:
        return "un giorno" if language == "it" else "one day"
    return f"{number_text(count, language)} {'giorni' if language == 'it' else 'days'}"


def _said_it(p: Params) -> str:
    word = RESULTS["it"].get(str(p["result"]), "nota")
    note = f": «{p['note']}»" if p.get("note") else ""
    return f"L'ultima volta ({date_text(p['on'], 'it')}, {p['actor']}): {word}{note}"


def _said_en(p: Params) -> str:
    word = RESULTS["en"].get(str(p["result"]), "note")
    note = f": “{p['note']}”" if p.get("note") else ""
    return f"Last time ({date_text(p['on'], 'en')}, {p['actor']}): {word}{note}"


def _broken_it(p: Params) -> str:
    level = int(p["level"])
    again = f"; è la {level}ª di seguito" if level > 1 else ""
    return f"Aveva promesso {_money(p, 'it')} {_by_it(p['day'])}: promessa non mantenuta{again}"


def _broken_en(p: Params) -> str:
    level = int(p["level"])
    again = f"; number {level} in a row" if level > 1 else ""
    return f"It had promised {_money(p, 'en')} by {date_text(p['day'], 'en')}: broken{again}"


def _partly_it(p: Params) -> str:
    return (
        f"Aveva promesso {_money(p, 'it')} {_by_it(p['day'])}: mancano ancora {_money(p, 'it', 'left_mills')}"
    )


def _partly_en(p: Params) -> str:
    left = _money(p, "en", "left_mills")
    return f"It had promised {_money(p, 'en')} by {date_text(p['day'], 'en')}: {left} is still missing"


def _overdue_it(p: Params) -> str:
    if int(p["count"]) == 1:
        return f"Chiedere {_money(p, 'it')}: una fattura, scaduta da {_days(int(p['days']), 'it')}"
    return (
        f"Chiedere {_money(p, 'it')}: {p['count']} fatture, la più vecchia scaduta da "
        f"{_days(int(p['days']), 'it')}"
    )


def _overdue_en(p: Params) -> str:
    if int(p["count"]) == 1:
        return f"Ask for {_money(p, 'en')}: one invoice, overdue by {_days(int(p['days']), 'en')}"
    return f"Ask for {_money(p, 'en')}: {p['count']} invoices, the oldest by {_days(int(p['days']), 'en')}"


def _items(p: Params, language: str) -> str:
    each = (
        f"{item['number'] or '–'} ({money_text(int(item['mills']), str(p['currency']), language)})"
        for item in p["items"]
    )
    text = ", ".join(each)
    if int(p.get("more", 0)):
        text += f" e altre {p['more']}" if language == "it" else f" and {p['more']} more"
    return text


def _plan_it(p: Params) -> str:
    each = _money(p, "it", "each_mills")
    return f"Proporre un piano di rientro: {p['months']} rate da {each}, la prima {_on_it(p['day'])}"


def _plan_en(p: Params) -> str:
    each, day = _money(p, "en", "each_mills"), date_text(p["day"], "en")
    return f"Propose a payment plan: {p['months']} installments of {each}, the first on {day}"


IT: dict[str, Wording] = {
    "call_mind_no_call": lambda p: "Ha chiesto di non essere chiamato: scrivere, se si può",
    "call_mind_call_hours": lambda p: f"Ha chiesto di essere chiamato solo in questi orari: {p['hours']}",
    "call_mind_wish": lambda p: f"Da non chiedere di nuovo: {p['text']}",
    "call_mind_answers": lambda p: (
        f"Risponde più spesso {_PARTS['it'][p['part']]} ({p['answered']} volte su {p['tried']})"
    ),
    "call_mind_record": lambda p: "C'è il consenso alla registrazione",
    "call_mind_no_record": lambda p: "Nessun consenso alla registrazione: non registrare",
    "call_last_said": _said_it,
    "call_last_promise_open": lambda p: (
        f"Ha promesso {_money(p, 'it')} {_by_it(p['day'])}: si aspetta, non si richiede"
    ),
    "call_last_promise_broken": _broken_it,
    "call_last_promise_partially_kept": _partly_it,
    "call_last_reason": lambda p: (
        f"Motivo del ritardo detto dal cliente: {DELAY_REASONS['it'].get(p['reason'], p['reason'])}"
    ),
    "call_ask_overdue": _overdue_it,
    "call_ask_items": lambda p: f"Nominare: {_items(p, 'it')}",
    "call_ask_nothing": lambda p: (
        "Oggi non c'è nulla da chiedere: lo scaduto è promesso, contestato o sospeso"
    ),
    "call_ask_courtesy": lambda p: (
        f"Nulla di scaduto: chiedere se le fatture ({_money(p, 'it')}) sono a posto e saranno pagate "
        f"alla scadenza, la prima {_on_it(p['due_date'])}"
    ),
    "call_ask_settled": lambda p: "Non deve nulla",
    "call_ask_not": lambda p: f"Non chiedere {_money(p, 'it')}: {_left_out(p, 'it')}",
    "call_propose_proof": lambda p: (
        "Chiedere giorno e CRO (TRN) del bonifico: il pagamento potrebbe essere già arrivato"
    ),
    "call_propose_credits": lambda p: (
        f"Ci sono {_money(p, 'it')} a suo credito: concordare su quali fatture usarli"
    ),
    "call_propose_plan": _plan_it,
    "call_propose_plan_open": lambda p: (
        f"Proporre un piano di rientro per {_money(p, 'it')}, con una prima rata subito"
    ),
    "call_propose_today": lambda p: "Chiedere il bonifico oggi stesso, con il CRO via e-mail",
    "call_propose_copies": lambda p: "Offrire di inviare subito copia dei documenti che mancano",
    "call_propose_approver": lambda p: "Chiedere chi approva e in quale giorno parte la prossima distinta",
    "call_propose_substitute": lambda p: "Chiedere chi sostituisce la persona assente",
    "call_propose_rest": lambda p: (
        f"Dire a che punto è la contestazione e chiedere il resto: {_money(p, 'it')}"
    ),
    "call_propose_details": lambda p: "Ridare l'IBAN e verificare che l'ordine di bonifico sia partito",
    "call_propose_day": lambda p: f"Ottenere un giorno preciso; se non lo dice, proporre {_on_it(p['day'])}",
}

EN: dict[str, Wording] = {
    "call_mind_no_call": lambda p: "It has asked not to be called: write, if you can",
    "call_mind_call_hours": lambda p: f"It has asked to be called in these hours only: {p['hours']}",
    "call_mind_wish": lambda p: f"Not to be asked again: {p['text']}",
    "call_mind_answers": lambda p: (
        f"Answers more often {_PARTS['en'][p['part']]} ({p['answered']} times out of {p['tried']})"
    ),
    "call_mind_record": lambda p: "It has agreed to be recorded",
    "call_mind_no_record": lambda p: "No consent to recording: do not record",
    "call_last_said": _said_en,
    "call_last_promise_open": lambda p: (
        f"It has promised {_money(p, 'en')} by {date_text(p['day'], 'en')}: wait, do not ask again"
    ),
    "call_last_promise_broken": _broken_en,
    "call_last_promise_partially_kept": _partly_en,
    "call_last_reason": lambda p: (
        f"Why it is late, in its words: {DELAY_REASONS['en'].get(p['reason'], p['reason'])}"
    ),
    "call_ask_overdue": _overdue_en,
    "call_ask_items": lambda p: f"Name: {_items(p, 'en')}",
    "call_ask_nothing": lambda p: "Nothing to ask today: what is overdue is promised, disputed or on hold",
    "call_ask_courtesy": lambda p: (
        f"Nothing overdue: ask whether the invoices ({_money(p, 'en')}) are in order and will be paid "
        f"when due, the first on {date_text(p['due_date'], 'en')}"
    ),
    "call_ask_settled": lambda p: "It owes nothing",
    "call_ask_not": lambda p: f"Do not ask for {_money(p, 'en')}: {_left_out(p, 'en')}",
    "call_propose_proof": lambda p: "Ask for the day and reference of the transfer: it may have arrived",
    "call_propose_credits": lambda p: (
        f"{_money(p, 'en')} stands to its credit: agree which invoices it is for"
    ),
    "call_propose_plan": _plan_en,
    "call_propose_plan_open": lambda p: (
        f"Propose a payment plan for {_money(p, 'en')}, with a first installment at once"
    ),
    "call_propose_today": lambda p: "Ask for the transfer today, with its reference by e-mail",
    "call_propose_copies": lambda p: "Offer to send copies of what is missing at once",
    "call_propose_approver": lambda p: "Ask who approves, and on which day the next payments go out",
    "call_propose_substitute": lambda p: "Ask who stands in for whoever is away",
    "call_propose_rest": lambda p: f"Say how the dispute stands, and ask for the rest: {_money(p, 'en')}",
    "call_propose_details": lambda p: "Give the IBAN again, and check that the transfer has been ordered",
    "call_propose_day": lambda p: f"Agree on one day; if it names none, propose {date_text(p['day'], 'en')}",
}
