"""camt.052, .053, .054 (bank to customer), every version: XML -> BankStatement.

Elements are found by local name, so that versions, prefixes and the envelopes that banks put around a
message read alike; the schema is no gate, because what banks send often breaks it and is right all the same.
One entry that cannot be read is refused and quarantines its statement; the other statements are not touched.

Source of the fields: ISO 20022 message definitions "Bank-to-Customer Cash Management". An entry is what the
bank books; its transactions explain it. So amounts are taken from transactions only where they add up to
their entry.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from lxml import etree

from saldo.core.errors import Rejection
from saldo.core.money import decimal_text
from saldo.formats._bank_checks import StatedAmount, checked, iso_date, one_line, reference
from saldo.formats._camt_fields import (
    Party,
    account_id,
    amount_if_readable,
    amount_of,
    charges_mills,
    day_text,
    first_text,
    joined,
    party_of,
    sign_if_stated,
    sign_of,
    transaction_code,
)
from saldo.formats._xml import local_name, parse_xml, text_of, texts_of
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
_MESSAGES = {
    "BkToCstmrAcctRpt": "camt.052",
    "BkToCstmrStmt": "camt.053",
    "BkToCstmrDbtCdtNtfctn": "camt.054",
}
# Booked balances, best first. ITBD is an interim one: of a page, or of the day so far.
_OPENING = ("OPBD", "PRCD")
_CLOSING = ("CLBD",)
_INTERIM = "ITBD"
# What differs between the transactions of a batch.
_OF_EACH = (
    "end_to_end_id",
    "customer_reference",
    "transaction_id",
    "mandate_id",
    "creditor_reference",
    "counterparty_name",
    "counterparty_iban",
)


@dataclass(frozen=True, slots=True)
class _Account:
    """What a statement says of itself that its entries need."""

    kind: str
    number: str
    owner: str | None
    currency: str | None


@dataclass(frozen=True, slots=True)
class _Entry:
    """One booked amount: signed mills, and what holds for all its transactions."""

    element: etree._Element
    where: str
    number: int
    mills: int
    currency: str
    status: str
    account: _Account


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
    statements = tuple(
        _statement(element, position, rejections) for position, element in enumerate(found, start=1)
    )
    formats = {_STATEMENTS[local_name(element)][0] for element in found}
    return ReadResult(
        formats.pop() if len(formats) == 1 else FORMAT,
        statements=statements,
        rejections=tuple(rejections),
    )


def _is_statement(element: etree._Element) -> bool:
    """Whether it stands in a message rather than being a field of the same name elsewhere."""
    return any(element.find(child) is not None for child in ("Acct", "Id", "Ntry", "Bal"))


def _readable(root: etree._Element) -> str:
    entries = sum(1 for _ in root.iter("Ntry"))
    return f"{entries} Ntry" if entries else ""


def _statement(element: etree._Element, position: int, rejections: list[Rejection]) -> BankStatement:
    tag = local_name(element)
    where = f"{tag}[{position}]"
    notices: list[Notice] = []
    doubts: list[Notice] = []
    balances = _balances(element, where, rejections, doubts)
    account = _Account(
        kind=_STATEMENTS[tag][1],
        number=account_id(element.find("Acct")) or "",
        owner=first_text(element, "Acct/Ownr/Nm", "Acct/Ownr/Pty/Nm"),
        currency=_currency(element, balances),
    )
    opening, closing = _booked_balances(balances)
    lines: list[BankTransaction] = []
    refused_lines = 0
    for number, entry in enumerate(element.iterfind("Ntry"), start=1):
        try:
            read = _entry_lines(entry, f"{where}/Ntry[{number}]", number, account, notices)
        except Refusal as refusal:
            refused_lines += 1
            rejections.append(refusal.rejection)
            continue
        lines += [replace(line, ordinal=len(lines) + at) for at, line in enumerate(read, start=1)]
    opening = _of_the_account(opening, account, where, doubts)
    closing = _of_the_account(closing, account, where, doubts)
    return checked(
        BankStatement(
            kind=account.kind,
            account=account.number,
            currency=account.currency,
            transactions=tuple(lines),
            number=text_of(element, "Id"),
            sequence=first_text(element, "ElctrncSeqNb", "LglSeqNb"),
            from_date=_day(first_text(element, "FrToDt/FrDtTm", "FrToDt/FrDt"), where, notices),
            to_date=_day(first_text(element, "FrToDt/ToDtTm", "FrToDt/ToDt"), where, notices),
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


def _currency(element: etree._Element, balances: list[StatementBalance]) -> str | None:
    """The account's currency: as stated, else of its booked balances, else of its first entry."""
    stated = text_of(element, "Acct/Ccy")
    if stated:
        return stated.upper()
    for balance in (*_booked_balances(balances), *balances):
        if balance is not None:
            return balance.currency
    amount = next(iter(element.iterfind("Ntry/Amt")), None)
    return (amount.get("Ccy") or "").strip().upper() or None if amount is not None else None


