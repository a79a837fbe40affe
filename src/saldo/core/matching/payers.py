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
# Banks cut names at 12 to 35 characters; a shorter beginning says too little.
_LEAST_BEGINNING = 8
_MOST_INITIALS = 3
# Names longer than this are read up to here.
_MOST_CHARACTERS = 200

LEGAL_FORMS = frozenset(
    "srl srls spa snc sas sapa scarl scrl scpa scpl scarlpa soc societa societe coop cooperativa consortile ss sc onlus "
    "ets aps asd ssd ditta impresa individuale gmbh ag kg ohg gbr ug ev mbh co ltd limited llc llp plc inc corp "
    "company sarl sa sasu eurl sci sl slu sca bv nv bvba sprl doo dd sro as ab oy aps zoo spzoo kft zrt unipersonale "
    "liquidazione liq uninominale semplice responsabilita limitata azioni".split()
)
_FILLERS = frozenset("di de del della dei degli e ed and und et y the la il le a f lli flli per in da con".split())
_FORMER = frozenset("ex gia former formerly ehemals fka".split())
_DIGITS = re.compile(r"\d+")


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

    Accounts of one customer share its evidence. aliases whose account is not among ``accounts`` are passed
    over.
    """

    def __init__(self, accounts: Iterable[PayerAccount], aliases: Iterable[PayerAlias] = ()) -> None:
        self._accounts: dict[int, PayerAccount] = {}
        self._by_tax_code: dict[str, list[int]] = {}

    def identify(self, line: Line) -> tuple[Payer, ...]:
        """The accounts that may have paid a line, best first; empty if nothing is known.

        Answers are kept by (IBAN, name, tax code, ultimate name), so equal payers cost nothing again.
        """
        return ()

    def pays_for(self, account_id: int) -> tuple[int, ...]:
        """Other accounts whose items a payment of this account may settle, without itself: of the same
        customer, then those it was seen to pay for (learnt), then those of its group."""
        return ()
