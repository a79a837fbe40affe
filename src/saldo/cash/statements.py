"""Changes of our bank accounts and of what banks and payers sent: accounts, statements, releases, advices."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import polars as pl
from django.db import IntegrityError, connection, transaction
from stdnum import iban as iban_numbers

from saldo.cash.banks import (
    BankAccountRow,
    account_row,
    lines_of_days,
    same_statement,
    spans_of,
    statement,
    superseding,
)
from saldo.cash.models import BankAccount, Remittance, Statement, StatementRelease
from saldo.cash.statement_lines import (
    LINE_SCHEMA,
    LineClass,
    PreparedLines,
    Span,
    class_of_key,
    digest,
    fresh_lines,
    neighbors,
    prepared_lines,
)
from saldo.core.context import Context
from saldo.core.errors import Rejection, SaldoError
from saldo.core.money import CURRENCY_EXPONENTS, decimal_text, from_mills
from saldo.formats.bank_records import BOOKED, BankStatement
from saldo.formats.records import Notice
from saldo.identity.operations import record_event, stamped
from saldo.storage.frames import copy_in
from saldo.storage.locks import retried

NEW = "new"
UNCHANGED = "unchanged"
CONFLICT = "conflict"
_ONCE = frozenset({"statement_once", "bank_transaction_once"})
_DETAILS = {
    "name": 80, "iban": 34, "bic": 11, "abi": 5, "cab": 5, "number": 34, "currency": 3, "sia": 5,
    "creditor_id": 35,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of a statement: NEW, UNCHANGED (it was there), CONFLICT (it was there and said otherwise).

    added: lines that no statement had brought before; known: those that were there.
    """

    outcome: str
    statement_id: int | None = None
    added: int = 0
    known: int = 0
    is_quarantined: bool = False
    notices: list[Notice] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)


# --- accounts ---------------------------------------------------------------------------------------


def add_bank_account(ctx: Context, company_id: int, **details: str) -> BankAccountRow:
    """An account of ours, named by its IBAN or by its bank's numbers (abi, cab, number).

    The same IBAN again gives the account that is there, with the details given. Raises SaldoError:
    iban_invalid, bank_account_unnamed, bank_account_of_other_company, currency_unknown.
    """
    told = _checked_details(details)
    if not told.get("iban") and not told.get("number"):
        raise SaldoError("bank_account_unnamed")

    def work() -> BankAccountRow:
        with transaction.atomic():
            inner = stamped(ctx, company_id)
            account = _account_like(company_id, told)
            if account is None:
                account = BankAccount.objects.create(
                    company_id=company_id, recorded_at=inner.recorded_at, **told
                )
                data = {"iban": account.iban, "number": account.number, "currency": account.currency}
                record_event(inner, "bank.account", "bank_account", account.id, data)
            elif account.company_id != company_id:
                raise SaldoError("bank_account_of_other_company", company=account.company.code)
            else:
                _change(inner, account, told)
            return account_row(account)

    try:
        return retried(work)
    except IntegrityError:  # another one added the same IBAN at this moment
        return retried(work)


def change_bank_account(ctx: Context, account_id: int, **details: str) -> BankAccountRow:
    """Other details of an account. Raises SaldoError: bank_account_unknown and as ``add_bank_account``."""
    told = _checked_details(details)
    with transaction.atomic():
        account = BankAccount.objects.select_for_update(of=("self",)).select_related("company")
        found = account.filter(id=account_id).first()
        if found is None:
            raise SaldoError("bank_account_unknown", account=account_id)
        _change(stamped(ctx, found.company_id), found, told)
        return account_row(found)


def _account_like(company_id: int, told: dict[str, str]) -> BankAccount | None:
    found = BankAccount.objects.select_related("company")
    if told.get("iban"):
        return found.filter(iban=told["iban"]).first()
    names = {name: told.get(name, "") for name in ("abi", "cab", "number")}
    return found.filter(company_id=company_id, currency=told.get("currency", "EUR"), **names).first()


