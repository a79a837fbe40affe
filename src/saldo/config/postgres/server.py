"""Starting, stopping and looking at the embedded server."""

from __future__ import annotations

import os
import socket
import time
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import pq, sql
from psycopg.conninfo import make_conninfo

from saldo.config.postgres import cluster as clusters
from saldo.config.postgres import processes, settings_file
from saldo.config.postgres.account import Account, server_account
from saldo.config.postgres.address import connection_failure, version_text
from saldo.config.postgres.binaries import Binaries, of_major, usable_by
from saldo.config.postgres.cluster import Access, Cluster
from saldo.core.errors import SaldoError

LOOPBACK = "127.0.0.1"
_SOCKET_PORT = 5432
_SOCKET_PATH_BYTES = 100
_START_SECONDS = 120
_STOP_SECONDS = 60
_SILENT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """What ``saldo db status`` tells. size_bytes is of the data folder; pid is None when it does not run."""

    running: bool
    pid: int | None
    version: str | None
    data_directory: str
    host: str | None
    port: int | None
    size_bytes: int

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def ensure(home: Path) -> dict[str, str | int]:
    """Connection parameters of the server of ``home``, made and started first where needed.

    Any number of processes may call this at once. When the server runs it costs one connection: that a
    connection succeeds is the only sign of life that is believed.
    """
    home = home.absolute()
    access = clusters.find(home).access()
    if access is not None and not _port_is_a_strangers(access) and _opens(access):
        return access.conninfo()
    return _bring_up(home).conninfo()


def start(home: Path) -> ServerStatus:
    """Start the server of ``home`` unless it runs."""
    ensure(home)
    return status(home)


def stop(home: Path, mode: str = "fast") -> bool:
    """Stop the server of ``home``; False if it was not running.

    mode: "smart" waits for sessions to end, "fast" ends them, "immediate" leaves recovery to the next start.
    Another process that still uses the server loses its connections and gets new ones from ``ensure``.
    """
    cluster = clusters.find(home.absolute())
    if not cluster.exists:
        return False
    with clusters.locked(cluster):
        access = cluster.access()
        pid = processes.postmaster_pid(cluster.data)
        if access is None or pid is None or pid not in processes.living(access.name):
            return False
        account = server_account(cluster.data)
        tree = _binaries(cluster, account)
        command = [tree.program("pg_ctl"), "stop", "-D", "data", "-m", mode, "-w", "-t", str(_STOP_SECONDS)]
        result = account.run(command, cwd=cluster.folder)
        if result.returncode != 0:
            raise SaldoError("database_not_stopped", pid=pid, mode=mode, log=result.stderr.strip())
    return True


def status(home: Path) -> ServerStatus:
    """How the server of ``home`` is, without starting it."""
    cluster = clusters.find(home.absolute())
    access = cluster.access()
    version = None
    if access is not None and not _port_is_a_strangers(access):
        with suppress(psycopg.OperationalError), closing(_connection(access.admin_conninfo())) as connection:
            version = version_text(connection.info.server_version)
    running = version is not None
    return ServerStatus(
        running=running,
        pid=processes.postmaster_pid(cluster.data) if running else None,
        version=version,
        data_directory=str(cluster.data),
        host=access.host if running and access else None,
        port=access.port if running and access else None,
        size_bytes=_size_bytes(cluster.data),
    )


def erase(home: Path) -> None:
    """Stop the server of ``home`` and delete its cluster with all data. For tests and demonstrations."""
    stop(home, "immediate")
    clusters.discard(clusters.find(home.absolute()).folder)
    clusters.forget(home.absolute())


def _bring_up(home: Path) -> Access:
    cluster = clusters.prepare(home)
    with clusters.locked(cluster):
        access = cluster.access() if cluster.exists else clusters.initialize(cluster)
        if access is None:
            raise SaldoError("database_secret_lost", path=cluster.folder / "connection.json")
        if not _answers(cluster.data, access):
            access = _launch(cluster, access)
        _ensure_database(access)
    return access


def _connection(conninfo: dict[str, str | int]) -> psycopg.Connection[Any]:
    return psycopg.connect(make_conninfo("", **conninfo, connect_timeout=10), autocommit=True)


def _opens(access: Access) -> bool:
    """Whether the application can work: its database opens with its password."""
    try:
        _connection(access.conninfo()).close()
    except psycopg.OperationalError as error:
        # A full server is alive; who asked for parameters gets them, and the error when it connects.
        return "too many clients" in str(error) or "connection slots are reserved" in str(error)
    return True


def _port_is_a_strangers(access: Access) -> bool:
    """Whether our server is down and so whatever listens on its port is not ours, and may never answer."""
    return access.host == LOOPBACK and not processes.living(access.name)


