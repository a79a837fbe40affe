"""Receipts (RiBa) and direct debits: presented, credited, paid, returned.

    take_in_flow   a flow of CBI that a file brought: slips presented elsewhere, and what became of receipts
    present        a slip or a file of direct debits for the bank, of items that are to be collected
    apply_lines    the bank lines of collections: credits of whole slips, returns and fees, bounced payments
    settle         what the passing of time makes of orders: due, then safe

What the ledger shows at each stage: docs/rules/collections.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.db import IntegrityError, transaction

from saldo.cash import ties
from saldo.cash.banks import BankAccountRow, bank_accounts
from saldo.cash.batches import FILE, NewOrder, add_batch, known_batch
from saldo.cash.collecting import Move
from saldo.cash.collections import Order, in_flight, orders
from saldo.core import collecting
from saldo.core.collecting import receipt_key
from saldo.core.context import Context
from saldo.core.errors import Rejection, SaldoError
from saldo.core.money import decimal_text
from saldo.flows.collect_lines import LinesApplied, apply_lines
from saldo.flows.collect_present import Presented, present
from saldo.flows.collect_time import Settled, recorded, settle
from saldo.formats.bank_records import CollectionFlow, CollectionOutcome
from saldo.formats.records import Notice
from saldo.identity.operations import stamped

__all__ = [
    "LinesApplied", "Presented", "Settled", "TakenIn", "apply_lines", "present", "settle", "take_in_flow",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class TakenIn:
    """done: receipts that were news; unchanged: those known already; rejections: outcomes of no receipt."""

    done: int
    unchanged: int
    rejections: tuple[Rejection, ...] = ()
    notices: tuple[Notice, ...] = ()


def take_in_flow(ctx: Context, flow: CollectionFlow, document_id: int | None) -> TakenIn:
    """Record a flow of receipts; read twice it changes nothing the second time.

    Raises SaldoError("collection_account_unknown") where no account of ours has the flow's bank and SIA.
    """
    if flow.kind == "sdd-outcomes":
        return _take_debit_outcomes(ctx, flow, document_id)
    presents = flow.kind == "riba-presented"
    sia, abi = (flow.sender, flow.receiver) if presents else (flow.receiver, flow.sender)
    accounts = _bank_accounts(ctx, sia, abi)
    if not accounts:
        raise SaldoError("collection_account_unknown", sia=sia or "-", abi=abi or "-")
    if presents:
        return _take_presented(ctx, flow, document_id, accounts[0])
    return _take_outcomes(ctx, flow, document_id, accounts)


def _bank_accounts(ctx: Context, sia: str, abi: str) -> list[BankAccountRow]:
    """Our accounts at the bank under that SIA; where none has a SIA, those at the bank if of one company."""
    found = [account for account in bank_accounts(ctx) if account.abi == abi]
    ours = [account for account in found if account.sia and account.sia == sia]
    if ours:
        return ours
    nameless = [account for account in found if not account.sia]
    return nameless if len({account.company_id for account in nameless}) == 1 else []


# --- slips presented elsewhere ----------------------------------------------------------------------


def _take_presented(
    ctx: Context, flow: CollectionFlow, document_id: int | None, account: BankAccountRow
) -> TakenIn:
    ctx = ctx.within(account.company_id)
    day = flow.created_date or ctx.as_of
    number = _batch_number(account, flow, day)
    if number is None:
        return TakenIn(0, len(flow.outcomes))
    told = [one for one in flow.outcomes if one.amount_mills > 0 and one.due_date is not None]
    debts = [
        ties.Debt(one.amount_mills, one.due_date or day, one.debt_reference, one.debtor_code or "",
                  one.debtor_tax_code or "")
        for one in told
    ]  # fmt: skip
    taken = in_flight(ctx.at(max(day, ctx.as_of)))["item_id"].to_list()
    tied = ties.ties_of(account.company_id, debts, taken)
    new = [_new_order(one, tie) for one, tie in zip(told, tied, strict=True)]
    try:
        with transaction.atomic():
            now = stamped(ctx, account.company_id)
            add_batch(now, account.id, collecting.RIBA, number, day, FILE, new, document_id)
    except IntegrityError:  # another one took the same flow in at this moment
        return TakenIn(0, len(flow.outcomes))
    untied = sum(1 for one in tied if one.item_id is None)
    notices = (Notice("collection_untied", flow.name, "", {"count": untied, "flow": flow.name}),)
    return TakenIn(len(told), 0, (), notices if untied else ())


def _batch_number(account: BankAccountRow, flow: CollectionFlow, day: date) -> str | None:
    """The name of a new batch; None where it is known. Banks let a name come back on another day."""
    name = flow.name[:20] or f"{day:%Y%m%d}"
    for number in (name, f"{name}/{day:%y%m%d}"):
        known = known_batch(account.id, collecting.RIBA, number)
        if known is None:
            return number
        if known == (day, flow.total_mills):
            return None
    number = f"{name}/{day:%y%m%d}/{flow.total_mills // 10}"[:40]
    return None if known_batch(account.id, collecting.RIBA, number) else number


def _new_order(one: CollectionOutcome, tie: ties.Tied) -> NewOrder:
    assert one.due_date is not None
    return NewOrder(
        one.receipt or "", one.amount_mills, one.due_date, tie.account_id, tie.item_id,
        debtor_name=one.debtor_name or "", debtor_code=one.debtor_code or "",
        debtor_tax_code=one.debtor_tax_code or "", debt_reference=one.debt_reference,
        abi=one.debtor_abi or "", cab=one.debtor_cab or "",
    )  # fmt: skip


# --- outcomes ---------------------------------------------------------------------------------------


def _take_outcomes(
    ctx: Context, flow: CollectionFlow, document_id: int | None, accounts: Sequence[BankAccountRow]
) -> TakenIn:
    ctx = ctx.within(accounts[0].company_id)
    day = flow.created_date or ctx.as_of
    known = orders(
        ctx,
        "AND b.bank_account_id = ANY(%(accounts)s) AND b.kind = 'riba' AND o.due_date = ANY(%(days)s)",
        all_days=True,
        accounts=[account.id for account in accounts],
        days=[one.due_date for one in flow.outcomes if one.due_date],
    )
    by_key: dict[tuple[str, int, date], list[Order]] = {}
    for order in known:
        by_key.setdefault((receipt_key(order.receipt), order.mills, order.due_date), []).append(order)
    moves, rejections = [], []
    for one in flow.outcomes:
        order = _order_of(by_key, one)
        if order is None:
            rejections.append(_unknown_order(one))
            continue
        # Paid counts from its due date; what comes back, from the day the bank says so.
        when = order.value_date if one.outcome == collecting.PAID else max(day, order.presented_date)
        moves.append(Move(order.id, one.outcome, when, one.cause, document_id=document_id))
    news = recorded(ctx, accounts[0].company_id, moves)
    return TakenIn(news, len(moves) - news, tuple(rejections))


def _take_debit_outcomes(ctx: Context, flow: CollectionFlow, document_id: int | None) -> TakenIn:
    """What a pain.002 says of our debits, found by end-to-end id, of the message that it answers.

    An accepted debit has brought nothing yet: only the statement books it.
    """
    day = flow.created_date or ctx.as_of
    known = orders(
        ctx, "AND b.kind = 'sdd' AND o.receipt = ANY(%(receipts)s)", all_days=True,
        receipts=[one.receipt for one in flow.outcomes if one.receipt],
    )  # fmt: skip
    news = unchanged = 0
    rejections: list[Rejection] = []
    moves: dict[int, list[Move]] = {}
    for one in flow.outcomes:
        found = [
            order for order in known if order.receipt == one.receipt and one.amount_mills in (0, order.mills)
        ]
        named = [order for order in found if order.number == flow.name] or found
        order = collecting.only(named)
        if order is None:
            rejections.append(_unknown_order(one))
        elif one.outcome in (*collecting.ENDS, collecting.UNKNOWN):
            when = max(day, order.presented_date)
            move = Move(order.id, one.outcome, when, one.cause, document_id=document_id)
            moves.setdefault(order.company_id, []).append(move)
        else:
            unchanged += 1
    for company_id, told in moves.items():
        done = recorded(ctx.within(company_id), company_id, told)
        news, unchanged = news + done, unchanged + len(told) - done
    return TakenIn(news, unchanged, tuple(rejections))


def _order_of(by_key: dict[tuple[str, int, date], list[Order]], one: CollectionOutcome) -> Order | None:
    """The receipt with that number, amount and due date; of one presented again, the last."""
    if one.receipt is None or one.due_date is None:
        return None
    found = by_key.get((receipt_key(one.receipt), one.amount_mills, one.due_date), [])
    items = {order.item_id for order in found}
    return found[-1] if found and (len(found) == 1 or (len(items) == 1 and items != {None})) else None


def _unknown_order(one: CollectionOutcome) -> Rejection:
    return Rejection(
        "collection_order_unknown", f"ricevuta/receipt {one.receipt or '-'}", one.debt_reference,
        {"receipt": one.receipt or "-", "amount": decimal_text(one.amount_mills, one.currency),
         "due": one.due_date.isoformat() if one.due_date else "-"},
    )  # fmt: skip
