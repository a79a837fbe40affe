"""saldo serve, saldo worker: the web pages and the jobs behind them."""

from __future__ import annotations

import multiprocessing
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from saldo.core.errors import SaldoError
from saldo.interfaces.commands.app import command, errors, prepare

APPLICATION = "saldo.config.wsgi:application"
WEB_WORKERS = 2
THREADS = 4
STOP_SECONDS = 10


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65_535), default=8000, show_default=True)
@click.option("--no-worker", is_flag=True, help="Only the pages; jobs run in `saldo worker` elsewhere.")
@command
def serve(host: str, port: int, no_worker: bool) -> None:
    """Serve the web pages, with a worker for the jobs."""
    prepare()
    serve_app(host, port, with_worker=not no_worker)


def serve_app(host: str, port: int, with_worker: bool = True) -> None:
    """Serve until interrupted. Raises SaldoError("port_taken")."""
    _check_port(host, port)
    from granian import Granian
    from granian.constants import Interfaces

    # Workers begin as new processes: in a copy of one that has worked on frames (as the demo's has), the
    # threads that work on them are gone, and the first page that needs them would wait for ever.
    multiprocessing.set_start_method("spawn", force=True)
    errors.print(f"Saldo answers at http://{host}:{port}/ (Ctrl-C stops it)", markup=False)
    with _worker() if with_worker else _nothing():
        server = Granian(
            APPLICATION,
            address=host,
            port=port,
            interface=Interfaces.WSGI,
            workers=WEB_WORKERS,
            blocking_threads=THREADS,
            log_access=False,
            websockets=False,
        )
        server.serve()


def _check_port(host: str, port: int) -> None:
    import socket

    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise SaldoError("port_taken", host=host, port=port) from error


@contextmanager
def _nothing() -> Iterator[None]:
    yield


@contextmanager
def _worker() -> Iterator[None]:
    """A worker in a process of its own, stopped with the server."""
    from django.db import connections

    # A connection shared by two processes would mix their answers.
    connections.close_all()
    process = subprocess.Popen([sys.executable, "-m", "saldo.interfaces.commands.main", "worker"])
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()


@click.command()
@click.option("--concurrency", type=click.IntRange(1, 16), default=2, show_default=True)
@command
def worker(concurrency: int) -> None:
    """Run jobs (imports, days) until interrupted; any number of workers may run, on any machine."""
    prepare()
    from saldo.interfaces.tasks.run import run_worker

    run_worker(concurrency)
