"""What becomes of presented orders, written to the ledger: credited, provisional, paid, returned.

A Move says what happened to one order on a day. ``record`` locks the accounts concerned, looks again at the
orders, and writes the moves that still mean something with one Posting of the bank line that told them, if
any, in one transaction. What is known already is left alone, so that a line and a flow that tell the same
thing make one return whichever comes first.

    credited      nothing in the ledger: an advance is the bank's money until the receipt is due
    provisional   a provisional payment against the item, from the day its money counts
    paid          a payment takes its place, from the same day
    unpaid, refunded, withdrawn   what was set against the item is reversed, an event of the return's own day
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import polars as pl
from django.db import IntegrityError, connection

from saldo.cash.collection_lines import returned_by_line
from saldo.cash.collections import Order, orders_by_id
from saldo.cash.facts import item_facts, line_facts
from saldo.cash.plans import AUTO, ItemFacts, LineFacts, check_line
from saldo.cash.postings import changing, locked
from saldo.cash.rows import Rows
from saldo.core import collecting
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.money import decimal_text
from saldo.core.normalize import normalized_number
from saldo.ledger.queries import provisional_allocations
from saldo.storage.frames import copy_in, reserve_ids

SLIP, RETURN, FEE = "slip", "return", "not_customer"
# A return that a bank line told after its flow had: no stage of the order.
BOOKED = "booked"
EVENT, FEE_EVENT = "cash.collection", "cash.return_fee"
_RESULT = {
    "order_id": pl.Int64, "outcome": pl.String, "cause": pl.String, "effective_date": pl.Date,
    "transaction_id": pl.Int64, "payment_id": pl.Int64, "document_id": pl.Int64,
}  # fmt: skip
# What stands on credits that orders made, by debit; reopenings that used them up are debits too.
_STANDING = """
SELECT c.id, c.payment_id, (c.details ->> 'order')::bigint, c.invoice_id, c.account_id, c.currency,
       (-c.amount * 1000)::bigint, a.debit_item_id, (sum(a.amount) * 1000)::bigint, max(a.id),
       max(a.effective_date), c.effective_date, c.kind
  FROM ledger_item c
  LEFT JOIN ledger_allocation a ON a.credit_item_id = c.id
 WHERE c.amount < 0 AND c.account_id = ANY(%(accounts)s)
   AND (c.payment_id = ANY(%(payments)s) OR c.id = ANY(%(items)s)
        OR (c.kind = 'provisional_payment' AND (c.details ->> 'order')::bigint = ANY(%(orders)s)))
 GROUP BY c.id, a.debit_item_id
HAVING a.debit_item_id IS NULL OR sum(a.amount) > 0
 ORDER BY c.id, a.debit_item_id
"""


@dataclass(frozen=True, slots=True)
class Move:
    """What became of an order. outcome: as in CollectionResult; cause: the bank's code."""

    order_id: int
    outcome: str
    day: date
    cause: str = ""
    transaction_id: int | None = None
    document_id: int | None = None


@dataclass(frozen=True, slots=True)
class LineTold:
    """The Posting of the bank line that tells the moves: kind SLIP or RETURN; note for people."""

    transaction_id: int
    kind: str
    note: str = ""
    mode: str = AUTO


@dataclass(frozen=True, slots=True)
class Standing:
    """What a credit is set against, or (debit_id None) a credit that is set against nothing."""

    credit_id: int
    payment_id: int | None
    order_id: int | None
    invoice_id: int | None
    account_id: int
    currency: str
    credit_mills: int
    debit_id: int | None
    mills: int | None
    allocation_id: int | None
    day: date | None
    credit_day: date
    kind: str


def record(ctx: Context, company_id: int, moves: Sequence[Move], told: LineTold | None = None) -> list[Move]:
    """Write what of the moves is news; returns it. A return is posted even where the moves are no news, since
    a flow had told it; a credit is not: it is other money.

    Raises SaldoError: line_unknown, line_already_posted, line_not_booked, line_quarantined,
    collection_batch_unknown (credited by another line meanwhile), collection_order_ended (another line told
    the return meanwhile).
    """
    found = orders_by_id(ctx, {move.order_id for move in moves})
    account_ids = sorted({order.account_id for order in found if order.account_id is not None})

    def work() -> list[Move]:
        now, _ = locked(company_id, account_ids, ctx)
        return _Writer(now, company_id, moves, told).write()

    try:
        return changing(work, line=told.transaction_id if told else "")
    except IntegrityError as error:
        constraint = getattr(getattr(error.__cause__, "diag", None), "constraint_name", None)
        if constraint != "collection_result_once":
            raise
        # Another one recorded the same of an order whose account nobody knows: seen now, it is no news.
        return changing(work, line=told.transaction_id if told else "")


