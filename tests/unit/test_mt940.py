"""MT940 and MT942: every :61: is one transaction or one refusal, and no amount is silently another."""

from __future__ import annotations

from datetime import date

import pytest

from saldo.formats.bank_records import BankStatement, BankTransaction
from saldo.formats.detect import detect_kind, read_file
from saldo.formats.mt940 import read_mt940
from tests.bank_samples import IBAN, PAYER_IBAN, mt940


def only(text: str) -> BankStatement:
    result = read_mt940(text.encode())
    assert not result.rejections
    (found,) = result.statements
    assert isinstance(found, BankStatement)
    return found


def line_of(*lines: str) -> BankTransaction:
    return only(mt940(*lines)).transactions[0]


def codes(found: BankStatement) -> list[str]:
    return [notice.code for notice in found.notices]


@pytest.mark.parametrize(
    ("mark", "mills", "is_reversal"),
    [
        ("C", 50_250, False),
        ("D", -50_250, False),
        ("RC", -50_250, True),
        ("RD", 50_250, True),
        ("CR", 50_250, False),
    ],
)
def test_signs(mark: str, mills: int, is_reversal: bool) -> None:
    closing = f"{'C' if mills > 0 else 'D'}260202EUR50,25"
    found = only(mt940(f":61:2602020202{mark}50,25NTRFNONREF", opening="C260201EUR0,00", closing=closing))
    assert (found.transactions[0].amount_mills, found.transactions[0].is_reversal) == (mills, is_reversal)
    assert (found.is_quarantined, found.difference_mills) == (False, 0)


def test_header_line_and_balances() -> None:
    found = only(
        mt940(
            ":61:2512310102C10,5NTRFORD-7//B123\r\nsupplementary",
            closing="C260102EUR110,50\r\n:64:C260102EUR90,00\r\n:86:of the statement, not of the line",
        )
    )
    line = found.transactions[0]
    assert (found.account, found.currency, found.number, found.sequence) == (IBAN, "EUR", "00012", "001")
    assert (found.opening_mills, found.closing_mills) == (100_000, 110_500)
    assert [balance.code for balance in found.balances] == ["60F", "62F", "64"]
    # The entry date has no year: it is the one nearest to the value date.
    assert (line.value_date, line.booking_date) == (date(2025, 12, 31), date(2026, 1, 2))
    assert (line.code, line.customer_reference, line.bank_reference) == ("NTRF", "ORD-7", "B123")
    assert line.remittance_text == "supplementary"
    assert not found.is_quarantined


@pytest.mark.parametrize(
    ("written", "mills"),
    [("12.34", 12_340), ("1.234,56", 1_234_560), ("1,234.56", 1_234_560), ("0012,3", 12_300), ("7", 7_000)],
)
def test_amounts_that_can_be_read_in_one_way_only(written: str, mills: int) -> None:
    closing = f"C260202EUR{(100_000 + mills) // 1000},{mills % 1000:03}"
    found = only(mt940(f":61:2602020202C{written}NTRFR1", ":61:2602020202C0,00NTRFR2", closing=closing))
    assert [(t.amount_mills, t.customer_reference) for t in found.transactions] == [(mills, "R1"), (0, "R2")]
    assert not found.is_quarantined
    assert codes(found) == (["bank_decimal_points"] if "." in written else [])


@pytest.mark.parametrize("written", ["1.234", "1,2,3", "1.2.3", "0,0001", "1..5", "1234567890123456,00"])
def test_amounts_in_doubt_are_refused_and_hold_the_statement(written: str) -> None:
    text = mt940(f":61:2602020202C{written}NTRFR1", ":61:2602020202C5,00NTRFR2", closing="C260202EUR105,00")
    result = read_mt940((text + mt940()).encode())
    assert [(one.code, one.where) for one in result.rejections] == [
        ("bank_amount_unreadable", "statement 1, :61: 1")
    ]
    held, free = result.statements
    assert (held.is_quarantined, [t.customer_reference for t in held.transactions]) == (True, ["R2"])
    assert not free.is_quarantined


def test_one_bad_statement_does_not_lose_the_others() -> None:
    bad = mt940(":61:garbage", ":61:2613420202C5,00NTRFR2", closing="Cnull")
    result = read_mt940(
        (mt940() + bad + mt940(":61:2602020202C5,00NTRF", closing="C260202EUR105,00")).encode()
    )
    assert [s.is_quarantined for s in result.statements] == [False, True, False]
    assert [len(s.transactions) for s in result.statements] == [0, 0, 1]
    assert [one.code for one in result.rejections] == [
        "bank_amount_unreadable",
        "bank_line_unreadable",
        "bank_line_unreadable",
    ]


