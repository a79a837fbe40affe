"""Features of every book: equal to a slow telling, blind to the future and to other accounts."""

from __future__ import annotations

import math
from datetime import date, timedelta
from typing import Any

import polars as pl
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from saldo.analytics.book import CAUSES, LANDMARKS, RETURNED, SCHEMAS, Book
from saldo.analytics.features import features_at
from tests.feature_reference import slow_features

DAY_0 = date(2024, 1, 1)
ACCOUNTS = 3
days = st.integers(0, 400)
amounts = st.one_of(st.integers(1, 3_000_000), st.sampled_from([1, 10**6, 10**15]))


def on(day: int) -> date:
    return DAY_0 + timedelta(days=day)


def frame(name: str, rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMAS[name], orient="row")


@st.composite
def books(draw: st.DrawFn) -> Book:
    count = draw(st.integers(1, 14))
    items, ends = [], []
    for item in range(1, count + 1):
        account, document = draw(st.integers(1, ACCOUNTS)), draw(days)
        terms, amount = draw(st.integers(-3, 90)), draw(amounts)
        currency = draw(st.sampled_from(["EUR", "EUR", "EUR", "USD"]))
        known = document + draw(st.sampled_from([0, 0, 0, 1, 9]))
        row = (item, account, account, None, currency, on(document), on(document + terms), amount, None)
        items.append((*row, on(known)))
        # Most are paid, whole or in parts, sometimes given back and paid again, credited, or overpaid.
        for part in draw(st.lists(st.sampled_from([1.0, 1.0, 0.5, 0.5, 0.2, 1.1]), max_size=3)):
            end, value = document + draw(st.integers(0, 200)), max(int(amount * part), 1)
            cause = draw(st.sampled_from(["paid", "paid", "paid", *CAUSES]))
            lag = draw(st.sampled_from([0, 0, 1, 4, -2]))
            value = -value if cause == RETURNED else value
            ends.append((item, on(end), value, cause, on(end + lag)))
            if draw(st.integers(0, 5)) == 0:
                back = end + draw(st.integers(0, 30))
                ends.append((item, on(back), -value, RETURNED, on(back)))
    one, some_day, account = st.integers(1, count), days.map(on), st.integers(1, ACCOUNTS)
    account_of = {row[0]: row[1] for row in items}

    def some(*columns: st.SearchStrategy[Any], unique: int | None = None) -> list[tuple[Any, ...]]:
        key = None if unique is None else (lambda row: row[unique])
        return draw(st.lists(st.tuples(*columns), max_size=4, unique_by=key))

    promises = some(st.none() | one, some_day, amounts, some_day)
    return Book(
        frame("items", items),
        frame("ends", ends),
        frame("terms", some(one, some_day, some_day, unique=2)),
        frame("promises", [(account_of[row[0]] if row[0] else 1, *row) for row in promises]),
        frame("disputes", some(one, amounts, st.none() | some_day, some_day)),
        frame("contacts", some(account, st.just("call"), some_day)),
        frame("orders", some(account, amounts, some_day)),
    )


def _equal(fast: float | None, slow: float | None) -> bool:
    if fast is None or slow is None:
        return fast is slow
    return math.isclose(fast, slow, rel_tol=1e-5, abs_tol=1e-5)


def landmarks(book: Book, asked: list[tuple[int, int]]) -> pl.DataFrame:
    rows = [(i % len(book.items) + 1, on(day)) for i, day in asked]
    return pl.DataFrame(rows, schema=LANDMARKS, orient="row")


asked = st.lists(st.tuples(st.integers(0, 20), st.integers(-2, 500)), min_size=1, max_size=6)


@settings(max_examples=60, deadline=None, phases=[Phase.generate])
@given(books(), asked)
def test_they_agree_with_a_slow_telling(book: Book, questions: list[tuple[int, int]]) -> None:
    wanted = landmarks(book, questions)
    for row in features_at(book, wanted).to_dicts():
        slow = slow_features(book, row["item_id"], row["as_of"])
        wrong = {name: (row[name], value) for name, value in slow.items() if not _equal(row[name], value)}
        assert not wrong, (row["item_id"], row["as_of"])


@settings(max_examples=25, deadline=None, phases=[Phase.generate])
@given(books(), asked)
def test_neither_later_facts_nor_other_accounts_nor_order_change_them(
    book: Book, questions: list[tuple[int, int]]
) -> None:
    wanted = landmarks(book, questions)
    whole = features_at(book, wanted)
    assert whole.select("item_id", "as_of").equals(wanted)
    account = whole["account_id"][0]
    mine = wanted.filter(whole["account_id"] == account)
    cut = features_at(book.of_accounts([account]), mine)
    assert_frame_equal(cut, whole.filter(pl.col("account_id") == account), check_exact=True)
    for position, (item, day) in enumerate(wanted.rows()):
        alone = wanted[position : position + 1]
        past = book.known_by(day)
        # The asked item describes itself even before it is known.
        items = pl.concat([past.items.filter(pl.col("item_id") != item), book.items.filter(item_id=item)])
        known = Book(items, past.ends, past.terms, past.promises, past.disputes, past.contacts, past.orders)
        assert_frame_equal(features_at(known, alone), whole[position : position + 1], check_exact=True)
