"""The bank lines of collections: credits of slips and single debits, returns, their fees, bounced payments.

A credit is posted when it is one slip and only one, by total, account and what its text names; a return, when
it is one order. What is a line of collections and does not say which stays for a person, and is no
customer's transfer.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from django.db import IntegrityError, transaction

from saldo.cash import ties
from saldo.cash.batches import BANK, NewOrder, add_batch
from saldo.cash.bounces import record_bounce, record_fee
from saldo.cash.collecting import RETURN, SLIP, LineTold, Move, record
from saldo.cash.collection_lines import (
    CollectionLine,
    open_lines,
    payments_taken_back,
    returned_before,
    returned_by_line,
)
from saldo.cash.collections import Order, in_flight, mandates, orders, orders_by_id
from saldo.core import collecting
from saldo.core.collecting import LineMarks, line_marks, names_batch, number_keys, only, receipt_key
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.flows.collect_time import settle
from saldo.identity.operations import stamped

# Who wants a direct debit back has 13 months at most; receipts come back long before.
_REACH = timedelta(days=420)
_NOT_A_NUMBER = re.compile(
    r"(?:del)?[0-9]{1,2}/[0-9]{1,2}/[0-9]{2,4}|[0-9]{1,2}|.*rata[0-9]{1,3}|[0-9]+/[a-z]+"
)
SLIP_UNKNOWN, SLIP_AMBIGUOUS = "slip_unknown", "slip_ambiguous"
RETURN_UNKNOWN, RETURN_AMBIGUOUS = "return_unknown", "return_ambiguous"
_MEANWHILE = frozenset(
    {"line_already_posted", "line_not_posted", "collection_batch_unknown", "collection_order_ended"}
)


@dataclass(frozen=True, slots=True)
class WaitingLine:
    """A line of collections that a person must look at; reason: SLIP_… or RETURN_…"""

    transaction_id: int
    reason: str


@dataclass(slots=True)
class LinesApplied:
    """done: the lines that were posted; waiting: lines of collections that a person must look at.

    Neither is a customer's transfer. The counts: credits of slips and single debits, returns, fees tied to
    one, bounced payments.
    """

    done: list[int] = field(default_factory=list)
    waiting: list[WaitingLine] = field(default_factory=list)
    slips: int = 0
    returns: int = 0
    fees: int = 0
    bounced: int = 0

    @property
    def claimed(self) -> set[int]:
        return {*self.done, *(line.transaction_id for line in self.waiting)}


def apply_lines(ctx: Context, company_id: int, transactions: Sequence[int] | None = None) -> LinesApplied:
    """Post the open lines of collections (all, or of these ids), then settle what time makes of orders."""
    ctx = ctx.within(company_id)
    marked = []
    for line in open_lines(ctx, transactions):
        marks = line_marks(line.mills, line.code, line.text, line.return_reason, bool(line.payer_name))
        if marks.role or (line.is_reversal and line.mills < 0):
            marked.append((line, marks))
    told = LinesApplied()
    if marked:
        book = _Book(ctx, min(line.booking_date for line, _ in marked))
        book.add(
            _implied(ctx, book, [line for line, marks in marked if marks.role == collecting.CREDIT_LINE])
        )
        for line, marks in marked:
            _apply(ctx, company_id, book, line, marks, told)
    settle(ctx, company_id)
    return told


def _apply(
    ctx: Context, company_id: int, book: _Book, line: CollectionLine, marks: LineMarks, told: LinesApplied
) -> None:
    try:
        if marks.role == collecting.CREDIT_LINE:
            _credit(ctx, company_id, book, line, marks, told)
        elif marks.role == collecting.FEE_LINE:
            _fee(ctx, company_id, line, told)
        elif not _bounce(ctx, company_id, line, told) and marks.role == collecting.RETURN_LINE:
            _return(ctx, company_id, book, line, marks, told)
    except SaldoError as error:
        # Somebody else posted it, or what it tells of, at this moment: the next run sees that.
        if error.code not in _MEANWHILE:
            raise


# --- what was presented -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Slip:
    """Orders that a bank may credit in one amount: a whole batch, or its orders of one due date."""

    number: str
    kind: str
    presented_date: date
    orders: tuple[Order, ...]

    @property
    def mills(self) -> int:
        return sum(order.mills for order in self.orders)


class _Book:
    """The company's orders, kept up with what this run records."""

    def __init__(self, ctx: Context, first: date) -> None:
        found = orders(ctx, "AND o.due_date >= %(since)s", all_days=True, since=first - _REACH)
        self.orders: dict[int, Order] = {}
        self.by_batch: dict[int, list[int]] = defaultdict(list)
        self.by_receipt: dict[tuple[int, str], list[int]] = defaultdict(list)
        self.by_number: dict[tuple[int, int, str], list[int]] = defaultdict(list)
        self.returned_by_line: set[int] = set()
        self.add(found)

    def add(self, found: Sequence[Order]) -> None:
        for order in found:
            self.orders[order.id] = order
            self.by_batch[order.batch_id].append(order.id)
            self.by_receipt[order.bank_account_id, receipt_key(order.receipt)].append(order.id)
            for key in _document_keys(order.debt_reference):
                self.by_number[order.bank_account_id, order.mills, key].append(order.id)
        self.returned_by_line |= returned_by_line(order.id for order in found if order.end_date)

    def slips(self, bank_account_id: int, kind: str) -> Iterator[_Slip]:
        """What the bank has not credited yet."""
        for ids in self.by_batch.values():
            whole = [self.orders[one] for one in ids]
            first = whole[0]
            if first.bank_account_id != bank_account_id or kind not in ("", first.kind):
                continue
            if all(order.credited_date is None for order in whole):
                yield _Slip(first.number, first.kind, first.presented_date, tuple(whole))
            days = {order.due_date for order in whole}
            for day in sorted(days) if len(days) > 1 else ():
                part = tuple(one for one in whole if one.due_date == day)
                if all(order.credited_date is None for order in part):
                    yield _Slip(first.number, first.kind, first.presented_date, part)

    def credited(self, found: Sequence[Order], day: date) -> None:
        for order in found:
            self.orders[order.id] = replace(order, credited_date=day)

    def by_reference(self, line: CollectionLine, kind: str) -> list[Order]:
        """Orders of the line's amount whose number it gives back."""
        keys = {receipt_key(text) for text in (line.end_to_end_id, line.customer_reference) if text}
        ids = {i for key in keys for i in self.by_receipt.get((line.bank_account_id, key), ())}
        return self._fitting(ids, line, kind)

    def by_document(self, line: CollectionLine, kind: str) -> list[Order]:
        """Orders of the line's amount whose debt its text names."""
        keys = _document_keys(line.text)
        where = (line.bank_account_id, abs(line.mills))
        ids = {i for key in keys for i in self.by_number.get((*where, key), ())}
        return self._fitting(ids, line, kind)

    def _fitting(self, ids: set[int], line: CollectionLine, kind: str) -> list[Order]:
        found = (self.orders[i] for i in sorted(ids))
        return [
            one
            for one in found
            if one.mills == abs(line.mills)
            and kind in ("", one.kind)
            and one.presented_date <= line.booking_date
        ]


