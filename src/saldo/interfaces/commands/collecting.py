"""saldo collect: receipts (RiBa) and direct debits, from the file for the bank to what came back."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click

from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.money import decimal_text
from saldo.interfaces.commands.app import (
    NEEDS_A_PERSON,
    command,
    company_option,
    context,
    json_option,
    language,
    prepare,
    print_json,
)

_DAY = click.DateTime(["%Y-%m-%d"])
_COMPANY = click.option("--company", required=True, help="Code of the company.")


@click.group()
def collect() -> None:
    """Receipts (RiBa) and direct debits (SDD)."""


def _day(moment: datetime | None) -> date | None:
    return moment.date() if moment else None


def _bank_account_id(ctx: Context, account: str) -> int:
    """The account with this id, IBAN or number. Raises SaldoError("bank_account_unknown")."""
    from saldo.cash.banks import accounts_named, bank_accounts

    known = bank_accounts(ctx)
    found = [row for row in known if str(row.id) == account] or accounts_named(known, account, None)
    if len(found) != 1:
        raise SaldoError("bank_account_unknown", account=account)
    return found[0].id


def _account_id(ctx: Context, code: str) -> int:
    from saldo.cash.collections import account_of_code

    return account_of_code(ctx, code)


def _present(kind: str, options: dict[str, Any], **more: Any) -> None:
    prepare()
    from saldo.flows.collect import present

    ctx = context(_day(options["as_of"]), company=options["company"])
    assert ctx.company_id is not None
    made = present(
        ctx, ctx.company_id, _bank_account_id(ctx, options["account"]), kind,
        options["item"] or None, _day(options["due_from"]), _day(options["due_to"]), _day(options["due"]),
        **more,
    )  # fmt: skip
    if made.data is not None:
        path: Path = options["to"]
        try:
            path.write_bytes(made.data)
        except OSError as error:
            problem = error.strerror or str(error)
            raise SaldoError("file_not_written", path=str(path), problem=problem) from error
    told = {
        "batch": made.batch_id, "file": str(options["to"]) if made.data is not None else None,
        "orders": made.orders, "total": decimal_text(made.total_mills, "EUR"),
        "rejections": [one.as_json(language()) for one in made.rejections],
    }  # fmt: skip
    if options["as_json"]:
        print_json(told)
    elif made.data is not None:
        click.echo(f"{told['file']}: {made.orders}, {told['total']} EUR (batch {made.batch_id})")
    else:
        for one in made.rejections:
            click.echo(f"{one.where}: {one.why(language())} {one.remedy(language())}", err=True)
    if made.data is None:
        sys.exit(NEEDS_A_PERSON)


def _options(function: Any) -> Any:
    for option in reversed(
        (
            _COMPANY,
            click.option("--account", required=True, help="Our account: IBAN, number or id."),
            click.option("--due-from", type=_DAY, help="Items due from this day on."),
            click.option("--due-to", type=_DAY, help="Items due up to this day."),
            click.option("--item", type=int, multiple=True, help="This item, by id (several times)."),
            click.option("--due", type=_DAY, help="When they are to be paid, in place of their due dates."),
            click.option("--as-of", type=_DAY, help="Day of presentation (default: today)."),
            click.option(
                "--to",
                type=click.Path(path_type=Path, dir_okay=False),
                required=True,
                help="The file to write.",
            ),
            json_option,
        )
    ):
        function = option(function)
    return function


@collect.command("riba")
@_options
@command
def riba(**options: Any) -> None:
    """Write a slip of receipts for the bank; its items are under way from then on."""
    _present("riba", options)


@collect.command("sdd")
@_options
@click.option("--version", type=click.Choice(["02", "08"]), default="02", help="Of pain.008.001 (02 or 08).")
@click.option("--sequence", type=click.Choice(["FRST", "RCUR", "FNAL", "OOFF"]), default="RCUR",
              help="Sequence type of the debits (default: RCUR).")  # fmt: skip
@command
def sdd(version: str, sequence: str, **options: Any) -> None:
    """Write direct debits for the bank, by the mandates in force."""
    _present("sdd", options, version=version, sequence=sequence)


@collect.command("batches")
@company_option
@json_option
@command
def batches(company: str | None, as_json: bool) -> None:
    """What was presented, and what became of it."""
    prepare()
    from saldo.cash import collections

    found = collections.batches(context(company=company))
    if as_json:
        print_json({"batches": [asdict(row) for row in found]})
        return
    for row in found:
        click.echo(
            f"{row.presented_date}  {row.kind:<4} {row.number:<24} {row.total:>14} {row.currency}  "
            f"{row.orders} orders: {row.credited} credited, {row.provisional} provisional, {row.paid} paid, "
            f"{row.returned} returned, {row.untied} without item, {row.unclear} unclear"
        )


@collect.command("orders")
@click.option("--state", type=click.Choice(["presented", "credited", "provisional", "paid", "returned"]),
              help="Only these.")  # fmt: skip
@click.option("--batch", type=int, help="Only those of this batch.")
@company_option
@json_option
@command
def orders(state: str | None, batch: int | None, company: str | None, as_json: bool) -> None:
    """Receipts and debits one by one, with their state."""
    prepare()
    from saldo.cash import collections

    found = [
        row
        for row in collections.orders(context(company=company))
        if state in (None, row.state) and batch in (None, row.batch_id)
    ]
    if as_json:
        print_json({"orders": [asdict(row) | {"state": row.state, "retry": row.retry} for row in found]})
        return
    for row in found:
        retry = f" {row.end_outcome} {row.cause or ''} (again: {row.retry})" if row.end_date else ""
        click.echo(
            f"{row.id:>6}  {row.due_date}  {decimal_text(row.mills, row.currency):>14} {row.currency}  "
            f"{row.receipt:<16} {row.state}{retry}{' UNCLEAR' if row.is_unclear else ''}  {row.debtor_name}"
        )


@collect.command("post")
@click.argument("line", type=int)
@click.option("--batch", type=int, help="The line is the credit of this batch.")
@click.option("--order", type=int, help="The line is this order come back.")
@_COMPANY
@command
def post(line: int, batch: int | None, order: int | None, company: str) -> None:
    """Say which batch or order a bank line is about, where Saldo could not tell."""
    prepare()
    from saldo.flows.collect_decide import post_return, post_slip

    ctx = context(company=company)
    assert ctx.company_id is not None
    if (batch is None) == (order is None):
        raise click.UsageError("one of --batch and --order")
    if batch is not None:
        click.echo(f"line {line}: {post_slip(ctx, ctx.company_id, line, batch)} orders credited")
    elif order is not None:
        click.echo(f"line {line}: order {order} {post_return(ctx, ctx.company_id, line, order).state}")


@collect.command("decide")
@click.argument("order", type=int)
@click.argument("outcome", type=click.Choice(["paid", "unpaid", "refunded", "withdrawn"]))
@click.option("--cause", default="", help="The bank's code, if it gave one.")
@_COMPANY
@command
def decide(order: int, outcome: str, cause: str, company: str) -> None:
    """Record what became of an order, as the bank told a person."""
    prepare()
    from saldo.flows.collect_decide import decide as decide_order

    ctx = context(company=company)
    assert ctx.company_id is not None
    click.echo(f"order {order}: {decide_order(ctx, ctx.company_id, order, outcome, cause).state}")


@collect.command("settle")
@_COMPANY
@json_option
@command
def settle(company: str, as_json: bool) -> None:
    """Due receipts and debits count as paid provisionally, safe ones for good; the day run does it too."""
    prepare()
    from saldo.flows.collect import settle as settle_orders

    ctx = context(company=company)
    assert ctx.company_id is not None
    done = settle_orders(ctx, ctx.company_id)
    if as_json:
        print_json(asdict(done))
    else:
        click.echo(f"{done.provisional} provisional, {done.paid} paid for good")


@collect.command("rules")
@_COMPANY
@click.option("--riba-safe-days", type=click.IntRange(0, 365), help="Banking days until a receipt is safe.")
@click.option("--b2b-safe-days", type=click.IntRange(0, 365), help="Banking days until an SDD B2B is safe.")
@click.option("--core-safe-days", type=click.IntRange(0, 400), help="Days until an SDD Core is safe.")
@click.option("--silent-days", type=click.IntRange(0, 365),
              help="Banking days after which an order without news is not under way any more.")  # fmt: skip
@click.option("--lead-days", type=click.IntRange(1, 30), help="Banking days' notice that the bank wants.")
@click.option("--recharge-fees/--no-recharge-fees", default=None,
              help="Charge the bank's fee of a return to the customer (only where agreed).")  # fmt: skip
@json_option
@command
def rules(company: str, as_json: bool, **changes: Any) -> None:
    """The company's rules; with options, changed from now on."""
    prepare()
    from saldo.cash.collections import rules_of, set_rules

    ctx = context(company=company)
    assert ctx.company_id is not None
    told = {name: value for name, value in changes.items() if value is not None}
    found = set_rules(ctx, ctx.company_id, **told) if told else rules_of(ctx.company_id)
    if as_json:
        print_json(asdict(found))
        return
    for name, value in asdict(found).items():
        click.echo(f"{name}: {value}")


