"""What customers asked for, in the scenario language.

CARE_VERBS and CARE_EXPECTATIONS are their grammar, beside those of the other modules.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from saldo.core.context import Context
from saldo.parties.preferences import end_preference, preferences_of, record_preference
from saldo.simulation.scenario_text import Line, ScenarioError
from saldo.simulation.scenario_world import World

_ACCOUNT = r'(?P<account>"[^"]+"|\S+)'
_VALUE = r'(?: "(?P<value>[^"]+)")?'


def _asks(world: World, told: dict[str, Any], line: Line) -> None:
    record_preference(
        world.context(), world.account(told["account"], make=True), told["kind"], told["value"] or ""
    )


def _asks_no_more(world: World, told: dict[str, Any], line: Line) -> None:
    ctx = world.context()
    for row in preferences_of(ctx, world.account(told["account"])):
        if row.kind == told["kind"]:
            end_preference(ctx, row.id)
            return
    raise ScenarioError(line.number, f"{told['account']} to have asked for {told['kind']}", "nothing")


def _has_asked(world: World, told: dict[str, Any], ctx: Context) -> str | None:
    rows = [(row.kind, row.value) for row in preferences_of(ctx, world.account(told["account"]))]
    if told["kind"] == "nothing":
        return None if not rows else f"{rows}"
    wanted = [value for kind, value in rows if kind == told["kind"]]
    return None if wanted and told["value"] in (None, *wanted) else f"{rows}"


CARE_VERBS: dict[str, tuple[str, str, Callable[[World, dict[str, Any], Line], None]]] = {
    "asks": (rf"{_ACCOUNT} (?P<kind>\w+){_VALUE}", 'CUSTOMER KIND ["VALUE"]', _asks),
    "asks-no-more": (rf"{_ACCOUNT} (?P<kind>\w+)", "CUSTOMER KIND", _asks_no_more),
}
CARE_EXPECTATIONS: dict[str, tuple[str, str, Callable[[World, dict[str, Any], Context], str | None]]] = {
    "asks": (
        rf"asks {_ACCOUNT} (?P<kind>\w+){_VALUE}", 'asks CUSTOMER KIND|nothing ["VALUE"]', _has_asked,
    ),
}  # fmt: skip
