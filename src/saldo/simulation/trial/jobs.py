"""Many runs at once: each in a process of its own, on a scratch database of its own.

What a run gives depends on its policy, seed, size and days alone, so the number of processes changes nothing
but the time.
"""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from saldo.core.errors import SaldoError
from saldo.simulation.trial.figures import Figures
from saldo.simulation.trial.scratch import SETTINGS, Scratch

# Several processes share the machine: threads of their own would only get in each other's way.
ONE_THREAD = {"POLARS_MAX_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


@dataclass(frozen=True, slots=True)
class Job:
    """One policy on one seed, for so many calendar days; first_day: None is that of trial.toml.

    engines: on Saldo's engines without a database, instead of the whole of Saldo.
    """

    policy: str
    seed: int
    size: str
    days: int
    first_day: date | None = None
    engines: bool = False


def run_all(
    jobs: Sequence[Job],
    databases: Scratch | None,
    processes: int,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> dict[Job, Figures]:
    """The figures of every job, in the jobs' order; ``tell`` hears of simulated business days and jobs' ends.

    Raises SaldoError("trial_failed") when a run fails; the others are ended then, and so they are on Ctrl-C.
    """
    found: dict[Job, Figures] = {}
    waiting = list(enumerate(jobs))
    running: dict[Connection, tuple[BaseProcess, Job]] = {}
    days_done: dict[Job, int] = {}
    total = sum(job.days for job in jobs)
    try:
        with _one_thread():
            while waiting or running:
                while waiting and len(running) < processes:
                    number, job = waiting.pop(0)
                    connection, process = _started(job, databases, f"job{number}")
                    running[connection] = (process, job)
                for ready in wait(list(running)):
                    assert isinstance(ready, Connection)
                    process, job = running[ready]
                    said = _heard(ready, process, job)
                    if isinstance(said, Figures):
                        found[job] = said
                        days_done[job] = job.days
                        del running[ready]
                        process.join()
                    else:
                        days_done[job] = said
                    tell(sum(days_done.values()), total)
    finally:
        for process, _ in running.values():
            process.terminate()
        for process, _ in running.values():
            process.join()
    return {job: found[job] for job in jobs}


@contextmanager
def _one_thread() -> Iterator[None]:
    """What the processes inherit; what the user has set stays."""
    added = {name: value for name, value in ONE_THREAD.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


def _started(job: Job, databases: Scratch | None, label: str) -> tuple[Connection, BaseProcess]:
    context = get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(job, databases, label, sender), daemon=True)
    process.start()
    # The child has its own end: with ours closed, its death is the end of the pipe.
    sender.close()
    return receiver, process


def _heard(connection: Connection, process: BaseProcess, job: Job) -> Figures | int:
    """Figures: the job is done; a number: so many of its days are."""
    try:
        said = connection.recv()
    except EOFError:
        process.join()
        said = f"its process ended with code {process.exitcode}"
    if isinstance(said, str):
        raise SaldoError("trial_failed", policy=job.policy, seed=job.seed, reason=said)
    return said  # type: ignore[no-any-return]


def _work(job: Job, databases: Scratch | None, label: str, connection: Connection) -> None:
    """In the process of a job: Django on a database of its own, then the run. The parent answers Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        connection.send(_lived(job, None if job.engines else databases, label, connection.send))
    except SaldoError as error:
        connection.send(error.text("en"))
    except Exception:
        connection.send(traceback.format_exc()[-1500:])


def _lived(job: Job, databases: Scratch | None, label: str, tell: Callable[[int], None]) -> Figures:
    if databases is not None:
        os.environ["DATABASE_URL"] = databases.make(label)
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", SETTINGS)
        import django

        django.setup()
    from saldo.simulation.trial.run import run
    from saldo.simulation.world.world import World

    found = run(job, World.make, tell)
    if databases is not None:
        from django.db import connections

        connections.close_all()
        databases.drop(label)
    return found
