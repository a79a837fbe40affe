"""What every reader of bank statements checks before it gives one away: is it whole, and does it add up?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from saldo.core.errors import Rejection
from saldo.core.money import decimal_text
from saldo.formats.bank_records import BOOKED, BankStatement
from saldo.formats.records import Notice, Refusal

_NO_REFERENCE = frozenset({"NOTPROVIDED", "NOTAVAILABLE", "NONREF", "NOREF", "KREF+", "NOT PROVIDED"})
# More than a thousand lines of 140 characters: no bank passes on as much about one payment.
MAX_TEXT_CHARS = 200_000
_SPACES = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class StatedAmount:
    """An unsigned amount in its currency."""

    mills: int
    currency: str


def checked(
    statement: BankStatement, refused_lines: int, doubts: Sequence[Notice], needs_balances: bool
) -> BankStatement:
    """``statement`` with its notices, quarantined if anything about its sum or its completeness is in doubt.

    refused_lines: how many of its lines could not be read. doubts: notices that each put it in quarantine.
    needs_balances: a booked statement without both balances is quarantined, because in a format without an
    end of its own nothing else shows that it was cut; where the format has one, it is only said.
    """
    where = f"statement {statement.position}"
    quarantine = list(doubts)
    remarks = list(statement.notices)
    if not statement.account:
        quarantine.append(Notice("bank_account_missing", where, statement.number or ""))
    if refused_lines:
        quarantine.append(Notice("bank_lines_refused", where, "", {"count": refused_lines}))
    quarantine += _currency_doubts(statement, where)
    quarantine += _balance_doubts(statement, where)
    is_unproven = statement.opening_mills is None or statement.closing_mills is None
    if statement.kind == BOOKED and is_unproven:
        missing = Notice("bank_balances_missing", where, "")
        (quarantine if needs_balances else remarks).append(missing)
    return replace(
        statement,
        is_quarantined=statement.is_quarantined or bool(quarantine),
        notices=(*quarantine, *remarks),
    )


def without_twins(statements: Sequence[BankStatement]) -> tuple[BankStatement, ...]:
    """The statements, quarantined where one with lines repeats an earlier one of the file word by word.

    Each of the two adds up by itself, so that nothing else shows that the money would count twice.
    """
    found: list[BankStatement] = []
    earlier: dict[tuple[object, ...], BankStatement] = {}
    for one in statements:
        amounts = tuple(line.amount_mills for line in one.transactions)
        head = (one.account, one.number, one.sequence, one.opening_mills, one.closing_mills)
        first = earlier.setdefault((*head, amounts), one)
        if amounts and first is not one and first.transactions == one.transactions:
            where = f"statement {one.position}"
            twice = Notice("bank_statement_twice", where, one.number or "", {"first": first.position})
            one = replace(one, is_quarantined=True, notices=(twice, *one.notices))
        found.append(one)
    return tuple(found)


def _currency_doubts(statement: BankStatement, where: str) -> list[Notice]:
    found = {line.currency for line in statement.transactions} - {statement.currency}
    if statement.currency is None or not found:
        return []
    return [Notice("bank_currencies_mixed", where, " ".join(sorted(found)), {"currency": statement.currency})]


def _balance_doubts(statement: BankStatement, where: str) -> list[Notice]:
    difference = statement.difference_mills
    if not difference:
        return []
    currency = statement.currency or "EUR"
    params = {
        "opening": decimal_text(statement.opening_mills or 0, currency),
        "closing": decimal_text(statement.closing_mills or 0, currency),
        "difference": decimal_text(difference, currency),
    }
    return [Notice("bank_statement_unbalanced", where, "", params)]


def text_too_long(where: str, excerpt: str) -> Refusal:
    """To be raised for a line whose texts together are longer than MAX_TEXT_CHARS, before they are read."""
    params = {"limit": f"{MAX_TEXT_CHARS:,}"}
    return Refusal(Rejection("bank_text_too_long", where, excerpt[:200], params))


def reference(text: str | None) -> str | None:
    """A reference without surrounding spaces; None for the words by which banks say that there is none."""
    clean = (text or "").strip()
    return None if not clean or clean.upper() in _NO_REFERENCE else clean


def one_line(*parts: str | None) -> str:
    """The parts that say something, each with single spaces, joined by a space."""
    return " ".join(filter(None, (_SPACES.sub(" ", part or "").strip() for part in parts)))


def iso_date(text: str | None) -> date | None:
    """The day of an ISO date or instant as written, whatever its time zone. Raises ValueError."""
    return date.fromisoformat(text.strip()[:10]) if text and text.strip() else None