def test_a_balance_that_does_not_add_up_or_is_missing_quarantines() -> None:
    line = ":61:2602020202C5,00NTRFR2"
    assert codes(only(mt940(line))) == ["bank_statement_unbalanced"]
    assert codes(only(mt940(line, closing=None))) == ["bank_balances_missing"]
    both = mt940(line, ":60F:C260201EUR0,00", closing="C260202EUR105,00")
    assert codes(only(both)) == ["bank_field_repeated"]


def test_a_balance_longer_than_the_library_reads_keeps_its_cents() -> None:
    found = only(mt940(opening="C260201EUR0000000000000012,34", closing="C260202EUR12,34"))
    assert (found.opening_mills, found.is_quarantined) == (12_340, False)


def test_german_sub_fields() -> None:
    line = line_of(
        ":61:2602020202C5,00NTRFNONREF",
        ":86:166?00GUTSCHRIFT?20EREF+E2E-1?21MREF+MND-2?22SVWZ+RECHNUNG 4711?23UND 4712 WAS? JA"
        "?30COBADEFFXXX",
        f"?31{PAYER_IBAN}?32MUSTERMANN?33GMBH?34000",
    )
    assert (line.end_to_end_id, line.mandate_id, line.customer_reference) == ("E2E-1", "MND-2", None)
    # A sub-field shorter than its width ends there: two numbers do not run together.
    assert line.remittance_text == "RECHNUNG 4711 UND 4712 WAS? JA"
    assert (line.counterparty_name, line.counterparty_iban) == ("MUSTERMANN GMBH", PAYER_IBAN)
    assert line.counterparty_bic == "COBADEFFXXX"


def test_a_full_sub_field_runs_on_and_text_before_a_keyword_is_kept() -> None:
    line = line_of(
        ":61:2602020202D5,00NTRF",
        ":86:109?20Retoure?21EREF+ABCDEFGHIJKLMNOPQRSTUV?22WXYZ?34914",
    )
    assert line.end_to_end_id == "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    assert (line.remittance_text, line.return_reason) == ("Retoure", "914")


@pytest.mark.parametrize(
    "details",
    [
        f"/TRTP/SEPA/IBAN/{PAYER_IBAN}/BIC/COBADEFFXXX/NAME/MUSTERMANN GMBH/REMI/FT 1/2026/EREF/E2E-9",
        f"/EREF/E2E-9//CNTP/{PAYER_IBAN}/COBADEFFXXX/MUSTERMANN GMBH///REMI/USTD//FT 1/2026/",
        f"/ORDP//NAME/MUSTERMANN GMBH/IBAN/{PAYER_IBAN}/BIC/COBADEFFXXX/REMI/FT 1/2026/EREF/E2E-9",
    ],
)
def test_slash_codes(details: str) -> None:
    cut = "\r\n".join(details[at : at + 65] for at in range(0, len(details), 65))
    line = line_of(":61:2602020202C5,00NTRFNONREF", f":86:{cut}")
    assert (line.remittance_text, line.end_to_end_id) == ("FT 1/2026", "E2E-9")
    assert (line.counterparty_name, line.counterparty_iban) == ("MUSTERMANN GMBH", PAYER_IBAN)
    assert line.counterparty_bic == "COBADEFFXXX"


def test_charges_and_the_amount_instructed() -> None:
    line = line_of(":61:2602020202C97,50NTRFNONREF//B1\r\n/OCMT/USD110,//CHGS/EUR2,5/")
    assert (line.original_mills, line.original_currency, line.charges_mills) == (110_000, "USD", 2_500)


def test_a_reference_longer_than_the_standard_keeps_both_references() -> None:
    line = line_of(":61:2602020202D20,NTRFBIPI-invented-long-reference-1//2026020216391534")
    assert line.customer_reference == "BIPI-invented-long-reference-1"
    assert line.bank_reference == "2026020216391534"


MT942 = (
    f":20:R1\r\n:25:{IBAN}\r\n:28C:1/1\r\n:34F:EUR0,00\r\n:13D:2602021215+0100\r\n"
    ":61:2602020202C5,00NTRFR1\r\n:61:2602020202EC1,00NTRFR2\r\n:61:2602020202C7,00NTRFR3\r\n"
)


