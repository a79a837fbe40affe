"""What is left of disputed amounts: text tables of what happened to one item."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saldo.core.disputes import (
    AGREED,
    OPEN,
    Agreement,
    Change,
    Left,
    Objection,
    Settlement,
    age_band,
    case_of,
    left_of_item,
    waits_for,
)

FIRST, SECOND = ("dispute", 1), ("dispute", 2)


def day(number: int) -> date:
    return date(2026, 3, number)


def at(number: int) -> datetime:
    return datetime(2026, 3, number, 12, tzinfo=UTC)


def told(text: str) -> tuple[list[Objection], list[Settlement]]:
    """ "1 dispute 300" or "2 dispute 300 second", "5 credit_note 200", "6 payment -700", "7 refused 50"."""
    said: list[tuple[tuple[str, int], int, int]] = []
    changes: dict[tuple[str, int], list[Change]] = {}
    settlements = []
    for line in filter(None, (line.strip() for line in text.split(";"))):
        number, what, amount, *of = line.split()
        n, mills, key = int(number), int(amount) * 1000, SECOND if of else FIRST
        if what == "dispute":
            said.append((key, n, mills))
        elif what in ("refused", "withdrawn", "reopened", "credited"):
            changes.setdefault(key, []).append(Change(day(n), at(n), mills, what))
        else:
            settlements.append(Settlement(day(n), at(n), mills, what, n))
    return [
        Objection(k, day(n), at(n), mills, tuple(changes.get(k, ()))) for k, n, mills in said
    ], settlements


# (what happened to an item of 1,000; what is left of the first dispute, of the second; how the first ended)
TABLE = [
    ("1 dispute 300", 300, None, OPEN),
    ("1 dispute 300; 5 credit_note 200", 100, None, OPEN),
    ("1 dispute 300; 5 credit_note 300", 0, None, "credited"),
    ("1 credit_note 300; 2 dispute 300", 300, None, OPEN),
    ("1 dispute 300; 5 payment 700", 300, None, OPEN),
    ("1 dispute 300; 5 payment 700; 6 payment 120", 180, None, OPEN),
    ("1 dispute 300; 5 payment 1000", 0, None, "paid"),
    ("1 dispute 300; 5 payment 1000; 8 payment -1000", 300, None, OPEN),
    ("1 dispute 300; 5 closure 1000", 0, None, "closed"),
    ("1 dispute 300; 5 closure 1000; 8 closure -1000; 8 payment 700", 300, None, OPEN),
    ("1 dispute 300; 5 credit_note 300; 8 credit_note -300", 300, None, OPEN),
    ("1 dispute 300; 5 write_off 300", 0, None, "written_off"),
    ("1 dispute 300; 5 refused 300; 6 credit_note 300", 0, None, "refused"),
    ("1 dispute 300; 5 refused 300; 6 reopened -200; 7 credit_note 200", 0, None, "credited"),
    ("1 dispute 300; 2 dispute 100 second; 5 credit_note 320", 0, 80, "credited"),
    ("1 dispute 300; 2 dispute 100 second; 5 payment 650", 300, 50, OPEN),
    ("1 dispute 300; 5 provisional_payment 300", 300, None, OPEN),
]


@pytest.mark.parametrize(("text", "first", "second", "state"), TABLE, ids=[row[0] for row in TABLE])
def test_what_is_left(text: str, first: int, second: int | None, state: str) -> None:
    found = left_of_item(1_000_000, *told(text))
    assert found[FIRST].mills == first * 1000
    assert (found[SECOND].mills if SECOND in found else None) == (None if second is None else second * 1000)
    assert case_of([found[FIRST]]).state == state


def test_a_credit_note_dated_before_the_dispute_but_known_after_it_counts_from_the_dispute() -> None:
    said = [Objection(FIRST, day(5), at(5), 300_000)]
    (left,) = left_of_item(1_000_000, said, [Settlement(day(2), at(7), 300_000, "credit_note", 9)]).values()
    assert (left.mills, left.ended_date) == (0, day(5))
    # Known before, dated after: it was not in the balance that was objected to either.
    (left,) = left_of_item(1_000_000, said, [Settlement(day(8), at(4), 300_000, "credit_note", 9)]).values()
    assert left.mills == 0


def test_an_agreement_waits_until_the_ledger_shows_it() -> None:
    said, settled = told("1 dispute 300; 5 credit_note 100; 9 credit_note 150")
    agreed = [Agreement(at(6), 200_000, "credited")]
    before = case_of(list(left_of_item(1_000_000, said, settled[:1]).values()), agreed)
    assert (before.state, before.left_mills, before.waits_mills) == (AGREED, 200_000, 200_000)
    after = case_of(list(left_of_item(1_000_000, said, settled).values()), agreed)
    assert (after.state, after.waits_mills) == (AGREED, 50_000)
    assert case_of(list(left_of_item(1_000_000, said, settled).values())).state == OPEN


def test_who_is_to_move() -> None:
    assert waits_for(OPEN, "", False) == "office"
    assert waits_for(OPEN, "magazzino", False) == "owner"
    assert waits_for(OPEN, "magazzino", True) == "office"
    assert waits_for(AGREED, "magazzino", False) == "ledger"
    assert [age_band(days) for days in (0, 7, 8, 30, 31, 90, 91, 4000)] == [0, 0, 1, 1, 2, 3, 4, 4]


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["credit_note", "payment", "write_off", "closure", "refused", "back"]),
        st.integers(1, 400),
    ),
    max_size=12,
)


@given(EVENTS, st.integers(1, 600), st.integers(0, 400))
def test_left_is_within_what_is_owed_and_everything_is_accounted_for(
    events: list[tuple[str, int]], first: int, second: int
) -> None:
    """Whatever happens: nothing negative, never more disputed than open, no mill lost."""
    start = datetime(2026, 3, 1, tzinfo=UTC)
    settled: list[Settlement] = []
    changes: list[Change] = []
    balance = 1000
    for no, (kind, amount) in enumerate(events, start=1):
        when = start + timedelta(days=no)
        gone = {one.credit_item_id for one in settled if one.mills < 0}
        live = [one for one in settled if one.credit_item_id not in gone]
        if kind == "refused":
            changes.append(Change(when.date(), when, amount, "refused"))
        elif kind == "back":
            for one in live[-1:]:
                settled.append(Settlement(when.date(), when, -one.mills, one.kind, one.credit_item_id))
                balance += one.mills
        elif amount <= balance:
            settled.append(Settlement(when.date(), when, amount, kind, no))
            balance -= amount
    said = [Objection(FIRST, start.date(), start, first, tuple(changes))]
    said += [Objection(SECOND, start.date(), start, second)] if second else []
    found: list[Left] = list(left_of_item(1000, said, settled).values())
    assert all(one.mills >= 0 for one in found)
    assert sum(one.mills for one in found) <= max(0, balance) or not settled
    for one, objection in zip(found, said, strict=True):
        assert one.mills + sum(each.mills for each in one.taken) == objection.mills
