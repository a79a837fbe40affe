"""The text of a PDF from a worker process: started once, used again, ended where a file wants too much.

Where no process can be started, the file is read in this one, without limits of memory and time.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pypdfium2  # type: ignore[import-untyped]

from saldo.core.errors import Rejection
from saldo.formats import _pdf_worker
from saldo.formats.records import Refusal

MAX_PDF_BYTES = 64 * 2**20
MAX_SECONDS = 30.0
# What the library does not give back of many files stays bounded.
MAX_FILES_PER_WORKER = 500


@dataclass(frozen=True, slots=True)
class Piece:
    """Text that stands together on a page; x from the left, y from the bottom of the page, in points."""

    text: str
    left: float
    bottom: float
    right: float
    top: float


def pages_of_pdf(data: bytes, most_pages: int, most_pieces: int, most_passes: int) -> list[list[Piece]]:
    """Per page its pieces of text.

    Raises Refusal: "file_too_large" (bytes, or pieces on a page), "pdf_too_demanding" (memory, time),
    "remittance_pdf_broken" where the file cannot be opened (damaged, encrypted).
    """
    if len(data) > MAX_PDF_BYTES:
        raise Refusal(Rejection("file_too_large", "", "", {"limit": f"{MAX_PDF_BYTES // 2**20} MiB"}))
    answer = _WORKER.answer([most_pages, most_pieces, most_passes], data)
    if "pages" in answer:
        return [[Piece(*piece) for piece in page] for page in answer["pages"]]
    if "too_much" in answer:
        where = f"page {answer['too_much']}"
        raise Refusal(Rejection("file_too_large", where, "", {"limit": f"{most_pages} full pages"}))
    if "broken" in answer:
        raise Refusal(Rejection("remittance_pdf_broken", "", "", {"reason": answer["broken"][:200]}))
    params = {"memory": f"{_pdf_worker.MAX_MEMORY_BYTES // 2**20} MiB", "seconds": int(MAX_SECONDS)}
    raise Refusal(Rejection("pdf_too_demanding", "", "", params))


class _Worker:
    """One worker of this process, used by one thread at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._files = 0

    def answer(self, limits: list[int], data: bytes) -> dict[str, Any]:
        """What the worker says of a file; nothing where it ended over it."""
        with self._lock:
            process = self._running()
            if process is None:
                return _without_process(limits, data)
            self._files += 1
            timer = threading.Timer(MAX_SECONDS, process.kill)
            timer.daemon = True
            timer.start()
            try:
                told = _asked(process, limits, data)
            finally:
                timer.cancel()
            if told is None:
                self._end()
                return {}
            return told

    def _running(self) -> subprocess.Popen[bytes] | None:
        """The worker; None where none can be started. After a fork, the parent's is not ours to use."""
        if self._owner != os.getpid():
            _disowned(self._process)
            self._process, self._owner = None, os.getpid()
        if self._process is not None and self._files >= MAX_FILES_PER_WORKER:
            self._end()
        if self._process is None or self._process.poll() is not None:
            self._process, self._files = _started(), 0
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return
        process.kill()
        process.wait()
        _close_pipes(process)

    def end(self) -> None:
        with self._lock:
            self._end()


def _disowned(process: subprocess.Popen[bytes] | None) -> None:
    """Give up the copies of another process's worker without ending it."""
    if process is not None:
        _close_pipes(process)
        process.returncode = 0


def _close_pipes(process: subprocess.Popen[bytes]) -> None:
    for stream in (process.stdin, process.stdout):
        # What was not written any more is nobody's.
        with suppress(OSError):
            if stream is not None:
                stream.close()


def _started() -> subprocess.Popen[bytes] | None:
    if not sys.executable:
        return None
    try:
        return subprocess.Popen(
            # -P: the folder of the program is no place to import from.
            [sys.executable, "-P", _pdf_worker.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            close_fds=True,
        )
    except OSError:
        return None


def _asked(process: subprocess.Popen[bytes], limits: list[int], data: bytes) -> dict[str, Any] | None:
    """The answer of the worker; None where it ended before it gave one."""
    assert process.stdin is not None and process.stdout is not None
    try:
        _pdf_worker.written(process.stdin, json.dumps(limits).encode(), data)  # type: ignore[arg-type]
        told = _pdf_worker.part_of(process.stdout)  # type: ignore[arg-type]
    except OSError:
        return None
    answer = json.loads(told) if told is not None else None
    return answer if isinstance(answer, dict) else None


def _without_process(limits: list[int], data: bytes) -> dict[str, Any]:
    try:
        return {"pages": _pdf_worker.pages_of(data, *limits)}
    except _pdf_worker.TooMuch as too_much:
        return {"too_much": too_much.args[0]}
    except (pypdfium2.PdfiumError, ValueError, OSError) as error:
        return {"broken": str(error)}


_WORKER = _Worker()
atexit.register(_WORKER.end)
