"""What the checks of a simulated year take as told by the bank's files."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import pytest

from saldo.simulation.outreach_trial.run import owed_lines, under_way
from saldo.simulation.world import tables
from saldo.simulation.world.tables import Tables

WEDNESDAY = date(2026, 3, 11)


def world(**rows: list[dict[str, Any]]) -> Tables:
    """Two invoices of one customer, 100 and 200 euro, and what else is told."""
    base: dict[str, list[dict[str, Any]]] = {
        "invoices": [{"invoice_id": n, "account_id": 0, "number": f"{31 + n}/26"} for n in (0, 1)],
        "installments": [
            {"installment_id": n, "invoice_id": n, "account_id": 0, "due_date": date(2026, 2, 1),
             "cash_cents": 10_000 * (n + 1)} for n in (0, 1)
        ],
        "accounts": [{"account_id": 0, "customer_id": 0, "method": "transfer"}],
    }  # fmt: skip
    frames = {}
    for name in Tables.__slots__:
        schema = getattr(tables, name.upper())
        told = (base | rows).get(name, [])
        frames[name] = pl.DataFrame([{key: row.get(key) for key in schema} for row in told], schema=schema)
    return Tables(**frames)


def transfer(text: str, *cents: int, day: date = date(2026, 3, 10)) -> dict[str, list[dict[str, Any]]]:
    """A transfer that pays so much of each invoice."""
    payment = {
        "payment_id": 1,
        "kind": "transfer",
        "booking_date": day,
        "text": text,
        "creditor_reference": "",
    }
    lines = [
        {"payment_id": 1, "installment_id": n, "kind": "paid", "amount_cents": amount}
        for n, amount in enumerate(cents)
        if amount
    ]
    return {"payments": [payment], "payment_lines": lines}


@pytest.mark.parametrize(
    ("text", "cents", "told"),
    [
        ("SALDO FT 31/26", (10_000, 0), (True, True)),
        ("ACCONTO FT 31/26", (4_000, 0), (True, True)),
        ("FT 31/26 E 32/26", (10_000, 20_000), (True, True)),
        # Both are named and the amount is that of neither: how it is split, the customer alone knows.
        ("FT 31/26 E 32/26", (4_000, 5_000), (False, False)),
        ("SALDO ESTRATTO CONTO", (10_000, 0), (False, True)),
    ],
)
def test_what_a_transfer_tells(text: str, cents: tuple[int, int], told: tuple[bool, bool]) -> None:
    lines = owed_lines(world(**transfer(text, *cents)), WEDNESDAY).sort("installment_id")
    assert lines["owed_cents"].to_list() == [10_000 - cents[0], 20_000 - cents[1]]
    assert tuple(lines["is_told"]) == told


def test_a_transfer_of_today_is_not_told_yet() -> None:
    lines = owed_lines(world(**transfer("FT 31/26", 10_000, day=WEDNESDAY)), WEDNESDAY)
    assert sorted(lines["owed_cents"]) == [10_000, 20_000]


@pytest.mark.parametrize(
    ("kind", "presented", "returned", "is_under_way"),
    [
        ("riba", date(2026, 3, 2), None, True),
        ("riba", date(2026, 3, 10), None, False),  # told tomorrow
        ("riba", date(2026, 3, 2), date(2026, 3, 11), True),  # told tomorrow
        ("riba", date(2026, 3, 2), date(2026, 3, 10), False),  # the return was in this morning's statement
        ("sdd", date(2026, 3, 2), None, False),
    ],
)
def test_what_is_under_way(kind: str, presented: date, returned: date | None, is_under_way: bool) -> None:
    row = {"receipt_id": 0, "kind": kind, "installment_id": 0, "presented_date": presented,
           "returned_date": returned}  # fmt: skip
    assert under_way(world(receipts=[row]), WEDNESDAY) == ({0} if is_under_way else set())
