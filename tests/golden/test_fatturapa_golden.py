"""The JSON of ``saldo read`` for a lot with everything in it, kept in a file that people can review."""

from __future__ import annotations

import json
from pathlib import Path

from saldo.formats.detect import read_file
from tests.fatturapa_samples import body, invoice, payment, summary, withholding

GOLDEN = Path(__file__).parent / "fatturapa" / "lot.json"


def lot() -> bytes:
    days = "<DataRiferimentoTerminiPagamento>2026-01-31</DataRiferimentoTerminiPagamento>" \
           "<GiorniTerminiPagamento>60</GiorniTerminiPagamento>"  # fmt: skip
    return invoice(
        body(
            number="1/PA",
            summaries=summary("100.00", "22.00", "S"),
            general=withholding("20.00"),
            payments=payment("61.00", "2026-03-31", "MP12") + payment("61.00", extra=days),
        ),
        body(number="2", document_type="TD04", total=None, summaries=summary("10.00", "2.20")),
        body(number="3", payments=payment("1.220,00", "2026-03-31")),
        body(number="4", document_type="TD16"),
    ).encode()


def test_json_of_a_lot() -> None:
    assert read_file(lot(), "lot.xml").as_json("it") == json.loads(GOLDEN.read_text(encoding="utf-8"))
