"""OFX, both forms: invented downloads of invented banks."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saldo.formats.bank_records import BankStatement
from saldo.formats.detect import detect_kind, read_file
from saldo.formats.ofx import read_ofx, signed_mills
from tests.bank_samples import IBAN, PAYER_IBAN

HEADER = (
    "OFXHEADER:100\r\nDATA:OFXSGML\r\nVERSION:102\r\nSECURITY:NONE\r\nENCODING:USASCII\r\nCHARSET:1252\r\n"
    "COMPRESSION:NONE\r\nOLDFILEUID:NONE\r\nNEWFILEUID:NONE\r\n\r\n"
)
CREDIT = (
    "<STMTTRN><TRNTYPE>CREDIT<DTPOSTED>20260202120000[+1:CET]<DTUSER>20260201<DTAVAIL>20260203<TRNAMT>1250.50"
    "<FITID>F-1<NAME>Caffè Rossi &amp; C.<MEMO>Saldo ft 12/2026\r\n"
    f"<BANKACCTTO><BANKID>COBADEFFXXX<ACCTID>{PAYER_IBAN}<ACCTTYPE>CHECKING</BANKACCTTO></STMTTRN>"
)
DEBIT = "<STMTTRN><TRNTYPE>FEE<DTPOSTED>20260204<TRNAMT>-2,50<FITID>F-2<CHECKNUM>0077<MEMO>Spese</STMTTRN>"


def sgml(*lines: str, account: str = IBAN, currency: str = "EUR", balance: str = "1348.00") -> str:
    return (
        f"<STMTTRNRS><TRNUID>0<STATUS><CODE>0<SEVERITY>INFO</STATUS><STMTRS><CURDEF>{currency}"
        f"<BANKACCTFROM><BANKID>05428<BRANCHID>11101<ACCTID>{account}<ACCTTYPE>CHECKING</BANKACCTFROM>"
        f"<BANKTRANLIST><DTSTART>20260201<DTEND>20260228{''.join(lines)}</BANKTRANLIST>"
        f"<LEDGERBAL><BALAMT>{balance}<DTASOF>20260228</LEDGERBAL>"
        f"<AVAILBAL><BALAMT>1300.00<DTASOF>20260228</AVAILBAL></STMTRS></STMTTRNRS>"
    )


def ofx(*statements: str, header: str = HEADER) -> bytes:
    return f"{header}<OFX><BANKMSGSRSV1>{''.join(statements)}</BANKMSGSRSV1></OFX>".encode("windows-1252")


def only(data: bytes) -> BankStatement:
    (found,) = read_ofx(data).statements
    return found


def codes(statement: BankStatement) -> list[str]:
    return [notice.code for notice in statement.notices if notice.code != "bank_balances_missing"]


def test_a_download_of_version_1() -> None:
    result = read_file(ofx(sgml(CREDIT, DEBIT)), "download.qfx")
    assert (result.format, result.rejections) == ("ofx", ())
    (found,) = result.statements
    assert (found.kind, found.account, found.currency) == ("booked", IBAN, "EUR")
    assert (found.from_date, found.to_date) == (date(2026, 2, 1), date(2026, 2, 28))
    assert (found.opening_mills, found.closing_mills, found.closing_date) == (
        None,
        1_348_000,
        date(2026, 2, 28),
    )
    assert [balance.code for balance in found.balances] == ["LEDGERBAL", "AVAILBAL"]
    assert (found.is_quarantined, codes(found)) == (False, [])
    credit, debit = found.transactions
    assert (credit.amount_mills, credit.booking_date, credit.value_date) == (
        1_250_500,
        date(2026, 2, 2),
        date(2026, 2, 3),
    )
    assert (credit.counterparty_name, credit.counterparty_iban, credit.counterparty_bic) == (
        "Caffè Rossi & C.",
        PAYER_IBAN,
        "COBADEFFXXX",
    )
    assert (credit.remittance_text, credit.bank_reference, credit.code) == (
        "Saldo ft 12/2026",
        "F-1",
        "CREDIT",
    )
    assert credit.fields["DTUSER"] == "20260201"
    assert (debit.amount_mills, debit.customer_reference, debit.counterparty_name) == (-2_500, "0077", None)


def test_version_2_with_closed_tags_sections_and_pending_lines() -> None:
    line = (
        "<STMTTRN><TRNTYPE>CREDIT</TRNTYPE><DTPOSTED>20260202</DTPOSTED><TRNAMT>10.00</TRNAMT>"
        "<FITID>A</FITID><PAYEE><NAME>Bianchi</NAME></PAYEE><MEMO><![CDATA[ft <1> & 2]]></MEMO></STMTTRN>"
    )
    pending = (
        "<BANKTRANLISTP><DTASOF>20260228</DTASOF><STMTTRNP><TRNTYPE>POS</TRNTYPE><DTTRAN>20260227</DTTRAN>"
        "<TRNAMT>-3.00</TRNAMT><NAME>Bar</NAME></STMTTRNP></BANKTRANLISTP></STMTRS>"
    )
    header = '<?xml version="1.0" encoding="UTF-8"?><!-- x --><?OFX OFXHEADER="200" VERSION="211"?>'
    data = ofx(sgml(line).replace("</STMTRS>", pending), header=header)
    assert detect_kind(data) == "ofx"
    found = only(data)
    booked, waiting = found.transactions
    assert (booked.counterparty_name, booked.remittance_text) == ("Bianchi", "ft <1> & 2")
    assert (waiting.status, waiting.amount_mills, waiting.booking_date) == (
        "PDNG",
        -3_000,
        date(2026, 2, 27),
    )
    assert not found.is_quarantined


def test_without_header_with_several_accounts_and_a_card() -> None:
    card = (
        "<CREDITCARDMSGSRSV1><CCSTMTTRNRS><CCSTMTRS><CURDEF>EUR<CCACCTFROM><ACCTID>XXXX-1234</CCACCTFROM>"
        "<BANKTRANLIST><STMTTRN><TRNTYPE>DEBIT<DTPOSTED>20260202<TRNAMT>-9.90<FITID>C1<NAME>Hotel</STMTTRN>"
        "</BANKTRANLIST></CCSTMTRS></CCSTMTTRNRS></CREDITCARDMSGSRSV1>"
    )
    data = ofx(sgml(CREDIT), sgml(DEBIT, account="000123"), card, header="")
    assert detect_kind(data) == "ofx"
    accounts = {
        one.account: [line.amount_mills for line in one.transactions] for one in read_ofx(data).statements
    }
    assert accounts == {IBAN: [1_250_500], "05428/11101/000123": [-2_500], "XXXX-1234": [-9_900]}


@pytest.mark.parametrize(
    "data",
    [
        ofx(sgml(CREDIT)).decode("windows-1252").encode(),
        ofx(sgml(CREDIT)).decode("windows-1252").encode("utf-16"),
        b"\xef\xbb\xbf" + ofx(sgml(CREDIT)).decode("windows-1252").encode(),
        ofx(sgml(CREDIT), header=HEADER.replace("1252", "850")).replace(b"\xe8", b"\x8a"),
        ofx(sgml(CREDIT.replace("<MEMO>", "<REFNUM>\r\n<MEMO>").replace("</STMTTRN>", ""), DEBIT)),
    ],
    ids=["utf-8 though 1252 is said", "utf-16", "byte order mark", "cp850", "unclosed lines"],
)
def test_encodings_and_missing_ends(data: bytes) -> None:
    found = only(data)
    assert not found.is_quarantined
    assert found.transactions[0].counterparty_name == "Caffè Rossi & C."
    assert found.transactions[0].amount_mills == 1_250_500


@pytest.mark.parametrize(
    ("text", "mills"),
    [
        ("12.34", 12_340), ("-12,34", -12_340), ("+5", 5_000), (".5", 500), ("1.234,56", 1_234_560),
        ("1,234,567.8", 1_234_567_800), ("1234.500", 1_234_500), ("0.500", 500), ("12.3400", 12_340),
        ("1.234", None), ("1,234", None), ("12.3456", None), ("1.234.567", None), ("", None), ("-", None),
        ("12,34-", None), ("1e3", None), ("١٢", None), ("1234567890123456", None),
    ],
)  # fmt: skip
def test_amounts_are_exact_or_refused(text: str, mills: int | None) -> None:
    assert signed_mills(text, "EUR") == mills


def test_a_currency_of_three_decimals_has_three() -> None:
    assert signed_mills("1.234", "TND") == 1_234


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (CREDIT.replace("1250.50", "1.250"), "bank_amount_unreadable"),
        (CREDIT.replace("<TRNAMT>1250.50", ""), "bank_amount_unreadable"),
        (CREDIT.replace("1250.50", "-1250.50"), "bank_sign_missing"),
        (CREDIT.replace("<FITID>", "<TRNAMT>7.00<FITID>"), "bank_line_unreadable"),
        (CREDIT.replace("<STMTTRN>", "<STMTXX>"), "bank_line_unreadable"),
    ],
)
def test_a_line_in_doubt_is_refused_and_the_others_are_read(line: str, code: str) -> None:
    result = read_ofx(ofx(sgml(line, DEBIT), sgml(DEBIT, account="000123")))
    assert [one.code for one in result.rejections] == [code]
    first, second = result.statements
    assert ([one.amount_mills for one in first.transactions], first.is_quarantined) == ([-2_500], True)
    assert not second.is_quarantined


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (ofx(sgml(CREDIT, CREDIT)), "bank_line_twice"),
        (ofx(sgml(CREDIT.replace("<NAME>", "<CORRECTFITID>F-0<NAME>"))), "bank_line_corrects"),
        (ofx(sgml(CREDIT.replace("20260202120000", "20260230"))), "bank_date_unreadable"),
        (ofx(sgml(CREDIT.replace("<NAME>", "<CURRENCY><CURSYM>USD</CURRENCY>"))), "bank_currencies_mixed"),
        (ofx(sgml(CREDIT)).replace(b"</OFX>", b""), "bank_statement_cut"),
        (ofx(sgml(CREDIT, account="")), "bank_account_missing"),
    ],
)  # fmt: skip
def test_what_holds_a_statement_back(data: bytes, code: str) -> None:
    found = only(data)
    assert found.is_quarantined
    assert code in codes(found)


def test_equal_payments_with_ids_of_their_own_are_two() -> None:
    found = only(ofx(sgml(CREDIT, CREDIT.replace("F-1", "F-9"))))
    assert (len(found.transactions), found.is_quarantined) == (2, False)


def test_a_file_appended_to_itself_counts_once() -> None:
    data = ofx(sgml(CREDIT, DEBIT))
    assert [one.is_quarantined for one in read_ofx(data + data).statements] == [False, True]


def test_entities_are_refused_and_bombs_never_grow() -> None:
    bomb = b'<?xml version="1.0"?><!DOCTYPE OFX [<!ENTITY a "aaaa">]><OFX><STMTRS><CURDEF>&a;</STMTRS></OFX>'
    assert [one.code for one in read_file(bomb, "x").rejections] == ["xml_dtd"]
    deep = "<OFX>" + "<BAL>" * 100
    assert [one.code for one in read_ofx(deep.encode()).rejections] == ["file_too_large"]


@given(st.integers(min_value=0))
@settings(max_examples=300, deadline=None)
def test_a_cut_file_never_loses_lines_in_silence(at: int) -> None:
    data = ofx(sgml(CREDIT, DEBIT), sgml(DEBIT, account="000123"))
    for found in read_ofx(data[: at % len(data)]).statements:
        if not found.is_quarantined:
            assert found.account == IBAN
            assert [line.amount_mills for line in found.transactions] == [1_250_500, -2_500]


@given(
    st.lists(st.tuples(st.integers(min_value=0), st.binary(max_size=5)), min_size=1, max_size=6),
    st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_damage_never_raises(changes: list[tuple[int, bytes]], is_plain: bool) -> None:
    data = b"<OFX>" if is_plain else ofx(sgml(CREDIT, DEBIT))
    for place, replacement in changes:
        place %= len(data) + 1
        data = data[:place] + replacement + data[place + 1 :]
    for language in ("it", "en"):
        read_ofx(data).as_json(language)
