"""Posting bank lines: what came in becomes a payment in the ledger, set against items or kept on account.

    post                  one line, as a person or the engine says; raises what is refused
    post_many             many lines, in chunks; what is refused comes back
    post_match, post_on_account, post_not_customer, post_refund      the same in a person's words

Every change is a transaction of its own with the accounts locked in id order first, so that two people, or a
person and a run, wait for each other; of two who post one line the second is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from django.db import IntegrityError, transaction

from saldo.cash.aliases import learn
from saldo.cash.facts import accounts_of_items, facts_of, item_facts, items_named, line_facts
from saldo.cash.models import MatchProposal
from saldo.cash.plans import (
    CHOSEN,
    CONFIRMED,
    MANUAL,
    MATCH,
    NOT_CUSTOMER,
    REFUND,
    Checks,
    Done,
    ItemFacts,
    Objection,
    Planned,
    Refused,
    check_line,
)
from saldo.cash.rows import Rows, bank_source, write_postings
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.matching.records import Difference, Share
from saldo.core.money import decimal_text
from saldo.disputes.operations import open_deduction
from saldo.identity.operations import stamped
from saldo.parties.models import CustomerAccount
from saldo.storage.frames import reserve_ids
from saldo.storage.locks import retried

T = TypeVar("T")
CHUNK_LINES = 2_000
REFUNDED = "cash.refunded"
_REFUSALS = {
    "posting_sequence": "line_already_posted",
    "payment_once": "line_already_posted",
    # Checked before under the locks; should the ledger see it otherwise, the line alone is refused.
    "item_used_within_cap": "allocation_exceeds",
    "item_used_within_cap_every_day": "allocation_exceeds_on_a_day",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of many plans."""

    done: list[Done]
    refused: list[Refused]


def locked(company_id: int, account_ids: Sequence[int], ctx: Context) -> tuple[Context, dict[int, int]]:
    """Lock accounts in id order and stamp the context; returns it with the accounts' companies.

    To be called first in a transaction. Raises SaldoError("account_unknown").
    """
    rows = CustomerAccount.objects.filter(id__in=account_ids).order_by("id")
    # NO KEY: rows that point at the account may still be added by an import.
    accounts = {row.id: row.company_id for row in rows.select_for_update(no_key=True)}
    return stamped(ctx, company_id), accounts


def changing(work: Callable[[], T], **params: object) -> T:
    """Run a whole transaction again if it lost a race; what a rule refuses becomes a SaldoError."""

    def whole() -> T:
        try:
            with transaction.atomic():
                return work()
        except IntegrityError as error:
            code = _refusal(error)
            if code is None:
                raise
            raise SaldoError(code, **{"number": "", "amount": "", "line": "", **params}) from error

    return retried(whole)


def _refusal(error: IntegrityError) -> str | None:
    constraint = getattr(getattr(error.__cause__, "diag", None), "constraint_name", None)
    return _REFUSALS.get(constraint or "")


def _write(ctx: Context, company_id: int, plans: Sequence[Planned]) -> Outcome:
    """Check and write plans in the caller's transaction."""
    named = {plan.account_id for plan in plans if plan.account_id is not None}
    items = items_named(plans)
    account_ids = named | (accounts_of_items(items) if items else set())
    ctx, accounts = locked(company_id, sorted(account_ids), ctx)
    checks = Checks.of(facts_of(ctx, plans, accounts))
    checked, refused = [], []
    for plan in plans:
        try:
            checked.append(checks.check(plan, company_id))
        except SaldoError as error:
            refused.append(Refused(plan.transaction_id, error))
    done = write_postings(ctx, checked, checks.given) if checked else []
    for one in checked:
        for objection in one.planned.deductions:
            open_deduction(ctx, objection.item_id, objection.mills, objection.reason, objection.note,
                           one.line.booking_date, one.line.id)  # fmt: skip
    learn(ctx, [(one, posted.posting_id) for one, posted in zip(checked, done, strict=True)])
    return Outcome(done, refused)


