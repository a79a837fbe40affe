"""Days as people write them in a mail, in Italian and English: "entro venerdì", "il 15 p.v.", "mid April".

What a phrase denotes depends on the day on which it was written. One that names no one day ("la settimana
prossima") is told with a low confidence, so that nobody takes it for a date. Amounts: core.spoken_amounts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

from saldo.core.calendar import add_months, start_of_month
from saldo.core.normalize import folded

# Texts are read up to here: what is longer was not written by a person.
MOST_CHARACTERS = 20_000
MOST_FOUND = 100
# A day written in full; said by the calendar of the reader; one that two people may read differently; no day.
WRITTEN, SAID, UNSURE, VAGUE = 0.98, 0.95, 0.6, 0.4


@dataclass(frozen=True, slots=True)
class SpokenDay:
    """A day named in a text. confidence: that this day, and no other, is meant. is_until: "fino al", "until",
    "dal … al": the last day of something. start, end: its place in the text; text: as written."""

    day: date
    confidence: float
    start: int
    end: int
    text: str
    is_until: bool = False


def plain_text(text: str) -> str:
    """``text`` folded character by character, so that places in it are places in ``text``."""
    if text.isascii():
        return text.lower()
    return "".join(map(_plain_character, text))


@cache
def _plain_character(character: str) -> str:
    plain = folded(character)
    return {"’": "'", "‘": "'", "´": "'", "`": "'", "\xa0": " "}.get(
        character, plain if len(plain) == 1 else character
    )


_MONTHS = {
    name: number
    for number, names in enumerate(
        ("gennaio gen january jan", "febbraio feb february", "marzo mar march", "aprile apr april",
         "maggio mag may", "giugno giu june jun", "luglio lug july jul", "agosto ago august aug",
         "settembre set sett september sep sept", "ottobre ott october oct", "novembre nov november",
         "dicembre dic december dec"), 1)
    for name in names.split()
}  # fmt: skip
_WEEKDAYS = {
    name: number
    for number, names in enumerate(
        ("lunedi lun monday mon", "martedi tuesday tue tues", "mercoledi mer wednesday wed",
         "giovedi gio thursday thu thur thurs", "venerdi ven friday fri", "sabato saturday",
         "domenica sunday")
    )
    for name in names.split()
}  # fmt: skip
_NUMBERS = {
    name: number
    for number, names in enumerate(
        ("zero", "un una uno one a", "due two couple", "tre three", "quattro four", "cinque five", "sei six",
         "sette seven", "otto eight", "nove nine", "dieci ten"))
    for name in names.split()
} | {"quindici": 15, "venti": 20, "trenta": 30, "fifteen": 15, "twenty": 20, "thirty": 30}  # fmt: skip

_MONTH = r"(?P<month>" + "|".join(sorted(_MONTHS, key=len, reverse=True)) + r")\b\.?"
_LONG_WEEKDAYS = [each for each in _WEEKDAYS if len(each) > 4]
_WEEKDAY = r"(?P<weekday>" + "|".join(sorted(_LONG_WEEKDAYS, key=len, reverse=True)) + r")\b'?"
_WEEKDAY_BEFORE = r"(?:(?:" + "|".join(sorted(_WEEKDAYS, key=len, reverse=True)) + r")\b[.']?,?\s+)?"
_YEAR = (
    r"(?:,?\s*(?:del\s+|')?(?P<year>20\d\d|2\d(?=[\s,.;:)!]|$)(?!\s*(?:[:.,]\d|euro|eur\b|€|giorni|"
    r"days))))?"
)
_DAY = r"(?P<day>[12]?\d|3[01])"
_NEXT = re.compile(r"prossim|entrante|next")
_COUNT = r"(?P<count>\d{1,2}|" + "|".join(_NUMBERS) + r")"
_THIS_MONTH = (
    r"(?:c\.?\s?m\.?|corrente(?: mese)?|corr\.?|di questo mese|del mese corrente|(?:of )?this month)"
)
_COMING = r"(?:p\.?\s?v\.?|prossimo(?! mese)|prossimo venturo)"
_NEXT_MONTH = (
    r"(?:del (?:mese prossimo|prossimo mese|mese entrante)|di quello prossimo|p\.?\s?m\.?|of next month)"
)
_UNTIL = re.compile(
    r"(?:fino a|sino a|\bal|till?\b|until|through|\bto\b|–|-)[^\w\n]{0,2}(?:l[l'])?[^\w\n]{0,2}$"
)
# Numbers of documents, laws and telephones look like days.
_NO_DAY_BEFORE = re.compile(
    r"(?:\b(?:fatt?ur[ae]|fatt?|ft|inv|invoices?|ddt|ordine|order|po|rif|ref|numero|nr?|no|art|articolo|gr|"
    r"prot|bolla|bolle|commessa|tel|cell|rata|rate|ticket|line|riga|decreto|legge|gdpr|ue|reg)\b\.?"
    r"|[#°º]|n\.)\s*(?:n[.°]?|no\.?)?\s*$"
)
_NO_DAY_AFTER = re.compile(
    r"\s*(?:%|€|euro?\b|eur\b|gg\b|giorni|days?\b|pezzi|pcs|pieces|rate\b|percent|fatture|invoices|ore\b|"
    r"volte|colli|pallet|mila\b|k\b|per cento|anni|years|minut)"
)


@dataclass(frozen=True, slots=True)
class _Reader:
    """A way to say a day. ``read`` gives (day, confidence), or None if it is none."""

    pattern: re.Pattern[str]
    read: Callable[[re.Match[str], date, bool], tuple[date, float] | None]


def days_in(text: str, today: date, is_past: bool = False) -> list[SpokenDay]:
    """The days that ``text`` names for who reads it on ``today``, by their place. Never raises.

    A day without its year is the coming one of its name, or with ``is_past`` the last one.
    """
    text = text[:MOST_CHARACTERS]
    plain = plain_text(text)
    found: list[SpokenDay] = []
    taken: list[tuple[int, int]] = []
    for reader in _READERS:
        for match in reader.pattern.finditer(plain):
            start, end = match.span()
            if len(found) >= MOST_FOUND or any(start < b and a < end for a, b in taken):
                continue
            try:
                told = reader.read(match, today, is_past)
            except (ValueError, OverflowError):
                taken.append((start, end))  # "il 30 febbraio" is not "il 30" either
                continue
            if told is None:
                continue
            taken.append((start, end))
            until = bool(_UNTIL.search(plain[max(0, start - 20) : start]))
            found.append(SpokenDay(told[0], told[1], start, end, text[start:end], until))
    return sorted(found, key=lambda each: each.start)


# -- days with a month -----------------------------------------------------------------------------------


def _year(text: str | None) -> int | None:
    if not text:
        return None
    return int(text) if len(text) == 4 else 2000 + int(text)


def _placed(today: date, year: int | None, month: int, day: int, is_past: bool) -> date:
    """The day of that month: of its year, else the coming one, or the last one."""
    if year is not None:
        return date(year, month, day)
    candidates = []
    for candidate in (today.year - 1, today.year, today.year + 1, today.year + 2, today.year + 3):
        try:
            candidates.append(date(candidate, month, day))
        except ValueError:
            continue  # 29 February
    if is_past:
        return max(each for each in candidates if each <= today)
    return min(each for each in candidates if each >= today)


def _of_month_name(match: re.Match[str], today: date, is_past: bool) -> tuple[date, float] | None:
    year = _year(match["year"])
    day = _placed(today, year, _MONTHS[match["month"]], int(match["day"]), is_past)
    return (day, WRITTEN) if abs((day - today).days) < 1500 else None


def _numeric(match: re.Match[str], today: date, is_past: bool) -> tuple[date, float] | None:
    plain = match.string
    before = plain[max(0, match.start() - 20) : match.start()]
    if _NO_DAY_BEFORE.search(before) or _NO_DAY_AFTER.match(plain[match.end() : match.end() + 12]):
        return None
    first, second, year = int(match["day"]), int(match["number"]), _year(match["year"])
    if match["year"] is None and match["mark"] == "-":
        return None
    is_english_guess = first <= 12 and second <= 12 and first != second
    if second > 12 >= first:
        first, second = second, first
        is_english_guess = False
    day = _placed(today, year, second, first, is_past)
    if abs((day - today).days) > 1500:
        return None
    unsure = is_english_guess and match["mark"] == "/" and _is_english(plain)
    return day, (UNSURE if unsure else WRITTEN if year or match["mark"] == "/" else SAID)


_ENGLISH_WORDS = re.compile(r"\b(?:the|will|we|you|payment|invoice|is|and|our|i'?m|be|have)\b")
_ITALIAN_WORDS = re.compile(r"\b(?:il|la|di|che|non|per|vi|abbiamo|fattura|bonifico|entro|del|e|ci|sono)\b")


def _is_english(plain: str) -> bool:
    part = plain[:2_000]
    return len(_ENGLISH_WORDS.findall(part)) > len(_ITALIAN_WORDS.findall(part))


def _iso(match: re.Match[str], today: date, is_past: bool) -> tuple[date, float] | None:
    day = date(int(match["year"]), int(match["number"]), int(match["day"]))
    return (day, WRITTEN) if abs((day - today).days) < 1500 else None


def _month_end(day: date) -> date:
    return add_months(start_of_month(day), 1) - timedelta(days=1)


def _end_of_named(match: re.Match[str], today: date, is_past: bool) -> tuple[date, float] | None:
    month = _MONTHS[match["month"]]
    year = _year(match["year"])
    first = _month_of_name(today, year, month)
    return _month_end(first), SAID


def _month_of_name(today: date, year: int | None, month: int) -> date:
    """The first day of the coming month of that name; this month's if it has its name."""
    if year is not None:
        return date(year, month, 1)
    return date(today.year + (month < today.month), month, 1)


