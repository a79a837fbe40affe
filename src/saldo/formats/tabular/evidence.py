"""What the values of a column show, whatever its header says: dates, amounts, currencies, VAT numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import polars as pl
from stdnum.it import iva

from saldo.core.money import CURRENCY_EXPONENTS
from saldo.formats.tabular.dates import read_date
from saldo.formats.tabular.read import RawTable

SAMPLE_ROWS = 20_000
SAMPLE_VALUES = 2_000
# Day before month first: where both fit, it is proposed, with a note.
PATTERNS = (
    "DD/MM/YYYY", "MM/DD/YYYY", "YYYY/MM/DD", "YYYYMMDD", "DD/MM/YY", "MM/DD/YY", "DD/MMM/YYYY", "DD/MMM/YY",
    "DD MMM YYYY",
)  # fmt: skip
_NUMBER = re.compile(
    r"[(+-]?\s*(?:[A-Z]{3}|[€$£])?\s*[+-]?\d[\d.,'’\s\u00a0]*\s*(?:[A-Z]{3}|[€$£])?\s*(?:[-+)]|CR|DR|[HSDA])?"
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """One column's values. dates: patterns that read every value. Shares are of the distinct values."""

    column: str
    filled: float
    distinct: int
    values: tuple[str, ...]
    dates: tuple[str, ...]
    typed: bool
    numbers: float
    currencies: float
    vats: float

    @property
    def is_date(self) -> bool:
        return bool(self.dates)

    @property
    def has_fractions(self) -> bool:
        return any(re.search(r"[.,]\d{1,2}\D*$", value) for value in self.values)


def evidence(raw: RawTable) -> dict[str, Evidence]:
    sample = raw.frame.head(SAMPLE_ROWS)
    return {column: _of(raw, sample, column) for column in raw.columns}


def _of(raw: RawTable, sample: pl.DataFrame, column: str) -> Evidence:
    texts = sample[column].str.strip_chars()
    texts = texts.filter(texts.is_not_null() & (texts != ""))
    distinct = texts.unique(maintain_order=True)
    values = tuple(distinct.head(SAMPLE_VALUES).to_list())
    typed = raw.typed is not None and bool(raw.typed[column].head(SAMPLE_ROWS).sum() * 2 > len(texts))
    return Evidence(
        column=column,
        filled=len(texts) / max(1, len(sample)),
        distinct=len(distinct),
        values=values,
        dates=_date_patterns(values, typed),
        typed=typed,
        numbers=_share(values, lambda value: bool(_NUMBER.fullmatch(value))),
        currencies=_share(values, lambda value: value.upper() in CURRENCY_EXPONENTS),
        vats=_share(values, _looks_like_vat),
    )


def _share(values: tuple[str, ...], test: Callable[[str], bool]) -> float:
    return sum(1 for value in values if test(value)) / len(values) if values else 0.0


def _looks_like_vat(value: str) -> bool:
    compact = re.sub(r"[\s.]", "", value.upper())
    return (bool(re.fullmatch(r"[A-Z]{2}[A-Z0-9]{8,12}", compact)) and any(c.isdigit() for c in compact)) or (
        len(compact) == 11 and iva.is_valid(compact)
    )


def _date_patterns(values: tuple[str, ...], typed: bool) -> tuple[str, ...]:
    """Patterns that read nearly every value; a few impossible dates do not hide the pattern."""
    if not values or not any(c.isdigit() for c in values[0]):
        return ()
    if typed and all(re.match(r"\d{4}-\d{2}-\d{2}", value) for value in values):
        return ("YYYY/MM/DD",)
    scores = {}
    for pattern in PATTERNS:
        if read_date(values[0], (pattern,)) == "date_unreadable":
            continue
        read = sum(1 for value in values if not isinstance(read_date(value, (pattern,)), str))
        scores[pattern] = read / len(values)
    best = max(scores.values(), default=0.0)
    return tuple(pattern for pattern, score in scores.items() if score == best) if best >= 0.9 else ()


def separator_of(values: Iterable[str]) -> str:
    """The mark between the parts of these dates."""
    for value in values:
        if match := re.search(r"\d([/.\-])\d|\d([/.\-])[^\W\d]", value):
            return match[1] or match[2]
    return "/"


def marks_of(values: Iterable[str]) -> tuple[str, str, bool]:
    """(decimal, thousands or "", sure) of amount texts. A lone mark before three digits proves nothing."""
    votes = {".": 0, ",": 0}
    groups, doubtful = set(), 0
    for value in values:
        marks = re.findall(r"[.,]", value)
        tail = re.search(r"([.,])(\d*)\D*$", value)
        if not marks or not tail:
            continue
        if len(set(marks)) == 2:
            votes[marks[-1]] += 1
            groups.add(marks[0])
        elif len(marks) > 1:
            votes["," if marks[0] == "." else "."] += 1
            groups.add(marks[0])
        elif len(tail[2]) != 3:
            votes[tail[1]] += 1
        else:
            doubtful += 1
    decimal = "," if votes[","] > votes["."] else "."
    other = "." if decimal == "," else ","
    sure = (bool(sum(votes.values())) and not min(votes.values())) or (
        not doubtful and not any(votes.values())
    )
    return decimal, other if other in groups else "", sure
