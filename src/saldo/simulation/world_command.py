"""``saldo world write``: a simulated world as files, to try Saldo on, or to test against."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import click
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from saldo.core.errors import SaldoError
from saldo.interfaces.commands import app
from saldo.simulation.world_day import WORLD_DAY

# Fixed, so that the same command gives the same bytes on any day.
LAST_DAY = date(2026, 10, 30)
SIZES = ("small", "medium", "large")


@click.group()
def world() -> None:
    """A simulated world of companies that sell to companies, with its truth known."""


@world.command("write")
@click.option("--size", type=click.Choice(SIZES), default="small", show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True)
@click.option("--last-day", type=WORLD_DAY, help=f"The last day of the world (default: {LAST_DAY}).")
@click.option("--to", "folder", required=True, type=click.Path(file_okay=False), help="Folder to write to.")
@app.json_option
@app.command
def write(size: str, seed: int, last_day: datetime | None, folder: str, as_json: bool) -> None:
    """Write what its ERPs, banks, SdI and customers send into DIR/files, and what is true into DIR/truth.

    The same size, seed and last day give the same bytes. Needs no database.
    """
    from saldo.simulation.files.folder import write_folder
    from saldo.simulation.world.parameters import load
    from saldo.simulation.world.world import World

    until = app.day_of(last_day) or LAST_DAY
    columns = (TextColumn("{task.description:<44}"), TimeElapsedColumn())
    with Progress(*columns, console=app.errors, disable=not app.errors.is_terminal, transient=True) as shown:
        task = shown.add_task("", total=None)

        def step(title: str) -> None:
            shown.update(task, description=title)

        step("The world goes on, day by day")
        # The tables alone: what the world needed to go on would take as much room again.
        truth = World.make(size, seed, until).tables()
        try:
            written = write_folder(truth, load().size(size), seed, until, Path(folder), step)
        except OSError as error:
            raise SaldoError(
                "folder_not_writable", path=folder, problem=error.strerror or str(error)
            ) from error
    if as_json:
        app.print_json(
            {
                "size": size, "seed": seed, "last_day": until.isoformat(), "folder": folder,
                "files": written.files, "bytes": written.bytes, "refusals": written.refusals,
                "tables": written.tables,
            }
        )  # fmt: skip
        return
    click.echo(
        f"{written.files} files, {written.bytes / 1e6:.1f} MB, in {folder}/files; "
        f"{written.refusals} planted faults must be refused. The truth is in {folder}/truth."
    )
