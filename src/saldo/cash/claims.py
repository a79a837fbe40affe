""" "Già pagato": what customers say they have paid, for the cash desk to look for before anybody is dunned.

    record_claim, end_claim                     changes, under the account's lock
    open_claims, claims_of, claim_parts         reading, as of a day and as known at an instant

The caller has checked that the actor may (MAY_CLAIM to record, MAY_END_CLAIM to end) and sees the account.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
from django.db.models import QuerySet

from saldo.cash.models import PaidClaim, PaidClaimEnd, PaidClaimItem
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.money import from_mills
from saldo.identity.models import Grant
from saldo.identity.operations import record_event
from saldo.ledger.owed import checked_amount, deciding, owed_by, owed_items
from saldo.storage.frames import copy_out

MAY_END_CLAIM = frozenset({Grant.Role.ADMINISTRATOR, Grant.Role.CREDIT_MANAGER, Grant.Role.CASH_SPECIALIST})
MAY_CLAIM = MAY_END_CLAIM | {Grant.Role.COLLECTOR, Grant.Role.CUSTOMER_CARE}

# item_id null: the claim names no item. mills: of the whole claim, null where it states none.
PARTS = {
    "claim_id": pl.Int64,
    "account_id": pl.Int64,
    "currency": pl.String,
    "item_id": pl.Int64,
    "mills": pl.Int64,
}
_PARTS = """
SELECT c.id, c.account_id, c.currency, i.item_id, (c.amount * 1000)::bigint
  FROM cash_paidclaim c LEFT JOIN cash_paidclaimitem i ON i.claim_id = c.id
 WHERE c.effective_date <= %(as_of)s AND c.recorded_at <= %(known_at)s
   AND (%(company_id)s::int IS NULL OR c.company_id = %(company_id)s)
   AND (%(accounts)s::bigint[] IS NULL OR c.account_id = ANY(%(accounts)s::bigint[]))
   AND NOT EXISTS (SELECT 1 FROM cash_paidclaimend e WHERE e.claim_id = c.id
                      AND e.effective_date <= %(as_of)s AND e.recorded_at <= %(known_at)s)
 ORDER BY c.id, i.item_id
"""


@dataclass(frozen=True, slots=True)
class ClaimRow:
    """A claim as people see it. amount, paid_date: as the customer states them; state: open or how it
    ended."""

    id: int
    account_id: int
    account_code: str
    account_name: str
    currency: str
    amount: Decimal | None
    paid_date: date | None
    items: tuple[int, ...]
    state: str
    note: str
    document_id: int | None
    effective_date: date
    ended_date: date | None
    actor: str
    recorded_at: datetime


def claim_parts(ctx: Context, account_ids: Sequence[int] | None = None) -> pl.DataFrame:
    """PARTS: claims that did not end, a row for each item they name."""
    params = {
        "as_of": ctx.as_of,
        "known_at": ctx.known_at or "infinity",
        "company_id": ctx.company_id,
        "accounts": None if account_ids is None else list(account_ids),
    }
    return copy_out(_PARTS, params, PARTS)


def open_claims(ctx: Context) -> list[ClaimRow]:
    """What the cash desk has to look for in the context's company, the oldest first."""
    found = PaidClaim.objects.order_by("effective_date", "id")
    if ctx.company_id is not None:
        found = found.filter(company_id=ctx.company_id)
    return [row for row in _rows(found, ctx) if row.state == "open"]


def claims_of(ctx: Context, account_id: int) -> list[ClaimRow]:
    """The account's claims, newest first. The caller has checked the account's scope."""
    return _rows(PaidClaim.objects.filter(account_id=account_id).order_by("-id"), ctx)


def _rows(found: QuerySet[PaidClaim], ctx: Context) -> list[ClaimRow]:
    told = found.filter(effective_date__lte=ctx.as_of)
    if ctx.known_at is not None:
        told = told.filter(recorded_at__lte=ctx.known_at)
    told = told.select_related("end", "account__customer").prefetch_related("items")
    return [_row(one, ctx) for one in told]


