"""Who paid: accounts named by a line's IBAN, tax code and names, from what is known and what was learnt.

Built once for one company's accounts, then asked line by line. A name is looked up whole first; a similar one
is searched only among names that share a rare word, a beginning or their initials with it, never among all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from saldo.core.matching.payer_names import LEAST_LIKENESS, Names, spelling
from saldo.core.matching.records import Line

__all__ = ["MOST_SHARED", "SCORES", "Payer", "PayerAccount", "PayerAlias", "Payers", "spelling"]

# What each kind of evidence is worth where it is unique; similar names are worth less by their likeness.
SCORES = {"iban": 0.97, "tax_code": 0.98, "alias_name": 0.94, "name": 0.92, "ultimate_name": 0.88}
# An IBAN, a tax code or a name that so many accounts share tells nothing (a factor, a collecting bank).
MOST_SHARED = 50
# What a second similar name must be behind the first for that to be unique, and the likeness it needs.
_LEAST_LEAD = 0.08
_LEAST_UNIQUE = 0.86

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
        self._names = Names(_names_once(self._accounts.values()))
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
    return 0.45 + 0.43 * (likeness - LEAST_LIKENESS) / (1 - LEAST_LIKENESS)


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
