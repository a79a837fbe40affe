"""Our bank accounts and what the banks said of them: accounts, statements, and where they have holes."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Count

from saldo.cash.models import BankAccount, BankTransaction, Statement
from saldo.core.calendar import is_banking_day
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.money import to_mills
from saldo.formats.bank_records import BOOKED, INTRADAY

# A booked line may be posted unless its statement waits for a person. For queries over cash_banktransaction t
# joined with cash_statement s.
POSTABLE_SQL = """t.kind = 'booked' AND (NOT s.is_quarantined OR EXISTS
    (SELECT 1 FROM cash_statementrelease r WHERE r.statement_id = s.id))"""
# A shorter number is no evidence of an account.
_MIN_NUMBER = 5
# How many silent days between two statements are named one by one.
_MAX_SILENT_DAYS = 31
_CONFIRMED_WITHIN_DAYS = 7


@dataclass(frozen=True, slots=True)
class BankAccountRow:
    id: int
    company_id: int
    company_code: str
    name: str
    iban: str
    bic: str
    abi: str
    cab: str
    number: str
    currency: str
    sia: str
    creditor_id: str

    @property
    def label(self) -> str:
        """How people call it: its name and the end of its number."""
        digits = self.iban or self.number
        return f"{self.name} …{digits[-4:]}" if self.name else digits


@dataclass(frozen=True, slots=True)
class StatementRow:
    """A statement as it was kept. new_lines: those that no earlier statement had brought."""

    id: int
    bank_account_id: int
    kind: str
    number: str
    sequence: str
    from_date: date | None
    to_date: date | None
    opening_mills: int | None
    opening_date: date | None
    closing_mills: int | None
    closing_date: date | None
    currency: str
    is_quarantined: bool
    difference_mills: int | None
    lines: int
    new_lines: int
    document_id: int | None
    recorded_at: datetime
    released_at: datetime | None
    released_by: str
    release_note: str
    is_late: bool = False

    @property
    def waits(self) -> bool:
        """Whether a person must look before its lines are posted."""
        return self.is_quarantined and self.released_at is None

    @property
    def first_day(self) -> date | None:
        return self.from_date or self.opening_date or self.closing_date

    @property
    def last_day(self) -> date | None:
        return self.to_date or self.closing_date


@dataclass(frozen=True, slots=True)
class Hole:
    """Between two statements of an account. difference_mills: opening of the next less closing of the one
    before; zero where nothing moved, and then the banking days without a statement are only silent."""

    after_id: int
    before_id: int
    after_date: date | None
    before_date: date | None
    difference_mills: int
    days: tuple[date, ...]

    @property
    def is_gap(self) -> bool:
        return self.difference_mills != 0


@dataclass(frozen=True, slots=True)
class AccountContinuity:
    """What is known of one account. last_date: until when, without a gap or not."""

    account: BankAccountRow
    statements: tuple[StatementRow, ...]
    holes: tuple[Hole, ...]
    first_date: date | None
    last_date: date | None
    balance_mills: int | None

    @property
    def gaps(self) -> tuple[Hole, ...]:
        return tuple(hole for hole in self.holes if hole.is_gap)

    @property
    def waiting(self) -> tuple[StatementRow, ...]:
        return tuple(one for one in self.statements if one.waits)


# --- accounts ---------------------------------------------------------------------------------------


def account_row(account: BankAccount) -> BankAccountRow:
    return BankAccountRow(
        account.id, account.company_id, account.company.code, account.name, account.iban, account.bic,
        account.abi, account.cab, account.number, account.currency, account.sia, account.creditor_id,
    )  # fmt: skip


def bank_accounts(ctx: Context) -> list[BankAccountRow]:
    """Our accounts, of the context's company if it is limited to one."""
    found = BankAccount.objects.select_related("company").order_by("company__code", "id")
    if ctx.company_id is not None:
        found = found.filter(company_id=ctx.company_id)
    return [account_row(account) for account in found]


