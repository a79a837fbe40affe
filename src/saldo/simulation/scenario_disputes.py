"""Disputes on their way in the scenario language: who owns them, what was answered, how they end.

DISPUTE_VERBS and DISPUTE_EXPECTATIONS are their grammar, beside those of the other modules. A verb is about
the newest dispute of the customer that did not end (reopen: the newest one).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from saldo.core.context import Context
from saldo.core.disputes import OUTCOMES
from saldo.core.money import to_mills
from saldo.disputes.operations import answer, change_owner, reopen, resolve
from saldo.disputes.queries import DisputeRow, disputes_of
from saldo.identity.models import Grant, User
from saldo.identity.operations import add_user
from saldo.simulation.scenario_text import Line, ScenarioError
from saldo.simulation.scenario_world import World

_D = r"\d{4}-\d{2}-\d{2}"
_M = r"\d[\d.]*"
_ACCOUNT = r'(?P<account>"[^"]+"|\S+)'
_AMOUNT = rf"(?: (?P<amount>{_M}))?"
_NOTE = r'(?: "(?P<note>[^"]+)")?'


def _newest(world: World, told: dict[str, Any], line: Line, live: bool = True) -> DisputeRow:
    for row in disputes_of(world.context(), world.account(told["account"])):
        if row.is_live or not live:
            return row
    raise ScenarioError(line.number, f"a dispute of {told['account']}", "none")


def _mills(told: dict[str, Any]) -> int | None:
    return to_mills(Decimal(told["amount"])) if told["amount"] else None


def _resolve(world: World, told: dict[str, Any], line: Line) -> None:
    row = _newest(world, told, line)
    resolve(world.context(), row.id, told["outcome"], _mills(told), told["note"] or "")


def _reopen(world: World, told: dict[str, Any], line: Line) -> None:
    reopen(world.context(), _newest(world, told, line, live=False).id, _mills(told), told["note"] or "")


def _owner(world: World, told: dict[str, Any], line: Line) -> None:
    """Somebody outside the credit office owns it from now on."""
    row, login = _newest(world, told, line), told["owner"]
    if not User.objects.filter(username=login).exists():
        add_user(world.context(), login, "not used", Grant.Role.RESOLVER, world.company.id)
    change_owner(world.context(), row.id, login, date.fromisoformat(told["by"]) if told["by"] else None)


def _answer(world: World, told: dict[str, Any], line: Line) -> None:
    row = _newest(world, told, line)
    answer(world.context(), row.id, told["verdict"], _mills(told), told["note"] or "")


def _is_dispute(world: World, told: dict[str, Any], ctx: Context) -> str | None:
    """The newest one: its state, what is left of it, and who is to move."""
    rows = disputes_of(ctx, world.account(told["account"]))
    if not rows:
        return "no dispute"
    row = rows[0]
    same = row.state == told["state"]
    for name, value in (("amount", row.current), ("original", row.amount)):
        same = same and (told[name] is None or Decimal(told[name]) == value)
    same = same and told["claimed"] in (None, str(row.claimed_amount and f"{row.claimed_amount:.2f}"))
    same = same and told["waits"] in (None, row.waits_for)
    same = same and told["due"] in (None, str(row.due_date))
    if same:
        return None
    return f"{row.state} {row.current:.2f} of {row.amount:.2f} waits for {row.waits_for} due {row.due_date}"


DISPUTE_VERBS: dict[str, tuple[str, str, Callable[[World, dict[str, Any], Line], None]]] = {
    "resolve": (
        rf"{_ACCOUNT} (?P<outcome>[a-z_]+){_AMOUNT}{_NOTE}",
        f'CUSTOMER {"|".join(OUTCOMES)} [AMOUNT] ["note"]', _resolve,
    ),
    "reopen": (rf"{_ACCOUNT}{_AMOUNT}{_NOTE}", 'CUSTOMER [AMOUNT] ["note"]', _reopen),
    "owner": (rf"{_ACCOUNT} (?P<owner>[\w.-]+)(?: by (?P<by>{_D}))?", "CUSTOMER LOGIN [by DATE]", _owner),
    "answer": (
        rf"{_ACCOUNT} (?P<verdict>\w+){_AMOUNT}{_NOTE}",
        'CUSTOMER justified|unjustified [AMOUNT] ["note"]', _answer,
    ),
}  # fmt: skip
DISPUTE_EXPECTATIONS: dict[str, tuple[str, str, Callable[[World, dict[str, Any], Context], str | None]]] = {
    "dispute": (
        rf"dispute {_ACCOUNT} (?P<state>\w+){_AMOUNT}(?: of (?P<original>{_M}))?"
        rf"(?: claimed (?P<claimed>{_M}))?(?: waits for (?P<waits>\w+))?(?: due (?P<due>{_D}))?",
        "dispute CUSTOMER STATE [LEFT] [of ORIGINAL] [claimed AMOUNT] [waits for owner|office|ledger]"
        " [due DATE]",
        _is_dispute,
    ),
}  # fmt: skip
