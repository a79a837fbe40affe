"""Fixed-width CBI files: records of 120 characters whose fields stand at stated positions.

Positions are those of the CBI manuals: counted from 1, both ends included. Position 1 of a record is blank,
2-3 hold its type. A file is a row of flows, each from its head record to its trailer "EF". Files come with
CRLF, LF or no line ends at all, with the blanks at the end of lines stripped, in Windows-1252 or UTF-8.

A two-digit year from 00 to 69 is of the years 2000, one from 70 to 99 of the years 1900.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date

from saldo.core.errors import Rejection
from saldo.core.money import MAX_MILLS

RECORD_CHARS = 120
TRAILER = "EF"
PIVOT = 70
_MILLS_PER_CENT = 10

_LINE_END = re.compile(r"\r\n|\n|\r")
_PADDING = "\x00\x1a"
_STARTS_WITHOUT_BLANK = re.compile(r"[A-Z]{2}[0-9A-Za-z ]{10}[0-9]{6}")
_DAY = re.compile(r"[0-9]{6}")
_DIGITS = re.compile(r"[0-9]+")
_EXPLICIT_COMMA = re.compile(r"([0-9]+),([0-9]{0,3})")


class FieldError(ValueError):
    """A field cannot be read; carries the positions, the text and the code of the error."""

    def __init__(self, code: str, first: int, last: int, value: str) -> None:
        self.code, self.first, self.last, self.value = code, first, last, value
        super().__init__(f"{code} {first}-{last}: {value!r}")


@dataclass(frozen=True, slots=True)
class Line:
    """One record, filled up with blanks to 120 characters. number: its line in the file, from 1."""

    number: int
    text: str
    # Positions count bytes of UTF-8 text: the characters are put together after cutting.
    counts_bytes: bool = False

    @property
    def type(self) -> str:
        return self.text[1:3] if self.text[:1] == " " else ""

    def raw(self, first: int, last: int) -> str:
        """The characters from position ``first`` to ``last``, blanks kept."""
        piece = self.text[first - 1 : last]
        return piece.encode("latin-1").decode("utf-8", errors="replace") if self.counts_bytes else piece

    def text_at(self, first: int, last: int) -> str | None:
        """The field without the blanks around it, None when it is blank."""
        return self.raw(first, last).strip() or None

    def day_at(self, first: int, last: int) -> date | None:
        """The day written GGMMAA; None when blank or zeros. Raises FieldError."""
        value = self.raw(first, last).strip()
        if not value or not value.strip("0"):
            return None
        if not _DAY.fullmatch(value):
            raise FieldError("cbi_bad_date", first, last, value)
        year = int(value[4:])
        try:
            return date(year + (2000 if year < PIVOT else 1900), int(value[2:4]), int(value[:2]))
        except ValueError as error:
            raise FieldError("cbi_bad_date", first, last, value) from error

    def cents_at(self, first: int, last: int) -> int:
        """The amount written in cents without a decimal mark, as mills. Raises FieldError."""
        return self.count_at(first, last, "cbi_bad_amount") * _MILLS_PER_CENT

    def comma_at(self, first: int, last: int) -> int:
        """The amount written with its decimal comma, as mills. Raises FieldError.

        Without the comma, units and cents cannot be told apart: refused.
        """
        value = self.raw(first, last).strip()
        match = _EXPLICIT_COMMA.fullmatch(value)
        if match is None:
            raise FieldError("cbi_bad_amount", first, last, value)
        mills = int(match[1] + match[2].ljust(3, "0"))
        if mills > MAX_MILLS:
            raise FieldError("cbi_bad_amount", first, last, value)
        return mills

    def sign_at(self, position: int) -> int:
        """1 for C (credit: it came to us), -1 for D (debit). Raises FieldError."""
        value = self.raw(position, position)
        if value not in ("C", "D"):
            raise FieldError("cbi_bad_sign", position, position, value)
        return 1 if value == "C" else -1

    def count_at(self, first: int, last: int, code: str = "cbi_bad_count") -> int:
        """The whole number in the field. Raises FieldError(code)."""
        value = self.raw(first, last).strip()
        if not _DIGITS.fullmatch(value):
            raise FieldError(code, first, last, value)
        return int(value)

    def rejection(self, code: str, **params: object) -> Rejection:
        """A Rejection about this record."""
        return Rejection(
            code, f"line {self.number}", self.raw(1, RECORD_CHARS).rstrip(), params, row=self.number
        )

    def bad_field(self, error: FieldError) -> Rejection:
        """The Rejection of this record for a field of it."""
        return self.rejection(
            error.code,
            record=self.type,
            first=error.first,
            last=error.last,
            value=error.value or "-",
        )


@dataclass(slots=True)
class Flow:
    """The records from a head to its trailer. tail: None when the flow is cut before it."""

    position: int
    head: Line
    body: list[Line] = field(default_factory=list)
    tail: Line | None = None

    @property
    def name(self) -> str:
        """The name of the support (20-39), unique by sender, receiver and day."""
        return self.head.raw(20, 39).strip()

    @property
    def records(self) -> int:
        """How many records there are, head and trailer included."""
        return len(self.body) + 1 + (self.tail is not None)

    def lines(self) -> list[Line]:
        return [self.head, *self.body, *([self.tail] if self.tail else [])]


def lines_of(data: bytes) -> tuple[list[Line], list[Rejection]]:
    """The records in ``data``, and the refused lines: those longer than a record can be.

    Blank lines are left out; the numbers of the others count them.
    """
    text, is_utf8 = _decoded(data)
    text = text.strip(_PADDING).rstrip(_PADDING + "\r\n ")
    start = len(text) - len(text.lstrip("\r\n"))
    if _STARTS_WITHOUT_BLANK.match(text, start):  # who stripped the file took the first record's blank too
        text = f"{text[:start]} {text[start:]}"
    pieces = _LINE_END.split(text)
    if len(pieces) == 1:
        return [Line(number, piece, counts) for number, piece, counts in _cut(text, is_utf8)], []
    lines: list[Line] = []
    rejections: list[Rejection] = []
    for number, piece in enumerate(pieces, start=1):
        if not piece.strip(_PADDING + " \t"):
            continue
        record = piece.rstrip(_PADDING + " ")
        line = _line(number, record, is_utf8)
        if len(record) > RECORD_CHARS and not line.counts_bytes:
            rejections.append(line.rejection("cbi_line_too_long", length=len(record)))
        else:
            lines.append(line)
    return lines, rejections


def _decoded(data: bytes) -> tuple[str, bool]:
    """The text, and whether it is UTF-8 with characters of several bytes."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", errors="replace").lstrip("\ufeff"), False
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        return data.decode("utf-8"), not data.isascii()
    except UnicodeDecodeError:
        return data.decode("windows-1252", errors="replace"), False


