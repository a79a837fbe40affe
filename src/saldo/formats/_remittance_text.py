"""Remittance advices in free words: the text of a mail, or the rows of a PDF.

Two readings are tried: rows (a document a row, as in a table) and sentences ("fatture 123 del 31/01/2026
€ 1.000,00 e 124 …"). A reading counts only if its amounts make the stated total to the cent; otherwise the
total and the numbers remain, with a notice of what does not add up.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from saldo.core.errors import Rejection
from saldo.formats._remittance import (
    CREDIT_WORDS,
    Remittance,
    RemittanceLine,
    balanced,
    folded,
    paid_sum,
    signed_to,
)
from saldo.formats._remittance_facts import currency_named, with_facts
from saldo.formats._remittance_words import (
    AMOUNT,
    DAY,
    JOINING_WORDS,
    NUMBER,
    UNCLEAR,
    Token,
    is_document_word,
    names_other_number,
    tokens_of,
    total_rank,
)
from saldo.formats.records import Notice

MAX_LINES = 5_000
# Series that a company writes before its numbers, as opposed to words for "invoice".
_SERIES = frozenset({"FT", "FV", "FE", "FA", "NC", "ND", "FD", "PA", "RE", "SI", "CN", "DN"})
_DONE = re.compile(
    r"dispost[oi]|abbiamo (?:effettuato|eseguito|provveduto|inviato|bonificato|versato)|"
    r"effettuato (?:il|un|in)|"
    r"eseguito (?:il|un)|avviso di (?:pagamento|bonifico)|distinta (?:di |del )?(?:bonific|pagament)|"
    r"comunicazione di (?:pagamento|bonifico)|conferma (?:di |del )?(?:bonifico|pagamento)|"
    r"(?:vi )?(?:comunichiamo|informiamo|segnaliamo|confermiamo).{0,80}(?:bonific|pagament|accredit)|"
    r"remittance|payment advice|advice of payment|"
    r"we have (?:today )?(?:paid|made|sent|transferred|remitted|"
    r"arranged|instructed|processed)|has been (?:transferred|paid|remitted|sent)|"
    r"payment (?:was|has been) made|"
    r"zahlungsavis|zahlungsmitteilung|haben wir.{0,60}uberwiesen|avis de (?:paiement|virement)|"
    r"nous avons (?:effectue|vire|regle)"
)
# Not paid: to come, refused, taken back. Only in mail, whose words are a person's: forms say "non" anywhere.
_NOT_DONE = re.compile(
    r"\b(?:pagheremo|provvederemo|salderemo|effettueremo|disporremo|bonificheremo|faremo|verseremo|paghero|"
    r"provvedero|saldero|effettuero|partira|avverra|(?:sara|saranno|verra|verranno) (?:effettuat|eseguit|"
    r"dispost|"
    r"pagat|saldat|bonificat)\w*|we will|we'll|will be (?:paid|made|sent|transferred|remitted)|shall|"
    r"werden wir|nous allons|"
    r"previst\w*|non (?:abbiamo|avete|risult\w*|e stat\w*|possiamo|"
    r"ci|paghiamo|siamo|ancora)|stornat\w*|bloccat\w*|"
    r"sospend\w*|sospes\w*|annullat\w*|revocat\w*|respint\w*|not (?:yet|been|paid|made|able|received)|"
    r"cannot|can't|unable|suspend\w*|rejected|cancel\w*|returned)\b"
)
_SEVERAL = re.compile(
    r"\b(?:due|tre|quattro|piu|diversi|[2-9]|two|three|four|several|zwei|deux) (?:distint[ei] |separate )?"
    r"(?:bonifici|versamenti|pagamenti|payments|transfers|uberweisungen|virements)\b"
)
# Between a document's number and its day stands nothing else.
_BEFORE_DAY = frozenset(
    ("del", "dell'", "dell", "di", "dd", "dd.", "of", "dated", "date", "data", "vom", "du", "the", "emessa",
     "emesse", "-", "–", "—", ":", "e'", "il")
)  # fmt: skip
# More documents than the one that is named.
_MORE = re.compile(
    r"\b(?:fatture|invoices|documenti|documents|bills|rechnungen|factures|altr[aeio]|vari[eo]?|diverse|others?|"
    r"more|etc|ecc|some|alcune)\b"
)
_YEAR = re.compile(r"(?:19|20)\d\d")


@dataclass
class _Document:
    """A document named in the text, with what stands beside its number."""

    number: str
    line: int
    day: date | None = None
    amounts: list[int] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    is_credit: bool = False


@dataclass(frozen=True)
class _Reading:
    documents: tuple[_Document, ...]
    # Why it cannot be trusted, whatever its sum.
    problem: Notice | None = None


def says_paid(text: str, medium: str) -> bool:
    """Whether a text announces one payment as made. A promise does not, nor do several payments at once."""
    plain = " ".join(folded(text).split())
    if not _DONE.search(plain) or _SEVERAL.search(plain):
        return False
    return medium != "mail" or not _NOT_DONE.search(plain)


def remittance_of_text(text: str, medium: str) -> Remittance | None:
    """The advice in ``text``; None where it announces no payment, or neither a total nor a document."""
    lines = text.splitlines()[:MAX_LINES]
    if not says_paid(text, medium):
        return None
    tokens = tokens_of(lines)
    ranks = {
        place: total_rank(tokens, place)
        for place, token in enumerate(tokens)
        if token.kind in (AMOUNT, UNCLEAR)
    }
    total, notices = _total(tokens, ranks)
    readings = [_rows(tokens, ranks), _sentences(tokens, ranks, lines)]
    if total is None and not any(reading.documents for reading in readings):
        return None
    base = with_facts(Remittance(medium, total, currency_named(text), (), notices=tuple(notices)), lines)
    return _best(base, readings, has_more=bool(_MORE.search(folded(text))))


def _best(base: Remittance, readings: Sequence[_Reading], has_more: bool) -> Remittance:
    """The reading whose lines make the total; else the numbers only, and what does not add up.

    has_more: the words tell of more documents, so that one number alone is not what the total paid.
    """
    for reading in readings:
        if reading.problem is None and (
            lines := _lines_making(reading.documents, base.total_mills, has_more)
        ):
            return balanced(replace(base, lines=lines), keeps_lines=False)
    named = max(readings, key=_weight)
    numbers = tuple(dict.fromkeys(one.number for one in named.documents))
    base = replace(base, document_refs=numbers)
    problem = next((one.problem for one in readings if one.problem and one.documents), None)
    if problem is not None:
        return replace(base, notices=(*base.notices, problem))
    if not numbers:
        return replace(base, notices=(*base.notices, Rejection("remittance_lines_missing", "", "")))
    if base.total_mills is None:
        missing = Rejection("remittance_total_missing", "", ", ".join(numbers))
        return replace(base, notices=base.notices if base.notices else (missing,))
    if not any(one.amounts for one in named.documents):
        bare = Rejection("remittance_amounts_missing", "", ", ".join(numbers))
        return replace(base, notices=(*base.notices, bare))
    lines = tuple(_line(one, one.amounts[-1] if one.amounts else None) for one in named.documents)
    return balanced(replace(base, lines=lines), keeps_lines=False)


def _weight(reading: _Reading) -> tuple[int, int]:
    """How much of the text a reading explains: amounts with a document; without any, documents."""
    amounts = sum(len(one.amounts) for one in reading.documents)
    return amounts, 0 if amounts else len(reading.documents)


def _lines_making(
    documents: Sequence[_Document], total: int | None, has_more: bool
) -> tuple[RemittanceLine, ...]:
    """Lines that make ``total``: by the last amount of each row (net), else by the first; else none."""
    if total is None or not documents:
        return ()
    if len(documents) == 1 and not documents[0].amounts and not has_more:
        return (_line(documents[0], total),)
    if not all(one.amounts for one in documents):
        return ()
    for column in (-1, 0):
        lines = tuple(_line(one, one.amounts[column]) for one in documents)
        if paid_sum(signed_to(lines, total)) == total:
            return lines
    return ()


def _line(document: _Document, paid: int | None) -> RemittanceLine:
    amounts = document.amounts
    gross = amounts[0] if len(amounts) > 1 and paid is not None and amounts[-1] == paid else None
    kept = gross - paid if gross is not None and paid is not None and 0 <= paid <= gross else 0
    return RemittanceLine(
        number=document.number,
        document_date=document.day,
        paid_mills=paid,
        gross_mills=gross,
        discount_mills=kept,
        reason=" ".join(document.words)[:200] or None,
        is_credit=document.is_credit,
    )


def _total(tokens: Sequence[Token], ranks: dict[int, int]) -> tuple[int | None, list[Notice]]:
    """The payment's total: the only value among the best marked amounts."""
    best = max(ranks.values(), default=0)
    if best <= 0:
        return None, []
    marked = [tokens[place] for place, rank in ranks.items() if rank == best]
    texts = ", ".join(dict.fromkeys(token.text.strip() for token in marked))
    if any(token.kind == UNCLEAR for token in marked):
        return None, [Rejection("remittance_amount_ambiguous", "", texts)]
    values = {token.mills for token in marked}
    if len(values) > 1:
        return None, [Rejection("remittance_totals_differ", "", texts)]
    return values.pop(), []


