"""saldo day, worklist, aging, kpi: the figures of any day, as known at any instant."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from saldo.interfaces.clock import LEGAL_ZONE
from saldo.interfaces.commands.app import (
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
    from saldo.flows.day import DayResult


# What became of the messages that playbooks planned.
OUTREACH = {
    "to_approve": "to approve",
    "automatic": "automatic",
    "approved": "approved",
    "refused": "refused",
    "blocked": "held back",
    "suggested": "for people (calls, tasks)",
}


class Instant(click.ParamType):
    """An ISO 8601 instant; without a zone it is meant in Italian time, and a bare day means its end."""

    name = "instant"

    def convert(
        self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            told = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not an instant such as 2026-03-31 or 2026-03-31T18:00:00", param, ctx)
        if len(value) == len("2026-03-31"):
            told = told.replace(hour=23, minute=59, second=59, microsecond=999_999)
        return told if told.tzinfo else told.replace(tzinfo=LEGAL_ZONE)


INSTANT = Instant()


@click.command()
@as_of_option
@company_option
@click.option("--refresh", is_flag=True, help="Take in what was recorded since the day was first run.")
@json_option
@command
def day(as_of: datetime | None, company: str | None, refresh: bool, as_json: bool) -> None:
    """Run the day: forecasts, worklist, figures. Run again, it gives the same day."""
    prepare()
    from saldo.flows.day import run_days

    ctx = context(day_of(as_of), company=company)
    results = run_days(ctx, refresh)
    if as_json:
        print_json({"as_of": ctx.as_of.isoformat(), "runs": [_run_json(result) for result in results]})
        return
    for result in results:
        state = "new" if result.is_new else "unchanged"
        click.echo(
            f"{result.company_code}: {ctx.as_of} version {result.version} ({state}), "
            f"{result.items} open items, {result.actions} accounts in the worklist"
        )
        if told := ", ".join(
            f"{count} {OUTREACH[state]}" for state, count in result.outreach.items() if count
        ):
            click.echo(f"  playbooks: {told}")
        if result.later_facts and not result.is_new:
            errors.print("  facts were recorded since; --refresh takes them in", style="yellow")


def _run_json(result: DayResult) -> dict[str, Any]:
    return asdict(result) | {"known_at": result.known_at.isoformat()}


@click.command()
@as_of_option
@company_option
@click.option("--limit", type=int, help="Only the first rows.")
@click.option("--collector", default="", help="Only the list of this user, with what is everybody's.")
@click.option("--planned", is_flag=True, help="Only what the day's minutes reach.")
@json_option
@command
def worklist(
    as_of: datetime | None, company: str | None, limit: int | None, collector: str, planned: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """The day's worklist with its reasons; a day that was not run yet is run first."""
    prepare()
    from saldo.flows.worklist import worklist_of_day

    ctx = context(day_of(as_of), company=company)
    rows = worklist_of_day(ctx, collector, planned)[:limit]
    if as_json:
        print_json({"as_of": ctx.as_of.isoformat(), "rows": [_row_json(row) for row in rows]})
        return
    if not rows:
        errors.print(f"no account to contact on {ctx.as_of}")
    wide = max((len(row["company"]) for row in rows), default=0) + 1
    for row in rows:
        click.echo(
            f"{row['rank']:>4} {row['company']:<{wide}}{row['account']:<14} {row['name'][:34]:<34} "
            f"{row['action']:<12} {row['overdue']:>16} {row['currency']}"
            f"{'  ' + row['collector'] if row['collector'] else ''}"
        )
        click.echo(f"       {row['reasons'][language()][0] if row['reasons'][language()] else ''}")


def _row_json(row: dict[str, Any]) -> dict[str, Any]:
    texts = row["reasons"]
    return row | {"reasons": texts[language()], "reasons_it": texts["it"], "reasons_en": texts["en"]}


@click.command()
@as_of_option
@company_option
@click.option("--known-at", type=INSTANT, help="Only what was recorded up to this instant (ISO 8601).")
@click.option("--by", type=click.Choice(["total", "account"]), default="total", show_default=True)
@click.option("--currency", help="Only this currency.")
@json_option
@command
def aging(
    as_of: datetime | None,
    company: str | None,
    known_at: datetime | None,
    by: str,
    currency: str | None,
    as_json: bool,
) -> None:
    """Open, credits, net, overdue and aging as of any day, as known at any instant."""
    prepare()
    from saldo.flows.figures import aging_of_day

    ctx = context(day_of(as_of), known_at, company)
    told = aging_of_day(ctx, by_account=by == "account", currency=currency)
    if as_json:
        print_json(told)
        return
    for total in told["currencies"]:
        click.echo(f"{told['as_of']} {total['currency']}")
        for name in ("open", "overdue", "credits", "unapplied", "net"):
            click.echo(f"  {name:<10} {total[name]:>18}")
        for name, amount in total["buckets"].items():
            click.echo(f"  {name:<10} {amount:>18}")
    for account in told.get("accounts", []):
        click.echo(
            f"{account['account']:<14} {account['name'][:40]:<40} {account['open']:>16} "
            f"{account['overdue']:>16}"
        )


@click.command()
@as_of_option
@company_option
@click.option("--known-at", type=INSTANT, help="Only what was recorded up to this instant (ISO 8601).")
@json_option
@command
def kpi(as_of: datetime | None, company: str | None, known_at: datetime | None, as_json: bool) -> None:
    """DSO, overdue share and the other indicators, each with its definition."""
    prepare()
    from saldo.flows.figures import kpis_of_day

    told = kpis_of_day(context(day_of(as_of), known_at, company))
    if as_json:
        print_json(told)
        return
    for board in told["currencies"]:
        click.echo(f"{told['as_of']} {board['company']} {board['currency']}")
        for one in board["indicators"]:
            click.echo(f"  {one['name']:<24} {_value(one):>12}  {one['definition']}")


def _value(indicator: dict[str, Any]) -> str:
    """An indicator for a person: a share as a percentage, days with a decimal. ``--json`` has every digit."""
    value = indicator["value"]
    if value is None:
        return f"– ({indicator['reason']})"
    if indicator["unit"] == "share":
        return f"{value:.1%}"
    return f"{value:.1f}" if isinstance(value, float) else str(value)
