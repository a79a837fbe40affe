"""MT940 and MT942 as text: decoding, SWIFT envelopes, statements, fields, and amounts that can be trusted."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from saldo.core.money import InexactAmount

_KNOWN = frozenset(
    ("13", "13D", "20", "21", "25", "25P", "28", "28C", "34F", "60", "60F", "60M", "61", "62", "62F", "62M",
     "64", "65", "86", "90", "90C", "90D", "NS")
)  # fmt: skip
_TAG = re.compile(r":([0-9]{2}[A-Za-z]?|NS):(.*)")
# A time that a line break cuts ("…T16" / ":20:37 …") looks like a field.
_TIME_BEFORE = re.compile(r"T[0-2][0-9]$")
_TIME_AFTER = re.compile(r"[0-5][0-9](?![0-9])")
_ENVELOPE = re.compile(
    r"\{1:[^{}]*\}\s*(?:\{2:[IO]?(?P<type>\d{3})?[^{}]*\}\s*)?(?:\{3:(?:\{[^{}]*\}|[^{}])*\}\s*)?\{4:"
)
_TRAILER = re.compile(r"^-\}.*$|^\{(?:5|S):.*$", re.MULTILINE)
_MESSAGE_TYPE = "\x02"
_CONTROL = re.compile(r"[\x00\x01\x03-\x08\x0b\x0c\x0e-\x1f]")

_COMMA = re.compile(r"([0-9]*)(?:,([0-9]*))?")
_POINT = re.compile(r"([0-9]+)\.([0-9]{1,2})")
_GROUPED_COMMA = re.compile(r"([0-9]{1,3}(?:\.[0-9]{3})+),([0-9]*)")
_GROUPED_POINT = re.compile(r"([0-9]{1,3}(?:,[0-9]{3})+)\.([0-9]{1,3})")


@dataclass(slots=True)
class Field:
    """One field: its tag without colons, and the lines of its value."""

    tag: str
    lines: list[str]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


@dataclass(slots=True)
class Block:
    """What stands from one :20: to the next. message_type: of the SWIFT envelope ("940"), if there is one."""

    fields: list[Field] = field(default_factory=list)
    message_type: str | None = None
    is_ended: bool = False

    def first(self, *tags: str) -> Field | None:
        return next((one for one in self.fields if one.tag in tags), None)

    def all(self, *tags: str) -> list[Field]:
        return [one for one in self.fields if one.tag in tags]


def text_of_bytes(data: bytes) -> str:
    """The text of a file: by its byte order mark, else UTF-8, else windows-1252, else Latin-1."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = data.decode("utf-16", errors="replace")
    else:
        text = _decoded(data.removeprefix(b"\xef\xbb\xbf"))
    text = _CONTROL.sub("", text.replace("\ufeff", "").replace(_MESSAGE_TYPE, ""))
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.replace("\u2028", " ").replace("\x85", " ")


def _decoded(data: bytes) -> str:
    for encoding in ("utf-8", "windows-1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def blocks_of(text: str) -> list[Block]:
    """The statements of a file, each from its :20:. Fields before the first :20: are a block of their own."""
    text = _ENVELOPE.sub(lambda found: f"\n{_MESSAGE_TYPE}{found.group('type') or ''}\n", text)
    blocks: list[Block] = []
    message_type: str | None = None
    for one in _fields(_TRAILER.sub("-", text)):
        if one.tag == _MESSAGE_TYPE:
            message_type = one.text or None
            continue
        if one.tag == "-":
            if blocks:
                blocks[-1].is_ended = True
            continue
        if one.tag == "20" or not blocks:
            blocks.append(Block(message_type=message_type))
        blocks[-1].fields.append(one)
        blocks[-1].is_ended = False
    return blocks


def _fields(text: str) -> list[Field]:
    """Fields in their order; "-" is the end of a message, a message type stands before its fields."""
    found: list[Field] = []
    is_open = False
    is_tag_cut = False
    before = ""
    for raw in text.split("\n"):
        if not raw.strip():
            continue
        # A line break may stand between the colon and the number of the field.
        line = f":{raw}" if is_tag_cut and not raw.startswith(":") else raw
        is_tag_cut = line.strip() == ":"
        tag = _TAG.match(line)
        if is_tag_cut:
            continue
        if line.startswith(_MESSAGE_TYPE):
            found.append(Field(_MESSAGE_TYPE, [line[1:].strip()]))
            is_open = False
        elif line.strip() == "-":
            found.append(Field("-", []))
            is_open = False
        elif tag and tag.group(1).upper() in _KNOWN and not _is_time(before, tag.group(2)):
            found.append(Field(tag.group(1).upper(), [tag.group(2)]))
            is_open = True
        elif is_open:
            found[-1].lines.append(line)
        before = line
    return found


def _is_time(before: str, after: str) -> bool:
    return bool(_TIME_BEFORE.search(before.rstrip()) and _TIME_AFTER.match(after))


def plain_amount(text: str) -> tuple[str, bool]:
    """(``text`` as digits, comma, decimals; whether it was written otherwise).

    The standard has a comma, and a library that expects one drops what follows a point. A point is taken
    for the decimal mark where nothing else is possible: one or two digits behind it, or commas that group
    thousands before it. "1.234" is a thousand or one and a bit: refused. Raises InexactAmount.
    """
    if (found := _COMMA.fullmatch(text)) and (found.group(1) or found.group(2)):
        return f"{_whole(found.group(1))},{found.group(2) or ''}", False
    if found := _POINT.fullmatch(text):
        return f"{_whole(found.group(1))},{found.group(2)}", True
    if found := _GROUPED_COMMA.fullmatch(text):
        return f"{_whole(found.group(1).replace('.', ''))},{found.group(2)}", True
    if found := _GROUPED_POINT.fullmatch(text):
        return f"{_whole(found.group(1).replace(',', ''))},{found.group(2)}", True
    raise InexactAmount(text)


def day_that_exists(text: str) -> str:
    """ "250229" -> "250228": 29 and 30 February as the last day of that month; everything else as it is.

    Banks that count interest by months of 30 days write such value dates. 31 February is in no calendar.
    """
    year, month, day = text[:2], text[2:4], text[4:]
    if month != "02" or day not in ("29", "30"):
        return text
    # Every fourth year of those that two digits can mean, 2000 among them, is a leap year.
    last = "29" if year.isdecimal() and int(year) % 4 == 0 else "28"
    return f"{year}{month}{min(day, last)}"


def _whole(digits: str) -> str:
    return digits.lstrip("0") or "0"
