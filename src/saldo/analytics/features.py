"""Point-in-time features: what was known of an item and its account on the evening of a day, as numbers.

A feature uses facts whose known_date, and whose effective date, is on or before the landmark's day, of the
item's own account only: the same book cut to one account gives the same values, and no later fact changes
them. What each one means, in words that reasons are written with: ``features.toml``, read by
``feature_dictionary``; docs/rules/features.md shows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np
import polars as pl

from saldo.analytics.book import ITEMS, LANDMARKS, Book, balances
from saldo.analytics.features_contacts import (
    contact_features,
    dispute_features,
    order_features,
    promise_features,
)
from saldo.analytics.features_dictionary import CATEGORY, feature_dictionary
from saldo.analytics.features_history import (
    Floats,
    Past,
    Self,
    censored_mean,
    due_features,
    latest_features,
    payment_features,
    settled_by_amount,
    settled_features,
)
from saldo.analytics.features_item import item_features
from saldo.analytics.features_open import open_features, size_features
from saldo.analytics.features_spells import effective_book, facts_of, item_groups, spells_of
from saldo.analytics.features_sums import Asked, Ints, asked, day_numbers


def feature_names(extra: tuple[str, ...] = ()) -> list[str]:
    """Columns of ``features_at`` that a model may use: those of the dictionary, then the book's own."""
    return [feature.name for feature in feature_dictionary()] + list(extra)


def number_names() -> list[str]:
    """Those of the dictionary that are numbers."""
    return [feature.name for feature in feature_dictionary() if feature.unit != CATEGORY]


def category_names() -> list[str]:
    """Those of the dictionary that are texts: columns of the items themselves."""
    return [feature.name for feature in feature_dictionary() if feature.unit == CATEGORY]


def _by_row(features: Mapping[str, Floats], questions: Asked) -> dict[str, Floats]:
    return {name: values[questions.row] for name, values in features.items()}


def _account_features(past: Past, questions: Asked, by_purse: Asked) -> dict[str, Floats]:
    """Features of the account's history, one row per landmark."""
    result = _by_row(settled_features(past, questions), questions)
    result |= _by_row(latest_features(past, questions), questions)
    result |= _by_row(payment_features(past, questions), questions)
    return result | _by_row(settled_by_amount(past, by_purse), by_purse)


def features_at(book: Book, landmarks: pl.DataFrame) -> pl.DataFrame:
    """The features of each landmark (LANDMARKS: item_id, as_of), in their order.

    Columns: those of ``book.balances`` (the item's own, its further ones included), then the numbers of the
    dictionary as Float32, null where they are not known. An item not known yet on its day is described by
    its own columns; its account by what was known. Raises ValueError where one of the book's further columns
    has the name of a feature.
    """
    taken = set(book.extra) & {*ITEMS, *LANDMARKS, "balance_mills", *feature_names()}
    if taken:
        raise ValueError(f"further columns with the names of features: {sorted(taken)}")
    last = landmarks["as_of"].max()
    known = effective_book(book, last if isinstance(last, date) else None)
    items = book.items.join(book.items.join(landmarks, on="item_id", how="semi"), on="account_id", how="semi")
    groups = item_groups(items)
    facts = facts_of(known, groups)
    past = Past(facts, *spells_of(facts))
    columns = balances(_described(known, items), landmarks)
    codes = landmarks.select("item_id").join(groups, on="item_id", how="left", maintain_order="left")
    day = day_numbers(landmarks["as_of"])
    # A landmark of an item that the book does not hold stands beside all accounts.
    questions = asked(codes["group"].fill_null(len(items)).to_numpy(), day)
    by_purse = asked(codes["purse"].fill_null(_beyond(groups["purse"])).to_numpy(), day)
    item = _positions(facts.item_ids, landmarks["item_id"])
    own = _self(columns, day, item, facts.entry)
    history = _account_features(past, questions, by_purse)
    history |= due_features(past, by_purse, own)
    values = item_features(columns, _first_due(items, landmarks)) | history
    values |= open_features(past, by_purse, own) | size_features(past, by_purse, own)
    values["delay_mean_with_open"] = censored_mean(
        values["_delay_sum"], values["paid_count"], values["_overdue_age"], values["other_overdue_count"]
    )
    values["delay_trend"] = values["delay_recent"] - values["delay_mean"]
    values["due_to_top_weekday_days"] = np.mod(values["top_weekday"] - values["due_weekday"], 7.0)
    accounts = items.select("item_id", "account_id").join(groups, on="item_id")
    accounts = accounts.select("account_id", "group").unique()
    values |= promise_features(known, past, accounts, questions, own, item)
    values |= dispute_features(
        known, past, by_purse, own, item, values["other_open_amount"] + own.balance / 1000.0
    )
    values |= contact_features(known, accounts, questions, own)
    values |= order_features(known, accounts, questions)
    numbers = pl.DataFrame({name: values[name].astype(np.float32) for name in number_names()})
    return pl.concat([columns, numbers.with_columns(pl.all().fill_nan(None))], how="horizontal")


def _described(known: Book, items: pl.DataFrame) -> Book:
    """The book of known facts with all items, so that one not known yet is asked about too."""
    return Book(items, known.ends, known.terms, extra=known.extra)


def _beyond(codes: pl.Series) -> int:
    """A code that no group has."""
    highest = codes.max()
    return highest + 1 if isinstance(highest, int) else 0


def _positions(item_ids: pl.Series, wanted: pl.Series) -> Ints:
    """Position of each wanted item among the known ones; their number for one not among them."""
    position = item_ids.to_frame("item_id").with_row_index("_item").cast({"_item": pl.Int64})
    found = wanted.to_frame("item_id").join(position, on="item_id", how="left", maintain_order="left")
    return found["_item"].fill_null(len(item_ids)).to_numpy()


def _first_due(items: pl.DataFrame, landmarks: pl.DataFrame) -> pl.Series:
    first = items.select("item_id", "due_date")
    return landmarks.select("item_id").join(first, on="item_id", how="left", maintain_order="left")[
        "due_date"
    ]


def _self(columns: pl.DataFrame, day: Ints, item: Ints, entry: Ints) -> Self:
    entered = np.append(entry, np.iinfo(np.int64).max)[item] <= day
    return Self(
        day=day,
        is_known=entered,
        amount=columns["amount_mills"].fill_null(0).to_numpy(),
        balance=columns["balance_mills"].fill_null(0).clip(lower_bound=0).to_numpy(),
        due=day_numbers(columns["due_date"]),
    )
