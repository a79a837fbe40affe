"""Texts for files that take no accents: CBI records and SEPA messages."""

from __future__ import annotations

import re
import unicodedata

# What Unicode does not decompose into plain letters.
_LETTERS = str.maketrans(
    {
        "ß": "ss", "Æ": "AE", "æ": "ae", "Ø": "O", "ø": "o", "Ł": "L", "ł": "l", "Đ": "D", "đ": "d",
        "Œ": "OE", "œ": "oe", "Þ": "Th", "þ": "th", "ð": "d", "€": "EUR", "£": "GBP",
        "’": "'", "‘": "'", "“": "'", "”": "'", "«": "'", "»": "'", "–": "-", "—": "-", "…": "...",
    }
)  # fmt: skip
_SEPA_WORDS = str.maketrans({"&": "+", "_": "-", ";": ",", '"': "'", "@": "(at)", "#": "."})
_NOT_SEPA = re.compile(r"[^A-Za-z0-9/\-?:().,'+ ]")


def ascii_text(text: str) -> str:
    """``text`` in printable ASCII: letters lose their accents, runs of blanks become one blank.

    A letter of another alphabet has no plain spelling and becomes a point.
    """
    letters = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    plain = "".join(mark for mark in letters if not unicodedata.combining(mark))
    spaced = "".join(mark if mark.isascii() and mark.isprintable() else _stand_in(mark) for mark in plain)
    return " ".join(spaced.split())


def sepa_text(text: str) -> str:
    """``text`` in the character set that every bank of the SEPA takes; neither starts nor ends with "/"."""
    return " ".join(_NOT_SEPA.sub(".", ascii_text(text).translate(_SEPA_WORDS)).split()).strip("/ ")


def is_sepa_text(text: str) -> bool:
    """Whether ``text`` may stand in a SEPA identifier as it is (EPC217-08: no leading or double slash)."""
    return bool(text) and not _NOT_SEPA.search(text) and not text.startswith("/") and "//" not in text


def _stand_in(mark: str) -> str:
    return " " if mark.isspace() or not mark.isprintable() else "."
