"""Why an item is expected when it is: the strongest reasons, each with what it does to the expected day.

A reason is {"code", "params"}. code: the name of a feature of the dictionary, or one of
``core.forecast_reasons``. params["days"]: how many days later (below 0: earlier) the item is expected for it
than a typical item of the portfolio; params["value"]: the plain fact. How effects are found:
``reasons_learnt``, ``reasons_simple``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from saldo.analytics.book import Book
from saldo.analytics.features import features_at
from saldo.analytics.features_dictionary import features_by_name
from saldo.analytics.payment_date.hazard import Hazard
from saldo.analytics.payment_date.reasons_learnt import TopicEffects, topic_effects
from saldo.analytics.payment_date.reasons_simple import Effect, simple_effects
from saldo.analytics.payment_date.reasons_topics import AGE, DELAYS, HABIT, topic_of
from saldo.analytics.payment_date.ridge import RidgeKm
from saldo.analytics.payment_date.rungs import Fitted

Floats = npt.NDArray[np.float64]
Reason = dict[str, Any]

# Less than this moves no date.
LEAST_DAYS = 0.5
# The median is what people ask for: it is told unless another fact is this much more unusual.
_MEDIAN_FIRST = 1.25


def reasons(
    fitted: Fitted,
    book: Book,
    landmarks: pl.DataFrame,
    how_many: int = 3,
    features: pl.DataFrame | None = None,
) -> list[list[Reason]]:
    """The strongest reasons of each landmark (LANDMARKS), at most ``how_many``, strongest first.

    ``book`` may be cut to the landmarks' accounts. features: ``features_at`` of the landmarks in their order,
    where they are known already. Reasons of less than half a day are left out, but the
    strongest; that nothing is known of an account always stands among them.
    """
    if landmarks.is_empty():
        return []
    features = features_at(book, landmarks) if features is None else features
    if isinstance(fitted, Hazard | RidgeKm):
        each = _learnt(topic_effects(fitted, book, features))
    else:
        each = simple_effects(fitted, book, features)
    return [_strongest(effects, how_many) for effects in each]


def _strongest(effects: list[Effect], how_many: int) -> list[Reason]:
    ranked = sorted(effects, key=lambda effect: -round(abs(effect.days), 1))
    kept = [effect for place, effect in enumerate(ranked) if not place or abs(effect.days) >= LEAST_DAYS]
    kept = kept[:how_many]
    unknown = [effect for effect in ranked if effect.code == "no_history" and effect not in kept]
    if unknown:
        kept = [*kept[: how_many - 1], *unknown]
    return [
        {"code": effect.code, "params": {**effect.params, "days": round(effect.days, 1) + 0.0}}
        for effect in kept
    ]


def _learnt(found: TopicEffects) -> list[list[Effect]]:
    telling = _Telling(found)
    return [
        [telling.effect(row, place, days) for place, days in enumerate(found.days[row].tolist())]
        for row in range(len(found.days))
    ]


class _Telling:
    """Which feature tells a topic: the one that moves the line most in the direction of the whole topic."""

    def __init__(self, found: TopicEffects) -> None:
        self.found = found
        self.names = [[name for name in found.told if topic_of(name) == topic] for topic in found.topics]
        columns = {name for names in self.names for name in names} | {*DELAYS, "paid_count", "days_past_due"}
        self.values: Mapping[str, list[Any]] = {
            name: found.features[name].to_list() for name in columns if name in found.features.columns
        }
        self.documents = found.features["document_date"].to_list()

    def effect(self, row: int, place: int, days: float) -> Effect:
        topic = self.found.topics[place]
        if topic == HABIT:
            return self._habit(row, days)
        if topic == AGE:
            return Effect("days_past_due", days, {"value": self._value("days_past_due", row)})
        names = self.names[place]
        parts = [self.found.told[name][row] for name in names]
        agreeing = [part * days > 0 for part in parts]
        ranked = sorted(zip(agreeing, map(abs, parts), names, strict=True), key=lambda each: each[:2])
        return self._told(ranked[-1][2] if ranked else topic, row, days)

    def _told(self, name: str, row: int, days: float) -> Effect:
        document = self.documents[row]
        if name == "document_month":
            return Effect(name, days, {"value": document.month})
        if name == "document_weekday":
            return Effect(name, days, {"value": document.isoweekday()})
        value = self._value(name, row)
        if name not in features_by_name():
            return Effect("item_column", days, {"name": name, "value": value})
        return Effect(name, days, {"value": value})

    def _habit(self, row: int, days: float) -> Effect:
        paid = int(self._value("paid_count", row) or 0)
        median = self._value("delay_median", row)
        if not paid or median is None:
            return Effect("no_history", days, {})
        unusual = {
            name: scores[row] * math.copysign(1.0, days) * (_MEDIAN_FIRST if name == "delay_median" else 1.0)
            for name, scores in self.found.lateness.items()
            if self._value(name, row) is not None
        }
        told = max(unusual, key=lambda name: unusual[name], default="delay_median")
        if told == "delay_median" or unusual[told] <= 0.0:
            return Effect("usual_delay", days, {"value": median, "n": paid})
        return Effect(told, days, {"value": self._value(told, row), "n": paid, "median_days": median})

    def _value(self, name: str, row: int) -> Any:
        value = self.values[name][row] if name in self.values else None
        if isinstance(value, float):
            return round(value, 4) if math.isfinite(value) else None
        return value
