"""Entries of camt messages: what the bank books, and the transactions that explain it.

An entry is one line, or one line per transaction where the amounts of these prove the split.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date

from saldo.core.money import decimal_text
from saldo.formats._bank_checks import (
    MAX_TEXT_CHARS,
    StatedAmount,
    iso_date,
    one_line,
    reference,
    text_too_long,
)
from saldo.formats._camt_fields import (
    Party,
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
from saldo.formats._camt_tree import Node, text_of, texts_of
from saldo.formats.bank_records import INTRADAY, BankTransaction
from saldo.formats.records import Notice

_COUNT = re.compile(r"[1-9][0-9]{0,8}")
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
class Account:
    """What a statement says of itself that its entries need."""

    kind: str
    number: str
    owner: str | None
    currency: str | None


@dataclass(frozen=True, slots=True)
class _Entry:
    """One booked amount: signed mills, and what holds for all its transactions."""

    element: Node
    where: str
    number: int
    mills: int
    currency: str
    status: str
    account: Account
    fields: dict[str, str]


def entry_lines(
    element: Node,
    where: str,
    number: int,
    account: Account,
    notices: list[Notice],
    doubts: list[Notice],
    lines_before: int,
) -> list[BankTransaction]:
    """The lines of one entry: its transactions where their amounts prove it, else one. Raises Refusal.

    doubts: what puts the statement in quarantine: a booking date that is none.
    """
    amount = amount_of(element.find("Amt"), account.currency, where)
    entry = _Entry(
        element=element,
        where=where,
        number=number,
        mills=amount.mills * sign_of(element, where),
        currency=amount.currency,
        status=_status(element, account.kind),
        account=account,
        # Read once: a search among the children of a batch passes over all its transactions.
        fields=_entry_fields(element),
    )
    # Version 1 has the transactions directly below the entry.
    details = [*element.iterfind("NtryDtls/TxDtls"), *element.iterfind("TxDtls")]
    booking = day_of(day_text(element, "BookgDt"), where, doubts)
    value = day_of(day_text(element, "ValDt"), where, notices)
    if len(details) > 1:
        lines = _split(entry, details) or [_unsplit(entry, details, notices)]
    elif details:
        lines = [_line(entry, details[0], entry.mills, 1)]
        _compare(entry, details[0], notices)
    else:
        count = first_text(element, "NtryDtls/Btch/NbOfTxs", "Btch/NbOfTxs") or "1"
        size = int(count) if _COUNT.fullmatch(count) else 1
        lines = [_line(entry, None, entry.mills, size)]
    return [
        replace(line, ordinal=lines_before + at, booking_date=booking, value_date=value)
        for at, line in enumerate(lines, start=1)
    ]


def _status(element: Node, kind: str) -> str:
    stated = first_text(element, "Sts/Cd", "Sts", "Sts/Prtry")
    if stated:
        return stated.upper()
    # Only a report of the day may hold what is not booked, so that only there silence is no booking.
    return "INFO" if kind == INTRADAY else "BOOK"


def _split(entry: _Entry, details: list[Node]) -> list[BankTransaction]:
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


def _own_amount(details: Node, currency: str) -> StatedAmount | None:
    """The amount of a transaction in the currency of its entry."""
    for path in ("Amt", "AmtDtls/TxAmt/Amt", "AmtDtls/InstdAmt/Amt"):
        amount = amount_if_readable(details.find(path), currency)
        if amount is not None and amount.currency == currency:
            return amount
    return None


def _compare(entry: _Entry, details: Node, notices: list[Notice]) -> None:
    """Say it where the only transaction of an entry states another amount than the booked one."""
    stated = _own_amount(details, entry.currency)
    if stated is not None and stated.mills != abs(entry.mills):
        params = {
            "booked": decimal_text(abs(entry.mills), entry.currency),
            "stated": decimal_text(stated.mills, entry.currency),
        }
        notices.append(Notice("bank_amounts_differ", entry.where, "", params))


def _unsplit(entry: _Entry, details: list[Node], notices: list[Notice]) -> BankTransaction:
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


def _line(entry: _Entry, details: Node | None, mills: int, size: int) -> BankTransaction:
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
        fields=entry.fields,
    )
    return line if details is None else _with_details(line, entry, details)


def _with_details(line: BankTransaction, entry: _Entry, details: Node) -> BankTransaction:
    reason = first_text(
        details, "RtrInf/Rsn/Cd", "RtrInf/Rsn/Prtry", "RtrInf/RtrRsn/Cd", "RtrInf/RtrRsn/Prtry"
    )
    is_return = line.is_reversal or reason is not None
    party = _counterparty(details, line.amount_mills, is_return, entry.account)
    texts = (*texts_of(details, "RmtInf/Ustrd"), *texts_of(details, "RmtInf/Strd/AddtlRmtInf"))
    if sum(map(len, texts)) > MAX_TEXT_CHARS:
        raise text_too_long(entry.where, texts[0])
    remittance = one_line(*texts)
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
        fields=entry.fields
        | _details_fields(details)
        | _if_said("party_id", party.other_id)
        | _if_said("party_account", party.account)
        | _if_said("creditor_references", " ".join(creditor_references[1:])),
    )


def _counterparty(details: Node, mills: int, is_return: bool, account: Account) -> Party:
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


def _is_ours(party: Party, account: Account) -> bool:
    number = party.iban or party.account
    return number == account.number if number else _has_our_name(party, account)


def _has_our_name(party: Party, account: Account) -> bool:
    return bool(party.name and account.owner and party.name.casefold() == account.owner.casefold())


def _entry_fields(element: Node) -> dict[str, str]:
    """What an entry says that has no field of its own, by the names of the standard, as written."""
    found: dict[str, str] = {}
    for name in ("NtryRef", "AcctSvcrRef", "AddtlNtryInf"):
        found |= _if_said(name, text_of(element, name))
    found |= _if_said("BkTxCd.Prtry", text_of(element, "BkTxCd/Prtry/Cd"))
    for name in ("MsgId", "PmtInfId"):
        found |= _if_said(f"Btch.{name}", first_text(element, f"NtryDtls/Btch/{name}", f"Btch/{name}"))
    return found


def _details_fields(details: Node) -> dict[str, str]:
    """The same of one transaction."""
    found: dict[str, str] = {}
    for reference_ in details.iterfind("Refs/*"):
        if not reference_.children:
            found |= _if_said(f"Refs.{reference_.tag}", reference_.text)
    for name in ("AddtlTxInf", "Purp/Cd", "Purp/Prtry"):
        found |= _if_said(name.replace("/", "."), text_of(details, name))
    return found | _if_said("InstdAmt", text_of(details, "AmtDtls/InstdAmt/Amt"))


def _if_said(name: str, text: str | None) -> dict[str, str]:
    return {name: text.strip()} if text and text.strip() else {}


def day_of(text: str | None, where: str, notices: list[Notice]) -> date | None:
    try:
        return iso_date(text)
    except ValueError:
        notices.append(Notice("bank_date_unreadable", where, text or "", {"value": text or ""}))
        return None
