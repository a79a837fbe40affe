"""Lines of a statement on their way into the database: bounded, dated, and told apart from those known.

A line has a class: booking date, amount, the bank's reference, and a digest of everything else that tells it
from another (payer, end-to-end id, text). Two lines of one class in one statement are two payments. Whether a
line of another statement is one of them is a matter of counting, not of equality: see ``fresh_lines``.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import blake2b
from typing import Any

import polars as pl

from saldo.core.errors import Rejection
from saldo.formats.bank_records import BOOKED, INTRADAY, NOTIFICATION, BankStatement, BankTransaction
from saldo.formats.records import Notice

# What a line keeps of its text; the file itself is kept whole.
MAX_TEXT_CHARS = 4000
# NUMERIC(18,3) holds no more.
MAX_MILLS = 10**18 - 1
_REFERENCE_IN_KEY = 60
_BOUNDS = {
    "code": 60, "bank_reference": 140, "customer_reference": 140, "end_to_end_id": 140, "mandate_id": 70,
    "creditor_reference": 140, "payer_name": 200, "payer_iban": 34, "payer_tax_code": 40,
    "ultimate_name": 200, "text": MAX_TEXT_CHARS, "return_reason": 10, "status": 8,
}  # fmt: skip
_MAX_REFS = 500
_NOT_TEXT = re.compile(r"[\W_]+")

LINE_SCHEMA = {
    "ordinal": pl.Int64, "kind": pl.String, "key": pl.String, "booking_date": pl.Date, "value_date": pl.Date,
    "amount_mills": pl.Int64, "currency": pl.String, "status": pl.String, "code": pl.String,
    "is_reversal": pl.Boolean, "bank_reference": pl.String, "customer_reference": pl.String,
    "end_to_end_id": pl.String, "mandate_id": pl.String, "creditor_reference": pl.String,
    "payer_name": pl.String, "payer_iban": pl.String, "payer_tax_code": pl.String,
    "ultimate_name": pl.String, "text": pl.String, "document_refs": pl.String, "return_reason": pl.String,
    "charges_mills": pl.Int64, "original_amount_mills": pl.Int64, "original_currency": pl.String,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class LineClass:
    """What lines that may be the same payment have in common. digest: of all that the bank says of it."""

    kind: str
    day: date
    mills: int
    reference: str
    digest: str

    def key(self, number: int) -> str:
        """The key of the ``number``-th line of this class on its account (from 1)."""
        reference = self.reference[:_REFERENCE_IN_KEY]
        return f"{self.day:%Y%m%d}/{self.mills}/{reference}/{self.digest}/{number}"


def class_of_key(kind: str, day: date, mills: int, reference: str, key: str) -> LineClass:
    """The class of a stored line."""
    return LineClass(kind, day, mills, reference, key.rsplit("/", 2)[1])


@dataclass(frozen=True, slots=True)
class PreparedLines:
    """A statement's lines ready to be stored (``rows`` by LINE_SCHEMA, without key), with their classes.

    is_short: a line could not be dated or stored, so that the rest must wait for a person.
    """

    rows: list[dict[str, Any]]
    classes: list[LineClass]
    notices: list[Notice]
    rejections: list[Rejection]

    @property
    def is_short(self) -> bool:
        return bool(self.rejections)

    @property
    def days(self) -> tuple[date, date] | None:
        days = [one.day for one in self.classes]
        return (min(days), max(days)) if days else None


def digest(*parts: object) -> str:
    """Sixteen hexadecimal digits of the parts; the same parts give the same digits on any machine."""
    return blake2b("\x1f".join(map(str, parts)).encode(errors="replace"), digest_size=8).hexdigest()


def prepared_lines(statement: BankStatement, received_date: date) -> PreparedLines:
    """The lines of ``statement``. received_date: the last resort for evidence that bears no date at all."""
    told = PreparedLines([], [], [], [])
    clipped = undated = 0
    salt = digest(statement.number, statement.sequence) if statement.kind == NOTIFICATION else ""
    for line in statement.transactions:
        where = f"statement {statement.position}, line {line.ordinal}"
        day = line.booking_date or _other_day(statement, line, received_date)
        amounts = (line.amount_mills, line.charges_mills, line.original_mills or 0)
        if day is None or max(map(abs, amounts)) > MAX_MILLS:
            code = "bank_line_undated" if day is None else "bank_amount_too_large"
            told.rejections.append(Rejection(code, where, line.remittance_text))
            continue
        undated += line.booking_date is None
        row, was_clipped = _row(statement, line, day)
        clipped += was_clipped
        told.rows.append(row)
        reference = row["bank_reference"]
        told.classes.append(
            LineClass(row["kind"], day, line.amount_mills, reference, _line_digest(line, salt))
        )
    where = f"statement {statement.position}"
    if clipped:
        params = {"count": clipped, "limit": MAX_TEXT_CHARS}
        told.notices.append(Notice("bank_text_clipped", where, "", params))
    if undated:
        told.notices.append(Notice("bank_lines_dated_by_statement", where, "", {"count": undated}))
    return told


def _other_day(statement: BankStatement, line: BankTransaction, received_date: date) -> date | None:
    """The day of a line without a booking date: that of its statement, else its value date. Evidence may be
    dated by its arrival; a fact may not."""
    stated = statement.closing_date or statement.to_date or line.value_date
    return stated or (None if statement.kind == BOOKED else statement.from_date or received_date)


def _line_digest(line: BankTransaction, salt: str) -> str:
    """Of what tells a line from another. salt: a notification is a message, which no other one overlaps."""
    parts = (
        line.currency, line.counterparty_name, line.counterparty_iban, line.end_to_end_id,
        line.remittance_text, line.is_reversal, salt,
    )  # fmt: skip
    return digest(_NOT_TEXT.sub("", "|0|".join([str(part or "") for part in parts])).upper())


def _row(statement: BankStatement, line: BankTransaction, day: date) -> tuple[dict[str, Any], bool]:
    texts = {
        "status": line.status,
        "code": line.code,
        "bank_reference": line.bank_reference,
        "customer_reference": line.customer_reference,
        "end_to_end_id": line.end_to_end_id,
        "mandate_id": line.mandate_id,
        "creditor_reference": line.creditor_reference,
        "payer_name": line.counterparty_name,
        "payer_iban": line.counterparty_iban,
        "payer_tax_code": line.counterparty_tax_code,
        "ultimate_name": line.ultimate_name,
        "text": line.remittance_text,
        "return_reason": line.return_reason,
    }
    clean = {name: _clean(text, _BOUNDS[name]) for name, text in texts.items()}
    refs = [_clean(number, 60) for number in line.document_refs[:_MAX_REFS]]
    was_clipped = len(line.document_refs) > _MAX_REFS or any(
        text is not None and len(text) > _BOUNDS[name] for name, text in texts.items()
    )
    # What a statement of the day announces and has not booked is evidence, whatever statement holds it.
    kind = INTRADAY if statement.kind == BOOKED and line.status != "BOOK" else statement.kind
    row = {
        "ordinal": line.ordinal,
        "kind": kind,
        "booking_date": day,
        "value_date": line.value_date,
        "amount_mills": line.amount_mills,
        "currency": line.currency[:3],
        "is_reversal": line.is_reversal,
        "document_refs": json.dumps(refs, ensure_ascii=False),
        "charges_mills": line.charges_mills,
        "original_amount_mills": line.original_mills,
        "original_currency": (line.original_currency or "")[:3],
        **clean,
    }
    return row, was_clipped


def _clean(text: str | None, length: int) -> str:
    """One line of text without control characters, of at most ``length`` characters."""
    if not text:
        return ""
    if len(text) <= length and text.isascii() and text.isprintable() and "  " not in text:
        return text.strip()
    # Cut first: a text of many megabytes must not be split into words.
    return " ".join(text[: 2 * length].replace("\x00", " ").split())[:length]


@dataclass(frozen=True, slots=True)
class Fresh:
    """Which lines (by index) are new, and which of these may be a known line told otherwise."""

    lines: list[int]
    unclear: list[int]


def fresh_lines(lines: Sequence[LineClass], known: Iterable[LineClass]) -> Fresh:
    """The lines that are more than ``known`` (those of other statements over the same days) has.

    A known line is used up by one line, first by one of its own class; then by one with its date, amount and
    reference, if the bank uses that reference for nothing else; what then has only its date and amount is
    unclear: the same payment told otherwise, or another one.
    """
    left_known = Counter(known)
    amounts_of_reference = defaultdict(set)
    for one in (*lines, *left_known):
        amounts_of_reference[one.reference].add((one.day, one.mills))
    left: list[int] = []
    for index, line in enumerate(lines):
        if left_known[line] > 0:
            left_known[line] -= 1
        else:
            left.append(index)
    by_reference: Counter[tuple[Any, ...]] = Counter()
    by_amount: Counter[tuple[Any, ...]] = Counter()
    for one, count in left_known.items():
        if count > 0:
            by_amount[one.kind, one.day, one.mills] += count
            if one.reference and len(amounts_of_reference[one.reference]) == 1:
                by_reference[one.kind, one.day, one.mills, one.reference] += count
    fresh: list[int] = []
    for index in left:
        line = lines[index]
        if by_reference[line.kind, line.day, line.mills, line.reference] > 0:
            by_reference[line.kind, line.day, line.mills, line.reference] -= 1
            by_amount[line.kind, line.day, line.mills] -= 1
        else:
            fresh.append(index)
    unclear: list[int] = []
    for index in fresh:
        line = lines[index]
        if line.kind == BOOKED and by_amount[line.kind, line.day, line.mills] > 0:
            by_amount[line.kind, line.day, line.mills] -= 1
            unclear.append(index)
    return Fresh(fresh, unclear)


@dataclass(frozen=True, slots=True)
class Span:
    """A statement's balances and the days of its lines, to tell what follows it from what overlaps it."""

    statement_id: int
    first: date
    last: date
    opening_mills: int | None
    closing_mills: int | None


def neighbors(statement: Span, others: Sequence[Span]) -> set[int]:
    """The statements that end where ``statement`` begins, or begin where it ends, by days and balances.

    They share a day with it and no line: pages of one statement, a morning and an afternoon. Equal payments
    in them are different payments. A statement whose balance did not move proves nothing that way.
    """
    if statement.opening_mills is None or statement.opening_mills == statement.closing_mills:
        return set()
    moving = [one for one in others if one.opening_mills != one.closing_mills]
    before = [one for one in moving if one.last <= statement.first]
    after = [one for one in moving if one.first >= statement.last]
    found: set[int] = set()
    for candidates, balance, reached, next_balance in (
        (before, statement.opening_mills, "closing_mills", "opening_mills"),
        (after, statement.closing_mills, "opening_mills", "closing_mills"),
    ):
        while True:
            link = next(
                (
                    one
                    for one in candidates
                    if one.statement_id not in found
                    and balance is not None
                    and getattr(one, reached) == balance
                ),
                None,
            )
            if link is None:
                break
            found.add(link.statement_id)
            balance = getattr(link, next_balance)
    return found
