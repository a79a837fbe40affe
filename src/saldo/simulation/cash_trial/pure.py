"""The matching engine alone, day by day, on books of truth: quick to run again when a rule changes.

    python -m saldo.simulation.cash_trial.pure FOLDER [--cold] [--days N] [--show N]

FOLDER is a world that ``saldo world write`` wrote. Every line is then posted as it was meant, and what it
teaches is learnt; with --cold nothing is. For each company and day the lines are asked one after the other.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from saldo.core.matching.book import Book, wanted_keys
from saldo.core.matching.engine import propose
from saldo.core.matching.experience import Experience
from saldo.core.matching.payers import PayerAccount, PayerAlias, Payers
from saldo.core.matching.policy import DEFAULT, Policy
from saldo.core.matching.records import AUTO, Line, Proposal
from saldo.core.normalize import search_text
from saldo.simulation.cash_trial.books import Books
from saldo.simulation.cash_trial.feed import by_day, engine_items, engine_line, seen_lines
from saldo.simulation.cash_trial.readings import Read, readings
from saldo.simulation.cash_trial.report import Outcome, figures, table
from saldo.simulation.cash_trial.truth import RIGHT, Truth, fault_kinds, truths, verdict
from saldo.simulation.world.tables import Tables

# Differences that an automatic posting closes with the money.
WRITTEN = ("charges", "rounding", "discount")


@dataclass(slots=True)
class Learnt:
    """What one company has confirmed: aliases, and first proposals by pattern (right, wrong)."""

    aliases: dict[tuple[int, str, str], None] = field(default_factory=dict)
    counts: dict[str, tuple[int, int]] = field(default_factory=dict)

    def note(self, line: Line, account: int, names: Mapping[int, str], others: set[int]) -> None:
        if line.payer_iban:
            self.aliases[account, "iban", line.payer_iban] = None
        name = search_text(line.payer_name)
        if name and name != names[account]:
            self.aliases[account, "name", name] = None
        for other in others - {account}:
            self.aliases[account, "pays_for", str(other)] = None

    def count(self, proposal: Proposal, is_right: bool) -> None:
        right, wrong = self.counts.get(proposal.pattern, (0, 0))
        self.counts[proposal.pattern] = (right + is_right, wrong + (not is_right))


@dataclass(frozen=True, slots=True)
class Case:
    """A line with what was proposed for it, for whoever wants to see why."""

    line: Line
    truth: Truth
    first: Proposal
    outcome: Outcome


def evaluate(
    t: Tables, since: date, first: date, last: date, learns: bool = True, policy: Policy = DEFAULT
) -> Iterator[Case]:
    """Every transfer from ``first`` to ``last``; lines since ``since`` are learnt from before."""
    known, seen = truths(t, since, last), seen_lines(t, since, last)
    ends = dict(t.payments.select("payment_id", "end_to_end").iter_rows())
    read = readings(t, since, first, last)
    books = Books(t, since, known)
    accounts, owners = _accounts(t)
    names = {each.account_id: search_text(each.name) for group in accounts.values() for each in group}
    learnt: dict[int, Learnt] = defaultdict(Learnt)
    for day, lines in by_day(seen.values()).items():
        books.advance(day)
        for company in sorted({each.company_id for each in lines}):
            ours = [each for each in lines if each.company_id == company]
            asked = [engine_line(each, ends[each.payment_id] or "") for each in ours]
            told = learnt[company]
            payers = Payers(accounts[company], [PayerAlias(*alias) for alias in told.aliases])
            experience = Experience(told.counts)
            book = Book(engine_items(books, company, day, policy.recent_days), wanted_keys(asked))
            for line in asked:
                truth = known[line.line_id]
                found = propose(line, book, payers, policy, experience)
                case = _case(line, truth, found[0], read.get(line.line_id))
                if found[0].zone == AUTO:
                    _take(book, found[0], line)
                if day >= first:
                    yield case
                if learns:
                    _learn(told, books, owners, names, case)
        for each in lines:
            books.apply(each.payment_id)


def _accounts(t: Tables) -> tuple[dict[int, list[PayerAccount]], dict[tuple[int, int], int]]:
    """PayerAccounts by company; (company, customer) -> account."""
    rows = t.accounts.join(t.customers, on="customer_id").select(
        "account_id", "company_id", "customer_id", "name", "vat", "tax_code", "parent_id"
    )
    found: dict[int, list[PayerAccount]] = defaultdict(list)
    owners = {}
    for account, company, customer, name, vat, tax_code, _ in rows.iter_rows():
        found[company].append(PayerAccount(account, customer, name, (), vat, tax_code))
        owners[company, customer] = account
    return found, owners


def _case(line: Line, truth: Truth, first: Proposal, read: Read | None) -> Case:
    shares = {share.item_id: share.mills // 10 for share in first.shares}
    written: Counter[int] = Counter()
    for each in first.differences:
        if each.kind in WRITTEN:
            written[each.item_id] += each.mills // 10
    said = verdict(truth, shares, written)
    outcome = Outcome(
        line.line_id, truth.company_id, line.booking_date, truth.cents, truth.kind, first.zone, said,
        read.verdict if read else "", read.why if read else "", fault_kinds(truth), first.probability,
        first.pattern,
    )  # fmt: skip
    return Case(line, truth, first, outcome)


def _take(book: Book, proposal: Proposal, line: Line) -> None:
    written = {each.item_id: each.mills for each in proposal.differences if each.kind in WRITTEN}
    for share in proposal.shares:
        book.take(share.item_id, share.mills + written.get(share.item_id, 0), line.booking_date)


def _learn(
    told: Learnt, books: Books, owners: Mapping[tuple[int, int], int], names: Mapping[int, str], case: Case
) -> None:
    """What the desk's posting of the line teaches. One that was right and automatic teaches its IBAN only."""
    truth = case.truth
    items = {books.line(item).account_id for item in truth.paid}
    is_right = case.outcome.verdict == RIGHT
    is_auto = case.first.zone == AUTO
    if not is_auto or not is_right:
        told.count(case.first, is_right)
    account = owners.get((truth.company_id, truth.payer_id)) or min(items, default=None)
    if account is None:
        return
    if not (is_auto and is_right) or items == {account}:
        told.note(case.line, account, names, items)


