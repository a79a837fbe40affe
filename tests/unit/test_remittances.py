"""Remittance advices on every medium: the lines that make the total, and never a guess about money."""

from __future__ import annotations

import io
from datetime import date
from email.message import EmailMessage
from functools import cache

import pytest
import typst
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from saldo.formats.correspondence import is_advice, read_as_remittance
from saldo.formats.detect import read_file
from saldo.formats.records import ReadResult
from saldo.formats.remittances import Remittance, text_advice


def only(result: ReadResult) -> Remittance:
    assert not result.rejections
    [record] = [one for one in result.records if one.kind == "remittance"]
    assert isinstance(record, Remittance)
    return record


def paid(advice: Remittance) -> list[tuple[str, int | None]]:
    return [(line.number, line.paid_mills) for line in advice.lines]


def codes(advice: Remittance) -> list[str]:
    return [notice.code for notice in advice.notices]


# -- ISO 20022 -------------------------------------------------------------------------------------------


def strd(number: str, amount: str, type_: str = "CINV", more: str = "") -> str:
    return (
        f"<Strd><RfrdDocInf><Tp><CdOrPrtry><Cd>{type_}</Cd></CdOrPrtry></Tp><Nb>{number}</Nb>"
        f"<RltdDt>2026-01-15</RltdDt></RfrdDocInf><RfrdDocAmt>{more}"
        f'<RmtdAmt Ccy="EUR">{amount}</RmtdAmt></RfrdDocAmt></Strd>'
    )


def remt(lines: str, total: str = "4100.50", version: str = "04") -> bytes:
    return (
        f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:remt.001.001.{version}"><RmtAdvc><GrpHdr>'
        f"<MsgId>M1</MsgId></GrpHdr><RmtInf><RmtId>R1</RmtId>{lines}<OrgnlPmtInf><Refs><EndToEndId>E2E-1"
        f'</EndToEndId></Refs><Amt><InstdAmt Ccy="EUR">{total}</InstdAmt></Amt><ReqdExctnDt>2026-03-05'
        "</ReqdExctnDt><Dbtr><Nm>Ferramenta Esempio S.r.l.</Nm><Id><OrgId><Othr><Id>IT01234560157</Id></Othr>"
        "</OrgId></Id></Dbtr><DbtrAcct><Id><IBAN>IT60X0542811101000000123456</IBAN></Id></DbtrAcct>"
        "</OrgnlPmtInf></RmtInf></RmtAdvc></Document>"
    ).encode()


LINES = (
    strd("FT 101", "1200.00", more='<DuePyblAmt Ccy="EUR">1220.00</DuePyblAmt><DscntApldAmt>'
         '<Amt Ccy="EUR">20.00</Amt></DscntApldAmt>')
    + strd("FT 102", "3000.50")
    + strd("NC 5", "100.00", "CREN")
)  # fmt: skip


@pytest.mark.parametrize("version", ["02", "04", "06"])
def test_iso_message(version: str) -> None:
    advice = only(read_file(remt(LINES, version=version), "r.xml"))
    assert paid(advice) == [("FT 101", 1_200_000), ("FT 102", 3_000_500), ("NC 5", -100_000)]
    assert (advice.total_mills, advice.adds_up, advice.notices) == (4_100_500, True, ())
    first = advice.lines[0]
    assert (first.gross_mills, first.discount_mills, first.document_date) == (
        1_220_000,
        20_000,
        date(2026, 1, 15),
    )
    assert (advice.payer_name, advice.payer_vat) == ("Ferramenta Esempio S.r.l.", "IT01234560157")
    assert (advice.payer_iban, advice.payment_date) == ("IT60X0542811101000000123456", date(2026, 3, 5))
    assert (advice.reference, advice.end_to_end_id, advice.currency) == ("R1", "E2E-1", "EUR")


def test_iso_lines_stay_where_the_sum_is_wrong() -> None:
    advice = only(read_file(remt(LINES, "4000.00"), "r.xml"))
    assert (advice.adds_up, len(advice.lines), codes(advice)) == (False, 3, ["remittance_sum_differs"])


