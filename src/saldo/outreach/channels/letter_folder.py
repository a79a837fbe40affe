"""Letters: a PDF/A put into a folder from which a print service (or a colleague) takes it.

Beside ``<token>.pdf`` stands ``<token>.json`` with the address. Both appear whole, the PDF last and never
twice: its name is the message's. Without a folder the letter stays in Saldo and a person prints it.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from saldo.outreach.channels.outgoing import Answer, Outgoing, failed, sent, try_again

TO_PRINT = "to_print"


def send(folder: str, out: Outgoing, pdf: bytes) -> Answer:
    """Put the letter into ``folder``; "" keeps it in Saldo, to be printed."""
    if not folder:
        return sent(code=TO_PRINT)
    if not out.token.replace("-", "").replace("_", "").isalnum():
        return failed("name_not_usable")
    target = Path(folder).expanduser() / f"{out.token}.pdf"
    try:
        if target.exists():
            return sent(target.name, target.name, "already_there")
        _write(target.with_suffix(".json"), _sheet(out, pdf))
        is_new = _write(target, pdf)
    except OSError as error:
        return try_again("folder_not_written", error.strerror or type(error).__name__)
    # The letter is there whole; that its entry outlives a power cut is worth an attempt.
    with suppress(OSError):
        _sync(target.parent)
    return sent(target.name, target.name, "" if is_new else "already_there")


def _sheet(out: Outgoing, pdf: bytes) -> bytes:
    told = {
        "id": out.token, "to": out.to_name, "address": out.to_address, "subject": out.subject,
        "sha256": hashlib.sha256(pdf).hexdigest(), **out.details,
    }  # fmt: skip
    return json.dumps(told, ensure_ascii=False, indent=1).encode()


def _write(path: Path, data: bytes) -> bool:
    """The file, whole or not at all; False where it is there already."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o640)
        os.link(name, path)
    except FileExistsError:
        return False
    finally:
        os.unlink(name)
    return True


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
