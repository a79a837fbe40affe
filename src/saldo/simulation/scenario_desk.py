"""Lists of several collectors in the scenario language: minutes, given accounts, whose list a row is on.

DESK_VERBS and DESK_EXPECTATIONS are their grammar, beside those of the other modules.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from saldo.collection.assignments import assign, set_capacity
from saldo.collection.models import Action
from saldo.core.context import Context
from saldo.identity.models import Grant, User
from saldo.simulation.scenario_text import Line
from saldo.simulation.scenario_world import World

_D = r"\d{4}-\d{2}-\d{2}"
_NAME = r'(?:"[^"]+"|\S+)'
_ACCOUNT = rf"(?P<account>{_NAME})"


def _collector(world: World, told: dict[str, Any], line: Line) -> None:
    """Somebody who collects has so many minutes a day, from the line's day on."""
    user, is_new = User.objects.get_or_create(username=told["name"])
    if is_new:
        Grant.objects.create(user=user, company_id=world.company.id, role=Grant.Role.COLLECTOR)
    until = date.fromisoformat(told["until"]) if told["until"] else None
    ctx = world.context().within(world.company.id)
    set_capacity(ctx, told["name"], int(told["minutes"]), until_date=until)


def _assign(world: World, told: dict[str, Any], line: Line) -> None:
    name = "" if told["name"] == "everybody" else told["name"]
    until = date.fromisoformat(told["until"]) if told["until"] else None
    assign(world.context(), [world.account(told["account"])], name, until_date=until)


def _on_list(world: World, told: dict[str, Any], ctx: Context) -> str | None:
    """The row of the last run is on that person's list, and the day's minutes reach it or do not."""
    run_id = world.runs[-1].day_run_id
    row = Action.objects.filter(day_run_id=run_id, account_id=world.account(told["account"])).first()
    if row is None:
        return "not in the worklist"
    name = row.collector or "everybody"
    beyond = bool(told["beyond"])
    found = f"{name}{'' if row.is_planned else ' beyond'}"
    return None if name == told["name"] and row.is_planned != beyond else found


DESK_VERBS: dict[str, tuple[str, str, Callable[[World, dict[str, Any], Line], None]]] = {
    "collector": (
        rf"(?P<name>\w+) (?P<minutes>\d+)(?: until (?P<until>{_D}))?", "NAME MINUTES [until DATE]",
        _collector,
    ),
    "assign": (
        rf"{_ACCOUNT} (?P<name>\w+)(?: until (?P<until>{_D}))?", "CUSTOMER NAME|everybody [until DATE]",
        _assign,
    ),
}  # fmt: skip
DESK_EXPECTATIONS: dict[str, tuple[str, str, Callable[[World, dict[str, Any], Context], str | None]]] = {
    "list": (
        rf"list {_ACCOUNT} (?P<name>\w+)(?P<beyond> beyond)?", "list CUSTOMER NAME|everybody [beyond]",
        _on_list,
    ),
}  # fmt: skip