def test_iso_bad_advice_is_refused_and_the_next_is_read() -> None:
    good = remt(LINES).decode()
    block = good[good.index("<RmtInf>") : good.index("</RmtInf>") + len("</RmtInf>")]
    bad = block.replace("3000.50", "3.000,50")
    result = read_file(good.replace(block, bad + block).encode(), "r.xml")
    assert [one.position for one in result.records] == [2]
    assert [(one.code, one.where) for one in result.rejections] == [
        ("remittance_amount_unreadable", "RmtInf[1]")
    ]


# -- EDIFACT ---------------------------------------------------------------------------------------------

REMADV = (
    "UNH+1+REMADV:D:96A:UN'BGM+481+AV?+17+9'DTM+137:20260304:102'DTM+138:20260305:102'"
    "NAD+PR+123::92++FERRAMENTA ESEMPIO SRL?: CENTRO'RFF+VA:IT01234560157'NAD+PE+9::92'CUX+2:EUR:11'"
    "DOC+380+FT 101'MOA+9:1220,00'MOA+12:1200,00'MOA+52:20,00'DTM+171:20260115:102'"
    "DOC+380+FT 102'MOA+12:3000,50'DOC+381+NC 5'MOA+12:100,00'"
    "UNS+S'MOA+12:4100,50'"
)


def interchange(message: str, count: int | None = None, una: str = "UNA:+,? '") -> bytes:
    number = message.count("'") + 1 if count is None else count
    return f"{una}UNB+UNOC:3+A+B+260305:1000+1'{message}UNT+{number}+1'UNZ+1+1'".encode("latin-1")


def test_edifact_message() -> None:
    advice = only(read_file(interchange(REMADV), "r.edi"))
    assert paid(advice) == [("FT 101", 1_200_000), ("FT 102", 3_000_500), ("NC 5", -100_000)]
    assert (advice.total_mills, advice.adds_up, advice.currency) == (4_100_500, True, "EUR")
    assert (advice.reference, advice.payment_date) == ("AV+17", date(2026, 3, 5))
    assert (advice.payer_name, advice.payer_vat) == ("FERRAMENTA ESEMPIO SRL: CENTRO", "IT01234560157")
    assert (advice.lines[0].gross_mills, advice.lines[0].discount_mills) == (1_220_000, 20_000)
    assert advice.lines[0].document_date == date(2026, 1, 15)


def test_edifact_with_service_characters_and_line_breaks_of_its_own() -> None:
    other = REMADV.replace("?:", "\x00").replace("'", "~\n").replace("+", "*").replace("?*", "!*")
    other = other.replace(":", "|").replace(",", ".").replace("\x00", ":")
    data = f"UNA|*.! ~\nUNB*UNOA|2*A*B*260305|1000*1~\n{other}UNT*{REMADV.count(chr(39)) + 1}*1~\nUNZ*1*1~\n"
    assert only(read_file(data.encode(), "r.edi")).adds_up


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (interchange(REMADV, count=12), "edifact_count_differs"),
        (interchange(REMADV.replace("REMADV", "INVOIC")), "edifact_not_read"),
        (interchange(REMADV.replace("3000,50", "3.000,50")), "remittance_amount_unreadable"),
        (b"UNA:+.? 'UNB+UNOC:3+A+B+260305:1000+1'UNZ+0+1'", "remittance_empty"),
    ],
)
def test_edifact_refused(data: bytes, code: str) -> None:
    result = read_file(data, "r.edi")
    assert ([one.code for one in result.rejections], result.records) == ([code], ())


# -- words -----------------------------------------------------------------------------------------------

ITALIAN = """Buongiorno,
Vi comunichiamo di aver disposto bonifico di € 12.345,67 a saldo delle fatture 123 del 31/01/2026
€ 10.000,00 e 124 del
15/02/2026 € 2.345,67, valuta 05/03/2026. TRN 0306912345678901

Ferramenta Esempio S.r.l.
"""
LIST = """Spett.le Fornitore,
abbiamo disposto in data 5 marzo 2026 un bonifico di
€ 4.120,50 a saldo delle seguenti fatture:

FT 101/2026 del 15/01/2026   1.220,00
FT 102/2026 del 16/01/2026   3.000,50
NC 5/2026 del 20/01/2026       100,00
"""
ENGLISH = (
    "Dear Sirs, on 5 March 2026 we have transferred EUR 1,500.50 for invoices INV-2026-0001 (EUR 1,000.00) "
    "and INV-2026-0002 dated 31/01/2026 (EUR 500.50)."
)


