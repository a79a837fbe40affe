"""Conditions compared: whether two can hold at once, and whether one holds whenever another does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from saldo.core.playbook import ANY, BROKEN, NONE, When

_SETS = ("classes", "countries", "segments", "delay_reasons")
_RANGES = (("open", "_mills"), ("known_days", ""), ("late_days", ""))
_STATES = ("promise", "dispute", "plan")
# What a state that is asked for lets through of what an account can be in.
_LETS_THROUGH = {
    "": frozenset({"none", "open", "broken"}),
    ANY: frozenset({"open", "broken"}),
    NONE: frozenset({"none"}),
    BROKEN: frozenset({"broken"}),
}


def conflict(one: When, other: When) -> str:
    """The condition in which the two cannot hold for one account; "" if they can."""
    for name in _SETS:
        own, others = getattr(one, name), getattr(other, name)
        if own and others and not set(own) & set(others):
            return name
    both = _narrowed(one, other)
    for name, suffix in _RANGES:
        low, high = getattr(both, f"min_{name}{suffix}"), getattr(both, f"max_{name}{suffix}")
        if low is not None and high is not None and low > high:
            return name
    for name in _STATES:
        if not _LETS_THROUGH[getattr(one, name)] & _LETS_THROUGH[getattr(other, name)]:
            return name
    return ""


def implies(narrow: When, wide: When, within: When = When()) -> bool:
    """Whether each account of ``within`` that fulfils ``narrow`` fulfils ``wide`` too."""
    both = _narrowed(narrow, within)
    return (
        all(_is_subset(getattr(both, name), getattr(wide, name)) for name in _SETS)
        and all(
            _is_within(both, wide, f"min_{name}{suffix}", f"max_{name}{suffix}") for name, suffix in _RANGES
        )
        and all(
            _LETS_THROUGH[getattr(narrow, name)] & _LETS_THROUGH[getattr(within, name)]
            <= _LETS_THROUGH[getattr(wide, name)]
            for name in _STATES
        )
    )


def _is_subset(narrow: tuple[str, ...], wide: tuple[str, ...]) -> bool:
    return not wide or (bool(narrow) and set(narrow) <= set(wide))


def _is_within(narrow: When, wide: When, low: str, high: str) -> bool:
    least, most = getattr(wide, low), getattr(wide, high)
    own_least, own_most = getattr(narrow, low), getattr(narrow, high)
    return (least is None or (own_least is not None and own_least >= least)) and (
        most is None or (own_most is not None and own_most <= most)
    )


def _narrowed(one: When, other: When) -> When:
    """Sets and ranges of both at once; states are compared apart."""
    told: dict[str, Any] = {name: _intersection(getattr(one, name), getattr(other, name)) for name in _SETS}
    for name, suffix in _RANGES:
        low, high = f"min_{name}{suffix}", f"max_{name}{suffix}"
        told[low] = _of_given(max, getattr(one, low), getattr(other, low))
        told[high] = _of_given(min, getattr(one, high), getattr(other, high))
    return replace(one, **told)


def _intersection(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(value for value in one if value in other) if one and other else one or other


def _of_given(choose: Callable[[Iterable[int]], int], *values: int | None) -> int | None:
    given = [value for value in values if value is not None]
    return choose(given) if given else None
