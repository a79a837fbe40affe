"""The shipped model of replies: a linear model with softmax, read from a JSON record; numpy only.

The record has two heads, for labels and for the reasons of disputes: weights as whole steps (int8,
base85) of ``step`` each, per name and place; the bias; the temperature that makes confidences true.
Beside them the thresholds of the zones with what they held on replies
not learnt from; the hash of what was learnt from.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saldo.analytics.replies.features import BUCKETS, Looked, cue_matches, place_of, word_features

LABELS = (
    "promise",
    "dispute",
    "paid",
    "question",
    "out_of_office",
    "wrong_contact",
    "opt_out",
    "angry",
    "other",
)
# Codes of disputes.models.Dispute.Reason.
REASONS = (
    "price", "quality", "quantity", "delivery", "missing_document", "order", "duplicate", "return", "other",
)  # fmt: skip
# Fewer lessons tell of reasons: their words share places more closely.
REASON_PLACES = 1 << 14
FILE = "model.json"
_MOST_WORDS = 5


@dataclass(frozen=True, slots=True)
class Zone:
    """A confidence from which on ``precision`` of the replies not learnt from were read right."""

    threshold: float
    precision: float
    share: float


@dataclass(frozen=True)
class Head:
    """A softmax over names. weights: names x places; places beyond are taken modulo their number."""

    names: tuple[str, ...]
    weights: NDArray[np.float64]
    bias: NDArray[np.float64]
    temperature: float

    def scores(self, places: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The probability of each name, calibrated."""
        raw = (self.weights[:, places % self.weights.shape[1]] @ values + self.bias) / self.temperature
        powers = np.exp(raw - raw.max())
        probabilities: NDArray[np.float64] = powers / powers.sum()
        return probabilities

    def best(self, places: NDArray[np.int64], values: NDArray[np.float64]) -> tuple[str, float]:
        shares = self.scores(places, values)
        place = int(np.argmax(shares))
        return self.names[place], float(shares[place])


@dataclass(frozen=True)
class Model:
    name: str
    labels: Head
    reasons: Head
    high: Zone
    low: Zone
    trained_on: str

    def zone(self, confidence: float) -> str:
        if confidence >= self.high.threshold:
            return "high"
        return "middle" if confidence >= self.low.threshold else "low"

    def words(self, looked: Looked, label: int) -> list[str]:
        """The words that spoke most for ``label`` against the others, strongest first."""
        others = np.delete(self.labels.weights, label, axis=0).max(axis=0)
        lead = self.labels.weights[label] - others
        found: dict[str, float] = {}
        for name, words in cue_matches(looked.body).items():
            value = float(lead[place_of(f"cue {name}")])
            if value > 0 and len(words) > 1:
                found[words] = max(found.get(words, 0.0), value)
        for feature in word_features(looked.tokens):
            kind, _, words = feature.partition(" ")
            value = float(lead[place_of(feature)])
            if kind == "word" and value > 0 and len(words) > 2 and not words.startswith("x"):
                found.setdefault(words, 0.5 * value)
        ranked = sorted(found, key=lambda words: (-found[words], words))
        kept: list[str] = []
        for words in ranked:
            if not any(words in other or other in words for other in kept):
                kept.append(words)
        return kept[:_MOST_WORDS]


def from_record(record: dict[str, Any]) -> Model:
    if record["places"] != BUCKETS:
        raise ValueError("the record is of another version of the reading of replies")
    return Model(
        name=record["name"],
        labels=_head(record["labels"], LABELS),
        reasons=_head(record["reasons"], REASONS),
        high=Zone(**record["high"]),
        low=Zone(**record["low"]),
        trained_on=record["trained_on"],
    )


def _head(kept: dict[str, Any], names: tuple[str, ...]) -> Head:
    if tuple(kept["names"]) != names:
        raise ValueError("the record is of another version of the reading of replies")
    steps = np.frombuffer(base64.b85decode(kept["weights"]), dtype="i1").reshape(len(names), kept["places"])
    bias = np.array(kept["bias"], dtype=np.float64)
    return Head(names, steps.astype(np.float64) * kept["step"], bias, kept["temperature"])


def to_bytes(record: dict[str, Any]) -> bytes:
    """The record as it is shipped: the same record gives the same bytes."""
    return (json.dumps(record, ensure_ascii=True, sort_keys=True, indent=1) + "\n").encode("ascii")


@cache
def shipped() -> Model:
    """The model of the package."""
    text = files("saldo.analytics.replies").joinpath(FILE).read_text(encoding="ascii")
    return from_record(json.loads(text))
