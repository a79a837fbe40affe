"""The bank's files as they were reviewed: a slip of receipts and a file of direct debits."""

from __future__ import annotations

from pathlib import Path

import pytest

from saldo.formats.riba_slip import write_riba_slip
from saldo.formats.sepa_debit import write_sepa_debits
from tests.collection_samples import DEBITS, DEBITS_HEAD, RECEIPTS, SLIP

FOLDER = Path(__file__).parent / "collections"


def test_slip_of_receipts() -> None:
    assert write_riba_slip(SLIP, RECEIPTS).data == (FOLDER / "slip.txt").read_bytes()


@pytest.mark.parametrize("version", ["02", "08"])
def test_direct_debits(version: str) -> None:
    expected = (FOLDER / f"debits_{version}.xml").read_bytes()
    assert write_sepa_debits(DEBITS_HEAD, DEBITS, version).data == expected
