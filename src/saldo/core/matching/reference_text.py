"""A remittance text cut into the pieces that can be document numbers, each with what its words say of it.

Every pattern is bounded and the text is read once from left to right, so time grows with its length only.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from stdnum import iban
from stdnum.it import iva

from saldo.core.matching.words import (
    BINDERS,
    CREDITS,
    DUE,
    LEADS,
    MONTH_NAMES,
    MONTHS,
    NEUTRAL,
    ORDERS,
    OWN_CODES,
    TO,
)  # fmt: skip

_CURRENCIES = r"(?:EURO?|€|USD|\$|GBP|£|CHF)"
_NUMBER = r"\d{1,12}(?:[.,']\d{3}){0,4}(?:[.,]\d{1,2})?(?!\d)"
_DAY, _MONTH = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])"
_ISO_DATE = rf"20\d\d-{_MONTH}-{_DAY}(?!\d)"

# In this order: what is tried first at a place wins.
_SCAN = re.compile(
    r"(?P<mail>[A-Z0-9._%+-]{1,64}@[A-Z0-9.-]{1,80})"
    r"|(?<![A-Z0-9])(?P<iban>[A-Z]{2}\d{2}"
    r"(?:[A-Z0-9]{11,30}|(?: [A-Z0-9]{4}){2,7}(?: [A-Z0-9]{1,4})?)(?![A-Z0-9]))"
    r"|(?<![A-Z0-9])(?P<rf>RF\d{2}(?:[A-Z0-9]{1,21}|(?: [A-Z0-9]{4}){1,5}(?: [A-Z0-9]{1,4})?)(?![A-Z0-9]))"
    r"|(?<![A-Z0-9])(?P<coded>"
    r"(?:P\.? ?IVA|PARTITA IVA|VAT(?: NO| ID)?|UST-?ID|C\.?F|COD(?:ICE)?[. ]{0,2}FISC(?:ALE)?"
    r"|CRO|TRN|CIG|CUP|ABI|CAB|BIC|SWIFT|SIA|EREF|MREF|KREF|CRED|E2E|END-?TO-?END|URI"
    r"|TEL(?:EFONO)?|CELL?|FAX|PHONE|MOB)"
    r"(?:[ .:/+=#-]{1,3}|(?=\d))(?:N[RO]?[. ]{1,2})?\+?[A-Z0-9]{0,3}\d[A-Z0-9]{0,34}(?:[ ./-]?\d{2,8}){0,4})"
    r"|(?<![A-Z0-9])(?P<person>[A-Z]{6}\d{2}[A-Z]\d{2}[A-Z]\d{3}[A-Z])(?![A-Z0-9])"
    r"|(?<![A-Z0-9])(?P<phone>\+\d{1,3}(?: ?\d{2,11}){1,4})"
    rf"|(?P<price>(?<![A-Z0-9])"
    rf"(?:{_CURRENCIES}|IMPORTO|IMP|TOT(?:ALE)?|AMOUNT|BETRAG)[ .:=]{{0,3}}(?:{_CURRENCIES} ?)?{_NUMBER})"
    rf"|(?<![A-Z0-9.,/-])(?P<priced>{_NUMBER} ?{_CURRENCIES}(?![A-Z])(?![ .]{{0,2}}\d))"
    r"|(?<![A-Z0-9.,/-])(?P<grouped>\d{1,3}(?:\.\d{3}){1,4},\d{2})(?![\d,])"
    r"|(?<![A-Z0-9.,/-])(?P<decimal>\d{1,9},\d{2})(?![\d,/-])"
    rf"|(?<![A-Z0-9])(?P<dated>(?:DEL|DELL'|D\.?D|IN DATA|DATA|DTD|DATED|VOM|DU|OF)[ .:]{{0,3}}"
    rf"(?:{_ISO_DATE}|{_DAY}[./-]{_MONTH}[./-](?:(?:19|20)\d\d|\d\d)(?!\d)|{_DAY}[./]{_MONTH}(?![./-]?\d)"
    rf"|{_DAY} (?:{MONTHS}) (?:20)?\d\d(?!\d)|\d{{2}}\d{{2}}(?:20)?\d{{2}}(?![\d./-])|20\d\d(?![\d./-])))"
    rf"|(?<![A-Z0-9./-])(?P<day>{_ISO_DATE}(?![./-]\d)|{_DAY}[./-]{_MONTH}[./-](?:(?:19|20)\d\d|\d\d)(?![./-]?\d)"
    rf"|{_DAY} (?:{MONTHS}) 20\d\d(?!\d))"
    r"|(?P<token>[A-Z0-9]+(?:(?:[._-]| ?/ ?(?=\d))[A-Z0-9]+)*)"
)
_DIGIT = re.compile(r"\d")
_WORD_OR_NUMBER = re.compile(r"[A-Z]+|\d+")
_LIST_SIGN = re.compile(r"[-_]| / ?|/ ")
_SPLIT = re.compile(r"[^A-Z0-9]+")
_BLANKS = re.compile(r" {1,2}|(?: ?[./-] ?)")
_SLASH = re.compile("/")
_MARKS = re.compile(r"[A-Z0-9]+")
_LETTERS = re.compile(r"[A-Z]+[._-]?")
_TOKEN = re.compile(r"[A-Z0-9]+(?:[._-][A-Z0-9]+)*")
_TELLING = LEADS | CREDITS | ORDERS | OWN_CODES
_TO_DIGITS = str.maketrans("OQILSBZ", "0011582")
_SLIP_LETTERS = frozenset("OQILSBZ")
_MONTH_WORD = re.compile(rf"(?:{MONTHS})")

_MOST_RANGE = 30
_MOST_SERIES = 4
_MOST_DIGITS = 20
_MOST_CODE = 25


class Piece(NamedTuple):
    """A piece of a text that has a digit; Mention tells what the fields mean. before: the short word right
    before it, which may be part of the number ("NC 75/26", "FT V 12")."""

    text: str
    start: int
    end: int
    is_led: bool = False
    is_credit: bool = False
    how: str = ""
    looks_like: str = ""
    year: int | None = None
    document_date: date | None = None
    before: str = ""


class _Plain(dict[int, str]):
    """One upper-case ASCII character for every character, where there is one."""

    def __missing__(self, code: int) -> str:
        mark = chr(code)
        if mark.isspace():
            found = " "
        elif mark.isdecimal():
            found = str(unicodedata.decimal(mark))
        elif unicodedata.category(mark) == "Pd":
            found = "-"
        elif mark in "€£":
            found = mark
        else:
            first = unicodedata.normalize("NFKD", mark)[:1].upper()[:1]
            found = first if first.isascii() and first.isalnum() and mark not in "ºª" else " "
        self[code] = found
        return found


_PLAIN = _Plain({code: chr(code).upper() for code in range(32, 127)})
_PLAIN.update({ord("ß"): "S", ord("ø"): "O", ord("Ø"): "O", ord("ł"): "L", ord("Ł"): "L", ord("’"): "'"})


def plain(text: str) -> str:
    """A text in upper-case ASCII (and currency signs), as long as its NFC form: one character for one."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    return text.translate(_PLAIN)


