"""Amounts as people write them in a mail, in figures and words: "€ 1.250,50", "2mila euro", "500 quid".

Figures are read by their separators: what stands before exactly three digits groups thousands, what stands
before one or two is the decimal mark. A number without a currency is an amount only of a low confidence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from saldo.core.spoken import MOST_CHARACTERS, MOST_FOUND, plain_text

# With its currency; "1.500" or "1500" alone, where it is written as an amount; a bare number.
WITH_CURRENCY, AS_AMOUNT, BARE = 0.98, 0.8, 0.4
_MOST_MILLS = 10**15


@dataclass(frozen=True, slots=True)
class SpokenAmount:
    """An amount named in a text. currency: None where none is named. start, end: its place in the text."""

    mills: int
    currency: str | None
    confidence: float
    start: int
    end: int
    text: str


_CURRENCIES = {
    "EUR": r"€|euro?s?\b|eur(?=\d)|euri\b|eu\b", "GBP": r"£|gbp\b|pounds?\b|quid\b|sterling\b",
    "USD": r"\$|usd\b|dollars?\b|dollari\b|bucks\b", "CHF": r"chf\b|franchi\b|francs\b",
}  # fmt: skip
_CURRENCY = "(?:" + "|".join(f"(?:{pattern})" for pattern in _CURRENCIES.values()) + ")"
_FIGURES = r"\d{1,3}(?:[.,' ]\d{3})+(?:[.,]\d{1,2})?|\d{1,12}(?:[.,]\d{1,2})?"
_SCALE = r"(?:\s?(?:mila|k|thousand|grand)(?![a-z]))"
_NO_AMOUNT_BEFORE = re.compile(
    r"(?:\b(?:fatt?ur[ae]|fatt?|ft|inv|invoices?|ddt|ordine|order|po|rif|ref|numero|nr?|no|art|gr|cro|trn|utr|"
    r"check|ticket|case|mandato|prot|tel|cell|p\.?\s?iva|vat|line|riga|commessa|cap|via|iban|e|and|n)\b\.?"
    r"|[#°º+]|n\.)\s*(?:n[.°]?|no\.?|number)?\s*#?$"
)
_DOCUMENT_BEFORE = re.compile(r"\b(?:fatt?ur[ae]|fatt?|ft|inv|invoices?)\b[^.;\n]{0,40}$")
_NO_AMOUNT_AFTER = re.compile(
    r"\s*(?:%|gg\b|giorni|days?\b|settiman|week|mes[ei]\b|months?\b|rate\b|instal|ore\b|pezzi|pcs|"
    r"pieces|colli|"
    r"pallet|bancali|sacchi|scatole|boxes|cartons|units|kg\b|metri|volte|times|anni|years|fatture\b|"
    r"invoices\b|"
    r"per cento|percent|minut|st\b|nd\b|rd\b|th\b|[/:-]\d|gennaio|febbraio|marzo|aprile|maggio|giugno|luglio|"
    r"agosto|settembre|ottobre|novembre|dicembre|january|february|march|april|may\b|june|july|august|"
    r"september|"
    r"october|november|december|c\.?m\.?\b|p\.?v\b|bobine|reels|emails?\b|mail\b|righe)"
)

# -- numbers in words --------------------------------------------------------------------------------------


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_UNITS_IT = _words(
    "uno due tre quattro cinque sei sette otto nove dieci undici dodici tredici quattordici quindici sedici "
    "diciassette diciotto diciannove"
)
_TENS_IT = _words("venti trenta quaranta cinquanta sessanta settanta ottanta novanta")
_UNITS_EN = _words(
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
)
_TENS_EN = _words("twenty thirty forty fifty sixty seventy eighty ninety")


def _under_hundred_it() -> dict[str, int]:
    words = {word: number for number, word in enumerate(_UNITS_IT, 1)} | {"un": 1}
    for place, tens in enumerate(_TENS_IT, 2):
        words[tens] = 10 * place
        for number, word in enumerate(_UNITS_IT[:9], 1):
            head = tens[:-1] if number in (1, 8) else tens
            words[head + word] = 10 * place + number
    return words


@cache
def _italian_words() -> dict[str, int]:
    """Every number in words below a thousand."""
    under = _under_hundred_it()
    words = dict(under) | {"cento": 100}
    for hundreds, word in enumerate(["", *_UNITS_IT[1:9]], 1):
        words[f"{word}cento"] = 100 * hundreds
        for tail, number in under.items():
            if tail != "un":
                words[f"{word}cento{tail}"] = 100 * hundreds + number
    return words


def italian_number(word: str) -> int | None:
    """A whole number below a million in words: "milleduecentoventi" -> 1220; None if it is none."""
    plain = plain_text(word).replace(" ", "")
    below = _italian_words()
    if plain in below:
        return below[plain]
    if plain.startswith("mille"):
        rest = plain.removeprefix("mille")
        return 1000 + below[rest] if rest in below else 1000 if not rest else None
    head, mila, rest = plain.partition("mila")
    if not mila or head not in below or (rest and rest not in below):
        return None
    return 1000 * below[head] + (below[rest] if rest else 0)


_EN_VALUES = (
    {word: number for number, word in enumerate(_UNITS_EN, 1)}
    | {word: 10 * number for number, word in enumerate(_TENS_EN, 2)}
    | {"hundred": 100, "thousand": 1000, "a": 1}
)


def english_number(words: str) -> int | None:
    """A whole number below a million in words: "one thousand two hundred and twenty" -> 1220."""
    total = part = 0
    for word in re.split(r"[\s-]+", words.strip()):
        if word == "and":
            continue
        value = _EN_VALUES.get(word)
        if value is None:
            return None
        if value == 100:
            part = (part or 1) * 100
        elif value == 1000:
            total, part = total + (part or 1) * 1000, 0
        else:
            part += value
    return total + part or None


_EN_WORD = "(?:" + "|".join([*_UNITS_EN, *_TENS_EN, "hundred", "thousand"]) + ")"
_EN_WORDS = rf"(?:\ba )?{_EN_WORD}(?:(?:[\s-]|\sand\s){_EN_WORD}){{0,9}}"
_PATTERNS = (
    re.compile(rf"(?P<before>{_CURRENCY})\.?\s?(?P<figures>{_FIGURES})(?P<scale>{_SCALE})?(?:,-|,--)?"),
    re.compile(
        rf"(?<![\w.,/])(?P<figures>{_FIGURES})(?P<scale>{_SCALE})?(?:,-|"
        rf",--)?\s?(?:di )?(?P<after>{_CURRENCY})"
    ),
    re.compile(rf"(?<![\w])(?P<italian>(?!un\b)[a-z]{{2,60}})(?:/\d\d)?\s(?:di )?(?P<after>{_CURRENCY})"),
    re.compile(rf"(?<![\w])(?P<english>{_EN_WORDS})\s(?P<after>{_CURRENCY})"),
    re.compile(rf"(?<![\w.,/])(?P<figures>{_FIGURES})(?P<scale>{_SCALE})?(?![\w/]|[.,:-]\d)"),
    re.compile(r"(?<![\w])(?P<italian>[a-z]{0,40}(?:mila|mille|cento)[a-z]{0,40})(?![a-z])"),
)


def amounts_in(text: str) -> list[SpokenAmount]:
    """The amounts that ``text`` names, by their place. Never raises."""
    text = text[:MOST_CHARACTERS]
    plain = plain_text(text)
    found: list[SpokenAmount] = []
    for pattern in _PATTERNS:
        for match in pattern.finditer(plain):
            start, end = match.span()
            if len(found) >= MOST_FOUND:
                break
            if any(start < each.end and each.start < end for each in found):
                continue
            told = _amount(match)
            if told is not None and 0 < told[0] < _MOST_MILLS:
                found.append(SpokenAmount(*told, start, end, text[start:end]))
    return sorted(found, key=lambda each: each.start)


def _amount(match: re.Match[str]) -> tuple[int, str | None, float] | None:
    groups = match.groupdict()
    named = groups.get("before") or groups.get("after")
    if groups.get("italian") or groups.get("english"):
        word = groups.get("italian") or groups.get("english") or ""
        number = italian_number(word) if groups.get("italian") else english_number(word)
        if number is None or (not named and number < 100):
            return None
        return number * 1000, _currency(named), WITH_CURRENCY if named else AS_AMOUNT
    figures = groups["figures"]
    mills = figures_mills(figures)
    if mills is None:
        return None
    if groups.get("scale"):
        mills *= 1000
    if named:
        return mills, _currency(named), WITH_CURRENCY
    plain, start, end = match.string, match.start(), match.end()
    before = plain[max(0, start - 50) : start]
    if _NO_AMOUNT_BEFORE.search(before) or _NO_AMOUNT_AFTER.match(plain[end : end + 16]):
        return None
    if _DOCUMENT_BEFORE.search(before) or (len(figures) > 1 and figures[0] == "0" and figures[1].isdigit()):
        return None
    is_written = bool(groups.get("scale")) or re.search(r"[.,]\d{3}(?:\D|$)|[.,]\d\d$", figures) is not None
    is_round = mills >= 100_000 and mills % 10_000 == 0 and not 1_990_000 <= mills <= 2_099_000
    return mills, None, AS_AMOUNT if is_written or is_round else BARE


def _currency(named: str | None) -> str | None:
    for code, pattern in _CURRENCIES.items():
        if named and re.fullmatch(pattern, named):
            return code
    return None


def figures_mills(figures: str) -> int | None:
    """ "1.250,50", "1,250.50", "1250.5", "2 000" -> thousandths; None where it is no number."""
    plain = figures.replace(" ", "").replace("'", "")
    marks = [mark for mark in plain if mark in ".,"]
    whole, decimals = plain, ""
    if marks:
        at = max(plain.rfind("."), plain.rfind(","))
        tail = plain[at + 1 :]
        if len(tail) != 3:
            whole, decimals = plain[:at], tail
        elif len(set(marks)) == 2 or plain.startswith("0"):
            return None
    digits = whole.replace(".", "").replace(",", "")
    if not digits.isdigit() or not digits.isascii():
        return None
    return int(digits) * 1000 + int((decimals + "000")[:3] or 0)
