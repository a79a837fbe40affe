"""What every command needs: Django made ready, a context, errors that say what to do."""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from getpass import getuser
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.interfaces import clock

# Exit codes: 0 done, 1 done but something needs a person (rejections, a failed scenario), 2 not done.
NEEDS_A_PERSON = 1
FAILED = 2

errors = Console(stderr=True, highlight=False)


def language() -> str:
    """The language of the command line: SALDO_LANG, else the locale's, else English."""
    told = os.environ.get("SALDO_LANG") or os.environ.get("LC_ALL") or os.environ.get("LANG") or ""
    return "it" if told.lower().startswith("it") else "en"


def prepare(migrate: bool = True) -> None:
    """Set up Django; make or bring up to date the schema of an embedded database, check that of another."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "saldo.config.settings")
    import django

    try:
        django.setup()
    except OSError as error:
        folder = getattr(error, "filename", None) or os.environ.get("SALDO_HOME", "")
        raise SaldoError(
            "database_folder_not_writable", path=folder, reason=error.strerror or str(error)
        ) from error
    from saldo.interfaces.commands import schema

    schema.make_ready(may_migrate=migrate)


def actor() -> str:
    try:
        return f"cli:{getuser()}"
    except (KeyError, OSError):
        return "cli"


def context(
    as_of: date | None = None, known_at: datetime | None = None, company: str | None = None
) -> Context:
    """The context of a command: the day asked for or today, as known now or at an instant."""
    ctx = Context(actor(), as_of or clock.today(), clock.now, known_at=known_at, language=language())
    if company:
        from saldo.identity.queries import company_by_code

        ctx = replace(ctx, company_id=company_by_code(company).id)
    return ctx


def command(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn designed errors into a message and an exit code; ``--json`` gets them as an object."""

    @functools.wraps(function)
    def run(*args: Any, **options: Any) -> Any:
        try:
            return function(*args, **options)
        except SaldoError as error:
            if options.get("as_json"):
                said = {
                    "error": {
                        "code": error.code,
                        "why": error.why(language()),
                        "remedy": error.remedy(language()),
                    }
                }
                print_json(said)
            errors.print(error.text(language()), style="red", soft_wrap=True, markup=False)
            sys.exit(FAILED)
        except KeyboardInterrupt:
            errors.print("interrupted")
            sys.exit(130)

    return run


def print_json(value: dict[str, Any]) -> None:
    """One JSON object on standard output."""
    click.echo(json.dumps(value, ensure_ascii=False, default=str))


@contextmanager
def bar(label: str, quiet: bool = False) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on stderr, shown on a terminal only; yields a callback (done, total)."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(
        *columns, console=errors, disable=quiet or not errors.is_terminal, transient=True
    ) as progress:
        task = progress.add_task(label, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


DAY = click.DateTime(["%Y-%m-%d"])


def as_of_option(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--as-of", type=DAY, help="The day the figures count for (default: today).")(function)


def company_option(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--company", help="Code of one company (default: all).")(function)


def json_option(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")(
        function
    )


def day_of(value: datetime | None) -> date | None:
    return value.date() if value else None