def _change(ctx: Context, account: BankAccount, told: dict[str, str]) -> None:
    changed = {name: text for name, text in told.items() if getattr(account, name) != text}
    if not changed:
        return
    for name, text in changed.items():
        setattr(account, name, text)
    account.save(update_fields=list(changed))
    record_event(ctx, "bank.account", "bank_account", account.id, changed)


def _checked_details(details: dict[str, str]) -> dict[str, str]:
    """The details that say something, compact; an Italian IBAN gives bank, branch and number too."""
    told = {name: (text or "").strip() for name, text in details.items() if (text or "").strip()}
    for name in set(told) - {"name"}:
        told[name] = "".join(told[name].split()).upper()
    for name, text in told.items():
        if len(text) > _DETAILS[name]:
            raise SaldoError("bank_account_detail_too_long", detail=name, limit=_DETAILS[name])
    if "currency" in told and told["currency"] not in CURRENCY_EXPONENTS:
        raise SaldoError("currency_unknown", currency=told["currency"])
    number = told.get("iban", "")
    if number and not iban_numbers.is_valid(number):
        raise SaldoError("iban_invalid", iban=number)
    if number[:2] in ("IT", "SM"):
        told = {"abi": number[5:10], "cab": number[10:15], "number": number[15:]} | told
    return told


# --- statements -------------------------------------------------------------------------------------


def keep_statement(
    ctx: Context,
    account: BankAccountRow,
    told: BankStatement,
    document_id: int | None,
    received_date: date | None = None,
) -> Kept:
    """Keep one statement of an account with the lines that are new, in a transaction of its own.

    The account is locked, so that of two who bring the same statement the second finds it there. Nothing is
    ever overwritten. Events: "bank.statement".
    """
    lines = prepared_lines(told, received_date or ctx.as_of)
    head, identity = _identity(told, lines)

    def whole() -> Kept:
        with transaction.atomic():
            BankAccount.objects.select_for_update(no_key=True).get(id=account.id)
            inner = stamped(ctx, account.company_id)
            earlier = same_statement(account.id, told.kind, head)
            if any(one.identity == identity for one in earlier):
                return Kept(UNCHANGED, known=len(lines.rows))
            # A whole statement may take the place of one that does not add up and nobody released.
            replaces = all(_waits(one) for one in earlier) and not told.is_quarantined
            if earlier and not replaces:
                return Kept(CONFLICT, statement_id=earlier[-1].id)
            return _keep(inner, account, told, lines, identity, document_id)

    try:
        return retried(whole)
    except IntegrityError as error:
        # Where transactions do not see what was committed after they began, the constraints decide.
        name = getattr(getattr(error.__cause__, "diag", None), "constraint_name", None)
        if name not in _ONCE or connection.in_atomic_block:
            raise
        return retried(whole)


def _waits(one: Statement) -> bool:
    return one.is_quarantined and getattr(one, "release", None) is None


def _identity(told: BankStatement, lines: PreparedLines) -> tuple[str, str]:
    """(what the bank names the statement by, that with a digest of its content).

    The name is number, sequence, days and balances, as the bank gives them. One without a number and balances
    (a list of movements) has no name but its content.
    """
    content = digest(*((one.day, one.mills, one.reference, one.digest) for one in lines.classes))
    named = (
        told.number, told.sequence, told.from_date, told.to_date, told.currency, told.opening_mills,
        told.opening_date, told.closing_mills, told.closing_date,
    )  # fmt: skip
    is_named = bool(told.number) or (told.opening_mills is not None and told.closing_mills is not None)
    number = f"{(told.number or '')[:40]}/{(told.sequence or '')[:10]}"
    head = f"{number}/{digest(*named, '' if is_named else content)}"
    return head, f"{head}#{content}"


