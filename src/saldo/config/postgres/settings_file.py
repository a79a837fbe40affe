"""saldo.conf: settings for one machine that also runs the web server and the models."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

_MB = 1024 * 1024
_GB = 1024 * _MB


def render(run: Path, log: Path, host: str, port: int, data: Path) -> str:
    """The text of saldo.conf. host is the socket's folder, then ``run`` is it too, or a network address."""
    memory = _memory_bytes()
    socket = host.startswith("/")
    settings = {
        "listen_addresses": "" if socket else host,
        "port": port,
        "unix_socket_directories": _listed(run) if socket else "",
        "unix_socket_permissions": "0700",
        "max_connections": 200,
        "shared_buffers": _megabytes(min(512 * _MB, memory // 4)),
        "effective_cache_size": _megabytes(memory // 2),
        "work_mem": _megabytes(min(64 * _MB, memory // 64)),
        "maintenance_work_mem": _megabytes(min(256 * _MB, memory // 16)),
        # Containers often give /dev/shm 64 MB, which a parallel query outgrows.
        "dynamic_shared_memory_type": "posix" if _free_bytes(Path("/dev/shm")) > 512 * _MB else "mmap",
        "max_wal_size": _megabytes(max(512 * _MB, min(4 * _GB, _free_bytes(data) // 8))),
        "checkpoint_timeout": "15min",
        # No replication from the embedded server: COPY into a new table then needs no write-ahead log.
        "wal_level": "minimal",
        "max_wal_senders": 0,
        "jit": "off",
        "random_page_cost": "1.1",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "logging_collector": "on",
        "log_directory": str(log),
        # One file a weekday, each emptied a week later.
        "log_filename": "postgresql-%a.log",
        "log_rotation_age": "1d",
        "log_rotation_size": 0,
        "log_truncate_on_rotation": "on",
        # Statements and details of errors carry customers' data, which has no place in a log.
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
    }
    lines = [f"{name} = {_quoted(str(value))}" for name, value in settings.items()]
    head = "# Written by Saldo at every start. Put your own settings at the end of data/postgresql.conf.\n"
    return head + "\n".join(lines) + "\n"


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def _listed(path: Path) -> str:
    """``path`` as one entry of a list setting, whatever commas and spaces it contains."""
    return '"' + str(path).replace('"', '""') + '"'


def _megabytes(size: int) -> str:
    return f"{max(size // _MB, 4)}MB"


def _memory_bytes() -> int:
    """The machine's memory, or the container's share of it."""
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            return min(physical, int(Path(limit).read_text()))
        except (OSError, ValueError):
            continue
    return physical


def _free_bytes(folder: Path) -> int:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0
