"""saldo read, saldo mapping: looking into files without a database."""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from saldo.core.errors import Rejection, SaldoError, clipped
from saldo.core.money import decimal_text
from saldo.formats.correspondence import is_advice, read_as_remittance
from saldo.formats.detect import TABULAR_KINDS, detect_kind, read_file
from saldo.formats.tabular import (
    RECORD_KINDS,
    Mapping,
    dump_toml,
    load_profile,
    open_table,
    profile_names,
    read_records,
    suggest,
    to_customers,
    to_receivables,
)
from saldo.interfaces.commands.app import NEEDS_A_PERSON, command, errors, json_option, language, print_json

DEFAULT_CURRENCY = "EUR"
# What ``mapping`` says of a table that was read without a profile of the user's.
SUGGESTED = "suggested"

# A million installments are about 150 MB; reading takes several times a file's size of memory.
MAX_FILE_BYTES = 512 << 20
# How many lines of a kind the terminal shows.
MOST_LINES = 50
# How many parts of one record, such as the lines of an advice.
MOST_PARTS = 10
# How long a text in it.
MOST_TEXT = 160


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
@click.option(
    "--as",
    "meaning",
    type=click.Choice(("auto", "receivables", "remittance")),
    default="auto",
    show_default=True,
    help="What a CSV or XLSX is.",
)
@json_option
@command
def read(file: str, profile: str | None, meaning: str, as_json: bool) -> None:
    """Read FILE (e-invoice, bank statement, archive, CSV, XLSX) to normalized records. Needs no database."""
    data = file_bytes(file)
    name = Path(file).name
    kind = detect_kind(data, name)
    if _is_remittance(data, name, kind, profile, meaning):
        told = read_as_remittance(data, name, kind).as_json(language())
    elif kind in TABULAR_KINDS or profile:
        told = table_json(data, name, profile)
    else:
        told = read_file(data, name).as_json(language())
    if as_json:
        print_json(told)
    else:
        _show(told)
    is_held = any(statement["is_quarantined"] for statement in told["statements"])
    sys.exit(NEEDS_A_PERSON if told["rejections"] or is_held else 0)


def _is_remittance(data: bytes, name: str, kind: str, profile: str | None, meaning: str) -> bool:
    """Whether a table is to be read as a remittance advice: asked for, or said by its own words."""
    if kind not in TABULAR_KINDS:
        return False
    return meaning == "remittance" or (meaning == "auto" and not profile and is_advice(data, name, kind))


def table_json(data: bytes, name: str, profile: str | None) -> dict[str, Any]:
    """A table as the JSON of ``saldo read``: rows of one document are its installments."""
    mapping = load_profile(profile) if profile else suggest(open_table(data, name, None)).mapping
    if mapping.kind in RECORD_KINDS:
        return _records_json(data, name, mapping, is_named=bool(profile))
    if mapping.kind == "customers":
        return _customers_json(data, name, mapping, is_named=bool(profile))
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
        "mapping": mapping.name if profile else SUGGESTED,
        "invoices": [_finished(invoice) for invoice in invoices.values()],
        "statements": [],
        "rejections": [one.as_json(language()) for one in [*raw.rejections, *rejections]],
    }


def _customers_json(data: bytes, name: str, mapping: Mapping, is_named: bool) -> dict[str, Any]:
    """A list of customers and contacts as the JSON of ``saldo read``: one record a row."""
    raw = open_table(data, name, mapping)
    frame, rejections = to_customers(raw, mapping)
    return {
        "format": detect_kind(data, name),
        "mapping": mapping.name if is_named else SUGGESTED,
        "invoices": [],
        "statements": [],
        "records": [{"kind": "customer", **row} for row in frame.drop("excerpt").iter_rows(named=True)],
        "rejections": rejections_json([*raw.rejections, *rejections]),
    }


def _records_json(data: bytes, name: str, mapping: Mapping, is_named: bool) -> dict[str, Any]:
    """A table of bank movements, orders, ratings or balance sheets as the JSON of ``saldo read``."""
    result = read_records(data, name, mapping, detect_kind(data, name)).as_json(language())
    return result | {"mapping": mapping.name if is_named else SUGGESTED}


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
    click.echo(f"{told['format']}: {_counts(told)}")
    if told.get("mapping") == SUGGESTED:
        errors.print(
            "  No --mapping: read by a guess from its headers and values. See: saldo mapping suggest FILE",
            style="yellow",
            markup=False,
            soft_wrap=True,
        )
    _show_invoices(told["invoices"])
    for statement in told["statements"]:
        _show_statement(statement)
    _show_records(told.get("records", []))
    _show_notices(told.get("notices", []), "  ")
    show_rejections(told["rejections"])


