"""What was said and ordered by a day: promises, disputes, contacts and orders of an account."""

from __future__ import annotations

import numpy as np
import polars as pl

from saldo.analytics.book import Book
from saldo.analytics.features_history import MILLS, Floats, Past, Self, days_since, latest_value, ratio
from saldo.analytics.features_sums import NEVER, Asked, Bools, Ints, Running, asked, covering, day_numbers

# A promise is judged so many days after its day: payments of that day are known by then.
GRACE_DAYS = 5
CONTACT_DAYS = 30
ORDER_DAYS, ORDER_BEFORE_DAYS = 30, 180


def _with_group(facts: pl.DataFrame, accounts: pl.DataFrame) -> pl.DataFrame:
    return facts.join(accounts, on="account_id", how="inner", maintain_order="left")


def _with_item(facts: pl.DataFrame, past: Past) -> pl.DataFrame:
    """With ``_item``, the position of the item, and ``_known``, the day number from which the fact counts.

    Facts of an item count from its entry on; those of items that are not known are left out.
    """
    position = past.facts.item_ids.to_frame().with_columns(
        pl.int_range(pl.len(), dtype=pl.Int64).alias("_item"), pl.Series("_entry", past.facts.entry)
    )
    known = pl.col("known_date").to_physical().cast(pl.Int64)
    return (
        facts.join(position, on="item_id", how="left", maintain_order="left")
        .filter(pl.col("item_id").is_null() | pl.col("_item").is_not_null())
        .with_columns(pl.max_horizontal(known, "_entry").clip(-NEVER, NEVER).alias("_known"))
    )


def _paid_by(past: Past, by_item: bool) -> Running:
    facts = past.facts
    cash = facts.end_paid | facts.end_returned
    owner = facts.end_item if by_item else facts.group[facts.end_item]
    return Running(owner[cash], facts.end_entry[cash], {"amount": facts.end_amount[cash]})


