"""What a customer says it paid with one payment: the record, its arithmetic, and texts of days and amounts.

Shared by the readers of the media that carry such advices. Nothing here guesses about money: an amount that
can be read in two ways is no amount, and lines of free texts count only where they add up to the total.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from saldo.core.errors import Rejection
from saldo.core.money import InexactAmount, decimal_text, to_mills
from saldo.formats.records import Notice

KIND = "remittance"
CREDIT_WORDS = re.compile(
    r"(?:^|[^a-z])(?:nc|ndc|n\. ?c\.|not[ae] (?:di )?(?:ac)?credito|credit (?:note|memo)s?|gutschrift|avoir)"
    r"(?![a-z])"
)


@dataclass(frozen=True, slots=True)
class RemittanceLine:
    """One document that the payment settles, or that was set against it.

    paid_mills: its share of the payment; negative for a credit note taken off; None where not stated.
    gross_mills: the document's amount before deductions; discount_mills: what was kept back, positive.
    """

    number: str
    document_date: date | None
    paid_mills: int | None
    gross_mills: int | None = None
    discount_mills: int = 0
    reason: str | None = None
    is_credit: bool = False

    def as_json(self, currency: str) -> dict[str, Any]:
        return {
            "number": self.number,
            "date": self.document_date.isoformat() if self.document_date else None,
            "amount": _amount(self.paid_mills, currency),
            "gross": _amount(self.gross_mills, currency),
            "discount": decimal_text(self.discount_mills, currency),
            "reason": self.reason,
            "is_credit": self.is_credit,
        }


@dataclass(frozen=True, slots=True)
class Remittance:
    """One advice of one payment. medium: iso20022, edifact, pdf, xlsx, csv or mail.

    total_mills: as stated, None where it is not. adds_up: whether the lines make the total; None where there
    is nothing to compare. document_refs: numbers that are named without an amount that could be trusted.
    """

    medium: str
    total_mills: int | None
    currency: str | None
    lines: tuple[RemittanceLine, ...]
    payer_name: str | None = None
    payer_vat: str | None = None
    payer_tax_code: str | None = None
    payer_iban: str | None = None
    payment_date: date | None = None
    reference: str | None = None
    end_to_end_id: str | None = None
    adds_up: bool | None = None
    document_refs: tuple[str, ...] = ()
    position: int = 1
    kind: str = KIND
    source: str | None = None
    notices: tuple[Notice, ...] = ()

    def as_json(self, language: str = "en") -> dict[str, Any]:
        currency = self.currency or "EUR"
        return {
            "kind": self.kind,
            "medium": self.medium,
            "payer_name": self.payer_name,
            "payer_vat": self.payer_vat,
            "payer_tax_code": self.payer_tax_code,
            "payer_iban": self.payer_iban,
            "payment_date": self.payment_date.isoformat() if self.payment_date else None,
            "total": _amount(self.total_mills, currency),
            "currency": self.currency,
            "reference": self.reference,
            "end_to_end_id": self.end_to_end_id,
            "adds_up": self.adds_up,
            "lines": [line.as_json(currency) for line in self.lines],
            "document_refs": list(self.document_refs),
            "position": self.position,
            "source": self.source,
            "notices": [notice.as_json(language) for notice in self.notices],
        }


def paid_sum(lines: Sequence[RemittanceLine]) -> int:
    return sum(line.paid_mills or 0 for line in lines)


def signed_to(lines: Sequence[RemittanceLine], total_mills: int | None) -> tuple[RemittanceLine, ...]:
    """``lines`` with credit notes negative, unless only as written they make the total."""
    negated = tuple(
        replace(line, paid_mills=-line.paid_mills)
        if line.is_credit and line.paid_mills is not None and line.paid_mills > 0
        else line
        for line in lines
    )
    as_written = total_mills is not None and paid_sum(lines) == total_mills != paid_sum(negated)
    return tuple(lines) if as_written else negated


def balanced(advice: Remittance, keeps_lines: bool) -> Remittance:
    """``advice`` compared with its total: ``adds_up``, and a notice where it does not or cannot.

    keeps_lines: fields with names say what they are even where the sum is wrong; lines of texts do not, so
    that only their document numbers remain.
    """
    lines = signed_to(advice.lines, advice.total_mills)
    if advice.total_mills is None:
        note = [Rejection("remittance_total_missing", "", "")] if lines else []
        return replace(advice, lines=lines, adds_up=None, notices=(*advice.notices, *note))
    if not lines:
        return replace(advice, lines=(), adds_up=None)
    if all(line.paid_mills is not None for line in lines) and paid_sum(lines) == advice.total_mills:
        return replace(advice, lines=lines, adds_up=True)
    currency = advice.currency or "EUR"
    note = [
        Rejection(
            "remittance_sum_differs",
            "",
            ", ".join(line.number for line in lines),
            {
                "sum": decimal_text(paid_sum(lines), currency),
                "total": decimal_text(advice.total_mills, currency),
                "difference": decimal_text(advice.total_mills - paid_sum(lines), currency),
            },
        )
    ]
    named = tuple(dict.fromkeys([*advice.document_refs, *(line.number for line in lines)]))
    return replace(
        advice,
        lines=lines if keeps_lines else (),
        document_refs=advice.document_refs if keeps_lines else named,
        adds_up=False,
        notices=(*advice.notices, *note),
    )


# -- texts -----------------------------------------------------------------------------------------------

MONTHS = {
    name: number
    for number, names in enumerate(
        ("gennaio gen january jan januar janvier", "febbraio feb february februar fevrier",
         "marzo mar march marz maerz mars", "aprile apr april avril", "maggio mag may mai",
         "giugno giu june jun juni juin", "luglio lug july jul juli juillet",
         "agosto ago august aug aout", "settembre set sett september sep sept septembre",
         "ottobre ott october oct oktober okt octobre", "novembre nov november novembre",
         "dicembre dic december dec dezember dez decembre"),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
_NUMERIC_DAY = re.compile(r"(\d{1,2})[/.\-](\d{1,2})[/.\-](\d{4}|\d{2})")
_ISO_DAY = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_WORD_DAY = re.compile(r"(\d{1,2})(?:°|º|\.|st|nd|rd|th)?\s+(?:de |of )?([a-z]{3,10})\.?,?\s+(\d{4})")
_WORD_DAY_US = re.compile(r"([a-z]{3,10})\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4})")
_EXACT = re.compile(
    r"(?:\d{1,3}(?:\.\d{3})+|\d+),\d{2}|(?:\d{1,3}(?:,\d{3})+|\d+)\.\d{2}|\d{1,3}(?:[ ']\d{3})+[.,]\d{2}"
)
_SIGNS = "-−–"
_PLAIN = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")


def folded(text: str) -> str:
    """Lower case without accents; as long as ``text`` is for Latin letters."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in decomposed if unicodedata.category(c) != "Mn")


