"""Designed errors: a code, what happened, and what to do, in Italian and English.

Every error a person can meet has an entry in ``errors.toml`` next to this module. Its texts are format
strings over the error's parameters. ``docs/errors.md`` is made from the same file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

LANGUAGES = ("it", "en")


@cache
def catalogue() -> Mapping[str, Mapping[str, str]]:
    """Error code -> {why_it, why_en, remedy_it, remedy_en}."""
    return tomllib.loads(files("saldo.core").joinpath("errors.toml").read_text(encoding="utf-8"))


def _text(code: str, part: str, language: str, params: Mapping[str, Any]) -> str:
    entry = catalogue()[code]
    return entry[f"{part}_{language if language in LANGUAGES else 'en'}"].format_map(dict(params))


def _check_code(code: str) -> None:
    if code not in catalogue():
        raise KeyError(f"error code {code!r} is not in errors.toml")


class SaldoError(Exception):
    """An error with a code from the catalogue. Raise it where a person must do something."""

    def __init__(self, code: str, /, **params: Any) -> None:
        _check_code(code)
        self.code = code
        self.params = params
        super().__init__(self.text("en"))

    def why(self, language: str = "en") -> str:
        return _text(self.code, "why", language, self.params)

    def remedy(self, language: str = "en") -> str:
        return _text(self.code, "remedy", language, self.params)

    def text(self, language: str = "en") -> str:
        return f"{self.why(language)} {self.remedy(language)}".strip()


@dataclass(frozen=True, slots=True)
class Rejection:
    """A piece of input that was refused, so that nothing is lost silently.

    where: place in the input as a person looks for it ("riga 12", "row 12", "DettaglioPagamento[2]").
    excerpt: the offending text, at most 200 characters.
    code, params: entry of the catalogue and what fills its text.
    row: 1-based row (tables) or 0.
    """

    code: str
    where: str
    excerpt: str
    params: Mapping[str, Any] = field(default_factory=dict)
    row: int = 0

    def __post_init__(self) -> None:
        _check_code(self.code)
        object.__setattr__(self, "excerpt", clipped(self.excerpt))

    def why(self, language: str = "en") -> str:
        return _text(self.code, "why", language, self.params)

    def remedy(self, language: str = "en") -> str:
        return _text(self.code, "remedy", language, self.params)

    def as_json(self, language: str = "en") -> dict[str, Any]:
        return {
            "where": self.where,
            "excerpt": self.excerpt,
            "code": self.code,
            "why": self.why(language),
            "remedy": self.remedy(language),
        }


def clipped(text: str, length: int = 200) -> str:
    """``text`` without control characters, cut to ``length`` with an ellipsis."""
    clean = "".join(c if c.isprintable() else "·" for c in text[: length + 1])
    return clean if len(clean) <= length else clean[: length - 1] + "…"
