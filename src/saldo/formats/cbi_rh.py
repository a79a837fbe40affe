"""CBI account statements (RH daily, EC periodic): records 61 to 65 between a head and its trailer.

One statement per 61 … 64: opening balance, lines (62) with their texts (63), closing balance; 65 holds
the liquid balances of days to come. The trailer states how many statements and records the
flow has: where they differ, or the trailer is missing, every statement of the flow is quarantined, because
a flow cut between two statements looks whole in each of them. A statement whose lines and balances do not
add up is quarantined alone.

Record 62 gives the value date before the booking date, by the order of the manual (CBI-RND-001); some
banks write them the other way round: ``booking_first``.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date

from stdnum import iban as iban_numbers
from stdnum.exceptions import ValidationError

from saldo.core.errors import Rejection
from saldo.formats._fixed import (
    RECORD_CHARS,
    FieldError,
    Flow,
    Line,
    flows_of,
    lines_of,
    running_text,
    trailer_faults,
    without_copies,
)
from saldo.formats.bank_records import BOOKED, BankStatement, BankTransaction, StatementBalance
from saldo.formats.records import Notice, ReadResult, refused

FORMAT = "cbi-rh"
HEADS = frozenset({"RH", "EC"})
# A bank that writes no currency means the euro.
CURRENCY = "EUR"

_STRUCTURES = frozenset({"KKK", "YYY", "YY2", "ZZ1", "ZZ2", "ZZ3", "ID1", "RI1", "RI2"})
# Day, side and amount, five times in a record 65.
_LATER_CHARS = 22
_NO_REFERENCE = frozenset({"NOTPROVIDED", "NOT PROVIDED"})
_BBAN_PARTS = (r"[A-Z]", r"[0-9]{5}", r"[0-9]{5}", r"[0-9A-Z]{12}")
_COUNTRIES_WITH_CIN = frozenset({"IT", "SM"})


def read_cbi_rh(data: bytes, *, booking_first: bool = False) -> ReadResult:
    """The statements in ``data``. Never raises for bad content.

    booking_first: record 62 gives the booking date at 14-19 and the value date at 20-25.
    """
    lines, rejections = lines_of(data)
    flows, stray = flows_of(lines, HEADS)
    flows, copies = without_copies(flows)
    if not flows:
        excerpt = lines[0].text.rstrip() if lines else ""
        return refused(FORMAT, Rejection("cbi_no_flow", "", excerpt, {"heads": "RH, EC"}))
    statements: list[BankStatement] = []
    rejections += stray + copies
    for flow in flows:
        blocks, misplaced = _blocks_of(flow, booking_first)
        faults = trailer_faults(flow, len(blocks))
        # A record outside its place, or refused for its length, may have held a line of any statement.
        is_whole = not (faults or misplaced or _has_refused_line(flow, rejections))
        for block in blocks:
            statements.append(block.statement(len(statements) + 1, flow, is_whole))
            rejections += block.rejections
        rejections += faults + misplaced
    rejections.sort(key=lambda rejection: rejection.row)
    return ReadResult(FORMAT, statements=tuple(statements), rejections=tuple(rejections))


def _has_refused_line(flow: Flow, rejections: list[Rejection]) -> bool:
    first, last = flow.head.number, flow.lines()[-1].number
    return any(first < one.row <= last and one.code == "cbi_line_too_long" for one in rejections)


@dataclass(slots=True)
class _Entry:
    """A line of the statement with the texts that follow it."""

    head: Line
    texts: list[Line] = field(default_factory=list)


@dataclass(slots=True)
class _Block:
    """The records of one statement as they are found."""

    opening: Line
    booking_first: bool
    entries: list[_Entry] = field(default_factory=list)
    closing: Line | None = None
    later: list[Line] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)

    def statement(self, position: int, flow: Flow, is_whole: bool) -> BankStatement:
        """The statement, quarantined where anything in it or in its flow does not add up."""
        currency = self.opening.text_at(75, 77) or CURRENCY
        opening_mills, opening_date = self._balance(self.opening, 84, 85, 99, 78)
        closing_mills, closing_date = None, None
        if self.closing is None:
            self.rejections.append(self.opening.rejection("cbi_statement_cut", lines=len(self.entries)))
        else:
            closing_mills, closing_date = self._balance(self.closing, 20, 21, 35, 14)
            if (stated := self.closing.text_at(11, 13) or currency) != currency:
                self.rejections.append(
                    self.closing.rejection("cbi_currency_differs", stated=stated, currency=currency)
                )
        account, notices = _account(self.opening)
        if not account:
            self.rejections.append(self.opening.rejection("bank_account_missing"))
        transactions = self._transactions(currency)
        statement = BankStatement(
            kind=BOOKED,
            account=account,
            currency=currency,
            transactions=transactions,
            number=flow.name or None,
            sequence=self.opening.text_at(4, 10),
            from_date=opening_date,
            to_date=closing_date,
            opening_mills=opening_mills,
            opening_date=opening_date,
            closing_mills=closing_mills,
            closing_date=closing_date,
            position=position,
            balances=self._balances(currency),
        )
        faults = list(self.rejections)
        if not is_whole:
            faults.append(self.opening.rejection("cbi_flow_not_whole", flow=flow.name or "-"))
        if statement.difference_mills:
            faults.append(_unbalanced(self.opening, statement))
        return _with_notices(statement, bool(faults), (*notices, *faults))

    def _balance(
        self, line: Line, sign: int, first: int, last: int, day: int
    ) -> tuple[int | None, date | None]:
        """The signed balance of ``line`` and its day; what cannot be read is refused and left out."""
        mills: int | None = None
        balance_date: date | None = None
        try:
            mills = line.comma_at(first, last)
            # A balance of nothing needs no side.
            mills = mills * line.sign_at(sign) if mills else 0
        except FieldError as error:
            mills = None
            self.rejections.append(line.bad_field(error))
        try:
            balance_date = line.day_at(day, day + 5)
        except FieldError as error:
            self.rejections.append(line.bad_field(error))
        return mills, balance_date

    def _balances(self, currency: str) -> tuple[StatementBalance, ...]:
        """Every balance that can be read, by the record that states it ("64L": the liquid one)."""
        places: list[tuple[str, Line, int, int]] = [("61", self.opening, 78, 84)]
        if self.closing is not None:
            places += [("64", self.closing, 14, 20), ("64L", self.closing, 14, 36)]
        places += [("65", line, at, at + 6) for line in self.later for at in range(11, 111, _LATER_CHARS)]
        found = []
        for code, line, day, sign in places:
            with suppress(FieldError):
                mills = line.comma_at(sign + 1, sign + 15)
                side = line.sign_at(sign) if mills else 1
                found.append(StatementBalance(code, side * mills, currency, line.day_at(day, day + 5)))
        return tuple(found)

    def _transactions(self, currency: str) -> tuple[BankTransaction, ...]:
        found: list[BankTransaction] = []
        for entry in self.entries:
            try:
                found.append(_transaction(entry, len(found) + 1, currency, self.booking_first))
            except FieldError as error:
                self.rejections.append(entry.head.bad_field(error))
        return tuple(found)


def _with_notices(
    statement: BankStatement, is_quarantined: bool, notices: tuple[Notice, ...]
) -> BankStatement:
    return replace(statement, is_quarantined=is_quarantined, notices=notices)


def _unbalanced(line: Line, statement: BankStatement) -> Notice:
    told = statement.as_json()
    return line.rejection(
        "bank_statement_unbalanced",
        opening=told["opening_balance"],
        closing=told["closing_balance"],
        difference=told["difference"],
    )


def _blocks_of(flow: Flow, booking_first: bool) -> tuple[list[_Block], list[Rejection]]:
    """The statements of ``flow`` and the records that stand where they cannot."""
    blocks: list[_Block] = []
    misplaced: list[Rejection] = []
    for line in flow.body:
        block = blocks[-1] if blocks else None
        is_open = block is not None and block.closing is None
        if line.type == "61":
            blocks.append(_Block(line, booking_first))
            continue
        if block is not None and not is_open and line.type == "65":
            block.later.append(line)
        elif block is None or not is_open or not _taken(block, line):
            misplaced.append(line.rejection("cbi_record_misplaced", record=line.type.strip() or "-"))
    return blocks, misplaced


def _taken(block: _Block, line: Line) -> bool:
    """Puts ``line`` in its place in the open ``block``; False where it has none."""
    if line.type == "62":
        block.entries.append(_Entry(line))
    elif line.type == "64":
        block.closing = line
    elif line.type == "63" and block.entries and _belongs(line, block.entries[-1].head):
        block.entries[-1].texts.append(line)
    elif line.type == "63":  # the line it explains is missing
        block.rejections.append(line.rejection("cbi_record_misplaced", record="63"))
    else:
        return False
    return True


def _belongs(text: Line, entry: Line) -> bool:
    """Whether the text is of that line: same number of movement, where the bank gives it."""
    number = text.text_at(11, 13)
    return number is None or number == entry.text_at(11, 13)


def _transaction(entry: _Entry, ordinal: int, currency: str, booking_first: bool) -> BankTransaction:
    """The line as one transaction. Raises FieldError."""
    line = entry.head
    first, second = line.day_at(14, 19), line.day_at(20, 25)
    booking, value = (first, second) if booking_first else (second, first)
    if booking is None:
        raise FieldError("cbi_bad_date", *((14, 19) if booking_first else (20, 25)), "")
    texts = _texts_of(entry)
    description = line.text_at(87, 120)
    reference_type = line.text_at(78, 86)
    fields = {
        "internal_code": line.text_at(44, 45),
        "check_number": _check_number(line),
        "customer_reference_type": reference_type,
        "description": description,
        **texts.fields,
    }
    return BankTransaction(
        ordinal=ordinal,
        entry=ordinal,
        booking_date=booking,
        value_date=value,
        amount_mills=line.sign_at(26) * line.comma_at(27, 41),
        currency=currency,
        code=line.text_at(42, 43),
        bank_reference=line.text_at(62, 77),
        # With a type before it, the description is the customer's own reference.
        customer_reference=description if reference_type else None,
        end_to_end_id=texts.end_to_end_id,
        transaction_id=texts.message_id,
        counterparty_name=texts.name,
        counterparty_iban=texts.iban,
        counterparty_tax_code=texts.tax_code,
        remittance_text=texts.remittance or running_text([line.raw(87, 120), *texts.free]),
        fields={key: value for key, value in fields.items() if value},
    )


def _check_number(line: Line) -> str | None:
    number = line.text_at(46, 61)
    return number if number and number.strip("0") else None


@dataclass(slots=True)
class _Texts:
    """What the texts of a line say."""

    free: list[str] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)
    remittance: str = ""
    name: str | None = None
    tax_code: str | None = None
    iban: str | None = None
    end_to_end_id: str | None = None
    message_id: str | None = None


def _texts_of(entry: _Entry) -> _Texts:
    """The 63 records: structured ones by the mark at 14-16, the others free text from 14 on."""
    texts = _Texts()
    remittance: list[str] = []
    for line in entry.texts:
        mark = line.raw(14, 16)
        if mark not in _STRUCTURES:
            texts.free.append(line.raw(14, RECORD_CHARS))
        elif mark in ("RI1", "RI2"):
            remittance.append(line.raw(17, RECORD_CHARS if mark == "RI1" else 52))
        else:
            _structured(texts, mark, line)
    texts.remittance = running_text(remittance)
    if texts.remittance and texts.free:
        texts.fields["text"] = running_text(texts.free)
    return texts


def _structured(texts: _Texts, mark: str, line: Line) -> None:
    """One structured record; what has no field of its own is kept under the record's mark."""
    if mark == "YYY":
        texts.tax_code = line.text_at(25, 40)
        texts.name = line.text_at(41, 80)
        kept = {"order_date": line.text_at(17, 24), "counterparty_place": line.text_at(81, 120)}
    elif mark == "YY2":
        iban = line.text_at(67, 100)
        texts.iban = iban.replace(" ", "") if iban else None
        kept = {"counterparty_address": line.text_at(17, 66)}
    elif mark == "ID1":
        reference = line.text_at(52, 86)
        texts.end_to_end_id = None if reference in _NO_REFERENCE else reference
        texts.message_id = line.text_at(17, 51)
        kept = {}
    else:
        kept = {mark: line.text_at(17, RECORD_CHARS)}
    texts.fields.update({key: value for key, value in kept.items() if value})


def _account(line: Line) -> tuple[str, tuple[Notice, ...]]:
    """The IBAN of the account; "ABI/CAB/account" where its parts make none.

    Check digits that the bank left out are computed; those it wrote must be right.
    """
    cin, abi, cab, number = (line.text_at(*span) or "" for span in ((52, 52), (53, 57), (58, 62), (63, 74)))
    plain = "/".join(part for part in (abi, cab, number) if part)
    country, check = line.text_at(100, 101) or "IT", line.text_at(102, 103)
    parts = (cin, abi, cab, number.rjust(12, "0"))
    if country not in _COUNTRIES_WITH_CIN or not all(
        re.fullmatch(pattern, part) for pattern, part in zip(_BBAN_PARTS, parts, strict=True)
    ):
        return plain, ()
    bban = "".join(parts)
    try:
        iban = f"{country}{check or iban_numbers.calc_check_digits(f'{country}00{bban}')}{bban}"
        return iban_numbers.validate(iban), ()
    except ValidationError:
        return plain, (line.rejection("cbi_bad_iban", iban=f"{country}{check}{bban}"),)
