"""A simulated world of companies that sell to companies: made from a seed, advanced day by day, and asked.

The same seed gives the same world, whatever is asked in between; see docs/rules/simulated-world.md.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl

from saldo.core.calendar import add_months
from saldo.simulation.draws import Draws
from saldo.simulation.world import days, parties
from saldo.simulation.world.balance_sheets import balance_sheets
from saldo.simulation.world.behavior import Customers, make_intentions, numbers
from saldo.simulation.world.credits import issue_note, schedule_notes, use_credit
from saldo.simulation.world.office import messages_of_the_past, resolve, write_off
from saldo.simulation.world.parameters import Parameters, Size, load
from saldo.simulation.world.payments import (
    Receipts,
    collect,
    pay_for_nothing,
    pay_transfers,
    refund,
    take_back,
)
from saldo.simulation.world.ratings import ratings
from saldo.simulation.world.receipts import make_receipts
from saldo.simulation.world.respond import respond
from saldo.simulation.world.sales import make_sales
from saldo.simulation.world.state import State
from saldo.simulation.world.tables import Tables

# Of two messages of one kind to one account the one about the older lines is heard first.
_HEARD_BY = ("account_id", "channel", "tone", "purpose", pl.col("installments").list.min())


class World:
    """What is true, up to ``today``. ``advance`` lets days pass; ``respond`` tells what was sent."""

    def __init__(self, p: Parameters, size: Size, seed: int, first: date, last: date) -> None:
        """A world from ``first`` on in which sales are made until ``last``; nothing has happened yet."""
        draws = Draws(seed)
        self.first_day = first
        self._companies = parties.companies(p, draws)
        self._banks = parties.banks(p, draws)
        self._customers = parties.customers(p, draws, size, first, last)
        self._contacts = parties.contacts(p, draws, self._customers, first, last)
        self._payer_banks = parties.payer_banks(p, draws, self._customers, first, last)
        self._accounts = parties.accounts(p, draws, self._customers, size, first)
        self._balance_sheets = balance_sheets(p, draws, self._customers, self._accounts, first, last)
        self._ratings = ratings(p, draws, self._customers, self._accounts, first, last)
        start, end = days.number(first), days.number(last)
        self._sales = make_sales(p, draws, size, self._customers, self._accounts, start, end)
        behavior = Customers.of(p, self._customers)
        lines = make_intentions(p, draws, behavior, self._accounts, self._sales, start)
        self._state = State(
            p, draws, behavior, self._customers, self._payer_banks, self._accounts, self._sales.invoices,
            lines, self._contacts,
        )  # fmt: skip
        self._state.today = start - 1
        self._receipts_frame, bank_day = make_receipts(p, self._accounts, lines)
        self._receipts = _receipts(self._receipts_frame, bank_day)
        special = (self._customers["special"] != "").to_numpy()
        of_invoice = special[self._accounts["customer_id"].to_numpy()][
            self._sales.invoices["account_id"].to_numpy()
        ]
        self._notes = schedule_notes(p, draws, self._sales.invoices, of_invoice)
        self._next_note = 0
        self._told, self._told_early = 0, set[int]()
        self._invoice_days = self._sales.invoices["date"].cast(pl.Int32).to_numpy()

    @classmethod
    def make(cls, size: str, seed: int, last_day: date, horizon_days: int = 0) -> World:
        """A world of a named size whose history ends on ``last_day``, with the office of the past at work.

        horizon_days: sales go on for this long after it, for a trial. ValueError: no such size.
        """
        p = load()
        first = add_months(last_day, -p.size(size).months) + timedelta(days=1)
        world = cls(p, p.size(size), seed, first, last_day + timedelta(days=horizon_days))
        world.advance(last_day, with_office=True)
        return world

    @property
    def today(self) -> date:
        return days.day_of(self._state.today)

    def advance(self, until: date, with_office: bool = False) -> None:
        """Let the days up to and including ``until`` pass: customers pay, banks book, the ERPs post.

        with_office: the credit office of the past writes to customers meanwhile.
        """
        for day in range(self._state.today + 1, days.number(until) + 1):
            self._state.today = day
            self._one_day(day)
            if with_office and (messages := messages_of_the_past(self._state)) is not None:
                self._hear(messages)

    def _one_day(self, day: int) -> None:
        state = self._state
        while self._next_note < len(self._notes) and self._notes[self._next_note][0] <= day:
            _, invoice, cents = self._notes[self._next_note]
            issue_note(state, day, invoice, cents)
            self._next_note += 1
        collect(state, self._receipts, day)
        pay_transfers(state, day)
        write_off(state)
        for what, *told in state.agenda.take(day):
            match what:
                case "post":
                    state.post(*told)
                case "return":
                    take_back(state, self._receipts, *told)
                case "use credit":
                    use_credit(state, *told)
                case "refund":
                    refund(state, *told)
                case "resolve":
                    resolve(state, *told)
                case "pay for nothing":
                    pay_for_nothing(state, *told)

    def respond(self, messages: pl.DataFrame, until: date) -> pl.DataFrame:
        """Tell customers what was sent today (MESSAGES); gives the REPLIES that arrived up to ``until``.

        What they decide shows in the days to come. Ids of messages are given here. A reply is told once.
        """
        if messages.height:
            self._hear(messages)
        return self._new_replies(until)

    def _hear(self, messages: pl.DataFrame) -> None:
        """One after the other, in an order that does not depend on how they were handed over."""
        start = self._state.books.messages.height
        ids = pl.int_range(start, start + messages.height, dtype=pl.Int32, eager=True)
        messages = messages.sort(*_HEARD_BY, maintain_order=True).with_columns(ids.alias("message_id"))
        self._state.books.messages.add_frame(messages)
        respond(self._state, messages)

    def _new_replies(self, until: date) -> pl.DataFrame:
        """Replies stand in the order of their messages, not of their days: some behind others come first."""
        replies = self._state.books.replies.frame().slice(self._told)
        arrived = replies.filter(pl.col("reply_date") <= until)
        fresh = arrived.filter(~pl.col("reply_id").is_in(list(self._told_early)))
        if arrived.height == replies.height:
            self._told += replies.height
            self._told_early.clear()
        else:
            self._told_early.update(fresh["reply_id"].to_list())
        return fresh.sort("reply_date", "reply_id")

    def tables(self) -> Tables:
        """Everything that is true up to today."""
        today, books = self.today, self._state.books
        issued = int(np.searchsorted(self._invoice_days, self._state.today, side="right"))
        lines = int(np.searchsorted(self._sales.installments["invoice_id"].to_numpy(), issued))
        added = books.invoices.frame().filter(pl.col("date") <= today)
        added_lines = books.installments.frame().filter(pl.col("due_date") <= today)
        receipts = self._receipts_frame.filter(pl.col("presented_date") <= today).with_columns(
            pl.when(pl.col("returned_date") <= today).then(pl.col(name)).alias(name)
            for name in ("return_reason", "returned_date")
        )
        return Tables(
            companies=self._companies,
            banks=self._banks,
            customers=self._customers,
            contacts=self._contacts,
            payer_banks=self._payer_banks.filter(pl.col("from_date") <= today),
            accounts=self._accounts,
            invoices=pl.concat([self._sales.invoices.head(issued), added]),
            installments=pl.concat([self._sales.installments.head(lines), added_lines]),
            orders=self._sales.orders.filter(pl.col("date") <= today),
            payments=books.payments.frame(),
            payment_lines=books.payment_lines.frame(),
            postings=books.postings.frame(),
            receipts=receipts,
            remittances=books.remittances.frame().filter(pl.col("sent_date") <= today),
            messages=books.messages.frame(),
            replies=books.replies.frame().filter(pl.col("reply_date") <= today),
            disputes=books.disputes.frame(),
            balance_sheets=self._balance_sheets.filter(pl.col("filed_date") <= today),
            ratings=self._ratings.filter(pl.col("rated_date") <= today),
        )


def _receipts(frame: pl.DataFrame, bank_day: np.ndarray) -> Receipts:
    return Receipts(
        bank_day=bank_day,
        line=frame["installment_id"].to_list(),
        account=frame["account_id"].to_list(),
        batch=frame["batch_id"].to_list(),
        cents=frame["amount_cents"].to_list(),
        returned=numbers(frame["returned_date"]).tolist(),
        reason=frame["return_reason"].to_list(),
    )
