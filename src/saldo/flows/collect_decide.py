"""What a person decides where lines, flows and files left it open.

post_slip      this line is the credit of that batch (of its orders not credited yet)
post_return    this line is that order come back
decide         this is what became of an order (a cause that no table knows, a call to the bank)
"""

from __future__ import annotations

from saldo.cash.collecting import RETURN, SLIP, LineTold, Move, record
from saldo.cash.collection_lines import CollectionLine, open_lines, returned_by_line
from saldo.cash.collections import Order, orders, orders_by_id
from saldo.cash.plans import MANUAL
from saldo.core import collecting
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.money import decimal_text
from saldo.flows.collect_time import settle

DECISIONS = (collecting.PAID, collecting.UNPAID, collecting.REFUNDED, collecting.WITHDRAWN)


def post_slip(ctx: Context, company_id: int, transaction_id: int, batch_id: int) -> int:
    """Returns how many orders the line credits. The totals must agree: a bank's deduction is another line.

    Raises SaldoError: line_unknown, collection_batch_unknown, collection_total_differs, line_already_posted.
    """
    ctx = ctx.within(company_id)
    line = _open_line(ctx, transaction_id)
    found = orders(ctx, "AND b.id = %(batch)s AND r.credited_date IS NULL", all_days=True, batch=batch_id)
    if not found:
        raise SaldoError("collection_batch_unknown", batch=batch_id)
    _check_total(line.mills, sum(order.mills for order in found), line.currency)
    day = line.booking_date
    moves = [Move(order.id, collecting.CREDITED, day, transaction_id=line.id) for order in found]
    note = f"{found[0].kind} {found[0].number}: {len(found)}"
    record(ctx, company_id, moves, LineTold(line.id, SLIP, note, MANUAL))
    settle(ctx, company_id)
    return len(found)


def post_return(ctx: Context, company_id: int, transaction_id: int, order_id: int) -> Order:
    """The order as it is then. Raises SaldoError as ``post_slip``, and collection_order_ended."""
    ctx = ctx.within(company_id)
    line = _open_line(ctx, transaction_id)
    order = _order(ctx, order_id)
    if returned_by_line([order_id]):
        raise SaldoError("collection_order_ended", order=order_id)
    _check_total(-line.mills, order.mills, line.currency)
    days = (line.booking_date - order.due_date).days
    outcome = collecting.return_outcome(order.kind, line.return_reason, days)
    move = Move(order_id, outcome, line.booking_date, line.return_reason, line.id)
    record(ctx, company_id, [move], LineTold(line.id, RETURN, f"{order.kind} {order.receipt}", MANUAL))
    return _order(ctx, order_id)


def decide(ctx: Context, company_id: int, order_id: int, outcome: str, cause: str = "") -> Order:
    """The order as it is then. Paid counts from the day its money counts from, what came back from the
    context's day. Raises SaldoError: collection_order_ended, collection_decision_unknown."""
    ctx = ctx.within(company_id)
    if outcome not in DECISIONS:
        raise SaldoError("collection_decision_unknown", outcome=outcome, known=", ".join(DECISIONS))
    order = _order(ctx, order_id)
    day = order.value_date if outcome == collecting.PAID else max(ctx.as_of, order.presented_date)
    if not record(ctx, company_id, [Move(order_id, outcome, day, cause)]):
        raise SaldoError("collection_order_ended", order=order_id)
    return _order(ctx, order_id)


def _open_line(ctx: Context, transaction_id: int) -> CollectionLine:
    found = open_lines(ctx, [transaction_id])
    if not found:
        raise SaldoError("line_unknown", line=transaction_id)
    return found[0]


def _order(ctx: Context, order_id: int) -> Order:
    found = orders_by_id(ctx, [order_id])
    if not found:
        raise SaldoError("collection_order_ended", order=order_id)
    return found[0]


def _check_total(told: int, known: int, currency: str) -> None:
    if told != known:
        raise SaldoError(
            "collection_total_differs",
            line=decimal_text(told, currency),
            orders=decimal_text(known, currency),
        )
