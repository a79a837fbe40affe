"""The demo company in a database: its files through the real intake, the day run, three logins.

Run after ``interfaces.commands.app.prepare``: the flows are imported only where they are used, because Django
must be set up before them.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.simulation.demo_company import DemoFiles, company, write_demo

# login, role, what for
LOGINS = (
    ("admin", "administrator", "everything"),
    ("crediti", "collector", "the worklist"),
    ("direzione", "cfo", "the dashboard, reading only"),
)
PASSWORD_BYTES = 12
Advance = Callable[[int, int], None]
Step = Callable[[str], Advance]


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of one file, or of the e-invoices together."""

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
class Login:
    """password is None where somebody made this user before the demo did."""

    username: str
    role: str
    purpose: str
    password: str | None


@dataclass(frozen=True, slots=True)
class Demo:
    """imports is empty where the company was already there; as_of is the day that was run."""

    code: str
    name: str
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
    """The demo company, made unless a first run of its day says that it was made before."""
    from saldo.identity.operations import ensure_company
    from saldo.identity.queries import latest_day_run

    code, name, vat = company()
    folder = home / "demo"
    row = ensure_company(ctx, code, name, vat_number=vat)
    inside = ctx.within(row.id)
    run = latest_day_run(row.id)
    imports: tuple[Imported, ...] = ()
    if run is None:
        step("Writing the files of two years")
        files = write_demo(folder / "files", seed, ctx.as_of, size)
        imports = tuple(import_files(inside, code, files, step))
    if run is None or run.as_of < ctx.as_of:
        step(f"Running the day {ctx.as_of.isoformat()}")
        _run_day(inside, row.id)
    step("Logins")
    as_of = max(ctx.as_of, run.as_of) if run else ctx.as_of
    return Demo(code, name, as_of, folder, imports, ensure_logins(ctx, folder))


def _run_day(ctx: Context, company_id: int) -> None:
    from saldo.flows.day import run_day

    run_day(ctx, company_id)


def import_files(ctx: Context, code: str, files: DemoFiles, step: Step) -> Iterator[Imported]:
    """The files in the order in which an office would load them. Safe to repeat after an interruption."""
    from saldo.flows.import_documents import ImportResult, import_file

    def load(path: Path, kind: str, mapping: str | None, advance: Advance | None) -> ImportResult:
        return import_file(
            ctx,
            path.name,
            path.read_bytes(),
            kind,
            mapping,
            company_code=code,
            as_at=files.as_at,
            progress=advance,
        )

    tables = (
        (files.customers, "customers", "customers"),
        (files.history, "receivables", str(files.history_mapping)),
        (files.open_items, "receivables", str(files.open_items_mapping)),
    )
    for path, kind, mapping in tables:
        result = load(path, kind, mapping, step(f"Importing {path.name}"))
        yield Imported(path.name, result.done, result.unchanged, result.closed, len(result.rejections))
    advance = step(f"Importing {len(files.invoices)} e-invoices")
    results = []
    for count, path in enumerate(files.invoices, start=1):
        results.append(load(path, "invoices", None, None))
        advance(count, len(files.invoices))
    yield Imported(
        files.invoices[0].parent.name,
        sum(result.done for result in results),
        sum(result.unchanged for result in results),
        sum(result.closed for result in results),
        sum(len(result.rejections) for result in results),
    )


# -- logins ----------------------------------------------------------------------------------------------


def ensure_logins(ctx: Context, folder: Path) -> tuple[Login, ...]:
    """The demo's users. Their passwords are random and kept, for this demo only, in a file of its owner.

    A user that already exists keeps its password; one that the file does not know has none to show.
    """
    from saldo.identity.operations import add_user

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "logins.txt"
    known = _read_passwords(path)
    wanted = {login: known.get(login) or secrets.token_urlsafe(PASSWORD_BYTES) for login, _, _ in LOGINS}
    # Written first: a password that is in the database and nowhere else would lock people out of the demo.
    _write_passwords(path, {**known, **wanted})
    logins = []
    for login, role, purpose in LOGINS:
        password: str | None = wanted[login]
        try:
            add_user(ctx, login, wanted[login], role)
        except SaldoError as error:
            if error.code != "user_exists":
                raise
            password = known.get(login)
        logins.append(Login(login, role, purpose, password))
    strangers = {login.username for login in logins if login.password is None}
    if strangers:
        _write_passwords(path, {login: word for login, word in wanted.items() if login not in strangers})
    return tuple(logins)


def _read_passwords(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    pairs = (line.split() for line in path.read_text(encoding="utf-8").splitlines())
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}


def _write_passwords(path: Path, passwords: dict[str, str]) -> None:
    """Created with mode 0600, never readable by others even for a moment."""
    text = "".join(f"{login} {password}\n" for login, password in passwords.items())
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    fresh.replace(path)