@pytest.mark.parametrize(
    ("text", "total", "lines"),
    [
        (ITALIAN, 12_345_670, [("123", 10_000_000), ("124", 2_345_670)]),
        (LIST, 4_120_500, [("FT 101/2026", 1_220_000), ("FT 102/2026", 3_000_500), ("NC 5/2026", -100_000)]),
        (ENGLISH, 1_500_500, [("INV-2026-0001", 1_000_000), ("INV-2026-0002", 500_500)]),
        (
            "Abbiamo effettuato bonifico di € 1.000,00 a saldo fattura n. 123 del 31 gennaio 2026",
            1_000_000,
            [("123", 1_000_000)],
        ),
        (
            "Avviso di pagamento\n1 FT 10 15/01/2026 100,00 2,00 98,00\n2 FT 11 15/01/2026 50,00 0,00 50,00\n"
            "Totale 148,00 EUR",
            148_000,
            [("FT 10", 98_000), ("FT 11", 50_000)],
        ),
    ],
)
def test_words_that_add_up(text: str, total: int, lines: list[tuple[str, int]]) -> None:
    advice = text_advice(text)
    assert advice is not None
    assert (advice.total_mills, advice.adds_up, paid(advice), codes(advice)) == (total, True, lines, [])


def test_facts_in_words() -> None:
    advice = text_advice(ITALIAN)
    assert advice is not None
    assert (advice.payment_date, advice.end_to_end_id) == (date(2026, 3, 5), "0306912345678901")
    assert (advice.payer_name, advice.currency) == ("Ferramenta Esempio S.r.l.", "EUR")
    assert advice.lines[0].document_date == date(2026, 1, 31)
    listed = text_advice(LIST)
    assert listed is not None and listed.payment_date == date(2026, 3, 5)


@pytest.mark.parametrize(
    ("text", "numbers", "code"),
    [
        (ITALIAN.replace("€ 2.345,67", "€ 2.345,68"), ("123", "124"),
         "remittance_sum_differs"),
        ("Abbiamo disposto bonifico di € 3.000,00 per le fatture 123, 124 e 125", ("123", "124", "125"),
         "remittance_amounts_missing"),
        ("Abbiamo disposto bonifico di € 100,00, cordiali saluti", (), "remittance_lines_missing"),
        ("Abbiamo disposto bonifico di € 100,00 per ft 12 € 60,00 e ft 13 € 50,00", ("12", "13"),
         "remittance_sum_differs"),
        ("Abbiamo disposto bonifico di € 100,00 per ft 12 € 1.000 e ft 13 € 50,00", ("12", "13"),
         "remittance_amount_ambiguous"),
    ],
)  # fmt: skip
def test_words_that_do_not_add_up_give_numbers_only(text: str, numbers: tuple[str, ...], code: str) -> None:
    advice = text_advice(text)
    assert advice is not None
    assert (advice.lines, advice.document_refs, codes(advice)) == ((), numbers, [code])
    assert advice.adds_up is not True


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("per fattura 123 - per informazioni tel. 045 1234567", [("123", None)]),
        ("per fattura 123 vs. ordine 4500123 del 3/2/2026", [("123", None)]),
        ("per fattura n. 123 del 2026", [("123", None)]),
        (
            "per fattura 77/2026 del 10.01.26. IBAN IT60X0542811101000000123456",
            [("77/2026", date(2026, 1, 10))],
        ),
        ("a saldo fatture 2026", []),
        ("per fattura 123 e altre", []),
        ("per le fatture dal n. 123 al n. 130", []),
        ("in acconto sulla fattura 123 di € 5.000,00", []),
    ],
)
def test_other_numbers_are_no_documents(text: str, lines: list[tuple[str, date | None]]) -> None:
    advice = text_advice(f"Abbiamo disposto bonifico di € 1.000,00 {text}")
    assert advice is not None
    assert [(line.number, line.document_date) for line in advice.lines] == lines