def test_a_report_of_the_day_is_intraday() -> None:
    result = read_file((MT942 + "-\r\n").encode(), "x.txt")
    (found,) = result.statements
    assert (result.format, found.kind, found.currency) == ("mt942", "intraday", "EUR")
    assert [(t.amount_mills, t.status) for t in found.transactions] == [
        (5_000, "BOOK"),
        (1_000, "PDNG"),
        (7_000, "BOOK"),
    ]
    assert (found.to_date, found.is_quarantined) == (date(2026, 2, 2), False)
    assert codes(only(MT942)) == ["bank_statement_cut"]


@pytest.mark.parametrize(
    ("stated", "is_held"), [("2EUR12,00", False), ("3EUR12,00", True), ("2EUR12,01", True)]
)
def test_stated_totals_are_compared(stated: str, is_held: bool) -> None:
    text = MT942.replace(":61:2602020202EC1,00NTRFR2\r\n", "") + f":90D:0EUR0,00\r\n:90C:{stated}\r\n-\r\n"
    assert only(text).is_quarantined is is_held


@pytest.mark.parametrize(
    "data",
    [
        mt940(":61:2602020202C5,00NTRF", ":86:Caffè Perù", closing="C260202EUR105,00").encode(encoding)
        for encoding in ("utf-8", "utf-8-sig", "windows-1252", "latin-1", "utf-16")
    ],
)
def test_encodings(data: bytes) -> None:
    result = read_file(data, "x.sta")
    assert result.statements[0].transactions[0].remittance_text == "Caffè Perù"
    assert not result.statements[0].is_quarantined


def test_swift_blocks_and_blank_lines() -> None:
    body = mt940(":61:2602020202C5,00NTRF", closing="C260202EUR105,00").removesuffix("-\r\n")
    head = "{1:F01BANKITMMAXXX0000000000}{2:O9401200260202BANKITMMAXXX0000N}{4:"
    block = f"{head}\r\n{body}-}}{{5:{{CHK:12}}}}"
    for data in (
        block.encode(),
        ("\r\n\r\n" + body + "-\r\n").encode(),
        block.encode() + b"\r\n" + block.replace("00012/001", "00012/002").encode(),
    ):
        assert detect_kind(data) == "mt940"
        result = read_file(data, "x")
        assert {(s.closing_mills, s.is_quarantined) for s in result.statements} == {(105_000, False)}
    assert len(result.statements) == 2


def test_a_time_cut_by_a_line_break_is_no_field() -> None:
    found = only(
        mt940(
            ":61:2602020202C5,00NTRF", ":86:KARTE 2026-02-02T16", ":20:37 LADEN", closing="C260202EUR105,00"
        )
    )
    assert (found.transactions[0].remittance_text, found.is_quarantined) == (
        "KARTE 2026-02-02T16 :20:37 LADEN",
        False,
    )


@pytest.mark.parametrize(
    ("days", "booking", "value", "moved"),
    [
        ("2502290228", date(2025, 2, 28), date(2025, 2, 28), 1),
        ("2502300301", date(2025, 3, 1), date(2025, 2, 28), 1),
        ("2502290229", date(2025, 2, 28), date(2025, 2, 28), 2),
        ("250230", date(2025, 2, 28), date(2025, 2, 28), 1),
        ("2402290229", date(2024, 2, 29), date(2024, 2, 29), 0),
        ("2402300301", date(2024, 3, 1), date(2024, 2, 29), 1),
    ],
)
def test_a_29_february_that_does_not_exist_is_the_last_of_the_month_and_said(
    days: str, booking: date, value: date, moved: int
) -> None:
    (found,) = read_mt940(mt940(f":61:{days}C5,00NTRF", closing="C260202EUR105,00").encode()).statements
    line = found.transactions[0]
    assert (line.booking_date, line.value_date) == (booking, value)
    assert [notice.code for notice in found.notices] == ["bank_day_moved"] * moved
    assert not found.is_quarantined


@pytest.mark.parametrize("days", ["2502310301", "2504310501", "2502280231"])
def test_other_days_that_do_not_exist_are_refused(days: str) -> None:
    result = read_mt940(mt940(f":61:{days}C5,00NTRF", closing="C260202EUR105,00").encode())
    assert [one.code for one in result.rejections] == ["bank_line_unreadable"]
    assert result.statements[0].is_quarantined


def test_the_day_of_a_balance_too() -> None:
    text = mt940(":61:2503010301C5,00NTRF", opening="C250230EUR100,00", closing="C250301EUR105,00")
    (found,) = read_mt940(text.encode()).statements
    assert (found.opening_date, found.is_quarantined) == (date(2025, 2, 28), False)
