"""The words for what models say: features, warnings, classes, rungs and their measures, both languages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

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
# What a score had not, and would have told more.
RISK_DATA = {
    "financials": gettext_lazy("balance sheet"),
    "financial_statement": gettext_lazy("balance sheet"),
    "ratings": gettext_lazy("external rating"),
    "rating": gettext_lazy("external rating"),
    "payments": gettext_lazy("payments"),
    "history": gettext_lazy("payments"),
    "orders": gettext_lazy("orders"),
}
WARNINGS = {
    "delay_drift": gettext_lazy("pays later"),
    "part_payments": gettext_lazy("pays in parts"),
    "returned": gettext_lazy("RiBa come back"),
    "silence": gettext_lazy("no payment"),
    "order_spike": gettext_lazy("orders jump"),
}


def feature_label(name: str, language: str) -> str:
    """What a feature means; its name where the dictionary has it no more."""
    found = features_by_name().get(name)
    return found.meaning[language] if found else name.replace("_", " ")


def data_label(name: str, language: str) -> str:
    """What a score lacked: a kind of data, or a feature."""
    return str(RISK_DATA[name]) if name in RISK_DATA else feature_label(name, language).lower()


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


def warning_text(warning: Any, language: str, day: Callable[[Any], str]) -> str:
    """A warning as a sentence with the day from which it is seen."""
    since = _("Since %(day)s") % {"day": day(warning.since_date)}
    if warning.reasons:
        text = reason_in_words(warning.reasons[0], language)
        return f"{since} {text[:1].lower()}{text[1:]}"
    return f"{since}: {warning_label(warning.code)}"
