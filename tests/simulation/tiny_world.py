"""A world of few rules for the tests of the trial: who is asked pays sooner, that is all it knows.

It keeps the promises of ``saldo.simulation.world.world.World`` and nothing else.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl

from saldo.simulation.draws import Draws
from saldo.simulation.world import tables
from saldo.simulation.world.tables import Tables

CUSTOMERS = {"tiny": 8, "small": 60}
HISTORY_DAYS = 180
INSTALLMENTS_A_YEAR = 24
TERM_DAYS = 30
NEVER_DAYS = 2_000
COMPANIES = (("AURELIA", "full"), ("TIBERIA", "delta"))


class TinyWorld:
    """Two companies, each customer buys from one of them; one installment an invoice."""

    def __init__(self, size: str, seed: int, last_day: date, horizon_days: int) -> None:
        self.draws = Draws(seed)
        self.today = last_day
        self.customers = CUSTOMERS[size]
        self.first_day = last_day - timedelta(days=HISTORY_DAYS)
        self.invoices = self._invoices(HISTORY_DAYS + horizon_days)
        self.messages: list[dict[str, Any]] = []
        self.replies: list[dict[str, Any]] = []

    @classmethod
    def make(cls, size: str, seed: int, last_day: date, horizon_days: int = 0) -> TinyWorld:
        return cls(size, seed, last_day, horizon_days)

    def _invoices(self, days: int) -> pl.DataFrame:
        """One row an invoice, with the day it is paid if nobody asks."""
        count = int(self.customers * INSTALLMENTS_A_YEAR * days / 365)
        ids = np.arange(count)
        account = self.draws.whole("account", 0, self.customers - 1, ids)
        late = account % 3  # prompt, late, very late
        delay = self.draws.whole("delay", -3, 4, ids) + late * self.draws.whole("late", 5, 60, ids)
        lost = self.draws.happens("lost", 0.01, ids)
        frame = pl.DataFrame(
            {
                "invoice_id": ids,
                "account_id": account,
                "day": np.sort(self.draws.whole("day", 0, days, ids)),
                "cents": self.draws.whole("cents", 20_000, 400_000, ids),
                "delay": np.where(lost, NEVER_DAYS, delay),
            }
        )
        day = pl.lit(self.first_day) + pl.duration(days=pl.col("day"))
        return frame.with_columns(
            day.alias("date"),
            (day + pl.duration(days=TERM_DAYS)).alias("due_date"),
            (day + pl.duration(days=TERM_DAYS + pl.col("delay"))).alias("paid_date"),
        )

    def advance(self, until: date) -> None:
        assert until >= self.today
        self.today = until

    def respond(self, messages: pl.DataFrame, until: date) -> pl.DataFrame:
        """A quarter of what is asked for is paid three days later; a tenth of the contacts annoys."""
        assert messages.schema == pl.Schema(tables.MESSAGES)
        first = len(self.messages)
        for message in messages.iter_rows(named=True):
            number = len(self.messages)
            self.messages.append({**message, "message_id": number})
            if message["tone"] != "courtesy" and self.draws.happens(
                "moves", 0.25, message["account_id"], number
            ):
                self._pay(message["installments"], message["sent_date"] + timedelta(days=3))
                self._reply(message, number, "promise", message["sent_date"] + timedelta(days=3))
            elif self.draws.happens("annoys", 0.1, message["account_id"], number):
                self._reply(message, number, "angry", None)
        found = self._replies()
        return found.filter((pl.col("message_id") >= first) & (pl.col("reply_date") <= until))

    def _pay(self, installments: list[int], day: date) -> None:
        asked = pl.col("invoice_id").is_in(installments) & (pl.col("paid_date") > day)
        self.invoices = self.invoices.with_columns(
            pl.when(asked).then(pl.lit(day)).otherwise("paid_date").alias("paid_date")
        )

    def _reply(self, message: dict[str, Any], number: int, kind: str, day: date | None) -> None:
        self.replies.append(
            {
                "reply_id": len(self.replies), "message_id": number, "account_id": message["account_id"],
                "reply_date": message["sent_date"], "channel": message["channel"], "kind": kind,
                "promise_date": day, "installments": message["installments"], "is_honest": True,
            }
        )  # fmt: skip

    def _replies(self) -> pl.DataFrame:
        return _frame(tables.REPLIES, self.replies)

    def tables(self) -> Tables:
        known = self.invoices.filter(pl.col("date") <= self.today)
        paid = known.filter(pl.col("paid_date") <= self.today).with_row_index("payment_id")
        empty = {name: pl.DataFrame(schema=getattr(tables, name.upper())) for name in Tables.__slots__}
        made = {
            "companies": _frame(
                tables.COMPANIES,
                [
                    {"company_id": n, "code": code, "name": code.title(), "erp": erp}
                    for n, (code, erp) in enumerate(COMPANIES)
                ],
            ),
            "customers": _frame(
                tables.CUSTOMERS,
                [
                    {"customer_id": n, "name": f"Cliente {n} S.r.l.", "country": "IT"}
                    for n in range(self.customers)
                ],
            ),
            "accounts": _frame(
                tables.ACCOUNTS,
                [
                    {
                        "account_id": n, "company_id": n % 2, "customer_id": n, "code": str(1000 + n),
                        "terms_text": "30 gg DF", "method": "transfer",
                    }
                    for n in range(self.customers)
                ],
            ),
            "invoices": known.select(
                "invoice_id", "account_id", "date", number=pl.format("F-{}", "invoice_id"),
                kind=pl.lit("invoice"), total_cents="cents", split_vat_cents=pl.lit(0),
                withholding_cents=pl.lit(0),
            ),
            "installments": known.select(
                "invoice_id", "account_id", "due_date", installment_id="invoice_id", no=pl.lit(1),
                amount_cents="cents", cash_cents="cents",
            ),
            "payments": paid.select(
                "payment_id", company_id=pl.col("account_id") % 2, kind=pl.lit("transfer"),
                payer_id="account_id", booking_date="paid_date", amount_cents="cents",
            ),
            "postings": paid.select(
                "payment_id", installment_id="invoice_id", posted_date="paid_date",
                effective_date="paid_date", amount_cents="cents", kind=pl.lit("payment"),
            ),
            "messages": _frame(tables.MESSAGES, self.messages),
            "replies": self._replies().filter(pl.col("reply_date") <= self.today),
        }  # fmt: skip
        return Tables(**{**empty, **{name: _shaped(name, frame) for name, frame in made.items()}})


def _frame(schema: tables.Schema, rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=schema)


def _shaped(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    schema = getattr(tables, name.upper())
    missing = [pl.lit(None).alias(column) for column in schema if column not in frame.columns]
    shaped = frame.with_columns(missing).select(list(schema)).cast(dict(schema))
    texts = [column for column, kind in schema.items() if kind == pl.String]
    return shaped.with_columns(pl.col(texts).fill_null(""))