def _row(one: Any, ctx: Context) -> ClaimRow:
    end = getattr(one, "end", None)
    if end and (end.effective_date > ctx.as_of or (ctx.known_at and end.recorded_at > ctx.known_at)):
        end = None
    return ClaimRow(
        one.id, one.account_id, one.account.code, one.account.customer.name, one.currency, one.amount,
        one.paid_date, tuple(sorted(part.item_id for part in one.items.all())),
        end.outcome if end else "open", one.note, one.document_id, one.effective_date,
        end.effective_date if end else None, one.actor, one.recorded_at,
    )  # fmt: skip


def record_claim(
    ctx: Context,
    account_id: int,
    currency: str,
    item_ids: Sequence[int] = (),
    amount_mills: int | None = None,
    paid_date: date | None = None,
    note: str = "",
    document_id: int | None = None,
) -> int:
    """The customer says that it has paid: these items, this amount, on this day, as far as it says so.

    Without items and amount it is about all that the account owes. Returns the claim's id. Raises SaldoError:
    claim_for_nothing (the account owes nothing in the currency), claim_in_the_future, stated_amount_invalid,
    item_unknown, item_not_of_account, item_currency_differs, item_closed, account_unknown.
    """
    if amount_mills is not None:
        checked_amount(amount_mills, currency)
    if paid_date is not None and paid_date > ctx.as_of:
        raise SaldoError("claim_in_the_future", date=paid_date, as_of=ctx.as_of)
    with deciding(ctx, account_id) as inner:
        items = owed_items(inner, account_id, currency, item_ids) if item_ids else []
        if not items and not owed_by(inner, account_id, currency):
            raise SaldoError("claim_for_nothing", currency=currency)
        claim = PaidClaim.objects.create(
            company_id=inner.company_id, account_id=account_id, currency=currency,
            amount=None if amount_mills is None else from_mills(amount_mills), paid_date=paid_date,
            document_id=document_id, note=note, effective_date=ctx.as_of, actor=ctx.actor,
            recorded_at=inner.recorded_at,
        )  # fmt: skip
        PaidClaimItem.objects.bulk_create(PaidClaimItem(claim=claim, item_id=item.item_id) for item in items)
        data = {
            "claim": claim.id, "items": [item.item_id for item in items], "currency": currency,
            "amount": None if claim.amount is None else str(claim.amount),
            "paid_date": paid_date and paid_date.isoformat(),
        }  # fmt: skip
        record_event(inner, "claim.recorded", "account", account_id, data)
    return int(claim.id)


def end_claim(ctx: Context, claim_id: int, outcome: str, note: str = "") -> int:
    """What the cash desk found: found, not_found, mistake. Returns the end's id.

    Raises SaldoError: claim_unknown, claim_ended, outcome_unknown.
    """
    if outcome not in PaidClaimEnd.Outcome.values:
        raise SaldoError("outcome_unknown", outcome=outcome, known=", ".join(PaidClaimEnd.Outcome.values))
    account_id = PaidClaim.objects.filter(id=claim_id).values_list("account_id", flat=True).first()
    if account_id is None:
        raise SaldoError("claim_unknown", claim=claim_id)
    with deciding(ctx, account_id) as inner:
        if PaidClaimEnd.objects.filter(claim_id=claim_id).exists():
            raise SaldoError("claim_ended", claim=claim_id)
        end = PaidClaimEnd.objects.create(
            claim_id=claim_id, outcome=outcome, note=note, effective_date=ctx.as_of, actor=ctx.actor,
            recorded_at=inner.recorded_at,
        )  # fmt: skip
        data = {"claim": claim_id, "outcome": outcome, "note": note}
        record_event(inner, "claim.ended", "account", account_id, data)
    return int(end.id)
