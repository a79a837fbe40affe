"""The embedded PostgreSQL, for real: as an ordinary user and, when the tests run as root, as root too.

Everything is done by other processes, as in use: each call starts an interpreter as the user in question.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from saldo.config import postgres
from saldo.config.postgres import cluster as clusters
from saldo.config.postgres import processes
from saldo.core.errors import SaldoError
from tests.integration.people import ROOT, SOURCE, Person, ordinary

AWKWARD = 'Crediti d\'Italia "2026" $HOME `x` è'


@pytest.fixture(scope="module", params=["root", "ordinary"])
def person(request: pytest.FixtureRequest) -> Person:
    if request.param == "root" and not ROOT:
        pytest.skip("not root")
    return Person(sys.executable, 0, 0) if request.param == "root" else ordinary()


@pytest.fixture(scope="module")
def home(person: Person) -> Iterator[Path]:
    """A home with an awkward path, shared by the tests; each of them leaves it able to start."""
    folder = person.folder()
    yield folder / AWKWARD
    person.erases(folder / AWKWARD)
    shutil.rmtree(folder)


@pytest.fixture
def fresh(person: Person) -> Iterator[Path]:
    folder = person.folder()
    yield folder / "home"
    person.erases(folder / "home")
    shutil.rmtree(folder)


def connect(conninfo: dict[str, Any]) -> psycopg.Connection[Any]:
    return psycopg.connect(**conninfo, autocommit=True, connect_timeout=10)


def ask(conninfo: dict[str, Any], query: Any) -> Any:
    with closing(connect(conninfo)) as connection:
        return connection.execute(query).fetchone()[0]


def wait_for(what: str, condition: Any) -> None:
    for _ in range(400):
        if condition():
            return
        time.sleep(0.025)
    pytest.fail(f"waited in vain: {what}")


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_first_start_makes_a_private_utf8_database(person: Person, home: Path) -> None:
    conninfo = person.ensures(home)
    assert conninfo["host"] == str(home / "postgres" / "run")
    assert ask(conninfo, "SHOW server_encoding") == "UTF8"
    assert ask(conninfo, "SELECT upper('è') || lower('Ñ')") == "Èñ"
    assert ask(conninfo, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
    assert [
        ask(conninfo, f"SHOW {name}") for name in ("jit", "wal_level", "work_mem", "listen_addresses")
    ] == [
        "off",
        "minimal",
        "64MB",
        "",
    ]
    folder = home / "postgres"
    assert [mode(folder / name) for name in ("data", "run", "log")] == [0o700] * 3
    assert mode(folder / "connection.json") == 0o600
    assert mode(folder) & 0o066 == 0, "others must not list or change the cluster's folder"
    server = Path(f"/proc/{person.status(home)['pid']}").stat()
    assert server.st_uid != 0
    assert person.uid in (0, server.st_uid)


def test_only_the_password_opens_it(person: Person, home: Path) -> None:
    conninfo = person.ensures(home)
    for password in ("", "guess"):
        for user in (conninfo["user"], clusters.ADMIN):
            with pytest.raises(psycopg.OperationalError, match="password"):
                connect({**conninfo, "user": user, "password": password, "passfile": "/dev/null"})


def test_a_running_server_is_found_without_the_lock(person: Person, home: Path) -> None:
    conninfo = person.ensures(home)
    with clusters.locked(clusters.find(home)):
        assert person.ensures(home) == conninfo


def test_processes_that_start_it_together_share_one_server(person: Person, fresh: Path) -> None:
    starting = [person.popen("print(json.dumps(postgres.ensure(home)))", fresh) for _ in range(6)]
    answers = [process.communicate(timeout=120)[0] for process in starting]
    assert [process.returncode for process in starting] == [0] * 6
    assert len(set(answers)) == 1
    assert ask(json.loads(answers[0]), "SELECT 1") == 1
    name = clusters.find(fresh).access().name
    masters = [pid for pid, command in processes._processes() if f"cluster_name={name}" in command]
    assert len(masters) == 1


def test_a_killed_client_harms_nobody(person: Person, home: Path) -> None:
    conninfo = person.ensures(home)
    with closing(connect(conninfo)) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (n int)")
        connection.execute("TRUNCATE kept")
    body = (
        "import psycopg\nc = psycopg.connect(**postgres.ensure(home))\n"
        "c.execute('INSERT INTO kept VALUES (1)')\nc.commit()\nc.execute('INSERT INTO kept VALUES (2)')\n"
        "print('ready', flush=True)\nimport time; time.sleep(60)"
    )
    with person.popen(body, home) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == "ready\n"
        client.send_signal(signal.SIGKILL)
    assert person.ensures(home) == conninfo
    assert ask(conninfo, "SELECT array_agg(n) FROM kept") == [1]


def test_a_killed_backend_is_waited_for(person: Person, home: Path) -> None:
    """PostgreSQL then restarts itself, and refuses connections for a moment."""
    conninfo = person.ensures(home)
    before = person.status(home)["pid"]
    with closing(connect(conninfo)) as connection:
        os.kill(connection.info.backend_pid, signal.SIGKILL)
    assert ask(person.ensures(home), "SELECT 1") == 1
    assert person.status(home)["pid"] == before


def test_a_killed_server_starts_again_beside_busy_orphans(person: Person, home: Path) -> None:
    conninfo = person.ensures(home)
    before = person.status(home)["pid"]
    with closing(connect(conninfo)) as connection, closing(connect(conninfo)) as busy:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (n int)")
        connection.execute("TRUNCATE kept")
        connection.execute("INSERT INTO kept VALUES (7)")
        # A loop that never looks up: the backend does not notice that its server is gone.
        busy.pgconn.send_query(b"DO $$ DECLARE i bigint := 0; BEGIN LOOP i := i + 1; END LOOP; END $$")
        wait_for("the loop to run", lambda: busy.pgconn.flush() == 0 and _active(connection) == 1)
        orphan = busy.info.backend_pid
        os.kill(before, signal.SIGKILL)
        again = person.ensures(home)
    assert ask(again, "SELECT array_agg(n) FROM kept") == [7]
    assert person.status(home)["pid"] != before
    assert not {before, orphan} & set(processes.living(clusters.find(home).access().name))


def _active(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'DO $$%'").fetchone()
    assert row is not None
    return int(row[0])


def test_a_silent_but_living_server_is_left_alone(person: Person, home: Path) -> None:
    person.ensures(home)
    body = "c = clusters.find(home)\nprint(processes.clear_remains(c.access().name, c.data, c.run))"
    assert person.does(body, home)["error"] == "database_not_answering"
    assert person.status(home)["running"]


def test_stop_while_in_use_then_start_again(person: Person, home: Path) -> None:
    conninfo = person.ensures(home)
    with closing(connect(conninfo)) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (n int)")
        assert person.stops(home) is True
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    assert person.stops(home) is False
    down = person.status(home)
    assert (down["running"], down["pid"], down["version"]) == (False, None, None)
    assert ask(person.ensures(home), "SELECT count(*) >= 0 FROM kept") is True


def test_leftovers_whose_process_number_was_reused(person: Person, home: Path) -> None:
    """After a crash of the machine the number in postmaster.pid may belong to anybody."""
    person.ensures(home)
    data, run = home / "postgres" / "data", home / "postgres" / "run"
    pid_file, socket_lock = (data / "postmaster.pid"), (run / ".s.PGSQL.5432.lock")
    texts = {path: path.read_text() for path in (pid_file, socket_lock)}
    old = pid_file.read_text().split("\n")[0]
    owner = data.stat()
    person.stops(home)
    with subprocess.Popen(["sleep", "60"], **({"user": owner.st_uid} if ROOT else {})) as stranger:
        for path, text in texts.items():
            path.write_text(text.replace(old, str(stranger.pid), 1))
            os.chown(path, owner.st_uid, owner.st_gid)
        with closing(socket.socket(socket.AF_UNIX)) as stale:
            # Bound by a relative name: the whole path would be too long on some systems.
            here = os.open(".", os.O_RDONLY)
            os.chdir(run)
            stale.bind(".s.PGSQL.5432")
            os.fchdir(here)
            os.close(here)
        assert ask(person.ensures(home), "SELECT 1") == 1
        assert stranger.poll() is None
        stranger.kill()


def test_killed_during_the_first_start(person: Person, fresh: Path) -> None:
    with person.popen("postgres.ensure(home)", fresh) as first:
        wait_for("initdb", lambda: list((fresh / "postgres").glob("unfinished-*/data/base")))
        first.send_signal(signal.SIGKILL)
    assert ask(person.ensures(fresh), "SELECT 1") == 1


def test_a_dropped_database_is_made_again(person: Person, home: Path) -> None:
    conninfo = person.ensures(home)
    with closing(connect({**conninfo, "dbname": "postgres"})) as connection:
        connection.execute("DROP DATABASE saldo WITH (FORCE)")
    assert ask(person.ensures(home), "SELECT current_database()") == "saldo"


@pytest.mark.parametrize("name", ["long " * 20, "a,b"])
def test_no_path_for_a_socket_means_a_remembered_loopback_port(
    person: Person, fresh: Path, name: str
) -> None:
    home = fresh / name
    conninfo = person.ensures(home)
    try:
        assert conninfo["host"] == "127.0.0.1"
        assert not list((home / "postgres" / "run").iterdir())
        with pytest.raises(psycopg.OperationalError, match="password"):
            connect({**conninfo, "password": "guess"})
        person.stops(home)
        assert person.ensures(home) == conninfo
        person.stops(home)
        with closing(socket.socket()) as squatter:
            squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            squatter.bind(("127.0.0.1", conninfo["port"]))
            squatter.listen()
            assert person.ensures(home)["error"] == "database_port_taken"
            other = person.ensures(home, SALDO_DB_PORT=str(_free_port()))
            assert other["port"] != conninfo["port"]
            assert ask(other, "SELECT 1") == 1
    finally:
        person.erases(home)


def _free_port() -> int:
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_data_of_another_major_version(person: Person, home: Path) -> None:
    person.ensures(home)
    person.stops(home)
    version = home / "postgres" / "data" / "PG_VERSION"
    text = version.read_text()
    version.write_text("12\n")
    try:
        refused = person.ensures(home)
    finally:
        version.write_text(text)
    assert refused["error"] == "database_other_major"
    assert "PostgreSQL 12" in refused["text"]
    assert ask(person.ensures(home), "SELECT 1") == 1


def test_an_older_cluster_keeps_its_own_version(person: Person, fresh: Path) -> None:
    body = (
        "old = binaries.installed()[0]\nclusters.newest = lambda: old\n"
        "print(json.dumps([old.major, len(binaries.installed()), postgres.ensure(home)]))"
    )
    major, count, conninfo = person.does(body, fresh)
    if count == 1:
        pytest.skip("this wheel has one version only")
    person.stops(fresh)
    assert ask(person.ensures(fresh), "SHOW server_version_num")[:2] == str(major)
    assert ask(conninfo, "SHOW server_encoding") == "UTF8"


def test_damaged_or_lost_passwords_are_told(person: Person, home: Path) -> None:
    person.ensures(home)
    path = home / "postgres" / "connection.json"
    text = path.read_text()
    try:
        path.write_text(text[:20])
        assert person.ensures(home)["error"] == "database_secret_lost"
        path.unlink()
        assert person.ensures(home)["error"] == "database_secret_lost"
    finally:
        path.write_text(text)
        os.chown(path, person.uid, person.gid)
        path.chmod(0o600)
    assert ask(person.ensures(home), "SELECT 1") == 1


def test_a_broken_setting_shows_the_end_of_the_log(person: Person, home: Path) -> None:
    person.ensures(home)
    person.stops(home)
    conf = home / "postgres" / "data" / "postgresql.conf"
    text = conf.read_text()
    try:
        conf.write_text(text + "\nwork_memory = 1GB\n")
        refused = person.ensures(home)
    finally:
        conf.write_text(text)
    assert refused["error"] == "database_not_started"
    assert "work_memory" in refused["text"]
    assert "work_memory" in refused["italian"]


def test_a_folder_that_cannot_be_used(person: Person, tmp_path: Path) -> None:
    folder = person.folder()
    (folder / "file").write_text("")
    refused = person.ensures(folder / "file" / "home")
    assert refused["error"] == "database_folder_not_writable"
    assert str(folder / "file" / "home") in refused["text"]
    if person.uid != 0:
        folder.chmod(0o555)
        assert person.ensures(folder / "home")["error"] == "database_folder_not_writable"
        folder.chmod(0o755)
    shutil.rmtree(folder)


def test_the_command_line(person: Person, home: Path) -> None:
    body = (
        "from click.testing import CliRunner\nfrom saldo.config.postgres.command import db\nanswers = []\n"
        "for command in ('start', 'status --json', 'stop', 'status --json', 'status'):\n"
        "    answer = CliRunner().invoke(db, command.split())\n"
        "    answers.append([answer.exit_code, answer.output])\n"
        "print(json.dumps(answers))"
    )
    started, up, stopped, down, text = person.does(body, home, SALDO_HOME=str(home))
    assert started[0] == stopped[0] == up[0] == 0
    assert json.loads(up[1])["running"] is True
    assert json.loads(up[1])["size_bytes"] > 10_000_000
    assert (down[0], json.loads(down[1])["running"]) == (3, False)
    assert (text[0], "not running" in text[1]) == (3, True)
    foreign = "from saldo.config.postgres.command import db\ndb(['stop'], standalone_mode=False)"
    url = "postgresql://someone:secret@db.example.com/saldo"
    refused = person.does(foreign, home, SALDO_HOME=str(home), DATABASE_URL=url)
    assert refused["error"] == "database_not_embedded"
    assert "secret" not in refused["text"]


def test_what_is_asked_of_any_server(person: Person, home: Path) -> None:
    conninfo = person.ensures(home)
    assert postgres.check_server(conninfo) == person.status(home)["version"]
    with closing(connect({**conninfo, "dbname": "postgres"})) as connection:
        connection.execute("DROP DATABASE IF EXISTS ascii")
        locale = "LOCALE_PROVIDER libc LOCALE 'C'"
        connection.execute(f"CREATE DATABASE ascii ENCODING 'SQL_ASCII' {locale} TEMPLATE template0")
    for change, code in (
        ({"password": "guess"}, "database_password_refused"),
        ({"dbname": "absent"}, "database_missing"),
        ({"dbname": "ascii"}, "database_not_utf8"),
        ({"host": "127.0.0.1", "port": _free_port()}, "database_unreachable"),
    ):
        with pytest.raises(SaldoError) as refused:
            postgres.check_server({**conninfo, **change})
        assert refused.value.code == code


@pytest.mark.skipif(not ROOT, reason="not root")
def test_root_opens_no_folder_and_goes_elsewhere() -> None:
    root = Person(sys.executable, 0, 0)
    closed = root.folder(mode=0o700)
    home = closed / "home"
    conninfo = root.ensures(home)
    try:
        place = Path((home / "postgres.location").read_text().strip())
        assert place.parent == clusters.SYSTEM_FOLDER
        assert Path(conninfo["host"]).parent == place
        assert mode(closed) == 0o700
        assert ask(conninfo, "SELECT 1") == 1
        root.stops(home)
        assert root.ensures(home) == conninfo
    finally:
        root.erases(home)
    assert not place.exists()
    shutil.rmtree(home)
    again = root.ensures(home)
    root.erases(home)
    shutil.rmtree(closed)
    assert again["host"] != conninfo["host"], "a home made anew must not find the old data"


@pytest.mark.skipif(not ROOT, reason="not root")
def test_programs_out_of_the_accounts_reach_are_copied() -> None:
    root = Person(sys.executable, 0, 0)
    closed, folder = root.folder(mode=0o700), root.folder()
    body = (
        "tree = binaries.newest()\nplace = Path(os.environ['CLOSED'])\npackage = tree.root.parent\n"
        "libs = package.with_name(package.name + '.libs')\n"
        "(place / package.name).mkdir()\n(place / package.name / tree.root.name).symlink_to(tree.root)\n"
        "(place / libs.name).symlink_to(libs)\n"
        "hidden = binaries.Binaries(place / package.name / tree.root.name, tree.version)\n"
        "binaries.installed = lambda: [hidden]\nprint(json.dumps(postgres.ensure(home)))"
    )
    try:
        conninfo = root.does(body, folder / "home", CLOSED=str(closed))
        assert ask(conninfo, "SELECT 1") == 1
        command = Path(f"/proc/{root.status(folder / 'home')['pid']}/cmdline").read_text()
        assert command.startswith(str(folder / "home" / "postgres" / "binaries"))
        assert mode(closed) == 0o700
    finally:
        root.erases(folder / "home")
        shutil.rmtree(closed)
        shutil.rmtree(folder)


def test_it_needs_no_django() -> None:
    code = "import sys, saldo.config.postgres; assert 'django' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": str(SOURCE)})
