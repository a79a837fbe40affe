"""Small books of receivables for tests of the payment-date models: made of formulas, the same every time."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl

from saldo.analytics.book import ENDS, ITEMS, PAID, Book

START = date(2024, 1, 1)


def book_of_rows(rows: list[dict[str, object]], ends: list[dict[str, object]], **further: object) -> Book:
    """A book of items and ends given as rows; extra columns of the items by ``extra``."""
    extra = tuple(further.pop("extra", ()))  # type: ignore[arg-type]
    items = pl.DataFrame(rows, schema_overrides=ITEMS) if rows else pl.DataFrame(schema=ITEMS)
    return Book(
        items.select(*ITEMS, *extra),
        pl.DataFrame(ends, schema=ENDS) if ends else pl.DataFrame(schema=ENDS),
        extra=extra,
        **further,  # type: ignore[arg-type]
    )


def item(number: int, account: int, issued: date, terms: int = 30, mills: int = 100_000) -> dict[str, object]:
    return {
        "item_id": number, "account_id": account, "customer_id": account, "segment": "IT", "currency": "EUR",
        "document_date": issued, "due_date": issued + timedelta(days=terms), "amount_mills": mills,
        "method": None, "known_date": issued,
    }  # fmt: skip


def end(number: int, day: date, mills: int = 100_000, cause: str = PAID) -> dict[str, object]:
    return {"item_id": number, "end_date": day, "amount_mills": mills, "cause": cause, "known_date": day}


def habits(items: int, accounts: int = 20, days: int = 600, seed: int = 1, until: date | None = None) -> Book:
    """Every account has its own delay, from 10 days before to 20 after the due date, and its own spread.

    What would be paid after ``until`` is open. Every customer gets an invoice at even intervals.
    """
    random = np.random.default_rng(seed)
    habit = np.linspace(-10, 20, accounts)
    spread = np.linspace(2, 6, accounts)
    rows, ends = [], []
    for number in range(items):
        account = number % accounts
        issued = START + timedelta(days=int(number * days / items))
        delay = round(habit[account] + spread[account] * random.normal())
        mills = int(1_000 * random.integers(50, 5_000))
        rows.append(item(number + 1, account + 1, issued, mills=mills))
        paid = max(issued + timedelta(days=30 + delay), issued)
        if until is None or paid <= until:
            ends.append(end(number + 1, paid, mills))
    return book_of_rows(rows, ends)
