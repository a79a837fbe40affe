"""saldo sending: the brakes, going live, the prescription clock."""

from __future__ import annotations

import re
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from saldo.core.errors import SaldoError
from saldo.core.money import decimal_text
from saldo.interfaces.commands.app import (
    DAY,
    NEEDS_A_PERSON,
    as_of_option,
    command,
    company_option,
    context,
    day_of,
    json_option,
    language,
    prepare,
    print_json,
)
from saldo.interfaces.commands.naming import account_of

_COMPANY = click.option("--company", required=True, help="Code of the company.")
_NOTE = click.option("--note", default="", help="Why; it stays in the log.")
_LEVELS = click.option(
    "--levels", help="Starting levels of old items by days late: 0=1,30=2 (below the first band: 0)."
)


@click.group()
def sending() -> None:
    """Rules of sending, "Ferma invii", going live, prescription."""


@sending.command("show")
@_COMPANY
@as_of_option
@json_option
@command
def sending_show(company: str, as_of: datetime | None, as_json: bool) -> None:
    """The rules in force, and what is missing before messages may leave."""
    prepare()
    from saldo.flows.cut_over import state

    ctx = context(day_of(as_of), company=company)
    assert ctx.company_id is not None
    told = state(ctx, ctx.company_id)
    rules = told.rules.data()
    facts: dict[str, Any] = {
        "is_live": told.is_live, "is_stopped": told.is_stopped, "missing": list(told.missing),
        "playbooks": told.playbooks, "channels": list(told.channels), "booked_until": told.booked_until,
        "old_items": told.old_items, "without_level": told.without_level,
    }  # fmt: skip
    if as_json:
        print_json({**facts, "rules": rules})
        return
    for name, value in {**facts, **rules}.items():
        shown = ", ".join(map(str, value)) if isinstance(value, list) else value
        click.echo(f"{name:<24} {'-' if shown in (None, '') else shown}")


@sending.command("set")
@click.argument("settings", nargs=-1, required=True, metavar="NAME=VALUE…")
@_NOTE
@_COMPANY
@command
def sending_set(settings: tuple[str, ...], note: str, company: str) -> None:
    """Change rules from now on: daily_cap=50 quiet_from=19:00 blocks_whole_item=disputed,held …"""
    prepare()
    from saldo.outreach.settings import change_rules

    changes: dict[str, Any] = {}
    for each in settings:
        name, is_told, value = each.partition("=")
        if not is_told:
            raise click.BadParameter(f"{each!r} is not NAME=VALUE")
        signature = re.fullmatch(r"signature\.(it|en)", name)
        if signature:
            changes.setdefault("signature", {})[signature[1]] = value
        else:
            changes[name] = value
    ctx = context(company=company)
    assert ctx.company_id is not None
    if "signature" in changes:
        from saldo.outreach.settings import rules_of

        changes["signature"] = {**rules_of(ctx.company_id).signature, **changes["signature"]}
    change_rules(ctx, ctx.company_id, note, **changes)
    click.echo(f"{company}: {', '.join(changes)}")


def _switch(is_to_stop: bool, company: str | None, note: str) -> None:
    prepare()
    from saldo.outreach import settings

    ctx = context(company=company)
    changed = (settings.stop if is_to_stop else settings.resume)(ctx, ctx.company_id, note)
    word = "stopped" if is_to_stop else "resumed"
    click.echo(f"{company or 'all companies'}: {word if changed else 'was so already'}")


@sending.command("stop")
@company_option
@_NOTE
@command
def sending_stop(company: str | None, note: str) -> None:
    """ "Ferma invii": nothing leaves any more, of the company or of all."""
    _switch(True, company, note)


@sending.command("resume")
@company_option
@_NOTE
@command
def sending_resume(company: str | None, note: str) -> None:
    """Sending goes on. A stop of all companies and a company's own are ended each by itself."""
    _switch(False, company, note)


# --- going live -------------------------------------------------------------------------------------


def _starting(levels: str | None, is_all: bool = False) -> Any:
    from saldo.flows.cut_over import Starting

    if levels is None:
        return None
    parts = [part.strip() for part in levels.split(",") if part.strip()]
    if not all(re.fullmatch(r"\d{1,5}=\d", part) for part in parts):
        raise SaldoError("starting_bands_invalid", bands=levels)
    bands = {int(days): int(level) for days, level in (part.split("=") for part in parts)}
    return Starting(bands=bands, only_new=not is_all)


