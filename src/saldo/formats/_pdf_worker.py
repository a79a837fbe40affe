"""The text of PDF files, taken out in a process of its own whose memory is limited.

A PDF of a few kilobytes can make any library that reads it use gigabytes (forms within forms, streams within
streams). So this file runs as a program: it reads requests from standard input and answers each on standard
output, and the system ends it where it wants too much. It imports nothing of Saldo, to start quickly.
``pages_of`` is the same work for callers that cannot start processes.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from contextlib import suppress
from typing import BinaryIO

import pypdfium2  # type: ignore[import-untyped]

# Python and the library take some 60 MiB of addresses, the largest file twice its 64 MiB.
MAX_MEMORY_BYTES = 512 * 2**20
_LENGTH = struct.Struct(">Q")

Piece = tuple[str, float, float, float, float]


class TooMuch(Exception):
    """A page with more pieces of text than can be read in time; args: its number."""


def pages_of(data: bytes, most_pages: int, most_pieces: int, most_passes: int) -> list[list[Piece]]:
    """Per page the pieces of text: (text, left, bottom, right, top) in points, from the left and the bottom.

    Raises TooMuch, and what the library raises for a file that it cannot open.
    """
    document = pypdfium2.PdfDocument(data)
    try:
        pages = []
        for number in range(min(len(document), most_pages)):
            pieces, passes = _pieces(document, number, most_pieces, most_passes)
            most_pieces, most_passes = most_pieces - len(pieces), most_passes - passes
            pages.append(pieces)
        return pages
    finally:
        document.close()


def _pieces(
    document: pypdfium2.PdfDocument, number: int, most: int, most_passes: int
) -> tuple[list[Piece], int]:
    """The pieces of a page, and how many passes over its characters they cost."""
    page = document[number]
    try:
        text_page = page.get_textpage()
        try:
            found = []
            count = min(text_page.count_rects(), most)
            passes = count * text_page.count_chars()
            if passes > most_passes:
                raise TooMuch(number + 1)
            for index in range(count):
                left, bottom, right, top = text_page.get_rect(index)
                text = " ".join(text_page.get_text_bounded(left, bottom, right, top).split())
                if text:
                    found.append((text, left, bottom, right, top))
            return found, passes
        finally:
            text_page.close()
    finally:
        page.close()


# -- the program -----------------------------------------------------------------------------------------


def written(stream: BinaryIO, *parts: bytes) -> None:
    """Each part behind its length."""
    for part in parts:
        stream.write(_LENGTH.pack(len(part)))
        stream.write(part)
    stream.flush()


def part_of(stream: BinaryIO) -> bytes | None:
    """The next part; None where the stream ends within it."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    part = stream.read(length)
    return part if len(part) == length else None


def _limit() -> None:
    """Memory, files and crash reports bounded, where the system can (not on Windows)."""
    try:
        import resource
    except ImportError:
        return
    for what, most in (
        (resource.RLIMIT_AS, MAX_MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        with suppress(ValueError, OSError):
            resource.setrlimit(what, (most, most))


def _answer(limits: list[int], data: bytes) -> dict[str, object]:
    try:
        return {"pages": pages_of(data, *limits)}
    except TooMuch as too_much:
        return {"too_much": too_much.args[0]}
    except MemoryError:
        return {"no_memory": True}
    except (pypdfium2.PdfiumError, ValueError, OSError) as error:
        return {"broken": str(error)}


def serve() -> None:
    """Answer requests (limits, data) until standard input ends."""
    _limit()
    source = sys.stdin.buffer
    # The library may write on standard output, which is then not ours.
    target = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    while (limits := part_of(source)) is not None and (data := part_of(source)) is not None:
        written(target, json.dumps(_answer(json.loads(limits), data)).encode("utf-8", "replace"))


if __name__ == "__main__":
    serve()
