"""Apply cash: bank lines that nothing was done with, to the items they pay.

Load lines, items, payers and experience; let the engine propose line by line in booking order, each line
seeing what the ones before it took; keep the proposals; post those that are sure enough; and say what became
of every euro that came in. Lines are decided and posted in chunks, so that a run that is killed leaves whole
lines and the next one goes on. Asked again, it answers the same.
"""

from __future__ import annotations

import gc
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import polars as pl
from django.db import connection, transaction

from saldo.cash import frames
from saldo.cash.advices import with_advices
from saldo.cash.plans import AUTO as AUTO_MODE
from saldo.cash.plans import WRITTEN, Done, Planned, Refused
from saldo.cash.policies import policy_in_force
from saldo.cash.postings import post_many
from saldo.cash.proposals import Decided, keep_proposals, next_run
from saldo.cash.reach import named_ids, reachable
from saldo.core.context import Context
from saldo.core.matching.book import Book, wanted_keys
from saldo.core.matching.engine import propose
from saldo.core.matching.experience import Experience, belief
from saldo.core.matching.payers import Payers
from saldo.core.matching.policy import Policy
from saldo.core.matching.records import AUTO, LEAVE, Line, Proposal
from saldo.core.matching.references import mentions
from saldo.core.money import decimal_text
from saldo.flows.collect_lines import apply_lines
from saldo.identity.operations import ensure_model_version
from saldo.parties.queries import LEGAL_ZONE
from saldo.promises.offers import granted_discounts
from saldo.storage.locks import applying
from saldo.storage.statistics import analyze

ENGINE = "cash_matching"
CHUNK_LINES = 5_000
Progress = Callable[[int, int], None]
_TABLES = (
    "cash_matchproposal", "cash_posting", "ledger_payment", "ledger_item", "ledger_allocation",
    "ledger_item_open_projection",
)  # fmt: skip


@dataclass(slots=True)
class Sums:
    """What came in with the lines of a run, in one currency: every amount is in exactly one of the four.

    allocated: set against items. on_account: posted, and unapplied. proposed: waits for a person, with a
    proposal. left: waits, nothing is probable enough to propose.
    """

    lines: int = 0
    posted_lines: int = 0
    proposed_lines: int = 0
    left_lines: int = 0
    came_in_mills: int = 0
    allocated_mills: int = 0
    on_account_mills: int = 0
    proposed_mills: int = 0
    left_mills: int = 0

    @property
    def adds_up(self) -> bool:
        parts = self.allocated_mills + self.on_account_mills + self.proposed_mills + self.left_mills
        lines = self.posted_lines + self.proposed_lines + self.left_lines
        return parts == self.came_in_mills and lines == self.lines

    @property
    def line_rate(self) -> float | None:
        return self.posted_lines / self.lines if self.lines else None

    @property
    def value_rate(self) -> float | None:
        posted = self.allocated_mills + self.on_account_mills
        return posted / self.came_in_mills if self.came_in_mills else None

    def as_json(self, currency: str) -> dict[str, Any]:
        amounts = {
            name: decimal_text(getattr(self, f"{name}_mills"), currency)
            for name in ("came_in", "allocated", "on_account", "proposed", "left")
        }
        return {
            "currency": currency, "lines": self.lines, "posted": self.posted_lines,
            "proposed_lines": self.proposed_lines, "left_lines": self.left_lines,
            "line_rate": self.line_rate, "value_rate": self.value_rate, **amounts, "adds_up": self.adds_up,
        }  # fmt: skip


@dataclass(slots=True)
class CashResult:
    """What a run did. collections: lines posted as credits of slips, returns and the like, which are in no
    sum; collections_waiting: such lines for a person. refused: lines that were sure enough and could not be
    posted, with the reason; they wait as proposals."""

    company_id: int
    run: int | None = None
    collections: int = 0
    collections_waiting: int = 0
    currencies: dict[str, Sums] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    done: list[Done] = field(default_factory=list)

    @property
    def lines(self) -> int:
        return sum(sums.lines for sums in self.currencies.values())

    @property
    def posted(self) -> int:
        return sum(sums.posted_lines for sums in self.currencies.values())

    @property
    def adds_up(self) -> bool:
        return all(sums.adds_up for sums in self.currencies.values())

    def as_json(self, language: str) -> dict[str, Any]:
        return {
            "run": self.run,
            "lines": self.lines,
            "posted": self.posted,
            "collections": self.collections,
            "collections_waiting": self.collections_waiting,
            "currencies": [sums.as_json(currency) for currency, sums in sorted(self.currencies.items())],
            "refused": [
                {
                    "line": one.transaction_id, "code": one.error.code, "why": one.error.why(language),
                    "remedy": one.error.remedy(language),
                }
                for one in self.refused
            ],
            "adds_up": self.adds_up,
        }  # fmt: skip


