"""saldo playbook: who gets which word when, as text: checked, tried, saved, put in force."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from saldo.interfaces.commands.app import (
    NEEDS_A_PERSON,
    as_of_option,
    command,
    company_option,
    context,
    day_of,
    errors,
    json_option,
    language,
    prepare,
    print_json,
)

if TYPE_CHECKING:
    from saldo.collection.playbooks import PlaybookRow, VersionRow
    from saldo.core.playbook_problems import Problem
    from saldo.identity.queries import CompanyRow

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
VERSION = click.option("--version", type=int, help="Number of the version (default: the newest).")
NOTE = click.option("--note", default="", help="A few words that stay in the history.")
# A dry run's examples on the screen; --json has all of them.
SHOWN_ROWS = 10


@click.group()
def playbook() -> None:
    """Playbooks: who gets which word, by which channel, when."""


@playbook.command("check")
@click.argument("file", type=FILE)
@company_option
@json_option
@command
def playbook_check(file: Path, company: str | None, as_json: bool) -> None:
    """Say everything that is wrong with FILE. With --company its templates are checked too."""
    company_id = None
    if company:
        prepare()
        from saldo.identity.queries import company_by_code

        company_id = company_by_code(company).id
        from saldo.flows.try_playbook import check_playbook

        found, problems = check_playbook(file.read_bytes(), company_id)
    else:
        found, problems = _checked(file.read_bytes())
    wrong = [problem for problem in problems if not problem.is_warning]
    if as_json:
        head = {"file": str(file), "playbook": found and found.code, "is_valid": not wrong}
        print_json(head | {"problems": [problem.as_json(language()) for problem in problems]})
    else:
        _show(problems)
        if found is not None and not wrong:
            click.echo(f"{found.code}: {len(found.steps)} steps, nothing wrong")
    if wrong:
        sys.exit(NEEDS_A_PERSON)


def _checked(content: bytes) -> tuple[Any, list[Problem]]:
    """Without a database: the text and the playbook as a whole, not the templates it names."""
    from saldo.core.playbook_checks import check
    from saldo.core.playbook_text import read

    found, problems = read(content)
    return found, problems if found is None else check(found)


def _show(problems: list[Problem] | tuple[Problem, ...]) -> None:
    for problem in problems:
        style = "yellow" if problem.is_warning else "red"
        text = f"{problem.text(language())} {problem.remedy(language())}"
        errors.print(text, style=style, soft_wrap=True, markup=False)


@playbook.command("dry-run")
@click.argument("file", type=FILE)
@as_of_option
@company_option
@json_option
@command
def playbook_dry_run(file: Path, as_of: datetime | None, company: str | None, as_json: bool) -> None:
    """What FILE would do on the day's portfolio, and what would change. Nothing is written or sent."""
    prepare()
    from saldo.core.playbook_problems import mistakes
    from saldo.flows.try_playbook import check_playbook, told, try_playbook

    each = _one_company(company)
    content = file.read_bytes()
    _, problems = check_playbook(content, each.id)
    if wrong := mistakes(problems):
        if as_json:
            print_json({"company": each.code, "problems": [problem.as_json(language()) for problem in wrong]})
        else:
            _show(wrong)
        sys.exit(NEEDS_A_PERSON)
    trial = try_playbook(context(day_of(as_of)), each, content)
    answer = told(trial, language())
    if as_json:
        print_json(answer)
        return
    _show(trial.warnings)
    _show_trial(answer)


