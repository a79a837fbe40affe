"""saldo cash: bank lines applied to what they pay, looked at, posted and undone."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.money import decimal_text, to_mills
from saldo.interfaces.commands.app import (
    NEEDS_A_PERSON,
    actor,
    bar,
    command,
    company_option,
    context,
    errors,
    json_option,
    language,
    prepare,
    print_json,
)
from saldo.interfaces.commands.reading import file_bytes, show_rejections

if TYPE_CHECKING:
    from saldo.flows.apply_cash import CashResult
    from saldo.flows.apply_files import FileApplied


def _reader(company: str | None) -> Context:
    """Who has the command line reads everything, as scheduled work does."""
    return replace(context(company=company), actor=f"system:{actor()}")


def _of_company(company: str | None) -> Context:
    """A context of one company: the one asked for, or the only one there is."""
    from saldo.identity.queries import companies

    ctx = _reader(company)
    if ctx.company_id is not None:
        return ctx
    rows = companies(ctx)
    if len(rows) != 1:
        raise SaldoError("company_needed", known=", ".join(row.code for row in rows))
    return ctx.within(rows[0].id)


@click.group()
def cash() -> None:
    """Bank lines and what they pay."""


# --- applying -----------------------------------------------------------------------------------------


@cash.command("apply")
@click.argument("file", required=False)
@company_option
@click.option("--mapping", help="Mapping profile (name or file) for a bank's CSV or XLSX.")
@click.option("--dry-run", is_flag=True, help="Show exactly what would happen; write nothing.")
@json_option
@command
def apply(file: str | None, company: str | None, mapping: str | None, dry_run: bool, as_json: bool) -> None:
    """Import the bank file FILE and apply its lines; without FILE, apply all open lines."""
    prepare()
    from saldo.flows.apply_files import apply_file, apply_open

    ctx = replace(context(company=company), actor=actor())
    applied: FileApplied | None = None
    with bar("cash", quiet=as_json) as progress:
        if file is None:
            runs = apply_open(ctx, dry_run, progress)
        else:
            name = Path(file).name
            applied = apply_file(ctx, name, file_bytes(file), mapping, company, dry_run, progress)
            runs = applied.runs
    summary = {"dry_run": dry_run, "runs": [_run_json(run) for run in runs]}
    if as_json:
        print_json((_file_json(applied) if applied else {}) | summary)
    else:
        _show(applied, runs, dry_run)
    refused = applied is not None and bool(applied.imported.rejections)
    if refused or any(run.refused for run in runs):
        sys.exit(NEEDS_A_PERSON)


def _run_json(run: CashResult) -> dict[str, Any]:
    from saldo.identity.queries import companies

    (row,) = companies(context().within(run.company_id))
    return {"company": row.code} | run.as_json(language())


def _file_json(applied: FileApplied) -> dict[str, Any]:
    told = applied.imported
    return {
        "batch": told.batch_id, "imported": told.done, "unchanged": told.unchanged,
        "rejections": [one.as_json(language()) for one in told.rejections],
    }  # fmt: skip


def _show(applied: FileApplied | None, runs: list[CashResult], dry_run: bool) -> None:
    if applied is not None:
        click.echo(f"{applied.imported.done} lines imported, {applied.imported.unchanged} known already")
        show_rejections(applied.imported.rejections)
    for run in runs:
        told = _run_json(run)
        would = "would be posted" if dry_run else "posted"
        click.echo(f"{told['company']}: {told['lines']} lines, {told['posted']} {would}")
        if told["collections"] or told["collections_waiting"]:
            done, waiting = told["collections"], told["collections_waiting"]
            click.echo(f"  {done} lines of slips and returns, {waiting} to look at")
        for sums in told["currencies"]:
            click.echo(f"  {sums['currency']}")
            for name in ("came_in", "allocated", "on_account", "proposed", "left"):
                click.echo(f"    {name:<12} {sums[name]:>18}")
            if sums["line_rate"] is not None:
                click.echo(f"    by line {sums['line_rate']:.1%}, by value {sums['value_rate']:.1%}")
        for refused in told["refused"]:
            errors.print(f"  line {refused['line']}: {refused['why']}", style="yellow", markup=False)


# --- looking ------------------------------------------------------------------------------------------


@cash.command("lines")
@company_option
@click.option("--all", "show_all", is_flag=True, help="Also what was posted.")
@click.option("--search", default="", help="Only lines with this text or payer.")
@click.option("--limit", type=int, default=60, show_default=True)
@json_option
@command
def lines(company: str | None, show_all: bool, search: str, limit: int, as_json: bool) -> None:
    """Bank lines with what is proposed or was posted: those that wait, or all."""
    prepare()
    from saldo.cash.desk import LineFilter
    from saldo.cash.desk import lines as desk_lines

    ctx = _of_company(company)
    wanted = LineFilter(view="all" if show_all else "open", text=search)
    rows = desk_lines(ctx, wanted, limit=limit)[:limit]
    if as_json:
        print_json({"lines": [_line_json(row) for row in rows]})
        return
    for row in rows:
        click.echo(
            f"{row.id:>8} {row.booking_date} {row.amount:>14.2f} {row.currency} {row.group:<10}"
            f" {(row.payer or row.text)[:30]:<30} {row.account_name[:30]} {' '.join(row.numbers)[:40]}"
        )


def _line_json(row: Any) -> dict[str, Any]:
    return {
        "line": row.id, "group": row.group, "booking_date": row.booking_date.isoformat(),
        "amount": decimal_text(to_mills(row.amount), row.currency), "currency": row.currency,
        "payer": row.payer, "text": row.text, "posted": row.posted, "account": row.account_name,
        "proposal": row.proposal, "probability": row.probability, "numbers": list(row.numbers),
        "unapplied": decimal_text(to_mills(row.unapplied), row.currency),
    }  # fmt: skip


@cash.command("unapplied")
@company_option
@json_option
@command
def unapplied(company: str | None, as_json: bool) -> None:
    """Money that came in and pays nothing yet, by age: payments on account, and lines not posted."""
    prepare()
    from saldo.cash.unapplied import age_sums, unapplied_payments

    ctx = _of_company(company)
    payments = unapplied_payments(ctx)
    sums = age_sums(ctx, payments)
    if as_json:
        print_json({
            "as_of": ctx.as_of.isoformat(),
            "currencies": [_ages_json(one) for one in sums],
            "payments": [
                {
                    "account": row.account_name, "number": row.number, "date": row.effective_date.isoformat(),
                    "days": row.days, "amount": decimal_text(to_mills(row.amount), row.currency),
                    "currency": row.currency, "line": row.transaction_id,
                }
                for row in payments
            ],
        })  # fmt: skip
        return
    for one in sums:
        click.echo(one.currency)
        for age in one.payments:
            click.echo(f"  {age:<6} {one.payments[age]:>16.2f} on account {one.lines[age]:>16.2f} not posted")


def _ages_json(one: Any) -> dict[str, Any]:
    def told(amounts: dict[str, Any]) -> dict[str, str]:
        return {age: decimal_text(to_mills(amount), one.currency) for age, amount in amounts.items()}

    return {"currency": one.currency, "on_account": told(one.payments), "not_posted": told(one.lines)}


# --- by hand ------------------------------------------------------------------------------------------


@cash.command("post")
@click.argument("line", type=int)
@click.option("--proposal", type=int, help="Post it as this proposal of the newest run says (1: the first).")
@click.option("--account", help="Code of the account that paid: the money stays on account.")
@click.option("--not-customer", is_flag=True, help="It is no customer's money.")
@click.option("--note", default="")
@command
def post(line: int, proposal: int | None, account: str | None, not_customer: bool, note: str) -> None:
    """Post the bank line LINE as a proposal says, on an account, or as no customer's money."""
    prepare()
    from saldo.cash.facts import account_of_code
    from saldo.cash.postings import post_not_customer, post_on_account, post_proposal

    if sum((proposal is not None, account is not None, not_customer)) != 1:
        raise click.UsageError("one of --proposal, --account and --not-customer")
    ctx = context()
    if not_customer:
        done = post_not_customer(ctx, line, note)
    elif proposal is not None:
        done = post_proposal(ctx, line, proposal, note)
    else:
        assert account is not None
        done = post_on_account(ctx, line, account_of_code(line, account), note=note)
    allocated = decimal_text(done.allocated_mills, done.currency)
    rest = decimal_text(done.unapplied_mills, done.currency)
    click.echo(f"line {line} posted: {allocated} {done.currency} set against items, {rest} on account")


