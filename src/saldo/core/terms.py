"""Payment terms from text as people write it, and back: ``parse_terms`` and ``render``.

The parser refuses rather than guess: every word must be known, every reading single. The order of the
words is the order of the operations. Records and due dates are in ``terms_model``, the vocabulary in
``terms_words``; ``docs/rules/payment-terms.md`` explains the rules with worked examples.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

from saldo.core.errors import SaldoError, clipped
from saldo.core.normalize import folded
from saldo.core.terms_clauses import (
    SEPARATORS,
    UNITS,
    Cursor,
    Refused,
    ambiguous,
    take_count,
    take_discount,
    take_exclusions,
)
from saldo.core.terms_model import (
    MOVED_TO_DAY,
    Base,
    EarlyPayment,
    Installment,
    Method,
    PaymentTerms,
    due_dates,
)
from saldo.core.terms_render import render
from saldo.core.terms_words import Kind, Token, UnknownWord, tokens_of

__all__ = [
    "Base", "EarlyPayment", "Installment", "Method", "PaymentTerms", "due_dates", "parse_terms", "render",
]  # fmt: skip

_TIMING = frozenset({Kind.NUMBER, Kind.BASE, Kind.END_OF_MONTH, Kind.END_OF_NEXT_MONTH})
# Means of payment that say when by themselves.
_METHOD_BASE = {
    Method.CASH: Base.INVOICE, Method.CARD: Base.INVOICE, Method.CASH_ON_DELIVERY: Base.DELIVERY,
}  # fmt: skip
# A longer day of the month does not exist in every month, so it is not a number of days after its start.
_SHORTEST_MONTH = 28


@dataclass
class _Body:
    """What the words of one share say, before it is made installments of."""

    offsets: list[int] = field(default_factory=list)
    unit: Kind | None = None
    net: bool = False
    end_of_month: bool = False
    next_month: bool = False
    plus: list[int] = field(default_factory=list)
    plus_before_end: bool = False
    fixed_day: int = 0
    base: Base | None = None
    method: Method | None = None


def _read_offsets(cursor: Cursor) -> tuple[list[int], Kind | None]:
    """Days or months: "30", "30/60/90 gg", "gg 30", "30 gg, 60 gg", "30 e 60"."""
    start = cursor.position
    values: list[int] = []
    units: set[Kind] = set()
    while True:
        if cursor.kind() in UNITS:
            units.add(cursor.take().kind)
        values.append(cursor.number())
        if cursor.kind() in UNITS and (cursor.kind(1) is not Kind.NUMBER or not units):
            units.add(cursor.take().kind)
        separator = cursor.kind() in SEPARATORS
        if not cursor.offset_ahead(int(separator)):
            break
        if separator:
            cursor.take()
    read = cursor.tokens[start : cursor.position]
    in_months_with_comma = Kind.MONTHS in units and any(token.kind is Kind.COMMA for token in read)
    if len(units) > 1 or in_months_with_comma or any(a >= b for a, b in pairwise(values)):
        ambiguous(read)
    return values, next(iter(units), None)


def _set_plus(body: _Body, values: list[int], cursor: Cursor) -> None:
    if body.plus:
        ambiguous(cursor.tokens)
    body.plus = values


def _read_number(body: _Body, cursor: Cursor) -> None:
    if not cursor.offset_ahead() and cursor.kind(int(cursor.kind() in UNITS)) is Kind.NUMBER:
        if cursor.kind() in UNITS:
            cursor.take()
        _read_day_of_month(body, cursor)
        return
    values, unit = _read_offsets(cursor)
    if body.end_of_month:
        if unit is Kind.MONTHS:
            ambiguous(cursor.tokens)
        _set_plus(body, values, cursor)
    elif body.offsets or body.plus:
        ambiguous(cursor.tokens)
    else:
        body.offsets, body.unit = values, unit


def _read_day_of_month(body: _Body, cursor: Cursor) -> None:
    """A day of the month: "10", perhaps followed by "del mese successivo"."""
    day = cursor.number()
    if body.fixed_day or not 1 <= day <= 31:
        ambiguous(cursor.tokens)
    if cursor.kind() is not Kind.NEXT_MONTH:
        body.fixed_day = day
        return
    cursor.take()
    body.end_of_month = True
    _set_plus(body, [day if day <= _SHORTEST_MONTH else 1], cursor)
    body.fixed_day = day if day > _SHORTEST_MONTH else 0


def _read_plus(body: _Body, cursor: Cursor) -> None:
    if not body.offsets and not body.end_of_month:
        ambiguous(cursor.tokens)
    cursor.take()
    values, unit = _read_offsets(cursor)
    if unit is Kind.MONTHS:
        ambiguous(cursor.tokens)
    body.plus_before_end = not body.end_of_month
    _set_plus(body, values, cursor)


def _read_after(body: _Body, cursor: Cursor) -> None:
    """In "30 gg dopo fine mese" the days count from the end of month; in "dopo la consegna" from its base."""
    taken = cursor.take()
    if taken.kind is Kind.AFTER:
        if cursor.kind() is Kind.BASE:
            return
        if cursor.kind() is not Kind.END_OF_MONTH:
            ambiguous(cursor.tokens)
        cursor.take()
    if body.end_of_month or body.plus or body.unit is Kind.MONTHS or not body.offsets:
        ambiguous(cursor.tokens)
    body.end_of_month, body.plus, body.offsets = True, body.offsets, []


def _read_end_of_month(body: _Body, cursor: Cursor) -> None:
    if body.end_of_month or body.plus_before_end or body.fixed_day:
        ambiguous(cursor.tokens)
    body.end_of_month = True
    if cursor.take().kind is Kind.END_OF_NEXT_MONTH:
        if body.offsets:
            ambiguous(cursor.tokens)
        body.next_month = True


def _read_on_day(body: _Body, cursor: Cursor) -> None:
    cursor.take()
    if cursor.kind() is Kind.NUMBER and cursor.kind(1) not in (*UNITS, Kind.LIST):
        _read_day_of_month(body, cursor)


def _read_base(body: _Body, cursor: Cursor) -> None:
    value = cursor.take().value
    assert isinstance(value, Base)
    if body.base not in (None, value):
        ambiguous(cursor.tokens)
    body.base = value


def _read_method(body: _Body, cursor: Cursor) -> None:
    value = cursor.take().value
    assert isinstance(value, Method)
    if body.method not in (None, value):
        ambiguous(cursor.tokens)
    body.method = value


def _skip_punctuation(body: _Body, cursor: Cursor) -> None:
    """Signs outside a list mean nothing, unless they part two dates of which no share is known."""
    token = cursor.take()
    number_before = cursor.position > 1 and cursor.kind(-2) in (Kind.NUMBER, *UNITS)
    number_next = cursor.offset_ahead()
    dangling = number_before and token.kind is Kind.LIST and cursor.kind() is None
    other_base = body.base not in (None, Base.INVOICE)
    base_next = cursor.kind() is Kind.BASE and cursor.tokens[cursor.position].value is not Base.INVOICE
    if dangling or (other_base and number_next) or (number_before and base_next):
        ambiguous(cursor.tokens)


def _read_net(body: _Body, cursor: Cursor) -> None:
    cursor.take()
    body.net = True


_READERS = {
    Kind.NUMBER: _read_number, Kind.DAYS: _read_number, Kind.MONTHS: _read_number, Kind.NET: _read_net,
    Kind.PLUS: _read_plus, Kind.AFTER: _read_after, Kind.AFTER_END_OF_MONTH: _read_after,
    Kind.END_OF_MONTH: _read_end_of_month, Kind.END_OF_NEXT_MONTH: _read_end_of_month,
    Kind.ON_DAY: _read_on_day, Kind.BASE: _read_base, Kind.METHOD: _read_method,
    Kind.LIST: _skip_punctuation, Kind.COMMA: _skip_punctuation, Kind.AND: _skip_punctuation,
}  # fmt: skip


def _read_body(tokens: Sequence[Token], method: Method | None) -> _Body:
    cursor, body = Cursor(tokens), _Body()
    while (kind := cursor.kind()) is not None:
        if kind not in _READERS:
            ambiguous(tokens[cursor.position :])
        _READERS[kind](body, cursor)
    body.method = body.method or method
    _check_body(body, tokens)
    return body


def _check_body(body: _Body, tokens: Sequence[Token]) -> None:
    timing = body.offsets or body.end_of_month or body.fixed_day or body.base
    implied = _METHOD_BASE.get(body.method) if body.method else None
    if not timing and implied is None:
        raise Refused("terms_no_days")
    if body.base is None and (not timing or implied is Base.DELIVERY):
        body.base = implied
    said_to_be_days = body.unit or body.net or body.method or body.end_of_month or body.base
    plain_list = len(body.offsets) > 1 and all(days and days % 15 == 0 for days in body.offsets)
    if body.offsets and not said_to_be_days and not plain_list:
        ambiguous(tokens)
    if body.plus and not body.end_of_month and body.unit is Kind.MONTHS:
        ambiguous(tokens)
    if len(body.offsets) > 1 and len(body.plus) > 1:
        ambiguous(tokens)


def _installments(body: _Body, share: Fraction) -> list[Installment]:
    months = body.unit is Kind.MONTHS
    pairs = [(offset, plus) for offset in body.offsets or [0] for plus in body.plus or [0]]
    if not body.end_of_month:  # "30 gg DF + 10" is 40 days
        pairs = [(offset + plus, 0) for offset, plus in pairs]
    return [
        Installment(
            share=share / len(pairs),
            days=0 if months else offset,
            months=offset if months else int(body.next_month),
            end_of_month=body.end_of_month,
            plus_days=plus,
            fixed_day=body.fixed_day,
            base=body.base or Base.INVOICE,
            method=body.method,
        )
        for offset, plus in pairs
    ]


def _pieces(tokens: Sequence[Token]) -> list[list[Token]]:
    """The parts of "30 gg DF / 60 gg DF FM", where each is whole by itself; else all tokens as one."""
    parts: list[list[Token]] = [[]]
    for token in tokens:
        if token.kind in SEPARATORS:
            parts.append([])
        else:
            parts[-1].append(token)
    parts = [part for part in parts if part]
    for part in parts:
        kinds = [token.kind for token in part if token.kind is not Kind.METHOD]
        if not Cursor(part).offset_ahead(len(part) - len(kinds)):
            return [list(tokens)]
        if not {Kind.END_OF_MONTH, Kind.BASE} & set(kinds):
            return [list(tokens)]
    return parts or [list(tokens)]


def _has_timing(tokens: Iterable[Token]) -> bool:
    return any(token.kind in _TIMING or token.value in _METHOD_BASE for token in tokens)


def _shares(tokens: Sequence[Token]) -> tuple[list[Token], list[tuple[Fraction, list[Token]]]]:
    """(words before the first share that are no dates, [(share, its words)]).

    Shares come before their words ("50% alla consegna") or after them ("alla consegna 50%").
    """
    marks = [index for index, token in enumerate(tokens) if token.kind is Kind.SHARE]
    given = [value for i in marks if isinstance(value := tokens[i].value, Fraction)]
    left = 1 - sum(given, Fraction(0))
    if len(marks) - len(given) > 1 or (len(marks) > len(given)) != (left > 0) or left < 0 or not all(given):
        raise Refused("terms_shares", " ".join(tokens[i].text for i in marks))
    before = list(tokens[: marks[0]])
    waiting = before if _has_timing(before) else []
    found: list[tuple[Fraction, list[Token]]] = []
    for mark, end in zip(marks, [*marks[1:], len(tokens)], strict=True):
        words = list(tokens[mark + 1 : end])
        if waiting and _has_timing(words):
            own, waiting = waiting, words
        else:
            own, waiting = [*waiting, *words], []
        value = tokens[mark].value
        found.append((value if isinstance(value, Fraction) else left, own))
    if waiting:
        ambiguous(waiting)
    return ([] if _has_timing(before) else before), found


def _parsed(text: str, moved_to_day: int) -> PaymentTerms:
    rest, discount = take_discount(folded(text))
    tokens, months, day = take_exclusions(tokens_of(rest), moved_to_day)
    tokens, count = take_count(tokens)
    if not tokens:
        raise Refused("terms_no_days")
    if any(token.kind is Kind.SHARE for token in tokens):
        before, shares = _shares(tokens)
        method = _read_method_only(before)
    elif any(token.text == "acconto" for token in tokens):
        raise Refused("terms_shares", "acconto")
    else:
        method, pieces = None, _pieces(tokens)
        shares = [(Fraction(1, len(pieces)), piece) for piece in pieces]
    installments = [
        each for share, words in shares for each in _installments(_read_body(words, method), share)
    ]
    if count not in (None, len(installments)):
        raise Refused("terms_shares", f"{count}")
    return PaymentTerms(tuple(installments), months, day if months else MOVED_TO_DAY, discount)


def _read_method_only(tokens: list[Token]) -> Method | None:
    """The means of payment put before the shares, for all of them."""
    body = _Body()
    cursor = Cursor([token for token in tokens if token.kind not in SEPARATORS])
    while cursor.kind() is not None:
        if cursor.kind() is not Kind.METHOD:
            ambiguous(tokens)
        _read_method(body, cursor)
    return body.method


@lru_cache(maxsize=8192)
def parse_terms(text: str, *, moved_to_day: int = MOVED_TO_DAY) -> PaymentTerms:
    """Payment terms from Italian or English text, or a refusal that says why; never a guess.

    moved_to_day: where dates in excluded months move if the text does not say.
    Raises SaldoError: "terms_empty", "terms_unknown_word", "terms_no_days" (a means but no date),
    "terms_ambiguous", "terms_shares" (not 100%), "terms_out_of_range"; params ``text`` and ``part``.
    """
    if not text.strip(" .-_/"):
        raise SaldoError("terms_empty", text=clipped(text), part="")
    try:
        return _parsed(text, moved_to_day)
    except UnknownWord as error:
        raise SaldoError("terms_unknown_word", text=clipped(text), part=str(error)) from None
    except Refused as refusal:
        raise SaldoError(refusal.code, text=clipped(text), part=refusal.part) from None
    except ValueError as error:
        raise SaldoError("terms_out_of_range", text=clipped(text), part=str(error)) from None