def _show_trial(answer: dict[str, Any]) -> None:
    active = answer["active_version"]
    instead = f"in place of version {active}" if active else "as a new playbook"
    click.echo(f"{answer['playbook']} on {answer['as_of']}, {instead}: {answer['accounts']} accounts")
    for row in answer["steps"]:
        held = f"held back: {row['blocked']}" if row["blocked"] else ""
        click.echo(
            f"  {row['track']:<8}{row['level']:>2}  {row['step']:<30}{row['channel']:<8}"
            f"{row['messages']:>6}{row['asked']:>16} {row['currency']}  {held}".rstrip()
        )
    changes = answer["changes"]
    for name, sums in (("now", answer["before"]), ("then", answer["after"])):
        for row in sums:
            click.echo(
                f"{name:<5}{row['messages']:>6} messages, {row['asked']} {row['currency']}; "
                f"{row['suggested']} calls and tasks; {row['blocked']} held back"
            )
    click.echo(
        f"accounts: {changes['accounts_in']} in, {changes['accounts_out']} out; "
        f"messages: {changes['added']} added, {changes['dropped']} dropped, {changes['changed']} changed"
    )
    for row in changes["messages"][:SHOWN_ROWS]:
        click.echo(f"  {row['account']} {row['name']}: {_change_line(row)}")
    if len(changes["messages"]) > SHOWN_ROWS:
        click.echo(f"  … {len(changes['messages']) - SHOWN_ROWS} more: --json")


def _change_line(row: dict[str, Any]) -> str:
    sides = []
    for suffix in ("_before", ""):
        step = row[f"step{suffix}"]
        said = (
            f"{step} by {row[f'channel{suffix}']}, {row[f'asked{suffix}']} {row['currency']}" if step else "–"
        )
        blocked = row[f"blocked{suffix}"]
        sides.append(f"{said} ({blocked})" if blocked else said)
    return " → ".join(sides)


@playbook.command("save")
@click.argument("file", type=FILE)
@NOTE
@company_option
@json_option
@command
def playbook_save(file: Path, note: str, company: str | None, as_json: bool) -> None:
    """Keep FILE as the next version of its playbook; another person activates it."""
    prepare()
    from saldo.core.playbook_problems import mistakes
    from saldo.flows.try_playbook import check_playbook, save_playbook

    each = _one_company(company)
    content = file.read_bytes()
    _, problems = check_playbook(content, each.id)
    if wrong := mistakes(problems):
        if as_json:
            print_json({"company": each.code, "problems": [problem.as_json(language()) for problem in wrong]})
        else:
            _show(wrong)
        sys.exit(NEEDS_A_PERSON)
    saved = save_playbook(context(), each.id, content, note)
    if as_json:
        warnings = [problem.as_json(language()) for problem in saved.warnings]
        head = {"company": each.code, "playbook": saved.code, "version": saved.version}
        print_json(head | {"is_new": saved.is_new, "warnings": warnings})
        return
    _show(saved.warnings)
    state = "saved; not in force yet" if saved.is_new else "is the same already; nothing saved"
    click.echo(f"{each.code} {saved.code}: version {saved.version} {state}")


@playbook.command("list")
@company_option
@json_option
@command
def playbook_list(company: str | None, as_json: bool) -> None:
    """Every playbook in the order they are tried, its version in force and newer ones."""
    prepare()
    from saldo.collection.playbooks import playbooks
    from saldo.identity.queries import companies

    rows = [(each, row) for each in companies(context(company=company)) for row in playbooks(each.id)]
    if as_json:
        print_json({"playbooks": [_playbook_json(each, row) for each, row in rows]})
        return
    if not rows:
        errors.print("no playbook yet: saldo playbook install")
    for each, row in rows:
        said = _playbook_json(each, row)
        active = f"version {row.active.version} in force" if row.active else "not in force"
        draft = f", version {row.newest.version} waits" if row.active and row.has_draft else ""
        click.echo(
            f"{each.code:<10}{said['order']:>5}  {row.code:<26}{said['steps']:>3} steps  {active}{draft}"
        )


def _playbook_json(company: CompanyRow, row: PlaybookRow) -> dict[str, Any]:
    shown = row.shown.playbook
    activation = row.activation if row.active else None
    return {
        "company": company.code,
        "playbook": row.code,
        "title": dict(shown.title),
        "order": shown.order,
        "segment": shown.segment.code,
        "steps": len(shown.steps),
        "active_version": row.active.version if row.active else None,
        "activated_by": activation.actor if activation else None,
        "activated_at": activation.recorded_at.isoformat() if activation else None,
        "newest_version": row.newest.version,
        "newest_by": row.newest.actor,
        "newest_at": row.newest.recorded_at.isoformat(),
    }


