"""Tables that become records: columns read by their type, and the rows refused for what cannot be read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

import numpy as np
import polars as pl

from saldo.core.errors import Rejection
from saldo.core.money import CURRENCY_EXPONENTS
from saldo.formats.tabular.amounts import Amounts, currency_of, read_amounts, why_refused
from saldo.formats.tabular.columns import Chunk, distinct, mapped, resolved
from saldo.formats.tabular.dates import read_dates
from saldo.formats.tabular.mapping import Mapping
from saldo.formats.tabular.parties import countries, vat_numbers, without_leading_zeros
from saldo.formats.tabular.read import RawTable

DEFAULT_CURRENCY = "EUR"
IDENTITY = ("customer_code", "vat", "tax_code", "customer_vat", "customer_name")
_MARKS = ((",", "."), (".", ","))
_NUMBER = re.compile(r"([+-]?)([0-9]{1,15})(?:[.,]([0-9]{0,15}))?")


class Sheet:
    """One table seen through its mapping, while it is checked.

    Every reading method gives a column as long as the table and notes the cells that cannot be read;
    ``kept`` gives the rows without any, ``rejections`` the others with the first reason.
    """

    def __init__(
        self, raw: RawTable, mapping: Mapping, money: tuple[str, ...], keeps_copies: bool = False
    ) -> None:
        """money: canonical names of the columns whose cells show how amounts are written.

        keeps_copies: equal rows are several things (two equal payments) rather than one exported twice.
        """
        self.raw, self.mapping = raw, mapping
        self.chunk = Chunk(raw.frame, raw.typed, resolved(raw, mapping), mapping)
        self.rows: list[int] = raw.frame["row"].to_list()
        self.excerpts: list[str] = self.chunk.excerpts(raw.delimiter).to_list()
        self._checks: list[tuple[pl.Series, str, str]] = []
        self.decimal, self.thousands = self._marks(money)
        for canonical, mask in self.chunk.formula_errors():
            self.check(mask, "formula_error", canonical)
        self._first: dict[int, int] = {}
        if not keeps_copies:
            self._copies()
        self.currency = self._currencies()

    def check(self, mask: pl.Series, code: str, canonical: str) -> None:
        """Refuses the rows of ``mask`` that no earlier check refuses."""
        mask = mask.fill_null(False)
        if mask.any():
            self._checks.append((mask, code, canonical))

    def has(self, canonical: str) -> bool:
        return canonical in self.chunk.columns

    def texts(self, canonical: str) -> list[str | None]:
        return self.chunk.texts(canonical).to_list()

    def identity(self, vat: str = "vat") -> dict[str, list[str | None]]:
        """customer_code, customer_name, tax_code and the VAT number; a row without any of them is refused."""
        country = countries(self.chunk.texts("country"))
        code = self.chunk.texts("customer_code")
        found = {
            "customer_code": without_leading_zeros(code)
            if self.mapping.format.leading_zeros == "strip"
            else code,
            "customer_name": self.chunk.texts("customer_name"),
            "tax_code": self.chunk.texts("tax_code").str.to_uppercase(),
            vat: vat_numbers(self.chunk.texts(vat), country),
        }
        nobody = pl.select(pl.all_horizontal(pl.lit(one.is_null()) for one in found.values())).to_series()
        self.check(nobody, "missing_customer", next((name for name in IDENTITY if self.has(name)), vat))
        return {name: one.to_list() for name, one in found.items()}

    def currencies(self) -> list[str]:
        """ISO codes; the profile's constant, or the euro, where the cell is blank."""
        return self.currency.to_list()

    def days(self, canonical: str) -> pl.Series:
        cells = self.chunk.cells(canonical)
        if not self.has(canonical):
            return self.chunk.nothing(pl.Date)
        days, problems = read_dates(cells, self.chunk.marks(canonical), self.mapping.format.dates)
        for code in ("date_impossible", "date_unreadable"):
            texts = [text for text, problem in problems.items() if problem == code]
            if texts:
                self.check(cells.is_in(texts) & days.is_null(), code, canonical)
        return days

    def mills(self, canonical: str) -> pl.Series:
        """Amounts as Int64 mills, null where blank."""
        if not self.has(canonical):
            return self.chunk.nothing(pl.Int64)
        read = self._read(self.chunk.cells(canonical), self.chunk.marks(canonical))
        self.check(read.bad, "amount_refused", canonical)
        if self.mapping.amount.extra_decimals == "refuse":
            # More decimals than the currency has: rather a thousands mark taken for a decimal one.
            allowed = {code: CURRENCY_EXPONENTS.get(code, 2) for code in distinct(self.currency)}
            exponents = self.currency.replace_strict(allowed, default=2, return_dtype=pl.UInt8)
            self.check(read.decimals > exponents, "amount_decimals", canonical)
        return read.mills

    def is_amount(self, column: str) -> pl.Series:
        """Which cells of a column of the file, mapped or not, hold an amount."""
        cells = self.raw.frame[column].str.strip_chars()
        typed = self.raw.typed[column] if self.raw.typed is not None else None
        read = self._read(cells, typed)
        return read.mills.is_not_null() & ~read.bad

    def numbers(self, canonical: str) -> list[Decimal | None]:
        """Plain numbers without groups of thousands: a single point or comma is the decimal mark."""
        texts = self.texts(canonical)
        found = [number_of(text) for text in texts]
        bad = [text is not None and number is None for text, number in zip(texts, found, strict=True)]
        self.check(pl.Series(bad, dtype=pl.Boolean), "number_unreadable", canonical)
        return found

    def kept(self) -> list[int]:
        """Positions of the rows that nothing refuses."""
        return [int(at) for at in np.flatnonzero(self._reasons() < 0)]

    def refused_for_good(self) -> list[int]:
        """Positions of the refused rows whose content is missing: not those that repeat another."""
        return [int(at) for at in np.flatnonzero(self._reasons() >= 0) if int(at) not in self._first]

    def rejections(self) -> list[Rejection]:
        """One per refused row, in the order of the rows."""
        reasons = self._reasons()
        return [
            self._rejection(int(at), *self._checks[reasons[at]][1:]) for at in np.flatnonzero(reasons >= 0)
        ]

    def _reasons(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        reasons = np.full(len(self.rows), -1, dtype=np.int64)
        for index in range(len(self._checks) - 1, -1, -1):
            reasons[self._checks[index][0].to_numpy()] = index
        return reasons

    def _rejection(self, at: int, code: str, canonical: str) -> Rejection:
        column = self.chunk.columns.get(canonical, canonical)
        value = self.chunk.cells(canonical)[at] or ""
        if code == "amount_refused":
            marks = self.chunk.marks(canonical)
            typed = bool(marks is not None and marks[at])
            code = why_refused(value, typed, self.decimal, self.thousands)
            if not typed and not self.thousands and self._ambiguous(pl.Series([value]))[0]:
                code = "amount_ambiguous"
        params = {
            "column": column,
            "value": value[:80],
            "currency": value[:20] if code == "unknown_currency" else self.currency[at],
            "decimal": self.decimal,
            "thousands": self.thousands,
            "dates": ", ".join(self.mapping.format.dates),
            "number": self.chunk.cells("number")[at] or "-",
            "first": self._first.get(at, 0),
        }
        row = self.rows[at]
        return Rejection(code, f"row {row}", self.excerpts[at] or "", params, row)

    def _currencies(self) -> pl.Series:
        cells = self.chunk.texts("currency")
        known: dict[str, str | None] = {
            text: currency_of(text) or currency_of(text.upper()) or None for text in distinct(cells)
        }
        found = mapped(cells, known)
        self.check(cells.is_not_null() & found.is_null(), "unknown_currency", "currency")
        return found.fill_null(DEFAULT_CURRENCY)

    def _copies(self) -> None:
        """Rows that repeat an earlier one in every cell."""
        seen: dict[tuple[str | None, ...], int] = {}
        for at, cells in enumerate(self.raw.frame.drop("row").iter_rows()):
            first = seen.setdefault(cells, self.rows[at])
            if first != self.rows[at]:
                self._first[at] = first
        self.check(pl.Series([at in self._first for at in range(len(self.rows))], dtype=pl.Boolean),
                   "duplicate_row", "number")  # fmt: skip

    def _read(self, cells: pl.Series, typed: pl.Series | None) -> Amounts:
        read = read_amounts(cells, typed, self.decimal, self.thousands)
        if self.thousands or self.mapping.format.decimal != "auto":
            return read
        # No cell of the file shows which mark is which: those that could be read in two ways are refused.
        bad = read.bad | self._ambiguous(_untyped(cells, typed))
        return Amounts(
            read.mills.zip_with(~bad, self.chunk.nothing(pl.Int64)), read.decimals, read.symbol, bad
        )

    def _ambiguous(self, cells: pl.Series) -> pl.Series:
        if self.mapping.format.decimal != "auto":
            return pl.repeat(False, len(cells), dtype=pl.Boolean, eager=True)
        one, other = (read_amounts(cells, None, decimal, thousands) for decimal, thousands in _MARKS)
        return (one.mills != other.mills).fill_null(False)

    def _marks(self, money: tuple[str, ...]) -> tuple[str, str]:
        """Decimal and thousands mark: as the profile says, or as the amounts of the whole file prove.

        Without a proof the thousands mark is "", and what could be read in two ways is refused.
        """
        form = self.mapping.format
        if form.decimal != "auto":
            return form.decimal, form.thousands
        proven: set[tuple[str, str]] = set()
        for canonical in money:
            cells = _untyped(self.chunk.cells(canonical), self.chunk.marks(canonical))
            one, other = (read_amounts(cells, None, *marks) for marks in _MARKS)
            if (other.bad & ~one.bad).any():
                proven.add(_MARKS[0])
            if (one.bad & ~other.bad).any():
                proven.add(_MARKS[1])
        return proven.pop() if len(proven) == 1 else (",", "")

    def unmapped(self) -> Iterator[str]:
        """The columns of the file that the mapping gives no meaning."""
        meant = set(self.chunk.columns.values())
        return (column for column in self.raw.columns if column not in meant)


def _untyped(cells: pl.Series, typed: pl.Series | None) -> pl.Series:
    """The cells that are texts: a number of a workbook needs no marks."""
    return (
        cells
        if typed is None
        else pl.repeat(None, len(cells), dtype=pl.String, eager=True).zip_with(typed.fill_null(False), cells)
    )


def number_of(text: str | None) -> Decimal | None:
    """The number in ``text``, None when it is none."""
    match = _NUMBER.fullmatch(text.replace(" ", "")) if text else None
    return Decimal(f"{match[1]}{match[2]}.{match[3] or '0'}") if match else None
