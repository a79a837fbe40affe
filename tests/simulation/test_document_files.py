"""The documents that a world writes: same bytes each time, and what is read back is what was true."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import zipfile
from collections.abc import Iterator
from datetime import date, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from lxml import etree

from saldo.formats.detect import contents_of, read_bytes, read_file
from saldo.formats.records import ReadResult
from saldo.formats.tabular import load_profile, open_table, to_customers
from saldo.formats.tabular.records import open_records, to_records
from saldo.simulation.draws import Draws
from saldo.simulation.files import _sendings, pec_receipts, sdi_messages
from saldo.simulation.files.balance_sheet_files import write_balance_sheets
from saldo.simulation.files.customers_file import write_customers
from saldo.simulation.files.einvoices import write_einvoices
from saldo.simulation.files.orders_file import write_orders
from saldo.simulation.files.pec_receipts import write_pec_receipts
from saldo.simulation.files.rating_files import write_ratings
from saldo.simulation.files.sdi_messages import write_sdi_messages
from saldo.simulation.files.world_file import WorldFile
from saldo.simulation.world import parameters
from saldo.simulation.world.tables import Tables
from tests.simulation.hand_world import hand_tables

FIRST, LAST = date(2025, 1, 1), date(2026, 6, 30)
DAILY = (write_einvoices, write_sdi_messages, write_pec_receipts)
EVERY = (*DAILY, write_orders, write_balance_sheets, write_ratings, write_customers)
ODD_NAME = 'Rossi & Figli <Sud> "Bis"; S.r.l., sede'


def written(writer: Any, t: Tables, seed: int = 1, share: float = 1.0) -> list[WorldFile]:
    return list(writer(t, Draws(seed), FIRST, LAST, share))


def with_column(t: Tables, table: str, **columns: Any) -> Tables:
    return dataclasses.replace(t, **{table: getattr(t, table).with_columns(**columns)})


def odd_names(t: Tables) -> Tables:
    return with_column(t, "customers", name=pl.lit(ODD_NAME))


def read(file: WorldFile) -> ReadResult:
    return read_file(file.data, file.path)


def mapped(file: WorldFile) -> Any:
    """The profile of a table: shipped, or one of those that the world brings."""
    name = file.mapping or ""
    if "/" not in name:
        return load_profile(name)
    folder = files("saldo.simulation.files").joinpath("mappings")
    return load_profile(Path(str(folder)) / name.rpartition("/")[2])


def records(file: WorldFile) -> list[Any]:
    """The records of a table; nothing may be refused."""
    mapping = mapped(file)
    raw = open_records(file.data, file.path, mapping)
    found, rejections = to_records(raw, mapping)
    assert not raw.rejections and not rejections
    return list(found)


def refuse_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """SdI refuses every first file, and delivers every other one."""
    known = parameters.load()
    faults = dataclasses.replace(known.files, sdi_refused=1.0, sdi_not_delivered=0.0)
    changed = dataclasses.replace(known, files=faults)
    for module in (_sendings, sdi_messages):
        monkeypatch.setattr(module.parameters, "load", lambda: changed)


# -- all ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("writer", EVERY)
def test_same_seed_same_bytes(writer: Any) -> None:
    once, again = written(writer, hand_tables()), written(writer, hand_tables())
    assert once and once == again
    assert len({file.path for file in once}) == len(once)
    assert all(file.path.startswith("files/") and FIRST <= file.day <= LAST for file in once)


@pytest.mark.parametrize("writer", DAILY)
def test_days_written_one_by_one_are_those_written_at_once(writer: Any) -> None:
    t, first, last = hand_tables(), date(2026, 1, 10), date(2026, 2, 28)
    t = with_column(t, "messages", sent_date=pl.lit(date(2026, 2, 3)))
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    single = [file for day in days for file in writer(t, Draws(3), day, day)]
    assert single and single == list(writer(t, Draws(3), first, last))


def test_share_takes_the_same_invoices_for_all_documents() -> None:
    t = hand_tables()
    assert not written(write_einvoices, t, share=0.0)
    chosen = {n for _, name, n in invoice_files(t, 4, share=0.5)}
    assert 0 < len(chosen) < t.invoices.height
    about = {message.file_name for message in notifications(t, 4, share=0.5)}
    assert about == {name for _, name, _ in invoice_files(t, 4, share=0.5)}


# -- e-invoices --------------------------------------------------------------------------------------------


def invoice_files(t: Tables, seed: int, share: float = 1.0) -> Iterator[tuple[bytes, str, str]]:
    """(bytes as sent, file name, number of the invoice)."""
    for file in written(write_einvoices, t, seed, share):
        members = [(file.path, file.data)]
        if file.path.endswith(".zip"):
            zipped = zipfile.ZipFile(io.BytesIO(file.data))
            members = [(name, zipped.read(name)) for name in zipped.namelist()]
        elif file.path.endswith(".eml"):
            found = contents_of(file.data, file.path)[0]
            members = [(one.name, one.data) for one in found if one.kind == "fatturapa"]
        for path, data in members:
            (invoice,) = read_file(data, path).invoices
            yield data, path.rpartition("/")[2], invoice.number


def expected(t: Tables) -> dict[str, dict[str, Any]]:
    companies = t.companies.select("company_id", seller="vat")
    accounts = t.accounts.join(companies, on="company_id").join(t.customers, on="customer_id")
    rows = t.invoices.join(accounts, on="account_id").iter_rows(named=True)
    return {row["number"]: row for row in rows}


@pytest.mark.parametrize("seed", range(12))
def test_einvoices_read_back_as_they_are(seed: int) -> None:
    t = odd_names(hand_tables())
    truth = expected(t)
    found = {}
    for file in written(write_einvoices, t, seed):
        result = read(file)
        assert not result.rejections
        found |= {invoice.number: invoice for invoice in result.invoices}
    assert found.keys() == truth.keys()
    for number, invoice in found.items():
        row = truth[number]
        assert not invoice.notices
        assert invoice.kind == row["kind"] and invoice.document_date == row["date"]
        assert invoice.total_mills == row["total_cents"] * 10
        assert invoice.split_vat_mills == row["split_vat_cents"] * 10
        assert invoice.withholding_mills == row["withholding_cents"] * 10
        assert invoice.seller_vat == row["seller"] and invoice.buyer_vat == (row["vat"] or None)
        assert invoice.buyer_name == ODD_NAME and invoice.buyer_country == row["country"]
        parts = t.installments.filter(pl.col("invoice_id") == row["invoice_id"]).sort("no")
        is_note = row["kind"] == "credit_note"
        assert [part.expected_mills for part in invoice.installments] == [
            abs(cents) * 10 for cents in parts["cash_cents"]
        ]
        assert [part.due_date for part in invoice.installments] == (
            [None] if is_note else parts["due_date"].to_list()
        )


def test_einvoices_come_in_every_container() -> None:
    kinds = {file.path.rpartition(".")[2] for seed in range(12) for file in
             written(write_einvoices, hand_tables(), seed)}  # fmt: skip
    assert kinds == {"zip", "xml", "p7m", "eml"}


def xml_of(t: Tables, number: str) -> tuple[etree._Element, etree._Element]:
    data = next(
        data for data, name, found in invoice_files(t, 1) if found == number and name.endswith(".xml")
    )
    root = etree.fromstring(data)
    return root.find("FatturaElettronicaHeader"), root.find("FatturaElettronicaBody")


def test_lines_of_goods_add_up() -> None:
    for seed in range(6):
        for data, name, _ in invoice_files(hand_tables(), seed):
            if not name.endswith(".xml"):
                continue
            goods = etree.fromstring(data).find("FatturaElettronicaBody/DatiBeniServizi")
            lines = goods.findall("DettaglioLinee")
            cents = [cents_of(line, "PrezzoTotale") for line in lines]
            assert 1 <= len(lines) <= 3 and all(cents)
            assert sum(cents) == cents_of(goods, "DatiRiepilogo/ImponibileImporto")
            for line, total in zip(lines, cents, strict=True):
                assert cents_of(line, "Quantita") * cents_of(line, "PrezzoUnitario") == total * 100


def cents_of(parent: etree._Element, path: str) -> int:
    whole, _, rest = (parent.findtext(path) or "").partition(".")
    assert len(rest) == 2
    return int(whole) * 100 + int(rest)


def test_ways_of_payment() -> None:
    t = hand_tables()
    _, body = xml_of(t, "1/26")
    details = body.findall("DatiPagamento/DettaglioPagamento")
    assert [one.findtext("ModalitaPagamento") for one in details] == ["MP12"] * 3
    assert {(one.findtext("ABI"), one.findtext("CAB")) for one in details} == {("99994", "11000")}
    assert body.findtext("DatiPagamento/CondizioniPagamento") == "TP01"
    order = body.find("DatiGenerali/DatiOrdineAcquisto")
    assert (order.findtext("IdDocumento"), order.findtext("Data")) == ("ODA 12345", "2026-01-05")
    _, body = xml_of(t, "2/26")
    detail = body.find("DatiPagamento/DettaglioPagamento")
    assert (detail.findtext("ModalitaPagamento"), detail.findtext("IBAN")) == ("MP05", t.banks["iban"][0])
    _, body = xml_of(t, "9000001")
    assert body.findtext("DatiPagamento/DettaglioPagamento/ModalitaPagamento") == "MP19"
    b2b = with_column(t, "accounts", scheme=pl.col("scheme").replace("CORE", "B2B"))
    _, body = xml_of(b2b, "9000001")
    assert body.findtext("DatiPagamento/DettaglioPagamento/ModalitaPagamento") == "MP21"


def test_public_body_condominium_and_foreigner() -> None:
    t = hand_tables()
    header, body = xml_of(t, "4/26")
    assert header.findtext("DatiTrasmissione/FormatoTrasmissione") == "FPA12"
    assert header.findtext("DatiTrasmissione/CodiceDestinatario") == "UF9XYZ"
    assert body.findtext("DatiBeniServizi/DatiRiepilogo/EsigibilitaIVA") == "S"
    _, body = xml_of(t, "5/26")
    withheld = body.find("DatiGenerali/DatiGeneraliDocumento/DatiRitenuta")
    told = ("TipoRitenuta", "ImportoRitenuta", "AliquotaRitenuta")
    assert [withheld.findtext(name) for name in told] == ["RT02", "4.00", "4.00"]
    header, body = xml_of(t, "9000002")
    assert header.findtext("DatiTrasmissione/CodiceDestinatario") == "XXXXXXX"
    seat = header.find("CessionarioCommittente/Sede")
    assert (seat.findtext("CAP"), seat.findtext("Nazione"), seat.find("Provincia")) == ("00000", "DE", None)
    assert body.findtext("DatiBeniServizi/DatiRiepilogo/Natura") == "N3.2"
    _, body = xml_of(t, "NC 1/26")
    related = body.find("DatiGenerali/DatiFattureCollegate")
    assert (related.findtext("IdDocumento"), related.findtext("Data")) == ("2/26", "2026-01-20")


def test_money_on_account_is_no_document() -> None:
    t = hand_tables()
    kind = pl.when(pl.col("kind") == "credit_note").then(pl.lit("on_account")).otherwise("kind")
    t = with_column(t, "invoices", kind=kind)
    assert {number for _, _, number in invoice_files(t, 1)} == set(t.invoices["number"]) - {"NC 1/26"}


# -- SdI ---------------------------------------------------------------------------------------------------


def notifications(t: Tables, seed: int, share: float = 1.0) -> list[Any]:
    found = []
    for file in written(write_sdi_messages, t, seed, share):
        for _, result in read_bytes(file.data, file.path):
            assert not result.rejections
            found += result.records
    assert not any(message.notices for message in found)
    return found


@pytest.mark.parametrize("seed", range(6))
def test_sdi_speaks_of_every_file_and_knows_its_bytes(seed: int) -> None:
    t = odd_names(hand_tables())
    sent = {name: (hashlib.sha256(data).hexdigest(), number) for data, name, number in invoice_files(t, seed)}
    told = notifications(t, seed)
    assert {message.file_name for message in told} == sent.keys()
    truth = expected(t)
    for message in told:
        digest, number = sent[message.file_name]
        is_public = truth[number]["special"] == "public_body"
        assert message.is_public_body == is_public
        assert message.hash == (None if is_public else digest)
        if message.type == "RC":
            assert message.delivered_at > message.received_at and message.recipient_name == ODD_NAME
    by_number: dict[str, list[str]] = {}
    for message in told:
        by_number.setdefault(sent[message.file_name][1], []).append(message.type)
    assert set(by_number["9000002"]) == {"MC"}  # nobody abroad is reached by SdI
    assert by_number["4/26"][-2:] in (["RC", "NE"], ["RC", "DT"])
    numbered = {message.sdi_id for message in told}
    assert len(numbered) == len(sent)


def test_a_refused_file_is_sent_again_under_another_name(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_all(monkeypatch)
    t = hand_tables()
    sent: dict[str, list[tuple[str, bytes]]] = {}
    for data, name, number in invoice_files(t, 2):
        sent.setdefault(number, []).append((name, data))
    told = notifications(t, 2)
    refused = {message.file_name for message in told if message.is_rejection}
    for number, both in sent.items():
        (first, wrong), (again, right) = both
        assert first != again and first in refused and again not in refused, number
        before, after = read_file(wrong, first).invoices[0], read_file(right, again).invoices[0]
        assert (
            before.recipient_code in ("ZZ0ZZ0Z", "ZZ0ZZ0") and after.recipient_code != before.recipient_code
        )
        assert dataclasses.replace(before, recipient_code=None) == dataclasses.replace(
            after, recipient_code=None
        )
    assert all(message.errors[0].code == "00311" for message in told if message.is_rejection)
    assert {message.file_name for message in told if message.type == "RC"}.isdisjoint(refused)


# -- PEC ---------------------------------------------------------------------------------------------------


def test_pec_receipts_name_what_was_sent() -> None:
    t = hand_tables()
    accepted, delivered = [read(file) for file in written(write_pec_receipts, t)]
    assert not accepted.rejections and not delivered.rejections
    (first,), (second,) = accepted.records, delivered.records
    assert (first.outcome, second.outcome) == ("accepted", "delivered")
    assert first.reference_message_id == second.reference_message_id == "<saldo-2@pec.aurelia.test>"
    assert second.delivered_to == "cliente0@pec.cliente0.test" and second.receipt_type == "completa"
    assert first.date < second.date and not first.notices and not second.notices


def test_a_pec_that_nobody_answered_may_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pec_receipts, "_FAILED", 1.0)
    t = hand_tables()
    assert read(written(write_pec_receipts, t)[1]).records[0].outcome == "delivered"
    t = dataclasses.replace(t, replies=t.replies.clear())
    (receipt,) = read(written(write_pec_receipts, t)[1]).records
    assert (receipt.outcome, receipt.error) == ("failed", "no-dest")


# -- tables ------------------------------------------------------------------------------------------------


def test_orders_say_what_is_delivered_and_not_invoiced() -> None:
    t = hand_tables()

    def states(day: date) -> dict[str, tuple[str, int]]:
        told = [order for file in write_orders(t, Draws(1), day, day) for order in records(file)]
        return {order.number: (order.status, order.not_invoiced_mills) for order in told}

    assert states(date(2026, 1, 10)) == {"ODA 12345": ("open", 0)}
    assert states(date(2026, 1, 14)) == {"ODA 12345": ("delivered", 3_660_000)}
    assert states(date(2026, 1, 15)) == {"ODA 12345": ("invoiced", 0)}
    assert states(date(2026, 3, 20)) == {"PO-77": ("delivered", 1_000_000)}
    last = [order for file in written(write_orders, t) for order in records(file)]
    assert {(order.company_code, order.customer_code) for order in last} == {
        ("AURELIA", "001001"), ("TIBERIA", "10012346"),
    }  # fmt: skip


def test_balance_sheets_of_both_media_read_back() -> None:
    t = odd_names(hand_tables())
    found = {}
    for file in written(write_balance_sheets, t):
        result = read(file) if file.mapping is None else None
        assert result is None or not result.rejections
        sheets = result.records if result else records(file)
        found |= {sheet.tax_code: sheet for sheet in sheets}
    truth = t.balance_sheets.join(t.customers, on="customer_id")
    assert found.keys() == set(truth["tax_code"])
    for row in truth.iter_rows(named=True):
        sheet = found[row["tax_code"]]
        assert sheet.year == row["year"] and sheet.name == ODD_NAME and not sheet.notices
        assert len(sheet.lines) == 13
        assert sheet.lines == {name: row[name] * 1000 for name in sheet.lines}


def test_ratings_of_both_providers_read_back() -> None:
    t = hand_tables()
    second = t.ratings.with_columns(provider=pl.lit("Agenzia Beta"), events=pl.lit("protesto; pignoramento"))
    t = odd_names(dataclasses.replace(t, ratings=pl.concat([t.ratings, second])))
    table, json_file = written(write_ratings, t)
    (alfa,) = records(table)
    result = read(json_file)
    (beta,) = result.records
    assert not result.rejections and json_file.mapping is None
    for rating in (alfa, beta):
        assert (rating.name, rating.vat, rating.rating) == (ODD_NAME, "IT99123450175", "B")
        assert (rating.score, float(rating.pd), rating.limit_mills) == (72, 0.012, 50_000_000)
        assert rating.valid_from == date(2026, 1, 10) and not rating.notices
    assert (alfa.provider, alfa.events) == ("Agenzia Alfa", ())
    assert (beta.provider, beta.events) == ("Agenzia Beta", ("protesto", "pignoramento"))


def test_customers_and_contacts_read_back() -> None:
    t = odd_names(hand_tables())
    second = t.contacts.head(1).with_columns(name=pl.lit("Bruno Zambrelli"), email=pl.lit(""))
    t = dataclasses.replace(t, contacts=pl.concat([t.contacts.filter(pl.col("customer_id") != 3), second]))
    found = []
    for file in written(write_customers, t):
        mapping = mapped(file)
        raw = open_table(file.data, file.path, mapping)
        frame, rejections = to_customers(raw, mapping)
        assert not raw.rejections and not rejections
        found.append(frame)
    aurelia, tiberia = found
    assert aurelia["customer_code"].to_list() == ["001001", "001001", "001002", "001003", "001004"]
    assert tiberia["customer_code"].to_list() == ["10012345", "10012345", "10012346"]
    assert set(aurelia["company_code"]) == {"AURELIA"} and set(tiberia["company_code"]) == {"TIBERIA"}
    assert set(aurelia["customer_name"]) == set(tiberia["customer_name"]) == {ODD_NAME}
    assert aurelia["vat"].to_list() == ["IT99123450175"] * 2 + ["IT99123460174", None, None]
    assert aurelia["contact_name"].to_list()[:2] == ["Anna Ferralli 0", "Bruno Zambrelli"]
    assert aurelia["contact_name"][4] is None and aurelia["email"][1] is None
    assert tiberia.row(2, named=True)["vat"] == "DE999111223" and tiberia["language"][2] == "en"
