"""When messages may leave: hours, weekends, holidays, the clocks that change."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from hypothesis import given
from hypothesis import strategies as st

from saldo.core.calendar import public_holidays
from saldo.core.delivery_words import WORDS
from saldo.core.sending import SendingRules
from saldo.core.sending_hours import is_quiet, is_sending_day, next_moment, next_opening, zone_of

ROME = zone_of("IT")
TIMES = st.times().map(lambda told: told.replace(second=0, microsecond=0))


@st.composite
def rules(draw: st.DrawFn) -> SendingRules:
    return SendingRules(quiet_from=draw(TIMES), quiet_to=draw(TIMES), on_saturday=draw(st.booleans()))


@given(
    rules(),
    st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 1)),
    st.sampled_from(["IT", "DE", "GB", "GR", "ZZ"]),
)
def test_the_next_moment_is_the_first_at_which_one_may_send(
    told: SendingRules, naive: datetime, country: str
) -> None:
    local = naive.replace(tzinfo=UTC).astimezone(zone_of(country))
    found = next_moment(local, told, country)
    if found is None:
        assert is_sending_day(local.date(), told, country) and not is_quiet(local.time(), told)
        return
    opening, _ = found
    assert opening > local
    assert is_sending_day(opening.date(), told, country) and not is_quiet(opening.time(), told)
    assert next_moment(opening, told, country) is None
    # No earlier minute of an earlier sending day was free.
    day = local.date() + timedelta(days=1)
    while day < opening.date():
        assert not is_sending_day(day, told, country)
        day += timedelta(days=1)


def test_easter_liberation_day_and_saints() -> None:
    plain = SendingRules()
    closed = [date(2026, 4, 5), date(2026, 4, 6), date(2026, 4, 25), date(2026, 8, 15), date(2026, 12, 26)]
    assert not any(is_sending_day(day, plain, "IT") for day in closed)
    assert is_sending_day(date(2026, 4, 3), plain, "IT") and not is_sending_day(date(2026, 4, 3), plain, "DE")
    assert not is_sending_day(date(2026, 3, 14), plain, "IT")
    assert is_sending_day(date(2026, 3, 14), SendingRules(on_saturday=True), "IT")
    assert date(2026, 4, 25) in public_holidays("IT", 2026)
    # Christmas of 2026 with the weekend after it: the next opening is Monday the 28th.
    assert next_opening(date(2026, 12, 24), plain, "IT", ROME) == datetime(2026, 12, 28, 8, 30, tzinfo=ROME)


def test_quiet_hours_over_midnight_inside_a_day_and_none() -> None:
    night = SendingRules(quiet_from=time(20), quiet_to=time(8))
    assert is_quiet(time(20), night) and is_quiet(time(0), night) and not is_quiet(time(8), night)
    noon = SendingRules(quiet_from=time(13), quiet_to=time(14))
    assert is_quiet(time(13, 59), noon) and not is_quiet(time(14), noon) and not is_quiet(time(2), noon)
    never = SendingRules(quiet_from=time(9), quiet_to=time(9))
    assert not any(is_quiet(time(hour), never) for hour in range(24))


def test_words_are_told_in_two_languages() -> None:
    assert all(it and en and it != en for it, en in WORDS.values())
