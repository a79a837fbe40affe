"""Data files for backtests: CSV, XLSX, ARFF and Parquet, each also gzipped, as a frame of numbers and words.

``read_data`` gives a table with every column typed by its values. ``read_history`` gives the receivables
frame of a list of invoices, by a mapping profile, with the further columns that the profile names. Nothing is
lost silently: a row that cannot be read is a Rejection, and the others are used.
"""

from __future__ import annotations

import gzip
import io
import re
import zlib
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import polars as pl

from saldo.core.errors import Rejection, SaldoError
from saldo.formats.arff import looks_like_arff, read_arff
from saldo.formats.receivables import RECEIVABLES_SCHEMA
from saldo.formats.tabular import Mapping, RawTable, convert, open_table, suggest
from saldo.formats.tabular.evidence import marks_of
from saldo.formats.tabular.headers import ROW, normalized, unique_names
from saldo.formats.tabular.mapping import missing_columns
from saldo.formats.tabular.xlsx import cell_text

MAX_UNPACKED_BYTES = 2 << 30
# A column is one of numbers if so many of its filled cells are; the others are then refused.
NUMBERS_AT_LEAST = 0.95
SAMPLE_CELLS = 20_000
RECEIVABLES = "receivables"
# What programs write where there is no value; #DIV/0! and its like too, being ratios over nothing.
MISSING = ("", "?", "-", ".", "na", "n/a", "n.a.", "nan", "null", "none", "nd", "n.d.")
_GROUPS = {",": r"^([-+]?\d{1,3})(\.\d{3})+(,\d*)?$", ".": r"^([-+]?\d{1,3})(,\d{3})+(\.\d*)?$"}
_NUMBER = re.compile(r"[-+]?[\d.,]*\d[\d.,]*")
# Column of the further columns' frame that says what customers are grouped by.
SEGMENT = "segment"


@dataclass(frozen=True, slots=True)
class DataTable:
    """frame: Float64, Int64, String and Date columns, null = missing. format: csv, xlsx, arff or parquet."""

    frame: pl.DataFrame
    rejections: list[Rejection]
    format: str


@dataclass(frozen=True, slots=True)
class History:
    """A list of invoices. frame: RECEIVABLES_SCHEMA, then ``segment`` (String) and the columns ``extra``.

    missing: further columns that the profile names and the file lacks. ignored: rows that are no receivables
    (blank lines, totals, zeros, document types that the profile ignores). is_suggested: nobody gave the
    profile; notes_it, notes_en: what is then to be checked.
    """

    frame: pl.DataFrame
    extra: tuple[str, ...]
    missing: tuple[str, ...]
    rejections: list[Rejection]
    ignored: int
    mapping: Mapping
    is_suggested: bool
    notes_it: tuple[str, ...] = ()
    notes_en: tuple[str, ...] = ()


