"""saldo erp: what ERPs are told of the cash applied here, and what they have not shown yet."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from saldo.core.errors import SaldoError
from saldo.interfaces.commands.app import command, context, json_option, prepare, print_json

_COMPANY = click.option("--company", required=True, help="Code of the company.")


@click.group()
def erp() -> None:
    """The ERPs: who posts cash, files of applied cash for them, what they have not shown yet."""


@erp.command("sources")
@json_option
@command
def sources(as_json: bool) -> None:
    """The sources of receivables, and who posts their cash."""
    prepare()
    from saldo.intake.queries import erp_sources

    found = erp_sources(None)
    if as_json:
        print_json({"sources": [asdict(each) for each in found]})
        return
    for each in found:
        click.echo(f"{each.name}: cash is posted by {'the ERP' if each.posts_cash == 'erp' else 'Saldo'}")


@erp.command("set")
@click.argument("source")
@click.option("--posts-cash", type=click.Choice(["erp", "saldo"]), required=True, help="Who books the cash.")
@command
def set_source(source: str, posts_cash: str) -> None:
    """Say who books the cash of SOURCE: the ERP itself (Saldo proposes) or Saldo (prima nota incassi)."""
    prepare()
    from saldo.intake.operations import choose_who_posts_cash

    choose_who_posts_cash(context(), source, posts_cash)
    click.echo(f"{source}: cash is posted by {'the ERP' if posts_cash == 'erp' else 'Saldo'}")


@erp.command("export")
@_COMPANY
@click.option("--source", help="The source to tell (default: that of the newest list).")
@click.option("--to", type=click.Path(file_okay=False, path_type=Path), default=".", help="Folder.")
@click.option("--again", type=int, help="Write an earlier export again, by its id.")
@json_option
@command
def export(company: str, source: str | None, to: Path, again: int | None, as_json: bool) -> None:
    """Write the cash that the ERP has not been told of, as one CSV file of balanced entries."""
    prepare()
    from saldo.flows.export_cash import export_again, export_cash

    ctx = context(company=company)
    made = export_cash(ctx, source) if again is None else export_again(ctx, again)
    path = to / made.name
    try:
        to.mkdir(parents=True, exist_ok=True)
        path.write_bytes(made.data)
    except OSError as error:
        raise SaldoError("file_not_written", path=str(path), problem=error.strerror or str(error)) from error
    told: dict[str, Any] = {"export": made.export_id, "file": str(path), "entries": made.entries}
    if as_json:
        print_json(told)
    else:
        click.echo(f"{path}: {made.entries} entries (export {made.export_id})")


@erp.command("exports")
@_COMPANY
@json_option
@command
def exports(company: str, as_json: bool) -> None:
    """The files written so far."""
    prepare()
    from saldo.cash import exports as cash_exports

    found = cash_exports.exports(context(company=company))
    if as_json:
        print_json({"exports": [asdict(each) for each in found]})
        return
    for each in found:
        click.echo(f"{each.id}: n. {each.number} of {each.day}, {each.source}, {each.postings} postings")


@erp.command("pending")
@_COMPANY
@json_option
@command
def pending(company: str, as_json: bool) -> None:
    """Cash applied here that the ERP does not show yet, oldest first."""
    prepare()
    from saldo.cash.acknowledgements import pending as pending_postings

    found = pending_postings(context(company=company))
    if as_json:
        print_json({"pending": [asdict(each) for each in found]})
        return
    for each in found:
        told = "exported" if each.is_exported else "not exported"
        click.echo(
            f"{each.booking_date}  {each.amount} {each.currency}  {each.customer}  {each.days} days, {told}"
        )
    if not found:
        click.echo("The ERP shows all the cash that was applied here.")
