"""How banks write texts, amounts and days: the character sets of their formats, cut and padded fields."""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from functools import cache

from saldo.simulation.world.days import day_of, next_business, number

# What has no plain letter by decomposition.
_LETTERS = str.maketrans(
    {
        "ß": "ss", "Æ": "AE", "æ": "ae", "Ø": "O", "ø": "o", "Ł": "L", "ł": "l", "Đ": "D", "đ": "d",
        "Œ": "OE", "œ": "oe", "€": "EUR", "’": "'", "‘": "'", "“": "'", "”": "'", "–": "-", "—": "-",
        "…": "...", "º": "o", "ª": "a", "°": ".", "\t": " ", "\r": " ", "\n": " ",
    }
)  # fmt: skip
# The character set x of SWIFT has none of these; "?" is in it, but marks the sub-fields of :86:.
_SWIFT = str.maketrans(
    {
        "&": "+", "_": "-", "*": ".", "?": ".", '"': "'", ";": ",", "#": ".", "@": "(at)", "%": ".", "!": ".",
        "=": "-", "<": "(", ">": ")", "[": "(", "]": ")", "{": "(", "}": ")", "\\": "/", "|": "/", "~": "-",
        "^": ".", "`": "'", "$": "S",
    }
)  # fmt: skip
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_XML_MARKUP = re.compile(r"[&<>\"]")


def plain(text: str) -> str:
    """``text`` in printable ASCII: letters lose their accents, what nobody can print becomes a point."""
    if text.isascii() and text.isprintable():
        return text
    letters = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    marks = "".join(mark for mark in letters if not unicodedata.combining(mark))
    return "".join(mark if mark.isascii() and mark.isprintable() else "." for mark in marks)


def swift(text: str) -> str:
    """``text`` in the character set x of SWIFT, without the mark of the sub-fields of :86:."""
    return plain(text).translate(_SWIFT)


def xml(text: str) -> str:
    """``text`` as the content of an element."""
    if not text.isascii() or not text.isprintable():
        text = _NOT_XML.sub("", text)
    if not _XML_MARKUP.search(text):
        return text
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def dotted(cents: int) -> str:
    """Unsigned "1234.50"."""
    cents = abs(cents)
    return f"{cents // 100}.{cents % 100:02d}"


def comma(cents: int, units: int = 1) -> str:
    """Unsigned "1234,50", with at least ``units`` digits before the comma."""
    cents = abs(cents)
    return f"{cents // 100:0{units}d},{cents % 100:02d}"


def field(text: str, width: int) -> str:
    """``text`` cut or filled up with blanks, in ASCII: a field of a CBI record."""
    return plain(text)[:width].ljust(width)


@cache
def day_first(day: date) -> str:
    """GGMMAA."""
    return day.strftime("%d%m%y")


@cache
def year_first(day: date) -> str:
    """YYMMDD."""
    return day.strftime("%y%m%d")


@cache
def arrival(day: date) -> date:
    """The banking day after ``day``: banks send in the morning what they booked the day before."""
    return day_of(int(next_business(number(day) + 1)))
