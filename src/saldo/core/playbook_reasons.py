"""The reasons of a playbook's plan in words: which playbook, which step and why now, what it leaves out, by
which way it goes and what keeps it back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from saldo.core.playbook import CONTROL
from saldo.core.words import date_text, money_text, number_text, percent_text

Params = Mapping[str, Any]
Wording = Callable[[Params], str]

CHANNELS = {
    "it": {
        "email": "e-mail", "pec": "PEC", "letter": "lettera", "sms": "SMS", "portal": "area clienti",
        "call": "telefonata", "task": "attività",
    },
    "en": {
        "email": "e-mail", "pec": "PEC", "letter": "letter", "sms": "SMS", "portal": "portal",
        "call": "phone call", "task": "task",
    },
}  # fmt: skip
_MISSED = {
    "it": {
        "no_address": "nessun indirizzo", "address_stopped": "indirizzo bloccato",
        "no_consent": "manca il consenso",
    },
    "en": {
        "no_address": "no address", "address_stopped": "the address is stopped",
        "no_consent": "no consent was given",
    },
}  # fmt: skip


def _days_it(days: int) -> str:
    return "un giorno" if abs(days) == 1 else f"{number_text(abs(days), 'it')} giorni"


def _days_en(days: int) -> str:
    return "one day" if abs(days) == 1 else f"{number_text(abs(days), 'en')} days"


def _money(p: Params, language: str, key: str = "mills") -> str:
    return money_text(int(p[key]), str(p["currency"]), language)


def _of_it(day: str) -> str:
    text = date_text(day, "it")
    return f"dell'{text}" if text.startswith(("8 ", "11 ")) else f"del {text}"


def _until_it(day: str) -> str:
    text = date_text(day, "it")
    return f"all'{text}" if text.startswith(("8 ", "11 ")) else f"al {text}"


def _account_it(p: Params) -> str:
    facts = [f"{_money(p, 'it', 'open_mills')} aperti"]
    if p.get("class"):
        facts.append(f"classe {p['class']}")
    if p.get("known_days") is not None:
        facts.append(f"cliente da {_days_it(int(p['known_days']))}")
    if p.get("late_days") is not None:
        facts.append(_habit(int(p["late_days"]), "it"))
    return ", ".join(facts)


def _account_en(p: Params) -> str:
    facts = [f"{_money(p, 'en', 'open_mills')} open"]
    if p.get("class"):
        facts.append(f"class {p['class']}")
    if p.get("known_days") is not None:
        facts.append(f"a customer for {_days_en(int(p['known_days']))}")
    if p.get("late_days") is not None:
        facts.append(_habit(int(p["late_days"]), "en"))
    return ", ".join(facts)


def _habit(late: int, language: str) -> str:
    if language == "it":
        if not late:
            return "di solito paga alla scadenza"
        return f"di solito paga {_days_it(late)} {'dopo la' if late > 0 else 'prima della'} scadenza"
    if not late:
        return "usually pays on the due date"
    return f"usually pays {_days_en(late)} {'after' if late > 0 else 'before'} the due date"


def _asked_it(p: Params) -> str:
    count = int(p["count"])
    return f"{_money(p, 'it', 'asked_mills')} {'su una partita' if count == 1 else f'su {count} partite'}"


def _asked_en(p: Params) -> str:
    count = int(p["count"])
    return f"{_money(p, 'en', 'asked_mills')} on {'one item' if count == 1 else f'{count} items'}"


def _step_it(p: Params) -> str:
    return f"fase «{p['step']}» (livello {p['level']}), {_asked_it(p)}"


def _step_en(p: Params) -> str:
    return f"step “{p['step']}” (level {p['level']}), {_asked_en(p)}"


def _arm(p: Params, language: str) -> str:
    if p["arm"] == CONTROL:
        return "la fase com'è scritta" if language == "it" else "the step as it is written"
    return f"variante «{p['arm']}»" if language == "it" else f"arm “{p['arm']}”"


def _late_it(p: Params) -> str:
    return f"scaduto da {_days_it(int(p['days']))}, la fase parte dal giorno {p['day']}"


def _late_en(p: Params) -> str:
    return f"{_days_en(int(p['days']))} past due, the step begins on day {p['day']}"


def _soon_it(p: Params) -> str:
    left = -int(p["days"])
    when = "scade oggi" if left == 0 else f"scade fra {_days_it(left)}"
    return f"fase «{p['step']}», {_asked_it(p)}: {when}"


def _soon_en(p: Params) -> str:
    left = -int(p["days"])
    when = "due today" if left == 0 else f"due in {_days_en(left)}"
    return f"step “{p['step']}”, {_asked_en(p)}: {when}"


def _out_it(what: str) -> Wording:
    def told(p: Params) -> str:
        until = f" fino {_until_it(p['until'])}" if p.get("until") else ""
        return f"non chiesti {_money(p, 'it')}: {what}{until}"

    return told


def _out_en(what: str) -> Wording:
    def told(p: Params) -> str:
        until = f" until {date_text(p['until'], 'en')}" if p.get("until") else ""
        return f"{_money(p, 'en')} left out: {what}{until}"

    return told


def _by_it(p: Params) -> str:
    contact = f" a {p['contact']}" if p.get("contact") else ""
    return f"via {CHANNELS['it'].get(p['channel'], p['channel'])}{contact}"


def _by_en(p: Params) -> str:
    contact = f" to {p['contact']}" if p.get("contact") else ""
    return f"by {CHANNELS['en'].get(p['channel'], p['channel'])}{contact}"


def _missed(p: Params, language: str) -> str:
    wanted = CHANNELS[language].get(p["wanted"], p["wanted"])
    why = _MISSED[language].get(p.get("missed") or "no_address", "")
    return f"{wanted}: {why}"


def _minimum_it(p: Params) -> str:
    if int(p["min_amount_mills"]) > int(p["asked_mills"]):
        return f"sotto il minimo della fase: {_money(p, 'it', 'asked_mills')} su {_least(p, 'it')}"
    share = percent_text(float(p["min_share"]), "it")
    return f"sotto il minimo della fase: {_money(p, 'it', 'asked_mills')} sono meno del {share} dell'aperto"


def _minimum_en(p: Params) -> str:
    if int(p["min_amount_mills"]) > int(p["asked_mills"]):
        return f"below the step's minimum: {_money(p, 'en', 'asked_mills')} of {_least(p, 'en')}"
    share = percent_text(float(p["min_share"]), "en")
    return f"below the step's minimum: {_money(p, 'en', 'asked_mills')} is less than {share} of what is open"


def _least(p: Params, language: str) -> str:
    return _money(p, language, "min_amount_mills")


def _title(p: Params, language: str) -> str:
    return str(p.get(language) or p["playbook"])


IT: dict[str, Wording] = {
    "playbook_by_rule": lambda p: f"playbook «{_title(p, 'it')}»: {_account_it(p)}",
    "playbook_chosen": lambda p: f"playbook «{_title(p, 'it')}»: il cluster è stato scelto a mano",
    "step_first": lambda p: f"{_step_it(p)}: primo sollecito, {_late_it(p)}",
    "step_next": lambda p: f"{_step_it(p)}: dopo il sollecito {_of_it(p['since'])}, {_late_it(p)}",
    "step_again": lambda p: f"{_step_it(p)}: di nuovo, nessuna fase successiva è ancora dovuta",
    "step_person": lambda p: f"{_step_it(p)}: tocca a una persona, {_late_it(p)}",
    "step_soon": _soon_it,
    "step_in_experiment": lambda p: f"esperimento {p['experiment']}: {_arm(p, 'it')}",
    "left_out_promised": _out_it("promessi"),
    "left_out_disputed": _out_it("contestati"),
    "left_out_planned": _out_it("in un piano di rientro"),
    "left_out_held": _out_it("sospesi"),
    "left_out_in_flight": _out_it("in incasso presso la banca"),
    "left_out_cash_first": _out_it("forse già pagati, prima si guarda agli incassi"),
    "left_out_formal_notice": _out_it("già in messa in mora, non si sollecitano più a un livello più basso"),
    "channel_used": _by_it,
    "channel_fallback": lambda p: f"{_by_it(p)} invece di {_missed(p, 'it')}",
    "blocked_not_live": lambda p: "non parte: l'invio della società non è ancora attivo",
    "blocked_beyond_statement": lambda p: (
        f"non parte: gli incassi sono noti solo fino {_until_it(p['booked_until'])}"
    ),
    "blocked_reply_waiting": lambda p: (
        f"non parte: una risposta {_of_it(p['since_reply'])} aspetta una persona, prima si risponde"
    ),
    "blocked_term_running": lambda p: (
        f"non parte: il termine della messa in mora corre fino {_until_it(p['until_term'])}"
    ),
    "blocked_below_minimum": _minimum_it,
    "blocked_no_address": lambda p: f"non parte: nessun recapito utilizzabile ({_missed(p, 'it')})",
    "blocked_contact_cap": lambda p: "non parte oggi: il contatto ha già ricevuto abbastanza messaggi",
    "blocked_daily_cap": lambda p: "non parte oggi: raggiunto il limite giornaliero della società",
    "message_planned": lambda p: (
        f"oggi scrive già il playbook ({CHANNELS['it'].get(p['channel'], p['channel'])}, fase «{p['step']}»)"
    ),
    "message_sent": lambda p: (
        f"ha già ricevuto oggi un messaggio ({CHANNELS['it'].get(p['channel'], p['channel'])})"
    ),
    "no_address": lambda p: "il playbook vuole scrivere ma manca un recapito utilizzabile",
    "playbook_call": lambda p: "il playbook prevede oggi una telefonata",
    "playbook_task": lambda p: "il playbook prevede oggi un'attività",
}
EN: dict[str, Wording] = {
    "playbook_by_rule": lambda p: f"playbook “{_title(p, 'en')}”: {_account_en(p)}",
    "playbook_chosen": lambda p: f"playbook “{_title(p, 'en')}”: a person chose the segment",
    "step_first": lambda p: f"{_step_en(p)}: first reminder, {_late_en(p)}",
    "step_next": lambda p: (
        f"{_step_en(p)}: after the reminder of {date_text(p['since'], 'en')}, {_late_en(p)}"
    ),
    "step_again": lambda p: f"{_step_en(p)}: again, no further step is due yet",
    "step_person": lambda p: f"{_step_en(p)}: for a person to do, {_late_en(p)}",
    "step_soon": _soon_en,
    "step_in_experiment": lambda p: f"experiment {p['experiment']}: {_arm(p, 'en')}",
    "left_out_promised": _out_en("promised"),
    "left_out_disputed": _out_en("disputed"),
    "left_out_planned": _out_en("in a payment plan"),
    "left_out_held": _out_en("on hold"),
    "left_out_in_flight": _out_en("being collected by the bank"),
    "left_out_cash_first": _out_en("perhaps paid already, the cash desk looks first"),
    "left_out_formal_notice": _out_en("under formal notice, no lower reminder asks for it again"),
    "channel_used": _by_en,
    "channel_fallback": lambda p: f"{_by_en(p)} instead of {_missed(p, 'en')}",
    "blocked_not_live": lambda p: "does not go: the company has not begun to send yet",
    "blocked_beyond_statement": lambda p: (
        f"does not go: payments are known only until {date_text(p['booked_until'], 'en')}"
    ),
    "blocked_reply_waiting": lambda p: (
        f"does not go: a reply of {date_text(p['since_reply'], 'en')} waits for a person, who answers first"
    ),
    "blocked_term_running": lambda p: (
        f"does not go: the term of the formal notice runs until {date_text(p['until_term'], 'en')}"
    ),
    "blocked_below_minimum": _minimum_en,
    "blocked_no_address": lambda p: f"does not go: no usable address ({_missed(p, 'en')})",
    "blocked_contact_cap": lambda p: "does not go today: the contact has had enough messages",
    "blocked_daily_cap": lambda p: "does not go today: the company's daily limit is reached",
    "message_planned": lambda p: (
        f"the playbook writes today ({CHANNELS['en'].get(p['channel'], p['channel'])}, step “{p['step']}”)"
    ),
    "message_sent": lambda p: f"has had a message today ({CHANNELS['en'].get(p['channel'], p['channel'])})",
    "no_address": lambda p: "the playbook would write but has no usable address",
    "playbook_call": lambda p: "the playbook asks for a phone call today",
    "playbook_task": lambda p: "the playbook asks for a task today",
}
