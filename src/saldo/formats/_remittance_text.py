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

from stdnum import iban as iban_check

from saldo.core.errors import Rejection
from saldo.core.normalize import is_valid_vat, vat_number
from saldo.formats._remittance import (
    CREDIT_WORDS,
    Remittance,
    RemittanceLine,
    balanced,
    day_of,
    folded,
    month_first,
    paid_sum,
    signed_to,
)
from saldo.formats._remittance_words import (
    AMOUNT,
    DAY,
    DOCUMENT_WORDS,
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
_TO_COME = re.compile(
    r"\b(?:pagheremo|provvederemo|salderemo|effettueremo|disporremo|bonificheremo|we will|we'll|will be paid|"
    r"werden wir|nous allons|paghero|provvedero|saldero|effettuero)\b"
)
_DAY_TEXT = (
    r"(\d{4}-\d{2}-\d{2}|\d{1,2}[/.\-]\d{1,2}[/.\-]\d{2,4}|\d{1,2}\.?\s+[a-z]{3,10}\.?\s+\d{4}"
    r"|[a-z]{3,10}\s+\d{1,2},?\s+\d{4})"
)
_PAYMENT_DAY = (
    re.compile(
        r"(?:data (?:di |del |dell.)?(?:pagamento|bonifico|esecuzione|ordine)|payment date|date of payment|"
        r"bonifico (?:in data|del|eseguito il|disposto il)|pagamento (?:in data|del)|paid on|zahlungsdatum|"
        r"date (?:de |du )?(?:paiement|virement))[\s:.]{1,4}(?:il |the )?" + _DAY_TEXT
    ),
    re.compile(r"(?:valuta|value date|data valuta|valutadatum)[\s:.]{1,4}(?:del |il )?" + _DAY_TEXT),
    re.compile(
        r"(?:dispost|effettuat|eseguit|bonific|pagament|transferred|paid|sent|made|remitted|uberwiesen).{0,60}?"
        r"\b(?:in data|on|am|il giorno) (?:the )?" + _DAY_TEXT
    ),
)
_END_TO_END = re.compile(
    r"\b(?:cro|trn|end[ \-]?to[ \-]?end(?: id)?|e2e(?: id)?)\b"
    r"[\s.:n°]{1,4}([a-z0-9][a-z0-9/.\-]{5,34})"
)
_REFERENCE = re.compile(
    r"\b(?:rif(?:erimento|\.)? ?(?:pagamento|bonifico)|"
    r"(?:payment|remittance|our|advice) ?(?:ref(?:erence|\.)?|no\.?|"
    r"number)|avviso (?:di (?:pagamento|bonifico) )?n[.°]?|distinta n[.°]?|"
    r"zahlungsreferenz)[\s.:#]{1,4}([a-z0-9][a-z0-9/.\-]{2,34})"
)
_PAYER = re.compile(
    r"^\s*(?:ordinante|debitore|pagatore|mittente|payer|paid by|debtor|ordering customer|remitter|"
    r"auftraggeber|donneur d.ordre)\s*[:\-]\s*(.{2,80}?)"
    r"\s*(?:[-–,;]?\s*(?:p\.? ?iva|partita iva|vat|iban).*)?$",
    re.I,
)
_COMPANY = re.compile(
    r"\b(?:s\.?r\.?l\.?s?|s\.?p\.?a\.?|s\.?n\.?c\.?|s\.?a\.?s\.?|gmbh|ltd|limited|llc|inc|s\.?a\.?r\.?l|ag|bv)"
    r"(?:\W|$)",
    re.I,
)
_PAYEE = re.compile(
    r"spett|egregi|beneficiario|fornitore|supplier|payee|creditor|^to\b|\bto:|empfanger|vendor"
)
_VAT = re.compile(
    r"(?:p\.? ?iva|partita iva|vat(?: (?:no|number|id|reg))?|ust-?id(?:-?nr)?)[\s.:]{0,4}"
    r"([a-z]{2} ?)?([0-9]{8,12})",
    re.I,
)
_IBAN = re.compile(r"\b([A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{1,4}){3,8})\b")
_PAYER_IBAN = re.compile(
    r"iban (?:ordinante|addebito|debitore|payer|debtor)|"
    r"(?:debit|payer|debtor)\w* (?:account|iban)"
)


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


def says_paid(text: str) -> bool:
    """Whether a text announces a payment as made. A promise does not, nor does a claim without a payment."""
    plain = " ".join(folded(text).split())
    return bool(_DONE.search(plain)) and not _TO_COME.search(plain)


def remittance_of_text(text: str, medium: str) -> Remittance | None:
    """The advice in ``text``; None where it announces no payment, or neither a total nor a document."""
    lines = text.splitlines()[:MAX_LINES]
    if not says_paid(text):
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
    base = with_facts(Remittance(medium, total, _currency(text), (), notices=tuple(notices)), lines)
    return _best(base, readings)


def _best(base: Remittance, readings: Sequence[_Reading]) -> Remittance:
    """The reading whose lines make the total; else the numbers only, and what does not add up."""
    for reading in readings:
        if reading.problem is None and (lines := _lines_making(reading.documents, base.total_mills)):
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


def _lines_making(documents: Sequence[_Document], total: int | None) -> tuple[RemittanceLine, ...]:
    """Lines that make ``total``: by the last amount of each row (net), else by the first; else none."""
    if total is None or not documents:
        return ()
    if len(documents) == 1 and not documents[0].amounts:
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
    for place, token in enumerate(tokens):
        if place and token.line - tokens[place - 1].line > 1:
            active, current = False, None  # a blank line ends a list of documents
        if is_document_word(token):
            active = True
            is_credit = bool(CREDIT_WORDS.search(folded(_words_around(tokens, place))))
        elif token.kind == NUMBER:
            if active and not names_other_number(tokens, place):
                current = _Document(_as_written(tokens, place), token.line, is_credit=is_credit)
                documents.append(current)
        elif token.kind == DAY:
            if current is not None and current.day is None and not current.amounts:
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
        elif token.plain and token.plain not in JOINING_WORDS and token.plain not in DOCUMENT_WORDS:
            active = False
    return _Reading(tuple(documents), problem)


def _words_around(tokens: Sequence[Token], place: int) -> str:
    return " ".join(token.text for token in tokens[place : place + 3] if token.kind not in (AMOUNT, DAY))


# -- who paid, when ----------------------------------------------------------------------------------------


def with_facts(advice: Remittance, lines: Sequence[str]) -> Remittance:
    """``advice`` with the payment's day, references and payer, where the text says them without doubt."""
    text = "\n".join(lines)
    flat = " ".join(folded(text).split())
    references = [match.group(1) for match in _REFERENCE.finditer(flat) if re.search(r"\d", match.group(1))]
    transfers = [match.group(1) for match in _END_TO_END.finditer(flat) if re.search(r"\d", match.group(1))]
    return replace(
        advice,
        payment_date=advice.payment_date or _payment_date(flat, month_first(text)),
        reference=advice.reference or _only([one.rstrip(".-/").upper() for one in references]),
        end_to_end_id=advice.end_to_end_id or _only([one.rstrip(".-/").upper() for one in transfers]),
        payer_name=advice.payer_name or _payer_name(lines),
        payer_vat=advice.payer_vat or _payer_vat(lines),
        payer_iban=advice.payer_iban or _payer_iban(lines),
    )


def _payment_date(flat: str, is_month_first: bool) -> date | None:
    for pattern in _PAYMENT_DAY:
        days = {day for match in pattern.finditer(flat) if (day := day_of(match.group(1), is_month_first))}
        if days:
            return days.pop() if len(days) == 1 else None
    return None


def _payer_name(lines: Sequence[str]) -> str | None:
    """The name after "Ordinante:" and the like; else the one company named that is not the addressee."""
    labelled = [match.group(1).strip() for line in lines if (match := _PAYER.match(line))]
    if labelled:
        return _only(labelled)
    named = [
        " ".join(line.split())
        for place, line in enumerate(lines[:200])
        if len(line) <= 80
        and _COMPANY.search(line)
        and not re.search(r"\d|:", line)
        and not _PAYEE.search(folded(" ".join(lines[max(0, place - 1) : place + 1])))
    ]
    return _only(named)


def _payer_vat(lines: Sequence[str]) -> str | None:
    found = []
    for place, line in enumerate(lines):
        near = folded(" ".join(lines[max(0, place - 3) : place + 1]))
        for match in _VAT.finditer(line):
            number = vat_number((match.group(1) or "").strip() + match.group(2))
            if is_valid_vat(number) and not _PAYEE.search(near):
                found.append(number)
    return _only(found)


def _payer_iban(lines: Sequence[str]) -> str | None:
    found = []
    for line in lines:
        if _PAYER_IBAN.search(folded(line)):
            texts = (match.group(1).replace(" ", "") for match in _IBAN.finditer(line))
            found += [text for text in texts if iban_check.is_valid(text)]
    return _only(found)


def _currency(text: str) -> str | None:
    """The one currency that the text names."""
    plain = text.upper()
    marks = {"EUR": ("€", "EUR"), "USD": ("$", "USD"), "GBP": ("£", "GBP"), "CHF": ("CHF",)}
    named = [
        code for code, words in marks.items()
        if any((word in plain) if len(word) == 1 else re.search(rf"\b{word}", plain) for word in words)
    ]  # fmt: skip
    return named[0] if len(named) == 1 else None


def _only(values: Sequence[str]) -> str | None:
    distinct = list(dict.fromkeys(values))
    return distinct[0] if len(distinct) == 1 else None
