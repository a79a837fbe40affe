"""Slips of receipts and direct debits: refused whole when anything is wrong, else exact."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from lxml import etree

from saldo.formats.riba_slip import MAX_CENTS, SlipHead, SlipReceipt, write_riba_slip
from saldo.formats.sepa_debit import Debit, DebitHead, write_sepa_debits
from tests.collection_samples import DEBIT, DEBITS, DEBITS_HEAD, RECEIPT, RECEIPTS, SLIP

NS = "{urn:iso:std:iso:20022:tech:xsd:pain.008.001.%s}"


def refused(receipts: list[SlipReceipt], head: SlipHead = SLIP) -> list[str]:
    written = write_riba_slip(head, receipts)
    assert (written.data is None) == bool(written.rejections)
    return [one.code for one in written.rejections]


def refused_debits(debits: list[Debit], head: DebitHead = DEBITS_HEAD) -> list[str]:
    written = write_sepa_debits(head, debits)
    assert (written.data is None) == bool(written.rejections)
    return [one.code for one in written.rejections]


def test_every_record_has_its_layout() -> None:
    written = write_riba_slip(SLIP, RECEIPTS)
    assert written.data is not None and written.total_cents == 123_457
    records = written.data.decode("ascii").split("\r\n")
    assert records.pop() == "" and {len(record) for record in records} == {120}
    assert [record[1:3] for record in records] == [
        "IB",
        *["14", "20", "30", "40", "50", "51", "70"] * 2,
        "EF",
    ]
    head, first, creditor, debtor, place, debt, number, _ = records[:8]

    def at(record: str, first: int, last: int) -> str:
        return record[first - 1 : last]

    assert at(head, 4, 39) == "AB01299991020326SALDO-0000000001    " and at(head, 114, 114) == "E"
    assert at(first, 4, 10) == "0000001" and at(first, 23, 28) == "300426" and at(first, 29, 33) == "30000"
    assert at(first, 34, 47) == "0000000123456-" and at(first, 48, 69) == "9999111200000000555001"
    assert at(first, 70, 79) == "9999501600" and at(first, 92, 97) == "AB0124"
    assert at(first, 98, 113) == "C0042           " and at(first, 120, 120) == "E"
    assert at(creditor, 11, 34) == "Officine Esempio Societa" and at(creditor, 35, 58).startswith(
        "Via dell'E"
    )
    assert at(debtor, 11, 70) == "Caffe Pero & Figli S.n.c. di Esempio Inventato Commercio all"
    assert at(debtor, 71, 86).rstrip() == "07771010159"
    assert at(place, 41, 45) == "20100" and at(place, 46, 70) == f"{'Milano':23}MI"
    assert at(debt, 11, 90).rstrip() == "FATT. 12/26 DEL 28/02/2026 RATA 1"
    assert at(debt, 101, 116).rstrip() == "07771000150"
    assert at(number, 11, 20) == "0000000017"
    tail = records[-1]
    assert at(tail, 4, 39) == at(head, 4, 39) and at(tail, 46, 52) == "0000002"
    assert at(tail, 53, 82) == f"{123_457:015d}{0:015d}" and at(tail, 83, 89) == "0000016"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"amount_cents": 0}, "collection_amount_invalid"),
        ({"amount_cents": MAX_CENTS + 1}, "collection_amount_invalid"),
        ({"amount_cents": 12.5}, "collection_amount_invalid"),
        ({"amount_cents": True}, "collection_amount_invalid"),
        ({"debtor_name": "  "}, "collection_name_missing"),
        ({"debtor_tax_code": "07771010150"}, "collection_tax_code_invalid"),
        ({"debtor_tax_code": "IT07771010159"}, "collection_tax_code_invalid"),
        ({"debtor_tax_code": ""}, "collection_tax_code_invalid"),
        ({"debtor_abi": "9999"}, "collection_bank_invalid"),
        ({"debtor_cab": "0160O"}, "collection_bank_invalid"),
        ({"receipt": "12345678901"}, "collection_receipt_invalid"),
        ({"receipt": "A1"}, "collection_receipt_invalid"),
        ({"receipt": "000"}, "collection_receipt_invalid"),
        ({"due_date": date(2070, 1, 1)}, "collection_date_invalid"),
        ({"debt_reference": "F" * 81}, "collection_text_too_long"),
        ({"debt_reference": ""}, "collection_reference_missing"),
        ({"debtor_code": "C" * 17}, "collection_text_too_long"),
    ],
)
def test_a_bad_receipt_refuses_the_slip(change: dict[str, Any], code: str) -> None:
    assert refused([RECEIPT, replace(RECEIPTS[1], **change)]) == [code]


def test_everything_wrong_is_told_at_once() -> None:
    head = replace(SLIP, sia="A1", abi="123", account="", creditor_tax_code="1", name="N" * 21)
    bad = replace(RECEIPT, amount_cents=-1, debtor_abi="", debtor_name="")
    told = refused([bad, replace(RECEIPT, receipt="0017")], head)
    assert told == ["collection_creditor_invalid"] * 5 + [
        "collection_receipt_twice", "collection_amount_invalid", "collection_name_missing",
        "collection_bank_invalid",
    ]  # fmt: skip
    assert refused([]) == ["collection_empty"]


@pytest.mark.parametrize("version", ["02", "08"])
def test_groups_of_debits_add_up(version: str) -> None:
    written = write_sepa_debits(DEBITS_HEAD, DEBITS, version)
    assert written.data is not None and not written.rejections
    root = etree.fromstring(written.data)
    ns = NS % version
    assert root.findtext(f".//{ns}GrpHdr/{ns}CtrlSum") == "4001.74"
    assert root.findtext(f".//{ns}GrpHdr/{ns}NbOfTxs") == "4"
    groups = [
        (g.findtext(f"{ns}PmtTpInf/{ns}LclInstrm/{ns}Cd"), g.findtext(f"{ns}ReqdColltnDt"),
         g.findtext(f"{ns}NbOfTxs"), g.findtext(f"{ns}CtrlSum"))
        for g in root.iter(f"{ns}PmtInf")
    ]  # fmt: skip
    assert groups == [
        ("CORE", "2026-03-31", "2", "3500.75"),
        ("CORE", "2026-04-30", "1", "500.00"),
        ("B2B", "2026-03-31", "1", "0.99"),
    ]
    names = [g.findtext(f"{ns}PmtInfId") for g in root.iter(f"{ns}PmtInf")]
    assert names == ["SALDO-SDD-0000001-001", "SALDO-SDD-0000001-002", "SALDO-SDD-0000001-003"]
    assert root.findtext(f".//{ns}Dbtr/{ns}Nm") == "Caffe Pero + Figli S.n.c."


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"iban": "IT05A9999501600000000000043"}, "collection_iban_invalid"),
        ({"iban": "it05a9999501600000000000042"}, "collection_iban_invalid"),
        ({"iban": ""}, "collection_iban_invalid"),
        ({"bic": "BADBIC"}, "collection_bic_invalid"),
        ({"mandate_id": ""}, "collection_mandate_invalid"),
        ({"mandate_id": "M" * 36}, "collection_mandate_invalid"),
        ({"mandate_id": "Però"}, "collection_mandate_invalid"),
        ({"mandate_date": date(2026, 3, 3)}, "collection_mandate_future"),
        ({"sequence": "NEXT"}, "collection_sequence_invalid"),
        ({"scheme": "COR1"}, "collection_scheme_invalid"),
        ({"collection_date": date(2026, 3, 2)}, "collection_day_invalid"),
        ({"collection_date": date(2026, 4, 3)}, "collection_day_invalid"),  # Good Friday: TARGET is closed
        ({"amount_cents": 0}, "collection_amount_invalid"),
        ({"amount_cents": 250_075.0}, "collection_amount_invalid"),
        ({"name": ""}, "collection_name_missing"),
        ({"text": "x" * 141}, "collection_text_too_long"),
        ({"text": " "}, "collection_reference_missing"),
        ({"end_to_end_id": "/42"}, "collection_reference_invalid"),
        ({"end_to_end_id": "R000000042"}, "collection_receipt_twice"),
    ],
)
def test_a_bad_debit_refuses_the_file(change: dict[str, Any], code: str) -> None:
    other = replace(DEBIT, end_to_end_id="R1")
    assert refused_debits([DEBIT, replace(other, **change)]) == [code]


def test_a_bad_creditor_refuses_the_file() -> None:
    head = replace(
        DEBITS_HEAD, iban="IT00A", bic="X", creditor_id="IT91ZZZ07770001018", name="", message_id=""
    )
    assert refused_debits([DEBIT], head) == ["collection_creditor_invalid"] * 5
    assert refused_debits([replace(DEBIT, collection_date=date(2026, 3, 4))]) == []
    head = replace(DEBITS_HEAD, lead_days=3)
    assert refused_debits([replace(DEBIT, collection_date=date(2026, 3, 4))], head) == [
        "collection_day_invalid"
    ]


def test_no_other_version() -> None:
    with pytest.raises(ValueError, match="02, 08"):
        write_sepa_debits(DEBITS_HEAD, DEBITS, "03")
