"""The open items of one company while lines are applied: found by what lines say, and their balances.

A Book is for one batch: balances go down as lines take their shares, so that a later line sees what an
earlier one left. Items are never changed.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from saldo.core import normalize
from saldo.core.matching import references
from saldo.core.matching.records import Line, OpenItem
from saldo.core.matching.references import DocumentKey, Mention, Strength
from saldo.core.matching.words import CREDITS, LEADS

# A key that more documents have than this names none of them, unless the payer narrows them down.
MOST_NAMED = 200


@dataclass(frozen=True, slots=True)
class Named:
    """An item whose document a text names. key: what they have in common ("" for a slip).

    agrees_date: the date written beside the number is the document's; None where none is written.
    """

    item: OpenItem
    strength: Strength
    key: DocumentKey
    agrees_date: bool | None = None


def wanted_keys(lines: Iterable[Line]) -> set[DocumentKey]:
    """All keys by which ``lines`` can name documents and orders: in texts, structured references, end-to-end
    ids and advices. What a Book for these lines needs to index, and no more."""
    keys: set[DocumentKey] = set()
    for line in lines:
        for text in naming_texts(line):
            for mention in references.mentions(text):
                keys.update(mention.keys)
            keys.update(order_keys(text))
            reference = references.creditor_reference(text)
            if reference:
                body = references.reference_body(reference)
                keys.update(("r" + body, "=" + body))
    return keys


def naming_texts(line: Line) -> Iterator[str]:
    """The texts of a line that can name documents, the most deliberate first."""
    yield from (text for text in (line.creditor_reference, *line.references) if text)
    if line.advice is not None:
        yield from (advised.number for advised in line.advice.lines)
        yield from line.advice.document_refs
    yield from (text for text in (line.text, line.end_to_end_id) if text)


def order_keys(text: str) -> tuple[DocumentKey, ...]:
    """Keys of the orders that a text can name: "o" + the whole normalized number, with and without the word
    before it; of pieces that a word calls an order, or of at least five digits."""
    keys: dict[DocumentKey, None] = {}
    for mention in references.mentions(text):
        if mention.how or mention.looks_like not in ("", "order"):
            continue
        if mention.looks_like == "order" or len(mention.digits) >= 5:
            keys.update(("o" + key[1:], None) for key in mention.keys if key[0] in "=b")
    return tuple(keys)


class Book:
    """Open items (and those settled lately) of one company, indexed, with running balances.

    items: any iterable, read once; of one company. wanted: the keys to index (``wanted_keys`` of the batch);
    None indexes every key. named: ids of the items that may have one of them at all, if the caller knows:
    of the others no keys are made. 1,000,000 items take about 0.5 GiB with the keys of 100,000 lines, 0.9
    GiB with all, the items included.
    """

    def __init__(
        self,
        items: Iterable[OpenItem],
        wanted: Container[DocumentKey] | None = None,
        named: Container[int] | None = None,
    ) -> None:
        self._items: dict[int, OpenItem] = {}
        self._of_account: dict[int, list[OpenItem]] = {}
        self._by_key: dict[DocumentKey, OpenItem | list[OpenItem]] = {}
        self._taken: dict[int, int] = {}
        self._closed: dict[int, date] = {}
        self._fill(items, wanted, named)

    def _fill(
        self,
        items: Iterable[OpenItem],
        wanted: Container[DocumentKey] | None,
        named: Container[int] | None,
    ) -> None:
        by_id, of_account, index = self._items, self._of_account, self._index
        document_keys = references.document_keys
        for item in items:
            by_id[item.item_id] = item
            siblings = of_account.get(item.account_id)
            if siblings is None:
                of_account[item.account_id] = [item]
            else:
                siblings.append(item)
            if named is not None and item.item_id not in named:
                continue
            for key in document_keys(item.number, item.document_date):
                if wanted is None or key in wanted:
                    index(key, item)
            if item.order_ref:
                for key in _keys_of_order(item.order_ref):
                    if wanted is None or key in wanted:
                        index(key, item)

    def _index(self, key: DocumentKey, item: OpenItem) -> None:
        there = self._by_key.get(key)
        if there is None:
            self._by_key[key] = item  # most keys have one item: no list for it
        elif isinstance(there, list):
            there.append(item)
        else:
            self._by_key[key] = [there, item]

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, item_id: object) -> bool:
        return item_id in self._items

    # --- balances -----------------------------------------------------------------------------------

    def item(self, item_id: int) -> OpenItem:
        """The item; KeyError if it is not in the book."""
        return self._items[item_id]

    def balance(self, item_id: int) -> int:
        """What is left of the item now, in mills with its sign."""
        return self._items[item_id].balance_mills - self._taken.get(item_id, 0)

    def take(self, item_id: int, mills: int, day: date | None = None) -> int:
        """Set ``mills`` against the item: with the sign of its balance, and no more than it. Gives the
        balance that is left; an item taken whole counts as closed on ``day`` (see recently_closed)."""
        balance = self.balance(item_id)
        assert mills != 0 and (mills > 0) == (balance > 0), (item_id, mills, balance)
        assert abs(mills) <= abs(balance), (item_id, mills, balance)
        self._taken[item_id] = self._taken.get(item_id, 0) + mills
        if mills == balance and day is not None:
            self._closed[item_id] = day
        return balance - mills

    def give_back(self, item_id: int, mills: int) -> int:
        """Undo (a part of) what was taken from the item in this book; gives its balance after."""
        taken = self._taken.get(item_id, 0)
        assert mills != 0 and (mills > 0) == (taken > 0), (item_id, mills, taken)
        assert abs(mills) <= abs(taken), (item_id, mills, taken)
        self._taken[item_id] = taken - mills
        self._closed.pop(item_id, None)
        return self.balance(item_id)

    def closed_date(self, item_id: int) -> date | None:
        """The day on which the item was settled, before this batch or in it; None while it has a balance."""
        if self.balance(item_id):
            return None
        return self._closed.get(item_id) or self._items[item_id].closed_date

    # --- items of accounts --------------------------------------------------------------------------

    def items_of(self, account_ids: Iterable[int], currency: str | None = None) -> list[OpenItem]:
        """All items of the accounts, settled or not, in due date order; of one currency if one is given."""
        found = [
            item
            for account_id in dict.fromkeys(account_ids)
            for item in self._of_account.get(account_id, ())
            if currency is None or item.currency == currency
        ]
        found.sort(key=_by_due_date)
        return found

    def open_of(self, account_ids: Iterable[int], currency: str | None = None) -> list[OpenItem]:
        """The debits of the accounts that still have a balance, in due date order."""
        return [item for item in self.items_of(account_ids, currency) if self.balance(item.item_id) > 0]

    def credits_of(self, account_ids: Iterable[int], currency: str | None = None) -> list[OpenItem]:
        """The credits of the accounts (credit notes, money on account, advances) with a balance left."""
        return [item for item in self.items_of(account_ids, currency) if self.balance(item.item_id) < 0]

    def recently_closed(
        self, account_ids: Iterable[int], currency: str | None = None, since: date | None = None
    ) -> list[OpenItem]:
        """The debits of the accounts that are settled, before this batch or in it, not before ``since``; the
        last settled first."""
        closed = [
            (day, item)
            for item in self.items_of(account_ids, currency)
            if item.amount_mills > 0
            and (day := self.closed_date(item.item_id)) is not None
            and (since is None or day >= since)
        ]
        return [item for _, item in sorted(closed, key=lambda pair: pair[0], reverse=True)]

    # --- items that a text names --------------------------------------------------------------------

    def named(self, mention: Mention, account_ids: Iterable[int] | None = None) -> list[Named]:
        """The items whose document the mention can mean, best first: by strength, then those with a balance,
        then by due date. Each installment of a document is an item of its own.

        account_ids: only items of these accounts. Without it, a key that more than MOST_NAMED items have
        names none. Left out are documents that the mention contradicts: of another year or series than
        written, or an invoice where it says credit note. A credit that no such word
        names, and that is not named whole, is SHORT. Settled items are in: ask ``balance``.
        """
        within = None if account_ids is None else set(account_ids)
        best: dict[int, Named] = {}
        for key in mention.keys:
            for item in self._having(key, within):
                found = _named(mention, key, item)
                there = best.get(item.item_id)
                if found is not None and (there is None or found.strength > there.strength):
                    best[item.item_id] = found
        return self._ranked(best.values())

    def by_order(self, text: str, account_ids: Iterable[int] | None = None) -> list[Named]:
        """The items of documents (and the advances) whose order the text names. FULL where a word calls it
        an order or all of the order's marks are there; BODY where only its digits are."""
        within = None if account_ids is None else set(account_ids)
        best: dict[int, Named] = {}
        said = {
            "o" + key[1:]
            for mention in references.mentions(text)
            if mention.looks_like == "order"
            for key in mention.keys
        }
        for key in order_keys(text):
            for item in self._having(key, within):
                whole = "o" + normalize.normalized_number(item.order_ref)
                strength = Strength.FULL if key in said or key == whole else Strength.BODY
                there = best.get(item.item_id)
                if there is None or strength > there.strength:
                    best[item.item_id] = Named(item, strength, key)
        return self._ranked(best.values())

    def by_creditor_reference(self, reference: str) -> list[Named]:
        """The items of the document whose marks a valid creditor reference (RF…) repeats: FULL."""
        body = references.reference_body(reference)
        hits = [*self._having("r" + body, None), *self._having("=" + body, None)]
        return self._ranked({item.item_id: Named(item, Strength.FULL, "r" + body) for item in hits}.values())

    def similar(self, mention: Mention, account_ids: Iterable[int]) -> list[Named]:
        """The items of the given accounts whose number is one slip away from the mention's (references.
        slipped): of its digits, or of all digits with the year. Never over the whole ledger."""
        found = []
        if not mention.how and mention.looks_like in ("", "own_code"):
            everything = "".join(filter(str.isdigit, mention.text))
            found = [
                Named(item, Strength.SIMILAR, "", _agrees_date(mention, item))
                for item in self.items_of(account_ids)
                if _has_slipped(mention, everything, item)
            ]
        return self._ranked(found)

    def _having(self, key: DocumentKey, within: set[int] | None) -> Sequence[OpenItem]:
        there = self._by_key.get(key)
        if there is None:
            return ()
        items = there if isinstance(there, list) else [there]
        if within is not None:
            return [item for item in items if item.account_id in within]
        return items if len(items) <= MOST_NAMED else ()

    def _ranked(self, found: Iterable[Named]) -> list[Named]:
        def rank(named: Named) -> tuple[int, bool, bool, date]:
            item = named.item
            is_settled = not self.balance(item.item_id)
            return (
                -named.strength,
                named.agrees_date is False,
                is_settled,
                item.due_date or item.document_date,
            )

        return sorted(found, key=rank)