@dataclass(slots=True)
class _Reading:
    """A text as it is read: what the words so far say of the next number, and what was found."""

    text: str
    found: list[Piece] = field(default_factory=list)
    says: str = ""  # "document", "credit", "order", "own_code", "due", "month", or ""
    word: str = ""  # the last word, and where it ends
    word_end: int = -1
    has_to: bool = False  # the last word was "to": "1240 AL 1243"
    last: int = 0  # where in found the pieces of the last number begin
    end: int = -1  # where in the text the last number ends
    chain: list[tuple[int, int]] = field(default_factory=list)  # numbers with nothing but a blank between


def pieces(text: str) -> list[Piece]:
    """The pieces of a plain text, in order; one number can give several."""
    reading = _Reading(text)
    for hit in _SCAN.finditer(text):
        _READERS[hit.lastgroup or "token"](reading, hit)
    return reading.found


def _add(reading: _Reading, start: int, end: int, numbers: list[Piece]) -> None:
    if numbers:
        reading.last, reading.end = len(reading.found), end
        reading.found.extend(numbers)
    reading.has_to = False


def _left_out(reading: _Reading, hit: re.Match[str]) -> None:
    reading.says, reading.has_to = "", False
    reading.chain.clear()


def _iban(reading: _Reading, hit: re.Match[str]) -> None:
    written = hit.group()
    if " " not in written or iban.is_valid(written):
        _left_out(reading, hit)
        return
    for token in _TOKEN.finditer(reading.text, hit.start(), hit.end()):
        _token(reading, token)


