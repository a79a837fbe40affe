"""saldo mail, saldo replies: what comes back from customers, taken in and handled."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.money import InexactAmount, to_mills
from saldo.interfaces.commands.app import (
    DAY,
    NEEDS_A_PERSON,
    actor,
    command,
    company_option,
    context,
    errors,
    json_option,
    language,
    prepare,
    print_json,
)
from saldo.interfaces.commands.reading import file_bytes

if TYPE_CHECKING:
    from saldo.outreach.replies import ReplyRow


def _reader(company: str | None) -> Context:
    """Who has the command line reads everything, as scheduled work does."""
    return replace(context(company=company), actor=f"system:{actor()}")


@click.group()
def mail() -> None:
    """What comes to our mailboxes."""


@mail.command("fetch")
@click.option("--mailbox", "name", help="One mailbox, as <company>:email or <company>:pec (default: all).")
@json_option
@command
def fetch(name: str | None, as_json: bool) -> None:
    """Take in what is new in the configured mailboxes."""
    prepare()
    from saldo.flows.read_mail import fetch as fetch_mailbox
    from saldo.outreach.mailboxes import mailbox, mailboxes

    ctx = replace(context(), actor="system:mail")
    names = [mailbox(name).name] if name else [each.name for each in mailboxes()]
    told: list[dict[str, Any]] = []
    failed = False
    for each in names:
        # A mailbox that cannot be reached keeps no other from being read.
        try:
            done = fetch_mailbox(ctx, each)
        except SaldoError as error:
            failed = True
            told.append({"mailbox": each, "error": error.code, "why": error.why(language())})
            errors.print(error.text(language()), style="red", soft_wrap=True, markup=False)
            continue
        failed = failed or bool(done.failed)
        told.append({
            "mailbox": each, "taken": dict(sorted(done.taken.items())), "failed": done.failed,
            "more": done.more,
        })  # fmt: skip
    if as_json:
        print_json({"mailboxes": told})
    else:
        for row in told:
            taken = ", ".join(f"{count} {kind}" for kind, count in row.get("taken", {}).items())
            if "taken" in row:
                more = " (more to come)" if row["more"] else ""
                click.echo(f"{row['mailbox']}: {taken or 'nothing new'}{more}")
        if not told:
            click.echo("no mailbox is configured (channels.toml)")
    if failed:
        sys.exit(NEEDS_A_PERSON)


@mail.command("take")
@click.argument("files", nargs=-1, required=True)
@click.option("--pec", is_flag=True, help="They come from a mailbox of PEC: receipts in them are believed.")
@company_option
@json_option
@command
def take(files: tuple[str, ...], pec: bool, company: str | None, as_json: bool) -> None:
    """Take in messages saved as FILES (.eml, as a mail program saves them)."""
    prepare()
    from saldo.core.reasons import render
    from saldo.flows.read_mail import take as take_message

    ctx = replace(context(company=company), actor=actor())
    told = []
    for path in files:
        raw = file_bytes(path)
        name = Path(path).name
        taken = take_message(ctx, raw, "hand:pec" if pec else "hand:email", ctx.company_id, name=name)
        told.append({"file": name, **taken.as_json()})
        if not as_json:
            why = "; ".join(render(one["code"], one["params"], language()) for one in taken.notes)
            number = f" {taken.reply_id}" if taken.reply_id else ""
            click.echo(f"{name}: {taken.kind}{number}{f' ({why})' if why else ''}")
    if as_json:
        print_json({"messages": told})


@click.group()
def replies() -> None:
    """What customers wrote back, and what is recorded because of it."""


@replies.command("list")
@company_option
@click.option("--all", "show_all", is_flag=True, help="Also what has been handled.")
@click.option("--limit", type=int, default=60, show_default=True)
@json_option
@command
def list_command(company: str | None, show_all: bool, limit: int, as_json: bool) -> None:
    """Replies that wait for a person, the oldest first; or all, newest first."""
    prepare()
    from saldo.outreach.replies import newest, waiting

    rows = (newest if show_all else waiting)(_reader(company), limit)
    if as_json:
        print_json({"replies": [_row_json(row) for row in rows]})
        return
    for row in rows:
        sure = f"{row.confidence:.0%}" if row.confidence is not None else ""
        click.echo(
            f"{row.id:>7} {row.received_at:%Y-%m-%d} {row.label or '-':<13} {sure:>4} {row.act or '-':<12}"
            f" {(row.account_name or row.from_address)[:30]:<30} {row.subject[:44]}"
        )


def _row_json(row: ReplyRow) -> dict[str, Any]:
    return {
        "reply": row.id, "account": row.account_code or None, "name": row.account_name or None,
        "channel": row.channel, "from": row.from_address, "subject": row.subject,
        "received_at": row.received_at.isoformat(), "label": row.label or None, "confidence": row.confidence,
        "facts": row.facts, "threaded_by": row.threaded_by or None, "trusted": row.is_trusted,
        "automatic": row.is_automatic, "notes": [one["code"] for one in row.notes], "act": row.act or None,
        "waits": row.is_waiting,
    }  # fmt: skip


@replies.command("show")
@click.argument("number", type=int)
@json_option
@command
def show(number: int, as_json: bool) -> None:
    """The reply NUMBER with its conversation, and what is proposed."""
    prepare()
    from saldo.core.reasons import render
    from saldo.flows.handle_reply import propose
    from saldo.outreach.replies import reply

    ctx = _reader(None)
    thread, proposal = reply(ctx, number), propose(ctx, number)
    if as_json:
        turns = [
            {"sender": turn.sender, "at": turn.at.isoformat(), "subject": turn.subject, "text": turn.text}
            for turn in thread.turns
        ]
        files = [{"index": one.index, "name": one.name, "size": one.size} for one in thread.attachments]
        print_json(_row_json(thread.row) | {
            "text": thread.row.text, "thread": turns, "attachments": files, "proposal": proposal.as_json(),
        })  # fmt: skip
        return
    row = thread.row
    click.echo(f"{row.from_name} <{row.from_address}>  {row.received_at:%Y-%m-%d %H:%M}  {row.account_name}")
    click.echo(f"{row.subject}\n\n{row.text}\n")
    click.echo(f"{row.label or '-'} {proposal.confidence:.0%} ({proposal.zone}): {proposal.act or 'inbox'}")
    for name, value in proposal.fields.items():
        click.echo(f"  {name}: {'' if value is None else value}")
    for reason in proposal.why:
        click.echo(f"  - {render(reason['code'], reason['params'], language())}")


@replies.command("confirm")
@click.argument("number", type=int)
@click.option("--act", help="What to record (default: what is proposed).")
@click.option("--date", "day", type=DAY, help="The day promised, paid, or until which to wait.")
@click.option("--amount", help="The amount promised, paid or disputed.")
@click.option("--item", "items", type=int, multiple=True, help="An item that it is about; may be repeated.")
@click.option("--replaces", is_flag=True, help="A promise takes the place of the one there is.")
@click.option("--reason", help="Of a dispute or a hold.")
@click.option("--address", help="The address that is wrong or wants no more.")
@click.option("--note", default="")
@json_option
@command
def confirm_command(
    number: int,
    act: str | None,
    day: datetime | None,
    amount: str | None,
    items: tuple[int, ...],
    replaces: bool,
    reason: str | None,
    address: str | None,
    note: str,
    as_json: bool,
) -> None:
    """Record what the reply NUMBER says: as proposed, or as the options say."""
    prepare()
    from saldo.flows.handle_reply import confirm, propose

    ctx = _reader(None)
    proposal = propose(ctx, number)
    chosen = act or proposal.act
    if not chosen:
        raise click.UsageError("nothing is proposed: say with --act what to record")
    fields = dict(proposal.fields) if chosen == proposal.act else {}
    fields |= _given(chosen, day, amount, items, reason, address)
    if replaces:
        fields["replaces"] = True
    handling = confirm(ctx, number, chosen, note=note, **fields)
    if as_json:
        print_json({"reply": number, "act": chosen, "handling": handling})
    else:
        click.echo(f"reply {number}: {chosen}")


_DAY_OF = {
    "promise": "promised_date", "paid_claim": "paid_date", "hold": "until_date", "complaint": "until_date",
}  # fmt: skip


def _given(
    act: str,
    day: datetime | None,
    amount: str | None,
    items: tuple[int, ...],
    reason: str | None,
    address: str | None,
) -> dict[str, Any]:
    """The options as the act names them."""
    given: dict[str, Any] = {}
    if day is not None and act in _DAY_OF:
        given[_DAY_OF[act]] = day.date()
    if amount is not None:
        try:
            given["amount_mills"] = to_mills(Decimal(amount))
        except (InvalidOperation, InexactAmount) as error:
            raise click.UsageError(f"--amount: {amount} is no amount") from error
    if items:
        given["item_ids"] = list(items)
    return given | {name: value for name, value in (("reason", reason), ("address", address)) if value}


@replies.command("dismiss")
@click.argument("number", type=int)
@click.option("--note", default="")
@command
def dismiss_command(number: int, note: str) -> None:
    """Nothing follows from the reply NUMBER."""
    prepare()
    from saldo.flows.handle_reply import dismiss

    dismiss(_reader(None), number, note)
    click.echo(f"reply {number}: nothing")


@replies.command("reopen")
@click.argument("number", type=int)
@click.option("--note", default="")
@command
def reopen_command(number: int, note: str) -> None:
    """Take back what was recorded because of the reply NUMBER."""
    prepare()
    from saldo.flows.handle_reply import reopen

    reopen(_reader(None), number, note)
    click.echo(f"reply {number}: open again")


@replies.command("assign")
@click.argument("number", type=int)
@click.argument("account")
@company_option
@command
def assign_command(number: int, account: str, company: str | None) -> None:
    """The reply NUMBER, whose sender nobody knew, is of the customer with code ACCOUNT."""
    prepare()
    from saldo.cash.collections import account_of_code
    from saldo.flows.handle_reply import assign
    from saldo.outreach.replies import row_of

    ctx = _reader(company)
    own = row_of(ctx, number).company_id
    if ctx.company_id is None and own is not None:
        ctx = ctx.within(own)
    assign(ctx, number, account_of_code(ctx, account))
    click.echo(f"reply {number}: of {account}")