def _is_broken(past: Past, item: Ints, group: Ints, known: Ints, judged: Ints, amount: Ints) -> Ints:
    """1 where less than 95% of the promised amount, or of what was open of its item, came by the day."""
    of_item = item >= 0
    position = np.where(of_item, item, 0)
    before = known - 1
    by_item, by_account = _paid_by(past, True), _paid_by(past, False)
    paid = np.where(
        of_item,
        by_item.between(position, before, judged)["amount"],
        by_account.between(group, before, judged)["amount"],
    )
    if len(past.facts.amount):
        left = past.facts.amount[position] - by_item.until(position, before)["amount"]
        amount = np.where(of_item, np.minimum(amount, np.maximum(left, 0)), amount)
    result: Ints = (paid < np.maximum(amount - amount // 20, 0)).astype(np.int64)
    return result


def promise_features(
    book: Book, past: Past, accounts: pl.DataFrame, questions: Asked, own: Self, item: Ints
) -> dict[str, Floats]:
    """The promise in force on each landmark's item (or else its account), and how earlier ones ended."""
    promises = _with_item(_with_group(book.promises, accounts), past)
    promises = promises.sort("_known", "promised_date", "amount_mills", maintain_order=True)
    of, group = promises["_item"].fill_null(-1).to_numpy(), promises["group"].to_numpy()
    known, promised = promises["_known"].to_numpy(), day_numbers(promises["promised_date"])
    amount = promises["amount_mills"].fill_null(1).to_numpy()
    judged = np.maximum(promised + GRACE_DAYS, known)
    broken = _is_broken(past, of, group, known, judged, amount)
    ended = Running(group, judged, {"broken": broken}).until(questions.group, questions.day)
    account = questions.group[questions.row]
    on_item = _latest_promise(np.flatnonzero(of >= 0), of, known, item, own.day)
    on_account = _latest_promise(np.flatnonzero(of < 0), group, known, account, own.day)
    chosen = np.where(_is_active(on_item, promised, own.day), on_item, on_account)
    active = _is_active(chosen, promised, own.day)
    days, share = np.full(len(item), np.nan), np.full(len(item), np.nan)
    days[active] = np.clip(promised[chosen[active]] - own.day[active], -GRACE_DAYS, 3650)
    share[active] = np.minimum(ratio(amount[chosen[active]] / MILLS, own.balance[active] / MILLS), 1.0)
    return {
        "promise_days": days,
        "promise_share": share,
        "promises_broken": ended["broken"][questions.row].astype(np.float64),
        "promises_kept": (ended["n"] - ended["broken"])[questions.row].astype(np.float64),
    }


def _latest_promise(rows: Ints, owner: Ints, known: Ints, asked_owner: Ints, day: Ints) -> Ints:
    """Row of the last promise of each asked owner known by its day, -1 where it has none."""
    running = Running(owner[rows], known[rows])
    first, after = running.span(asked_owner, day)
    result = np.full(len(day), -1, dtype=np.int64)
    some = after > first
    result[some] = rows[running.order[after[some] - 1]]
    return result


def _is_active(row: Ints, promised: Ints, day: Ints) -> Bools:
    result: Bools = row >= 0
    result[result] = promised[row[result]] + GRACE_DAYS > day[result]
    return result


def dispute_features(
    book: Book, past: Past, questions: Asked, own: Self, item: Ints, open_amount: Floats
) -> dict[str, Floats]:
    """Disputed shares of the item and of the account's open items (``open_amount``), number of disputes.

    ``questions`` ask by purse.
    """
    disputes = _with_item(book.disputes, past).drop_nulls("_item")
    of = disputes["_item"].to_numpy()
    purse = past.facts.purse[of]
    known, closed = disputes["_known"].to_numpy(), day_numbers(disputes["closed_date"])
    values = {"amount": disputes["amount_mills"].fill_null(0).to_numpy()}
    per_item = asked(item, own.day)
    on_item = covering(of, known, closed, values, per_item)["amount"][per_item.row]
    on_account = covering(purse, known, closed, values, questions)["amount"][questions.row]
    ever = Running(purse, known).until(questions.group, questions.day)["n"][questions.row]
    return {
        "disputed_share": np.minimum(ratio(on_item / MILLS, own.balance / MILLS), 1.0),
        "account_disputed_share": np.minimum(ratio(on_account / MILLS, open_amount), 1.0),
        "disputes_count": ever.astype(np.float64),
    }


def contact_features(book: Book, accounts: pl.DataFrame, questions: Asked, own: Self) -> dict[str, Floats]:
    """Contacts with the account: lately, since the item fell due, days since the last one."""
    contacts = _with_group(book.contacts, accounts)
    group, known = contacts["group"].to_numpy(), day_numbers(contacts["known_date"])
    running = Running(group, known)
    account = questions.group[questions.row]
    lately = running.between(questions.group, questions.day - CONTACT_DAYS, questions.day)["n"]
    since_due = running.between(account, own.due - 1, own.day)["n"]
    last = latest_value(group, known, known, questions)
    return {
        "contacts_30": lately[questions.row].astype(np.float64),
        "contacts_since_due": np.where(own.due >= NEVER, 0, since_due).astype(np.float64),
        "days_since_contact": days_since(questions.day, last)[questions.row],
    }


def order_features(book: Book, accounts: pl.DataFrame, questions: Asked) -> dict[str, Floats]:
    """Orders of the last 30 days against a month's mean of the 180 days before."""
    orders = _with_group(book.orders, accounts)
    amount = orders["amount_mills"].fill_null(0).to_numpy()
    running = Running(orders["group"].to_numpy(), day_numbers(orders["known_date"]), {"amount": amount})
    day = questions.day
    month = running.between(questions.group, day - ORDER_DAYS, day)["amount"] / MILLS
    before = running.between(
        questions.group, day - ORDER_DAYS - ORDER_BEFORE_DAYS, day - ORDER_DAYS
    )["amount"] / MILLS  # fmt: skip
    usual = before * (ORDER_DAYS / ORDER_BEFORE_DAYS)
    return {
        "orders_30_amount": month[questions.row],
        "orders_to_usual": ratio(month, usual)[questions.row],
    }
