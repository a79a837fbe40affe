"""A cash trial: a world's bank files through the product, day by day, and a desk that knows the truth.

    documents dated the day before -> statements and advices of the morning -> cash is applied -> measured
    -> the desk posts what is left, and puts right what was wrong -> the office sets credits off, writes off

Import this only after Django is set up.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from saldo.core.calendar import is_business_day
from saldo.core.errors import SaldoError
from saldo.flows.apply_cash import apply_cash
from saldo.simulation.cash_trial.books import Books
from saldo.simulation.cash_trial.desk import BankLine, Best, Desk, Posted, euro
from saldo.simulation.cash_trial.documents import Documents
from saldo.simulation.cash_trial.office import Office
from saldo.simulation.cash_trial.readings import readings
from saldo.simulation.cash_trial.report import AUTO, Outcome
from saldo.simulation.cash_trial.truth import PAYS, RIGHT, Truth, fault_kinds, truths, verdict
from saldo.simulation.draws import Draws
from saldo.simulation.files.folder import arrivals, sent_bank_files
from saldo.simulation.files.remittance_files import remittances
from saldo.simulation.files.world_file import WorldFile
from saldo.simulation.trial.desk import Clock
from saldo.simulation.world.tables import Tables

Tell = Callable[[date, int], None]


@dataclass(frozen=True, slots=True)
class CashJob:
    """seed: of the world (draws what happens to files). first: the first day of bank files; measured_from:
    before it Saldo learns and nothing is measured. capacity: lines that the desk posts a day, 0: nobody."""

    seed: int
    first: date
    measured_from: date
    last: date
    capacity: int = 120


@dataclass(slots=True)
class CashTrial:
    """What is known and what was found. outcomes: of transfers, at the first run that saw them. counts: lines
    by what became of them; troubles: what the desk could not do, with the error's code."""

    job: CashJob
    t: Tables
    desk: Desk
    truths: dict[int, Truth]
    documents: dict[str, Documents]
    office: Office
    batches: dict[int, dict[int, int]]
    kinds: dict[int, str]
    outcomes: list[Outcome] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    troubles: Counter[str] = field(default_factory=Counter)
    open: dict[int, BankLine] = field(default_factory=dict)
    details: list[str] = field(default_factory=list)
    troubled: set[tuple[str, int]] = field(default_factory=set)
    refused_files: Counter[str] = field(default_factory=Counter)

    def write_details(self, path: Path) -> None:
        """What was posted wrongly, and what a perfect reader knew and Saldo did not post."""
        path.write_text("\n".join(self.details) + "\n", encoding="utf-8")

    def euro(self) -> dict[str, Any]:
        """Every euro of the transfers that Saldo has: allocated + unapplied + not posted is what came in."""
        return euro()


def run(t: Tables, job: CashJob, tell: Tell = lambda day, lines: None) -> CashTrial:
    """The whole trial in the database that Django is connected to."""
    trial = _begin(t, job)
    files = arrivals(
        [*sent_bank_files(t, Draws(job.seed), job.first, job.last),
         *remittances(t, Draws(job.seed), job.first - timedelta(days=7), job.last)]
    )  # fmt: skip
    read = readings(t, job.first, job.first, job.last)
    at, before = 0, job.first - timedelta(days=1)
    for day in _days(job):
        trial.desk.begin(day)
        eve = day - timedelta(days=1)
        for code, documents in trial.documents.items():
            if (file := documents.issued(before, eve)) is not None:
                trial.desk.take_list(code, file, documents.mapping)
        before = eve
        while at < len(files) and files[at].day <= day:
            _take(trial, files[at])
            at += 1
        _live(trial, read)
        tell(day, len(trial.outcomes))
    return trial


def _days(job: CashJob) -> Iterator[date]:
    """Business days, up to the one on which the last statement has come."""
    day = job.first
    while day <= job.last + timedelta(days=6):
        if is_business_day(day):
            yield day
        day += timedelta(days=1)


