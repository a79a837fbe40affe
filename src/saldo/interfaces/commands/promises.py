"""saldo promise, dispute, hold, claim: what customers say, and what it keeps out of dunning."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

import click

from saldo.core.context import Context
from saldo.interfaces.commands.app import (
    DAY,
    as_of_option,
    command,
    context,
    day_of,
    json_option,
    prepare,
    print_json,
)
from saldo.interfaces.commands.naming import account_of, currency_of, items_of, mills_of

_COMPANY = click.option("--company", required=True, help="Code of the company.")
_CURRENCY = click.option("--currency", help="Of the amounts (default: the company's).")
_NOTE = click.option("--note", default="", help="What else was said; it stays in the account's history.")
_ITEMS = click.option(
    "--item",
    "items",
    multiple=True,
    help="Document number, NUMBER#2 for its second installment (repeatable).",
)


def _ready(company: str, as_of: datetime | None) -> Context:
    prepare()
    return context(day_of(as_of), company=company)


def _told(kind: str, number: int, as_json: bool) -> None:
    if as_json:
        print_json({kind: number})
    else:
        click.echo(f"{kind} {number}")


def _listed(name: str, rows: list[Any], as_json: bool, line: Any) -> None:
    if as_json:
        print_json({name: [asdict(row) for row in rows]})
        return
    for row in rows:
        click.echo(line(row))


# --- promises ---------------------------------------------------------------------------------------


@click.group()
def promise() -> None:
    """Promises to pay."""


@promise.command("add")
@click.argument("customer")
@click.option("--by", "by", type=DAY, required=True, help="The day by which it will be paid.")
@click.option("--amount", help="What was promised (default: all of the items, or all that is overdue).")
@click.option("--replaces", is_flag=True, help="It takes the place of what is promised of these items.")
@_ITEMS
@_CURRENCY
@_NOTE
@_COMPANY
@as_of_option
@json_option
@command
def promise_add(
    customer: str, by: datetime, amount: str | None, replaces: bool, items: tuple[str, ...],
    currency: str | None, note: str, company: str, as_of: datetime | None, as_json: bool,
) -> None:  # fmt: skip
    """Record a promise; without items it is about what is overdue, the oldest first."""
    from saldo.promises.operations import record_promise

    ctx = _ready(company, as_of)
    account, money = account_of(ctx, customer), currency_of(ctx, currency)
    number = record_promise(
        ctx, account, money, by.date(), mills_of(amount, money), items_of(ctx, account, items), note,
        replaces=replaces,
    )  # fmt: skip
    _told("promise", number, as_json)


@promise.command("end")
@click.argument("promise_id", type=int)
@click.option(
    "--outcome", type=click.Choice(["withdrawn", "mistake"]), default="withdrawn", help="How it ended.",
    show_default=True,
)  # fmt: skip
@_NOTE
@as_of_option
@command
def promise_end(promise_id: int, outcome: str, note: str, as_of: datetime | None) -> None:
    """The customer took it back, or it was recorded by mistake."""
    prepare()
    from saldo.promises.operations import end_promise

    end_promise(context(day_of(as_of)), promise_id, outcome, note)
    click.echo(f"promise {promise_id}: {outcome}")


@promise.command("list")
@click.argument("customer")
@_COMPANY
@as_of_option
@json_option
@command
def promise_list(customer: str, company: str, as_of: datetime | None, as_json: bool) -> None:
    """An account's promises: what of each was paid, what is still expected, what became of it."""
    from saldo.flows.judged_promises import promises_of

    ctx = _ready(company, as_of)
    rows = promises_of(ctx, account_of(ctx, customer))
    _listed("promises", rows, as_json, lambda row: (
        f"{row.id:>6}  {row.effective_date}  by {row.promised_date}  {row.amount:.2f} {row.currency}  "
        f"paid {row.paid:.2f}  left {row.remaining:.2f}  {row.state}  {row.ended or '-'}  "
        f"level {row.level}  {row.note}".rstrip()
    ))  # fmt: skip


# --- disputes ---------------------------------------------------------------------------------------


@click.group()
def dispute() -> None:
    """Disputes: objections to items, or to part of them."""


@dispute.command("add")
@click.argument("customer")
@click.option(
    "--item", "items", multiple=True, required=True,
    help="Document number, or NUMBER=AMOUNT for a part of it (repeatable).",
)  # fmt: skip
@click.option("--reason", required=True, help="price, quality, quantity, delivery, missing_document, …")
@click.option("--claimed", help="What the customer says is wrong, where that is another amount.")
@click.option("--owner", default="", help="Who is to answer.")
@click.option("--due", type=DAY, help="The day by which an answer is owed.")
@_NOTE
@_COMPANY
@as_of_option
@json_option
@command
def dispute_add(
    customer: str, items: tuple[str, ...], reason: str, claimed: str | None, owner: str, due: datetime | None,
    note: str, company: str, as_of: datetime | None, as_json: bool,
) -> None:  # fmt: skip
    """Open a dispute; only what is objected to leaves dunning."""
    from saldo.disputes.operations import open_dispute

    ctx = _ready(company, as_of)
    account, money = account_of(ctx, customer), currency_of(ctx, None)
    parts = []
    for each in items:
        name, _, amount = each.partition("=")
        parts += [(item, mills_of(amount or None, money)) for item in items_of(ctx, account, [name])]
    number = open_dispute(
        ctx, account, parts, reason, note, mills_of(claimed, money), owner=owner, due_date=day_of(due)
    )
    _told("dispute", number, as_json)