def _mid_of_named(match: re.Match[str], today: date, is_past: bool) -> tuple[date, float] | None:
    first = _month_of_name(today, _year(match["year"]), _MONTHS[match["month"]])
    day = first.replace(day=15)
    return (day if day >= today else add_months(day, 12)), SAID - 0.03


def _vague_of_named(match: re.Match[str], today: date, is_past: bool) -> tuple[date, float] | None:
    first = _month_of_name(today, None, _MONTHS[match["month"]])
    day = first + timedelta(days=6)
    return (day if day >= today else add_months(day, 12)), VAGUE


# -- days of this or the next month ----------------------------------------------------------------------


def _bare(match: re.Match[str], today: date, is_past: bool) -> tuple[date, float] | None:
    """ "il 15", "entro il 15", "the 20th": the coming such day, or the last one."""
    plain = match.string
    if _NO_DAY_AFTER.match(plain[match.end() : match.end() + 12]) or re.match(
        r"[.,/:-]?\d", plain[match.end() : match.end() + 2]
    ):
        return None
    number = int(match["day"])
    for shift in (0, -1, -2) if is_past else (0, 1, 2):
        try:
            day = add_months(start_of_month(today), shift).replace(day=number)
        except ValueError:
            continue
        if day <= today if is_past else day >= today:
            return day, SAID - 0.02
    return None