@pytest.mark.parametrize(
    "text",
    [
        "Pagheremo la fattura 123 di € 100,00 con bonifico entro il 31/03/2026",
        "La fattura 123 di € 100,00 non ci risulta",
        "Confermiamo che il bonifico di € 300,00 per la fattura 45 sarà effettuato il 31/03/2026",
        "Vi segnaliamo che il bonifico di € 300,00 della fattura 45 ci è stato stornato",
        "Non abbiamo effettuato il bonifico di € 300,00 della fattura 45",
        "Abbiamo disposto due bonifici: € 100,00 per fattura 1 e € 200,00 per fattura 2",
        "We have paid invoice 123 last week",
        "Vi comunichiamo che il bonifico di € 1.000 è partito",
        "",
    ],
)
def test_other_words_are_no_advice(text: str) -> None:
    assert text_advice(text) is None


def mail(text: str, **attachments: bytes) -> bytes:
    made = EmailMessage()
    made["From"], made["Message-ID"], made["Subject"] = "a@example.com", "<1@example.com>", "Pagamento"
    made.set_content(text)
    for name, data in attachments.items():
        made.add_attachment(data, "application", "octet-stream", filename=name.replace("_", "."))
    return bytes(made)


def test_a_mail_gives_its_message_and_its_advice() -> None:
    result = read_file(mail(ITALIAN), "m.eml")
    assert [one.kind for one in result.records] == ["message", "remittance"]
    quoted = "ok\n\nIl giorno 5 marzo 2026 X <x@example.test> ha scritto:\n" + ITALIAN
    assert [one.kind for one in read_file(mail(quoted), "m.eml").records] == ["message"]


# -- PDF -------------------------------------------------------------------------------------------------

HEADING = """
Ferramenta Esempio S.r.l. \\
P.IVA 01234560157
#v(1cm)
Spett.le \\
Officine Prova S.p.A. \\
P.IVA 09876540585

*Avviso di pagamento* n. AP-17 \\
Data pagamento: 05/03/2026
"""
GRID = """
#table(columns: 6, [N.], [Fattura], [Data], [Importo lordo], [Sconto], [Importo pagato],
  [1], [FT 101/2026], [15/01/2026], [1.220,00], [20,00], [1.200,00],
  [2], [102/2026], [16/01/2026], [3.000,50], [], [3.000,50],
  [3], [NC 5/2026], [20/01/2026], [-100,00], [], [-100,00])
Totale bonifico EUR 4.100,50
"""


@cache
def pdf(content: str) -> bytes:
    return bytes(typst.compile(f"#set page(width: 210mm, height: 297mm)\n{content}".encode()))


def test_pdf_with_a_table() -> None:
    advice = only(read_file(pdf(HEADING + GRID), "avviso.pdf"))
    assert paid(advice) == [("FT 101/2026", 1_200_000), ("102/2026", 3_000_500), ("NC 5/2026", -100_000)]
    assert (advice.total_mills, advice.adds_up, advice.medium) == (4_100_500, True, "pdf")
    assert (advice.lines[0].gross_mills, advice.lines[0].discount_mills) == (1_220_000, 20_000)
    assert advice.lines[1].document_date == date(2026, 1, 16)
    assert (advice.payer_name, advice.payer_vat) == ("Ferramenta Esempio S.r.l.", "IT01234560157")
    assert (advice.payment_date, advice.reference) == (date(2026, 3, 5), "AP-17")


def test_pdf_in_english_without_a_header() -> None:
    content = """Remittance advice \\ Payment date: 05/03/2026 \\ Payer: Example Tools Ltd

#table(columns: 3, stroke: none, [INV-0101], [15/01/2026], [1,220.00], [INV-0102], [16/01/2026], [3,000.50])
Total payment GBP 4,220.50
"""
    advice = only(read_file(pdf(content), "advice.pdf"))
    assert paid(advice) == [("INV-0101", 1_220_000), ("INV-0102", 3_000_500)]
    assert (advice.currency, advice.payer_name, advice.adds_up) == ("GBP", "Example Tools Ltd", True)