def bank_account(account_id: int) -> BankAccountRow:
    """Raises SaldoError("bank_account_unknown")."""
    found = BankAccount.objects.select_related("company").filter(id=account_id).first()
    if found is None:
        raise SaldoError("bank_account_unknown", account=account_id)
    return account_row(found)


def accounts_named(
    accounts: Sequence[BankAccountRow], written: str, currency: str | None
) -> list[BankAccountRow]:
    """The accounts that a statement names, in whatever spelling; one where the name is clear.

    The best spelling that fits decides: IBAN, national number (BBAN), bank + branch + number, number alone
    with the bank's code or the currency beside it or not. Where a number is that of several accounts, the
    statement's currency may tell them apart.
    """
    whole = _compact(written)
    parts = [part for part in (_compact(part) for part in re.split(r"[/\s]", written)) if part]
    for spelling in (_iban_spellings, _bban_spellings, _branch_spellings, _number_spellings):
        found = [
            one
            for one in accounts
            if any(_is_named(known, whole, parts, one.currency) for known in spelling(one))
        ]
        if len(found) > 1 and currency:
            found = [one for one in found if one.currency == currency] or found
        if found:
            return found
    return []


def _is_named(known: str, whole: str, parts: Sequence[str], currency: str) -> bool:
    """Whether the number ``known`` is what is written: as a whole, or as a part, leading zeros aside."""
    if len(known) < _MIN_NUMBER:
        return False
    spellings = {known, known.lstrip("0")}
    written = {whole, *parts}
    written |= {text.removesuffix(currency) for text in written}
    return bool(spellings & {text for one in written for text in (one, one.lstrip("0"))})


def _compact(text: str) -> str:
    return re.sub(r"[^0-9A-Z]", "", text.upper())


def _iban_spellings(account: BankAccountRow) -> tuple[str, ...]:
    return (account.iban, f"{account.bic}{account.iban}") if account.iban else ()


def _bban_spellings(account: BankAccountRow) -> tuple[str, ...]:
    return (account.iban[4:],) if account.iban else ()


def _branch_spellings(account: BankAccountRow) -> tuple[str, ...]:
    """Bank, branch and number run together: the slashes are gone by now, and leading zeros may be too."""
    if not account.abi or not account.number:
        return ()
    numbers = (account.number, account.number.lstrip("0"))
    return tuple(f"{account.abi}{account.cab}{number}" for number in numbers) + tuple(
        f"{account.abi}{number}" for number in numbers
    )


def _number_spellings(account: BankAccountRow) -> tuple[str, ...]:
    return (account.number,) if account.number else ()


# --- statements -------------------------------------------------------------------------------------


def statements_of(account_id: int, kind: str | None = None) -> list[StatementRow]:
    """The account's statements by day; is_late: it came after a statement of later days."""
    found = Statement.objects.filter(bank_account_id=account_id).select_related("release")
    if kind is not None:
        found = found.filter(kind=kind)
    rows = list(found.annotate(new_lines=Count("transactions")).order_by("id"))
    latest: date | None = None
    told = []
    for one in rows:
        day = one.to_date or one.closing_date
        is_late = one.kind == BOOKED and day is not None and latest is not None and day < latest
        if one.kind == BOOKED and day is not None:
            latest = max(day, latest or day)
        told.append(_statement_row(one, is_late))
    return sorted(told, key=lambda row: (row.last_day or date.min, row.first_day or date.min, row.id))


def statement(statement_id: int) -> StatementRow:
    """Raises SaldoError("statement_unknown")."""
    found = (
        Statement.objects.filter(id=statement_id)
        .select_related("release")
        .annotate(new_lines=Count("transactions"))
        .first()
    )
    if found is None:
        raise SaldoError("statement_unknown", statement=statement_id)
    return _statement_row(found, False)


