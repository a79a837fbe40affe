"""What people's work taught the ranking, in words, and why another action is not the one suggested."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from saldo.core.words import date_text

Params = Mapping[str, Any]

DELAY_IT = {
    "cash": "manca liquidità",
    "dispute": "contesta",
    "missing_document": "manca un documento",
    "approval": "attende un'approvazione interna",
    "forgotten": "se n'era dimenticato",
    "absence": "chi paga è assente",
    "process": "i tempi dei suoi pagamenti",
    "bank": "un problema con la banca",
    "other": "un altro motivo",
}
DELAY_EN = {
    "cash": "it is short of cash",
    "dispute": "it objects",
    "missing_document": "a document is missing",
    "approval": "an approval of its own is awaited",
    "forgotten": "it had forgotten",
    "absence": "whoever pays is away",
    "process": "the days on which it pays",
    "bank": "a problem with the bank",
    "other": "another reason",
}
SKIP_IT = {
    "spoke_lately": "sentito da poco",
    "will_pay": "sta per pagare",
    "wrong_moment": "momento sbagliato",
    "sales_asks": "lo chiede il commerciale",
    "no_contact": "nessun recapito valido",
    "not_worth_it": "non ne vale la pena",
    "wrong_action": "azione sbagliata",
    "other": "altro motivo",
}
SKIP_EN = {
    "spoke_lately": "spoken with lately",
    "will_pay": "about to pay",
    "wrong_moment": "the wrong moment",
    "sales_asks": "sales asks to wait",
    "no_contact": "no contact that works",
    "not_worth_it": "not worth it",
    "wrong_action": "the wrong action",
    "other": "another reason",
}
SIGN_IT = {
    "said": "dice che manca liquidità",
    "broken": "non ha mantenuto una promessa",
    "returned": "ha avuto un insoluto",
    "part_payment": "paga a pezzi",
    "late": "paga sempre molto in ritardo",
    "asked_twice": "due solleciti non sono serviti",
}
SIGN_EN = {
    "said": "it says that cash is short",
    "broken": "it broke a promise",
    "returned": "a receipt came back unpaid",
    "part_payment": "it pays in parts",
    "late": "it always pays very late",
    "asked_twice": "two reminders brought nothing",
}


def _until_it(text: str) -> str:
    told = date_text(text, "it")
    return f"all'{told}" if told.startswith(("8 ", "11 ")) else f"al {told}"


def _on_it(text: str) -> str:
    told = date_text(text, "it")
    return f"l'{told}" if told.startswith(("8 ", "11 ")) else f"il {told}"


def _times_it(count: int) -> str:
    return "una volta" if count == 1 else f"{count} volte"


def _times_en(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _often_it(p: Params) -> str:
    silent = int(p["unanswered"])
    told = f"contattato {_times_it(int(p['contacts']))} negli ultimi 30 giorni"
    return f"{told}, {_times_it(silent)} senza risposta: insistere rende meno" if silent else (
        f"{told}: insistere rende meno"
    )  # fmt: skip


def _often_en(p: Params) -> str:
    silent = int(p["unanswered"])
    told = f"contacted {_times_en(int(p['contacts']))} in the last 30 days"
    return f"{told}, {_times_en(silent)} unanswered: insisting brings less" if silent else (
        f"{told}: insisting brings less"
    )  # fmt: skip


IT: dict[str, Callable[[Params], str]] = {
    "skipped": lambda p: (
        f"rimandato da chi segue ({SKIP_IT.get(str(p['reason']), SKIP_IT['other'])}): "
        f"fermo fino {_until_it(str(p['until']))}"
    ),
    "skip_ended": lambda p: f"rimandato {_until_it(str(p['since']))} da chi segue: è il momento",
    "contacted_lately": lambda p: f"contattato {_on_it(str(p['since']))}: si lascia il tempo di rispondere",
    "delay_said": lambda p: (
        f"motivo del ritardo, detto {_on_it(str(p['since']))}: "
        f"{DELAY_IT.get(str(p['reason']), DELAY_IT['other'])}"
    ),
    "seldom_answers": lambda p: (
        f"al telefono risponde di rado: {int(p['spoken'])} su {int(p['tries'])} chiamate"
    ),
    "asked_often": _often_it,
    "nobody_reached": lambda p: "nessun recapito noto funziona: va trovato un altro contatto",
    "plan_offer": lambda p: (
        f"conviene offrire un piano di rientro: {SIGN_IT.get(str(p['sign']), 'sembra a corto di liquidità')}"
    ),
    "propose_escalation": lambda p: (
        f"contattato {_times_it(int(p['contacts']))}, in ritardo di {int(p['oldest_days'])} giorni: "
        "altri solleciti rendono meno di quanto costano, decidere se passare al recupero"
    ),
    "propose_close": lambda p: (
        f"contattato {_times_it(int(p['contacts']))}, in ritardo di {int(p['oldest_days'])} giorni: "
        "per questo importo conviene decidere se chiudere"
    ),
    # Why another action is not the one.
    "brings_less": lambda p: "rende meno",
    "costs_more": lambda p: "costa più di quanto rende",
    "minutes_elsewhere": lambda p: "renderebbe di più, ma i minuti di oggi rendono di più altrove",
    "rests": lambda p: "oggi la posizione è a riposo",
    "no_phone": lambda p: "nessun telefono utilizzabile",
    "no_email": lambda p: "nessun indirizzo e-mail utilizzabile",
    "no_pec": lambda p: "nessuna PEC utilizzabile",
    "no_contact": lambda p: "chi segue non ha trovato un recapito valido",
    "offered": lambda p: "un piano è stato offerto di recente",
    "wrong_action": lambda p: "chi segue l'ha giudicata sbagliata di recente",
}

EN: dict[str, Callable[[Params], str]] = {
    "skipped": lambda p: (
        f"passed over by its collector ({SKIP_EN.get(str(p['reason']), SKIP_EN['other'])}): "
        f"waits until {date_text(str(p['until']), 'en')}"
    ),
    "skip_ended": lambda p: f"put off by its collector to {date_text(str(p['since']), 'en')}: it is time",
    "contacted_lately": lambda p: f"contacted on {date_text(str(p['since']), 'en')}: it gets time to answer",
    "delay_said": lambda p: (
        f"reason of the delay, told on {date_text(str(p['since']), 'en')}: "
        f"{DELAY_EN.get(str(p['reason']), DELAY_EN['other'])}"
    ),
    "seldom_answers": lambda p: f"seldom answers the phone: {int(p['spoken'])} of {int(p['tries'])} calls",
    "asked_often": _often_en,
    "nobody_reached": lambda p: "no known contact works: another one must be found",
    "plan_offer": lambda p: (
        f"worth the offer of a payment plan: {SIGN_EN.get(str(p['sign']), 'cash seems short')}"
    ),
    "propose_escalation": lambda p: (
        f"contacted {_times_en(int(p['contacts']))}, {int(p['oldest_days'])} days late: "
        "more reminders bring less than they cost, decide whether to escalate"
    ),
    "propose_close": lambda p: (
        f"contacted {_times_en(int(p['contacts']))}, {int(p['oldest_days'])} days late: "
        "for this amount, decide whether to close"
    ),
    "brings_less": lambda p: "brings less",
    "costs_more": lambda p: "costs more than it brings",
    "minutes_elsewhere": lambda p: "would bring more, but today's minutes bring more elsewhere",
    "rests": lambda p: "the account rests today",
    "no_phone": lambda p: "no phone number that may be used",
    "no_email": lambda p: "no e-mail address that may be used",
    "no_pec": lambda p: "no certified address that may be used",
    "no_contact": lambda p: "its collector found no contact that works",
    "offered": lambda p: "a plan was offered lately",
    "wrong_action": lambda p: "its collector called it wrong lately",
}
