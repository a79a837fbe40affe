"""The book of open items: what a text names in it, what it contradicts, and what is left of each item."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from saldo.core.matching.book import MOST_NAMED, Book, Named, wanted_keys
from saldo.core.matching.records import Advice, AdviceLine, Line, OpenItem
from saldo.core.matching.references import Strength, mentions

DAY = date(2026, 4, 3)


def item(item_id: int, number: str, mills: int = 100_000, account: int = 1, **more: object) -> OpenItem:
    values: dict[str, object] = {
        "item_id": item_id, "account_id": account, "kind": "invoice", "number": number, "document_date": DAY,
        "due_date": DAY + timedelta(30), "currency": "EUR", "amount_mills": mills, "balance_mills": mills,
    }  # fmt: skip
    return OpenItem(**{**values, **more})  # type: ignore[arg-type]


ITEMS = (
    item(1, "1234/26"),
    item(2, "1234/25", document_date=date(2025, 4, 3), account=2),
    item(3, "V1/001234", account=2),
    item(4, "NC 75/26", -30_000, kind="credit_note"),
    item(5, "75/26"),
    item(6, "9260001243", account=3, due_date=None),
    item(7, "88/26", balance_mills=0, closed_date=date(2026, 3, 1)),
    item(8, "90/26", order_ref="ODA 46214"),
    item(9, "8245/26", installment_no=1),
    item(10, "8245/26", installment_no=2, due_date=DAY + timedelta(60)),
    item(11, "91/26", currency="USD"),
    item(12, "55443/26", account=4),
    item(13, "ACC 75/26", -10_000, account=5, kind="on_account"),
)


def hits(text: str, book: Book | None = None, accounts: list[int] | None = None) -> dict[int, Strength]:
    kept = book or Book(ITEMS)
    found: dict[int, Strength] = {}
    for mention in mentions(text):
        for named in kept.named(mention, accounts):
            found[named.item.item_id] = max(named.strength, found.get(named.item.item_id, Strength.SHORT))
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FT 1234/26", {1: Strength.FULL, 3: Strength.TAIL}),
        ("FT 1234/25", {2: Strength.FULL}),
        ("FT V1/1234", {3: Strength.FULL}),
        ("FT V 1/1234", {3: Strength.FULL}),
        ("FT 1243/26", {6: Strength.TAIL}),
        ("FT 260001243", {6: Strength.TAIL}),
        ("FT 9260001243", {6: Strength.FULL}),
        ("FT 61243", {}),
        ("NC 75/26", {4: Strength.FULL, 13: Strength.SHORT}),
        ("NC 75 DEL 03/04/2026", {4: Strength.BODY_YEAR, 13: Strength.SHORT}),
        ("FT 75/26", {5: Strength.FULL, 4: Strength.SHORT}),
        ("FT 8245/26", {9: Strength.FULL, 10: Strength.FULL}),
        ("FT 824526", {9: Strength.TAIL, 10: Strength.TAIL}),
        ("FT 1234 DEL 03/04/2025", {2: Strength.BODY_YEAR, 1: Strength.BODY}),
    ],
)
def test_what_a_text_names(text: str, expected: dict[int, Strength]) -> None:
    found = hits(text)
    assert {key: found.get(key) for key in expected} == expected
    assert set(found) - set(expected) <= {key for key, value in found.items() if value <= Strength.TAIL}


def test_dates_beside_a_number_agree_or_do_not() -> None:
    (mention,) = mentions("FT 1234 DEL 03/04/2026")
    told = {named.item.item_id: named.agrees_date for named in Book(ITEMS).named(mention)}
    assert told[1] is True and told[2] is False


def test_an_index_of_the_wanted_keys_names_the_same() -> None:
    lines = [
        Line(1, DAY, 1, "EUR", text="FT 1234/26 E 75/26"),
        Line(2, DAY, 1, "EUR", references=("8245/26",)),
        Line(3, DAY, 1, "EUR", advice=Advice(1, (AdviceLine("9260001243"),))),
        Line(4, DAY, 1, "EUR", text="ORDINE 46214"),
    ]
    small, full = Book(ITEMS, wanted_keys(lines)), Book(ITEMS)
    for text in ("FT 1234/26 E 75/26", "8245/26", "9260001243"):
        assert hits(text, small) == hits(text, full) != {}
    assert small.by_order("ORDINE 46214") == full.by_order("ORDINE 46214") != []
    assert hits("FT 55443/26", small) == {} != hits("FT 55443/26", full)


def test_a_key_of_too_many_documents_names_them_only_within_accounts() -> None:
    many = Book([item(at, "12", account=at) for at in range(MOST_NAMED + 1)])
    assert hits("FT 12", many) == {}
    assert set(hits("FT 12", many, [7])) == {7}


def test_orders_and_creditor_references() -> None:
    book = Book(ITEMS)

    def ids(found: list[Named]) -> list[tuple[int, Strength]]:
        return [(named.item.item_id, named.strength) for named in found]

    assert ids(book.by_order("SALDO ODA 46214")) == [(8, Strength.FULL)]
    assert ids(book.by_order("SALDO 46214")) == [(8, Strength.BODY)]
    assert ids(book.by_order("SALDO 46215")) == []
    assert [named.item.item_id for named in book.by_creditor_reference("RF00824526")] == [9, 10]
    assert book.by_creditor_reference("RF001234") == []


def test_similar_numbers_only_within_the_accounts_given() -> None:
    book = Book(ITEMS)
    (mention,) = mentions("FT 55434/26")
    assert [named.item.item_id for named in book.similar(mention, [4])] == [12]
    assert book.similar(mention, [1, 2, 3]) == []
    (mention,) = mentions("FT 8245/62")  # the year is swapped
    assert [named.item.item_id for named in book.similar(mention, [1])] == [9, 10]
    (mention,) = mentions("FT 1254/25")
    assert [named.item.item_id for named in book.similar(mention, [1, 2])] == [2]


def test_balances_go_down_and_come_back() -> None:
    book = Book(ITEMS)
    assert book.take(1, 40_000) == 60_000
    assert book.balance(1) == 60_000 and book.closed_date(1) is None
    assert book.take(1, 60_000, DAY) == 0
    assert book.closed_date(1) == DAY
    assert 1 not in {found.item_id for found in book.open_of([1])}
    assert [found.item_id for found in book.recently_closed([1])] == [1, 7]
    assert [found.item_id for found in book.recently_closed([1], since=date(2026, 4, 1))] == [1]
    assert book.give_back(1, 60_000) == 60_000
    assert book.closed_date(1) is None
    assert book.take(4, -30_000) == 0


@pytest.mark.parametrize(("item_id", "mills"), [(1, 100_001), (1, -1), (1, 0), (4, 1), (4, -30_001), (7, 1)])
def test_nothing_is_taken_beyond_a_balance(item_id: int, mills: int) -> None:
    with pytest.raises(AssertionError):
        Book(ITEMS).take(item_id, mills)


def test_items_of_accounts_by_due_date_and_currency() -> None:
    book = Book(ITEMS)
    assert [found.item_id for found in book.open_of([3, 1, 1], "EUR")] == [6, 1, 5, 8, 9, 10]
    assert [found.item_id for found in book.open_of([1], "USD")] == [11]
    assert [found.item_id for found in book.credits_of([1], "EUR")] == [4]
    assert book.open_of([99]) == []
    assert len(book) == len(ITEMS) and 12 in book and 14 not in book


def test_items_are_not_changed() -> None:
    before = replace(ITEMS[0])
    book = Book(ITEMS)
    book.take(1, 1)
    assert book.item(1) == before
