"""Movement lists that banks give as CSV or Excel: one statement per account, proven by its balances.

A list has no end and no sum of its own. What proves it is the running balance of each line, or the balances
before and after that the profile names; a list without either is read, and says that nothing proves it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from typing import Any

import polars as pl
from stdnum import iban

from saldo.core.errors import Rejection
from saldo.core.money import decimal_text
from saldo.formats._bank_checks import checked, one_line, reference, without_twins
from saldo.formats.bank_records import BOOKED, BankStatement, BankTransaction, StatementBalance
from saldo.formats.records import Notice
from saldo.formats.tabular.bank_labels import (
    Labelled,
    account_text,
    has_side,
    label_mask,
    labelled,
    split,
)
from saldo.formats.tabular.headers import normalized
from saldo.formats.tabular.mapping import Mapping
from saldo.formats.tabular.read import RawTable
from saldo.formats.tabular.rows import Sheet

_MONEY = ("amount", "in", "out", "balance")
_DATES = ("booking_date", "value_date")
# A list of two equal payments is not a list of one payment, twice.
_LEAST_HALF = 2


@dataclass(frozen=True, slots=True)
class _Row:
    """One movement and what proves it: the balance after it, if the list gives one."""

    line: BankTransaction
    row: int
    balance_mills: int | None
    excerpt: str


def to_statements(raw: RawTable, mapping: Mapping) -> tuple[list[BankStatement], list[Rejection]]:
    """The statements, and the refused rows: those of ``raw`` that are no balances among them."""
    table, loose = split(raw, mapping)
    sheet = Sheet(table, mapping, _MONEY, keeps_copies=True)
    columns = _columns(sheet)
    said = labelled(
        loose, mapping, (sheet.decimal, sheet.thousands), _position(sheet, "out"), _position(sheet, "balance")
    )
    groups: dict[str, list[_Row]] = {}
    for at in sheet.kept():
        account = columns["account"][at] or said.account or ""
        groups.setdefault(account, []).append(_row(sheet, columns, at))
    rejections = sorted([*table.rejections, *sheet.rejections()], key=lambda one: one.row)
    if not groups:
        groups = {said.account or mapping.values.get("account") or "": []}
    statements = [
        _statement(
            table,
            mapping.values.get("currency"),
            account,
            rows,
            said,
            len(groups) == 1,
            len(rejections),
            position,
        )
        for position, (account, rows) in enumerate(groups.items(), start=1)
    ]
    return list(without_twins(statements)), rejections


def _position(sheet: Sheet, canonical: str) -> int:
    column = sheet.chunk.columns.get(canonical)
    return sheet.raw.columns.index(column) if column else -1


# -- rows ------------------------------------------------------------------------------------------------


def _columns(sheet: Sheet) -> dict[str, list[Any]]:
    """Every column read by its type; rows that cannot be read are noted in ``sheet``."""
    booking = sheet.days("booking_date")
    sheet.check(booking.is_null(), "bank_booking_date_missing", "booking_date")
    amounts = _amounts(sheet)
    sheet.check(amounts.is_null(), "missing_amount", "amount" if sheet.has("amount") else "in")
    if "currency" not in sheet.mapping.values:
        sheet.check(sheet.chunk.cells("currency").is_null(), "bank_currency_missing", "currency")
    sheet.check(label_mask(sheet.raw, sheet.mapping), "bank_balance_line_unclear", "text")
    names = ("counterparty_name", "counterparty_iban", "bank_reference", "code", "account")
    texts: dict[str, list[Any]] = {name: sheet.texts(name) for name in names}
    texts["account"] = [account_text(text) if text else None for text in texts["account"]]
    return texts | {
        "booking_date": booking.to_list(),
        "value_date": sheet.days("value_date").to_list(),
        "amount": amounts.to_list(),
        "balance": _signed(sheet, "balance").to_list(),
        "currency": sheet.currencies(),
        "text": _texts(sheet),
        "others": _others(sheet),
    }


def _amounts(sheet: Sheet) -> pl.Series:
    """Signed like the account: positive came in. Null where neither column says anything."""
    if not sheet.has("amount"):
        return _in_and_out(sheet)
    amounts = _signed(sheet, "amount")
    if not sheet.has("sign"):
        return amounts
    marks = [normalized(text or "") or (text or "").strip() for text in sheet.texts("sign")]
    rules = sheet.mapping.amount
    sign_of = {**_signs(rules.credit_values, 1), **_signs(rules.debit_values, -1)}
    signs = pl.Series([sign_of.get(mark) for mark in marks], dtype=pl.Int64)
    sheet.check(signs.is_null(), "bank_sign_missing", "sign")
    # A minus beside the mark of a debit is the same said twice; beside that of a credit, nobody knows.
    sheet.check((amounts < 0) & (signs > 0), "bank_sign_missing", "amount")
    return amounts.abs() * signs


def _signs(values: Sequence[str], sign: int) -> dict[str, int]:
    """ "+" and "-" are signs although they hold no letter."""
    return {normalized(value) or value.strip(): sign for value in values}


def _in_and_out(sheet: Sheet) -> pl.Series:
    """In less out, one of which is filled. Banks write what went out with a minus throughout, or never."""
    came, went = _signed(sheet, "in"), _signed(sheet, "out")
    sheet.check(came < 0, "bank_sign_missing", "in")
    if not (went > 0).any():
        went = -went
    sheet.check(went < 0, "bank_sign_missing", "out")
    sheet.check((came != 0) & (went != 0), "bank_sign_missing", "out")
    return pl.select(
        pl.when(came.is_null() & went.is_null()).then(None).otherwise(came.fill_null(0) - went.fill_null(0))
    ).to_series()


def _signed(sheet: Sheet, canonical: str) -> pl.Series:
    """Amounts of a column; a letter for the side behind them is the account holder's."""
    mills = sheet.mills(canonical)
    if not sheet.has(canonical):
        return mills
    typed = sheet.chunk.marks(canonical)
    cells = sheet.chunk.cells(canonical).to_list()
    marks = typed.to_list() if typed is not None else [False] * len(cells)
    sides = [bool(cell) and not mark and has_side(cell) for cell, mark in zip(cells, marks, strict=True)]
    if not any(sides):
        return mills
    turned = pl.Series(sides, dtype=pl.Boolean)
    return pl.select(pl.when(turned).then(-mills).otherwise(mills)).to_series()


