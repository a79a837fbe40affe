"""The two real files, imported whole, agree to the cent with an independent computation from their rows."""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from saldo.core.context import Context
from saldo.flows.import_documents import import_file
from saldo.ledger.queries import BUCKET_COLUMNS, projection_differences, totals

pytestmark = pytest.mark.django_db

BOUNDS = {"current": (-99999, 0), "days_1_30": (1, 30), "days_31_60": (31, 60), "days_61_90": (61, 90)}


def _day(text: str, pattern: str) -> date:
    return datetime.strptime(text, pattern).date()


def _ibm_rows(path: Path) -> list[tuple[date, date, date | None, Decimal]]:
    with path.open() as file:
        return [
            (
                _day(row["InvoiceDate"], "%m/%d/%Y"),
                _day(row["DueDate"], "%m/%d/%Y"),
                _day(row["SettledDate"], "%m/%d/%Y"),
                Decimal(row["InvoiceAmount"]),
            )
            for row in csv.DictReader(file)
        ]


def _erp_rows(path: Path) -> list[tuple[date, date, date | None, Decimal]]:
    with path.open() as file:
        return [
            (
                _day(row["posting_date"], "%d-%m-%Y"),
                _day(row["due_in_date"], "%d-%m-%Y"),
                None,
                Decimal(row["converted_usd"]),
            )
            for row in csv.DictReader(file)
        ]


def _bucket(late_days: int) -> str:
    return next((name for name, (low, high) in BOUNDS.items() if low <= late_days <= high), "days_over_90")


FILES = {
    "ibm": ("ibm_late_payments.csv", _ibm_rows, ("2012-06-30", "2013-01-15", "2013-07-01")),
    "erp-open-items": ("erp_open_items.csv", _erp_rows, ("2020-03-15", "2020-04-15", "2020-05-20")),
}


@pytest.mark.parametrize("profile", FILES)
def test_open_overdue_and_aging_agree_to_the_cent(profile: str, shared: Path) -> None:
    name, rows_of, days = FILES[profile]
    path = shared / "data" / name
    now = datetime.now(UTC)
    ctx = Context("test", now.date(), lambda: now)
    result = import_file(ctx, name, path.read_bytes(), "receivables", profile)
    rows = rows_of(path)
    assert (result.done, result.rejections) == (len(rows), [])
    for day in map(date.fromisoformat, days):
        live = [row for row in rows if row[0] <= day and (row[2] is None or row[2] > day)]
        expected = dict.fromkeys(BUCKET_COLUMNS, Decimal(0))
        for _, due, _, amount in live:
            expected[_bucket((day - due).days)] += amount
        found = totals(ctx.at(day), by_account=False)
        assert sum(found["open_mills"]) == sum(expected.values()) * 1000
        assert sum(found["overdue_mills"]) == sum(row[3] for row in live if row[1] < day) * 1000
        assert {bucket: sum(found[f"{bucket}_mills"]) for bucket in BUCKET_COLUMNS} == {
            bucket: value * 1000 for bucket, value in expected.items()
        }
    assert projection_differences() == []
    again = import_file(ctx, name, path.read_bytes(), "receivables", profile)
    assert (again.done, again.unchanged, again.closed) == (0, len(rows), 0)
