"""saldo dispute queue, show, note, owner, answer, resolve, reopen, rules: the disputes desk in the terminal.

The commands that open, end and list an account's disputes stand with those of promises.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import click

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
from saldo.interfaces.commands.naming import mills_of
from saldo.interfaces.commands.promises import dispute

_ID = click.argument("dispute_id", type=int)
_NOTE = click.option("--note", default="", help="What was said or found; it stays on the timeline.")
_AMOUNT = click.option("--amount", help="Only this much of what is left.")


def _case(dispute_id: int, as_of: datetime | None) -> Any:
    prepare()
    from saldo.core.errors import SaldoError
    from saldo.disputes.cases import case

    found = case(context(day_of(as_of)), dispute_id)
    if found is None:
        raise SaldoError("dispute_unknown", dispute=dispute_id)
    return found


@dispute.command("queue")
@click.option("--company", required=True, help="Code of the company.")
@click.option("--owner", default="", help='Only of this login; "-" for those of nobody.')
@click.option("--ended", is_flag=True, help="Those that ended, in place of the open ones.")
@as_of_option
@json_option
@command
def dispute_queue(company: str, owner: str, ended: bool, as_of: datetime | None, as_json: bool) -> None:
    """All disputes of a company, what is latest in front."""
    prepare()
    from saldo.disputes.cases import QueueFilter, queue

    wanted = QueueFilter(owner=owner, state="ended" if ended else "open")
    rows = queue(context(day_of(as_of), company=company), wanted)
    if as_json:
        print_json({"disputes": [asdict(row) for row in rows]})
        return
    for one in rows:
        row = one.row
        click.echo(
            f"{row.id:>6}  {one.code}  {one.name}  {row.reason}  {row.current:.2f} of {row.amount:.2f} "
            f"{row.currency}  {row.state}  {row.owner or '-'}  by {row.due_date or '-'}  {one.days} days"
        )


@dispute.command("show")
@_ID
@as_of_option
@json_option
@command
def dispute_show(dispute_id: int, as_of: datetime | None, as_json: bool) -> None:
    """One dispute: its three amounts, its items, all that happened."""
    one = _case(dispute_id, as_of)
    if as_json:
        print_json(asdict(one))
        return
    row = one.row
    click.echo(f"{row.id}  {one.code}  {one.name}  {row.reason}  {row.state}  {row.owner or '-'}")
    claimed = "-" if row.claimed_amount is None else f"{row.claimed_amount:.2f}"
    click.echo(f"disputed {row.amount:.2f}  left {row.current:.2f}  claimed {claimed} {row.currency}")
    for item in one.items:
        click.echo(f"  {item.number}#{item.installment_no}  open {item.balance:.2f}  left {item.left:.2f}")
    for each in reversed(one.moments):
        amount = "" if each.amount is None else f"{each.amount:.2f}"
        told = (f"{each.on}", each.kind, each.outcome, amount, each.owner, each.text, each.note, each.actor)
        click.echo("  ".join(part for part in told if part))


@dispute.command("note")
@_ID
@click.argument("note", default="")
@click.option("--file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A document.")
@as_of_option
@command
def dispute_note(dispute_id: int, note: str, file: Path | None, as_of: datetime | None) -> None:
    """Add a note or a document."""
    prepare()
    from saldo.disputes.operations import add_note
    from saldo.intake.operations import keep_document

    ctx = context(day_of(as_of))
    document = keep_document(ctx, file.name, file.read_bytes()) if file else None
    add_note(ctx, dispute_id, note, document)
    click.echo(f"dispute {dispute_id}: noted")


@dispute.command("owner")
@_ID
@click.argument("login", default="")
@click.option("--due", type=DAY, help="By when the answer is owed (default: what the rules give its reason).")
@_NOTE
@as_of_option
@command
def dispute_owner(
    dispute_id: int, login: str, due: datetime | None, note: str, as_of: datetime | None
) -> None:
    """Give it to somebody; without a login, back to the credit office."""
    prepare()
    from saldo.disputes.operations import change_owner

    change_owner(context(day_of(as_of)), dispute_id, login, day_of(due), note)
    click.echo(f"dispute {dispute_id}: {login or 'credit office'}")


@dispute.command("answer")
@_ID
@click.argument("verdict", type=click.Choice(["justified", "unjustified"]))
@_AMOUNT
@_NOTE
@as_of_option
@command
def dispute_answer(
    dispute_id: int, verdict: str, amount: str | None, note: str, as_of: datetime | None
) -> None:
    """What its owner found; the credit office decides then."""
    row = _case(dispute_id, as_of).row
    from saldo.disputes.operations import answer

    answer(context(day_of(as_of)), dispute_id, verdict, mills_of(amount, row.currency), note)
    click.echo(f"dispute {dispute_id}: {verdict}")


@dispute.command("resolve")
@_ID
@click.argument("outcome", type=click.Choice(["credited", "written_off", "withdrawn", "refused", "mistake"]))
@_AMOUNT
@click.option("--due", type=DAY, help="By when the credit note is to arrive.")
@_NOTE
@as_of_option
@json_option
@command
def dispute_resolve(
    dispute_id: int, outcome: str, amount: str | None, due: datetime | None, note: str,
    as_of: datetime | None, as_json: bool,
) -> None:  # fmt: skip
    """End it, or part of it. What is credited stays out of reminders until the ledger shows it."""
    row = _case(dispute_id, as_of).row
    from saldo.core.money import decimal_text
    from saldo.disputes.operations import resolve

    ctx, mills = context(day_of(as_of)), mills_of(amount, row.currency)
    done = resolve(ctx, dispute_id, outcome, mills, note, day_of(due))
    settled, waits = (decimal_text(part, row.currency) for part in (done.settled_mills, done.waits_mills))
    if as_json:
        print_json({"dispute": dispute_id, "settled": settled, "waits": waits})
    else:
        click.echo(f"dispute {dispute_id}: {outcome} {settled}, waits for the ledger {waits}")


@dispute.command("reopen")
@_ID
@_AMOUNT
@_NOTE
@as_of_option
@command
def dispute_reopen(dispute_id: int, amount: str | None, note: str, as_of: datetime | None) -> None:
    """The customer objects again to what had ended."""
    row = _case(dispute_id, as_of).row
    from saldo.disputes.operations import reopen

    reopen(context(day_of(as_of)), dispute_id, mills_of(amount, row.currency), note)
    click.echo(f"dispute {dispute_id}: open again")


@dispute.command("rules")
@click.option("--company", required=True, help="Code of the company.")
@click.option("--reason", help="Of which reason --days and --owner are.")
@click.option("--days", type=int, help="Business days for an answer.")
@click.option("--owner", help="Login of who answers; an empty one is the credit office.")
@click.option("--credit-days", type=int, help="Business days until an agreed credit note is to arrive.")
@click.option("--remind-days", type=int, help="Business days of silence until somebody should ask again.")
@json_option
@command
def dispute_rules(
    company: str, reason: str | None, days: int | None, owner: str | None, credit_days: int | None,
    remind_days: int | None, as_json: bool,
) -> None:  # fmt: skip
    """Show or change who answers disputes, and by when."""
    prepare()
    from saldo.core.disputes import REASONS
    from saldo.disputes.policies import change_policy

    if reason is None and (days is not None or owner is not None):
        raise click.UsageError("--days and --owner need --reason")
    ctx = context(None, company=company)
    assert ctx.company_id is not None
    rules = change_policy(
        ctx, ctx.company_id, days=None if days is None else {reason or "": days},
        owners=None if owner is None else {reason or "": owner}, credit_days=credit_days,
        remind_days=remind_days,
    )  # fmt: skip
    if as_json:
        print_json(rules.data() | {"days": {code: rules.days_for(code) for code in REASONS}})
        return
    for code in REASONS:
        click.echo(f"{code:<18}{rules.days_for(code):>3}  {rules.owners.get(code) or '-'}")
    click.echo(f"credit note {rules.credit_days}, remind {rules.remind_days}")
