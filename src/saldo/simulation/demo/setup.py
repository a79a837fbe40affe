"""The demo: a medium world whose last weeks are lived through, day by day, in a database.

Its files come in through the real intake in the order in which an office would have got them; the last days
are run; what the office of the past did, and what customers answered, is put down as contacts of those days.
Run after ``interfaces.commands.app.prepare``: Django must be set up before the flows are imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from saldo.core.calendar import previous_business_day
from saldo.core.context import Context
from saldo.simulation.demo.logins import Login, ensure_early, ensure_logins, has_logins
from saldo.simulation.draws import Draws
from saldo.simulation.files.customers_file import write_customers
from saldo.simulation.files.einvoices import write_einvoices
from saldo.simulation.files.folder import arrivals, erp_files, write_folder
from saldo.simulation.files.world_file import WorldFile
from saldo.simulation.world.parameters import Size, load
from saldo.simulation.world.tables import Tables
from saldo.simulation.world.world import World

# The demo lives through these last days; it writes documents, mail and bank files of somewhat more.
LIVE_DAYS = 10
FILE_DAYS = 30
INVOICE_DAYS = 3
# Of so many days before the last one the day is run too, so that there is something to compare with.
RUN_DAYS = 4
Advance = Callable[[int, int], None]
Step = Callable[[str], Advance]


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of one file."""

    name: str
    done: int
    unchanged: int
    closed: int
    rejections: int

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "done": self.done,
            "unchanged": self.unchanged,
            "closed": self.closed,
            "rejections": self.rejections,
        }


@dataclass(frozen=True, slots=True)
class Demo:
    """imports is empty where the companies were already there; as_of is the last day that was run."""

    companies: tuple[tuple[str, str], ...]
    as_of: date
    folder: Path
    imports: tuple[Imported, ...]
    logins: tuple[Login, ...]


@contextmanager
def shown(progress: Progress) -> Iterator[Step]:
    """Steps of the work as lines of a progress display; the one before is done when the next one starts."""
    with progress:
        tasks: list[Any] = []

        def finish() -> None:
            for task in tasks:
                progress.update(task, total=1, completed=1)
            tasks.clear()

        def step(title: str) -> Advance:
            finish()
            task = progress.add_task(title, total=None)
            tasks.append(task)
            return lambda done, total: progress.update(task, completed=done, total=total)

        yield step
        finish()


def display(**options: Any) -> Progress:
    columns = (TextColumn("{task.description:<44}"), BarColumn(bar_width=24), TimeElapsedColumn())
    return Progress(*columns, **options)


def ensure_demo(ctx: Context, home: Path, seed: int, size: str, step: Step) -> Demo:
    """The demo's companies, made unless their runs and the logins say that they were made before."""
    from saldo.flows.day import run_day
    from saldo.identity.operations import ensure_company
    from saldo.identity.queries import latest_day_run
    from saldo.simulation.world.companies import companies

    frame = companies(load(), Draws(seed))
    rows = {
        code: ensure_company(ctx, code, name, vat_number=vat)
        for code, name, vat in frame.select("code", "name", "vat").iter_rows()
    }
    folder = home / "demo"
    last = previous_business_day(ctx.as_of - timedelta(days=1))
    runs = [latest_day_run(row.id) for row in rows.values()]
    imports: tuple[Imported, ...] = ()
    # The logins come last: without them it was interrupted, and goes on where it can.
    if not all(runs) or not has_logins(folder):
        imports = tuple(_live_through(ctx, folder, seed, size, last, step))
    as_of = max([ctx.as_of, *(run.as_of for run in runs if run)])
    for code, row in rows.items():
        run = latest_day_run(row.id)
        if run is None or run.as_of < ctx.as_of:
            step(f"Running {ctx.as_of.isoformat()} of {code}")
            run_day(ctx.within(row.id), row.id)
    step("Logins")
    named = tuple((code, row.name) for code, row in rows.items())
    return Demo(named, as_of, folder, imports, ensure_logins(ctx, folder))


def _live_through(
    ctx: Context, folder: Path, seed: int, size: str, last: date, step: Step
) -> Iterator[Imported]:
    from saldo.simulation.demo.office import PERSON, ensure_channels
    from saldo.simulation.demo.past import Past

    sized = _shortened(load().size(size))
    step("Three years of a simulated world" if size == "medium" else "Half a year of a simulated world")
    t = World.make(size, seed, last).tables()
    step("Writing its files")
    write_folder(t, sized, seed, last, folder / "world", _silently)
    ensure_early(ctx, folder, PERSON)
    ensure_channels(t, folder / "outbox")
    first, mail_from = last - timedelta(days=sized.live_days), last - timedelta(days=RUN_DAYS)
    past = Past(ctx, t, first, last, seed, mail_from)
    files = [file for file in arrivals(_imported_files(t, sized, seed, last)) if file.day <= last]
    for day, of_day in groupby(files, key=lambda file: file.day):
        past.go_on_to(day)
        advance = step(f"The files of {day.isoformat()}")
        for file in of_day:
            if (imported := past.take_in(file, advance)) is not None:
                yield imported
        past.apply_cash()
        if day >= last - timedelta(days=RUN_DAYS):
            past.run()
            step(f"The post of {day.isoformat()}")
            past.write()
    step("What was said and answered")
    past.go_on_to(last)


def _shortened(size: Size) -> Size:
    return replace(size, live_days=LIVE_DAYS, bank_days=FILE_DAYS, document_days=FILE_DAYS)


def _silently(title: str) -> None:
    """The steps of writing are quick: one line for all of them."""


def _imported_files(t: Tables, size: Size, seed: int, last: date) -> Iterator[WorldFile]:
    """Of the world's files those that Saldo imports today: customers, ERP exports, bank files, advices of
    payment, the last e-invoices."""
    from saldo.simulation.demo.cash import files_of_cash

    draws = Draws(seed)
    live = last - timedelta(days=size.live_days - 1)
    yield from write_customers(t, draws, live - timedelta(days=1), last)
    yield from erp_files(t, draws, live, last, _silently)
    yield from files_of_cash(t, draws, live, last, size.document_share)
    yield from write_einvoices(t, draws, last - timedelta(days=INVOICE_DAYS - 1), last)
