"""Dates as exports write them: declared patterns, Excel serials, and the many ways to write "none".

Each distinct text is read once in Python, exactly, and mapped back: a million rows hold some thousand
different dates. A date that does not exist (31/02/2026) is refused, never moved.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from functools import cache

import polars as pl

EXCEL_EPOCH = dt.date(1899, 12, 30)
# 1954-10-03 to 2119-01-11: other integers are not dates in a ledger.
SERIALS = range(20_000, 80_001)
YEARS = range(1950, 2101)
# Two-digit years: 00-69 are 2000-2069, 70-99 are 1970-1999 (the POSIX rule is 69; ledgers look ahead).
PIVOT = 70

_MONTHS = (
    "gen jan ene", "feb fev", "mar mrz mär", "apr avr abr", "mag may mai", "giu jun", "lug jul", "ago aug",
    "set sep", "ott oct okt", "nov", "dic dec dez",
)  # fmt: skip
MONTH_OF = {short: number for number, names in enumerate(_MONTHS, start=1) for short in names.split()}
_PARTS = {
    "YYYY": r"(?P<year>\d{4})", "YY": r"(?P<year>\d{2})",
    "MMM": r"(?P<name>[^\W\d_]{3,10})\.?", "MM": r"(?P<month>\d{1,2})", "M": r"(?P<month>\d{1,2})",
    "DD": r"(?P<day>\d{1,2})", "D": r"(?P<day>\d{1,2})",
}  # fmt: skip
_STRFTIME = {"%d": "DD", "%m": "MM", "%Y": "YYYY", "%y": "YY", "%b": "MMM", "%B": "MMM"}
_TOKEN = re.compile("YYYY|YY|MMM|MM|M|DD|D")
_TIME = r"(?:[T ]+\d{1,2}[:.]\d{2}(?:[:.]\d{2}(?:[.,]\d+)?)?\s*(?:AM|PM|Z|[+-]\d{2}:?\d{2})?)?"
_NONE = re.compile(r"[0\s/.\-:]*|n/?[ad]|null|none", re.IGNORECASE)


def is_pattern(pattern: str) -> bool:
    """Whether ``pattern`` names a day, a month and a year, or is "excel"."""
    return pattern == "excel" or _compiled(pattern) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str] | None:
    for directive, token in _STRFTIME.items():
        pattern = pattern.replace(directive, token)
    tokens = _TOKEN.findall(pattern)
    if sorted(token[0] for token in tokens) != ["D", "M", "Y"]:
        return None
    fixed_width = not re.search(r"[^YMD]", pattern)
    out, at = "", 0
    for match in _TOKEN.finditer(pattern):
        out += _separator(pattern[at : match.start()])
        part = _PARTS[match.group()]
        out += part.replace("{1,2}", "{2}") if fixed_width else part
        at = match.end()
    # A day without separators is a number to some programs, which write it as one: 20260210.0
    decimals = r"(?:\.0{1,2})?" if fixed_width else ""
    return re.compile(out + _separator(pattern[at:]) + decimals + _TIME, re.IGNORECASE)


def _separator(text: str) -> str:
    # The order of day and month is what a pattern declares; which of / - . stands between is harmless.
    return "".join(r"\s*[/.\-]\s*" if c in "/.-" else re.escape(c) for c in text)


def read_date(text: str, patterns: Sequence[str], typed: bool = False) -> dt.date | str | None:
    """The date in ``text``; None when it states none; an error code when it cannot be read.

    ``typed``: the cell was a date or a number in a workbook, so ISO texts and serials count too.
    """
    text = text.strip()
    if _NONE.fullmatch(text):
        return None
    impossible = False
    for pattern in (*patterns, *(("YYYY-MM-DD", "excel") if typed else ())):
        found = _serial(text) if pattern == "excel" else _by_pattern(text, pattern)
        if isinstance(found, dt.date):
            return found
        impossible = impossible or found == "date_impossible"
    return "date_impossible" if impossible else "date_unreadable"


def _serial(text: str) -> dt.date | None:
    match = re.fullmatch(r"(\d{5})(?:[.,]\d+)?", text)
    if not match or int(match[1]) not in SERIALS:
        return None
    return EXCEL_EPOCH + dt.timedelta(days=int(match[1]))


def _by_pattern(text: str, pattern: str) -> dt.date | str | None:
    compiled = _compiled(pattern)
    match = compiled.fullmatch(text) if compiled else None
    if not match:
        return None
    parts = match.groupdict()
    month = MONTH_OF.get(parts["name"][:3].lower(), 0) if parts.get("name") else int(parts["month"])
    year = int(parts["year"])
    if len(parts["year"]) == 2:
        year += 2000 if year < PIVOT else 1900
    if year not in YEARS:
        return "date_impossible"
    try:
        return dt.date(year, month, int(parts["day"]))
    except ValueError:
        return "date_impossible"


def read_dates(
    texts: pl.Series, typed: pl.Series | None, patterns: Sequence[str]
) -> tuple[pl.Series, dict[str, str]]:
    """A Date column, and {text: error code} of the texts that could not be read (null in the column)."""
    problems: dict[str, str] = {}
    columns = []
    for is_typed in (False, True):
        found: dict[str, dt.date | None] = {}
        chosen = texts if typed is None else texts.filter(typed == is_typed)
        if is_typed and typed is None:
            break
        for text in chosen.unique().drop_nulls().to_list():
            value = read_date(text, patterns, is_typed)
            if isinstance(value, str):
                problems[text] = value
                value = None
            found[text] = value
        columns.append(_mapped(texts, found))
    if typed is None:
        return columns[0], problems
    frame = pl.DataFrame({"typed": typed, "plain": columns[0], "cell": columns[1]})
    return frame.select(pl.when("typed").then("cell").otherwise("plain")).to_series(), problems


def _mapped(texts: pl.Series, found: dict[str, dt.date | None]) -> pl.Series:
    if not found:
        return pl.Series(values=[None], dtype=pl.Date).extend_constant(None, len(texts)).slice(1)
    days = pl.Series(values=list(found.values()), dtype=pl.Date)
    return texts.replace_strict(
        pl.Series(list(found), dtype=pl.String), days, default=None, return_dtype=pl.Date
    )
