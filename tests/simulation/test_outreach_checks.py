"""The checks of a simulated year find what they are there to find."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from saldo.core.sending import SendingRules
from saldo.simulation.outreach_trial.checks import Checks, Facts, Truth
from saldo.simulation.outreach_trial.office import LeftItem, LeftMessage

DAY = date(2026, 3, 11)
ITEM, ACCOUNT, COMPANY = 7, 5, 1
MESSAGE = LeftMessage(
    1, COMPANY, ACCOUNT, DAY, "email", "overdue", 1, "soft", "EUR", "conti@example.com", 3, "<a@b>", 9,
    (LeftItem(ITEM, 100_000, 1, 0),),
)  # fmt: skip
NOTHING = Facts({}, {}, [], frozenset(), frozenset(), frozenset(), frozenset())
UNKNOWN = Truth({}, frozenset(), frozenset())


def checks(ladder: tuple[int, ...] = (1, 2, 3)) -> Checks:
    return Checks({COMPANY: SendingRules()}, {1: ladder, 2: ladder})


def found(
    message: LeftMessage = MESSAGE, balance: int = 100_000, facts: Facts = NOTHING, truth: Truth = UNKNOWN,
    checks: Checks | None = None,
) -> list[str]:  # fmt: skip
    made = checks or Checks({COMPANY: SendingRules()}, {1: (1, 2, 3)})
    made.day([message], {ITEM: (balance, ACCOUNT)}, {COMPANY: DAY - timedelta(days=1)}, truth, facts)
    return made.violations


def test_what_is_owed_may_be_asked_for() -> None:
    assert found() == []
    disputed = replace(NOTHING, disputed={ITEM: 50_000})
    assert found(balance=150_000, facts=disputed) == []
    kept = replace(NOTHING, promised={ITEM: [(100_000, 300_000, DAY)]})
    assert found(balance=200_000, facts=kept) == [], "of 200 that are left the promised 100 were paid"


@pytest.mark.parametrize(
    "facts",
    [
        {"disputed": {ITEM: 1}},
        {"promised": {ITEM: [(1, 100_000, DAY)]}},
        {"promised": {ITEM: [(1, 100_000, DAY - timedelta(days=3))]}},  # within tolerance
        {"claimed": [(1, frozenset({ITEM}))]},
        {"claimed_whole": frozenset({ITEM})},
        {"held_accounts": frozenset({ACCOUNT})},
        {"held_items": frozenset({ITEM})},
        {"stopped": frozenset({("email", "conti@example.com", None)})},
        {"stopped": frozenset({("email", "conti@example.com", COMPANY)})},
    ],
)
def test_what_is_blocked_is_found(facts: Mapping[str, Any]) -> None:
    assert len(found(facts=replace(NOTHING, **facts))) == 1


def test_a_broken_promise_may_be_asked_for() -> None:
    late = replace(NOTHING, promised={ITEM: [(100_000, 100_000, DAY - timedelta(days=4))]})
    assert found(facts=late) == []


def test_more_than_is_owed_is_found() -> None:
    assert len(found(balance=99_000)) == 2  # more than the balance, and more than is left to ask
    assert len(found(truth=Truth({ITEM: 9_999}, frozenset(), frozenset()))) == 1
    assert found(truth=Truth({ITEM: 10_000}, frozenset(), frozenset())) == []
    assert len(found(truth=Truth({}, frozenset({ITEM}), frozenset()))) == 1
    assert len(found(truth=Truth({}, frozenset(), frozenset(), {ACCOUNT: 9_999}))) == 1
    assert found(truth=Truth({ITEM: 0}, frozenset(), frozenset({ITEM}), {ACCOUNT: 10_000})) == []


@pytest.mark.parametrize(
    ("level", "before", "is_wrong"), [(1, 0, False), (2, 0, True), (3, 1, True), (2, 1, False), (1, 2, True)]
)
def test_a_jumped_level_is_found(level: int, before: int, is_wrong: bool) -> None:
    message = replace(MESSAGE, level=level, items=(LeftItem(ITEM, 100_000, level, before),))
    assert bool(found(message)) == is_wrong


def test_a_level_that_was_reached_is_remembered() -> None:
    made = checks()
    assert found(checks=made) == []
    later = replace(MESSAGE, message_id=2, day=DAY + timedelta(days=10))
    assert "had reached level 1" in found(later, checks=made)[0]


def test_caps_are_counted() -> None:
    made = checks()
    found(checks=made)
    again = replace(MESSAGE, message_id=2, day=DAY + timedelta(days=2), level=2)
    again = replace(again, items=(LeftItem(ITEM, 100_000, 2, 1),))
    assert any("reminded on" in wrong for wrong in found(again, checks=made))
    made = Checks({COMPANY: SendingRules(contact_week_cap=1)}, {})
    found(checks=made)
    soon = replace(again, track="soon", level=0, items=())
    assert any("in a week" in wrong for wrong in found(soon, checks=made))
