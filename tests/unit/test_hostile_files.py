"""Files made to hurt: numbers too large to compute, statements twice, headers and lists without end."""

from __future__ import annotations

import io
import os
import signal
import sys
import zipfile
import zlib
from datetime import date
from decimal import Decimal

import pytest

from saldo.core.money import InexactAmount, to_mills
from saldo.formats import _mail, _pdf_text, _remittance_pdf
from saldo.formats.camt import read_camt
from saldo.formats.detect import read_file
from saldo.formats.mt940 import read_mt940
from saldo.formats.remittances import read_remadv, text_advice
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


# -- PDF files -------------------------------------------------------------------------------------------


def _pdf(content: bytes, *more: bytes, resources: bytes = b"") -> bytes:
    objects = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>%s>>>>"
        % resources,
        content,
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        *more,
    )
    return b"%PDF-1.7\n" + b"".join(
        b"%d 0 obj\n%s\nendobj\n" % (number, one) for number, one in enumerate(objects, start=1)
    ) + b"trailer<</Size %d/Root 1 0 R>>\n%%%%EOF" % (len(objects) + 1)  # fmt: skip


def _stream(data: bytes, extra: bytes = b"") -> bytes:
    return b"<<%s/Length %d>>stream\n%s\nendstream" % (extra, len(data), data)


WORDS = b"BT /F 12 Tf 10 700 Td (Avviso di bonifico EUR 100,00 fattura 12) Tj ET\n"


def _bomb() -> bytes:
    """A gigabyte of text in twelve kilobytes."""
    packed = zlib.compressobj(9)
    first, block = (packed.compress(WORDS * 4096) + packed.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    twice = zlib.compress(first + block * 3_500 + packed.flush(), 9)
    return _pdf(_stream(twice, b"/Filter[/FlateDecode/FlateDecode]"))


def _forms_within_forms(depth: int) -> bytes:
    """Ten to the power of ``depth`` texts in two kilobytes."""
    forms = []
    for level in range(depth):
        extra = (
            b"/Type/XObject/Subtype/Form/BBox[0 0 600 800]"
            b"/Resources<</Font<</F 5 0 R>>/XObject<</X %d 0 R>>>>" % (level + 7)
        )
        forms.append(_stream(WORDS if level == depth - 1 else b"/X Do " * 10, extra))
    return _pdf(_stream(b"/X Do " * 10), *forms, resources=b"/XObject<</X 6 0 R>>")


@pytest.mark.skipif(sys.platform == "win32", reason="memory is not limited there")
def test_a_small_pdf_that_wants_a_gigabyte_is_refused_and_the_next_is_read() -> None:
    data = _bomb()
    assert len(data) < 20_000
    assert [one.code for one in read_file(data, "a.pdf").rejections] == ["pdf_too_demanding"]
    (advice,) = read_file(_pdf(_stream(WORDS)), "b.pdf").records
    assert advice.total_mills == 100_000


def test_a_small_pdf_that_wants_minutes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_pdf_text, "MAX_SECONDS", 0.3)
    assert [one.code for one in read_file(_forms_within_forms(7), "a.pdf").rejections] == [
        "pdf_too_demanding"
    ]


def test_a_pdf_without_text_says_so() -> None:
    (refusal,) = read_file(_pdf(_stream(b"0 0 100 100 re f")), "a.pdf").rejections
    assert refusal.code == "remittance_pdf_without_text"
    assert "immagini" in refusal.why("it")


def test_a_pdf_is_read_in_this_process_where_no_other_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_pdf_text, "_WORKER", _pdf_text._Worker())
    monkeypatch.setattr(_pdf_text, "_started", lambda: None)
    assert len(read_file(_pdf(_stream(WORDS)), "a.pdf").records) == 1
    assert [one.code for one in read_file(b"%PDF-1.7 broken", "a.pdf").rejections] == [
        "remittance_pdf_broken"
    ]
    monkeypatch.setattr(_remittance_pdf, "MAX_PASSES", 10)
    assert [one.code for one in read_file(_pdf(_stream(WORDS)), "a.pdf").rejections] == ["file_too_large"]


def test_a_process_that_was_forked_does_not_use_the_worker_of_its_parent() -> None:
    read_file(_pdf(_stream(WORDS)), "a.pdf")
    first = _pdf_text._WORKER._process
    assert first is not None
    _pdf_text._WORKER._owner = -1  # as after a fork
    try:
        assert len(read_file(_pdf(_stream(WORDS)), "a.pdf").records) == 1
        assert _pdf_text._WORKER._process is not first
        os.kill(first.pid, 0)  # it goes on for its own process
    finally:
        os.kill(first.pid, signal.SIGTERM)
        os.waitpid(first.pid, 0)


# -- texts, encodings, archives --------------------------------------------------------------------------

LONG = "Fattura 12/2026 " * 13_000


