"""The reasons of a risk score in words: what of the statement or the rating makes it better or worse."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

from saldo.core.words import date_text, number_text

Params = Mapping[str, Any]
Wording = Callable[[Params], str]


@cache
def _words() -> Mapping[str, Any]:
    text = files("saldo.core").joinpath("risk_reasons.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def ratio_name(name: str, language: str) -> str:
    """What a ratio is called; its own name where it has no words."""
    entry = _words()["ratios"].get(name, {})
    return str(entry.get("it" if language == "it" else "en", name.replace("_", " ")))


def missing_name(name: str, language: str) -> str:
    """What a score lacked, in words: one of [missing], or "ratio:" and the ratio's name."""
    kind, _, ratio = name.partition(":")
    if kind == "ratio":
        return ratio_name(ratio, language)
    entry = _words()["missing"].get(name, {})
    return str(entry.get("it" if language == "it" else "en", name.replace("_", " ")))


def _number(value: float, language: str, decimals: int) -> str:
    return number_text(Decimal(repr(round(value, decimals + 2))), language, decimals)


def _value(p: Params, language: str) -> str:
    unit = _words()["ratios"].get(p["ratio"], {}).get("unit", "times")
    value = float(p["value"])
    if unit == "percent":
        return f"{_number(100 * value, language, 0)}%"
    if unit == "days":
        return f"{_number(value, language, 0)} {'giorni' if language == 'it' else 'days'}"
    return _number(value, language, 2)


def _percent(share: float, language: str) -> str:
    decimals = 0 if share >= 0.1 else 1 if share >= 0.01 else 2
    return f"{_number(100 * share, language, decimals)}%"


def _ratio(language: str) -> Wording:
    year = "bilancio" if language == "it" else "statement"
    return lambda p: f"{ratio_name(p['ratio'], language)}: {_value(p, language)} ({year} {p['year']})"


def _rating_it(p: Params) -> str:
    day = date_text(str(p["date"]), "it")
    return f"rating {p['value']} di {p['agency']} ({day}): insolvenza entro un anno {_percent(p['pd'], 'it')}"


def _rating_en(p: Params) -> str:
    day = date_text(str(p["date"]), "en")
    return f"rated {p['value']} by {p['agency']} ({day}): default within a year {_percent(p['pd'], 'en')}"


IT: Mapping[str, Wording] = {
    "risk_ratio": _ratio("it"),
    "risk_ratio_missing": lambda p: f"{ratio_name(p['ratio'], 'it')}: non noto (bilancio {p['year']})",
    "risk_rating": _rating_it,
    "risk_rest": lambda p: "altri elementi",
}
EN: Mapping[str, Wording] = {
    "risk_ratio": _ratio("en"),
    "risk_ratio_missing": lambda p: f"{ratio_name(p['ratio'], 'en')}: not known (statement {p['year']})",
    "risk_rating": _rating_en,
    "risk_rest": lambda p: "other elements",
}