def _document_keys(text: str) -> frozenset[str]:
    """Keys of document numbers in a text, without its dates, ordinals and installments."""
    return frozenset(key for key in number_keys(text) if not _NOT_A_NUMBER.fullmatch(key))


# --- credits ----------------------------------------------------------------------------------------


def _credit(
    ctx: Context, company_id: int, book: _Book, line: CollectionLine, marks: LineMarks, told: LinesApplied
) -> None:
    single = only(one for one in book.by_reference(line, marks.kind) if one.credited_date is None)
    if single is not None:
        found: Sequence[Order] = [single]
    else:
        fitting = [
            slip
            for slip in book.slips(line.bank_account_id, marks.kind)
            if slip.mills == line.mills and slip.presented_date <= line.booking_date
        ]
        named = [slip for slip in fitting if names_batch(line.text, slip.number)]
        possible = named or [s for s in fitting if names_batch(line.text, s.number) is None]
        slip = only(possible)
        if slip is None:
            # Without a slip of ours, words or a code about debits may stand in a customer's own transfer.
            if not line.payer_name:
                reason = SLIP_AMBIGUOUS if possible else SLIP_UNKNOWN
                told.waiting.append(WaitingLine(line.id, reason))
            return
        found = slip.orders
    moves = [
        Move(order.id, collecting.CREDITED, line.booking_date, transaction_id=line.id) for order in found
    ]
    number = found[0].number
    record(ctx, company_id, moves, LineTold(line.id, SLIP, f"{found[0].kind} {number}: {len(found)}"))
    book.credited(found, line.booking_date)
    told.done.append(line.id)
    told.slips += 1


