"""Promises judged: what cash keeps them, in which order, and what is never judged."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from saldo.core.promises import (
    BROKEN,
    KEPT,
    OPEN,
    PARTIALLY_KEPT,
    VOID,
    Cash,
    Judged,
    Said,
    judge,
    level_of,
)

GIVEN, DAY = date(2026, 2, 10), date(2026, 2, 20)
AFTER = date(2026, 2, 24)
ITEM, OTHER = 1, 2
FIRST = Said(7, GIVEN, DAY, {ITEM: 1000})
SECOND = Said(8, GIVEN, DAY + timedelta(days=5), {OTHER: 500})


def cash(mills: int, day: date = DAY, item: int | None = ITEM, since: tuple[int, ...] = (7, 8)) -> Cash:
    return Cash(mills, day, frozenset(since), item)


def told(*pieces: Cash, said: Said = FIRST, as_of: date = AFTER, until: date | None = None) -> Judged:
    (only,) = judge([said], pieces, 3, as_of, until)
    return only


def test_cash_up_to_the_end_of_the_tolerance_keeps_it() -> None:
    assert told(cash(1000)).state == KEPT
    assert told(cash(400), cash(600, AFTER - timedelta(days=1))).state == KEPT
    late = told(cash(400), cash(600, AFTER))
    assert (late.state, late.paid_mills, late.judged_date) == (PARTIALLY_KEPT, 400, AFTER)
    assert told(cash(600, AFTER)).state == BROKEN
    assert told(cash(1000, since=())).state == BROKEN, "it was there before the promise"


def test_nothing_is_judged_before_the_statements_reach_its_end() -> None:
    assert told(as_of=AFTER - timedelta(days=1)).state == OPEN
    assert told(until=AFTER - timedelta(days=2)).state == OPEN
    assert told(until=AFTER - timedelta(days=1)).state == BROKEN
    waits = [cash(10, item=None)]
    assert judge([FIRST], [], 3, AFTER, None, waits)[0].state == OPEN
    assert judge([FIRST], [], 3, AFTER, None, [cash(10, AFTER, None)])[0].state == BROKEN


def test_charges_that_were_written_off_do_not_make_it_fall_short() -> None:
    assert told(cash(990), replace(cash(10), is_waived=True)).state == KEPT
    assert told(replace(cash(10), is_waived=True)).state == BROKEN


def test_what_was_settled_without_cash_by_its_end_is_not_judged() -> None:
    gone = replace(FIRST, open_at_end={ITEM: 0})
    assert told(said=gone).state == VOID
    assert told(cash(400), said=gone).state == PARTIALLY_KEPT


def test_money_on_no_item_goes_to_the_earliest_day_first() -> None:
    loose = cash(1200, item=None)
    first, second = judge([SECOND, FIRST], [loose, cash(100)], 3, date(2026, 3, 10))
    assert (first.id, first.state, first.paid_mills) == (7, KEPT, 1000)
    assert (second.id, second.state, second.paid_mills) == (8, PARTIALLY_KEPT, 300)


def test_an_end_before_the_day_is_not_judged_and_one_after_it_wipes_nothing() -> None:
    before, after = replace(FIRST, withdrawn_date=DAY), replace(FIRST, withdrawn_date=DAY + timedelta(days=1))
    assert (told(said=before).state, told(said=before).ended) == (VOID, "withdrawn")
    assert (told(said=after).state, told(said=after).ended) == (BROKEN, "withdrawn")
    anew = Said(9, DAY, DAY + timedelta(days=9), {ITEM: 1000})
    first, later = judge([replace(FIRST, replaced={ITEM: (DAY, 9)}), anew], [], 3, AFTER)
    assert (first.state, first.ended, later.state) == (VOID, "replaced", OPEN)


def test_within_the_tolerance_later_money_is_the_new_promises() -> None:
    moved = DAY + timedelta(days=2)
    old = replace(FIRST, replaced={ITEM: (moved, 9)})
    anew = Said(9, moved, DAY + timedelta(days=9), {ITEM: 600})
    pieces = [cash(400, DAY), cash(600, moved, since=(7, 9))]
    first, later = judge([old, anew], pieces, 3, AFTER)
    assert (first.state, first.paid_mills) == (PARTIALLY_KEPT, 400)
    assert (later.state, later.paid_mills) == (KEPT, 600)


def test_money_that_came_back_un_keeps_it_on_that_day() -> None:
    back = date(2026, 3, 2)
    unkept = told(replace(cash(0), back_date=back), as_of=back)
    assert (unkept.state, unkept.judged_date) == (BROKEN, back)


def test_the_level_counts_how_often_it_was_put_off() -> None:
    assert level_of([], DAY, GIVEN) == 1
    assert level_of([(1, DAY, OPEN)], DAY, GIVEN) == 1, "the same day"
    assert level_of([(1, DAY, OPEN)], AFTER, GIVEN) == 2, "a later day"
    assert level_of([(2, DAY, BROKEN), (1, GIVEN, BROKEN)], DAY, AFTER) == 3
    assert level_of([(3, DAY, KEPT)], AFTER, AFTER) == 1


days = st.dates(GIVEN, date(2026, 3, 10))
pieces = st.lists(
    st.builds(
        Cash, st.integers(0, 1500), days, st.sets(st.sampled_from([7, 8, 9])).map(frozenset),
        st.sampled_from([ITEM, OTHER, None]),
    ),
    max_size=8,
)  # fmt: skip


@given(pieces, st.integers(0, 6), days)
def test_no_money_counts_twice_and_none_beyond_what_was_promised(
    found: list[Cash], tolerance: int, anew: date
) -> None:
    old = replace(FIRST, replaced={ITEM: (anew, 9)})
    third = Said(9, anew, anew + timedelta(days=7), {ITEM: 700})
    judged = judge([old, SECOND, third], found, tolerance, date(2026, 5, 1))
    assert sum(each.paid_mills for each in judged) <= sum(piece.mills for piece in found)
    for each in judged:
        assert 0 <= each.paid_mills <= each.promised_mills
        assert (each.state == KEPT) == (each.paid_mills == each.promised_mills) or each.state == VOID
    on_other = sum(piece.mills for piece in found if piece.item_id in (OTHER, None))
    assert judged[1].paid_mills <= on_other
