"""What the pages of playbooks say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from django import template
from django.utils.translation import gettext_lazy

from saldo.core.money import to_mills
from saldo.core.playbook import Arm, Playbook, Step, When
from saldo.core.playbook_diff import StepChange
from saldo.core.playbook_problems import Problem
from saldo.core.playbook_words import (
    amount_words,
    arm_words,
    day_words,
    minimum_words,
    timing_words,
    when_words,
)
from saldo.core.words import percent_text
from saldo.interfaces.web import playbook_labels
from saldo.interfaces.web.labels import label
from saldo.interfaces.web.playbook_strip import Strip, strip
from saldo.interfaces.web.templatetags.saldo import language

register = template.Library()
_EXTRAS = {
    "until_day": gettext_lazy("until day"),
    "wait_days": gettext_lazy("wait"),
    "repeat_days": gettext_lazy("again every"),
    "after": gettext_lazy("after"),
    "min_amount": gettext_lazy("from"),
    "min_share": gettext_lazy("share %"),
}


@register.filter
def in_language(texts: Any) -> str:
    """A text that is kept in both languages, in the reader's."""
    return str(texts.get(language()) or next(iter(texts.values()), "")) if texts else ""


@register.filter
def conditions(when: When) -> list[str]:
    return when_words(when, language())


@register.filter
def starts(step: Step) -> str:
    text = day_words(step.day, language())
    return text[:1].upper() + text[1:]


@register.filter
def timing(step: Step) -> list[str]:
    return timing_words(step, language())


@register.filter
def minimum(step: Step) -> list[str]:
    return minimum_words(step, language())


@register.filter
def by_track(playbook: Playbook) -> list[tuple[str, list[Step]]]:
    """The steps of each track in the order in which they come."""
    tracks = dict.fromkeys(("soon", "overdue", "thanks"))
    found = [(track, [step for step in playbook.steps if step.track == track]) for track in tracks]
    return [(track, sorted(steps, key=lambda s: (s.level, s.day))) for track, steps in found if steps]


@register.filter
def problem_text(problem: Problem) -> str:
    return problem.text(language())


@register.filter
def problem_why(problem: Problem) -> str:
    return problem.why(language())


@register.filter
def problem_in_form(problem: Problem) -> str:
    """The problem with its field called as the form calls it, not by its key in the text."""
    key = problem.params.get("key")
    if not isinstance(key, str) or key.rpartition(".")[2] not in playbook_labels.FIELDS:
        return problem.why(language())
    return replace(problem, params={**problem.params, "key": field_name(key)}).why(language())


@register.filter
def problem_place(problem: Problem) -> str:
    return problem.place(language())


@register.filter
def problem_remedy(problem: Problem) -> str:
    return problem.remedy(language())


@register.filter
def as_strip(playbook: Playbook) -> Strip:
    return strip(playbook)


@register.filter
def words_in(text: str) -> list[str]:
    """The values of a field that takes several."""
    return text.replace(",", " ").split()


@register.filter
def step_prefix(place: int) -> str:
    """What the names of a step's fields begin with."""
    return f"s{place}-"


@register.filter
def arm_prefix(step: str, place: int) -> str:
    """What the names of an arm's fields begin with."""
    return f"{step}arm{place}-"


@register.filter
def arm_told(arm: Arm) -> str:
    return ", ".join(arm_words(arm, language()))


@register.filter
def is_given(values: Mapping[str, str]) -> bool:
    return any(values.values())


@register.filter
def extras(values: Mapping[str, str]) -> list[str]:
    """What a step says beyond its first fields, so that it is seen while they are folded."""
    told = [label("step_mode", "automatic")] if values.get("mode") == "automatic" else []
    for key, name in _EXTRAS.items():
        if value := values.get(key):
            told.append(f"{name} {value}")
    for key, table in (("fallback", "channel"), ("attach", "attachment")):
        if words := [label(table, code) for code in words_in(values.get(key, ""))]:
            told.append(("+ " if key == "attach" else "→ ") + ", ".join(words))
    if values.get("purpose") not in ("", "reminder", None):
        told.append(label("purpose", values["purpose"]))
    if values.get("owner") not in ("", "collector", None):
        told.append(label("step_owner", values["owner"]))
    return told


@register.filter
def slots(text: str, spare: int) -> list[str]:
    """The values of a field whose order counts, and room for more."""
    values = words_in(text)
    return values + [""] * max(1, spare - len(values))


@register.filter
def step_place(form: Any, step: str) -> int | None:
    """The place in the form of the step that a problem names."""
    for place, each in enumerate(form.steps if form else (), start=1):
        if (each.values.get("code") or f"n. {place}") == step:
            return place
    return None


@register.filter
def field_name(name: str) -> str:
    """A key of the text as the form calls it; those of the segment say so."""
    of, _dot, key = name.rpartition(".")
    language_of = key if key in ("it", "en") else ""
    word = playbook_labels.FIELDS.get(of if language_of else key, key)
    told = f"{word} ({language_of})" if language_of else str(word)
    return (
        f"{playbook_labels.FIELDS['segment']}: {told}"
        if of.startswith("segment") and not language_of
        else told
    )


@register.filter
def field_value(text: str, name: str) -> str:
    """A value of the text in the reader's words."""
    key = name.rpartition(".")[2]
    if table := playbook_labels.VALUES.get(key):
        return ", ".join(label(table, code) for code in text.split(", "))
    if key.startswith(("min_open", "max_open", "min_amount")):
        return amount_words(to_mills(Decimal(text)), language())
    if key == "min_share":
        return percent_text(float(text), language())
    return day_words(int(text), language()) if key in ("day", "until_day") else text


@register.filter
def in_short(change: StepChange) -> str:
    """A step that is new or gone: when it comes, and how."""
    told = {each.name: each.after or each.before for each in change.fields}
    words = [field_value(told[key], key) for key in ("day", "channel", "tone") if key in told]
    return " · ".join(words)