def _by_due_date(item: OpenItem) -> tuple[date, date, int]:
    return item.due_date or item.document_date, item.document_date, item.item_id


def _keys_of_order(order_ref: str) -> tuple[DocumentKey, ...]:
    keys = references.document_keys(order_ref, None)
    return tuple({"o" + key[1:]: None for key in keys if key[0] in "=b"})


def _agrees_date(mention: Mention, item: OpenItem) -> bool | None:
    return None if mention.document_date is None else mention.document_date == item.document_date


def _named(mention: Mention, key: DocumentKey, item: OpenItem) -> Named | None:
    """The hit, at its strength, or None where the mention says that another document is meant."""
    if mention.is_credit and item.amount_mills > 0:
        return None
    strength = references.hit_strength(mention, key)
    if key[0] in "ybt":
        form = references.document_form(item.number, item.document_date)
        ours = "" if form.series.upper() in LEADS else form.series
        if mention.series and ours and mention.series != ours:
            return None
        if key[0] == "t" and not _is_tail(mention, form):
            return None
        is_credit_series = not ours or ours.upper() in CREDITS
        if item.amount_mills < 0 and not (mention.is_credit and is_credit_series):
            strength = Strength.SHORT  # "FT 75" is hardly credit note "NC 75", nor "NC 75" advance "ACC 75"
    return Named(item, strength, key, _agrees_date(mention, item))


def _is_tail(mention: Mention, form: references.DocumentForm) -> bool:
    """Whether the end of one number is all of the other, and their years do not differ."""
    if mention.year is not None and form.year is not None and mention.year != form.year:
        return False
    said, ours = mention.last_digits, form.last_digits
    return said.endswith(ours) or ours.endswith(said)


def _has_slipped(mention: Mention, everything: str, item: OpenItem) -> bool:
    form = references.document_form(item.number, item.document_date)
    agrees_year = mention.year is None or form.year is None or mention.year == form.year
    if agrees_year and references.slipped(mention.digits, form.last_digits):
        return True
    return len(everything) >= 6 and references.slipped(everything.lstrip("0"), form.all_digits)
