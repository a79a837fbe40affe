"""What a year came to, from the truth of the world: the figures on which policies are compared.

Amounts are cents of euro. Cash counts from the day the bank booked it, whenever the ERP posted it, so that a
slow back office is not taken for a bad policy. docs/rules/policy-trial.md gives each definition in words.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from saldo.simulation.trial.rules import PLAN, effort_minutes, offer_stands_days
from saldo.simulation.world import parameters
from saldo.simulation.world.tables import Tables

STANDING_DAYS = 90  # days over which standing figures are averaged, and of the sales of DSO
LATE_DAYS = 90  # what "over 90" means
LOST_DAYS = 180  # past due so long at the end: counted as lost
COMPLAINT = "angry"
NOT_CASH = ("fee",)
ON_ACCOUNT = "on_account"
WRITE_OFF = "write_off"


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one policy on one seed; None where the trial was too short to tell.

    dso_days, overdue_share: means over the last 90 days. roll_over_90_share: of the value that fell due early
    enough to tell. bad_debt_share: of the sales of the trial. cash_cents: net of returns; cash_by_week: the
    same by week from the first day. contacts, minutes, complaints: of the whole trial.
    """

    dso_days: float | None
    overdue_share: float | None
    roll_over_90_share: float | None
    bad_debt_share: float | None
    cash_cents: int
    cash_by_week: tuple[int, ...]
    contacts: int
    minutes: float
    complaints: int


def figures(t: Tables, first_day: date, last_day: date) -> Figures:
    """The figures of the days from ``first_day`` to ``last_day``, both included; ``t`` goes that far."""
    book = _Book(t)
    weeks = _cash_by_week(t, first_day, last_day)
    sent = t.messages.filter(pl.col("sent_date").is_between(first_day, last_day))
    came = t.replies.filter(pl.col("reply_date").is_between(first_day, last_day))
    minutes, effort = parameters.load().contact.minutes, effort_minutes()
    return Figures(
        dso_days=_dso(book, t, first_day, last_day),
        overdue_share=_overdue_share(book, first_day, last_day),
        roll_over_90_share=_roll_over_90(book, first_day, last_day),
        bad_debt_share=_bad_debt(book, t, first_day, last_day),
        cash_cents=sum(weeks),
        cash_by_week=weeks,
        contacts=sent.height,
        minutes=float(
            sum(minutes[channel] for channel in sent["channel"].to_list())
            + effort[PLAN] * _prepared(t.messages, first_day, last_day)
        ),
        complaints=came.filter(pl.col("kind") == COMPLAINT).height,
    )


def _prepared(messages: pl.DataFrame, first_day: date, last_day: date) -> int:
    """Offers of a plan that were made anew, not only repeated."""
    offers = messages.filter((pl.col("purpose") == PLAN) & (pl.col("sent_date") >= first_day))
    offers = offers.filter(pl.col("sent_date") <= last_day).sort("account_id", "sent_date")
    since = (pl.col("sent_date") - pl.col("sent_date").shift(1).over("account_id")).dt.total_days()
    return offers.filter(since.is_null() | (since >= offer_stands_days())).height


class _Book:
    """The debits of the world as arrays, and what is still open of each at the end of any day."""

    def __init__(self, t: Tables) -> None:
        debits = (
            t.installments.filter(pl.col("cash_cents") > 0)
            .join(t.invoices.select("invoice_id", "date"), on="invoice_id")
            .join(t.accounts.select("account_id", "customer_id"), on="account_id")
            .sort("installment_id")
        )
        self.ids = debits["installment_id"]
        self.customer = debits["customer_id"]
        self.cash = debits["cash_cents"].to_numpy()
        self.date = _numbers(debits["date"])
        self.due = _numbers(debits["due_date"])
        places = debits.select("installment_id").with_row_index("place")
        posted = t.postings.join(places, on="installment_id")
        self._place = posted["place"].to_numpy()
        self._day = _numbers(posted["effective_date"])
        self._amount = posted["amount_cents"].to_numpy()

    def open_at(self, day: int | NDArray[np.int64]) -> NDArray[np.int64]:
        """Open cents of each debit at the end of a day (or of a day of its own)."""
        limit = day if isinstance(day, int) else day[self._place]
        booked = self._day <= limit
        taken = np.bincount(self._place[booked], self._amount[booked], minlength=len(self.cash))
        there = self.date <= day
        return np.where(there, np.maximum(self.cash - taken.astype(np.int64), 0), 0)


