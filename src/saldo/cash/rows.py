"""Checked plans written to the ledger and to cash, set-based: one COPY a table, whatever the number of lines.

A line is one Payment with its item, its allocations, the credit items of what is written off, a Posting, and
an Event on each account concerned. The ids are reserved first, so that rows refer to each other.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import polars as pl

from saldo.cash.plans import (
    CREDIT_TAKEN,
    NOT_CUSTOMER,
    OTHERS,
    OWN,
    WRITTEN,
    Checked,
    Done,
    LineFacts,
)
from saldo.core.context import Context
from saldo.core.money import decimal_text
from saldo.intake.operations import ensure_source
from saldo.ledger.operations import give_way
from saldo.storage.frames import copy_in, reserve_ids

SOURCE = "bank lines"
POSTED = "cash.posted"

_PAYMENT = {
    "id": pl.Int64, "account_id": pl.Int64, "number": pl.String, "number_norm": pl.String, "year": pl.Int16,
    "booking_date": pl.Date, "value_date": pl.Date, "currency": pl.String, "text": pl.String,
    "document_id": pl.Int64, "row": pl.Int32,
}  # fmt: skip
_ITEM = {
    "id": pl.Int64, "account_id": pl.Int64, "invoice_id": pl.Int64, "payment_id": pl.Int64, "kind": pl.String,
    "installment_no": pl.Int32, "amount_mills": pl.Int64, "currency": pl.String, "effective_date": pl.Date,
    "due_date": pl.Date, "document_id": pl.Int64, "details": pl.String,
}  # fmt: skip
_ALLOCATION = {
    "debit_item_id": pl.Int64, "credit_item_id": pl.Int64, "amount_mills": pl.Int64,
    "credit_amount_mills": pl.Int64, "rate": pl.String, "effective_date": pl.Date, "reason": pl.String,
    "reverses_id": pl.Int64, "document_id": pl.Int64,
}  # fmt: skip
_POSTING = {
    "id": pl.Int64, "transaction_id": pl.Int64, "sequence": pl.Int16, "kind": pl.String, "mode": pl.String,
    "proposal_id": pl.Int64, "account_id": pl.Int64, "payment_id": pl.Int64, "shares": pl.String,
    "differences": pl.String, "note": pl.String, "effective_date": pl.Date,
}  # fmt: skip
_EVENT = {"kind": pl.String, "subject_kind": pl.String, "subject_id": pl.Int64, "effective_date": pl.Date,
          "data": pl.String}  # fmt: skip
RATE_DIGITS = 9


def bank_source() -> int:
    """The source of payments that bank lines tell. Asked for before a transaction too: two that make it at
    once would not see each other's at REPEATABLE READ."""
    return ensure_source(SOURCE, "bank", "saldo")


