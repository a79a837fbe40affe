"""What a person (or a brake) records because of a reply, and how each is taken back.

The facts point to the reply's document, so that each can be walked back to the words that caused it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import polars as pl

from saldo.cash.claims import end_claim, record_claim
from saldo.collection.holds import end_hold, hold
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.disputes.operations import end_dispute, open_dispute
from saldo.flows.understand_reply import (
    ANSWERED,
    COMPLAINT,
    DISPUTE,
    HOLD,
    NOTHING,
    OPT_OUT,
    PAID_CLAIM,
    PROMISE,
    QUESTION,
    WRONG_CONTACT,
)
from saldo.ledger.owed import oldest_first, open_debits, owed_items
from saldo.outreach.models import Message
from saldo.outreach.replies import ReplyRow
from saldo.outreach.threading import is_contact_of
from saldo.parties.models import CustomerAccount
from saldo.parties.stops import release_address, stop_address
from saldo.promises.operations import end_promise, record_promise

Fields = Mapping[str, Any]


def record(ctx: Context, row: ReplyRow, act: str, fields: Fields, note: str) -> dict[str, Any]:
    """Record what ``act`` means for the reply's account; returns the ids of what was recorded. The caller
    holds the account's lock. Raises SaldoError("reply_field_missing") and what the facts refuse."""
    return _ACTS[act](ctx, row, fields, note)


def undo(ctx: Context, data: Fields, note: str, only: Sequence[str] = ()) -> list[str]:
    """End what a handling recorded, as a mistake; returns the names of what was ended. What has ended by
    itself meanwhile stays as it is."""
    ended = []
    for name, end in _ENDS.items():
        if only and name not in only:
            continue
        told = data.get(name)
        for fact_id in told if isinstance(told, list) else [told] if told else []:
            try:
                end(ctx, int(fact_id), note)
            except SaldoError as error:
                if not error.code.endswith(("_ended", "_unknown")):
                    raise
            else:
                ended.append(name)
    return ended


# -- acts --------------------------------------------------------------------------------------------------


def _promise(ctx: Context, row: ReplyRow, fields: Fields, note: str) -> dict[str, Any]:
    promise_id = record_promise(
        ctx, _account(row), _currency(ctx, row, fields), _needed(fields, "promised_date"),
        fields.get("amount_mills"), tuple(fields.get("item_ids") or ()), note, row.document_id,
        replaces=bool(fields.get("replaces")),
    )  # fmt: skip
    return {"promise_id": promise_id}


def _dispute(ctx: Context, row: ReplyRow, fields: Fields, note: str) -> dict[str, Any]:
    item_ids = _needed(fields, "item_ids")
    claimed = fields.get("amount_mills")
    items: list[tuple[int, int | None]] = [(item_id, None) for item_id in item_ids]
    if claimed is not None:
        # Of several items the oldest takes the disputed amount first.
        owed = owed_items(ctx, _account(row), _currency(ctx, row, fields), item_ids)
        items = [(item.item_id, mills) for item, mills in oldest_first(owed, claimed)]
    dispute_id = open_dispute(
        ctx, _account(row), items, fields.get("reason") or "other", note, claimed, row.document_id
    )
    return {"dispute_id": dispute_id}


def _paid_claim(ctx: Context, row: ReplyRow, fields: Fields, note: str) -> dict[str, Any]:
    claim_id = record_claim(
        ctx, _account(row), _currency(ctx, row, fields), tuple(fields.get("item_ids") or ()),
        fields.get("amount_mills"), fields.get("paid_date"), note, row.document_id,
    )  # fmt: skip
    return {"claim_id": claim_id}


def _hold(ctx: Context, row: ReplyRow, fields: Fields, note: str) -> dict[str, Any]:
    until: date = _needed(fields, "until_date")
    reason = fields.get("reason") or "other"
    hold_id = hold(ctx, _account(row), until, reason, note=note, document_id=row.document_id)
    return {"hold_id": hold_id, "until_date": until.isoformat()}


