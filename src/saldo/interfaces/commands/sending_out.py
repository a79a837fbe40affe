"""saldo send, saldo channels: what goes out, what became of it, and whether the channels work."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import click

from saldo.interfaces.commands.app import (
    FAILED,
    NEEDS_A_PERSON,
    command,
    company_option,
    context,
    json_option,
    language,
    prepare,
    print_json,
)

# Messages recorded longer ago are not counted by `saldo send status`.
STATUS_DAYS = 60


@click.group()
def send() -> None:
    """What goes out to customers."""


@click.group()
def channels() -> None:
    """The accounts by which messages go out and come in."""


@send.command("status")
@company_option
@json_option
@command
def status(company: str | None, as_json: bool) -> None:
    """How many messages of the last 60 days are in which state, and whether sending is stopped."""
    prepare()
    from saldo.core.sending import SENDING, UNKNOWN, WAITING
    from saldo.flows.jobs import messages_with_job
    from saldo.identity.queries import companies
    from saldo.outreach import deliveries
    from saldo.outreach.settings import is_live, is_stopped

    ctx = context(company=company)
    now = ctx.clock()
    waiting = deliveries.waiting_since(ctx.company_id, WAITING, now)
    told: dict[str, Any] = {
        "states": deliveries.counts(ctx.company_id, now - timedelta(days=STATUS_DAYS)),
        "waiting": len(waiting),
        "without_job": len(set(waiting) - messages_with_job()),
        "unknown": len(deliveries.waiting_since(ctx.company_id, (UNKNOWN,), now)),
        "sending": len(deliveries.waiting_since(ctx.company_id, (SENDING,), now)),
        "companies": [
            {"code": row.code, "live": is_live(row.id, ctx.as_of), "stopped": is_stopped(row.id)}
            for row in companies(ctx)
        ],
    }
    if as_json:
        print_json(told)
        return
    for row in told["companies"]:
        state = "stopped" if row["stopped"] else "live" if row["live"] else "not live"
        click.echo(f"{row['code']:<20} {state}")
    for state, count in sorted(told["states"].items()):
        click.echo(f"{state:<20} {count:>8}")
    if told["without_job"]:
        click.echo(f"{told['without_job']} without a job (given one by the worker within minutes)")
    if told["unknown"]:
        click.echo(f"{told['unknown']} of unknown outcome: saldo send unknown")


@send.command("now")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many messages.")
@company_option
@json_option
@command
def now(limit: int | None, company: str | None, as_json: bool) -> None:
    """Send what waits and may go, in this process; each is checked again as a worker would."""
    prepare()
    from dataclasses import replace

    from saldo.flows.send_messages import send_waiting

    told = send_waiting(replace(context(company=company), actor="system:sender"), limit)
    if as_json:
        print_json({"messages": told})
    else:
        click.echo(", ".join(f"{state}: {count}" for state, count in sorted(told.items())) or "nothing waits")
    if told.get("unknown") or told.get("failed"):
        sys.exit(NEEDS_A_PERSON)


@send.command("unknown")
@company_option
@json_option
@command
def unknown(company: str | None, as_json: bool) -> None:
    """Messages that may have left or not: look, then say which with `saldo send resolve`."""
    prepare()
    from saldo.core.delivery_words import words
    from saldo.core.sending import UNKNOWN
    from saldo.outreach import deliveries

    ctx = context(company=company)
    rows = deliveries.in_lines(deliveries.waiting_since(ctx.company_id, (UNKNOWN,), ctx.clock()))
    if as_json:
        print_json({"messages": [asdict(row) for row in rows]})
    for row in rows if not as_json else ():
        click.echo(f"{row.id:>8}  {row.newest.occurred_at:%Y-%m-%d %H:%M}  {row.channel:<7} {row.to_address}")
        click.echo(f"          {row.account_code} {row.account_name}: {row.subject}")
        click.echo(f"          {words(row.newest.code, language())} {row.newest.detail}")
    if rows:
        sys.exit(NEEDS_A_PERSON)


@send.command("resolve")
@click.argument("message_id", type=int, metavar="ID")
@click.option("--sent", "was_sent", is_flag=True, help="It has left.")
@click.option("--not-sent", "was_not_sent", is_flag=True, help="It has not left.")
@click.option("--note", default="", help="How one knows.")
@command
def resolve(message_id: int, was_sent: bool, was_not_sent: bool, note: str) -> None:
    """Say what became of a message of unknown outcome."""
    if was_sent == was_not_sent:
        raise click.UsageError("say which: --sent or --not-sent")
    prepare()
    from saldo.flows.send_messages import resolve as say

    say(context(), message_id, was_sent, note)
    click.echo(f"{message_id}: {'sent' if was_sent else 'failed'}")


@send.command("retry")
@click.argument("message_id", type=int, metavar="ID")
@click.option("--note", default="", help="Why it will work this time.")
@command
def retry(message_id: int, note: str) -> None:
    """Queue a failed message again; everything is checked again before it leaves."""
    prepare()
    from saldo.flows.send_messages import retry as again

    again(context(), message_id, note)
    click.echo(f"{message_id}: queued")


@send.command("test")
@click.option("--to", "address", required=True, help="An address (or a number) of your own.")
@click.option("--channel", type=click.Choice(["email", "pec", "sms"]), default="email", show_default=True)
@click.option("--company", required=True, help="Code of the company whose account sends.")
@json_option
@command
def test(address: str, channel: str, company: str, as_json: bool) -> None:
    """Send one test message, at once, whatever the rules of sending say."""
    prepare()
    from saldo.core.delivery_words import words
    from saldo.core.sending import SENT
    from saldo.flows.try_channels import try_out

    ctx = context(company=company)
    assert ctx.company_id is not None
    answer = try_out(ctx, ctx.company_id, channel, address)
    if as_json:
        print_json({"state": answer.state, "code": answer.code, "detail": answer.detail})
    else:
        said = f"{words(answer.code, language())} " if answer.code else ""
        click.echo(f"{answer.state}  {said}{answer.detail}".rstrip())
    if answer.state != SENT:
        sys.exit(FAILED)


@channels.command("check")
@company_option
@json_option
@command
def check(company: str | None, as_json: bool) -> None:
    """Connect to each configured channel and log in; nothing is sent."""
    prepare()
    from saldo.flows.try_channels import check_channels
    from saldo.identity.queries import companies
    from saldo.outreach.channels.config import channels as read_file
    from saldo.outreach.channels.config import file_path

    ctx = context(company=company)
    read_file()  # an error of the file itself is told as such
    told = {row.code: check_channels(ctx, row.id) for row in companies(ctx)}
    if as_json:
        each = {code: [asdict(state) for state in states] for code, states in told.items()}
        print_json({"file": str(file_path()), "companies": each})
    else:
        click.echo(str(file_path()))
        for code, states in told.items():
            click.echo(code)
            for state in states:
                _show(state)
    if any(state.is_set and not state.is_ok for states in told.values() for state in states):
        sys.exit(NEEDS_A_PERSON)


def _show(state: Any) -> None:
    from saldo.core.delivery_words import words

    mark = "ok" if state.is_ok else "NO" if state.is_set else "--"
    said = words(state.code, language()) if state.code else ""
    click.echo(f"  {mark}  {state.kind:<9} {' '.join(part for part in (said, state.detail) if part)}")
