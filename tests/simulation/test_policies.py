"""The policies on a morning made by hand: whom they choose, how, and what a reply in hand changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from saldo.simulation.trial.office import Heard, Office
from saldo.simulation.trial.policies import POLICIES, Contact, DueItem, Known, Suggestion, grouped
from saldo.simulation.trial.rules import Budget, Rules, rules, sizes

DAY = date(2026, 3, 2)
EURO = 1000


def _rules(calls: int = 1, written: int = 2) -> Rules:
    return replace(rules("small"), budget=Budget(calls, written))


# Accounts 1 to 5: the larger the account's number, the younger its oldest item.
ITEMS = (
    DueItem(10, 1, 60, 100 * EURO),
    DueItem(20, 2, 31, 900 * EURO),
    DueItem(21, 2, 2, 50 * EURO),
    DueItem(30, 3, 16, 400 * EURO),
    DueItem(40, 4, 8, 5_000 * EURO),
    DueItem(50, 5, -4, 9_000 * EURO),
    DueItem(60, 6, 90, 20 * EURO),
)


def _known(**changes: object) -> Known:
    plain = Known(DAY, grouped(ITEMS), (), frozenset(), {}, {})
    return replace(plain, **changes)  # type: ignore[arg-type]


def _chosen(policy: str, known: Known, shared: Rules | None = None) -> list[Contact]:
    return POLICIES[policy].chooses(known, shared or _rules())


def _who(contacts: list[Contact]) -> list[tuple[int, str]]:
    return [(contact.account_id, contact.channel) for contact in contacts]


def test_nobody_is_contacted_without_a_policy() -> None:
    assert _chosen("none", _known()) == []


def test_orders_differ_and_trifles_are_left() -> None:
    assert _who(_chosen("oldest", _known())) == [(1, "call"), (2, "email"), (3, "email")]
    assert _who(_chosen("largest", _known())) == [(4, "call"), (2, "email"), (3, "email")]


def test_a_reminder_names_all_that_is_overdue_and_only_that() -> None:
    (second,) = (contact for contact in _chosen("oldest", _known()) if contact.account_id == 2)
    assert second.items == (20, 21)


def test_saldo_follows_its_worklist_and_its_channels() -> None:
    worklist = (Suggestion(3, "email"), Suggestion(2, "call"), Suggestion(4, "call"), Suggestion(5, "email"))
    contacts = _chosen("saldo", _known(worklist=worklist))
    # The second call finds no call left and is written; then the budget is spent.
    assert _who(contacts) == [(3, "email"), (2, "call"), (4, "email")]


def test_a_courtesy_names_what_falls_due() -> None:
    (contact,) = _chosen("saldo", _known(worklist=(Suggestion(5, "call"),)))
    assert (contact.tone, contact.items) == ("courtesy", (50,))


@pytest.mark.parametrize("policy", ["oldest", "largest", "calendar", "saldo"])
def test_no_policy_disturbs_who_rests(policy: str) -> None:
    worklist = tuple(Suggestion(account, "email") for account in range(1, 6))
    known = _known(worklist=worklist, resting=frozenset({1, 2, 4}))
    assert {account for account, _ in _who(_chosen(policy, known))} <= {3, 5}
    assert (3 in dict(_who(_chosen(policy, known)))) is True


@pytest.mark.parametrize("policy", ["oldest", "largest", "saldo"])
def test_a_contact_is_followed_by_a_pause(policy: str) -> None:
    worklist = (Suggestion(1, "email"),)
    lately = {1: (DAY - timedelta(days=6),), 4: (DAY - timedelta(days=6),)}
    assert not {1, 4} & set(dict(_who(_chosen(policy, _known(worklist=worklist, contacted=lately)))))
    long_ago = {account: (DAY - timedelta(days=7),) for account in (1, 4)}
    assert {1, 4} & set(dict(_who(_chosen(policy, _known(worklist=worklist, contacted=long_ago)))))


@pytest.mark.parametrize("policy", ["oldest", "largest", "calendar", "saldo"])
def test_the_budget_is_never_exceeded(policy: str) -> None:
    items = [DueItem(n, n, 10 + n, 1_000 * EURO) for n in range(50)]
    worklist = tuple(Suggestion(n, "call" if n % 2 else "email") for n in range(50))
    for calls, written in ((0, 0), (0, 3), (3, 0), (2, 5)):
        known = _known(items=grouped(items), worklist=worklist)
        contacts = _chosen(policy, known, _rules(calls, written))
        channels = [contact.channel for contact in contacts]
        assert (channels.count("call"), channels.count("email")) == (calls, written)
        assert len({contact.account_id for contact in contacts}) == len(contacts)


def test_the_calendar_sends_its_letters_in_order_and_once() -> None:
    shared = _rules(calls=1, written=9)
    first = _chosen("calendar", _known(), shared)
    # The oldest gets its first letter first; two days past due is too early; all first letters are written.
    assert _who(first) == [(1, "email"), (2, "email"), (3, "email"), (4, "email")]
    assert {contact.tone for contact in first} == {"soft"}
    assert first[1].lettered == (20,) and first[1].items == (20, 21)
    second = _chosen("calendar", _known(letters={10: 1, 20: 1, 30: 1, 40: 1}), shared)
    assert [(c.account_id, c.tone) for c in second] == [(1, "firm"), (2, "firm"), (3, "firm")]
    third = _chosen("calendar", _known(letters={10: 2, 20: 2, 30: 2, 40: 2}), shared)
    assert [(c.account_id, c.tone, c.channel) for c in third] == [
        (1, "formal", "call"),
        (2, "formal", "email"),
    ]
    assert _chosen("calendar", _known(letters={10: 3, 20: 3, 30: 3, 40: 3}), shared) == []


def test_the_backlog_of_the_calendar_waits_for_the_oldest() -> None:
    assert _who(_chosen("calendar", _known(), _rules(calls=0, written=2))) == [(1, "email"), (2, "email")]


@pytest.mark.parametrize(
    ("age", "earlier", "tone"),
    [
        (0, 5, "courtesy"),
        (1, 0, "soft"),
        (60, 0, "soft"),
        (20, 1, "firm"),
        (60, 1, "firm"),
        (45, 2, "formal"),
    ],
)
def test_tones(age: int, earlier: int, tone: str) -> None:
    assert _rules().tone(age, earlier) == tone


def test_tones_count_contacts_since_the_oldest_item_fell_due() -> None:
    days = (DAY - timedelta(days=80), DAY - timedelta(days=40), DAY - timedelta(days=20))
    (contact,) = (c for c in _chosen("oldest", _known(contacted={1: days})) if c.account_id == 1)
    assert contact.tone == "formal"  # two of the three
    (contact,) = (c for c in _chosen("oldest", _known(contacted={1: days[:2]})) if c.account_id == 1)
    assert contact.tone == "firm"


# -- the office -------------------------------------------------------------------------------------------


def _resting(office: Office, day: date) -> frozenset[int]:
    return office.morning(day, (), ()).resting


def test_a_promise_is_waited_for_with_its_tolerance() -> None:
    office = Office(_rules())
    promised = DAY + timedelta(days=10)
    heard = office.hear([Heard(0, 1, "promise", DAY, promised)])
    last = promised + timedelta(days=3)
    assert [(reply.account_id, until) for reply, until in heard] == [(1, last)]
    assert _resting(office, last) == {1}
    assert _resting(office, last + timedelta(days=1)) == frozenset()
    assert office.hear([Heard(0, 1, "promise", DAY, promised)]) == []


def test_a_dispute_rests_until_it_is_settled() -> None:
    office = Office(_rules())
    office.hear([Heard(0, 1, "dispute", DAY), Heard(1, 2, "dispute", DAY)])
    assert _resting(office, DAY + timedelta(days=80)) == {1, 2}
    office.settle([1])
    assert _resting(office, DAY + timedelta(days=80)) == {2}
    assert _resting(office, DAY + timedelta(days=91)) == frozenset()


def test_a_wrong_person_does_not_count_as_a_contact() -> None:
    office = Office(_rules())
    office.did(DAY, [Contact(1, "email", "soft", (10,))])
    office.hear([Heard(0, 1, "wrong_person", DAY)])
    tomorrow = office.morning(DAY + timedelta(days=2), ITEMS, ())
    assert 1 in dict(_who(_chosen("oldest", tomorrow)))


def test_who_is_away_is_asked_on_the_return() -> None:
    office = Office(_rules())
    back = DAY + timedelta(days=9)
    office.hear([Heard(0, 1, "out_of_office", DAY, back)])
    assert _resting(office, back - timedelta(days=1)) == {1}
    assert _resting(office, back) == frozenset()


def test_every_size_has_rules() -> None:
    for size in sizes():
        assert rules(size).budget.contacts > 0
