"""The demo company: same seed, same bytes; its files say what its maker meant; its figures look real."""

from __future__ import annotations

import socket
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from stdnum import iban
from stdnum.eu import vat as eu_vat

from saldo.formats.detect import read_file
from saldo.formats.receivables import RECEIVABLES_SCHEMA
from saldo.formats.records import ReadResult
from saldo.formats.tabular.convert import convert
from saldo.formats.tabular.mapping import load_profile
from saldo.formats.tabular.read import open_table
from saldo.simulation.command import free_port
from saldo.simulation.demo_company import DemoFiles, company, write_demo
from saldo.simulation.demo_customers import make_customers
from saldo.simulation.demo_einvoices import company_iban

TODAY = date(2026, 6, 30)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DemoFiles:
    return write_demo(tmp_path_factory.mktemp("demo"), 7, TODAY)


@pytest.fixture(scope="module")
def history(demo: DemoFiles) -> pl.DataFrame:
    return _table(demo.history, demo.history_mapping)[0]


@pytest.fixture(scope="module")
def still_open(demo: DemoFiles) -> pl.DataFrame:
    return _table(demo.open_items, demo.open_items_mapping)[0]


@pytest.fixture(scope="module")
def einvoices(demo: DemoFiles) -> list[ReadResult]:
    return [read_file(path.read_bytes(), path.name) for path in demo.invoices]


def _table(path: Path, mapping: Path) -> tuple[pl.DataFrame, dict[int, str]]:
    profile = load_profile(mapping)
    raw = open_table(path.read_bytes(), path.name, profile)
    read = convert(raw, profile, "EUR")
    return read.frame, {each.row: each.code for each in (*raw.rejections, *read.rejections)}


def _bytes(files: DemoFiles) -> dict[str, bytes]:
    return {
        str(path.relative_to(files.folder)): path.read_bytes()
        for path in files.folder.rglob("*")
        if path.is_file()
    }


def test_same_seed_and_day_give_the_same_bytes(tmp_path: Path) -> None:
    first = _bytes(write_demo(tmp_path / "a", 3, TODAY, "small"))
    again = _bytes(write_demo(tmp_path / "b", 3, TODAY, "small"))
    other = _bytes(write_demo(tmp_path / "c", 4, TODAY, "small"))
    assert first == again
    assert first["clienti.xlsx"] != other["clienti.xlsx"]
    assert first["storico_24_mesi.csv"] != other["storico_24_mesi.csv"]


def test_numbers_have_right_check_digits_and_addresses_reach_nobody() -> None:
    customers = make_customers(7, 180)
    numbers = [customer.vat for customer in customers if customer.vat]
    assert len(set(numbers)) == len(numbers) == 179  # the condominium has none
    assert all(eu_vat.is_valid(number) for number in [*numbers, company()[2]])
    assert iban.is_valid(company_iban(), check_country=False)
    assert len({customer.code for customer in customers}) == 180
    assert len({customer.name for customer in customers}) == 180
    for customer in customers:
        assert customer.contacts
        assert all(address.endswith(".test") for address in (customer.pec,) if address)
        assert all(not contact.email or contact.email.endswith(".test") for contact in customer.contacts)
        assert all(" 555 " in contact.phone for contact in customer.contacts)


def test_history_reads_back_but_for_the_planted_rows(demo: DemoFiles, history: pl.DataFrame) -> None:
    frame, refused = _table(demo.history, demo.history_mapping)
    assert refused == demo.planted
    assert sorted(refused.values()) == [
        "amount_separator",
        "date_impossible",
        "missing_customer",
        "row_too_many_cells",
    ]
    assert frame.columns == list(RECEIVABLES_SCHEMA)
    assert frame.height == demo.history_count - len(refused)
    assert history["open_mills"].unique().to_list() == [0]
    assert history["settled_date"].is_between(TODAY - timedelta(days=740), demo.as_at).all()
    assert set(history["kind"]) == {"invoice", "credit_note"}


def test_open_list_is_whole_and_adds_up(demo: DemoFiles, still_open: pl.DataFrame) -> None:
    frame, refused = _table(demo.open_items, demo.open_items_mapping)
    assert refused == {}
    assert frame.height == demo.open_count
    assert frame["open_mills"].sum() == demo.open_cents * 10
    assert set(frame["kind"]) == {"invoice", "credit_note", "payment"}
    partly_paid = frame.filter(
        (pl.col("open_mills") != pl.col("amount_mills")) & (pl.col("kind") == "invoice")
    )
    assert partly_paid.height >= 3
    assert frame["settled_date"].null_count() == frame.height
    assert load_profile(demo.open_items_mapping).export.complete
    assert not load_profile(demo.history_mapping).export.complete


