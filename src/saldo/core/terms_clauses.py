"""Clauses that stand beside the dates of payment terms: early-payment discount, number of installments,
excluded months. Each is taken out of the text or the tokens, which ``terms`` then reads on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NoReturn

from saldo.core.terms_model import MOVED_TO_DAY, EarlyPayment
from saldo.core.terms_words import Kind, Token

UNITS = (Kind.DAYS, Kind.MONTHS)
SEPARATORS = (Kind.LIST, Kind.COMMA, Kind.AND)
_LARGEST_BARE_RATE = Fraction(1, 10)
_RATE = r"(?<![\d.,])(\d{1,2}(?:[.,]\d{1,2})?)"
_NET_DISCOUNT = re.compile(
    rf"{_RATE}\s*(%?)\s*[/,-]?\s*(\d{{1,3}})\s*(?:gg|giorni|days?)?\s*[,;]?\s*(?=(?:net|netto|n)\s*/?\s*\d)"
)
_DISCOUNT = re.compile(
    rf"(?:con )?(?:sconto|discount)(?: cassa| finanziario| pagamento)?(?: del)? {_RATE}\s*()%"
    r"(?: per pagamento| se pagato| if paid)?(?: entro| a| within)? (\d{1,3})\s*(?:gg|giorni|days)\b"
    r"(?: (?:df|d\.f\.|data fattura))?"
)


class Refused(Exception):
    """Terms that cannot be read in one way: error code, and the words at fault."""

    def __init__(self, code: str, part: str = "") -> None:
        self.code, self.part = code, part


def ambiguous(tokens: Iterable[Token]) -> NoReturn:
    raise Refused("terms_ambiguous", " ".join(token.text for token in tokens))


@dataclass
class Cursor:
    """A place in the tokens. ``kind(ahead)`` looks, ``take`` moves on."""

    tokens: Sequence[Token]
    position: int = 0

    def kind(self, ahead: int = 0) -> Kind | None:
        index = self.position + ahead
        return self.tokens[index].kind if 0 <= index < len(self.tokens) else None

    def take(self) -> Token:
        token = self.tokens[self.position]
        self.position += 1
        return token

    def number(self) -> int:
        if self.kind() is not Kind.NUMBER:
            ambiguous(self.tokens)
        value = self.take().value
        assert isinstance(value, int)
        return value

    def offset_ahead(self, ahead: int = 0) -> bool:
        """Whether a number of days or months comes, and not a day of the next month."""
        ahead += self.kind(ahead) in UNITS
        return self.kind(ahead) is Kind.NUMBER and self.kind(ahead + 1) is not Kind.NEXT_MONTH


def take_count(tokens: list[Token]) -> tuple[list[Token], int | None]:
    """Without "3 rate", and the 3."""
    for i, token in enumerate(tokens):
        if token.kind is Kind.COUNT:
            count = tokens[i - 1].value if i else None
            if not isinstance(count, int):
                ambiguous(tokens)
            return tokens[: i - 1] + tokens[i + 1 :], count
    return tokens, None


def take_exclusions(tokens: list[Token], moved_to_day: int) -> tuple[list[Token], tuple[int, ...], int]:
    """Tokens without "esclusi agosto e dicembre [al 10 del mese successivo]"; the months; the day."""
    start = next((i for i, token in enumerate(tokens) if token.kind is Kind.EXCEPT), None)
    if start is None:
        return tokens, (), MOVED_TO_DAY
    cursor = Cursor(tokens, start + 1)
    if cursor.kind() is Kind.MONTHS:
        cursor.take()
    named = cursor.kind()
    months: set[int] = set()
    while cursor.kind() is named and named in (Kind.MONTH, Kind.NUMBER):
        value = cursor.take().value
        if not isinstance(value, int) or not 1 <= value <= 12:
            ambiguous(tokens[start:])
        months.add(value)
        following = cursor.tokens[cursor.position + 1 : cursor.position + 2]
        another = bool(following) and following[0].kind is named and following[0].value in range(1, 13)
        if cursor.kind() not in SEPARATORS or not another:
            break
        cursor.take()
    if not 1 <= len(months) <= 11:
        ambiguous(tokens[start:])
    day = _read_moved_to(cursor) or moved_to_day
    rest = tokens[:start] + tokens[cursor.position :]
    if any(token.kind is Kind.EXCEPT for token in rest):
        ambiguous(tokens[start:])
    return rest, tuple(sorted(months)), day


def _read_moved_to(cursor: Cursor) -> int | None:
    """The day after excluded months. "+10" there could belong to the end of month: refused."""
    if cursor.kind() is Kind.COMMA and cursor.kind(1) in (Kind.MOVED, Kind.ON_DAY):
        bracket = cursor.take().text == "("
        if not bracket and cursor.kind() is Kind.ON_DAY:
            ambiguous(cursor.tokens)
    moved = cursor.kind() is Kind.MOVED
    if moved:
        cursor.take()
    if moved and cursor.kind() is Kind.END_OF_NEXT_MONTH:
        cursor.take()
        return 31
    if cursor.kind() is Kind.ON_DAY:
        cursor.take()
        day = cursor.number()
        if cursor.kind() is Kind.NEXT_MONTH:
            cursor.take()
        if not 1 <= day <= 31 or cursor.kind() in (Kind.LIST, Kind.AND, *UNITS):
            ambiguous(cursor.tokens)
        return day
    if moved or cursor.kind() in (Kind.PLUS, Kind.NEXT_MONTH):
        ambiguous(cursor.tokens)
    return None


def take_discount(text: str) -> tuple[str, EarlyPayment | None]:
    """Text without "2/10 net" or "sconto 2% entro 10 gg", and the discount."""
    for pattern in (_DISCOUNT, _NET_DISCOUNT):
        match = pattern.search(text)
        if match is None:
            continue
        rate = Fraction(match[1].replace(",", ".")) / 100
        # "30/60 net 90" is no discount of 30%; "2/10 net 30" is one of 2%.
        stated_percent = bool(match[2]) or pattern is _DISCOUNT
        if rate and (stated_percent or rate < _LARGEST_BARE_RATE):
            return f"{text[: match.start()]} {text[match.end() :]}", EarlyPayment(rate, int(match[3]))
    return text, None