def _balances(
    element: etree._Element, where: str, rejections: list[Rejection], doubts: list[Notice]
) -> list[StatementBalance]:
    found = []
    currency = text_of(element, "Acct/Ccy")
    for number, one in enumerate(element.iterfind("Bal"), start=1):
        place = f"{where}/Bal[{number}]"
        code = first_text(one, "Tp/CdOrPrtry/Cd", "Tp/CdOrPrtry/Prtry", "Tp/Cd", "Tp/Prtry") or "-"
        try:
            amount = amount_of(one.find("Amt"), currency, place)
            signed = amount.mills * sign_of(one, place) if amount.mills else 0
        except Refusal as refusal:
            rejections.append(refusal.rejection)
            doubts.append(refusal.rejection)
            continue
        day = _day(first_text(one, "Dt/Dt", "Dt/DtTm"), place, doubts)
        found.append(StatementBalance(code.upper(), signed, amount.currency, day))
    return found


def _booked_balances(
    balances: list[StatementBalance],
) -> tuple[StatementBalance | None, StatementBalance | None]:
    """(opening, closing). Two interim balances bound a page; a single one is the balance so far."""
    interim = [balance for balance in balances if balance.code == _INTERIM]
    opening = _first(balances, _OPENING) or (interim[0] if len(interim) > 1 else None)
    return opening, _first(balances, _CLOSING) or (interim[-1] if interim else None)


def _first(balances: list[StatementBalance], codes: tuple[str, ...]) -> StatementBalance | None:
    return next((balance for code in codes for balance in balances if balance.code == code), None)


def _of_the_account(
    balance: StatementBalance | None, account: _Account, where: str, doubts: list[Notice]
) -> StatementBalance | None:
    """A balance in another currency than the account's stays among ``balances`` and is no balance of it."""
    if balance is None or balance.currency == account.currency:
        return balance
    params = {"currency": account.currency or "-"}
    doubts.append(Notice("bank_currencies_mixed", where, f"{balance.code} {balance.currency}", params))
    return None


# -- entries ---------------------------------------------------------------------------------------------


def _entry_lines(
    element: etree._Element, where: str, number: int, account: _Account, notices: list[Notice]
) -> list[BankTransaction]:
    """The lines of one entry: its transactions where their amounts prove it, else one. Raises Refusal."""
    amount = amount_of(element.find("Amt"), account.currency, where)
    entry = _Entry(
        element=element,
        where=where,
        number=number,
        mills=amount.mills * sign_of(element, where),
        currency=amount.currency,
        status=_status(element, account.kind),
        account=account,
    )
    # Version 1 has the transactions directly below the entry.
    details = [*element.iterfind("NtryDtls/TxDtls"), *element.iterfind("TxDtls")]
    booking = _day(day_text(element, "BookgDt"), where, notices)
    value = _day(day_text(element, "ValDt"), where, notices)
    if len(details) > 1:
        lines = _split(entry, details) or [_unsplit(entry, details, notices)]
    elif details:
        lines = [_line(entry, details[0], entry.mills, 1)]
        _compare(entry, details[0], notices)
    else:
        count = first_text(element, "NtryDtls/Btch/NbOfTxs", "Btch/NbOfTxs") or "1"
        lines = [_line(entry, None, entry.mills, int(count) if count.isdecimal() else 1)]
    lines = [replace(line, booking_date=booking, value_date=value) for line in lines]
    return lines


def _status(element: etree._Element, kind: str) -> str:
    stated = first_text(element, "Sts/Cd", "Sts", "Sts/Prtry")
    if stated:
        return stated.upper()
    # Only a report of the day may hold what is not booked, so that only there silence is no booking.
    return "INFO" if kind == INTRADAY else "BOOK"


