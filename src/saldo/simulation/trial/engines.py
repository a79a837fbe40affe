"""Saldo's engines on a desk without a database: the same forecast and ranking, straight from the ERPs' lists.

What flows gather from the ledger comes from the world's tables as the ERPs' lists tell it, what people did
from the office's own memory. Many times faster than the real flows, for many seeds; what the flows add to
the ranking (playbooks, bank files, a promoted model) is not in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta

import polars as pl

from saldo.analytics.book import RETURNED, Book, balances, open_on
from saldo.analytics.features import features_at
from saldo.analytics.payment_date.empirical_bayes import FORECAST_SCHEMA
from saldo.analytics.payment_date.forecasts import figures_of
from saldo.analytics.payment_date.ladder import rung
from saldo.analytics.ranking import DATED, VALUE, Desk, rank
from saldo.analytics.ranking_effects import ANSWERED, CONTACTED, DELAYS, REACHABLE, SIGNS, DeskFacts
from saldo.core.desk_prior import default_desk_prior
from saldo.core.playbook import CALL, EMAIL
from saldo.core.priors import NO_ACTION, default_priors
from saldo.simulation.forecast_trial.world_book import world_book
from saldo.simulation.trial.agreements import CURRENCY, Plan
from saldo.simulation.trial.office import Heard, Office
from saldo.simulation.trial.policies import Contact, DueItem, Suggestion
from saldo.simulation.world.tables import Tables

MODEL = "empirical_bayes"
# Forecasts are made anew every two weeks, the list every other day: between two it is gone on with.
FORECAST_DAYS, LIST_DAYS = 14, 2
# As flows.desk_facts: what counts as a part payment, and how long a return is remembered.
PART_LEAST, PART_MOST = 0.1, 0.9
RETURNED_DAYS = 180
DATED_SCHEMA = {"account_id": pl.Int64, "code": pl.String, "date": pl.Date}


@dataclass(slots=True)
class EngineDesk:
    """One office's morning; ids are the world's. open_items: what is open of the book, with balances."""

    day: date
    t: Tables | None = None
    book: Book | None = None
    open_items: pl.DataFrame = field(default_factory=pl.DataFrame)
    told_on: date | None = None
    listed_on: date | None = None
    listed: list[Suggestion] = field(default_factory=list)
    told: pl.DataFrame = field(default_factory=pl.DataFrame)

    def begin(self, day: date) -> None:
        self.day = day

    def history(self, t: Tables, before: date) -> None:
        self.look(t)

    def look(self, t: Tables) -> None:
        """The lists of the ERPs of the evening before."""
        self.t, self.book = t, world_book(t)
        self.open_items = balances(self.book, open_on(self.book, self.day)).drop("as_of")

    def due_items(self) -> list[DueItem]:
        """Open debits that are overdue or fall due within the courtesy days."""
        soon = default_priors().priority.courtesy_days
        days = (pl.lit(self.day) - pl.col("due_date")).dt.total_days().alias("days")
        found = self.open_items.with_columns(days).filter(pl.col("days") >= -soon)
        columns = found.select("item_id", "account_id", "days", "balance_mills")
        return [DueItem(*row) for row in columns.iter_rows()]

    def worklist(self, office: Office) -> list[Suggestion]:
        """What is to do today, both companies' lists as one: whom to contact, the worthiest first."""
        if self.listed_on is None or self.day >= self.listed_on + timedelta(days=LIST_DAYS):
            self.listed_on, self.listed = self.day, self._listed(office)
        return self.listed

    def _listed(self, office: Office) -> list[Suggestion]:
        planned = pl.Series(sorted(office.agreements.planned()), dtype=pl.Int64)
        asked = self._forecasts().filter(~pl.col("item_id").is_in(planned.implode()))
        if asked.is_empty():
            return []
        ranked = rank(asked, self.day, None, self._dated(office), CURRENCY, desk=self._desk(asked, office))
        rows = ranked.filter(pl.col("block").is_in([DATED, VALUE]) & (pl.col("action") != NO_ACTION))
        return [Suggestion(*row) for row in rows.select("account_id", "action").iter_rows()]

    def _forecasts(self) -> pl.DataFrame:
        """The open items with what is expected of each, by its company's own model."""
        assert self.t is not None
        if self.told_on is None or self.day >= self.told_on + timedelta(days=FORECAST_DAYS):
            self.told_on = self.day
            self.told = pl.concat(self._told(code) for code in self.t.companies["code"].to_list())
        return self.open_items.join(self.told, on="item_id", maintain_order="left")

    def _told(self, company: str) -> pl.DataFrame:
        assert self.t is not None
        book = world_book(self.t, company)
        owed = self.open_items.join(book.items.select("item_id"), on="item_id", how="semi")
        landmarks = owed.select("item_id", pl.lit(self.day).alias("as_of"))
        fitted = rung(MODEL).fit(book, self.day)
        _, told = figures_of(fitted, book, features_at(book, landmarks), MODEL)
        return landmarks.select("item_id").hstack(told.select(*FORECAST_SCHEMA))

    def _dated(self, office: Office) -> pl.DataFrame:
        """Promises that were broken, until somebody has contacted the account."""
        rows = [
            (account, "promise_broken", day)
            for account, day in sorted(office.agreements.broken.items())
            if not any(contact >= day for contact in office.contacted.get(account, ()))
        ]
        return pl.DataFrame(rows, schema=DATED_SCHEMA, orient="row")

    def _desk(self, forecasts: pl.DataFrame, office: Office) -> Desk:
        agreements = office.agreements
        made = [(account, channel, day) for account, all_ in office.channels.items() for channel, day in all_]
        contacts = pl.DataFrame(made, schema=CONTACTED, orient="row")
        facts = DeskFacts(
            contacts=contacts,
            answered=pl.DataFrame(list(agreements.answered.items()), schema=ANSWERED, orient="row"),
            delays=pl.DataFrame(
                [(account, *said) for account, said in agreements.reasons.items()],
                schema=DELAYS,
                orient="row",
            ),
            reachable=self._reachable(),
            broken=pl.DataFrame(list(agreements.broken.items()), schema=ANSWERED, orient="row"),
            short_of_cash=self._short_of_cash(forecasts),
            offers=pl.DataFrame(list(office.offered.items()), schema=ANSWERED, orient="row"),
        )
        last = contacts.group_by("account_id").agg(pl.col("known_date").max().alias("last_contact"))
        return Desk(facts, last)

    def _reachable(self) -> pl.DataFrame:
        """Everybody has a telephone; an e-mail address who has one on the card."""
        assert self.t is not None
        mailed = self.t.contacts.filter(pl.col("email") != "")["customer_id"].unique()
        accounts = self.t.accounts.with_columns(has=pl.col("customer_id").is_in(mailed.implode()))
        each = [
            accounts.select("account_id", pl.lit(channel).alias("channel"), usable.alias("is_usable"))
            for channel, usable in ((EMAIL, pl.col("has")), (CALL, pl.lit(True)))
        ]
        return pl.concat(each).cast(REACHABLE)  # type: ignore[arg-type]

    def _short_of_cash(self, forecasts: pl.DataFrame) -> pl.DataFrame:
        """SIGNS as ``flows.desk_facts`` has them."""
        assert self.book is not None
        since = self.day - timedelta(days=RETURNED_DAYS)
        owners = self.book.items.select("item_id", "account_id")
        returned = self.book.ends.filter((pl.col("cause") == RETURNED) & (pl.col("end_date") >= since))
        share = pl.col("balance_mills") / pl.col("amount_mills")
        parts = self.open_items.filter(
            (pl.col("due_date") < self.day) & share.is_between(PART_LEAST, PART_MOST)
        )
        habit = pl.col("mean_delay_days") >= default_desk_prior().plan_late_days
        late = forecasts.filter((pl.col("rung") == "account") & habit)
        named = (("returned", returned.join(owners, on="item_id")), ("part_payment", parts), ("late", late))
        told = [frame.select("account_id", pl.lit(code).alias("code")) for code, frame in named]
        return pl.concat(told).unique(maintain_order=True).cast(SIGNS)  # type: ignore[arg-type]

    # -- how the ERP names things: ids are the world's own ------------------------------------------------

    def names(self) -> dict[tuple[str, str], int]:
        """(company, the customer's number without leading zeros) -> account."""
        assert self.t is not None
        joined = self.t.accounts.join(self.t.companies.rename({"code": "company"}), on="company_id")
        return {
            (company, code.lstrip("0")): account
            for company, code, account in joined.select("company", "code", "account_id").iter_rows()
        }

    def named(self, item_ids: Iterable[int]) -> dict[int, tuple[str, str, int]]:
        """item -> (company, document number, installment)."""
        assert self.t is not None
        wanted = pl.Series(sorted(set(item_ids)), dtype=pl.Int64)
        found = (
            self.t.installments.filter(pl.col("installment_id").is_in(wanted.implode()))
            .join(self.t.invoices.select("invoice_id", "number"), on="invoice_id")
            .join(self.t.accounts.select("account_id", "company_id"), on="account_id")
            .join(self.t.companies.select("company_id", "code"), on="company_id")
        )
        rows = found.select("installment_id", "code", "number", "no").iter_rows()
        return {item: (company, number, no) for item, company, number, no in rows}

    # -- the office's memory is all the record there is --------------------------------------------------

    def made(self, contact: Contact) -> None:
        pass

    def heard(self, reply: Heard, last: date) -> None:
        pass

    def agreed(self, plan: Plan) -> None:
        pass
