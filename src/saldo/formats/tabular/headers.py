"""Column headers: how they are compared, made unique, and found below title lines."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache

# Titles, filters and print dates above the header are rarely more than a dozen lines.
MAX_PREAMBLE_ROWS = 60
# Excel ends at 16,384 columns; the widest ERP layouts stay below 300.
MAX_COLUMNS = 2_000
ROW = "row"
REMEMBERED_CHARS = 100


def normalized(header: str) -> str:
    """``header`` without case, accents, spaces and punctuation: "N° Fattura " and "n fattura" are equal."""
    return _remembered(header) if len(header) <= REMEMBERED_CHARS else _normalized(header)


def _normalized(header: str) -> str:
    decomposed = unicodedata.normalize("NFKD", header.casefold())
    return "".join(c for c in decomposed if c.isalnum())


# The same few headers come with every file.
_remembered = lru_cache(maxsize=4096)(_normalized)


def unique_names(headers: Sequence[str]) -> list[str]:
    """Headers made unique: the second "Importo" is "Importo (2)", an empty one "column 3"."""
    seen = {ROW}
    names = []
    for position, header in enumerate(headers, start=1):
        base = " ".join(header.split()) or f"column {position}"
        name, copy = base, 2
        while name in seen:
            name, copy = f"{base} ({copy})", copy + 1
        seen.add(name)
        names.append(name)
    return names


def without_blank_tail(cells: Sequence[str]) -> list[str]:
    """``cells`` without the empty ones at the end."""
    end = len(cells)
    while end and not cells[end - 1].strip():
        end -= 1
    return list(cells[:end])


def header_position(rows: Sequence[Sequence[str]], known: Iterable[str] = ()) -> int:
    """Index in ``rows`` of the header, or -1 when every row is blank.

    ``known`` are headers of a profile: the row that holds most of them wins. Without a match, it is
    the first row about as wide as the table whose cells are words rather than numbers.
    """
    wanted = {normalized(name) for name in known}
    scores = [len({normalized(cell) for cell in row} & wanted) for row in rows]
    if scores and max(scores) >= min(2, len(wanted)) and max(scores) > 0:
        return scores.index(max(scores))
    widths = [sum(1 for cell in row if cell.strip()) for row in rows]
    filled = [width for width in widths if width]
    if not filled:
        return -1
    usual = Counter(filled).most_common(1)[0][0]
    for index, row in enumerate(rows):
        if widths[index] >= max(1, 0.6 * usual) and _mostly_words(row):
            return index
    return next(index for index, width in enumerate(widths) if width)


def _mostly_words(cells: Sequence[str]) -> bool:
    filled = [cell for cell in cells if cell.strip()]
    words = sum(1 for cell in filled if any(c.isalpha() for c in cell))
    return words * 2 > len(filled)
