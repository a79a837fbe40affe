"""Matching, for every input: texts take bounded time, keys agree with normalize, the book keeps its sums."""

from __future__ import annotations

import time
from datetime import date, timedelta

from hypothesis import example, given, settings
from hypothesis import strategies as st

from saldo.core.matching import book, references
from saldo.core.matching.records import OpenItem
from saldo.core.normalize import normalized_number, number_parts

NUMBERS = st.one_of(
    st.text(alphabet="0123456789ABFTNCV/-. ", max_size=20),
    st.text(max_size=12),
    st.builds("{}/{}".format, st.integers(1, 99_999), st.sampled_from([25, 26, 2025, 2026])),
)
DATES = st.none() | st.dates(date(2015, 1, 1), date(2035, 12, 31))
TEXTS = st.one_of(st.text(max_size=80), st.text(alphabet="FTN .,/-0123456789DELNC€'", max_size=120))


@given(NUMBERS, DATES)
@example("26/25", date(2026, 1, 1))
def test_document_keys_agree_with_normalize(number: str, day: date | None) -> None:
    keys = references.document_keys(number, day)
    whole, parts = normalized_number(number), number_parts(number, day)
    if not whole:
        assert keys == ()
        return
    assert keys[0] == "=" + whole
    form = references.document_form(number, day)
    assert (form.series, form.body) == (parts.prefix, parts.body)
    bodies = [key[1:] for key in keys if key[0] == "b"]
    assert bodies == ([parts.body] if parts.body else [])
    year = parts.year if parts.year is not None else (day.year if day else None)
    assert form.year == year
    assert [key for key in keys if key[0] == "y"] == (
        [f"y{parts.body}|{year}"] if parts.body and year is not None else []
    )


@given(st.from_regex(r"[1-9][0-9]{3,6}", fullmatch=True), st.sampled_from(["", "A", "V1/"]), st.booleans())
def test_a_number_written_as_ours_is_found_whole(serial: str, series: str, has_year: bool) -> None:
    number = series + serial + ("/2026" if has_year else "")
    keys = references.document_keys(number, date(2026, 5, 1))
    found = references.mentions(f"SALDO FATT. {number} GRAZIE")
    assert any(keys[0] in mention.keys for mention in found)


@given(TEXTS)
def test_any_text_gives_mentions_within_it(text: str) -> None:
    for mention in references.mentions(text):
        assert 0 <= mention.start < mention.end
        assert any(mark.isdigit() for mark in mention.text)
        assert mention.keys and len(set(mention.keys)) == len(mention.keys)
        assert not mention.looks_like or mention.strength == references.Strength.SHORT
    assert references.intent(text) <= {"on_account", "balance", "advance_order", "return", "credit_taken"}
    references.creditor_reference(text)


@settings(max_examples=40, deadline=None)
@given(st.text(alphabet="RFDEL01239A /.,-+@'€EUR", min_size=1, max_size=8), st.sampled_from([1_000, 60_000]))
def test_hostile_texts_take_bounded_time(unit: str, times: int) -> None:
    text = unit * times
    began = time.process_time()
    found = references.mentions(text)
    references.intent(text)
    references.creditor_reference(text)
    assert time.process_time() - began < 2.0
    assert len(found) <= references.MOST_MENTIONS


def test_fifty_megabytes_are_clipped() -> None:
    began = time.process_time()
    assert references.mentions("FT 1234/26 " + "9" * 50_000_000)[0].text == "1234/26"
    assert references.creditor_reference("RF" + "1" * 50_000_000) == ""
    assert time.process_time() - began < 2.0


@given(st.text(alphabet="0123456789", max_size=9), st.text(alphabet="0123456789", max_size=9))
def test_a_slip_is_symmetric_and_never_equality(a: str, b: str) -> None:
    assert references.slipped(a, b) == references.slipped(b, a)
    assert not references.slipped(a, a)


AMOUNTS = st.integers(-5_000, 5_000).filter(bool)


@given(st.lists(st.tuples(AMOUNTS, st.integers(1, 3)), max_size=12), st.data())
def test_the_book_keeps_its_sums(rows: list[tuple[int, int]], data: st.DataObject) -> None:
    day = date(2026, 1, 1)
    items = [
        OpenItem(at, account, "invoice", f"{at}/26", day, day + timedelta(at % 5), "EUR", mills, mills)
        for at, (mills, account) in enumerate(rows)
    ]
    kept = book.Book(items)
    taken = 0
    for item in items:
        share = data.draw(st.integers(min(0, item.balance_mills), max(0, item.balance_mills)))
        if share:
            assert kept.take(item.item_id, share, day) == item.balance_mills - share
            taken += share
    assert sum(kept.balance(item.item_id) for item in items) == sum(m for m, _ in rows) - taken
    accounts = {account for _, account in rows}
    debits, credits = kept.open_of(accounts), kept.credits_of(accounts)
    closed = {item.item_id for item in items if not kept.balance(item.item_id)}
    assert {item.item_id for item in (*debits, *credits)} | closed == {item.item_id for item in items}
    assert [item.due_date for item in debits] == sorted(item.due_date for item in debits)
    for item in items:
        used = item.balance_mills - kept.balance(item.item_id)
        if used:
            kept.give_back(item.item_id, used)
    assert all(kept.balance(item.item_id) == item.balance_mills for item in items)
