"""Days and hours as a collector types them while the customer speaks: "ven", "15/12", "+7", "dom 15:30".

The shortest forms are read here; a phrase ("entro fine mese", "next Friday") is read as in a mail
(core.spoken). What is typed is about what comes: a day without a year is the next one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, time, timedelta

from saldo.core.calendar import add_months, start_of_month
from saldo.core.spoken import SAID, days_in, plain_text

MOST_CHARACTERS = 60
# A day of the month or a date without a year may lie this far back and still be the one that was meant, so
# that it is refused as past and not taken for one of next year.
SLIP_DAYS = 31

_WEEKDAYS: Mapping[str, int] = {
    name: number
    for number, names in enumerate(
        ("lun lunedi mon monday", "mar martedi tue tuesday", "mer mercoledi wed wednesday",
         "gio giovedi thu thursday", "ven venerdi fri friday", "sab sabato sat saturday",
         "do domenica sun sunday"))
    for name in names.split()
}  # fmt: skip
_AHEAD: Mapping[str, int] = {
    "oggi": 0, "today": 0, "dom": 1, "doma": 1, "domani": 1, "tom": 1, "tomorrow": 1, "dopodomani": 2,
}  # fmt: skip
_HOUR = re.compile(
    r"(?:^|\s)(?:(?:alle|ore|h|at)\s*(?P<bare>\d{1,2})(?:[:.h](?P<bare_m>\d{2}))?|(?P<h>\d{1,2}):(?P<m>\d{2})"
    r"|(?P<hh>\d{1,2})h(?P<hm>\d{2})?)(?P<half>\s*(?:am|pm))?$"
)
_PARTS_OF_DAY: Mapping[str, time] = {
    "mattina": time(9), "mattino": time(9), "morning": time(9), "pomeriggio": time(14, 30),
    "afternoon": time(14, 30),
}  # fmt: skip


def parse_day(text: str, today: date) -> date | None:
    """The day that was typed; None for nothing, and for what names no one day. It may lie in the past: that
    is for whoever asks to refuse."""
    plain = " ".join(plain_text(text[:MOST_CHARACTERS]).split())
    if not plain:
        return None
    for pattern, read in _FORMS:
        if match := re.fullmatch(pattern, plain):
            try:
                return read(match, today)
            except (ValueError, OverflowError):
                return None
    return _spoken(text[:MOST_CHARACTERS], today)


def parse_moment(text: str, today: date) -> tuple[date, time | None] | None:
    """The day and, if one was typed, the hour. An hour alone is one of today."""
    plain = " ".join(plain_text(text[:MOST_CHARACTERS]).split())
    hour, rest = _hour(plain)
    if not rest:
        return (today, hour) if hour is not None else None
    day = parse_day(rest, today)
    return None if day is None else (day, hour)


def _hour(plain: str) -> tuple[time | None, str]:
    """The hour at the end of the text, and the text without it."""
    words = plain.split()
    if words and words[-1] in _PARTS_OF_DAY:
        return _PARTS_OF_DAY[words[-1]], " ".join(words[:-1])
    match = _HOUR.search(plain)
    if match is None:
        # "ven 15": after a name of a day, a number is an hour.
        short = re.fullmatch(r"(?P<day>[a-z]+) (?P<hour>\d{1,2})", plain)
        if short and (short["day"] in _WEEKDAYS or short["day"] in _AHEAD) and 7 <= int(short["hour"]) <= 20:
            return time(int(short["hour"])), short["day"]
        return None, plain
    hours = int(match["bare"] or match["h"] or match["hh"])
    minutes = int(match["bare_m"] or match["m"] or match["hm"] or 0)
    half = (match["half"] or "").strip()
    if half and 1 <= hours <= 12:
        hours = hours % 12 + (12 if half == "pm" else 0)
    if hours > 23 or minutes > 59:
        return None, plain
    return time(hours, minutes), plain[: match.start()].strip()


def _spoken(text: str, today: date) -> date | None:
    found = [day for day in days_in(text, today) if day.confidence >= SAID]
    return found[0].day if len({day.day for day in found}) == 1 else None


def _in_month(day: int, today: date) -> date:
    """The next day of that number; one a few days back is what was typed, and past."""
    for months in range(3):
        try:
            candidate = add_months(start_of_month(today), months).replace(day=day)
        except ValueError:
            continue
        if candidate >= today:
            return candidate
    raise ValueError(day)


def _dated(match: re.Match[str], today: date) -> date:
    month, day, year = int(match["month"]), int(match["day"]), match["year"]
    if year:
        return date(int(year) + (2000 if len(year) == 2 else 0), month, day)
    candidate = date(today.year, month, day)
    if candidate < today - timedelta(days=SLIP_DAYS):
        candidate = date(today.year + 1, month, day)
    return candidate


def _weekday(match: re.Match[str], today: date) -> date:
    ahead = (_WEEKDAYS[match["name"]] - today.weekday()) % 7
    # Who says "Friday" on a Friday means the next one: today is "oggi".
    return today + timedelta(days=ahead or 7)


def _counted(match: re.Match[str], today: date) -> date:
    count, unit = int(match["count"]), (match["unit"] or "g")[0]
    if unit == "m":
        months = add_months(start_of_month(today), count)
        last = (add_months(months, 1) - timedelta(days=1)).day
        return months.replace(day=min(today.day, last))
    return today + timedelta(days=count * (7 if unit in "sw" else 1))


def _month_end(match: re.Match[str], today: date) -> date:
    return add_months(start_of_month(today), 1) - timedelta(days=1)


_FORMS: tuple[tuple[str, Callable[[re.Match[str], date], date]], ...] = (
    (r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})", _dated),
    (r"(?:il )?(?P<day>\d{1,2})[/.-](?P<month>\d{1,2})(?:[/.-](?P<year>\d{4}|\d{2}))?", _dated),
    (r"(?:il )?(?P<day>\d{1,2})", lambda match, today: _in_month(int(match["day"]), today)),
    (
        r"(?:\+|tra |fra |in )\s*(?P<count>\d{1,3})\s*"
        r"(?P<unit>g|gg|giorni|giorno|s|sett|settimane|settimana|m|mesi|mese|d|days?|w|weeks?|months?)?",
        _counted,
    ),
    (
        r"(?P<count>\d{1,3})\s*(?P<unit>g|gg|giorni|giorno|s|sett|settimane|settimana|mesi|mese|d|days?|w|weeks?"
        r"|months?)",
        _counted,
    ),
    (rf"(?:{'|'.join(_AHEAD)})", lambda match, today: today + timedelta(days=_AHEAD[match.group()])),
    (rf"(?P<name>{'|'.join(_WEEKDAYS)})", _weekday),
    (r"(?:entro )?(?:fm|fine mese|eom|end of month|month end)", _month_end),
)
