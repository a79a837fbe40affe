"""camt.052, .053, .054 (bank to customer), every version: XML -> BankStatement.

Elements are found by local name, so that versions, prefixes and the envelopes that banks put around a
message read alike; the schema is no gate, because what banks send often breaks it and is right all the same.
One entry that cannot be read is refused and quarantines its statement; the other statements are not touched.

Source of the fields: ISO 20022 message definitions "Bank-to-Customer Cash Management". An entry is what the
bank books; its transactions explain it. So amounts are taken from transactions only where they add up to
their entry.
"""

from __future__ import annotations

from lxml import etree

from saldo.core.errors import Rejection
from saldo.formats._bank_checks import MAX_TEXT_CHARS, checked, text_too_long, without_twins
from saldo.formats._camt_entries import Account, day_of, entry_lines
from saldo.formats._camt_fields import (
    account_id,
    amount_of,
    first_text,
    sign_of,
)
from saldo.formats._camt_totals import total_doubts
from saldo.formats._camt_tree import Node, text_of
from saldo.formats._xml import local_name, parse_xml
from saldo.formats.bank_records import (
    BOOKED,
    INTRADAY,
    NOTIFICATION,
    BankStatement,
    BankTransaction,
    StatementBalance,
)
from saldo.formats.records import Notice, ReadResult, Refusal, refused

FORMAT = "camt"
# The element of one statement: which message it belongs to, and what it is worth.
_STATEMENTS = {
    "Rpt": ("camt.052", INTRADAY),
    "Stmt": ("camt.053", BOOKED),
    "Ntfctn": ("camt.054", NOTIFICATION),
}
# One pass over all texts of a message, or of one entry where there is such a text.
_HAS_LONG_TEXT = etree.XPath(f"boolean(descendant::text()[string-length(.) > {MAX_TEXT_CHARS}])")
_HAS_LONG_HEAD = etree.XPath(f"boolean(*[not(self::Ntry)]//text()[string-length(.) > {MAX_TEXT_CHARS}])")
_MESSAGES = {
    "BkToCstmrAcctRpt": "camt.052",
    "BkToCstmrStmt": "camt.053",
    "BkToCstmrDbtCdtNtfctn": "camt.054",
}
# Booked balances, best first. ITBD is an interim one: of a page, or of the day so far.
_OPENING = ("OPBD", "PRCD")
_CLOSING = ("CLBD",)
_INTERIM = "ITBD"


def read_camt(data: bytes) -> ReadResult:
    """All statements of a camt message. Never raises for bad content."""
    try:
        root = parse_xml(data, _readable).root
    except Refusal as refusal:
        return refused(FORMAT, refusal.rejection)
    found = [element for element in root.iter(*_STATEMENTS) if _is_statement(element)]
    if not found:
        name = next((_MESSAGES[tag] for tag in _MESSAGES if root.find(f".//{tag}") is not None), FORMAT)
        return refused(name, Rejection("bank_no_statement", local_name(root), ""))
    rejections: list[Rejection] = []
    has_long_text = bool(_HAS_LONG_TEXT(root))
    statements: list[BankStatement] = []
    for position, element in enumerate(found, start=1):
        if has_long_text and _HAS_LONG_HEAD(element):
            rejections.append(text_too_long(f"{local_name(element)}[{position}]", "").rejection)
        else:
            statements.append(_statement(element, position, has_long_text, rejections))
    formats = {_STATEMENTS[local_name(element)][0] for element in found}
    return ReadResult(
        formats.pop() if len(formats) == 1 else FORMAT,
        statements=without_twins(statements),
        rejections=tuple(rejections),
    )


def _is_statement(element: etree._Element) -> bool:
    """Whether it stands in a message rather than being a field of the same name elsewhere."""
    return any(element.find(child) is not None for child in ("Acct", "Id", "Ntry", "Bal"))


def _readable(root: etree._Element) -> str:
    entries = sum(1 for _ in root.iter("Ntry"))
    return f"{entries} Ntry" if entries else ""