def _implied(ctx: Context, book: _Book, lines: Sequence[CollectionLine]) -> list[Order]:
    """Direct debits that only the statement tells (presented in home banking, no file of ours).

    The bank names mandate, debt and amount of each. Those whose installment is clear become orders; the
    others stay lines like any other.
    """
    assert ctx.company_id is not None
    unknown = [
        line
        for line in lines
        if line.mandate_id and line.end_to_end_id and not book.by_reference(line, collecting.SDD)
    ]
    if not unknown:
        return []
    by_mandate: dict[str, set[int]] = defaultdict(set)
    for one in mandates(ctx):
        by_mandate[one.mandate_id].add(one.account_id)
    debts = [
        ties.Debt(line.mills, line.booking_date, line.text,
                  account_id=only(by_mandate.get(line.mandate_id, ())))
        for line in unknown
    ]  # fmt: skip
    tied = ties.ties_of(ctx.company_id, debts, in_flight(ctx)["item_id"].to_list())
    groups: dict[tuple[int, str, date], list[tuple[CollectionLine, ties.Tied]]] = defaultdict(list)
    for line, tie in zip(unknown, tied, strict=True):
        if tie.item_id is not None:
            groups[line.bank_account_id, line.bank_reference, line.booking_date].append((line, tie))
    made: list[int] = []
    for (account, reference, day), found in groups.items():
        made += _add_implied(ctx, account, reference, day, found)
    return orders_by_id(ctx, made)


def _add_implied(
    ctx: Context,
    bank_account_id: int,
    reference: str,
    day: date,
    found: Sequence[tuple[CollectionLine, ties.Tied]],
) -> list[int]:
    assert ctx.company_id is not None
    number = f"{reference[:24] or f'{day:%Y%m%d}'}/{found[0][0].id}"
    new = [
        NewOrder(
            line.end_to_end_id, line.mills, day, tie.account_id, tie.item_id,
            scheme=collecting.B2B if line.code.endswith("BBDD") else collecting.CORE,
            debtor_name=line.payer_name, debt_reference=line.text,
        )
        for line, tie in found
    ]  # fmt: skip
    try:
        with transaction.atomic():
            now = stamped(ctx, ctx.company_id)
            return add_batch(now, bank_account_id, collecting.SDD, number, day, BANK, new)
    except IntegrityError:  # another run did the same at this moment
        return []


# --- what comes back --------------------------------------------------------------------------------


def _return(
    ctx: Context, company_id: int, book: _Book, line: CollectionLine, marks: LineMarks, told: LinesApplied
) -> None:
    fitting = book.by_reference(line, marks.kind) or book.by_document(line, marks.kind)
    fitting = [one for one in fitting if one.id not in book.returned_by_line]
    due = [one for one in fitting if one.due_date <= line.booking_date] or fitting
    # Of an order presented again after it came back, the last is meant.
    order = only(due) or only(one for one in due if one.end_date is None)
    if order is None:
        if marks.is_certain or fitting:
            reason = RETURN_AMBIGUOUS if fitting else RETURN_UNKNOWN
            told.waiting.append(WaitingLine(line.id, reason))
        return
    days = (line.booking_date - order.due_date).days
    outcome = collecting.return_outcome(order.kind, line.return_reason, days)
    move = Move(order.id, outcome, line.booking_date, line.return_reason, line.id)
    record(ctx, company_id, [move], LineTold(line.id, RETURN, f"{order.kind} {order.receipt}"))
    book.returned_by_line.add(order.id)
    book.orders[order.id] = replace(order, end_date=order.end_date or line.booking_date)
    told.done.append(line.id)
    told.returns += 1


def _fee(ctx: Context, company_id: int, line: CollectionLine, told: LinesApplied) -> None:
    """A fee belongs to the return just before it, or to the only one of its day; others are ours to bear."""
    order_id = returned_before(line)
    if order_id is None:
        return
    record_fee(ctx, company_id, line.id, order_id)
    told.done.append(line.id)
    told.fees += 1


def _bounce(ctx: Context, company_id: int, line: CollectionLine, told: LinesApplied) -> bool:
    """Whether the line took back a payment that was posted."""
    if not line.is_reversal and not line.return_reason:
        return False
    found = only(payments_taken_back(line))
    if found is None:
        return False
    record_bounce(ctx, company_id, line.id, *found)
    told.done.append(line.id)
    told.bounced += 1
    return True
