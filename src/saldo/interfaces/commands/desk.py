"""saldo assign, capacity: whose accounts are whose, and how many minutes people have for the list."""

from __future__ import annotations

from datetime import datetime

import click

from saldo.interfaces.commands.app import (
    DAY,
    as_of_option,
    command,
    context,
    day_of,
    errors,
    json_option,
    prepare,
    print_json,
)
from saldo.interfaces.commands.naming import account_of

_COMPANY = click.option("--company", required=True, help="Code of the company.")
_NOTE = click.option("--note", default="", help="Why; it stays in the history.")
_FROM = click.option("--from", "from_day", type=DAY, help="First day (default: today).")
_UNTIL = click.option("--until", type=DAY, help="Last day (default: no end).")


@click.command()
@click.argument("customers", nargs=-1)
@click.option("--to", "collector", default="", help="Login of the collector; without it, back to everybody.")
@click.option("--all-of", "former", default="", help="All that is this collector's, instead of customers.")
@_FROM
@_UNTIL
@_NOTE
@_COMPANY
@as_of_option
@json_option
@command
def assign(
    customers: tuple[str, ...], collector: str, former: str, from_day: datetime | None,
    until: datetime | None, note: str, company: str, as_of: datetime | None, as_json: bool,
) -> None:  # fmt: skip
    """Give customers (by their codes) to a collector, or all of one collector's to another."""
    if bool(customers) == bool(former):
        raise click.UsageError("name customers, or --all-of a collector")
    prepare()
    from saldo.collection import assignments

    ctx = context(day_of(as_of), company=company)
    days = (day_of(from_day), day_of(until))
    if former:
        count = assignments.hand_over(ctx, former, collector, *days, note)
    else:
        accounts = [account_of(ctx, code) for code in customers]
        count = assignments.assign(ctx, accounts, collector, *days, note)
    if as_json:
        print_json({"accounts": count, "collector": collector})
    else:
        click.echo(f"{count} accounts: {collector or 'everybody'}")


@click.command()
@click.argument("collector", required=False)
@click.argument("minutes", type=int, required=False)
@_FROM
@_UNTIL
@_NOTE
@_COMPANY
@as_of_option
@json_option
@command
def capacity(
    collector: str | None, minutes: int | None, from_day: datetime | None, until: datetime | None, note: str,
    company: str, as_of: datetime | None, as_json: bool,
) -> None:  # fmt: skip
    """Minutes a day that a collector has for the list (0: away); without arguments, everybody's."""
    if (collector is None) != (minutes is None):
        raise click.UsageError("COLLECTOR and MINUTES go together")
    prepare()
    from saldo.collection import assignments

    ctx = context(day_of(as_of), company=company)
    if collector is not None and minutes is not None:
        assignments.set_capacity(ctx, collector, minutes, day_of(from_day), day_of(until), note)
    people = assignments.collectors_of(ctx)
    if as_json:
        told = [
            {
                "collector": one.username,
                "name": one.name,
                "minutes": one.minutes,
                "until": one.until_date and one.until_date.isoformat(),
            }
            for one in people
        ]
        print_json({"as_of": ctx.as_of.isoformat(), "collectors": told})
        return
    if not people:
        errors.print("nobody has the role of a collector")
    for one in people:
        told_minutes = "–" if one.minutes is None else str(one.minutes)
        until_day = f" until {one.until_date}" if one.until_date else ""
        click.echo(f"{one.username:<24} {told_minutes:>5} min{until_day}")
