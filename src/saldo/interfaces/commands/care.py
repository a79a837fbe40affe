"""saldo preference, care, visits: what customers asked for and say, calls before due dates, visits."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.money import decimal_text
from saldo.core.preferences import KINDS
from saldo.core.visits import DAY_MINUTES
from saldo.interfaces.commands.app import (
    DAY,
    as_of_option,
    command,
    context,
    day_of,
    json_option,
    language,
    prepare,
    print_json,
)
from saldo.interfaces.commands.naming import account_of, currency_of, mills_of

_COMPANY = click.option("--company", required=True, help="Code of the company.")
_DAYS = click.option(
    "--days", type=click.IntRange(1, 3660), default=90, show_default=True, help="Of how many days."
)
_NOTE = click.option("--note", default="", help="What else was said.")
_MINIMUM = click.option("--minimum", help="Amounts from this one on.")


def _ready(company: str, as_of: datetime | None) -> tuple[Context, int]:
    prepare()
    ctx = context(day_of(as_of), company=company)
    assert ctx.company_id is not None
    return ctx, ctx.company_id


def _listed(name: str, rows: list[dict[str, Any]], as_json: bool) -> None:
    """One object, or a line a row."""
    if as_json:
        print_json({name: rows})
        return
    for row in rows:
        click.echo("  ".join(str(value) for value in row.values() if value not in (None, "")))


# --- preferences ------------------------------------------------------------------------------------


@click.group()
def preference() -> None:
    """What customers asked for, so that nobody has to ask twice."""


@preference.command("add")
@click.argument("customer")
@click.argument("kind", type=click.Choice(KINDS))
@click.option("--value", default="", help="Hours (mon-fri 14:00-18:00) or words, as the kind needs.")
@click.option("--contact", type=int, help="Of this contact only, by id.")
@_NOTE
@_COMPANY
@as_of_option
@json_option
@command
def preference_add(
    customer: str, kind: str, value: str, contact: int | None, note: str, company: str,
    as_of: datetime | None, as_json: bool,
) -> None:  # fmt: skip
    """Note a request: messages, calls and visits keep to it from now on."""
    ctx, _ = _ready(company, as_of)
    from saldo.parties.preferences import record_preference

    made = record_preference(ctx, account_of(ctx, customer), kind, value, note, contact)
    print_json({"preference": made}) if as_json else click.echo(f"preference {made}")


@preference.command("end")
@click.argument("preference_id", type=int)
@_NOTE
@as_of_option
@command
def preference_end(preference_id: int, note: str, as_of: datetime | None) -> None:
    """It no longer holds."""
    prepare()
    from saldo.parties.preferences import end_preference

    end_preference(context(day_of(as_of)), preference_id, note)
    click.echo(f"preference {preference_id}: ended")


@preference.command("list")
@click.argument("customer")
@_COMPANY
@as_of_option
@json_option
@command
def preference_list(customer: str, company: str, as_of: datetime | None, as_json: bool) -> None:
    """What the customer asked for and still holds, the newest first."""
    ctx, _ = _ready(company, as_of)
    from saldo.parties.preferences import preferences_of

    rows = [asdict(row) for row in preferences_of(ctx, account_of(ctx, customer))]
    shown = ("id", "day", "kind", "contact", "value", "note")
    _listed(
        "preferences", rows if as_json else [{name: row[name] for name in shown} for row in rows], as_json
    )


# --- what they say ----------------------------------------------------------------------------------


@click.group()
def care() -> None:
    """Why customers are late, how content they are, and whom to call before a due date."""


@care.command("causes")
@_DAYS
@_COMPANY
@as_of_option
@json_option
@command
def causes(days: int, company: str, as_of: datetime | None, as_json: bool) -> None:
    """Reasons for delay, the most frequent first: customers, times said, overdue."""
    ctx, _ = _ready(company, as_of)
    from saldo.measurement.causes import delay_causes

    rows = delay_causes(ctx, ctx.as_of - timedelta(days=days), ctx.as_of)
    told = [
        asdict(row) | {"overdue": {name: str(amount) for name, amount in row.overdue.items()}} for row in rows
    ]
    _listed("causes", told, as_json)


@care.command("surveys")
@_DAYS
@_COMPANY
@as_of_option
@json_option
@command
def surveys(days: int, company: str, as_of: datetime | None, as_json: bool) -> None:
    """CSAT and NPS of the surveys sent in the period, with their 95% intervals."""
    ctx, _ = _ready(company, as_of)
    from saldo.measurement.surveys import results

    rows = results(ctx, ctx.as_of - timedelta(days=days), ctx.as_of)
    _listed("surveys", [asdict(row) | {"kind": row.kind or "all"} for row in rows], as_json)


@care.command("ask")
@_COMPANY
@as_of_option
@json_option
@command
def ask(company: str, as_of: datetime | None, as_json: bool) -> None:
    """Queue the two questions about what was closed, as the run of the day does; nobody is asked twice."""
    ctx, company_id = _ready(company, as_of)
    from saldo.flows.ask_surveys import queue_surveys

    queued = queue_surveys(ctx, company_id)
    told = {
        "queued": list(queued.done),
        "refused": [{"account_id": each.account_id, "code": each.code} for each in queued.refused],
    }
    print_json(told) if as_json else click.echo(f"queued {len(queued.done)}, refused {len(queued.refused)}")


@care.command("courtesy")
@click.option("--days", type=click.IntRange(1, 60), default=10, show_default=True, help="Days ahead.")
@_MINIMUM
@_COMPANY
@as_of_option
@json_option
@command
def courtesy(days: int, minimum: str | None, company: str, as_of: datetime | None, as_json: bool) -> None:
    """Whom to call before a large amount falls due, those with most at risk first."""
    ctx, company_id = _ready(company, as_of)
    from saldo.flows.courtesy import courtesy_calls

    rows = courtesy_calls(ctx, company_id, days, mills_of(minimum, currency_of(ctx, None)))
    told = [
        {
            "account": row.code, "name": row.name, "amount": decimal_text(row.asked_mills, row.currency),
            "currency": row.currency, "due": row.first_due_date, "documents": list(row.documents),
            "p_late": row.p_late, "phone": row.phone, "call": row.advice.code or "now",
            "hours": row.advice.hours,
        }
        for row in rows
    ]  # fmt: skip
    _listed("calls", told, as_json)


# --- visits -----------------------------------------------------------------------------------------


@click.group()
def visits() -> None:
    """Days of visits."""


@visits.command("areas")
@_MINIMUM
@_COMPANY
@as_of_option
@json_option
@command
def areas(minimum: str | None, company: str, as_of: datetime | None, as_json: bool) -> None:
    """Where money waits: customers of the day's list by postal code, the area worth most first."""
    ctx, company_id = _ready(company, as_of)
    from saldo.flows.visits import areas as found

    currency = currency_of(ctx, None)
    least = Decimal(mills_of(minimum, currency) or 0) / 1000
    told = [
        {
            "area": area.key, "cities": list(area.cities), "customers": len(area.stops),
            "overdue": decimal_text(area.worth_mills, currency), "currency": currency,
        }
        for area in found(ctx, company_id, least)
    ]  # fmt: skip
    _listed("areas", told, as_json)