def _numbers(days: pl.Series) -> NDArray[np.int64]:
    return days.cast(pl.Date).to_physical().cast(pl.Int64).to_numpy()


def _number(day: date) -> int:
    return day.toordinal() - date(1970, 1, 1).toordinal()


def _standing(first_day: date, last_day: date) -> Iterator[date]:
    """The last days of the trial on which standing figures are read."""
    start = max(first_day, last_day - timedelta(days=STANDING_DAYS - 1))
    for offset in range((last_day - start).days + 1):
        yield start + timedelta(days=offset)


def _dso(book: _Book, t: Tables, first_day: date, last_day: date) -> float | None:
    """Open / sales of the last 90 days net of credit notes x 90; with VAT, split VAT in neither."""
    sign = pl.when(pl.col("kind") == "credit_note").then(-1).otherwise(1)
    net = t.invoices.filter(pl.col("kind") != ON_ACCOUNT).select(
        "date", ((pl.col("total_cents") - pl.col("split_vat_cents")) * sign).alias("cents")
    )
    sold, when = net["cents"].to_numpy(), _numbers(net["date"])
    values = []
    for day in _standing(first_day, last_day):
        number = _number(day)
        sales = sold[(when > number - STANDING_DAYS) & (when <= number)].sum()
        if sales > 0:
            values.append(book.open_at(number).sum() / sales * STANDING_DAYS)
    return float(np.mean(values)) if values else None


def _overdue_share(book: _Book, first_day: date, last_day: date) -> float | None:
    values = []
    for day in _standing(first_day, last_day):
        number = _number(day)
        standing = book.open_at(number)
        if standing.sum() > 0:
            values.append(standing[book.due < number].sum() / standing.sum())
    return float(np.mean(values)) if values else None


def _roll_over_90(book: _Book, first_day: date, last_day: date) -> float | None:
    """Of what fell due in the trial, and early enough: the share still open when it was 91 days past due."""
    passes = book.due + LATE_DAYS + 1
    asked = (book.due >= _number(first_day)) & (passes <= _number(last_day))
    value = book.cash[asked].sum()
    return float(book.open_at(passes)[asked].sum() / value) if value > 0 else None


def _bad_debt(book: _Book, t: Tables, first_day: date, last_day: date) -> float | None:
    """What was written off in the trial, what the insolvent owe and what is over 180 days past due at its
    end, / sales of the trial."""
    end = _number(last_day)
    standing = book.open_at(end)
    insolvent = t.customers.filter(pl.col("insolvency_date") <= last_day)["customer_id"]
    lost = book.customer.is_in(insolvent.implode()).to_numpy() | (end - book.due > LOST_DAYS)
    sold = (book.date >= _number(first_day)) & (book.date <= end)
    sales = book.cash[sold].sum()
    written_off = t.postings.filter(
        (pl.col("kind") == WRITE_OFF) & pl.col("posted_date").is_between(first_day, last_day)
    )["amount_cents"].sum()
    return float((standing[lost].sum() + written_off) / sales) if sales > 0 else None


def _cash_by_week(t: Tables, first_day: date, last_day: date) -> tuple[int, ...]:
    """What our banks booked from customers, returns taken off, by weeks counted from the first day."""
    # A return is a debit of the bank: written as a negative amount it counts itself, else it is turned.
    debit = pl.col("kind").is_in(["riba_return", "sdd_return"])
    signed = pl.when(debit).then(-pl.col("amount_cents").abs()).otherwise("amount_cents")
    weeks = (last_day - first_day).days // 7 + 1
    booked = t.payments.filter(
        pl.col("booking_date").is_between(first_day, last_day) & ~pl.col("kind").is_in(NOT_CASH)
    ).select(
        ((pl.col("booking_date") - pl.lit(first_day)).dt.total_days() // 7).alias("week"),
        signed.alias("cents"),
    )
    sums = dict(booked.group_by("week").agg(pl.col("cents").sum()).iter_rows())
    return tuple(int(sums.get(week, 0)) for week in range(weeks))
