"""A list of reminders that were sent before Saldo: who was reminded of what, how firmly, when.

Columns are found by their headers: customer code, document number, level and date are needed; installment and
channel may be there. The order of columns does not matter, and other columns are left alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

import polars as pl

from saldo.core.errors import Rejection, SaldoError, clipped
from saldo.formats.tabular.dates import read_date
from saldo.formats.tabular.headers import ROW, normalized
from saldo.formats.tabular.read import RawTable, open_table

HEADERS = {
    "customer_code": "customer customercode customerno customernumber account accountcode cliente "
    "codicecliente codcliente codicecli codcli clientecodice",
    "number": "number document documentnumber documentno invoice invoicenumber invoiceno numero documento "
    "numerodocumento ndocumento fattura numerofattura nfattura numdoc ndoc",
    "installment_no": "installment installmentno installmentnumber rata nrata numerorata scadenza",
    "level": "level reminder reminderlevel dunninglevel livello livellosollecito sollecito nsollecito "
    "numerosollecito",
    "date": "date sent sentdate sentat reminderdate data datasollecito datainvio inviatoil",
    "channel": "channel by canale mezzo",
}
REQUIRED = ("customer_code", "number", "level", "date")
DATES = ("DD/MM/YYYY", "YYYY-MM-DD", "DD.MM.YYYY", "DD-MM-YYYY", "DD/MM/YY")
_NUMERALS = {
    "primo": 1, "first": 1, "secondo": 2, "second": 2, "terzo": 3, "third": 3, "quarto": 4, "fourth": 4,
    "quinto": 5, "fifth": 5,
}  # fmt: skip
MAX_LEVEL = 9
MAX_INSTALLMENT = 999


@dataclass(frozen=True, slots=True)
class ReminderSent:
    """One reminder. installment_no None: of all the document's installments."""

    row: int
    customer_code: str
    number: str
    installment_no: int | None
    level: int
    date: date
    channel: str
    excerpt: str


def read_reminders(data: bytes, name: str) -> tuple[list[ReminderSent], list[Rejection]]:
    """The reminders of a CSV or XLSX file and the refused rows.

    Raises SaldoError where there is no table, or it lacks a column (reminders_columns_missing).
    """
    raw = open_table(data, name)
    columns = _columns(raw)
    told: list[ReminderSent] = []
    rejections = list(raw.rejections)
    for at, row in enumerate(raw.frame.iter_rows(named=True)):
        excerpt = clipped((raw.delimiter or ";").join(row[name] or "" for name in raw.columns))
        found = _reminder(row, columns, raw.typed, at, excerpt)
        if isinstance(found, ReminderSent):
            told.append(found)
        else:
            code, canonical, value = found
            params = {"column": columns[canonical], "value": value, "dates": ", ".join(DATES)}
            rejections.append(Rejection(code, f"row {row[ROW]}", excerpt, params, int(row[ROW])))
    return told, sorted(rejections, key=lambda one: one.row)


def _columns(raw: RawTable) -> dict[str, str]:
    """canonical name -> header of the file, the first that fits."""
    found: dict[str, str] = {}
    for header in raw.columns:
        word = normalized(header)
        for canonical, words in HEADERS.items():
            if canonical not in found and word in words.split():
                found[canonical] = header
                break
    missing = [name for name in REQUIRED if name not in found]
    if missing:
        wanted = "; ".join(f"{name}: {HEADERS[name].split()[0]}, …" for name in missing)
        raise SaldoError("reminders_columns_missing", missing=wanted, found=", ".join(raw.columns[:20]))
    return found


def _reminder(
    row: dict[str, str], columns: dict[str, str], typed: pl.DataFrame | None, at: int, excerpt: str
) -> ReminderSent | tuple[str, str, str]:
    """The reminder, or why the row is refused: (code, canonical column, its text)."""
    told = {name: (row[header] or "").strip() for name, header in columns.items()}
    for canonical, code in (("customer_code", "missing_customer"), ("number", "missing_number")):
        if not told[canonical]:
            return code, canonical, ""
    level = level_of(told["level"])
    if level is None:
        return "reminder_level_unreadable", "level", told["level"]
    is_typed = typed is not None and bool(typed[columns["date"]][at])
    day = read_date(told["date"], DATES, is_typed)
    if not isinstance(day, date):
        return day or "missing_date", "date", told["date"]
    installment = told.get("installment_no", "")
    if installment and not _is_installment(installment):
        return "reminder_installment_unreadable", "installment_no", installment
    return ReminderSent(
        row=int(row[ROW]),
        customer_code=told["customer_code"],
        number=told["number"],
        installment_no=int(installment.split(".")[0]) if installment else None,
        level=level,
        date=day,
        channel=told.get("channel", "").lower()[:20],
        excerpt=excerpt,
    )


def _is_installment(text: str) -> bool:
    return bool(re.fullmatch(r"\d{1,3}(?:\.0+)?", text)) and 1 <= int(text.split(".")[0]) <= MAX_INSTALLMENT


def level_of(text: str) -> int | None:
    """The level that a cell tells: "2", "2.0", "2° sollecito", "secondo sollecito"; None for another one.

    >>> level_of("2° sollecito")
    2
    """
    words = text.casefold().split()
    digits = re.findall(r"\d+", re.sub(r"\.0+\b", "", text))
    if len(digits) == 1:
        level = int(digits[0]) if len(digits[0]) <= 2 else MAX_LEVEL + 1
    elif digits:
        return None
    else:
        level = next((_NUMERALS[word] for word in words if word in _NUMERALS), MAX_LEVEL + 1)
    return level if 0 <= level <= MAX_LEVEL else None