def _reference(reading: _Reading, hit: re.Match[str]) -> None:
    """A creditor reference says what it names in its own way (references.creditor_reference)."""
    _left_out(reading, hit)


def _priced(reading: _Reading, hit: re.Match[str]) -> None:
    """ "500,00 EUR" is an amount; "FT 1234 EUR" may be a number after all."""
    digits = hit.group().rstrip(" EUROSDGBPCHF$\u20ac\u00a3")
    if digits.isdigit() and reading.says in ("document", "credit"):
        _add(reading, hit.start(), hit.end(), [_piece(reading, hit.start(), hit.start() + len(digits))])
    else:
        reading.has_to = False


def _decimal(reading: _Reading, hit: re.Match[str]) -> None:
    """ "1234,56": an amount, or two numbers of a list."""
    start, comma = hit.start(), hit.group().index(",") + hit.start()
    both = [_piece(reading, start, comma), _piece(reading, comma + 1, hit.end())]
    _add(reading, start, hit.end(), [piece._replace(looks_like="amount") for piece in both])


def _dated(reading: _Reading, hit: re.Match[str]) -> None:
    """A date after a word such as "DEL": of the number before it."""
    day, year = _date_of(hit.group())
    gap = hit.start() - reading.end
    if 0 <= gap <= 3 and (day or year):
        for at in range(reading.last, len(reading.found)):
            reading.found[at] = reading.found[at]._replace(document_date=day, year=year)
    reading.has_to = False
    reading.chain.clear()


def _day(reading: _Reading, hit: re.Match[str]) -> None:
    """A date without such a word: perhaps of the number before it, perhaps itself a number ("12/3/2026")."""
    is_due = reading.says == "due"
    numbers = [_piece(reading, hit.start(), hit.end())._replace(looks_like="date", is_led=False)]
    if not is_due and reading.end >= 0 and hit.start() - reading.end <= 2:
        _dated(reading, hit)
    _add(reading, hit.start(), hit.end(), numbers if "/" in hit.group() else [])
    reading.chain.clear()


def _date_of(text: str) -> tuple[date | None, int | None]:
    """(date, year) that a written date tells; (None, year) where it is a year only, or no real day."""
    runs = _WORD_OR_NUMBER.findall(text)
    while runs and not runs[0].isdigit():
        runs = runs[1:]
    if len(runs) == 1:
        digits = runs[0]
        if len(digits) == 4:
            return None, int(digits)
        runs = [digits[:2], digits[2:4], digits[4:]]
    if len(runs) != 3:
        return None, None
    if len(runs[0]) == 4:
        runs.reverse()
    month = int(runs[1]) if runs[1].isdigit() else _month_of(runs[1])
    year = int(runs[2]) + (2000 if len(runs[2]) == 2 else 0)
    try:
        return date(year, month, int(runs[0])), year
    except ValueError:
        return None, None


def _month_of(word: str) -> int:
    return next((number for number, names in MONTH_NAMES.items() if word[:3] in names), 0)


# --- words and numbers ------------------------------------------------------------------------------


def _token(reading: _Reading, hit: re.Match[str]) -> None:
    text, start = hit.group(), hit.start()
    if text.isalpha() or not _DIGIT.search(text):
        _word(reading, text, hit.end())
        return
    size = _words_before(text)
    if size:
        _word(reading, text[:size], start + size)
    is_long = sum(map(str.isdigit, text)) > _MOST_DIGITS or len(text) - size > 3 * _MOST_CODE
    if is_long:
        _left_out(reading, hit)
        return
    begin = start + size
    numbers = _numbers(reading, begin, hit.end())
    if size and text[size - 1].isalpha():  # "FT12", "V12": the letters may be part of the number
        numbers.insert(0, _piece(reading, start, hit.end()))
    previous = reading.end
    joined = _joined(reading, begin, hit.end(), previous)
    _add(reading, start, hit.end(), numbers + joined)


