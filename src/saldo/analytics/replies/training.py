"""Training the model of replies: from examples to the record that is shipped. Deterministic.

scikit-learn is used here only; reading a reply does not need it. Confidences are calibrated on replies of
families that the fold's model had not seen, and so are the zones.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saldo.analytics.replies.features import BUCKETS, features, look
from saldo.analytics.replies.model import LABELS

NAME = "replies-1"
_FOLDS = 5
_STRENGTH = 10.0  # of fitting against smallness of the weights
_STEP = 0.001
_HIGH_PRECISION, _LOW_PRECISION = 0.95, 0.80
_LEAST_HIGH, _LEAST_LOW = 0.80, 0.35


@dataclass(frozen=True, slots=True)
class Lesson:
    """A reply to learn from. family: lessons of one family are never on both sides of a split.

    calibrates: its fold's answer counts for the temperature and the zones.
    """

    text: str
    label: str
    day: date
    family: str
    weight: float = 1.0
    calibrates: bool = True


def digest(lessons: Sequence[Lesson]) -> str:
    """The hash of what is learnt from, in its order."""
    told = [[each.text, each.label, each.day.isoformat(), each.family, each.weight] for each in lessons]
    return hashlib.sha256(json.dumps(told, ensure_ascii=True).encode("ascii")).hexdigest()


def train(lessons: Sequence[Lesson]) -> dict[str, Any]:
    """The record of a model. The same lessons in the same order give the same record."""
    matrix = matrix_of(lessons)
    labels = np.array([LABELS.index(each.label) for each in lessons])
    weights = np.array([each.weight for each in lessons])
    raw = _out_of_fold(matrix, labels, weights, _folds(lessons))
    counts = np.array([each.calibrates for each in lessons])
    temperature = _temperature(raw[counts], labels[counts])
    shares = _softmax(raw[counts] / temperature)
    confidence, is_right = shares.max(axis=1), shares.argmax(axis=1) == labels[counts]
    coefficients, bias = _fit(matrix, labels, weights)
    steps = np.clip(np.rint(coefficients / _STEP), -32768, 32767).astype("<i2")
    return {
        "name": NAME,
        "labels": list(LABELS),
        "places": BUCKETS,
        "step": _STEP,
        "weights": base64.b64encode(steps.tobytes()).decode("ascii"),
        "bias": [int(value) for value in np.rint(bias / _STEP)],
        "temperature": round(temperature, 2),
        "high": _zone(confidence, is_right, _HIGH_PRECISION, _LEAST_HIGH),
        "low": _zone(confidence, is_right, _LOW_PRECISION, _LEAST_LOW),
        "lessons": len(lessons),
        "trained_on": digest(lessons),
    }


def matrix_of(lessons: Sequence[Lesson]) -> Any:
    """The features of the lessons, a sparse row each."""
    from scipy.sparse import csr_matrix

    rows = [features(look(each.text, each.day)) for each in lessons]
    ends = np.cumsum([0, *(len(places) for places, _ in rows)])
    places = np.concatenate([places for places, _ in rows])
    values = np.concatenate([values for _, values in rows])
    return csr_matrix((values, places, ends), shape=(len(rows), BUCKETS))


def _fit(
    matrix: Any, labels: NDArray[np.int64], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=_STRENGTH, max_iter=400, tol=1e-5).fit(
        matrix, labels, sample_weight=weights
    )
    if len(fitted.classes_) != len(LABELS):
        raise ValueError("every label needs lessons, in every fold")
    return fitted.coef_, fitted.intercept_


def _folds(lessons: Sequence[Lesson]) -> NDArray[np.int64]:
    families = {
        family: at % _FOLDS for at, family in enumerate(dict.fromkeys(each.family for each in lessons))
    }
    return np.array([families[each.family] for each in lessons])


def _out_of_fold(
    matrix: Any, labels: NDArray[np.int64], weights: NDArray[np.float64], folds: NDArray[np.int64]
) -> NDArray[np.float64]:
    """What each lesson scores by a model that has not seen its family."""
    raw = np.zeros((len(labels), len(LABELS)))
    for fold in range(_FOLDS):
        inside = folds != fold
        coefficients, bias = _fit(matrix[inside], labels[inside], weights[inside])
        raw[~inside] = matrix[~inside] @ coefficients.T + bias
    return raw


def _softmax(raw: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(raw - raw.max(axis=1, keepdims=True))
    shares: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return shares


def _temperature(raw: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """The temperature with the least log loss, of 0.50 to 4.00 (Guo et al. 2017, Calibration of Modern
    Neural Networks)."""
    rows = np.arange(len(labels))
    candidates = [step / 50 for step in range(25, 201)]
    losses = [-np.log(_softmax(raw / each)[rows, labels] + 1e-12).mean() for each in candidates]
    return candidates[int(np.argmin(losses))]


def _zone(
    confidence: NDArray[np.float64], is_right: NDArray[np.bool_], precision: float, least: float
) -> dict[str, float]:
    """The lowest threshold from which on so many are right; with what held there."""
    for threshold in [step / 100 for step in range(round(100 * least), 100)]:
        inside = confidence >= threshold
        if inside.any() and is_right[inside].mean() >= precision:
            break
    return {
        "threshold": threshold,
        "precision": round(float(is_right[inside].mean()) if inside.any() else 0.0, 3),
        "share": round(float(inside.mean()), 3),
    }