@pytest.mark.parametrize(
    "data",
    [
        mt940(f":61:2602020202C5,00NTRF\r\n:86:{LONG}", closing="C260202EUR105,00").encode(),
        mt940(":61:2602020202C5,00NTRF", *[":86:" + "x" * 65] * 4_000, closing="C260202EUR105,00").encode(),
        camt(statement(entry("5.00", f"<TxDtls><RmtInf><Ustrd>{LONG}</Ustrd></RmtInf></TxDtls>"))),
        camt(statement(entry("5.00", f"<TxDtls><RmtInf>{'<Ustrd>%s</Ustrd>' * 2_000}</RmtInf></TxDtls>"
                             % tuple(f"{at:0>140}" for at in range(2_000))))),
        f"<OFX><STMTRS><STMTTRN><DTPOSTED>20260202<TRNAMT>5.00<MEMO>{LONG}</STMTTRN></STMTRS></OFX>".encode(),
    ],
    ids=["mt940", "mt940 in lines", "camt", "camt in pieces", "ofx"],
)  # fmt: skip
def test_a_remittance_text_without_end_is_refused_with_its_line(data: bytes) -> None:
    result = read_file(data, "x")
    assert [one.code for one in result.rejections] == ["bank_text_too_long"]
    (found,) = result.statements
    assert (found.transactions, found.is_quarantined) == ((), True)


def test_a_segment_without_end_is_refused() -> None:
    data = f"UNB+UNOC:3+A+B+260101:1000+1'UNH+1+REMADV:D:96A:UN'FTX+AAI+++{LONG}'".encode()
    assert [one.code for one in read_file(data, "x").rejections] == ["file_too_large"]


def test_released_ends_of_segments_belong_to_the_text() -> None:
    body = "UNH+1+REMADV:D:96A:UN'BGM+481+A?'B??'DOC+380+1'MOA+12:5'UNS+S'MOA+12:5'"
    (record,) = read_remadv(f"{body}UNT+7+1'".encode()).records
    assert record.reference == "A'B?"


SOUND_CAMT = camt(statement(entry("5.00", more="<AddtlNtryInf>Società</AddtlNtryInf>"), closing="105.00"))
SOUND_MT = mt940(":61:2602020202C5,00NTRF\r\n:86:Società", closing="C260202EUR105,00")


@pytest.mark.parametrize(
    "data",
    [
        SOUND_CAMT.decode().encode("windows-1252"),
        b"\xef\xbb\xbf" + SOUND_CAMT,
        SOUND_CAMT.decode().replace("UTF-8", "UTF-16").encode("utf-16"),
        SOUND_CAMT.decode().encode("utf-16"),
        SOUND_CAMT.decode().replace("UTF-8", "ISO-8859-1").encode(),
        SOUND_MT.encode("utf-16"),
        SOUND_MT.encode("windows-1252"),
        b"\xef\xbb\xbf" + SOUND_MT.encode(),
    ],
    ids=["1252", "mark", "UTF-16", "UTF-16 as UTF-8", "as Latin-1", "MT UTF-16", "MT 1252", "MT mark"],
)
def test_wrong_encodings_never_change_an_amount_nor_an_accent(data: bytes) -> None:
    (found,) = read_file(data, "x").statements
    assert ([line.amount_mills for line in found.transactions], found.is_quarantined) == ([5_000], False)
    assert found.transactions[0].remittance_text in ("Società", "SocietÃ")


def test_a_file_appended_to_itself() -> None:
    assert [one.code for one in read_file(SOUND_CAMT + SOUND_CAMT, "x").rejections] == ["xml_broken"]
    both = read_file((SOUND_MT + SOUND_MT).encode(), "x").statements
    assert [one.is_quarantined for one in both] == [False, True]


@pytest.mark.parametrize(
    "head",
    [
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>',
        '<!DOCTYPE a SYSTEM "http://attacker.test/a.dtd">',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_xml_with_entities_is_refused_unread(head: str, encoding: str) -> None:
    text = SOUND_CAMT.decode().replace("?><Doc", f"?>{head}<Doc").replace("UTF-8", encoding)
    (refusal,) = read_file(text.encode(encoding), "x").rejections
    assert refusal.code == "xml_dtd"
    assert refusal.why("it") != refusal.why("en")


def test_markup_of_a_thousand_levels_is_refused() -> None:
    deep = b"<a>" * 2_000 + b"</a>" * 2_000
    small = SOUND_CAMT.replace(b"<AddtlNtryInf>", deep + b"<AddtlNtryInf>")
    assert read_file(small, "x").rejections
    # Where long texts are allowed, the parser has no limit of its own.
    large = small.replace(b"Societ", b"x" * (9 * 2**20))
    assert [one.code for one in read_file(large, "x").rejections] == ["file_too_large"]


def test_an_archive_that_grows_without_end() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.xml", b" " * (10 * 2**20))
        archive.writestr("b.xml", SOUND_CAMT)
    result = read_file(out.getvalue(), "a.zip")
    assert [one.code for one in result.rejections] == ["archive_bomb"]
    assert [one.is_quarantined for one in result.statements] == [False]
