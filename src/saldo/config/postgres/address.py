"""A PostgreSQL given by its address, and what Saldo asks of any server it is to run on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from saldo.core.errors import SaldoError

MINIMUM_VERSION = 15
_SCHEMES = ("postgres", "postgresql")
_DJANGO_KEYS = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
_CONNECT_SECONDS = 5


def from_url(url: str) -> dict[str, str]:
    """DATABASE_URL as connection parameters named as libpq names them (host, port, user, dbname, sslmode …).

    The parser is libpq's own, so every form it knows is understood: percent-encoding, several hosts, a socket
    folder as ``?host=/folder``. Raises database_url_invalid, which never repeats the address: it may hold a
    password.
    """
    scheme = url.split(":", 1)[0]
    if scheme not in _SCHEMES or "://" not in url:
        raise SaldoError("database_url_invalid", reason="not postgresql://")
    try:
        conninfo = {key: str(value) for key, value in conninfo_to_dict(url).items()}
    except psycopg.Error as error:
        raise SaldoError("database_url_invalid", reason=_harmless(str(error))) from None
    if not conninfo.get("dbname"):
        raise SaldoError("database_url_invalid", reason="no database name")
    return conninfo


def django_database(conninfo: Mapping[str, Any]) -> dict[str, Any]:
    """Connection parameters as an entry of Django's DATABASES; those it has no key for become OPTIONS."""
    entry: dict[str, Any] = {"ENGINE": "django.db.backends.postgresql"}
    entry.update({django: str(conninfo.get(libpq, "")) for libpq, django in _DJANGO_KEYS.items()})
    entry["OPTIONS"] = {key: value for key, value in conninfo.items() if key not in _DJANGO_KEYS}
    return entry


def check_server(conninfo: Mapping[str, Any]) -> str:
    """Make sure Saldo can run on this server; returns its version as text, such as "16.4".

    Raises database_unreachable, database_password_refused, database_missing, database_server_too_old or
    database_not_utf8.
    """
    try:
        with psycopg.connect(**{"connect_timeout": _CONNECT_SECONDS, **conninfo}) as connection:
            version = connection.info.server_version
            encoding = connection.info.parameter_status("server_encoding")
    except psycopg.OperationalError as error:
        raise connection_failure(conninfo, error) from error
    check_version(version)
    if encoding != "UTF8":
        raise SaldoError("database_not_utf8", name=conninfo.get("dbname", ""), encoding=encoding)
    return version_text(version)


def check_version(version: int) -> None:
    """version is PostgreSQL's number, such as 160004. Raises database_server_too_old."""
    if version < MINIMUM_VERSION * 10000:
        raise SaldoError("database_server_too_old", version=version_text(version), minimum=MINIMUM_VERSION)


def version_text(version: int) -> str:
    return f"{version // 10000}.{version % 10000}"


def connection_failure(conninfo: Mapping[str, Any], error: psycopg.OperationalError) -> SaldoError:
    """The designed error for a refused connection.

    PostgreSQL gives no code before the session exists, so the words decide. A server that speaks another
    language falls through to "unreachable", which shows them.
    """
    said = " ".join(str(error).split())
    where = {"host": conninfo.get("host", "localhost"), "port": conninfo.get("port", 5432)}
    user, name = conninfo.get("user", ""), conninfo.get("dbname", "")
    if "password authentication failed" in said or "no password supplied" in said:
        return SaldoError("database_password_refused", user=user, **where)
    if "does not exist" in said and "database" in said and "role" not in said:
        return SaldoError("database_missing", name=name, user=user, **where)
    return SaldoError("database_unreachable", reason=said, **where)


def _harmless(message: str) -> str:
    """libpq's words without what it quotes, which may be the password."""
    return "".join(part for place, part in enumerate(message.split('"')) if place % 2 == 0).strip()


def described(url: str) -> str:
    """Where an address leads, to show: without user and password."""
    conninfo = from_url(url)
    return f"{conninfo.get('host', 'localhost')}:{conninfo.get('port', 5432)}/{conninfo['dbname']}"