def post(ctx: Context, planned: Planned) -> Done:
    """Post one line. Raises SaldoError as ``plans.Checks.check`` says."""
    company_id = _company_of(planned.transaction_id)
    bank_source()

    def work() -> Done:
        outcome = _write(ctx, company_id, [planned])
        if outcome.refused:
            raise outcome.refused[0].error
        return outcome.done[0]

    return changing(work, line=planned.transaction_id)


def post_many(
    ctx: Context,
    company_id: int,
    plans: Sequence[Planned],
    progress: Callable[[int, int], None] | None = None,
) -> Outcome:
    """Post lines in chunks, each a transaction: killed at any point, what was posted is whole lines, and to
    run again goes on from there. A chunk that loses to somebody else is tried in halves, down to the lines
    concerned, which come back refused."""
    done: list[Done] = []
    refused: list[Refused] = []
    bank_source()
    for start in range(0, len(plans), CHUNK_LINES):
        for part in _halving(ctx, company_id, plans[start : start + CHUNK_LINES]):
            done += part.done
            refused += part.refused
        if progress:
            progress(min(start + CHUNK_LINES, len(plans)), len(plans))
    return Outcome(done, refused)


def _halving(ctx: Context, company_id: int, plans: Sequence[Planned]) -> list[Outcome]:
    try:
        return [changing(lambda: _write(ctx, company_id, plans), line=plans[0].transaction_id)]
    except SaldoError as error:
        if len(plans) == 1:
            return [Outcome([], [Refused(plans[0].transaction_id, error)])]
    half = len(plans) // 2
    return _halving(ctx, company_id, plans[:half]) + _halving(ctx, company_id, plans[half:])


def _company_of(transaction_id: int) -> int:
    line = line_facts([transaction_id]).get(transaction_id)
    if line is None:
        raise SaldoError("line_unknown", line=transaction_id)
    return line.company_id


# --- in a person's words ------------------------------------------------------------------------------


def post_match(
    ctx: Context,
    transaction_id: int,
    account_id: int,
    shares: Sequence[Share],
    differences: Sequence[Difference] = (),
    mode: str = MANUAL,
    proposal_id: int | None = None,
    note: str = "",
    deductions: Sequence[Objection] = (),
) -> Done:
    """Money of ``account_id`` for these items; what no share takes stays on account.

    Items may be of other accounts of the company (paid by another account). Differences of the kinds in
    ``plans.WRITTEN`` become credits of their own; ``deductions`` say why something stays open.
    """
    return post(
        ctx,
        Planned(
            transaction_id, account_id, tuple(shares), tuple(differences), tuple(deductions),
            MATCH, mode, proposal_id, note,
        ),
    )  # fmt: skip


def post_proposal(ctx: Context, transaction_id: int, rank: int = 1, note: str = "") -> Done:
    """What the newest run proposed at this rank, confirmed. Raises SaldoError: proposal_gone."""
    newest = MatchProposal.objects.filter(transaction_id=transaction_id).order_by("-run", "rank").first()
    chosen = (
        newest
        and MatchProposal.objects.filter(transaction_id=transaction_id, run=newest.run, rank=rank).first()
    )
    if not chosen or chosen.account_id is None:
        raise SaldoError("proposal_gone", line=transaction_id)
    return post_match(
        ctx, transaction_id, chosen.account_id,
        [Share(one["item"], one["mills"]) for one in chosen.shares],
        [Difference(one["kind"], one["item"], one["mills"]) for one in chosen.differences],
        CONFIRMED if rank == 1 else CHOSEN, chosen.id, note,
    )  # fmt: skip


def post_on_account(
    ctx: Context,
    transaction_id: int,
    account_id: int,
    mode: str = MANUAL,
    proposal_id: int | None = None,
    note: str = "",
) -> Done:
    """Money of the account that is not set against anything yet: unapplied cash."""
    return post_match(ctx, transaction_id, account_id, (), (), mode, proposal_id, note)


def post_not_customer(ctx: Context, transaction_id: int, note: str = "", mode: str = MANUAL) -> Done:
    """A line that is no customer's money (charges, transfers between our accounts, other income)."""
    return post(ctx, Planned(transaction_id, kind=NOT_CUSTOMER, mode=mode, note=note))


