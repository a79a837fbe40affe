"""FatturaPA: totals, expected cash, installments, kinds, and what is refused."""

from __future__ import annotations

from datetime import date

import pytest

from saldo.formats.fatturapa import read_fatturapa
from saldo.formats.receivables import RECEIVABLES_SCHEMA, frame_of
from saldo.formats.records import InvoiceRecord
from tests.fatturapa_samples import (
    BUYER,
    SELLER,
    body,
    invoice,
    party,
    payment,
    simplified,
    summary,
    withholding,
)


def read_one(*bodies: str, **options: str) -> InvoiceRecord:
    result = read_fatturapa(invoice(*bodies, **options).encode())
    assert not result.rejections, [r.why() for r in result.rejections]
    assert len(result.invoices) == 1
    return result.invoices[0]


def codes(record: InvoiceRecord) -> list[str]:
    return [notice.code for notice in record.notices]


def discount(kind: str, amount: str) -> str:
    return f"<ScontoMaggiorazione><Tipo>{kind}</Tipo>{amount}</ScontoMaggiorazione>"


SPLIT = {"total": "122.00", "summaries": summary("100.00", "22.00", "S")}
WITHHELD = {"total": "122.00", "general": withholding("20.00")}
BOTH = {"total": "122.00", "summaries": summary("100.00", "22.00", "S"), "general": withholding("20.00")}


# payments as written -> (expected, split VAT, withholding) of each installment, and the notices
@pytest.mark.parametrize(
    ("fields", "asked", "expected", "notices"),
    [
        ({}, [], [(122_000, 0, 0)], []),
        ({}, ["61.00", "61.00"], [(61_000, 0, 0), (61_000, 0, 0)], []),
        (SPLIT, [], [(100_000, 22_000, 0)], []),
        (SPLIT, ["100.00"], [(100_000, 22_000, 0)], []),
        (SPLIT, ["122.00"], [(100_000, 22_000, 0)], []),
        (SPLIT, ["33.33", "66.67"], [(33_330, 7_330, 0), (66_670, 14_670, 0)], []),
        (SPLIT, ["61.00", "61.00"], [(50_000, 11_000, 0), (50_000, 11_000, 0)], []),
        (WITHHELD, ["102.00"], [(102_000, 0, 20_000)], []),
        (WITHHELD, ["122.00"], [(102_000, 0, 20_000)], []),
        (BOTH, ["80.00"], [(80_000, 22_000, 20_000)], []),
        (BOTH, ["100.00"], [(80_000, 22_000, 20_000)], []),
        (BOTH, ["102.00"], [(80_000, 22_000, 20_000)], []),
        (BOTH, ["122.00"], [(80_000, 22_000, 20_000)], []),
        # A cent of rounding is no disagreement.
        ({}, ["40.67", "40.67", "40.67"], [(40_670, 0, 0)] * 3, []),
        # Part of it already paid: what is asked for counts.
        ({}, ["72.00"], [(72_000, 0, 0)], ["fatturapa_payments_differ"]),
        (SPLIT, ["40.00"], [(40_000, 0, 0)], ["fatturapa_payments_differ"]),
        # Two banks for one payment.
        ({}, ["122.00", "122.00"], [(122_000, 0, 0)], ["fatturapa_alternative_payments"]),
        (SPLIT, ["100.00", "100.00"], [(100_000, 22_000, 0)], ["fatturapa_alternative_payments"]),
        ({}, ["0.00"], [(122_000, 0, 0)], ["fatturapa_payments_without_amount"]),
        ({}, ["150.00", "-28.00"], [(150_000, 0, 0), (-28_000, 0, 0)], []),
        # The stated total is already net of what is withheld.
        (
            {"total": "102.00", "general": withholding("15.00") + withholding("5.00", "RT03")},
            ["102.00"],
            [(102_000, 0, 20_000)],
            [],
        ),
    ],
)
def test_expected_cash(
    fields: dict[str, str], asked: list[str], expected: list[tuple[int, int, int]], notices: list[str]
) -> None:
    record = read_one(body(**fields, payments="".join(payment(amount) for amount in asked)))
    shares = [(i.expected_mills, i.split_vat_mills, i.withholding_mills) for i in record.installments]
    assert shares == expected
    assert record.expected_cash_mills == sum(share[0] for share in shares)
    assert codes(record) == notices


def test_frame_amounts_less_deductions_are_the_expected_cash() -> None:
    record = read_one(body(**BOTH, payments=payment("61.00", "2026-03-31") + payment("61.00", "2026-04-30")))
    frame = frame_of([record])
    assert frame.schema == RECEIVABLES_SCHEMA
    assert frame["amount_mills"].to_list() == [61_000, 61_000]
    net = frame["amount_mills"] - frame["split_vat_mills"] - frame["withholding_mills"]
    assert net.sum() == record.expected_cash_mills == 80_000
    assert frame["due_date"].to_list() == [date(2026, 3, 31), date(2026, 4, 30)]
    assert frame["customer_vat"].unique().to_list() == ["".join(BUYER)]
    assert frame["company_vat"].unique().to_list() == ["".join(SELLER)]
    assert frame["row"].to_list() == [1, 2]