def _statement(
    element: etree._Element, position: int, has_long_text: bool, rejections: list[Rejection]
) -> BankStatement:
    tag = local_name(element)
    where = f"{tag}[{position}]"
    head = Node.of(element, without="Ntry")
    notices: list[Notice] = []
    doubts: list[Notice] = []
    balances = _balances(head, where, rejections, doubts)
    account = Account(
        kind=_STATEMENTS[tag][1],
        number=account_id(head.find("Acct")) or "",
        owner=first_text(head, "Acct/Ownr/Nm", "Acct/Ownr/Pty/Nm"),
        currency=_currency(head, element.find("Ntry/Amt"), balances),
    )
    opening, closing = _booked_balances(balances, account.currency)
    doubts += _contradictions(balances, account.currency, where)
    lines: list[BankTransaction] = []
    refused_lines = 0
    for number, entry in enumerate(element.iterfind("Ntry"), start=1):
        try:
            if has_long_text and _HAS_LONG_TEXT(entry):
                raise text_too_long(f"{where}/Ntry[{number}]", "")
            read = entry_lines(
                Node.of(entry), f"{where}/Ntry[{number}]", number, account, notices, doubts, len(lines)
            )
        except Refusal as refusal:
            refused_lines += 1
            rejections.append(refusal.rejection)
            continue
        lines += read
    doubts += total_doubts(head, lines, refused_lines, where)
    opening = _of_the_account(opening, account, where, doubts)
    closing = _of_the_account(closing, account, where, doubts)
    return checked(
        BankStatement(
            kind=account.kind,
            account=account.number,
            currency=account.currency,
            transactions=tuple(lines),
            number=text_of(head, "Id"),
            sequence=first_text(head, "ElctrncSeqNb", "LglSeqNb"),
            from_date=day_of(first_text(head, "FrToDt/FrDtTm", "FrToDt/FrDt"), where, notices),
            to_date=day_of(first_text(head, "FrToDt/ToDtTm", "FrToDt/ToDt"), where, notices),
            opening_mills=opening.amount_mills if opening else None,
            opening_date=opening.balance_date if opening else None,
            closing_mills=closing.amount_mills if closing else None,
            closing_date=closing.balance_date if closing else None,
            position=position,
            notices=tuple(notices),
            balances=tuple(balances),
        ),
        refused_lines,
        doubts,
        # XML has an end: a message that was cut does not parse.
        needs_balances=False,
    )


def _currency(head: Node, amount: etree._Element | None, balances: list[StatementBalance]) -> str | None:
    """The account's currency: as stated, else of its booked balances, else of its first entry."""
    stated = text_of(head, "Acct/Ccy")
    if stated:
        return stated.upper()
    for balance in (*_booked_balances(balances, None), *balances):
        if balance is not None:
            return balance.currency
    return (amount.get("Ccy") or "").strip().upper() or None if amount is not None else None


def _balances(
    head: Node, where: str, rejections: list[Rejection], doubts: list[Notice]
) -> list[StatementBalance]:
    found = []
    currency = text_of(head, "Acct/Ccy")
    for number, one in enumerate(head.iterfind("Bal"), start=1):
        place = f"{where}/Bal[{number}]"
        code = first_text(one, "Tp/CdOrPrtry/Cd", "Tp/CdOrPrtry/Prtry", "Tp/Cd", "Tp/Prtry") or "-"
        try:
            amount = amount_of(one.find("Amt"), currency, place)
            signed = amount.mills * sign_of(one, place) if amount.mills else 0
        except Refusal as refusal:
            rejections.append(refusal.rejection)
            doubts.append(refusal.rejection)
            continue
        day = day_of(first_text(one, "Dt/Dt", "Dt/DtTm"), place, doubts)
        found.append(StatementBalance(code.upper(), signed, amount.currency, day))
    return found


def _booked_balances(
    balances: list[StatementBalance], currency: str | None
) -> tuple[StatementBalance | None, StatementBalance | None]:
    """(opening, closing). Two interim balances bound a page; a single one is the balance so far.

    Those in ``currency`` come first: a bank may state the same balance in several currencies.
    """
    balances = sorted(balances, key=lambda balance: balance.currency != currency)
    interim = [balance for balance in balances if balance.code == _INTERIM]
    opening = _first(balances, _OPENING) or (interim[0] if len(interim) > 1 else None)
    return opening, _first(balances, _CLOSING) or (interim[-1] if interim else None)


def _first(balances: list[StatementBalance], codes: tuple[str, ...]) -> StatementBalance | None:
    return next((balance for code in codes for balance in balances if balance.code == code), None)


def _contradictions(balances: list[StatementBalance], currency: str | None, where: str) -> list[Notice]:
    """Two opening or two closing balances that differ: neither proves the lines."""
    found = []
    for code in ("OPBD", *_CLOSING):
        stated = {one.amount_mills for one in balances if one.code == code and one.currency == currency}
        if len(stated) > 1:
            found.append(Notice("bank_field_repeated", where, "", {"field": code}))
    return found


def _of_the_account(
    balance: StatementBalance | None, account: Account, where: str, doubts: list[Notice]
) -> StatementBalance | None:
    """A balance in another currency than the account's stays among ``balances`` and is no balance of it."""
    if balance is None or balance.currency == account.currency:
        return balance
    params = {"currency": account.currency or "-"}
    doubts.append(Notice("bank_currencies_mixed", where, f"{balance.code} {balance.currency}", params))
    return None
