"""Parts of a playbook in words, Italian and English: who it is for, when a step comes, its minimum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from saldo.core.money import from_mills
from saldo.core.playbook import ANY, BROKEN, NONE, Arm, Step, When
from saldo.core.playbook_reasons import CHANNELS
from saldo.core.words import number_text, percent_text

_STATES: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "promise": {
        ANY: ("con una promessa", "with a promise"),
        NONE: ("senza promesse", "without a promise"),
        BROKEN: ("con una promessa non mantenuta", "with a broken promise"),
    },
    "dispute": {
        ANY: ("con una contestazione", "with a dispute"),
        NONE: ("senza contestazioni", "without a dispute"),
    },
    "plan": {
        ANY: ("con un piano di rientro", "with a payment plan"),
        NONE: ("senza piano di rientro", "without a payment plan"),
    },
}


_DELAY_REASONS: Mapping[str, tuple[str, str]] = {
    "cash": ("manca liquidità", "short of cash"),
    "dispute": ("contesta", "a dispute"),
    "missing_document": ("manca un documento", "a document is missing"),
    "approval": ("fattura da approvare", "the invoice is to be approved"),
    "forgotten": ("dimenticanza", "forgotten"),
    "absence": ("chi paga è assente", "who pays is away"),
    "process": ("procedura interna", "an internal process"),
    "bank": ("problema con la banca", "a problem at its bank"),
    "other": ("altro", "another reason"),
}


def delay_reason_words(code: str, language: str) -> str:
    """Why a customer says that it is late, in a few words."""
    italian, english = _DELAY_REASONS[code]
    return italian if language == "it" else english


def when_words(when: When, language: str) -> list[str]:
    """Every condition in a few words; an empty list: everyone."""
    is_it = language == "it"
    words = []
    if when.classes:
        words.append(("classe " if is_it else "class ") + _either(when.classes, language))
    if when.countries:
        words.append(("paese " if is_it else "country ") + _either(when.countries, language))
    if when.segments:
        words.append(("scelti a mano: " if is_it else "chosen by hand: ") + _either(when.segments, language))
    words += _open_words(when, language)
    words += _known_words(when, language)
    words += _late_words(when, language)
    if when.delay_reasons:
        said = [delay_reason_words(code, language) for code in when.delay_reasons]
        words.append(("in ritardo perché: " if is_it else "late because: ") + _either(said, language))
    for name, told in _STATES.items():
        if state := getattr(when, name):
            words.append(told[state][0 if is_it else 1])
    return words


def amount_words(mills: int, language: str) -> str:
    """An amount of the account's own currency: 20.000 · 1.250,50."""
    amount = from_mills(mills)
    text = f"{amount:,.0f}" if amount == amount.to_integral_value() else f"{amount:,.2f}"
    return text.translate(str.maketrans(",.", ".,")) if language == "it" else text


def _either(values: Sequence[str], language: str) -> str:
    *first, last = values
    joiner = " o " if language == "it" else " or "
    return f"{', '.join(first)}{joiner}{last}" if first else last


def _open_words(when: When, language: str) -> list[str]:
    low, high = when.min_open_mills, when.max_open_mills
    is_it = language == "it"
    if low is not None and high is not None:
        between = f"{amount_words(low, language)}–{amount_words(high, language)}"
        return [f"{between} aperti" if is_it else f"{between} open"]
    if low is not None:
        told = amount_words(low, language)
        return [f"almeno {told} aperti" if is_it else f"at least {told} open"]
    if high is not None:
        told = amount_words(high, language)
        return [f"al massimo {told} aperti" if is_it else f"at most {told} open"]
    return []


def _known_words(when: When, language: str) -> list[str]:
    is_it, words = language == "it", []
    if when.min_known_days is not None:
        told = number_text(when.min_known_days, language)
        words.append(f"clienti da almeno {told} giorni" if is_it else f"customers for {told} days at least")
    if when.max_known_days is not None:
        told = number_text(when.max_known_days, language)
        words.append(
            f"clienti da non più di {told} giorni" if is_it else f"customers for {told} days at most"
        )
    return words


