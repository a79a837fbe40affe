"""Document numbers in free text: the keys of our documents, and what a remittance text names.

Two sides meet in a ``DocumentKey``: ``document_keys`` gives those of a document of ours, ``mentions`` those
of each piece of a text that can be a document number. A key in common is evidence, of a ``Strength``; it is
never proof. Texts are read up to MOST_CHARACTERS and MOST_MENTIONS, so any text takes bounded time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from rapidfuzz.distance import OSA
from stdnum import iso11649

from saldo.core import normalize
from saldo.core.matching.reference_text import Piece, pieces, plain
from saldo.core.matching.words import LEADS

# A text is read up to here: banks cut at 140 or 10 x 35 characters, advices in mails can be longer.
MOST_CHARACTERS = 10_000
MOST_MENTIONS = 200
# A tail is the last so many digits of a number: the serial of a long one ("9260001243" -> "1243").
_TAIL_DIGITS = 6
# A number whose year or type is glued to its serial has at least so many digits.
_GLUED_DIGITS = 6
# Fewer marks without their separators say too little: "112" is not "1/12".
_LEAST_GLUED_MARKS = 5
# Shorter bodies and tails are SHORT, however they are found.
_LEAST_BODY_DIGITS = 4

# A key is a string whose first letter says what is equal:
#   "="  the whole normalized number      "y"  body and year, "y12|2026"      "b"  body
#   "r"  letters and digits glued         "t"  last six digits of the body, without leading zeros
DocumentKey = str

_GROUPS = re.compile(r"[a-z]+|[0-9]+")
_ANY_GROUPS = re.compile(r"[^\W\d_]+|\d+")
_NOT_MARK = re.compile(r"[\W_]+")


class Strength(IntEnum):
    """How much a mention says about a document, from weak to strong.

    SHORT: fewer than four digits, or a piece that looks like something else; worth something only together
    with payer and amount. SIMILAR: one slip away from the number of a document of the payer's. TAIL: the
    end of a long number, a number put together over a blank, repaired, or implied by a range. BODY: the
    number without its year or series. BODY_YEAR: number and year. FULL: all of the number as we write it,
    with series or year, or of at least six digits.
    """

    SHORT = 1
    SIMILAR = 2
    TAIL = 3
    BODY = 4
    BODY_YEAR = 5
    FULL = 6


class Mention(NamedTuple):
    """A piece of a text that can be a document number.

    text: as written, upper case, unaccented. start, end: its span in the text (NFC). keys: strongest first.
    strength: the most that it can be worth; a hit may be worth less. series: letters before the number that
    are no word for "invoice" (lower case). digits: the number without its year and series, only digits;
    last_digits: its last run of them. year: written with it, or in its date. document_date: the date that
    follows it ("DEL 03/04/2026").
    is_led: a word for a document stands before it or its list. is_credit: that word says credit note.
    how: "" as it stands, "joined" over a blank, "repaired" (letters read as digits), "range" (between two
    numbers that are written). looks_like: "" or what else it may be: "date", "amount", "vat", "year",
    "phone", "order", "own_code", "bank_code".
    """

    text: str
    start: int
    end: int
    keys: tuple[DocumentKey, ...]
    strength: Strength
    series: str = ""
    digits: str = ""
    last_digits: str = ""
    year: int | None = None
    document_date: date | None = None
    is_led: bool = False
    is_credit: bool = False
    how: str = ""
    looks_like: str = ""


# --- our documents ----------------------------------------------------------------------------------


def _zero_stripped(group: str) -> str:
    return group.lstrip("0") or "0"


def _year_at(groups: list[str], position: int, near: int | None) -> int | None:
    """As normalize.number_parts tells a year; ``near``: the year of the document's date."""
    group = groups[position]
    size = len(group)
    if size > 4:
        return None
    value = int(group)
    if near is None:
        return value if 1990 <= value <= 2099 else None
    if size <= 2:
        value += near // 100 * 100
    return value if abs(value - near) <= 1 else None


def document_keys(number: str, document_date: date | None) -> tuple[DocumentKey, ...]:
    """The keys under which a document of ours is found, strongest first: whole, body and year, body, glued
    marks, tail (the last two only where they differ from what is there). Empty for a number without any
    letter or digit. The year is the number's own, else its date's. Agrees with normalize.number_parts.
    """
    near = document_date.year if document_date else None
    if number.isdigit() and number.isascii():
        body = number.lstrip("0") or "0"
        keys = ["=" + body, f"y{body}|{near}", "b" + body] if near else ["=" + body, "b" + body]
        if len(body) > _TAIL_DIGITS:
            keys.append("t" + (body[-_TAIL_DIGITS:].lstrip("0") or "0"))
        return tuple(keys)
    groups = _groups_of(number)
    if not groups:
        return ()
    text = number.lower() if number.isascii() else normalize.normalized_number(number)
    return _keys_of_groups(groups, _NOT_MARK.sub("", text), near)


