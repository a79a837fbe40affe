"""Numbers, amounts, dates and counts in words and figures, in Italian and English."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal

from saldo.core.money import CURRENCY_EXPONENTS, from_mills

_NUMBERS = {
    "it": ("nessuna", "una", "due", "tre", "quattro", "cinque", "sei", "sette", "otto", "nove", "dieci"),
    "en": ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
}
MONTHS_IT = (
    "gennaio", "febbraio", "marzo", "aprile", "maggio", "giugno",
    "luglio", "agosto", "settembre", "ottobre", "novembre", "dicembre",
)  # fmt: skip
MONTHS_EN = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_SYMBOLS = {"EUR": "€", "USD": "$", "GBP": "£"}


def number_text(value: Decimal | int, language: str, decimals: int = 0) -> str:
    """A number in the language's format: 1.234,5 in Italian, 1,234.5 in English."""
    rounded = Decimal(value).quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_EVEN)
    text = f"{rounded:,.{decimals}f}"
    return text.translate(str.maketrans(",.", ".,")) if language == "it" else text


def money_text(mills: int, currency: str, language: str, decimals: int | None = None) -> str:
    """An amount with its currency: 1.234,50 € in Italian, €1,234.50 in English."""
    places = CURRENCY_EXPONENTS.get(currency, 2) if decimals is None else decimals
    number = number_text(from_mills(mills), language, places)
    symbol = _SYMBOLS.get(currency)
    if language == "it":
        return f"{number}\N{NO-BREAK SPACE}{symbol or currency}"
    return f"{symbol}{number}" if symbol else f"{currency}\N{NO-BREAK SPACE}{number}"


def percent_text(share: float, language: str) -> str:
    """A share as a whole percentage; never a flat 0% or 100% for what is only nearly so."""
    percent = round(100 * share)
    if percent == 0 and share > 0:
        return "meno dell'1%" if language == "it" else "less than 1%"
    if percent == 100 and share < 1:
        return "più del 99%" if language == "it" else "more than 99%"
    return f"{percent}%"


def date_text(day: str, language: str) -> str:
    """An ISO date in words: 9 marzo 2026, 9 March 2026."""
    value = date.fromisoformat(day)
    months = MONTHS_IT if language == "it" else MONTHS_EN
    return f"{value.day} {months[value.month - 1]} {value.year}"


def count_text(value: int, language: str) -> str:
    """A small count in words (feminine in Italian), a large one in figures."""
    words = _NUMBERS[language]
    return words[value] if 0 <= value < len(words) else number_text(value, language)
