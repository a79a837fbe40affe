"""Excel workbooks: rows of exact text, with a note of which cells were numbers or dates.

A number cell is a binary float: its text is the one Excel shows, at most 15 significant digits. It
always has a decimal point, whatever the profile declares for text cells, hence the note.
"""

from __future__ import annotations

import datetime as dt
import io
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass

from openpyxl import load_workbook

from saldo.core.errors import SaldoError
from saldo.formats.tabular.headers import MAX_COLUMNS

MAX_UNPACKED_BYTES = 1 << 30
# Worksheets pack well, about 10 to 25 times; a bomb packs 1,000 times.
MAX_RATIO = 200
SMALL_ENOUGH_BYTES = 20 << 20
MAX_MEMBERS = 10_000
ERRORS = frozenset({"#N/A", "#DIV/0!", "#REF!", "#VALUE!", "#NAME?", "#NUM!", "#NULL!", "#N/D", "#RIF!"})


@dataclass(frozen=True, slots=True)
class SheetRows:
    """Non-blank rows of one sheet: line numbers, texts, and per row the positions of typed cells."""

    sheet: str
    lines: list[int]
    cells: list[list[str]]
    typed: list[tuple[int, ...]]
    blank: int


def check_archive(data: bytes, name: str) -> None:
    """Refuses an archive that is broken, not a workbook, or unpacks to far more than it says.

    The sizes in a zip directory are the author's word, so every member is also unpacked, in pieces
    and thrown away, up to the limit. DTDs never occur in workbooks and are refused (entity bombs).
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise SaldoError("workbook_broken", name=name) from error
    if not any(member.filename == "xl/workbook.xml" for member in members):
        raise SaldoError("not_a_table", name=name)
    limit = MAX_UNPACKED_BYTES
    if len(members) > MAX_MEMBERS or sum(member.file_size for member in members) > limit:
        raise SaldoError("archive_bomb", limit=f"{limit >> 20} MB")
    unpacked = 0
    for member in members:
        try:
            unpacked = _drained(archive, member, unpacked, len(data), name)
        except (
            zipfile.BadZipFile,
            OSError,
            EOFError,
            RuntimeError,
            NotImplementedError,
            ValueError,
        ) as error:
            raise SaldoError("workbook_broken", name=name) from error
        except Exception as error:  # zlib.error and lzma errors share no base class
            if isinstance(error, SaldoError):
                raise
            raise SaldoError("workbook_broken", name=name) from error


def _drained(archive: zipfile.ZipFile, member: zipfile.ZipInfo, before: int, size: int, name: str) -> int:
    total = before
    tail = b""
    is_xml = member.filename.endswith((".xml", ".rels", ".vml"))
    with archive.open(member) as stream:
        while piece := stream.read(1 << 20):
            total += len(piece)
            if total > MAX_UNPACKED_BYTES or (total > SMALL_ENOUGH_BYTES and total > MAX_RATIO * size):
                raise SaldoError("archive_bomb", limit=f"{MAX_UNPACKED_BYTES >> 20} MB")
            text = (tail + piece).replace(b"\x00", b"") if is_xml else b""  # UTF-16 hides nothing
            if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
                raise SaldoError("workbook_broken", name=name)
            tail = piece[-32:]
    return total


def read_sheet(data: bytes, name: str, sheet: str = "") -> SheetRows:
    """The rows of ``sheet``, or of the first sheet with at least two rows of two cells."""
    check_archive(data, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # openpyxl warns of styles and extensions that carry no data
        try:
            book = load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
            names = [worksheet.title for worksheet in book.worksheets]
            if sheet and sheet not in names:
                raise SaldoError("sheet_missing", sheet=sheet, sheets=", ".join(names))
            for title in [sheet] if sheet else names:
                rows = _rows(book[title], title)
                if sheet or sum(1 for cells in rows.cells if len(cells) >= 2) >= 2:
                    return rows
        except SaldoError:
            raise
        except Exception as error:  # a damaged workbook fails anywhere in the library, in any way
            raise SaldoError("workbook_broken", name=name) from error
    raise SaldoError("empty_file")


def _rows(worksheet: object, title: str) -> SheetRows:
    worksheet.reset_dimensions()  # type: ignore[attr-defined]  # the stated dimension is often wrong
    result = SheetRows(title, [], [], [], 0)
    blank = 0
    for number, values in enumerate(_values(worksheet), start=1):
        end = len(values)
        while end and (values[end - 1] is None or values[end - 1] == ""):
            end -= 1
        if not end:
            blank += 1
            continue
        if end > MAX_COLUMNS:
            raise SaldoError("too_many_columns", columns=end, limit=MAX_COLUMNS)
        values = values[:end]
        result.lines.append(number)
        result.cells.append([cell_text(value) for value in values])
        result.typed.append(
            tuple(i for i, value in enumerate(values) if value is not None and not isinstance(value, str))
        )
    return SheetRows(title, result.lines, result.cells, result.typed, blank)


def _values(worksheet: object) -> Iterator[tuple[object, ...]]:
    yield from worksheet.iter_rows(values_only=True)  # type: ignore[attr-defined]


def cell_text(value: object) -> str:
    """The text of a cell: ISO dates, numbers with a point and at most 15 significant digits."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, dt.datetime):
        return value.date().isoformat() if value.time() == dt.time() else value.isoformat(sep=" ")
    if isinstance(value, float):
        short = f"{value:.15g}"
        if "e" in short:
            short = f"{value:.15f}".rstrip("0").rstrip(".") if abs(value) < 1 else f"{value:.0f}"
        return short
    return str(value)