def _words_before(text: str) -> int:
    """Where the words for a document at the beginning of a token end: "FT.1234" -> 3, "V1/12" -> 0."""
    size = 0
    for hit in _LETTERS.finditer(text):
        if hit.start() != size or hit.group().rstrip("._-") not in _TELLING:
            break
        size = hit.end()
    return size


def _word(reading: _Reading, text: str, end: int) -> None:
    words = [text] if text.isalpha() else [word for word in _SPLIT.split(text) if word]
    glued = "".join(words)
    reading.has_to = glued in TO
    reading.word, reading.word_end = words[-1] if glued not in CREDITS else glued, end
    for word in (glued,) if glued in CREDITS else words:
        says = _says(word)
        if says == "neutral":
            says = reading.says or "document"
        if says is not None:
            reading.says = says


@lru_cache(maxsize=16_384)
def _says(word: str) -> str | None:
    """What a word says of the number after it; None: nothing, what was said before still holds."""
    for words, says in (
        (CREDITS, "credit"), (NEUTRAL, "neutral"), (LEADS, "document"), (ORDERS, "order"),
        (OWN_CODES, "own_code"), (DUE, "due"),
    ):  # fmt: skip
        if word in words:
            return says
    if _MONTH_WORD.fullmatch(word):
        return "month"
    return None if word in BINDERS or len(word) == 1 else ""


def _piece(reading: _Reading, start: int, end: int) -> Piece:
    text, says = reading.text[start:end], reading.says
    is_led = says in ("document", "credit")
    is_close = 0 <= start - reading.word_end <= 2 and len(reading.word) <= _MOST_SERIES
    before = reading.word if is_close else ""
    looks_like = _suspected(text, says, is_led)
    return Piece(text, start, end, is_led, says == "credit", "", looks_like, before=before)


def _suspected(text: str, says: str, is_led: bool) -> str:
    """What else a number may be, by the word before it or its form."""
    if says in ("order", "own_code"):
        return says
    if text.isdigit():
        size = len(text)
        if size == 4 and (says == "month" or 1990 <= int(text) <= 2099):
            return "year"
        if not is_led:
            return _suspected_digits(text, size)
    elif len(text) > _MOST_CODE or (len(text) >= 10 and len(_WORD_OR_NUMBER.findall(text)) > 5):
        return "bank_code"
    return ""


def _suspected_digits(text: str, size: int) -> str:
    if size == 11 and iva.is_valid(text):
        return "vat"
    if size in (9, 10) and text[0] in "03":
        return "phone"
    if size in (6, 8) and _is_day(text):
        return "date"
    return "bank_code" if size > 14 else ""


def _is_day(digits: str) -> bool:
    """Whether six or eight digits can be a day of these years: DDMMYY, YYMMDD, DDMMYYYY, YYYYMMDD."""
    orders = [(digits[:2], digits[2:4], digits[4:]), (digits[-2:], digits[-4:-2], digits[:-4])]
    return any(1 <= int(d) <= 31 and 1 <= int(m) <= 12 and 2015 <= _full(y) <= 2039 for d, m, y in orders)


def _full(year: str) -> int:
    return int(year) + (2000 if len(year) == 2 else 0)


def _numbers(reading: _Reading, start: int, end: int) -> list[Piece]:
    """The number from start to end as it stands, and what it may be made of."""
    whole = _piece(reading, start, end)
    found = [whole]
    parts = _parts(whole.text)
    if len(parts) > 1:
        found.extend(_piece(reading, start + at, start + at + len(part)) for at, part in parts)
    if len(parts) == 2 and whole.text.count("-") == 1:
        found.extend(_between(parts[0][1], parts[1][1], whole))
    elif reading.has_to and reading.found and reading.last < len(reading.found):
        found.extend(_between(reading.found[reading.last].text, whole.text, whole))
    repaired = _repaired(whole)
    if repaired is not None:
        found.append(repaired)
    return found


