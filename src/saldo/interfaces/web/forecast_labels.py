"""The words for what models say: features, warnings, classes, rungs and their measures, both languages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy

from saldo.analytics.features_dictionary import features_by_name, reason_words
from saldo.core.reasons import render

RISK_CLASSES = {
    "A": pgettext_lazy("risk", "very low"),
    "B": pgettext_lazy("risk", "low"),
    "C": pgettext_lazy("risk", "medium"),
    "D": pgettext_lazy("risk", "high"),
    "E": pgettext_lazy("risk", "very high"),
}
ENGINES = {
    "payment_date": gettext_lazy("Payment date"),
    "default_risk": gettext_lazy("Default risk"),
    "early_warning": gettext_lazy("Early warnings"),
}
MODEL_RUNGS = {
    "due_date": gettext_lazy("Due date"),
    "customer_median": gettext_lazy("Median of the customer"),
    "empirical_bayes": gettext_lazy("Empirical Bayes"),
    "ridge_km": gettext_lazy("Ridge regression, spread by Kaplan–Meier"),
    "pooled_km": gettext_lazy("Kaplan–Meier by age, all customers together"),
    "hazard": gettext_lazy("Learnt hazard"),
    "base_rate": gettext_lazy("The same for all"),
    "logistic": gettext_lazy("Logistic regression"),
    "woe_scorecard": gettext_lazy("Scorecard (weights of evidence)"),
    "additive_trees": gettext_lazy("Additive trees"),
    "boosted_ratios": gettext_lazy("Boosted trees"),
    "altman_z": gettext_lazy("Altman Z″"),
    "behavior": gettext_lazy("Payment behavior"),
    "statements": gettext_lazy("balance sheets"),
    "change_types": gettext_lazy("Changes of habit"),
    "stated": gettext_lazy("Stated card, not learnt"),
}
# How a measure of the backtest is called and what it means. best: "low", "high", or the value aimed at.
SCORES: Mapping[str, tuple[Any, Any, Any]] = {
    "mae_days": (
        gettext_lazy("Error (days)"), "low",
        gettext_lazy("Mean distance between the expected and the true day of payment."),
    ),
    "within_7_days": (
        gettext_lazy("Within 7 days"), "high",
        gettext_lazy("Share of the payments that came within a week of the expected day."),
    ),
    "c_index": (
        gettext_lazy("Order (C)"), "high",
        gettext_lazy("Of two invoices, how often the one paid first was expected first. 50% is chance."),
    ),
    "auc_late": (
        gettext_lazy("Late or not (AUC)"), "high",
        gettext_lazy("How well late payments are told from those on time. 50% is chance."),
    ),
    "brier_late": (
        gettext_lazy("Brier"), "low",
        gettext_lazy("Mean squared distance between the chance of being late and what happened."),
    ),
    "ece_late": (
        gettext_lazy("Calibration (ECE)"), "low",
        gettext_lazy("By how much a stated chance differs from the share that came true, on average."),
    ),
    "coverage_80": (
        gettext_lazy("80% interval"), 0.8,
        gettext_lazy("Share of the payments that came inside their 80% interval; more than 80% is too wide."),
    ),
    "crps_days": (
        gettext_lazy("CRPS (days)"), "low",
        gettext_lazy("Error of the whole distribution, in days: the single figure that judges a curve."),
    ),
    "wape_4w": (
        gettext_lazy("Cash, 4 weeks"), "low",
        gettext_lazy("Error of the cash expected in each of four weeks, as a share of what came."),
    ),
    "error_4w_total": (
        gettext_lazy("Cash, total"), "low",
        gettext_lazy("Error of the cash expected in four weeks together, as a share of what came."),
    ),
    "auc": (
        "AUC", "high",
        gettext_lazy("How often a customer that defaulted had the worse score of two. 50% is chance."),
    ),
    "ks": (
        "KS", "high",
        gettext_lazy("Largest distance between the scores of those that defaulted and of the others."),
    ),
    "brier": (
        gettext_lazy("Brier"), "low",
        gettext_lazy("Mean squared distance between the stated probability and what happened."),
    ),
    "ece": (
        gettext_lazy("Calibration (ECE)"), "low",
        gettext_lazy("By how much a stated probability differs from the share that came true, on average."),
    ),
}  # fmt: skip
IN_DAYS = frozenset({"mae_days", "crps_days"})
AS_NUMBER = frozenset({"brier_late", "brier"})
CASH_KINDS = {
    "open": gettext_lazy("From open invoices"),
    "future": gettext_lazy("From sales to come"),
    "total": gettext_lazy("Total"),
    "naive": gettext_lazy("Simple forecast, beside it"),
}
WARNINGS = {
    "delay_drift": gettext_lazy("pays later"),
    "part_payments": gettext_lazy("pays in parts"),
    "returned": gettext_lazy("lets RiBa come back"),
    "silence": gettext_lazy("pays nothing"),
    "order_spike": gettext_lazy("orders unusually much"),
}


def feature_label(name: str, language: str) -> str:
    """What a feature means; its name where the dictionary has it no more."""
    found = features_by_name().get(name)
    return found.meaning[language] if found else name.replace("_", " ")


def reason_in_words(reason: Mapping[str, Any], language: str) -> str:
    """A stored reason (code and facts) in the reader's language, beginning with a capital letter.

    The code is one of ``core.reasons``, or a feature of the dictionary with its value.
    """
    code, params = str(reason.get("code", "")), reason.get("params", {})
    try:
        text = render(code, params, language)
    except KeyError:
        found = features_by_name().get(code)
        text = reason_words(found, params.get("value"), language) if found else code.replace("_", " ")
    return text[:1].upper() + text[1:]


def warning_label(code: str) -> str:
    return str(WARNINGS.get(code, code.replace("_", " ")))


def warning_text(warning: Any, day: Callable[[Any], str]) -> str:
    """A warning as a sentence with the day from which it is seen. Its facts stand in its reasons."""
    since = _("Since %(day)s") % {"day": day(warning.since_date)}
    later = _days_later(warning)
    if later:
        return ngettext(
            "%(since)s pays about %(n)s day later than usual",
            "%(since)s pays about %(n)s days later than usual",
            later,
        ) % {"since": since, "n": later}
    return f"{since} {warning_label(warning.code)}"


def _days_later(warning: Any) -> int:
    """By how much a delay has grown, where the warning is of that and knows what was usual; else 0."""
    if warning.code != "delay_drift" or not warning.reasons:
        return 0
    facts = warning.reasons[0].get("params", {})
    if not facts.get("usual_items") or facts.get("recent_days") is None:
        return 0
    return max(0, round(facts["recent_days"] - facts.get("usual_days", 0)))


def rung_label(name: str) -> str:
    """A rung, or several that work together ("behavior+statements")."""
    parts = [str(MODEL_RUNGS.get(part, part.replace("_", " "))) for part in name.split("+")]
    return " + ".join(parts)
