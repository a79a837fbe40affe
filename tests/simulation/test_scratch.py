"""Scratch databases are made for a trial and gone after it; runs do not depend on what runs beside them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner

from saldo.core.errors import SaldoError
from saldo.interfaces.commands.main import main
from saldo.simulation.trial.jobs import Job, run_all
from saldo.simulation.trial.scratch import PREFIX, Scratch, Server, scratch

WAIT_SECONDS = 120


@pytest.fixture(scope="module")
def server(django_db_setup: None) -> Server:
    """The server of the tests, whose own database is there."""
    return Server.in_use()


@pytest.fixture(scope="module")
def databases(server: Server) -> Iterator[Scratch]:
    """A trial at work, while others come and go."""
    with scratch(server) as made:
        yield made


def _names(server: Server, prefix: str = PREFIX) -> set[str]:
    with closing(server.connect()) as connection:
        rows = connection.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [prefix])
        return {row[0] for row in rows.fetchall()}


def _count(url: str, table: str) -> int:
    with closing(psycopg.connect(url)) as connection:
        row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        assert row is not None
        return int(row[0])


def test_databases_are_apart_and_dropped_on_errors_too(server: Server, databases: Scratch) -> None:
    class Boom(Exception):
        pass

    names = []
    leftover = f"{PREFIX}deadbeef_job0"
    with closing(server.connect()) as connection:
        connection.execute(f'CREATE DATABASE "{leftover}"')
    with pytest.raises(Boom), scratch(server) as made:
        names.append(made.name)
        # What a run that was killed left is dropped, what belongs to one at work is not.
        assert leftover not in _names(server) and _names(server, databases.name)
        one, two = made.make("one"), made.make("two")
        with closing(psycopg.connect(one, autocommit=True)) as connection:
            connection.execute("INSERT INTO django_session VALUES ('x', 'x', now())")
        assert (_count(one, "django_session"), _count(two, "django_session")) == (1, 0)
        made.drop("two")
        assert {name.removeprefix(made.name) for name in _names(server, made.name)} == {"_one", "_template"}
        raise Boom
    assert not _names(server, names[0])


def test_a_run_gives_the_same_whatever_runs_beside_it(server: Server, databases: Scratch) -> None:
    job, other = Job("oldest", 3, "small", 7), Job("none", 3, "small", 7)
    together = run_all([job, other], databases, 2)
    alone = run_all([job], databases, 1)
    assert {name.removeprefix(databases.name) for name in _names(server, databases.name)} == {"_template"}
    assert together[job] == alone[job]
    assert together[job].contacts > 0 and together[other].contacts == 0


def test_a_run_that_fails_is_told_with_its_seed(databases: Scratch) -> None:
    with pytest.raises(SaldoError) as caught:
        run_all([Job("nobody", 5, "small", 7)], databases, 1)
    assert caught.value.code == "trial_failed"
    assert "nobody" in caught.value.text("en") and "5" in caught.value.text("en")


def test_interrupted_it_leaves_nothing(server: Server) -> None:
    before = _names(server)
    command = [sys.executable, "-W", "ignore", "-m", "saldo.interfaces.commands.main", "simulate"]
    process = subprocess.Popen([*command, "--days", "365", "--policy", "saldo", "--seeds", "1"], env=_env())
    try:
        _until(lambda: any("_job" in name for name in _names(server) - before), process)
        process.send_signal(signal.SIGINT)
        assert process.wait(WAIT_SECONDS) == 130
    finally:
        process.kill()
        process.wait()
    assert _names(server) <= before


def _env() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def _until(happens: Any, process: subprocess.Popen[bytes]) -> None:
    for _ in range(WAIT_SECONDS * 10):
        if happens():
            return
        assert process.poll() is None, "it ended before it was interrupted"
        time.sleep(0.1)
    raise AssertionError("it did not begin in time")


def test_an_unknown_policy_is_an_error_that_names_the_known_ones() -> None:
    result = CliRunner().invoke(main, ["simulate", "--policy", "none,hope"])
    assert result.exit_code == 2
    assert "hope" in result.stderr and "calendar" in result.stderr
