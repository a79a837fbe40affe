"""The operating system account the server runs as: ours, or an unprivileged one when we are root.

PostgreSQL refuses to run as root, rightly. Instead of opening root's folders to somebody else, the server
gets an account without privileges and a folder that this account can already reach.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from saldo.core.errors import SaldoError

_KNOWN = ("saldo", "postgres")
_LAST_RESORT = "nobody"


@dataclass(frozen=True, slots=True)
class Account:
    """Who the server runs as. uid and gid are None when it is simply the user we are."""

    name: str
    uid: int | None = None
    gid: int | None = None

    def give(self, path: Path) -> None:
        """Make the account the owner of ``path`` (nothing to do when the account is ours)."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def run(
        self, command: Sequence[object], cwd: Path, timeout: float | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a program as the account, in a clean environment, and return what it said.

        Variables such as PGPORT or PGDATA of whoever calls us must not reach the server's programs; LC_ALL=C
        keeps their messages in the language that the caller matches.
        """
        environment = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC", "HOME": str(cwd)}
        if "LD_LIBRARY_PATH" in os.environ:
            environment["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
        return subprocess.run(
            [str(part) for part in command],
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
            user=self.uid,
            group=self.gid,
            extra_groups=None if self.uid is None else [],
            umask=0o077,
        )

    def can_reach(self, folder: Path) -> bool:
        """Whether the account can enter ``folder``. The system itself is asked: access lists count."""
        if self.uid is None:
            return os.access(folder, os.X_OK)
        return self.run(["/bin/sh", "-c", 'cd -- "$1"', "sh", folder], cwd=Path("/")).returncode == 0


def is_root() -> bool:
    return os.geteuid() == 0


def server_account(data: Path) -> Account:
    """The account for the cluster whose data folder is ``data``: its owner, once it exists.

    Raises database_no_account where no unprivileged account can be had.
    """
    if not is_root():
        return Account(_our_name())
    account = _owner(data) or _existing(_KNOWN) or _created() or _existing((_LAST_RESORT,))
    if account is None:
        raise SaldoError("database_no_account", reason="no unprivileged user")
    _check_usable(account)
    return account


def _our_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        raise SaldoError("database_no_account", reason=f"uid {os.geteuid()} has no name") from None


def _owner(data: Path) -> Account | None:
    try:
        owner = data.stat()
    except OSError:
        return None
    return None if owner.st_uid == 0 else Account(str(owner.st_uid), owner.st_uid, owner.st_gid)


def _existing(names: Sequence[str]) -> Account | None:
    for name in names:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(name, entry.pw_uid, entry.pw_gid)
    return None


def _created() -> Account | None:
    """A system user "saldo", where the machine has the means to create one."""
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if useradd is None:
        return None
    shell = shutil.which("nologin", path="/usr/sbin:/sbin") or "/bin/false"
    subprocess.run(
        [useradd, "--system", "--user-group", "--no-create-home", "--shell", shell, "saldo"],
        capture_output=True,
        check=False,
    )
    return _existing(("saldo",))


def _check_usable(account: Account) -> None:
    """Some containers give a root that may not become anybody else."""
    try:
        account.run(["/bin/sh", "-c", ":"], cwd=Path("/"))
    except OSError as error:
        raise SaldoError("database_no_account", reason=f"{account.name}: {error.strerror}") from error
