"""A line's ranked proposals: what it names, who pays, what the amount can be, and how sure all this is.

Order of evidence (docs/rules/cash-application.md): exact keys, documents named, payer and amount,
differences, on account. Evidence that contradicts other evidence always lowers a proposal, and what is
ambiguous is proposed, never posted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

from saldo.core.matching import candidates, rates, references, telling
from saldo.core.matching.book import Book, Named
from saldo.core.matching.candidates import ADVANCE_ITEM, Candidate, Case, is_advance_on
from saldo.core.matching.evidence import Evidence
from saldo.core.matching.experience import Experience, pattern_of
from saldo.core.matching.naming import FIRM, Document, Naming, documents_of, now
from saldo.core.matching.payers import Payers
from saldo.core.matching.policy import Policy
from saldo.core.matching.records import (
    ADVANCE,
    AUTO,
    DUPLICATE,
    LEAVE,
    MATCH,
    ON_ACCOUNT,
    PROPOSE,
    UNKNOWN,
    Line,
    OpenItem,
    Proposal,
    Reason,
    Share,
)
from saldo.core.matching.who import who_pays

MOST_PROPOSALS = 5
# The amount is explained to the cent.
_FITS = ("exact", "stated", "charges.stated")
# Payers that are tried by amount where it is not sure who pays.
_MOST_LIKELY = 3
# An item that falls due so much later is not what one expects to be paid.
_EARLY_DAYS = 25
# Settled so lately, an equal amount may be the same payment twice.
_RECENT_DAYS = 30


def propose(
    line: Line, book: Book, payers: Payers, policy: Policy, experience: Experience
) -> tuple[Proposal, ...]:
    """Ways to apply ``line`` to the items of ``book``, best first, at most MOST_PROPOSALS, never none.

    Only the first can be in the zone "auto". The book is read, not changed: take the shares of what was
    decided before the next line is asked for. Never raises for what a line says.
    """
    found = _Reading(line, book, payers, policy, experience).proposals()
    ordered = rates.in_original(line)
    if ordered is not None and not any(each.shares for each in found):
        original = _Reading(ordered, book, payers, policy, experience).proposals()
        found = (*rates.converted(line, original, policy, experience), *found)
    return found[:MOST_PROPOSALS]


class _Reading:
    """One line on its way through the evidence; lists of items are made when they are asked for."""

    def __init__(
        self, line: Line, book: Book, payers: Payers, policy: Policy, experience: Experience
    ) -> None:
        self.line, self.book, self.payers = line, book, payers
        self.policy, self.experience = policy, experience
        self.who = who_pays(line, payers)
        self.evidence = Evidence(line, book, self.who)
        self.naming = Naming()
        self._cases: dict[tuple[int, ...], Case] = {}
        self._put_right: set[frozenset[int]] = set()
        self._intent: frozenset[str] | None = None
        self._settled: tuple[OpenItem | None] | None = None

    def proposals(self) -> tuple[Proposal, ...]:
        found: list[Proposal] = []
        for candidate in self._candidates():
            proposal = self._proposal(candidate)
            found.append(proposal)
            if proposal.zone == AUTO:
                break
        found += self._without_items(found)
        ranked = sorted(_distinct(found), key=_rank)[:MOST_PROPOSALS]
        return tuple(self._zoned(ranked))

    # --- evidence, strongest first -------------------------------------------------------------------

    def _candidates(self) -> Iterator[Candidate]:
        if self.line.amount_mills <= 0:
            return
        inexact: list[Candidate] = []
        for found, naming in self.evidence.namings():
            self._remember(naming)
            for candidate in self._of_naming(found, naming):
                if self._is_denied(found, candidate):
                    candidate.against.add("rival")
                if candidate.fit.evidence in _FITS:
                    yield candidate
                else:
                    inexact.append(candidate)
        yield from self._of_orders()
        sums = list(self._of_amount())
        yield from sums
        if any(each.fit.evidence in _FITS and not each.needs_person for each in sums):
            for candidate in inexact:  # a number may be wrong where other items fit to the cent
                candidate.against.add("rival")
        yield from inexact
        if self.policy.oldest_first and not sums and not inexact and self.who.level == "sure":
            yield from candidates.oldest(self._case(self.who.accounts))

    def _is_denied(self, found: str, candidate: Candidate) -> bool:
        """Whether the text names in full another document than the reference or the advice."""
        if found not in ("key.reference", "advice", "advice.open") or not self.line.text:
            return False
        chosen = {each.number for each in candidate.chosen}
        named = self.evidence.read(self.line.text).choices
        return any(
            each[0].strength >= FIRM and not chosen & {document.number for document in each} for each in named
        )

    def _remember(self, naming: Naming) -> None:
        self.naming.choices += naming.choices
        self.naming.weak += naming.weak
        self.naming.unknown += naming.unknown
        self.naming.foreign += naming.foreign

    def _of_naming(self, found: str, naming: Naming) -> Iterator[Candidate]:
        if not naming.choices and not naming.weak:
            yield from self._slips(naming)
            return
        case = self._case(self._accounts_of(naming))
        found = self._called(found, naming)
        if naming.stated and (told := candidates.stated(case, naming.stated, found)) is not None:
            yield told
            return
        options = list(candidates.named(case, naming, found))
        is_exact = any(each.fit.evidence == "exact" for each in options)
        if not is_exact:
            yield from self._slips(naming)
            more = candidates.completed(case, naming)
            if more is not None:
                yield more
        yield from options

    def _called(self, found: str, naming: Naming) -> str:
        if found in ("key.reference", "advice", "advice.open"):
            return found
        firm = naming.choices and naming.strength() >= FIRM
        return found if firm else "number.short"

    def _slips(self, naming: Naming) -> Iterator[Candidate]:
        """A number that fits nothing, or not the amount, put right by one digit among the payer's own."""
        if not self.who.accounts:
            return
        accounts = (*self.who.known, *self.who.kin)
        similar: list[tuple[int | None, str, Document]] = []
        for place, mention in [
            *((None, mention) for mention in naming.unknown),
            *enumerate(naming.mentions[: len(naming.choices)]),
        ]:
            hits = [
                hit for hit in self.book.similar(mention, accounts) if self.book.balance(hit.item.item_id)
            ]
            for document in documents_of(self.book, hits, self.line.currency):
                similar.append((place, mention.text, document))
        fits = list(candidates.slips(self._case(self.who.known), naming, similar, "number.slip"))
        for candidate in fits:
            self._put_right.add(frozenset(each.item_id for each in candidate.chosen))
            if len({each.chosen for each in fits}) > 1:
                candidate.needs_person = True
                candidate.against.add("ambiguous")
            yield candidate

    def _of_orders(self) -> Iterator[Candidate]:
        if not self.line.text or not self.who.accounts:
            return
        hits = self._invoiced_orders()
        documents = [each for each in documents_of(self.book, hits, self.line.currency) if each.items]
        if documents:
            naming = Naming([[each] for each in documents])
            for candidate in candidates.named(self._case(self.who.known), naming, "order"):
                candidate.facts["order"] = documents[0].items[0].order_ref
                yield candidate

    def _invoiced_orders(self) -> list[Named]:
        """The items of the orders that the text names; an advance on an order is no invoice of it."""
        hits = self.book.by_order(self.line.text, self.who.known)
        return [hit for hit in hits if hit.item.kind != ADVANCE_ITEM]

    def _of_amount(self) -> Iterator[Candidate]:
        """What the payer has open; where it is not sure who pays, what each of those has."""
        who = self.who
        if who.level == "sure":
            found = list(candidates.by_amount(self._case(who.known)))
            yield from found
            if not any(each.fit.evidence == "exact" for each in found):
                for account in who.kin:
                    yield from self._exact_only((account,))
            return
        for account in who.accounts[:_MOST_LIKELY]:
            yield from self._exact_only((account,))

    def _exact_only(self, accounts: tuple[int, ...]) -> Iterator[Candidate]:
        for candidate in candidates.by_amount(self._case(accounts)):
            if candidate.fit.evidence == "exact":
                yield candidate

    # --- items ---------------------------------------------------------------------------------------

    def _accounts_of(self, naming: Naming) -> tuple[int, ...]:
        named = {each.key[0] for choice in naming.choices for each in choice}
        return tuple(dict.fromkeys((*self.who.known, *sorted(named))))

    def _case(self, accounts: tuple[int, ...]) -> Case:
        known = self._cases.get(accounts)
        if known is None:
            items, currency = self.book.items_of, self.line.currency
            known = self._cases[accounts] = Case(
                self.line, self.policy, lambda: (now(self.book, each) for each in items(accounts, currency))
            )
        return known

    # --- proposals -----------------------------------------------------------------------------------

    def _proposal(self, candidate: Candidate) -> Proposal:
        fitted = candidate.fit
        level = self._level(candidate)
        against, needs_person = self._against(candidate)
        pattern = pattern_of(*_called_in_pattern(candidate), level, against)
        chance = self.experience.chance(pattern)
        zone = chance.zone(self.policy)
        may_post = fitted.may_post and not needs_person and not candidate.needs_person
        if fitted.evidence.startswith("short") and not self.policy.allows_partial:
            may_post = False
        if zone == AUTO and not may_post:
            zone = PROPOSE
        reasons = telling.match(self.line, candidate, self.book)
        reasons += [*self._payer_reasons(level), *self._warnings(candidate, against), chance.reason()]
        return Proposal(
            MATCH, self._account(candidate), fitted.shares, fitted.unapplied_mills, fitted.differences,
            pattern, chance.probability, zone, tuple(reasons),
        )  # fmt: skip

    def _account(self, candidate: Candidate) -> int:
        """The payer's account; of one that is not sure, the one whose items these are."""
        items = {each.account_id for each in candidate.chosen}
        for account in self.who.accounts:
            if self.who.level == "sure" or account in items:
                return account
        largest = max(candidate.chosen, key=lambda each: (each.balance_mills, -each.item_id))
        return largest.account_id

    def _level(self, candidate: Candidate) -> str:
        items = {each.account_id for each in candidate.chosen}
        if self.who.level == "unknown":
            return "unknown" if len(items) == 1 else "other"
        if items <= set(self.who.accounts):
            return self.who.level
        is_sum = candidate.found.startswith("sum.") and candidate.fit.evidence in _FITS
        if is_sum and items <= set(self.who.known):
            return self.who.level  # the sum is the only one among all that it pays for
        return "pays_for" if items <= set(self.who.known) else "other"

    def _against(self, candidate: Candidate) -> tuple[set[str], bool]:
        """What speaks against it, and whether that needs a person whatever the probability."""
        against = set(candidate.against)
        line = self.line
        is_sum = candidate.found.startswith("sum.")
        if candidate.fit.evidence not in _FITS and self._paid_before(candidate):
            against.add("recent")
        if any(each.is_in_flight for each in candidate.chosen):
            return against | {"flight"}, True
        advances = [each for each in candidate.chosen if each.kind == ADVANCE_ITEM]
        if not all(is_advance_on(each, candidate.chosen) for each in advances):
            return against | {"rival"}, True
        if is_sum:
            latest = line.booking_date + timedelta(days=_EARLY_DAYS)
            if any(each.due_date and each.due_date > latest for each in candidate.chosen):
                against.add("early")
            if self.recent is not None:
                against.add("recent")
            if frozenset(each.item_id for each in candidate.chosen) in self._put_right:
                pass  # the number that is not known is one digit away from one of these
            elif self.naming.foreign or self._names_settled():
                against.add("foreign")
            elif any(mention.is_led for mention in self.naming.unknown):
                against.add("unread")
            if "on_account" in self.intent:
                against.add("rival")
        return against, False

    @property
    def intent(self) -> frozenset[str]:
        if self._intent is None:
            self._intent = references.intent(self.line.text) if self.line.text else frozenset()
        return self._intent

    def _names_settled(self) -> bool:
        return any(all(not each.items for each in choice) for choice in self.naming.choices)

    @property
    def recent(self) -> OpenItem | None:
        """An item of the payer's with this very amount that was settled lately."""
        if self._settled is None:
            since = self.line.booking_date - timedelta(days=_RECENT_DAYS)
            closed = self.book.recently_closed(self.who.accounts, self.line.currency, since)
            same = (item for item in closed if item.amount_mills == self.line.amount_mills)
            self._settled = (next(same, None),)
        return self._settled[0]

    def _paid_before(self, candidate: Candidate) -> bool:
        """Whether one of the documents was paid this very amount before: by a part of the item, or by an
        installment that was settled lately."""
        mills = self.line.amount_mills
        if any(each.amount_mills - each.balance_mills == mills for each in candidate.chosen):
            return True
        documents = {each.invoice_id for each in candidate.chosen if each.invoice_id is not None}
        return self.recent is not None and self.recent.invoice_id in documents

    def _payer_reasons(self, level: str) -> Iterator[Reason]:
        payer = self.who.payer
        yield telling.payer(payer, level, self.line)

    def _warnings(self, candidate: Candidate, against: Iterable[str]) -> Iterator[Reason]:
        told = set(against)
        return telling.warnings(self.line, candidate, told, self.recent if "recent" in told else None)

    # --- no item fits --------------------------------------------------------------------------------

    def _without_items(self, found: Sequence[Proposal]) -> list[Proposal]:
        """Paid twice, in advance, on account, or by nobody that is known."""
        if any(each.zone == AUTO for each in found):
            return []
        if self.line.amount_mills <= 0:
            return [self._nobody()]
        more = [*self._duplicates(), *self._advances()]
        if not self.who.accounts:
            return more or ([] if found else [self._nobody()])
        if more:
            return more
        is_said = "on_account" in self.intent and not self.naming.choices
        if is_said or not any(each.probability >= self.policy.propose_above for each in found):
            code = "match_on_account_said" if is_said else "match_on_account"
            more.append(self._apart(ON_ACCOUNT, "none.said" if is_said else "none", [Reason(code)]))
        return more

    def _duplicates(self) -> Iterator[Proposal]:
        documents = [each for choice in self.naming.choices for each in choice if not each.items]
        for document in documents:
            settled = next((x for x in document.settled if x.amount_mills == self.line.amount_mills), None)
            if settled is not None:
                reasons = [telling.duplicate(self.line, settled, self.book)]
                yield self._apart(DUPLICATE, "duplicate", reasons, settled.account_id)
                return
        if (
            documents
            and sum(each.amount_mills for document in documents for each in document.settled)
            == self.line.amount_mills
        ):
            settled = documents[0].settled[0]
            yield self._apart(
                DUPLICATE, "duplicate", [telling.duplicate(self.line, settled, self.book)], settled.account_id
            )
        elif not self.naming.choices and self.recent is not None:
            told = telling.duplicate(self.line, self.recent, self.book)
            yield self._apart(DUPLICATE, "duplicate.amount", [told])

    def _advances(self) -> Iterator[Proposal]:
        if not self.who.accounts or "advance_order" not in self.intent:
            return
        if self.naming.choices or self._invoiced_orders():
            return
        order = next((m for m in references.mentions(self.line.text) if m.looks_like == "order"), None)
        if order is not None:
            yield self._apart(ADVANCE, "advance", [Reason("match_advance", {"order": order.text})])

    def _nobody(self) -> Proposal:
        return Proposal(
            UNKNOWN, None, (), self.line.amount_mills, (), pattern_of("none", "exact", "unknown"), 0.0, LEAVE,
            (Reason("match_payer_unknown"),),
        )  # fmt: skip

    def _apart(self, kind: str, found: str, reasons: list[Reason], account: int | None = None) -> Proposal:
        """Nothing is applied: the whole amount stays on the payer's account."""
        owner = self.who.accounts[0] if self.who.accounts else account
        pattern = pattern_of(found, "exact", self.who.level)
        chance = self.experience.chance(pattern)
        zone = chance.zone(self.policy)
        if zone == AUTO and kind in (DUPLICATE, ADVANCE):
            zone = PROPOSE
        told = (*reasons, *self._payer_reasons(self.who.level), chance.reason())
        return Proposal(kind, owner, (), self.line.amount_mills, (), pattern, chance.probability, zone, told)

    def _zoned(self, ranked: Sequence[Proposal]) -> Iterator[Proposal]:
        """Only the first one may be posted unasked, and not where another one is about as strong."""
        for place, each in enumerate(ranked):
            zone = each.zone
            if zone == AUTO and (place or _has_rival(each, ranked[1:])):
                zone = PROPOSE
            yield each if zone == each.zone else replace(each, zone=zone)


