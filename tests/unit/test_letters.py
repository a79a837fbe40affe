"""Letters as PDF/A: what is in them, how many sheets, the code for the transfer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime

import pypdfium2
import pytest
import segno
from segno import helpers

from saldo.core.message_facts import Line, MessageFacts, Receiver, Sender
from saldo.core.playbook import LETTER
from saldo.outreach.letters.codes import Transfer, code_of, epc_text, transfer_of
from saldo.outreach.letters.typeset import Heading, Letter, Letterhead, Sheet, blocks_of, pdf
from saldo.outreach.templates import example, filled, shipped

AT = datetime(2026, 3, 10, 12, tzinfo=UTC)
IBAN = "IT60X0542811101000000123456"
SENDER = Sender("Officine Brambilla S.p.A.", "IT01234567897", IBAN, "BPCVIT2SXXX", "", {})
NAME = "Caffè Città & Università «Perché» S.r.l."


def letter(code: str = "reminder_2", items: int = 3, language: str = "it", sheet: bool = True) -> Letter:
    template = shipped()[code, "email", language].template
    facts = example(template, sender=SENDER)
    lines = tuple(replace(facts.lines[n % 3], number=f"2026/{n + 1}") for n in range(items))
    facts = replace(facts, lines=lines)
    said = filled(template, facts, LETTER)
    return Letter(
        head=Letterhead(SENDER.name, ("P. IVA IT01234567897",), SENDER.name),
        address=(NAME, "Via dell'Università 12", "20100 Milano (MI)"),
        date="10 marzo 2026",
        subject=said.subject,
        blocks=blocks_of(said.body),
        is_signed=code == "formal_notice",
        transfer=transfer_of(facts, language),
        sheet=(Heading("Estratto conto"),) if sheet else (),
    )


def pages(data: bytes) -> list[str]:
    def texts() -> Iterator[str]:
        with closing(pypdfium2.PdfDocument(data)) as document:
            for page in document:
                with closing(page.get_textpage()) as text:
                    yield " ".join(text.get_text_range().split())

    return list(texts())


def test_a_letter_is_pdf_a_2b_and_always_the_same_bytes() -> None:
    data = pdf([letter()], "it", "Lettera", AT)
    assert re.search(rb"<pdfaid:part>2</pdfaid:part>\s*<pdfaid:conformance>B<", data)
    # PDF/A allows no fonts that are not inside.
    assert b"/FontFile" in data
    assert data == pdf([letter()], "it", "Lettera", AT)


def test_what_stands_in_a_letter() -> None:
    first, second = pages(pdf([letter()], "it", "Lettera", AT))
    told = ("Via dell'Università 12", "Oggetto: Secondo sollecito", "2026/3", "7.450,00", "Pagina 1 di 2")
    for text in (NAME, *told, "Per pagare inquadrate"):
        assert text in first
    assert "Estratto conto" in second and "Pagina 2 di 2" in second


def test_a_formal_notice_is_one_page_with_a_line_to_sign_on() -> None:
    first, second = pages(pdf([letter("formal_notice")], "it", "Lettera", AT))
    assert "art. 1219 del codice civile" in first and "art. 2943" in first and "Firma" in first
    assert "Per pagare inquadrate" in second


def test_five_hundred_items_over_many_pages_all_there_under_their_header() -> None:
    told = pages(pdf([letter("last_reminder", 500, "en")], "en", "Letter", AT))
    whole = "\n".join(told)
    assert all(f"2026/{n} " in whole for n in range(1, 501))
    assert all("Due date" in page for page in told[:9]) and len(told) > 8
    assert f"Page 1 of {len(told)}" in told[0] and f"Page {len(told)} of {len(told)}" in told[-1]


def test_many_letters_in_one_file_each_on_its_own_sheet() -> None:
    told = pages(
        pdf([letter(sheet=False), letter(), letter("formal_notice")], "it", "Lettere", AT, duplex=True)
    )
    # One page and its empty back, then two letters of two pages.
    assert [text for text in told if not text.strip()] == [told[1]] and len(told) == 6
    assert [n for n, text in enumerate(told) if "Pagina 1 di" in text] == [0, 2, 4]
    assert "Pagina 1 di 1" in told[0]


def test_text_is_text_never_markup() -> None:
    nasty = '#panic("no") $x$ *grassetto* _c_ @ref <a> \\ #let a = 1 [ ] `raw` // commento'
    (text,) = pages(pdf([Sheet(Letterhead(nasty), blocks_of(nasty))], "it", nasty, AT))
    assert text.count("#panic(") == 3 and "*grassetto*" in text and "// commento" in text


@pytest.mark.parametrize("bic", ["", "BPCVIT2SXXX"])
def test_the_code_says_the_transfer(bic: str) -> None:
    transfer = Transfer("Officine Brambilla S.p.A.", IBAN, bic, 1_234_500, "Fatt. 2026/1, 2026/2 cod. È-1")
    expected = ["BCD", "002", "1", "SCT", bic, "Officine Brambilla S.p.A.", IBAN, "EUR1234.5", "", "",
                "Fatt. 2026/1, 2026/2 cod. È-1"]  # fmt: skip
    assert epc_text(transfer).split("\n") == expected
    code = code_of(transfer, "it")
    # The image is that of this text, in the form that the standard wants.
    made = segno.make_qr(epc_text(transfer), error="m", boost_error=False, encoding="utf-8")
    assert made.version <= 13 and made.error == "M" and code.svg == made.svg_inline(border=2)
    assert (
        "1.234,50\N{NO-BREAK SPACE}€" in code.lines[3]
        and "IT60 X054 2811 1010 0000 0123 456" in code.lines[2]
    )


def test_the_code_is_as_the_library_makes_it() -> None:
    transfer = Transfer("Officine Brambilla S.p.A.", IBAN, "", 1_234_500, "Fatt. 2026/1")
    theirs = helpers.make_epc_qr(
        "Officine Brambilla S.p.A.", IBAN, "1234.50", text="Fatt. 2026/1", encoding="utf-8"
    )
    assert code_of(transfer, "it").svg == theirs.svg_inline(border=2)


def facts(mills: int, currency: str = "EUR", iban: str = IBAN, numbers: int = 1) -> MessageFacts:
    day = date(2026, 1, 5)
    lines = tuple(
        Line(n, "installment", f"FATTURA-2026/{n:05}", day, day, mills, mills) for n in range(numbers)
    )
    return MessageFacts(replace(SENDER, iban=iban), Receiver(1, NAME, "C1"), day, currency, lines)


def test_no_code_where_the_standard_has_none() -> None:
    assert transfer_of(facts(1_000), "it") is not None
    for other in (facts(1_000, "USD"), facts(1_005), facts(0), facts(10**13), facts(1_000, iban=""),
                  facts(1_000, iban="IT00X0542811101000000123456")):  # fmt: skip
        assert transfer_of(other, "it") is None


def test_a_long_list_is_named_as_far_as_the_text_goes() -> None:
    transfer = transfer_of(facts(1_000, numbers=40), "it")
    assert transfer is not None and len(transfer.text) <= 140 and transfer.text.endswith("cod. C1")
    assert transfer.mills == 40_000 and len(code_of(transfer, "it").svg) > 1000
