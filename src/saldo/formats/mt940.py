"""MT940 (booked) and MT942 (of the day): SWIFT text -> BankStatement, by the library ``mt-940`` under guard.

The library alone is not safe with money: it reads a whole file or nothing, keeps the last balances of
several statements, drops the cents of amounts with a decimal point together with the line before them, and
signs a reversed credit as a credit unless told. So the file is cut into statements and fields here; each
line goes to the library alone; its amount and sign are compared with what the text says; a line that cannot
be read is refused and counted; and a statement whose balances do not prove its lines is quarantined.

Source: SWIFT Standards MT, category 9, "MT940 Customer Statement", "MT942 Interim Transaction Report".
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from mt940.models import Transactions
from mt940.options import Options
from mt940.tags import StatementGLS, Tag
from stdnum import iban

from saldo.core.errors import Rejection
from saldo.core.money import InexactAmount, decimal_text, to_mills
from saldo.formats._bank_checks import (
    MAX_TEXT_CHARS,
    checked,
    one_line,
    reference,
    text_too_long,
    without_twins,
)
from saldo.formats._mt940_details import Details, details_of, foreign_amounts, mills_of, non_swift_details
from saldo.formats._mt940_fields import Block, Field, blocks_of, day_that_exists, plain_amount, text_of_bytes
from saldo.formats.bank_records import (
    BOOKED,
    INTRADAY,
    BankStatement,
    BankTransaction,
    StatementBalance,
)
from saldo.formats.records import Notice, ReadResult, Refusal, refused

FORMAT = "mt940"
INTRADAY_FORMAT = "mt942"
NO_CURRENCY = "XXX"

_OPTIONS = Options.all()
# What the library cannot read is said by a Rejection, not on standard error.
logging.getLogger("mt940").addHandler(logging.NullHandler())

_LINE = re.compile(
    r"(?P<value>[0-9]{6})(?P<entry>[0-9]{4}|[ ]{4})?(?P<mark>[RE]?[DC])(?P<funds>[A-Z])?[\n ]?"
    r"(?P<amount>[0-9.,]+)(?P<rest>.*)",
    re.IGNORECASE | re.DOTALL,
)
_LONG_REFERENCE = re.compile(r"[A-Z][A-Z0-9 ]{3}(?:(?!//)\S){17,}")
_BALANCE = re.compile(
    r"(?P<mark>[DC])(?P<day>[0-9]{6})(?P<currency>[A-Z]{3})?(?P<amount>[0-9.,]+)\s*", re.IGNORECASE
)
_TOTAL = re.compile(r"(?P<count>[0-9]{1,5})(?P<currency>[A-Z]{3})(?P<amount>[0-9.,]+)\s*", re.IGNORECASE)
_OPENING = ("60F", "60M", "60")
_CLOSING = ("62F", "62M", "62")
_AVAILABLE = ("64", "65")
# A two-digit year from 70 on is of the years 1900, as in every other format.
_CENTURY, PIVOT = 2000, 70
_ACCOUNT_CHARS = 200
MAX_BYTES = 64 * 2**20
_ONCE = (("25", "25P"), ("28", "28C"), _OPENING, _CLOSING)


@dataclass(slots=True)
class _Reading:
    """What is found out while one block is read."""

    block: Block
    position: int
    kind: str
    currency: str | None = None
    points: int = 0
    notices: list[Notice] = field(default_factory=list)
    doubts: list[Notice] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)

    def where(self, tag: str, number: int = 1) -> str:
        return f"statement {self.position}, :{tag}: {number}"

    def day(self, text: str, where: str, excerpt: str) -> str:
        """YYMMDD as given, or the last day of February where it says 29 or 30 and there is none."""
        real = day_that_exists(text)
        if real != text:
            params = {"value": f"{text[4:]}/02/20{text[:2]}", "day": f"{real[4:]}/02/20{real[:2]}"}
            self.notices.append(Notice("bank_day_moved", where, excerpt, params))
        return real

    def amount(self, text: str, where: str, excerpt: str) -> tuple[str, int]:
        """(the amount as the library wants it, its mills). Raises Refusal."""
        try:
            plain, was_other = plain_amount(text)
            mills = mills_of(plain)
        except InexactAmount:
            raise Refusal(Rejection("bank_amount_unreadable", where, excerpt, {"amount": text})) from None
        self.points += was_other
        return plain, mills


def read_mt940(data: bytes) -> ReadResult:
    """All statements of an MT940 or MT942 file. Never raises for bad content."""
    if len(data) > MAX_BYTES:
        return refused(FORMAT, Rejection("file_too_large", "", "", {"limit": f"{MAX_BYTES // 2**20} MiB"}))
    blocks = [block for block in blocks_of(text_of_bytes(data)) if _says_something(block)]
    if not blocks:
        excerpt = data[:120].decode("latin-1")
        return refused(FORMAT, Rejection("bank_no_statement", "", excerpt))
    statements: list[BankStatement] = []
    rejections: list[Rejection] = []
    for position, block in enumerate(blocks, start=1):
        reading = _Reading(block, position, _kind(block))
        statements.append(_statement(reading))
        rejections += reading.rejections
    is_intraday = all(statement.kind == INTRADAY for statement in statements)
    return ReadResult(
        INTRADAY_FORMAT if is_intraday else FORMAT,
        statements=without_twins(statements),
        rejections=tuple(rejections),
    )


def _says_something(block: Block) -> bool:
    return any(one.tag in ("20", "25", "25P", "61", *_OPENING, *_CLOSING) for one in block.fields)


def _kind(block: Block) -> str:
    """A report of the day has a floor limit, a time or totals instead of booked balances."""
    if block.message_type == "942":
        return INTRADAY
    has_balance = block.first(*_OPENING, *_CLOSING) is not None
    return INTRADAY if not has_balance and block.first("34F", "13D", "90D", "90C") else BOOKED


def _statement(reading: _Reading) -> BankStatement:
    block = reading.block
    opening = _booked_balance(reading, _OPENING)
    reading.currency = reading.currency or _stated_currency(block)
    closing = _booked_balance(reading, _CLOSING)
    lines: list[BankTransaction] = []
    entries = _entries(block)
    for number, (entry, details) in enumerate(entries, start=1):
        try:
            lines.append(_line(reading, entry, details, number, len(lines) + 1))
        except Refusal as refusal:
            reading.rejections.append(refusal.rejection)
    for tags in _ONCE:
        if len({one.text for one in block.all(*tags)}) > 1:
            where = reading.where(tags[0])
            reading.doubts.append(Notice("bank_field_repeated", where, "", {"field": tags[0]}))
    _check_totals(reading, lines)
    if reading.kind == INTRADAY and not block.is_ended and block.first("90D", "90C") is None:
        reading.doubts.append(Notice("bank_statement_cut", f"statement {reading.position}", ""))
    if reading.points:
        where = f"statement {reading.position}"
        reading.notices.append(Notice("bank_decimal_points", where, "", {"count": reading.points}))
    number_field = block.first("28C", "28")
    sheet, _, sequence = (number_field.lines[0] if number_field else "").partition("/")
    made = _made_date(block)
    available = [_available(reading, one) for one in block.all(*_AVAILABLE)]
    return checked(
        BankStatement(
            kind=reading.kind,
            account=_account(block, reading.currency),
            currency=reading.currency,
            transactions=tuple(lines),
            number=sheet.strip()[:_ACCOUNT_CHARS] or None,
            sequence=sequence.strip()[:_ACCOUNT_CHARS] or None,
            from_date=opening.balance_date if opening else made,
            to_date=closing.balance_date if closing else made,
            opening_mills=opening.amount_mills if opening else None,
            opening_date=opening.balance_date if opening else None,
            closing_mills=closing.amount_mills if closing else None,
            closing_date=closing.balance_date if closing else None,
            position=reading.position,
            notices=tuple(reading.notices),
            balances=tuple(one for one in (opening, closing, *available) if one is not None),
        ),
        len(entries) - len(lines),
        reading.doubts,
        # The text has no end of its own: without a closing balance it may have been cut anywhere.
        needs_balances=True,
    )


def _entries(block: Block) -> list[tuple[Field, list[Field]]]:
    """Each :61: with the :86: and :NS: fields that follow it; an :86: after a balance explains no line."""
    found: list[tuple[Field, list[Field]]] = []
    is_open = False
    for one in block.fields:
        if one.tag == "61":
            found.append((one, []))
            is_open = True
        elif one.tag not in ("86", "NS"):
            is_open = False
        elif is_open:
            found[-1][1].append(one)
    return found


# -- balances and totals ---------------------------------------------------------------------------------


def _booked_balance(reading: _Reading, tags: tuple[str, ...]) -> StatementBalance | None:
    one = reading.block.first(*tags) if tags is _OPENING else _last(reading.block.all(*tags))
    if one is None:
        return None
    try:
        balance = _balance(reading, one)
    except Refusal as refusal:
        reading.rejections.append(refusal.rejection)
        reading.doubts.append(refusal.rejection)
        return None
    if reading.currency is None:
        reading.currency = balance.currency
    elif balance.currency != reading.currency:
        params = {"currency": reading.currency}
        reading.doubts.append(Notice("bank_currencies_mixed", reading.where(one.tag), one.text, params))
        return None
    return balance


def _last(fields: list[Field]) -> Field | None:
    return fields[-1] if fields else None


def _available(reading: _Reading, one: Field) -> StatementBalance | None:
    """An available balance; one that cannot be read proves nothing and is left out."""
    points = reading.points
    try:
        return _balance(reading, one)
    except Refusal:
        return None
    finally:
        reading.points = points


def _balance(reading: _Reading, one: Field) -> StatementBalance:
    """Raises Refusal."""
    where = reading.where(one.tag)
    found = _BALANCE.fullmatch(one.text)
    currency = ((found and found.group("currency")) or reading.currency or NO_CURRENCY).upper()
    if found is None:
        raise Refusal(Rejection("bank_amount_unreadable", where, one.text, {"amount": one.text}))
    plain, mills = reading.amount(found.group("amount"), where, one.text)
    mark = found.group("mark").upper()
    day = reading.day(found.group("day"), where, one.text)
    parsed = _by_library(f":{one.tag}:{mark}{day}{currency}{plain}", where, one.text)
    balance = next((value for value in parsed.data.values() if hasattr(value, "status")), None)
    signed = -mills if mark == "D" else mills
    if balance is None or balance.date is None or to_mills(balance.amount.amount) != signed:
        raise Refusal(Rejection("bank_amount_unreadable", where, one.text, {"amount": one.text}))
    return StatementBalance(one.tag, signed, currency, _date(balance.date))


def _stated_currency(block: Block) -> str | None:
    """The currency where no opening balance gives it: of the floor limit, the totals, the closing balance."""
    for tags, pattern in (
        (("34F",), r"([A-Z]{3})[DC ]?[0-9.,]"),
        (("90D", "90C"), r"[0-9]+([A-Z]{3})"),
        (_CLOSING, r"[DC][0-9]{6}([A-Z]{3})[0-9.,]"),
    ):
        for one in block.all(*tags):
            found = re.match(pattern, one.text)
            if found:
                return found.group(1)
    return None


def _check_totals(reading: _Reading, lines: list[BankTransaction]) -> None:
    """Compare :90D: and :90C: with the lines. With reversals among them banks count in different ways."""
    if any(line.is_reversal or line.status != "BOOK" for line in lines):
        return
    for tag, sign in (("90D", -1), ("90C", 1)):
        one = reading.block.first(tag)
        if one is None:
            continue
        counted = [sign * line.amount_mills for line in lines if sign * line.amount_mills > 0]
        currency = reading.currency or NO_CURRENCY
        found = f"{len(counted)} × {decimal_text(sum(counted), currency)} {currency}"
        total = _TOTAL.fullmatch(one.text)
        try:
            mills = reading.amount(total.group("amount"), "", "")[1] if total else None
        except Refusal:
            mills = None
        zeros = sum(1 for line in lines if line.amount_mills == 0)
        is_same_count = total and 0 <= int(total.group("count")) - len(counted) <= zeros
        if mills != sum(counted) or not is_same_count:
            params = {"stated": one.text.strip(), "found": found}
            reading.doubts.append(Notice("bank_totals_differ", reading.where(tag), one.text, params))


# -- lines -----------------------------------------------------------------------------------------------


def _line(reading: _Reading, entry: Field, others: list[Field], number: int, ordinal: int) -> BankTransaction:
    """One :61: with what explains it. Raises Refusal."""
    where = reading.where("61", number)
    if sum(len(part) for one in (entry, *others) for part in one.lines) > MAX_TEXT_CHARS:
        raise text_too_long(where, entry.lines[0])
    text = "\n".join(part.rstrip() for part in entry.lines)
    found = _LINE.fullmatch(text)
    if found is None:
        raise _unreadable(where, text, "date, mark or amount")
    plain, mills = reading.amount(found.group("amount"), where, text)
    mark = found.group("mark").upper()
    is_debit = mark.removeprefix("E") in ("D", "RC")
    value = reading.day(found.group("value"), where, text)
    entry_day = (found.group("entry") or "").strip()
    if entry_day:
        entry_day = reading.day(f"{value[:2]}{entry_day}", where, text)[2:]
    data = _line_data(found, plain, value, entry_day, where)
    signed = -mills if is_debit else mills
    if to_mills(data["amount"].amount) != signed:
        raise _unreadable(where, text, "amount")
    value_date = _date(data["date"])
    entry_date = data.get("entry_date")
    currency = reading.currency or NO_CURRENCY
    extra = one_line(data.get("extra_details"))
    details = _details(others)
    original, charges = foreign_amounts(f"{extra} {details.remittance}", currency)
    customer_reference = reference(data.get("customer_reference"))
    fields = {
        **details.codes,
        **({"61": extra} if extra else {}),
        **({"86": "\n".join(other.text for other in others if other.tag == "86")} if others else {}),
    }
    return BankTransaction(
        ordinal=ordinal,
        # Without an entry date the bank books on the value date.
        booking_date=_date(entry_date) if entry_date is not None else value_date,
        amount_mills=signed,
        currency=currency,
        value_date=value_date,
        entry=number,
        status="PDNG" if mark.startswith("E") else "BOOK",
        code=(data.get("id") or "").strip() or None,
        is_reversal=mark.startswith("R"),
        bank_reference=reference(data.get("bank_reference")),
        customer_reference=details.customer_reference or customer_reference,
        end_to_end_id=details.end_to_end_id,
        mandate_id=details.mandate_id,
        counterparty_name=details.name,
        counterparty_iban=details.iban,
        counterparty_bic=details.bic,
        ultimate_name=details.ultimate_name,
        remittance_text=details.remittance or extra,
        return_reason=details.return_reason,
        return_text=details.return_text,
        charges_mills=charges,
        original_mills=original.mills if original else None,
        original_currency=original.currency if original else None,
        fields={key: value for key, value in fields.items() if value},
    )


def _details(others: list[Field]) -> Details:
    """What the :86: of a line say (several are one text cut in pieces), else its :NS: fields."""
    lines = {
        tag: [line for other in others if other.tag == tag for line in other.lines] for tag in ("86", "NS")
    }
    return details_of(lines["86"]) if lines["86"] else non_swift_details(lines["NS"])


def _line_data(found: re.Match[str], plain: str, value: str, entry: str, where: str) -> dict[str, Any]:
    """What the library makes of one line whose amount and days are now as it expects. Raises Refusal."""
    if value[2:] == "0231":  # which the library moves in silence
        raise _unreadable(where, found.string, "31/02")
    rest = found.group("rest")
    mark = found.group("mark").upper().removeprefix("E")
    parts = (value, entry, mark, (found.group("funds") or "").upper(), plain)
    # A reference longer than the standard allows would be cut, and the bank's own lost with it.
    tags: dict[int | str, Tag] = {61: StatementGLS()} if _LONG_REFERENCE.match(rest) else {}
    text = f":61:{''.join(part or '' for part in parts)}{rest}"
    parsed = _by_library(text, where, found.string, tags)
    if len(parsed.transactions) != 1:
        raise _unreadable(where, found.string, "structure")
    return parsed.transactions[0].data


def _by_library(
    text: str, where: str, excerpt: str, tags: dict[int | str, Tag] | None = None
) -> Transactions:
    """``text`` as the library reads it. Raises Refusal where it does not."""
    parsed = Transactions(tags=tags, options=_OPTIONS)
    try:
        parsed.parse(text)
    except (RuntimeError, ValueError, ArithmeticError, KeyError, TypeError) as error:
        reason = str(error) if isinstance(error, ValueError) else "structure"
        raise _unreadable(where, excerpt, reason) from error
    return parsed


def _unreadable(where: str, excerpt: str, reason: str) -> Refusal:
    return Refusal(Rejection("bank_line_unreadable", where, excerpt, {"reason": reason}))


def _date(day: date) -> date:
    """A plain date out of the library's own class, which takes every year for one of this century."""
    return date(day.year - 100 if day.year >= _CENTURY + PIVOT else day.year, day.month, day.day)


def _made_date(block: Block) -> date | None:
    """The day of :13D: (when a report of the day was made)."""
    one = block.first("13D", "13")
    digits = re.match(r"[0-9]{6}", one.text) if one else None
    try:
        return datetime.strptime(digits.group(), "%y%m%d").date() if digits else None
    except ValueError:
        return None


def _account(block: Block, currency: str | None) -> str:
    """The account as written, or its IBAN alone where :25: puts a bank code or the currency beside it."""
    one = block.first("25", "25P")
    written = one.lines[0].strip() if one else ""
    # The standard has 35 characters; a field of thousands holds no IBAN that somebody meant.
    plain = written[:_ACCOUNT_CHARS].replace(" ", "").upper()
    candidates = [plain, *plain.split("/")]
    if currency:
        candidates += [candidate.removesuffix(currency) for candidate in candidates]
    return next((candidate for candidate in candidates if iban.is_valid(candidate)), written[:_ACCOUNT_CHARS])
