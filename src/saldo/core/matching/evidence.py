"""Where a line names documents: a structured reference, an advice, structured fields, its text."""

from __future__ import annotations

from collections.abc import Iterator

from saldo.core.matching import references
from saldo.core.matching.book import Book
from saldo.core.matching.naming import FIRM, Document, Naming, documents_of
from saldo.core.matching.naming import read as read_text
from saldo.core.matching.records import Line
from saldo.core.matching.references import Mention
from saldo.core.matching.who import Who


class Evidence:
    """What one line names in one book."""

    def __init__(self, line: Line, book: Book, who: Who) -> None:
        self.line, self.book, self.who = line, book, who

    def namings(self) -> Iterator[tuple[str, Naming]]:
        """Each thing that can name documents, the most deliberate first, with what it names; its name is the
        first part of the pattern."""
        line = self.line
        reference = next(
            (
                found
                for text in (line.creditor_reference, line.text)
                if "RF" in text.upper() and (found := references.creditor_reference(text))
            ),
            "",
        )
        if reference:
            hits = self.book.by_creditor_reference(reference)
            documents = documents_of(self.book, hits, line.currency)
            if documents:
                yield "key.reference", Naming([documents])
        if line.advice is not None:
            yield from self._advised()
        for text in line.references:
            yield "number.structured", self.read(text)
        if line.text:
            yield "number.full", self.read(line.text)
        elif line.end_to_end_id and self.who.accounts:
            yield "number.structured", read_text(line.end_to_end_id, self.book, self.who.known, line.currency)

    def read(self, text: str) -> Naming:
        """What a text names among the payer's documents, else (numbers in full only) among all."""
        known = (*self.who.known, *self.who.kin)
        own = read_text(text, self.book, known, self.line.currency)
        if own.choices or not (own.unknown or not known):
            return own
        others = read_text(text, self.book, (), self.line.currency)
        others.choices, others.mentions = _firm(others)
        others.weak = []
        if known and not others.choices:
            return own
        others.foreign = own.foreign
        others.unknown = own.unknown
        return others if others.choices else own

    def _advised(self) -> Iterator[tuple[str, Naming]]:
        advice = self.line.advice
        assert advice is not None
        naming = Naming()
        for advised in advice.lines:
            one = self.read(advised.number)
            choices = one.choices or one.weak
            naming.choices += choices
            naming.mentions += one.mentions
            if not choices:
                naming.unknown += one.unknown or list(references.mentions(advised.number))[:1]
            elif advised.paid_mills and len(choices) == 1 and len(choices[0]) == 1:
                naming.stated.append((choices[0][0], advised.paid_mills))
        for text in () if advice.lines else advice.document_refs:
            one = self.read(text)
            naming.choices += one.choices
            naming.unknown += one.unknown
        if len(naming.stated) < len(advice.lines):
            naming.stated = []
        if naming.choices:
            whole = advice.adds_up is not False and not naming.unknown
            yield "advice" if whole else "advice.open", naming


def _firm(naming: Naming) -> tuple[list[list[Document]], list[Mention]]:
    kept = [
        (choice, mention)
        for choice, mention in zip(naming.choices, naming.mentions, strict=True)
        if choice[0].strength >= FIRM
    ]
    return [choice for choice, _ in kept], [mention for _, mention in kept]
