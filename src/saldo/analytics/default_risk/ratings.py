"""External ratings as probabilities of default: what the agency says, else a stated scale (ratings.toml)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

GIVEN, BY_SCALE = "given", "scale"
_ANY = "*"
# No agency is that sure; a given 0 or 1 is taken as this far from it.
_LEAST = 0.0001


@dataclass(frozen=True, slots=True)
class RatedPd:
    """A probability within a year. origin: given (by the agency) or scale (by the stated table)."""

    pd: float
    origin: str
    source: str


@dataclass(frozen=True, slots=True)
class RatingScale:
    agencies: tuple[str, ...]
    source: str
    pd: Mapping[str, float]


@cache
def rating_scales() -> tuple[RatingScale, ...]:
    """The scales of ``ratings.toml``."""
    text = files("saldo.analytics.default_risk").joinpath("ratings.toml").read_text(encoding="utf-8")
    return parse_scales(text)


def parse_scales(text: str) -> tuple[RatingScale, ...]:
    """Scales from their TOML text. Raises ValueError on a probability outside 0 to 1."""
    found = []
    for one in tomllib.loads(text)["scales"]:
        table = {_plain(name): float(pd) for name, pd in one["pd"].items()}
        if not all(0.0 < pd < 1.0 for pd in table.values()):
            raise ValueError(f"a probability outside 0 to 1 in the scale of {one['agencies']}")
        names = tuple(_agency(name) for name in one["agencies"])
        found.append(RatingScale(names, str(one["source"]), table))
    return tuple(found)


def rated_pd(agency: str, value: str, pd: float | None = None) -> RatedPd | None:
    """The probability of a rating; None where neither the agency nor a scale says one.

    A given probability wins. "BB+" and "Ba2" are read as their letter where the scale has no finer step.
    """
    if pd is not None and 0.0 <= pd <= 1.0:
        return RatedPd(min(max(pd, _LEAST), 1.0 - _LEAST), GIVEN, agency)
    named = _agency(agency)
    scales = rating_scales()
    own = [scale for scale in scales if named in scale.agencies]
    for one in own or [scale for scale in scales if _ANY in scale.agencies]:
        word = _plain(value)
        for key in (word, re.sub(r"[+-]+$", "", word), re.sub(r"(?<=[A-Z])[1-3]$", "", word)):
            if key in one.pd:
                return RatedPd(one.pd[key], BY_SCALE, one.source)
    return None


def _agency(name: str) -> str:
    return " ".join(name.lower().replace("’", "'").split())


def _plain(value: str) -> str:
    return "".join(value.upper().replace("−", "-").split())
