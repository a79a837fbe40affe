"""How the customers of one company pay: a few types of delay, learnt from its own items without any labels.

A type is a distribution of the days from an item's due date to the day on which its payment became known.
Each account follows one of the types, unknown which; the types and their shares are found by expectation and
maximization over all accounts, in which an open item counts as "later than its age" (Turnbull's
redistribution to the right) and never as paid.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl

from saldo.analytics.book import PAID, RETURNED, Book

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

# Delays outside count as the nearest of these; what is never paid ends at LATEST.
EARLIEST, LATEST = -30, 400
_SIZE = LATEST - EARLIEST + 1
# An item is settled when no more than this share of it is left (charges, roundings, a discount).
_LEFT_OVER = 0.02
# A part payment leaves at least this share, and pays at least that one.
_PART_LEAVES, _PART_PAYS = 0.10, 0.05
# Never happened.
NEVER = 10**6

_MOST_TYPES, _ACCOUNTS_PER_TYPE = 10, 12
_MOST_FITTED = 10_000
_ROUNDS = 25
_SMOOTH_DAYS = 3.0
# Weight of the whole book in each type, in items; and of "anything can happen once" within that.
_BOOK_ITEMS, _ANYTHING = 5.0, 0.03
_ANYTHING_DAYS = 30.0
_FEWEST_FITTED_ITEMS = 3


@dataclass(frozen=True, slots=True)
class Observed:
    """Items with what was known of them on one evening; one entry an item, sorted by account.

    accounts: their ids; account: index into them. due: days since 1970. delay: days from due to the day on
    which payment was known if ``paid``, else days from due for which it is known not to be paid. parted_at,
    returned_at: days from due to the knowledge of a first part payment, of a first return (NEVER: none).
    is_receipt: collected by a means that can come back (RiBa, direct debit).
    """

    accounts: Ints
    account: Ints
    due: Ints
    delay: Ints
    paid: Flags
    parted_at: Ints
    returned_at: Ints
    is_receipt: Flags

    def __len__(self) -> int:
        return len(self.account)


def observe(book: Book, as_of: date) -> Observed:
    """What was known on the evening of ``as_of`` of every item due by then, or paid already.

    Nothing that became known later is used. An item in dispute is followed to the day on which the dispute
    became known, since from then on there is a reason of its own to wait; one that is credited or written
    off, to that day.
    """
    known = book.known_by(as_of)
    items = _agreed(known.items, known.terms)
    receipts = _receipt_methods(known)
    due = pl.col("due_date")
    facts = (
        items.join(_ended(known), on="item_id", how="left")
        .join(_disputed(known), on="item_id", how="left")
        .join(_marked(known), on="item_id", how="left")
        .with_columns(pl.col("used", "not_cash").fill_null(0))
        .with_columns(
            age=_days_between(due, pl.lit(as_of)),
            settled=pl.col("used") >= pl.col("amount_mills") * (1 - _LEFT_OVER),
        )
        .with_columns(
            paid=pl.col("settled") & (pl.col("not_cash") * 2 < pl.col("amount_mills")),
            delay=pl.when("settled").then(_days_between(due, pl.col("last"))).otherwise("age"),
            objected=_days_between(due, pl.col("disputed")),
        )
        .with_columns(waits=(pl.col("objected") < pl.col("delay")).fill_null(False))
        .with_columns(
            paid=pl.col("paid") & ~pl.col("waits"),
            delay=pl.when("waits").then("objected").otherwise("delay"),
        )
        .filter((pl.col("age") >= 0) | pl.col("paid"))
        .sort("account_id", "due_date", "item_id")
    )
    ids = facts["account_id"].to_numpy()
    accounts, account = np.unique(ids, return_inverse=True)
    return Observed(
        accounts=accounts.astype(np.int64),
        account=account.astype(np.int64),
        due=facts["due_date"].to_physical().cast(pl.Int64).to_numpy(),
        delay=facts["delay"].clip(EARLIEST, LATEST).to_numpy(),
        paid=facts["paid"].to_numpy(),
        parted_at=facts.select(_days_or_never("parted", due)).to_series().to_numpy(),
        returned_at=facts.select(_days_or_never("returned", due)).to_series().to_numpy(),
        is_receipt=facts["method"].is_in(receipts).to_numpy(),
    )


def _days_between(first: pl.Expr, last: pl.Expr) -> pl.Expr:
    return last.to_physical().cast(pl.Int64) - first.to_physical().cast(pl.Int64)


def _days_or_never(name: str, due: pl.Expr) -> pl.Expr:
    return _days_between(due, pl.col(name)).fill_null(NEVER).alias(name)


def _agreed(items: pl.DataFrame, terms: pl.DataFrame) -> pl.DataFrame:
    """Items of some amount with the due date in force: the one agreed last."""
    last = (
        terms.sort("known_date", maintain_order=True)
        .group_by("item_id", maintain_order=True)
        .agg(agreed=pl.col("due_date").last())
    )
    return (
        items.filter(pl.col("amount_mills") > 0)
        .select("item_id", "account_id", "due_date", "amount_mills", pl.col("method").fill_null(""))
        .join(last, on="item_id", how="left")
        .with_columns(due_date=pl.coalesce("agreed", "due_date"))
        .drop("agreed")
    )


def _receipt_methods(known: Book) -> list[str]:
    """Means of payment of which at least one came back."""
    returned = known.ends.filter(pl.col("cause") == RETURNED).select("item_id").unique()
    methods = known.items.join(returned, on="item_id", how="semi")["method"].drop_nulls().unique()
    return sorted(methods.to_list())


def _ended(known: Book) -> pl.DataFrame:
    is_cash = pl.col("cause").is_in([PAID, RETURNED])
    return known.ends.group_by("item_id").agg(
        used=pl.col("amount_mills").sum(),
        not_cash=pl.when(is_cash).then(0).otherwise("amount_mills").sum(),
        last=pl.col("known_date").max(),
    )


def _disputed(known: Book) -> pl.DataFrame:
    return known.disputes.group_by("item_id").agg(disputed=pl.col("known_date").min())


def _marked(known: Book) -> pl.DataFrame:
    """First day on which a part payment, a return of each item was known."""
    ends = known.ends.join(known.items.select("item_id", "amount_mills"), on="item_id", suffix="_item")
    share = pl.col("amount_mills") / pl.col("amount_mills_item").clip(1)
    is_part = (pl.col("cause") == PAID) & (share >= _PART_PAYS) & (share <= 1 - _PART_LEAVES)
    day = pl.col("known_date")
    return ends.group_by("item_id").agg(
        parted=pl.when(is_part).then(day).min(),
        returned=pl.when(pl.col("cause") == RETURNED).then(day).min(),
    )


@dataclass(frozen=True, slots=True)
class DelayTypes:
    """log_share: of each type, (types,). log_density: of each delay from EARLIEST to LATEST, (types, days);
    log_later: of a delay of that many days or more."""

    log_share: Floats
    log_density: Floats
    log_later: Floats

    def __len__(self) -> int:
        return len(self.log_share)

    def each(self, delay: Ints, paid: Flags) -> Floats:
        """Log likelihood of each item under each type: (types, items)."""
        at = np.clip(delay, EARLIEST, LATEST) - EARLIEST
        return np.where(paid[None, :], self.log_density[:, at], self.log_later[:, at])

    def by_account(self, account: Ints, accounts: int, delay: Ints, paid: Flags) -> Floats:
        """Log of (share x likelihood of all its items) of each account under each type: (accounts, types)."""
        likelihood = self.each(delay, paid)
        summed = [np.bincount(account, weights=row, minlength=accounts) for row in likelihood]
        return np.stack(summed, axis=1) + self.log_share

    def medians(self) -> Ints:
        """The median delay of each type."""
        at_least_half = (np.exp(self.log_later) >= 0.5).sum(axis=1)
        return np.asarray(at_least_half - 1 + EARLIEST, dtype=np.int64)


def learn_types(seen: Observed) -> DelayTypes:
    """The types of the accounts in ``seen``, by 25 rounds of expectation and maximization.

    As many types as the accounts carry, ten at most; of many accounts an even selection is used. The same
    items give the same types.
    """
    counts = np.bincount(seen.account, minlength=len(seen.accounts))
    enough = np.flatnonzero(counts >= _FEWEST_FITTED_ITEMS)
    if len(enough) > _MOST_FITTED:
        enough = enough[np.linspace(0, len(enough) - 1, _MOST_FITTED).astype(np.int64)]
    place = np.full(len(seen.accounts), -1, dtype=np.int64)
    place[enough] = np.arange(len(enough))
    chosen = place[seen.account] >= 0
    rows = max(len(enough), 1)
    at = seen.delay[chosen] - EARLIEST
    row, paid = place[seen.account[chosen]], seen.paid[chosen]
    ended = _table(rows, row[paid], at[paid])
    open_ = _table(rows, row[~paid], at[~paid])
    kinds = int(np.clip(len(enough) // _ACCOUNTS_PER_TYPE, 1, _MOST_TYPES))
    return _fitted(ended, open_, kinds)


def _table(rows: int, row: Ints, at: Ints) -> npt.NDArray[np.float32]:
    counts = np.bincount(row * _SIZE + at, minlength=rows * _SIZE)
    return counts.reshape(rows, _SIZE).astype(np.float32)


def _fitted(ended: npt.NDArray[np.float32], open_: npt.NDArray[np.float32], kinds: int) -> DelayTypes:
    rows = len(ended)
    smooth = _kernel()
    grid = np.arange(_SIZE) + EARLIEST
    # Start: accounts dealt out by their mean delay, an open item counted at its age.
    all_items = ended + open_
    mean = (all_items @ grid) / np.maximum(all_items.sum(axis=1), 1)
    order = np.argsort(np.argsort(mean, kind="stable"), kind="stable")
    belongs = np.full((rows, kinds), 0.02 / kinds)
    belongs[np.arange(rows), order * kinds // rows] += 0.98
    whole = _BOOK_ITEMS * _book_density(ended.sum(axis=0), smooth, grid)
    density = np.tile(whole / whole.sum(), (kinds, 1))
    share = np.full(kinds, 1.0 / kinds)
    for _ in range(_ROUNDS):
        later = _later(density)
        spread = density * np.cumsum((belongs.T @ open_) / np.maximum(later, 1e-12), axis=1)
        counts = (belongs.T @ ended + spread) @ smooth + whole
        density = counts / counts.sum(axis=1, keepdims=True)
        log_density, log_later = np.log(density), np.log(np.maximum(_later(density), 1e-12))
        share = (belongs.sum(axis=0) + 1.0) / (rows + kinds)
        log_each = ended @ log_density.T + open_ @ log_later.T + np.log(share)
        belongs = np.exp(log_each - log_sum(log_each, 1)[:, None])
    return DelayTypes(np.log(share), np.log(density), np.log(np.maximum(_later(density), 1e-12)))


def _kernel() -> Floats:
    grid = np.arange(_SIZE)
    weight: Floats = np.exp(-0.5 * ((grid[:, None] - grid[None, :]) / _SMOOTH_DAYS) ** 2)
    return np.asarray(weight / weight.sum(axis=1, keepdims=True), dtype=np.float64)


def _book_density(counts: npt.NDArray[np.float32], smooth: Floats, grid: Ints) -> Floats:
    """The book's own delays, beside a little of everything: a late payment is never impossible."""
    own = (counts + 1e-3) @ smooth
    anything = np.where(grid >= 0, np.exp(-np.maximum(grid, 0) / _ANYTHING_DAYS), 0.0) + 1e-4
    result: Floats = (1 - _ANYTHING) * own / own.sum() + _ANYTHING * anything / anything.sum()
    return result


def _later(density: Floats) -> Floats:
    return np.cumsum(density[:, ::-1], axis=1)[:, ::-1]


def log_sum(values: Floats, axis: int) -> Floats:
    """Log of the sum of exponentials along an axis."""
    top = values.max(axis=axis, keepdims=True)
    result: Floats = np.squeeze(top, axis=axis) + np.log(np.exp(values - top).sum(axis=axis))
    return result
