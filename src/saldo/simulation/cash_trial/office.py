"""What the office of a world does beside the bank: it sets credits off and writes off, told a day later."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import polars as pl

from saldo.core.errors import SaldoError
from saldo.simulation.world.tables import Tables

if TYPE_CHECKING:
    from saldo.simulation.cash_trial.desk import Desk

AT_ONCE = ("charges", "rounding")


@dataclass(frozen=True, slots=True)
class Act:
    """credit: the line whose credit is set off against ``debit``; None: cents are written off."""

    day: date
    company: str
    debit: int
    cents: int
    credit: int | None = None


class Office:
    """The acts of a world from a day on, done as their days pass."""

    def __init__(self, t: Tables, first: date) -> None:
        self._acts = sorted(_acts(t, first), key=lambda act: act.day)
        self._next = 0

    def work(self, desk: Desk) -> Counter[str]:
        """Do what was done before the desk's day; what cannot be done is counted."""
        troubles: Counter[str] = Counter()
        while self._next < len(self._acts) and self._acts[self._next].day < desk.day:
            act = self._acts[self._next]
            self._next += 1
            try:
                company = desk.companies[act.company]
                if act.credit is None:
                    desk.write_off(company, act.debit, act.cents)
                else:
                    desk.set_off(company, act.credit, act.debit, act.cents)
            except (SaldoError, KeyError) as error:
                code = error.code if isinstance(error, SaldoError) else "not known"
                troubles[f"{'write-off' if act.credit is None else 'set off'}: {code}"] += 1
        return troubles


def _acts(t: Tables, first: date) -> Iterator[Act]:
    """Of POSTINGS without a payment: pairs of a line and the credit that is set against it, and write-offs
    that the desk has not made with the payment."""
    codes = t.accounts.join(t.companies.select("company_id", "code"), on="company_id", suffix="_company")
    owners = t.installments.join(codes.select("account_id", "code_company"), on="account_id")
    company = dict(owners.select("installment_id", "code_company").iter_rows())
    small = (
        t.payment_lines.filter(pl.col("kind").is_in(list(AT_ONCE)))
        .join(t.payments.select("payment_id", "booking_date"), on="payment_id")
        .filter(pl.col("booking_date") >= first)
    )
    with_payment = set(small.select("installment_id", "amount_cents", "booking_date").iter_rows())
    rows = t.postings.filter(pl.col("payment_id").is_null() & (pl.col("posted_date") >= first))
    debit: tuple[int, int] | None = None
    for line, posted, effective, cents, kind, _ in rows.iter_rows():
        if kind == "write_off":
            if (line, cents, effective) not in with_payment:
                yield Act(posted, company[line], line, cents)
        elif cents > 0:
            debit = (line, cents)
        elif debit is not None and debit[1] == -cents:
            yield Act(posted, company[line], debit[0], -cents, line)
            debit = None
