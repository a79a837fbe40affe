"""Promises, disputes, holds, claims, playbooks and messages in the scenario language, through the real flows.

OUTREACH_VERBS and OUTREACH_EXPECTATIONS are their grammar, beside those of the other modules. Messages are
approved by a person and leave through the one sender; its channels take everything and send
nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
from django.db import transaction

from saldo.cash.claims import claims_of, end_claim, record_claim
from saldo.collection import playbook_changes
from saldo.collection.holds import end_hold, hold, holds_of
from saldo.collection.playbook_actions import TO_APPROVE, PlannedRow, planned
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.money import decimal_text, to_mills
from saldo.core.playbook import EMAIL
from saldo.core.playbook_text import shipped
from saldo.core.promises import KEPT, PARTIALLY_KEPT
from saldo.disputes.operations import end_dispute, open_dispute
from saldo.disputes.queries import disputes_of
from saldo.flows import send_messages
from saldo.flows.cut_over import Starting, go_live
from saldo.flows.hand_over import Handed
from saldo.flows.judged_promises import promises_of
from saldo.flows.plan_outreach import askable_now
from saldo.flows.queue_messages import approve, queue_automatic
from saldo.identity.models import Grant
from saldo.identity.operations import add_user, stamped
from saldo.intake.operations import keep_document
from saldo.outreach import replies
from saldo.outreach.channels.outgoing import sent
from saldo.outreach.history import item_history, message_contacts
from saldo.outreach.reply_changes import NewReply, add_handling, keep_reply
from saldo.outreach.settings import change_rules, resume, stop
from saldo.parties.models import Contact
from saldo.parties.stops import give_consent, stop_address
from saldo.promises.operations import end_plan, end_promise, record_plan, record_promise
from saldo.promises.plan_facts import plans_of
from saldo.promises.queries import PromiseRow
from saldo.simulation.scenario_text import Line, ScenarioError
from saldo.simulation.scenario_world import World

# Who approves; who wrote the playbooks is somebody else.
PERSON, AUTHOR = "scenario", "system:author"
_D = r"\d{4}-\d{2}-\d{2}"
_M = r"-?\d[\d.]*"
_NAME = r'(?:"[^"]+"|\S+)'
_ITEM = rf"(?P<item>{_NAME})"
_ITEMS = rf"{_NAME}(?:, {_NAME})*"
_ACCOUNT = rf"(?P<account>{_NAME})"
_ON = rf"(?: on (?P<items>{_ITEMS}))?"
_AMOUNT = rf"(?P<amount>{_M})(?: (?P<currency>[A-Z]{{3}}))?"
_NOTE = r'(?: "(?P<note>[^"]+)")?'


# --- verbs: what customers say ----------------------------------------------------------------------


def _promise(world: World, told: dict[str, Any], line: Line) -> None:
    currency = told["currency"] or world.company.currency
    record_promise(
        world.context(), world.account(told["account"]), currency, date.fromisoformat(told["by"]),
        to_mills(Decimal(told["amount"])) if told["amount"] else None, _items(world, told["items"]),
        document_id=_letter(world, line) if told["written"] else None, replaces=bool(told["replacing"]),
    )  # fmt: skip


def _letter(world: World, line: Line) -> int:
    """Something in writing that a promise points to."""
    ctx = replace(world.context(), recorded_at=world.tick())
    return keep_document(ctx, f"line-{line.number}.txt", f"{world.code} {line.number} {line.args}".encode())


def _plan(world: World, told: dict[str, Any], line: Line) -> None:
    parts = re.findall(rf"({_D}) ({_M})", told["parts"])
    record_plan(
        world.context(), world.account(told["account"]), told["currency"] or world.company.currency,
        [(date.fromisoformat(due), to_mills(Decimal(amount))) for due, amount in parts],
        _items(world, told["items"]),
    )  # fmt: skip


def _dispute(world: World, told: dict[str, Any], line: Line) -> None:
    row = world.line_of(told["item"])
    mills = to_mills(Decimal(told["amount"])) if told["amount"] else None
    items = [(row["item_id"], mills)]
    claimed = to_mills(Decimal(told["claimed"])) if told["claimed"] else None
    open_dispute(
        world.context(), row["account_id"], items, told["reason"] or "other", told["note"] or "", claimed
    )


def _hold(world: World, told: dict[str, Any], line: Line) -> None:
    until = date.fromisoformat(told["until"])
    if told["item"]:
        row = world.line_of(told["item"])
        hold(world.context(), row["account_id"], until, told["reason"] or "other", row["item_id"])
    else:
        hold(world.context(), world.account(told["account"]), until, told["reason"] or "other")


def _claim(world: World, told: dict[str, Any], line: Line) -> None:
    record_claim(
        world.context(), world.account(told["account"]), told["currency"] or world.company.currency,
        _items(world, told["items"]), to_mills(Decimal(told["amount"])) if told["amount"] else None,
        date.fromisoformat(told["paid"]) if told["paid"] else None,
    )  # fmt: skip


def _reply(world: World, told: dict[str, Any], line: Line) -> None:
    """The customer answers one of our messages; nobody has read it yet."""
    ctx = world.context()
    document = _letter(world, line)
    with transaction.atomic():
        inner = stamped(ctx, world.company.id)
        received = inner.recorded_at or ctx.clock()
        new = NewReply(
            document, EMAIL, received, world.company.id, world.account(told["account"]), subject="Re:",
            text=told["note"] or "", is_automatic=bool(told["automatic"]), threaded_by="message_id",
            is_trusted=True,
        )  # fmt: skip
        keep_reply(inner, new)


def _release(world: World, told: dict[str, Any], line: Line) -> None:
    """End the account's newest promise, plan, dispute, hold or claim that is open, or reply that waits."""
    ctx, account, outcome = world.context(), world.account(told["account"]), told["outcome"]
    if told["what"] == "reply":
        found_replies = replies.waiting(replace(ctx, actor="system:scenario"), account_id=account)
        if not found_replies:
            raise ScenarioError(line.number, f"a reply of {told['account']} that waits", "none")
        add_handling(ctx, found_replies[-1].id, outcome or "answered")
        return
    rows, end, usual = {
        "promise": (promises_of, end_promise, "withdrawn"),
        "plan": (plans_of, end_plan, "withdrawn"),
        "dispute": (disputes_of, end_dispute, "refused"),
        "claim": (claims_of, end_claim, "not_found"),
        "hold": (holds_of, None, ""),
    }[told["what"]]
    found = [row for row in rows(ctx, account) if _is_open(row)]
    if not found:
        raise ScenarioError(line.number, f"an open {told['what']} of {told['account']}", "none")
    if end is None:
        end_hold(ctx, found[0].id)
    else:
        end(ctx, found[0].id, outcome or usual)


