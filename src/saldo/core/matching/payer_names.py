"""Names of payers: taken apart, and found whole, cut, with more behind, as initials, or by likeness."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property
from math import log
from typing import NamedTuple

from rapidfuzz import fuzz, process
from rapidfuzz.distance import OSA

from saldo.core import normalize
from saldo.core.matching.words import FILLERS, FORMER, LEGAL_FORMS

# Likeness under which a name is not told at all.
LEAST_LIKENESS = 0.72
# So many names with one beginning are looked at.
_MOST_CUT = 50
# Names compared by likeness for one line, and names that a word may have to count as rare.
_MOST_COMPARED = 300
_MOST_WITH_WORD = 150
# Banks cut names at 12 to 35 characters; a shorter beginning says too little.
_LEAST_BEGINNING = 8
# Initials are at least so many, and mean no more than so many customers.
_LEAST_INITIALS = 3
_MOST_INITIALS = 3
# A word of fewer letters is not looked up misspelt; of the known words with its ends so many are compared.
_LEAST_MISSPELT = 6
_MOST_WORDS = 2_000
# Names are read up to here.
_MOST_CHARACTERS = 200

_NOT_CORE = LEGAL_FORMS | FILLERS
_LONE_LETTERS = re.compile(r"\b[a-z](?: [a-z])+\b")


class Spelling(NamedTuple):
    """A name taken apart. text: all words; core: those that tell it from other names."""

    text: str
    core: tuple[str, ...]


def spelling(name: str) -> Spelling:
    """A name without "ex", fillers and legal forms; one of nothing else keeps all its words. "EX S. P. A.
    Rossi & C." has the core ("rossi", "c"). A name without letters and digits has none."""
    words = normalize.search_text(name[:_MOST_CHARACTERS]).split()
    if any(map(_is_letter, words)):  # "s p a" is one word
        text = _LONE_LETTERS.sub(lambda hit: hit.group().replace(" ", ""), " ".join(words))
        words = text.split()
    while len(words) > 1 and words[0] in FORMER:
        del words[0]
    core = [word for word in words if word not in _NOT_CORE]
    return Spelling(" ".join(words), tuple(core or words))


def _is_letter(word: str) -> bool:
    return len(word) == 1


