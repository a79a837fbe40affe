"""Every public sample invoice is read, with totals and payments recomputed by another parser and path."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from decimal import Decimal
from pathlib import Path

import pytest

from saldo.formats.detect import read_file
from saldo.formats.receivables import frame_of

CORPUS = Path(__file__).resolve().parents[2].parent / "shared" / "corpora" / "fatturapa"
FILES = sorted(CORPUS.rglob("*.xml")) if CORPUS.is_dir() else []

pytestmark = pytest.mark.skipif(not FILES, reason="the sample invoices are not beside the repository")


def figures(body: ElementTree.Element) -> tuple[Decimal, list[tuple[str | None, Decimal]], Decimal, Decimal]:
    """(total, [(due date, amount)], split-payment VAT, withholding) straight from the elements."""

    def amount(element: ElementTree.Element, path: str) -> Decimal:
        return sum((Decimal(found.text or "0") for found in element.iterfind(path)), Decimal(0))

    stated = body.findtext(".//ImportoTotaleDocumento")
    lines = ".//DatiRiepilogo"
    computed = amount(body, f"{lines}/ImponibileImporto") + amount(body, f"{lines}/Imposta")
    split = sum(
        (Decimal(line.findtext("Imposta") or "0") for line in body.iterfind(lines)
         if line.findtext("EsigibilitaIVA") == "S"),
        Decimal(0),
    )  # fmt: skip
    payments = [
        (detail.findtext("DataScadenzaPagamento"), Decimal(detail.findtext("ImportoPagamento") or "0"))
        for detail in body.iterfind(".//DettaglioPagamento")
    ]
    return Decimal(stated) if stated else computed, payments, split, amount(body, ".//ImportoRitenuta")


@pytest.mark.parametrize("path", FILES, ids=lambda path: "/".join(path.parts[-2:]))
def test_totals_and_payments_agree_with_the_raw_elements(path: Path) -> None:
    result = read_file(path.read_bytes(), path.name)
    data = result.as_json("it")
    bodies = ElementTree.fromstring(path.read_bytes()).findall("FatturaElettronicaBody")
    assert data["format"] == "fatturapa"
    assert data["rejections"] == []
    assert len(data["invoices"]) == len(bodies) > 0
    for record, body in zip(data["invoices"], bodies, strict=True):
        total, payments, split, withholding = figures(body)
        assert record["number"] == body.findtext(".//DatiGeneraliDocumento/Numero")
        assert Decimal(record["total"]) == total
        parts = [(part["due_date"], Decimal(part["amount"])) for part in record["installments"]]
        # In these samples payments, where present, already state what the customer is to pay.
        cash = (
            sum((amount for _, amount in payments), Decimal(0)) if payments else total - split - withholding
        )
        assert parts == (payments or [(None, cash)])
        assert Decimal(record["expected_cash"]) == cash
    frame = frame_of(result.invoices)
    net = (frame["amount_mills"] - frame["split_vat_mills"] - frame["withholding_mills"]).sum()
    signs = [-1 if record.kind == "credit_note" else 1 for record in result.invoices]
    assert net == sum(
        sign * record.expected_cash_mills for sign, record in zip(signs, result.invoices, strict=True)
    )


def test_cut_samples_are_never_accepted() -> None:
    for path in FILES[::6]:
        whole = path.read_bytes().rstrip()
        for cut in range(max(len(whole) - 400, 1), len(whole), 9):
            assert not read_file(whole[:cut], path.name).invoices, (path.name, cut)