def _is_open(row: Any) -> bool:
    return row.may_end if isinstance(row, PromiseRow) else row.state in ("open", "agreed", "coming")


def _items(world: World, text: str | None) -> list[int]:
    names = re.findall(rf"({_NAME})(?:, |$)", text or "")
    return [int(world.line_of(name)["item_id"]) for name in names]


# --- verbs: what the company does -------------------------------------------------------------------


def _contact(world: World, told: dict[str, Any], line: Line) -> None:
    account = world.account(told["account"], make=True)
    email, pec, phone = (told[name] or "" for name in ("email", "pec", "phone"))
    made = Contact.objects.create(account_id=account, name=told["account"].strip('"'), email=email, pec=pec,
                                  phone=phone)  # fmt: skip
    if told["consent"]:
        give_consent(world.context(), made.id, told["consent"])


def _stop_address(world: World, told: dict[str, Any], line: Line) -> None:
    stop_address(world.context(), told["channel"], told["address"], told["reason"], world.company.id)


def _sending(world: World, told: dict[str, Any], line: Line) -> None:
    """ "Ferma invii" and its end, or a setting from then on."""
    ctx, company = world.context(), world.company.id
    if told["stop"]:
        (stop if told["stop"] == "stop" else resume)(ctx, company)
    else:
        change_rules(ctx, company, **{told["name"]: told["value"]})


def _cut_over(world: World, told: dict[str, Any], line: Line) -> None:
    """Going live, with the starting levels of old items by bands of days late."""
    bands = {int(days): int(level) for days, level in re.findall(r"(\d+)=(\d+)", told["bands"] or "")}
    day = date.fromisoformat(told["day"]) if told["day"] else world.day
    go_live(world.context(), world.company.id, day, Starting(bands=bands), accept_missing=True)


def _playbook(world: World, told: dict[str, Any], line: Line) -> None:
    """A playbook of the block, or a shipped one, in force from now on."""
    ctx, company = world.context(), world.company.id
    text = line.block if line.block else shipped().get(told["name"] or "")
    if not text:
        raise ScenarioError(line.number, 'one of {} or """'.format(", ".join(shipped())), line.args)
    saved = playbook_changes.save(replace(ctx, actor=AUTHOR), company, text)
    playbook_changes.activate(ctx, company, saved.id)


