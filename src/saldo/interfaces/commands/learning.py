"""saldo train, models, forecast: models learnt from a company's own book, and the cash they expect."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from saldo.core.errors import SaldoError
from saldo.core.reasons import render
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
from saldo.interfaces.commands.backtesting import PAYMENT_MEASURES, clean, table
from saldo.interfaces.commands.figures import INSTANT

if TYPE_CHECKING:
    from saldo.flows.train_models import Trained
    from saldo.identity.model_versions import ModelRow
    from saldo.identity.queries import CompanyRow

ENGINES = ("payment_date", "default_risk", "early_warning")


@click.command()
@as_of_option
@company_option
@json_option
@command
def train(as_of: datetime | None, company: str | None, as_json: bool) -> None:
    """Learn the models of each company anew; the best one by its backtest is promoted, and it says why."""
    prepare()
    from saldo.flows.train_models import train as learn
    from saldo.identity.queries import companies

    ctx = context(day_of(as_of), company=company)
    told = []
    for each in companies(ctx):
        with errors.status(each.code):
            told += [_trained_json(each, one) for one in learn(ctx, each.id)]
    if as_json:
        print_json({"as_of": ctx.as_of.isoformat(), "models": told})
        return
    for one in told:
        state = "in use from now on" if one["promoted"] else "kept; what was in use stays"
        made = f"{one['version']} ({one['rung']}), {state}" if one["version"] else "no model"
        click.echo(f"{one['company']} {one['engine']}: {made}")
        rungs = one["metrics"].get("rungs")
        if rungs and one["engine"] == ENGINES[0]:
            click.echo(table(rungs, PAYMENT_MEASURES, one["rung"]))
        click.echo(f"* {one['reason']}")


def _trained_json(company: CompanyRow, one: Trained) -> dict[str, Any]:
    return {
        "company": company.code,
        "engine": one.engine,
        "version": one.model and one.model.version,
        "rung": one.model and one.model.rung,
        "promoted": one.promoted,
        "reason": render(one.reason["code"], one.reason["params"], language()),
        "metrics": clean(one.metrics),
    }


@click.group()
def models() -> None:
    """The models that forecasts come from: which there are, which is in use."""


def _engine_option(function: Any) -> Any:
    choice = click.Choice(ENGINES)
    return click.option("--engine", type=choice, default=ENGINES[0], show_default=True, help="Which model.")(
        function
    )


@models.command("list")
@company_option
@json_option
@command
def models_list(company: str | None, as_json: bool) -> None:
    """Every version, newest first, and which of them is in use."""
    prepare()
    from saldo.identity.model_versions import model_in_use, models_of
    from saldo.identity.queries import companies

    rows = []
    for each in companies(context(company=company)):
        found = models_of(each.id)
        in_use = {engine: model_in_use(each.id, engine) for engine in {row.engine for row in found}}
        for one in found:
            now = in_use[one.engine]
            rows.append(_model_json(each, one) | {"in_use": now is not None and now.id == one.id})
    if as_json:
        print_json({"models": rows})
        return
    if not rows:
        errors.print("no model was trained yet: saldo train")
    for row in rows:
        mark = "*" if row["in_use"] else " "
        click.echo(
            f"{mark} {row['company']:<10} {row['engine']:<13} {row['version']:<22} {row['rung']:<16} "
            f"{row['trained_as_of'] or '':<10} {row['reason']}"
        )


def _model_json(company: CompanyRow, row: ModelRow) -> dict[str, Any]:
    told: dict[str, Any] = {"company": company.code, **asdict(row)}
    days = ("trained_as_of", "known_at", "recorded_at", "promoted_at")
    texts = {name: told[name] and told[name].isoformat() for name in days}
    return {name: clean(value) for name, value in (told | texts).items()}


@models.command("promote")
@click.argument("version")
@click.option("--reason", required=True, help="Why; it stays in the log.")
@_engine_option
@company_option
@command
def models_promote(version: str, reason: str, engine: str, company: str | None) -> None:
    """Put VERSION (its name or number in saldo models list) in use from now on."""
    prepare()
    from saldo.identity.model_versions import models_of
    from saldo.identity.registry import promote

    each = _one_company(company)
    found = [row for row in models_of(each.id, engine, limit=10_000) if version in (row.version, str(row.id))]
    if not found:
        raise SaldoError("model_unknown", model=version)
    is_new = promote(context(), each.id, engine, found[0].id, reason)
    click.echo(
        f"{each.code} {engine}: {found[0].version} " + ("is in use now" if is_new else "was in use already")
    )


@models.command("rollback")
@click.option("--reason", required=True, help="Why; it stays in the log.")
@_engine_option
@company_option
@command
def models_rollback(reason: str, engine: str, company: str | None) -> None:
    """Go back to the version that was in use before this one."""
    prepare()
    from saldo.identity.model_versions import model_in_use, models_of
    from saldo.identity.registry import promote

    each = _one_company(company)
    now = model_in_use(each.id, engine)
    promoted = [row for row in models_of(each.id, engine, limit=10_000) if row.promoted_at]
    before = [row for row in promoted if now and row.id != now.id]
    if not before:
        raise SaldoError("model_no_earlier", engine=engine, company=each.code)
    last = max(before, key=lambda row: (row.promoted_at, row.id))
    promote(context(), each.id, engine, last.id, reason)
    click.echo(f"{each.code} {engine}: {last.version} ({last.rung}) is in use now")


def _one_company(code: str | None) -> CompanyRow:
    """The company named, or the only one there is."""
    from saldo.identity.queries import companies, company_by_code

    if code:
        return company_by_code(code)
    found = companies(context())
    if len(found) != 1:
        raise SaldoError("company_needed", known=", ".join(each.code for each in found))
    return found[0]


@click.command()
@as_of_option
@company_option
@click.option("--known-at", type=INSTANT, help="Only what was recorded up to this instant (ISO 8601).")
@json_option
@command
def forecast(as_of: datetime | None, company: str | None, known_at: datetime | None, as_json: bool) -> None:
    """The cash expected in each of the coming weeks, with its band, and the items it comes from."""
    prepare()
    from saldo.flows.forecast_cash import forecast_of_day

    told = forecast_of_day(context(day_of(as_of), known_at, company))
    if as_json:
        print_json(told)
        return
    if not told["items"]:
        errors.print(f"nothing is open on {told['as_of']}")
    _show_weeks(told["weeks"])
    _show_items(told["items"])


def _show_weeks(rows: list[dict[str, Any]]) -> None:
    heading = None
    for row in rows:
        if (row["company"], row["currency"]) != heading:
            heading = (row["company"], row["currency"])
            click.echo(f"{row['company']} {row['currency']}")
            click.echo(f"  {'week':<25}{'P10':>18}{'P50':>18}{'P90':>18}{'expected':>18}{'in all':>18}")
        amounts = (row["p10"], row["p50"], row["p90"], row["expected"], row["cumulative"])
        cells = "".join(f"{Decimal(amount):>18,.2f}" for amount in amounts)
        click.echo(f"  {row['week_start']} – {row['week_end']}  {cells}")


def _show_items(rows: list[dict[str, Any]]) -> None:
    if rows:
        click.echo(
            f"{'open items':<27}{'open':>18}{'7 days':>18}{'30 days':>18}{'90 days':>18}{'over 90':>18}"
        )
    for row in rows:
        name = f"{row['company']} {row['currency']} {row['items']} ({row['rung']})"
        cells = (row["open"], row["paid_7"], row["paid_30"], row["paid_90"], row["over_90"])
        click.echo(f"{name:<27}" + "".join(f"{Decimal(amount):>18,.2f}" for amount in cells))
