"""Days and amounts as people write them in a mail, in Italian and English.

A phrase denotes one day only for who reads it on ``today``: "venerdì" the coming one, "venerdì prossimo" only
where that is next week's too, "il 5 giugno" the next 5th of June, "a fine mese" the last day of the month.
"""

from __future__ import annotations

from datetime import date, timedelta

from saldo.core.calendar import add_months, is_end_of_month, start_of_month


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_MONTHS = {
    "it": _words(
        "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre"
    ),
    "en": _words("January February March April May June July August September October November December"),
}
_WEEKDAYS = {
    "it": _words("lunedì martedì mercoledì giovedì venerdì sabato domenica"),
    "en": _words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday"),
}
_MOST_DAYS_COUNTED = 30


def due_phrases(language: str, today: date, day: date) -> tuple[list[str], list[str]]:
    """(relative, absolute) phrases with their prepositions: by when, or on which day, something is done."""
    return _phrases_en(today, day, True) if language == "en" else _phrases_it(today, day, True)


def day_phrases(language: str, today: date, day: date) -> tuple[list[str], list[str]]:
    """(relative, absolute) phrases of the day on which something happens: no "by"."""
    return _phrases_en(today, day, False) if language == "en" else _phrases_it(today, day, False)


def _phrases_it(today: date, day: date, is_due: bool) -> tuple[list[str], list[str]]:
    ahead = (day - today).days
    month, weekday = _MONTHS["it"][day.month - 1], _WEEKDAYS["it"][day.weekday()]
    number = "1°" if day.day == 1 else str(day.day)
    article = "l'" if day.day in (8, 11) else "il "
    on = f"{article}{number} {month}"
    absolute = [f"{on} {day.year}", f"il {day:%d/%m/%Y}", f"{weekday} {number} {month} {day.year}"]
    if is_due:
        absolute += [f"entro {on} {day.year}", f"in data {day:%d/%m/%Y}", f"con valuta {day:%d/%m/%Y}",
                     f"entro il {day:%d.%m.%Y}"]  # fmt: skip
    if _within_year(today, day):
        absolute += [on, on, f"il {day:%d/%m}", f"{weekday} {number} {month}", f"{weekday} {day:%d/%m}"]
        if is_due:
            absolute += [f"entro {on}", f"entro {on}", f"entro il {day:%d/%m}", f"per {on}",
                         f"entro e non oltre {on}", f"entro {weekday} {number} {month}",
                         f"entro il {day.day}/{day.month}"]  # fmt: skip
    relative: list[str] = []
    if ahead == 0:
        relative += ["oggi stesso", "in giornata", "oggi"]
    elif ahead == 1:
        relative += ["domani", "domani"] + (["entro domani"] if is_due else [])
    elif ahead == 2:
        relative += ["dopodomani"]
    if 2 <= ahead <= 6:
        relative += [weekday] + ([f"entro {weekday}", f"entro {weekday}", f"per {weekday}"] if is_due else [])
    if _is_next_week(today, day):
        relative += [f"{weekday} della prossima settimana", f"{weekday} della settimana prossima"]
        if ahead <= 7:
            relative += [f"{weekday} prossimo"] + ([f"entro {weekday} prossimo"] if is_due else [])
    if 3 <= ahead <= _MOST_DAYS_COUNTED:
        relative += [f"tra {ahead} giorni", f"fra {ahead} giorni"]
        if ahead in (7, 14):
            relative += ["tra una settimana" if ahead == 7 else "tra due settimane"]
    if is_end_of_month(day) and ahead > 0:
        if start_of_month(day) == start_of_month(today):
            relative += ["a fine mese"] + (["entro fine mese", "entro la fine del mese"] if is_due else [])
        if start_of_month(day) == add_months(start_of_month(today), 1):
            relative += ["alla fine del mese prossimo"] + (["entro fine mese prossimo"] if is_due else [])
        if _within_year(today, day):
            relative += [f"a fine {month}"] + ([f"entro fine {month}"] if is_due else [])
    if day.day == 15 and ahead > 0 and _within_year(today, day):
        relative += [f"a metà {month}"]
    if start_of_month(day) == add_months(start_of_month(today), 1):
        relative += [f"{article}{number} del mese prossimo", f"{article}{number} del prossimo mese"]
    if ahead > 0 and day <= add_months(today, 1) and day.day != today.day:
        relative += [f"{article}{number} p.v."] + ([f"entro {article}{number}"] if is_due else [])
    return relative, absolute


