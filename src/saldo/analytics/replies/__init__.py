"""What a customer's reply says: its kind, how sure that is, and the facts in it. Pure; Italian and English.

    understood = classify("pagheremo 2.000 euro entro venerdì", day=date(2026, 3, 11))
    understood.label, understood.facts.promised_date.value    # "promise", date(2026, 3, 13)

How it works and what it was measured to do: docs/rules/replies.md. Acceptance of a plan is a promise with
``facts.is_plan``. Wording of an opt-out counts whatever the label (``facts.wants_no_more``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from saldo.analytics.replies.facts import facts_of
from saldo.analytics.replies.features import features as features_of
from saldo.analytics.replies.features import look
from saldo.analytics.replies.model import LABELS, Model, shipped
from saldo.analytics.replies.records import SURE, Fact, Facts, Owed
from saldo.core.spoken import plain_text

__all__ = ["LABELS", "SURE", "Fact", "Facts", "Owed", "Understood", "classify"]

_ITALIAN = re.compile(
    r"\b(?:il|la|le|di|che|non|per|vi|e'|con|fattur\w+|pag\w+|abbiamo|sono|ho|buongiorno|saluti|entro|"
    r"grazie)\b"
)
_ENGLISH = re.compile(
    r"\b(?:the|we|you|is|will|have|and|of|to|invoice|pay\w*|paid|regards|please|not|thanks|i'm|it)\b"
)
# What an absence is called in the subject of an automatic answer.
_AUTOMATIC_SUBJECT = re.compile(
    r"risposta automatica|automatic reply|out of office|fuori (?:sede|ufficio)|auto-?reply|autoreply|"
    r"^\W*(?:auto|assenza)\b"
)


@dataclass(frozen=True, slots=True)
class Understood:
    """label: one of LABELS; confidence: 0-1, calibrated on replies not learnt from; zone: "high" (propose it
    filled in), "middle" (propose), "low" (only the inbox); scores: of every label; reasons: code and
    parameters for core.reasons.render; model: its name."""

    label: str
    confidence: float
    zone: str
    scores: dict[str, float]
    facts: Facts
    reasons: tuple[dict[str, Any], ...] = ()
    language: str = "it"
    model: str = ""


def classify(
    text: str,
    subject: str = "",
    language_hint: str = "",
    day: date | None = None,
    owed: Iterable[Owed | tuple[Any, ...]] = (),
) -> Understood:
    """What a reply says. Never raises.

    text: its new words (no quoted message). day: when it was written; days are read from there. owed: the
    items it may be about, (number, balance in mills, due date[, currency]). language_hint: "it" or "en", the
    account's language; counts where the text does not tell.
    """
    model = shipped()
    today = day or date(2000, 1, 1)
    items = [Owed(*each) for each in owed]
    if not text.strip():
        return _nothing(model, language_hint or "it")
    looked = look(text, today)
    seen = features_of(looked)
    shares = model.labels.scores(*seen)
    if _AUTOMATIC_SUBJECT.search(plain_text(subject[:200])):
        shares = _surely(shares, LABELS.index("out_of_office"))
    best = int(np.argmax(shares))
    scores = {label: round(float(share), 4) for label, share in zip(LABELS, shares, strict=True)}
    label, confidence = LABELS[best], float(shares[best])
    reason = None
    if label == "dispute":
        code, sure = model.reasons.best(*seen)
        reason = Fact(code, sure * confidence)
    facts = facts_of(looked, text, label, scores, items, reason)
    if day is None:
        facts = Facts(items=facts.items, wants_no_more=facts.wants_no_more, contact=facts.contact)
    words = model.words(looked, best)
    reasons = ({"code": "reply_words", "params": {"label": label, "words": words}},) if words else ()
    return Understood(
        label,
        confidence,
        model.zone(confidence),
        scores,
        facts,
        reasons,
        _language(text, language_hint),
        model.name,
    )


def _surely(shares: np.ndarray[Any, Any], label: int) -> np.ndarray[Any, Any]:
    """The subject of an automatic answer leaves little doubt: nine tenths, and the rest as it was."""
    certain = np.zeros_like(shares)
    certain[label] = 1.0
    mixed: np.ndarray[Any, Any] = 0.9 * certain + 0.1 * shares
    return mixed


def _nothing(model: Model, language: str) -> Understood:
    share = round(1 / len(LABELS), 4)
    return Understood("other", share, "low", dict.fromkeys(LABELS, share), Facts(), (), language, model.name)


def _language(text: str, hint: str) -> str:
    plain = plain_text(text[:2_000])
    italian, english = len(_ITALIAN.findall(plain)), len(_ENGLISH.findall(plain))
    if italian == english:
        return hint if hint in ("it", "en") else "it"
    return "it" if italian > english else "en"


def items_of(owed: Sequence[Owed], facts: Facts) -> list[Owed]:
    """The items that a reply names."""
    return [owed[position] for position in facts.items.value] if facts.items else []
