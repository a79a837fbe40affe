"""Reading the tables of a playbook: typed values, and a problem with its place for each that is wrong."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from unicodedata import category

from rapidfuzz import fuzz, process

from saldo.core.errors import clipped
from saldo.core.money import InexactAmount, to_mills
from saldo.core.playbook_problems import Problem

CODE = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
# Two words closer than this (0-100) are taken for one misspelt.
_NEAR = 70
_VALUE_CHARACTERS = 60
# More parts than a step can have.
_PARTS = 1000

Lines = Mapping[tuple[str, int, str], int]

_HEADER = re.compile(r"^\s*(\[\[?)\s*([\w.\-\s\"']+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"^\s*[\"']?([\w\-]+)[\"']?\s*=")


def lines_of(content: str) -> Lines:
    """(table, ordinal of its [[step]], key) -> line, 1-based; key "" is the table's own line."""
    found: dict[tuple[str, int, str], int] = {}
    table, step, part = "", 0, 0
    for number, line in enumerate(content.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = header[2].strip()
            if header[1] == "[[":
                step, part = (step, part + 1) if table.startswith("step.") else (step + 1, 0)
            found.setdefault((table, _ordinal(table, step, part), ""), number)
        elif key := _KEY.match(line):
            found.setdefault((table, _ordinal(table, step, part), key[1]), number)
    return found


def _ordinal(table: str, step: int, part: int) -> int:
    """Of a step its place; of one of its parts (an arm) that and its own place, in one number."""
    if table.startswith("step.arm"):
        return step * _PARTS + part
    return step if table == "step" or table.startswith("step.") else 0


def nearest(word: str, known: Collection[str]) -> str:
    """The known word that may have been meant; "" if none is close."""
    best = process.extractOne(word.lower(), sorted(known), scorer=fuzz.ratio, score_cutoff=_NEAR)
    return str(best[0]) if best else ""


@dataclass(slots=True)
class Sheet:
    """The problems found so far, and where things stand in the file."""

    lines: Lines
    problems: list[Problem] = field(default_factory=list)


@dataclass(slots=True)
class Section:
    """One table of the file. A value that is wrong is reported once and read as its default."""

    data: Mapping[str, Any]
    sheet: Sheet
    name: str = ""
    step: str = ""
    ordinal: int = 0
    is_there: bool = True
    _wrong: set[str] = field(default_factory=set)

    def wrong(self, code: str, key: str, /, **params: Any) -> None:
        """Report that ``key`` is wrong; the problem's text knows it as {key}."""
        self._wrong.add(key)
        line = 0 if (self.name, key) == ("", "step") else self._line(key)
        self.sheet.problems.append(Problem(code, self.step, {"key": self._path(key)} | params, line))

    def _line(self, key: str) -> int:
        """Where the key stands; else its table, or the key that holds an inline table."""
        places = self.sheet.lines
        outer, _, inner = self.name.rpartition(".")
        tried = ((self.name, key), (self.name, ""), (outer, inner), (outer, ""))
        found = (
            places.get((name, n, k)) for n in (self.ordinal, self.ordinal // _PARTS) for name, k in tried
        )
        return next((line for line in found if line), 0)

    def is_wrong(self, key: str) -> bool:
        return key in self._wrong

    def check_keys(self, known: Collection[str]) -> None:
        for key in self.data:
            if key in known:
                continue
            near = nearest(key, [each for each in known if each not in self.data])
            told = {"known": ", ".join(known)}
            if near:
                self.wrong("playbook_key_misspelt", key, **told, near=near)
                self._wrong.add(near)
            else:
                self.wrong("playbook_key_unknown", key, **told)

    def _path(self, key: str) -> str:
        own = self.name.removeprefix("step").removeprefix(".")
        return clipped(f"{own}.{key}" if own else key, _VALUE_CHARACTERS)

    def _missing(self, key: str) -> None:
        if key not in self._wrong:
            self.wrong("playbook_key_missing", key)

    def _not(self, key: str, expected: str) -> None:
        value = self.data[key]
        self.wrong(
            f"playbook_not_{expected}",
            key,
            value=f'"{shown(value)}"' if isinstance(value, str) else shown(value),
        )

    def table(self, key: str, is_needed: bool = False) -> Section:
        """A table within this one; an empty one stands in for what is missing or no table."""
        value = self.data.get(key)
        name = f"{self.name}.{key}" if self.name else key
        made = Section(
            value if isinstance(value, dict) else {},
            self.sheet,
            name,
            self.step,
            self.ordinal,
            isinstance(value, dict),
        )
        if value is None and is_needed:
            self._missing(key)
        elif value is not None and not made.is_there:
            self._not(key, "a_table")
        return made

    def tables(self, key: str) -> list[Section]:
        """The tables of an array such as [[step]], each named by its code or its place."""
        value = self.data.get(key, [])
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            self._not(key, "steps")
            return []
        return [Section(each, self.sheet, key, _name(each, n), n) for n, each in enumerate(value, start=1)]

    def parts(self, key: str) -> list[Section]:
        """The tables of an array within a step, such as [[step.arm]]."""
        value = self.data.get(key, [])
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            if not self.is_wrong(key):
                self._not(key, "a_table")
            return []
        name = f"{self.name}.{key}"
        return [
            Section(each, self.sheet, name, self.step, self.ordinal * _PARTS + n)
            for n, each in enumerate(value, start=1)
        ]

    def truth(self, key: str, default: bool) -> bool:
        value = self.data.get(key, default)
        if not isinstance(value, bool):
            self._not(key, "a_truth")
            return default
        return value

    def text(self, key: str, limit: int) -> str:
        value = self.data.get(key, "")
        if not isinstance(value, str):
            self._not(key, "text")
            return ""
        if len(value) > limit:
            self.wrong("playbook_text_long", key, limit=limit)
        if any(category(c).startswith("C") and c not in "\n\t" for c in value):
            self.wrong("playbook_text_characters", key)
        return value

    def code(self, key: str, is_needed: bool = True) -> str:
        value = self.data.get(key)
        if value is None or value == "":
            if is_needed:
                self._missing(key)
            return ""
        if not isinstance(value, str) or not CODE.fullmatch(value):
            self.wrong("playbook_code_form", key, value=shown(value))
            return ""
        return value

    def choice(self, key: str, known: Collection[str], default: str | None = None) -> str:
        """One of the known words; default None: it must be given."""
        value = self.data.get(key)
        if value is None or (value == "" and default == ""):
            if default is None:
                self._missing(key)
            return default or ""
        return value if self._is_known(key, value, known) else default or ""

    def choices(self, key: str, known: Collection[str]) -> tuple[str, ...]:
        return tuple(value for value in self._list(key) if self._is_known(key, value, known))

    def codes(self, key: str) -> tuple[str, ...]:
        return self.words(key, CODE, "playbook_code_form")

    def words(self, key: str, form: re.Pattern[str], code: str) -> tuple[str, ...]:
        """Texts of one form; ``code`` is the problem of another form."""
        kept = []
        for value in self._list(key):
            if isinstance(value, str) and form.fullmatch(value):
                kept.append(value)
            else:
                self.wrong(code, key, value=shown(value))
        return tuple(kept)

    def _list(self, key: str) -> list[Any]:
        value = self.data.get(key, [])
        if not isinstance(value, list):
            self._not(key, "a_list")
            return []
        for n, each in enumerate(value):
            if each in value[:n]:
                self.wrong("playbook_value_twice", key, value=shown(each))
                return []
        return value

    def _is_known(self, key: str, value: Any, known: Collection[str]) -> bool:
        if isinstance(value, str) and value in known:
            return True
        told = {"value": shown(value), "known": ", ".join(known)}
        if isinstance(value, str) and (near := nearest(value, known)):
            self.wrong("playbook_value_misspelt", key, **told, near=near)
        else:
            self.wrong("playbook_value_unknown", key, **told)
        return False

    def whole(self, key: str, low: int, high: int, is_needed: bool = True) -> int | None:
        """A whole number within bounds; None where it is missing or wrong."""
        value = self.data.get(key)
        if value is None:
            if is_needed:
                self._missing(key)
            return None
        if not isinstance(value, int) or isinstance(value, bool):
            self._not(key, "whole")
            return None
        if not low <= value <= high:
            told = {"value": shown(value), "low": low, "high": high}
            self.wrong("playbook_number_range", key, **told)
            return None
        return value

    def amount(self, key: str) -> int | None:
        """Mills of an amount written as "250.00", 250 or 250.00; None where it is missing or wrong."""
        value = self.data.get(key)
        if value is None:
            return None
        try:
            mills = to_mills(_decimal(value))
        except (InexactAmount, ValueError, ArithmeticError):
            self._not(key, "an_amount")
            return None
        if mills < 0:
            self.wrong("playbook_amount_negative", key, value=shown(value))
            return None
        return mills

    def share(self, key: str) -> float:
        value = self.data.get(key)
        if value is None:
            return 0.0
        try:
            share = _decimal(value)
        except (ValueError, ArithmeticError):
            share = Decimal("NaN")
        if not share.is_finite() or not 0 <= share <= 1:
            self.wrong("playbook_share_range", key, value=shown(value))
            return 0.0
        return float(share)


def _decimal(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise ValueError(value)
    if isinstance(value, str) and not re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", value.strip(), re.ASCII):
        raise ValueError(value)
    return Decimal(value)


def _name(data: Mapping[str, Any], place: int) -> str:
    code = data.get("code")
    return clipped(code, _VALUE_CHARACTERS) if isinstance(code, str) and code else f"n. {place}"


def shown(value: Any) -> str:
    """A value as the one who wrote it knows it again, cut short."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return clipped("[" + ", ".join(shown(each) for each in value[:5]) + "]", _VALUE_CHARACTERS)
    if isinstance(value, dict):
        return "{…}"
    if isinstance(value, int) and value.bit_length() > 200:
        return "…"
    return clipped(str(value), _VALUE_CHARACTERS)
