"""What is open before each bank line, if everything before it was applied rightly. Amounts in cents.

The books of a company that applies its cash on the day of the bank's booking, with the truth at hand: the
engine alone is measured on them, and what a perfect reader could know.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from saldo.simulation.cash_trial.truth import PAYS, Truth
from saldo.simulation.world.tables import Tables

# Differences that the desk closes with the payment; a discount that nobody granted stays open for a while.
CLOSED_AT_ONCE = ("charges", "rounding")


@dataclass(slots=True)
class OpenLine:
    """An installment or credit with its balance (signed like it). closed: the day it was settled.

    is_collected: it is, or will be, in a receipt or direct debit; no transfer pays it unless it comes back.
    """

    installment_id: int
    company_id: int
    account_id: int
    customer_id: int
    invoice_id: int
    kind: str
    number: str
    issued: date
    due: date
    no: int
    order: str
    cents: int
    balance: int
    closed: date | None = None
    is_collected: bool = False
    presented: date | None = None


class Books:
    """The lines that are open, day by day. ``advance`` and ``apply`` only go forward."""

    def __init__(self, t: Tables, first: date, truths: dict[int, Truth]) -> None:
        """The books on the morning of ``first``; truths: the transfers from then on."""
        self._truths = truths
        self._lines = {line.installment_id: line for line in _lines(t)}
        self._known: dict[int, OpenLine] = {}
        self._by_account: dict[int, list[OpenLine]] = {}
        # Money on account comes with its transfer; of what came before ``first``, with the ERP's line.
        with_transfer = {truth.on_account for truth in truths.values()}
        self._issues = sorted((x.issued, x.installment_id) for x in self._lines.values())
        self._issues = [each for each in self._issues if each[1] not in with_transfer]
        self._next_issue = 0
        self._events = sorted(_events(t, first))
        self._next_event = 0

    def advance(self, day: date) -> None:
        """To the morning of ``day``: issued up to it, and everything but transfers that is known by then."""
        while self._next_issue < len(self._issues) and self._issues[self._next_issue][0] <= day:
            self._take_in(self._lines[self._issues[self._next_issue][1]])
            self._next_issue += 1
        while self._next_event < len(self._events) and self._events[self._next_event][0] <= day:
            when, installment, cents, what = self._events[self._next_event]
            line = self._lines[installment]
            if what == "presented":
                line.is_collected, line.presented = True, when
            elif what == "returned":
                line.is_collected, line.presented = False, None
            else:
                self._move(line, cents, when)
            self._next_event += 1

    def apply(self, payment_id: int) -> None:
        """Book a transfer as it was meant."""
        truth = self._truths[payment_id]
        day = truth.booking_date
        # What was booked on the world's last day has no line of the ERP yet.
        if truth.kind != PAYS and truth.on_account in self._lines:
            self._take_in(self._lines[truth.on_account])
        at_once = truth.meant_kind in CLOSED_AT_ONCE
        for installment, cents in truth.paid.items():
            more = truth.meant.get(installment, 0) if at_once else 0
            self._move(self._lines[installment], cents + more, day)
        for installment, cents in truth.credits.items():
            self._move(self._lines[installment], -cents, day)

    def line(self, installment: int) -> OpenLine:
        return self._lines[installment]

    def of_account(self, account: int) -> list[OpenLine]:
        """Lines of an account that are issued, open or settled."""
        return self._by_account.get(account, [])

    def open(self, company: int | None = None) -> Iterator[OpenLine]:
        for line in self._known.values():
            if line.balance and company in (None, line.company_id):
                yield line

    def closed_since(self, day: date, company: int | None = None) -> Iterator[OpenLine]:
        for line in self._known.values():
            if not line.balance and line.closed and line.closed >= day and company in (None, line.company_id):
                yield line

    def _take_in(self, line: OpenLine) -> None:
        self._known[line.installment_id] = line
        self._by_account.setdefault(line.account_id, []).append(line)

    def _move(self, line: OpenLine, cents: int, day: date) -> None:
        line.balance -= cents
        line.closed = day if line.balance == 0 else None


def _lines(t: Tables) -> Iterator[OpenLine]:
    joined = (
        t.installments.join(
            t.invoices.select("invoice_id", "kind", "number", "date", "order_number"), on="invoice_id"
        )
        .join(t.accounts.select("account_id", "company_id", "customer_id", "method"), on="account_id")
        .sort("installment_id")
    )
    for row in joined.iter_rows(named=True):
        yield OpenLine(
            row["installment_id"], row["company_id"], row["account_id"], row["customer_id"],
            row["invoice_id"], row["kind"], row["number"], row["date"], row["due_date"], row["no"],
            row["order_number"], row["cash_cents"], row["cash_cents"],
            is_collected=row["kind"] == "invoice" and row["method"] != "transfer" and row["cash_cents"] > 0,
        )  # fmt: skip


def _events(t: Tables, first: date) -> Iterator[tuple[date, int, int, str]]:
    """(day, installment, cents, what): what moves lines beside the transfers from ``first`` on.

    What came by bank counts from its booking day; what the office did (credits set off, write-offs) from the
    day after it. A transfer takes its small differences with it.
    """
    transfers = t.payments.filter((pl.col("kind") == "transfer") & (pl.col("booking_date") >= first))
    meant = (
        t.payment_lines.filter(pl.col("kind").is_in(list(CLOSED_AT_ONCE)))
        .join(t.payments.select("payment_id", "booking_date"), on="payment_id")
        .select("installment_id", "amount_cents", effective_date="booking_date")
        .with_columns(kind=pl.lit("write_off"))
    )
    ours = t.postings.join(transfers.select("payment_id"), on="payment_id", how="anti")
    small = ours.join(
        meant.filter(pl.col("effective_date") >= first),
        on=["installment_id", "amount_cents", "effective_date", "kind"],
        how="anti",
    )
    by_bank = pl.col("payment_id").is_not_null() | (pl.col("posted_date") < first)
    when = pl.when(by_bank).then("effective_date").otherwise(pl.col("posted_date") + timedelta(days=1))
    for row in small.select(when.alias("when"), "installment_id", "amount_cents").iter_rows():
        yield (*row, "moved")
    for presented, installment, returned in t.receipts.select(
        "presented_date", "installment_id", "returned_date"
    ).iter_rows():
        yield (presented, installment, 0, "presented")
        if returned is not None:
            yield (returned, installment, 0, "returned")