class _Writer:
    """One transaction: the state under the locks, then the rows that follow from the moves."""

    def __init__(self, ctx: Context, company_id: int, moves: Sequence[Move], told: LineTold | None) -> None:
        self.ctx = ctx
        self.line: LineFacts | None = None
        if told is not None:
            self.line = line_facts([told.transaction_id]).get(told.transaction_id)
            check_line(self.line, told.transaction_id, company_id)
        self.told, self.moves = told, moves
        self.orders = {order.id: order for order in orders_by_id(ctx, {move.order_id for move in moves})}
        self.items = item_facts({o.item_id for o in self.orders.values() if o.item_id is not None})
        self.left = {item.id: item.left_mills for item in self.items.values()}
        self.standing = self._standing()
        self.exported = self._exported()
        # Reversals are written first: only then is there room for what comes after them.
        self.reversals, self.rows = Rows(ctx), Rows(ctx)
        self.given: dict[tuple[int, date], int] = {}
        self.results: list[tuple[Any, ...]] = []
        self.shares: list[dict[str, Any]] = []

    def write(self) -> list[Move]:
        news = [move for move in self.moves if self._is_news(move)]
        if self.told is not None and self.told.kind == SLIP and len(news) < len(self.moves):
            raise SaldoError("collection_batch_unknown", batch=self.orders[self.moves[0].order_id].number)
        if self.told is not None and self.told.kind == RETURN and (again := returned_by_line(self.orders)):
            raise SaldoError("collection_order_ended", order=min(again))
        for move in news:
            self._apply(move, self.orders[move.order_id])
        if self.told is not None and self.told.kind == RETURN:
            self._booked([move for move in self.moves if move not in news])
        if self.told is not None:
            for move in self.moves:
                self._share(self.orders[move.order_id])
            self._posting()
        self.reversals.write()
        self.rows.write(self.given, with_receipts=True)
        frame = pl.DataFrame(self.results, schema=_RESULT, orient="row")
        copy_in(
            "cash_collectionresult",
            frame.with_columns(
                pl.lit(self.ctx.actor).alias("actor"), pl.lit(str(self.ctx.recorded_at)).alias("recorded_at")
            ),
        )
        return news

    # --- what was before --------------------------------------------------------------------------------

    def _standing(self) -> dict[int, list[Standing]]:
        """order id -> what stands on its own credits."""
        accounts = [o.account_id for o in self.orders.values() if o.account_id is not None]
        payments = {o.payment_id: o.id for o in self.orders.values() if o.payment_id is not None}
        found: dict[int, list[Standing]] = defaultdict(list)
        for one in standing_of(accounts, list(payments), list(self.orders)):
            order_id = one.order_id if one.order_id is not None else payments.get(one.payment_id or 0)
            if order_id is not None:
                found[order_id].append(one)
        return found

    def _exported(self) -> pl.DataFrame:
        """What exports told as closed of the items, and what stands provisionally."""
        found = provisional_allocations(self.ctx, list(self.items), settled=True)
        return found.filter(pl.col("is_debit"))

    def _is_news(self, move: Move) -> bool:
        order = self.orders[move.order_id]
        if move.outcome == collecting.UNKNOWN:
            return not order.is_unclear
        if move.outcome == collecting.CREDITED:
            return order.credited_date is None
        if order.state == collecting.RETURNED:
            return False
        if move.outcome in collecting.ENDS:
            return True
        stages = (collecting.CREDITED, collecting.PROVISIONAL, collecting.PAID)
        return order.state not in stages[stages.index(move.outcome) :]

    # --- what follows -----------------------------------------------------------------------------------

    def _apply(self, move: Move, order: Order) -> None:
        payment_id = None
        if move.outcome == collecting.PROVISIONAL:
            self._provisional(order, move.day)
        elif move.outcome == collecting.PAID:
            payment_id = self._paid(order, move)
        elif move.outcome in collecting.ENDS:
            self._returned(order, move.day, move.outcome)
        self.results.append(
            (order.id, move.outcome, move.cause[:10], move.day, move.transaction_id, payment_id,
             move.document_id)
        )  # fmt: skip
        if order.account_id is not None:
            self.rows.event(EVENT, [order.account_id], move.day, {
                "order": order.id, "kind": order.kind, "batch": order.number, "receipt": order.receipt,
                "outcome": move.outcome, "cause": move.cause, "item": order.item_id,
                "amount": decimal_text(order.mills, order.currency), "currency": order.currency,
            })  # fmt: skip

    def _booked(self, known: Sequence[Move]) -> None:
        """The statement tells a return that a flow had told: nothing happens twice, but it is kept."""
        for move in known:
            self.results.append(
                (move.order_id, BOOKED, move.cause[:10], move.day, move.transaction_id, None, None)
            )

    def _provisional(self, order: Order, day: date) -> None:
        item = self._item(order)
        mills = min(order.mills, self.left[item.id]) if item else 0
        if item is None or mills <= 0:
            return  # an export closed it already: that stands until the order is paid or returned
        since = max(day, item.room_from)
        (credit_id,) = reserve_ids("ledger_item", 1).to_list()
        self.rows.item(credit_id, item.account_id, "provisional_payment", -mills, item.currency, since,
                       invoice_id=item.invoice_id, installment_no=item.installment_no,
                       details={"order": order.id, "reason": order.kind})  # fmt: skip
        self.rows.allocation(item.id, credit_id, mills, since, f"{order.kind} due, not yet safe")
        self.left[item.id] -= mills

    def _paid(self, order: Order, move: Move) -> int | None:
        """A payment in the place of what stood provisionally, of any cause, since the order was presented.

        What an export closed before that is money of something else, or this one told early: it stays, and
        the payment is smaller by it.
        """
        if order.account_id is None:
            return None
        item, mills = self._item(order), order.mills
        taken = 0
        if item is not None:
            own = sum(one.mills or 0 for one in self.standing[order.id] if one.debit_id == item.id)
            since = move.day if own else min(order.presented_date, move.day)
            exported = self.exported.filter(pl.col("item_id") == item.id)
            early = exported.filter(pl.col("effective_date") < since)
            standing = int(exported["amount_mills"].sum()) - int(early["amount_mills"].sum())
            given = min(mills, standing)
            if given:
                self.given[item.id, since] = self.given.get((item.id, since), 0) + given
            taken = min(mills, self.left[item.id] + given)
            self.left[item.id] += given - taken
            mills -= min(mills - taken, int(early["amount_mills"].sum()))
        if mills <= 0:
            return None
        return self._payment(order, item, mills, taken, move)

    def _payment(self, order: Order, item: ItemFacts | None, mills: int, taken: int, move: Move) -> int:
        assert order.account_id is not None
        (payment_id,) = reserve_ids("ledger_payment", 1).to_list()
        (credit_id,) = reserve_ids("ledger_item", 1).to_list()
        number = f"{'RB' if order.kind == collecting.RIBA else 'SD'}{order.id}"
        text = " ".join(part for part in (order.debtor_name, order.debt_reference) if part)[:200]
        day, document_id = move.day, move.document_id
        self.rows.payments.append(
            (payment_id, order.account_id, number, normalized_number(number), day.year, day, None,
             order.currency, text, document_id, 0)
        )  # fmt: skip
        self.rows.item(credit_id, order.account_id, "payment", -mills, order.currency, day,
                       payment_id=payment_id, document_id=document_id)  # fmt: skip
        if item is not None and taken > 0:
            since = max(day, item.room_from)
            self.rows.allocation(item.id, credit_id, taken, since, order.kind, document_id=document_id)
        return int(payment_id)

    def _returned(self, order: Order, day: date, outcome: str) -> None:
        taken = take_back(self.reversals, self.rows, self.standing[order.id], day, outcome)
        item = self._item(order)
        if item is None:
            return
        self.left[item.id] += taken
        self.items[item.id] = replace(item, room_from=max(item.room_from, day))
        # Where an export had closed the item since it was presented, it was for this order.
        rest = order.mills - taken
        exported = self.exported.filter(
            (pl.col("item_id") == item.id) & (pl.col("effective_date") >= order.presented_date)
        ).filter(~pl.col("counter_item_id").is_in([one.credit_id for one in self.standing[order.id]]))
        for row in exported.sort("effective_date", descending=True).iter_rows(named=True):
            part = min(rest, row["amount_mills"])
            if part <= 0 or self.left[item.id] >= order.mills:
                break
            since = max(day, row["effective_date"])
            self.reversals.allocation(item.id, row["counter_item_id"], -part, since, outcome,
                                      reverses_id=row["allocation_id"])  # fmt: skip
            use_up(
                self.rows, row["account_id"], row["counter_item_id"], part, row["currency"], since, outcome,
                row["invoice_id"], None,
            )  # fmt: skip
            rest -= part
            self.left[item.id] += part

    def _item(self, order: Order) -> ItemFacts | None:
        return self.items.get(order.item_id) if order.item_id is not None else None

    # --- the bank line ----------------------------------------------------------------------------------

    def _share(self, order: Order) -> None:
        if order.item_id is not None and self.told is not None:
            sign = 1 if self.told.kind == SLIP else -1
            self.shares.append({"item": order.item_id, "mills": sign * order.mills, "order": order.id})

    def _posting(self) -> None:
        assert self.told is not None and self.line is not None
        (posting_id,) = reserve_ids("cash_posting", 1).to_list()
        accounts = {self.orders[move.order_id].account_id for move in self.moves}
        one = next(iter(accounts)) if len(accounts) == 1 else None
        self.reversals.posting(posting_id, self.line, self.told.kind, self.told.mode, one, None, self.shares,
                               note=self.told.note)  # fmt: skip