def _keep(
    ctx: Context,
    account: BankAccountRow,
    told: BankStatement,
    lines: PreparedLines,
    identity: str,
    document_id: int | None,
) -> Kept:
    days = lines.days
    stored = lines_of_days(account, _kinds(lines), *days) if days else []
    known = [(row[0], row[1], class_of_key(row[2], row[3], row[4], row[5], row[6])) for row in stored]
    fresh = fresh_lines(lines.classes, _counted(told, lines, known))
    notices = list(lines.notices)
    where = f"statement {told.position}"
    if fresh.unclear:
        currency = told.currency or account.currency
        amount = decimal_text(lines.classes[fresh.unclear[0]].mills, currency)
        params = {"count": len(fresh.unclear), "amount": amount}
        notices.append(Notice("bank_lines_unclear", where, "", params))
    is_quarantined = told.is_quarantined or lines.is_short or bool(fresh.unclear)
    row = _add_statement(ctx, account, told, lines, identity, document_id, is_quarantined)
    _add_lines(ctx, account, row.id, lines, fresh.lines, [one for _, _, one in known])
    added = len(fresh.lines)
    data = {
        "statement": row.id,
        "kind": told.kind,
        "number": row.number,
        "lines": added,
        "known": len(lines.rows) - added,
        "is_quarantined": is_quarantined,
    }
    day = row.closing_date or row.to_date or (days[1] if days else ctx.as_of)
    record_event(replace(ctx, as_of=day), "bank.statement", "bank_account", account.id, data)
    return Kept(NEW, row.id, added, len(lines.rows) - added, is_quarantined, notices, lines.rejections)


def _kinds(lines: PreparedLines) -> list[str]:
    return sorted({one.kind for one in lines.classes})


def _counted(
    told: BankStatement, lines: PreparedLines, known: Sequence[tuple[int, bool, LineClass]]
) -> list[LineClass]:
    """The stored lines that may be lines of ``told``: not those that wait for a person (a corrected statement
    brings them again), nor those of statements that it goes on from."""
    beside: set[int] = set()
    if told.kind == BOOKED and lines.days is not None:
        spans = [Span(*row) for row in spans_of(sorted({one[0] for one in known}))]
        beside = neighbors(Span(0, *lines.days, told.opening_mills, told.closing_mills), spans)
    return [line for statement_id, waits, line in known if not waits and statement_id not in beside]


def _add_statement(
    ctx: Context,
    account: BankAccountRow,
    told: BankStatement,
    lines: PreparedLines,
    identity: str,
    document_id: int | None,
    is_quarantined: bool,
) -> Statement:
    first, last = lines.days or (None, None)
    difference = told.difference_mills
    return Statement.objects.create(
        bank_account_id=account.id,
        kind=told.kind,
        identity=identity,
        number=(told.number or "")[:40],
        sequence=(told.sequence or "")[:40],
        from_date=told.from_date or first or told.closing_date,
        to_date=told.to_date or told.closing_date or last,
        opening=None if told.opening_mills is None else from_mills(told.opening_mills),
        opening_date=told.opening_date,
        closing=None if told.closing_mills is None else from_mills(told.closing_mills),
        closing_date=told.closing_date,
        currency=(told.currency or account.currency)[:3],
        is_quarantined=is_quarantined,
        difference=None if difference is None else from_mills(difference),
        lines=len(lines.rows),
        document_id=document_id,
        position=told.position,
        recorded_at=ctx.recorded_at,
    )


def _add_lines(
    ctx: Context,
    account: BankAccountRow,
    statement_id: int,
    lines: PreparedLines,
    chosen: Sequence[int],
    stored: Sequence[LineClass],
) -> None:
    """Copy in the chosen lines, each with the next number of its class."""
    if not chosen:
        return
    numbers = Counter(stored)
    rows = []
    for index in chosen:
        line = lines.classes[index]
        numbers[line] += 1
        rows.append(lines.rows[index] | {"key": line.key(numbers[line])})
    frame = pl.DataFrame(rows, schema=LINE_SCHEMA, orient="row").with_columns(
        pl.lit(account.company_id).alias("company_id"),
        pl.lit(account.id).alias("bank_account_id"),
        pl.lit(statement_id).alias("statement_id"),
        pl.lit(str(ctx.recorded_at)).alias("recorded_at"),
    )
    copy_in("cash_banktransaction", frame)


