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
from saldo.analytics.replies.model import LABELS, REASON_PLACES, REASONS

NAME = "replies-1"
_FOLDS = 5
_STRENGTH = 10.0  # of fitting against smallness of the weights
_HIGH_PRECISION, _LOW_PRECISION = 0.95, 0.80
_LEAST_HIGH, _LEAST_LOW = 0.80, 0.35


@dataclass(frozen=True, slots=True)
class Lesson:
    """A reply to learn from. family: lessons of one family are never on both sides of a split.

    reason: of a dispute, where it is told. calibrates: its fold's answer counts for temperature and zones.
    """

    text: str
    label: str
    day: date
    family: str
    weight: float = 1.0
    reason: str = ""
    calibrates: bool = True


def digest(lessons: Sequence[Lesson]) -> str:
    """The hash of what is learnt from, in its order."""
    told = [
        [each.text, each.label, each.day.isoformat(), each.family, each.weight, each.reason]
        for each in lessons
    ]
    return hashlib.sha256(json.dumps(told, ensure_ascii=True).encode("ascii")).hexdigest()


def train(lessons: Sequence[Lesson]) -> dict[str, Any]:
    """The record of a model. The same lessons in the same order give the same record."""
    plain = matrix_of(lessons)
    rarity = _rarity(plain)
    weighed = plain.multiply(rarity[None, :]).tocsr()
    labels, confidence, is_right = _head(lessons, weighed, LABELS, [each.label for each in lessons], rarity)
    disputes = [each for each in lessons if each.reason]
    narrow = _narrow(plain[np.array([bool(each.reason) for each in lessons])], REASON_PLACES)
    every = np.ones(REASON_PLACES)
    reasons, _, _ = _head(disputes, narrow, REASONS, [each.reason for each in disputes], every)
    return {
        "name": NAME,
        "places": BUCKETS,
        "labels": labels,
        "reasons": reasons,
        "high": _zone(confidence, is_right, _HIGH_PRECISION, _LEAST_HIGH),
        "low": _zone(confidence, is_right, _LOW_PRECISION, _LEAST_LOW),
        "lessons": len(lessons),
        "trained_on": digest(lessons),
    }


def _head(
    lessons: Sequence[Lesson],
    matrix: Any,
    names: Sequence[str],
    told: Sequence[str],
    rarity: NDArray[np.float64],
) -> tuple[dict[str, Any], NDArray[np.float64], NDArray[np.bool_]]:
    """A softmax over ``names`` as it is kept; of the lessons that calibrate, how sure it was when it had not
    seen their family, and whether it was right."""
    labels = np.array([names.index(each) for each in told])
    weights = np.array([each.weight for each in lessons])
    raw = _out_of_fold(matrix, labels, weights, _folds(lessons), len(names))
    counts = np.array([each.calibrates for each in lessons])
    temperature = _temperature(raw[counts], labels[counts])
    shares = _softmax(raw[counts] / temperature)
    coefficients, bias = _fit(matrix, labels, weights, len(names))
    # What is read later is not weighed by rarity: the weights hold it.
    coefficients = coefficients * rarity
    step = round(float(np.abs(coefficients).max()) / 127 + 0.0005, 3)
    steps = np.rint(coefficients / step).astype("i1")
    kept = {
        "names": list(names),
        "places": int(matrix.shape[1]),
        "step": step,
        "weights": base64.b85encode(steps.tobytes()).decode("ascii"),
        "bias": [round(float(value), 3) for value in bias],
        "temperature": round(temperature, 2),
    }
    return kept, shares.max(axis=1), shares.argmax(axis=1) == labels[counts]


def _rarity(matrix: Any) -> NDArray[np.float64]:
    """How rare each place is among the lessons, 1 for what one in twenty has: common ones say little."""
    count = np.diff(matrix.tocsc().indptr)
    scale: NDArray[np.float64] = np.clip(np.log((matrix.shape[0] + 1) / (count + 1)) / 3, 0.2, 3.0)
    return scale


def _narrow(matrix: Any, places: int) -> Any:
    """The matrix with fewer places: those that are equal modulo ``places`` are added up."""
    from scipy.sparse import csr_matrix

    narrow = csr_matrix(
        (matrix.data, matrix.indices % places, matrix.indptr), shape=(matrix.shape[0], places)
    )
    narrow.sum_duplicates()
    return narrow


def matrix_of(lessons: Sequence[Lesson]) -> Any:
    """The features of the lessons, a sparse row each."""
    from scipy.sparse import csr_matrix

    rows = [features(look(each.text, each.day)) for each in lessons]
    ends = np.cumsum([0, *(len(places) for places, _ in rows)])
    places = np.concatenate([places for places, _ in rows])
    values = np.concatenate([values for _, values in rows])
    return csr_matrix((values, places, ends), shape=(len(rows), BUCKETS))


def _fit(
    matrix: Any, labels: NDArray[np.int64], weights: NDArray[np.float64], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=_STRENGTH, max_iter=400, tol=1e-5).fit(
        matrix, labels, sample_weight=weights
    )
    if len(fitted.classes_) != count:
        raise ValueError("every label needs lessons, in every fold")
    return fitted.coef_, fitted.intercept_


def _folds(lessons: Sequence[Lesson]) -> NDArray[np.int64]:
    families = {
        family: at % _FOLDS for at, family in enumerate(dict.fromkeys(each.family for each in lessons))
    }
    return np.array([families[each.family] for each in lessons])


def _out_of_fold(
    matrix: Any, labels: NDArray[np.int64], weights: NDArray[np.float64], folds: NDArray[np.int64], count: int
) -> NDArray[np.float64]:
    """What each lesson scores by a model that has not seen its family."""
    raw = np.zeros((len(labels), count))
    for fold in range(_FOLDS):
        inside = folds != fold
        coefficients, bias = _fit(matrix[inside], labels[inside], weights[inside], count)
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