@collect.command("domicile")
@click.argument("customer")
@click.argument("abi")
@click.argument("cab")
@click.option("--bank", default="", help="Name of the bank, as receipts show it.")
@_COMPANY
@command
def domicile(customer: str, abi: str, cab: str, bank: str, company: str) -> None:
    """Where a customer's receipts are payable (banca d'appoggio)."""
    prepare()
    from saldo.cash.collections import set_domicile

    ctx = context(company=company)
    set_domicile(ctx, _account_id(ctx, customer), abi, cab, bank)
    click.echo(f"{customer}: {abi} {cab}")


@collect.group("mandate")
def mandate() -> None:
    """Customers' consents to direct debit."""


@mandate.command("add")
@click.argument("customer")
@click.argument("mandate_id")
@click.option("--iban", required=True, help="The account to be debited.")
@click.option("--bic", default="", help="Its bank (not needed in the SEPA).")
@click.option("--holder", required=True, help="The account's holder.")
@click.option("--scheme", type=click.Choice(["CORE", "B2B"]), default="CORE", help="As signed.")
@click.option("--signed", type=_DAY, required=True, help="Day of the signature.")
@_COMPANY
@command
def mandate_add(
    customer: str, mandate_id: str, iban: str, bic: str, holder: str, scheme: str, signed: datetime,
    company: str,
) -> None:  # fmt: skip
    """Record a signed mandate."""
    prepare()
    from saldo.cash.collections import add_mandate

    ctx = context(company=company)
    add_mandate(ctx, _account_id(ctx, customer), mandate_id, scheme, signed.date(), iban, holder, bic)
    click.echo(f"{customer}: {mandate_id}")


@mandate.command("end")
@click.argument("customer")
@click.argument("mandate_id")
@click.option("--from", "since", type=_DAY, help="Day from which it counts no more (default: today).")
@click.option("--reason", default="", help="Why: revoked, account closed, …")
@_COMPANY
@command
def mandate_end(customer: str, mandate_id: str, since: datetime | None, reason: str, company: str) -> None:
    """A mandate counts no more."""
    prepare()
    from saldo.cash.collections import end_mandate

    ctx = context(company=company)
    end_mandate(ctx, _account_id(ctx, customer), mandate_id, _day(since) or ctx.as_of, reason)
    click.echo(f"{customer}: {mandate_id}")


@mandate.command("list")
@company_option
@json_option
@command
def mandate_list(company: str | None, as_json: bool) -> None:
    """Mandates and the day they ended, if they did."""
    prepare()
    from saldo.cash.collections import mandates

    found = mandates(context(company=company))
    if as_json:
        print_json({"mandates": [asdict(row) for row in found]})
        return
    for row in found:
        end = f"  until {row.end_date}" if row.end_date else ""
        click.echo(
            f"{row.account_code:<12} {row.mandate_id:<35} {row.scheme:<4} {row.iban}  {row.customer}{end}"
        )
