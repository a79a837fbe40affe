"""``saldo demo``: a company to look at, in one command."""

from __future__ import annotations

import socket
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click

from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.interfaces import clock
from saldo.interfaces.commands import app
from saldo.interfaces.commands.serve import serve_app
from saldo.simulation.demo.setup import Demo, display, ensure_demo, shown
from saldo.simulation.world_day import WORLD_DAY

HOST = "127.0.0.1"
PORT = 8000
PORTS_TRIED = 50
SEED = 7
SIZES = ("medium", "small")
ACTOR = "system:demo"


@click.command()
@click.option("--no-serve", is_flag=True, help="Make the demo company and stop there.")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=SEED,
    show_default=True,
    help="Another seed is another world.",
)
@click.option("--today", type=WORLD_DAY, help="The day of the demo (default: today).")
@click.option("--size", type=click.Choice(SIZES), default=SIZES[0], show_default=True)
@click.option("--port", type=click.IntRange(1, 65_535), default=PORT, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@app.command
def demo(no_serve: bool, seed: int, today: datetime | None, size: str, port: int, as_json: bool) -> None:
    """Live through the last weeks of two invented companies, through the real intake, and serve the pages.

    Run again, it finds its companies, runs the day if that is still to do, and serves.
    """
    app.prepare()
    made = _made(today.date() if today else None, seed, size)
    found = None if no_serve else free_port(port)
    if found is not None and found != port:
        app.errors.print(f"Port {port} is taken by another program: using {found}.")
    address = f"http://{HOST}:{found}/" if found else None
    if as_json:
        app.print_json(as_object(made, address))
    else:
        click.echo(as_text(made, address))
    if found:
        serve_app(HOST, found)


def _made(today: date | None, seed: int, size: str) -> Demo:
    from django.conf import settings

    ctx = Context(actor=ACTOR, as_of=today or clock.today(), clock=clock.now, language=app.language())
    with shown(display(console=app.errors)) as step:
        return ensure_demo(ctx, Path(settings.HOME), seed, size, step)


def free_port(wanted: int, host: str = HOST) -> int:
    """``wanted`` or the next port that nobody listens on. Raises SaldoError("port_taken")."""
    for port in range(wanted, min(wanted + PORTS_TRIED, 65_536)):
        with socket.socket() as probe:
            # As the server itself does; a port that somebody listens on is refused all the same.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise SaldoError("port_taken", host=host, port=wanted)


def as_object(made: Demo, address: str | None) -> dict[str, Any]:
    """The JSON of ``saldo demo --json``; ``imports`` is empty where the company was already there."""
    return {
        "companies": [{"code": code, "name": name} for code, name in made.companies],
        "as_of": made.as_of.isoformat(),
        "created": bool(made.imports),
        "folder": str(made.folder),
        "imports": [entry.as_json() for entry in made.imports],
        "logins": [
            {"login": login.username, "role": login.role, "password": login.password} for login in made.logins
        ],
        "address": address,
    }


def as_text(made: Demo, address: str | None) -> str:
    names = " and ".join(name for _, name in made.companies)
    if made.imports:
        done = sum(entry.done for entry in made.imports)
        refused = [f"{entry.name} ({entry.rejections})" for entry in made.imports if entry.rejections]
        lines = [f"{names}: {len(made.imports)} files imported, {done} rows taken in."]
        lines.append(f"Refused rows, as planted: {', '.join(refused) or 'none'}")
        lines.append(f"The files are in {made.folder / 'world' / 'files'}")
    else:
        lines = [f"{names} are already there: nothing was imported."]
    lines += [f"The day {made.as_of.isoformat()} is ready.", "", "Logins:"]
    for login in made.logins:
        word = login.password or "(existed before the demo: its own password)"
        lines.append(f"  {login.username:<12} {word:<18} {login.purpose}")
    lines.append(f"  (kept in {made.folder / 'logins.txt'})")
    if address:
        lines += ["", f"Saldo is at {address} (Ctrl-C ends it)"]
    else:
        lines += ["", "Serve it with: saldo demo, or saldo serve"]
    return "\n".join(lines)
