"""The folder of a cluster: where it is, what it keeps, how it is made, and who may work on it at a time.

    postgres/            as root: ours, and only to be walked through by the server's account; else 0700
      connection.json    passwords, cluster name, last address; 0600, ours
      lock               held by whoever starts or stops the server
      saldo.conf         settings, written anew at every start
      data/  run/  log/  the server's own, 0700: PostgreSQL's data, its socket, its log

The folder is SALDO_HOME/postgres. When we are root and the server's account cannot reach SALDO_HOME, no
permission is changed: the cluster goes under /var/lib/saldo and SALDO_HOME/postgres.location says where.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import platformdirs

from saldo.config.postgres.account import Account, is_root, server_account
from saldo.config.postgres.binaries import Binaries, newest, usable_by
from saldo.core.errors import SaldoError

SYSTEM_FOLDER = Path("/var/lib/saldo")
ADMIN = "saldo_admin"
USER = "saldo"
DATABASE = "saldo"
_LOCK_SECONDS = 180.0
_INCLUDE = """
# Saldo's settings; what you add below this line wins over them.
include '../saldo.conf'
"""


@dataclass(frozen=True, slots=True)
class Access:
    """What opens the cluster. host is the socket's folder, or 127.0.0.1 with a port.

    ``saldo`` owns the database and can create others (tests do); it is not a superuser, so that a hole in the
    application is not a hole in the machine. ``saldo_admin`` is the superuser.
    """

    name: str
    password: str
    admin_password: str
    host: str = ""
    port: int = 0

    def conninfo(self) -> dict[str, str | int]:
        """Connection parameters of the application, named as libpq names them."""
        return {
            "host": self.host,
            "port": self.port,
            "user": USER,
            "password": self.password,
            "dbname": DATABASE,
        }

    def admin_conninfo(self) -> dict[str, str | int]:
        return {**self.conninfo(), "user": ADMIN, "password": self.admin_password, "dbname": "postgres"}


@dataclass(frozen=True, slots=True)
class Cluster:
    folder: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def run(self) -> Path:
        return self.folder / "run"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def settings(self) -> Path:
        return self.folder / "saldo.conf"

    @property
    def exists(self) -> bool:
        return (self.data / "PG_VERSION").exists()

    def major(self) -> int:
        return int((self.data / "PG_VERSION").read_text().split(".")[0])

    def access(self) -> Access | None:
        """What was noted at the last start, or None before the first."""
        try:
            return Access(**json.loads((self.folder / "connection.json").read_text("utf-8")))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise not_writable(self.folder, error) from error
        except (ValueError, TypeError) as error:
            raise SaldoError("database_secret_lost", path=self.folder / "connection.json") from error

    def note(self, access: Access) -> None:
        """Keep ``access``, all or nothing even if the power fails."""
        text = json.dumps(asdict(access), indent=1)
        with tempfile.NamedTemporaryFile("w", dir=self.folder, prefix=".connection", delete=False) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(file.name, self.folder / "connection.json")


def default_home() -> Path:
    """SALDO_HOME, or the platform's folder for a user's data."""
    chosen = os.environ.get("SALDO_HOME")
    return Path(chosen).expanduser().absolute() if chosen else Path(platformdirs.user_data_dir("saldo"))


def find(home: Path) -> Cluster:
    """The cluster of ``home``, whether or not it has been made yet."""
    try:
        return Cluster(Path(_pointer(home).read_text("utf-8").strip()))
    except FileNotFoundError:
        return Cluster(home / "postgres")
    except OSError as error:
        raise not_writable(home, error) from error


def prepare(home: Path) -> Cluster:
    """The cluster of ``home`` with its folder made, so that it can be locked."""
    try:
        home.mkdir(mode=0o711 if is_root() else 0o700, parents=True, exist_ok=True)
        cluster = find(home)
        new = is_root() and not cluster.folder.exists()
        if new and not server_account(cluster.data).can_reach(home):
            cluster = _elsewhere(home)
        cluster.folder.mkdir(mode=0o711 if is_root() else 0o700, parents=True, exist_ok=True)
        return cluster
    except OSError as error:
        raise not_writable(home, error) from error


def _pointer(home: Path) -> Path:
    return home / "postgres.location"


def _elsewhere(home: Path) -> Cluster:
    """A place for the cluster outside ``home``, noted there. Of several processes at once the first decides.

    The name is random, not made from the path: a home that was deleted and made again must start empty.
    """
    proposal = home / f".location-{secrets.token_hex(8)}"
    proposal.write_text(f"{SYSTEM_FOLDER / secrets.token_hex(6)}\n", "utf-8")
    with suppress(FileExistsError):
        os.link(proposal, _pointer(home))
    proposal.unlink()
    SYSTEM_FOLDER.mkdir(mode=0o711, exist_ok=True)
    return find(home)


@contextmanager
def locked(cluster: Cluster, seconds: float = _LOCK_SECONDS) -> Iterator[None]:
    """Hold the cluster's lock. The system frees it when the holder dies, however it dies."""
    path = cluster.folder / "lock"
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise not_writable(cluster.folder, error) from error
    try:
        deadline = time.monotonic() + seconds
        while not _taken(file):
            if time.monotonic() > deadline:
                raise SaldoError("database_busy", path=path)
            time.sleep(0.05)
        yield
    finally:
        os.close(file)