def _texts(sheet: Sheet) -> list[str]:
    """All columns of text that the file has, in the order of the profile; equal ones once."""
    wanted = [normalized(header) or header for header in sheet.mapping.columns.get("text", ())]
    by_header: dict[str, str] = {}
    for column in sheet.raw.columns:
        by_header.setdefault(normalized(column) or column, column)
    columns = dict.fromkeys(by_header[header] for header in wanted if header in by_header)
    if not columns:
        return [""] * len(sheet.rows)
    return [one_line(*dict.fromkeys(cells)) for cells in sheet.raw.frame.select(list(columns)).iter_rows()]


def _others(sheet: Sheet) -> list[dict[str, str]]:
    """The columns that the profile gives no meaning, by their headers."""
    text_headers = {normalized(header) for header in sheet.mapping.columns.get("text", ())}
    columns = [column for column in sheet.unmapped() if normalized(column) not in text_headers]
    if not columns:
        return [{} for _ in sheet.rows]
    return [
        {column: cell.strip() for column, cell in zip(columns, cells, strict=True) if cell and cell.strip()}
        for cells in sheet.raw.frame.select(columns).iter_rows()
    ]


def _row(sheet: Sheet, columns: dict[str, list[Any]], at: int) -> _Row:
    number = (columns["counterparty_iban"][at] or "").replace(" ", "").upper()
    is_iban = iban.is_valid(number)
    line = BankTransaction(
        ordinal=1,
        booking_date=columns["booking_date"][at],
        amount_mills=columns["amount"][at],
        currency=columns["currency"][at],
        value_date=columns["value_date"][at],
        code=columns["code"][at],
        bank_reference=reference(columns["bank_reference"][at]),
        counterparty_name=one_line(columns["counterparty_name"][at]) or None,
        counterparty_iban=number if is_iban else None,
        remittance_text=columns["text"][at],
        fields=columns["others"][at] | ({"counterparty_account": number} if number and not is_iban else {}),
    )
    return _Row(line, sheet.rows[at], columns["balance"][at], sheet.excerpts[at] or "")


# -- statements ------------------------------------------------------------------------------------------


