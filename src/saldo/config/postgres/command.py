"""``saldo db``: the embedded database server, by hand.

It lives here and not with the other commands because only this layer may know the server.
"""

from __future__ import annotations

import json
import os

import click

from saldo.config import postgres
from saldo.core.errors import SaldoError

_MODES = click.Choice(["smart", "fast", "immediate"])


@click.group()
def db() -> None:
    """Start, stop or look at the PostgreSQL server that Saldo brings with it."""


@db.command()
def start() -> None:
    """Start the server, unless it runs."""
    _refuse_external()
    click.echo(_sentence(postgres.start(postgres.default_home())))


@db.command()
@click.option(
    "--mode", type=_MODES, default="fast", show_default=True, help="smart waits for sessions to end."
)
def stop(mode: str) -> None:
    """Stop the server. Programs that still use it lose their connections."""
    _refuse_external()
    stopped = postgres.stop(postgres.default_home(), mode)
    click.echo("The database server has stopped." if stopped else "The database server was not running.")


@db.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def status(as_json: bool) -> None:
    """Tell whether the server runs, where and with how much data. Exit code 3 when it does not run."""
    if url := os.environ.get("DATABASE_URL"):
        _external_status(url, as_json)
        return
    state = postgres.status(postgres.default_home())
    click.echo(json.dumps({"embedded": True, **state.as_json()}) if as_json else _sentence(state))
    if not state.running:
        raise click.exceptions.Exit(3)


def _external_status(url: str, as_json: bool) -> None:
    conninfo = postgres.from_url(url)
    version = postgres.check_server(conninfo)
    host, port = conninfo.get("host"), int(conninfo.get("port", 5432))
    if as_json:
        answer = {"embedded": False, "running": True, "version": version, "host": host, "port": port}
        click.echo(json.dumps(answer))
    else:
        click.echo(f"PostgreSQL {version} at {postgres.described(url)} (DATABASE_URL)")


def _refuse_external() -> None:
    if url := os.environ.get("DATABASE_URL"):
        raise SaldoError("database_not_embedded", address=postgres.described(url))


def _sentence(state: postgres.ServerStatus) -> str:
    size = f"{state.size_bytes / 1024**2:.0f} MiB in {state.data_directory}"
    if not state.running:
        return f"The database server is not running; {size}"
    return f"PostgreSQL {state.version} running, process {state.pid}, at {state.host}:{state.port}; {size}"
