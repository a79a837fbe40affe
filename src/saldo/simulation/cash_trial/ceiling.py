"""What a perfect reader of bank lines could know, beside which a matching engine is measured. Cents.

It shares nothing with the engine and knows nothing of the truth: it reads a line with what is on record that
day and says what the line pays if there is one answer, and nothing otherwise. docs/rules/cash-quality.md has
the definition and its weak points.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from saldo.simulation.cash_trial.books import Books, OpenLine
from saldo.simulation.cash_trial.combinations import count_sums

# What a reader takes as the same amount: a rounding; a discount or charges of a document that is named.
ROUNDING_CENTS = 100
NAMED_SHARE = 0.03
CHARGES_CENTS, CHARGES_SHARE = 3_000, 0.02
DUPLICATE_DAYS = 60
TEXT_LENGTH = 140

_DATE = re.compile(r"\bDEL \d\d/\d\d/\d{4}|\bDEL [\d/]*$")
_TOKEN = re.compile(r"(?:\b([A-Z]{2,4}) )?(\d+(?:/\d*)?)")
_MARK = re.compile(r"[^0-9A-Z]")


@dataclass(frozen=True, slots=True)
class Seen:
    """A line as the bank tells it. advice: (document number, cents or None) of the payer's advice, if it has
    come; credits are negative."""

    payment_id: int
    company_id: int
    booking_date: date
    cents: int
    text: str
    creditor_reference: str
    payer_name: str
    payer_iban: str
    charges_cents: int = 0
    advice: tuple[tuple[str, int | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """shares: installment -> cents (a credit: negative); None: no single answer. why: how it was found, or
    why not. is_bounded: a sum was too large to search."""

    shares: dict[int, int] | None
    why: str
    is_bounded: bool = False


@dataclass(slots=True)
class Record:
    """What is on record of payers from the lines that were applied: whose items an IBAN, a name pay for, and
    what was paid lately (amount and text), by company."""

    accounts_by_iban: dict[tuple[int, str], set[int]] = field(default_factory=dict)
    accounts_by_name: dict[tuple[int, str], set[int]] = field(default_factory=dict)
    payments: dict[tuple[int, str], list[tuple[date, int, str]]] = field(default_factory=dict)

    def name(self, company: int, name: str, account: int) -> None:
        """A customer's name as it is in the books."""
        self.accounts_by_name.setdefault((company, printed(name)), set()).add(account)

    def learn(self, seen: Seen, accounts: Iterable[int]) -> None:
        """A line was applied to items of these accounts."""
        found = set(accounts)
        if seen.payer_iban:
            key = (seen.company_id, seen.payer_iban)
            self.accounts_by_iban.setdefault(key, set()).update(found)
            words = seen.text or seen.creditor_reference
            self.payments.setdefault(key, []).append((seen.booking_date, seen.cents, words))
        self.accounts_by_name.setdefault((seen.company_id, seen.payer_name), set()).update(found)

    def accounts(self, seen: Seen) -> set[int]:
        by_iban = self.accounts_by_iban.get((seen.company_id, seen.payer_iban), set())
        return by_iban | self.accounts_by_name.get((seen.company_id, seen.payer_name), set())


def printed(name: str) -> str:
    """A name as banks print it."""
    return name.upper().replace(".", "")


class Reader:
    """Reads lines on books that go forward with the days."""

    def __init__(self, books: Books, record: Record) -> None:
        self._books, self._record = books, record
        self._numbers: dict[tuple[int, str], list[OpenLine]] = {}
        self._numbers_on: date | None = None

    def read(self, seen: Seen) -> Reading:
        accounts = self._record.accounts(seen)
        lines = [line for account in accounts for line in self._books.of_account(account)]
        lines = [line for line in lines if not line.is_collected]
        items = [line for line in lines if line.balance]
        if seen.advice and (found := self._advised(seen, items)) is not None:
            return found
        named = self._named(seen, items, lines)
        if named.foreign:
            items = [*items, *(line for line in named.foreign if line not in items)]
        if named.tokens and not named.unknown and self.is_paid_again(seen):
            return Reading({}, "paid again")
        found = _read_named(seen, named, items) if named.tokens else _by_amount(seen, items)
        return _without_charges(seen, found)

    def is_paid_again(self, seen: Seen) -> bool:
        """Whether the same payer paid the same amount with the same words lately."""
        before = self._record.payments.get((seen.company_id, seen.payer_iban), ())
        words = seen.text or seen.creditor_reference
        return any(
            0 <= (seen.booking_date - day).days <= DUPLICATE_DAYS and (cents, text) == (seen.cents, words)
            for day, cents, text in before
        )

    def _advised(self, seen: Seen, items: Sequence[OpenLine]) -> Reading | None:
        """By the payer's own word: every document found, and the money is all of it."""
        shares: dict[int, int] = {}
        for number, cents in seen.advice:
            key = _MARK.sub("", number.upper())
            found = [line for line in items if _MARK.sub("", line.number.upper()) == key]
            if not found:
                found = [line for line in self._in_company(seen, key) if line.balance]
            if not found or len({line.invoice_id for line in found}) > 1:
                return None
            shares |= _fill(found, cents if cents is not None else sum(line.balance for line in found))
        short = sum(shares.values()) - seen.cents
        if short == 0:
            return Reading(shares, "advice")
        if 0 < short <= max(seen.charges_cents, _charges(seen.cents)) and shares:
            return Reading(_less(shares, short), "advice")
        return None

    def _named(self, seen: Seen, items: Sequence[OpenLine], lines: Sequence[OpenLine]) -> _Named:
        named = _Named()
        if seen.creditor_reference:
            key = seen.creditor_reference[4:]
            named.add("", key, [x for x in lines if _MARK.sub("", x.number.upper()) == key])
            if not named.found:
                named.foreign = [x for x in self._in_company(seen, key) if x.balance]
                named.add("", key, named.foreign)
        for prefix, body in _tokens(seen.text):
            exact = [line for line in lines if _is_exactly(line, prefix, body)]
            if not exact and not prefix and "/" not in body:
                exact = [line for line in items if _is_short(line, body)]
            if not exact and not items:
                key = prefix + body.replace("/", "")
                exact = [line for line in self._in_company(seen, key) if line.balance]
                named.foreign += exact
            named.add(prefix, body, exact)
        return named

    def _in_company(self, seen: Seen, key: str) -> list[OpenLine]:
        """Lines of any account of the company whose number has these marks."""
        if self._numbers_on != seen.booking_date:
            self._numbers, self._numbers_on = {}, seen.booking_date
            for line in self._books.open():
                marks = _MARK.sub("", line.number.upper())
                self._numbers.setdefault((line.company_id, marks), []).append(line)
        return [x for x in self._numbers.get((seen.company_id, key), ()) if not x.is_collected]