# ImportoTotaleDocumento is missing in a third of real files.
@pytest.mark.parametrize(
    ("general", "summaries", "payments", "total"),
    [
        ("", summary("100.00", "22.00") + summary("50.00", "0.00"), "", 172_000),
        ("<Arrotondamento>-0.01</Arrotondamento>", None, "", 121_990),
        ("<DatiBollo><ImportoBollo>2.00</ImportoBollo></DatiBollo>", None, "", 122_000),
        ("<DatiBollo><ImportoBollo>2.00</ImportoBollo></DatiBollo>", None, payment("124.00"), 124_000),
        (discount("SC", "<Importo>12.00</Importo>"), None, "", 110_000),
        (discount("MG", "<Percentuale>10.00</Percentuale>"), None, "", 134_200),
    ],
)
def test_missing_total_is_computed(general: str, summaries: str | None, payments: str, total: int) -> None:
    record = read_one(body(total=None, general=general, summaries=summaries, payments=payments))
    assert (record.total_mills, record.expected_cash_mills, record.total_computed) == (total, total, True)
    assert codes(record) == ["fatturapa_total_computed"]


@pytest.mark.parametrize(
    ("document_type", "kind"),
    [("TD01", "invoice"), ("TD02", "invoice"), ("TD04", "credit_note"), ("TD05", "debit_note"),
     ("TD16", "self_invoice"), ("TD20", "self_invoice"), ("TD24", "invoice"), ("TD25", "invoice"),
     ("TD26", "invoice"), ("TD27", "self_invoice"), ("TD29", "self_invoice"), ("TD99", "invoice")],
)  # fmt: skip
def test_kind_by_document_type(document_type: str, kind: str) -> None:
    record = read_one(body(document_type=document_type))
    assert record.kind == kind
    assert frame_of([record]).height == (0 if kind == "self_invoice" else 1)


@pytest.mark.parametrize(
    ("document_type", "sign"), [("TD04", ""), ("TD04", "-"), ("TD01", "-")], ids=["TD04", "-TD04", "-TD01"]
)
def test_credit_notes_lower_what_is_owed_however_they_are_signed(document_type: str, sign: str) -> None:
    record = read_one(
        body(
            document_type=document_type,
            total=f"{sign}122.00",
            summaries=summary(f"{sign}100.00", f"{sign}22.00", "S"),
            payments=payment(f"{sign}100.00"),
        )
    )
    frame = frame_of([record])
    assert record.kind == "credit_note"
    assert frame["amount_mills"].to_list() == [-100_000]
    assert frame["split_vat_mills"].to_list() == [0]


def test_lot_keeps_good_bodies_when_one_is_refused() -> None:
    bad = body(number="2", payments=payment("1.234,56"))
    result = read_fatturapa(invoice(body(number="1"), bad, body(number="3")).encode())
    assert [(record.number, record.position) for record in result.invoices] == [("1", 1), ("3", 3)]
    [rejection] = result.rejections
    assert rejection.code == "fatturapa_bad_amount"
    assert rejection.excerpt == "1.234,56"
    assert rejection.where == "FatturaElettronicaBody[2]/DatiPagamento/DettaglioPagamento[1]/ImportoPagamento"


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        (body(day="2026-02-31"), "fatturapa_bad_date"),
        (body(day="31/01/2026"), "fatturapa_bad_date"),
        (body(payments=payment("122.00", "2026-02-31")), "fatturapa_bad_date"),
        (body(total="1e9"), "fatturapa_bad_amount"),
        (body(total="12.3456"), "fatturapa_bad_amount"),
        (body(total="9" * 18), "fatturapa_bad_amount"),
        (body(total="9" * 5000), "fatturapa_bad_amount"),
        (body(number=""), "fatturapa_missing_element"),
        (body(total=None, summaries=""), "fatturapa_missing_element"),
        (body(payments=payment("61.00") + payment(None)), "fatturapa_missing_element"),
        ("<Altro/>", "fatturapa_without_body"),
    ],
)
def test_refused(broken: str, code: str) -> None:
    result = read_fatturapa(invoice(broken).encode())
    assert [rejection.code for rejection in result.rejections] == [code]
    assert not result.invoices
    assert all(
        rejection.why(lang) and rejection.remedy(lang)
        for rejection in result.rejections
        for lang in ("it", "en")
    )


def test_refused_without_buyer() -> None:
    result = read_fatturapa(invoice(buyer="").encode())
    assert [rejection.code for rejection in result.rejections] == ["fatturapa_missing_element"]