def _send(world: World, told: dict[str, Any], line: Line) -> None:
    """A person approves what the last day run planned (of one customer); all that may leave leaves."""
    if not world.runs:
        raise ScenarioError(line.number, "a day before", "none")
    run = world.runs[-1].day_run_id
    account = world.account(told["account"]) if told["account"] else None
    waiting = planned(world.context(), run, state=TO_APPROVE, account_id=account)
    ctx = replace(world.context(), actor=_person(world))
    queued = approve(ctx, [row.id for row in waiting])
    if account is None:
        queue_automatic(world.context(), world.company.id, run)
    world.refusals = [one.code for one in queued.refused]
    with _taking_everything():
        send_messages.send_waiting(world.context())


def _person(world: World) -> str:
    if not Grant.objects.filter(user__username=PERSON).exists():
        add_user(world.context(), PERSON, "not used", Grant.Role.CREDIT_MANAGER)
    return PERSON


@contextmanager
def _taking_everything() -> Iterator[None]:
    """In place of the channels: the message is taken and goes nowhere."""
    real = send_messages.hand_over
    send_messages.hand_over = lambda ctx, message, rules, attempt: Handed(sent())
    try:
        yield
    finally:
        send_messages.hand_over = real


# --- expectations -----------------------------------------------------------------------------------


def _planned(world: World, account: str) -> list[PlannedRow]:
    if not world.runs:
        raise SaldoError("account_unknown", account="no day was run")
    return planned(world.context(), world.runs[-1].day_run_id, account_id=world.account(account))


def _said(rows: list[PlannedRow]) -> str:
    each = (
        f"{row.channel} {row.step} {decimal_text(to_mills(row.asked), row.currency)} {row.currency}"
        + (f" blocked {row.blocked}" if row.blocked else "")
        for row in rows
    )
    return ", ".join(each) or "nothing planned"


def _message(world: World, told: dict[str, Any], ctx: Context) -> str | None:
    rows = _planned(world, told["account"])
    amount = Decimal(told["amount"]) if told["amount"] else None
    hits = [
        row
        for row in rows
        if (row.blocked, row.channel, row.step) == ("", told["channel"], told["step"])
        and amount in (None, row.asked)
        and told["currency"] in (None, row.currency)
    ]
    return None if hits else _said(rows)


def _no_message(world: World, told: dict[str, Any], ctx: Context) -> str | None:
    rows = [row for row in _planned(world, told["account"]) if not row.blocked]
    return _said(rows) if rows else None


def _blocked(world: World, told: dict[str, Any], ctx: Context) -> str | None:
    rows = _planned(world, told["account"])
    return None if told["code"] in {row.blocked for row in rows} else _said(rows)


def _level(world: World, told: dict[str, Any], ctx: Context) -> str | None:
    row = world.line_of(told["item"], ctx)
    history = item_history(ctx, [row["account_id"]]).filter(pl.col("item_id") == row["item_id"])
    found = int(history["level"][0]) if history.height else 0
    return None if found == int(told["level"]) else f"level {found}"


def _asked(world: World, told: dict[str, Any], ctx: Context) -> str | None:
    """What may be asked of an item, and why not all of it."""
    row = world.line_of(told["item"], ctx)
    found = askable_now(ctx, [row["account_id"]]).filter(pl.col("item_id") == row["item_id"])
    mills = int(found["asked_mills"][0]) if found.height else 0
    codes = sorted(found["codes"][0]) if found.height else []
    wanted = sorted((told["codes"] or "").split(", ")) if told["codes"] else codes
    if mills == to_mills(Decimal(told["amount"])) and codes == wanted:
        return None
    return f"{decimal_text(mills, row['currency'])} {', '.join(codes)}".strip()


def _is_promise(world: World, told: dict[str, Any], ctx: Context) -> str | None:
    rows = promises_of(ctx, world.account(told["account"]))
    if not rows:
        return "no promise"
    newest = rows[0]
    wanted = told["state"].replace(" ", "_")
    # Of what was kept, what came; of the rest, what is still expected.
    mills = newest.paid if newest.state in (KEPT, PARTIALLY_KEPT) else newest.remaining
    same = wanted in (newest.state, newest.ended)
    same = same and (Decimal(told["amount"]) if told["amount"] else None) in (None, mills)
    same = same and told["level"] in (None, str(newest.level))
    return None if same else f"{newest.state} {newest.ended} {mills:.2f} level {newest.level}"


def _sent_count(world: World, told: dict[str, Any], ctx: Context) -> str | None:
    found = message_contacts(ctx, [world.account(told["account"])]).height
    return None if found == int(told["count"]) else f"{found} sent ({', '.join(world.refusals)})"


# --- grammar ----------------------------------------------------------------------------------------