def _groups_of(number: str) -> list[str]:
    """Runs of letters and runs of digits (leading zeros stripped), as normalize makes them."""
    if number.isascii():
        groups = _GROUPS.findall(number.lower())
    else:
        groups = _ANY_GROUPS.findall(normalize.normalized_number(number))
    return [(group.lstrip("0") or "0") if group.isdigit() else group for group in groups]


def _taken_apart(groups: list[str], near: int | None) -> tuple[list[str], list[str], int | None]:
    """(series, body, year) of a number's groups, the year taken out of the body, or ``near`` without one."""
    numeric = [i for i, group in enumerate(groups) if group.isdigit()]
    year = near
    if len(numeric) > 1:
        for position in (numeric[-1], numeric[0]):
            found = _year_at(groups, position, near)
            if found is not None:
                year = found
                groups = groups[:position] + groups[position + 1 :]
                break
    first = 0
    while first < len(groups) and not groups[first].isdigit():
        first += 1
    return groups[:first], groups[first:], year


def _keys_of_groups(groups: list[str], marks: str, near: int | None) -> tuple[DocumentKey, ...]:
    whole = _joined(groups)
    _series, numbers, year = _taken_apart(groups, near)
    body = _joined(numbers)
    keys = ["=" + whole]
    if body:
        if year:
            keys.append(f"y{body}|{year}")
        keys.append("b" + body)
    glued = marks.lstrip("0")
    if glued and glued != whole:
        keys.append("r" + glued)
    if body:
        tail = _last_number(numbers)[-_TAIL_DIGITS:].lstrip("0") or "0"
        if tail != body:
            keys.append("t" + tail)
    return tuple(keys)


def _joined(groups: list[str]) -> str:
    """As normalize joins groups: "/" only between two numbers."""
    if len(groups) == 1:
        return groups[0]
    if not groups:
        return ""
    text = ""
    for group in groups:
        text += ("/" if text and text[-1].isdigit() and group[0].isdigit() else "") + group
    return text


def _last_number(groups: list[str]) -> str:
    for group in reversed(groups):
        if group.isdigit():
            return group
    return ""


@dataclass(frozen=True, slots=True)
class DocumentForm:
    """A document number taken apart, to compare with a mention: its letters, its body, the digits of its
    body's last number, the digits of all of it, its year (its date's if it has none of its own)."""

    series: str
    body: str
    last_digits: str
    all_digits: str
    year: int | None


@lru_cache(maxsize=65_536)
def document_form(number: str, document_date: date | None) -> DocumentForm:
    """The form of a document number of ours."""
    groups = _groups_of(number)
    series, body, year = _taken_apart(groups, document_date.year if document_date else None)
    every = "".join([group for group in groups if group.isdigit()])
    return DocumentForm("".join(series), _joined(body), _last_number(body), every, year)


# --- mentions ---------------------------------------------------------------------------------------


# A batch asks for each of its texts twice: for the keys of its book, and when the line's turn comes.
@lru_cache(maxsize=131_072)
def mentions(text: str) -> tuple[Mention, ...]:
    """The pieces of a remittance text that can be document numbers, in order of their place.

    One piece of text can give several mentions (a list "1234-1235" also reads as number and series). Dates,
    amounts with a currency, IBANs, tax codes, phone numbers and bank codes that are told by a word or a
    check digit are left out; what is only suspected of being one has looks_like, and no more than SHORT.
    Never raises; reads MOST_CHARACTERS and gives MOST_MENTIONS at most.
    """
    found: dict[tuple[int, int, str, tuple[DocumentKey, ...]], Mention] = {}
    for piece in pieces(plain(text[:MOST_CHARACTERS])):
        mention = _mention(piece)
        if mention is not None:
            found.setdefault((mention.start, mention.end, mention.how, mention.keys), mention)
            if len(found) >= MOST_MENTIONS:
                break
    return tuple(found.values())


