"""saldo read, saldo mapping: looking into files without a database."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from saldo.core.errors import Rejection, SaldoError
from saldo.core.money import decimal_text
from saldo.formats.detect import TABULAR_KINDS, detect_kind, read_file
from saldo.formats.tabular import (
    dump_toml,
    load_profile,
    open_table,
    profile_names,
    suggest,
    to_receivables,
)
from saldo.interfaces.commands.app import NEEDS_A_PERSON, command, errors, json_option, language, print_json

DEFAULT_CURRENCY = "EUR"


# A million installments are about 150 MB; reading takes several times a file's size of memory.
MAX_FILE_BYTES = 512 << 20


def file_bytes(path: str) -> bytes:
    """Raises SaldoError("file_unreadable", "file_too_large"). A device or a pipe may have no end."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or str(error)
        raise SaldoError("file_unreadable", path=path, problem=problem) from error
    if len(data) > MAX_FILE_BYTES:
        raise SaldoError("file_too_large", limit=f"{MAX_FILE_BYTES >> 20} MB")
    return data


@click.command()
@click.argument("file")
@click.option("--mapping", "profile", help="Mapping profile (name or file) for a CSV or XLSX.")
@json_option
@command
def read(file: str, profile: str | None, as_json: bool) -> None:
    """Read FILE (e-invoice, p7m, archive, CSV or XLSX) to normalized records. Needs no database."""
    data = file_bytes(file)
    name = Path(file).name
    if detect_kind(data, name) in TABULAR_KINDS or profile:
        told = table_json(data, name, profile)
    else:
        told = read_file(data, name).as_json(language())
    if as_json:
        print_json(told)
    else:
        _show(told)
    sys.exit(NEEDS_A_PERSON if told["rejections"] else 0)


def table_json(data: bytes, name: str, profile: str | None) -> dict[str, Any]:
    """A table as the JSON of ``saldo read``: rows of one document are its installments."""
    mapping = load_profile(profile) if profile else suggest(open_table(data, name, None)).mapping
    raw = open_table(data, name, mapping)
    frame, rejections = to_receivables(raw, mapping, DEFAULT_CURRENCY)
    invoices: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in frame.iter_rows(named=True):
        key = (row["customer_code"], row["customer_vat"], row["kind"], row["number"], row["document_date"])
        currency = row["currency"] or DEFAULT_CURRENCY
        invoice = invoices.setdefault(key, _invoice(row, currency))
        expected = row["amount_mills"] - row["split_vat_mills"] - row["withholding_mills"]
        invoice["total_mills"] += row["amount_mills"]
        invoice["expected_mills"] += expected
        invoice["installments"].append(
            {
                "due_date": row["due_date"] and row["due_date"].isoformat(),
                "amount": decimal_text(row["amount_mills"], currency),
                "open": None if row["open_mills"] is None else decimal_text(row["open_mills"], currency),
                "settled_date": row["settled_date"] and row["settled_date"].isoformat(),
                "method": row["payment_method"],
                "row": row["row"],
            }
        )
    return {
        "format": detect_kind(data, name),
        "mapping": mapping.name if profile else "suggested",
        "invoices": [_finished(invoice) for invoice in invoices.values()],
        "statements": [],
        "rejections": [one.as_json(language()) for one in [*raw.rejections, *rejections]],
    }


def _invoice(row: dict[str, Any], currency: str) -> dict[str, Any]:
    return {
        "number": row["number"],
        "kind": row["kind"],
        "date": row["document_date"].isoformat(),
        "currency": currency,
        "total_mills": 0,
        "expected_mills": 0,
        "seller_vat": row["company_vat"],
        "buyer_vat": row["customer_vat"],
        "buyer_code": row["customer_code"],
        "buyer_name": row["customer_name"],
        "installments": [],
    }


def _finished(invoice: dict[str, Any]) -> dict[str, Any]:
    total, expected = invoice.pop("total_mills"), invoice.pop("expected_mills")
    currency = invoice["currency"]
    return invoice | {
        "total": decimal_text(total, currency),
        "expected_cash": decimal_text(expected, currency),
    }


def _show(told: dict[str, Any]) -> None:
    click.echo(f"{told['format']}: {len(told['invoices'])} documents")
    for invoice in told["invoices"][:50]:
        parts = "; ".join(
            f"{part['due_date'] or '?'} {part['amount']}" for part in invoice["installments"][:6]
        )
        click.echo(
            f"  {invoice['kind']:<12} {invoice['number']:<18} {invoice['date']}  {invoice['total']:>14} "
            f"{invoice['currency'] or ''}  {parts}"
        )
    if len(told["invoices"]) > 50:
        click.echo(f"  … and {len(told['invoices']) - 50} more (--json shows all)")
    show_rejections(told["rejections"])


def show_rejections(rejections: list[dict[str, Any]], most: int = 20) -> None:
    """Refusals on stderr, the first ones in full."""
    if rejections:
        errors.print(f"{len(rejections)} refused:", style="bold red")
    for one in rejections[:most]:
        text = f"  {one['where']}: {one['why']} {one['remedy']}\n      {one['excerpt']}"
        errors.print(text, markup=False, soft_wrap=True)
    if len(rejections) > most:
        errors.print(f"  … and {len(rejections) - most} more (--json shows all)")


def rejections_json(rejections: list[Rejection]) -> list[dict[str, Any]]:
    return [one.as_json(language()) for one in rejections]


@click.group()
def mapping() -> None:
    """Mapping profiles: how an export of an ERP is read."""


@mapping.command("suggest")
@click.argument("file")
@json_option
@command
def mapping_suggest(file: str, as_json: bool) -> None:
    """Propose a profile for FILE from its headers and values; redirect it to a .toml file and check it."""
    proposal = suggest(open_table(file_bytes(file), Path(file).name, None))
    notes = proposal.notes_it if language() == "it" else proposal.notes_en
    toml = dump_toml(proposal.mapping)
    if as_json:
        print_json({"mapping": toml, "confidence": dict(proposal.confidence), "notes": list(notes)})
        return
    click.echo(toml)
    for note in notes:
        errors.print(note, style="yellow", markup=False, soft_wrap=True)


@mapping.command("list")
@json_option
@command
def mapping_list(as_json: bool) -> None:
    """The profiles that Saldo ships."""
    profiles = [load_profile(name) for name in profile_names()]
    told = [
        {
            "name": p.name,
            "kind": p.kind,
            "description": p.description_it if language() == "it" else p.description_en,
        }
        for p in profiles
    ]
    if as_json:
        print_json({"profiles": told})
        return
    for one in told:
        click.echo(f"{one['name']:<18} {one['kind']:<12} {one['description']}")


@mapping.command("show")
@click.argument("name")
@command
def mapping_show(name: str) -> None:
    """A profile as TOML, to copy and change."""
    click.echo(dump_toml(load_profile(name)))
