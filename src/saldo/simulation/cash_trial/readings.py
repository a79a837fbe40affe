"""What the perfect reader says of every transfer of a span, with right books before each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import polars as pl

from saldo.simulation.cash_trial.books import Books
from saldo.simulation.cash_trial.ceiling import Reader, Record, Seen
from saldo.simulation.cash_trial.feed import by_day, seen_lines
from saldo.simulation.cash_trial.truth import PAYS, RIGHT, WRONG, Truth, truths, verdict
from saldo.simulation.world.tables import Tables

NOTHING = "none"


@dataclass(frozen=True, slots=True)
class Read:
    """verdict: RIGHT, WRONG or NOTHING; of a line that belongs to no open item nothing is RIGHT."""

    verdict: str
    why: str
    is_bounded: bool


def readings(t: Tables, since: date, first: date, last: date) -> dict[int, Read]:
    """The transfers from ``first`` to ``last``, by payment. since: when the reader began to keep a record."""
    known = truths(t, since, last)
    seen = seen_lines(t, since, last)
    books, record = Books(t, since, known), names_on_record(t)
    reader = Reader(books, record)
    found: dict[int, Read] = {}
    for day, lines in by_day(seen.values()).items():
        books.advance(day)
        for line in lines:
            truth = known[line.payment_id]
            if day >= first:
                found[line.payment_id] = _judged(reader, line, truth)
            books.apply(line.payment_id)
            record.learn(line, [books.line(item).account_id for item in truth.paid])
    return found


def _judged(reader: Reader, line: Seen, truth: Truth) -> Read:
    read = reader.read(line)
    if not read.shares:
        return Read(NOTHING if truth.kind == PAYS else RIGHT, read.why, read.is_bounded)
    is_right = verdict(truth, read.shares) == RIGHT
    return Read(RIGHT if is_right else WRONG, read.why, read.is_bounded)


def names_on_record(t: Tables) -> Record:
    """What a company's books say of its customers' names."""
    record = Record()
    named = t.accounts.join(t.customers.select("customer_id", "name"), on="customer_id")
    for account, company, name in named.select("account_id", "company_id", pl.col("name")).iter_rows():
        record.name(company, name, account)
    return record
