"""What customers ask for once, the two figures of a survey, and the order of a day of visits."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saldo.core import visits
from saldo.core.care import csat, nps
from saldo.core.errors import SaldoError
from saldo.core.preferences import call_advice, clean_value, hours_text, hours_words, parse_hours
from saldo.core.visits import DAY_MINUTES, Stop

MONDAY = datetime(2026, 3, 16, 10, 0)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("lun-ven 14-18.30", "mon-fri 14:00-18:30"),
        ("mon, wed 9:00 - 12:30; Sabato 9-12", "mon,wed 09:00-12:30; sat 09:00-12:00"),
        ("9-12", "09:00-12:00"),
        ("ven-lun 8-9", "mon,fri,sat,sun 08:00-09:00"),
    ],
)
def test_hours_are_kept_in_one_spelling(said: str, kept: str) -> None:
    assert hours_text(parse_hours(said)) == kept
    assert hours_text(parse_hours(kept)) == kept
    assert hours_text(parse_hours(hours_words(kept, "it"))) == kept


@pytest.mark.parametrize(
    "bad", ["", "mattina", "18-9", "lun 9", "xyz 9-12", "25-26", "9-12 forse", "lun-mar-mer 9-12"]
)
def test_hours_that_say_nothing_are_refused(bad: str) -> None:
    with pytest.raises(SaldoError) as told:
        parse_hours(bad)
    assert told.value.code == "preference_hours_bad"


def test_a_call_waits_for_the_hours_that_suit() -> None:
    afternoons = [("call_hours", "mon-fri 14:00-18:00")]
    now = call_advice(afternoons, MONDAY)
    assert (now.may_call, now.code, now.next_at) == (False, "call_hours", MONDAY.replace(hour=14))
    assert call_advice(afternoons, MONDAY.replace(hour=14)).may_call
    friday_evening = datetime(2026, 3, 20, 18, 0)
    assert call_advice(afternoons, friday_evening).next_at == datetime(2026, 3, 23, 14, 0)
    never = call_advice([*afternoons, ("no_call", "")], MONDAY.replace(hour=15))
    assert (never.may_call, never.code) == (False, "no_call")
    assert call_advice([("statement", "")], MONDAY).may_call


@pytest.mark.parametrize(
    ("kind", "value", "has_contact", "code"),
    [
        ("mornings", "", False, "preference_unknown"),
        ("contact", "", False, "preference_needs_contact"),
        ("do_not_ask", "  ", False, "preference_needs_words"),
        ("call_hours", "presto", False, "preference_hours_bad"),
    ],
)
def test_a_preference_that_says_too_little_is_refused(
    kind: str, value: str, has_contact: bool, code: str
) -> None:
    with pytest.raises(SaldoError) as told:
        clean_value(kind, value, has_contact)
    assert told.value.code == code


def test_the_two_figures() -> None:
    assert csat([]) is None and nps([]) is None
    content = csat([5, 4, 3, 1])
    assert content is not None and content.value == 0.5
    # Wilson's interval for 2 of 4, as in the tables.
    assert (round(content.low, 3), round(content.high, 3)) == (0.150, 0.850)
    told = nps([10, 9, 8, 7, 6, 0])
    assert told is not None and told.value == 0.0 and told.low < -40 and told.high > 40
    sure = nps([10] * 400)
    assert sure is not None and sure.value == 100.0 and sure.low > 95
    few = nps([10, 10])
    assert few is not None and few.low < 20, "two answers prove nothing"


def stop(number: int, zip_code: str, street: str = "Via Roma 1", worth: int = 1_000_000) -> Stop:
    return Stop(number, "IT", zip_code, "Milano", street, worth)


def test_areas_stand_by_what_waits_there() -> None:
    found = visits.areas(
        [stop(1, "20121"), stop(2, "00184", worth=9_000_000), stop(3, "20154"), stop(4, "", worth=99_000_000)]
    )
    assert [(area.key, [each.account_id for each in area.stops]) for area in found] == [
        ("IT-001", [2]), ("IT-201", [1, 3]),
    ]  # fmt: skip
    assert visits.area_of("IT", "Milano") == "" and visits.area_of("de", "80331") == "DE-803"


def test_the_way_goes_street_by_street_and_to_the_nearest_code() -> None:
    stops = [
        stop(1, "20154", "Via Bramante 9"), stop(2, "20121", "Via Dante 14"), stop(3, "20121", "Via Dante 2"),
        stop(4, "20900", "Via Italia 3"), stop(5, "20121", "Corso Magenta 1"),
    ]  # fmt: skip
    way = [each.account_id for each in visits.ordered(stops)]
    assert way == [5, 3, 2, 1, 4]
    assert [each.account_id for each in visits.ordered(reversed(stops))] == way


STOPS = st.lists(
    st.builds(
        Stop, account_id=st.integers(1, 10**6), country=st.sampled_from(["IT", "DE"]),
        zip_code=st.sampled_from(["20121", "20122", "20154", "37121", "80331", "x1"]), city=st.just("Città"),
        street=st.sampled_from(["Via A 1", "Via A 20", "Via B", "", "Via 20 Settembre 3"]),
        worth_mills=st.integers(1, 10**9), items=st.integers(1, 60),
    ),
    max_size=12, unique_by=lambda each: each.account_id,
)  # fmt: skip


@given(STOPS, st.integers(0, DAY_MINUTES))
def test_a_day_fits_into_its_minutes_and_names_nobody_twice(stops: list[Stop], minutes: int) -> None:
    day = visits.planned(stops, minutes)
    assert visits.total_minutes(day) <= minutes
    ids = [each.stop.account_id for each in day]
    assert len(set(ids)) == len(ids) and set(ids) <= {each.account_id for each in stops}
    # Whoever owes most is on it as soon as one visit fits at all.
    if stops and minutes >= 120:
        assert max(stops, key=lambda each: (each.worth_mills, -each.account_id)).account_id in ids


@given(STOPS, st.integers(-1, 1), st.integers(0, 11))
def test_moving_a_stop_loses_nobody(stops: list[Stop], steps: int, place: int) -> None:
    if not stops:
        return
    one = stops[place % len(stops)].account_id
    order = visits.moved(stops, one, steps)
    assert sorted(each.account_id for each in order) == sorted(each.account_id for each in stops)
    assert len(visits.without(stops, one)) == len(stops) - 1
