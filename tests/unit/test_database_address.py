"""Addresses of servers that Saldo does not run, and what is said of servers it cannot use."""

from __future__ import annotations

from pathlib import Path

import pytest

from saldo.config import postgres
from saldo.config.postgres import cluster as clusters
from saldo.config.postgres.address import check_version
from saldo.core.errors import SaldoError


def test_addresses_of_other_servers() -> None:
    url = (
        "postgresql://ann%40x:p%2Fw@db.example.com:6543/saldo?sslmode=require&target_session_attrs=read-write"
    )
    conninfo = postgres.from_url(url)
    assert conninfo == {
        "user": "ann@x",
        "password": "p/w",
        "host": "db.example.com",
        "port": "6543",
        "dbname": "saldo",
        "sslmode": "require",
        "target_session_attrs": "read-write",
    }
    assert postgres.django_database(conninfo) == {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "saldo",
        "USER": "ann@x",
        "PASSWORD": "p/w",
        "HOST": "db.example.com",
        "PORT": "6543",
        "OPTIONS": {"sslmode": "require", "target_session_attrs": "read-write"},
    }
    assert postgres.from_url("postgres:///saldo?host=/run/pg")["host"] == "/run/pg"


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:hush@h/d",
        "hush",
        "postgresql://u:hush@h/d?colour=red",
        "postgresql://u:hush%zz@h/d",
        "postgresql://u:hush@h",
        "postgresql://u:hush@[h/d",
    ],
)
def test_a_bad_address_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(SaldoError) as refused:
        postgres.from_url(url)
    assert refused.value.code == "database_url_invalid"
    assert "hush" not in str(refused.value)


def test_versions_and_full_disks() -> None:
    check_version(150000)
    with pytest.raises(SaldoError, match=r"14\.12.*at least version 15"):
        check_version(140012)
    full = clusters.failure(clusters.Cluster(Path("/x")), "FATAL: could not write: No space left on device\n")
    assert full.code == "database_disk_full"
