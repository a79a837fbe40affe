"""Shipped profiles on invented samples in the manner of each system: what is read, refused and ignored."""

import json
from pathlib import Path

import pytest

from saldo.core.money import from_mills
from saldo.formats.tabular.contacts import to_customers
from saldo.formats.tabular.convert import convert
from saldo.formats.tabular.dump import dump_toml
from saldo.formats.tabular.mapping import load_profile, parse_profile, profile_names
from saldo.formats.tabular.read import open_table
from saldo.formats.tabular.suggest import suggest

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "tabular"
SAMPLES = {
    "odoo": "odoo.csv",
    "sap-fbl5n": "sap-fbl5n.txt",
    "teamsystem": "teamsystem.csv",
    "zucchetti": "zucchetti.csv",
}


def _read(profile: str) -> dict[str, list[str]]:
    mapping = load_profile(profile)
    raw = open_table((GOLDEN / SAMPLES[profile]).read_bytes(), SAMPLES[profile], mapping)
    converted = convert(raw, mapping, "EUR")
    refused = sorted([*raw.rejections, *converted.rejections], key=lambda r: r.row)
    rows = [
        f"{r['row']} {r['customer_code']} {r['kind']} {r['number']}/{r['installment_no']}"
        f" {r['document_date']}"
        f" {r['due_date']} {from_mills(r['amount_mills'])} open"
        f" {None if r['open_mills'] is None else from_mills(r['open_mills'])} {r['currency']}"
        for r in converted.frame.to_dicts()
    ]
    return {
        "rows": rows,
        "rejections": [f"{r.where}: {r.code}: {r.why('it')}" for r in refused],
        "ignored": [f"{row} {reason}" for row, reason in converted.ignored.iter_rows()],
    }


@pytest.mark.parametrize("profile", sorted(SAMPLES))
def test_sample_of_each_system_reads_as_recorded(profile: str) -> None:
    expected = json.loads((GOLDEN / f"{profile}.json").read_text(encoding="utf-8"))
    assert _read(profile) == expected


@pytest.mark.parametrize("profile", sorted(SAMPLES))
def test_suggest_finds_the_shipped_profile_of_its_sample(profile: str) -> None:
    raw = open_table((GOLDEN / SAMPLES[profile]).read_bytes(), SAMPLES[profile])
    # Half of a sample's rows are wrong on purpose, so the profile is looked for on the good ones.
    good = {int(line.split()[0]) for line in _read(profile)["rows"]}
    sound = raw.frame.filter(raw.frame["row"].is_in(list(good)))
    found = suggest(type(raw)(sound, raw.columns, raw.encoding, raw.delimiter, [], raw.name))
    assert found.mapping.name == profile
    own = suggest(type(raw)(sound, raw.columns, raw.encoding, raw.delimiter, [], raw.name), shipped=False)
    shipped = load_profile(profile)
    for key in (
        "customer_code",
        "number",
        "document_date",
        "due_date",
        "amount",
        "open",
        "debit",
        "credit",
        "sign",
    ):
        if key in own.mapping.columns and key in shipped.columns:
            assert own.mapping.columns[key][0] in shipped.columns[key], key
    assert own.mapping.amount.style == shipped.amount.style
    assert own.mapping.format.decimal == shipped.format.decimal
    assert len(convert(raw, own.mapping, "EUR").frame) >= len(good) - 1


@pytest.mark.parametrize("profile", profile_names())
def test_profiles_survive_dump_and_load(profile: str) -> None:
    mapping = load_profile(profile)
    assert parse_profile(dump_toml(mapping), "other") == mapping


def test_customers_and_contacts() -> None:
    mapping = load_profile("customers")
    data = (GOLDEN / "customers.csv").read_bytes()
    frame, rejections = to_customers(open_table(data, "customers.csv", mapping), mapping)
    rows = frame.to_dicts()
    assert [row["email"] for row in rows] == ["anna@prova.test", "ugo@prova.test;acquisti@prova.test"]
    assert rows[0] | {} == rows[0] | {
        "customer_code": "C0001", "vat": "IT01234567897", "country": "IT", "zip": "00100", "language": "it",
        "contact_name": "Anna Prova", "pec": "pec@pec.prova.test", "row": 2,
    }  # fmt: skip
    assert [(r.code, r.row) for r in rejections] == [("email_unreadable", 4), ("missing_customer", 5)]
    assert suggest(open_table(data, "customers.csv")).mapping.kind == "customers"
