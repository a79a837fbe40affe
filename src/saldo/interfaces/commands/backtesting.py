"""saldo backtest: the models of the product on any file, by a protocol that cannot leak. No database."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from saldo.analytics.boosters import library
from saldo.core.errors import SaldoError
from saldo.core.reasons import render
from saldo.interfaces import clock
from saldo.interfaces.commands.app import (
    DAY,
    NEEDS_A_PERSON,
    bar,
    command,
    day_of,
    errors,
    json_option,
    language,
    print_json,
)
from saldo.interfaces.commands.reading import SUGGESTED, file_bytes, rejections_json, show_rejections

DASH = "–"
MOST_COLUMNS = 5
# Measures of a rung in the order of the table: key of the JSON, heading, decimals.
Measures = tuple[tuple[str, str, int], ...]
PAYMENT_MEASURES: Measures = (
    ("mae_days", "MAE days", 2), ("within_7_days", "±7 days", 3), ("c_index", "C", 3),
    ("auc_late", "AUC late", 3), ("brier_late", "Brier", 3), ("ece_late", "ECE", 3),
    ("coverage_80", "80% cover", 3), ("crps_days", "CRPS", 2), ("wape_4w", "WAPE 4w", 3),
    ("error_4w_total", "total 4w", 3),
)  # fmt: skip
RISK_MEASURES: Measures = (("auc", "AUC", 4), ("ks", "KS", 3), ("brier", "Brier", 4), ("ece", "ECE", 4))


@click.group()
def backtest() -> None:
    """Run the product's own models on a file and say how good they are. Needs no database."""


def _data_option(function: Callable[..., Any]) -> Callable[..., Any]:
    words = "The file: CSV, XLSX, ARFF or Parquet, also as .gz."
    return click.option("--data", "file", required=True, help=words)(function)


@backtest.command("payment-date")
@_data_option
@click.option(
    "--mapping", "profile", help="Mapping profile (name or file); without it the one that fits best."
)
@click.option("--from", "first", type=DAY, help="First invoice date that is tested.")
@click.option("--to", "last", type=DAY, help="Last invoice date that is tested.")
@json_option
@command
def payment_date(
    file: str, profile: str | None, first: datetime | None, last: datetime | None, as_json: bool
) -> None:
    """Payment dates: each invoice of a history is forecast as it would have been, by every model."""
    from saldo.analytics.history import book_of
    from saldo.formats.data_files import read_history
    from saldo.formats.tabular import load_profile

    data = file_bytes(file)
    history = read_history(data, Path(file).name, load_profile(profile) if profile else None)
    if "settled_date" not in history.mapping.columns:
        if history.is_suggested:
            raise SaldoError("mapping_not_proposed", file=Path(file).name, missing="settled_date")
        raise SaldoError("backtest_without_payments", profile=history.mapping.name)
    found = book_of(history.frame, history.extra, today=clock.today())
    notes = [] if profile else list(history.notes_it if language() == "it" else history.notes_en)
    notes += [_column_missing(header) for header in history.missing]
    rejections = [*history.rejections, *found.rejections]
    if not found.counts["paid"]:
        raise SaldoError("backtest_nothing_paid", rows=found.counts["items"], refused=len(rejections))
    with errors.status("…"):
        from saldo.analytics.payment_date.backtest import backtest as run

        report = run(found.book, day_of(first), day_of(last)).as_json()
    told = {
        "file": Path(file).name,
        "mapping": history.mapping.name if profile else SUGGESTED,
        **clean(report),
        "rows": found.counts | {"ignored": history.ignored, "refused": len(rejections)},
        "further_columns": list(history.extra),
        "notes": notes,
        "rejections": rejections_json(rejections),
    }
    if as_json:
        print_json(told)
    else:
        _show_payment_dates(told)
    sys.exit(NEEDS_A_PERSON if rejections else 0)


def _column_missing(header: str) -> str:
    if language() == "it":
        return f"Il file non ha la colonna «{header}» indicata in [extra]: lasciata fuori."
    return f'The file lacks the column "{header}" that [extra] names: left out.'


def _show_payment_dates(told: dict[str, Any]) -> None:
    rows = told["rows"]
    counted = f"{rows['items']} invoices of {rows['accounts']} accounts, {rows['open']} not paid yet"
    click.echo(f"{told['file']}: {counted}")
    if told.get("from"):
        click.echo(
            f"tested: invoices of {told['from']} to {told['to']}, models fitted again {told['folds']} times"
        )
    click.echo(table(told["rungs"], PAYMENT_MEASURES, told["promoted"]))
    _show_why(told)
    for rung in told["rungs"]:
        if rung.get("left_out"):
            errors.print(_not_fitted(rung), style="yellow", markup=False, soft_wrap=True)
    _show_notes(told)


def _not_fitted(rung: dict[str, Any]) -> str:
    """Why a model is not judged: the machine lacks what it needs, or there is too little to learn from."""
    try:
        if rung["left_out"] == "lightgbm_not_loaded":
            library()
    except SaldoError as error:
        return f"{rung['name']}: {error.text(language())}"
    if language() == "it":
        return f"{rung['name']}: troppo poche fatture pagate per impararlo."
    return f"{rung['name']}: too few paid invoices to learn it from."