def _answers(data: Path, access: Access) -> bool:
    """Whether the server runs, after waiting for one that is starting, recovering or shutting down.

    Just after its start and before its end a server lives without answering, so silence gets some time.
    """
    if not access.host or _port_is_a_strangers(access):
        return False
    where = f"connect_timeout=5 port={access.port} dbname=postgres"
    address = make_conninfo(where, host=access.host).encode()
    begun = time.monotonic()
    while (answer := pq.PGconn.ping(address)) != pq.Ping.OK:
        silent = answer != pq.Ping.REJECT
        if silent and processes.postmaster_pid(data) not in processes.living(access.name):
            return False
        if time.monotonic() - begun > (_SILENT_SECONDS if silent else _START_SECONDS):
            return False
        time.sleep(0.05)
    try:
        _connection(access.admin_conninfo()).close()
    except psycopg.OperationalError as error:
        # On a port of the machine somebody else's server may answer; it does not know our password.
        return access.host != LOOPBACK or "authentication" not in str(error)
    return True


def _launch(cluster: Cluster, access: Access) -> Access:
    account = server_account(cluster.data)
    tree = _binaries(cluster, account)
    try:
        processes.clear_remains(access.name, cluster.data, cluster.run)
        access = _address(cluster, access)
        text = settings_file.render(cluster.run, cluster.log, access.host, access.port, cluster.data)
        cluster.settings.write_text(text, "utf-8")
        cluster.settings.chmod(0o644)
        cluster.note(access)
    except OSError as error:
        raise clusters.not_writable(cluster.folder, error) from error
    _start_server(cluster, access, account, tree)
    return access


def _binaries(cluster: Cluster, account: Account) -> Binaries:
    return usable_by(account, of_major(cluster.major(), cluster.data), cluster.folder)


def _address(cluster: Cluster, access: Access) -> Access:
    """Where to listen: the port the user chose, else the socket, else (if its path will not do) a free port
    that is kept from then on, because other processes remember it."""
    chosen = os.environ.get("SALDO_DB_PORT", "")
    path = os.fsencode(cluster.run / f".s.PGSQL.{_SOCKET_PORT}")
    # To libpq a comma in a host separates two hosts, and a folder has no other way to be written.
    if not chosen and len(path) <= _SOCKET_PATH_BYTES and b"," not in path:
        return clusters.moved(access, str(cluster.run), _SOCKET_PORT)
    remembered = access.port if access.host == LOOPBACK else 0
    try:
        port = int(chosen or remembered)
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((LOOPBACK, port))
            return clusters.moved(access, LOOPBACK, listener.getsockname()[1])
    except (OSError, OverflowError, ValueError) as error:
        raise SaldoError("database_port_taken", port=chosen or remembered) from error


def _start_server(cluster: Cluster, access: Access, account: Account, tree: Binaries) -> None:
    """Start and wait. Paths are relative because pg_ctl hands them to a shell without quoting enough."""
    before = _log_sizes(cluster)
    command = [tree.program("pg_ctl"), "start", "-D", "data", "-l", "log/start.log", "-s"]
    options = ["-w", "-t", str(_START_SECONDS), "-o", f"-c cluster_name={access.name}"]
    result = account.run([*command, *options], cwd=cluster.folder)
    if result.returncode == 0:
        return
    log = _log_since(cluster, before) or result.stderr
    if "Address already in use" in log:
        raise SaldoError("database_port_taken", port=access.port)
    if processes.living(access.name):
        raise SaldoError("database_still_recovering", path=cluster.folder, seconds=_START_SECONDS)
    raise clusters.failure(cluster, log)


def _ensure_database(access: Access) -> None:
    """The application's role and database, where absent."""
    try:
        with closing(_connection(access.admin_conninfo())) as connection:
            password = sql.Literal(access.password)
            role, database = sql.Identifier(clusters.USER), sql.Identifier(clusters.DATABASE)
            if not _any(connection, "SELECT 1 FROM pg_roles WHERE rolname = %s", clusters.USER):
                query = sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}")
                connection.execute(query.format(role, password))
            if not _any(connection, "SELECT 1 FROM pg_database WHERE datname = %s", clusters.DATABASE):
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(database, role))
    except psycopg.OperationalError as error:
        raise connection_failure(access.admin_conninfo(), error) from error


def _any(connection: psycopg.Connection[Any], query: Any, value: str) -> bool:
    return connection.execute(query, [value]).fetchone() is not None


def _log_sizes(cluster: Cluster) -> dict[Path, int]:
    return {path: path.stat().st_size for path in cluster.log.glob("*.log")}


def _log_since(cluster: Cluster, before: dict[Path, int]) -> str:
    """What the server logged since ``before`` was taken: its own log after what it said before opening it."""
    parts = []
    for path in sorted(cluster.log.glob("*.log"), key=lambda path: path.name != "start.log"):
        with suppress(OSError), path.open("rb") as file:
            file.seek(before.get(path, 0))
            parts.append(file.read(1_000_000).decode(errors="replace"))
    return "\n".join(parts).strip()


def _size_bytes(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(parent, name)).st_size
    return total
