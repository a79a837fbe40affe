"""The past of items as spells: from day to day, which balance was known and which due date was agreed.

A fact enters on the day it is known, or on its effective day if that is later; so nothing in a spell was
unknown on its days. Facts of an item count from the item's own entry.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from saldo.analytics.book import PAID, RETURNED, Book
from saldo.analytics.features_sums import NEVER, Bools, Ints, day_numbers, keys

# Delays and ages count up to two years either way: beyond, it is a typing error, or one item too old to say
# when the next one comes.
DELAY_LIMIT_DAYS = 730


@dataclass(frozen=True, slots=True)
class Facts:
    """Items and ends as arrays. group: code of the account; purse: code of (account, currency).

    Items in the order of ``item_ids``; entry: first day the item counts; ends point to their item.
    """

    item_ids: pl.Series
    group: Ints
    purse: Ints
    entry: Ints
    document: Ints
    due: Ints
    amount: Ints
    end_item: Ints
    end_entry: Ints
    end_day: Ints
    end_amount: Ints
    end_paid: Bools
    end_returned: Bools
    terms_item: Ints
    terms_entry: Ints
    terms_due: Ints


@dataclass(frozen=True, slots=True)
class Spells:
    """One row per item and stretch of days [begin, end) in which its balance and due date did not change.

    balance >= 0: 0 where it was settled.
    """

    item: Ints
    begin: Ints
    end: Ints
    balance: Ints
    due: Ints


@dataclass(frozen=True, slots=True)
class Settlements:
    """Items taken to 0, at least half of it by payments. Counted from ``begin`` until ``end``, the day from
    which a return or correction had reopened it (NEVER: it did not).

    delay: days from the due date then agreed to the last payment, within ±DELAY_LIMIT_DAYS. parts: number of
    payments.
    """

    item: Ints
    begin: Ints
    end: Ints
    paid_day: Ints
    delay: Ints
    parts: Ints


def effective_book(book: Book, last: date | None) -> Book:
    """The book as known on the evening of ``last``, each end known on its effective day at the earliest."""
    if last is not None:
        book = book.known_by(last)
    ends = book.ends.with_columns(pl.max_horizontal("known_date", "end_date").alias("known_date"))
    return Book(
        book.items, ends, book.terms, book.promises, book.disputes, book.contacts, book.orders,
        known_from=book.known_from, extra=book.extra,
    )  # fmt: skip


def item_groups(items: pl.DataFrame) -> pl.DataFrame:
    """item_id with codes ``group`` (of its account) and ``purse`` (of account and currency)."""
    codes = items.select(
        "item_id",
        (pl.col("account_id").rank("dense") - 1).cast(pl.Int64).alias("group"),
        pl.col("currency").rank("dense").fill_null(0).cast(pl.Int64).alias("_currency"),
    )
    return codes.with_columns(
        (pl.col("group") * (pl.col("_currency").max() + 1) + pl.col("_currency")).alias("purse")
    ).drop("_currency")


def _of_items(facts: pl.DataFrame, position: pl.DataFrame) -> pl.DataFrame:
    return facts.join(position, on="item_id", how="inner", maintain_order="left")


def facts_of(book: Book, groups: pl.DataFrame) -> Facts:
    """The facts of the items of ``groups`` (item_id, group, purse) that the book knows."""
    items = _of_items(book.items, groups)
    position = items.select("item_id", pl.int_range(pl.len(), dtype=pl.Int64).alias("_item"))
    ends = _of_items(book.ends, position)
    terms = _of_items(book.terms.sort("known_date", maintain_order=True), position)
    known = day_numbers(items["known_date"])
    document = day_numbers(items["document_date"], missing=-NEVER)
    entry = np.maximum(known, document)
    end_item, terms_item = ends["_item"].to_numpy(), terms["_item"].to_numpy()
    end_day = day_numbers(ends["end_date"])
    return Facts(
        item_ids=items["item_id"],
        group=items["group"].to_numpy(),
        purse=items["purse"].to_numpy(),
        entry=entry,
        document=document,
        due=day_numbers(items["due_date"]),
        amount=items["amount_mills"].fill_null(0).to_numpy(),
        end_item=end_item,
        end_entry=np.maximum.reduce([day_numbers(ends["known_date"]), end_day, entry[end_item]]),
        end_day=end_day,
        end_amount=ends["amount_mills"].fill_null(0).to_numpy(),
        end_paid=(ends["cause"] == PAID).fill_null(False).to_numpy(),
        end_returned=(ends["cause"] == RETURNED).fill_null(False).to_numpy(),
        terms_item=terms_item,
        terms_entry=np.maximum(day_numbers(terms["known_date"]), entry[terms_item]),
        terms_due=day_numbers(terms["due_date"]),
    )


def _since_start(values: Ints, start: Ints) -> Ints:
    """Running sum of ``values`` within runs, from the position of each row's run's start."""
    running = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(values)])
    result: Ints = running[1:] - running[start]
    return result


def _last_index(is_set: Bools) -> Ints:
    """Of each row, the index of the last row up to it where ``is_set`` (0 before the first)."""
    result: Ints = np.maximum.accumulate(np.where(is_set, np.arange(len(is_set)), 0))
    return result


def spells_of(facts: Facts) -> tuple[Spells, Settlements]:
    """What was known of each item from day to day, and when it was settled by payment."""
    items, ends, terms = len(facts.entry), len(facts.end_item), len(facts.terms_item)
    if items == 0:
        none = np.empty(0, dtype=np.int64)
        return Spells(none, none, none, none, none), Settlements(none, none, none, none, none, none)
    # Rows of change: the items themselves first, so that an item's own row leads on its entry day.
    item = np.concatenate([np.arange(items), facts.end_item, facts.terms_item])
    day = np.concatenate([facts.entry, facts.end_entry, facts.terms_entry])
    order = np.argsort(keys(item, day), kind="stable")
    item, day = item[order], day[order]
    nothing = np.zeros(items, dtype=np.int64), np.zeros(terms, dtype=np.int64)

    def of_ends(values: Ints) -> Ints:
        result: Ints = np.concatenate([nothing[0], values, nothing[1]])[order]
        return result

    is_first = np.append(True, item[1:] != item[:-1])
    start = _last_index(is_first)
    is_cash = facts.end_paid | facts.end_returned
    is_payment = facts.end_paid & (facts.end_amount > 0)
    used = _since_start(of_ends(facts.end_amount), start)
    paid = _since_start(of_ends(np.where(is_cash, facts.end_amount, 0)), start)
    parts = _since_start(of_ends(is_payment.astype(np.int64)), start)
    # Latest payment day so far: items ascend, so a running maximum of (item, day) never crosses into one.
    payment_day = of_ends(np.where(is_payment, facts.end_day, 0))
    is_payment_row = of_ends(is_payment.astype(np.int64)) > 0
    latest = np.maximum.accumulate(keys(item, np.where(is_payment_row, payment_day, -NEVER)))
    paid_day = latest - keys(item, np.zeros_like(item))
    due = np.concatenate([facts.due, np.zeros(ends, dtype=np.int64), facts.terms_due])[order]
    has_due = np.concatenate([np.ones(items, bool), np.zeros(ends, bool), np.ones(terms, bool)])[order]
    due = due[_last_index(has_due)]
    # Of several changes on one day only the last state counts.
    last = np.append((item[1:] != item[:-1]) | (day[1:] != day[:-1]), True)
    item, day, due, paid_day, parts = item[last], day[last], due[last], paid_day[last], parts[last]
    amount = facts.amount[item]
    balance = amount - used[last]
    is_same_next = np.append(item[1:] == item[:-1], False)
    end = np.where(is_same_next, np.append(day[1:], NEVER), NEVER)
    spells = Spells(item, day, end, np.maximum(balance, 0), due)
    is_settled = (balance <= 0) & (amount > 0) & (paid[last] >= (amount + 1) // 2)
    return spells, _settlements(spells, is_settled, is_same_next, paid_day, parts)


def _settlements(
    spells: Spells, is_settled: Bools, is_same_next: Bools, paid_day: Ints, parts: Ints
) -> Settlements:
    """The stretches of spells in which an item was settled: from the first one to the one that reopens it."""
    was = np.append(False, is_settled[:-1] & is_same_next[:-1])
    begins = np.flatnonzero(is_settled & ~was)
    stays = np.append(is_settled[1:] & is_same_next[:-1], False)
    ends = np.flatnonzero(is_settled & ~stays)
    delay = np.clip(paid_day[begins] - spells.due[begins], -DELAY_LIMIT_DAYS, DELAY_LIMIT_DAYS)
    # Of those settled on one day the earlier paid, then the less late, come first: never as the rows stand.
    order = np.lexsort((delay, paid_day[begins]))
    begins, ends = begins[order], ends[order]
    return Settlements(
        item=spells.item[begins],
        begin=spells.begin[begins],
        end=spells.end[ends],
        paid_day=paid_day[begins],
        delay=delay[order],
        parts=parts[begins],
    )