def _split(entry: _Entry, details: list[etree._Element]) -> list[BankTransaction]:
    """One line per transaction; empty if an amount is absent or their sum is not the entry's.

    Each has its own sign, or that of the entry. Some banks state the signs of the payments that came back
    instead: there all amounts add up with the sign of the entry.
    """
    stated = [_own_amount(one, entry.currency) for one in details]
    unsigned = [amount.mills for amount in stated if amount is not None]
    if len(unsigned) < len(details):
        return []
    booked_sign = 1 if entry.mills >= 0 else -1
    signs = [sign_if_stated(one) or booked_sign for one in details]
    amounts = [sign * mills for sign, mills in zip(signs, unsigned, strict=True)]
    if sum(amounts) != entry.mills:
        amounts = [booked_sign * mills for mills in unsigned]
    if sum(amounts) != entry.mills:
        return []
    return [_line(entry, one, mills, len(details)) for one, mills in zip(details, amounts, strict=True)]


def _own_amount(details: etree._Element, currency: str) -> StatedAmount | None:
    """The amount of a transaction in the currency of its entry."""
    for path in ("Amt", "AmtDtls/TxAmt/Amt", "AmtDtls/InstdAmt/Amt"):
        amount = amount_if_readable(details.find(path), currency)
        if amount is not None and amount.currency == currency:
            return amount
    return None


def _compare(entry: _Entry, details: etree._Element, notices: list[Notice]) -> None:
    """Say it where the only transaction of an entry states another amount than the booked one."""
    stated = _own_amount(details, entry.currency)
    if stated is not None and stated.mills != abs(entry.mills):
        params = {
            "booked": decimal_text(abs(entry.mills), entry.currency),
            "stated": decimal_text(stated.mills, entry.currency),
        }
        notices.append(Notice("bank_amounts_differ", entry.where, "", params))


def _unsplit(entry: _Entry, details: list[etree._Element], notices: list[Notice]) -> BankTransaction:
    """A batch as one line: with the texts of all its transactions, and of their fields what all share."""
    notices.append(Notice("bank_batch_not_split", entry.where, "", {"count": len(details)}))
    lines = [_line(entry, one, entry.mills, len(details)) for one in details]
    first = lines[0]
    shared = {
        name: getattr(first, name)
        for name in BankTransaction.__slots__
        if all(getattr(line, name) == getattr(first, name) for line in lines)
    }
    blank = BankTransaction(1, None, entry.mills, entry.currency)
    shared["fields"] = _all_fields(lines)
    texts = dict.fromkeys(line.remittance_text for line in lines if line.remittance_text)
    numbers = dict.fromkeys(number for line in lines for number in line.document_refs)
    return replace(
        blank, **{**shared, "remittance_text": " ".join(texts), "document_refs": tuple(numbers), "ordinal": 1}
    )


def _all_fields(lines: list[BankTransaction]) -> dict[str, str]:
    """All that is said of the transactions of one line: nothing is lost though no amount belongs to it."""
    found: dict[str, list[str]] = {}
    for line in lines:
        named = {name: getattr(line, name) for name in _OF_EACH}
        for name, text in {**line.fields, **named}.items():
            if text:
                found.setdefault(name, []).append(text)
    texts = {name: "; ".join(dict.fromkeys(values)) for name, values in found.items()}
    shared = {name for name in _OF_EACH if len({getattr(line, name) for line in lines}) == 1}
    return {name: text for name, text in texts.items() if name not in shared}


def _line(entry: _Entry, details: etree._Element | None, mills: int, size: int) -> BankTransaction:
    """One line with the amount given. ``details``: its TxDtls, if the entry has any."""
    element = entry.element
    is_reversal = (text_of(element, "RvslInd") or "").lower() in ("true", "1")
    line = BankTransaction(
        ordinal=1,
        booking_date=None,
        amount_mills=mills,
        currency=entry.currency,
        entry=entry.number,
        entry_size=size,
        status=entry.status,
        code=transaction_code(element),
        is_reversal=is_reversal,
        bank_reference=reference(text_of(element, "AcctSvcrRef")),
        remittance_text=one_line(text_of(element, "AddtlNtryInf")),
        charges_mills=(charges_mills(element, entry.currency) or 0) if size == 1 else 0,
        fields=_fields(element, None),
    )
    return line if details is None else _with_details(line, entry, details)