def _this_month(match: re.Match[str], today: date, is_past: bool) -> tuple[date, float] | None:
    return today.replace(day=int(match["day"])), SAID


def _next_month(match: re.Match[str], today: date, is_past: bool) -> tuple[date, float] | None:
    return add_months(start_of_month(today), 1).replace(day=int(match["day"])), SAID


def _coming(match: re.Match[str], today: date, is_past: bool) -> tuple[date, float] | None:
    return _bare(match, today, False)


def _last_month_day(match: re.Match[str], today: date, is_past: bool) -> tuple[date, float] | None:
    return _bare(match, today, True)


def _is_next(match: re.Match[str]) -> bool:
    return bool(_NEXT.search(match[0]))


def _month_ends(match: re.Match[str], today: date, is_past: bool) -> tuple[date, float] | None:
    return _month_end(add_months(start_of_month(today), 1) if _is_next(match) else today), SAID


def _mid_month(match: re.Match[str], today: date, is_past: bool) -> tuple[date, float] | None:
    month = add_months(start_of_month(today), 1) if _is_next(match) else today
    day = month.replace(day=15)
    return (day, SAID - 0.03) if day >= today else (add_months(day, 1), UNSURE)


# -- weekdays and counted days ---------------------------------------------------------------------------


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _weekday(match: re.Match[str], today: date, is_past: bool) -> tuple[date, float] | None:
    number = _WEEKDAYS[match["weekday"]]
    if is_past:
        back = (today.weekday() - number) % 7
        return today - timedelta(days=back or 7), SAID - 0.15
    said = " ".join(filter(None, (match["before"], match["after"])))
    if any(word in said for word in ("settimana", "week")):
        weeks = 2 if re.search(r"tra due|fra due|after next", said) else 1
        return _monday(today) + timedelta(days=7 * weeks + number), SAID
    ahead = (number - today.weekday()) % 7 or 7
    day = today + timedelta(days=ahead)
    if re.search(r"prossim|next|entrante|p\.?v", said):
        # With days of that name in this week and the next, people mean either.
        is_this_week = day < _monday(today) + timedelta(days=7)
        return (day + timedelta(days=7), UNSURE) if is_this_week else (day, SAID)
    if re.search(r"scors|last|passat", said):
        return day - timedelta(days=7 if ahead < 7 else 14), SAID - 0.15
    return day, SAID if ahead < 7 else UNSURE