def test_no_installment_is_both_settled_and_open(history: pl.DataFrame, still_open: pl.DataFrame) -> None:
    key = ["kind", "number", "installment_no"]
    assert history.join(still_open, on=key).is_empty()
    assert not pl.concat([history, still_open]).select(key).is_duplicated().any()


def test_einvoices_read_back(
    demo: DemoFiles, history: pl.DataFrame, still_open: pl.DataFrame, einvoices: list[ReadResult]
) -> None:
    assert all(not result.rejections and not result.notices for result in einvoices)
    invoices = [invoice for result in einvoices for invoice in result.invoices]
    assert len(invoices) == 25
    assert sum(path.name.endswith(".p7m") for path in demo.invoices) == 1
    signed_cash = sum(
        -invoice.expected_cash_mills if invoice.kind == "credit_note" else invoice.expected_cash_mills
        for invoice in invoices
    )
    assert signed_cash == demo.einvoice_cents * 10
    assert {invoice.seller_vat for invoice in invoices} == {company()[2]}
    assert sum(invoice.split_vat_mills > 0 for invoice in invoices) == 1
    assert sum(invoice.withholding_mills > 0 for invoice in invoices) == 1
    note = next(invoice for invoice in invoices if invoice.document_type == "TD04")
    assert note.related_invoices[0] in still_open["number"].to_list()
    three = [invoice for invoice in invoices if len(invoice.installments) == 3]
    assert three and all(part.method == "MP12" for invoice in three for part in invoice.installments)
    erp = pl.concat([history, still_open])
    known = set(erp["customer_vat"].drop_nulls())
    assert all(invoice.buyer_vat in known for invoice in invoices if not invoice.withholding_mills)
    assert not {invoice.number for invoice in invoices} & set(erp["number"])


def test_customers_file_matches_the_items(demo: DemoFiles, still_open: pl.DataFrame) -> None:
    profile = load_profile("customers")
    frame = open_table(demo.customers.read_bytes(), demo.customers.name, profile).frame
    assert frame["Codice cliente"].n_unique() == demo.customer_count == 180
    assert set(still_open["customer_code"]) <= set(frame["Codice cliente"])
    assert 180 < frame.height < 300


@pytest.mark.parametrize(
    ("seed", "today"),
    [(7, date(2026, 3, 17)), (7, TODAY), (7, date(2026, 11, 22)), (2, TODAY), (11, date(2026, 5, 19))],
)
def test_figures_look_like_a_company(tmp_path: Path, seed: int, today: date) -> None:
    demo = write_demo(tmp_path, seed, today)
    history = _table(demo.history, demo.history_mapping)[0].filter(pl.col("kind") == "invoice")
    still_open = _table(demo.open_items, demo.open_items_mapping)[0]
    late = (history["settled_date"] > history["due_date"]).mean()
    assert isinstance(late, float) and 0.45 < late < 0.65

    debits = still_open.filter(pl.col("open_mills") > 0)
    open_mills = debits["open_mills"].sum()
    overdue_days = pl.lit(demo.as_at) - pl.col("due_date")
    overdue = debits.filter(overdue_days > pl.duration(days=0))["open_mills"].sum() / open_mills
    beyond_90 = debits.filter(overdue_days > pl.duration(days=90))["open_mills"].sum() / open_mills
    assert 0.27 < overdue < 0.43
    assert 0.015 < beyond_90 < 0.12

    items = pl.concat([history, still_open.filter(pl.col("kind") != "payment")])
    recent = items.filter(pl.col("document_date") > demo.as_at - timedelta(days=90))["amount_mills"].sum()
    assert 60 < open_mills / recent * 90 < 80
    by_customer = items.group_by("customer_code").agg(pl.col("amount_mills").sum())["amount_mills"].sort()
    assert 0.35 < by_customer.tail(10).sum() / by_customer.sum() < 0.45


def test_drifting_customers_pay_later_and_later(demo: DemoFiles, history: pl.DataFrame) -> None:
    customers = make_customers(7, 180)
    drifting = [c.code for c in customers if c.paying_type.name == "drifting"]
    assert len(drifting) == 4
    theirs = history.filter(pl.col("customer_code").is_in(drifting) & (pl.col("payment_method") == "BB"))
    days = theirs.select("due_date", late=(pl.col("settled_date") - pl.col("due_date")).dt.total_days())
    early = days.filter(pl.col("due_date") < TODAY - timedelta(days=365))["late"].mean()
    recent = days.filter(pl.col("due_date") > TODAY - timedelta(days=210))["late"].mean()
    assert isinstance(early, float) and isinstance(recent, float)
    assert recent > early + 25


def test_a_taken_port_gives_way_to_the_next() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port(port) > port
    assert free_port(port) == port