def _counts(told: dict[str, Any]) -> str:
    """ "3 documents", "1 statements, 2 records": the kinds of things there are, or no documents."""
    found = {
        "documents": told["invoices"],
        "statements": told["statements"],
        "records": told.get("records", []),
    }
    return ", ".join(f"{len(things)} {name}" for name, things in found.items() if things) or "0 documents"


def _show_invoices(invoices: list[dict[str, Any]]) -> None:
    for invoice in invoices[:MOST_LINES]:
        parts = "; ".join(
            f"{part['due_date'] or '?'} {part['amount']}" for part in invoice["installments"][:6]
        )
        click.echo(
            f"  {invoice['kind']:<12} {invoice['number']:<18} {invoice['date']}  {invoice['total']:>14} "
            f"{invoice['currency'] or ''}  {parts}"
        )
        _show_notices(invoice.get("notices", []), "    ")
    _show_more(len(invoices))


def _show_statement(statement: dict[str, Any]) -> None:
    """Account and period, opening balance, lines, closing balance, and whether they add up."""
    account = clipped(statement["account"]) or "account unknown"
    period = f"{statement['from_date'] or '?'} to {statement['to_date'] or '?'}"
    number = "/".join(clipped(part) for part in (statement["number"], statement["sequence"]) if part)
    click.echo(
        f"  {statement['kind']}  {account}  {statement['currency'] or ''}  {period}  {number}".rstrip()
    )
    _show_balance("opening", statement)
    for line in statement["transactions"][:MOST_LINES]:
        text = " · ".join(
            clipped(part) for part in (line["counterparty_name"], line["remittance_text"]) if part
        )
        status = "" if line["status"] == "BOOK" else f"  {clipped(line['status'])}"
        click.echo(
            f"    {line['booking_date'] or '?':<10}  {line['amount']:>16}  {clipped(line['code'] or '-'):<15}"
            f"{status}  {clipped(text, 100)}".rstrip()
        )
    _show_more(len(statement["transactions"]))
    _show_balance("closing", statement)
    click.echo(f"    {_proof(statement)}")
    _show_notices(statement["notices"], "    ")


def _show_balance(name: str, statement: dict[str, Any]) -> None:
    amount = statement[f"{name}_balance"]
    if amount is not None:
        click.echo(f"    {statement[f'{name}_date'] or '?':<10}  {amount:>16}  {name} balance")


def _proof(statement: dict[str, Any]) -> str:
    if statement["difference"] is None:
        said = "cannot be proven by its balances"
    elif statement["opening_balance"] is not None and Decimal(statement["difference"]) == 0:
        said = "adds up"
    else:
        said = f"does not add up: difference {statement['difference']}"
    return f"{said}; quarantined" if statement["is_quarantined"] else said


def _show_records(records: list[dict[str, Any]]) -> None:
    """Records of any kind: what they are and state, and below it the first of what is listed in them."""
    for record in records[:MOST_LINES]:
        told = {name: value for name, value in record.items() if name not in ("kind", "notices")}
        click.echo(f"  {clipped(str(record.get('kind', '')))}  {_fields(told)}")
        for name, value in told.items():
            parts = [_part(one) for one in (value if isinstance(value, list) else [value])]
            for part in [one for one in parts if one][:MOST_PARTS]:
                click.echo(f"    {name}: {part}")
            if len(parts) > MOST_PARTS:
                click.echo(f"    … and {len(parts) - MOST_PARTS} more (--json shows all)")
        _show_notices(record.get("notices", []), "    ")
    _show_more(len(records))


def _fields(told: dict[str, Any]) -> str:
    """ "name: value; …" of what is no list and not empty; a list of plain texts counts as one value."""
    return "; ".join(
        f"{name}: {text}"
        for name, value in told.items()
        if (text := clipped(_plain(value), MOST_TEXT)) and not isinstance(value, dict)
    )


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "" if any(isinstance(one, dict) for one in value) else ", ".join(map(str, value))
    return "" if value is None else str(value)


def _part(value: Any) -> str:
    """One line for a thing within a record: its fields; nothing for what is no object."""
    return clipped(_fields(value), 3 * MOST_TEXT) if isinstance(value, dict) else ""


def _show_notices(notices: list[dict[str, Any]], indent: str) -> None:
    for notice in notices:
        errors.print(f"{indent}{notice['why']} {notice['remedy']}", markup=False, soft_wrap=True)


def _show_more(count: int) -> None:
    if count > MOST_LINES:
        click.echo(f"  … and {count - MOST_LINES} more (--json shows all)")


def show_rejections(rejections: list[dict[str, Any]], most: int = 20) -> None:
    """Refusals on stderr, the first ones in full."""
    if rejections:
        errors.print(f"{len(rejections)} refused:", style="bold red")
    for one in rejections[:most]:
        place = f"{one['where']}: " if one["where"] else ""
        excerpt = f"\n      {one['excerpt']}" if one["excerpt"] else ""
        text = f"  {place}{one['why']} {one['remedy']}{excerpt}"
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
