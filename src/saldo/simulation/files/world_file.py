"""One file that a world writes: what a bank, an ERP, SdI or a customer would have sent, with its bytes."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

# The earliest moment that a zip archive can state: archives must not tell when they were written.
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class WorldFile:
    """path: relative, with "/". day: when it arrives. mapping: profile (name or path in the world's folder)
    to read a table with, None where the file says what it is. refusals: error code -> how many pieces of the
    file a reader must refuse, for the planted faults; everything else must be read.
    """

    path: str
    data: bytes
    day: date
    mapping: str | None = None
    refusals: Mapping[str, int] = field(default_factory=dict)


def archive(members: Iterable[tuple[str, bytes]]) -> bytes:
    """A zip of ``members`` in their order; the same members give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, data in members:
            info = zipfile.ZipInfo(name, ZIP_EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            zipped.writestr(info, data)
    return buffer.getvalue()
