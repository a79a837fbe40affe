"""Messages put into a folder instead of being given to a server: for trials before going live.

``<token>.eml`` appears whole and never twice: its name is the message's. Nothing leaves the machine.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from saldo.outreach.channels.outgoing import Answer, failed, sent, try_again

IN_FOLDER = "in_folder"


def put(folder: str, token: str, raw: bytes) -> Answer:
    """Put a message into ``folder``, which is made if it is missing."""
    if not token.replace("-", "").replace("_", "").isalnum():
        return failed("name_not_usable")
    target = Path(folder) / f"{token}.eml"
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        is_new = _write(target, raw)
    except OSError as error:
        return try_again("folder_not_written", error.strerror or type(error).__name__)
    return sent(target.name, code=IN_FOLDER if is_new else "already_there")


def _write(path: Path, data: bytes) -> bool:
    """The file, whole or not at all; False where it is there already."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.link(name, path)
    except FileExistsError:
        return False
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name)
    return True
