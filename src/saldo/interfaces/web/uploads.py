"""Files between their upload and the start of their import: kept on disk while somebody looks at the preview.

A file's token is random, is remembered in the session of who uploaded it, and is of no use to anyone else.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile

SESSION_KEY = "uploads"
KEPT_SECONDS = 24 * 3600
NAME_CHARACTERS = 200
MOST_FILES = 50


@dataclass(frozen=True, slots=True)
class Upload:
    token: str
    name: str
    size: int

    @property
    def path(self) -> Path:
        return _folder() / self.token


def _folder() -> Path:
    folder = Path(settings.HOME) / "uploads"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _forget_old() -> None:
    """Remove what nobody came back for."""
    oldest = time.time() - KEPT_SECONDS
    for path in _folder().iterdir():
        if path.is_file() and path.stat().st_mtime < oldest:
            path.unlink(missing_ok=True)


def keep(session: Any, file: UploadedFile) -> Upload:
    """Write the file's bytes to disk and remember it in the session."""
    _forget_old()
    upload = Upload(
        secrets.token_urlsafe(24), Path(str(file.name)).name[:NAME_CHARACTERS], int(file.size or 0)
    )
    with upload.path.open("xb") as target:
        upload.path.chmod(0o600)
        for block in file.chunks():
            target.write(block)
    session[SESSION_KEY] = [*session.get(SESSION_KEY, []), [upload.token, upload.name, upload.size]][
        -MOST_FILES:
    ]
    return upload


def waiting(session: Any) -> list[Upload]:
    """The session's uploads that are still there, oldest first."""
    found = [Upload(*entry) for entry in session.get(SESSION_KEY, [])]
    return [upload for upload in found if upload.path.is_file()]


def find(session: Any, token: str) -> Upload | None:
    return next((upload for upload in waiting(session) if upload.token == token), None)


def forget(session: Any, upload: Upload) -> None:
    upload.path.unlink(missing_ok=True)
    session[SESSION_KEY] = [entry for entry in session.get(SESSION_KEY, []) if entry[0] != upload.token]
