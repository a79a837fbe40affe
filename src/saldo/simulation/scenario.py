"""``saldo scenario FILE…``: scenarios through the real flows, inside a transaction that is rolled back.

docs/scenarios.md explains the language. scenario_text reads the lines, scenario_verbs does what they say,
scenario_checks compares what they expect. What needs Django is loaded when it is used.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from saldo.core.errors import SaldoError
from saldo.simulation.scenario_text import Line, ScenarioError, parse

if TYPE_CHECKING:
    from saldo.simulation.scenario_world import World

app = import_module("saldo.interfaces.commands.app")

_CLOCKS = re.compile(r"(?:as of (\d{4}-\d{2}-\d{2}) ?)?(?:known at (\d{4}-\d{2}-\d{2}) ?)?")


@dataclass(slots=True)
class Report:
    """What became of one scenario. failures: (line, expected, found)."""

    file: str
    title: str = ""
    checks: int = 0
    failures: list[tuple[int, str, str]] = field(default_factory=list)

    def lines(self) -> list[str]:
        return [
            f"{self.file}:{number}: expected {told}, found {found}" for number, told, found in self.failures
        ]

    def as_json(self) -> dict[str, Any]:
        failures = [
            {"line": number, "expected": told, "found": found} for number, told, found in self.failures
        ]
        return {"file": self.file, "title": self.title, "checks": self.checks, "failures": failures}


class _RollBack(Exception):
    """Ends a scenario's transaction; nothing of it stays."""


def run_scenario(text: str, file: str = "scenario") -> Report:
    """Run one scenario. An expectation that fails is noted and the rest goes on; an error ends it."""
    from django.db import transaction

    from saldo.simulation.scenario_world import World

    report = Report(file)
    try:
        scenario = parse(text)
        report.title = scenario.title
        with transaction.atomic():
            world = World()
            for line in scenario.lines:
                report.checks += len(line.expectations)
                report.failures += [(line.number, *failure) for failure in run_line(world, line)]
            raise _RollBack
    except _RollBack:
        pass
    except ScenarioError as error:
        report.failures.append((error.number, error.expected, error.found))
    return report


def run_line(world: World, line: Line) -> list[tuple[str, str]]:
    """Do the line; returns (expected, found) of every expectation that does not hold."""
    if line.day is not None:
        world.begin(line.day)
    error = _do(world, line)
    wanted = [check.split()[1] for check in line.expectations if re.fullmatch(r"error \w+", check)]
    if error is not None and not wanted:
        raise ScenarioError(line.number, "no error", f"{error.code}: {error.text(world.language)}")
    found = error.code if error else "no error"
    failures = [(f"error {code}", found) for code in wanted if code != found]
    checks = [check for check in line.expectations if check.removeprefix("error ") not in wanted]
    return failures + [failure for check in checks if (failure := _check(world, line, check))]


def _do(world: World, line: Line) -> SaldoError | None:
    """Do what the verb says; returns the designed error that it met."""
    from django.db import transaction

    from saldo.simulation.scenario_verbs import VERBS

    if not line.verb:
        return None
    if line.verb not in VERBS:
        raise ScenarioError(line.number, "one of " + ", ".join(VERBS), line.verb)
    pattern, form, act = VERBS[line.verb]
    match = re.fullmatch(pattern, line.args)
    if match is None:
        raise ScenarioError(line.number, f"{line.verb} {form}", f"{line.verb} {line.args}")
    try:
        with transaction.atomic():
            act(world, match.groupdict(), line)
    except SaldoError as error:
        return error
    return None


def _check(world: World, line: Line, check: str) -> tuple[str, str] | None:
    """(expected, found) where the expectation does not hold."""
    from saldo.simulation.scenario_checks import EXPECTATIONS

    clocks = _CLOCKS.match(check)
    assert clocks is not None, "every part of the pattern is optional"
    as_of, known = (text and date.fromisoformat(text) for text in clocks.groups())
    rest = check[clocks.end() :]
    word = rest.split()[0] if rest else ""
    if word not in EXPECTATIONS:
        raise ScenarioError(line.number, "one of error, " + ", ".join(EXPECTATIONS), check)
    pattern, form, compare = EXPECTATIONS[word]
    match = re.fullmatch(pattern, rest)
    if match is None:
        raise ScenarioError(line.number, form, rest)
    ctx = world.context().at(as_of or world.day, datetime.combine(known, time.max, UTC) if known else None)
    try:
        found = compare(world, {**match.groupdict(), "_word": word}, ctx)
    except SaldoError as error:
        found = f"{error.code}: {error.text(world.language)}"
    return None if found is None else (check, found)


@click.command()
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@app.command
def scenario(files: tuple[Path, ...], as_json: bool) -> None:
    """Run scenarios and say what does not hold. Nothing is kept. Exit code 1 when one fails."""
    app.prepare()
    reports = [run_scenario(path.read_text(encoding="utf-8"), str(path)) for path in files]
    failed = sum(bool(report.failures) for report in reports)
    if as_json:
        app.print_json({"scenarios": [report.as_json() for report in reports], "failed": failed})
    else:
        for report in reports:
            click.echo(f"{'FAIL' if report.failures else 'ok  '} {report.file}: {report.title}")
            for text in report.lines():
                click.echo(f"  {text}")
        click.echo(
            f"{len(reports)} scenarios, {sum(r.checks for r in reports)} expectations, {failed} failed"
        )
    sys.exit(1 if failed else 0)
