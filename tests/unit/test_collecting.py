"""Receipts and debits: what a line is, which slip a text names, when money is safe."""

from __future__ import annotations

from datetime import date

import pytest

from saldo.core.collecting import (
    CollectionRules,
    LineMarks,
    line_marks,
    method_kind,
    names_batch,
    names_number,
    receipt_key,
    retry_advice,
    return_outcome,
)


@pytest.mark.parametrize(
    ("line", "marks"),
    [
        ((1000, "30", "ACCREDITO DISTINTA EFFETTI", "", False), LineMarks("credit", "riba", True)),
        ((1000, "PMNT/DRFT/STAM", "", "", False), LineMarks("credit", "riba", True)),
        ((1000, "PMNT/IDDT/ESDD", "", "", True), LineMarks("credit", "sdd", True)),
        ((1000, "NMSC", "ACCREDITO RI.BA. SBF", "", False), LineMarks("credit", "riba", False)),
        # A customer's transfer may speak of receipts.
        ((1000, "48", "PAGAMENTO RIBA SCADUTA FATT 12", "", True), LineMarks("", "riba", False)),
        ((1000, "48", "SALDO FATTURA 12", "", True), LineMarks("", "", False)),
        ((-1000, "37", "EFFETTI", "", False), LineMarks("return", "riba", True)),
        ((-1000, "PMNT/IDDT/UPDD", "", "AM04", True), LineMarks("return", "sdd", True)),
        ((-1000, "NMSC", "INSOLUTO RIBA FATT. 7", "", False), LineMarks("return", "riba", False)),
        ((-1000, "26", "STORNO FATTURA FORNITORE", "", True), LineMarks("", "", False)),
        ((-650, "16", "COMMISSIONI SU INSOLUTO", "", False), LineMarks("fee", "", False)),
        ((-650, "16", "COMMISSIONI TENUTA CONTO", "", False), LineMarks("", "", False)),
        ((-1000, "26", "BONIFICO A FORNITORE", "", True), LineMarks("", "", False)),
    ],
)
def test_what_a_line_is(line: tuple[int, str, str, str, bool], marks: LineMarks) -> None:
    assert line_marks(*line) == marks


@pytest.mark.parametrize(
    ("text", "number", "named"),
    [
        ("RIBA DISTINTA 000029 N. 87", "RB2401020000000029", True),
        ("RIBA DISTINTA 000030 N. 87", "RB2401020000000029", False),
        ("ACCREDITO SALDO-0000000007", "SALDO-0000000007", True),
        ("ACCREDITO EFFETTI SBF", "RB2401020000000029", None),
        ("DISTINTA N. 12", "RB2401020000000029", None),
        ("DISTINTA 0000", "RB-X", False),
    ],
)
def test_which_slip_a_text_names(text: str, number: str, named: bool | None) -> None:
    assert names_batch(text, number) is named


def test_money_is_safe_after_its_days() -> None:
    rules, due = CollectionRules(), date(2026, 3, 31)
    # Easter 2026: Good Friday and Monday are no banking days.
    assert rules.safe_date("riba", "", due) == date(2026, 4, 16)
    assert rules.safe_date("sdd", "B2B", due) == date(2026, 4, 7)
    assert rules.safe_date("sdd", "CORE", due) == date(2026, 5, 26)
    stored = CollectionRules.of({"riba_safe_days": 1, "no_such_rule": 3})
    assert stored.safe_date("riba", "", due) == date(2026, 4, 1) and stored.core_safe_days == 56


def test_what_may_be_tried_again() -> None:
    assert {retry_advice(code) for code in ("AM04", "MS03", "AM05")} == {"later"}
    assert {retry_advice(code) for code in ("AC04", "MD01", "MD07", "AC01", "FRAD")} == {"never"}
    assert retry_advice("30010") == retry_advice("XX99") == "ask"
    assert return_outcome("sdd", "AM04", 3) == "unpaid" and return_outcome("sdd", "MD06", 3) == "refunded"
    assert return_outcome("sdd", "MS02", 42) == "refunded" and return_outcome("riba", "30010", 42) == "unpaid"


def test_methods_and_keys() -> None:
    assert [method_kind(word) for word in ("MP12", "RB", "Ri.Ba.", "RB30")] == ["riba"] * 4
    assert [method_kind(word) for word in ("MP19", "MP20", "MP21", "SDD CORE", "RID")] == ["sdd"] * 5
    assert [method_kind(word) for word in ("", "MP05", "BB")] == [""] * 3
    assert receipt_key("R000000015") == receipt_key("0000000015") == "15"
    assert receipt_key("abc") == "ABC" and receipt_key("000") != receipt_key("")
    assert names_number("FATT. 5938/25 DEL 25/09/2025 RATA 1", "5938/25")
    assert not names_number("FATT. 5938/25 DEL 25/09/2025", "938/25")
