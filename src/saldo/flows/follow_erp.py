"""Where the ERP posts cash, its list wins: cash on account that it used, items that it paid other than we.

After a list was read, on the accounts on which it closed something: docs/rules/cash-and-erp.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl
from django.db import transaction

from saldo.analytics.export_diff import ExportDiff
from saldo.cash.acknowledgements import (
    USED_BY_ERP,
    BankCredit,
    WaitingPosting,
    bank_credits,
    waiting_postings,
)
from saldo.cash.plans import ERP
from saldo.cash.postings import post_match
from saldo.cash.undoing import undo
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.matching.amounts import Limits, subsets
from saldo.core.matching.records import Share
from saldo.core.money import from_mills
from saldo.identity.operations import record_event
from saldo.ledger import entries
from saldo.ledger.provisional import explainable, last_cause_day

# Cash older than this is not looked for behind what a list closes.
BACK_DAYS = 120
# How many combinations may be expected to make the amount by accident, at most, for one to mean something.
ACCIDENTS = 0.05
NOTE = "the ERP posted it otherwise"


@dataclass(frozen=True, slots=True)
class Closed:
    """An item that the list closed, and by how much."""

    item_id: int
    account_id: int
    currency: str
    mills: int
    day: date
    is_settlement: bool


@dataclass(frozen=True, slots=True)
class Followed:
    """used: payments on account that were set against what the ERP closed. moved: postings made again."""

    used: int
    moved: int


def follow_erp(
    ctx: Context,
    company_ids: Sequence[int],
    diff: ExportDiff,
    posts_cash: str,
    on_account: Mapping[int, int],
) -> Followed:
    """Follow what the list closed; ``ctx`` is that of the import (as of the list's day). on_account: what
    of a bank line's payment the list still has on account; of one that it does not list, nothing."""
    if posts_cash != "erp":
        return Followed(0, 0)
    changed = pl.concat([diff.vanished["item_id"], diff.toward_zero["known_item_id"]]).to_list()
    used = moved = 0
    for company_id in company_ids if changed else ():
        mine = ctx.within(company_id)
        closed = _closed(mine, changed)
        accounts = sorted({one.account_id for one in closed})
        for credit in bank_credits(mine, accounts, mine.as_of - timedelta(days=BACK_DAYS)):
            used += _use(mine, credit, credit.mills - on_account.get(credit.transaction_id, 0), closed)
        still_open = diff.awaited["item_id"].to_list()
        for posting in waiting_postings(mine, accounts, still_open):
            moved += _move(mine, posting, closed)
    return Followed(used, moved)


def _closed(ctx: Context, item_ids: list[int]) -> list[Closed]:
    since = ctx.as_of - timedelta(days=BACK_DAYS)
    frame = explainable(ctx, since, item_ids=item_ids)
    columns = ("item_id", "account_id", "currency", "amount_mills", "effective_date", "is_settlement")
    return [Closed(*row) for row in frame.select(columns).iter_rows()]


def _explaining(closed: list[Closed], account_id: int, currency: str, mills: int, day: date) -> list[Closed]:
    """The one set of closed items that makes the amount and that cash of the day can have paid; else none."""
    usable = [
        one
        for one in closed
        if one.account_id == account_id
        and one.currency == currency
        and day <= last_cause_day(one.day, one.is_settlement)
    ]
    search = subsets([one.mills for one in usable], mills, Limits())
    if len(search.found) != 1 or not search.complete:
        return []
    if len(search.found[0]) > 1 and search.accidents > ACCIDENTS:
        return []
    return [usable[at] for at in search.found[0]]


def _use(ctx: Context, credit: BankCredit, mills: int, closed: list[Closed]) -> bool:
    """Set what the ERP used of cash on account against what it closed with it."""
    paid = (
        _explaining(closed, credit.account_id, credit.currency, mills, credit.booking_date)
        if mills > 0
        else []
    )
    if not paid:
        return False
    shares = [entries.Share(one.item_id, from_mills(one.mills)) for one in paid]
    try:
        entries.allocate(ctx, credit.item_id, shares, USED_BY_ERP, credit.booking_date)
    except SaldoError:
        # Somebody was faster; what is left shows as it is.
        return False
    _taken(closed, paid)
    return True


def _move(ctx: Context, posting: WaitingPosting, closed: list[Closed]) -> bool:
    """Undo a posting whose items the list still has open, and make it again on those that it closed."""
    paid = _explaining(closed, posting.account_id, posting.currency, posting.mills, posting.booking_date)
    if not paid or {one.item_id for one in paid} & set(posting.item_ids):
        return False
    shares = [Share(one.item_id, one.mills) for one in paid]
    try:
        with transaction.atomic():
            undo(ctx, posting.transaction_id, NOTE)
            done = post_match(ctx, posting.transaction_id, posting.account_id, shares, mode=ERP, note=NOTE)
            data = {"transaction": posting.transaction_id, "posting": done.posting_id}
            record_event(ctx, "cash.followed_erp", "account", posting.account_id, data)
    except SaldoError:
        return False
    _taken(closed, paid)
    return True


def _taken(closed: list[Closed], paid: list[Closed]) -> None:
    for one in paid:
        closed.remove(one)
