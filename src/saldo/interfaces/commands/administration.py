"""saldo migrate, user, company, rebuild: for the person who runs the machine."""

from __future__ import annotations

import sys

import click

from saldo.core.errors import SaldoError
from saldo.interfaces.commands.app import FAILED, command, context, errors, json_option, prepare, print_json


@click.command()
@command
def migrate() -> None:
    """Bring the database's schema up to the one this version needs."""
    import os

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "saldo.config.settings")
    import django

    django.setup()
    from saldo.interfaces.commands import schema

    missing = schema.migrate()
    click.echo(f"{missing} migrations applied" if missing else "the schema is up to date")


@click.group()
def user() -> None:
    """People who log in."""


@user.command("add")
@click.argument("login")
@click.option(
    "--role", default="collector", show_default=True, help="administrator, credit_manager, collector, …"
)
@click.option("--company", help="Code of the one company the role is for (default: all).")
@click.option("--email", default="")
@click.option("--language", type=click.Choice(["it", "en"]), default="it", show_default=True)
@click.option(
    "--password", envvar="SALDO_PASSWORD", help="Asked for, if neither given nor in SALDO_PASSWORD."
)
@command
def user_add(
    login: str, role: str, company: str | None, email: str, language: str, password: str | None
) -> None:
    """Add a person with one role."""
    prepare()
    from saldo.identity.operations import add_user

    ctx = context(company=company)
    secret = password or click.prompt("Password", hide_input=True, confirmation_prompt=True)
    add_user(ctx, login, secret, role, ctx.company_id, email=email, language=language)
    click.echo(f"{login} may log in as {role}")


@user.command("password")
@click.argument("login")
@click.option("--password", envvar="SALDO_PASSWORD")
@command
def user_password(login: str, password: str | None) -> None:
    """Give a person a new password."""
    prepare()
    from saldo.identity.operations import set_password

    secret = password or click.prompt("Password", hide_input=True, confirmation_prompt=True)
    set_password(context(), login, secret)
    click.echo(f"{login} has a new password")


@click.group()
def company() -> None:
    """Our legal entities."""


@company.command("add")
@click.argument("code")
@click.option("--name", default="")
@click.option("--currency", default="EUR", show_default=True)
@click.option("--vat", default="", help="VAT number with its country, such as IT01234567897.")
@command
def company_add(code: str, name: str, currency: str, vat: str) -> None:
    """Add a company."""
    prepare()
    from saldo.identity.operations import ensure_company

    row = ensure_company(context(), code, name, currency.upper(), vat)
    click.echo(f"{row.code} {row.name} ({row.currency})")


@company.command("list")
@json_option
@command
def company_list(as_json: bool) -> None:
    """The companies Saldo knows."""
    prepare()
    from saldo.identity.queries import companies

    rows = companies(context())
    if as_json:
        print_json({"companies": [{"code": r.code, "name": r.name, "currency": r.currency} for r in rows]})
        return
    for row in rows:
        click.echo(f"{row.code:<20} {row.name} ({row.currency})")


@click.command()
@click.option("--check", is_flag=True, help="Only compare; change nothing.")
@command
def rebuild(check: bool) -> None:
    """Make the stored projections anew from the facts, or check that they agree."""
    prepare()
    from saldo.ledger.operations import rebuild_projection
    from saldo.ledger.queries import projection_differences

    if not check:
        click.echo(f"{rebuild_projection()} rows rebuilt")
        return
    differences = projection_differences()
    if differences:
        errors.print(
            SaldoError("projection_differs", count=len(differences), item=differences[0][0]).text("en")
        )
        sys.exit(FAILED)
    click.echo("the projections agree with the facts")