def _complaint(ctx: Context, row: ReplyRow, fields: Fields, note: str) -> dict[str, Any]:
    return _hold(ctx, row, {**fields, "reason": "complaint"}, note)


def _wrong_contact(ctx: Context, row: ReplyRow, fields: Fields, note: str) -> dict[str, Any]:
    data: dict[str, Any] = {"stop_ids": [_stop(ctx, row, _needed(fields, "address"), "wrong_contact", note)]}
    if told := fields.get("new_address"):
        # Whom to write to instead; a person makes it a contact.
        data["new_address"] = str(told)
    return data


def _opt_out(ctx: Context, row: ReplyRow, fields: Fields, note: str) -> dict[str, Any]:
    """The address that was written to, and the one that asks, where it is the customer's as well."""
    asked = [str(_needed(fields, "address")).lower()]
    if row.from_address and row.from_address not in asked and is_contact_of(_account(row), row.from_address):
        asked.append(row.from_address)
    return {"stop_ids": [_stop(ctx, row, address, "opt_out", note) for address in asked]}


def _stop(ctx: Context, row: ReplyRow, address: str, reason: str, note: str) -> int:
    channel = row.channel
    if row.message_id is not None:
        told = Message.objects.values_list("channel", "to_address").get(id=row.message_id)
        channel = told[0] if told[1].lower() == address.lower() else channel
    return stop_address(
        ctx, channel, address, reason, company_id=ctx.company_id, document_id=row.document_id, note=note
    )


def _nothing(ctx: Context, row: ReplyRow, fields: Fields, note: str) -> dict[str, Any]:
    return {}


def _answered(ctx: Context, row: ReplyRow, fields: Fields, note: str) -> dict[str, Any]:
    message_id = fields.get("message_id")
    return {"message_id": message_id} if message_id else {}


_ACTS: dict[str, Callable[[Context, ReplyRow, Fields, str], dict[str, Any]]] = {
    PROMISE: _promise, DISPUTE: _dispute, PAID_CLAIM: _paid_claim, HOLD: _hold, COMPLAINT: _complaint,
    WRONG_CONTACT: _wrong_contact, OPT_OUT: _opt_out, QUESTION: _nothing, ANSWERED: _answered,
    NOTHING: _nothing,
}  # fmt: skip
_ENDS: dict[str, Callable[[Context, int, str], Any]] = {
    "promise_id": lambda ctx, fact_id, note: end_promise(ctx, fact_id, "mistake", note),
    "dispute_id": lambda ctx, fact_id, note: end_dispute(ctx, fact_id, "mistake", note),
    "claim_id": lambda ctx, fact_id, note: end_claim(ctx, fact_id, "mistake", note),
    "hold_id": end_hold,
    "stop_ids": release_address,
}


# -- fields ------------------------------------------------------------------------------------------------


def _account(row: ReplyRow) -> int:
    assert row.account_id is not None, "a stray has no facts"
    return row.account_id


def _needed(fields: Fields, name: str) -> Any:
    value = fields.get(name)
    if value is None or value == "" or value == []:
        raise SaldoError("reply_field_missing", field=name)
    return value


def _currency(ctx: Context, row: ReplyRow, fields: Fields) -> str:
    """As given, else of the items named, else our message's, else what the account owes most of."""
    if told := fields.get("currency"):
        return str(told)
    owed = open_debits(ctx, [_account(row)])
    named = list(fields.get("item_ids") or ())
    of_items = owed.filter(pl.col("item_id").is_in(named))["currency"].unique().to_list()
    if len(of_items) == 1:
        return str(of_items[0])
    if row.message_id is not None:
        return Message.objects.values_list("currency", flat=True).get(id=row.message_id)
    if owed.height:
        sums = owed.group_by("currency").agg(pl.col("balance_mills").sum())
        return str(sums.sort("balance_mills", descending=True)["currency"][0])
    account = CustomerAccount.objects.select_related("company").get(id=_account(row))
    return account.company.currency
