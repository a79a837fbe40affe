"""The list of accounts with what each owes: the portfolio's totals, filtered, sorted and cut into pages.

The totals of a whole company take a pass over its allocations, so the newest few are kept in memory,
under a key that changes with every import; nothing is stored.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from datetime import date

import polars as pl

from saldo.core.aging import BUCKETS
from saldo.core.context import Context
from saldo.core.normalize import search_text
from saldo.identity.queries import last_recorded_at
from saldo.ledger.queries import BUCKET_COLUMNS, totals
from saldo.parties.queries import visible_accounts

KEPT_PORTFOLIOS = 4
COLUMN_OF_BUCKET = dict(zip(BUCKETS, (f"{name}_mills" for name in BUCKET_COLUMNS), strict=True))
SORTS = ("overdue", "open", "oldest", "name")
_kept: OrderedDict[Hashable, pl.DataFrame] = OrderedDict()
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class PortfolioRow:
    """One account in one currency. Amounts in mills; buckets hold debits only, in the order of BUCKETS."""

    account_id: int
    code: str
    name: str
    currency: str
    open_mills: int
    credits_mills: int
    overdue_mills: int
    buckets: tuple[int, ...]
    oldest_due_date: date | None
    open_items: int


@dataclass(frozen=True, slots=True)
class PortfolioPage:
    rows: list[PortfolioRow]
    count: int


def _totals(ctx: Context) -> pl.DataFrame:
    assert ctx.company_id is not None, "a portfolio is of one company"
    key = (ctx.company_id, ctx.as_of, ctx.known_at, last_recorded_at(ctx.company_id))
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    frame = totals(ctx)
    with _lock:
        _kept[key] = frame
        while len(_kept) > KEPT_PORTFOLIOS:
            _kept.popitem(last=False)
    return frame


def _names(ctx: Context) -> pl.DataFrame:
    rows = visible_accounts(ctx).values_list(
        "id", "code", "customer__name", "customer__sort_name", "customer__search_text"
    )
    schema = {
        "account_id": pl.Int64, "code": pl.String, "name": pl.String, "sort_name": pl.String,
        "search": pl.String,
    }  # fmt: skip
    return pl.DataFrame(list(rows), schema=schema, orient="row")


def portfolio(
    ctx: Context, text: str = "", bucket: str = "", sort: str = "overdue", offset: int = 0, limit: int = 50
) -> PortfolioPage:
    """A page of the actor's accounts in the context's company.

    text: beginning of a word of the name, or the code. bucket: one of BUCKETS, accounts with something in
    it (sorted by it). Accounts that owe nothing are listed too, unless a bucket is asked for.
    """
    amounts = [f"{name}_mills" for name in ("open", "credits", "overdue", *BUCKET_COLUMNS)]
    company_rows = _names(ctx).join(_totals(ctx), on="account_id", how="left").with_columns(
        *(pl.col(name).fill_null(0) for name in (*amounts, "open_items")), pl.col("currency").fill_null("")
    )  # fmt: skip
    if wanted := search_text(text):
        company_rows = company_rows.filter(
            pl.col("search").str.starts_with(wanted)
            | pl.col("search").str.contains(f" {wanted}", literal=True)
            | (pl.col("code").str.to_uppercase() == text.strip().upper())
        )
    if bucket in COLUMN_OF_BUCKET:
        company_rows = company_rows.filter(pl.col(COLUMN_OF_BUCKET[bucket]) > 0)
    page = company_rows.sort(*_order(bucket, sort)).slice(offset, limit)
    return PortfolioPage([_row(row) for row in page.iter_rows(named=True)], company_rows.height)


def open_of_accounts(ctx: Context, account_ids: Iterable[int], currency: str) -> dict[int, tuple[int, int]]:
    """Open and overdue mills of these accounts in one currency. The caller has checked their scope."""
    wanted = pl.col("account_id").is_in(list(account_ids)) & (pl.col("currency") == currency)
    found = _totals(ctx).filter(wanted).select("account_id", "open_mills", "overdue_mills")
    return {account: (open_mills, overdue) for account, open_mills, overdue in found.iter_rows()}


def _order(bucket: str, sort: str) -> tuple[pl.Expr, ...]:
    name = pl.col("sort_name")
    if sort == "name":
        return (name, pl.col("account_id"))
    if sort == "oldest":
        return (pl.col("oldest_due_date").fill_null(pl.date(9999, 1, 1)), name)
    if sort == "open":
        return (-pl.col("open_mills"), name)
    leading = COLUMN_OF_BUCKET.get(bucket, "overdue_mills")
    return (-pl.col(leading), -pl.col("open_mills"), name)


def _row(row: dict[str, object]) -> PortfolioRow:
    kept = {name: row[name] for name in PortfolioRow.__slots__ if name in row}
    return PortfolioRow(**kept, buckets=tuple(row[f"{name}_mills"] for name in BUCKET_COLUMNS))  # type: ignore[arg-type]