def month_first(texts: str) -> bool:
    """Whether the numeric days in a text put the month first: one of them can only be read so, none the
    other way. A day like 03/04/2026 alone is read as the 3rd of April."""
    found = [(int(a), int(b)) for a, b, _ in _NUMERIC_DAY.findall(texts)]
    return any(a <= 12 < b <= 31 for a, b in found) and not any(12 < a <= 31 for a, _ in found)


def day_of(text: str, is_month_first: bool = False) -> date | None:
    """The day that ``text`` is, or None."""
    plain = folded(text).strip()
    if match := _ISO_DAY.fullmatch(plain[:10]):
        return _day(int(match.group(1)), int(match.group(2)), int(match.group(3)))
    if match := _NUMERIC_DAY.fullmatch(plain):
        first, second, year = (int(group) for group in match.groups())
        year += 2000 if year < 100 else 0
        return _day(year, first, second) if is_month_first else _day(year, second, first)
    if match := _WORD_DAY.fullmatch(plain):
        return _day(int(match.group(3)), MONTHS.get(match.group(2), 0), int(match.group(1)))
    if match := _WORD_DAY_US.fullmatch(plain):
        return _day(int(match.group(3)), MONTHS.get(match.group(1), 0), int(match.group(2)))
    return None


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day) if 1990 <= year <= 2100 else None
    except ValueError:
        return None


def amount_of(text: str) -> int | None:
    """Mills of an amount written with its two decimals, in any European or English way; else None.

    A sign before or behind, or brackets, make it negative.
    """
    plain = text.strip().replace("\u00a0", " ").replace("\u202f", " ").replace("’", "'")
    negative = plain.startswith("(") and plain.endswith(")")
    plain = plain.strip("() ")
    if plain[:1] in _SIGNS or plain[-1:] in _SIGNS:
        negative, plain = True, plain.strip(_SIGNS + " ")
    match = _EXACT.fullmatch(plain.lstrip("+ "))
    if match is None or not plain.isascii():
        return None
    digits = re.sub(r"\D", "", plain)
    value = int(digits) * 10
    return None if value > 10**15 else (-value if negative else value)


def plain_amount(text: str) -> int | None:
    """Mills of a plain decimal number as machines write it ("-1234.5"); None where it is none."""
    # The library reads more than decimals: "1_0", "1E3", digits of other scripts.
    if not _PLAIN.fullmatch(text.strip()):
        return None
    try:
        return to_mills(Decimal(text.strip()))
    except InexactAmount:
        return None


def _amount(mills: int | None, currency: str) -> str | None:
    return None if mills is None else decimal_text(mills, currency)