def _parts(text: str) -> list[tuple[int, str]]:
    """The numbers of a list without blanks, with their places: "1234-1235", "12/26-13/26", "1234/1235".

    None for a number with its year ("1234-26", "2026/1234"), which is one number.
    """
    if text.isalnum():
        return []
    parts = _split(text, _LIST_SIGN)
    if len(parts) == 1 and text.count("/") >= 1:
        parts = _split(text, _SLASH)
        if any(len(part) < 3 for _, part in parts):
            return []
    is_list = len(parts) > 1 and all(part[:1].isdigit() or part[-1:].isdigit() for _, part in parts)
    if not is_list or (len(parts) == 2 and any(_is_year(part) for _, part in parts)):
        return []
    return parts


def _split(text: str, sign: re.Pattern[str]) -> list[tuple[int, str]]:
    parts, at = [], 0
    for hit in sign.finditer(text):
        parts.append((at, text[at : hit.start()]))
        at = hit.end()
    parts.append((at, text[at:]))
    return [(place, part) for place, part in parts if part]


def _is_year(text: str) -> bool:
    return text.isdigit() and (
        (len(text) == 4 and 1990 <= int(text) <= 2099) or (len(text) == 2 and 15 <= int(text) <= 39)
    )


def _between(first: str, last: str, whole: Piece) -> list[Piece]:
    """The numbers that "1240-1243" may mean beside the two that it names."""
    if not (first.isdigit() and last.isdigit() and len(first) == len(last) and 3 <= len(first) <= 12):
        return []
    low, high = int(first), int(last)
    if not 2 <= high - low <= _MOST_RANGE:
        return []
    size = len(first)
    return [
        whole._replace(text=str(number).zfill(size), how="range", looks_like="")
        for number in range(low + 1, high)
    ]


def _repaired(piece: Piece) -> Piece | None:
    """The piece with letters that look like digits read as digits: "12O4/26" -> "1204/26"."""
    if piece.text.isdigit():
        return None
    groups = _MARKS.findall(piece.text)
    changed = False
    for group in groups:
        letters = [mark for mark in group if not mark.isdigit()]
        if letters and (len(letters) == len(group) or not _SLIP_LETTERS.issuperset(letters)):
            return None
        changed = changed or bool(letters)
    if not changed or 2 * sum(map(str.isdigit, piece.text)) < sum(map(len, groups)):
        return None
    return piece._replace(text=piece.text.translate(_TO_DIGITS), how="repaired")


def _joined(reading: _Reading, start: int, end: int, previous: int) -> list[Piece]:
    """The number put together with those before it that only a blank parts from it, as where a bank broke
    its line: "924000 0111", "20 26/12 34"."""
    text, chain = reading.text, reading.chain
    is_near = previous >= 0 and 1 <= start - previous <= 3 and chain and chain[-1][1] == previous
    if not (is_near and _BLANKS.fullmatch(text, previous, start) and text[previous - 1].isdigit()
            and text[start].isdigit()):  # fmt: skip
        chain[:] = [(start, end)]
        return []
    chain.append((start, end))
    del chain[:-4]
    found = []
    for size in range(2, len(chain) + 1):
        spans = chain[-size:]
        parts = [text[a:b] for a, b in spans]
        if size > 2 and min(map(len, parts)) > 2:
            break
        glue = text[spans[-2][1] : spans[-1][0]].strip() if size == 2 else ""
        whole = glue.join(parts) if size == 2 else "".join(parts)
        if sum(map(str.isdigit, whole)) > 16:
            break
        found.append(_piece(reading, spans[0][0], end)._replace(text=whole, how="joined", looks_like=""))
    return found


_READERS = {
    "token": _token, "iban": _iban, "rf": _reference, "mail": _left_out, "coded": _left_out,
    "person": _left_out, "phone": _left_out, "price": _left_out, "priced": _priced, "grouped": _left_out,
    "decimal": _decimal, "dated": _dated, "day": _day,
}  # fmt: skip
