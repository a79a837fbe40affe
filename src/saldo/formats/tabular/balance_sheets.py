"""Balance sheets from a table: one row per company and year, amounts in units of the currency."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import polars as pl

from saldo.core.errors import Rejection
from saldo.formats.credit_records import LINES, BalanceSheet, balance_notices
from saldo.formats.tabular.dates import YEARS
from saldo.formats.tabular.mapping import Mapping
from saldo.formats.tabular.read import RawTable
from saldo.formats.tabular.rows import Sheet

# Tables give cents or whole units: three figures are compared, each rounded by itself to a unit.
TOLERANCE_MILLS = 3_000
_YEAR = re.compile(r"([0-9]{4})(?:[.,]0+)?")


def to_balance_sheets(raw: RawTable, mapping: Mapping) -> tuple[list[BalanceSheet], list[Rejection]]:
    """The balance sheets and the refused rows, in addition to ``raw.rejections``.

    A year alone means its 31 December. A blank cell is a line not given, never zero. Columns that the
    mapping does not name are kept in ``facts`` where their cell is an amount.
    """
    sheet = Sheet(raw, mapping, LINES)
    party = sheet.identity()
    lines = {name: sheet.mills(name).to_list() for name in LINES}
    employees = sheet.numbers("employees")
    currencies = sheet.currencies()
    ends = _period_ends(sheet)
    facts = {column: (raw.frame[column].to_list(), sheet.is_amount(column).to_list())
             for column in sheet.unmapped()}  # fmt: skip
    records: list[BalanceSheet] = []
    for at in sheet.kept():
        end = ends[at]
        assert end is not None
        figures = {name: mills[at] for name, mills in lines.items() if mills[at] is not None}
        row = sheet.rows[at]
        records.append(
            BalanceSheet(
                period_end=end,
                currency=currencies[at],
                lines=figures,
                tax_code=party["tax_code"][at],
                vat=party["vat"][at],
                customer_code=party["customer_code"][at],
                name=party["customer_name"][at],
                employees=employees[at],
                facts=_facts(facts, at),
                row=row,
                position=len(records) + 1,
                notices=tuple(balance_notices(figures, currencies[at], TOLERANCE_MILLS, f"row {row}", row)),
            )
        )
    return records, sheet.rejections()


def _facts(facts: dict[str, tuple[list[Any], list[bool]]], at: int) -> dict[str, str]:
    return {column: texts[at].strip() for column, (texts, is_amount) in facts.items() if is_amount[at]}


def _period_ends(sheet: Sheet) -> list[date | None]:
    """The closing day of each row; the rows without one, or with a year that is none, are refused."""
    ends: list[date | None] = sheet.days("period_end").to_list()
    years = sheet.texts("year")
    unreadable = []
    for at, text in enumerate(years):
        match = _YEAR.fullmatch(text) if text else None
        is_year = match is not None and int(match[1]) in YEARS
        unreadable.append(text is not None and not is_year)
        if ends[at] is None and match is not None and is_year:
            ends[at] = date(int(match[1]), 12, 31)
    sheet.check(pl.Series(unreadable, dtype=pl.Boolean), "year_unreadable", "year")
    missing = pl.Series([end is None for end in ends], dtype=pl.Boolean)
    sheet.check(missing, "missing_period", "period_end" if sheet.has("period_end") else "year")
    return ends
