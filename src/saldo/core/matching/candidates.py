"""Ways to apply a line, found from what it names and from its amount, before they are weighed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product

from saldo.core.matching.amounts import MANY, Limits, Search, accidents, leading, subsets
from saldo.core.matching.differences import Fit, fit
from saldo.core.matching.naming import Document, Naming, by_due_date
from saldo.core.matching.policy import Policy
from saldo.core.matching.records import SHORT, Difference, Line, OpenItem, Share
from saldo.core.matching.references import document_form

ADVANCE_ITEM = "advance"
# How many accidental sums are no danger, and from how many on chance makes one as often.
UNLIKELY_ACCIDENTS = 0.01
LIKELY_ACCIDENTS = 0.1
# Readings of several numbers that are tried together, items of named documents, credits that are taken off.
_MOST_READINGS = 16
_MOST_NAMED_ITEMS = 30
_MOST_CREDITS = 12


@dataclass(slots=True)
class Candidate:
    """One way to apply a line. found: the first part of its pattern. against: what speaks against it. chosen:
    the items. needs_person: it must not be posted unasked, whatever its probability. facts: of its reasons.
    """

    found: str
    fit: Fit
    chosen: tuple[OpenItem, ...]
    against: set[str] = field(default_factory=set)
    needs_person: bool = False
    facts: dict[str, object] = field(default_factory=dict)


class Case:
    """A line with what may be set against it. debits, credits: open, of the payer's own account and of those
    it is known to pay for, in due date order, none in flight. They are loaded when they are asked for."""

    __slots__ = ("_items", "_load", "limits", "line", "policy")

    def __init__(self, line: Line, policy: Policy, load: Callable[[], Iterable[OpenItem]]) -> None:
        self.line, self.policy, self._load = line, policy, load
        self.limits = Limits(policy.search_items, policy.search_steps)
        self._items: tuple[tuple[OpenItem, ...], tuple[OpenItem, ...]] | None = None

    @property
    def debits(self) -> tuple[OpenItem, ...]:
        return self._loaded()[0]

    @property
    def credits(self) -> tuple[OpenItem, ...]:
        return self._loaded()[1]

    def _loaded(self) -> tuple[tuple[OpenItem, ...], tuple[OpenItem, ...]]:
        if self._items is None:
            items = [each for each in self._load() if each.balance_mills]
            debits = tuple(each for each in items if each.balance_mills > 0 and not each.is_in_flight)
            self._items = debits, tuple(each for each in items if each.balance_mills < 0)
        return self._items

    def fitted(self, items: Iterable[OpenItem]) -> Fit | None:
        return fit(self.line, sorted(items, key=by_due_date), self.policy)


def alike(items: Sequence[OpenItem]) -> list[object]:
    """Installments of one document are interchangeable where their amounts are equal; nothing else is."""
    return [each.invoice_id if each.invoice_id is not None else -each.item_id for each in items]


# --- from what is named ----------------------------------------------------------------------------------


def named(case: Case, naming: Naming, found: str) -> Iterator[Candidate]:
    """What the named documents can mean for the amount; the first one that fits exactly is the only one."""
    inexact: list[Candidate] = []
    for choices in _readings(naming):
        for candidate in _settlements(case, choices, found):
            if candidate.fit.evidence == "exact":
                yield candidate
                return
            inexact.append(candidate)
    yield from inexact[:2]


def stated(case: Case, advised: Sequence[tuple[Document, int]], found: str) -> Candidate | None:
    """The shares that an advice states: of each document the installments that make the share, else its
    first ones. None where they are not the amount, or more than what is open."""
    shares: dict[int, int] = {}
    chosen: dict[int, OpenItem] = {}
    for document, mills in advised:
        whole = [each for each in document.items if each.balance_mills == mills]
        for item in whole[:1] or document.items:
            part = min(mills, item.balance_mills) if mills > 0 else max(mills, item.balance_mills)
            if part and item.item_id not in shares and (part > 0) == (item.balance_mills > 0):
                shares[item.item_id], chosen[item.item_id] = part, item
                mills -= part
        if mills:
            return None
    if sum(shares.values()) != case.line.amount_mills:
        return None
    is_whole = all(each.balance_mills == shares[each.item_id] for each in chosen.values())
    fitted = Fit("exact" if is_whole else "stated", tuple(Share(i, m) for i, m in shares.items()))
    return Candidate(found, fitted, tuple(chosen.values()))


def _readings(naming: Naming) -> Iterator[list[Document]]:
    """The documents meant, in the combinations that the mentions allow: with the weak ones, without them,
    and the weak ones alone."""
    both = [*naming.choices, *naming.weak]
    groups = [naming.choices, both] if naming.choices else [both]
    for choices in groups:
        if not choices:
            continue
        count = 1
        for each in choices:
            count *= len(each)
        if count > _MOST_READINGS:
            continue
        for documents in product(*choices):
            once = list({document.key: document for document in documents}.values())
            if any(document.items for document in once):
                yield once


def _settlements(case: Case, documents: Sequence[Document], found: str) -> Iterator[Candidate]:
    """Ways to settle these documents with the amount, the best first."""
    items = [item for document in documents for item in document.items]
    target = case.line.amount_mills
    total = sum(item.balance_mills for item in items)
    if total == target and (whole := case.fitted(items)):
        yield Candidate(found, whole, tuple(items))
        return
    exact = _installments(case, documents, items, found) or _less_credits(case, items, total - target, found)
    if exact is not None:
        yield exact
        return
    if total > target:
        yield from _some(case, documents, items, found)
    first = _first_due(documents) if len(items) > len(documents) else items
    tries = [items] if first == items else [first, items]
    if len(documents) == 1 and len(items) > 1:
        tries = [*([each] for each in items), *tries]
    fits = [(near, chosen) for chosen in tries if (near := case.fitted(chosen)) is not None]
    fits.sort(key=lambda pair: pair[0].evidence not in EASE)  # explained ones first, else as tried
    for near, chosen in fits[:2]:
        candidate = Candidate(found, near, tuple(chosen))
        if len(chosen) < len(items):
            candidate.against.add("installment")
        yield candidate


def _first_due(documents: Sequence[Document]) -> list[OpenItem]:
    return [document.items[0] for document in documents if document.items]


def _installments(
    case: Case, documents: Sequence[Document], items: Sequence[OpenItem], found: str
) -> Candidate | None:
    """Of documents in installments, those that make the amount, at least one of each document."""
    if len(items) == len([d for d in documents if d.items]) or len(items) > _MOST_NAMED_ITEMS:
        return None
    search = _search(case, items, case.line.amount_mills)
    for indexes in search.found:
        chosen = [items[i] for i in indexes]
        owners = {_owner(each) for each in chosen}
        if any(_owner(d.items[0]) not in owners for d in documents if d.items):
            continue
        whole = case.fitted(chosen)
        if whole is None:
            continue
        candidate = Candidate(found, whole, tuple(chosen))
        if search.ways == MANY:
            candidate.needs_person = True
            candidate.against.add("ambiguous")
        elif _has_twin(chosen, items):
            candidate.against.add("installment")
        return candidate
    return None


def _owner(item: OpenItem) -> tuple[int, object]:
    return item.account_id, item.invoice_id if item.invoice_id is not None else item.number


def _has_twin(chosen: Sequence[OpenItem], items: Sequence[OpenItem]) -> bool:
    taken = {(each.invoice_id, each.balance_mills) for each in chosen if each.invoice_id is not None}
    ids = {each.item_id for each in chosen}
    return any((each.invoice_id, each.balance_mills) in taken for each in items if each.item_id not in ids)


def is_advance_on(advance: OpenItem, items: Iterable[OpenItem]) -> bool:
    """Whether the advance is on the order of one of the debits, however the two are written: the same
    number, and the same year where both have one."""
    ours = document_form(advance.order_ref, None)
    for each in items:
        if each.balance_mills <= 0 or not each.order_ref:
            continue
        other = document_form(each.order_ref, None)
        is_same_year = ours.year is None or other.year is None or ours.year == other.year
        if is_same_year and (ours.body or ours.series) == (other.body or other.series):
            return True
    return False


def _less_credits(case: Case, items: Sequence[OpenItem], gap: int, found: str) -> Candidate | None:
    """The documents less open credits that nobody named, in one way only."""
    named_ids = {each.item_id for each in items}
    usable = [
        each
        for each in case.credits
        if each.item_id not in named_ids and (each.kind != ADVANCE_ITEM or is_advance_on(each, items))
    ][:_MOST_CREDITS]
    if gap <= 0 or not usable:
        return None
    search = subsets([-each.balance_mills for each in usable], gap, case.limits)
    if not search.found:
        return None
    taken = [usable[i] for i in search.found[0]]
    whole = case.fitted([*items, *taken])
    if whole is None:
        return None
    candidate = Candidate(found, whole, (*items, *taken), {"credits"})
    if search.ways == MANY:
        candidate.needs_person = True
        candidate.against.add("ambiguous")
    candidate.facts["credits_found"] = [each.item_id for each in taken]
    return candidate


def _some(
    case: Case, documents: Sequence[Document], items: Sequence[OpenItem], found: str
) -> Iterator[Candidate]:
    """Some of the documents make the amount: those named for another reason, or not paid after all."""
    if len(documents) < 2 or len(items) > _MOST_NAMED_ITEMS:
        return
    search = _search(case, items, case.line.amount_mills)
    if search.found and (whole := case.fitted(items[i] for i in search.found[0])):
        chosen = tuple(items[i] for i in search.found[0])
        candidate = Candidate("order" if found == "order" else "number.some", whole, chosen)
        if search.ways == MANY:
            candidate.needs_person = True
            candidate.against.add("ambiguous")
        yield candidate


def slips(
    case: Case, naming: Naming, similar: Sequence[tuple[int | None, str, Document]], found: str
) -> Iterator[Candidate]:
    """One number put right makes the amount exact. similar: (place of the choice that is replaced, or None
    for a number that is not known; as written; the document that it can be)."""
    for place, written, document in similar:
        choices = [each for at, each in enumerate(naming.choices) if at != place]
        if any(len(each) > 1 for each in choices):
            continue
        documents = [*(each[0] for each in choices), document]
        if any(document.key == other[0].key for other in choices):
            continue
        items = [item for each in documents for item in each.items]
        chosen = next(
            (
                tried
                for tried in (items, _first_due(documents))
                if sum(each.balance_mills for each in tried) == case.line.amount_mills
            ),
            None,
        )
        whole = case.fitted(chosen) if chosen and document.items else None
        if whole is not None and chosen is not None:
            candidate = Candidate(found, whole, tuple(chosen))
            candidate.facts |= {"written": written, "number": document.number}
            yield candidate


def completed(case: Case, naming: Naming) -> Candidate | None:
    """What is named, and the only other items of the payer that complete the amount."""
    if not naming.choices or any(len(each) > 1 for each in naming.choices):
        return None
    items = [item for each in naming.choices for item in each[0].items]
    ids = {each.item_id for each in items}
    missing = case.line.amount_mills - sum(each.balance_mills for each in items)
    rest = [each for each in case.debits if each.item_id not in ids]
    if missing <= 0 or not rest:
        return None
    search = _search(case, rest, missing)
    if not search.found:
        return None
    more = [rest[i] for i in search.found[0]]
    whole = case.fitted([*items, *more])
    if whole is None:
        return None
    candidate = Candidate("number.more", whole, (*items, *more))
    candidate.facts["more"] = [each.number for each in more]
    is_chance = accidents([each.balance_mills for each in rest], len(more), missing) > UNLIKELY_ACCIDENTS
    if search.ways == MANY or not search.complete or is_chance:
        candidate.needs_person = True
        candidate.against.add("ambiguous")
    return candidate


# --- from the amount alone -------------------------------------------------------------------------------


def _search(case: Case, items: Sequence[OpenItem], target: int) -> Search:
    return subsets([each.balance_mills for each in items], target, case.limits, alike(items))


def by_amount(case: Case) -> Iterator[Candidate]:
    """Items of the payer that make the amount, or nearly: never more than one is without rivals."""
    line = case.line
    found = [
        _sums(case, target)
        for target in dict.fromkeys((line.amount_mills, line.amount_mills + line.charges_mills))
    ]
    both = all(found)
    for candidate in (each for group in found for each in group):
        if both and len(found) > 1:  # with the charges that the bank states, and without them
            candidate.needs_person = True
            candidate.against.add("ambiguous")
        yield candidate
    if not any(found):
        yield from _near(case)


def _sums(case: Case, target: int) -> list[Candidate]:
    """The combinations that make ``target``: one, or, where there are more, those that a payer would choose:
    a single item, all, all that was due, the oldest ones."""
    credits = [each for each in case.credits if each.kind != ADVANCE_ITEM][:_MOST_CREDITS]
    items = [*case.debits, *credits]
    search = _search(case, items, target)
    if not search.found:
        return []
    combinations = [tuple(items[i] for i in indexes) for indexes in search.found]
    if search.ways < MANY:
        chosen = combinations[0]
        candidate = _summed(case, chosen, _kind_of_sum(search, items, chosen, target))
        if candidate is None:
            return []
        if any(each.balance_mills < 0 for each in chosen):
            candidate.against.add("credits")
        if _has_twin(chosen, items):
            candidate.against.add("installment")
        candidate.facts["shape"] = _shape(case, chosen)
        return [candidate]
    found: dict[frozenset[int], Candidate] = {}
    for shape, chosen in (*_shapes(case, target), *(("several", each) for each in combinations)):
        candidate = _summed(case, chosen, "sum.ambiguous")
        if candidate is not None:
            candidate.needs_person = True
            candidate.facts["shape"] = shape
            found.setdefault(frozenset(each.item_id for each in chosen), candidate)
    return list(found.values())[:3]


def _kind_of_sum(search: Search, items: Sequence[OpenItem], chosen: Sequence[OpenItem], target: int) -> str:
    if not search.complete:
        return "sum.partial"
    most = target - sum(min(each.balance_mills, 0) for each in items)
    usable = [each.balance_mills for each in items if each.balance_mills <= most]
    chance = accidents(usable, len(chosen), target)
    if chance <= UNLIKELY_ACCIDENTS:
        return "sum.unique"
    return "sum.likely" if chance <= LIKELY_ACCIDENTS else "sum.chance"


def _summed(case: Case, chosen: Sequence[OpenItem], found: str) -> Candidate | None:
    fitted = case.fitted(chosen)
    return (
        None
        if fitted is None
        else Candidate(found, fitted, tuple(chosen), needs_person=found == "sum.partial")
    )


def _shapes(case: Case, target: int) -> Iterator[tuple[str, tuple[OpenItem, ...]]]:
    """Combinations that a payer would choose and that make the target."""
    yield from (("single", (each,)) for each in case.debits if each.balance_mills == target)
    credits = tuple(each for each in case.credits if each.kind != ADVANCE_ITEM)
    for taken in ((), credits) if credits else ((),):
        less = sum(each.balance_mills for each in taken)
        for shape, items in (("all", case.debits), ("overdue", _overdue(case))):
            if items and sum(each.balance_mills for each in items) + less == target:
                yield shape, (*items, *taken)
        count = leading([each.balance_mills for each in case.debits], target - less)
        if count:
            yield "oldest", (*case.debits[:count], *taken)


def _overdue(case: Case) -> tuple[OpenItem, ...]:
    return tuple(each for each in case.debits if each.due_date and each.due_date <= case.line.booking_date)


def _shape(case: Case, chosen: Sequence[OpenItem]) -> str:
    ids = {each.item_id for each in chosen}
    debits = [each for each in chosen if each.balance_mills > 0]
    if len(chosen) == 1:
        return "single"
    if len(debits) == len(case.debits):
        return "all"
    if ids >= {each.item_id for each in _overdue(case)} and len(debits) == len(_overdue(case)):
        return "overdue"
    is_oldest = all(each.item_id in ids for each in case.debits[: len(debits)])
    return "oldest" if is_oldest else "several"


def _near(case: Case) -> Iterator[Candidate]:
    """One item, all of them, all that was due, nearly: charges, a rounding, a discount, tax that was kept."""
    groups: dict[frozenset[int], tuple[OpenItem, ...]] = {}
    for items in (*((each,) for each in case.debits), case.debits, _overdue(case)):
        if items:
            groups.setdefault(frozenset(each.item_id for each in items), items)
    near = []
    for items in groups.values():
        gap = sum(each.balance_mills for each in items) - case.line.amount_mills
        if -case.policy.rounding_mills <= gap and 4 * gap <= case.line.amount_mills:
            fitted = case.fitted(items)
            if fitted is not None and fitted.evidence in EASE:
                near.append(Candidate("sum.near", fitted, items, facts={"shape": _shape(case, items)}))
    near.sort(key=lambda each: EASE.index(each.fit.evidence))
    for candidate in near[:3]:
        if len(near) > 1:
            candidate.found = "sum.ambiguous"
            candidate.needs_person = True
        yield candidate


def oldest(case: Case) -> Iterator[Candidate]:
    """The oldest items, as far as the money goes; a person decides."""
    left = case.line.amount_mills
    shares, chosen, short = [], [], []
    for item in case.debits:
        part = min(left, item.balance_mills)
        if part == 0:
            break
        left -= part
        shares.append(Share(item.item_id, part))
        chosen.append(item)
        if part < item.balance_mills:
            short.append(Difference(SHORT, item.item_id, item.balance_mills - part))
    if shares:
        fitted = Fit("short.several" if short else "over", tuple(shares), tuple(short), left, False)
        yield Candidate("oldest", fitted, tuple(chosen))


EASE = (
    "exact", "charges.stated", "discount", "rounding", "charges.foreign", "charges", "discount.late",
    "withholding", "split_vat",
)  # fmt: skip
