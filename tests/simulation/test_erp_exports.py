"""The ERP exports of a world read back, and Saldo comes to what the ERP has in its books, day by day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hand_world import frame, hand_tables

from saldo.flows.import_documents import ImportResult, import_file
from saldo.formats.tabular import convert, open_table, parse_profile
from saldo.identity.queries import companies
from saldo.ledger.queries import open_items
from saldo.simulation.files.erp_book import ErpBook
from saldo.simulation.files.erp_exports import daily, history, mapping_texts
from saldo.simulation.files.world_file import WorldFile
from saldo.simulation.world import tables
from saldo.simulation.world.tables import Tables

MONDAY = date(2026, 3, 9)
# Cents open at the end of the history and of each day from Monday to Friday; the events are in ``_week``.
BEFORE = 4_298_00
OPEN = (4_778_00, 4_728_00, 4_028_00, 4_028_00, 3_928_00)


def _week() -> Tables:
    """Two companies, one customer each with the same history and week. The numbers tell the lines apart."""
    documents: list[dict[str, Any]] = []
    lines: list[dict[str, Any]] = []
    postings: list[dict[str, Any]] = []

    def line(account: int, number: str, day: date, cents: int, kind: str = "invoice", **told: Any) -> int:
        ix = len(documents)
        documents.append({"invoice_id": ix, "account_id": account, "kind": kind, "number": number,
                          "date": day, "split_vat_cents": told.pop("split", 0)})  # fmt: skip
        parts = told.pop("parts", 1)
        first = len(lines)
        for no in range(parts):
            lines.append({"installment_id": len(lines), "invoice_id": ix, "account_id": account, "no": no + 1,
                          "due_date": date(2026, 2, 28), "amount_cents": cents // parts,
                          "cash_cents": told.get("cash", cents) // parts})  # fmt: skip
        return first

    def post(line_id: int, day: int, cents: int, month: int = 3) -> None:
        postings.append({"installment_id": line_id, "posted_date": date(2026, month, day), "kind": "payment",
                         "effective_date": date(2026, month, day - 1), "amount_cents": cents})  # fmt: skip

    for account in (1, 5):
        january = date(2026, 1, 20)
        for number in range(1, 6):
            post(line(account, f"{number}/26", january, 1_000_00 + number), 20, 1_000_00 + number, month=2)
        partial = line(account, "11/26", january, 1_220_00)
        riba = line(account, "12/26", january, 500_00)
        post(riba, 2, 500_00)
        full = line(account, "13/26", january, 300_00)
        credit = line(account, "NC 14/26", january, -122_00, "credit_note")
        reduced = line(account, "15/26", january, 2_000_00)
        twice = line(account, "19/26", january, 400_00)
        line(account, "16/26", january, 610_00, split=110_00, cash=500_00)
        # Monday: a new invoice of two installments, a part payment.
        line(account, "17/26", MONDAY, 700_00, parts=2)
        post(partial, 9, 220_00)
        # Tuesday: the receipt comes back unpaid, money on account comes in. Wednesday: a payment in full.
        post(riba, 10, -500_00)
        spare = line(account, "AC 18", date(2026, 3, 10), -150_00, "on_account")
        post(full, 11, 300_00)
        # Wednesday, too: a line that a payment of Tuesday settled is paid again; on Friday it comes back.
        post(twice, 10, 400_00)
        post(twice, 11, 400_00)
        post(twice, 13, -400_00)
        # Thursday: the credit note is used up. Friday: so is the money on account, and the receipt is paid.
        post(credit, 12, -122_00)
        post(reduced, 12, 122_00)
        post(spare, 13, -150_00)
        post(partial, 13, 150_00)
        post(riba, 13, 500_00)
    return replace(
        hand_tables(),
        invoices=frame(tables.INVOICES, *documents),
        installments=frame(tables.INSTALLMENTS, *lines),
        postings=frame(tables.POSTINGS, *postings),
    )


def _import(make_ctx: Callable[..., Any], file: WorldFile) -> ImportResult:
    mapping = dict(mapping_texts())[(file.mapping or "").rpartition("/")[2]]
    ctx = make_ctx(file.day)
    return import_file(
        ctx, file.path, file.data, "receivables", mapping, as_at=file.day, accept_closures=True
    )


def _open_cents(make_ctx: Callable[..., Any], code: str, day: date) -> int:
    ctx = make_ctx(day)
    company = next(row for row in companies(ctx) if row.code == code)
    return int(open_items(ctx, [company.id])["balance_mills"].sum()) // 10


@pytest.mark.parametrize(("company_id", "code"), [(0, "AURELIA"), (1, "TIBERIA")])
def test_saldo_comes_to_the_books_of_the_erp_every_day(
    company_id: int, code: str, db: None, make_ctx: Callable[..., Any]
) -> None:
    book = ErpBook(_week(), company_id)
    archive = history(book, company_id, MONDAY)
    result = _import(make_ctx, archive)
    assert sum(archive.refusals.values()) == 4
    assert Counter(refused.code for refused in result.rejections) == archive.refusals
    assert _open_cents(make_ctx, code, archive.day) == book.open_total(archive.day) == BEFORE
    for day, expected in zip(range(9, 14), OPEN, strict=True):
        export = daily(book, company_id, date(2026, 3, day))
        assert export is not None
        result = _import(make_ctx, export)
        assert (result.rejections, result.status) == ([], "done")
        assert _open_cents(make_ctx, code, export.day) == book.open_total(export.day) == expected
    assert daily(book, company_id, date(2026, 3, 14)) is None, "no office works on a Saturday"


def test_the_delta_lists_what_moved_and_says_nothing_when_nothing_did() -> None:
    book = ErpBook(_week(), 1)
    told = {}
    for day in (12, 16):
        export = daily(book, 1, date(2026, 3, day))
        assert export is not None
        profile = parse_profile(dict(mapping_texts())["tiberia.toml"], "tiberia")
        read = convert(open_table(export.data, export.path, profile), profile, "EUR")
        assert not read.rejections
        told[day] = read.frame.select("number", "open_mills", "settled_date").rows()
    assert told[12] == [("NC 14/26", 0, date(2026, 3, 11)), ("15/26", 1_878_000, None)]
    assert told[16] == []


def test_the_same_tables_give_the_same_bytes_and_quote_nothing() -> None:
    first, second = (history(_week(), 0, MONDAY) for _ in range(2))
    assert first == second
    assert b'"' not in first.data and "Modalità".encode("windows-1252") in first.data


def test_the_taxes_a_customer_pays_to_the_state_are_told_apart() -> None:
    export = daily(hand_tables(), 0, date(2026, 2, 27))
    assert export is not None
    rows = [line.split(";") for line in export.data.decode("windows-1252").splitlines()]
    amounts = {row[6]: row[-5:-1] for row in rows}
    assert amounts["4/26"] == ["610,00", "110,00", "0,00", "500,00"]
    assert amounts["5/26"] == ["122,00", "0,00", "4,00", "118,00"]
    assert amounts["NC 1/26"] == ["-122,00", "0,00", "0,00", "-122,00"]
