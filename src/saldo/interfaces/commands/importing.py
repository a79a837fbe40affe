"""saldo import: files into the ledger."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from saldo.core.errors import Rejection, SaldoError
from saldo.interfaces.commands.app import (
    DAY,
    FAILED,
    NEEDS_A_PERSON,
    bar,
    command,
    context,
    day_of,
    errors,
    json_option,
    language,
    prepare,
    print_json,
)
from saldo.interfaces.commands.reading import file_bytes, show_rejections

KINDS = (
    "auto", "receivables", "invoices", "customers", "bank", "remittances", "balance_sheets", "ratings",
)  # fmt: skip


@click.command("import")
@click.argument("files", nargs=-1, required=True)
@click.option("--kind", type=click.Choice(KINDS), default="auto", show_default=True)
@click.option("--mapping", help="Mapping profile (name or file) for CSV and XLSX.")
@click.option("--company", help="Code of the company the files belong to.")
@click.option("--as-at", type=DAY, help="The day the export shows (default: today).")
@click.option("--dry-run", is_flag=True, help="Show exactly what would happen; write nothing.")
@click.option(
    "--accept-closures", is_flag=True, help="Close what vanished from a complete list, however much."
)
@json_option
@command
def import_command(
    files: tuple[str, ...],
    kind: str,
    mapping: str | None,
    company: str | None,
    as_at: datetime | None,
    dry_run: bool,
    accept_closures: bool,
    as_json: bool,
) -> None:
    """Import FILES. A bad row never stops a file: it is refused with its reason, and kept."""
    prepare()
    from saldo.flows.import_documents import import_file

    ctx = context()
    told = []
    for path in files:
        with bar(Path(path).name, quiet=as_json) as progress:
            try:
                result = import_file(
                    ctx, Path(path).name, file_bytes(path), kind, mapping, company, day_of(as_at), dry_run,
                    accept_closures, progress,
                )  # fmt: skip
                one = _told(path, result)
            except SaldoError as error:
                # A file that cannot be read does not stop the others; with one file it is the whole answer.
                if len(files) == 1 and error.code in ("mapping_needed", "company_unknown"):
                    raise
                one = _failed(path, error)
        told.append(one)
        if not as_json:
            _show(one, dry_run)
    summary = _summary(told, dry_run)
    if as_json:
        print_json(summary)
    sys.exit(_exit_code(told, summary))


def _exit_code(told: list[dict[str, Any]], summary: dict[str, Any]) -> int:
    """FAILED where no file could be read; NEEDS_A_PERSON where something was refused or asks."""
    if all(one["status"] == "failed" for one in told):
        return FAILED
    return NEEDS_A_PERSON if summary["rejections"] or summary["status"] != "done" else 0


def _told(path: str, result: Any) -> dict[str, Any]:
    return {
        "file": path,
        "status": result.status,
        "message": result.message,
        "batch": result.batch_id,
        "done": result.done,
        "unchanged": result.unchanged,
        "closed": result.closed,
        "counts": result.counts,
        "rejections": [one.as_json(language()) for one in result.rejections],
        "notices": [one.as_json(language()) for one in result.notices],
    }


def _failed(path: str, error: SaldoError) -> dict[str, Any]:
    refused = Rejection(error.code, Path(path).name, Path(path).name, error.params).as_json(language())
    counts: dict[str, Any] = {"done": 0, "unchanged": 0, "closed": 0, "counts": {}, "notices": []}
    return {"file": path, "status": "failed", "message": "", "batch": None, "rejections": [refused], **counts}


def _summary(told: list[dict[str, Any]], dry_run: bool) -> dict[str, Any]:
    """The totals of all files, and each file by itself."""
    worst = next((one["status"] for one in told if one["status"] != "done"), "done")
    return {
        "done": sum(one["done"] for one in told),
        "unchanged": sum(one["unchanged"] for one in told),
        "closed": sum(one["closed"] for one in told),
        "ignored": sum(one["counts"].get("ignored", 0) for one in told),
        "rejections": [
            refused | ({"file": one["file"]} if len(told) > 1 else {})
            for one in told
            for refused in one["rejections"]
        ],
        "status": worst,
        "dry_run": dry_run,
        "files": [{key: value for key, value in one.items() if key != "rejections"} for one in told],
    }


def _show(one: dict[str, Any], dry_run: bool) -> None:
    would = "would be " if dry_run else ""
    click.echo(
        f"{Path(one['file']).name}: {one['done']} rows {would}recorded, {one['unchanged']} unchanged, "
        f"{one['closed']} items {would}closed, {len(one['rejections'])} refused"
        + (f", {ignored} left out (blank, totals, zero)" if (ignored := one["counts"].get("ignored")) else "")
    )
    if one["message"]:
        errors.print(one["message"], style="yellow", markup=False, soft_wrap=True)
    show_rejections(one["rejections"])
