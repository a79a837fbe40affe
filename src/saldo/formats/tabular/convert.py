"""Receivables from a raw table: every cell read exactly as the profile says, or its row refused.

Rows are converted in chunks, column by column; Python looks only at the rows that are refused.
Rows in = rows of the frame + rejections (of reading and of converting) + ignored rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from saldo.core.errors import Rejection
from saldo.core.money import CURRENCY_EXPONENTS
from saldo.formats.receivables import RECEIVABLES_SCHEMA
from saldo.formats.tabular.amounts import Amounts, currency_of, mark_contradicts, read_amounts, why_refused
from saldo.formats.tabular.columns import Chunk, distinct, mapped, resolved
from saldo.formats.tabular.dates import read_dates
from saldo.formats.tabular.duplicates import numbered
from saldo.formats.tabular.headers import normalized
from saldo.formats.tabular.mapping import Mapping
from saldo.formats.tabular.parties import countries, vat_numbers, without_leading_zeros
from saldo.formats.tabular.read import TOTAL_WORDS, RawTable
from saldo.formats.tabular.signs import Signed, signed

CHUNK_ROWS = 250_000
MONEY_COLUMNS = ("amount", "open", "paid", "debit", "credit", "split_vat", "withholding")
DATE_COLUMNS = ("document_date", "due_date", "settled_date", "source_at")
TEXT_COLUMNS = ("terms_text", "payment_method", "order_ref", "source_key")
MAX_INSTALLMENT = 65_535
MAX_IDENTIFIER_CHARS = 60
IGNORED_SCHEMA = {"row": pl.UInt32, "reason": pl.String}


@dataclass(frozen=True, slots=True)
class Converted:
    """frame: RECEIVABLES_SCHEMA. rejections: by row, without those of ``raw``.
    ignored: row, reason ("kind": the profile ignores that document type; "total"; "zero")."""

    frame: pl.DataFrame
    rejections: list[Rejection]
    ignored: pl.DataFrame


def to_receivables(
    raw: RawTable, mapping: Mapping, default_currency: str | None = None
) -> tuple[pl.DataFrame, list[Rejection]]:
    """The canonical receivables frame and the refused rows, in addition to ``raw.rejections``."""
    converted = convert(raw, mapping, default_currency)
    return converted.frame, converted.rejections


def convert(raw: RawTable, mapping: Mapping, default_currency: str | None = None) -> Converted:
    """As ``to_receivables``, with the ignored rows. ``default_currency``: the company's, for rows without
    one; it decides how many decimals an amount may have (two where it is not known either)."""
    columns = resolved(raw, mapping)
    frames, ignored = [], []
    rejections: list[Rejection] = []
    for start in range(0, max(1, len(raw.frame)), CHUNK_ROWS):
        typed = raw.typed.slice(start, CHUNK_ROWS) if raw.typed is not None else None
        chunk = Chunk(raw.frame.slice(start, CHUNK_ROWS), typed, columns, mapping)
        part = _Part(chunk, raw.delimiter, default_currency)
        frames.append(part.frame())
        rejections += part.rejections()
        ignored.append(part.ignored())
    frame, refused = numbered(pl.concat(frames, rechunk=False), mapping)
    rejections += refused
    rejections.sort(key=lambda rejection: rejection.row)
    return Converted(frame.select(list(RECEIVABLES_SCHEMA)), rejections, pl.concat(ignored))


@dataclass(slots=True)
class _Checks:
    """Row masks with the error they mean, in the order in which a person would fix them."""

    found: list[tuple[pl.Series, str, str]] = field(default_factory=list)

    def add(self, mask: pl.Series, code: str, canonical: str) -> None:
        if mask.null_count():
            mask = mask.fill_null(False)
        if mask.any():
            self.found.append((mask, code, canonical))

    def first(self, rows: int) -> npt.NDArray[np.int16]:
        """Per row, the index of its first check, or -1."""
        reason = np.full(rows, -1, dtype=np.int16)
        for index in range(len(self.found) - 1, -1, -1):
            reason[self.found[index][0].to_numpy()] = index
        return reason


class _Part:
    """One chunk on its way: columns computed once, then the frame, the refused and the ignored rows."""

    def __init__(self, chunk: Chunk, delimiter: str, default_currency: str | None) -> None:
        self.chunk, self.delimiter, self.default = chunk, delimiter, default_currency
        self.mapping = chunk.mapping
        self.checks = _Checks()
        self.out: dict[str, pl.Series] = {"row": chunk.frame["row"], "excerpt": chunk.excerpts(delimiter)}
        self.skipped: dict[str, pl.Series] = {"total": self._totals()}
        for canonical, mask in chunk.formula_errors():
            self.checks.add(mask, "formula_error", canonical)
        self._parties()
        self._document()
        self._money()
        self._reason = self._decided()

    def _totals(self) -> pl.Series:
        """Lines of totals: no dates, no number (or the word itself there), and a cell that says total."""
        number, dated = self.chunk.cells("number"), self.chunk.false()
        for canonical in ("document_date", "due_date"):
            dated = dated | self.chunk.cells(canonical).is_not_null()
        candidate = ~dated & (number.is_null() | number.str.contains(TOTAL_WORDS).fill_null(False))
        if not candidate.any():
            return candidate
        says = pl.any_horizontal(
            pl.col(column).str.contains(TOTAL_WORDS).fill_null(False)
            for column in self.chunk.frame.columns[1:]
        )
        return candidate & self.chunk.frame.select(says).to_series()

    def _parties(self) -> None:
        chunk, out = self.chunk, self.out
        out["company_code"] = chunk.texts("company_code")
        out["company_vat"] = chunk.nothing(pl.String)
        code = chunk.cells("customer_code")
        out["customer_code"] = (
            without_leading_zeros(code) if self.mapping.format.leading_zeros == "strip" else code
        )
        out["customer_name"] = chunk.cells("customer_name")
        out["customer_country"] = countries(chunk.texts("customer_country"))
        out["customer_vat"] = vat_numbers(chunk.cells("customer_vat"), out["customer_country"])
        out["customer_tax_code"] = chunk.cells("customer_tax_code").str.to_uppercase()
        nobody = code.is_null() & out["customer_vat"].is_null() & out["customer_tax_code"].is_null()
        if "customer_code" not in chunk.columns:
            nobody = nobody & out["customer_name"].is_null()
        identity = ("customer_code", "customer_vat", "customer_tax_code", "customer_name")
        self.checks.add(
            nobody,
            "missing_customer",
            next((name for name in identity if name in chunk.columns), identity[0]),
        )

    def _document(self) -> None:
        chunk, out, checks = self.chunk, self.out, self.checks
        out["number"] = chunk.cells("number")
        checks.add(out["number"].is_null(), "missing_number", "number")
        for canonical in ("number", "customer_code"):
            # The ledger would have to cut it, and what is cut alike would become one document or customer.
            too_long = chunk.cells(canonical).str.len_chars() > MAX_IDENTIFIER_CHARS
            checks.add(too_long, "identifier_too_long", canonical)
        for canonical in DATE_COLUMNS:
            if canonical not in chunk.columns:
                out[canonical] = chunk.nothing(pl.Date)
                if canonical == "document_date":  # a proposal may lack it; a profile cannot
                    checks.add(~chunk.false(), "missing_date", canonical)
                continue
            cells = chunk.cells(canonical)
            dates, problems = read_dates(cells, chunk.marks(canonical), self.mapping.format.dates)
            out[canonical] = dates
            for code in ("date_impossible", "date_unreadable"):
                texts = [text for text, problem in problems.items() if problem == code]
                if texts:
                    checks.add(cells.is_in(texts) & dates.is_null(), code, canonical)
            if canonical == "document_date":
                checks.add(dates.is_null(), "missing_date", canonical)
        for canonical in TEXT_COLUMNS:
            out[canonical] = chunk.texts(canonical)
        out["installment_no"] = self._installments()
        self._currency()
        self._kinds()

    def _installments(self) -> pl.Series:
        if "installment_no" not in self.chunk.columns:
            return pl.repeat(1, len(self.chunk), dtype=pl.UInt16, eager=True)
        cells = self.chunk.cells("installment_no")
        texts = pl.Series(distinct(cells), dtype=pl.String)
        # "2/3" and "2 di 3" are the second of three
        numbers = texts.str.extract(r"^0*(\d{1,5})(?:\s*(?:/|di|of|von)\s*\d{1,5})?(?:\.0+)?$").cast(pl.Int64)
        number = cells.replace_strict(texts, numbers, default=None, return_dtype=pl.Int64)
        fits = number.is_between(1, MAX_INSTALLMENT).fill_null(False)
        self.checks.add(cells.is_not_null() & ~fits, "installment_unreadable", "installment_no")
        one = pl.repeat(1, len(cells), dtype=pl.Int64, eager=True)
        return number.zip_with(fits, one).cast(pl.UInt16)

    def _currency(self) -> None:
        cells = self.chunk.cells("currency")
        table: dict[str, str | None] = {
            text: currency_of(text) or currency_of(text.upper()) or None for text in distinct(cells)
        }
        currency = mapped(cells, table)
        self.checks.add(cells.is_not_null() & currency.is_null(), "unknown_currency", "currency")
        constant = self.mapping.values.get("currency")
        self.out["currency"] = currency.fill_null(constant) if constant else currency

    def _kinds(self) -> None:
        default = None if self.mapping.default_kind == "refuse" else self.mapping.default_kind
        cells = self.chunk.cells("kind")
        table = {text: self.mapping.kinds.get(normalized(text), default) for text in distinct(cells)}
        kind = mapped(cells, table)
        self.checks.add(cells.is_not_null() & kind.is_null(), "kind_unknown", "kind")
        self.kind = kind.fill_null(default or "invoice")
        self.skipped["kind"] = self.kind == "ignore"

    def _money(self) -> None:
        form = self.mapping.format
        self.amounts: dict[str, Amounts] = {}
        for canonical in MONEY_COLUMNS:
            if canonical in self.chunk.columns:
                cells, marks = self.chunk.cells(canonical), self.chunk.marks(canonical)
                self.amounts[canonical] = read_amounts(cells, marks, form.decimal, form.thousands)
        for canonical, read in self.amounts.items():
            self.checks.add(read.bad, "amount_refused", canonical)
            self._marks(canonical, read)
        self._decimals()
        sides = signed(self.chunk, {name: read.mills for name, read in self.amounts.items()}, self.kind)
        self._signs(sides)

    def _marks(self, canonical: str, read: Amounts) -> None:
        """The currency mark in an amount cell agrees with the row's currency, or is it."""
        if read.symbol.null_count() == len(read.symbol):
            return
        pairs = pl.DataFrame({"symbol": read.symbol, "currency": self.out["currency"]})
        unknown, contradicts, stated = [], [], {}
        for symbol, currency in pairs.unique().drop_nulls("symbol").iter_rows():
            if symbol != "$" and not currency_of(symbol):
                unknown.append(symbol)
            elif currency is not None or symbol == "$":
                if mark_contradicts(symbol, currency or self.default or ""):
                    contradicts.append((symbol, currency))
            else:
                stated[symbol] = currency_of(symbol)
        self.checks.add(read.symbol.is_in(unknown), "unknown_currency", canonical)
        for symbol, currency in contradicts:
            same = pairs["currency"].is_null() if currency is None else pairs["currency"] == currency
            self.checks.add((read.symbol == symbol) & same, "amount_currency_conflict", canonical)
        if stated:
            keys, values = list(stated), list(stated.values())
            found = read.symbol.replace_strict(keys, values, default=None, return_dtype=pl.String)
            self.out["currency"] = self.out["currency"].zip_with(self.out["currency"].is_not_null(), found)

    def _decimals(self) -> None:
        if self.mapping.amount.extra_decimals == "keep":
            return
        currency = self.out["currency"].fill_null(self.default) if self.default else self.out["currency"]
        usual = CURRENCY_EXPONENTS.get(self.default or "", 2)
        codes = distinct(currency)
        allowed: pl.Series | int = usual
        if any(CURRENCY_EXPONENTS[code] != usual for code in codes):
            exponents = [CURRENCY_EXPONENTS[code] for code in codes]
            allowed = currency.replace_strict(codes, exponents, default=usual, return_dtype=pl.UInt8)
        for canonical, read in self.amounts.items():
            self.checks.add(read.decimals > allowed, "amount_decimals", canonical)

    def _signs(self, sides: Signed) -> None:
        main = next((name for name in ("amount", "debit", "open") if name in self.chunk.columns), "amount")
        for mask, code, canonical in sides.problems:
            self.checks.add(mask, code, canonical or main)
        self.out["kind"], self.out["amount_mills"] = sides.kind, sides.amount
        settled = self.out["settled_date"]
        closes = self.mapping.amount.closed_when
        opened = sides.open
        if closes == "settled_date":
            zero = pl.repeat(0, len(self.chunk), dtype=pl.Int64, eager=True)
            opened = zero.zip_with(settled.is_not_null(), opened)
        elif closes == "open_zero":
            nothing = self.chunk.nothing(pl.Date)
            self.out["settled_date"] = settled.zip_with((opened == 0).fill_null(False), nothing)
        self.out["open_mills"] = opened
        for canonical in ("split_vat", "withholding"):
            mills = self.amounts[canonical].mills.fill_null(0) if canonical in self.amounts else None
            self.out[f"{canonical}_mills"] = (
                mills.abs()
                if mills is not None
                else pl.repeat(0, len(self.chunk), dtype=pl.Int64, eager=True)
            )
        self.skipped["zero"] = ((sides.amount == 0) & (sides.open.fill_null(0) == 0)).fill_null(False)

    def _decided(self) -> npt.NDArray[np.int16]:
        reason = self.checks.first(len(self.chunk))
        for name in ("kind", "total"):  # these are no documents: whatever else is odd in them is no error
            reason[self.skipped[name].fill_null(False).to_numpy()] = -2
        zero = self.skipped["zero"].to_numpy()
        reason[zero & (reason == -1)] = -2
        return reason

    def frame(self) -> pl.DataFrame:
        schema: dict[str, Any] = RECEIVABLES_SCHEMA
        frame = pl.DataFrame({name: self.out[name].alias(name) for name in schema}, schema_overrides=schema)
        kept = self._reason == -1
        return frame if kept.all() else frame.filter(pl.Series(kept))

    def ignored(self) -> pl.DataFrame:
        rows = pl.Series(self._reason == -2)
        if not rows.any():
            return pl.DataFrame(schema=IGNORED_SCHEMA)
        reason = (
            pl.when("total").then(pl.lit("total")).when("kind").then(pl.lit("kind")).otherwise(pl.lit("zero"))
        )
        masks = pl.DataFrame({"row": self.out["row"], **self.skipped})
        return (
            masks.with_columns(pl.col("total", "kind").fill_null(False))
            .filter(rows)
            .select("row", reason=reason)
        )

    def rejections(self) -> Iterator[Rejection]:
        for index in np.flatnonzero(self._reason >= 0).tolist():
            _, code, canonical = self.checks.found[self._reason[index]]
            yield self._rejection(index, code, canonical)

    def _rejection(self, index: int, code: str, canonical: str) -> Rejection:
        form = self.mapping.format
        column = self.chunk.columns.get(canonical, canonical)
        value = self.chunk.frame[column][index] if canonical in self.chunk.columns else None
        marks = self.chunk.marks(canonical)
        if code == "amount_refused":
            code = why_refused(
                value or "", bool(marks is not None and marks[index]), form.decimal, form.thousands
            )
        row = int(self.out["row"][index])
        params = {
            "column": column,
            "value": (value or "").strip()[:80],
            "currency": self._stated_currency(index, code, value),
            "decimal": form.decimal,
            "thousands": form.thousands,
            "dates": ", ".join(form.dates),
            "kind": self.kind[index],
            "limit": MAX_IDENTIFIER_CHARS,
        }
        return Rejection(code, f"row {row}", self.out["excerpt"][index] or "", params, row)

    def _stated_currency(self, index: int, code: str, value: str | None) -> str:
        if code == "unknown_currency":
            return (value or "").strip()[:20]
        return self.out["currency"][index] or self.default or "EUR"
