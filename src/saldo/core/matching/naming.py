"""Which documents a line names, and how surely: texts, structured references, advices, orders.

A mention that has several readings keeps all of them until the amount tells; one that has none is kept too,
since a number that nobody knows says something.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

from saldo.core.matching import references
from saldo.core.matching.book import Book, Named
from saldo.core.matching.records import OpenItem
from saldo.core.matching.references import Mention, Strength

DocumentId = tuple[int, int | str]

# Numbers in full: with year or series, or of six digits and more.
FIRM = Strength.BODY_YEAR
# A number is worth reading as one that is not known from here on.
_LEAST_UNKNOWN_DIGITS = 3


@dataclass(slots=True)
class Document:
    """A document that a line names. items: its open ones, in due date order, with their balances of now;
    settled: those without balance."""

    key: DocumentId
    number: str
    strength: Strength
    items: list[OpenItem] = field(default_factory=list)
    settled: list[OpenItem] = field(default_factory=list)
    agrees_date: bool | None = None


@dataclass(slots=True)
class Naming:
    """What a line names. choices: for each mention the documents that it can mean, of equal strength.

    weak: the same for mentions that are worth something only with payer and amount. unknown: mentions that
    read like a number of a document and fit none of the payer's. foreign: what such ones mean among the
    documents of others. mentions: of each choice, by its place. stated: the share of each document, if all
    are stated.
    """

    choices: list[list[Document]] = field(default_factory=list)
    mentions: list[Mention] = field(default_factory=list)
    weak: list[list[Document]] = field(default_factory=list)
    unknown: list[Mention] = field(default_factory=list)
    foreign: list[Document] = field(default_factory=list)
    stated: list[tuple[Document, int]] = field(default_factory=list)

    def strength(self) -> Strength:
        """Of the weakest number that is named."""
        return min((each[0].strength for each in self.choices), default=Strength.SHORT)


def now(book: Book, item: OpenItem) -> OpenItem:
    """The item with the balance that it has now in the book."""
    balance = book.balance(item.item_id)
    return item if balance == item.balance_mills else replace(item, balance_mills=balance)


def documents_of(book: Book, hits: Iterable[Named], currency: str) -> list[Document]:
    """The hits by document, each with the strength of its best hit; items of other currencies left out."""
    found: dict[DocumentId, Document] = {}
    for hit in hits:
        item = hit.item
        if item.currency != currency:
            continue
        key: DocumentId = (item.account_id, item.invoice_id if item.invoice_id is not None else item.number)
        document = found.get(key)
        if document is None:
            document = found[key] = Document(key, item.number, hit.strength, agrees_date=hit.agrees_date)
        current = now(book, item)
        (document.items if current.balance_mills else document.settled).append(current)
    for document in found.values():
        document.items.sort(key=by_due_date)
    return list(found.values())


def by_due_date(item: OpenItem) -> tuple[object, int, int]:
    return item.due_date or item.document_date, item.installment_no, item.item_id


def _likeliest(documents: Sequence[Document]) -> list[Document]:
    """Those of the best strength; of them, those whose date agrees, and those that are open, if there are."""
    best = [each for each in documents if each.strength == documents[0].strength]
    dated = [each for each in best if each.agrees_date]
    best = dated or [each for each in best if each.agrees_date is not False] or best
    return [each for each in best if each.items] or best


def read(text: str, book: Book, accounts: Collection[int], currency: str) -> Naming:
    """What a text names among the documents of ``accounts`` (empty: of all)."""
    naming = Naming()
    hits: list[tuple[Mention, list[Document]]] = []
    for mention in references.mentions(text):
        named = book.named(mention, accounts or None)
        documents = _likeliest(documents_of(book, named, currency)) if named else []
        hits.append((mention, documents))
    kept = [pair for pair in hits if pair[1] and not _is_beaten(pair, hits)]
    taken: set[DocumentId] = set()
    for mention, documents in kept:
        if len(documents) == 1 and documents[0].key in taken:
            continue
        taken.update(document.key for document in documents)
        if documents[0].strength > Strength.SHORT:
            naming.choices.append(documents)
            naming.mentions.append(mention)
        else:
            naming.weak.append(documents)
    for mention, documents in hits:
        if not documents and _reads_like_number(mention) and not _overlaps(mention, kept):
            naming.unknown.append(mention)
            if accounts:
                others = [hit for hit in book.named(mention) if hit.strength >= FIRM]
                naming.foreign += documents_of(book, others, currency)
    return naming


def _is_beaten(pair: tuple[Mention, list[Document]], hits: Sequence[tuple[Mention, list[Document]]]) -> bool:
    """Whether another reading of the same place fits better, or as well and stands as it is written."""
    mention, documents = pair
    return any(
        other is not mention
        and found
        and other.start < mention.end
        and mention.start < other.end
        and (found[0].strength, not other.how) > (documents[0].strength, not mention.how)
        for other, found in hits
    )


def _overlaps(mention: Mention, kept: Iterable[tuple[Mention, list[Document]]]) -> bool:
    return any(other.start < mention.end and mention.start < other.end for other, _ in kept)


def _reads_like_number(mention: Mention) -> bool:
    is_number = not mention.how and mention.looks_like in ("", "own_code")
    is_said = mention.is_led or mention.strength >= Strength.BODY
    return is_number and is_said and len(mention.digits) >= _LEAST_UNKNOWN_DIGITS
