"""Features worked out by hand, their dictionary, odd books, and the columns that leak."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from docs.make_features_page import PAGE, table
from saldo.analytics.book import LANDMARKS, SCHEMAS, Book, open_on
from saldo.analytics.features import feature_names, features_at, number_names
from saldo.analytics.features_dictionary import (
    GROUPS,
    UNITS,
    feature_dictionary,
    features_by_name,
    reason_words,
)
from saldo.analytics.leak_audit import (
    book_leaks,
    days_of_dates,
    reads_the_future,
    shuffled_future,
    without,
)
from saldo.analytics.leaks import suspicious_features


def day(text: str) -> date:
    return date.fromisoformat(f"2026-{text}" if len(text) == 5 else text)


def frame(name: str, rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    def typed(value: Any) -> Any:
        is_day = isinstance(value, str) and re.fullmatch(r"(\d{4}-)?\d\d-\d\d", value)
        return day(value) if is_day else value

    rows = [tuple(map(typed, row)) for row in rows]
    return pl.DataFrame(rows, schema=SCHEMAS[name], orient="row")


def item(number: int, document: str, due: str, units: float, account: int = 1) -> tuple[Any, ...]:
    mills = round(units * 1000)
    return (number, account, account, "north", "EUR", document, due, mills, "MP05", document)


def landmark(*rows: tuple[int, str]) -> pl.DataFrame:
    return pl.DataFrame([(i, day(d)) for i, d in rows], schema=LANDMARKS, orient="row")


@pytest.fixture
def book() -> Book:
    """1 paid 10 days late, 2 in two parts, 31 late, 3 came back unpaid, 4 is overdue, 5 not yet due."""
    return Book(
        frame("items", [
            item(1, "01-05", "02-04", 1000), item(2, "01-10", "02-28", 500), item(3, "02-01", "03-03", 2000),
            item(4, "03-01", "03-31", 800), item(5, "03-20", "04-19", 400),
        ]),
        frame("ends", [
            (1, "02-14", 1_000_000, "paid", "02-14"),
            (2, "02-27", 300_000, "paid", "02-27"), (2, "03-31", 200_000, "paid", "04-01"),
            (3, "03-03", 2_000_000, "paid", "03-03"), (3, "03-13", -2_000_000, "returned", "03-13"),
        ]),
        promises=frame("promises", [
            (1, 3, "03-20", 2_000_000, "03-15"), (1, None, "04-10", 1_000_000, "04-01"),
        ]),
        disputes=frame("disputes", [(4, 200_000, None, "03-25")]),
        contacts=frame("contacts", [(1, "call", "03-16"), (1, "email", "04-02")]),
        orders=frame("orders", [(1, 900_000, "01-15"), (1, 600_000, "03-10")]),
    )  # fmt: skip


def test_every_feature_by_hand(book: Book) -> None:
    row = features_at(book, landmark((5, "04-02"))).row(0, named=True)
    older = 0.5 ** (1 / 5)  # weight of the settlement before the last
    recent = (31 + 10 * older) / (1 + older)
    expected: dict[str, float | None] = {
        "amount": 400, "log_amount": np.log10(401), "terms_days": 30, "days_past_due": -17,
        "days_since_document": 13, "extension_days": 0, "paid_share": 0, "due_weekday": 7, "due_day": 19,
        "due_month": 4, "due_is_month_end": 0, "document_day": 20,
        "paid_count": 2, "delay_mean": 20.5, "delay_mean_by_amount": 17, "delay_median": 20.5,
        "delay_sd": 10.5, "delay_last_5": 20.5, "delay_recent": recent, "delay_last": 31,
        "delay_trend": recent - 20.5, "delay_mean_with_open": (10 + 31 + 30 + 2) / 4,
        "late_share": 1, "late_30_share": 0.5, "late_recent_share": 1, "part_payment_share": 0.5,
        "month_turn_share": 0.5, "top_weekday": 2, "top_weekday_share": 0.5, "due_to_top_weekday_days": 2,
        "days_since_payment": 2, "relation_days": 87, "returned_count": 1, "days_since_return": 20,
        "recent_due_open_share": 2800 / 4300, "recent_due_open_count_share": 0.5,
        "other_open_count": 2, "other_open_amount": 2800, "other_overdue_count": 2,
        "other_overdue_amount": 2800, "other_overdue_share": 1, "other_overdue_mean_days": 16,
        "oldest_overdue_days": 30, "other_due_7_amount": 0, "other_due_30_amount": 0,
        "share_of_open": 400 / 3200, "invoice_count": 4, "invoices_90_count": 5,
        "amount_to_mean": 400 / (4300 / 4),
        "promise_days": 8, "promise_share": 1, "promises_broken": 1, "promises_kept": 0,
        "disputed_share": 0, "account_disputed_share": 200 / 3200, "disputes_count": 1,
        "contacts_30": 2, "contacts_since_due": 0, "days_since_contact": 0,
        "orders_30_amount": 600, "orders_to_usual": 600 / (900 / 6),
    }  # fmt: skip
    assert {name: row[name] for name in number_names()} == pytest.approx(expected, rel=1e-6)
    assert (row["segment"], row["method"], row["balance_mills"]) == ("north", "MP05", 400_000)


def test_a_return_takes_the_payment_out_of_the_history_from_its_day_on(book: Book) -> None:
    rows = features_at(book, landmark((5, "03-12"), (5, "03-13")))
    assert rows["paid_count"].to_list() == [2, 1]
    assert rows["delay_last"].to_list() == [0, 10]
    assert rows["other_overdue_amount"].to_list() == [200, 2200]


def test_on_the_eve_an_item_describes_itself_and_its_account_what_was_known(book: Book) -> None:
    row = features_at(book, landmark((5, "03-19"))).row(0, named=True)
    assert (row["days_since_document"], row["amount"], row["other_open_count"]) == (-1, 400, 3)
    assert (row["invoice_count"], row["balance_mills"]) == (4, 400_000)


def test_a_later_due_date_counts_from_the_day_it_was_agreed(book: Book) -> None:
    later = replace(book, terms=frame("terms", [(4, "04-30", "04-01")]))
    rows = features_at(later, landmark((4, "03-31"), (4, "04-01"), (5, "04-01")))
    assert rows["days_past_due"].to_list()[:2] == [0, -29]
    assert rows["extension_days"].to_list()[:2] == [0, 30]
    assert rows["other_overdue_count"].to_list() == [2, 1, 1]  # on 03-31 item 2 is known to be open in part


def test_the_dictionary_describes_exactly_the_columns(book: Book) -> None:
    columns = features_at(book, landmark((5, "04-02"))).columns
    own = [*LANDMARKS, *(name for name in SCHEMAS["items"] if name not in ("item_id", "known_date"))]
    texts = {"segment", "method", "currency"}
    assert columns == [*own, "balance_mills", *number_names()]
    assert set(feature_names()) == {*number_names(), *texts}
    for feature in feature_dictionary():
        assert feature.group in GROUPS and feature.unit in UNITS and set(feature.sources) <= set(SCHEMAS)
        for texts_ in (feature.meaning, feature.words):
            assert set(texts_) == {"it", "en"} and all(texts_.values())
        for other in (feature.negative, feature.zero, feature.one, feature.missing):
            assert set(other) in (set(), {"it", "en"})
        for language in ("it", "en"):
            for value in (-3.0, 0.0, 1.0, 12.4, None):
                assert "{" not in reason_words(feature, value, language)
    assert PAGE.read_text(encoding="utf-8").endswith(table()), (
        "run .venv/bin/python docs/make_features_page.py"
    )


def test_reasons_speak_plainly() -> None:
    by_name = features_by_name()
    mean = by_name["delay_mean"]
    assert reason_words(mean, 12.3) == "paga in media 12 giorni dopo la scadenza"
    assert reason_words(mean, -1.2, "en") == "pays 1 day before the due date on average"
    assert reason_words(mean, 0.2) == "paga in media alla scadenza"
    assert reason_words(mean, None) == "non ha ancora saldato nulla"
    assert reason_words(by_name["other_overdue_amount"], 12345.0) == "altri 12.345 scaduti"
    assert reason_words(by_name["late_share"], 0.354, "en") == "35% of items paid late"
    assert reason_words(by_name["late_30_share"], 0.004) == (
        "meno dell'1% delle partite pagato con più di 30 giorni di ritardo"
    )
    assert reason_words(by_name["returned_count"], 1.0) == "un insoluto nell'ultimo anno"
    assert reason_words(by_name["segment"], "nord", "it") == "segmento nord"


def _numbers(result: pl.DataFrame) -> pl.DataFrame:
    return result.select(number_names())


def test_odd_books_give_finite_numbers() -> None:
    empty = Book(frame("items", []), frame("ends", []))
    assert features_at(empty, landmark()).columns == features_at(empty, landmark((9, "01-01"))).columns
    assert len(features_at(empty, landmark())) == 0
    one = Book(frame("items", [item(1, "01-05", "02-04", 10)]), frame("ends", []))
    assert features_at(one, landmark((1, "01-04"), (1, "12-31")))["days_past_due"].to_list() == [-31, 330]
    rows = [
        item(n, f"{2020 + n % 5}-01-05", f"{2020 + n % 5}-02-04", 10.0 ** (n % 13 - 2)) for n in range(60)
    ]
    rows[7] = item(7, "2022-01-05", "2206-02-04", 10**12)
    rows[8] = item(8, "2206-01-05", "2206-02-04", 10**12)
    rows[9] = item(9, "1026-01-05", "1026-02-04", 10**12)
    paid = [
        (n, "2024-06-01", round(10.0 ** (n % 13 - 2) * 1000), "paid", "2024-06-01") for n in range(0, 60, 2)
    ]
    paid += [(7, "2206-03-01", 10**15, "paid", "2206-03-01"), (9, "2024-03-01", 10**15, "paid", "2206-03-01")]
    wide = Book(frame("items", rows), frame("ends", paid))
    asked = landmark(*((n, d) for n in range(60) for d in ("2023-01-01", "2026-01-01", "2206-12-31")))
    result = _numbers(features_at(wide, asked))
    assert not any(result[name].is_infinite().any() or result[name].is_nan().any() for name in result.columns)
    assert result.select(pl.all().abs().max()).max_horizontal().item() < 1e17
    delays = result.select("delay_mean", "delay_last", "delay_mean_with_open", "other_overdue_mean_days")
    assert delays.max_horizontal().max() <= 730


def test_a_further_column_may_not_take_the_name_of_a_feature(book: Book) -> None:
    items = book.items.with_columns(due_day=pl.lit(1))
    with pytest.raises(ValueError, match="due_day"):
        features_at(replace(book, items=items, extra=("due_day",)), landmark((5, "04-02")))


def honest_book(count: int = 900, accounts: int = 30, seed: int = 3) -> Book:
    """Customers with habits of their own; ``urgent`` and ``color``: known at issue; ``seen``: a date."""
    random = np.random.default_rng(seed)
    account = random.integers(0, accounts, count)
    document = random.integers(0, 700, count)
    urgent = random.integers(0, 2, count)
    habit = random.normal(8, 12, accounts)
    delay = (habit[account] + 4 * urgent + random.normal(0, 9, count)).round().astype(int)
    due = document + 30
    paid = np.maximum(due + delay, document + 1)
    start = date(2024, 1, 1)

    def on(days: Any) -> list[date]:
        return [start + timedelta(days=int(d)) for d in days]

    mills = random.integers(10_000, 9_000_000, count)
    items = pl.DataFrame(
        {
            "item_id": np.arange(count), "account_id": account, "customer_id": account, "segment": "north",
            "currency": "EUR", "document_date": on(document), "due_date": on(due), "amount_mills": mills,
            "method": "MP05", "known_date": on(document), "urgent": urgent.astype(float),
            "color": np.where(random.random(count) < 0.3, "red", "blue"),
            "seen": [d.isoformat() for d in on(document + random.integers(0, 9, count))],
        }
    )  # fmt: skip
    ends = pl.DataFrame(
        {"item_id": np.arange(count), "end_date": on(paid), "amount_mills": mills, "cause": "paid"}
    ).with_columns(known_date=pl.col("end_date"))
    return Book(items, ends, extra=("urgent", "color", "seen"))


LAST = date(2025, 11, 1)


def delays_of(book: Book) -> pl.Series:
    joined = book.items.join(book.ends.select("item_id", "end_date"), on="item_id", maintain_order="left")
    return (joined["end_date"] - joined["due_date"]).dt.total_days()


def test_honest_columns_are_not_named() -> None:
    assert book_leaks(honest_book(), LAST) == []
    assert book_leaks(honest_book(count=5), LAST) == []


def test_a_column_made_of_the_outcome_is_named() -> None:
    book = honest_book()
    delay = delays_of(book)
    paid = book.ends["end_date"]
    noise = pl.Series(np.random.default_rng(0).normal(0, 2, len(delay)))
    leaks: dict[str, tuple[pl.Series, str]] = {
        "days_late": (delay.clip(lower_bound=0), "function_of_outcome"),
        "days_to_settle": (delay + 30, "function_of_outcome"),
        "paid_on": (paid.dt.strftime("%d/%m/%Y"), "function_of_outcome"),
        "roughly": (delay + noise, "follows_outcome"),
        "was_late": ((delay > 0).cast(pl.String), "function_of_outcome"),
        "cleared": (pl.Series([f"C-{d.year}" if d <= LAST else None for d in paid]), "known_when_closed"),
        "status": (pl.Series(["done" if d <= LAST else "open" for d in paid]), "known_when_closed"),
    }
    spoilt = replace(
        book,
        items=book.items.with_columns(values.alias(name) for name, (values, _) in leaks.items()),
        extra=(*book.extra, *leaks),
    )
    found = {suspicion.column: suspicion for suspicion in book_leaks(spoilt, LAST)}
    assert {name: suspicion.code for name, suspicion in found.items()} == {
        name: code for name, (_, code) in leaks.items()
    }
    assert "varianza spiegata 0,9" in found["roughly"].words("it")
    assert without(spoilt, list(found)).extra == book.extra


def test_a_column_that_explains_too_much_within_accounts_is_doubted_not_condemned() -> None:
    book = honest_book()
    random = np.random.default_rng(5)
    disputed = pl.Series(delays_of(book) + random.normal(0, 6, len(book.items)) > 12).cast(pl.String)
    doubtful = replace(book, items=book.items.with_columns(disputed.alias("disputed")),
                       extra=(*book.extra, "disputed"))  # fmt: skip
    (suspicion,) = book_leaks(doubtful, LAST)
    assert (suspicion.column, suspicion.code, suspicion.is_certain) == ("disputed", "within_account", False)


def test_events_a_copy_is_named_and_a_good_ratio_is_not() -> None:
    random = np.random.default_rng(1)
    events = random.random(3000) < 0.07
    ratios = {f"x{n}": random.normal(0, 1, 3000) + 0.4 * n / 10 * events for n in range(8)}
    ratios["good"] = random.normal(0, 1, 3000) + 1.4 * events  # AUC .84
    companies = pl.DataFrame(ratios).with_columns(pl.lit(1.0).alias("constant"))
    assert suspicious_features(companies, events) == []
    spoilt = companies.with_columns(
        copy=pl.Series(events + random.normal(0, 0.35, 3000)),
        text=pl.Series(np.where(events, "closed", "active")),
        gap=pl.Series(np.where(events, np.nan, 1.0)),
    )
    assert {suspicion.column for suspicion in suspicious_features(spoilt, events)} == {"copy", "text", "gap"}
    assert suspicious_features(spoilt.head(20), events[:20]) == []


def test_days_of_dates_reads_a_column_only_as_a_whole() -> None:
    since = pl.Series([date(2024, 1, 1)] * 3)
    assert days_of_dates(pl.Series("x", ["2024-01-03", None, "2024-02-01"]), since).to_list() == [2, None, 31]
    assert days_of_dates(pl.Series("x", ["13/01/2024", "02/01/2024", None]), since).to_list() == [12, 1, None]
    assert days_of_dates(pl.Series("x", ["2024-01-03", "ok", "A"]), since).to_list() == [
        "2024-01-03",
        "ok",
        "A",
    ]


def test_the_shuffled_future_changes_no_feature_and_catches_one_that_reads_it() -> None:
    book = honest_book()
    day_ = date(2024, 12, 1)
    landmarks = open_on(book, day_)
    assert len(landmarks) > 20
    assert reads_the_future(book, landmarks, day_) == []
    changed = shuffled_future(book, day_, asked=landmarks)
    assert not changed.ends.sort("item_id").equals(book.ends.sort("item_id"))
    assert changed.known_by(day_).ends.equals(book.known_by(day_).ends)

    def careless(some: Book, asked: pl.DataFrame) -> pl.DataFrame:
        last = some.ends.group_by("item_id").agg(pl.col("end_date").max())
        return features_at(some, asked).join(last, on="item_id", how="left", maintain_order="left")

    assert reads_the_future(book, landmarks, day_, careless) == ["end_date"]
    with pytest.raises(ValueError, match="after"):
        reads_the_future(book, landmarks, day_ - timedelta(days=1))