def _statement_row(one: Any, is_late: bool) -> StatementRow:
    release = getattr(one, "release", None)
    return StatementRow(
        id=one.id,
        bank_account_id=one.bank_account_id,
        kind=one.kind,
        number=one.number,
        sequence=one.sequence,
        from_date=one.from_date,
        to_date=one.to_date,
        opening_mills=_mills(one.opening),
        opening_date=one.opening_date,
        closing_mills=_mills(one.closing),
        closing_date=one.closing_date,
        currency=one.currency,
        is_quarantined=one.is_quarantined,
        difference_mills=_mills(one.difference),
        lines=one.lines,
        new_lines=one.new_lines,
        document_id=one.document_id,
        recorded_at=one.recorded_at,
        released_at=release.recorded_at if release else None,
        released_by=release.actor if release else "",
        release_note=release.note if release else "",
        is_late=is_late,
    )


def _mills(amount: Any) -> int | None:
    return None if amount is None else to_mills(amount)


def continuity(ctx: Context, account_id: int | None = None) -> list[AccountContinuity]:
    """Each account with its statements, the gaps between them, and the days that no statement speaks of."""
    chosen = bank_accounts(ctx) if account_id is None else [bank_account(account_id)]
    return [_continuity(account) for account in chosen]


def _continuity(account: BankAccountRow) -> AccountContinuity:
    rows = statements_of(account.id)
    booked = [row for row in rows if row.kind == BOOKED and not row.waits]
    days = [day for row in booked for day in (row.first_day, row.last_day) if day is not None]
    closings = [row for row in booked if row.closing_mills is not None]
    return AccountContinuity(
        account=account,
        statements=tuple(rows),
        holes=tuple(holes(booked)),
        first_date=min(days, default=None),
        last_date=max(days, default=None),
        balance_mills=closings[-1].closing_mills if closings else None,
    )


def holes(statements: Iterable[StatementRow]) -> list[Hole]:
    """What lies between statements that state their balances, in order of days.

    One that begins within the days known already overlaps them and shows no gap; one that begins on their
    last day and goes further must begin with a balance of that day. Of several that begin on one day, the one
    that goes on from the last balance comes first.
    """
    waiting = [row for row in statements if row.opening_mills is not None and row.closing_mills is not None]
    waiting = [row for row in waiting if row.first_day is not None and row.last_day is not None]
    waiting.sort(key=lambda row: (row.first_day or date.min, row.last_day or date.min, row.id))
    balances: dict[date | None, set[int | None]] = defaultdict(set)
    found: list[Hole] = []
    last: StatementRow | None = None
    while waiting:
        row = next(
            (one for one in waiting if _is_beside(one, waiting[0]) and last and _goes_on(one, last)),
            waiting[0],
        )
        waiting.remove(row)
        if last is not None and (hole := _hole(last, row, row.opening_mills in balances[row.first_day])):
            found.append(hole)
        balances[row.first_day].add(row.opening_mills)
        balances[row.last_day].add(row.closing_mills)
        reached = last.last_day if last else None
        is_further = reached is None or (row.last_day or date.min) > reached
        if last is None or is_further or (row.last_day == reached and _goes_on(row, last)):
            last = row
    return found


def _is_beside(row: StatementRow, other: StatementRow) -> bool:
    return row.first_day == other.first_day


def _goes_on(row: StatementRow, last: StatementRow) -> bool:
    return row.opening_mills == last.closing_mills


def _hole(last: StatementRow, row: StatementRow, is_known_balance: bool) -> Hole | None:
    """What is missing between the statement that reaches furthest and the next one."""
    reached, begins = last.last_day, row.first_day
    if reached is None or begins is None or begins < reached:
        return None
    if begins == reached and (is_known_balance or row.last_day == reached):
        return None
    days = _banking_days_between(reached, begins)
    difference = (row.opening_mills or 0) - (last.closing_mills or 0)
    return Hole(last.id, row.id, reached, begins, difference, days) if days or difference else None


def _banking_days_between(after: date | None, before: date | None) -> tuple[date, ...]:
    if after is None or before is None:
        return ()
    span = min((before - after).days, _MAX_SILENT_DAYS + 1)
    days = (after + timedelta(days=offset) for offset in range(1, span))
    return tuple(day for day in days if is_banking_day(day))