@dataclass(slots=True)
class _Named:
    """tokens: what stands in the line; found: the lines that each names, settled ones too, in their order."""

    tokens: list[tuple[str, str]] = field(default_factory=list)
    found: list[list[OpenLine]] = field(default_factory=list)
    unknown: list[tuple[str, str]] = field(default_factory=list)
    foreign: list[OpenLine] = field(default_factory=list)

    def add(self, prefix: str, body: str, lines: list[OpenLine]) -> None:
        self.tokens.append((prefix, body))
        if lines:
            self.found.append(lines)
        else:
            self.unknown.append((prefix, body))


def _tokens(text: str) -> list[tuple[str, str]]:
    """(letters before it, number) of every number in a text that is no date; a payer's own codes too."""
    found = []
    for match in _TOKEN.finditer(_DATE.sub(" ", text.upper())):
        letters = match[1] or ""
        found.append((letters if letters in ("NC", "ODA", "ACC") else "", match[2].rstrip("/")))
    return found


def _is_exactly(line: OpenLine, prefix: str, body: str) -> bool:
    told = f"{prefix} {body}".strip()
    return told in (line.number, line.order) if told else False


def _is_short(line: OpenLine, body: str) -> bool:
    """A number without its year, its series or the zeros before it."""
    base = line.number.split("/")[0]
    return " " not in base and base.endswith(body) and (len(body) >= 3 or base.strip("90") == body)


def _read_named(seen: Seen, named: _Named, items: Sequence[OpenLine]) -> Reading:
    """The documents that the line names, as far as they make its amount."""
    for target in dict.fromkeys((seen.cents, seen.cents + seen.charges_cents)):
        if (found := _exact(seen, target, named, items)) is not None:
            return found
    known = _whole(named)
    if named.unknown or known is None:
        is_code = not named.found
        return _by_amount(seen, items) if is_code else Reading(None, "a number that fits nothing")
    total = sum(line.balance for line in known)
    short = total - seen.cents
    debits = [line for line in known if line.balance > 0]
    if not debits:
        return Reading(None, "names what is settled")
    if short < 0:
        return Reading(None, "more than what it names")
    if len(debits) == 1 or short <= NAMED_SHARE * seen.cents:
        return Reading(_shares(known), "named, short")
    return Reading(None, "a part of several")


def _exact(seen: Seen, target: int, named: _Named, items: Sequence[OpenLine]) -> Reading | None:
    """What makes ``target`` exactly: all that is named, some installments of it, a cut list completed, or a
    number that was mistyped."""
    known = _whole(named) or []
    total = sum(line.balance for line in known)
    if known and not named.unknown:
        if total == target:
            return Reading(_shares(known), "named")
        if (part := _some_installments(known, target)) is not None:
            return Reading(part, "named, some installments")
    rest = [line for line in items if line not in known]
    if len(named.unknown) == 1:
        close = [x for x in rest if _is_slip(x, named.unknown[0]) and x.balance == target - total]
        if len(close) == 1:
            return Reading(_shares([*known, close[0]]), "a slip")
    if len(seen.text) >= TEXT_LENGTH - 2 and known and (found := _completed(named, known, rest, target)):
        return found
    if not named.unknown and len(named.found) == 1:
        close = [x for x in rest if _is_slip(x, named.tokens[0]) and x.balance == target]
        if len(close) == 1:
            return Reading(_shares(close), "a slip that names another")
    return None


