"""The reasons of early warnings in words: what has changed in how a customer pays or orders."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from saldo.core.words import number_text

Params = Mapping[str, Any]
Wording = Callable[[Params], str]


def _number(value: float, language: str) -> str:
    """A whole number, or one decimal below ten."""
    whole = abs(value) >= 10 or float(value).is_integer()
    return number_text(Decimal(str(round(value, 0 if whole else 1))), language, 0 if whole else 1)


def _delay_it(days: float) -> str:
    days = round(days)
    if days == 0:
        return "alla scadenza"
    size = "un giorno" if abs(days) == 1 else f"{_number(abs(days), 'it')} giorni"
    return f"{size} {'dopo' if days > 0 else 'prima'}"


def _delay_en(days: float) -> str:
    days = round(days)
    if days == 0:
        return "on the due date"
    size = "one day" if abs(days) == 1 else f"{_number(abs(days), 'en')} days"
    return f"{size} {'late' if days > 0 else 'early'}"


def _drift_it(p: Params) -> str:
    items = int(p["items"])
    which = "l'ultima partita" if items == 1 else f"le ultime {items} partite"
    text = f"ritardo in aumento: {which} {_delay_it(p['recent_days'])}"
    if p["usual_items"]:
        text += f", di solito {_delay_it(p['usual_days'])} (su {int(p['usual_items'])})"
    return text + _open_it(p)


def _open_it(p: Params) -> str:
    count = int(p["overdue_items"])
    if not count:
        return ""
    days = int(p["oldest_days"])
    size = "un giorno" if days == 1 else f"{days} giorni"
    return f"; {'una scaduta' if count == 1 else f'{count} scadute'}, da {size} al massimo"


def _drift_en(p: Params) -> str:
    items = int(p["items"])
    which = "the last item" if items == 1 else f"the last {items} items"
    text = f"delay is growing: {which} {_delay_en(p['recent_days'])}"
    if p["usual_items"]:
        text += f", usually {_delay_en(p['usual_days'])} (of {int(p['usual_items'])})"
    count = int(p["overdue_items"])
    if not count:
        return text
    days = int(p["oldest_days"])
    return f"{text}; {count} overdue, by {'one day' if days == 1 else f'{days} days'} at most"


def _parts_it(p: Params) -> str:
    text = f"pagamenti parziali: {int(p['parted'])} delle ultime {int(p['items'])} partite"
    return f"{text}, prima {int(p['parted_before'])} su {int(p['usual_items'])}"


def _parts_en(p: Params) -> str:
    text = f"pays in parts: {int(p['parted'])} of the last {int(p['items'])} items"
    return f"{text}, before {int(p['parted_before'])} of {int(p['usual_items'])}"


def _returned_it(p: Params) -> str:
    text = f"insoluti: {int(p['returned'])} su {int(p['receipts'])} fra le ultime RiBa o SDD"
    return f"{text}, prima {int(p['returned_before'])} su {int(p['receipts_before'])}"


def _returned_en(p: Params) -> str:
    text = f"came back unpaid: {int(p['returned'])} of the last {int(p['receipts'])} RiBa or direct debits"
    return f"{text}, before {int(p['returned_before'])} of {int(p['receipts_before'])}"


def _silence_it(p: Params) -> str:
    return (
        f"nessun pagamento da {_number(p['days'], 'it')} giorni con partite scadute, "
        f"di solito {_number(p['usual_days'], 'it')} (mediana di {int(p['past'])} attese)"
    )


def _silence_en(p: Params) -> str:
    return (
        f"no payment for {_number(p['days'], 'en')} days with items past due, "
        f"usually {_number(p['usual_days'], 'en')} (median of {int(p['past'])} waits)"
    )


def _orders_it(p: Params) -> str:
    text = f"ordini insoliti: {int(p['orders'])} in 30 giorni contro {_number(p['usual_orders'], 'it')}"
    times = float(p["largest_mills"]) / max(float(p["usual_mills"]), 1.0)
    return f"{text}; il maggiore è {_number(times, 'it')} volte il solito"


def _orders_en(p: Params) -> str:
    text = f"unusual orders: {int(p['orders'])} in 30 days against {_number(p['usual_orders'], 'en')}"
    times = float(p["largest_mills"]) / max(float(p["usual_mills"]), 1.0)
    return f"{text}; the largest is {_number(times, 'en')} times the usual one"


def _outside_it(p: Params) -> str:
    own, usual = _share(p["pd"], "it"), _share(p["usual_pd"], "it")
    return f"per l'agenzia la probabilità di default è {own}, di solito {usual}"


def _outside_en(p: Params) -> str:
    own, usual = _share(p["pd"], "en"), _share(p["usual_pd"], "en")
    return f"the agency sees a probability of default of {own}, usually {usual}"


def _share(share: float, language: str) -> str:
    percent = 100 * float(share)
    return f"{number_text(Decimal(str(round(percent, 1))), language, 1 if percent < 10 else 0)}%"


IT: dict[str, Wording] = {
    "warning_delay_drift": _drift_it,
    "warning_part_payments": _parts_it,
    "warning_returned": _returned_it,
    "warning_silence": _silence_it,
    "warning_order_spike": _orders_it,
    "warning_outside": _outside_it,
}
EN: dict[str, Wording] = {
    "warning_delay_drift": _drift_en,
    "warning_part_payments": _parts_en,
    "warning_returned": _returned_en,
    "warning_silence": _silence_en,
    "warning_order_spike": _orders_en,
    "warning_outside": _outside_en,
}
