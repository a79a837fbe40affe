"""Saldo as the office of a trial uses it: files in, the day's run, items and worklist out, outcomes recorded.

Everything goes through the real flows, queries and operations, with a simulated clock in the context. Import
this only after Django is set up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import PurePosixPath

import polars as pl

from saldo.analytics.ranking import DATED, VALUE
from saldo.collection.operations import record_outcome
from saldo.collection.queries import ActionRow, worklist
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.outcomes import OTHER_CHANNEL, PHONE
from saldo.core.priors import NO_ACTION, default_priors
from saldo.flows.day import run_day
from saldo.flows.import_documents import import_file
from saldo.flows.import_result import ImportResult
from saldo.identity.operations import ensure_company
from saldo.identity.queries import CompanyRow, latest_day_run
from saldo.ledger.queries import open_items
from saldo.parties.frames import account_names
from saldo.promises.offers import TO_APPROVE, accept, approve, offer, offer_plan
from saldo.promises.operations import record_promise
from saldo.simulation.files import erp_exports
from saldo.simulation.files.erp_exports import mapping_texts
from saldo.simulation.files.world_file import WorldFile
from saldo.simulation.trial.agreements import CURRENCY, PLAN_RULE, Plan
from saldo.simulation.trial.office import DELAYS_OF_REPLIES, Heard, Office
from saldo.simulation.trial.policies import Contact, DueItem, Suggestion
from saldo.simulation.trial.rules import CALL
from saldo.simulation.world.tables import Tables
from saldo.storage.frames import copy_out

ACTOR, SECOND = "system:trial", "system:second"
REFUSED_PLANS = ("plan_sum_differs", "item_in_plan", "item_closed", "plan_dates_invalid", "offer_outdated")
WORKLIST_ROWS = 2_000
_BLOCKS = (DATED, VALUE)
_LINES_SCHEMA = {
    "item_id": pl.Int64, "account_id": pl.Int64, "company": pl.String, "number": pl.String, "no": pl.Int64,
}  # fmt: skip


class Clock:
    """The time of a simulated day: it begins at seven in the morning, every look at it is later."""

    def __init__(self, day: date) -> None:
        self.now = datetime.combine(day, time(7), UTC)

    def begin(self, day: date) -> None:
        self.now = max(self.now, datetime.combine(day, time(7), UTC))

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now


@dataclass(slots=True)
class Desk:
    """One database with the world's companies. lines: the ledger's installments as the ERP names them."""

    clock: Clock
    day: date
    companies: dict[str, CompanyRow] = field(default_factory=dict)
    mappings: dict[str, str] = field(default_factory=lambda: dict(mapping_texts()))
    lines: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=_LINES_SCHEMA))

    def begin(self, day: date) -> None:
        self.day = day
        self.clock.begin(day)

    def context(self, company_id: int | None = None) -> Context:
        return Context(ACTOR, self.day, self.clock, company_id=company_id)

    def add_company(self, code: str, name: str, vat: str) -> None:
        self.companies[code] = ensure_company(self.context(), code, name, vat_number=vat)

    def take_in(self, code: str, file: WorldFile) -> ImportResult:
        """Import a file for a company. Where many lines are gone at once it is confirmed, as people would."""
        assert file.mapping is not None, file.path
        path = PurePosixPath(file.path)
        return import_file(
            self.context(self.companies[code].id),
            path.name,
            file.data,
            "receivables",
            self.mappings.get(PurePosixPath(file.mapping).name, file.mapping),
            company_code=code,
            as_at=file.day,
            accept_closures=True,
        )

    def history(self, t: Tables, before: date) -> None:
        """The archive that each company exports once."""
        for company_id, code, name, vat in t.companies.select(
            "company_id", "code", "name", "vat"
        ).iter_rows():
            self.add_company(code, name, vat)
            self.take_in(code, erp_exports.history(t, company_id, before))

    def look(self, t: Tables) -> None:
        """What the ERPs sent on the evening of the day."""
        for company_id, code in t.companies.select("company_id", "code").iter_rows():
            file = erp_exports.daily(t, company_id, self.day)
            if file is not None:
                self.take_in(code, file)

    def run(self) -> None:
        """The day of every company."""
        for company in self.companies.values():
            run_day(self.context(company.id), company.id)

    def due_items(self) -> list[DueItem]:
        """Open debits that are overdue or fall due within the courtesy days."""
        soon = default_priors().priority.courtesy_days
        days = (pl.lit(self.day) - pl.col("due_date")).dt.total_days().alias("days")
        items = (
            open_items(self.context())
            .filter((pl.col("kind") == "installment") & (pl.col("balance_mills") > 0))
            .with_columns(days)
            .filter(pl.col("days") >= -soon)
        )
        columns = items.select("item_id", "account_id", "days", "balance_mills")
        return [DueItem(*row) for row in columns.iter_rows()]

    def worklist(self, office: Office) -> list[Suggestion]:
        """What is to do today, the companies' lists as one: the worthiest first row comes next.

        office: its memory is not looked at; what was recorded is in Saldo.
        """
        self.run()
        lists = [list(self._rows(company)) for company in self.companies.values()]
        merged: list[Suggestion] = []
        while waiting := [rows for rows in lists if rows]:
            row = min(waiting, key=lambda rows: _place(rows[0])).pop(0)
            merged.append(Suggestion(row.account_id, row.kind))
        return merged

    def _rows(self, company: CompanyRow) -> Iterator[ActionRow]:
        run = latest_day_run(company.id, self.day)
        assert run is not None, "the day is run before its worklist is read"
        rows = worklist(self.context(company.id), run, limit=WORKLIST_ROWS)
        return (row for row in rows if row.block in _BLOCKS and row.kind != NO_ACTION)

    def made(self, contact: Contact) -> None:
        """What was done, as the person who did it records it."""
        channel = PHONE if contact.channel == CALL else OTHER_CHANNEL
        record_outcome(
            self.context(), contact.account_id, "done", f"{contact.purpose}, {contact.tone}", channel=channel
        )

    def heard(self, reply: Heard, last: date) -> None:
        """What a customer said: its promise, the reason of its delay. last: how long it is waited for."""
        ctx = self.context()
        reason = DELAYS_OF_REPLIES.get(reply.kind, "")
        if reason:
            record_outcome(
                ctx, reply.account_id, "note", reply.kind, channel=OTHER_CHANNEL, delay_reason=reason
            )
        if reply.kind != "promise":
            return
        try:
            record_promise(ctx, reply.account_id, CURRENCY, reply.day or last, note="as heard", replaces=True)
        except SaldoError:
            # Nothing that Saldo shows is left to promise: booked meanwhile. It is looked at once more.
            come_back = last + timedelta(days=1)
            if come_back > self.day:
                record_outcome(ctx, reply.account_id, "done", "promise", come_back)

    def agreed(self, plan: Plan) -> None:
        """A plan as it was offered and accepted; a second person approves it where the company asks for one.

        What Saldo refuses, because some of it was booked meanwhile, only the office remembers.
        """
        ctx, items = self.context(), sorted(plan.items)
        try:
            offer_id = offer_plan(ctx, plan.account_id, CURRENCY, plan.installments, items, PLAN_RULE)
            if offer(ctx, offer_id).state == TO_APPROVE:
                approve(replace(ctx, actor=SECOND), offer_id)
            accept(ctx, offer_id, {"heard": self.day.isoformat()})
        except SaldoError as error:
            if error.code not in REFUSED_PLANS:
                raise

    def names(self) -> dict[tuple[str, str], int]:
        """(company, the customer's number without leading zeros) -> account."""
        frame = account_names()
        return {
            (company, code.lstrip("0")): account
            for company, code, account in frame.select("company", "code", "account_id").iter_rows()
        }

    def named(self, item_ids: Iterable[int]) -> dict[int, tuple[str, str, int]]:
        """How the ERP names installments: item -> (company, document number, installment)."""
        wanted = pl.Series("item_id", list(item_ids), dtype=pl.Int64)
        if not wanted.is_in(self.lines["item_id"].implode()).all():
            last = self.lines["item_id"].max() or 0
            self.lines = pl.concat([self.lines, copy_out(_NEW_LINES, {"last": last}, _LINES_SCHEMA)])
        rows = self.lines.filter(pl.col("item_id").is_in(wanted.implode()))
        return {item: (company, number, no) for item, _, company, number, no in rows.iter_rows()}


_NEW_LINES = """
SELECT i.id, i.account_id, c.code, v.number, i.installment_no
  FROM ledger_item i
  JOIN ledger_invoice v ON v.id = i.invoice_id
  JOIN identity_company c ON c.id = i.company_id
 WHERE i.kind = 'installment' AND i.id > %(last)s
"""


def _place(row: ActionRow) -> tuple[int, Decimal]:
    return (_BLOCKS.index(row.block), -row.value_per_minute)
