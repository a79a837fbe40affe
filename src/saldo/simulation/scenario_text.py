"""The scenario language's lines: pure text, no database. docs/scenarios.md explains the language.

A line is a date, one verb with its arguments, and expectations: ``2026-02-10 day expect nothing ACME``.
A line that ends in three double quotes opens a block of raw text, closed by a line that begins with them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

FENCE = '"""'
_DATED = re.compile(r"(\d{4}-\d{2}-\d{2})(?:\s+|$)")
# Text in double quotes is kept whole; a # outside of it begins a comment.
_COMMENT = re.compile(r'^((?:[^"#]|"[^"]*"|(?<=\S)#)*?)(?:(?:^|\s)#.*)?$')
_EXPECT = re.compile(r'^((?:[^"]|"[^"]*")*?)(?:^|\s)expect\s+(.*)$', re.DOTALL)
_PARTS = re.compile(r'(?:[^";]|"[^"]*")+')


class ScenarioError(Exception):
    """A line that cannot be read or run: where, what was expected there, what was found."""

    def __init__(self, number: int, expected: str, found: str) -> None:
        super().__init__(f"line {number}: expected {expected}, found {found}")
        self.number, self.expected, self.found = number, expected, found


@dataclass(frozen=True, slots=True)
class Line:
    """One line as it is run. day is None above the first dated line; block is raw text or None."""

    number: int
    day: date | None
    verb: str
    args: str
    expectations: tuple[str, ...] = ()
    block: str | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """title: the first comment line, in plain words what the scenario shows."""

    title: str
    lines: list[Line] = field(default_factory=list)


def parse(text: str) -> Scenario:
    """Raises ScenarioError for a line without form, a date out of order, a scenario that checks nothing."""
    written = text.split("\n")
    title = next((line.lstrip("# ") for line in written if line.startswith("#")), "")
    if not title:
        raise ScenarioError(1, "a comment that says what the scenario shows", written[0] or "nothing")
    lines = list(_lines(written))
    if not any(line.expectations for line in lines):
        raise ScenarioError(len(written), "at least one expectation", "none in the whole scenario")
    return Scenario(title, lines)


def _lines(written: list[str]) -> Iterator[Line]:
    day: date | None = None
    for number, whole, block in _logical(written):
        dated = _DATED.match(whole)
        if dated:
            told = _date(number, dated.group(1))
            if day is not None and told < day:
                raise ScenarioError(number, f"a date not before {day}", str(told))
            day = told
        elif day is not None:
            raise ScenarioError(number, "a date at the beginning of the line", whole.split()[0])
        rest = whole[dated.end() :] if dated else whole
        split = _EXPECT.match(rest)
        command, expected = (split.group(1), split.group(2)) if split else (rest, "")
        verb, _, args = command.strip().partition(" ")
        checks = tuple(_expectation(part) for part in _PARTS.findall(expected) if part.strip())
        yield Line(number, day, verb, " ".join(args.split()), checks, block)


def _expectation(text: str) -> str:
    return " ".join(text.split()).removeprefix("expect ")


def _logical(written: list[str]) -> Iterator[tuple[int, str, str | None]]:
    """(number, text, block) of each line: comments dropped, indented lines joined to the one before."""
    index = 0
    while index < len(written):
        number, text, block = index + 1, _bare(index + 1, written[index]), None
        index += 1
        if text.endswith(FENCE):
            text = text.removesuffix(FENCE)
            end = next((i for i in range(index, len(written)) if written[i].startswith(FENCE)), None)
            if end is None:
                raise ScenarioError(number, f"a closing {FENCE}", "the end of the file")
            block = "\n".join(written[index:end]) + "\n"
            text += " " + _bare(end + 1, written[end].removeprefix(FENCE))
            index = end + 1
        while index < len(written) and written[index][:1] in (" ", "\t") and written[index].strip():
            text += " " + _bare(index + 1, written[index])
            index += 1
        if text.strip():
            yield number, text.strip(), block


def _bare(number: int, line: str) -> str:
    fence = line.rstrip().endswith(FENCE)
    found = _COMMENT.match(line.rstrip().removesuffix(FENCE))
    if found is None:
        raise ScenarioError(number, "a closing double quote", line.strip())
    return found.group(1).rstrip() + (f" {FENCE}" if fence else "")


def _date(number: int, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ScenarioError(number, "a day of the calendar", text) from None
