"""What the office of a trial remembers: promises that break, plans that stand or fall, what is not asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from saldo.simulation.trial.agreements import Agreements
from saldo.simulation.trial.office import Heard, Office
from saldo.simulation.trial.policies import POLICIES, Contact, DueItem, Known, Suggestion, grouped
from saldo.simulation.trial.rules import CALL, PLAN, Budget, Rules, rules

DAY = date(2026, 3, 2)
EURO = 1000
DEBT = {10: 600 * EURO, 11: 300 * EURO, 12: 300 * EURO}
ITEMS = tuple(DueItem(item, 1, 40 - item, mills) for item, mills in DEBT.items())


def _rules(calls: int = 1, written: int = 2) -> Rules:
    return replace(rules("small"), budget=Budget(calls, written))


def _after(days: int) -> date:
    return DAY + timedelta(days=days)


def test_a_plan_stands_while_its_installments_come_and_falls_with_the_first_that_does_not() -> None:
    agreements = Agreements()
    plan = agreements.agree(1, DEBT, _after(7), DAY)
    assert plan is not None
    assert sum(mills for _, mills in plan.installments) == sum(DEBT.values())
    days = [day for day, _ in plan.installments]
    assert len(days) == len(DEBT) and days[0] >= _after(7)
    assert agreements.planned() == set(DEBT)
    # The first comes in time; the second is waited for within the tolerance, and not beyond.
    paid = {11: DEBT[11], 12: DEBT[12] // 2}
    agreements.judge(DEBT, days[0] + timedelta(days=5))
    assert agreements.planned() == set(DEBT)
    agreements.judge(paid, days[1] + timedelta(days=5))
    assert agreements.planned() == set(DEBT)
    agreements.judge({12: DEBT[12], 11: DEBT[11], 10: 1}, days[1] + timedelta(days=6))
    assert agreements.planned() == frozenset()


def test_a_plan_that_is_paid_is_over() -> None:
    agreements = Agreements()
    agreements.agree(1, DEBT, _after(7), DAY)
    agreements.judge({}, _after(8))
    assert not agreements.plans


def test_what_is_in_a_plan_is_not_planned_again() -> None:
    agreements = Agreements()
    agreements.agree(1, {10: DEBT[10]}, _after(7), DAY)
    assert agreements.agree(1, {10: DEBT[10]}, _after(7), DAY) is None
    agreements.agree(1, DEBT, _after(7), DAY)
    (plan,) = agreements.plans.values()
    assert plan.items == DEBT
    assert sum(mills for _, mills in plan.installments) == sum(DEBT.values())


@pytest.mark.parametrize(("left", "is_broken"), [(DEBT, True), ({}, False)])
def test_a_promise_is_judged_by_what_is_open_of_what_was_asked(left: dict[int, int], is_broken: bool) -> None:
    office = Office(_rules())
    office.morning(DAY, ITEMS, ())
    office.did(DAY, [Contact(1, "email", "soft", (10, 11))])
    office.hear([Heard(0, 1, "promise", DAY, _after(5))])
    later = [DueItem(item, 1, 60, mills) for item, mills in left.items()]
    office.morning(_after(8), later, ())
    assert office.agreements.broken == {}
    office.morning(_after(9), later, ())
    assert (1 in office.agreements.broken) is is_broken


def test_nobody_is_asked_for_what_a_plan_covers() -> None:
    office = Office(_rules())
    office.morning(DAY, ITEMS, ())
    office.did(DAY, [Contact(1, "email", "soft", (10, 11), purpose=PLAN)])
    office.hear([Heard(0, 1, "plan_accepted", DAY, _after(20))])
    (plan,) = office.new_plans
    assert set(plan.items) == {10, 11}
    assert office.agreements.reasons[1][0] == "cash"
    known = office.morning(_after(10), ITEMS, (Suggestion(1, CALL),))
    assert [item.item_id for item in known.overdue(1)] == [12]
    (contact,) = POLICIES["saldo"].chooses(known, _rules())
    assert contact.items == (12,)


def _known(kinds: list[str]) -> Known:
    items = [DueItem(n, n, 30, 1_000 * EURO) for n in range(len(kinds))]
    worklist = tuple(Suggestion(n, kind) for n, kind in enumerate(kinds))
    return Known(DAY, grouped(items), worklist, frozenset(), {}, {})


def test_an_offer_of_a_plan_takes_the_minutes_of_a_call() -> None:
    """The minutes of a day are those of its calls and letters: 8 + 2; an offer takes 6."""
    contacts = POLICIES["saldo"].chooses(_known([PLAN, CALL, "email", "email"]), _rules())
    assert [(contact.account_id, contact.channel) for contact in contacts] == [(0, "email"), (1, "email")]
    first, second = contacts
    assert (first.purpose, first.tone, second.purpose) == (PLAN, "soft", "reminder")


@pytest.mark.parametrize("kind", ["escalate", "close", "none"])
def test_what_is_no_contact_contacts_nobody(kind: str) -> None:
    assert POLICIES["saldo"].chooses(_known([kind]), _rules()) == []
