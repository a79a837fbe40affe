"""Files made to hurt: numbers too large to compute, statements twice, headers and lists without end."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from saldo.core.money import InexactAmount, to_mills
from saldo.formats import _mail, _remittance_pdf
from saldo.formats.camt import read_camt
from saldo.formats.detect import read_file
from saldo.formats.mt940 import read_mt940
from saldo.formats.remittances import text_advice
from saldo.formats.tabular import read_ratings_json
from tests.bank_samples import balance, camt, entry, mt940, statement

REMT = (
    '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:remt.001.001.02"><RmtAdvc><RmtInf><OrgnlPmtInf><Amt>'
    '<InstdAmt Ccy="EUR">{}</InstdAmt></Amt></OrgnlPmtInf></RmtInf></RmtAdvc></Document>'
)
EDIFACT = "UNB+UNOC:3+A+B+260101:1000+1'UNH+1+REMADV:D:96A:UN'BGM+481+X'MOA+12:{}'UNT+4+1'UNZ+1+1'"
MAIL = (
    "From: a@example.com\r\nTo: b@example.com\r\nMessage-ID: <1@example.com>\r\nMIME-Version: 1.0\r\n"
    "Date: Mon, 2 Mar 2026 10:00:00 +0100\r\n"
)


@pytest.mark.parametrize("text", ["1E999999", "1E999990", "-1E17", "1E-999990", "NaN", "Infinity"])
def test_a_number_that_no_account_holds_is_refused_before_it_is_computed(text: str) -> None:
    with pytest.raises(InexactAmount):
        to_mills(Decimal(text))
    for form in (REMT, EDIFACT):
        result = read_file(form.format(text).encode(), "x")
        assert (result.records, [one.code for one in result.rejections]) == (
            (),
            ["remittance_amount_unreadable"],
        )


def test_the_largest_amount_is_still_exact() -> None:
    assert to_mills(Decimal("999999999999999.999")) == 10**18 - 1
    assert to_mills(Decimal("0E+50")) == 0
    with pytest.raises(InexactAmount):
        to_mills(Decimal("1000000000000000"))


@pytest.mark.parametrize("limit", ["1E9999999", "1E999990", "9" * 400])
def test_a_rating_with_an_absurd_limit_is_refused_alone(limit: str) -> None:
    one = '{{"provider":"Beta","vat":"IT01234567897","rating":"{}","limit":{}}}'
    result = read_ratings_json(f"[{one.format('A', limit)},{one.format('B', '1000')}]".encode())
    assert [(record.rating, record.limit_mills) for record in result.records] == [("B", 1_000_000)]
    assert [rejection.row for rejection in result.rejections] == [1]


def test_json_of_lists_in_lists_and_half_characters_never_raises() -> None:
    deep = f'[{{"rating":{"[" * 700}{"]" * 700}}}]'
    assert [one.code for one in read_ratings_json(deep.encode()).rejections] == ["json_broken"]
    half = b'[{"rating":"\\ud800A","provider":"Beta","vat":"IT01234567897"}]'
    assert [record.rating for record in read_ratings_json(half).records] == ["?A"]


def test_a_statement_twice_in_a_file_counts_once() -> None:
    one = statement(entry("5.00"), closing="105.00")
    first, second = read_camt(camt(one, one)).statements
    assert (first.is_quarantined, second.is_quarantined) == (False, True)
    assert [notice.code for notice in second.notices] == ["bank_statement_twice"]
    text = mt940(":61:2602020202C5,00NTRF", closing="C260202EUR105,00")
    assert [one.is_quarantined for one in read_mt940((text + text).encode()).statements] == [False, True]
    following = text.replace("00012/001", "00013/001")
    both = read_mt940((text + following).encode()).statements
    assert [one.is_quarantined for one in both] == [False, False]


def test_two_closing_balances_that_differ_prove_nothing() -> None:
    lines = entry("5.00") + balance("CLBD", "107.00")
    (found,) = read_camt(camt(statement(lines, closing="105.00"))).statements
    assert found.is_quarantined
    assert "bank_field_repeated" in [notice.code for notice in found.notices]


def test_the_balances_of_the_accounts_currency_are_taken_wherever_they_stand() -> None:
    plain = statement(entry("5.00"), closing="105.00")
    foreign = balance("OPBD", "110.00", currency="USD") + balance("CLBD", "115.00", currency="USD")
    at = plain.index("<Bal>")
    (found,) = read_camt(camt(plain[:at] + foreign + plain[at:])).statements
    assert (found.opening_mills, found.closing_mills, found.is_quarantined) == (100_000, 105_000, False)


@pytest.mark.parametrize("day", ["2026-02-29", "2026-11-31", "99-01-01"])
def test_a_booking_date_that_is_no_day_holds_the_statement_back(day: str) -> None:
    line = entry("5.00").replace("<BookgDt><Dt>2026-02-02", f"<BookgDt><Dt>{day}")
    (found,) = read_camt(camt(statement(line, closing="105.00"))).statements
    assert found.is_quarantined
    assert [notice.code for notice in found.notices] == ["bank_date_unreadable"]


def test_a_line_of_the_nineties_is_not_of_the_nineties_to_come() -> None:
    text = mt940(":61:9902020202C5,00NTRF", opening="C990201EUR100,00", closing="C990202EUR105,00")
    (found,) = read_mt940(text.encode()).statements
    assert found.transactions[0].booking_date == date(1999, 2, 2)
    assert (found.opening_date, found.closing_date) == (date(1999, 2, 1), date(1999, 2, 2))


def test_every_transaction_of_an_unsplit_batch_keeps_what_the_entry_says() -> None:
    details = "".join(f"<TxDtls><Refs><EndToEndId>E{i}</EndToEndId></Refs></TxDtls>" for i in range(3))
    more = "<NtryRef>N-1</NtryRef><AddtlNtryInf>Incassi</AddtlNtryInf>"
    (found,) = read_camt(camt(statement(entry("5.00", details, more=more), closing="105.00"))).statements
    (line,) = found.transactions
    assert (line.entry_size, line.amount_mills) == (3, 5_000)
    assert (line.fields["NtryRef"], line.fields["end_to_end_id"]) == ("N-1", "E0; E1; E2")


def test_a_header_of_content_without_end_is_clipped_and_the_others_are_not() -> None:
    long_type = f"Content-Type: text/plain; charset=utf-8; {'a=b;' * 5_000}\r\n"
    subject = "x" * 20_000
    message = _mail.parse_mail(f"{MAIL}Subject: {subject}\r\n{long_type}\r\nCiao".encode())
    assert len(str(message["Content-Type"])) == _mail.MAX_CONTENT_HEADER_CHARACTERS
    assert _mail.header(message, "subject") == subject
    assert _mail.text_of_part(message) == "Ciao"


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("Ordinante: Innovation Elevatori S.r.l.", "Innovation Elevatori S.r.l."),
        ("Ordinante: Rossi Finta S.r.l. - P.IVA 01234567897", "Rossi Finta S.r.l."),
        ("Payer: Brown Invented Ltd, VAT GB123", "Brown Invented Ltd"),
    ],
)
def test_the_payer_is_named_in_full(line: str, name: str) -> None:
    words = f"Abbiamo disposto il bonifico di EUR 100,00 per la fattura 12 del 05/01/2026\n{line}\n"
    advice = text_advice(words)
    assert advice is not None
    assert advice.payer_name == name


def test_a_page_of_too_many_pieces_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    typst = pytest.importorskip("typst")
    pdf = typst.compile(b"Avviso di bonifico #linebreak() EUR 100,00 #linebreak() fattura 12")
    assert read_file(pdf, "a.pdf").rejections == ()
    monkeypatch.setattr(_remittance_pdf, "MAX_PASSES", 10)
    assert [one.code for one in read_file(pdf, "a.pdf").rejections] == ["file_too_large"]


@pytest.mark.parametrize("amounts", ["MOA+12:5'MOA+12:7'", "MOA+12:1_0'", "MOA+12:1E1'", "MOA+12:\u0663'"])
def test_an_amount_stated_twice_or_in_no_decimals_is_no_amount(amounts: str) -> None:
    body = f"UNH+1+REMADV:D:96A:UN'BGM+481+X'DOC+380+1'{amounts}UNS+S'MOA+12:5'"
    data = f"{body}UNT+{body.count(chr(39)) + 1}+1'"
    result = read_file(f"UNB+UNOW:4+A+B+260101:1000+1'{data}UNZ+1+1'".encode(), "x")
    assert (result.records, [one.code for one in result.rejections]) == ((), ["remittance_amount_unreadable"])
