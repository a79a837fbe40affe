"""Sales orders and external ratings: tables and JSON by their shipped profiles, and profiles of one's own."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saldo.core.errors import Rejection, SaldoError
from saldo.flows.reading import mapping_of
from saldo.formats.credit_records import ExternalRating, SalesOrder
from saldo.formats.detect import detect_kind, read_file
from saldo.formats.tabular import (
    dump_toml,
    importable_profile_names,
    load_profile,
    open_records,
    parse_profile,
    profile_names,
    to_records,
)
from saldo.formats.tabular.mapping import Mapping
from saldo.interfaces.commands.reading import table_json

HEADER = (
    "Numero ordine;Riga;Codice cliente;Cliente;Data ordine;Consegna prevista;Importo IVA inclusa;Stato;"
    "Consegnato non fatturato"
)


def read(text: str, mapping: Mapping | str, name: str = "t.csv") -> tuple[list[object], list[Rejection]]:
    profile = load_profile(mapping) if isinstance(mapping, str) else mapping
    raw = open_records(text.encode(), name, profile)
    records, rejections = to_records(raw, profile)
    return list(records), [*raw.rejections, *rejections]


def orders(*rows: str, mapping: Mapping | str = "orders") -> tuple[list[SalesOrder], list[tuple[str, int]]]:
    records, rejections = read("\n".join((HEADER, *rows)), mapping)
    found = [one for one in records if isinstance(one, SalesOrder)]
    assert len(found) == len(records)
    return found, [(one.code, one.row) for one in rejections]


def test_every_field_of_an_order() -> None:
    found, refused = orders(
        "OV-1;1;C01;Bar Prova;10/01/2026;20/02/2026;1.220,00;Aperto;",
        "OV-1;2;C01;Bar Prova Srl;10/01/2026;15/02/2026;100,50;Evaso;40,25",
        "OV-2;;C02;Ditta Finta;11/01/2026;;-5,00;Fatturata;",
    )
    assert refused == [] and [one.number for one in found] == ["OV-1", "OV-2"]
    one, two = found
    assert (one.kind, one.customer_code, one.customer_name) == ("order", "C01", "Bar Prova")
    assert (one.order_date, one.delivery_date) == (date(2026, 1, 10), date(2026, 2, 15))
    assert (one.amount_mills, one.not_invoiced_mills, one.currency) == (1_320_500, 40_250, "EUR")
    assert [(line.row, line.line, line.status, line.status_text) for line in one.lines] == [
        (2, "1", "open", "Aperto"), (3, "2", "delivered", "Evaso"),
    ]  # fmt: skip
    assert one.status == "open" and one.notices == ()
    assert (two.status, two.amount_mills, two.not_invoiced_mills) == ("invoiced", -5_000, None)
    told = one.as_json()
    assert (told["amount"], told["delivered_not_invoiced"], told["status"]) == ("1320.50", "40.25", "open")
    assert told["lines"][1]["delivery_date"] == "2026-02-15"


def test_refused_rows_and_what_they_do_to_their_order() -> None:
    found, refused = orders(
        "OV-1;1;C01;Bar Prova;10/01/2026;;100,00;Aperto;",
        "OV-1;2;C01;Bar Prova;31/02/2026;;100,00;Aperto;",
        "OV-2;1;C01;Bar Prova;10/01/2026;;cento;Aperto;",
        ";1;C01;Bar Prova;10/01/2026;;1,00;Aperto;",
        "OV-4;1;;;10/01/2026;;1,00;Aperto;",
        "OV-5;1;C01;;10/01/2026;;;Aperto;",
        "OV-1;1;C01;Bar Prova;10/01/2026;;100,00;Aperto;",
        "OV-6;1;C01;;10/01/2026;;1,00;Aperto;",
        "OV-6;1;C01;;10/01/2026;;2,00;Aperto;",
        "OV-7;1;C01;;10/01/2026;;1,00;Boh;",
    )
    assert refused == [
        ("date_impossible", 3), ("amount_unreadable", 4), ("missing_number", 5), ("missing_customer", 6),
        ("missing_amount", 7), ("duplicate_row", 8), ("order_line_twice", 9), ("order_line_twice", 10),
    ]  # fmt: skip
    assert [one.number for one in found] == ["OV-1", "OV-7"]
    assert [one.code for one in found[0].notices] == ["order_row_refused"]
    assert found[1].status == "unknown"
    assert [one.code for one in found[1].notices] == ["order_status_unknown"]


def test_a_copy_of_a_row_leaves_its_order_whole() -> None:
    row = "OV-1;1;C01;Bar Prova;10/01/2026;;100,00;Aperto;"
    found, refused = orders(row, row)
    assert refused == [("duplicate_row", 3)] and found[0].notices == ()
    assert found[0].amount_mills == 100_000


def test_marks_are_proven_by_the_file_or_asked_for() -> None:
    def amounts(*texts: str) -> tuple[list[int], list[str]]:
        rows = [f"OV-{n};1;C01;;10/01/2026;;{text};Aperto;" for n, text in enumerate(texts)]
        found, refused = orders(*rows)
        return [one.amount_mills for one in found], [code for code, _ in refused]

    assert amounts("1.234,50", "1.234") == ([1_234_500, 1_234_000], [])
    assert amounts("1,234.50", "1.234") == ([1_234_500], ["amount_decimals"])
    assert amounts("1.234", "100") == ([100_000], ["amount_ambiguous"])
    assert amounts("1.234,50", "1,234.50", "7") == ([1_234_500, 7_000], ["amount_separator"])


def test_own_profile_of_orders() -> None:
    text = """kind = "orders"
