"""The users of this machine as whom the tests run Saldo, each call in an interpreter of its own."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src"
ROOT = os.geteuid() == 0
PROLOGUE = """
import json, os, sys
from pathlib import Path
from saldo.config import postgres
from saldo.config.postgres import binaries, cluster as clusters, processes
from saldo.core.errors import SaldoError
home = Path(sys.argv[1])
try:
    {body}
except SaldoError as error:
    print(json.dumps({{"error": error.code, "text": str(error), "italian": error.text("it")}}))
"""


@dataclass(frozen=True)
class Person:
    """Somebody who runs Saldo on this machine: how to run Python as them."""

    python: str
    uid: int
    gid: int

    def popen(self, body: str, home: Path, **environment: str) -> subprocess.Popen[str]:
        other = self.uid != os.geteuid()
        clean = {
            k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "SALDO_DB_PORT", "SALDO_HOME")
        }
        path = os.pathsep.join([str(SOURCE), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])
        return subprocess.Popen(
            [self.python, "-c", PROLOGUE.format(body=body.replace("\n", "\n    ")), str(home)],
            env={**clean, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", **environment},
            cwd="/",
            stdout=subprocess.PIPE,
            text=True,
            **({"user": self.uid, "group": self.gid, "extra_groups": []} if other else {}),
        )

    def does(self, body: str, home: Path, **environment: str) -> Any:
        with self.popen(body, home, **environment) as process:
            said, _ = process.communicate(timeout=120)
        assert process.returncode == 0
        return json.loads(said) if said else None

    def ensures(self, home: Path, **environment: str) -> Any:
        return self.does("print(json.dumps(postgres.ensure(home)))", home, **environment)

    def status(self, home: Path) -> Any:
        return self.does("print(json.dumps(postgres.status(home).as_json()))", home)

    def stops(self, home: Path) -> Any:
        return self.does("print(json.dumps(postgres.stop(home)))", home)

    def erases(self, home: Path) -> None:
        self.does("postgres.erase(home)", home)

    def folder(self, mode: int = 0o755) -> Path:
        """A new folder of theirs, with a short path."""
        path = Path(tempfile.mkdtemp(prefix="saldo-"))
        os.chown(path, self.uid, self.gid)
        path.chmod(mode)
        return path


@cache
def ordinary() -> Person:
    """An ordinary user, or a skip with its reason where we cannot be one."""
    if not ROOT:
        return Person(sys.executable, os.getuid(), os.getgid())
    nobody = pwd.getpwnam("nobody")
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for python in (sys.executable, shutil.which(name, path="/usr/local/bin:/usr/bin") or name):
        person = Person(python, nobody.pw_uid, nobody.pw_gid)
        try:
            with person.popen("pass", Path("/")) as process:
                process.communicate()
        except OSError:
            continue
        if process.returncode == 0:
            return person
    pytest.skip("no Python here that an ordinary user may run with Saldo's packages")