def post_refund(
    ctx: Context, transaction_id: int, credit_item_ids: Sequence[int], note: str = "", mode: str = MANUAL
) -> Done:
    """Money that we gave back: uses up open credits of one account, in the order given.

    Raises SaldoError: of ``check_line``, and line_is_credit, item_unknown, allocation_sides,
    line_currency_differs, refund_of_one_account, allocation_exceeds.
    """
    company_id = _company_of(transaction_id)

    def work() -> Done:
        account_ids = sorted(accounts_of_items(credit_item_ids))
        now, _ = locked(company_id, account_ids, ctx)
        line = check_line(line_facts([transaction_id]).get(transaction_id), transaction_id, company_id)
        if line.mills >= 0:
            raise SaldoError("line_is_credit", line=line.id)
        found = item_facts(credit_item_ids)
        credits = [_credit(found.get(item_id), item_id, company_id, line.currency, line.id)
                   for item_id in dict.fromkeys(credit_item_ids)]  # fmt: skip
        if len(account_ids) != 1:
            raise SaldoError("refund_of_one_account", line=line.id)
        if sum(credit.left_mills for credit in credits) < -line.mills:
            told = f"{decimal_text(-line.mills, line.currency)} {line.currency}"
            raise SaldoError("allocation_exceeds", amount=told, number=credits[0].number)
        (debit_id,) = reserve_ids("ledger_item", 1).to_list()
        (posting_id,) = reserve_ids("cash_posting", 1).to_list()
        rows, left, shares = Rows(now), -line.mills, []
        # The debit begins when the last of the credits can be used, or the bank's day if that is later.
        day = max([line.booking_date, *(credit.room_from for credit in credits)])
        rows.item(debit_id, account_ids[0], "reopening", left, line.currency, day,
                  document_id=line.document_id, details={"reason": "refund"})  # fmt: skip
        for credit in credits:
            part = min(left, credit.left_mills)
            if part > 0:
                rows.allocation(debit_id, credit.id, part, day, "refunded", document_id=line.document_id)
                shares.append({"item": credit.id, "mills": -part})
                left -= part
        data = [{"kind": REFUND, "item": debit_id, "mills": -line.mills}]
        rows.posting(posting_id, line, REFUND, mode, account_ids[0], None, shares, data, note=note)
        amount = decimal_text(-line.mills, line.currency)
        rows.event(REFUNDED, account_ids, line.booking_date, {
            "transaction": line.id, "posting": posting_id, "amount": amount, "currency": line.currency,
        })  # fmt: skip
        rows.write()
        return Done(line.id, posting_id, None, None, account_ids[0], 0, 0, line.currency)

    return changing(work, line=transaction_id)


def _credit(item: ItemFacts | None, item_id: int, company_id: int, currency: str, line_id: int) -> ItemFacts:
    if item is None or item.company_id != company_id:
        raise SaldoError("item_unknown", item=item_id)
    if item.sign > 0:
        raise SaldoError("allocation_sides")
    if item.currency != currency:
        raise SaldoError("line_currency_differs", line=line_id, currency=item.currency)
    return item


def add_posting(
    ctx: Context, transaction_id: int, kind: str, mode: str, account_ids: Sequence[int] = (), **more: object
) -> int:
    """The Posting of a line whose ledger rows the caller writes, in the caller's transaction.

    ``ctx`` is stamped. more: account_id, payment_id, shares, differences, note. Returns the posting's id.
    Raises SaldoError as ``check_line`` does; of two at once the second breaks posting_sequence.
    """
    assert ctx.company_id is not None
    line = check_line(line_facts([transaction_id]).get(transaction_id), transaction_id, ctx.company_id)
    (posting_id,) = reserve_ids("cash_posting", 1).to_list()
    rows = Rows(ctx)
    rows.posting(posting_id, line, kind, mode, **more)  # type: ignore[arg-type]
    rows.event("cash.posted", account_ids, line.booking_date, {
        "transaction": line.id, "posting": posting_id, "kind": kind, "currency": line.currency,
        "amount": decimal_text(line.mills, line.currency),
    })  # fmt: skip
    rows.write()
    return int(posting_id)