def _begin(t: Tables, job: CashJob) -> CashTrial:
    known = truths(t, job.first, job.last)
    books = Books(t, job.first, known)
    books.advance(job.first)
    eve = job.first - timedelta(days=1)
    desk = Desk(Clock(eve), eve)
    desk.set_up(t)
    on_account = {truth.on_account for truth in known.values() if truth.on_account is not None}
    companies = t.companies.select("company_id", "code").iter_rows()
    documents = {code: Documents(t, ix, on_account) for ix, code in companies}
    for code, each in documents.items():
        desk.take_list(code, each.before(books, job.first), each.mapping)
    desk.know_items(t)
    others = t.payments.filter((pl.col("kind") != "transfer") & (pl.col("booking_date") >= job.first))
    batches: dict[int, dict[int, int]] = defaultdict(dict)
    for payment, line, cents in (
        t.payment_lines.join(others.select("payment_id"), on="payment_id")
        .select("payment_id", "installment_id", "amount_cents").iter_rows()
    ):  # fmt: skip
        batches[payment][line] = batches[payment].get(line, 0) + cents
    kinds = dict(t.payments.select("payment_id", "kind").iter_rows())
    return CashTrial(job, t, desk, known, documents, Office(t, job.first), dict(batches), kinds)


def _take(trial: CashTrial, file: WorldFile) -> None:
    done = trial.desk.take_bank(file)
    if isinstance(done, SaldoError):
        trial.refused_files[done.code] += 1
    else:
        trial.refused_files.update(rejection.code for rejection in done.rejections)


def _live(trial: CashTrial, read: dict[int, Any]) -> None:
    """Cash is applied, what came of it is measured, people do the rest."""
    desk = trial.desk
    desk.know_items(trial.t)
    for company_id in desk.companies.values():
        apply_cash(desk.context(company_id), company_id)
    new = desk.new_lines()
    trial.open |= {line.id: line for line in new}
    posted, best = desk.posted(trial.open), desk.best(trial.open)
    wrong = [line for line in new if not _measure(trial, line, posted, best, read)]
    if trial.job.capacity:
        _work(trial, wrong, posted, best)
    _close_rests(trial)
    trial.troubles.update(trial.office.work(desk))


def _measure(
    trial: CashTrial, line: BankLine, posted: dict[int, Posted], best: dict[int, Best], read: dict[int, Any]
) -> bool:
    """Note what became of a new line; False: it was posted unasked, and wrongly."""
    kind, post = trial.kinds[line.payment_id], posted.get(line.id)
    state = "left" if post is None else post.mode
    trial.counts[f"{kind}: {state}"] += 1
    truth = trial.truths.get(line.payment_id)
    if kind != "transfer" or truth is None:
        return True
    first = best.get(line.id)
    shares, written = _of_posted(trial, post) if post else _of_best(trial, first)
    said = verdict(truth, shares, written)
    if post is not None and truth.kind != PAYS:
        trial.desk.learn_on_account(truth, post)
    if line.booking_date >= trial.job.measured_from:
        reader = read[line.payment_id]
        trial.outcomes.append(
            Outcome(
                line.payment_id, truth.company_id, line.booking_date, line.cents, truth.kind,
                AUTO if post else first.zone if first else "leave", said, reader.verdict, reader.why,
                fault_kinds(truth), first.probability if first else 0.0, first.pattern if first else "",
            )
        )  # fmt: skip
        if (post is not None) != (said == RIGHT and reader.verdict == RIGHT):
            trial.details.append(_detail(trial, line, truth, first, trial.outcomes[-1]))
    return post is None or said == RIGHT


def _detail(trial: CashTrial, line: BankLine, truth: Truth, first: Best | None, outcome: Outcome) -> str:
    def named(shares: Mapping[int, int]) -> str:
        names = trial.desk.numbers
        return ", ".join(f"{names.get(item, item)} {cents}" for item, cents in shares.items()) or "nothing"

    text, name = trial.desk.texts(line.id)
    shares, _ = _of_best(trial, first)
    return (
        f"{outcome.zone} {outcome.verdict} #{line.payment_id} {line.booking_date} {line.cents} {text!r}"
        f" {name!r} truth {truth.kind} {truth.faults}: {named(truth.paid)}; meant {named(truth.meant)};"
        f" credits {named(truth.credits)} | {outcome.pattern} p={outcome.probability:.4f}: {named(shares)}"
        f" {first.differences if first else ''} | reader {outcome.reader} {outcome.reader_why}"
    )


def _of_best(trial: CashTrial, best: Best | None) -> tuple[dict[int, int], dict[int, int]]:
    if best is None:
        return {}, {}
    return _cents(trial, best.shares, best.differences)


def _of_posted(trial: CashTrial, post: Posted) -> tuple[dict[int, int], dict[int, int]]:
    return _cents(trial, post.shares, post.differences)