def _mention(piece: Piece) -> Mention | None:
    groups = [_zero_stripped(g) if g.isdigit() else g for g in _GROUPS.findall(piece.text.lower())]
    bare = groups
    while bare and bare[0].upper() in LEADS:
        bare = bare[1:]
    readings = _readings(bare)
    if not readings:
        return None
    whole = _joined(bare)
    keys: dict[DocumentKey, None] = {"=" + _joined(groups): None, "=" + whole: None}
    if piece.before:
        keys["=" + piece.before.lower() + whole] = None
    for body, _series, year in readings:
        if year is not None or piece.year is not None:
            keys[f"y{_joined(body)}|{year or piece.year}"] = None
    for body, _series, year in readings:
        if year is None:  # a document of another year is not meant
            keys["b" + _joined(body)] = None
    keys.update(dict.fromkeys(_glued_keys(bare)))
    body, series, year = readings[0]
    last = _last_number(body)
    keys["t" + (last[-_TAIL_DIGITS:].lstrip("0") or "0")] = None
    return Mention(
        piece.text, piece.start, piece.end, tuple(keys), _strength(piece, body, series, year), series,
        "".join(g for g in body if g.isdigit()), last, year if year is not None else piece.year,
        piece.document_date, piece.is_led, piece.is_credit, piece.how, piece.looks_like,
    )  # fmt: skip


def _readings(groups: list[str]) -> list[tuple[list[str], str, int | None]]:
    """Ways to read a number: (groups of the body, series, year), the likeliest first; the last one takes
    no group for a year."""
    first = 0
    while first < len(groups) and not groups[first].isdigit():
        first += 1
    series, numbers = "".join(groups[:first]), groups[first:]
    if not numbers:
        return []
    ways: list[tuple[list[str], str, int | None]] = []
    numeric = [i for i, group in enumerate(numbers) if group.isdigit()]
    if len(numeric) > 1:
        for position in (numeric[-1], numeric[0]):
            year = written_year(numbers[position])
            if year is not None:
                ways.append((numbers[:position] + numbers[position + 1 :], series, year))
    ways.sort(key=lambda way: not way[0][0].isdigit())
    ways.append((numbers, series, None))
    return [way for way in ways if way[0]]


def written_year(group: str) -> int | None:
    """The year that a number beside another stands for: 1990 to 2099, or two digits from 15 to 39."""
    if len(group) == 4 and 1990 <= int(group) <= 2099:
        return int(group)
    return 2000 + int(group) if len(group) == 2 and 15 <= int(group) <= 39 else None


def _glued_keys(groups: list[str]) -> list[DocumentKey]:
    """Keys for a number whose year is glued to it: "20260001243", "12432026", "124326"."""
    marks = "".join(groups)
    stripped = marks.lstrip("0")
    keys = ["r" + stripped] if len(stripped) >= _LEAST_GLUED_MARKS else []
    if len(groups) == 1 and len(marks) >= _GLUED_DIGITS and marks.isdigit():
        if 1990 <= int(marks[:4]) <= 2099:
            keys.append(f"y{_zero_stripped(marks[4:])}|{marks[:4]}")
        if 1990 <= int(marks[-4:]) <= 2099:
            keys.append(f"y{_zero_stripped(marks[:-4])}|{marks[-4:]}")
    return keys


def _strength(piece: Piece, body: list[str], series: str, year: int | None) -> Strength:
    digits = sum(len(group) for group in body if group.isdigit())
    if piece.looks_like:
        return Strength.SHORT
    if piece.how:
        return Strength.TAIL if digits >= _LEAST_BODY_DIGITS else Strength.SHORT
    if digits >= 6 or (year is not None and digits >= 2) or (series and digits >= 3):
        return Strength.FULL
    if year is not None or piece.year is not None:
        return Strength.BODY_YEAR
    return Strength.BODY if digits >= _LEAST_BODY_DIGITS else Strength.SHORT


def hit_strength(mention: Mention, key: DocumentKey) -> Strength:
    """What it is worth that a document has this key of the mention's; never above mention.strength, but
    that a series found in the word before the number ("FT V 1234") makes it FULL."""
    kind, digits = key[0], len(mention.digits)
    if kind == "=":
        has_series = key[1].isalpha() and (digits >= 3 or mention.year is not None)
        if has_series and not mention.how and not mention.looks_like:
            return Strength.FULL
        found = Strength.FULL
    elif kind == "y":
        found = Strength.BODY_YEAR
    elif kind == "r":
        found = Strength.TAIL
    else:
        found = Strength.BODY if kind == "b" else Strength.TAIL
        if digits < _LEAST_BODY_DIGITS:
            found = Strength.SHORT
    return min(found, mention.strength)


# --- slips ------------------------------------------------------------------------------------------


def slipped(a: str, b: str) -> bool:
    """Whether two runs of digits differ by one slip: a digit wrong, missing or too much, or two neighbors
    swapped (distance 1 by Damerau and Levenshtein, restricted).

    Both must be digits only. Where the shorter has four, only a wrong digit or a swap counts: of 9,000
    numbers 39 are then one slip away from a given one (0.4%); from five digits on every slip does (49 of
    90,000 numbers as long, 0.05%, and 55 of 900,000 that are one longer). Below four: never. Look only among
    documents of a payer who is known: in a whole ledger there is always some number one slip away.
    """
    size = min(len(a), len(b))
    if a == b or size < 4 or abs(len(a) - len(b)) > 1 or not (a.isdigit() and b.isdigit()):
        return False
    if size == 4 and len(a) != len(b):
        return False
    return OSA.distance(a, b, score_cutoff=1) == 1