[format]
decimal = "."
[columns]
number = "Num"
customer_code = "Cli"
amount = "Tot"
status = "St"
[statuses]
A = "open"
"X-1" = "cancelled"
[values]
currency = "USD"
"""
    mapping = parse_profile(text, "own")
    assert parse_profile(dump_toml(mapping), "own") == mapping
    records, rejections = read("Num,Cli,Tot,St\n1,C1,10.50,a\n2,C1,1,x 1\n", mapping)
    assert rejections == []
    assert [(one.status, one.currency, one.amount_mills) for one in records] == [  # type: ignore[attr-defined]
        ("open", "USD", 10_500), ("cancelled", "USD", 1_000),
    ]  # fmt: skip
    for bad in (
        text.replace('"open"', '"opened"'),
        text.replace('amount = "Tot"\n', ""),
        'kind = "receivables"\n[format]\ndecimal = "auto"\n[columns]\nnumber="N"\ndocument_date="D"\n'
        'amount="A"\ncustomer_code="C"\n',
    ):
        with pytest.raises(SaldoError):
            parse_profile(bad, "own")


def test_profiles_of_records_are_not_importable() -> None:
    others = set(profile_names()) - set(importable_profile_names())
    assert others == {"bank-dare-avere", "bank-signed", "orders", "ratings", "balance-sheets"}
    assert mapping_of("customers") is not None
    for name in others - {"orders"}:  # imported as what they are, not among the receivables
        assert mapping_of(name) is not None
    with pytest.raises(SaldoError) as error:
        mapping_of("orders")
    assert error.value.code == "mapping_kind_not_imported"


def test_saldo_read_prints_records() -> None:
    text = f"{HEADER}\nOV-1;1;C01;Bar Prova;10/01/2026;;100,00;Aperto;\nOV-2;1;C01;;x;;1,00;Aperto;\n"
    told = table_json(text.encode(), "o.csv", "orders")
    assert (told["format"], told["mapping"]) == ("csv", "orders")
    assert [one["number"] for one in told["records"]] == ["OV-1"]
    assert [one["code"] for one in told["rejections"]] == ["date_unreadable"]


RATINGS = (
    "Partita IVA;Fornitore;Classe;Punteggio;PD;Fido consigliato;Valido dal;Valido al;Eventi\n"
    "07654320105;Agenzia Prova;B2;71,5;2,35%;25.000,00;01/02/2026;31/12/2026;Protesto 2025 | Ipoteca\n"
    "07654320105;Agenzia Prova;;;0,0125;;;;\n"
    "07654320105;Agenzia Prova;;;2,35;;01/02/2026;;\n"
    "07654320105;Agenzia Prova;A;;;;01/02/2026;31/01/2026;\n"
    "07654320105;;A;;;;01/02/2026;;\n"
    "07654320105;Agenzia Prova;;;;;01/02/2026;;\n"
    "07654320105;Agenzia Prova;;alto;;;01/02/2026;;\n"
)


def test_ratings_from_a_table() -> None:
    records, rejections = read(RATINGS, "ratings")
    one, two = records
    assert isinstance(one, ExternalRating) and isinstance(two, ExternalRating)
    assert (one.kind, one.vat, one.provider) == ("rating", "IT07654320105", "Agenzia Prova")
    assert (one.rating, one.score, one.pd) == ("B2", Decimal("71.5"), Decimal("0.0235"))
    assert (one.limit_mills, one.currency) == (25_000_000, "EUR")
    assert (one.valid_from, one.valid_to) == (date(2026, 2, 1), date(2026, 12, 31))
    assert one.events == ("Protesto 2025", "Ipoteca") and one.notices == ()
    assert (two.pd, two.rating, two.limit_mills) == (Decimal("0.0125"), None, None)
    assert [notice.code for notice in two.notices] == ["rating_undated"]
    assert [(r.code, r.row) for r in rejections] == [
        ("rating_pd_outside", 4), ("rating_dates_swapped", 5), ("missing_provider", 6), ("rating_empty", 7),
        ("number_unreadable", 8),
    ]  # fmt: skip
    assert one.as_json()["pd"] == "0.0235" and one.as_json()["recommended_limit"] == "25000.00"


def test_percent_in_the_header() -> None:
    records, _ = read("VAT,Provider,PD %,Date\nIT07654320105,P,2.35,2026-02-01\n", "ratings")
    assert records[0].pd == Decimal("0.0235")  # type: ignore[attr-defined]


JSON = """{"provider": "Agenzia Prova", "ratings": [
 {"vat": "IT07654320105", "rating": "B2", "score": 71.50, "pd": 0.0235, "limit": 25000.5,
  "valid from": "2026-02-01", "events": [{"type": "Protesto", "year": 2025}, "Ipoteca"], "limit_note": null},
 {"vat": "IT07654320105", "provider": "Altra", "pd": 1e-1, "limit": "1.234", "valid from": "2026-02-01"},
 {"vat": "IT07654320105", "limit": 1.234, "currency": "KWD", "valid from": "2026-02-01"},
 "no object", {}]}"""


def test_ratings_from_json() -> None:
    records, rejections = read(JSON, "ratings", "r.json")
    one, exact = records
    assert isinstance(one, ExternalRating) and isinstance(exact, ExternalRating)
    assert (one.provider, one.vat, one.rating) == ("Agenzia Prova", "IT07654320105", "B2")
    assert (one.score, one.pd, one.limit_mills) == (Decimal("71.50"), Decimal("0.0235"), 25_000_500)
    assert one.events == ("Protesto 2025", "Ipoteca") and one.row == 1
    assert (exact.row, exact.limit_mills) == (3, 1_234)  # a JSON number has one reading, a text may have two
    assert sorted((r.row, r.code) for r in rejections) == [
        (2, "amount_ambiguous"), (4, "json_not_an_object"), (5, "json_not_an_object"),
    ]  # fmt: skip


def test_json_of_ratings_is_detected_and_other_json_is_not() -> None:
    assert detect_kind(JSON.encode(), "a.txt") == "ratings-json"
    assert detect_kind(b'{"a": 1, "b": [2, 3]}') != "ratings-json"
    result = read_file(JSON.encode(), "a.json")
    assert result.format == "ratings-json" and len(result.records) == 2
    cut = read_file(JSON[:-30].encode(), "a.json")
    assert cut.records == () and [one.code for one in cut.rejections] == ["json_broken"]
    nested = b'[{"rating":' * 3000
    assert read_file(nested, "a.json").rejections


def test_a_key_that_comes_twice_is_not_chosen_between() -> None:
    text = json.dumps([{"vat": "IT07654320105", "provider": "P", "rating": "A"}])
    twice = text.replace('"rating": "A"', '"rating": "A", "rating": "E"')
    with pytest.raises(SaldoError) as error:
        read(twice, "ratings")
    assert error.value.code == "mapping_column_twice"


KEYS = ["vat", "rating", "pd", "limit", "x", "provider", "data"]
CELLS = st.lists(st.text(alphabet="0123456789,.-%;/ aA€\"'\n", max_size=12), max_size=40)


@settings(deadline=None, max_examples=60)
@given(CELLS, st.sampled_from([HEADER, RATINGS.splitlines()[0], "Partita IVA;Anno;Totale attivo;Utile"]))
def test_never_raises_but_for_the_whole_file(cells: list[str], header: str) -> None:
    """Any row is a record, a part of one, or a rejection."""
    width = header.count(";") + 1
    rows = [";".join(c.replace(";", "").replace("\n", " ").replace('"', "") for c in cells[at : at + width])
            for at in range(0, len(cells) - width + 1, width)]  # fmt: skip
    name = {"N": "orders", "P": "ratings"}[header[0]] if "Anno" not in header else "balance-sheets"
    profile = load_profile(name)
    raw = open_records("\n".join((header, *rows)).encode(), "t.csv", profile)
    records, rejections = to_records(raw, profile)
    taken = sum(len(one.lines) if isinstance(one, SalesOrder) else 1 for one in records)
    assert taken + len(rejections) == raw.frame.height
    for record in records:
        record.as_json("it")
    for rejection in rejections:
        rejection.as_json("en")


@settings(deadline=None, max_examples=60)
@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=20,
))  # fmt: skip
def test_json_never_raises(tree: object) -> None:
    read_file(json.dumps({"rating": tree}).encode(), "a.json").as_json("it")
    read_file(json.dumps([tree, {"rating": tree}]).encode(), "a.json").as_json("en")
