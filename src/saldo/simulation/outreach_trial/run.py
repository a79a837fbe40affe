"""A year in which playbooks write to the customers of a world, and what must hold on each of its days.

    world.advance -> the ERPs' lists of the evening before, the banks' statements, the mail -> replies handled
    -> the day's run -> a person approves -> the sender -> what left is checked -> world.respond

A reply is confirmed as Saldo proposes where that is filled in and sure; else a person reads it, who
reads rightly. Import this only after Django is set up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

import polars as pl

from saldo.collection.models import PlaybookAction
from saldo.collection.playbooks import playbook_of
from saldo.core.calendar import add_months, is_business_day, previous_business_day
from saldo.core.playbook import OVERDUE, When
from saldo.flows.blocks import booked_until
from saldo.outreach.settings import rules_of
from saldo.simulation.draws import Draws
from saldo.simulation.files import erp_exports
from saldo.simulation.files.bank_files import bank_files
from saldo.simulation.files.erp_book import ErpBook
from saldo.simulation.files.world_file import WorldFile
from saldo.simulation.outreach_trial.cash_desk import CashDesk
from saldo.simulation.outreach_trial.checks import Checks, Facts, Truth
from saldo.simulation.outreach_trial.mail import Post
from saldo.simulation.outreach_trial.office import LeftMessage, Office, balances
from saldo.simulation.outreach_trial.person import Person
from saldo.simulation.world import tables
from saldo.simulation.world.parameters import load
from saldo.simulation.world.tables import Tables
from saldo.simulation.world.world import World

TONES = frozenset({"courtesy", "soft", "firm", "formal"})
# How customers hear the channels of a playbook; a notice in the portal reaches nobody by itself.
HEARD_AS = {"email": "email", "pec": "pec", "letter": "letter", "sms": "sms"}
WRITTEN = frozenset(HEARD_AS)


@dataclass(frozen=True, slots=True)
class OutreachJob:
    """days: calendar days from first_day on. size: of the world, or how many customers it has."""

    seed: int
    days: int = 365
    size: str = "small"
    first_day: date = date(2026, 1, 1)


@dataclass(slots=True)
class Lived:
    """What a trial came to. ends: messages by the state they ended in. read: replies by kind, right and all;
    by_key: those that were confirmed as proposed, right and all."""

    job: OutreachJob
    violations: list[str] = field(default_factory=list)
    left: int = 0
    asked: int = 0
    ends: dict[str, int] = field(default_factory=dict)
    by_track: Counter[str] = field(default_factory=Counter)
    read: dict[str, list[int]] = field(default_factory=dict)
    by_key: list[int] = field(default_factory=lambda: [0, 0])
    acts: Counter[str] = field(default_factory=Counter)
    refused: dict[str, int] = field(default_factory=dict)
    blocked: Counter[str] = field(default_factory=Counter)
    levels: Counter[int] = field(default_factory=Counter)
    not_told: int = 0
    business_days: int = 0

    def as_json(self) -> dict[str, Any]:
        return {
            "seed": self.job.seed, "days": self.business_days, "violations": len(self.violations),
            "first_violations": self.violations[:5], "messages": self.left, "items_asked": self.asked,
            "ends": dict(sorted(self.ends.items())), "by_track": dict(self.by_track),
            "levels": {str(level): count for level, count in sorted(self.levels.items())},
            "replies": {kind: told for kind, told in sorted(self.read.items())}, "by_one_key": self.by_key,
            "acts": dict(self.acts), "not_told": self.not_told, "refused": self.refused,
            "blocked": dict(self.blocked),
        }  # fmt: skip


@dataclass(slots=True)
class Trial:
    """A trial under way. lines: as the ERP names a line -> installment; items: Saldo's item -> installment;
    accounts: Saldo's -> the world's; customers: the other way round."""

    job: OutreachJob
    world: World
    office: Office
    post: Post
    person: Person
    checks: Checks
    lived: Lived
    codes: dict[int, str]
    items: dict[int, int] = field(default_factory=dict)
    lines: dict[tuple[str, str, int], int] = field(default_factory=dict)
    accounts: dict[int, int] = field(default_factory=dict)
    customers: dict[int, int] = field(default_factory=dict)
    files: list[WorldFile] = field(default_factory=list)
    bank_told: date = date.min


def run(job: OutreachJob, tell: Callable[[date, Lived], None] = lambda day, lived: None) -> Lived:
    """Live through the days in the database that Django is connected to."""
    trial = _begin(job)
    for day in _business_days(job):
        _live(trial, day)
        tell(day, trial.lived)
    trial.office.finish()
    lived = trial.lived
    lived.ends, lived.refused = trial.office.states(), trial.office.refused
    for state in set(lived.ends) - {"sent", "failed", "unknown", "cancelled"}:
        trial.checks.violations.append(f"{lived.ends[state]} messages ended {state}")
    lived.violations = trial.checks.violations
    lived.asked, lived.not_told = trial.checks.asked, trial.checks.unknown
    return lived


def _business_days(job: OutreachJob) -> Iterator[date]:
    days = (job.first_day + timedelta(days=offset) for offset in range(job.days))
    return (day for day in days if is_business_day(day))


def _begin(job: OutreachJob) -> Trial:
    eve = job.first_day - timedelta(days=1)
    world = _world(job, eve)
    t = world.tables()
    office = Office.opened(eve)
    office.set_up(t, job.first_day)
    codes = dict(t.companies.select("company_id", "code").iter_rows())
    for company_id, code in codes.items():
        office.desk.take_in(code, erp_exports.history(t, company_id, job.first_day))
    draws = Draws(job.seed)
    lived = Lived(job)
    trial = Trial(
        job, world, office, Post(draws), Person(office, lived.acts), Checks({}, {}), lived, codes,
        bank_told=eve - timedelta(days=21),
    )  # fmt: skip
    _learn_names(trial, t)
    office.know_contacts(t, trial.customers)
    office.go_live(job.first_day)
    trial.checks.rules = {row.id: rules_of(row.id) for row in office.desk.companies.values()}
    return trial


def _world(job: OutreachJob, eve: date) -> World:
    """The world of a named size, or a small one of so many customers."""
    if not job.size.isdigit():
        return World.make(job.size, job.seed, eve, job.days)
    p = load()
    size = replace(p.size("small"), customers=int(job.size))
    first = add_months(eve, -size.months) + timedelta(days=1)
    world = World(p, size, job.seed, first, eve + timedelta(days=job.days))
    world.advance(eve, with_office=True)
    return world


def _live(trial: Trial, day: date) -> None:
    trial.world.advance(day)
    t = trial.world.tables()
    trial.office.begin(day)
    trial.lived.business_days += 1
    _take_files(trial, t, day)
    _learn_names(trial, t)
    trial.office.know_contacts(t, trial.customers)
    trial.office.apply_cash()
    CashDesk(trial.office).work(t, day, trial.items, trial.customers)
    trial.person.work(day, t, trial.items)
    for reply in trial.post.arrived(t, day):
        trial.person.handle(reply, trial.items, trial.lived)
    trial.office.plan_and_approve()
    left = trial.office.send()
    _check(trial, t, day, left)
    _tell_world(trial, day, left)


# -- what comes in ---------------------------------------------------------------------------------------


def _take_files(trial: Trial, t: Tables, day: date) -> None:
    """The ERPs' lists of the evening before, and the statements that have arrived."""
    eve = previous_business_day(day - timedelta(days=1))
    if eve >= trial.job.first_day:
        for company_id, code in trial.codes.items():
            file = erp_exports.daily(ErpBook(t, company_id), company_id, eve)
            if file is not None:
                trial.office.desk.take_in(code, file)
    told = day - timedelta(days=1)
    if told > trial.bank_told:
        trial.files += bank_files(t, trial.bank_told + timedelta(days=1), told)
        trial.bank_told = told
    here = sorted((file for file in trial.files if file.day <= day), key=lambda file: (file.day, file.path))
    trial.files = [file for file in trial.files if file.day > day]
    for file in here:
        trial.office.take_bank(file)