class Rows:
    """Rows of every table, collected and then written in the order in which they refer to each other."""

    def __init__(self, ctx: Context) -> None:
        assert ctx.recorded_at is not None, "rows are written under a stamped context"
        self.ctx = ctx
        self.payments: list[tuple[Any, ...]] = []
        self.items: list[tuple[Any, ...]] = []
        self.allocations: list[tuple[Any, ...]] = []
        self.postings: list[tuple[Any, ...]] = []
        self.events: list[tuple[Any, ...]] = []

    def item(
        self,
        id_: int,
        account_id: int,
        kind: str,
        mills: int,
        currency: str,
        day: date,
        invoice_id: int | None = None,
        payment_id: int | None = None,
        installment_no: int = 1,
        document_id: int | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        due = day if mills > 0 else None
        told = json.dumps(details) if details else None
        self.items.append(
            (id_, account_id, invoice_id, payment_id, kind, installment_no, mills, currency, day, due,
             document_id, told)
        )  # fmt: skip

    def allocation(
        self,
        debit_id: int,
        credit_id: int,
        mills: int,
        day: date,
        reason: str,
        credit_mills: int | None = None,
        reverses_id: int | None = None,
        document_id: int | None = None,
        rate: str | None = None,
    ) -> None:
        if credit_mills is not None and rate is None:
            rate = _rate(credit_mills, mills)
        self.allocations.append((debit_id, credit_id, mills, credit_mills, rate, day, reason[:30],
                                 reverses_id, document_id))  # fmt: skip

    def posting(
        self,
        id_: int,
        line: LineFacts,
        kind: str,
        mode: str,
        account_id: int | None = None,
        payment_id: int | None = None,
        shares: Sequence[dict[str, Any]] = (),
        differences: Sequence[dict[str, Any]] = (),
        proposal_id: int | None = None,
        note: str = "",
    ) -> None:
        self.postings.append(
            (id_, line.id, line.sequence + 1, kind, mode, proposal_id, account_id, payment_id,
             json.dumps(shares), json.dumps(differences), note, line.booking_date)
        )  # fmt: skip

    def event(self, kind: str, account_ids: Iterable[int], day: date, data: dict[str, Any]) -> None:
        told = json.dumps(data)
        self.events.extend((kind, "account", account_id, day, told) for account_id in sorted(account_ids))

    def write(self, given: Mapping[tuple[int, date], int] | None = None, with_receipts: bool = False) -> None:
        """Postings first: who comes second to a line is refused before the ledger is touched. Then what
        exports told gives way (``given``; with_receipts: what receipts stand for too), and then the ledger's
        rows find room."""
        at = pl.lit(str(self.ctx.recorded_at)).alias("recorded_at")
        company = pl.lit(self.ctx.company_id, pl.Int64).alias("company_id")
        actor = pl.lit(self.ctx.actor).alias("actor")
        copy_in("cash_posting", _frame(self.postings, _POSTING).with_columns(at, actor))
        if given:
            give_way(self.ctx, _wanted(given), with_receipts=with_receipts)
        if self.payments:
            source = pl.lit(bank_source()).alias("source_id")
            copy_in("ledger_payment", _frame(self.payments, _PAYMENT).with_columns(at, company, source))
        stated, none = pl.lit("stated").alias("due_origin"), pl.lit("").alias("payment_method")
        items = _frame(self.items, _ITEM).with_columns(at, company, stated, none, pl.lit(0).alias("row"))
        copy_in("ledger_item", items)
        copy_in("ledger_allocation", _frame(self.allocations, _ALLOCATION).with_columns(at, company))
        copy_in("identity_event", _frame(self.events, _EVENT).with_columns(at, company, actor))


def _wanted(given: Mapping[tuple[int, date], int]) -> pl.DataFrame:
    """What gives way, once an item: for two lines of one item, from the day of the first."""
    rows = [(item_id, mills, day) for (item_id, day), mills in given.items()]
    schema = {"item_id": pl.Int64, "take_mills": pl.Int64, "booking_date": pl.Date}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return frame.group_by("item_id").agg(pl.col("take_mills").sum(), pl.col("booking_date").min())


def _frame(rows: list[tuple[Any, ...]], schema: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=schema, orient="row")


def _rate(credit_mills: int, debit_mills: int) -> str:
    """Units of the credit's currency for one of the debit's, exact digits, half up."""
    scaled = (2 * credit_mills * 10**RATE_DIGITS + debit_mills) // (2 * debit_mills)
    whole, part = divmod(scaled, 10**RATE_DIGITS)
    return f"{whole}.{part:0{RATE_DIGITS}d}"


def write_postings(
    ctx: Context, checked: Sequence[Checked], given: Mapping[tuple[int, date], int]
) -> list[Done]:
    """Write the checked plans; ``given``: what exports told of items and gives way to them."""
    matches = [one for one in checked if one.planned.kind != NOT_CUSTOMER]
    posting_ids = iter(reserve_ids("cash_posting", len(checked)).to_list())
    payment_ids = iter(reserve_ids("ledger_payment", len(matches)).to_list())
    count = len(matches) + sum(len(one.written) for one in matches)
    item_ids = iter(reserve_ids("ledger_item", count).to_list())
    rows, done = Rows(ctx), []
    for one in checked:
        if one.planned.kind == NOT_CUSTOMER:
            done.append(_plain(rows, one, next(posting_ids)))
        else:
            done.append(_match(rows, one, next(posting_ids), next(payment_ids), item_ids))
    rows.write(given)
    return done


def _plain(rows: Rows, one: Checked, posting_id: int) -> Done:
    planned, line = one.planned, one.line
    rows.posting(posting_id, line, planned.kind, planned.mode, note=planned.note)
    return Done(line.id, posting_id, None, None, None, 0, 0, line.currency)


def _match(rows: Rows, one: Checked, posting_id: int, payment_id: int, item_ids: Iterator[int]) -> Done:
    planned, line, day = one.planned, one.line, one.line.booking_date
    assert planned.account_id is not None
    number, document_id = f"BT{line.id}.{line.sequence + 1}", line.document_id
    text = " ".join(part for part in (line.payer_name, line.text) if part)[:200]
    norm = f"bt{line.id}/{line.sequence + 1}"  # as core.normalize makes it of the number
    rows.payments.append((payment_id, planned.account_id, number, norm, day.year, day,
                          line.value_date, line.currency, text, document_id, line.ordinal))  # fmt: skip
    payment_item = next(item_ids)
    rows.item(payment_item, planned.account_id, "payment", -line.mills, line.currency, day,
              payment_id=payment_id, document_id=document_id)  # fmt: skip
    for part in one.parts:
        reason = OWN if part.item.account_id == planned.account_id else OTHERS
        foreign = part.mills if part.item.currency != line.currency else None
        rows.allocation(part.item.id, payment_item, part.debit_mills, max(day, part.item.room_from),
                        reason, foreign, document_id=document_id)  # fmt: skip
    for credit, debit, mills in one.credits:
        since = max(day, debit.room_from, credit.room_from)
        rows.allocation(debit.id, credit.id, mills, since, CREDIT_TAKEN, document_id=document_id)
    differences = _write_off(rows, one, item_ids)
    rows.posting(
        posting_id, line, planned.kind, planned.mode, planned.account_id, payment_id,
        _shares_data(one), differences, planned.proposal_id, planned.note,
    )  # fmt: skip
    allocated = sum(part.mills for part in one.parts)
    accounts = {planned.account_id, *(part.item.account_id for part in one.parts),
                *(item.account_id for pair in one.credits for item in pair[:2])}  # fmt: skip
    rows.event(POSTED, accounts, day, {
        "transaction": line.id, "posting": posting_id, "payment": payment_id, "number": number,
        "amount": decimal_text(line.mills, line.currency), "currency": line.currency,
        "unapplied": decimal_text(one.unapplied_mills, line.currency), "mode": planned.mode,
    })  # fmt: skip
    return Done(
        line.id, posting_id, payment_id, payment_item, planned.account_id, allocated, one.unapplied_mills,
        line.currency,
    )  # fmt: skip


def _write_off(rows: Rows, one: Checked, item_ids: Iterator[int]) -> list[dict[str, Any]]:
    """The explained differences as credits of their own kinds; all of the differences, as the posting keeps
    them."""
    made = {}
    for difference, item in one.written:
        kind, reason = WRITTEN[difference.kind]
        day, id_ = max(one.line.booking_date, item.room_from), next(item_ids)
        rows.item(id_, item.account_id, kind, -difference.mills, item.currency, day,
                  invoice_id=item.invoice_id, installment_no=item.installment_no,
                  document_id=one.line.document_id, details={"reason": reason})  # fmt: skip
        rows.allocation(item.id, id_, difference.mills, day, reason, document_id=one.line.document_id)
        made[difference] = id_
    return [
        {"kind": d.kind, "item": d.item_id, "mills": d.mills}
        | ({"credit_item": made[d]} if d in made else {})
        for d in one.planned.differences
    ]


def _shares_data(one: Checked) -> list[dict[str, Any]]:
    """The shares as posted; of a credit taken off also what it was set against, for an undo; of a debit what
    an export had told of it before, which no ERP need show any more."""
    to: dict[int, list[list[int]]] = {}
    for credit, debit, mills in one.credits:
        to.setdefault(credit.id, []).append([debit.id, mills])
    return [
        {"item": share.item_id, "mills": share.mills}
        | ({"to": to[share.item_id]} if share.item_id in to else {})
        | ({"told": one.told[share.item_id]} if share.item_id in one.told else {})
        for share in one.planned.shares
    ]