def _statement(
    raw: RawTable,
    constant: str | None,
    account: str,
    rows: list[_Row],
    said: Labelled,
    is_only: bool,
    refused_rows: int,
    position: int,
) -> BankStatement:
    where = f"statement {position}"
    doubts = [_unclear(row.line, ";".join(row.cells)) for row in said.unclear]
    if _is_twice(rows):
        doubts.append(Notice("bank_rows_twice", where, rows[len(rows) // 2].excerpt))
    rows = _oldest_first(rows)
    doubts += _breaks(rows, where)
    currencies = {row.line.currency for row in rows}
    currency = rows[0].line.currency if len(currencies) == 1 else None if rows else constant
    opening, closing = _running(rows)
    if is_only:
        opening = _stated(said.opening_mills, opening, "opening", where, doubts)
        closing = _stated(said.closing_mills, closing, "closing", where, doubts)
    if currency is None and rows:
        found = " ".join(sorted(currencies))
        doubts.append(Notice("bank_currencies_mixed", where, found, {"currency": rows[0].line.currency}))
    if closing is None and not raw.is_ended:
        doubts.append(Notice("bank_statement_cut", where, ""))
    days = [row.line.booking_date for row in rows if row.line.booking_date]
    first, last = min(days, default=None), max(days, default=None)
    return checked(
        BankStatement(
            kind=BOOKED,
            account=account,
            currency=currency,
            transactions=tuple(
                replace(row.line, ordinal=at, entry=at) for at, row in enumerate(rows, start=1)
            ),
            from_date=first,
            to_date=last,
            opening_mills=opening,
            opening_date=first if opening is not None else None,
            closing_mills=closing,
            closing_date=last if closing is not None else None,
            position=position,
            balances=tuple(_balances(opening, closing, currency, first, last)),
        ),
        refused_rows,
        doubts,
        needs_balances=False,
    )


def _balances(
    opening: int | None, closing: int | None, currency: str | None, first: date | None, last: date | None
) -> list[StatementBalance]:
    if currency is None:
        return []
    stated = (("opening", opening, first), ("closing", closing, last))
    return [StatementBalance(code, mills, currency, day) for code, mills, day in stated if mills is not None]


def _unclear(row: int, excerpt: str) -> Notice:
    return Notice("bank_balance_line_unclear", f"row {row}", excerpt, {}, row)


def _is_twice(rows: Sequence[_Row]) -> bool:
    """Whether the list stands in the file twice, one after the other."""
    half, odd = divmod(len(rows), 2)
    if odd or half < _LEAST_HALF:
        return False
    return all(
        (first.line, first.balance_mills) == (second.line, second.balance_mills)
        for first, second in zip(rows[:half], rows[half:], strict=True)
    )


def _oldest_first(rows: list[_Row]) -> list[_Row]:
    """In the order of time: by the running balances, else by the days. A list may have its newest first."""
    turned = rows[::-1]
    as_given, as_turned = len(_differences(rows)), len(_differences(turned))
    if as_given != as_turned:
        return rows if as_given < as_turned else turned
    days = [row.line.booking_date for row in rows if row.line.booking_date]
    falls = any(later < earlier for earlier, later in pairwise(days))
    rises = any(later > earlier for earlier, later in pairwise(days))
    return turned if falls and not rises else rows


def _differences(rows: Sequence[_Row]) -> list[tuple[_Row, int]]:
    """The rows whose balance is not the one before plus what came since, and what it should have been."""
    found = []
    known: int | None = None
    for row in rows:
        if known is not None:
            known += row.line.amount_mills
        if row.balance_mills is not None:
            if known is not None and known != row.balance_mills:
                found.append((row, known))
            known = row.balance_mills
    return found


def _breaks(rows: Sequence[_Row], where: str) -> list[Notice]:
    differences = _differences(rows)
    if not differences:
        return []
    row, expected = differences[0]
    currency = row.line.currency
    params = {
        "row": row.row,
        "stated": decimal_text(row.balance_mills or 0, currency),
        "expected": decimal_text(expected, currency),
        "count": len(differences),
    }
    return [Notice("bank_running_balance_differs", f"{where}, row {row.row}", row.excerpt, params, row.row)]


def _running(rows: Sequence[_Row]) -> tuple[int | None, int | None]:
    """The balances before the first and after the last row that the running balances make."""
    before = after = 0
    opening = closing = None
    for row in rows:
        before += row.line.amount_mills
        if row.balance_mills is not None:
            opening = row.balance_mills - before
            break
    for row in reversed(rows):
        if row.balance_mills is not None:
            closing = row.balance_mills + after
            break
        after += row.line.amount_mills
    return opening, closing


def _stated(
    stated: tuple[int, ...], running: int | None, name: str, where: str, doubts: list[Notice]
) -> int | None:
    """The balance that the list names; two different ones prove nothing."""
    if len(set(stated)) > 1:
        doubts.append(Notice("bank_field_repeated", where, "", {"field": name}))
    return stated[0] if stated else running