class Names:
    """Names of customers, found whole, by their beginning, by their initials or by likeness.

    Held as plain strings (a name's core words parted by blanks), and the indexes that only unknown names
    need are built when the first one comes: a hundred thousand names then cost little.
    """

    def __init__(self, names: Iterable[tuple[int, str]]) -> None:
        self._texts: list[str] = []
        self._cores: list[str] = []
        self._customers: list[int] = []
        self._by_core: dict[str, list[int] | int] = {}
        for customer_id, name in names:
            found = spelling(name)
            if found.core:
                _note(self._by_core, "".join(found.core), len(self._texts))
                self._texts.append(found.text)
                self._cores.append(" ".join(found.core))
                self._customers.append(customer_id)

    @cached_property
    def _by_words(self) -> dict[str, list[int] | int]:
        found: dict[str, list[int] | int] = {}
        for at, core in enumerate(self._cores):
            if " " in core:
                _note(found, " ".join(sorted(core.split())), at)
        return found

    @cached_property
    def _by_word(self) -> dict[str, list[int] | int]:
        found: dict[str, list[int] | int] = {}
        for at, core in enumerate(self._cores):
            for word in dict.fromkeys(core.split()):
                _note(found, word, at)
        return found

    @cached_property
    def _by_initials(self) -> dict[str, list[int] | int]:
        found: dict[str, list[int] | int] = {}
        for at, text in enumerate(self._texts):
            initials = "".join([word[0] for word in text.split()])
            if len(initials) >= _LEAST_INITIALS:
                _note(found, initials, at)
        return found

    @cached_property
    def _beginnings(self) -> tuple[list[str], list[int]]:
        """All names without blanks, sorted, and their places."""
        pairs = sorted((text.replace(" ", ""), at) for at, text in enumerate(self._texts))
        return [text for text, _ in pairs], [at for _, at in pairs]

    @cached_property
    def _by_ends(self) -> dict[tuple[int, str], list[str]]:
        """Words of at least six letters by their length and their first, and last, letters."""
        ends: dict[tuple[int, str], list[str]] = defaultdict(list)
        for word in self._by_word:
            if len(word) >= _LEAST_MISSPELT:
                for end in _ends(word):
                    ends[len(word), end].append(word)
        return ends

    def customers_of(self, places: Iterable[int]) -> set[int]:
        return {self._customers[at] for at in places}

    def whole(self, asked: Spelling) -> set[int]:
        """The customers with this name; of several, those whose legal form is the same, if there are any."""
        places = _places(self._by_core, "".join(asked.core))
        if not places and len(asked.core) > 1:
            places = _places(self._by_words, " ".join(sorted(asked.core)))
        if len(places) > 1:
            places = [at for at in places if _forms(self._texts[at]) == _forms(asked.text)] or places
        return self.customers_of(places)

    def alike(self, asked: Spelling) -> dict[int, float]:
        """Customers whose name is like the one asked for, with the likeness (0..1)."""
        found: dict[int, float] = {}
        for likeness, places in self._by_likeness(asked):
            for customer_id in self.customers_of(places):
                found[customer_id] = max(likeness, found.get(customer_id, 0.0))
        return found

    def _by_likeness(self, asked: Spelling) -> Iterator[tuple[float, list[int]]]:
        yield from self._cut(asked)
        yield from self._with_more(asked)
        if " " not in asked.text and _LEAST_INITIALS <= len(asked.text) <= 8:
            places = _places(self._by_initials, asked.text)
            if len(self.customers_of(places)) <= _MOST_INITIALS:
                yield LEAST_LIKENESS, places
        near = self._near(asked)
        texts = {at: self._cores[at] for at in near}
        hits = process.extract(
            " ".join(asked.core), texts, scorer=fuzz.token_sort_ratio, limit=8, score_cutoff=50
        )
        for _, _, at in hits:
            likeness = self._likeness(asked.core, self._cores[at].split())
            if likeness >= LEAST_LIKENESS:
                yield likeness, [at]

    def _cut(self, asked: Spelling) -> Iterator[tuple[float, list[int]]]:
        """Names that begin with all of the one asked for, as a bank cuts them."""
        text = asked.text.replace(" ", "")
        if len(text) < _LEAST_BEGINNING:
            return
        names, places = self._beginnings
        first = bisect_left(names, text)
        most = min(first + _MOST_CUT, len(names))
        places = places[first : bisect_left(names, text + "\x7f", lo=first, hi=most)]
        if places:
            yield min(0.97, 0.80 + 0.01 * (len(text) - _LEAST_BEGINNING)), places

    def _with_more(self, asked: Spelling) -> Iterator[tuple[float, list[int]]]:
        """Names that the one asked for begins with: a street, a town or a branch was put behind them."""
        for size in range(len(asked.core) - 1, 0, -1):
            text = "".join(asked.core[:size])
            places = _places(self._by_core, text)
            if places and len(text) >= _LEAST_BEGINNING:
                yield (0.90 if size > 1 else 0.80), places
                return

    def _near(self, asked: Spelling) -> dict[int, None]:
        """Names that share a rare word with the one asked for, also where that word is misspelt."""
        words = {near for word in set(asked.core) for near in self._spelt_like(word)}
        near: dict[int, None] = {}
        for places in sorted((_places(self._by_word, word) for word in words), key=lambda at: (len(at), at)):
            if len(places) > _MOST_WITH_WORD or len(near) >= _MOST_COMPARED:
                break
            near.update(dict.fromkeys(places))
        return near

    def _spelt_like(self, word: str) -> list[str]:
        """The word if it is known; else known words one slip away (two for long words) that share its first
        or its last three letters."""
        size = len(word)
        if word in self._by_word:
            return [word]
        if size < _LEAST_MISSPELT:
            return []
        most = 2 if size >= 9 else 1
        block: list[str] = []
        for end in _ends(word):
            for length in range(size - most, size + most + 1):
                block.extend(self._by_ends.get((length, end), ()))
        hits = process.extract(
            word, block[:_MOST_WORDS], scorer=OSA.distance, processor=None, limit=5, score_cutoff=most
        )
        return [found for found, _, _ in hits]

    def _weight(self, word: str) -> float:
        """How much a word tells: rare words much, words of many names little."""
        return 0.3 + log((len(self._cores) + 1) / (len(_places(self._by_word, word)) + 1))

    def _likeness(self, asked: tuple[str, ...], known: list[str]) -> float:
        """Share of the words' weight, of both names, that is found in the other, spelt alike. A word cut
        short at the end of the name asked for, and an initial, count for what they begin."""
        shared, total = 0.0, 0.0
        left = list(known)
        for number, word in enumerate(asked):
            best, which = 0.0, ""
            for other in left:
                alike = _word_likeness(word, other, number == len(asked) - 1)
                if alike > best:
                    best, which = alike, other
            weight = self._weight(which or word)
            total += weight
            if best >= 0.75:
                left.remove(which)
                shared += 2 * best * weight
                total += weight
        total += sum(self._weight(word) for word in left)
        return shared / total if total else 0.0


def _note(places: dict[str, list[int] | int], key: str, at: int) -> None:
    """Add a place; most keys have one, which then needs no list."""
    there = places.get(key)
    if there is None:
        places[key] = at
    elif isinstance(there, list):
        there.append(at)
    else:
        places[key] = [there, at]


def _places(places: dict[str, list[int] | int], key: str) -> list[int]:
    there = places.get(key)
    return [] if there is None else there if isinstance(there, list) else [there]


def _forms(text: str) -> frozenset[str]:
    return LEGAL_FORMS.intersection(text.split())


def _ends(word: str) -> tuple[str, str]:
    """A word's first and last letters: one of them outlives a slip (of two, mostly)."""
    size = 3 if len(word) < 8 else 4
    return word[:size], "-" + word[-size:]


def _word_likeness(word: str, other: str, is_last: bool) -> float:
    if word == other:
        return 1.0
    if other.startswith(word) and (len(word) == 1 or (is_last and len(word) >= 3)):
        return 0.8 if len(word) == 1 else 0.9
    return OSA.normalized_similarity(word, other, score_cutoff=0.75) if len(word) >= 4 else 0.0