@cash.command("undo")
@click.argument("line", type=int)
@click.option("--note", default="", help="Why.")
@command
def undo_command(line: int, note: str) -> None:
    """Undo the posting of the bank line LINE: the ledger is as before it, and the line is open again."""
    prepare()
    from saldo.cash.undoing import undo

    undo(context(), line, note)
    click.echo(f"line {line} is open again")


@cash.command("policy")
@company_option
@click.option(
    "--set", "changes", multiple=True, metavar="NAME=VALUE", help="Change a value; may be repeated."
)
@json_option
@command
def policy(company: str | None, changes: tuple[str, ...], as_json: bool) -> None:
    """The company's thresholds and tolerances; --set changes them from now on."""
    prepare()
    from saldo.cash.policies import policy_in_force, set_policy

    ctx = _of_company(company)
    assert ctx.company_id is not None
    now = policy_in_force(ctx, ctx.company_id)
    if changes:
        data = now.as_data() | dict(_change(text) for text in changes)
        now = set_policy(replace(ctx, actor=actor()), ctx.company_id, data)
    if as_json:
        print_json({"policy": now.as_data()})
        return
    for name, value in now.as_data().items():
        click.echo(f"{name:<22} {str(value).lower() if isinstance(value, bool) else value}")


def _change(text: str) -> tuple[str, Any]:
    name, _, told = text.partition("=")
    value: Any = {"true": True, "false": False}.get(told.strip().lower(), told.strip())
    for kind in (int, float):
        if isinstance(value, str):
            try:
                value = kind(value)
            except ValueError:
                continue
    return name.strip(), value