def _learn_names(trial: Trial, t: Tables) -> None:
    names = trial.office.desk.names()
    if len(trial.accounts) < len(names):
        for account_id, company_id, code in t.accounts.select("account_id", "company_id", "code").iter_rows():
            found = names.get((trial.codes[company_id], code.lstrip("0")))
            if found is not None:
                trial.accounts[found] = account_id
                trial.customers[account_id] = found
    if len(trial.lines) < t.installments.height:
        joined = t.installments.join(t.invoices.select("invoice_id", "number"), on="invoice_id").join(
            t.accounts.select("account_id", "company_id"), on="account_id"
        )
        columns = joined.select("company_id", "number", "no", "installment_id").iter_rows()
        trial.lines = {(trial.codes[c], number, no): line for c, number, no, line in columns}
    trial.office.desk.named([-1])  # an item that is none: what is new is looked up
    for item, _, company, number, no in trial.office.desk.lines.iter_rows():
        line = trial.lines.get((company, number, no))
        if line is not None:
            trial.items[item] = line


# -- what left -------------------------------------------------------------------------------------------


def _check(trial: Trial, t: Tables, day: date, left: list[LeftMessage]) -> None:
    lived = trial.lived
    lived.left += len(left)
    for message in left:
        lived.by_track[f"{message.track} {message.channel}"] += 1
        lived.levels[message.level] += 1
        if message.message_id not in trial.checks.ladders:
            trial.checks.ladders = {**trial.checks.ladders, message.message_id: _ladder(message)}
    booked = {
        row.id: booked_until(trial.office.context(row.id)) for row in trial.office.desk.companies.values()
    }
    if left:
        trial.checks.day(left, balances(), booked, _truth(trial, t, day), Facts.of(day))


_LADDERS: dict[int, tuple[int, ...]] = {}


def _ladder(message: LeftMessage) -> tuple[int, ...]:
    """The levels of the message's playbook that hold for every account: none of them may be passed."""
    if message.playbook_action_id is None or message.track != OVERDUE:
        return ()
    version = PlaybookAction.objects.values_list("playbook_id", flat=True).get(id=message.playbook_action_id)
    if version not in _LADDERS:
        steps = playbook_of(version).ladder(OVERDUE)
        levels = {step.level for step in steps if step.channel in WRITTEN and step.when == When()}
        _LADDERS[version] = tuple(sorted(levels))
    return _LADDERS[version]


