"""Which column of the file is which canonical column, and cleaned texts out of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from saldo.core.errors import SaldoError
from saldo.formats.tabular.headers import normalized
from saldo.formats.tabular.mapping import Mapping
from saldo.formats.tabular.read import RawTable
from saldo.formats.tabular.xlsx import ERRORS

EXCERPT_CHARS = 200


def resolved(raw: RawTable, mapping: Mapping) -> dict[str, str]:
    """Canonical name -> column of ``raw``. A column that is named, not optional and absent is an error."""
    by_header: dict[str, str] = {}
    for column in raw.columns:
        by_header.setdefault(normalized(column) or column, column)
    found = {}
    for canonical, headers in mapping.wanted().items():
        match = next((key for h in headers if (key := normalized(h) or h) in by_header), None)
        if match is not None:
            found[canonical] = by_header[match]
            _check_single(raw, found[canonical])
        elif canonical not in mapping.optional and canonical not in mapping.values:
            raise SaldoError(
                "mapping_column_missing",
                column=canonical,
                headers=" / ".join(headers),
                found=", ".join(raw.columns[:40]),
            )
    return found


def _check_single(raw: RawTable, column: str) -> None:
    """The header occurs once, or its copies hold the same: otherwise which one is meant is a guess."""
    twin = f"{column} (2)"
    if twin in raw.columns and not raw.frame[column].equals(raw.frame[twin], check_names=False):
        raise SaldoError("mapping_column_twice", column=column, twin=twin)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows of a raw table, seen through a mapping."""

    frame: pl.DataFrame
    typed: pl.DataFrame | None
    columns: dict[str, str]
    mapping: Mapping
    _cells: dict[str, pl.Series] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.frame)

    def cells(self, canonical: str) -> pl.Series:
        """Trimmed texts, null where blank or where the file has no such column."""
        if canonical not in self.columns:
            return self.nothing(pl.String)
        if not self._cells:
            # All columns at once: on a short file, the calls cost more than the cells.
            stripped = self.frame.select(
                pl.col(column).str.strip_chars().alias(name) for name, column in self.columns.items()
            )
            blank = stripped.with_columns(pl.when(pl.all() != "").then(pl.all()))
            self._cells.update(zip(blank.columns, blank.get_columns(), strict=True))
        return self._cells[canonical]

    def texts(self, canonical: str) -> pl.Series:
        """Like ``cells``, with the profile's constant where blank."""
        cells = self.cells(canonical)
        constant = self.mapping.values.get(canonical)
        return cells if constant is None else cells.fill_null(constant)

    def marks(self, canonical: str) -> pl.Series | None:
        """Which cells were numbers or dates in a workbook; None for text files."""
        if self.typed is None or canonical not in self.columns:
            return None
        return self.typed[self.columns[canonical]]

    def nothing(self, dtype: pl.DataType | type[pl.DataType]) -> pl.Series:
        return pl.Series([None], dtype=dtype).new_from_index(0, len(self))

    def false(self) -> pl.Series:
        return pl.Series([False]).new_from_index(0, len(self))

    def formula_errors(self) -> list[tuple[str, pl.Series]]:
        """Per canonical column, rows whose cell holds an error of a spreadsheet (#N/A)."""
        out: list[tuple[str, pl.Series]] = []
        if not self.columns:
            return out
        cleaned = pl.DataFrame([self.cells(canonical) for canonical in self.columns])
        marked = cleaned.select(pl.all().str.starts_with("#").any())
        for canonical in (name for name in marked.columns if marked[name][0]):
            cells = self.cells(canonical)
            suspects = cells.str.starts_with("#").fill_null(False)
            if suspects.any():
                out.append((canonical, suspects & cells.is_in(list(ERRORS)).fill_null(False)))
        return out

    def excerpts(self, delimiter: str) -> pl.Series:
        joined = pl.concat_str(
            [pl.col(c).fill_null("") for c in self.frame.columns[1:]], separator=delimiter or ";"
        )
        return self.frame.select(joined.str.slice(0, EXCERPT_CHARS).alias("excerpt")).to_series()


def mapped(texts: pl.Series, table: dict[str, str | None]) -> pl.Series:
    """``texts`` replaced by ``table`` (which has every distinct text), null where it says None."""
    if not table:
        return pl.repeat(None, len(texts), dtype=pl.String, eager=True)
    keys = pl.Series(list(table), dtype=pl.String)
    values = pl.Series(list(table.values()), dtype=pl.String)
    return texts.replace_strict(keys, values, default=None, return_dtype=pl.String)


def distinct(texts: pl.Series) -> list[str]:
    return [text for text in texts.unique().to_list() if text is not None]
