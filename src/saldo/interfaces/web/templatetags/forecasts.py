"""Forecasts, scores and warnings in words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from django import template
from django.utils.translation import gettext, ngettext

from saldo.core.money import from_mills
from saldo.core.risk_reasons import missing_name
from saldo.interfaces.web.forecast_labels import (
    AS_NUMBER,
    IN_DAYS,
    SCORES,
    feature_label,
    reason_in_words,
    rung_label,
    warning_label,
    warning_text,
)
from saldo.interfaces.web.model_page import why_text
from saldo.interfaces.web.templatetags.saldo import (
    NONE,
    day,
    decimals,
    language,
    percent,
    whole,
    with_currency,
)

register = template.Library()


@register.filter
def said(reason: Mapping[str, Any]) -> str:
    """A reason of a forecast or score, without its size."""
    return reason_in_words(reason, language())


@register.filter
def said_within(reason: Mapping[str, Any]) -> str:
    """The same inside a sentence."""
    text = said(reason)
    return text[:1].lower() + text[1:]


@register.filter
def alert_name(code: str) -> str:
    """A warning in a word or two, for the rows of a list."""
    return warning_label(code)


@register.filter
def size_days(reason: Mapping[str, Any]) -> str:
    """What a reason does to the expected date: "+12 gg"."""
    value = reason.get("params", {}).get("days")
    return "" if value is None else gettext("%(days)s d") % {"days": _signed(value, 0)}


@register.filter
def size_points(reason: Mapping[str, Any]) -> str:
    """What a reason does to the score: "−9"."""
    value = reason.get("params", {}).get("points", reason.get("points"))
    return "" if value is None else _signed(value, 0 if abs(value) >= 1 else 1)


def _signed(value: float, places: int) -> str:
    text = decimals(value, places)
    return f"+{text}" if value > 0 and any(c in "123456789" for c in text) else text


@register.filter
def is_worse(reason: Mapping[str, Any]) -> bool:
    """Whether a reason makes the payment later or the score lower."""
    params = reason.get("params", {})
    if "days" in params:
        return bool(params["days"] > 0)
    return bool(params.get("points", reason.get("points", 0)) < 0)


@register.filter
def plain_facts(facts: Mapping[str, Any]) -> str:
    """What anybody can check of the account, in one line."""
    paid, median = facts.get("paid_invoices") or 0, facts.get("median_delay_days")
    if not paid or median is None:
        parts = [gettext("no paid invoice yet")]
    else:
        parts = [
            ngettext("%(n)s invoice paid", "%(n)s invoices paid", paid) % {"n": whole(paid)},
            _late(gettext("median"), round(median)),
        ]
        recent = facts.get("recent_median_delay_days")
        if recent is not None and round(recent) != round(median):
            parts.append(_late(gettext("of the latest"), round(recent)))
    if facts.get("overdue_mills"):
        amount = with_currency(from_mills(facts["overdue_mills"]), facts["currency"])
        parts.append(gettext("%(amount)s overdue") % {"amount": amount})
    return " · ".join(parts)


def _late(which: str, days: int) -> str:
    values = {"which": which, "days": whole(abs(days))}
    if days == 0:
        return gettext("%(which)s: on the due date") % values
    if days < 0:
        return ngettext("%(which)s: %(days)s day early", "%(which)s: %(days)s days early", -days) % values
    return ngettext("%(which)s: %(days)s day late", "%(which)s: %(days)s days late", days) % values


@register.filter
def warned(warning: Any) -> str:
    """A warning as a sentence: "Dal 12/10/2026 paga circa 14 giorni più tardi del solito"."""
    return warning_text(warning, day)


@register.filter
def in_people(pd: float) -> str:
    """A probability of default as customers among so many: easier to weigh than a small percentage."""
    of = 100 if pd >= 0.01 else 1000
    count = max(1, round(pd * of))
    if pd * 1000 < 0.5:
        return gettext("Fewer than 1 in 1,000 customers like this one becomes insolvent within a year")
    return ngettext(
        "Of %(of)s customers like this one, about %(count)s becomes insolvent within a year",
        "Of %(of)s customers like this one, about %(count)s become insolvent within a year",
        count,
    ) % {"of": whole(of), "count": count}


@register.filter
def chance(share: float | None) -> str:
    """A small probability with the places it needs: 3,8%, 0,04%."""
    if share is None:
        return NONE
    places = 0 if share >= 0.1 else 1 if share >= 0.001 else 2
    return f"{decimals(100 * share, places)}%"


@register.filter
def hand(score: int) -> str:
    """Where the hand of the gauge stands: inside it at 0 and at 100."""
    return f"{score * 0.986:.1f}"


@register.filter
def score_name(name: str) -> str:
    """A measure of the backtest, as a column is headed."""
    return str(SCORES[name][0])


@register.filter
def score_meaning(name: str) -> str:
    return str(SCORES[name][2])


@register.filter
def score_value(value: float, name: str) -> str:
    """A measure in its unit: days, a plain number, or a percentage."""
    if name in IN_DAYS:
        return decimals(value, 2)
    if name in AS_NUMBER:
        return decimals(value, 3)
    return f"{decimals(100 * value, 1)}%"


@register.filter
def score_error(value: float, name: str) -> str:
    """Its standard error, in the same unit without the sign of percent."""
    if name in IN_DAYS:
        return decimals(value, 2)
    return decimals(value, 3) if name in AS_NUMBER else decimals(100 * value, 1)


@register.filter
def feature_meaning(name: str) -> str:
    return feature_label(name, language())


@register.filter
def points_apart(error: float) -> str:
    """A distance of two shares in percentage points."""
    return decimals(100 * error, 1)


@register.filter
def signed_percent(share: float | None) -> str:
    if share is None:
        return NONE
    return f"{_signed(100 * share, 0)}%"


@register.filter
def cash_judged(score: Any, naive: Any) -> str:
    """What came of the last forecasts: the error of their totals, and how many had it inside the band."""
    inside = round((score.coverage_total or 0.0) * score.forecasts)
    values = {
        "n": whole(score.forecasts), "weeks": score.weeks, "error": percent(score.total_error),
        "inside": whole(inside),
    }  # fmt: skip
    text = (
        ngettext(
            "Of the last forecast of %(weeks)s weeks: error %(error)s, %(inside)s inside the band",
            "Of the last %(n)s forecasts of %(weeks)s weeks: error %(error)s, %(inside)s inside the band",
            score.forecasts,
        )
        % values
    )
    if naive is not None and naive.total_error is not None:
        text += gettext("; the simple forecast: error %(error)s") % {"error": percent(naive.total_error)}
    return f"{text}."


@register.filter
def why(row: Any, metrics: Mapping[str, Any] | None = None) -> str:
    """Why a version came into use: as a person wrote it, or as the backtest told it."""
    return why_text(row.reason, row.metrics if metrics is None else metrics, language())


@register.filter
def rung_name(name: str) -> str:
    return rung_label(name)


@register.filter
def leak_words(leak: Mapping[str, Any]) -> str:
    """What gave a column away, as the report told it."""
    words = leak.get("words")
    if isinstance(words, Mapping):
        return str(words.get(language(), ""))
    return f"AUC {decimals(leak['auc'], 2)}" if isinstance(leak.get("auc"), float) else ""


@register.filter
def signed_days(value: float) -> str:
    return _signed(value, 2)


@register.filter
def iso_day(text: Any) -> str:
    """A day that was kept as text."""
    try:
        return day(date.fromisoformat(str(text)))
    except ValueError:
        return str(text or NONE)


@register.filter
def lacking(name: str) -> str:
    """What a score did not have."""
    return missing_name(name, language())


@register.filter
def risk_tone(risk_class: str) -> str:
    """The color of a class's letter; the letter says the same."""
    return {"A": "k", "B": "k", "C": "w", "D": "l", "E": "l"}.get(risk_class, "q")


@register.filter
def in_span(low: date | None, high: date | None) -> str:
    """An interval of dates in words."""
    if low is None:
        return ""
    if high is None:
        return gettext("from %(low)s to more than a year from now") % {"low": day(low)}
    return gettext("between %(low)s and %(high)s") % {"low": day(low), "high": day(high)}