def _with_details(line: BankTransaction, entry: _Entry, details: etree._Element) -> BankTransaction:
    reason = first_text(
        details, "RtrInf/Rsn/Cd", "RtrInf/Rsn/Prtry", "RtrInf/RtrRsn/Cd", "RtrInf/RtrRsn/Prtry"
    )
    is_return = line.is_reversal or reason is not None
    party = _counterparty(details, line.amount_mills, is_return, entry.account)
    remittance = one_line(
        *texts_of(details, "RmtInf/Ustrd"),
        *texts_of(details, "RmtInf/Strd/AddtlRmtInf"),
    )
    original = amount_if_readable(details.find("AmtDtls/InstdAmt/Amt"), None) or amount_if_readable(
        details.find("Amt"), None
    )
    if original is not None and (original.currency == line.currency or not original.mills):
        original = None
    charges = charges_mills(details, line.currency)
    creditor_references = (
        *texts_of(details, "RmtInf/Strd/CdtrRefInf/Ref"),
        *texts_of(details, "RmtInf/Strd/CdtrRefInf/CdtrRef"),
    )
    own_reference = reference(text_of(details, "Refs/AcctSvcrRef"))
    return replace(
        line,
        code=transaction_code(details) or line.code,
        bank_reference=own_reference or line.bank_reference,
        customer_reference=reference(first_text(details, "Refs/InstrId", "Refs/PmtInfId")),
        end_to_end_id=reference(text_of(details, "Refs/EndToEndId")),
        transaction_id=reference(text_of(details, "Refs/TxId")),
        mandate_id=reference(text_of(details, "Refs/MndtId")),
        creditor_reference=creditor_references[0] if creditor_references else None,
        counterparty_name=party.name,
        counterparty_iban=party.iban,
        counterparty_bic=party.bic,
        counterparty_tax_code=party.tax_code,
        ultimate_name=party.ultimate_name,
        remittance_text=remittance or one_line(text_of(details, "AddtlTxInf")) or line.remittance_text,
        document_refs=(
            *texts_of(details, "RmtInf/Strd/RfrdDocInf/Nb"),
            *texts_of(details, "RmtInf/Strd/RfrdDocInf/RfrdDocNb"),
        ),
        return_reason=reason,
        return_text=joined(details, "RtrInf/AddtlInf") or joined(details, "RtrInf/AddtlRtrRsnInf"),
        charges_mills=line.charges_mills if charges is None else charges,
        original_mills=original.mills if original else None,
        original_currency=original.currency if original else None,
        fields=_fields(entry.element, details)
        | _if_said("party_id", party.other_id)
        | _if_said("party_account", party.account)
        | _if_said("creditor_references", " ".join(creditor_references[1:])),
    )


def _counterparty(details: etree._Element, mills: int, is_return: bool, account: _Account) -> Party:
    """The other side: who pays a credit, who receives a debit.

    In a return the parties keep the roles of the payment that came back, so that they stand the other way
    round. Where the account shows that the side found is our own, it is the other one.
    """
    sides = ("Dbtr", "Cdtr") if (mills >= 0) != is_return else ("Cdtr", "Dbtr")
    first, second = (party_of(details, side) for side in sides)
    is_first_ours = _is_ours(first, account)
    if first.is_known and not is_first_ours:
        return first
    if not second.is_known or _is_ours(second, account) or _has_our_name(second, account):
        return Party()
    # A name alone, where the other side is silent, may be ours as the bank writes it.
    return second if is_first_ours or second.iban or second.account else Party()


def _is_ours(party: Party, account: _Account) -> bool:
    number = party.iban or party.account
    return number == account.number if number else _has_our_name(party, account)


def _has_our_name(party: Party, account: _Account) -> bool:
    return bool(party.name and account.owner and party.name.casefold() == account.owner.casefold())


def _fields(element: etree._Element, details: etree._Element | None) -> dict[str, str]:
    """What has no field of its own, by the names of the standard, as written."""
    found: dict[str, str] = {}
    for name in ("NtryRef", "AcctSvcrRef", "AddtlNtryInf"):
        found |= _if_said(name, text_of(element, name))
    found |= _if_said("BkTxCd.Prtry", text_of(element, "BkTxCd/Prtry/Cd"))
    for name in ("MsgId", "PmtInfId"):
        found |= _if_said(f"Btch.{name}", first_text(element, f"NtryDtls/Btch/{name}", f"Btch/{name}"))
    if details is not None:
        for reference_ in details.iterfind("Refs/*"):
            if len(reference_) == 0:
                found |= _if_said(f"Refs.{local_name(reference_)}", reference_.text)
        for name in ("AddtlTxInf", "Purp/Cd", "Purp/Prtry"):
            found |= _if_said(name.replace("/", "."), text_of(details, name))
        found |= _if_said("InstdAmt", text_of(details, "AmtDtls/InstdAmt/Amt"))
    return found


def _if_said(name: str, text: str | None) -> dict[str, str]:
    return {name: text.strip()} if text and text.strip() else {}


def _day(text: str | None, where: str, notices: list[Notice]) -> date | None:
    try:
        return iso_date(text)
    except ValueError:
        notices.append(Notice("bank_date_unreadable", where, text or "", {"value": text or ""}))
        return None
