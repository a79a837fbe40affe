"""When messages may leave: not in the quiet hours, not on Sundays and public holidays, on Saturdays only
where a company wants it. Pure rules on local time; docs/rules/sending.md."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from saldo.core.calendar import public_holidays
from saldo.core.errors import SaldoError
from saldo.core.sending import HOLIDAY, QUIET_HOURS, SendingRules

SATURDAY, SUNDAY = 5, 6
# The longest run of days on which nothing may leave, with room to spare.
SEARCHED_DAYS = 30
DEFAULT_ZONE = ZoneInfo("Europe/Rome")
# Countries whose clocks differ from Rome's. One zone each: a company is at its registered office.
_ZONES = {
    "GB": "Europe/London", "IE": "Europe/Dublin", "PT": "Europe/Lisbon", "IS": "Atlantic/Reykjavik",
    "GR": "Europe/Athens", "RO": "Europe/Bucharest", "BG": "Europe/Sofia", "FI": "Europe/Helsinki",
    "EE": "Europe/Tallinn", "LV": "Europe/Riga", "LT": "Europe/Vilnius", "CY": "Asia/Nicosia",
    "UA": "Europe/Kyiv", "TR": "Europe/Istanbul", "US": "America/New_York",
}  # fmt: skip


def zone_of(country: str) -> ZoneInfo:
    """The time zone in which a company of this country keeps its hours."""
    name = _ZONES.get(country)
    return ZoneInfo(name) if name else DEFAULT_ZONE


def is_sending_day(day: date, rules: SendingRules, country: str) -> bool:
    """Whether messages may leave on this day at all."""
    if day.weekday() == SUNDAY or (day.weekday() == SATURDAY and not rules.on_saturday):
        return False
    try:
        return day not in public_holidays(country, day.year)
    except SaldoError:
        return True  # no calendar of this country is known: the week alone counts


def is_quiet(moment: time, rules: SendingRules) -> bool:
    """Whether the hour is a quiet one: from quiet_from on and before quiet_to, over midnight or not."""
    first, end = rules.quiet_from, rules.quiet_to
    if first <= end:
        return first <= moment < end
    return moment >= first or moment < end


def next_moment(local: datetime, rules: SendingRules, country: str) -> tuple[datetime, str] | None:
    """None where a message may leave now; else the next instant at which one may, and why not before.

    local: the present instant in the company's zone (``zone_of``). The reason is that of today: HOLIDAY (a
    Sunday, Saturday or holiday) before QUIET_HOURS.
    """
    assert local.tzinfo is not None, "hours are those of a place"
    if not is_sending_day(local.date(), rules, country):
        return next_opening(local.date(), rules, country, local.tzinfo), HOLIDAY
    if not is_quiet(local.time(), rules):
        return None
    if local.time() < rules.quiet_to:
        return datetime.combine(local.date(), rules.quiet_to, local.tzinfo), QUIET_HOURS
    return next_opening(local.date(), rules, country, local.tzinfo), QUIET_HOURS


def next_opening(day: date, rules: SendingRules, country: str, zone: object) -> datetime:
    """The first instant of the first sending day after ``day``."""
    for _ in range(SEARCHED_DAYS):
        day += timedelta(days=1)
        if is_sending_day(day, rules, country):
            break
    # Quiet hours inside a day (13:00 to 14:00) leave its first minute free.
    opening = rules.quiet_to if rules.quiet_to < rules.quiet_from else time(0)
    if is_quiet(opening, rules):
        opening = rules.quiet_to
    return datetime.combine(day, opening, zone)  # type: ignore[arg-type]