def _line(number: int, record: str, is_utf8: bool) -> Line:
    """A record whose positions count characters, unless only its bytes are 120."""
    if is_utf8 and len(record) < RECORD_CHARS:
        encoded = record.encode()
        if len(encoded) == RECORD_CHARS != len(record):
            return Line(number, encoded.decode("latin-1"), counts_bytes=True)
    return Line(number, record.ljust(RECORD_CHARS))


def _cut(text: str, is_utf8: bool) -> Iterable[tuple[int, str, bool]]:
    """Records that follow one another without line ends."""
    counts_bytes = False
    # The blanks of the last record were stripped: only whether the others fall on borders can tell.
    if is_utf8 and not _on_borders(text) and _on_borders(encoded := text.encode().decode("latin-1")):
        text, counts_bytes = encoded, True
    for number, start in enumerate(range(0, len(text), RECORD_CHARS), start=1):
        yield number, text[start : start + RECORD_CHARS].ljust(RECORD_CHARS), counts_bytes


def _on_borders(text: str) -> bool:
    return all(text[start : start + 1] == " " for start in range(0, len(text), RECORD_CHARS))


def flows_of(lines: Sequence[Line], heads: frozenset[str]) -> tuple[list[Flow], list[Rejection]]:
    """The flows that begin with one of the ``heads``, and a Rejection per run of records outside them.

    A head before the trailer of the flow before it ends that one, which then has no ``tail``.
    """
    flows: list[Flow] = []
    stray: list[list[Line]] = []
    current: Flow | None = None
    for line in lines:
        if line.type in heads:
            current = Flow(len(flows) + 1, line)
            flows.append(current)
        elif current is None:
            if stray and stray[-1][-1].number == line.number - 1:
                stray[-1].append(line)
            else:
                stray.append([line])
        elif line.type == TRAILER:
            current.tail, current = line, None
        else:
            current.body.append(line)
    return flows, [run[0].rejection("cbi_outside_flow", records=len(run)) for run in stray]


def without_copies(flows: Sequence[Flow]) -> tuple[list[Flow], list[Rejection]]:
    """The flows, and the refused ones that repeat an earlier flow of the file record by record."""
    kept: list[Flow] = []
    rejections: list[Rejection] = []
    seen: dict[tuple[str, ...], Flow] = {}
    for flow in flows:
        twin = seen.setdefault(tuple(line.text for line in flow.lines()), flow)
        if twin is flow:
            kept.append(flow)
        else:
            rejections.append(
                flow.head.rejection("cbi_flow_twice", flow=flow.name or "-", first=twin.head.number)
            )
    return kept, rejections


def trailer_faults(flow: Flow, counted: int) -> list[Rejection]:
    """What contradicts the control totals of ``flow``'s trailer; empty for a flow that is whole.

    counted: how many statements or receipts (46-52) the flow was found to hold. 83-89 count its records.
    """
    if flow.tail is None:
        end = flow.lines()[-1].number
        return [flow.head.rejection("cbi_flow_cut", flow=flow.name or "-", last=end)]
    faults = []
    if flow.head.raw(4, 39) != flow.tail.raw(4, 39):
        faults.append(flow.tail.rejection("cbi_trailer_differs", head=flow.head.raw(4, 39).strip()))
    for code, found, first, last in (
        ("cbi_wrong_count", counted, 46, 52),
        ("cbi_wrong_records", flow.records, 83, 89),
    ):
        try:
            stated = flow.tail.count_at(first, last)
        except FieldError as error:
            faults.append(flow.tail.bad_field(error))
            continue
        if stated != found:
            faults.append(flow.tail.rejection(code, stated=stated, found=found))
    return faults


def running_text(pieces: Iterable[str]) -> str:
    """Pieces of a text that goes on from field to field.

    A field filled to its last position may end within a word: what follows is joined without a blank.
    """
    text = ""
    is_full = True
    for piece in pieces:
        if not piece.strip():
            continue
        text += piece if is_full else f" {piece}"
        is_full = not piece.endswith(" ")
        text = text.rstrip()
    return " ".join(text.split())
