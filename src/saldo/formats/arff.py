"""ARFF, the table format of Weka and of many public data sets, into a frame.

Header: ``@relation``, one ``@attribute name type`` per column, ``@data``; then one row a line, cells cut by
commas (or tabs), ``?`` = missing, ``%`` starts a comment, names and words in quotes where they need it, and
sparse rows ``{index value, …}`` whose absent cells are zero. A row that does not fit its attributes is
refused; the others are read. Names are case-sensitive, keywords are not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from saldo.core.errors import Rejection, SaldoError

MAX_ATTRIBUTES = 20_000
NUMERIC, NOMINAL, TEXT = "numeric", "nominal", "text"
_TYPES = {"numeric": NUMERIC, "real": NUMERIC, "integer": NUMERIC, "string": TEXT, "date": TEXT}
_CELL = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
_ATTRIBUTE = re.compile(rf"@attribute\s+({_CELL}|[^\s'\"{{]+)\s*(.*)", re.IGNORECASE | re.DOTALL)
_PIECE = re.compile(rf"\s*({_CELL}|[^,\t]*?)\s*(?:[,\t]|$)")
_SPARSE = re.compile(rf"\s*(\d{{1,9}})\s+({_CELL}|[^,]*?)\s*(?:,|$)")
_HEAD = re.compile(rb"(?:\s*%[^\n]*\n|\s)*@relation\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Attribute:
    """One column. kind: NUMERIC, NOMINAL or TEXT; words: of a nominal one, as declared."""

    name: str
    kind: str
    words: tuple[str, ...] = ()


def looks_like_arff(data: bytes) -> bool:
    return bool(_HEAD.match(data[:100_000].removeprefix(b"\xef\xbb\xbf")))


def read_arff(data: bytes, name: str) -> tuple[pl.DataFrame, list[Rejection]]:
    """(frame, refused rows). Columns: Float64 of numeric attributes, String of the others; null = missing.

    Raises SaldoError("arff_broken") where the header cannot be read, ("no_rows") where there is no row.
    """
    lines = _text(data).split("\n")
    attributes, first = _header(lines, name)
    cells: list[list[float | str | None]] = [[] for _ in attributes]
    rejections = []
    for number, line in enumerate(lines[first:], start=first + 1):
        content = line.strip()
        if not content or content.startswith("%"):
            continue
        try:
            row = _row(content, attributes)
        except _Unreadable as problem:
            params = {"problem_it": problem.it, "problem_en": problem.en}
            rejections.append(Rejection("arff_row_unreadable", f"row {number}", content, params, number))
            continue
        for column, value in zip(cells, row, strict=True):
            column.append(value)
    if not cells[0] and not rejections:
        raise SaldoError("no_rows")
    series = [
        pl.Series(one.name, column, dtype=pl.Float64 if one.kind == NUMERIC else pl.String)
        for one, column in zip(attributes, cells, strict=True)
    ]
    return pl.DataFrame(series), rejections


def _text(data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("windows-1252", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


class _Unreadable(Exception):
    def __init__(self, it: str, en: str) -> None:
        self.it, self.en = it, en


def _header(lines: Sequence[str], name: str) -> tuple[list[Attribute], int]:
    """The attributes, and how many lines come before the first row."""
    attributes: list[Attribute] = []
    for number, line in enumerate(lines, start=1):
        content = line.strip()
        word = content[:10].lower()
        if word.startswith("@data"):
            names = [one.name for one in attributes]
            if not names or len(set(names)) < len(names):
                twice = next((one for one in names if names.count(one) > 1), "-")
                raise SaldoError("arff_broken", name=name, row=number, text=twice)
            return attributes, number
        if word == "@attribute":
            match = _ATTRIBUTE.match(content)
            attribute = _attribute(match[1], match[2]) if match else None
            if attribute is None or len(attributes) == MAX_ATTRIBUTES:
                raise SaldoError("arff_broken", name=name, row=number, text=content[:80])
            attributes.append(attribute)
        elif content and not content.startswith("%") and not word.startswith("@relation"):
            raise SaldoError("arff_broken", name=name, row=number, text=content[:80])
    raise SaldoError("arff_broken", name=name, row=len(lines), text="@data")


def _attribute(name: str, kind: str) -> Attribute | None:
    if kind.startswith("{"):
        end = kind.rfind("}")
        words = tuple(_unquoted(piece) for piece in _pieces(kind[1:end])) if end > 0 else ()
        return Attribute(_unquoted(name), NOMINAL, words) if words else None
    word = re.match(r"[a-z]*", kind.lower())
    found = _TYPES.get(word[0]) if word else None
    return Attribute(_unquoted(name), found) if found else None


def _row(content: str, attributes: Sequence[Attribute]) -> list[float | str | None]:
    if content.startswith("{"):
        return _sparse_row(content, attributes)
    # Weka writes a row's weight behind it in braces; it is no cell.
    pieces = list(_pieces(re.sub(r",\s*\{[0-9.]+\}$", "", content)))
    if len(pieces) != len(attributes):
        raise _Unreadable(
            f"{len(pieces)} celle invece di {len(attributes)}",
            f"{len(pieces)} cells instead of {len(attributes)}",
        )
    return [_value(piece, one) for piece, one in zip(pieces, attributes, strict=True)]


def _sparse_row(content: str, attributes: Sequence[Attribute]) -> list[float | str | None]:
    # What a sparse row leaves out is zero, and of a nominal attribute its first word; never a missing value.
    row: list[float | str | None] = [
        0.0 if one.kind == NUMERIC else (one.words[0] if one.words else "") for one in attributes
    ]
    inner, at = content.strip("{} \t"), 0
    while at < len(inner):
        match = _SPARSE.match(inner, at)
        if not match or int(match[1]) >= len(attributes):
            raise _Unreadable("riga sparsa illeggibile", "unreadable sparse row")
        at = match.end()
        row[int(match[1])] = _value(match[2], attributes[int(match[1])])
    return row


def _pieces(text: str) -> Iterator[str]:
    """The cells of ``text``, quotes kept."""
    if "'" not in text and '"' not in text:
        yield from (piece.strip() for piece in (text.split(",") if "," in text else text.split("\t")))
        return
    at = 0
    while at <= len(text):
        match = _PIECE.match(text, at)
        if not match:  # a quote that opens and does not close as one
            raise _Unreadable("virgolette non chiuse", "quotes that do not close")
        yield match[1]
        if match.end() == len(text) and (match.end() == at or text[match.end() - 1] not in ",\t"):
            return
        at = match.end()
        if at == len(text):
            yield ""
            return


def _value(piece: str, attribute: Attribute) -> float | str | None:
    if piece in ("?", ""):
        return None
    if attribute.kind == NUMERIC:
        try:
            number = float(piece)
        except ValueError:
            raise _Unreadable(
                f"{attribute.name}: «{piece[:40]}» non è un numero",
                f'{attribute.name}: "{piece[:40]}" is no number',
            ) from None
        return None if number != number else number
    word = _unquoted(piece)
    if attribute.kind == NOMINAL and word not in attribute.words:
        raise _Unreadable(
            f"{attribute.name}: «{word[:40]}» non è fra i valori dichiarati",
            f'{attribute.name}: "{word[:40]}" is not among the declared values',
        )
    return word


def _unquoted(piece: str) -> str:
    if len(piece) >= 2 and piece[0] == piece[-1] and piece[0] in "'\"":
        return re.sub(r"\\(.)", r"\1", piece[1:-1])
    return piece
