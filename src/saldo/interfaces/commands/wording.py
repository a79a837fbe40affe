"""saldo template, saldo letters: the words of messages, and letters on paper."""

from __future__ import annotations

import json
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from saldo.core.errors import SaldoError
from saldo.core.wording import CHANNELS, LANGUAGES, Template
from saldo.interfaces.commands.app import (
    NEEDS_A_PERSON,
    actor,
    as_of_option,
    command,
    context,
    day_of,
    json_option,
    language,
    prepare,
    print_json,
)

_COMPANY = click.option("--company", required=True, help="Code of the company.")
_CHANNEL = click.option("--channel", type=click.Choice(CHANNELS), default="email", show_default=True)
_LANGUAGE = click.option(
    "--language", "text_language", type=click.Choice(LANGUAGES), default="it", show_default=True
)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_KEYS = ("code", "channel", "language", "subject", "body")


@click.group()
def template() -> None:
    """The words of messages: those shipped, and a company's own."""


@template.command("list")
@_COMPANY
@json_option
@command
def list_templates(company: str, as_json: bool) -> None:
    """The templates in use: code, channel, language, version (0: as shipped)."""
    prepare()
    from saldo.outreach.templates import listing

    found = listing(_company_id(company))
    keys = ("code", "channel", "language", "version", "actor", "recorded_at")
    rows = [{key: getattr(each, key) for key in keys} for each in found]
    if as_json:
        print_json({"templates": rows})
        return
    for row in rows:
        told = "shipped" if not row["version"] else f"version {row['version']} by {row['actor']}"
        click.echo(f"{row['code']:<16} {row['channel']:<7} {row['language']}  {told}")


@template.command("show")
@click.argument("code")
@_COMPANY
@_CHANNEL
@_LANGUAGE
@click.option("--example", is_flag=True, help="Filled for an invented customer instead.")
@json_option
@command
def show(company: str, code: str, channel: str, text_language: str, example: bool, as_json: bool) -> None:
    """A template as a file that can be changed and saved."""
    prepare()
    from saldo.outreach.templates import newest, preview

    company_id = _company_id(company)
    found = newest(company_id, code, channel, text_language)
    if found is None:
        raise SaldoError("template_unknown", name=f"{code} ({channel}, {text_language})")
    told: dict[str, Any] = {
        "code": code, "channel": channel, "language": text_language, "version": found.version,
        "subject": found.subject, "body": found.body,
    }  # fmt: skip
    if example:
        said = preview(context(company=company), company_id, found.template, channel)
        told |= {"subject": said.subject, "body": said.body}
    if as_json:
        print_json(told)
    elif example:
        click.echo(f"{told['subject']}\n\n{told['body']}")
    else:
        click.echo(_as_toml(told), nl=False)


@template.command("check")
@click.argument("file", type=_FILE)
@json_option
@command
def check(file: Path, as_json: bool) -> None:
    """Everything that is wrong with a template's FILE, with its place. Needs no database."""
    from saldo.core.wording import check as problems_of

    told = _read(file)
    found = problems_of(Template(**told))
    if as_json:
        problems = [{"code": each.code, "place": each.place(language()), "text": each.text(language())}
                    for each in found]  # fmt: skip
        print_json({"template": told["code"], "is_valid": not found, "problems": problems})
    else:
        for each in found:
            click.echo(each.text(language()))
        if not found:
            click.echo(f"{file}: nothing is wrong with it.")
    if found:
        sys.exit(NEEDS_A_PERSON)


@template.command("save")
@click.argument("file", type=_FILE)
@_COMPANY
@click.option("--note", default="", help="A few words that stay in the history.")
@json_option
@command
def save(file: Path, company: str, note: str, as_json: bool) -> None:
    """Keep FILE as the company's next version of its template. It is in use from then on."""
    told = _read(file)
    prepare()
    from saldo.outreach.templates import save as keep

    version = keep(context(company=company), _company_id(company), **told, note=note)
    if as_json:
        print_json({"template": told["code"], "version": version})
    else:
        click.echo(f"{told['code']} ({told['channel']}, {told['language']}): version {version} is in use.")


@click.group()
def letters() -> None:
    """Letters on paper."""


@letters.command("print")
@click.argument("message", type=int, nargs=-1)
@_COMPANY
@click.option(
    "--to", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The PDF to write."
)
@click.option("--printed", is_flag=True, help="Note that they were printed and posted.")
@as_of_option
@json_option
@command
def print_letters(
    message: tuple[int, ...], company: str, to: Path, printed: bool, as_of: Any, as_json: bool
) -> None:
    """Write letters into one PDF to print on both sides: those that wait, or the MESSAGEs named."""
    prepare()
    from saldo.flows.send_messages import post_letters
    from saldo.outreach.desk_message import letters_to_print
    from saldo.outreach.rendering import letters_pdf

    # Whoever has the command line has the database.
    ctx = replace(context(day_of(as_of), company=company), actor=f"system:{actor()}")
    ids = list(message) or letters_to_print(ctx)
    data = letters_pdf(ctx, ids)
    try:
        to.write_bytes(data)
    except OSError as error:
        raise SaldoError("file_not_written", path=str(to), problem=error.strerror or str(error)) from error
    if printed:
        post_letters(ctx, ids)
    if as_json:
        print_json({"file": str(to), "letters": ids, "printed": printed})
    else:
        click.echo(f"{to}: {len(ids)} letters")


def _company_id(code: str) -> int:
    from saldo.identity.queries import company_by_code

    return company_by_code(code).id


def _read(file: Path) -> dict[str, str]:
    try:
        told = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SaldoError("template_file", file=file.name, problem=str(error)) from error
    told.setdefault("subject", "")
    told.pop("version", None)
    wrong = sorted({*told} ^ {*_KEYS}) or [key for key in _KEYS if not isinstance(told[key], str)]
    if wrong:
        raise SaldoError("template_file", file=file.name, problem=", ".join(wrong))
    return told


def _as_toml(told: dict[str, Any]) -> str:
    """A string of JSON is one of TOML; the body stands in a literal block, which is easier to change."""
    lines = [f"{key} = {json.dumps(told[key], ensure_ascii=False)}" for key in _KEYS[:-1]]
    body = told["body"]
    if "'''" in body:
        return "\n".join([*lines, f"body = {json.dumps(body, ensure_ascii=False)}", ""])
    return "\n".join([*lines, f"body = '''\n{body}'''", ""])
