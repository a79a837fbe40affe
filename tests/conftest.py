"""The database of the tests: Saldo's own embedded PostgreSQL in a folder of its own, unless DATABASE_URL says
otherwise. ``db`` gives a transaction that is rolled back; ``committed_db`` is for what must commit
(several connections, other processes) and empties the tables afterwards."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# How long an example takes says more of what else the machine does than of the code.
settings.register_profile("saldo", deadline=None)
settings.load_profile("saldo")

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"

# Before Django's settings are loaded.
os.environ.setdefault("SALDO_HOME", str(ROOT / ".saldo-test"))
# Before polars and numpy are: on the small frames of tests, threads cost more than they do.
for _threads in ("POLARS_MAX_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave no server behind; of several processes, the one that started the others does."""
    if "DATABASE_URL" not in os.environ and not hasattr(config, "workerinput"):
        from saldo.config import postgres

        home = Path(os.environ["SALDO_HOME"])
        if home.exists() and postgres.status(home).running:
            postgres.stop(home)


@pytest.fixture(scope="session")
def django_db_setup(
    request: pytest.FixtureRequest, django_test_environment: None, django_db_blocker: Any
) -> Iterator[None]:
    """The tests' own database, always: pytest-django makes none when no chosen test uses its own fixtures,
    and then ``committed_db`` would empty the real one. Several processes have one each."""
    request.getfixturevalue("django_db_modify_db_settings")
    from django.test.utils import setup_databases, teardown_databases

    kept = request.config.getoption("reuse_db") and not request.config.getoption("create_db")
    with django_db_blocker.unblock():
        made = setup_databases(verbosity=0, interactive=False, aliases={"default"}, keepdb=kept)
    yield
    if not request.config.getoption("reuse_db"):
        with django_db_blocker.unblock():
            _end_other_sessions()
            teardown_databases(made, verbosity=0)


def _end_other_sessions() -> None:
    """A thread or a program that a test started may not have left yet, and its session keeps the database."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )


def _empty_tables() -> None:
    from django.apps import apps
    from django.db import connection

    assert str(connection.settings_dict["NAME"]).startswith("test_"), "this is not a test database"
    tables = [model._meta.db_table for model in apps.get_models() if model._meta.managed]
    names = ", ".join(f'"{table}"' for table in tables if not table.startswith("django_content_type"))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE oid IN "
            "(SELECT tgrelid FROM pg_trigger WHERE tgname LIKE '%%_append_only' OR tgname LIKE '%%_kept')"
        )
        guarded = [row[0] for row in cursor.fetchall()]
        # Only the owner of the tables may do this, and only a test does.
        for table in guarded:
            cursor.execute(f'ALTER TABLE "{table}" DISABLE TRIGGER USER')
        cursor.execute(f"TRUNCATE {names} CASCADE")
        for table in guarded:
            cursor.execute(f'ALTER TABLE "{table}" ENABLE TRIGGER USER')


@pytest.fixture
def committed_db(django_db_setup: None, django_db_blocker: object) -> Iterator[None]:
    """A database in which things are committed; it starts and ends empty."""
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        _empty_tables()
        yield
        _empty_tables()
        from django.db import connections

        connections.close_all()


@pytest.fixture
def shared() -> Path:
    """The folder of real files, which is not part of the project."""
    if not SHARED.exists():
        pytest.skip("the folder with real files is not beside this checkout")
    return SHARED


@pytest.fixture
def make_ctx() -> Callable[..., object]:
    """A context for a day: ``make_ctx("2026-03-01")``, recorded on that day at noon unless told otherwise."""
    from saldo.core.context import Context

    def make(day: str | date, recorded: str | None = None, language: str = "en") -> Context:
        as_of = day if isinstance(day, date) else date.fromisoformat(day)
        instant = (
            datetime.fromisoformat(recorded) if recorded else datetime(as_of.year, as_of.month, as_of.day, 12)
        )
        return Context("test", as_of, lambda: instant.replace(tzinfo=UTC), language=language)

    return make
