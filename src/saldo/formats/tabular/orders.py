"""Sales orders from a table: one row per order, or per line of an order."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl

from saldo.core.errors import Rejection
from saldo.formats.credit_records import (
    CANCELLED,
    DELIVERED,
    INVOICED,
    OPEN,
    UNKNOWN,
    OrderLine,
    SalesOrder,
)
from saldo.formats.records import Notice
from saldo.formats.tabular.headers import normalized
from saldo.formats.tabular.mapping import Mapping
from saldo.formats.tabular.read import RawTable
from saldo.formats.tabular.rows import Sheet

_MONEY = ("amount", "delivered_not_invoiced")
_WORDS = {
    OPEN: "aperto aperta inevaso inevasa confermato confermata daevadere open confirmed pending",
    DELIVERED: "evaso evasa consegnato consegnata spedito spedita delivered shipped fulfilled",
    INVOICED: "fatturato fatturata invoiced billed",
    CANCELLED: "annullato annullata cancellato cancellata cancelled canceled",
}
STATUS_OF = {word: status for status, words in _WORDS.items() for word in words.split()}
_Key = tuple[str | None, ...]
_Columns = dict[str, list[Any]]


def to_orders(raw: RawTable, mapping: Mapping) -> tuple[list[SalesOrder], list[Rejection]]:
    """The orders and the refused rows, in addition to ``raw.rejections``.

    Rows with the same company, customer, number and currency are lines of one order. An order of which a row
    was refused carries a notice, because its amount is then too low. A state in unknown words is "unknown".
    """
    sheet = Sheet(raw, mapping, _MONEY)
    sheet.check(sheet.chunk.cells("number").is_null(), "missing_number", "number")
    party = sheet.identity(vat="customer_vat")
    amounts = sheet.mills("amount")
    sheet.check(amounts.is_null(), "missing_amount", "amount")
    columns: _Columns = {
        **party,
        "company_code": sheet.texts("company_code"),
        "number": sheet.texts("number"),
        "line": sheet.texts("line"),
        "status": sheet.texts("status"),
        "currency": sheet.currencies(),
        "order_date": sheet.days("order_date").to_list(),
        "delivery_date": sheet.days("delivery_date").to_list(),
        "amount": amounts.to_list(),
        "not_invoiced": sheet.mills("delivered_not_invoiced").to_list(),
    }
    _check_lines_once(sheet, columns)
    groups: dict[_Key, list[int]] = {}
    for at in sheet.kept():
        groups.setdefault(_key(columns, at), []).append(at)
    short = {(columns["number"][at], columns["customer_code"][at]) for at in sheet.refused_for_good()}
    orders = [_order(sheet, columns, rows, short) for rows in groups.values()]
    return orders, sheet.rejections()


def _key(columns: _Columns, at: int) -> _Key:
    names = ("company_code", "customer_code", "customer_vat", "customer_name", "number", "currency")
    known = [columns[name][at] for name in names]
    if known[1] or known[2]:  # the name may be written in several ways
        known[3] = None
    return tuple(None if value is None else str(value) for value in known)


def _check_lines_once(sheet: Sheet, columns: _Columns) -> None:
    """Two rows that claim the same line of the same order: which one holds cannot be told."""
    rows: dict[_Key, list[int]] = {}
    for at in sheet.kept():
        if columns["line"][at] is not None:
            rows.setdefault((*_key(columns, at), str(columns["line"][at])), []).append(at)
    twice = {at for group in rows.values() if len(group) > 1 for at in group}
    mask = pl.Series([at in twice for at in range(len(sheet.rows))], dtype=pl.Boolean)
    sheet.check(mask, "order_line_twice", "line")


def _order(sheet: Sheet, columns: _Columns, rows: list[int], short: set[tuple[Any, Any]]) -> SalesOrder:
    first = rows[0]
    notices: list[Notice] = []
    lines = tuple(_line(sheet, columns, at, notices) for at in rows)

    def text(name: str) -> str | None:
        return next((str(columns[name][at]) for at in rows if columns[name][at] is not None), None)

    if (columns["number"][first], columns["customer_code"][first]) in short:
        row = sheet.rows[first]
        notices.append(Notice("order_row_refused", f"row {row}", sheet.excerpts[first], {}, row))
    days = [day for at in rows if isinstance(day := columns["order_date"][at], date)]
    return SalesOrder(
        number=text("number") or "",
        currency=text("currency") or "",
        lines=lines,
        company_code=text("company_code"),
        customer_code=text("customer_code"),
        customer_vat=text("customer_vat"),
        customer_name=text("customer_name"),
        order_date=min(days, default=None),
        notices=tuple(notices),
    )


def _line(sheet: Sheet, columns: _Columns, at: int, notices: list[Notice]) -> OrderLine:
    amount, rest, day = columns["amount"][at], columns["not_invoiced"][at], columns["delivery_date"][at]
    assert isinstance(amount, int)
    written = columns["status"][at]
    word = normalized(str(written or ""))
    status = sheet.mapping.statuses.get(word) or STATUS_OF.get(word, UNKNOWN)
    row = sheet.rows[at]
    if status == UNKNOWN and written is not None:
        params = {"status": str(written)[:60]}
        notices.append(Notice("order_status_unknown", f"row {row}", sheet.excerpts[at], params, row))
    line = columns["line"][at]
    return OrderLine(
        row=row,
        line=None if line is None else str(line),
        amount_mills=amount,
        delivery_date=day if isinstance(day, date) else None,
        status=status,
        status_text=None if written is None else str(written),
        not_invoiced_mills=rest if isinstance(rest, int) else None,
    )
