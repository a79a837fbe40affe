"""OFX 1 and 2 (also QFX, QBO): downloads of home banking -> BankStatement.

A line is ``STMTTRN``: its amount has the sign of the account, its type says what it is. OFX states the
balance after the lines (``LEDGERBAL``) and never the one before, so that a statement cannot prove itself;
what is wrong in itself is refused, what may be cut or doubled puts the statement in quarantine.

Source: Open Financial Exchange specification 1.6 and 2.2, chapter 11 "Banking".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date

from stdnum import iban

from saldo.core.errors import Rejection
from saldo.core.money import CURRENCY_EXPONENTS
from saldo.formats._bank_checks import (
    MAX_TEXT_CHARS,
    checked,
    one_line,
    reference,
    text_too_long,
    without_twins,
)
from saldo.formats._ofx_tree import LINES, STATEMENTS, Node, tree_of
from saldo.formats.bank_records import BOOKED, BankStatement, BankTransaction, StatementBalance
from saldo.formats.records import Notice, ReadResult, Refusal, refused

FORMAT = "ofx"
NO_CURRENCY = "XXX"
MAX_STATEMENTS = 10_000

# A point or a comma is the decimal mark; both, the last one. Groups of thousands only where they are sure.
_AMOUNT = re.compile(
    r"(?P<sign>[+-]?)\s?(?P<whole>[0-9]{1,3}(?:\.[0-9]{3})+(?=,)|[0-9]{1,3}(?:,[0-9]{3})+(?=\.)|[0-9]{0,15})"
    r"(?:(?P<mark>[.,])(?P<decimals>[0-9]{0,12}))?"
)
_DAY = re.compile(r"([0-9]{4})-?([0-9]{2})-?([0-9]{2})(?:[T ]?[0-9:.]*)?\s*(?:\[[^\]]*\]|Z|[+-][0-9:]+)?")
_BIC = re.compile(r"[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?")
_SIGN_OF_TYPE = {"CREDIT": 1, "DEBIT": -1}
_ONCE = ("TRNAMT", "DTPOSTED", "DTTRAN", "FITID", "TRNTYPE")


@dataclass(slots=True)
class _Reading:
    """What is found out while one statement is read."""

    node: Node
    position: int
    currency: str
    notices: list[Notice] = field(default_factory=list)
    doubts: list[Notice] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)

    @property
    def where(self) -> str:
        return f"statement {self.position}"

    def day(self, text: str | None, where: str, into: list[Notice]) -> date | None:
        """The day as written, whatever its time zone; one that is none is said in ``into``."""
        if not text:
            return None
        found = day_of(text)
        if found is None:
            into.append(Notice("bank_date_unreadable", where, text, {"value": text[:40]}))
        return found


def read_ofx(data: bytes) -> ReadResult:
    """All statements of an OFX file, accounts and cards alike. Never raises for bad content."""
    try:
        root = tree_of(data)
    except Refusal as refusal:
        return refused(FORMAT, refusal.rejection)
    found = list(root.within(*STATEMENTS))
    if not found:
        message = next((one.fields.get("MESSAGE", "") for one in root.within("STATUS")), "")
        return refused(FORMAT, Rejection("bank_no_statement", "", message))
    if len(found) > MAX_STATEMENTS:
        return refused(FORMAT, Rejection("file_too_large", "", "", {"limit": f"{MAX_STATEMENTS} statements"}))
    rejections: list[Rejection] = []
    statements = []
    is_whole = all(one.is_closed for one in root.within("OFX"))
    for position, node in enumerate(found, start=1):
        reading = _Reading(node, position, (node.fields.get("CURDEF") or NO_CURRENCY).upper())
        if not found[position - 1].is_closed or (position == len(found) and not is_whole):
            reading.doubts.append(Notice("bank_statement_cut", reading.where, ""))
        statements.append(_statement(reading))
        rejections += reading.rejections
    inside = {id(line) for node in found for line in node.within(*LINES)}
    rejections += [_misplaced("file", line) for line in root.within(*LINES) if id(line) not in inside]
    return ReadResult(FORMAT, statements=without_twins(statements), rejections=tuple(rejections))


def _misplaced(where: str, node: Node) -> Rejection:
    return Rejection("bank_line_unreadable", where, _excerpt(node), {"reason": "structure"})


def _statement(reading: _Reading) -> BankStatement:
    node = reading.node
    lines = _lines(reading)
    refused_lines = len(reading.rejections)
    balances = _balances(reading)
    days = [line.booking_date for line in lines if line.booking_date and line.status == "BOOK"]
    period = node.child("BANKTRANLIST") or node
    to_date = reading.day(period.fields.get("DTEND"), f"{reading.where}, DTEND", reading.notices)
    # The balance of another day than the last line's is true, and not the one after these lines.
    ledger = next((one for one in balances if one.code == "LEDGERBAL" and one.balance_date), None)
    closing = ledger if ledger and ledger.balance_date and ledger.balance_date >= max(
        days, default=date.min) else None  # fmt: skip
    return checked(
        BankStatement(
            kind=BOOKED,
            account=_account(node),
            currency=None if reading.currency == NO_CURRENCY else reading.currency,
            transactions=tuple(lines),
            number=None,
            from_date=reading.day(period.fields.get("DTSTART"), f"{reading.where}, DTSTART", reading.notices),
            to_date=to_date,
            closing_mills=closing.amount_mills if closing else None,
            closing_date=closing.balance_date if closing else None,
            position=reading.position,
            notices=tuple(reading.notices),
            balances=tuple(balances),
        ),
        refused_lines,
        reading.doubts,
        # The format has no opening balance, and an end of its own.
        needs_balances=False,
    )


def _lines(reading: _Reading) -> list[BankTransaction]:
    lines: list[BankTransaction] = []
    seen: dict[tuple[object, ...], int] = {}
    for number, node in enumerate(reading.node.within(*LINES), start=1):
        where = f"{reading.where}, {node.tag}[{number}]"
        try:
            line = _line(reading, node, where, number, len(lines) + 1)
        except Refusal as refusal:
            reading.rejections.append(refusal.rejection)
            continue
        key = (line.bank_reference, line.booking_date, line.amount_mills, line.remittance_text)
        first = seen.setdefault(key, number)
        if line.bank_reference and first != number:
            params = {"id": line.bank_reference[:60], "first": first}
            reading.doubts.append(Notice("bank_line_twice", where, _excerpt(node), params))
        lines.append(line)
    # An amount that stands in no line: the tag that opened its line is damaged.
    reading.rejections += [
        _misplaced(f"{reading.where}, {one.tag}", one)
        for one in reading.node.outside(LINES)
        if "TRNAMT" in one.fields
    ]
    return lines


def _line(reading: _Reading, node: Node, where: str, number: int, ordinal: int) -> BankTransaction:
    """Raises Refusal."""
    twice = [name for name in _ONCE if name in node.repeated]
    if twice:
        # Two lines have run together: which amount belongs to which date cannot be told.
        reason = f"{twice[0]} ×2"
        raise Refusal(Rejection("bank_line_unreadable", where, _excerpt(node), {"reason": reason}))
    said = node.fields
    if sum(len(text) for one in (node, *node.children) for text in one.fields.values()) > MAX_TEXT_CHARS:
        raise text_too_long(where, _excerpt(node))
    currency = _currency_of(node) or reading.currency
    written = said.get("TRNAMT", "")
    mills = signed_mills(written, currency)
    if mills is None:
        excerpt = _excerpt(node)
        raise Refusal(Rejection("bank_amount_unreadable", where, excerpt, {"amount": written[:40] or "-"}))
    kind = said.get("TRNTYPE", "").upper()
    if mills * _SIGN_OF_TYPE.get(kind, mills) < 0:
        value = f"{kind} {written[:40]}"
        raise Refusal(Rejection("bank_sign_missing", where, _excerpt(node), {"value": value}))
    if "CORRECTFITID" in said:
        params = {"id": said["CORRECTFITID"][:60]}
        reading.doubts.append(Notice("bank_line_corrects", where, _excerpt(node), params))
    booked = said.get("DTPOSTED") or said.get("DTTRAN")
    booking = reading.day(booked, where, reading.doubts)
    if not booked:
        reading.doubts.append(Notice("bank_date_unreadable", where, _excerpt(node), {"value": "-"}))
    payee, account_to = node.child("PAYEE"), node.child("BANKACCTTO", "CCACCTTO")
    name = one_line(said.get("NAME")) or one_line(payee.fields.get("NAME") if payee else None)
    number_to = (account_to.fields.get("ACCTID") or "").replace(" ", "").upper() if account_to else ""
    bank_to = (account_to.fields.get("BANKID") or "").replace(" ", "").upper() if account_to else ""
    return BankTransaction(
        ordinal=ordinal,
        booking_date=booking,
        amount_mills=mills,
        currency=currency,
        value_date=reading.day(said.get("DTAVAIL"), where, reading.notices),
        entry=number,
        status="PDNG" if node.tag == "STMTTRNP" else "BOOK",
        code=kind or None,
        bank_reference=reference(said.get("FITID")),
        customer_reference=reference(said.get("CHECKNUM")) or reference(said.get("REFNUM")),
        counterparty_name=one_line(said.get("EXTDNAME")) or name or None,
        counterparty_iban=number_to if iban.is_valid(number_to) else None,
        counterparty_bic=bank_to if _BIC.fullmatch(bank_to) else None,
        remittance_text=one_line(said.get("MEMO")) or name,
        fields=_fields(node),
    )


def _fields(node: Node) -> dict[str, str]:
    """What a line says that has no field of its own, by the names of the format."""
    names = ("DTUSER", "CHECKNUM", "REFNUM", "SIC", "CORRECTFITID", "CORRECTACTION")
    found = {name: node.fields.get(name, "") for name in names}
    for child in node.children:
        found |= {f"{child.tag}.{name}": text for name, text in child.fields.items()}
    return {name: one_line(text) for name, text in found.items() if text.strip()}


def _currency_of(node: Node) -> str | None:
    """The currency that the amount of a line is in, where it is not the account's.

    ``ORIGCURRENCY`` says what it was before the bank converted it: the amount is in the account's.
    """
    own = node.child("CURRENCY")
    symbol = (own.fields.get("CURSYM") or "").strip().upper() if own else ""
    return symbol or None


def _balances(reading: _Reading) -> list[StatementBalance]:
    found = []
    for tag in ("LEDGERBAL", "AVAILBAL"):
        node = reading.node.child(tag)
        if node is None:
            continue
        where = f"{reading.where}, {tag}"
        written = node.fields.get("BALAMT", "")
        mills = None if "BALAMT" in node.repeated else signed_mills(written, reading.currency)
        if mills is None:
            params = {"amount": written[:40] or "-"}
            notice = Notice("bank_amount_unreadable", where, _excerpt(node), params)
            (reading.doubts if tag == "LEDGERBAL" else reading.notices).append(notice)
            continue
        day = reading.day(node.fields.get("DTASOF"), where, reading.notices)
        found.append(StatementBalance(tag, mills, reading.currency, day))
    return found


def _account(node: Node) -> str:
    """The IBAN where the account is one, else the bank, the branch and the account as written."""
    account = node.child("BANKACCTFROM", "CCACCTFROM")
    if account is None:
        return ""
    number = (account.fields.get("ACCTID") or "").strip()
    plain = number.replace(" ", "").upper()
    if iban.is_valid(plain):
        return plain
    parts = (account.fields.get("BANKID"), account.fields.get("BRANCHID"), number)
    return "/".join(part.strip() for part in parts if part and part.strip())[:200] if number else ""


def signed_mills(text: str, currency: str) -> int | None:
    """The mills of an amount; None where it is none, is not exact, or can be read in two ways.

    "1.234" is refused in a currency with two decimals: it is a thousand or one and a bit.
    """
    found = _AMOUNT.fullmatch(text.strip()[:60])
    if found is None or not (found.group("whole") or found.group("decimals")):
        return None
    whole, decimals = found.group("whole") or "0", found.group("decimals") or ""
    digits = re.sub(r"[.,]", "", whole)
    is_grouped = digits != whole
    could_group = not is_grouped and 1 <= len(whole) <= 3 and not whole.startswith("0")
    if could_group and len(decimals) == 3 and CURRENCY_EXPONENTS.get(currency, 2) != 3:
        return None
    used = decimals.rstrip("0")
    if len(digits) > 15 or len(used) > 3:
        return None
    mills = int(digits) * 1000 + int(used.ljust(3, "0"))
    return -mills if found.group("sign") == "-" else mills


def day_of(text: str) -> date | None:
    """ "20260202", "20260202120000.000[+1:CET]", "2026-02-02": the day as written; None where it is none."""
    found = _DAY.fullmatch(text.strip()[:60])
    try:
        return date(*(int(part) for part in found.groups()[:3])) if found else None
    except ValueError:
        return None


def _excerpt(node: Node) -> str:
    return " ".join(f"<{name}>{text[:60]}" for name, text in list(node.fields.items())[:8])[:400]