def test_pdf_that_does_not_add_up() -> None:
    advice = only(read_file(pdf(HEADING + GRID.replace("4.100,50", "4.200,50")), "avviso.pdf"))
    assert (advice.lines, advice.total_mills, advice.adds_up) == ((), 4_200_500, False)
    assert advice.document_refs == ("FT 101/2026", "102/2026", "NC 5/2026")
    assert codes(advice) == ["remittance_sum_differs"]
    assert "4200.50" in advice.notices[0].why("en") and "100.00" in advice.notices[0].why("it")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("Listino prezzi 2026", "remittance_not_recognized"),
        ("#rect(width: 5cm, height: 5cm)", "remittance_pdf_without_text"),
    ],
)
def test_other_pdfs_are_refused(content: str, code: str) -> None:
    assert [one.code for one in read_file(pdf(content), "x.pdf").rejections] == [code]


def test_attached_pdf_is_read_and_others_stay_companions() -> None:
    result = read_file(mail("in allegato", avviso_pdf=pdf(HEADING + GRID), l_pdf=pdf("Listino")), "m.eml")
    assert [(one.kind, one.source) for one in result.records] == [
        ("message", None),
        ("remittance", "m.eml/avviso.pdf"),
    ]
    assert [one.code for one in result.notices] == ["companion_not_read"]


# -- tables ----------------------------------------------------------------------------------------------


def workbook(rows: list[list[object]]) -> bytes:
    book = Workbook()
    assert book.active is not None
    for row in rows:
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


ROWS: list[list[object]] = [
    ["Avviso di pagamento"],
    ["Ordinante:", "Ferramenta Esempio S.r.l."],
    ["Data pagamento", date(2026, 3, 5)],
    [],
    ["Numero fattura", "Data fattura", "Importo fattura", "Sconto", "Importo pagato (EUR)", "Note"],
    ["FT 101", date(2026, 1, 15), 1220, 20, 1200.0, "sconto 2%"],
    [102, date(2026, 1, 16), 3000.5, None, 3000.5, None],
    ["NC 5", date(2026, 1, 20), -100, None, -100, None],
    ["Totale", None, None, None, 4100.5, None],
]


def test_workbook() -> None:
    data = workbook(ROWS)
    assert is_advice(data, "a.xlsx", "xlsx")
    advice = only(read_as_remittance(data, "a.xlsx", "xlsx"))
    assert paid(advice) == [("FT 101", 1_200_000), ("102", 3_000_500), ("NC 5", -100_000)]
    assert (advice.total_mills, advice.adds_up, advice.currency) == (4_100_500, True, "EUR")
    assert (advice.payment_date, advice.payer_name) == (date(2026, 3, 5), "Ferramenta Esempio S.r.l.")
    first = advice.lines[0]
    assert (first.gross_mills, first.discount_mills, first.reason) == (1_220_000, 20_000, "sconto 2%")
    assert first.document_date == date(2026, 1, 15)


@pytest.mark.parametrize(
    "text",
    [
        "Fattura;Data;Importo pagato\n101;15/01/2026;1.200,00\n102;16/01/2026;1.000\nTotale;;2.200,00\n",
        "Invoice No,Date,Amount paid\n101,15/01/2026,1200.00\n102,16/01/2026,1000\nTotal,,2200.00\n",
        "Rechnungsnummer;Datum;Zahlbetrag\n101;15.01.2026;1200,00\n102;16.01.2026;1000,00\nSumme;;2200,00\n",
        'N° facture;Date;Montant payé\n101;15/01/2026;"1 200,00"\n102;16/01/2026;1000,00\nTotal;;2200,00\n',
    ],
)
def test_delimited_text_in_four_languages(text: str) -> None:
    assert is_advice(text.encode(), "a.csv", "csv")
    advice = only(read_as_remittance(text.encode(), "a.csv", "csv"))
    assert paid(advice) == [("101", 1_200_000), ("102", 1_000_000)]
    assert (advice.adds_up, advice.lines[0].document_date) == (True, date(2026, 1, 15))


