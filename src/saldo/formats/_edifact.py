"""EDIFACT cut into segments: service characters by UNA, release character honored, counts checked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from saldo.core.errors import Rejection
from saldo.formats.records import Refusal

MAX_SEGMENTS = 2_000_000
# A free text has five times 512 characters at most.
MAX_SEGMENT_CHARS = 100_000
_ENCODINGS = {"UNOC": "iso8859-1", "UNOD": "iso8859-2", "UNOE": "iso8859-5", "UNOF": "iso8859-7"}


@dataclass(frozen=True, slots=True)
class Segment:
    """``elements``: data elements, each a tuple of its components. get(0, 1) is element 1, component 2."""

    tag: str
    elements: tuple[tuple[str, ...], ...]
    text: str

    def get(self, element: int, component: int = 0) -> str:
        parts = self.elements[element] if element < len(self.elements) else ()
        return parts[component] if component < len(parts) else ""


@dataclass(frozen=True, slots=True)
class EdifactMessage:
    """UNH to UNT. type: "REMADV:D:96A"; is_whole: it ends with a UNT whose count is right."""

    type: str
    reference: str
    segments: tuple[Segment, ...]
    stated_count: int | None
    is_whole: bool


def is_edifact(head: str) -> bool:
    return bool(re.match(r"UNA.{6}\s*UN[BGH]|UNB.[A-Z]", head, re.DOTALL))


def messages_of(data: bytes) -> tuple[list[EdifactMessage], bool]:
    """The messages of an interchange, and whether it is whole: ended by a UNZ that counts them right.

    Raises Refusal where it has too many segments.
    """
    segments = _segments(_text(data))
    messages = _messages(segments)
    is_enveloped = any(segment.tag == "UNB" for segment in segments)
    counts = [segment.get(0) for segment in segments if segment.tag == "UNZ"]
    has_groups = any(segment.tag == "UNG" for segment in segments)
    is_whole = bool(counts) and (has_groups or sum(map(_count, counts)) == len(messages))
    return messages, is_whole or not is_enveloped


def _count(text: str) -> int:
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else -1


def _messages(segments: list[Segment]) -> list[EdifactMessage]:
    messages: list[EdifactMessage] = []
    current: list[Segment] | None = None
    for segment in segments:
        if segment.tag == "UNH":
            if current:
                messages.append(_message(current))
            current = [segment]
        elif current is not None:
            if segment.tag in ("UNZ", "UNE", "UNB", "UNG"):
                messages.append(_message(current))
                current = None
                continue
            current.append(segment)
            if segment.tag == "UNT":
                messages.append(_message(current))
                current = None
    if current:
        messages.append(_message(current))
    return messages


def _message(segments: list[Segment]) -> EdifactMessage:
    head, tail = segments[0], segments[-1]
    ended = tail.tag == "UNT"
    count = int(tail.get(0)) if ended and re.fullmatch(r"[0-9]{1,9}", tail.get(0)) else None
    same = ended and tail.get(1) == head.get(0)
    type_ = ":".join(head.elements[1][:3]) if len(head.elements) > 1 else ""
    return EdifactMessage(type_, head.get(0), tuple(segments), count, same and count == len(segments))


def _text(data: bytes) -> str:
    syntax = re.search(rb"UNB.(UNO[A-Z])", data[:200])
    named = _ENCODINGS.get(syntax.group(1).decode("ascii")) if syntax else None
    if named:
        return data.decode(named, errors="replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("iso8859-1")


def _segments(text: str) -> list[Segment]:
    text = text.lstrip("\ufeff\r\n\t ")
    component, element, release, end = ":", "+", "?", "'"
    if text.startswith("UNA") and len(text) >= 9:
        component, element, release, end = text[3], text[4], text[6], text[8]
        text = text[9:]
    found: list[Segment] = []
    for piece in _pieces(text, end, release.strip()):
        raw = piece.strip("\r\n\t ")
        if not raw:
            continue
        if len(found) >= MAX_SEGMENTS:
            raise _too_large(f"{MAX_SEGMENTS} segments")
        found.append(_segment(raw, component, element, release))
    return found


def _pieces(text: str, end: str, release: str) -> Iterator[str]:
    """The texts between the ends of segments; an end after an odd number of release characters is a text's.

    Raises Refusal at a segment that no message has.
    """
    open_parts: list[str] = []
    size = 0
    for part in text.split(end):
        size += len(part) + 1
        if size > MAX_SEGMENT_CHARS:
            raise _too_large(f"{MAX_SEGMENT_CHARS:,} characters in a segment")
        open_parts.append(part)
        if not release or (len(part) - len(part.rstrip(release))) % 2 == 0:
            yield end.join(open_parts)
            open_parts, size = [], 0
    if open_parts:
        yield end.join(open_parts)


def _too_large(limit: str) -> Refusal:
    return Refusal(Rejection("file_too_large", "", "", {"limit": limit}))


def _segment(raw: str, component: str, element: str, release: str) -> Segment:
    elements: list[tuple[str, ...]] = []
    parts: list[str] = []
    current: list[str] = []
    characters = iter(raw)
    for character in characters:
        if character == release and release.strip():
            current.append(next(characters, ""))
        elif character in (component, element):
            parts.append("".join(current))
            current = []
            if character == element:
                elements.append(tuple(parts))
                parts = []
        elif character not in "\r\n":
            current.append(character)
    parts.append("".join(current))
    elements.append(tuple(parts))
    return Segment(elements[0][0].strip().upper(), tuple(elements[1:]), raw[:200])
