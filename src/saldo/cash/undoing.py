"""Undoing the posting of a bank line: a correction, from the day it counted from.

Every allocation of its payment, and of what was written off with it, is reversed on the day it counted from;
the payment and the written-off credits are used up by counter items, so that nothing of them remains; credits
that the payer had taken off are open again; deductions that came with it are withdrawn, and what only it had
taught is not believed any more. The line is then open, and can be posted again (BT<line>.<sequence>).

What an export had told as paid, and had given way to the line, stays open: the next export says it again if
it is still so.
"""

from __future__ import annotations

from typing import Any

from django.db import connection

from saldo.cash.aliases import forget
from saldo.cash.facts import item_facts, line_facts
from saldo.cash.models import Posting
from saldo.cash.plans import MANUAL, MATCH, NOT_CUSTOMER, REFUND, UNDO, LineFacts
from saldo.cash.postings import changing, locked
from saldo.cash.rows import Rows
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.money import decimal_text
from saldo.disputes.operations import withdraw_deductions_of
from saldo.ledger.models import Item
from saldo.storage.frames import reserve_ids

UNDONE = "cash.undone"
REASON = "undone"
UNDOES = frozenset({MATCH, NOT_CUSTOMER, REFUND})

# What stands between pairs of items, by the day it counts from. Days that add up to nothing need no reversal.
_STANDING = """
SELECT a.debit_item_id, a.credit_item_id, a.effective_date, (sum(a.amount) * 1000)::bigint,
       (sum(a.credit_amount) * 1000)::bigint, max(a.id) FILTER (WHERE a.amount > 0), max(a.rate)::text,
       d.kind
  FROM ledger_allocation a JOIN ledger_item d ON d.id = a.debit_item_id
 WHERE a.{side} = ANY(%s)
 GROUP BY a.debit_item_id, a.credit_item_id, a.effective_date, d.kind
HAVING sum(a.amount) <> 0
 ORDER BY a.effective_date, a.debit_item_id
"""


def undo(ctx: Context, transaction_id: int, note: str = "") -> int:
    """Undo the last posting of a line; returns the id of the posting that undoes it.

    Raises SaldoError: line_unknown, line_not_posted, line_undone_elsewhere (slips and returns are undone
    where they were posted), posting_used (its payment came back, a credit that it freed was used since, or
    the fee that it charged was paid).
    """
    line = _line(transaction_id)
    posting = _last(line)

    def work() -> int:
        accounts = sorted(_accounts(posting))
        now, _ = locked(line.company_id, accounts, ctx)
        fresh = _line(transaction_id)
        if _last(fresh).id != posting.id:
            raise SaldoError("line_not_posted", line=transaction_id)
        rows = Rows(now)
        # Reversals first: only then is there room for what uses the credits up.
        reversals = Rows(now)
        if posting.kind == MATCH:
            _undo_match(posting, reversals, rows)
        elif posting.kind == REFUND:
            _undo_refund(posting, reversals, rows)
        elif posting.account_id is not None:
            _undo_fee(posting, rows)
        reversals.write()
        (posting_id,) = reserve_ids("cash_posting", 1).to_list()
        rows.posting(posting_id, fresh, UNDO, MANUAL, posting.account_id, posting.payment_id, note=note)
        rows.event(UNDONE, accounts, now.as_of, {
            "transaction": line.id, "posting": posting.id, "note": note, "currency": line.currency,
            "amount": decimal_text(line.mills, line.currency),
        })  # fmt: skip
        rows.write()
        withdraw_deductions_of(now, line.id, note)
        forget(now, posting.account_id, note or REASON)
        return int(posting_id)

    return changing(work, line=transaction_id)


def _line(transaction_id: int) -> LineFacts:
    line = line_facts([transaction_id]).get(transaction_id)
    if line is None:
        raise SaldoError("line_unknown", line=transaction_id)
    return line


def _last(line: LineFacts) -> Posting:
    posting = Posting.objects.filter(transaction_id=line.id).order_by("-sequence").first()
    if posting is None or posting.kind == UNDO:
        raise SaldoError("line_not_posted", line=line.id)
    if posting.kind not in UNDOES:
        raise SaldoError("line_undone_elsewhere", line=line.id, kind=posting.kind)
    return posting


def _items(posting: Posting) -> list[int]:
    """The items that the posting names: shares, and credits made for differences."""
    told = [*posting.shares, *posting.differences]
    return [one[key] for one in told for key in ("item", "credit_item") if key in one]