@pytest.mark.parametrize("written", ["122.00", " 122.00 ", "122", "+122.0", "122,00", "\n122.00\n"])
def test_amounts_as_real_files_write_them(written: str) -> None:
    assert read_one(body(total=written)).total_mills == 122_000


@pytest.mark.parametrize("written", ["2026-01-31", " 2026-01-31 ", "2026-01-31+01:00", "2026-01-31Z"])
def test_dates_as_real_files_write_them(written: str) -> None:
    assert read_one(body(day=written)).document_date == date(2026, 1, 31)


def test_due_date_from_days_and_reference_date() -> None:
    days = "<DataRiferimentoTerminiPagamento>2026-01-31</DataRiferimentoTerminiPagamento>" \
           "<GiorniTerminiPagamento>30</GiorniTerminiPagamento>"  # fmt: skip
    [part] = read_one(body(payments=payment("122.00", extra=days))).installments
    assert (part.due_date, part.due_date_derived, part.terms_text) == (date(2026, 3, 2), True, "30 gg")
    only_days = "<GiorniTerminiPagamento>60</GiorniTerminiPagamento>"
    [part] = read_one(body(payments=payment("122.00", extra=only_days))).installments
    assert (part.due_date, part.due_date_derived, part.terms_text) == (None, False, "60 gg")


def test_placeholder_due_date_is_no_due_date() -> None:
    record = read_one(body(payments=payment("122.00", "0001-01-01")))
    assert record.installments[0].due_date is None
    assert codes(record) == ["placeholder_date"]


def test_advance_is_kept_and_pointed_out() -> None:
    record = read_one(body(payments=payment("122.00")).replace("TP01", "TP03"))
    assert record.expected_cash_mills == 122_000
    assert codes(record) == ["fatturapa_advance_payment"]


def test_payment_details_and_references() -> None:
    extra = "<Beneficiario>Factor Esempio SpA</Beneficiario><IBAN>it60 x054 2811 1010 0000 0123 456</IBAN>"
    other = (
        "<DatiOrdineAcquisto><IdDocumento>PO-7</IdDocumento></DatiOrdineAcquisto>"
        "<DatiFattureCollegate><IdDocumento>9/2026</IdDocumento></DatiFattureCollegate>"
    )
    record = read_one(body(payments=payment("122.00", "2026-03-31", "MP12", extra), other=other))
    [part] = record.installments
    assert (part.method, part.conditions, part.payee) == ("MP12", "TP01", "Factor Esempio SpA")
    assert part.iban == "IT60X0542811101000000123456"
    assert (record.order_refs, record.related_invoices) == (("PO-7",), ("9/2026",))
    assert frame_of([record])["order_ref"].to_list() == ["PO-7"]


@pytest.mark.parametrize(
    ("written", "read", "valid"),
    [
        (("IT", BUYER[1]), "".join(BUYER), True),
        (("it", f" IT {BUYER[1]} "), "".join(BUYER), True),
        (("IT", "12345678901"), "IT12345678901", False),
        (("DE", "136695976"), "DE136695976", True),
        (("US", "99-1234567"), "US991234567", True),
    ],
)
def test_vat_numbers(written: tuple[str, str], read: str, valid: bool) -> None:
    record = read_one(buyer=party("CessionarioCommittente", written, "Cliente"))
    assert record.buyer_vat == read
    assert codes(record) == ([] if valid else ["vat_number_checksum"])


def test_private_customer_by_tax_code() -> None:
    buyer = party("CessionarioCommittente", None, "Maria Rossi", tax_code="rssmra80a01h501u")
    record = read_one(buyer=buyer)
    assert (record.buyer_vat, record.buyer_tax_code, record.buyer_country) == (None, "RSSMRA80A01H501U", "IT")


def test_simplified_invoice() -> None:
    result = read_fatturapa(simplified().encode())
    [record] = result.invoices
    assert (record.kind, record.total_mills, record.buyer_name) == ("invoice", 61_000, "Maria Rossi")
    assert (record.seller_vat, record.buyer_tax_code) == ("".join(SELLER), "RSSMRA80A01H501U")
    [credit] = read_fatturapa(simplified(document_type="TD08").encode()).invoices
    assert frame_of([credit])["amount_mills"].to_list() == [-61_000]


def test_json_is_stable() -> None:
    record = read_one(body(**SPLIT, payments=payment("100.00", "2026-03-31")))
    data = record.as_json("it")
    expected = {
        "number": "12/2026", "kind": "invoice", "date": "2026-01-31", "currency": "EUR", "total": "122.00",
        "expected_cash": "100.00", "seller_vat": "".join(SELLER), "buyer_vat": "".join(BUYER),
    }  # fmt: skip
    assert {key: data[key] for key in expected} == expected
    [part] = data["installments"]
    assert (part["due_date"], part["amount"], part["method"]) == ("2026-03-31", "100.00", "MP05")