# -- on the command line ---------------------------------------------------------------------------------


def read_tables(folder: Path) -> Tables:
    """The truth of a world that was written into a folder."""
    return Tables(**{path.stem: pl.read_parquet(path) for path in (folder / "truth").glob("*.parquet")})


def describe(case: Case, t: Tables) -> str:
    """A line with all that is needed to see why it was read so."""
    numbers = t.installments.join(t.invoices.select("invoice_id", "number"), on="invoice_id")
    names = {
        row[0]: f"{row[1]}#{row[2]}" for row in numbers.select("installment_id", "number", "no").iter_rows()
    }
    line, truth, first = case.line, case.truth, case.first

    def told(shares: Mapping[int, int]) -> str:
        return ", ".join(f"{names[item]} {cents}" for item, cents in shares.items()) or "nothing"

    advice = line.advice and [(each.number, each.paid_mills) for each in line.advice.lines]
    proposed = {share.item_id: share.mills // 10 for share in first.shares}
    differences = [(each.kind, names[each.item_id], each.mills // 10) for each in first.differences]
    return (
        f"#{line.line_id} {line.booking_date} {truth.cents} {line.text!r} rf {line.creditor_reference!r}"
        f" from {line.payer_name!r} {line.payer_iban} charges {line.charges_mills // 10} advice {advice}\n"
        f"   truth {truth.kind} {truth.faults}: {told(truth.paid)}; meant {told(truth.meant)};"
        f" credits {told(truth.credits)}\n"
        f"   {first.zone} {first.kind} {first.pattern} p={first.probability:.4f}: {told(proposed)}"
        f" {differences} -> {case.outcome.verdict}; reader: {case.outcome.reader} ({case.outcome.reader_why})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cold", action="store_true", help="nothing is learnt")
    parser.add_argument("--days", type=int, default=120, help="measured at the end")
    parser.add_argument("--warm", type=int, default=120, help="days of learning before them")
    parser.add_argument("--show", type=int, default=40, help="wrong ones, and known ones not posted")
    options = parser.parse_args()
    t = read_tables(options.folder)
    last = t.payments["booking_date"].max()
    assert isinstance(last, date)
    first = last - timedelta(days=options.days - 1)
    since = first if options.cold else first - timedelta(days=options.warm)
    began = time.perf_counter()
    cases = list(evaluate(t, since, first, last, not options.cold))
    outcomes = [case.outcome for case in cases]
    print(f"{len(cases)} transfers in {time.perf_counter() - began:.0f} s")
    print(table(figures(outcomes)))
    wrong = [case for case in cases if case.outcome.is_auto and case.outcome.verdict != RIGHT]
    missed = [case for case in cases if case.outcome.is_known and not case.outcome.is_auto]
    for title, some in (("WRONG AND AUTOMATIC", wrong), ("KNOWN AND NOT AUTOMATIC", missed)):
        print(f"\n{title}: {len(some)}")
        patterns = Counter((case.first.pattern, case.outcome.verdict) for case in some)
        print(
            "\n".join(f"  {count:5} {pattern} {said}" for (pattern, said), count in patterns.most_common(40))
        )
        print("\n".join(describe(case, t) for case in some[: options.show]))


if __name__ == "__main__":
    main()