def intraday_lines(account_id: int, since: date) -> list[dict[str, Any]]:
    """Lines of the day's reports since a day, each with the booked line that confirms it, or none yet.

    Booked lines confirm one line each: same amount within a week, and the same bank's reference, end-to-end
    id or text.
    """
    columns = ("id", "kind", "booking_date", "amount", "currency", "payer_name", "text",
               "bank_reference", "end_to_end_id")  # fmt: skip
    lines = BankTransaction.objects.filter(
        bank_account_id=account_id, kind__in=[INTRADAY, BOOKED], booking_date__gte=since
    ).order_by("booking_date", "id")
    rows = list(lines.values(*columns))
    booked = [row for row in rows if row["kind"] == BOOKED]
    used: set[int] = set()
    told = []
    for row in (row for row in rows if row["kind"] == INTRADAY):
        match = next((one for one in booked if one["id"] not in used and _confirms(one, row)), None)
        if match is not None:
            used.add(match["id"])
        told.append(row | {"confirmed_by": match["id"] if match else None})
    return told


def _confirms(booked: dict[str, Any], line: dict[str, Any]) -> bool:
    days = abs((booked["booking_date"] - line["booking_date"]).days)
    if booked["amount"] != line["amount"] or days > _CONFIRMED_WITHIN_DAYS:
        return False
    return any(
        booked[name] and booked[name] == line[name] for name in ("bank_reference", "end_to_end_id", "text")
    )


# --- for the operations -----------------------------------------------------------------------------


def lines_of_days(account: BankAccountRow, kinds: Sequence[str], first: date, last: date) -> list[Any]:
    """(statement_id, waits, kind, booking_date, amount in mills, bank_reference, key) of what is stored."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT t.statement_id,
                s.is_quarantined AND NOT EXISTS
                    (SELECT 1 FROM cash_statementrelease r WHERE r.statement_id = s.id),
                t.kind, t.booking_date, (t.amount * 1000)::bigint, t.bank_reference, t.key
            FROM cash_banktransaction t JOIN cash_statement s ON s.id = t.statement_id
            WHERE t.bank_account_id = %s AND t.company_id = %s AND t.kind = ANY(%s)
                AND t.booking_date BETWEEN %s AND %s
            """,
            [account.id, account.company_id, list(kinds), first, last],
        )
        return list(cursor.fetchall())


def spans_of(statement_ids: Sequence[int]) -> list[tuple[Any, ...]]:
    """(id, first and last day of its lines, opening and closing in mills) of booked statements."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT s.id, min(t.booking_date), max(t.booking_date),
                (s.opening * 1000)::bigint, (s.closing * 1000)::bigint
            FROM cash_statement s JOIN cash_banktransaction t ON t.statement_id = s.id
            WHERE s.id = ANY(%s) AND s.kind = 'booked' GROUP BY s.id
            """,
            [list(statement_ids)],
        )
        return list(cursor.fetchall())


def same_statement(account_id: int, kind: str, head: str) -> list[Statement]:
    """Statements that the bank names alike (``head``), the newest last."""
    found = Statement.objects.filter(bank_account_id=account_id, kind=kind, identity__startswith=f"{head}#")
    return list(found.select_related("release").order_by("id"))


def superseding(statement_id: int) -> int | None:
    """A statement that counts and has a line of this one, if there is one."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT other.statement_id
            FROM cash_banktransaction mine
            JOIN cash_banktransaction other ON other.bank_account_id = mine.bank_account_id
                AND other.kind = mine.kind AND other.booking_date = mine.booking_date
                AND other.amount = mine.amount AND other.bank_reference = mine.bank_reference
                AND other.statement_id > mine.statement_id
                AND regexp_replace(other.key, '/[0-9]+$', '') = regexp_replace(mine.key, '/[0-9]+$', '')
            JOIN cash_statement s ON s.id = other.statement_id
            WHERE mine.statement_id = %s AND (NOT s.is_quarantined OR EXISTS
                (SELECT 1 FROM cash_statementrelease r WHERE r.statement_id = s.id))
            ORDER BY 1 LIMIT 1
            """,
            [statement_id],
        )
        row = cursor.fetchone()
    return None if row is None else int(row[0])
