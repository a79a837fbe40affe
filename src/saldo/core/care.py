"""Two questions to a customer, and the figures made of the answers. docs/rules/care.md

CSAT (ISO 10004's top-two-box): the share of answers 4 and 5 of 1 to 5. NPS (Reichheld 2003): the share of 9
and 10 less the share of 0 to 6, of 0 to 10, in points from -100 to 100.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

CSAT_LEAST, CSAT_MOST, CSAT_CONTENT = 1, 5, 4
NPS_MOST, NPS_PROMOTER, NPS_DETRACTOR = 10, 9, 6
# Below so many answers a figure says nothing: only the answers are shown.
FEW_ANSWERS = 10
_Z = 1.96


@dataclass(frozen=True, slots=True)
class Score:
    """A figure with its 95% interval. CSAT: shares from 0 to 1; NPS: points from -100 to 100."""

    value: float
    low: float
    high: float
    count: int


def csat(answers: Sequence[int]) -> Score | None:
    """The share of content customers, with Wilson's interval; None without answers."""
    count = len(answers)
    if not count:
        return None
    share = sum(answer >= CSAT_CONTENT for answer in answers) / count
    middle = (share + _Z**2 / (2 * count)) / (1 + _Z**2 / count)
    half = _Z / (1 + _Z**2 / count) * sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2))
    return Score(share, max(middle - half, 0.0), min(middle + half, 1.0), count)


def nps(answers: Sequence[int]) -> Score | None:
    """Promoters less detractors in points; the interval by the normal approximation, with three answers added
    (one of each kind) so that a few equal ones do not look certain. None without answers."""
    count = len(answers)
    if not count:
        return None
    value = _balance(answers)
    smooth = [*answers, 0, NPS_DETRACTOR + 1, NPS_MOST]
    centre = _balance(smooth) / 100
    kinds = [_kind(answer) for answer in smooth]
    spread = sqrt(sum((kind - centre) ** 2 for kind in kinds) / len(smooth))
    half = _Z * spread / sqrt(len(smooth))
    low, high = 100 * (centre - half), 100 * (centre + half)
    return Score(value, max(min(low, value), -100.0), min(max(high, value), 100.0), count)


def _kind(answer: int) -> int:
    return (answer >= NPS_PROMOTER) - (answer <= NPS_DETRACTOR)


def _balance(answers: Sequence[int]) -> float:
    return 100 * sum(_kind(answer) for answer in answers) / len(answers)


def is_low(csat_answer: int, nps_answer: int) -> bool:
    """An unhappy customer: somebody should call."""
    return csat_answer < CSAT_CONTENT - 1 or nps_answer <= NPS_DETRACTOR - 2
