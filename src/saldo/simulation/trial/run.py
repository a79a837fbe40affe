"""One policy on one seed: a world, its ERPs' files through the real flows, a policy's contacts, the answers.

    world -> history into Saldo -> every business day: world.advance, the ERPs' files, the day's run, the
    policy, what was done recorded in Saldo, world.respond -> figures from the truth

Import this only after Django is set up, but for jobs on the engines alone, which need none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import polars as pl

from saldo.core.calendar import is_business_day
from saldo.simulation.trial.engines import EngineDesk
from saldo.simulation.trial.figures import Figures, figures
from saldo.simulation.trial.jobs import Job
from saldo.simulation.trial.office import Heard, Office
from saldo.simulation.trial.policies import POLICIES, Contact, Policy
from saldo.simulation.trial.rules import CALL, Rules, rules
from saldo.simulation.world import tables
from saldo.simulation.world.tables import Tables

if TYPE_CHECKING:
    from saldo.simulation.trial.desk import Desk


class World(Protocol):
    """What a trial needs of a world."""

    def advance(self, until: date) -> None: ...
    def respond(self, messages: pl.DataFrame, until: date) -> pl.DataFrame: ...
    def tables(self) -> Tables: ...


@dataclass(slots=True)
class Trial:
    """A trial under way: the world, the office with its Saldo, and what links the one's ids to the other's.

    lines: (company, document number, installment) -> installment_id. accounts: Saldo's account -> the
    world's; customers: the other way round.
    """

    job: Job
    world: World
    policy: Policy
    rules: Rules
    office: Office
    desk: Desk | EngineDesk
    codes: dict[int, str]
    lines: dict[tuple[str, str, int], int] = field(default_factory=dict)
    accounts: dict[int, int] = field(default_factory=dict)
    customers: dict[int, int] = field(default_factory=dict)

    @property
    def first_day(self) -> date:
        return self.rules.first_day

    @property
    def last_day(self) -> date:
        return self.first_day + timedelta(days=self.job.days - 1)


def begin(job: Job, make: Callable[..., World]) -> Trial:
    """The world on the eve of the first day, its history imported."""
    shared = rules(job.size)
    if job.first_day is not None:
        shared = replace(shared, first_day=job.first_day)
    eve = shared.first_day - timedelta(days=1)
    world = make(job.size, job.seed, eve, job.days)
    companies = world.tables().companies
    trial = Trial(
        job=job,
        world=world,
        policy=POLICIES[job.policy],
        rules=shared,
        office=Office(shared),
        desk=_desk(job, eve),
        codes=dict(companies.select("company_id", "code").iter_rows()),
    )
    if trial.policy.reads_items:
        trial.desk.history(world.tables(), shared.first_day)
    return trial


def _desk(job: Job, eve: date) -> Desk | EngineDesk:
    if job.engines:
        return EngineDesk(eve)
    # The models behind it ask for Django, which the engines do not.
    from saldo.simulation.trial.desk import Clock, Desk

    return Desk(Clock(eve), eve)


def business_days(trial: Trial) -> Iterator[date]:
    for offset in range(trial.job.days):
        day = trial.first_day + timedelta(days=offset)
        if is_business_day(day):
            yield day


def live(trial: Trial, day: date) -> list[Contact]:
    """One business day: files are taken in, the day is run, the policy chooses, the customers answer."""
    trial.world.advance(day)
    if not trial.policy.reads_items:
        return []
    t = trial.world.tables()
    trial.desk.begin(day)
    trial.desk.look(t)
    _learn_names(trial, t)
    _hear(trial, t.replies)
    trial.office.settle(_settled(trial, t, day))
    known = trial.office.morning(day, trial.desk.due_items(), ())
    if trial.policy.reads_worklist:
        known = replace(known, worklist=tuple(trial.desk.worklist(trial.office)))
    contacts = trial.policy.chooses(known, trial.rules)
    _act(trial, t, day, contacts)
    return contacts


def run(job: Job, make: Callable[..., World], tell: Callable[[int], None] = lambda done: None) -> Figures:
    """The whole trial of one policy on one seed; ``tell`` hears how many of its days are done."""
    trial = begin(job, make)
    for day in business_days(trial):
        live(trial, day)
        tell((day - trial.first_day).days + 1)
    trial.world.advance(trial.last_day)
    return figures(trial.world.tables(), trial.first_day, trial.last_day)


# -- between the office and the world --------------------------------------------------------------------


def _learn_names(trial: Trial, t: Tables) -> None:
    """Keep the two sides' names of accounts and lines together; lines are only ever added."""
    names = trial.desk.names()
    if len(trial.accounts) < len(names):
        for account_id, company_id, code in t.accounts.select("account_id", "company_id", "code").iter_rows():
            found = names.get((trial.codes[company_id], code.lstrip("0")))
            if found is not None:
                trial.accounts[found] = account_id
                trial.customers[account_id] = found
    if len(trial.lines) < t.installments.height:
        owners = t.accounts.select("account_id", "company_id")
        numbers = t.invoices.select("invoice_id", "number", "kind")
        joined = t.installments.join(numbers, on="invoice_id").join(owners, on="account_id")
        columns = joined.select("company_id", "number", "no", "installment_id").iter_rows()
        trial.lines = {
            (trial.codes[company], number, no): installment for company, number, no, installment in columns
        }