def _taken(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def initialize(cluster: Cluster) -> Access:
    """Make the cluster's data. The caller holds the lock. Killed halfway, it starts over the next time."""
    try:
        account = server_account(cluster.data)
        tree = usable_by(account, newest(), cluster.folder)
        access = Access(
            name=f"saldo-{secrets.token_hex(6)}",
            password=secrets.token_urlsafe(24),
            admin_password=secrets.token_urlsafe(24),
        )
        cluster.note(access)
        for folder in (cluster.run, cluster.log):
            folder.mkdir(mode=0o700, exist_ok=True)
            account.give(folder)
        _run_initdb(cluster, account, tree, access)
        return access
    except OSError as error:
        raise not_writable(cluster.folder, error) from error


def _run_initdb(cluster: Cluster, account: Account, tree: Binaries, access: Access) -> None:
    # A name of its own: an initdb whose caller was killed may still be writing to the folder of that attempt.
    for remains in cluster.folder.glob("unfinished-*"):
        shutil.rmtree(remains, ignore_errors=True)
    fresh = Cluster(cluster.folder / f"unfinished-{secrets.token_hex(4)}")
    fresh.folder.mkdir(mode=0o700)
    account.give(fresh.folder)
    password_file = fresh.folder / "password"
    descriptor = os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="ascii") as file:
        file.write(access.admin_password)
    account.give(password_file)
    # The builtin C.UTF-8 sorts by code point and knows the case of every letter, the same on every machine.
    locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if tree.major >= 17 else []
    command = [tree.program("initdb"), "-D", "data", "-U", ADMIN, "-E", "UTF8", "--no-locale", *locale]
    auth = ["--auth-local=scram-sha-256", "--auth-host=scram-sha-256", "--pwfile=password"]
    result = account.run([*command, *auth], cwd=fresh.folder)
    if result.returncode != 0:
        raise failure(cluster, f"{result.stdout}\n{result.stderr}")
    descriptor = os.open(fresh.data / "postgresql.conf", os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW)
    with open(descriptor, "a", encoding="ascii") as file:
        file.write(_INCLUDE)
    os.replace(fresh.data, cluster.data)
    discard(fresh.folder)


def discard(folder: Path) -> None:
    """Remove a folder of ours with all that is in it, if it is there."""
    if folder.exists():
        shutil.rmtree(folder)


def moved(access: Access, host: str, port: int) -> Access:
    return replace(access, host=host, port=port)


def forget(home: Path) -> None:
    """Remove the note saying that the cluster of ``home`` is elsewhere."""
    _pointer(home).unlink(missing_ok=True)


def not_writable(folder: Path, error: OSError) -> SaldoError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return SaldoError("database_disk_full", path=folder, log=error.strerror)
    return SaldoError("database_folder_not_writable", path=folder, reason=error.strerror or str(error))


def failure(cluster: Cluster, log: str) -> SaldoError:
    """The designed error for what PostgreSQL's programs said when they failed."""
    tail = "\n".join(line for line in log.splitlines() if line.strip())[-1500:]
    if "No space left on device" in log or "Disk quota exceeded" in log:
        return SaldoError("database_disk_full", path=cluster.folder, log=tail)
    return SaldoError("database_not_started", path=cluster.folder, log=tail)
