"""The dictionary of features: what each column means, where it comes from, and how a reason says it.

The texts stand in ``features.toml`` beside this module, in the order of the columns.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

CATEGORY = "category"
DAYS, COUNT, SHARE, AMOUNT, RATIO, WEEKDAY, NUMBER = (
    "days", "count", "share", "amount", "ratio", "weekday", "number",
)  # fmt: skip
UNITS = (DAYS, COUNT, SHARE, AMOUNT, RATIO, WEEKDAY, NUMBER, "log10", "yes_no", "month", CATEGORY)
GROUPS = ("item", "calendar", "history", "open_book", "promises", "disputes", "contacts", "orders")
LANGUAGES = ("it", "en")
_WEEKDAYS = {
    "it": ("lunedì", "martedì", "mercoledì", "giovedì", "venerdì", "sabato", "domenica"),
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
}
_MONTHS = {
    "it": (
        "gennaio", "febbraio", "marzo", "aprile", "maggio", "giugno",
        "luglio", "agosto", "settembre", "ottobre", "novembre", "dicembre",
    ),
    "en": (
        "January", "February", "March", "April", "May", "June",
        "July", "August", "September", "October", "November", "December",
    ),
}  # fmt: skip
_DAY_WORDS = {"it": ("giorno", "giorni"), "en": ("day", "days")}

_LEAST_SHARE = {"it": "meno dell'1%", "en": "less than 1%"}

Texts = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Feature:
    """One column of ``features_at``.

    unit: one of UNITS; group: one of GROUPS; sources: frames of the Book it is computed from; meaning: by
    language. words: what a reason says of a value, with {value}; negative, zero, one, missing: said instead
    of a value below 0 ({value} is then its size), of 0, of 1, of none.
    """

    name: str
    group: str
    unit: str
    sources: tuple[str, ...]
    meaning: Texts
    words: Texts
    negative: Texts = field(default_factory=dict)
    zero: Texts = field(default_factory=dict)
    one: Texts = field(default_factory=dict)
    missing: Texts = field(default_factory=dict)


@cache
def feature_dictionary() -> tuple[Feature, ...]:
    """All features, in the order of the columns."""
    text = files("saldo.analytics").joinpath("features.toml").read_text(encoding="utf-8")
    return tuple(_feature(name, table) for name, table in tomllib.loads(text).items())


@cache
def features_by_name() -> Mapping[str, Feature]:
    """The dictionary by name of the column."""
    return {feature.name: feature for feature in feature_dictionary()}


def _feature(name: str, table: dict[str, Any]) -> Feature:
    return Feature(
        name=name,
        group=table["group"],
        unit=table["unit"],
        sources=tuple(table["source"]),
        meaning={language: table[language] for language in LANGUAGES},
        words=table["words"],
        negative=table.get("negative", {}),
        zero=table.get("zero", {}),
        one=table.get("one", {}),
        missing=table.get("missing", {}),
    )


def grouped(number: float, decimals: int, language: str) -> str:
    """A number with its language's separators: 1.234,5 or 1,234.5."""
    text = f"{number:,.{decimals}f}"
    return text.translate(str.maketrans(",.", ".,")) if language == "it" else text


def value_text(unit: str, value: float | str, language: str = "it") -> str:
    """A value of a feature as a person reads it: "12 giorni", "35%", "1.250", "venerdì"."""
    if isinstance(value, str):
        return value
    if unit == DAYS:
        days = round(value)
        return f"{grouped(days, 0, language)} {_DAY_WORDS[language][abs(days) != 1]}"
    if unit == SHARE and 0.0 < value < 0.01:
        return _LEAST_SHARE[language]
    if unit == SHARE:
        return f"{grouped(100.0 * value, 0, language)}%"
    if unit == WEEKDAY:
        return _WEEKDAYS[language][int(value - 1) % 7]
    if unit == "month":
        return _MONTHS[language][int(value - 1) % 12]
    if unit in (RATIO, "log10"):
        return grouped(value, 1, language)
    return grouped(value, 0, language)


def reason_words(feature: Feature, value: float | str | None, language: str = "it") -> str:
    """What a reason says of this feature: its plain fact, without its effect.

    Falls back to "meaning: value" where the dictionary has no words for such a value.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        unknown = "non noto" if language == "it" else "not known"
        return feature.missing.get(language, f"{feature.meaning[language]}: {unknown}")
    if not isinstance(value, str):
        rounded = round(value) if feature.unit in (DAYS, COUNT, AMOUNT) else value
        if rounded == 0 and feature.zero:
            return feature.zero[language]
        if rounded == 1 and feature.one:
            return feature.one[language]
        if rounded < 0 and feature.negative:
            return feature.negative[language].format(value=value_text(feature.unit, -value, language))
    return feature.words[language].format(value=value_text(feature.unit, value, language))