def _hear(trial: Trial, replies: pl.DataFrame) -> None:
    """What came in is understood, and a promise is kept in Saldo with the day to come back to it."""
    day = pl.coalesce("promise_date", "return_date")
    rows = replies.select("reply_id", "account_id", "kind", "reply_date", day).iter_rows()
    heard = [
        Heard(reply_id, trial.customers[account], kind, when, until)
        for reply_id, account, kind, when, until in rows
        if account in trial.customers
    ]
    fresh = [reply for reply in heard if reply.reply_id not in trial.office.heard]
    promises = dict(trial.office.hear(fresh))
    if not trial.policy.reads_worklist:
        return
    for reply in fresh:
        trial.desk.heard(reply, promises.get(reply, reply.heard_date))
    while trial.office.new_plans:
        trial.desk.agreed(trial.office.new_plans.pop(0))


def _settled(trial: Trial, t: Tables, day: date) -> Sequence[int]:
    """Accounts whose disputes we have settled by the day: our own decisions, so the office knows them."""
    done = t.disputes.filter(pl.col("resolved_date") <= day).select("installment_id")
    open_ = t.disputes.filter(
        (pl.col("opened_date") <= day) & ~(pl.col("resolved_date") <= day).fill_null(False)
    )
    owners = t.installments.select("installment_id", "account_id")
    settled = owners.join(done, on="installment_id", how="semi")["account_id"].unique()
    still = owners.join(open_, on="installment_id", how="semi")["account_id"].unique()
    return [
        trial.customers[account]
        for account in settled.filter(~settled.is_in(still.implode())).sort().to_list()
        if account in trial.customers
    ]


def _act(trial: Trial, t: Tables, day: date, contacts: Sequence[Contact]) -> None:
    """Send, and record in Saldo what was done; what is said on the telephone is heard at once."""
    trial.office.did(day, contacts)
    for contact in contacts:
        trial.desk.made(contact)
    trial.world.respond(_messages(trial, t, day, contacts), day)
    _hear(trial, trial.world.tables().replies)


def _messages(trial: Trial, t: Tables, day: date, contacts: Sequence[Contact]) -> pl.DataFrame:
    """MESSAGES: contacts in the world's words. Who has no address gets a letter."""
    with_mail = set(t.contacts.filter(pl.col("email") != "")["customer_id"].to_list())
    customer_of = dict(t.accounts.select("account_id", "customer_id").iter_rows())
    names = trial.desk.named(item for contact in contacts for item in contact.items)
    rows: list[dict[str, Any]] = []
    for contact in contacts:
        account_id = trial.accounts[contact.account_id]
        written = "email" if customer_of[account_id] in with_mail else "letter"
        rows.append(
            {
                "message_id": None,
                "account_id": account_id,
                "sent_date": day,
                "channel": CALL if contact.channel == CALL else written,
                "tone": contact.tone,
                "purpose": contact.purpose,
                "installments": sorted(trial.lines[names[item]] for item in contact.items),
            }
        )
    return pl.DataFrame(rows, schema=tables.MESSAGES)
