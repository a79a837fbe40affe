"""The files of banks: their layouts, and that readers find in them what the tables say."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saldo.formats.bank_records import BankStatement, BankTransaction
from saldo.formats.detect import read_file
from saldo.formats.records import ReadResult
from saldo.simulation.draws import Draws
from saldo.simulation.files.bank_camt import bank_camt053, bank_camt054
from saldo.simulation.files.bank_faults import (
    truncated,
    with_delivery_faults,
    with_dot_decimals,
    wrong_closing,
)
from saldo.simulation.files.bank_files import bank_files
from saldo.simulation.files.bank_lines import REMARKS
from saldo.simulation.files.bank_mt940 import bank_mt940
from saldo.simulation.files.bank_rh import bank_rh
from saldo.simulation.files.bank_text import plain, swift
from saldo.simulation.files.riba_files import bank_riba_outcomes, bank_riba_presented
from saldo.simulation.files.world_file import WorldFile
from saldo.simulation.world import parameters
from saldo.simulation.world.tables import Tables
from tests.simulation.hand_world import hand_tables

YEAR = (date(2026, 1, 1), date(2026, 12, 31))
STATEMENTS: dict[str, Callable[[Tables, date, date], Iterator[WorldFile]]] = {
    "camt053": bank_camt053,
    "mt940": bank_mt940,
    "rh": bank_rh,
}
# How each format writes texts.
LETTERS: dict[str, Callable[[str], str]] = {"camt053": str, "mt940": swift, "rh": plain}


def written_by(form: str) -> Tables:
    """The hand-made world, with all its accounts at banks that write ``form``."""
    t = hand_tables()
    return replace(t, banks=t.banks.with_columns(format=pl.lit(form)))


def read(file: WorldFile) -> ReadResult:
    return read_file(file.data, file.path.rpartition("/")[2])


def statements(files: Iterator[WorldFile]) -> list[BankStatement]:
    found: list[BankStatement] = []
    for file in files:
        result = read(file)
        assert result.rejections == (), file.path
        found += result.statements
    return found


@pytest.mark.parametrize("form", STATEMENTS)
def test_statements_say_what_the_tables_say(form: str) -> None:
    t = written_by(form)
    found = statements(STATEMENTS[form](t, *YEAR))
    accounts = {bank["iban"]: bank["bank_id"] for bank in t.banks.iter_rows(named=True)}
    lines = {(accounts[one.account], line.bank_reference): line for one in found for line in one.transactions}
    assert not any(one.is_quarantined for one in found)
    assert len(lines) == t.payments.height == sum(len(one.transactions) for one in found)
    for payment in t.payments.iter_rows(named=True):
        reference = f"{payment['booking_date']:%y%m%d}{payment['payment_id']:010d}"
        line = lines[payment["bank_id"], reference]
        assert line.amount_mills == payment["amount_cents"] * 10
        assert line.booking_date == payment["booking_date"]
        assert line.value_date == payment["value_date"]
        if payment["kind"] == "transfer":
            assert_transfer(form, payment, line)
        elif payment["kind"] != "sdd":
            assert line.remittance_text.startswith(payment["text"])
        if payment["returns_id"] is not None:
            assert line.counterparty_name == (payment["payer_name"] or "Meccanica Valdora S.p.A.")
            assert payment["return_reason"] in reasons_told(form, line)


def reasons_told(form: str, line: BankTransaction) -> tuple[str | None, ...]:
    """Where a format says why money went back. The codes of :86: know debits, but no RiBa."""
    if form == "rh":
        return (line.remittance_text.rpartition("CAUSALE ")[2],)
    return (line.return_reason,) if form == "camt053" else (line.return_reason, line.fields["34"])


def assert_transfer(form: str, payment: dict[str, object], line: BankTransaction) -> None:
    letters = LETTERS[form]
    assert line.counterparty_name == letters(str(payment["payer_name"]))
    assert line.counterparty_iban == payment["payer_iban"]
    assert line.end_to_end_id == (payment["end_to_end"] or None)
    structured = str(payment["creditor_reference"])
    if form == "camt053" and structured:
        assert line.creditor_reference == structured
        return
    assert line.remittance_text == letters(str(payment["text"] or structured))


@pytest.mark.parametrize("form", STATEMENTS)
def test_statements_chain_from_the_opening_balance(form: str) -> None:
    t = written_by(form)
    balance = {bank["iban"]: bank["opening_cents"] * 10 for bank in t.banks.iter_rows(named=True)}
    numbers: dict[str, int] = {}
    for one in statements(STATEMENTS[form](t, *YEAR)):
        assert one.opening_mills == balance[one.account]
        balance[one.account] = one.closing_mills
        if form != "rh":
            stated = one.sequence if form == "camt053" else one.number
            numbers[one.account] = numbers.get(one.account, 0) + 1
            assert int(str(stated)) == numbers[one.account]
    moved = t.payments.group_by("bank_id").agg(pl.col("amount_cents").sum())
    ends = t.banks.join(moved, on="bank_id").iter_rows(named=True)
    assert balance == {one["iban"]: (one["opening_cents"] + one["amount_cents"]) * 10 for one in ends}


@pytest.mark.parametrize("form", STATEMENTS)
def test_a_window_writes_what_the_whole_would(form: str) -> None:
    t = written_by(form)
    whole = {file.path: file for file in STATEMENTS[form](t, *YEAR)}
    day = date(2026, 3, 3)
    window = list(STATEMENTS[form](t, day, day))
    assert window == [file for path, file in whole.items() if "20260303" in path] != []


@pytest.mark.parametrize("old", [[], [0, 1, 2, 3]])
def test_camt_of_both_versions_explains_batches_returns_and_charges(old: list[int]) -> None:
    t = written_by("camt053")
    # A second debit in the batch.
    second = t.receipts.filter(pl.col("receipt_id") == 1).with_columns(
        pl.lit(3, pl.Int32).alias("receipt_id"), pl.lit(146_00, pl.Int64).alias("amount_cents")
    )
    credit = pl.when(pl.col("kind") == "sdd").then(1_000_00).otherwise("amount_cents").alias("amount_cents")
    t = replace(t, receipts=pl.concat([t.receipts, second]), payments=t.payments.with_columns(credit))
    found = statements(bank_camt053(t, *YEAR, old_version=old))
    lines = [line for one in found for line in one.transactions]
    debits = [line for line in lines if line.entry_size == 2]
    assert [line.amount_mills for line in debits] == [854_000, 146_000]
    assert [line.end_to_end_id for line in debits] == ["TIB-9000001-1", "R000000003"]
    assert {line.mandate_id for line in debits} == {"TIB-000004"}
    assert {line.counterparty_name for line in debits} == {"Meccanica Valdora S.p.A."}
    assert debits[0].remittance_text == "FATT. 9000001 DEL 15/01/2026 RATA 1"
    back = {line.return_reason: line for line in lines if line.return_reason}
    assert back["AM04"].end_to_end_id == "TIB-9000001-1"
    assert back["AM04"].counterparty_name == "MECCANICA VALDORA SPA"
    assert back["30010"].customer_reference == "0000000000"
    assert back["30010"].counterparty_iban == "IT47X9999411000000000123456"
    foreign = next(line for line in lines if line.charges_mills)
    assert (foreign.charges_mills, foreign.fields["InstdAmt"]) == (12_500, "2500.00")


def test_camt054_tells_returned_debits_with_reason_reference_and_mandate() -> None:
    files = list(bank_camt054(hand_tables(), *YEAR))
    assert [file.day for file in files] == [date(2026, 2, 19)]
    (notification,) = statements(iter(files))
    (line,) = notification.transactions
    assert notification.kind == "notification"
    assert (line.amount_mills, line.return_reason) == (-854_000, "AM04")
    assert (line.end_to_end_id, line.mandate_id) == ("TIB-9000001-1", "TIB-000004")


def test_mt940_keeps_to_the_line_width_and_the_characters_of_swift() -> None:
    t = written_by("mt940")
    text = 'Saldo fatture "Nº 7_8" città & öffnung? 100% <già pagato> ' + "12345/26 " * 9
    long = t.payments.with_columns(
        text=pl.lit(text[:140]), payer_name=pl.lit("Società Agricola Cooperativa delle Colline Ferrallesi"),
        end_to_end=pl.lit("E2E-0123456789-0123456789-012345678"), creditor_reference=pl.lit(""),
    )  # fmt: skip
    for file in bank_mt940(replace(t, payments=long), *YEAR):
        lines = file.data.decode("ascii").split("\r\n")
        assert all(re.fullmatch(r"[A-Za-z0-9/?:().,'+ -]*", line) for line in lines)
        details = re.findall(r":86:[^:]*(?=\r\n:)", file.data.decode("ascii"))
        assert details
        for each in details:
            first, *rest = each.removeprefix(":86:").split("\r\n")
            assert len(rest) < 6 and all(len(line) <= 65 for line in (first, *rest))
        (statement,) = read(file).statements
        line = statement.transactions[0]
        assert line.end_to_end_id == "E2E-0123456789-0123456789-012345678"
        assert line.remittance_text == swift(text[:140]).strip()
        assert str(line.counterparty_name) in "Societa Agricola Cooperativa delle Colline Ferrallesi"


def test_every_cbi_record_has_120_characters_and_the_trailers_count_them() -> None:
    t = written_by("rh")
    for writer in (bank_rh, bank_riba_presented, bank_riba_outcomes):
        files = list(writer(t, *YEAR))
        assert files
        for file in files:
            records = file.data.decode("ascii").split("\r\n")
            assert records.pop() == ""
            assert {len(record) for record in records} == {120}
            flow: list[str] = []
            for record in records:
                flow.append(record)
                if record[1:3] == "EF":
                    assert int(record[82:89]) == len(flow)
                    assert record[3:39] == flow[0][3:39]
                    flow = []
            assert flow == []


def test_riba_slips_and_outcomes_say_what_the_tables_say() -> None:
    t = hand_tables()
    (file,) = bank_riba_presented(t, *YEAR)
    slips = read(file)
    assert slips.rejections == slips.notices == ()
    assert [flow.kind for flow in slips.records] == ["riba-presented"] * 2
    presented = {one.receipt: one for flow in slips.records for one in flow.outcomes}
    outcomes = {}
    for file in bank_riba_outcomes(t, *YEAR):
        result = read(file)
        assert result.rejections == result.notices == ()
        (flow,) = result.records
        assert flow.kind == "riba-outcomes"
        assert (flow.sender, flow.receiver) == ("99992", "9AB01")
        outcomes |= {one.receipt: one for one in flow.outcomes}
    riba = t.receipts.filter(pl.col("kind") == "riba")
    assert set(presented) == set(outcomes) == {f"{n:010d}" for n in riba["receipt_id"]}
    for row in riba.iter_rows(named=True):
        for told in (presented[f"{row['receipt_id']:010d}"], outcomes[f"{row['receipt_id']:010d}"]):
            assert told.amount_mills == row["amount_cents"] * 10
            assert told.due_date == row["due_date"]
            assert (told.debtor_abi, told.debtor_cab) == ("99994", "11000")
            assert (told.debtor_code, told.debtor_name) == ("001001", "Meccanica Valdora S.p.A.")
            assert told.debtor_tax_code == "99123450175"
    assert outcomes["0000000000"].outcome == "unpaid"
    assert outcomes["0000000002"].outcome == "paid"
    assert presented["0000000002"].debt_reference == "FATT. 1/26 DEL 15/01/2026 RATA 2"


def test_record_14_of_an_outcome_swaps_the_banks_of_the_presented_one() -> None:
    t = hand_tables()

    def record(files: Iterator[WorldFile], cause: str) -> str:
        texts = "".join(file.data.decode() for file in files)
        return next(line for line in texts.split("\r\n") if line[1:3] == "14" and line[28:33] == cause)

    out = record(bank_riba_presented(t, *YEAR), "30000")
    back = record(bank_riba_outcomes(t, *YEAR), "30010")
    assert (out[47:57], out[57:69], out[69:79]) == ("9999211201", "000000555002", "9999411000")
    assert (back[47:57], back[69:79], back[79:91]) == ("9999411000", "9999211201", "000000555002")
    assert out[33:47] == back[33:47] == "0000000122000-"


def test_the_same_world_gives_the_same_bytes_and_no_path_twice() -> None:
    files = list(bank_files(hand_tables(), *YEAR))
    assert files == list(bank_files(hand_tables(), *YEAR))
    assert len({file.path for file in files}) == len(files) == 11


def test_money_that_goes_back_to_a_customer_is_a_debit_with_its_name() -> None:
    for form, writer in STATEMENTS.items():
        t = written_by(form)
        back = pl.when(pl.col("payment_id") == 8)
        payments = t.payments.with_columns(
            kind=back.then(pl.lit("refund")).otherwise("kind"),
            amount_cents=back.then(-118_00).otherwise("amount_cents"),
        )
        found = statements(writer(replace(t, payments=payments), date(2026, 3, 3), date(2026, 3, 3)))
        line = found[0].transactions[1]
        assert (line.amount_mills, line.counterparty_name) == (-118_000, "CONDOMINIO RIOSORDO")
        assert line.counterparty_iban == "IT32X9999411000000000423456"


def test_a_line_without_a_text_carries_the_remark_of_the_bank() -> None:
    silent = hand_tables().payments.with_columns(text=pl.lit(""), creditor_reference=pl.lit(""))
    for form in ("camt053", "rh"):
        told = replace(written_by(form), payments=silent)
        texts = {
            line.remittance_text
            for one in statements(STATEMENTS[form](told, *YEAR))
            for line in one.transactions
        }
        assert {REMARKS["transfer"], REMARKS["fee"]} <= texts


@settings(deadline=None, max_examples=60)
@given(text=st.text(max_size=140), name=st.text(max_size=70), cents=st.integers(1, 10**12))
def test_no_text_breaks_a_file(text: str, name: str, cents: int) -> None:
    for form, writer in STATEMENTS.items():
        t = written_by(form)
        payments = t.payments.filter(pl.col("payment_id") == 8).with_columns(
            text=pl.lit(text), payer_name=pl.lit(name), amount_cents=pl.lit(cents)
        )
        (statement,) = statements(writer(replace(t, payments=payments), *YEAR))
        assert not statement.is_quarantined
        assert [line.amount_mills for line in statement.transactions] == [cents * 10]


# -- faults ----------------------------------------------------------------------------------------------


def refused_codes(file: WorldFile) -> dict[str, int]:
    """Codes of what is refused, and of the notices of statements in quarantine that the file promises."""
    result = read(file)
    told = [one.code for one in result.rejections]
    told += [
        notice.code
        for statement in result.statements
        if statement.is_quarantined
        for notice in statement.notices
        if notice.code not in told and notice.code in file.refusals
    ]
    return {code: told.count(code) for code in dict.fromkeys(told)}


def test_damaged_files_are_refused_or_quarantined_as_they_promise() -> None:
    files = list(bank_files(hand_tables(), *YEAR))
    for file in files:
        for damage in (truncated, wrong_closing):
            if damage is wrong_closing and "camt054" in file.path:
                continue
            spoilt = damage(file)
            assert spoilt.data != file.data and spoilt.refusals
            assert refused_codes(spoilt) == dict(spoilt.refusals), (damage.__name__, file.path)
            assert all(one.is_quarantined for one in read(spoilt).statements)


def test_points_instead_of_commas_change_no_amount() -> None:
    (file,) = bank_mt940(hand_tables(), *YEAR)
    spoilt = with_dot_decimals(file)
    assert b":61:2603180318C2487.50" in spoilt.data
    (before,), (after,) = read(file).statements, read(spoilt).statements
    assert [line.amount_mills for line in after.transactions] == [2_487_500]
    assert (after.opening_mills, after.closing_mills) == (before.opening_mills, before.closing_mills)
    assert not after.is_quarantined
    assert [notice.code for notice in after.notices] == ["bank_decimal_points"]


def test_delivery_faults_lose_nothing_and_come_at_their_rates() -> None:
    shares = parameters.load().files
    days = pl.date_range(date(2024, 1, 1), date(2026, 12, 31), eager=True)
    files = [WorldFile(f"files/A/bank/rh_{n % 3}_{day:%Y%m%d}.txt", str(n).encode(), day)
             for n, day in enumerate(days) for _ in range(1)]  # fmt: skip
    out = list(with_delivery_faults(files, Draws(1), shares))
    assert out == list(with_delivery_faults(files, Draws(1), shares))
    once = {file.path: file for file in out if not file.path.endswith("_bis.txt")}
    assert {path: file.data for path, file in once.items()} == {file.path: file.data for file in files}
    again = [file for file in out if file.path.endswith("_bis.txt")]
    assert all(once[file.path.replace("_bis", "")].data == file.data for file in again)
    assert 0.5 < len(again) / (shares.duplicate * len(files)) < 1.6
    late = [once[file.path].day for file in files if once[file.path].day > file.day]
    assert 0.5 < len(late) / ((shares.late + shares.out_of_order) * len(files)) < 1.6
    order = [file.path for file in out if file in once.values()]
    assert order != [file.path for file in files]


def test_a_batch_that_does_not_come_to_its_line_is_not_written() -> None:
    t = hand_tables()
    wrong = t.receipts.with_columns(amount_cents=pl.col("amount_cents") + 1)
    with pytest.raises(ValueError, match="Payment 4: the receipts of batch 1 come to 85401 cents"):
        list(bank_camt053(replace(t, receipts=wrong), *YEAR))
