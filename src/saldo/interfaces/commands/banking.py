"""saldo bank: our accounts at banks, and what the banks sent of them."""

from __future__ import annotations

from typing import Any

import click

from saldo.core.errors import SaldoError
from saldo.core.money import decimal_text
from saldo.interfaces.commands.app import command, company_option, context, json_option, prepare, print_json


@click.group()
def bank() -> None:
    """Our bank accounts and their statements."""


@bank.command("add")
@click.argument("iban", required=False, default="")
@click.option("--company", required=True, help="Code of the company whose account it is.")
@click.option("--name", default="", help="How people call it: the bank, a branch, a purpose.")
@click.option("--bic", default="")
@click.option("--currency", default="", help="The account's currency (default: EUR).")
@click.option("--number", default="", help="The account's own number, where there is no IBAN.")
@click.option("--abi", default="", help="The bank's code, where there is no IBAN.")
@click.option("--cab", default="", help="The branch's code, where there is no IBAN.")
@click.option("--sia", default="", help="Our code at the bank, for RiBa.")
@click.option("--creditor-id", default="", help="Our creditor identifier, for direct debits.")
@command
def bank_add(iban: str, company: str, **details: str) -> None:
    """Add an account by its IBAN. An IBAN that is there already gets the details given."""
    prepare()
    from saldo.cash.statements import add_bank_account

    ctx = context(company=company)
    assert ctx.company_id is not None
    row = add_bank_account(ctx, ctx.company_id, iban=iban, **details)
    click.echo(f"{row.id}  {row.iban or row.number}  {row.name} ({row.company_code}, {row.currency})")


@bank.command("list")
@company_option
@json_option
@command
def bank_list(company: str | None, as_json: bool) -> None:
    """The accounts Saldo knows."""
    prepare()
    from saldo.cash.banks import bank_accounts

    rows = bank_accounts(context(company=company))
    if as_json:
        print_json({"accounts": [_account_json(row) for row in rows]})
        return
    for row in rows:
        click.echo(
            f"{row.id:>4}  {row.company_code:<12} {row.iban or row.number:<28} {row.currency}  {row.name}"
        )


@bank.command("statements")
@click.option("--account", help="Its IBAN, number or id (default: every account).")
@company_option
@json_option
@command
def bank_statements(account: str | None, company: str | None, as_json: bool) -> None:
    """Until when statements reach, the gaps between them, and those that are held back."""
    prepare()
    from saldo.cash.banks import continuity

    ctx = context(company=company)
    told = continuity(ctx, _account_id(ctx, account) if account else None)
    if as_json:
        print_json({"accounts": [_continuity_json(one) for one in told]})
        return
    for one in told:
        _show(one)


@bank.command("release")
@click.argument("statement", type=int)
@click.option("--note", required=True, help="What was checked; it stays in the log.")
@command
def bank_release(statement: int, note: str) -> None:
    """Let the lines of a statement that was held back be posted."""
    prepare()
    from saldo.cash.statements import release_statement

    release_statement(context(), statement, note)
    click.echo(f"statement {statement}: its lines may be posted")


def _account_id(ctx: Any, written: str) -> int:
    from saldo.cash.banks import accounts_named, bank_accounts

    rows = bank_accounts(ctx)
    found = [row for row in rows if str(row.id) == written] or accounts_named(rows, written, None)
    if len(found) != 1:
        raise SaldoError("bank_account_unknown", account=written)
    return int(found[0].id)


def _account_json(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "company": row.company_code,
        "name": row.name,
        "iban": row.iban,
        "bic": row.bic,
        "abi": row.abi,
        "cab": row.cab,
        "number": row.number,
        "currency": row.currency,
        "sia": row.sia,
        "creditor_id": row.creditor_id,
    }


def _continuity_json(one: Any) -> dict[str, Any]:
    currency = one.account.currency
    return {
        **_account_json(one.account),
        "first_date": one.first_date,
        "last_date": one.last_date,
        "balance": _amount(one.balance_mills, currency),
        "gaps": [_hole_json(hole, currency) for hole in one.gaps],
        "silent_days": [day for hole in one.holes if not hole.is_gap for day in hole.days],
        "statements": [_statement_json(row) for row in one.statements],
    }


def _hole_json(hole: Any, currency: str) -> dict[str, Any]:
    return {
        "after_statement": hole.after_id,
        "before_statement": hole.before_id,
        "after_date": hole.after_date,
        "before_date": hole.before_date,
        "difference": _amount(hole.difference_mills, currency),
        "days": list(hole.days),
    }


def _statement_json(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "kind": row.kind,
        "number": row.number,
        "sequence": row.sequence,
        "from_date": row.from_date,
        "to_date": row.to_date,
        "opening_balance": _amount(row.opening_mills, row.currency),
        "closing_balance": _amount(row.closing_mills, row.currency),
        "currency": row.currency,
        "lines": row.lines,
        "new_lines": row.new_lines,
        "is_late": row.is_late,
        "is_quarantined": row.is_quarantined,
        "waits": row.waits,
        "difference": _amount(row.difference_mills, row.currency),
        "released_at": row.released_at,
        "released_by": row.released_by,
        "release_note": row.release_note,
    }


def _amount(mills: int | None, currency: str) -> str | None:
    return None if mills is None else decimal_text(mills, currency)


def _show(one: Any) -> None:
    currency = one.account.currency
    reach = f"{one.first_date} to {one.last_date}" if one.first_date else "no statement"
    balance = _amount(one.balance_mills, currency)
    click.echo(
        f"{one.account.iban or one.account.number}  {one.account.name}: {reach}, "
        f"{len(one.statements)} statements" + (f", balance {balance} {currency}" if balance else "")
    )
    for hole in one.gaps:
        click.echo(
            f"  gap: {_amount(hole.difference_mills, currency)} between {hole.after_date} and "
            f"{hole.before_date}" + (f" ({len(hole.days)} banking days)" if hole.days else "")
        )
    for row in one.waiting:
        click.echo(
            f"  held back: statement {row.id} of {row.last_day}, {row.lines} lines, difference "
            f"{_amount(row.difference_mills, currency) or 'unknown'}"
        )