def release_statement(ctx: Context, statement_id: int, note: str) -> None:
    """A person lets the lines of a quarantined statement be posted. Raises SaldoError: statement_unknown,
    statement_not_waiting, statement_superseded (its lines came with a later statement), release_note_missing.
    """
    if not note.strip():
        raise SaldoError("release_note_missing")

    def whole() -> None:
        with transaction.atomic():
            row = statement(statement_id)
            account = BankAccount.objects.select_for_update(no_key=True).get(id=row.bank_account_id)
            row = statement(statement_id)
            if not row.waits:
                raise SaldoError("statement_not_waiting", statement=statement_id)
            if (later := superseding(statement_id)) is not None:
                raise SaldoError("statement_superseded", statement=statement_id, later=later)
            inner = stamped(ctx, account.company_id)
            StatementRelease.objects.create(
                statement_id=statement_id, note=note.strip(), actor=ctx.actor, recorded_at=inner.recorded_at
            )
            data = {"statement": statement_id, "note": note.strip()[:200]}
            record_event(inner, "bank.released", "bank_account", account.id, data)

    retried(whole)


# --- advices of payers ------------------------------------------------------------------------------


def keep_remittances(
    ctx: Context, company_id: int, advices: Sequence[Any], document_id: int | None, received_date: date
) -> tuple[int, int]:
    """Keep what payers say they paid (formats' ``Remittance``); returns how many are new, and how many were
    there. The same words again are the same advice, on whatever medium they come."""

    def whole() -> tuple[int, int]:
        with transaction.atomic():
            inner = stamped(ctx, company_id)
            made = [_remittance(inner, one, company_id, document_id, received_date) for one in advices]
            rows = {row.key: row for row in made}
            known = Remittance.objects.filter(company_id=company_id, key__in=list(rows))
            there = set(known.values_list("key", flat=True))
            new = [row for key, row in rows.items() if key not in there]
            Remittance.objects.bulk_create(new, ignore_conflicts=True)
            if new:
                data = {"new": len(new), "document": document_id}
                record_event(inner, "bank.remittance", "company", company_id, data)
            return len(new), len(advices) - len(new)

    return retried(whole)


def _remittance(
    ctx: Context, advice: Any, company_id: int, document_id: int | None, received_date: date
) -> Remittance:
    lines = [_advice_line(line) for line in advice.lines]
    refs = [number[:60] for number in advice.document_refs]
    payer = advice.payer_vat or advice.payer_iban or advice.payer_name or ""
    said = (payer, advice.payment_date, advice.total_mills, advice.currency, advice.reference)
    return Remittance(
        company_id=company_id,
        key=digest(*said, advice.end_to_end_id, json.dumps(lines, sort_keys=True), *refs),
        medium=advice.medium[:10],
        payer_name=(advice.payer_name or "")[:200],
        payer_vat=(advice.payer_vat or "")[:20],
        payer_tax_code=(advice.payer_tax_code or "")[:20],
        payer_iban=(advice.payer_iban or "")[:34],
        payment_date=advice.payment_date,
        received_date=received_date,
        total=None if advice.total_mills is None else from_mills(advice.total_mills),
        currency=(advice.currency or "")[:3],
        end_to_end_id=(advice.end_to_end_id or "")[:140],
        reference=(advice.reference or "")[:140],
        adds_up=advice.adds_up,
        lines=lines,
        document_refs=refs,
        document_id=document_id,
        recorded_at=ctx.recorded_at,
    )


def _advice_line(line: Any) -> dict[str, Any]:
    return {
        "number": line.number[:60],
        "date": line.document_date.isoformat() if line.document_date else None,
        "paid_mills": line.paid_mills,
        "gross_mills": line.gross_mills,
        "discount_mills": line.discount_mills,
        "is_credit": line.is_credit,
        "reason": (line.reason or "")[:200],
    }