def _truth(trial: Trial, t: Tables, day: date) -> Truth:
    """What the statements of the days before tell of the lines, for whoever reads them rightly."""
    lines, told = owed_lines(t, day), under_way(t, day)
    owed_cents = dict(lines.select("installment_id", "owed_cents").iter_rows())
    unnamed = set(lines.filter(~pl.col("is_told"))["installment_id"].to_list())
    by_transfer = t.accounts.filter(pl.col("method") == "transfer")
    late = lines.filter(pl.col("due_date") < day).join(by_transfer, on="account_id", how="semi")
    of_account = dict.fromkeys(
        (trial.customers[each] for each in by_transfer["account_id"] if each in trial.customers), 0
    )
    for account, cents in late.select("account_id", "owed_cents").iter_rows():
        if account in trial.customers:
            of_account[trial.customers[account]] += max(0, cents)
    return Truth(
        {item: owed_cents[line] for item, line in trial.items.items() if line in owed_cents},
        frozenset(item for item, line in trial.items.items() if line in told),
        frozenset(item for item, line in trial.items.items() if line in unnamed),
        of_account,
    )


def under_way(t: Tables, day: date) -> set[int]:
    """Lines of receipts that the bank has told to be presented, and not to have come back.

    A statement comes the banking day after: a return of yesterday is known this morning. Of direct debits no
    file of the world tells that they were presented.
    """
    told = previous_business_day(day - timedelta(days=1))
    found = t.receipts.filter(
        (pl.col("kind") == "riba")
        & (pl.col("presented_date") < told)
        & (pl.col("returned_date").is_null() | (pl.col("returned_date") >= day))
    )
    return set(found["installment_id"].to_list())


def owed_lines(t: Tables, day: date) -> pl.DataFrame:
    """Lines that no receipt collects, with owed_cents: what is left once all transfers of the days before are
    counted, and is_told: whether each of those says so of the line: its words name the document, and it pays
    that alone or in full. Which of a customer's debts the others pay, nobody who reads the statement knows.
    """
    booked = t.payments.filter((pl.col("booking_date") < day) & (pl.col("kind") == "transfer"))
    paid = (
        t.payment_lines.filter(pl.col("kind") == "paid")
        .join(booked.select("payment_id", "text", "creditor_reference"), on="payment_id")
        .with_columns(count=pl.len().over("payment_id"))
    )
    collected = t.receipts["installment_id"].unique()
    lines = t.installments.filter(~pl.col("installment_id").is_in(collected.implode())).join(
        t.invoices.select("invoice_id", "number"), on="invoice_id"
    )
    number = pl.col("number").str.extract(r"(\d+)", 1)
    is_named = pl.col("text").fill_null("").str.contains(number, literal=True) | (
        pl.col("creditor_reference").fill_null("") != ""
    )
    by_line = (
        lines.select("installment_id", "number", "cash_cents")
        .join(paid, on="installment_id")
        .with_columns(all_cents=pl.col("amount_cents").sum().over("installment_id"))
        .with_columns(
            told=is_named & ((pl.col("count") == 1) | (pl.col("all_cents") >= pl.col("cash_cents")))
        )
        .group_by("installment_id")
        .agg(paid_cents=pl.col("amount_cents").sum(), is_told=pl.col("told").all())
    )
    return lines.join(by_line, on="installment_id", how="left").select(
        "installment_id", "account_id", "due_date",
        owed_cents=pl.col("cash_cents") - pl.col("paid_cents").fill_null(0),
        is_told=pl.col("is_told").fill_null(True),
    )  # fmt: skip


def _tell_world(trial: Trial, day: date, left: list[LeftMessage]) -> None:
    """The customers hear what was sent to them; who answers, answers that message."""
    rows: list[dict[str, Any]] = []
    by_key: dict[tuple[Any, ...], LeftMessage] = {}
    for message in left:
        heard_as = HEARD_AS.get(message.channel)
        account = trial.accounts.get(message.account_id)
        named = sorted(trial.items[item.item_id] for item in message.items if item.item_id in trial.items)
        if heard_as is None or account is None or not named or not message.track:
            continue
        tone = message.tone if message.tone in TONES else "soft"
        rows.append(
            {
                "message_id": None, "account_id": account, "sent_date": day, "channel": heard_as,
                "tone": tone, "purpose": "reminder", "installments": named,
            }
        )  # fmt: skip
        by_key[(account, heard_as, tone, tuple(named))] = message
    trial.world.respond(pl.DataFrame(rows, schema=tables.MESSAGES), day)
    told = trial.world.tables().messages.filter(pl.col("sent_date") == day)
    for row in told.iter_rows(named=True):
        key = (row["account_id"], row["channel"], row["tone"], tuple(row["installments"]))
        if key in by_key:
            trial.post.written[row["message_id"]] = by_key[key]
