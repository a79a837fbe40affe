"""Adding slips of receipts and batches of direct debits: ours, those of a file, those a statement tells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from saldo.cash.collections import domiciles_of
from saldo.cash.models import CollectionBatch, CollectionOrder, Domicile
from saldo.cash.rows import Rows
from saldo.core import collecting
from saldo.core.context import Context
from saldo.core.money import decimal_text, from_mills, to_mills
from saldo.formats.riba_slip import is_bank_code

OURS, FILE, BANK = "saldo", "file", "bank"


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order to be added. id: reserved beforehand, where its receipt was made of it."""

    receipt: str
    mills: int
    due_date: date
    account_id: int | None
    item_id: int | None
    scheme: str = ""
    mandate_id: int | None = None
    debtor_name: str = ""
    debtor_code: str = ""
    debtor_tax_code: str = ""
    debt_reference: str = ""
    abi: str = ""
    cab: str = ""
    id: int | None = None


def known_batch(bank_account_id: int, kind: str, number: str) -> tuple[date, int] | None:
    """Day and total in mills of a batch that is there."""
    found = CollectionBatch.objects.filter(bank_account_id=bank_account_id, kind=kind, number=number).first()
    return (found.presented_date, to_mills(found.total)) if found else None


def add_batch(
    ctx: Context,
    bank_account_id: int,
    kind: str,
    number: str,
    presented_date: date,
    origin: str,
    orders: Sequence[NewOrder],
    document_id: int | None = None,
    batch_id: int | None = None,
) -> list[int]:
    """A batch with its orders, in the caller's transaction under a stamped context; returns the orders' ids.

    A receipt number that comes twice in a file gets its position appended: nothing is lost. IntegrityError
    where the batch is there already.
    """
    assert ctx.recorded_at is not None
    batch = CollectionBatch.objects.create(
        id=batch_id, bank_account_id=bank_account_id, kind=kind, number=number,
        presented_date=presented_date, total=from_mills(sum(one.mills for one in orders)),
        orders_count=len(orders), origin=origin, document_id=document_id, actor=ctx.actor,
        recorded_at=ctx.recorded_at,
    )  # fmt: skip
    made, rows = [], Rows(ctx)
    for one, receipt in zip(orders, _receipts(orders), strict=True):
        made.append(
            CollectionOrder(
                id=one.id, batch=batch, receipt=receipt, account_id=one.account_id, item_id=one.item_id,
                amount=from_mills(one.mills), due_date=one.due_date, scheme=one.scheme,
                mandate_id=one.mandate_id, debtor_name=one.debtor_name[:140],
                debtor_code=one.debtor_code[:40], debtor_tax_code=one.debtor_tax_code[:20],
                debt_reference=one.debt_reference[:200], recorded_at=ctx.recorded_at,
            )
        )  # fmt: skip
        if one.account_id is not None:
            rows.event("cash.collection", [one.account_id], presented_date, {
                "outcome": collecting.PRESENTED, "kind": kind, "batch": number, "receipt": receipt,
                "item": one.item_id, "amount": decimal_text(one.mills, "EUR"), "currency": "EUR",
            })  # fmt: skip
    kept = CollectionOrder.objects.bulk_create(made)
    _learn_domiciles(ctx, orders)
    rows.write()
    return [order.id for order in kept]


def _receipts(orders: Sequence[NewOrder]) -> Iterable[str]:
    seen: set[str] = set()
    for ordinal, one in enumerate(orders, start=1):
        receipt = (one.receipt or f"#{ordinal}")[:40]
        if receipt in seen:
            receipt = f"{receipt[:30]}#{ordinal}"
        seen.add(receipt)
        yield receipt


def _learn_domiciles(ctx: Context, orders: Sequence[NewOrder]) -> None:
    """Where the customers' receipts are payable, as the slip says."""
    known = domiciles_of({one.account_id for one in orders if one.account_id is not None})
    fresh: dict[int, Domicile] = {}
    for one in orders:
        if one.account_id is None or not (is_bank_code(one.abi) and is_bank_code(one.cab)):
            continue
        if known.get(one.account_id, ("", ""))[:2] != (one.abi, one.cab):
            fresh[one.account_id] = Domicile(
                account_id=one.account_id, abi=one.abi, cab=one.cab, actor=ctx.actor,
                recorded_at=ctx.recorded_at,
            )  # fmt: skip
    Domicile.objects.bulk_create(fresh.values())