def unpacked(data: bytes) -> bytes:
    """``data``, without its gzip if it has one. Raises SaldoError("gzip_broken", "archive_bomb")."""
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            content = stream.read(MAX_UNPACKED_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise SaldoError("gzip_broken", problem=str(error)) from error
    if len(content) > MAX_UNPACKED_BYTES:
        raise SaldoError("archive_bomb", limit=f"{MAX_UNPACKED_BYTES >> 20} MB")
    return content


def read_data(data: bytes, name: str) -> DataTable:
    """The table in a file of any of the formats. Raises SaldoError where there is none."""
    content, name = unpacked(data), name.removesuffix(".gz")
    if content.startswith(b"PAR1"):
        frame, rejections = _parquet(content, name)
        return DataTable(_plain(frame), rejections, "parquet")
    if looks_like_arff(content):
        frame, rejections = read_arff(content, name)
        return DataTable(_without_blank_rows(frame), rejections, "arff")
    raw = open_table(content, name)
    if raw.frame.is_empty() and not raw.rejections:
        raise SaldoError("no_rows")
    frame, rejections = _typed(raw)
    kind = "xlsx" if raw.typed is not None else "csv"
    return DataTable(frame, [*raw.rejections, *rejections], kind)


def read_history(data: bytes, name: str, mapping: Mapping | None = None) -> History:
    """The invoices of a file, read by ``mapping``, or by the profile that fits the file best.

    Raises SaldoError: "mapping_not_receivables" where the file is, or the profile says, something else;
    "mapping_not_proposed" where there is no profile and the file does not show which column is which.
    """
    content, name = unpacked(data), name.removesuffix(".gz")
    raw = _raw(content, name, mapping)
    suggestion = suggest(raw) if mapping is None else None
    used = suggestion.mapping if suggestion else mapping
    assert used is not None
    if used.kind != RECEIVABLES:
        raise SaldoError("mapping_not_receivables", profile=used.name, kind=used.kind)
    if suggestion and (missing := missing_columns(used)):
        raise SaldoError("mapping_not_proposed", file=name, missing=", ".join(missing))
    if suggestion:  # the profile may name a header below title lines, which a first look cannot know
        raw = _raw(content, name, used)
    read = convert(raw, used)
    frame, absent, refused = _with_further_columns(read.frame, raw, used)
    rejections = sorted([*raw.rejections, *read.rejections, *refused], key=lambda one: one.row)
    return History(
        frame,
        tuple(column for column in frame.columns if column not in {*RECEIVABLES_SCHEMA, SEGMENT}),
        absent,
        rejections,
        raw.ignored + len(read.ignored),
        used,
        suggestion is not None,
        tuple(suggestion.notes_it) if suggestion else (),
        tuple(suggestion.notes_en) if suggestion else (),
    )


def _raw(content: bytes, name: str, mapping: Mapping | None) -> RawTable:
    if content.startswith(b"PAR1"):
        return _as_raw(*_parquet(content, name), name)
    if looks_like_arff(content):
        return _as_raw(*read_arff(content, name), name)
    return open_table(content, name, mapping)


def _parquet(content: bytes, name: str) -> tuple[pl.DataFrame, list[Rejection]]:
    """The frame; columns of lists and structures, which are no values, refused by name."""
    try:
        frame = pl.read_parquet(io.BytesIO(content))
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        raise SaldoError("parquet_broken", name=name, problem=str(error).split("\n")[0][:200]) from error
    if frame.is_empty():
        raise SaldoError("no_rows")
    nested = [name for name, kind in frame.schema.items() if kind.is_nested() or kind == pl.Object]
    told = [Rejection("data_column_nested", column, str(frame.schema[column])) for column in nested]
    return frame.drop(nested), told


def _as_raw(frame: pl.DataFrame, rejections: list[Rejection], name: str) -> RawTable:
    """A typed frame as a table of texts whose numbers and dates are exact, like those of a workbook."""
    columns = unique_names(frame.columns)
    texts = {
        column: pl.Series([_cell(value) for value in frame[was].to_list()], dtype=pl.String)
        for column, was in zip(columns, frame.columns, strict=True)
    }
    marks = {
        column: pl.repeat(
            frame.schema[was].is_numeric() or frame.schema[was].is_temporal(), len(frame), eager=True
        )
        for column, was in zip(columns, frame.columns, strict=True)
    }
    rows = pl.int_range(1, len(frame) + 1, dtype=pl.UInt32, eager=True).alias(ROW)
    table = pl.DataFrame([rows, *(series.alias(column) for column, series in texts.items())])
    return RawTable(table, columns, "", "", rejections, name, typed=pl.DataFrame(marks))


def _cell(value: Any) -> str | None:
    if value is None:
        return None
    return format(value, "f") if isinstance(value, Decimal) else cell_text(value)


def _with_further_columns(
    frame: pl.DataFrame, raw: RawTable, mapping: Mapping
) -> tuple[pl.DataFrame, tuple[str, ...], list[Rejection]]:
    """``frame`` with segment and further columns; those the file lacks; rows with unreadable numbers."""
    by_header: dict[str, str] = {}
    for column in raw.columns:
        by_header.setdefault(normalized(column) or column, column)
    found = {
        header: by_header.get(normalized(header) or header)
        for header in (*mapping.extra.columns, *mapping.extra.numbers, *mapping.extra.segment)
    }
    missing = tuple(header for header, column in found.items() if column is None)
    words = [name for header in mapping.extra.columns if (name := found[header]) is not None]
    numeric = [name for header in mapping.extra.numbers if (name := found[header]) is not None]
    segment = next((name for header in mapping.extra.segment if (name := found[header]) is not None), "")
    cells = raw.frame.select(ROW, *dict.fromkeys([*words, *numeric, *([segment] if segment else [])]))
    cells = cells.with_columns(_missing_as_null(pl.exclude(ROW)))
    numbers, bad = _numbers(cells, numeric, mapping.format.decimal, raw.typed)
    refused = [
        Rejection("number_unreadable", f"row {row}", text, {"column": column, "value": text[:80]}, row)
        for column, mask in bad.items()
        for row, text in cells.filter(mask).select(ROW, column).iter_rows()
        if row in set(frame[ROW])
    ]
    further = cells.select(
        ROW,
        (pl.col(segment) if segment else pl.lit(None, dtype=pl.String)).alias("_segment"),
        *(pl.col(column).alias(_free_name(column)) for column in words),
        *(_finite(numbers[column]).alias(_free_name(column)) for column in numeric if column not in words),
    )
    joined = frame.join(further, on=ROW, how="left", maintain_order="left")
    joined = joined.with_columns(pl.coalesce("_segment", "customer_country").alias(SEGMENT)).drop("_segment")
    joined = joined.filter(~pl.col(ROW).is_in([one.row for one in refused]))
    others = [_free_name(column) for column in dict.fromkeys([*words, *numeric])]
    return joined.select(*RECEIVABLES_SCHEMA, SEGMENT, *others), missing, refused


def _finite(numbers: pl.Series) -> pl.Series:
    """``numbers`` without infinities."""
    return pl.DataFrame({"n": numbers}).select(pl.when(pl.col("n").is_finite()).then("n")).to_series()


def _free_name(column: str) -> str:
    """The header, unless a column of the canonical frame has that name."""
    return f"{column} (file)" if column in (*RECEIVABLES_SCHEMA, SEGMENT) else column


def _missing_as_null(column: pl.Expr) -> pl.Expr:
    text = column.str.strip_chars()
    return pl.when(~text.str.to_lowercase().is_in(MISSING) & ~text.str.starts_with("#")).then(text)


def _numbers(
    cells: pl.DataFrame, columns: list[str], decimal: str, typed: pl.DataFrame | None
) -> tuple[dict[str, pl.Series], dict[str, pl.Series]]:
    """Float64 columns, and per column the mask of filled cells that are no numbers (only where there are)."""
    numbers, bad = {}, {}
    for column in columns:
        mark = "." if typed is not None and typed[column].any() else decimal
        numbers[column] = _as_numbers(cells[column], mark)
        unread = numbers[column].is_null() & cells[column].is_not_null()
        if unread.any():
            bad[column] = unread
    return numbers, bad


def _as_numbers(texts: pl.Series, decimal: str) -> pl.Series:
    """Numbers written with this decimal mark; groups of thousands, spaces and a percent sign are allowed."""
    thousands = "." if decimal == "," else ","
    text = pl.col("text").str.replace_all(r"[\s\u00a0'’%]", "")
    plain = pl.when(text.str.contains(_GROUPS[decimal])).then(
        text.str.replace_all(thousands, "", literal=True)
    )
    number = plain.otherwise(text)
    if decimal == ",":  # a point that is no group's mark makes it no number, rather than another number
        number = pl.when(~number.str.contains(".", literal=True)).then(
            number.str.replace(",", ".", literal=True)
        )
    value = number.cast(pl.Float64, strict=False)
    frame = pl.DataFrame({"text": texts.cast(pl.String)})
    return frame.select(value.fill_nan(None)).to_series()


def _typed(raw: RawTable) -> tuple[pl.DataFrame, list[Rejection]]:
    """Each column as numbers where its cells are numbers, else as words; the rows with cells that are not."""
    cells = raw.frame.with_columns(_missing_as_null(pl.exclude(ROW)))
    decimal = _decimal(cells, raw)
    series: list[pl.Series] = [cells[ROW]]
    refused: dict[int, Rejection] = {}
    for column in raw.columns:
        numbers, bad = _numbers(cells, [column], decimal, raw.typed)
        filled = len(cells) - cells[column].null_count()
        read = len(cells) - numbers[column].null_count()
        if not read or read < NUMBERS_AT_LEAST * filled or _is_code(cells[column]):
            series.append(cells[column])
            continue
        series.append(numbers[column].alias(column))
        for row, text in cells.filter(bad[column]).select(ROW, column).iter_rows() if column in bad else ():
            params = {"column": column, "value": text[:80]}
            refused.setdefault(row, Rejection("number_unreadable", f"row {row}", text, params, row))
    frame = pl.DataFrame(series).filter(~pl.col(ROW).is_in(list(refused)))
    return _without_blank_rows(frame.drop(ROW)), list(refused.values())


def _is_code(texts: pl.Series) -> bool:
    """Whether numbers are written with leading zeros, as codes are and quantities are not."""
    return bool(texts.str.contains(r"^0\d").fill_null(False).any())


def _decimal(cells: pl.DataFrame, raw: RawTable) -> str:
    """The decimal mark that the table's cells show."""
    if raw.typed is not None:
        return "."
    found: list[str] = []
    for column in raw.columns:
        sample = cells[column].drop_nulls().head(SAMPLE_CELLS // len(raw.columns) + 20)
        found += [text for text in sample.to_list() if _NUMBER.fullmatch(text)]
    return marks_of(found)[0]


def _plain(frame: pl.DataFrame) -> pl.DataFrame:
    """Columns of the four types; numbers that are none are missing, an infinite ratio is kept."""
    columns = []
    for name, kind in frame.schema.items():
        column = pl.col(name)
        if kind.is_integer():
            columns.append(column.cast(pl.Int64, strict=False))
        elif kind.is_numeric():
            columns.append(column.cast(pl.Float64).fill_nan(None))
        elif kind.is_temporal() and kind not in (pl.Duration, pl.Time):
            columns.append(column.cast(pl.Date))
        else:
            columns.append(_missing_as_null(column.cast(pl.String)).alias(name))
    return _without_blank_rows(frame.select(columns))


def _without_blank_rows(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.filter(~pl.all_horizontal(pl.all().is_null())) if frame.width else frame
