"""Names of invented firms, offices and people, from words.toml. No two customers have the same domain."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saldo.simulation.draws import Draws

TAIL_SHARE = 0.45
PARENT_STEM_SHARE = 0.6
MOST_ATTEMPTS = 100
# A subsidiary that finds no free name with the stem of its parent takes its own from this attempt on.
OWN_STEM_FROM = 4
_NOT_SLUG = re.compile(r"[^a-z0-9]+")


@cache
def words() -> dict[str, Any]:
    return tomllib.loads(files("saldo.simulation.world").joinpath("words.toml").read_text(encoding="utf-8"))


@cache
def composed(*keys: str) -> tuple[str, ...]:
    """Every head with every end of a table of words.toml."""
    table = words()
    for key in keys:
        table = table[key]
    return tuple(head + end for head in table["heads"] for end in table["ends"])


def slug(name: str) -> str:
    """``name`` as a part of an internet domain."""
    plain = unicodedata.normalize("NFKD", name.replace("ß", "ss")).encode("ascii", "ignore").decode("ascii")
    return _NOT_SLUG.sub("-", plain.lower()).strip("-")[:40].strip("-")


@dataclass(frozen=True, slots=True)
class Named:
    """What a name depends on, one entry a customer. parent: -1 where there is none."""

    country: NDArray[Any]
    sector: NDArray[Any]
    special: NDArray[Any]
    form: NDArray[Any]
    parent: NDArray[np.int64]


def customer_names(draws: Draws, named: Named) -> tuple[list[str], list[str]]:
    """(full names with legal form, slugs), both without repetition."""
    count = len(named.country)
    bases, slugs = [""] * count, [""] * count
    taken: set[str] = set()
    pending = np.arange(count)
    for attempt in range(MOST_ATTEMPTS):
        again = []
        for customer, base in zip(pending.tolist(), _bases(draws, named, pending, attempt), strict=True):
            key = slug(base)
            if key in taken:
                again.append(customer)
                continue
            taken.add(key)
            bases[customer], slugs[customer] = base, key
        if not again:
            break
        pending = np.array(again)
    else:
        raise ValueError(f"words.toml has not enough words for {count} customers")
    return _with_forms(draws, named, bases), slugs


def _bases(draws: Draws, named: Named, ids: NDArray[np.int64], attempt: int) -> list[str]:
    """A name without its legal form for each of ``ids``."""
    parents = named.parent[ids]
    as_parent = (parents >= 0) & draws.happens("name/as_parent", PARENT_STEM_SHARE, ids)
    as_parent &= attempt < OWN_STEM_FROM
    stem_ids = np.where(as_parent, parents, ids)
    stem_draws = draws.uniform("name/stem", stem_ids, np.where(as_parent, 0, attempt)).tolist()
    first_draws = draws.uniform("name/prefix", ids, attempt).tolist()
    tail_draws = draws.uniform("name/tail", ids, attempt).tolist()
    has_tail = (draws.happens("name/has_tail", TAIL_SHARE, ids) | (attempt > 0)).tolist()
    bases = []
    for place, customer in enumerate(ids.tolist()):
        firsts, stems, tails = _word_lists(
            named.country[customer], named.sector[customer], named.special[customer]
        )
        base = f"{_one(firsts, first_draws[place])} {_one(stems, stem_draws[place])}"
        bases.append(base + (_one(tails, tail_draws[place]) if tails and has_tail[place] else ""))
    return bases


def _word_lists(
    country: str, sector: str, special: str
) -> tuple[Sequence[str], Sequence[str], Sequence[str]]:
    """(first words, stems, last words) for a customer of this kind."""
    if special:
        return words()["special"][special], composed("stems"), ()
    if country != "IT":
        abroad = words()["foreign"][country]
        return abroad["prefixes"], composed("foreign", country), abroad["tails"]
    return words()["prefixes"][sector], composed("stems"), words()["stems"]["tails"]


def _one(choices: Sequence[str], drawn: float) -> str:
    return choices[int(drawn * len(choices))]


def _with_forms(draws: Draws, named: Named, bases: list[str]) -> list[str]:
    families, given = people(draws, "owner", np.arange(len(bases)), named.country)
    names = []
    for customer, base in enumerate(bases):
        form = named.form[customer]
        if named.special[customer]:
            names.append(base)
        elif form == "ditta individuale":
            names.append(f"{base} di {families[customer]} {given[customer]}")
        else:
            names.append(f"{base} {form}")
    return names


def people(
    draws: Draws, purpose: str, ids: NDArray[Any], countries: Sequence[str] | NDArray[Any]
) -> tuple[list[str], list[str]]:
    """(family names, given names), one of each for each id; ``countries`` runs beside ``ids``."""
    first = draws.uniform(purpose + "/family", ids).tolist()
    second = draws.uniform(purpose + "/given", ids).tolist()
    families = [
        _one(composed("families") if country == "IT" else composed("foreign", country), drawn)
        for country, drawn in zip(countries, first, strict=True)
    ]
    return families, [_one(words()["people"]["given"], drawn) for drawn in second]