def _counted(match: re.Match[str], today: date, is_past: bool) -> tuple[date, float] | None:
    word = match["count"]
    count = _NUMBERS[word] if word in _NUMBERS else int(word)
    unit = match["unit"]
    if unit.startswith(("sett", "week")):
        count *= 7
    elif unit.startswith(("mes", "month")):
        return add_months(today, count), UNSURE
    # "entro 10 giorni lavorativi": of which calendar, nobody says.
    is_loose = match["loose"] or word == "couple" or "lavorativ" in unit or "working" in unit
    return today + timedelta(days=count), UNSURE if is_loose else SAID


def _ahead(days: int, confidence: float) -> Callable[[re.Match[str], date, bool], tuple[date, float] | None]:
    return lambda match, today, is_past: (today + timedelta(days=days), confidence)


def _week_end(match: re.Match[str], today: date, is_past: bool) -> tuple[date, float] | None:
    """The Friday that ends this week, or the next one."""
    friday = _monday(today) + timedelta(days=4)
    if _is_next(match):
        return friday + timedelta(days=7), UNSURE + 0.1
    return (friday, UNSURE + 0.1) if today <= friday else (friday + timedelta(days=7), VAGUE)


def _next_week(match: re.Match[str], today: date, is_past: bool) -> tuple[date, float] | None:
    return _monday(today) + timedelta(days=11), VAGUE


_ORDINAL = r"(?:st|nd|rd|th|°|º)?"


def _readers(table: Iterable[tuple[str, Callable[..., tuple[date, float] | None]]]) -> tuple[_Reader, ...]:
    return tuple(_Reader(re.compile(pattern), read) for pattern, read in table)


