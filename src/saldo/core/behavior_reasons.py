"""The reasons of a behavior score in words: what in a customer's payments makes its score better or worse."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from saldo.core.words import number_text, percent_text

Params = Mapping[str, Any]
Wording = Callable[[Params], str]


def _whole(value: float, language: str) -> str:
    return number_text(Decimal(round(value)), language)


def _days(value: float, language: str) -> str:
    count = round(value)
    if abs(count) == 1:
        return "un giorno" if language == "it" else "one day"
    return f"{_whole(abs(count), language)} {'giorni' if language == 'it' else 'days'}"


def _share(p: Params, language: str) -> str:
    return percent_text(float(p["value"]), language)


def _rise_it(p: Params) -> str:
    value = float(p["value"])
    if round(value) == 0:
        return "ritardo stabile negli ultimi 4 mesi"
    return f"ritardo {'cresciuto' if value > 0 else 'sceso'} di {_days(value, 'it')} negli ultimi 4 mesi"


def _rise_en(p: Params) -> str:
    value = float(p["value"])
    if round(value) == 0:
        return "delay is steady over the last 4 months"
    return f"delay has {'grown' if value > 0 else 'fallen'} by {_days(value, 'en')} over the last 4 months"


def _promises_it(p: Params) -> str:
    count = round(float(p["value"]))
    if count == 0:
        return "nessuna promessa non mantenuta nell'anno"
    return (
        "una promessa non mantenuta nell'anno" if count == 1 else f"{count} promesse non mantenute nell'anno"
    )


def _promises_en(p: Params) -> str:
    count = round(float(p["value"]))
    return f"{'no' if count == 0 else count} broken promise{'' if count == 1 else 's'} within the year"


def _oldest(p: Params, language: str) -> str:
    if float(p["value"]) < 1:
        return "nulla di scaduto" if language == "it" else "nothing overdue"
    days = _days(p["value"], language)
    return (
        f"lo scaduto più vecchio ha {days}" if language == "it" else f"the oldest overdue item is {days} late"
    )


def _known_it(p: Params) -> str:
    return f"cliente da {_days(p['value'], 'it')}, {_whole(p['n'], 'it')} partite pagate"


def _known_en(p: Params) -> str:
    return f"customer for {_days(p['value'], 'en')}, {_whole(p['n'], 'en')} items paid"


IT: dict[str, Wording] = {
    "behavior_late_share": lambda p: f"partite in ritardo nell'anno: {_share(p, 'it')}",
    "behavior_mean_delay": lambda p: f"ritardo medio nell'anno: {_days(p['value'], 'it')}",
    "behavior_delay_rise": _rise_it,
    "behavior_over_60_share": lambda p: f"partite oltre 60 giorni di ritardo nell'anno: {_share(p, 'it')}",
    "behavior_parted_share": lambda p: f"partite pagate in parte nell'anno: {_share(p, 'it')}",
    "behavior_returned_share": lambda p: f"partite tornate insolute nell'anno: {_share(p, 'it')}",
    "behavior_broken_promises": _promises_it,
    "behavior_overdue_share": lambda p: f"scaduto sul totale aperto: {_share(p, 'it')}",
    "behavior_oldest_days": lambda p: _oldest(p, "it"),
    "behavior_relationship_days": _known_it,
    "behavior_in_default": lambda p: "già oggi oltre 90 giorni di ritardo per un importo rilevante",
}
EN: dict[str, Wording] = {
    "behavior_late_share": lambda p: f"items paid late within the year: {_share(p, 'en')}",
    "behavior_mean_delay": lambda p: f"mean delay within the year: {_days(p['value'], 'en')}",
    "behavior_delay_rise": _rise_en,
    "behavior_over_60_share": lambda p: f"items more than 60 days late within the year: {_share(p, 'en')}",
    "behavior_parted_share": lambda p: f"items paid in part within the year: {_share(p, 'en')}",
    "behavior_returned_share": lambda p: f"items that came back unpaid within the year: {_share(p, 'en')}",
    "behavior_broken_promises": _promises_en,
    "behavior_overdue_share": lambda p: f"overdue share of what is open: {_share(p, 'en')}",
    "behavior_oldest_days": lambda p: _oldest(p, "en"),
    "behavior_relationship_days": _known_en,
    "behavior_in_default": lambda p: "more than 90 days late for a material amount already today",
}
