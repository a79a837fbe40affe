"""Statements that other projects keep as test data: amounts, dates, references, balances as they expect."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from saldo.core.money import CURRENCY_EXPONENTS
from saldo.formats.bank_records import BankStatement, BankTransaction
from saldo.formats.camt import read_camt
from saldo.formats.detect import read_file
from saldo.formats.mt940 import read_mt940

CORPORA = Path(__file__).resolve().parents[2].parent / "shared" / "corpora"
CAMT = sorted((CORPORA / "camt").glob("*.xml"))
MT940 = sorted((CORPORA / "mt940").rglob("*.sta"))

pytestmark = pytest.mark.skipif(not CAMT or not MT940, reason="no shared corpora here")


def _mills(money: dict[str, Any]) -> tuple[int, str]:
    """Minor units of the expected values -> mills."""
    currency = money["getCurrency"]["getCode"]
    return int(money["getAmount"]) * 10 ** (3 - CURRENCY_EXPONENTS[currency]), currency


def _day(stated: dict[str, str] | None) -> date | None:
    return date.fromisoformat(stated["0"][:10]) if stated else None


def _objects(value: Any, name: str) -> Iterator[dict[str, Any]]:
    """All objects of a class in the expected values, wherever they stand."""
    if isinstance(value, dict):
        if value.get("__CLASS__", "").endswith("\\" + name):
            yield value
        for part in value.values():
            yield from _objects(part, name)
    elif isinstance(value, list):
        for part in value:
            yield from _objects(part, name)


def _statements(path: Path) -> tuple[BankStatement, ...]:
    result = read_camt(path.read_bytes())
    assert not result.rejections
    return result.statements


def _lines(path: Path) -> list[BankTransaction]:
    return [line for statement in _statements(path) for line in statement.transactions]


def _expected(path: Path) -> Any:
    return json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))


with_expected = pytest.mark.parametrize(
    "path", [path for path in CAMT if path.with_suffix(".json").exists()], ids=lambda path: path.stem
)


@with_expected
def test_camt_entries(path: Path) -> None:
    entries = list(_objects(_expected(path), "Entry"))
    wanted = Counter(
        (
            *_mills(entry["getAmount"]),
            _day(entry["getBookingDate"]),
            _day(entry["getValueDate"]),
            entry["getStatus"],
            entry["getAccountServicerReference"],
        )
        for entry in entries
    )
    # A batch that was not split is one line, as in the expected values.
    found = Counter(
        (
            line.amount_mills,
            line.currency,
            line.booking_date,
            line.value_date,
            line.status,
            line.bank_reference,
        )
        for line in _lines(path)
    )
    assert not wanted - found
    # The expected values show the first of two statements only by name.
    assert found == wanted or path.stem == "camt053.v2.multi.statement"


@with_expected
def test_camt_balances(path: Path) -> None:
    wanted = Counter(
        (*_mills(balance["getAmount"]), _day(balance["getDate"]))
        for balance in _objects(_expected(path), "Balance")
    )
    found = Counter(
        (balance.amount_mills, balance.currency, balance.balance_date)
        for statement in _statements(path)
        for balance in statement.balances
    )
    assert not wanted - found
    assert found == wanted or path.stem == "camt053.v2.multi.statement"
    for statement in _statements(path):
        stated = {(balance.amount_mills, balance.currency) for balance in statement.balances}
        for mills in (statement.opening_mills, statement.closing_mills):
            assert mills is None or (mills, statement.currency) in stated


@with_expected
def test_camt_references_names_and_texts(path: Path) -> None:
    expected, lines = _expected(path), _lines(path)
    held = [*lines, *(text for line in lines for text in line.fields.values())]
    told = " ".join(str(one) for one in held)
    for reference in _objects(expected, "Reference"):
        for name in ("getEndToEndId", "getInstructionId", "getUuidEndToEndReference"):
            assert not reference.get(name) or reference[name] in told
    for reference in _objects(expected, "CreditorReferenceInformation"):
        assert reference["getRef"] in told
    for text in _objects(expected, "UnstructuredRemittanceInformation"):
        assert re.sub(r"\s+", " ", text["getMessage"]) in told
    if path.stem == "camt053.v2.multi.statement":
        return
    names = {
        party["getRelatedPartyType"]["getName"]
        for party in _objects(expected, "RelatedParty")
        if isinstance(party["getRelatedPartyType"], dict)
    }
    assert {line.counterparty_name for line in lines} <= names | {None}
    ibans = {iban["getIban"] for iban in _objects(expected, "Iban") if isinstance(iban["getIban"], str)}
    assert {line.counterparty_iban for line in lines} <= ibans | {None}


def test_every_camt_file_is_read_or_refused_in_words() -> None:
    for path in CAMT:
        result = read_file(path.read_bytes(), path.name)
        assert result.format.startswith("camt.05")
        assert result.statements or [one.code for one in result.rejections] == ["bank_no_statement"]


@pytest.mark.parametrize("path", MT940, ids=lambda path: path.stem)
def test_every_line_of_mt940_is_a_transaction_or_a_refusal(path: Path) -> None:
    data = path.read_bytes()
    written = len(re.findall(rb"^:61:", data, re.MULTILINE))
    result = read_mt940(data)
    read = sum(len(statement.transactions) for statement in result.statements)
    refused = [one for one in result.rejections if ":61:" in one.where]
    assert read + len(refused) == written
    # In these files every line can be read; what cannot be proven is quarantined.
    assert not refused
    for statement in result.statements:
        assert statement.is_quarantined or statement.kind == "intraday" or statement.difference_mills == 0


@pytest.mark.parametrize("path", MT940, ids=lambda path: path.stem)
def test_what_saldo_read_makes_of_mt940(path: Path) -> None:
    """By content and name, also of the files that are a single field: as many transactions as :61:."""
    data = path.read_bytes()
    result = read_file(data, path.name)
    has_field = re.search(rb"^:(?:2[058]|6[0124]|86)", data, re.MULTILINE)
    assert result.format.startswith("mt94") == bool(has_field)
    read = sum(len(statement.transactions) for statement in result.statements)
    assert read == len(re.findall(rb"^:61:", data, re.MULTILINE))
    assert result.statements or result.rejections


def test_sound_files_are_not_quarantined() -> None:
    """What adds up in the corpus: all 26 statements of one file, of which some hold reversed credits."""
    whole = next(path for path in MT940 if path.stem == "sepa_mt9401")
    statements = read_mt940(whole.read_bytes()).statements
    assert len(statements) == 26
    assert not any(statement.is_quarantined for statement in statements)
    assert any(line.is_reversal and line.amount_mills < 0 for s in statements for line in s.transactions)