def _phrases_en(today: date, day: date, is_due: bool) -> tuple[list[str], list[str]]:
    ahead = (day - today).days
    month, weekday = _MONTHS["en"][day.month - 1], _WEEKDAYS["en"][day.weekday()]
    nth = f"{day.day}{_ordinal(day.day)}"
    heads = ("on", "by", "by") if is_due else ("on",)
    absolute: list[str] = []
    for head in heads:
        absolute += [f"{head} {day.day} {month} {day.year}", f"{head} {month} {day.day}, {day.year}",
                     f"{head} {day:%d/%m/%Y}", f"{head} {day}"]  # fmt: skip
        if _within_year(today, day):
            absolute += [f"{head} {day.day} {month}", f"{head} {month} {nth}", f"{head} {month} {day.day}",
                         f"{head} {weekday} {day.day} {month}", f"{head} the {nth} of {month}",
                         f"{head} {day:%d/%m}", f"{head} {day.day} {month[:3]}"]  # fmt: skip
    relative: list[str] = []
    if ahead == 0:
        relative += ["today", "later today"]
    elif ahead == 1:
        relative += ["tomorrow", "tomorrow"] + (["by tomorrow"] if is_due else [])
    elif ahead == 2:
        relative += ["the day after tomorrow"]
    if 2 <= ahead <= 6:
        relative += [f"{head} {weekday}" for head in heads]
    if _is_next_week(today, day):
        relative += [f"{weekday} next week", f"next week on {weekday}"]
        if ahead <= 7:
            relative += [f"next {weekday}"] + ([f"by next {weekday}"] * 2 if is_due else [])
    if 3 <= ahead <= _MOST_DAYS_COUNTED:
        relative += [f"in {ahead} days"]
        if ahead in (7, 14):
            relative += ["in a week" if ahead == 7 else "in two weeks"]
    if is_end_of_month(day) and ahead > 0:
        if start_of_month(day) == start_of_month(today):
            relative += ["at the end of the month"]
            relative += ["by the end of the month", "by month end"] if is_due else []
        if start_of_month(day) == add_months(start_of_month(today), 1):
            relative += ["at the end of next month"] + (["by the end of next month"] if is_due else [])
        if _within_year(today, day):
            relative += [f"at the end of {month}"] + ([f"by the end of {month}"] if is_due else [])
    if day.day == 15 and ahead > 0 and _within_year(today, day):
        relative += [f"in mid {month}", f"in the middle of {month}"]
    if start_of_month(day) == add_months(start_of_month(today), 1):
        relative += [f"{head} the {nth} of next month" for head in heads]
    if ahead > 0 and day <= add_months(today, 1) and day.day != today.day:
        relative += [f"{head} the {nth}" for head in heads]
    return relative, absolute


def _within_year(today: date, day: date) -> bool:
    """Whether ``day`` is the next one of its name: no year is needed."""
    return today <= day < add_months(today, 12)


def _is_next_week(today: date, day: date) -> bool:
    monday = today - timedelta(days=today.weekday()) + timedelta(days=7)
    return monday <= day < monday + timedelta(days=7)


def _ordinal(number: int) -> str:
    return "th" if 11 <= number <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")


# -- amounts ---------------------------------------------------------------------------------------------

_ONES_IT = _words(
    "zero uno due tre quattro cinque sei sette otto nove dieci undici dodici tredici quattordici quindici "
    "sedici diciassette diciotto diciannove"
)
_TENS_IT = _words("- - venti trenta quaranta cinquanta sessanta settanta ottanta novanta")
_ONES_EN = _words(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
)
_TENS_EN = _words("- - twenty thirty forty fifty sixty seventy eighty ninety")
_MOST_IN_WORDS = 1_000_000


def amount_phrases(language: str, cents: int) -> list[str]:
    """An amount of euro in figures, and in words where it is whole."""
    whole, rest = divmod(cents, 100)
    english = f"{whole:,}.{rest:02d}"
    if language == "en":
        phrases = [f"EUR {english}", f"€{english}", f"{english} euro", f"€ {english}"]
        if not rest:
            phrases += [f"EUR {whole:,}", f"€{whole:,}", f"{whole} EUR", f"{whole} euro"]
            phrases += [f"{in_words(whole, 'en')} euro"] if whole < _MOST_IN_WORDS else []
        return phrases
    italian = english.translate(str.maketrans(",.", ".,"))
    phrases = [
        f"€ {italian}",
        f"{italian} €",
        f"euro {italian}",
        f"{whole},{rest:02d} euro",
        f"{italian} euro",
    ]
    if not rest:
        phrases += [f"{whole} euro", f"{whole} €", f"€ {whole:,}".replace(",", "."), f"{whole},00€"]
        phrases += [f"{in_words(whole, 'it')} euro"] if whole < _MOST_IN_WORDS else []
    return phrases


def in_words(number: int, language: str) -> str:
    """A whole number below a million in words: 1220 -> "milleduecentoventi"."""
    return _english(number) if language == "en" else _italian(number)


def _italian(number: int) -> str:
    if number < 20:
        return _ONES_IT[number]
    if number < 100:
        tens, ones = _TENS_IT[number // 10], number % 10
        # Vowels meet in ventuno and ventotto.
        return (tens[:-1] if ones in (1, 8) else tens) + _italian_tail(ones)
    if number < 1000:
        hundreds, rest = divmod(number, 100)
        return ("cento" if hundreds == 1 else f"{_ONES_IT[hundreds]}cento") + _italian_tail(rest)
    thousands, rest = divmod(number, 1000)
    head = "mille" if thousands == 1 else f"{_italian(thousands).replace('tré', 'tre')}mila"
    return head + _italian_tail(rest)


def _italian_tail(rest: int) -> str:
    """The end of a composed number: a final tre takes an accent."""
    return "tré" if rest == 3 else _italian(rest) if rest else ""


def _english(number: int) -> str:
    if number < 20:
        return _ONES_EN[number]
    if number < 100:
        ones = number % 10
        return _TENS_EN[number // 10] + (f"-{_ONES_EN[ones]}" if ones else "")
    if number < 1000:
        hundreds, rest = divmod(number, 100)
        return f"{_ONES_EN[hundreds]} hundred" + (f" and {_english(rest)}" if rest else "")
    thousands, rest = divmod(number, 1000)
    joined = " and " if 0 < rest < 100 else " "
    return f"{_english(thousands)} thousand" + (f"{joined}{_english(rest)}" if rest else "")
