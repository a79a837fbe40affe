"""Which processes belong to a cluster, and clearing away what a killed server left behind.

A cluster's processes carry its name (``cluster_name``) in their command lines, which everybody may read;
their working folder would say the same but is closed to root in most containers.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from saldo.core.errors import SaldoError

_PATIENCE_SECONDS = 3.0


def living(name: str) -> list[int]:
    """Process ids of the cluster called ``name``: the server and its children, without the dead unburied."""
    return [pid for pid, command in _processes() if name in command and "postgres" in command]


def postmaster_pid(data: Path) -> int | None:
    """The process id in postmaster.pid. It says who ran last, not that it still runs."""
    try:
        return int((data / "postmaster.pid").read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def clear_remains(name: str, data: Path, run: Path) -> None:
    """Make a fresh start possible after the server was killed. The caller has found that no server answers.

    A server that is alive but silent is left alone (database_not_answering). Its orphans, which PostgreSQL
    would refuse to start beside, get a few seconds to notice and are then told to quit. The pid file is
    removed because its number may have gone to another process, or to one that died and was never reaped;
    the socket because it leads nowhere.
    """
    pid = postmaster_pid(data)
    alive = living(name)
    if pid is not None and pid in alive:
        raise SaldoError("database_not_answering", pid=pid, path=data)
    if alive:
        _see_off(name)
    (data / "postmaster.pid").unlink(missing_ok=True)
    for leftover in run.glob(".s.PGSQL.*"):
        leftover.unlink(missing_ok=True)


def _see_off(name: str) -> None:
    """Wait for the processes of a dead server to go; help those that do not. Signal 0 only asks."""
    for number in (0, signal.SIGQUIT, signal.SIGKILL):
        for pid in living(name):
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            if not living(name):
                return
            time.sleep(0.05)


def _processes() -> Iterator[tuple[int, str]]:
    """(pid, command line) of every process that is not a zombie."""
    proc = Path("/proc")
    if not (proc / "self" / "cmdline").exists():
        yield from _processes_by_ps()
        return
    for folder in proc.iterdir():
        if folder.name.isdigit():
            # The command line of a zombie is empty, so it drops out by itself.
            with suppress(OSError):
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
                yield int(folder.name), command.decode(errors="replace")


def _processes_by_ps() -> Iterator[tuple[int, str]]:
    command_line = ["ps", "-axo", "pid=,stat=,command="]
    listing = subprocess.run(command_line, capture_output=True, text=True, check=True)
    for line in listing.stdout.splitlines():
        pid, state, command = (*line.split(None, 2), "", "")[:3]
        if not state.startswith("Z"):
            yield int(pid), command