@sending.command("cut-over")
@click.argument("day", type=DAY)
@_LEVELS
@click.option("--accept-missing", is_flag=True, help="Go live although something is missing.")
@_NOTE
@_COMPANY
@as_of_option
@command
def sending_cut_over(
    day: datetime, levels: str | None, accept_missing: bool, note: str, company: str, as_of: datetime | None
) -> None:
    """Messages may leave from DAY on."""
    prepare()
    from saldo.flows.cut_over import go_live

    ctx = context(day_of(as_of), company=company)
    assert ctx.company_id is not None
    after = go_live(ctx, ctx.company_id, day.date(), _starting(levels), accept_missing, note)
    click.echo(f"{company}: live from {day.date()}")
    if after.missing:
        click.echo(f"missing: {', '.join(after.missing)}", err=True)
        sys.exit(NEEDS_A_PERSON)


@sending.command("levels")
@click.option("--levels", required=True, help="By days late: 0=1,30=2 (below the first band: 0).")
@click.option("--all", "is_all", is_flag=True, help="Of items whose level is known, too.")
@_COMPANY
@as_of_option
@command
def sending_levels(levels: str, is_all: bool, company: str, as_of: datetime | None) -> None:
    """Choose the starting levels of old items: overdue before the cut-over, or today."""
    prepare()
    from saldo.flows.cut_over import choose_levels

    ctx = context(day_of(as_of), company=company)
    assert ctx.company_id is not None
    click.echo(f"{choose_levels(ctx, ctx.company_id, _starting(levels, is_all))} items")


@sending.command("import-reminders")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_COMPANY
@as_of_option
@json_option
@command
def sending_import_reminders(file: Path, company: str, as_of: datetime | None, as_json: bool) -> None:
    """Take in past reminders from a CSV or XLSX file, so that nobody starts from the beginning."""
    prepare()
    from saldo.flows.cut_over import import_reminders

    ctx = context(day_of(as_of), company=company)
    assert ctx.company_id is not None
    result = import_reminders(ctx, ctx.company_id, file.name, file.read_bytes())
    if as_json:
        told = [one.as_json(language()) for one in result.rejections]
        print_json({**result.counts, "unchanged": result.unchanged, "rejections": told})
    else:
        click.echo(
            f"{result.done} items new, {result.unchanged} unchanged, {len(result.rejections)} rows refused"
        )
        for one in result.rejections:
            click.echo(f"  {one.where}: {one.why(language())} {one.remedy(language())}", err=True)
    if result.rejections:
        sys.exit(NEEDS_A_PERSON)


# --- prescription -----------------------------------------------------------------------------------


@sending.command("prescription")
@company_option
@click.option("--customer", help="Code of one customer (with --company).")
@click.option("--all", "is_all", is_flag=True, help="Every open item, not only those that expire soon.")
@as_of_option
@json_option
@command
def sending_prescription(
    company: str | None, customer: str | None, is_all: bool, as_of: datetime | None, as_json: bool
) -> None:
    """Open items whose claim expires soon or has expired, and what restarted the term last."""
    prepare()
    from saldo.flows.prescription import prescription

    if customer and not company:
        raise click.UsageError("--customer needs --company")
    ctx = context(day_of(as_of), company=company)
    accounts = [account_of(ctx, customer)] if customer else None
    rows = prescription(ctx, accounts, alerts_only=not is_all).iter_rows(named=True)
    told = [{**row, "balance": decimal_text(row["balance_mills"], row["currency"])} for row in rows]
    for row in told:
        del row["balance_mills"]
    if as_json:
        print_json({"items": told})
        return
    for row in told:
        proof = f"  {row['proof']} {row['ref']} of {row['interrupted_date']}" if row["proof"] else ""
        click.echo(
            f"{row['expires_date']}  {row['days_left']:>6}  {row['code']:<12} {row['number']:<16} "
            f"{row['balance']:>14} {row['currency']}{proof}"
        )


@sending.command("receipt")
@click.argument("message", type=int)
@click.option("--date", "day", type=DAY, required=True, help="Day of the delivery, as the card says.")
@click.option(
    "--file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="The scanned card."
)
@_NOTE
@as_of_option
@command
def sending_receipt(
    message: int, day: datetime, file: Path | None, note: str, as_of: datetime | None
) -> None:
    """The return card of a registered letter came back: it was delivered on that day."""
    prepare()
    from saldo.flows.prescription import record_return_receipt

    name, data = (file.name, file.read_bytes()) if file else ("", None)
    record_return_receipt(context(day_of(as_of)), message, day.date(), name, data, note)
    click.echo(f"message {message}: delivered on {day.date()}")
