"""Any frame as the numbers that models learn from: outcomes, figures, categories; what is left out, and why.

Nothing here looks at the outcome of a row to say something about its columns, so it may be done once for all
folds of a backtest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from saldo.analytics.default_risk.measures import Floats, Ints
from saldo.core.errors import SaldoError

NUMBER, CATEGORY = "number", "category"
# Why a column is not used.
CONSTANT, EMPTY, IDENTIFIER, DATES, OTHER_TYPE, LEAK = (
    "constant", "empty", "identifier", "dates", "type", "leak",
)  # fmt: skip
OTHER = "(other)"
# Categories beyond so many, or of fewer rows than this, are one: what is rare teaches nothing.
MOST_CATEGORIES = 40
LEAST_ROWS = 10
# A text column with more distinct values than this share of its rows names things; it does not class them.
_IDENTIFIER_SHARE = 0.5
# What is farther out counts as this far, so infinite ratios (a zero denominator) too: its square is a number.
BEYOND = 1e30

_NO_VALUE = ("", "?", "na", "n/a", "n.a.", "nan", "null", "none", "nd", "n.d.", "-", ".", "#n/a", "#div/0!")
_BYTES = re.compile(r"""^b(['"])(.*)\1$""", re.DOTALL)
_YES = frozenset({
    "1", "yes", "y", "true", "t", "si", "sì", "s", "vero", "default", "defaulted", "bad", "bankrupt",
    "bankruptcy", "insolvent", "failed", "fail", "fallita", "fallito", "insolvente", "charged off",
})  # fmt: skip
_NO = frozenset({
    "0", "-1", "no", "n", "false", "f", "falso", "good", "healthy", "active", "alive", "solvent",
    "performing", "non-bankrupt", "nonbankrupt", "not bankrupt", "non bankrupt", "no default", "fully paid",
    "attiva", "solvente", "in bonis",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcomes:
    """1 where the event happened, for the rows of ``rows``. event: the value that means it, as written."""

    values: Ints
    rows: Ints
    event: str


def read_outcomes(frame: pl.DataFrame, target: str, event: str | None = None) -> Outcomes:
    """The two values of a column as 0 and 1. Rows without one are left out.

    event: the value that is the default; without it yes, true, 1 (or 2 of 1 and 2), and of two unknown words
    the rarer one. Raises SaldoError where the column is missing, has more than two values, or only one.
    """
    if target not in frame.columns:
        raise SaldoError("default_risk_no_target", target=target, columns=", ".join(frame.columns[:20]))
    words = [_word(value) for value in frame[target].to_list()]
    rows = np.array([at for at, word in enumerate(words) if word is not None], dtype=np.int64)
    kept = [word for word in words if word is not None]
    distinct = sorted(set(kept))
    if len(distinct) > 2:
        told = ", ".join(distinct[:5]) + ("…" if len(distinct) > 5 else "")
        raise SaldoError("default_risk_target_not_binary", target=target, count=len(distinct), values=told)
    if event is not None and _word(event) not in distinct:
        raise SaldoError("default_risk_no_event", target=target, event=event, values=", ".join(distinct))
    if len(distinct) < 2:
        raise SaldoError("default_risk_one_outcome", target=target, value=", ".join(distinct) or "-")
    chosen = _word(event) if event is not None else _event_of(distinct, kept)
    values = np.array([1 if word == chosen else 0 for word in kept], dtype=np.int64)
    return Outcomes(values, rows, str(chosen))


def _word(value: object) -> str | None:
    """A value as a word to compare: bytes as text, whole numbers without a point, nothing for a gap."""
    if value is None or value != value:
        return None
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value).strip()
    wrapped = _BYTES.match(text)
    text = (wrapped[2] if wrapped else text).strip().strip("'\"").lower()
    if re.fullmatch(r"[+-]?\d+(?:\.0*)?", text):
        return str(int(float(text)))
    return None if text in _NO_VALUE else text


def _event_of(distinct: Sequence[str], kept: Sequence[str]) -> str:
    first, second = distinct
    if first in _NO or (second in _YES and first not in _YES):
        return second
    if second in _NO or (first in _YES and second not in _YES and not second.isdigit()):
        return first
    if {first, second} == {"1", "2"}:
        return "2"
    return min(distinct, key=lambda word: (kept.count(word), word))


@dataclass(frozen=True, slots=True)
class Column:
    """How one column becomes a number. categories: whose position is the code; empty for a number."""

    name: str
    kind: str
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns that models see, in order."""

    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def categorical(self) -> tuple[bool, ...]:
        return tuple(column.kind == CATEGORY for column in self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def matrix(self, frame: pl.DataFrame) -> Floats:
        """(rows, columns): numbers and codes of categories, NaN where missing or the column is absent."""
        out = np.full((frame.height, len(self.columns)), np.nan)
        for at, column in enumerate(self.columns):
            if column.name not in frame.columns:
                continue
            series = frame[column.name]
            out[:, at] = _codes(series, column.categories) if column.kind == CATEGORY else _numbers(series)
        return out

    def as_record(self) -> list[dict[str, Any]]:
        return [
            {"name": one.name, "kind": one.kind, "categories": list(one.categories)} for one in self.columns
        ]

    @staticmethod
    def from_record(record: Sequence[Mapping[str, Any]]) -> Columns:
        return Columns(tuple(Column(one["name"], one["kind"], tuple(one["categories"])) for one in record))


def learn_columns(frame: pl.DataFrame, leave_out: Sequence[str] = ()) -> tuple[Columns, dict[str, str]]:
    """The usable columns of a frame, and why each of the others is not used."""
    used: list[Column] = []
    others: dict[str, str] = {}
    for name in frame.columns:
        if name in leave_out:
            continue
        found = _column(frame[name])
        if isinstance(found, Column):
            used.append(found)
        else:
            others[name] = found
    return Columns(tuple(used)), others


def _column(series: pl.Series) -> Column | str:
    """The column, or why it cannot be used."""
    kind = series.dtype
    if series.null_count() == len(series):
        return EMPTY
    if kind.is_temporal():
        return DATES
    if kind.is_numeric() or kind == pl.Boolean:
        return _number_column(series)
    if kind == pl.Binary:
        series = _text(series)
    elif not (kind == pl.String or kind in (pl.Categorical, pl.Enum)):
        return OTHER_TYPE
    texts = _text(series)
    if texts.null_count() == len(texts):
        return EMPTY
    if int(np.isnan(_as_floats(texts)).sum()) <= texts.null_count():
        return _number_column(series)
    counts = texts.drop_nulls().value_counts(sort=True)
    if counts.height > _IDENTIFIER_SHARE * (len(texts) - texts.null_count()) and counts.height > LEAST_ROWS:
        return IDENTIFIER
    common = counts.filter(pl.col("count") >= min(LEAST_ROWS, len(series) // 4))
    names = sorted(common[series.name].to_list()[:MOST_CATEGORIES])
    if len(names) + (len(names) < counts.height) + (texts.null_count() > 0) < 2:
        return CONSTANT
    return Column(series.name, CATEGORY, (*names, OTHER) if len(names) < counts.height else tuple(names))


def _number_column(series: pl.Series) -> Column | str:
    values = _numbers(series)
    known = values[~np.isnan(values)]
    if not len(known):
        return EMPTY
    if (known == known[0]).all() and len(known) == len(values):
        return CONSTANT
    if _is_running_number(known, len(values)):
        return IDENTIFIER
    return Column(series.name, NUMBER)


def _is_running_number(known: Floats, rows: int) -> bool:
    """Whether it only numbers the rows, in whichever order they stand now."""
    if len(known) < rows or rows < 2 * LEAST_ROWS or (known != np.floor(known)).any():
        return False
    steps = np.diff(np.sort(known))
    return bool(steps.min() == steps.max() != 0.0)


def _numbers(series: pl.Series) -> Floats:
    if series.dtype.is_numeric() or series.dtype == pl.Boolean:
        values = series.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy().copy()
    else:
        values = _as_floats(_text(series))
    return np.asarray(np.clip(values, -BEYOND, BEYOND))


def _as_floats(texts: pl.Series) -> Floats:
    """Texts as numbers, NaN where one is none; a comma is the decimal mark where no text has a point."""
    plain = (
        texts if texts.str.contains(".", literal=True).any() else texts.str.replace(",", ".", literal=True)
    )
    numbers = plain.cast(pl.Float64, strict=False)
    return np.asarray(numbers.fill_null(float("nan")).to_numpy(), dtype=np.float64)


def _text(series: pl.Series) -> pl.Series:
    """Trimmed texts, null for a gap however it is written."""
    if series.dtype == pl.Binary:
        words = [None if value is None else value.decode("utf-8", "replace") for value in series.to_list()]
        series = pl.Series(series.name, words, dtype=pl.String)
    texts = series.cast(pl.String, strict=False).str.strip_chars()
    gaps = texts.str.to_lowercase().is_in(list(_NO_VALUE))
    return texts.set(gaps.fill_null(False), None)


def _codes(series: pl.Series, categories: Sequence[str]) -> Floats:
    """Positions among the categories; what is none of them is the other one, if there is, else missing."""
    known = {name: float(code) for code, name in enumerate(categories)}
    rest = known.get(OTHER, float("nan"))
    texts = _text(series).to_list()
    return np.array([float("nan") if word is None else known.get(word, rest) for word in texts])