@dispute.command("end")
@click.argument("dispute_id", type=int)
@click.option(
    "--outcome", type=click.Choice(["credited", "paid", "written_off", "withdrawn", "refused"]),
    required=True, help="How it ended. It moves no money.",
)  # fmt: skip
@_NOTE
@as_of_option
@command
def dispute_end(dispute_id: int, outcome: str, note: str, as_of: datetime | None) -> None:
    """Close a dispute."""
    prepare()
    from saldo.disputes.operations import end_dispute

    end_dispute(context(day_of(as_of)), dispute_id, outcome, note)
    click.echo(f"dispute {dispute_id}: {outcome}")


@dispute.command("list")
@click.argument("customer")
@_COMPANY
@as_of_option
@json_option
@command
def dispute_list(customer: str, company: str, as_of: datetime | None, as_json: bool) -> None:
    """An account's disputes."""
    from saldo.disputes.queries import disputes_of

    ctx = _ready(company, as_of)
    rows = disputes_of(ctx, account_of(ctx, customer))
    _listed("disputes", rows, as_json, lambda row: (
        f"{row.id:>6}  {row.effective_date}  {row.amount:.2f} {row.currency}  {row.reason}  {row.state}  "
        f"{row.owner}  {row.note}".rstrip()
    ))  # fmt: skip


# --- holds ------------------------------------------------------------------------------------------


@click.group()
def hold() -> None:
    """Holds: pauses with an end, in which nothing is asked."""


@hold.command("add")
@click.argument("customer")
@click.option("--until", type=DAY, required=True, help="The last day of the pause.")
@click.option(
    "--reason", default="other", show_default=True, help="agreed, relationship, documents, legal, …"
)
@click.option("--item", help="One document only (default: all that the account owes).")
@_NOTE
@_COMPANY
@as_of_option
@json_option
@command
def hold_add(
    customer: str, until: datetime, reason: str, item: str | None, note: str, company: str,
    as_of: datetime | None, as_json: bool,
) -> None:  # fmt: skip
    """Ask nothing until that day."""
    from saldo.collection.holds import hold as record_hold

    ctx = _ready(company, as_of)
    account = account_of(ctx, customer)
    wanted = items_of(ctx, account, [item]) if item else [None]
    numbers = [record_hold(ctx, account, until.date(), reason, one, note=note) for one in wanted]
    _told("hold", numbers[0], as_json)


@hold.command("end")
@click.argument("hold_id", type=int)
@_NOTE
@as_of_option
@command
def hold_end(hold_id: int, note: str, as_of: datetime | None) -> None:
    """End a pause before its day."""
    prepare()
    from saldo.collection.holds import end_hold

    end_hold(context(day_of(as_of)), hold_id, note)
    click.echo(f"hold {hold_id}: ended")


@hold.command("list")
@click.argument("customer")
@_COMPANY
@as_of_option
@json_option
@command
def hold_list(customer: str, company: str, as_of: datetime | None, as_json: bool) -> None:
    """An account's holds."""
    from saldo.collection.holds import holds_of

    ctx = _ready(company, as_of)
    rows = holds_of(ctx, account_of(ctx, customer))
    _listed("holds", rows, as_json, lambda row: (
        f"{row.id:>6}  {row.from_date} to {row.until_date}  {row.reason}  {row.state}  {row.note}".rstrip()
    ))  # fmt: skip


# --- claims -----------------------------------------------------------------------------------------


@click.group()
def claim() -> None:
    """ "Già pagato": what customers say they have paid."""


@claim.command("add")
@click.argument("customer")
@_ITEMS
@click.option("--amount", help="What was paid, as the customer says.")
@click.option("--paid", type=DAY, help="When, as the customer says.")
@_CURRENCY
@_NOTE
@_COMPANY
@as_of_option
@json_option
@command
def claim_add(
    customer: str, items: tuple[str, ...], amount: str | None, paid: datetime | None, currency: str | None,
    note: str, company: str, as_of: datetime | None, as_json: bool,
) -> None:  # fmt: skip
    """Record it; the cash desk looks for the money before anybody is dunned."""
    from saldo.cash.claims import record_claim

    ctx = _ready(company, as_of)
    account, money = account_of(ctx, customer), currency_of(ctx, currency)
    number = record_claim(
        ctx, account, money, items_of(ctx, account, items), mills_of(amount, money), day_of(paid), note
    )
    _told("claim", number, as_json)


@claim.command("end")
@click.argument("claim_id", type=int)
@click.option(
    "--outcome", type=click.Choice(["found", "not_found", "mistake"]), required=True, help="What was found."
)
@_NOTE
@as_of_option
@command
def claim_end(claim_id: int, outcome: str, note: str, as_of: datetime | None) -> None:
    """What the cash desk found."""
    prepare()
    from saldo.cash.claims import end_claim

    end_claim(context(day_of(as_of)), claim_id, outcome, note)
    click.echo(f"claim {claim_id}: {outcome}")


@claim.command("list")
@_COMPANY
@as_of_option
@json_option
@command
def claim_list(company: str, as_of: datetime | None, as_json: bool) -> None:
    """Claims that the cash desk has not answered, the oldest first."""
    from saldo.cash.claims import open_claims

    rows = open_claims(_ready(company, as_of))
    _listed("claims", rows, as_json, lambda row: (
        f"{row.id:>6}  {row.effective_date}  {row.account_code}  {row.account_name}  "
        f"{'all' if row.amount is None else f'{row.amount:.2f}'} {row.currency}  {row.note}".rstrip()
    ))  # fmt: skip
