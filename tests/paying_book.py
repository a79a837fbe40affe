"""Small books for tests: accounts that are invoiced every so often and pay with stated delays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import polars as pl

from saldo.analytics.book import ENDS, ITEMS, ORDERS, PAID, PROMISES, RETURNED, Book

FIRST = date(2024, 1, 10)
TERMS_DAYS = 30


@dataclass
class Writer:
    """Collects items and what happened to them. Payments are known the day after."""

    items: list[tuple[object, ...]] = field(default_factory=list)
    ends: list[tuple[object, ...]] = field(default_factory=list)
    orders: list[tuple[object, ...]] = field(default_factory=list)
    promises: list[tuple[object, ...]] = field(default_factory=list)

    def item(self, account: int, issued: date, mills: int = 1_000_000, method: str = "transfer") -> int:
        number = len(self.items)
        due = issued + timedelta(days=TERMS_DAYS)
        self.items.append((number, account, account, "trade", "EUR", issued, due, mills, method, issued))
        return number

    def due(self, item: int) -> date:
        due = self.items[item][6]
        assert isinstance(due, date)
        return due

    def end(self, item: int, day: date, mills: int | None = None, cause: str = PAID) -> None:
        amount = self.items[item][7] if mills is None else mills
        self.ends.append((item, day, amount, cause, day + timedelta(days=1)))

    def pays(self, item: int, delay: int, until: date | None = None) -> None:
        """Pays ``delay`` days after the due date, unless that is after ``until``."""
        day = self.due(item) + timedelta(days=int(delay))
        if until is None or day <= until:
            self.end(item, day)

    def bounces(self, item: int, after: int = 4) -> None:
        """Credited on the due date, given back some days later."""
        self.end(item, self.due(item))
        amount = self.items[item][7]
        assert isinstance(amount, int)
        self.end(item, self.due(item) + timedelta(days=after), -amount, RETURNED)

    def book(self) -> Book:
        def frame(rows: Sequence[tuple[object, ...]], schema: dict[str, pl.DataType]) -> pl.DataFrame:
            return pl.DataFrame(rows, schema=schema, orient="row")

        return Book(
            frame(self.items, ITEMS),
            frame(self.ends, ENDS),
            orders=frame(self.orders, ORDERS),
            promises=frame(self.promises, PROMISES),
        )


def steady(
    writer: Writer,
    accounts: Sequence[int],
    last: date,
    delay: Callable[[np.random.Generator, int, date], int],
    every_days: int = 20,
    seed: int = 1,
) -> None:
    """Invoices for each account until ``last``; delay(rng, account, due date) in days."""
    rng = np.random.default_rng(seed)
    for account in accounts:
        day = FIRST + timedelta(days=int(rng.integers(0, every_days)))
        while day <= last:
            item = writer.item(account, day)
            writer.pays(item, delay(rng, account, writer.due(item)), last)
            day += timedelta(days=every_days)


def habit(rng: np.random.Generator, account: int, due: date) -> int:
    """Two kinds of payer: on time within days, or some weeks late."""
    return int(rng.normal(2, 2)) if account % 2 else int(max(0, rng.normal(25, 8)))