def _cents(
    trial: CashTrial, shares: Sequence[dict[str, Any]], differences: Sequence[dict[str, Any]]
) -> tuple[dict[int, int], dict[int, int]]:
    """Shares, and what was written off, by installment. An item that the world does not have is -1."""
    names = trial.desk.installments
    told: Counter[int] = Counter()
    for share in shares:
        told[names.get(share["item"], -1)] += share["mills"] // 10
    written: Counter[int] = Counter()
    for each in differences:
        if each["kind"] not in ("short", "discount_late", "withholding", "split_vat"):
            written[names.get(each["item"], -1)] += each["mills"] // 10
    return dict(told), dict(written)


def _work(
    trial: CashTrial, wrong: Sequence[BankLine], posted: dict[int, Posted], best: dict[int, Best]
) -> None:
    """The desk's day: what is wrong is taken back; slips and returns; the largest transfers first."""
    desk = trial.desk
    for line in wrong:
        if _tried(trial, "undo", line, lambda line=line: desk.take_back(line)):
            posted.pop(line.id, None)
    waiting = [line for line in trial.open.values() if line.id not in posted]
    for line in sorted(waiting, key=lambda line: line.id):
        if trial.kinds[line.payment_id] != "transfer":
            kind = trial.kinds[line.payment_id]
            _tried(trial, kind, line, lambda line=line: _book_other(trial, line))
    transfers = [line for line in waiting if trial.kinds[line.payment_id] == "transfer"]
    transfers.sort(key=lambda line: (line.booking_date > trial.desk.day, -line.cents))
    for line in transfers[: trial.job.capacity]:
        truth = trial.truths[line.payment_id]
        accounts = _whose(trial, truth)
        first = best.get(line.id)
        if first is not None and verdict(truth, *_of_best(trial, first)) != RIGHT:
            first = None
        _tried(
            trial, "transfer", line,
            lambda line=line, truth=truth, accounts=accounts, first=first: desk.post_rightly(
                line, truth, accounts, first
            ),
        )  # fmt: skip


def _close_rests(trial: CashTrial) -> None:
    """Lines that are posted are done with; what they left open and was meant as paid is closed."""
    for line_id, post in trial.desk.posted(trial.open).items():
        line = trial.open.pop(line_id)
        truth = trial.truths.get(line.payment_id)
        if truth is None or truth.kind != PAYS or not truth.meant or not trial.job.capacity:
            continue
        shares, written = _of_posted(trial, post)
        cleared = {item: shares.get(item, 0) + written.get(item, 0) for item in truth.paid}
        _tried(
            trial,
            "close the rest",
            line,
            lambda line=line, truth=truth, cleared=cleared: trial.desk.close_rest(
                line.company_id, truth, cleared
            ),
        )


def _book_other(trial: CashTrial, line: BankLine) -> None:
    kind, paid = trial.kinds[line.payment_id], trial.batches.get(line.payment_id, {})
    if kind in ("riba", "sdd"):
        trial.desk.post_batch(line, paid)
    elif kind in ("riba_return", "sdd_return"):
        trial.desk.post_return(line, paid)
    elif kind == "refund":
        trial.desk.post_refund(line, list(paid))
    else:
        trial.desk.post_other(line)


def _whose(trial: CashTrial, truth: Truth) -> list[int]:
    """Saldo's accounts whose money the transfer may be: the payer's own, then those of what it pays."""
    accounts = trial.t.accounts.filter(
        (pl.col("customer_id") == truth.payer_id) & (pl.col("company_id") == truth.company_id)
    )["account_id"].to_list()
    items = [*truth.paid, *([truth.on_account] if truth.on_account is not None else [])]
    owners = dict(trial.t.installments.filter(pl.col("installment_id").is_in(items))
                  .select("installment_id", "account_id").iter_rows())  # fmt: skip
    accounts += [owners[item] for item in items if item in owners]
    return [trial.desk.accounts[a] for a in dict.fromkeys(accounts) if a in trial.desk.accounts]


def _tried(trial: CashTrial, what: str, line: BankLine, work: Callable[[], None]) -> bool:
    try:
        work()
    except (SaldoError, KeyError) as error:
        code = error.code if isinstance(error, SaldoError) else "not known"
        if (what, line.id) not in trial.troubled:  # the desk tries again every day
            trial.troubled.add((what, line.id))
            trial.troubles[f"{what}: {code}"] += 1
            told = f"#{line.payment_id} {line.booking_date} {line.cents}"
            trial.details.append(f"trouble {what} {told}: {error}")
        return False
    return True