# In order of preference: what is found first takes its place in the text.
_READERS = _readers(
    (
        (r"(?<![\d/.-])(?P<year>20\d\d)-(?P<number>[01]?\d)-(?P<day>[0-3]?\d)(?!\d)", _iso),
        (
            _WEEKDAY_BEFORE + r"(?<![\d/.,-])(?P<day>[0-3]?\d)(?P<mark>[/.-])(?P<number>[0-3]?\d)"
            r"(?:(?P=mark)(?P<year>20\d\d|\d\d))?(?![\d/]|[.,-]\d)",
            _numeric,
        ),
        (r"\b(?:a |alla |entro |by |at |the )*(?:fine|la fine di|end of|ultimo di|late) (?:mese di )?"
         + _MONTH + _YEAR, _end_of_named),
        (r"\b(?:meta|mid|mid-|middle of|the middle of)(?:\s+di)?[\s-]+" + _MONTH + _YEAR, _mid_of_named),
        (r"\b(?:inizio|primi di|primi giorni di|inizi di|early|beginning of|start of|seconda meta di|"
        r"ultima decade di"
         r"|prima decade di)\s+" + _MONTH, _vague_of_named),
        (_WEEKDAY_BEFORE + r"\b(?P<day>[12]?\d|3[01]|0[1-9])" + _ORDINAL + r"(?:\s+(?:di|of))?[\s.-]\s?"
         + _MONTH + _YEAR, _of_month_name),
        (_WEEKDAY_BEFORE + r"\b" + _MONTH + r"\s+(?:the\s+)?" + _DAY + _ORDINAL
         + r"(?![\d/]|[.,:]\d)" + _YEAR, _of_month_name),
        (r"\b(?:primo|1°)\s+(?P<day>(?=\w))" + _MONTH + _YEAR, lambda m, today, past:
            (_placed(today, _year(m["year"]), _MONTHS[m["month"]], 1, past), WRITTEN)),
        (r"\b" + _DAY + _ORDINAL + r"\s+" + _NEXT_MONTH, _next_month),
        (r"\b" + _DAY + _ORDINAL + r"\s+" + _THIS_MONTH + r"(?!\w)", _this_month),
        (r"\b" + _DAY + _ORDINAL + r"\s+" + _COMING + r"(?!\w)", _coming),
        (r"\b" + _DAY + _ORDINAL + r"\s+(?:u\.?\s?s\.?(?!\w)|scorso|ultimo scorso|ult\.)", _last_month_day),
        (r"(?P<before>(?:la )?(?:prossima settimana|settimana prossima|settimana entrante|"
        r"next week),? (?:on )?)?"
         r"(?:di |on |by |entro |per )?(?P<weekn>this |next |last |prossimo )?" + _WEEKDAY
         + r"(?P<after>\s+(?:prossim[oa](?! settimana)|della (?:prossima settimana|settimana prossima|"
         r"settimana "
           r"entrante)|next week|of next week|week|entrante|scors[oa]|p\.?\s?v\.?))?"
           r"(?P<nth>\s+(?:the\s+)?(?:[12]?\d|3[01])(?:st|nd|rd|th)?(?![\d/.:,]*\d|\s*(?:euro|eur|€|%|"
           r"pezzi|colli|ore|pcs|pieces|units|giorni|days)))?",
         lambda m, today, past: _weekday_nth(m, today, past)),
        (r"\b(?:dopodomani|dopo domani|(?:the )?day after tomorrow)\b", _ahead(2, SAID)),
        (r"\b(?:domani|domattina|tomorrow|tmrw)\b", _ahead(1, SAID)),
        (r"\b(?:l'altro ieri|altro ieri|avantieri|ieri l'altro|(?:the )?day before yesterday)\b",
         _ahead(-2, SAID)),
        (r"\b(?:ieri|yesterday|last night)\b", _ahead(-1, SAID)),
        (r"\b(?:oggi(?: stesso)?|in giornata|entro stasera|stasera|odierna|today|tonight)\b",
         _ahead(0, SAID)),
        (r"\b(?P<loose>nell'arco di|nel giro di|circa|about|around)?\s*(?:tra|fra|in|entro|within|"
        r"nei prossimi|next)\s+"
         r"(?P<loose2>circa |about |massimo |un massimo di )?" + _COUNT
         + r"\s+(?P<unit>giorni(?: lavorativi)?|gg|settiman[ae]|mes[ei]|days|working days|business days|"
           r"weeks?|months?)\b", _counted),
        (r"\b(?:la )?(?:fine|ultimo giorno|ultimi)[\s-]+(?:di |del |"
        r"di questo )*(?:prossimo )?mese\b(?: prossimo| entrante)?",
         _month_ends),
        (r"\b(?:the )?(?:last day|end) of (?:the |this |next )?month\b|\bmonth[\s-]end\b|"
        r"\bend[\s-]month\b|\beom\b|"
         r"\b(?:entro il|in questo|entro questo) mese\b", _month_ends),
        (r"\bmeta[\s-]+(?:del )?(?:prossimo )?mese\b(?: prossimo)?|\bmid[\s-]+(?:next )?month\b|"
         r"\bmiddle of (?:the |next )?month\b", _mid_month),
        (r"\bfine (?:della )?(?:prossima )?settimana\b(?: prossima)?|\b(?:entro|in) (?:la|"
        r"questa) settimana\b"
         r"|\b(?:the )?end of (?:the |this |next )?week\b|\b(?:later )?this week\b", _week_end),
        (r"\b(?:prossima settimana|settimana prossima|settimana entrante|next week|"
        r"la settimana che viene)\b",
         _next_week),
        (r"(?:\b(?:il|entro il|dal|al|per il|giorno|del|on the|by the|the|for the)\s+|\bl'|\ball')"
         + _DAY + _ORDINAL + r"(?![\w°º])", _bare),
    )
)  # fmt: skip


def _weekday_nth(match: re.Match[str], today: date, is_past: bool) -> tuple[date, float] | None:
    """ "venerdì", "next Friday", "venerdì 13": the last is that day of a month where it falls on a Friday."""
    if match["nth"]:
        number = int(re.sub(r"\D", "", match["nth"]))
        for shift in (0, 1, 2) if not is_past else (0, -1):
            try:
                day = add_months(start_of_month(today), shift).replace(day=number)
            except ValueError:
                continue
            in_time = day <= today if is_past else day >= today
            if in_time and day.weekday() == _WEEKDAYS[match["weekday"]]:
                return day, WRITTEN
        return None
    said = " ".join(filter(None, (match["before"], match["weekn"], match["after"])))
    return _weekday(_Said(match["weekday"], said), today, is_past)  # type: ignore[arg-type]


class _Said(dict[str, str]):
    """What ``_weekday`` asks of a match."""

    def __init__(self, weekday: str, said: str) -> None:
        super().__init__(weekday=weekday, before=said, after="")