# -- rows ------------------------------------------------------------------------------------------------


def _rows(tokens: Sequence[Token], ranks: dict[int, int]) -> _Reading:
    """A document a row: its number, its day, its amounts."""
    rows: dict[int, list[int]] = {}
    for place, token in enumerate(tokens):
        rows.setdefault(token.line, []).append(place)
    found: list[tuple[list[int], list[int]]] = []
    for places in rows.values():
        amounts = [place for place in places if tokens[place].kind in (AMOUNT, UNCLEAR)]
        numbers = [
            place
            for place in places
            if tokens[place].kind == NUMBER and not names_other_number(tokens, place)
        ]
        if amounts and numbers and not any(ranks[place] for place in amounts):
            found.append((places, numbers))
    numbered = [numbers for _, numbers in found if len(numbers) > 1]
    has_ordinals = len(numbered) == len(found) and all(
        tokens[numbers[0]].plain == str(ordinal) for ordinal, (_, numbers) in enumerate(found, start=1)
    )
    documents: list[_Document] = []
    problem: Notice | None = None
    for places, numbers in found:
        chosen = numbers[1:] if has_ordinals else numbers
        marked = [place for place in chosen if place and is_document_word(tokens[place - 1])]
        if len(chosen) > 1 and len(marked) == 1:
            chosen = marked
        row = " ".join(tokens[place].text for place in places)
        if len(chosen) > 1:
            problem = problem or Rejection(
                "remittance_row_ambiguous", f"line {tokens[places[0]].line + 1}", row
            )
        if any(tokens[place].kind == UNCLEAR for place in places):
            problem = problem or Rejection("remittance_amount_ambiguous", "", row)
        documents.append(_document_of_row(tokens, places, chosen[0]))
    return _Reading(tuple(documents), problem)