class _DryRun(Exception):
    """Ends a dry run's transaction so that everything in it is rolled back."""


def apply_cash(
    ctx: Context,
    company_id: int,
    bank_account_id: int | None = None,
    transaction_ids: Sequence[int] | None = None,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> CashResult:
    """Apply the company's open lines, or some of them. A dry run does everything and takes it back."""

    def run() -> CashResult:
        with applying(company_id):
            return _run(ctx.within(company_id), company_id, bank_account_id, transaction_ids, progress)

    if not dry_run:
        return run()
    result = CashResult(company_id)
    try:
        with transaction.atomic():
            result = run()
            raise _DryRun
    except _DryRun:
        return result


def apply_new_lines(ctx: Context, company_id: int) -> CashResult | None:
    """Apply the lines that were imported and never looked at. Only on the present day: a look at another
    day posts nothing."""
    if ctx.as_of != ctx.clock().astimezone(LEGAL_ZONE).date():
        return None
    lines = frames.ids_never_looked_at(ctx, company_id)
    return apply_cash(ctx, company_id, transaction_ids=lines) if lines else None


def _run(
    ctx: Context,
    company_id: int,
    bank_account_id: int | None,
    transaction_ids: Sequence[int] | None,
    progress: Progress | None,
) -> CashResult:
    result = CashResult(company_id)
    apart = _apply_collections(ctx, company_id, bank_account_id, transaction_ids, result)
    told = frames.lines_to_do(ctx, company_id, bank_account_id, transaction_ids)
    told = told.filter(~pl.col("line_id").is_in(apart))
    if told.is_empty():
        return result
    with _without_collector():
        matching = _Matching.load(ctx, company_id, list(frames.line_records(told)))
        result.run = next_run()
        lines = matching.lines
        for start in range(0, len(lines), CHUNK_LINES):
            _apply_chunk(ctx, company_id, matching, lines[start : start + CHUNK_LINES], result)
            if progress:
                progress(min(start + CHUNK_LINES, len(lines)), len(lines))
    _check_ledger(result)
    analyze(_TABLES, result.lines)
    return result


def _apply_collections(
    ctx: Context,
    company_id: int,
    bank_account_id: int | None,
    transaction_ids: Sequence[int] | None,
    result: CashResult,
) -> list[int]:
    """Post what belongs to slips and direct debits; returns their lines, posted or for a person."""
    if transaction_ids is None and bank_account_id is not None:
        transaction_ids = frames.ids_of_account(company_id, bank_account_id)
    applied = apply_lines(ctx, company_id, transaction_ids)
    result.collections = len(applied.done)
    result.collections_waiting = len(applied.waiting)
    return sorted(applied.claimed)


@contextmanager
def _without_collector() -> Iterator[None]:
    """A million records live to the end: looking for cycles among them takes long and finds none. What was
    read in the texts is not kept for ever."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        mentions.cache_clear()
        if was_enabled:
            gc.enable()


class _Matching:
    """What the engine needs, with what later lines of the run must see of earlier ones."""

    def __init__(
        self,
        lines: list[Line],
        book: Book,
        payers: Payers,
        policy: Policy,
        experience: Experience,
        told: list[frames.Told],
        model_version_id: int,
    ) -> None:
        self.lines, self.book, self.payers = lines, book, payers
        self.policy, self.experience, self.model_version_id = policy, experience, model_version_id
        self._told = told
        self._expired = 0
        self._taken: dict[int, int] = {}

    @classmethod
    def load(cls, ctx: Context, company_id: int, lines: list[Line]) -> _Matching:
        policy = policy_in_force(ctx, company_id)
        counts = frames.confirmed_counts(ctx, company_id)
        payers = Payers(frames.payer_accounts(company_id), frames.payer_aliases(ctx, company_id))
        lines = with_advices(ctx, company_id, lines, payers)
        first = lines[0].booking_date
        told = frames.told_by_exports(ctx, company_id, first)
        given: dict[int, int] = {}
        for one in told:
            given[one.item_id] = given.get(one.item_id, 0) + one.mills
        items = frames.open_items(ctx, company_id, first - timedelta(days=policy.recent_days))
        flying = frames.in_flight(ctx, company_id)
        wanted = wanted_keys(lines)
        items = reachable(items, lines, payers, wanted)
        orders = frames.advances(ctx, company_id)
        granted = granted_discounts(ctx.within(company_id), first)
        records = frames.item_records(items, flying, given, orders, granted)
        book = Book(records, wanted, named_ids(items, wanted))
        told = [one for one in told if one.item_id in book]
        model_version_id = _model_version(ctx, policy, counts)
        return cls(lines, book, payers, policy, Experience(counts), told, model_version_id)

    def propose(self, line: Line) -> tuple[Proposal, ...]:
        """The line's proposals; what is sure is taken from the book, so that the next line sees it."""
        self._expire(line)
        proposals = propose(line, self.book, self.payers, self.policy, self.experience)
        if proposals and proposals[0].zone == AUTO:
            self._take(proposals[0], line, 1)
        return proposals

    def give_back(self, proposal: Proposal, line: Line) -> None:
        """What was taken for a line that could not be posted after all."""
        self._take(proposal, line, -1)

    def _take(self, proposal: Proposal, line: Line, times: int) -> None:
        parts = [(share.item_id, share.mills) for share in proposal.shares]
        parts += [(d.item_id, d.mills) for d in proposal.differences if d.kind in WRITTEN]
        for item_id, mills in parts:
            if times > 0:
                self.book.take(item_id, mills, line.booking_date)
            else:
                self.book.give_back(item_id, mills)
            self._taken[item_id] = self._taken.get(item_id, 0) + times * mills

    def _expire(self, line: Line) -> None:
        """What an export told stands, once a line is booked too late to be its cause: less is open then."""
        while self._expired < len(self._told) and self._told[self._expired].until < line.booking_date:
            one = self._told[self._expired]
            self._expired += 1
            explained = min(self._taken.get(one.item_id, 0), one.mills)
            self._taken[one.item_id] = self._taken.get(one.item_id, 0) - explained
            stands = min(one.mills - explained, self.book.balance(one.item_id))
            if stands > 0:
                self.book.take(one.item_id, stands, one.day)


def _model_version(ctx: Context, policy: Policy, counts: dict[str, tuple[int, int]]) -> int:
    """What proposed: the engine's stated beliefs, the company's policy, and what was confirmed so far."""
    parameters = {
        "policy": policy.as_data(),
        "confirmed": {name: list(pair) for name, pair in counts.items()},
    }
    digest = hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()[:16]
    version = f"{belief().version}-{digest}"
    return ensure_model_version(ctx, ENGINE, version, parameters).id


def _apply_chunk(
    ctx: Context, company_id: int, matching: _Matching, lines: Sequence[Line], result: CashResult
) -> None:
    """Decide, keep and post some lines."""
    assert result.run is not None
    decided: list[Decided] = [(line.line_id, matching.propose(line)) for line in lines]
    firsts = keep_proposals(ctx, company_id, result.run, decided, matching.model_version_id)
    best = {line_id: proposals[0] for line_id, proposals in decided if proposals}
    plans = [
        Planned(
            line_id, one.account_id, one.shares, one.differences, mode=AUTO_MODE, proposal_id=firsts[line_id]
        )
        for line_id, one in best.items()
        if one.zone == AUTO
    ]
    outcome = post_many(ctx, company_id, plans)
    by_id = {line.line_id: line for line in lines}
    for refused in outcome.refused:
        matching.give_back(best[refused.transaction_id], by_id[refused.transaction_id])
    result.refused += outcome.refused
    result.done += outcome.done
    _count(result, lines, best, {done.transaction_id: done for done in outcome.done})


def _count(
    result: CashResult, lines: Sequence[Line], best: dict[int, Proposal], posted: dict[int, Done]
) -> None:
    for line in lines:
        sums = result.currencies.setdefault(line.currency, Sums())
        sums.lines += 1
        sums.came_in_mills += line.amount_mills
        done, first = posted.get(line.line_id), best.get(line.line_id)
        if done is not None:
            sums.posted_lines += 1
            sums.allocated_mills += done.allocated_mills
            sums.on_account_mills += done.unapplied_mills
        elif first is not None and first.zone != LEAVE:
            sums.proposed_lines += 1
            sums.proposed_mills += line.amount_mills
        else:
            sums.left_lines += 1
            sums.left_mills += line.amount_mills


def _check_ledger(result: CashResult) -> None:
    """The sums once more, from what the ledger holds now: payments made, and what of them is used."""
    items = [done.payment_item_id for done in result.done]
    if not items:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT currency, (sum(used) * 1000)::bigint, (sum(cap - used) * 1000)::bigint"
            " FROM ledger_item_open_projection WHERE item_id = ANY(%s) GROUP BY currency",
            [items],
        )
        for currency, used, unused in cursor.fetchall():
            sums = result.currencies[currency]
            sums.allocated_mills, sums.on_account_mills = used, unused
