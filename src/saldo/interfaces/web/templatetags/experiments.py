"""What the pages of experiments say."""

from __future__ import annotations

from django import template
from django.utils.translation import gettext as _

from saldo.collection.experiments import ENROLLING, OVER, STOPPED, WATCHING
from saldo.core.experiments import BETTER, NO_DIFFERENCE, OPEN, TOO_EARLY, WORSE
from saldo.core.playbook import CONTROL, Step
from saldo.core.playbook_words import arm_words
from saldo.core.words import number_text
from saldo.interfaces.web.templatetags.saldo import NONE, language

register = template.Library()


@register.filter
def points(share: float | None) -> str:
    """A difference of shares in points of a hundred, with its sign: "+4,2"."""
    if share is None:
        return NONE
    value = round(share * 100, 1)
    sign = "+" if value > 0 else "−" if value < 0 else ""
    return sign + number_text(abs(value), language(), 1)


@register.filter
def in_points(share: float) -> str:
    """A size of a difference, which has no side: "10", "17,9"."""
    value = round(share * 100, 1)
    return number_text(value, language(), 0 if value == round(value) else 1)


@register.filter
def chance(p: float | None) -> str:
    """A p of 0-1: "0,032", "<0,001"."""
    if p is None:
        return NONE
    return f"< {number_text(0.001, language(), 3)}" if p < 0.001 else number_text(p, language(), 3)


@register.filter
def state_words(state: str) -> str:
    return {
        ENROLLING: _("customers come in"),
        WATCHING: _("the last customers’ time runs"),
        OVER: _("over"),
        STOPPED: _("stopped"),
    }[state]


@register.filter
def verdict_words(verdict: str) -> str:
    return {
        BETTER: _("better than the step as it is"),
        WORSE: _("worse than the step as it is"),
        NO_DIFFERENCE: _("no difference found"),
        TOO_EARLY: _("too early to say"),
        OPEN: _("not decided yet"),
        "": "",
    }[verdict]


@register.filter
def harm_words(kind: str) -> str:
    return {"dispute": _("disputes"), "complaint": _("complaints"), "opt_out": _("opt-outs")}[kind]


@register.filter
def end_words(reason: str) -> str:
    return {
        "person": _("by a person"),
        "harm": _("by Saldo: an arm did harm"),
        "decided": _("decided"),
    }[reason]


@register.filter
def arm_does(step: Step, arm: str) -> str:
    """What an arm does otherwise than the step."""
    found = step.arm(arm)
    if found is None:
        return _("the step as it is written") if arm == CONTROL else arm
    return ", ".join(arm_words(found, language()))


@register.filter
def arm_name(arm: str) -> str:
    return _("as written") if arm == CONTROL else arm


@register.filter
def of(values: dict[str, int], key: str) -> int:
    return values.get(key, 0)
