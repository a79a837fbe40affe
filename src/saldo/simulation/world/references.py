"""What a transfer says it is for: texts in the manner of each payer, and what goes wrong in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

UNUSABLE = ("words", "own_code", "none")
# What a payer writes that departs from its habit.
DEPARTURES = ("numbers", "words", "none")
MONTHS = (
    "GENNAIO", "FEBBRAIO", "MARZO", "APRILE", "MAGGIO", "GIUGNO", "LUGLIO", "AGOSTO", "SETTEMBRE", "OTTOBRE",
    "NOVEMBRE", "DICEMBRE",
)  # fmt: skip
_LEADS = ("SALDO FATT. ", "PAGAMENTO FATTURE ", "FT ", "SALDO FT. N. ", "Pag. ft ", "FATTURA ")
_WORDS = (
    "SALDO FATTURE {month}", "SALDO ESTRATTO CONTO", "PAGAMENTO VS FORNITURE", "SALDO A VS FAVORE",
    "PAGAMENTO FATTURE SCADUTE", "BONIFICO FORNITORI {month}",
)  # fmt: skip
_ENGLISH_WORDS = ("PAYMENT", "YOUR INVOICES {month}", "SUPPLIER PAYMENT", "ACCOUNT SETTLEMENT")
_ENGLISH_MONTHS = (
    "JANUARY", "FEBRUARY", "MARCH", "APRIL", "MAY", "JUNE", "JULY", "AUGUST", "SEPTEMBER", "OCTOBER",
    "NOVEMBER", "DECEMBER",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Paid:
    """A document that a transfer pays, as its payer sees it."""

    number: str
    issued: date
    order: str


def rf_reference(number: str) -> str:
    """The creditor reference of an invoice number by ISO 11649: RF, two check digits, the number's marks."""
    body = "".join(mark for mark in number.upper() if mark.isalnum())
    digits = "".join(str(int(mark, 36)) for mark in body + "RF00")
    return f"RF{98 - int(digits) % 97:02d}{body}"


def reference(
    style: str, documents: Sequence[Paid], credits: Sequence[str], day: date, pick: int, language: str,
    most_numbers: int,
) -> tuple[str, str, str]:  # fmt: skip
    """(text, structured creditor reference, style in the end). ``pick``: a random whole number >= 0.

    A style that does not fit becomes another: a creditor reference names one document, an order must be
    known, and nobody writes out dozens of numbers.
    """
    if style == "creditor_reference":
        if len(documents) == 1 and not credits:
            return "", rf_reference(documents[0].number), style
        style = "numbers"
    if style == "order" and not all(paid.order for paid in documents):
        style = "words"
    if style in ("numbers", "numbers_and_dates", "short_numbers") and len(documents) > most_numbers:
        style = "words"
    if style in UNUSABLE:
        return _unusable(style, day, pick, language), "", style
    return _lead(pick, language) + _named(style, documents) + _taken(credits), "", style


def _lead(pick: int, language: str) -> str:
    return "INVOICE " if language == "en" else _LEADS[pick % len(_LEADS)]


def _named(style: str, documents: Sequence[Paid]) -> str:
    if style == "order":
        return ", ".join(dict.fromkeys(paid.order for paid in documents))
    if style == "numbers_and_dates":
        return ", ".join(f"{paid.number} DEL {paid.issued:%d/%m/%Y}" for paid in documents)
    if style == "short_numbers":
        return "-".join(paid.number.split("/")[0].lstrip("9").lstrip("0") or "0" for paid in documents)
    return ", ".join(paid.number for paid in documents)


def _taken(credits: Sequence[str]) -> str:
    return "".join(f" - {number}" for number in credits)


def _unusable(style: str, day: date, pick: int, language: str) -> str:
    if style == "none":
        return "" if pick % 2 else "BONIFICO"
    if style == "own_code":
        return f"PAG. {4_500_000 + pick % 500_000} DISP. {day:%y%m%d}"
    if language == "en":
        words = _ENGLISH_WORDS[pick % len(_ENGLISH_WORDS)]
        return words.format(month=_ENGLISH_MONTHS[(day.month - 2) % 12])
    return _WORDS[pick % len(_WORDS)].format(month=MONTHS[(day.month - 2) % 12])


def mistyped(text: str, pick: int) -> str:
    """``text`` with one digit wrong, or two neighbors swapped; without digits it stays as it is."""
    places = [at for at, mark in enumerate(text) if mark.isdigit()]
    if not places:
        return text
    at = places[pick % len(places)]
    if pick % 2 and at + 1 < len(text) and text[at + 1].isdigit() and text[at + 1] != text[at]:
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    return text[:at] + str((int(text[at]) + 1 + pick % 9) % 10) + text[at + 1 :]