def _called_in_pattern(candidate: Candidate) -> tuple[str, str]:
    """The first two parts of the pattern. Charges that the bank states are no difference; and how documents
    were named surely matters no more where the amount leaves one."""
    found, fits = candidate.found, candidate.fit.evidence
    if fits == "charges.stated":
        return found, "exact"
    is_sure = found in ("key.reference", "advice", "number.full", "number.structured")
    return ("named" if is_sure and fits not in _FITS else found), fits


def _distinct(found: Iterable[Proposal]) -> list[Proposal]:
    """Of proposals that apply the same, the most probable one."""
    best: dict[tuple[str, int | None, frozenset[Share]], Proposal] = {}
    for each in found:
        key = (each.kind, each.account_id, frozenset(each.shares))
        if key not in best or each.probability > best[key].probability:
            best[key] = each
    return list(best.values())


_ZONES = {AUTO: 0, PROPOSE: 1, LEAVE: 2}


def _rank(proposal: Proposal) -> tuple[int, float]:
    return _ZONES[proposal.zone], -proposal.probability


def _has_rival(first: Proposal, others: Iterable[Proposal]) -> bool:
    """Another proposal of named documents, as exact and about as probable, that applies otherwise."""
    return any(
        each.kind == MATCH
        and each.probability >= 0.9 * first.probability
        and not each.pattern.startswith("sum.")
        for each in others
    )