def _document_of_row(tokens: Sequence[Token], places: Sequence[int], number: int) -> _Document:
    document = _Document(_as_written(tokens, number), tokens[number].line)
    days = [tokens[place].day for place in places if tokens[place].kind == DAY]
    document.day = days[0] if days else None
    document.amounts = [tokens[place].mills for place in places if tokens[place].kind == AMOUNT]
    document.is_credit = bool(CREDIT_WORDS.search(folded(" ".join(tokens[place].text for place in places))))
    last = max(place for place in places if tokens[place].kind in (AMOUNT, UNCLEAR))
    document.words = [tokens[place].text for place in places if place > last and tokens[place].text.isalpha()]
    return document


def _as_written(tokens: Sequence[Token], place: int) -> str:
    """The number with the series before it ("FT 101/2026"), without words that only say "invoice"."""
    before = tokens[place - 1] if place else None
    if before is not None and before.line == tokens[place].line and before.text in _SERIES:
        return f"{before.text} {tokens[place].text}"
    return tokens[place].text


# -- sentences -------------------------------------------------------------------------------------------


def _sentences(tokens: Sequence[Token], ranks: dict[int, int], lines: Sequence[str]) -> _Reading:
    """Numbers after a word for documents, each with the day and the amounts up to the next number."""
    documents: list[_Document] = []
    problem: Notice | None = None
    active = False
    is_credit = False
    current: _Document | None = None
    is_day_next = False
    for place, token in enumerate(tokens):
        if place and token.line - tokens[place - 1].line > 1:
            active, current = False, None  # a blank line ends a list of documents
        if is_document_word(token):
            active = True
            is_credit = bool(CREDIT_WORDS.search(folded(_words_around(tokens, place))))
        elif token.kind == NUMBER:
            is_day_next = active and not names_other_number(tokens, place)
            if is_day_next and not _is_year(tokens, place):
                current = _Document(_as_written(tokens, place), token.line, is_credit=is_credit)
                documents.append(current)
        elif token.kind == DAY:
            if current is not None and is_day_next and current.day is None and not current.amounts:
                current.day = token.day
        elif token.kind in (AMOUNT, UNCLEAR):
            if ranks[place] or (not documents and not active):
                continue
            if token.kind == UNCLEAR:
                problem = problem or Rejection("remittance_amount_ambiguous", "", token.text)
            elif current is None:
                row = lines[token.line]
                problem = problem or Rejection("remittance_row_ambiguous", f"line {token.line + 1}", row)
            else:
                current.amounts.append(token.mills)
        elif token.plain:
            active = active and token.plain in JOINING_WORDS
            is_day_next = is_day_next and folded(token.text) in _BEFORE_DAY
    return _Reading(tuple(documents), problem)


def _is_year(tokens: Sequence[Token], place: int) -> bool:
    """Whether a number in a sentence is a year: "fatture 2026", "fattura 123 del 2026"."""
    before = tokens[place - 1].plain if place else ""
    return bool(_YEAR.fullmatch(tokens[place].plain)) and before not in ("n", "nr", "no", "num", "numero")


def _words_around(tokens: Sequence[Token], place: int) -> str:
    return " ".join(token.text for token in tokens[place : place + 3] if token.kind not in (AMOUNT, DAY))
