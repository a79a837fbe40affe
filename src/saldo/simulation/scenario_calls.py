"""Calls in the scenario language: what came of them, taken back, call-backs at their hour.

CALL_VERBS and CALL_EXPECTATIONS are their grammar, beside those of the other modules.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from saldo.collection.callbacks import call_backs
from saldo.collection.operations import record_outcome
from saldo.collection.queries import SKIPPED, outcomes_of, worklist
from saldo.core.context import Context
from saldo.core.money import to_mills
from saldo.core.outcomes import DELAY_REASONS, RESULTS, SKIP_REASONS
from saldo.flows.call_script import script, standing
from saldo.flows.log_call import CallLog, log_call, undo
from saldo.identity.models import DayRun
from saldo.parties.models import Contact
from saldo.parties.queries import LEGAL_ZONE
from saldo.simulation.scenario_text import Line, ScenarioError
from saldo.simulation.scenario_world import World

_D = r"\d{4}-\d{2}-\d{2}"
_M = r"-?\d[\d.]*"
_NAME = r'(?:"[^"]+"|\S+)'
_ACCOUNT = rf"(?P<account>{_NAME})"
_RESULTS = "|".join(RESULTS)
# Whoever calls, unless a line says who.
CALLER = "system:caller"


def _caller(world: World, told: dict[str, Any]) -> Context:
    """Colleagues have names of their own; none of them is a user with rights, as all is seen anyway."""
    return replace(world.context(), actor=f"system:{told['actor']}" if told["actor"] else CALLER)


def _call(world: World, told: dict[str, Any], line: Line) -> None:
    """A call with its result, and what it says besides."""
    account = world.account(told["account"])
    on = date.fromisoformat(told["on"]) if told["on"] else None
    at = None
    if told["hour"]:
        hours, minutes = map(int, told["hour"].split(":"))
        at = datetime.combine(on or world.day, time(hours, minutes), LEGAL_ZONE)
    item = [int(world.line_of(told["item"])["item_id"])] if told["item"] else []
    contact = Contact.objects.filter(account_id=account).exclude(phone="").order_by("id").first()
    log = CallLog(
        result=told["result"], note=told["note"] or "", contact_id=contact and contact.id,
        delay_reason=told["reason"] or "", item_ids=item,
        amount_mills=to_mills(Decimal(told["amount"])) if told["amount"] else None,
        promised_date=date.fromisoformat(told["by"]) if told["by"] else None,
        follow_up_date=None if at else on, call_back_at=at,
    )  # fmt: skip
    log_call(_caller(world, told), account, log)


def _undo(world: World, told: dict[str, Any], line: Line) -> None:
    undo(_caller(world, told), world.account(told["account"]))


def _skip(world: World, told: dict[str, Any], line: Line) -> None:
    until = date.fromisoformat(told["until"])
    account = world.account(told["account"])
    record_outcome(world.context(), account, SKIPPED, "", until, skip_reason=told["reason"])


def _clock(world: World, told: dict[str, Any], line: Line) -> None:
    """It is that hour of the line's day, Italian time."""
    hours, minutes = map(int, told["hour"].split(":"))
    at = datetime.combine(world.day, time(hours, minutes), LEGAL_ZONE).astimezone(UTC)
    if at < world.now:
        raise ScenarioError(line.number, "an hour that is still to come", told["hour"])
    world.now = at


# --- expectations -----------------------------------------------------------------------------------


def _listed(world: World, told: dict[str, Any], ctx: Context) -> str | None:
    """The accounts that the list shows now, in its order: due call-backs first."""
    run = DayRun.objects.get(id=world.runs[-1].day_run_id)
    due = [one.account_id for one in call_backs(ctx) if one.is_due]
    found = [row.code for row in worklist(ctx, run, first=due)]
    wanted = [] if told["accounts"] == "nobody" else told["accounts"].split(", ")
    return None if found == wanted else ", ".join(found) or "nobody"


def _last_call(world: World, told: dict[str, Any], ctx: Context) -> str | None:
    """What was recorded last of an account and not taken back."""
    rows = standing(outcomes_of(world.account(told["account"])))
    found = next((row.result for row in rows if row.result), "nothing")
    return None if found == told["result"] else found


def _script(world: World, told: dict[str, Any], ctx: Context) -> str | None:
    """The text is part of what the script of a call says, in the scenario's language."""
    from saldo.core.reasons import render

    made = script(ctx, world.account(told["account"]))
    lines = [*made.mind, *made.last, *made.ask, *made.propose]
    text = "; ".join(render(line.code, line.params, world.language).replace("\xa0", " ") for line in lines)
    return None if told["text"] in text else text


_BY = r"(?: as (?P<actor>\w+))?"
CALL_VERBS: dict[str, tuple[str, str, Callable[[World, dict[str, Any], Line], None]]] = {
    "call": (
        rf"{_ACCOUNT} (?P<result>{_RESULTS})(?: (?P<amount>{_M}))?(?: of (?P<item>{_NAME}))?"
        rf"(?: by (?P<by>{_D}))?(?: on (?P<on>{_D}))?(?: at (?P<hour>\d\d:\d\d))?"
        rf"(?: because (?P<reason>{'|'.join(DELAY_REASONS)}))?{_BY}" r'(?: "(?P<note>[^"]+)")?',
        'CUSTOMER RESULT [AMOUNT] [of ITEM] [by DATE] [on DATE] [at HH:MM] [because REASON] [as NAME] ["…"]',
        _call,
    ),
    "undo-call": (rf"{_ACCOUNT}{_BY}", "CUSTOMER [as NAME]", _undo),
    "skip": (
        rf"{_ACCOUNT} until (?P<until>{_D}) (?P<reason>{'|'.join(SKIP_REASONS)})",
        "CUSTOMER until DATE REASON", _skip,
    ),
    "clock": (r"(?P<hour>\d\d:\d\d)", "HH:MM", _clock),
}  # fmt: skip
CALL_EXPECTATIONS: dict[str, tuple[str, str, Callable[[World, dict[str, Any], Context], str | None]]] = {
    "listed": (
        r"listed (?P<accounts>nobody|\S+(?:, \S+)*)", "listed nobody | CUSTOMER, …", _listed,
    ),
    "last-call": (rf"last-call {_ACCOUNT} (?P<result>\w+)", "last-call CUSTOMER RESULT|nothing", _last_call),
    "script": (rf'script {_ACCOUNT} "(?P<text>[^"]+)"', 'script CUSTOMER "…"', _script),
}  # fmt: skip