@visits.command("plan")
@click.argument("area")
@click.option("--collector", required=True, help="Login of who goes.")
@click.option("--day", type=DAY, required=True, help="The day of the visits.")
@click.option(
    "--minutes",
    type=click.IntRange(30, 720),
    default=DAY_MINUTES,
    show_default=True,
    help="Minutes of the day.",
)
@_NOTE
@_COMPANY
@as_of_option
@json_option
@command
def plan(
    area: str, collector: str, day: datetime, minutes: int, note: str, company: str, as_of: datetime | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Make a round of those who owe most in an area, in the order of the way."""
    ctx, company_id = _ready(company, as_of)
    from saldo.flows.visits import draft, save

    placed = draft(ctx, company_id, area.upper(), minutes)
    made = save(ctx, company_id, collector, day.date(), [each.stop.account_id for each in placed], note)
    told = {"round": made, "stops": len(placed)}
    print_json(told) if as_json else click.echo(f"round {made}: {len(placed)}")


@visits.command("list")
@_COMPANY
@as_of_option
@json_option
@command
def visits_list(company: str, as_of: datetime | None, as_json: bool) -> None:
    """Rounds from the day on, the next ones first."""
    ctx, _ = _ready(company, as_of)
    from saldo.collection.rounds import rounds

    told = [
        {
            "round": row.id, "day": row.day, "collector": row.collector, "areas": list(row.areas),
            "stops": len(row.stops), "minutes": row.minutes,
        }
        for row in rounds(ctx, ctx.as_of)
    ]  # fmt: skip
    _listed("rounds", told, as_json)


@visits.command("sheet")
@click.argument("round_id", type=int)
@click.option(
    "--to", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The PDF to write."
)
@_COMPANY
@as_of_option
@command
def sheet(round_id: int, to: Path, company: str, as_of: datetime | None) -> None:
    """Write the sheet of a round, to print."""
    ctx, _ = _ready(company, as_of)
    from saldo.flows.visit_sheet import sheet_pdf
    from saldo.flows.visits import round_page

    content = sheet_pdf(ctx, round_page(ctx, round_id), language())
    try:
        to.write_bytes(content)
    except OSError as error:
        raise SaldoError("file_not_written", path=str(to), problem=error.strerror or str(error)) from error
    click.echo(str(to))