@backtest.command("default-risk")
@_data_option
@click.option("--target", required=True, help="The column that says who defaulted.")
@click.option("--event", help="The value of it that means a default (guessed: 1, yes, true, the rarer one).")
@click.option("--group", help="A column whose equals are never parted, such as the company's id.")
@click.option("--time", "when", help="A column of dates or years: models then learn from the past only.")
@json_option
@command
def default_risk(
    file: str, target: str, event: str | None, group: str | None, when: str | None, as_json: bool
) -> None:
    """Default risk: each row is scored by models that have not seen it, by every model."""
    from saldo.formats.data_files import read_data

    found = read_data(file_bytes(file), Path(file).name)
    named = [_column(found.frame.columns, name) for name in (target, group, when)]
    with bar("backtest", quiet=as_json) as progress:
        from saldo.analytics.default_risk.backtest import backtest_default_risk

        report = backtest_default_risk(
            found.frame, named[0] or target, event=event, group=named[1], time=named[2], progress=progress
        ).as_json()
    told = {
        "file": Path(file).name,
        "format": found.format,
        **clean(report),
        "explained": report["explained"]["name"],
        "challenger": report["challenger"]["name"],
        "rejections": rejections_json(found.rejections),
    }
    if as_json:
        print_json(told)
    else:
        _show_default_risk(told)
    sys.exit(NEEDS_A_PERSON if found.rejections else 0)


def _column(columns: Sequence[str], name: str | None) -> str | None:
    """The column of that name; case and spaces around do not matter where nothing else has it."""
    if name is None or name in columns:
        return name
    alike = [column for column in columns if column.strip().casefold() == name.strip().casefold()]
    if len(alike) != 1:
        raise SaldoError("data_column_unknown", column=name, columns=", ".join(columns[:100]))
    return alike[0]


def _show_default_risk(told: dict[str, Any]) -> None:
    counted = f"{told['judged']} rows judged, {told['defaults']} with {told['target']} = {told['event']}"
    click.echo(f"{told['file']}: {counted}; {told['folds']} folds, {told['split']}")
    click.echo(table(told["rungs"], RISK_MEASURES, told["explained"], told["challenger"]))
    if told["left_out"]:
        errors.print(
            "not used: " + ", ".join(f"{name} ({why})" for name, why in told["left_out"].items()),
            markup=False,
            soft_wrap=True,
        )
    _show_notes(told)


def table(rungs: Sequence[dict[str, Any]], measures: Measures, *chosen: str) -> str:
    """The rungs with their measures and standard errors, aligned; ``chosen`` ones are marked.

    Measures that no rung has are left out; more than five at a time do not fit a terminal.
    """
    used = [one for one in measures if any(rung.get(one[0]) is not None for rung in rungs)]
    blocks = [used[start : start + MOST_COLUMNS] for start in range(0, len(used), MOST_COLUMNS)]
    return "\n\n".join(_block(rungs, block, chosen) for block in blocks)


def _block(
    rungs: Sequence[dict[str, Any]], used: Sequence[tuple[str, str, int]], chosen: Sequence[str]
) -> str:
    rows = [["", *(heading for _, heading, _ in used)]]
    for rung in rungs:
        mark = "* " if rung["name"] in chosen else "  "
        rows.append([mark + rung["name"], *(_cell(rung, key, decimals) for key, _, decimals in used)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        [row[0].ljust(widths[0]), *(cell.rjust(wide) for cell, wide in zip(row[1:], widths[1:], strict=True))]
        for row in rows
    )
    return "\n".join("  ".join(cells).rstrip() for cells in lines)


def _cell(rung: dict[str, Any], key: str, decimals: int) -> str:
    value, error = rung.get(key), rung.get(f"{key}_se")
    if value is None:
        return DASH
    return f"{value:.{decimals}f}" + (f" ±{error:.{decimals}f}" if error is not None else "")


def _show_why(told: dict[str, Any]) -> None:
    why = told.get("why")
    if why:
        text = render(why["code"], why["params"], language()) if "code" in why else why[language()]
        click.echo(f"* {text}")


def _show_notes(told: dict[str, Any]) -> None:
    for leak in told.get("leaks") or ():
        name = leak["feature"] if isinstance(leak, dict) else leak
        errors.print(_leak(name), style="yellow", markup=False, soft_wrap=True)
    for note in told.get("notes") or ():
        errors.print(note, style="yellow", markup=False, soft_wrap=True)
    show_rejections(told["rejections"])


def _leak(name: str) -> str:
    if language() == "it":
        return f"{name} conosce già l'esito: non è stata usata."
    return f"{name} knows the outcome already: it was not used."


def clean(value: Any) -> Any:
    """``value`` for JSON: what is no number is null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: clean(inner) for key, inner in value.items()}
    return [clean(inner) for inner in value] if isinstance(value, (list, tuple)) else value