def _whole(named: _Named) -> list[OpenLine] | None:
    """The open lines of all documents that are named; None where a number may be one of several."""
    found: list[OpenLine] = []
    for lines in named.found:
        is_order = any(body and f"{prefix} {body}" == lines[0].order for prefix, body in named.tokens)
        open_ = [line for line in lines if line.balance]
        if len({line.invoice_id for line in open_}) > 1 and not is_order:
            return None
        found += [line for line in open_ if line not in found]
    return found


def _some_installments(known: Sequence[OpenLine], target: int) -> dict[int, int] | None:
    """Of documents in installments the ones that come to ``target``; the first due ones where it is open."""
    by_document: dict[int, list[OpenLine]] = {}
    for line in sorted(known, key=lambda line: (line.due, line.no)):
        by_document.setdefault(line.invoice_id, []).append(line)
    if all(len(lines) == 1 for lines in by_document.values()):
        return None
    first = [lines[0] for lines in by_document.values()]
    if sum(line.balance for line in first) == target:
        return _shares(first)
    if len(by_document) == 1:
        fits = [line for line in known if line.balance == target]
        return _shares(fits) if len(fits) == 1 else None
    return None


def _completed(
    named: _Named, known: Sequence[OpenLine], rest: Sequence[OpenLine], target: int
) -> Reading | None:
    """A list that the bank cut: what is missing from the amount is made by other items in one way only."""
    missing = target - sum(line.balance for line in known)
    candidates = [line for line in rest if 0 < line.balance <= missing]
    starts = [body for _, body in named.unknown]
    if missing <= 0 or len(starts) > 1:
        return None
    ways = count_sums([line.balance for line in candidates], missing)
    if ways.count == 1:
        chosen = [candidates[at] for at in ways.chosen]
        if not starts or any(line.number.startswith(starts[0]) for line in chosen):
            return Reading(_shares([*known, *chosen]), "a cut list")
    return None


def _by_amount(seen: Seen, items: Sequence[OpenLine]) -> Reading:
    """The one combination of the payer's items that makes the amount: exactly, with the charges that the
    line states, else but for a rounding."""
    if not items:
        return Reading(None, "payer not on record")
    amounts = [line.balance for line in items]
    for target in dict.fromkeys((seen.cents, seen.cents + seen.charges_cents)):
        ways = count_sums(amounts, target)
        if ways.is_bounded:
            return Reading(None, "too many to search", True)
        if ways.count == 1:
            return Reading(_shares([items[at] for at in ways.chosen]), "the only sum")
        if ways.count > 1:
            return Reading(None, "several sums")
    near = count_sums(amounts, seen.cents + 1, seen.cents + ROUNDING_CENTS - 1)
    if near.count == 1 and len(near.chosen) == 1:
        return Reading(_shares([items[at] for at in near.chosen]), "the only sum, rounded")
    return Reading(None, "no sum" if not near.count else "several sums", near.is_bounded)


def _is_slip(line: OpenLine, token: tuple[str, str]) -> bool:
    """Whether the number, in full or short, is the token with one digit wrong or two neighbors swapped."""
    told = " ".join(part for part in token if part)
    forms = {line.number, line.order} if token[0] or "/" in token[1] else {line.number.split("/")[0]}
    forms |= {form.lstrip("9").lstrip("0") for form in forms if form[:1].isdigit() and "/" not in form}
    return any(_one_slip(told, form) for form in forms if form)


def _one_slip(first: str, second: str) -> bool:
    if len(first) != len(second):
        return False
    at = [n for n, (a, b) in enumerate(zip(first, second, strict=True)) if a != b]
    swapped = len(at) == 2 and at[1] == at[0] + 1
    return len(at) == 1 or (swapped and first[at[0]] == second[at[1]] and first[at[1]] == second[at[0]])


def _shares(lines: Sequence[OpenLine]) -> dict[int, int]:
    return {line.installment_id: line.balance for line in lines}


def _fill(lines: Sequence[OpenLine], cents: int) -> dict[int, int]:
    """``cents`` on the installments of a document, the first due one first."""
    shares: dict[int, int] = {}
    for line in sorted(lines, key=lambda line: (line.due, line.no)):
        part = min(cents, line.balance) if cents >= 0 else max(cents, line.balance)
        if part:
            shares[line.installment_id] = part
            cents -= part
    return shares


def _less(shares: Mapping[int, int], short: int) -> dict[int, int]:
    """``shares`` with ``short`` taken off the largest."""
    largest = max(shares, key=lambda item: shares[item])
    return {**shares, largest: shares[largest] - short}


def _without_charges(seen: Seen, found: Reading) -> Reading:
    """Charges that the line states are missing from what arrived."""
    over = sum(found.shares.values()) - seen.cents if found.shares else 0
    return replace(found, shares=_less(found.shares, over)) if found.shares and over else found


def _charges(cents: int) -> int:
    return min(CHARGES_CENTS, round(CHARGES_SHARE * cents))