def standing_of(
    account_ids: Iterable[int],
    payment_ids: Sequence[int],
    order_ids: Sequence[int] = (),
    item_ids: Sequence[int] = (),
) -> Iterator[Standing]:
    """What stands on the credits of payments, on provisional credits of orders, and on credit items."""
    params = {
        "accounts": list(account_ids), "payments": list(payment_ids), "orders": list(order_ids),
        "items": list(item_ids),
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_STANDING, params)
        return (Standing(*row) for row in cursor.fetchall())


def take_back(reversals: Rows, rows: Rows, standing: Sequence[Standing], day: date, reason: str) -> int:
    """Reverse what stands on credits, an event of ``day``, and use the credits up: that money is gone.

    Returns what debits get back. What the credits had on account is used up too.
    """
    gone_before = _used_up(one.debit_id for one in standing if one.debit_id is not None)
    by_credit: dict[int, list[Standing]] = defaultdict(list)
    for one in standing:
        by_credit[one.credit_id].append(one)
    taken = 0
    for credit_id, parts in by_credit.items():
        head, gone, last = parts[0], 0, parts[0].credit_day
        free = head.credit_mills - sum(one.mills or 0 for one in parts)
        for one in parts:
            if one.debit_id is None or one.debit_id in gone_before:
                continue
            assert one.mills is not None and one.day is not None
            since = max(day, one.day)
            reversals.allocation(one.debit_id, credit_id, -one.mills, since, reason,
                                 reverses_id=one.allocation_id)  # fmt: skip
            gone, last = gone + one.mills, max(last, since)
        taken += gone
        if gone + free > 0:
            use_up(rows, head.account_id, credit_id, gone + free, head.currency, max(day, last), reason,
                   head.invoice_id, head.payment_id)  # fmt: skip
    return taken


def use_up(
    rows: Rows,
    account_id: int,
    credit_id: int,
    mills: int,
    currency: str,
    day: date,
    reason: str,
    invoice_id: int | None,
    payment_id: int | None,
) -> None:
    """A debit of its own takes what a credit is no longer worth."""
    (debit_id,) = reserve_ids("ledger_item", 1).to_list()
    rows.item(debit_id, account_id, "reopening", mills, currency, day, invoice_id=invoice_id,
              payment_id=payment_id, details={"reason": reason})  # fmt: skip
    rows.allocation(debit_id, credit_id, mills, day, reason)


def _used_up(debit_ids: Iterable[int]) -> set[int]:
    """The debits that stand for money that was gone before. What we gave back of a payment is none of them:
    if the payment itself comes back, the customer owes us what we gave."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM ledger_item WHERE id = ANY(%s) AND kind = 'reopening' "
            "AND details ->> 'reason' IS DISTINCT FROM 'refund'",
            [list(debit_ids)],
        )
        return {row[0] for row in cursor.fetchall()}
