"""Delimited text: from bytes to UTF-8, from UTF-8 to records with their line numbers.

A lenient CSV reader that pads, cuts or joins rows loses money silently. Here every record's cells are
counted first (vectorized, quotes respected); only records of the right width reach the reader, the
others come back with the reason. Files with irregular quotes take a slower path, line by line.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from saldo.formats.tabular.headers import MAX_PREAMBLE_ROWS, normalized

DELIMITERS = ("\t", ";", "|", ",")
BLOCK_BYTES = 8 << 20
MAX_RECORD_BYTES = 1 << 20
MAX_JOINED_LINES = 50
_NEWLINE, _QUOTE = 10, 34

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Text:
    """UTF-8 text with \\n line ends. ``damaged``: some bytes had no reading and became U+FFFD."""

    data: bytes
    encoding: str
    damaged: bool


@dataclass(frozen=True, slots=True)
class Records:
    """Where each record starts and ends (bytes, end exclusive, without its newline), its first line
    (1-based) and the number of its cells. ``regular``: quotes open and close only at cell borders."""

    starts: Positions
    ends: Positions
    lines: Positions
    cells: Positions
    regular: bool


def to_utf8(data: bytes, declared: str = "") -> Text:
    """``data`` as UTF-8 without BOM, in the declared encoding or in the one its bytes show."""
    encoding, start = _encoding_by_mark(data)
    encoding = encoding or declared or _encoding_without_mark(data)
    damaged = False
    if encoding == "utf-8":
        body = data[start:] if start else data
        if not _decodes(body):
            body, damaged = body.decode("utf-8", "replace").encode(), True
    else:
        body, damaged = _transcoded(memoryview(data)[start:], encoding)
    if b"\r" in body:
        body = body.replace(b"\r\n", b"\n")
        if b"\n" not in body:
            body = body.replace(b"\r", b"\n")
    return Text(body, encoding, damaged)


def _encoding_by_mark(data: bytes) -> tuple[str, int]:
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ):
        if data.startswith(mark):
            return encoding, len(mark)
    return "", 0


def _encoding_without_mark(data: bytes) -> str:
    sample = data[:4096]
    if len(sample) >= 4:
        even, odd = sample[0::2].count(0), sample[1::2].count(0)
        if odd > 0.35 * len(sample) / 2 and odd > 3 * even:
            return "utf-16-le"
        if even > 0.35 * len(sample) / 2 and even > 3 * odd:
            return "utf-16-be"
    if _decodes(data):
        return "utf-8"
    # A few bad bytes in a text that is otherwise UTF-8 must not turn every accent of it into two letters.
    sample_text = data[: 4 << 20].decode("utf-8", "replace")
    bad = sample_text.count("�")
    good = sum(1 for c in sample_text if c > "\x7f") - bad
    return "utf-8" if good > bad else "windows-1252"


def _decodes(data: bytes) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    view = memoryview(data)
    try:
        for start in range(0, len(view), BLOCK_BYTES):
            decoder.decode(view[start : start + BLOCK_BYTES], start + BLOCK_BYTES >= len(view))
    except UnicodeDecodeError:
        return False
    return True


def _transcoded(view: memoryview, encoding: str) -> tuple[bytes, bool]:
    # Without a mark "utf-16" has no byte order, and its decoder raises; Windows writes the little end first.
    decoder = codecs.getincrementaldecoder("utf-16-le" if encoding == "utf-16" else encoding)("replace")
    out = io.BytesIO()
    damaged = False
    for start in range(0, len(view), BLOCK_BYTES):
        piece = decoder.decode(view[start : start + BLOCK_BYTES], start + BLOCK_BYTES >= len(view))
        damaged = damaged or "�" in piece
        out.write(piece.encode("utf-8", "replace"))
    return out.getvalue(), damaged


def find_delimiter(data: bytes, known: Sequence[str] = ()) -> str:
    """The delimiter that shows most ``known`` headers, else the one that cuts the first lines most evenly.

    "," when none cuts them.
    """
    head = data[: 1 << 20].decode("utf-8", "replace")
    lines = [line for line in head.split("\n")[:200] if line.strip()]
    if len(head) == 1 << 20 and len(lines) > 1:
        lines.pop()
    wanted = {normalized(header) for header in known} - {""}
    shown = {delimiter: _headers_shown(lines, delimiter, wanted) for delimiter in DELIMITERS}
    if max(shown.values()) >= 2:
        return max(shown, key=lambda delimiter: shown[delimiter])
    best, best_score = ",", 0.0
    for delimiter in DELIMITERS:
        counts = [_outside_quotes(line).count(delimiter) for line in lines]
        usual, times = Counter(c for c in counts if c).most_common(1)[0] if any(counts) else (0, 0)
        score = times / max(1, len(lines)) * (1 if usual > 1 else 0.6)
        if score > best_score * 1.05:
            best, best_score = delimiter, score
    return best


def _headers_shown(lines: Sequence[str], delimiter: str, wanted: set[str]) -> int:
    """Most of the ``wanted`` headers that one of the first lines shows when cut by ``delimiter``."""
    if not wanted:
        return 0
    short = [line for line in lines[:MAX_PREAMBLE_ROWS] if len(line) < 50_000]
    return max(
        (len({normalized(cell) for cell in line.split(delimiter)} & wanted) for line in short), default=0
    )


def _outside_quotes(line: str) -> str:
    return re.sub(r'"(?:[^"]|"")*"', "", line) if '"' in line else line


def find_records(data: bytes, delimiter: str) -> Records:
    """Records of ``data``, quotes respected. A few hundred MB/s; extra memory about 100 MB."""
    buffer = np.frombuffer(data, dtype=np.uint8)
    quoted = b'"' in data
    parity, cells_before, lines_before = 0, 0, 0
    ends, cell_totals, line_totals = [], [], []
    regular = True
    for start in range(0, len(buffer), BLOCK_BYTES):
        block = buffer[start : start + BLOCK_BYTES]
        newline, cut = block == _NEWLINE, block == ord(delimiter)
        line_count = None
        if quoted:
            quote = block == _QUOTE
            if quote.any() or parity:
                regular = regular and _regular(buffer, np.flatnonzero(quote) + start, parity, ord(delimiter))
                inside = (np.cumsum(quote, dtype=np.int32) + parity) & 1
                line_count = np.cumsum(newline, dtype=np.int64)
                parity = int(inside[-1])
                outside = inside == 0
                newline, cut = newline & outside, cut & outside
        at = np.flatnonzero(newline)
        cut_count = np.cumsum(cut, dtype=np.int64)
        ends.append(at + start)
        cell_totals.append(cut_count[at] + cells_before)
        counted = np.arange(1, len(at) + 1) if line_count is None else line_count[at]
        line_totals.append(counted + lines_before)
        cells_before += int(cut_count[-1])
        lines_before += int(len(at) if line_count is None else line_count[-1])
    if (len(buffer) and buffer[-1] != _NEWLINE) or parity:
        ends.append(np.array([len(buffer)]))
        cell_totals.append(np.array([cells_before]))
        line_totals.append(np.array([lines_before + 1]))
    all_ends = np.concatenate(ends) if ends else np.zeros(0, dtype=np.int64)
    totals = np.concatenate(cell_totals) if ends else all_ends
    last_lines = np.concatenate(line_totals) if ends else all_ends
    return Records(
        starts=np.concatenate(([0], all_ends[:-1] + 1)) if len(all_ends) else all_ends,
        ends=all_ends,
        lines=np.concatenate(([1], last_lines[:-1] + 1)) if len(all_ends) else all_ends,
        cells=np.diff(totals, prepend=0) + 1,
        regular=regular and not parity,
    )


def _regular(buffer: npt.NDArray[np.uint8], quotes: Positions, parity: int, delimiter: int) -> bool:
    """Whether opening quotes follow, and closing quotes precede, a border (or another quote)."""
    opening = ((np.arange(len(quotes)) + parity) & 1) == 0
    before = quotes[opening] - 1
    after = quotes[~opening] + 1
    neighbors = np.concatenate((buffer[before[before >= 0]], buffer[after[after < len(buffer)]]))
    return bool(np.isin(neighbors, (delimiter, _NEWLINE, _QUOTE)).all())


def cells_of(record: str, delimiter: str) -> list[str]:
    """The cells of one record; none where a line break stands outside quotes, which makes it no record."""
    # A field of several MB would raise; such records are refused before, the header may still be long.
    csv.field_size_limit(max(csv.field_size_limit(), len(record) + 1))
    text = record.replace("\x00", "")
    try:
        return next(csv.reader([text], delimiter=delimiter), [])
    except csv.Error:  # a lone carriage return outside quotes
        text = text.replace("\r", " ")
    try:
        return next(csv.reader([text], delimiter=delimiter), [])
    except csv.Error:
        return []


def regular_records(data: bytes, delimiter: str, width: int) -> Iterator[tuple[int, str, list[str] | None]]:
    """(line, text, cells) of each record of a file whose quotes are irregular; cells None where unreadable.

    A quote that never closes costs its own line, not the rest of the file. Quotes in the middle of a
    cell (an inch mark, a nickname) are kept as they are.
    """
    cut = re.escape(delimiter)
    cell = rf'(?:"(?:[^"]|"")*"|[^"{cut}]*)'
    regular = re.compile(rf"{cell}(?:{cut}{cell})*")
    lines = data.decode("utf-8", "replace").split("\n")
    if not lines[-1]:  # the end of the last line is no line
        lines.pop()
    index = 0
    while index < len(lines):
        line = lines[index]
        number = index + 1
        index += 1
        if '"' not in line:
            yield number, line, line.split(delimiter)
            continue
        if len(line) <= MAX_RECORD_BYTES and regular.fullmatch(line):
            yield number, line, cells_of(line, delimiter)
            continue
        pieces = line.split(delimiter)
        if len(pieces) == width:
            yield number, line, [_unquoted(piece) for piece in pieces]
            continue
        joined, taken = _joined(lines, index, line, regular, delimiter, width)
        index += taken
        yield number, joined if taken else line, cells_of(joined, delimiter) if taken else None


def _joined(
    lines: list[str], index: int, line: str, regular: re.Pattern[str], delimiter: str, width: int
) -> tuple[str, int]:
    joined = line
    for taken, following in enumerate(lines[index : index + MAX_JOINED_LINES], start=1):
        joined = f"{joined}\n{following}"
        if len(joined) > 20_000:
            break
        if '"' in following and regular.fullmatch(joined) and len(cells_of(joined, delimiter)) == width:
            return joined, taken
    return line, 0


def _unquoted(piece: str) -> str:
    text = piece.strip()
    if len(text) >= 2 and text[0] == '"' == text[-1]:
        return text[1:-1].replace('""', '"')
    return piece