# Up to, or not before, so many days: after the due date, on it, before it.
_LATE = {
    ("max", 1): ("ritardo abituale fino a {days}", "usual delay up to {days}"),
    ("max", 0): ("di solito pagano entro la scadenza", "usually paying by the due date"),
    ("max", -1): ("di solito pagano almeno {days} prima", "usually paying {days} early at least"),
    ("min", 1): ("ritardo abituale di almeno {days}", "usual delay of {days} at least"),
    ("min", 0): ("di solito non pagano prima della scadenza", "usually not paying early"),
    ("min", -1): ("di solito pagano al massimo {days} prima", "usually paying {days} early at most"),
}


def _late_words(when: When, language: str) -> list[str]:
    words = []
    for side, days in (("min", when.min_late_days), ("max", when.max_late_days)):
        if days is not None:
            italian, english = _LATE[side, (days > 0) - (days < 0)]
            text = italian if language == "it" else english
            words.append(text.format(days=_days(abs(days), language)))
    return words


def _days(days: int, language: str) -> str:
    if days == 1:
        return "un giorno" if language == "it" else "one day"
    told = number_text(days, language)
    return f"{told} giorni" if language == "it" else f"{told} days"


def day_words(day: int, language: str) -> str:
    """ "7 giorni prima", "alla scadenza", "dopo 5 giorni"."""
    if day == 0:
        return "alla scadenza" if language == "it" else "on the due date"
    told = _days(abs(day), language)
    if day < 0:
        return f"{told} prima" if language == "it" else f"{told} before"
    return f"dopo {told}" if language == "it" else f"after {told}"


def timing_words(step: Step, language: str) -> list[str]:
    """What more there is to say of when a step comes: until when, how long after the last message."""
    is_it, words = language == "it", []
    if step.until_day is not None and step.until_day != step.day:
        if step.until_day == 0:
            words.append("fino alla scadenza" if is_it else "until the due date")
        else:
            told = day_words(step.until_day, language)
            words.append(f"fino a {told}" if is_it else f"until {told}")
    if step.wait_days:
        told = _days(step.wait_days, language)
        words.append(
            f"almeno {told} dopo l'ultimo messaggio" if is_it else f"{told} or more after the last message"
        )
    if step.after:
        words.append(f"solo dopo {step.after}" if is_it else f"only after {step.after}")
    if step.repeat_days:
        told = _days(step.repeat_days, language)
        words.append(f"di nuovo ogni {told}" if is_it else f"again every {told}")
    return words


def minimum_words(step: Step, language: str) -> list[str]:
    """The least that must be asked, in all and of what is open."""
    is_it, words = language == "it", []
    if step.min_amount_mills:
        told = amount_words(step.min_amount_mills, language)
        words.append(f"da {told}" if is_it else f"from {told}")
    if step.min_share:
        told = percent_text(step.min_share, language)
        words.append(f"almeno il {told} dell'aperto" if is_it else f"at least {told} of what is open")
    return words


_TONES = {
    "it": {"courtesy": "cortese", "soft": "gentile", "firm": "deciso", "formal": "formale"},
    "en": {"courtesy": "courteous", "soft": "soft", "firm": "firm", "formal": "formal"},
}


def arm_words(arm: Arm, language: str) -> list[str]:
    """What an arm does otherwise than its step."""
    is_it = language == "it"
    tongue = "it" if is_it else "en"
    words = []
    if arm.shift_days:
        told = _days(abs(arm.shift_days), language)
        side = ("dopo", "later") if arm.shift_days > 0 else ("prima", "earlier")
        words.append(f"{told} {side[0] if is_it else side[1]}")
    if arm.channel:
        told = CHANNELS[tongue][arm.channel]
        words.append(f"per {told}" if is_it else f"by {told}")
    if arm.tone:
        told = _TONES[tongue][arm.tone]
        words.append(f"tono {told}" if is_it else f"tone {told}")
    if arm.template:
        words.append(f"testo {arm.template}" if is_it else f"text {arm.template}")
    if arm.subject:
        told = arm.subject.get(tongue) or next(iter(arm.subject.values()))
        words.append(f"oggetto «{told}»" if is_it else f"subject “{told}”")
    if not arm.payment_link:
        words.append("senza link" if is_it else "without the link")
    return words
