"""What is wrong in a playbook, said so that the one who wrote it finds the place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from saldo.core.errors import SaldoError, catalogue

_LIMIT_OF_LIST = 20


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake or warning.

    code, params: entry of errors.toml and what fills its text. step: code of the step it is about ("n. 3" for
    one without a code, "" for the playbook itself). line: in the file, 0 where nothing tells. A warning is
    shown; anything else refuses the playbook.
    """

    code: str
    step: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    line: int = 0
    is_warning: bool = False

    def why(self, language: str = "en") -> str:
        return _filled(self.code, "why", language, self.params)

    def remedy(self, language: str = "en") -> str:
        return _filled(self.code, "remedy", language, self.params)

    def place(self, language: str = "en") -> str:
        """ "fase «sollecito-2»", "riga 12" or nothing."""
        if self.step:
            return f"fase «{self.step}»" if language == "it" else f"step “{self.step}”"
        return f"{'riga' if language == 'it' else 'line'} {self.line}" if self.line else ""

    def text(self, language: str = "en") -> str:
        place, why = self.place(language), self.why(language)
        return f"{place}: {why}" if place else why

    def as_json(self, language: str = "en") -> dict[str, Any]:
        return {
            "code": self.code,
            "step": self.step,
            "line": self.line,
            "severity": "warning" if self.is_warning else "error",
            "text": self.text(language),
            "remedy": self.remedy(language),
        }


def _filled(code: str, part: str, language: str, params: Mapping[str, Any]) -> str:
    text = catalogue()[code][f"{part}_{'it' if language == 'it' else 'en'}"]
    return text.format_map(dict(params))


def mistakes(problems: Sequence[Problem]) -> list[Problem]:
    return [problem for problem in problems if not problem.is_warning]


def refusal(problems: Sequence[Problem]) -> SaldoError:
    """The error that carries every mistake: ``params["problems"]`` has them, its text says them."""
    wrong = tuple(mistakes(problems))
    return SaldoError(
        "playbook_invalid",
        problems=wrong,
        count=len(wrong),
        said_it=_said(wrong, "it"),
        said_en=_said(wrong, "en"),
    )


def _said(problems: Sequence[Problem], language: str) -> str:
    more = len(problems) - _LIMIT_OF_LIST
    told = [problem.text(language).removesuffix(".") for problem in problems[:_LIMIT_OF_LIST]]
    if more > 0:
        told.append(f"e altri {more}" if language == "it" else f"and {more} more")
    return "; ".join(told)
