"""How probable a proposal is: what was confirmed of its pattern, on top of a stated belief.

A pattern is a short text of discrete evidence, "number.full|exact|sure". Its class is its first two parts,
apart for patterns with and without warnings.
Belief → class → pattern: each level's mean is the next level's prior, with a stated strength (empirical
Bayes with Beta distributions), so a rare pattern leans on its class, and the class on the belief. A pattern
goes automatic when its mean reaches the company's threshold and, unless it was believed from the beginning,
the lower Wilson bound of what was confirmed says that this is no luck.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise
from math import sqrt

from saldo.core.matching.policy import Policy
from saldo.core.matching.records import AUTO, LEAVE, PROPOSE, Reason

SEPARATOR = "|"
# One-sided 95%.
_Z = 1.6449
# The lower bound may miss the threshold by this many times what the threshold leaves to errors.
_BOUND_SLACK = 4.0


@dataclass(frozen=True, slots=True)
class Belief:
    """The stated figures of experience.toml."""

    version: str
    strength: float
    class_strength: float
    found: Mapping[str, float]
    fits: Mapping[str, float]
    payer: Mapping[str, float]
    against: Mapping[str, float]

    def mean(self, pattern: str) -> float:
        """Product of the parts' figures. Raises KeyError for a pattern with an unknown part."""
        found, fits, payer, *against = pattern.split(SEPARATOR)
        value = self.found[found] * self.fits[fits] * self.payer[payer]
        for each in against:
            value *= self.against[each]
        return value


@cache
def belief() -> Belief:
    """The stated belief of this version."""
    return Belief(
        **tomllib.loads(files("saldo.core.matching").joinpath("experience.toml").read_text("utf-8"))
    )


def pattern_of(found: str, fits: str, payer: str, against: Iterable[str] = ()) -> str:
    """The pattern's text; what speaks against it in alphabetical order, each once."""
    return SEPARATOR.join((found, fits, payer, *sorted(set(against))))


def class_of(pattern: str) -> str:
    """How the items were found and how the amount fits, apart where something speaks against it: what was
    wrong with a warning says nothing against what has none."""
    found, fits, _payer, *against = pattern.split(SEPARATOR)
    return SEPARATOR.join((found, fits, "against")) if against else SEPARATOR.join((found, fits))


@dataclass(frozen=True, slots=True)
class Chance:
    """What is known of a pattern. probability: mean. lower: one-sided 95% bound. right, wrong: confirmed.

    believed: what the pattern is worth without its own matches (from its class and the stated belief).
    trusted: the same, where the class may only lower it: without matches of its own nothing gets automatic
    because its relatives are good.
    """

    pattern: str
    probability: float
    lower: float
    right: int
    wrong: int
    believed: float
    trusted: float

    def is_automatic(self, policy: Policy) -> bool:
        """Mean at the threshold, and either so believed from the beginning or borne out by enough matches."""
        if self.probability < policy.auto_above:
            return False
        enough = self.lower >= 1 - _BOUND_SLACK * (1 - policy.auto_above)
        return enough or self.trusted >= policy.auto_above

    def zone(self, policy: Policy) -> str:
        if self.is_automatic(policy):
            return AUTO
        return PROPOSE if self.probability >= policy.propose_above else LEAVE

    def reason(self) -> Reason:
        """ "Di 412 abbinamenti come questo confermati, 411 giusti", or that there is none yet."""
        if self.right + self.wrong:
            return Reason("match_experience", {"confirmed": self.right + self.wrong, "right": self.right})
        return Reason("match_no_experience", {"percent": round(100 * self.believed, 1)})


def wilson_lower(right: float, total: float) -> float:
    """Lower bound of Wilson's score interval, one-sided 95%; right and total may be fractional."""
    if total <= 0:
        return 0.0
    share, z2 = right / total, _Z * _Z
    spread = _Z * sqrt(share * (1 - share) / total + z2 / (4 * total * total))
    return max(0.0, (share + z2 / (2 * total) - spread) / (1 + z2 / total))


class Experience:
    """Confirmed matches of a company, counted by pattern: {pattern: (right, wrong)}.

    A match counts once a person, or the ERP's own posting, has said what the line was: right if the first
    proposal was exactly that. Unknown patterns (of an older version) are kept out.
    """

    def __init__(self, counts: Mapping[str, tuple[int, int]] | None = None) -> None:
        self._counts = {p: c for p, c in (counts or {}).items() if _is_known(p)}
        self._classes: dict[str, tuple[int, int]] = {}
        for pattern, (right, wrong) in self._counts.items():
            known = self._classes.get(class_of(pattern), (0, 0))
            self._classes[class_of(pattern)] = (known[0] + right, known[1] + wrong)
        self._chances: dict[str, Chance] = {}

    def chance(self, pattern: str) -> Chance:
        """What is known of a pattern. Raises KeyError for one with an unknown part."""
        known = self._chances.get(pattern)
        if known is None:
            known = self._chances[pattern] = self._computed(pattern)
        return known

    def _computed(self, pattern: str) -> Chance:
        stated = belief()
        right, wrong = self._counts.get(pattern, (0, 0))
        class_right, class_wrong = self._classes.get(class_of(pattern), (0, 0))
        others_right, others = class_right - right, class_right + class_wrong - right - wrong
        mean = stated.mean(pattern)
        weight = min(float(others), stated.class_strength)
        from_class = weight * others_right / others if others else 0.0
        believed = (mean * stated.strength + from_class) / (stated.strength + weight)
        total = stated.strength + right + wrong
        good = believed * stated.strength + right
        return Chance(
            pattern, good / total, wilson_lower(good, total), right, wrong, believed, min(mean, believed)
        )


def _is_known(pattern: str) -> bool:
    try:
        belief().mean(pattern)
    except (KeyError, ValueError):
        return False
    return True


@dataclass(frozen=True, slots=True)
class Bin:
    """Proposals of about equal probability: how many, their mean, and the share that was right."""

    low: float
    high: float
    count: int
    mean_probability: float
    right_share: float


_EDGES = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1.0)


def reliability(pairs: Iterable[tuple[float, bool]]) -> tuple[Bin, ...]:
    """(probability, was right) pairs in bins that grow finer toward 1; empty bins are left out."""
    sums = [[0, 0.0, 0] for _ in _EDGES[1:]]
    for probability, is_right in pairs:
        place = max(0, min(sum(edge <= probability for edge in _EDGES) - 1, len(sums) - 1))
        sums[place][0] += 1
        sums[place][1] += probability
        sums[place][2] += is_right
    return tuple(
        Bin(low, high, int(n), total / n, right / n)
        for (low, high), (n, total, right) in zip(pairwise(_EDGES), sums, strict=True)
        if n
    )