def test_table_that_does_not_add_up_gives_numbers_only() -> None:
    advice = only(read_as_remittance(b"Fattura;Pagato\n101;10,00\n102;20,00\nTotale;31,00\n", "a.csv", "csv"))
    assert (advice.lines, advice.document_refs, advice.adds_up) == ((), ("101", "102"), False)


def test_table_without_a_total_says_so() -> None:
    advice = only(read_as_remittance(b"Fattura;Pagato\n101;10,00\n102;20,00\n", "a.csv", "csv"))
    assert (paid(advice), advice.adds_up) == ([("101", 10_000), ("102", 20_000)], None)
    assert codes(advice) == ["remittance_total_missing"]


def test_rows_that_cannot_be_read_are_refused_one_by_one() -> None:
    text = b"Fattura;Pagato\n101;10,00\n102;1.000\n103;circa 5\n;7,00\nTotale;10,00\n"
    result = read_as_remittance(text.replace(b"101;10,00", b"101;10"), "a.csv", "csv")
    assert [(one.code, one.row) for one in result.rejections] == [
        ("remittance_amount_unreadable", 4),
        ("remittance_number_missing", 5),
    ]
    ambiguous = read_as_remittance(b"Fattura;Pagato\n101;1.000\n102;2.000\n", "a.csv", "csv")
    assert [one.code for one in ambiguous.rejections] == ["remittance_amount_unreadable"] * 2


@pytest.mark.parametrize(
    "text",
    [
        b"numero;data;importo\n1;2026-01-31;10,00\n",
        b"Cliente;Fattura;Scadenza;Importo pagato;Residuo\nA;1;31/01/2026;0,00;10,00\n",
        b"Invoice number,Due date,Paid amount,Open\n1,2026-01-31,0.00,10.00\n",
        b"a;b\n1;2\n",
    ],
)
def test_lists_of_open_items_are_no_advices(text: bytes) -> None:
    assert not is_advice(text, "a.csv", "csv")


def test_attached_workbook() -> None:
    result = read_file(mail("in allegato", avviso_xlsx=workbook(ROWS)), "m.eml")
    assert (only(result).adds_up, result.rejections) == (True, ())


# -- never -----------------------------------------------------------------------------------------------

SAMPLES = [
    remt(LINES),
    interchange(REMADV),
    mail(LIST),
    workbook(ROWS),
    b"Fattura;Pagato\n1;1,00\nTotale;1,00\n",
]


@given(
    st.integers(0, len(SAMPLES)),
    st.lists(st.tuples(st.integers(0, 10**5), st.integers(0, 9), st.binary(max_size=4)), max_size=5),
)
@settings(max_examples=200, deadline=None)
def test_never_raises(which: int, changes: list[tuple[int, int, bytes]]) -> None:
    data = [*SAMPLES, pdf(HEADING + GRID)][which]
    for place, cut, put in changes:
        place %= len(data) + 1
        data = data[:place] + put + data[place + cut :]
    result = read_file(data, "x")
    for language in ("it", "en"):
        result.as_json(language)
    is_advice(data, "x", "csv")


@given(st.text(alphabet="0123456789., €EURfatur-/()bonicdspe\n'", max_size=300))
@settings(max_examples=300, deadline=None)
def test_lines_from_words_always_make_the_total(text: str) -> None:
    advice = text_advice("Abbiamo disposto bonifico di " + text)
    if advice is not None and advice.lines:
        assert sum(line.paid_mills or 0 for line in advice.lines) == advice.total_mills


def test_edifact_cut_between_messages_says_so() -> None:
    data = interchange(REMADV).replace(b"UNZ+1+1'", b"")
    result = read_file(data, "r.edi")
    assert (len(result.records), [one.code for one in result.rejections]) == (1, ["edifact_interchange_cut"])


@given(st.integers(0, 400))
@settings(max_examples=60, deadline=None)
def test_cut_anywhere_nothing_is_lost_silently(place: int) -> None:
    data = interchange(REMADV)
    result = read_file(data[:place], "r.edi")
    assert result.rejections or place >= len(data) - len("+1'")