# --- what the line says it is -----------------------------------------------------------------------

_INTENTS = {
    "on_account": r"ACCONT[OI]|ANTICIP[OI]|IN CONTO|C/ ?ACC(?:ONTO)?|ON ACCOUNT|ADVANCE|DOWN ?PAYMENT|"
    r"PREPAYMENT|DEPOSIT|ANZAHLUNG|VORAUSZAHLUNG|ABSCHLAG(?:SZAHLUNG)?|ACOMPTE|AVANCE",
    "balance": r"SALDO|SALDI|ESTRATTO CONTO|E/C|SCADUT[OIEA]|ACCOUNT SETTLEMENT|SETTLEMENT|STATEMENT|"
    r"BALANCE|KONTOAUSGLEICH|KONTOAUSZUG|SOLDE|RELEVE",
    "advance_order": r"(?:CONFERMA (?:D[I']? ?)?)?ORDIN[EI][ .:N]{0,6}(?=[A-Z/.-]{0,6}\d)|"
    r"(?:ODA|ORD|ODV|PURCHASE ORDER|ORDER|BESTELLUNG|AUFTRAG|COMMANDE|P\.?O)[ .:NO]{0,6}(?=[A-Z/.-]{0,6}\d)|"
    r"PROFORMA|PRO FORMA",
    "return": r"INSOLUT[OI]|STORN[OI]|RESPINT[OI]|RIMBORS[OI]|IMPAGAT[OI]|RETURNED|REFUND|REJECTED|"
    r"CHARGEBACK|RUECKLASTSCHRIFT|RUCKLASTSCHRIFT|RUECKZAHLUNG|RETOURE|REMBOURSEMENT|IMPAYE|REJET",
    "credit_taken": r"N\.?C\.?(?=[ .:-]{0,3}[A-Z]{0,4}\d)|N\.?D\.?C\.?|NOT[AE] (?:DI )?CREDIT[OI]|"
    r"NOT[AE] (?:DI )?ACCREDITO|NOTACREDITO|CREDIT ?NOTES?|GUTSCHRIFTEN|GUTSCHRIFT|AVOIRS?",
}  # fmt: skip
_INTENT = re.compile(
    r"(?<![A-Z0-9])(?:" + "|".join(f"(?P<{name}>{words})" for name, words in _INTENTS.items()) + r")(?![A-Z])"
)


def intent(text: str) -> frozenset[str]:
    """What words of a text say that the line is: "on_account" (acconto, anticipo, in conto), "balance"
    (saldo, estratto conto), "advance_order" (an order with its number, a pro forma), "return" (insoluto,
    storno, rimborso), "credit_taken" (NC with its number, nota di credito). Italian, English, German,
    French; upper or lower case, with or without accents. "SALDO FATT. 12" has "balance" too: a word is
    worth less than a number."""
    return frozenset(str(hit.lastgroup) for hit in _INTENT.finditer(plain(text[:MOST_CHARACTERS])))


# --- creditor references ----------------------------------------------------------------------------

_RF = re.compile(
    r"(?<![A-Z0-9])RF ?\d{2}(?: ?[A-Z0-9]{1,4}){1,6}(?![A-Z0-9])|(?<![A-Z0-9])RF\d{2}[A-Z0-9]{1,21}"
)


def creditor_reference(text: str) -> str:
    """The first valid creditor reference (ISO 11649: "RF", two check digits, up to 21 letters or digits) of
    a structured field or a text, compact; else "". Blanks inside are allowed as printed, in fours. A text
    that is wholly one reference wins over one found inside."""
    if len(text) <= 60 and text[:2].upper() == "RF" and iso11649.is_valid(text):
        return str(iso11649.compact(text))
    text = text[:MOST_CHARACTERS]
    if "rf" not in text.lower():
        return ""
    for hit in _RF.finditer(plain(text)):
        found = _valid_reference(hit.group())
        if found:
            return found
    return ""


def _valid_reference(written: str) -> str:
    """The longest valid reference that begins ``written`` and ends at one of its blanks or its end."""
    words = written.split(" ")
    for size in range(len(words), 0, -1):
        compact = "".join(words[:size])
        if iso11649.is_valid(compact):
            return compact
    return ""


def reference_body(reference: str) -> str:
    """What a creditor reference refers to, without "RF", check digits and leading zeros, lower case: the
    key "r" + body is that of a document whose number's marks it repeats ("RF..824525" of "8245/25")."""
    return iso11649.compact(reference)[4:].lower().lstrip("0")
