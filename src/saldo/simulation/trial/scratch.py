"""Databases of their own for a trial, on the server in use: made for the run, dropped whatever happens.

The user's data is never opened: names are new, made from a template that is migrated for this run alone. What
a run that was killed left behind is dropped by the next one.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import psycopg
from psycopg import sql

from saldo.core.errors import SaldoError

SETTINGS = "saldo.config.settings"
PREFIX = "saldo_trial_"
_LIBPQ = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
_TEMPLATE = "template"
_MIGRATE_SECONDS = 300
_DROP_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Server:
    """A server on which a trial makes its databases. conninfo: as libpq names it, some database included."""

    conninfo: Mapping[str, Any]

    @classmethod
    def in_use(cls) -> Server:
        """The server that the settings lead to: DATABASE_URL's, else the embedded one, started if need be."""
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", SETTINGS)
        from django.conf import settings

        entry = settings.DATABASES["default"]
        told = {libpq: entry[django] for django, libpq in _LIBPQ.items() if entry.get(django)}
        return cls({**told, **entry.get("OPTIONS", {})})

    def connect(self, name: str = "saldo") -> psycopg.Connection[Any]:
        return psycopg.connect(**{**self.conninfo, "application_name": name}, autocommit=True)

    def url(self, database: str) -> str:
        """The address of a database on this server, for DATABASE_URL of another process."""
        told = {key: str(value) for key, value in self.conninfo.items() if value not in (None, "")}
        user, password = told.pop("user", ""), told.pop("password", "")
        told.pop("dbname", None)
        login = quote(user, safe="") + (f":{quote(password, safe='')}" if password else "")
        return f"postgresql://{login}@/{quote(database, safe='')}?{urlencode(told)}"


@dataclass(frozen=True, slots=True)
class Scratch:
    """The databases of one run; their names begin with ``name``."""

    server: Server
    name: str

    def make(self, label: str) -> str:
        """A fresh migrated database; returns its address."""
        database = f"{self.name}_{label}"
        with closing(self.server.connect()) as connection:
            _create(connection, database, f"{self.name}_{_TEMPLATE}")
            # A trial that loses power begins anew: waiting for the disk at each commit gains nothing.
            connection.execute(
                sql.SQL("ALTER DATABASE {} SET synchronous_commit = off").format(sql.Identifier(database))
            )
        return self.server.url(database)

    def drop(self, label: str) -> None:
        with closing(self.server.connect()) as connection:
            _drop(connection, f"{self.name}_{label}")


@contextmanager
def scratch(server: Server) -> Iterator[Scratch]:
    """The right to make databases from a migrated template; all of them are dropped at the end.

    While it lasts a session with the run's name is open: what has none is a leftover. Raises SaldoError
    ("trial_database_refused") where the role may not create databases.
    """
    name = f"{PREFIX}{secrets.token_hex(4)}"
    with closing(server.connect(name)) as sign_of_life:
        _drop_leftovers(sign_of_life)
        try:
            _create(sign_of_life, f"{name}_{_TEMPLATE}", None)
            _migrate(server.url(f"{name}_{_TEMPLATE}"))
            yield Scratch(server, name)
        finally:
            for database in _databases(sign_of_life, f"{name}_"):
                with suppress(psycopg.Error):
                    _drop(sign_of_life, database)


def _create(connection: psycopg.Connection[Any], database: str, template: str | None) -> None:
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} ENCODING 'UTF8'").format(
        sql.Identifier(database), sql.Identifier(template or "template0")
    )
    try:
        connection.execute(statement)
    except psycopg.errors.InsufficientPrivilege as error:
        raise SaldoError("trial_database_refused", user=connection.info.user) from error


def _drop(connection: psycopg.Connection[Any], database: str) -> None:
    """Sessions that a killed worker left are ended first.

    Not by WITH (FORCE): that needs the right to end the server's own cleaning process too, which a plain DROP
    DATABASE asks to go by itself.
    """
    assert database.startswith(PREFIX), database
    for attempt in range(_DROP_ATTEMPTS):
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = %s AND backend_type = 'client backend'",
            [database],
        )
        try:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(database)))
            return
        except psycopg.errors.ObjectInUse:
            if attempt == _DROP_ATTEMPTS - 1:
                raise
            time.sleep(0.2)


def _databases(connection: psycopg.Connection[Any], prefix: str) -> list[str]:
    found = connection.execute(
        "SELECT datname FROM pg_database WHERE starts_with(datname, %s) ORDER BY datname", [prefix]
    )
    return [row[0] for row in found.fetchall()]


def _drop_leftovers(connection: psycopg.Connection[Any]) -> None:
    """Databases of runs whose session is gone. Another run's that is still at work are left alone."""
    found = connection.execute("SELECT DISTINCT application_name FROM pg_stat_activity")
    alive = {row[0] for row in found.fetchall()}
    for database in _databases(connection, PREFIX):
        run = database.removeprefix(PREFIX).split("_")[0]
        if f"{PREFIX}{run}" not in alive:
            with suppress(psycopg.Error):
                _drop(connection, database)


def _migrate(url: str) -> None:
    """In a process of its own: Django, once loaded, stays with its database."""
    command = [sys.executable, "-W", "ignore", "-m", "saldo.config.manage", "migrate", "--verbosity", "0"]
    done = subprocess.run(
        command,
        env={**os.environ, "DATABASE_URL": url},
        capture_output=True,
        text=True,
        timeout=_MIGRATE_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise SaldoError("trial_database_broken", reason=done.stderr.strip()[-500:])
