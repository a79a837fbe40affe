"""CSV and Excel exports: from bytes to a frame of texts with the line number of every row.

Nothing is padded, cut or dropped silently: a row with too many or too few cells is a Rejection with its
text, blank and separator lines are counted, and the rest is one Utf8 column per header.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np
import numpy.typing as npt
import polars as pl

from saldo.core.errors import Rejection, SaldoError, clipped
from saldo.formats.tabular import csv_text, xlsx
from saldo.formats.tabular.headers import (
    MAX_COLUMNS,
    MAX_PREAMBLE_ROWS,
    ROW,
    header_position,
    unique_names,
    without_blank_tail,
)
from saldo.formats.tabular.mapping import Mapping
from saldo.formats.tabular.vocabulary import usual_header

TOTAL_WORDS = (
    r"(?i)^\W*(?:(?:sub|grand|gran|gesamt)?[\s-]*(?:totale?|totali|totals)|gesamtsumme|summe|\*+)(?:\W|$)"
)
_TOTAL = re.compile(TOTAL_WORDS)
_SEPARATOR_LINE = re.compile(r"[\s\-=_*.,;|+\"]*")
_OTHER_FORMATS = (b"%PDF", b"\x89PNG", b"\x1f\x8b", b"\xff\xd8\xff", b"Rar!", b"7z\xbc\xaf", b"BZh")
# A trailing delimiter or two is common; more cells than this beyond the header are not a habit.
MAX_SPARE_CELLS = 20


@dataclass(frozen=True, slots=True)
class LooseRow:
    """A row outside the table: its line, its cells, and which of them were numbers or dates in a workbook."""

    line: int
    cells: tuple[str, ...]
    typed: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class RawTable:
    """A table as text. frame: row (UInt32, line number) + one Utf8 column per header, null or "" = blank.

    typed: Boolean columns for workbooks, true where the cell was a number or a date (else None).
    ignored: blank lines, separator lines, repeated headers and total lines that were left out.
    preamble: the rows above the header. is_ended: a text ends with a line end, so that its last row is whole.
    """

    frame: pl.DataFrame
    columns: list[str]
    encoding: str
    delimiter: str
    rejections: list[Rejection]
    name: str = ""
    sheet: str = ""
    header_row: int = 1
    ignored: int = 0
    typed: pl.DataFrame | None = field(default=None, repr=False)
    preamble: tuple[LooseRow, ...] = ()
    is_ended: bool = True


def open_table(data: bytes, name: str, mapping: Mapping | None = None) -> RawTable:
    """Reads a CSV or XLSX file. Raises SaldoError where there is no table to speak of."""
    if not data or data.isspace():
        raise SaldoError("empty_file")
    if data.startswith(b"PK\x03\x04"):
        return _open_workbook(data, name, mapping)
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise SaldoError("xls_not_read", name=name)
    start = data[:512].lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    if data.startswith(_OTHER_FORMATS) or start.startswith(
        (b"<!doctype", b"<html", b"<?xml", b"<table", b"{\\rtf")
    ):
        raise SaldoError("not_a_table", name=name)
    return _open_text(data, name, mapping)


def _known_headers(mapping: Mapping | None) -> list[str]:
    return mapping.headers() if mapping else []


def _open_text(data: bytes, name: str, mapping: Mapping | None) -> RawTable:
    declared = mapping.format if mapping else None
    text = csv_text.to_utf8(data, declared.encoding if declared else "")
    if not text.data or text.data.isspace() or not text.data.strip(b"\x00 \r\n\t"):
        raise SaldoError("empty_file")
    delimiter = (declared.delimiter if declared else "") or csv_text.find_delimiter(
        text.data, _known_headers(mapping)
    )
    records = csv_text.find_records(text.data, delimiter)
    if not records.regular:
        return _Irregular(text, delimiter, name, mapping).table()
    heads = _heads(text.data, delimiter, records)
    skip = declared.skip_rows if declared else None
    head = _header_index([int(line) for line in records.lines[: len(heads)]], heads, skip, mapping)
    header = without_blank_tail(heads[head])
    _check_width(len(header))
    body = _body(text.data, delimiter, records, head + 1, len(header))
    frame = _parsed(body.data, delimiter, body.width)
    if len(frame) != len(body.lines):  # the reader saw other borders than we did: read it the slow way
        return _Irregular(text, delimiter, name, mapping).table()
    table = _table(
        frame,
        header,
        body.lines,
        body.rejections,
        body.ignored,
        text,
        delimiter,
        name,
        int(records.lines[head]),
    )
    return replace(
        table, preamble=_loose(records.lines[:head].tolist(), heads), is_ended=_is_ended(text.data)
    )


def _loose(lines: Sequence[int], heads: Sequence[Sequence[str]]) -> tuple[LooseRow, ...]:
    return tuple(LooseRow(line, tuple(cells)) for line, cells in zip(lines, heads, strict=False))


def _is_ended(data: bytes) -> bool:
    return data[-1:] == b"\n"


def _check_width(columns: int) -> None:
    if columns > MAX_COLUMNS:
        raise SaldoError("too_many_columns", columns=columns, limit=MAX_COLUMNS)
    if not columns:
        raise SaldoError("empty_file")


def _heads(data: bytes, delimiter: str, records: csv_text.Records) -> list[list[str]]:
    """Cells of the first records; an absurdly wide one is not even split."""
    count = min(MAX_PREAMBLE_ROWS, len(records.starts))
    wide = records.cells[:count] > MAX_COLUMNS + MAX_SPARE_CELLS
    if count and (wide[0] or wide.sum() * 2 > count):
        raise SaldoError("too_many_columns", columns=int(records.cells[:count].max()), limit=MAX_COLUMNS)
    return [[] if wide[i] else csv_text.cells_of(_record(data, records, i), delimiter) for i in range(count)]


def _record(data: bytes, records: csv_text.Records, index: int) -> str:
    piece = data[
        records.starts[index] : min(records.ends[index], records.starts[index] + csv_text.MAX_RECORD_BYTES)
    ]
    return piece.decode("utf-8", "replace")


def _header_index(
    lines: Sequence[int], heads: Sequence[Sequence[str]], skip: int | None, mapping: Mapping | None
) -> int:
    if skip is not None:
        head = next(
            (i for i, line in enumerate(lines) if line > skip and any(c.strip() for c in heads[i])), -1
        )
    elif mapping is None and (usual := usual_header(heads)) >= 0:
        head = usual
    else:
        head = header_position(heads, _known_headers(mapping))
    if head < 0:
        raise SaldoError("empty_file")
    return head


@dataclass(frozen=True, slots=True)
class _Body:
    data: bytes
    lines: npt.NDArray[np.int64]
    width: int
    rejections: list[Rejection]
    ignored: int


def _body(data: bytes, delimiter: str, records: csv_text.Records, first: int, columns: int) -> _Body:
    """The records of acceptable width, as one text; the others refused, repaired or ignored."""
    cells, starts, ends = records.cells[first:], records.starts[first:], records.ends[first:]
    usual = (
        int(np.bincount(np.minimum(cells, columns + MAX_SPARE_CELLS + 1)).argmax()) if len(cells) else columns
    )
    width = usual if columns <= usual <= columns + MAX_SPARE_CELLS else columns
    good = (
        (cells >= columns) & (cells <= width) & (ends - starts <= csv_text.MAX_RECORD_BYTES) & (ends > starts)
    )
    rejections: list[Rejection] = []
    repaired: dict[int, bytes] = {}
    ignored = 0
    for index in np.flatnonzero(~good).tolist():
        text = _record(data, records, first + index)
        verdict = _outlier(text, int(cells[index]), int(ends[index] - starts[index]), columns, delimiter)
        if isinstance(verdict, bytes):
            repaired[index] = verdict
        elif verdict == "ignored":
            ignored += 1
        else:
            line = int(records.lines[first + index])
            rejections.append(_refused(verdict, line, text, int(cells[index]), columns))
    good[list(repaired)] = True
    at = np.flatnonzero(good)
    return _Body(
        _joined(data, starts, ends, at, repaired), records.lines[first:][at], width, rejections, ignored
    )


def _outlier(text: str, cells: int, size: int, columns: int, delimiter: str) -> str | bytes:
    """What becomes of a record of unusual width: "ignored", an error code, or its repaired bytes."""
    if size > csv_text.MAX_RECORD_BYTES:
        return "row_too_long"
    if _SEPARATOR_LINE.fullmatch(text):
        return "ignored"
    if cells < columns:
        return "ignored" if _TOTAL.match(text.lstrip(f' "{delimiter}')) else "row_too_few_cells"
    values = csv_text.cells_of(text, delimiter)
    if any(value.strip() for value in values[columns:]):
        return "row_too_many_cells"
    return _written(values[:columns], delimiter).rstrip(b"\n")


def _refused(code: str, line: int, text: str, cells: int, columns: int) -> Rejection:
    return Rejection(code, f"row {line}", text[:300], {"cells": cells, "columns": columns}, line)


def _written(values: Sequence[str], delimiter: str) -> bytes:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\n").writerow(values)
    return out.getvalue().encode("utf-8", "replace")


def _joined(
    data: bytes,
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    at: npt.NDArray[np.int64],
    repaired: dict[int, bytes],
) -> bytes:
    """The chosen records, copied run by run."""
    if not len(at):
        return b""
    is_repaired = np.isin(at, list(repaired))
    breaks = np.flatnonzero((np.diff(at) != 1) | is_repaired[1:] | is_repaired[:-1]) + 1
    firsts = np.concatenate(([0], breaks))
    lasts = np.concatenate((breaks, [len(at)])) - 1
    view = memoryview(data)
    pieces: list[bytes | memoryview] = []
    for first, last in zip(at[firsts].tolist(), at[lasts].tolist(), strict=True):
        pieces.append(repaired[first] if first in repaired else view[starts[first] : ends[last]])
    return b"\n".join(pieces) + b"\n"


def _parsed(body: bytes, delimiter: str, width: int) -> pl.DataFrame:
    schema = {f"c{i}": pl.String for i in range(width)}
    if not body:
        return pl.DataFrame(schema=schema)
    # The library counts columns by the first record, which may lack the spare cells that others have.
    is_short = len(csv_text.cells_of(body[: body.find(b"\n")].decode("utf-8", "replace"), delimiter)) < width
    if is_short:
        body = delimiter.encode() * (width - 1) + b"\n" + body
    frame = pl.read_csv(
        body,
        has_header=False,
        schema=schema,
        separator=delimiter,
        quote_char='"' if b'"' in body else None,
        infer_schema=False,
        raise_if_empty=False,
    )
    return frame.slice(1) if is_short else frame


def _table(
    frame: pl.DataFrame,
    header: list[str],
    lines: npt.NDArray[np.int64] | list[int],
    rejections: list[Rejection],
    ignored: int,
    text: csv_text.Text,
    delimiter: str,
    name: str,
    header_row: int,
) -> RawTable:
    """Names the columns and sets aside rows with spare cells, NUL or unreadable bytes, and blank rows."""
    columns = unique_names(header)
    spare = [f"c{i}" for i in range(len(header), frame.width)]
    numbers = pl.Series(ROW, lines, dtype=pl.UInt32)
    frame = frame.rename({f"c{i}": column for i, column in enumerate(columns)}).insert_column(0, numbers)
    checks = [("row_too_many_cells", [pl.col(c).fill_null("").str.strip_chars() != "" for c in spare])]
    if b"\x00" in text.data:
        checks.append(("row_nul", [pl.col(c).str.contains("\x00", literal=True) for c in columns]))
    if text.damaged:
        checks.append(("row_undecodable", [pl.col(c).str.contains("�", literal=True) for c in columns]))
    for code, conditions in checks:
        if not conditions:
            continue
        bad = frame.select(pl.any_horizontal(conditions).fill_null(False)).to_series()
        if bad.any():
            for row in frame.filter(bad).iter_rows():
                cells = ["" if value is None else str(value) for value in row[1:]]
                rejections.append(_refused(code, row[0], delimiter.join(cells), len(cells), len(columns)))
            frame = frame.filter(~bad)
    frame = frame.select(ROW, *columns)
    blank = _left_out(frame, columns, header)
    if blank.any():
        ignored += int(blank.sum())
        frame = frame.filter(~blank)
    rejections.sort(key=lambda rejection: rejection.row)
    return RawTable(frame, columns, text.encoding, delimiter, rejections, name, "", header_row, ignored)


def _left_out(frame: pl.DataFrame, columns: Sequence[str], header: Sequence[str]) -> pl.Series:
    """Mask of the rows that are blank, or repeat the header (a new printed page)."""
    texts = [text.strip() for text in header]
    first = pl.col(columns[0]).fill_null("").str.strip_chars()
    mask = frame.select((first == "") | (first == texts[0])).to_series()
    if not mask.any():
        return mask
    blank = [pl.col(column).fill_null("").str.strip_chars() == "" for column in columns]
    repeated = [
        pl.col(column).fill_null("").str.strip_chars() == text
        for column, text in zip(columns, texts, strict=True)
    ]
    some = frame.filter(mask)
    both = pl.all_horizontal(blank) | (pl.all_horizontal(repeated) & pl.lit(len(columns) > 1))
    return mask.scatter(mask.arg_true(), some.select(both).to_series())


class _Irregular:
    """A text whose quotes are irregular: read line by line, each damage costing its own line only."""

    def __init__(self, text: csv_text.Text, delimiter: str, name: str, mapping: Mapping | None) -> None:
        self.text, self.delimiter, self.name, self.mapping = text, delimiter, name, mapping

    def table(self) -> RawTable:
        head_lines = list(
            islice(csv_text.regular_records(self.text.data[: 1 << 20], self.delimiter, 0), MAX_PREAMBLE_ROWS)
        )
        heads = [cells or [] for _, _, cells in head_lines]
        if not any(heads):  # text, but nothing that a delimiter cuts: JSON, prose
            raise SaldoError("not_a_table", name=self.name)
        if any(len(cells) > MAX_COLUMNS + MAX_SPARE_CELLS for cells in heads[:1]):
            raise SaldoError("too_many_columns", columns=len(heads[0]), limit=MAX_COLUMNS)
        lines = [line for line, _, _ in head_lines]
        skip = self.mapping.format.skip_rows if self.mapping else None
        head = _header_index(lines, heads, skip, self.mapping)
        header = without_blank_tail(heads[head])
        _check_width(len(header))
        table = self._read(header, lines[head])
        return replace(table, preamble=_loose(lines[:head], heads), is_ended=_is_ended(self.text.data))

    def _read(self, header: list[str], header_line: int) -> RawTable:
        out = io.StringIO()
        writer = csv.writer(out, delimiter=self.delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL)
        numbers: list[int] = []
        rejections: list[Rejection] = []
        ignored = 0
        for line, text, cells in csv_text.regular_records(self.text.data, self.delimiter, len(header)):
            if line <= header_line:
                continue
            verdict = self._verdict(text, cells, len(header))
            if not verdict and cells is not None:
                writer.writerow(cells[: len(header)])
                numbers.append(line)
            elif verdict == "ignored":
                ignored += 1
            else:
                rejections.append(_refused(verdict, line, text, len(cells or ()), len(header)))
        frame = _parsed(out.getvalue().encode("utf-8", "replace"), self.delimiter, len(header))
        return _table(
            frame, header, numbers, rejections, ignored, self.text, self.delimiter, self.name, header_line
        )

    def _verdict(self, text: str, cells: list[str] | None, columns: int) -> str:
        if cells is None:
            return "row_broken_quotes"
        if len(cells) == columns and len(text) <= csv_text.MAX_RECORD_BYTES:
            return ""
        verdict = _outlier(text, len(cells), len(text), columns, self.delimiter)
        return "" if isinstance(verdict, bytes) else verdict


def _open_workbook(data: bytes, name: str, mapping: Mapping | None) -> RawTable:
    sheet = xlsx.read_sheet(data, name, mapping.format.sheet if mapping else "")
    if not sheet.cells:
        raise SaldoError("empty_file")
    skip = mapping.format.skip_rows if mapping else None
    head = _header_index(sheet.lines[:MAX_PREAMBLE_ROWS], sheet.cells[:MAX_PREAMBLE_ROWS], skip, mapping)
    header = without_blank_tail(sheet.cells[head])
    _check_width(len(header))
    columns = unique_names(header)
    rejections: list[Rejection] = []
    kept: list[int] = []
    for index in range(head + 1, len(sheet.cells)):
        cells = sheet.cells[index]
        if any(cell.strip() for cell in cells[len(header) :]):
            excerpt = clipped(";".join(cells))
            rejections.append(
                _refused("row_too_many_cells", sheet.lines[index], excerpt, len(cells), len(header))
            )
        else:
            kept.append(index)
    frame = pl.DataFrame(
        {
            ROW: pl.Series([sheet.lines[i] for i in kept], dtype=pl.UInt32),
            **{
                column: pl.Series([_cell(sheet.cells[i], at) for i in kept], dtype=pl.String)
                for at, column in enumerate(columns)
            },
        }
    )
    typed = _typed(sheet, kept, columns)
    left_out = _left_out(frame, columns, header)
    ignored = int(left_out.sum())
    return RawTable(
        frame.filter(~left_out), columns, "", "", rejections, name, sheet.sheet, sheet.lines[head], ignored,
        typed.filter(~left_out),
        tuple(
            LooseRow(sheet.lines[i], tuple(sheet.cells[i]), frozenset(sheet.typed[i])) for i in range(head)
        ),
    )  # fmt: skip


def _cell(cells: list[str], at: int) -> str | None:
    return cells[at] or None if at < len(cells) else None


def _typed(sheet: xlsx.SheetRows, kept: list[int], columns: list[str]) -> pl.DataFrame:
    marks = np.zeros((len(columns), len(kept)), dtype=bool)
    for position, index in enumerate(kept):
        for at in sheet.typed[index]:
            if at < len(columns):
                marks[at, position] = True
    return pl.DataFrame({column: pl.Series(marks[at]) for at, column in enumerate(columns)})