_STATES = "open|kept|partially kept|broken|void|withdrawn|replaced|mistake"
_WHAT = "promise|plan|dispute|hold|claim|reply"
OUTREACH_VERBS: dict[str, tuple[str, str, Callable[[World, dict[str, Any], Line], None]]] = {
    "promise": (
        rf"{_ACCOUNT}(?: {_AMOUNT})?{_ON} by (?P<by>{_D})(?P<written> in writing)?(?P<replacing> replacing)?",
        "CUSTOMER [AMOUNT [CUR]] [on ITEM, …] by DATE [in writing] [replacing]", _promise,
    ),
    "plan": (
        rf"{_ACCOUNT}(?: (?P<currency>[A-Z]{{3}}))? on (?P<items>{_ITEMS}) paying "
        rf"(?P<parts>{_D} {_M}(?:, {_D} {_M})*)",
        "CUSTOMER [CUR] on ITEM, … paying DATE AMOUNT, …", _plan,
    ),
    "dispute": (
        rf"{_ITEM}(?: (?P<amount>{_M}))?(?: claimed (?P<claimed>{_M}))?(?: (?P<reason>[a-z_]+))?{_NOTE}",
        'ITEM [AMOUNT] [claimed AMOUNT] [REASON] ["note"]', _dispute,
    ),
    "hold": (
        rf"(?:item {_ITEM}|{_ACCOUNT}) until (?P<until>{_D})(?: (?P<reason>[a-z_]+))?",
        "CUSTOMER | item ITEM until DATE [REASON]", _hold,
    ),
    "claim": (
        rf"{_ACCOUNT}(?: {_AMOUNT})?{_ON}(?: paid (?P<paid>{_D}))?",
        "CUSTOMER [AMOUNT [CUR]] [on ITEM, …] [paid DATE]", _claim,
    ),
    "reply": (rf"{_ACCOUNT}(?P<automatic> automatic)?{_NOTE}", 'CUSTOMER [automatic] ["text"]', _reply),
    "release": (
        rf"(?P<what>{_WHAT}) {_ACCOUNT}(?: (?P<outcome>[a-z_]+))?", f"{_WHAT} CUSTOMER [OUTCOME]", _release,
    ),
    "contact": (
        rf"{_ACCOUNT}(?: email (?P<email>\S+))?(?: pec (?P<pec>\S+))?(?: phone (?P<phone>\S+))?"
        r"(?: consent (?P<consent>\w+))?",
        "CUSTOMER [email ADDRESS] [pec ADDRESS] [phone NUMBER] [consent CHANNEL]", _contact,
    ),
    "stop-address": (
        r"(?P<channel>\w+) (?P<address>\S+) (?P<reason>\w+)", "CHANNEL ADDRESS REASON", _stop_address,
    ),
    "sending": (
        r"(?:(?P<stop>stop|resume)|(?P<name>\w+) (?P<value>.+))", "stop|resume | NAME VALUE", _sending,
    ),
    "cut-over": (
        rf"(?P<day>{_D})?(?: ?levels (?P<bands>\d+=\d+(?: \d+=\d+)*))?", "[DATE] [levels DAYS=LEVEL …]",
        _cut_over,
    ),
    "playbook": (r"(?P<name>[\w-]+)?", 'NAME | """', _playbook),
    "send": (rf"{_ACCOUNT}?", "[CUSTOMER]", _send),
}  # fmt: skip
OUTREACH_EXPECTATIONS: dict[str, tuple[str, str, Callable[[World, dict[str, Any], Context], str | None]]] = {
    "message": (
        rf"message {_ACCOUNT} (?P<channel>\w+) (?P<step>\S+)(?: {_AMOUNT})?",
        "message CUSTOMER CHANNEL STEP [AMOUNT [CUR]]", _message,
    ),
    "no": (rf"no message {_ACCOUNT}", "no message CUSTOMER", _no_message),
    "blocked": (rf"blocked {_ACCOUNT} (?P<code>\w+)", "blocked CUSTOMER CODE", _blocked),
    "level": (rf"level {_ITEM} (?P<level>\d+)", "level ITEM N", _level),
    "asked": (
        rf"asked {_ITEM} (?P<amount>{_M})(?: (?P<codes>\w+(?:, \w+)*))?", "asked ITEM AMOUNT [CODE, …]",
        _asked,
    ),
    "promise": (
        rf"promise {_ACCOUNT} (?P<state>{_STATES})(?: (?P<amount>{_M}))?(?: level (?P<level>\d+))?",
        f"promise CUSTOMER {_STATES} [AMOUNT] [level N]", _is_promise,
    ),
    "sent": (rf"sent {_ACCOUNT} (?P<count>\d+)", "sent CUSTOMER N", _sent_count),
}  # fmt: skip