def _accounts(posting: Posting) -> set[int]:
    """The accounts concerned, of later allocations of the payment too."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT account_id FROM ledger_item WHERE id = ANY(%s)
            UNION SELECT d.account_id FROM ledger_item c
              JOIN ledger_allocation a ON a.credit_item_id = c.id JOIN ledger_item d ON d.id = a.debit_item_id
             WHERE c.payment_id = %s AND c.account_id = %s
            """,
            [_items(posting), posting.payment_id, posting.account_id],
        )
        found = {row[0] for row in cursor.fetchall()}
    return found | ({posting.account_id} if posting.account_id else set())


def _standing(side: str, item_ids: list[int]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(_STANDING.format(side=side), [item_ids])
        return list(cursor.fetchall())


def _undo_match(posting: Posting, reversals: Rows, rows: Rows) -> None:
    (payment_item,) = Item.objects.filter(
        account_id=posting.account_id, payment_id=posting.payment_id, kind="payment"
    ).values_list("id", flat=True)
    written = [one["credit_item"] for one in posting.differences if "credit_item" in one]
    gone = item_facts([payment_item, *written])
    for debit, credit, day, mills, credit_mills, last, rate, kind in _standing("credit_item_id", list(gone)):
        if kind == "reopening":
            raise SaldoError("posting_used", line=posting.transaction_id)
        reversals.allocation(debit, credit, -mills, day, REASON, credit_mills and -credit_mills, last,
                             rate=rate)  # fmt: skip
    _take_back_credits(posting, reversals)
    counter_ids = iter(reserve_ids("ledger_item", len(gone)).to_list())
    totals = dict(Item.objects.filter(id__in=list(gone)).values_list("id", "amount"))
    for item in gone.values():
        mills, counter = int(-totals[item.id] * 1000), next(counter_ids)
        payment_id = posting.payment_id if item.id == payment_item else None
        rows.item(counter, item.account_id, "reopening", mills, item.currency, item.effective_date,
                  invoice_id=item.invoice_id, payment_id=payment_id,
                  installment_no=item.installment_no, details={"reason": REASON})  # fmt: skip
        rows.allocation(counter, item.id, mills, item.effective_date, REASON)


def _take_back_credits(posting: Posting, reversals: Rows) -> None:
    """Credits that the payer had taken off, as far as what this posting set against debits still stands."""
    pairs = {
        (debit, share["item"]): mills for share in posting.shares for debit, mills in share.get("to", [])
    }
    if not pairs:
        return
    for debit, credit, day, mills, _, last, _, _ in _standing(
        "credit_item_id", sorted({credit for _, credit in pairs})
    ):
        part = min(pairs.get((debit, credit), 0), mills)
        if part > 0:
            pairs[debit, credit] -= part
            reversals.allocation(debit, credit, -part, day, REASON, reverses_id=last)


def _undo_refund(posting: Posting, reversals: Rows, rows: Rows) -> None:
    """The money did not go to these credits: they are open again, and the debit for it is taken back."""
    (debit_id,) = (one["item"] for one in posting.differences if one["kind"] == REFUND)
    debit = item_facts([debit_id])[debit_id]
    total, latest = 0, debit.effective_date
    for _, credit, day, mills, _, last, _, _ in _standing("debit_item_id", [debit_id]):
        reversals.allocation(debit_id, credit, -mills, day, REASON, reverses_id=last)
        total, latest = total + mills, max(latest, day)
    (counter,) = reserve_ids("ledger_item", 1).to_list()
    rows.item(counter, debit.account_id, "reopening", -total, debit.currency, latest,
              details={"reason": REASON})  # fmt: skip
    rows.allocation(debit_id, counter, total, latest, REASON)


def _undo_fee(posting: Posting, rows: Rows) -> None:
    """The fee of a return that was charged to the customer is not owed any more."""
    charged = Item.objects.filter(
        account_id=posting.account_id, kind="fee", details__transaction=posting.transaction_id,
        recorded_at=posting.recorded_at,
    )  # fmt: skip
    for fee in item_facts(charged.values_list("id", flat=True)).values():
        if _standing("debit_item_id", [fee.id]):
            raise SaldoError("posting_used", line=posting.transaction_id)
        (counter,) = reserve_ids("ledger_item", 1).to_list()
        rows.item(counter, fee.account_id, "reopening", -fee.left_mills, fee.currency, fee.effective_date,
                  details={"reason": REASON})  # fmt: skip
        rows.allocation(fee.id, counter, fee.left_mills, fee.effective_date, REASON)
