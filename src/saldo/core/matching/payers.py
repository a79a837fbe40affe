"""Who paid: accounts named by a line's IBAN, tax code and names, from what is known and what was learnt.

Built once for one company's accounts, then asked line by line. A name is looked up whole first; a similar one
is searched only among names that share a rare word, a beginning or their initials with it, never among all.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from math import log

from rapidfuzz import fuzz, process
from rapidfuzz.distance import OSA

from saldo.core import normalize
from saldo.core.matching.records import Line

# What each kind of evidence is worth where it is unique; similar names are worth less by their likeness.
SCORES = {"iban": 0.97, "tax_code": 0.98, "alias_name": 0.94, "name": 0.92, "ultimate_name": 0.88}
# An IBAN, a tax code or a name that so many accounts share tells nothing (a factor, a collecting bank).
MOST_SHARED = 50
# Names compared by likeness for one line, and names that a word may have to count as rare.
_MOST_COMPARED = 300
_MOST_WITH_WORD = 150
# Likeness under which a name is not told at all, and what a second one must be behind for the first to be
# unique.
_LEAST_LIKENESS = 0.72
_LEAST_LEAD = 0.08
_LEAST_UNIQUE = 0.86
# Banks cut names at 12 to 35 characters; a shorter beginning says too little.
_LEAST_BEGINNING = 8
_MOST_INITIALS = 3
_LEAST_INITIALS = 3
_LEAST_MISSPELT = 6
_MOST_WORDS = 2_000
# Names longer than this are read up to here.
_MOST_CHARACTERS = 200

LEGAL_FORMS = frozenset(
    "srl srls spa snc sas sapa scarl scrl scpa scpl scarlpa soc societa societe coop cooperativa consortile ss sc onlus "
    "ets aps asd ssd ditta impresa individuale gmbh ag kg ohg gbr ug ev mbh co ltd limited llc llp plc inc corp "
    "company sarl sa sasu eurl sci sl slu sca bv nv bvba sprl doo dd sro as ab oy aps zoo spzoo kft zrt unipersonale "
    "liquidazione liq uninominale semplice responsabilita limitata azioni".split()
)
_FILLERS = frozenset(
    "di de del della dei degli e ed and und et y the la il le a f lli flli per in da con".split()
)
_NOT_CORE = LEGAL_FORMS | _FILLERS
_FORMER = frozenset("ex gia former formerly ehemals fka".split())
_LONE_LETTERS = re.compile(r"\b[a-z](?: [a-z])+\b")
_TAX_CODE_IN_TEXT = re.compile(
    r"(?<!\d)\d{11}(?!\d)|(?<![A-Z0-9])[A-Z]{6}\d{2}[A-Z]\d{2}[A-Z]\d{3}[A-Z](?![A-Z0-9])"
)
_NOT_MARK = re.compile(r"[^A-Z0-9]+")


@dataclass(frozen=True, slots=True)
class PayerAccount:
    """An account as the search for payers sees it. names: other spellings. group_id: its customer's group
    (the id of the parent customer, or of the customer itself if it is one), None if there is none."""

    account_id: int
    customer_id: int
    name: str
    names: tuple[str, ...] = ()
    vat_number: str = ""
    tax_code: str = ""
    group_id: int | None = None


@dataclass(frozen=True, slots=True)
class PayerAlias:
    """A thing learnt: kind "iban", "name" or "pays_for" (value: the id of the account whose items it pays);
    other kinds are passed over."""

    account_id: int
    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class Payer:
    """An account that may have paid. evidence: the strongest of "iban", "tax_code", "name", "alias_name",
    "similar_name", "ultimate_name"; evidences: all, strongest first. score: 0..1, what the evidence is worth
    by itself, raised where kinds agree and lowered where they name other customers too (not a calibrated
    probability). is_unique: the strongest evidence names accounts of this one customer only.
    """

    account_id: int
    evidence: str
    score: float
    is_unique: bool
    evidences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Spelling:
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
    while len(words) > 1 and words[0] in _FORMER:
        del words[0]
    core = [word for word in words if word not in _NOT_CORE]
    return Spelling(" ".join(words), tuple(core or words))


def _is_letter(word: str) -> bool:
    return len(word) == 1


class _Names:
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
                yield _LEAST_LIKENESS, places
        near = self._near(asked)
        texts = {at: self._cores[at] for at in near}
        hits = process.extract(
            " ".join(asked.core), texts, scorer=fuzz.token_sort_ratio, limit=8, score_cutoff=50
        )
        for _, _, at in hits:
            likeness = self._likeness(asked.core, self._cores[at].split())
            if likeness >= _LEAST_LIKENESS:
                yield likeness, [at]

    def _cut(self, asked: Spelling) -> Iterator[tuple[float, list[int]]]:
        """Names that begin with all of the one asked for, as a bank cuts them."""
        text = asked.text.replace(" ", "")
        if len(text) < _LEAST_BEGINNING:
            return
        names, places = self._beginnings
        first = bisect_left(names, text)
        most = min(first + MOST_SHARED, len(names))
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


def _forms(text: str) -> set[str]:
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


class Payers:
    """The accounts of one company, searchable by what bank lines say of a payer.

    Names and tax codes belong to customers: all accounts of one customer share their evidence. An alias
    belongs to its account; one whose account is not among ``accounts`` is passed over.
    """

    def __init__(self, accounts: Iterable[PayerAccount], aliases: Iterable[PayerAlias] = ()) -> None:
        self._accounts = {account.account_id: account for account in accounts}
        self._of_customer: dict[int, list[int]] = {}
        self._of_group: dict[int, list[int]] = {}
        self._by_tax_code: dict[str, list[int]] = {}
        self._by_iban: dict[str, list[int]] = {}
        self._by_alias: dict[str, list[int]] = {}
        self._paid_for: dict[int, list[int]] = {}
        self._told: dict[tuple[str, str, str, str], tuple[Payer, ...]] = {}
        for account in self._accounts.values():
            self._of_customer.setdefault(account.customer_id, []).append(account.account_id)
            if account.group_id is not None:
                self._of_group.setdefault(account.group_id, []).append(account.account_id)
            for text in (account.vat_number, account.tax_code):
                for code in _code_keys(text) if text else ():
                    _note_once(self._by_tax_code, code, account.account_id)
        self._names = _Names(_names_once(self._accounts.values()))
        for alias in aliases:
            self._learn(alias)

    def _learn(self, alias: PayerAlias) -> None:
        if alias.account_id not in self._accounts:
            return
        if alias.kind == "iban":
            _note_once(self._by_iban, _compact(alias.value), alias.account_id)
        elif alias.kind == "name":
            _note_once(self._by_alias, spelling(alias.value).text.replace(" ", ""), alias.account_id)
        elif alias.kind == "pays_for" and alias.value.isdecimal():
            self._paid_for.setdefault(alias.account_id, []).append(int(alias.value))

    def identify(self, line: Line) -> tuple[Payer, ...]:
        """The accounts that may have paid a line, best first; empty if nothing is known.

        Answers are kept by (IBAN, name, tax code, ultimate name), so equal payers cost nothing again. A tax
        code is also looked for in the line's text, where there is none in its field.
        """
        tax_code = line.payer_tax_code or self._tax_code_in(line.text)
        asked = (line.payer_iban, line.payer_name, tax_code, line.ultimate_name)
        found = self._told.get(asked)
        if found is None:
            found = self._told[asked] = self._identified(*asked)
        return found

    def pays_for(self, account_id: int) -> tuple[int, ...]:
        """Other accounts whose items a payment of this account may settle, without itself: of the same
        customer, then those it was seen to pay for (learnt), then those of its group. Empty if it is
        unknown."""
        account = self._accounts.get(account_id)
        if account is None:
            return ()
        group = self._of_group.get(account.group_id, ()) if account.group_id is not None else ()
        learnt = [other for other in self._paid_for.get(account_id, ()) if other in self._accounts]
        others = dict.fromkeys((*self._of_customer[account.customer_id], *learnt, *group))
        return tuple(other for other in others if other != account_id)

    def has_learnt_paying(self, account_id: int, other_id: int) -> bool:
        """Whether a confirmed match has shown that the first account pays for the second."""
        return other_id in self._paid_for.get(account_id, ())

    def _tax_code_in(self, text: str) -> str:
        for hit in _TAX_CODE_IN_TEXT.finditer(text[:10_000].upper()):
            if hit.group() in self._by_tax_code:
                return hit.group()
        return ""

    def _identified(self, iban: str, name: str, tax_code: str, ultimate: str) -> tuple[Payer, ...]:
        told: dict[str, dict[int, float]] = {}
        if iban:
            told["iban"] = dict.fromkeys(self._by_iban.get(_compact(iban), ()), SCORES["iban"])
        if tax_code:
            accounts = [found for key in _code_keys(tax_code) for found in self._by_tax_code.get(key, ())]
            told["tax_code"] = dict.fromkeys(accounts, SCORES["tax_code"])
        if name.strip():
            told.update(self._by_name(name))
        if ultimate.strip():
            best: dict[int, float] = {}
            for kind, scores in self._by_name(ultimate).items():
                share = SCORES["ultimate_name"] / SCORES["name"] if kind != "alias_name" else 0.95
                best.update({a: s * share for a, s in scores.items() if s * share > best.get(a, 0.0)})
            told["ultimate_name"] = best
        return self._weighed(
            {kind: scores for kind, scores in told.items() if 0 < len(scores) <= MOST_SHARED}
        )

    def _by_name(self, name: str) -> dict[str, dict[int, float]]:
        asked = spelling(name)
        aliases = self._by_alias.get("".join(asked.text.split()), ())
        told = {"alias_name": dict.fromkeys(aliases, SCORES["alias_name"])}
        whole = self._names.whole(asked) if asked.core else set()
        told["name"] = dict.fromkeys(self._accounts_of(whole), SCORES["name"])
        if not whole and not aliases and asked.core:
            alike = self._names.alike(asked)
            told["similar_name"] = {
                account_id: _score_of(likeness)
                for customer_id, likeness in alike.items()
                for account_id in self._of_customer[customer_id]
            }
        return told

    def _accounts_of(self, customers: Iterable[int]) -> list[int]:
        return [
            account_id for customer_id in sorted(customers) for account_id in self._of_customer[customer_id]
        ]

    def _weighed(self, told: dict[str, dict[int, float]]) -> tuple[Payer, ...]:
        """All kinds of evidence put together, account by account."""
        customers = {
            kind: {self._accounts[account_id].customer_id for account_id in scores}
            for kind, scores in told.items()
        }
        payers = []
        for account_id in dict.fromkeys(found for scores in told.values() for found in scores):
            own = self._accounts[account_id].customer_id
            worth = {}
            for kind, scores in told.items():
                if account_id in scores:
                    shared = len(customers[kind]) if kind not in _GRADED else 1
                    worth[kind] = scores[account_id] / shared
            kinds = sorted(worth, key=lambda kind: (-worth[kind], kind))
            score = worth[kinds[0]]
            if len(kinds) > 1:
                score += (1 - score) * worth[kinds[1]] / 2
            against = sum(kind in _STRONG and own not in named for kind, named in customers.items())
            is_unique = self._is_unique(account_id, kinds[0], told[kinds[0]])
            payers.append(
                Payer(account_id, kinds[0], round(score * 0.85**against, 4), is_unique, tuple(kinds))
            )
        return tuple(sorted(payers, key=lambda payer: (-payer.score, payer.account_id)))

    def _is_unique(self, account_id: int, kind: str, scores: dict[int, float]) -> bool:
        own = self._accounts[account_id].customer_id
        lead = _LEAST_LEAD if kind in _GRADED else 1.0
        if kind == "similar_name" and scores[account_id] < _score_of(_LEAST_UNIQUE):
            return False
        return all(
            self._accounts[other].customer_id == own or score <= scores[account_id] - lead
            for other, score in scores.items()
        )


# Evidence that comes in grades: what is less like does not make the best less sure.
_GRADED = ("similar_name", "ultimate_name")
_STRONG = ("iban", "tax_code", "name", "alias_name")


def _note_once(places: dict[str, list[int]], key: str, account_id: int) -> None:
    if key and account_id not in places.setdefault(key, []):
        places[key].append(account_id)


def _score_of(likeness: float) -> float:
    """0.45 for the least likeness that is told, 0.88 for names that are alike in all."""
    return 0.45 + 0.43 * (likeness - _LEAST_LIKENESS) / (1 - _LEAST_LIKENESS)


def _names_once(accounts: Iterable[PayerAccount]) -> Iterator[tuple[int, str]]:
    seen = set()
    for account in accounts:
        for name in (account.name, *account.names):
            if name and (account.customer_id, name) not in seen:
                seen.add((account.customer_id, name))
                yield account.customer_id, name


def _compact(text: str) -> str:
    if text.isascii() and text.isalnum():
        return text.upper()
    return _NOT_MARK.sub("", text.upper())


def _code_keys(text: str) -> list[str]:
    """A tax or VAT number as it is looked up: compact, with and without its country."""
    compact = _compact(text)
    if len(compact) < 7:
        return []
    if compact[:2].isalpha() and compact[2:].isdigit():
        return [compact, compact[2:]]
    return [compact]