@playbook.command("show")
@click.argument("code")
@VERSION
@company_option
@json_option
@command
def playbook_show(code: str, version: int | None, company: str | None, as_json: bool) -> None:
    """The text of a version, as it was saved."""
    prepare()
    from saldo.collection.playbooks import version_row, versions

    each = _one_company(company)
    row = version_row(each.id, code, version)
    if not as_json:
        click.echo(row.content, nl=False)
        return
    history = [_version_json(one) for one in versions(each.id, code)]
    print_json({"company": each.code, **_version_json(row), "content": row.content, "versions": history})


def _version_json(row: VersionRow) -> dict[str, Any]:
    told = {"playbook": row.code, "version": row.version, "note": row.note, "author": row.actor}
    return told | {"recorded_at": row.recorded_at.isoformat()}


@playbook.command("diff")
@click.argument("code")
@click.argument("before", type=int)
@click.argument("after", type=int)
@company_option
@json_option
@command
def playbook_diff(code: str, before: int, after: int, company: str | None, as_json: bool) -> None:
    """What differs from version BEFORE to version AFTER, step by step."""
    prepare()
    from saldo.collection.playbooks import version_row
    from saldo.core.playbook_diff import changes

    each = _one_company(company)
    old, new = version_row(each.id, code, before), version_row(each.id, code, after)
    found = changes(old.playbook, new.playbook)
    if as_json:
        head = {"company": each.code, "playbook": code, "before": before, "after": after}
        print_json(head | {"changes": [change.as_json() for change in found]})
        return
    if not found:
        click.echo("no difference")
    for change in found:
        click.echo(f"{change.kind} {change.step or 'head'}")
        for field in change.fields:
            click.echo(f"  {field.name}: {field.before or '–'} → {field.after or '–'}")


@playbook.command("activate")
@click.argument("code")
@VERSION
@NOTE
@company_option
@command
def playbook_activate(code: str, version: int | None, note: str, company: str | None) -> None:
    """Put a version in force from now on. Whoever wrote it cannot."""
    prepare()
    from saldo.collection.playbook_changes import activate
    from saldo.collection.playbooks import version_row

    each = _one_company(company)
    row = version_row(each.id, code, version)
    is_new = activate(context(), each.id, row.id, note)
    state = "is in force from now on" if is_new else "was in force already"
    click.echo(f"{each.code} {code}: version {row.version} {state}")


@playbook.command("retire")
@click.argument("code")
@NOTE
@company_option
@command
def playbook_retire(code: str, note: str, company: str | None) -> None:
    """Take a playbook out of force; its customers fall to the next one in order."""
    prepare()
    from saldo.collection.playbook_changes import retire

    each = _one_company(company)
    is_new = retire(context(), each.id, code, note)
    click.echo(
        f"{each.code} {code}: " + ("out of force from now on" if is_new else "was out of force already")
    )


@playbook.command("install")
@company_option
@json_option
@command
def playbook_install(company: str | None, as_json: bool) -> None:
    """Add the playbooks that come with Saldo, not in force; those there are already stay as they are."""
    prepare()
    from saldo.collection.playbook_changes import install_shipped
    from saldo.collection.playbooks import versions
    from saldo.identity.queries import companies

    ctx = context(company=company)
    rows = []
    for each in companies(ctx):
        made = set(install_shipped(ctx, each.id))
        rows += [{"company": each.code, **_version_json(row)} for row in versions(each.id) if row.id in made]
    if as_json:
        print_json({"installed": rows})
        return
    for row in rows:
        click.echo(f"{row['company']} {row['playbook']}: version {row['version']}, not in force yet")
    if not rows:
        click.echo("nothing to install: they are there already")


def _one_company(code: str | None) -> CompanyRow:
    """The company named, or the only one there is."""
    from saldo.core.errors import SaldoError
    from saldo.identity.queries import companies, company_by_code

    if code:
        return company_by_code(code)
    found = companies(context())
    if len(found) != 1:
        raise SaldoError("company_needed", known=", ".join(each.code for each in found))
    return found[0]
