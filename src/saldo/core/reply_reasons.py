"""The reasons of a reading of a reply, in words: what was read, and the words that spoke for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Params = Mapping[str, Any]
Wording = Callable[[Params], str]

LABELS = {
    "it": {
        "promise": "una promessa di pagamento", "dispute": "una contestazione", "paid": "«già pagato»",
        "question": "una domanda", "out_of_office": "un'assenza", "wrong_contact": "un contatto sbagliato",
        "opt_out": "una richiesta di non ricevere altri messaggi", "angry": "una protesta",
        "other": "nessuno dei casi noti",
    },
    "en": {
        "promise": "a promise to pay", "dispute": "a dispute", "paid": "“already paid”",
        "question": "a question", "out_of_office": "an absence", "wrong_contact": "a wrong contact",
        "opt_out": "a request for no more messages", "angry": "a complaint",
        "other": "none of the known cases",
    },
}  # fmt: skip


def _words_it(p: Params) -> str:
    told = ", ".join(f"«{word}»" for word in p["words"])
    return f"letta come {LABELS['it'][p['label']]} per le parole {told}"


def _words_en(p: Params) -> str:
    told = ", ".join(f"“{word}”" for word in p["words"])
    return f"read as {LABELS['en'][p['label']]} by the words {told}"


IT: dict[str, Wording] = {"reply_words": _words_it}
EN: dict[str, Wording] = {"reply_words": _words_en}
