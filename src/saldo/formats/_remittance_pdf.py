"""Remittance advices in a PDF: its text by place on the page, first as a grid, then as rows of words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from saldo.formats._pdf_text import Piece, pages_of_pdf
from saldo.formats._remittance import Remittance
from saldo.formats._remittance_facts import with_facts
from saldo.formats._remittance_table import Row, header_of, remittance_of_rows
from saldo.formats._remittance_text import remittance_of_text, says_paid

MAX_PAGES = 200
MAX_PIECES = 50_000
# Each piece costs the library a pass over the characters of its page: what two hundred full pages take.
MAX_PASSES = 200_000_000


def rows_of_pdf(data: bytes) -> list[list[Piece]]:
    """The rows of all pages, from top to bottom, each from left to right. Raises Refusal."""
    pages = pages_of_pdf(data, MAX_PAGES, MAX_PIECES, MAX_PASSES)
    return [row for page in pages for row in _rows(page)]


def _rows(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """Pieces whose middles are within half a letter's height stand in one row."""
    rows: list[list[Piece]] = []
    for piece in sorted(pieces, key=lambda one: -(one.bottom + one.top)):
        middle = (piece.bottom + piece.top) / 2
        if rows:
            first = rows[-1][0]
            height = max(first.top - first.bottom, piece.top - piece.bottom, 1.0)
            if abs((first.bottom + first.top) / 2 - middle) <= 0.5 * height:
                rows[-1].append(piece)
                continue
        rows.append([piece])
    return [sorted(row, key=lambda one: one.left) for row in rows]


def remittance_of_pdf(data: bytes) -> tuple[Remittance | None, str]:
    """(the advice in a PDF or None, its text). Raises Refusal where the file cannot be opened."""
    rows = rows_of_pdf(data)
    lines = [" ".join(piece.text for piece in row) for row in rows]
    text = "\n".join(lines)
    if not says_paid(text, "pdf"):
        return None, text
    in_words = remittance_of_text(text, "pdf")
    if in_words is not None and in_words.adds_up:
        in_grid = _of_grid(rows, lines)
        # The grid knows which column is the discount; words only know that the sums are right.
        if in_grid is not None and in_grid.total_mills == in_words.total_mills:
            return in_grid, text
        return in_words, text
    return _of_grid(rows, lines) or in_words, text


def _of_grid(rows: Sequence[Sequence[Piece]], lines: Sequence[str]) -> Remittance | None:
    """The advice by its columns, only where its lines make its total."""
    plain = [Row(number, tuple(piece.text for piece in row)) for number, row in enumerate(rows, start=1)]
    header = header_of(plain)
    if header is None:
        return None
    index, _ = header
    columns = rows[index]
    grid = [*plain[: index + 1], *(Row(number, _placed(row, columns)) for number, row in
                                   enumerate(rows[index + 1 :], start=index + 2))]  # fmt: skip
    advice, rejections = remittance_of_rows(grid, "pdf")
    if advice is None or rejections or not advice.adds_up:
        return None
    return replace(with_facts(advice, lines), notices=advice.notices)


def _placed(row: Sequence[Piece], columns: Sequence[Piece]) -> tuple[str, ...]:
    """The texts of a row, each under the header that it stands closest to."""
    cells = [""] * len(columns)
    for piece in row:
        nearest = min(range(len(columns)), key=lambda column: _distance(piece, columns[column]))
        cells[nearest] = f"{cells[nearest]} {piece.text}".strip()
    return tuple(cells)


def _distance(piece: Piece, column: Piece) -> tuple[float, float]:
    gap = max(column.left - piece.right, piece.left - column.right, 0.0)
    return gap, abs((piece.left + piece.right) - (column.left + column.right))
