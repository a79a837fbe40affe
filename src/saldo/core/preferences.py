"""What a customer asks for once and need not ask again: kinds, hours for calls, and what follows from them.

Preferences are facts with a day; parties.preferences keeps them. docs/rules/care.md says where each is used.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from saldo.core.errors import SaldoError
from saldo.core.playbook import CALL, EMAIL, INVOICES, SMS, STATEMENT

COPIES, STATEMENT_TOO, CONTACT = "invoice_copies", "statement", "contact"
NO_EMAIL, NO_SMS, NO_CALL, CALL_HOURS, NO_VISIT = "no_email", "no_sms", "no_call", "call_hours", "no_visit"
DO_NOT_ASK, OTHER = "do_not_ask", "other"
KINDS = (
    COPIES, STATEMENT_TOO, CONTACT, CALL_HOURS, NO_CALL, NO_EMAIL, NO_SMS, NO_VISIT, DO_NOT_ASK, OTHER
)  # fmt: skip
# What a kind needs: a contact, hours, or words. The others are said by their kind alone.
NEEDS_CONTACT = frozenset({CONTACT})
NEEDS_WORDS = frozenset({DO_NOT_ASK, OTHER})
# A person may ask several different things of these; of the others the newest takes the place of the last.
SEVERAL = NEEDS_WORDS
# The channel that a refusal closes. PEC and letters cannot be refused: the law has them delivered.
REFUSED_CHANNELS = {NO_EMAIL: EMAIL, NO_SMS: SMS, NO_CALL: CALL}
ATTACHED = {COPIES: INVOICES, STATEMENT_TOO: STATEMENT}
VALUE_CHARACTERS = 300

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_ITALIAN = dict(zip(DAYS, ("lun", "mar", "mer", "gio", "ven", "sab", "dom"), strict=True))
_NAMES = {name: place for names in (_ITALIAN, _ITALIAN.values()) for place, name in enumerate(names)}
_HOURS = re.compile(r"(\d{1,2})(?:[:.](\d{2}))?\s*[-–]\s*(\d{1,2})(?:[:.](\d{2}))?")
_LOOK_AHEAD_DAYS = 14


@dataclass(frozen=True, slots=True)
class Window:
    """Hours of some days of the week (0 is Monday) in which a call is welcome, ``until`` excluded."""

    days: frozenset[int]
    since: time
    until: time

    def holds(self, local: datetime) -> bool:
        return local.weekday() in self.days and self.since <= local.time() < self.until


@dataclass(frozen=True, slots=True)
class CallAdvice:
    """Whether to call now. code: "" or the preference that speaks against it. hours: as the customer gave
    them. next_at: the next moment that suits, where hours were given."""

    may_call: bool
    code: str = ""
    hours: str = ""
    next_at: datetime | None = None


def parse_hours(text: str) -> tuple[Window, ...]:
    """Windows from "lun-ven 14:00-18:30; sab 9-12" (Italian or English days; no days: every day).

    Raises SaldoError("preference_hours_bad").
    """
    windows = []
    for part in text.casefold().split(";"):
        if not part.strip():
            continue
        found = _HOURS.search(part)
        if found is None or part[found.end() :].strip():
            raise SaldoError("preference_hours_bad", hours=text[:60])
        since, until = _time(found[1], found[2], text), _time(found[3], found[4], text)
        if since >= until:
            raise SaldoError("preference_hours_bad", hours=text[:60])
        windows.append(Window(_days(part[: found.start()], text), since, until))
    if not windows:
        raise SaldoError("preference_hours_bad", hours=text[:60])
    return tuple(windows)


def _time(hours: str, minutes: str | None, text: str) -> time:
    if int(hours) > 23 or int(minutes or 0) > 59:
        raise SaldoError("preference_hours_bad", hours=text[:60])
    return time(int(hours), int(minutes or 0))


def _days(text: str, whole: str) -> frozenset[int]:
    """ "lun-ven", "mon, wed", "" (every day)."""
    days: set[int] = set()
    for part in re.split(r"[,\s]+", re.sub(r"\s*[-–]\s*", "-", text.strip().strip(","))):
        if not part:
            continue
        ends = [_NAMES.get(name[:3]) for name in part.split("-")]
        first, last = ends[0], ends[-1]
        if first is None or last is None or len(ends) > 2:
            raise SaldoError("preference_hours_bad", hours=whole[:60])
        days |= {(first + step) % 7 for step in range((last - first) % 7 + 1)}
    return frozenset(days or range(7))


def hours_text(windows: Iterable[Window]) -> str:
    """The one spelling in which hours are kept: "mon,tue 09:00-12:30; sat 09:00-12:00"."""
    return "; ".join(
        f"{_days_text(each.days)}{each.since:%H:%M}-{each.until:%H:%M}" for each in windows
    )  # fmt: skip


def hours_words(hours: str, language: str) -> str:
    """Hours as they are kept, with the days of the reader's language: "lun-ven 14:00-18:00"."""
    if language != "it":
        return hours
    return re.sub(r"[a-z]{3}", lambda found: _ITALIAN.get(found[0], found[0]), hours)


def _days_text(days: frozenset[int]) -> str:
    if len(days) == len(DAYS):
        return ""
    kept = sorted(days)
    if len(kept) > 2 and kept[-1] - kept[0] == len(kept) - 1:
        return f"{DAYS[kept[0]]}-{DAYS[kept[-1]]} "
    return ",".join(DAYS[day] for day in kept) + " "


def clean_value(kind: str, value: str, has_contact: bool) -> str:
    """The value as it is kept. Raises SaldoError: preference_unknown, preference_hours_bad,
    preference_needs_words, preference_needs_contact."""
    if kind not in KINDS:
        raise SaldoError("preference_unknown", kind=kind[:40], known=", ".join(KINDS))
    text = " ".join(value.split())[:VALUE_CHARACTERS]
    if kind in NEEDS_CONTACT and not has_contact:
        raise SaldoError("preference_needs_contact")
    if kind in NEEDS_WORDS and not text:
        raise SaldoError("preference_needs_words")
    if kind == CALL_HOURS:
        return hours_text(parse_hours(text))
    return text if kind in NEEDS_WORDS else ""


def call_advice(told: Iterable[tuple[str, str]], local: datetime) -> CallAdvice:
    """Whether a call suits the customer at ``local`` (its own time). told: (kind, value) in force."""
    pairs = list(told)
    if any(kind == NO_CALL for kind, _ in pairs):
        return CallAdvice(False, NO_CALL)
    hours = next((value for kind, value in pairs if kind == CALL_HOURS), "")
    if not hours:
        return CallAdvice(True)
    windows = parse_hours(hours)
    if any(window.holds(local) for window in windows):
        return CallAdvice(True, "", hours)
    return CallAdvice(False, CALL_HOURS, hours, _next(windows, local))


def _next(windows: tuple[Window, ...], local: datetime) -> datetime | None:
    for ahead in range(_LOOK_AHEAD_DAYS):
        day = local.date() + timedelta(days=ahead)
        begins = [
            datetime.combine(day, window.since, local.tzinfo)
            for window in windows
            if day.weekday() in window.days
        ]
        if later := [moment for moment in begins if moment > local]:
            return min(later)
    return None
