"""RiBa flows: samples are built field by field from the positions of the manual."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saldo.core.errors import SaldoError
from saldo.formats.bank_records import CollectionFlow
from saldo.formats.cbi_riba import default_causes, parse_causes, read_cbi_riba
from saldo.formats.detect import detect_kind, read_file
from saldo.formats.records import ReadResult

SENDER_BANK, DEBTOR_BANK = ("05428", "11101"), ("03069", "01600")
HEAD = {4: "AB123", 9: "05428", 14: "150126", 20: "RIBA-20260115-01", 114: "E"}


def record(kind: str, fields: dict[int, str]) -> str:
    """A record of 120 characters; fields: first position -> text."""
    text = list(f" {kind}".ljust(120))
    for first, value in fields.items():
        text[first - 1 : first - 1 + len(value)] = value
    assert len(text) == 120
    return "".join(text)


def receipt(
    ordinal: int, cents: int, cause: str = "30000", due: str = "310326", number: str = ""
) -> list[str]:
    """The seven records of one receipt; in an outcome the two banks change places."""
    near, far = (SENDER_BANK, DEBTOR_BANK) if cause == "30000" else (DEBTOR_BANK, SENDER_BANK)
    own = {4: f"{ordinal:07d}"}
    return [
        record("14", own | {
            23: due, 29: cause, 34: f"{cents:013d}", 47: "-", 48: near[0], 53: near[1], 58: "000000123456",
            70: far[0], 75: far[1], 92: "AB123", 97: "4", 98: f"C{ordinal:04d}", 120: "E",
        }),
        record("20", own | {11: "SALDO PROVA SRL", 35: "VIA DELLE PROVE 1", 59: "00100 ROMA"}),
        record("30", own | {11: "OFFICINE MECCANICHE DEL NORD E", 41: "ST SRL", 71: "01234567897"}),
        record("40", own | {11: "VIA INVENTATA 2", 41: "20100", 46: "MILANO", 69: "MI", 71: "BANCA PROVA"}),
        record("50", own | {11: "FATT 101 DEL 15/01/2026 E FATT 102 DEL", 51: "16/01/2026"}),
        record("51", own | {11: number or f"{900 + ordinal:010d}", 21: "SALDO PROVA"}),
        record("70", own | {101: "CHIAVE"}),
    ]  # fmt: skip


def flow(*receipts: list[str], total: int | None = None, count: int | None = None, records: int | None = None,
         in_positives: bool = False) -> list[str]:  # fmt: skip
    body = [line for one in receipts for line in one]
    amount = sum(int(line[33:46]) for line in body if line[1:3] == "14") if total is None else total
    sums = (
        {53: f"{0:015d}", 68: f"{amount:015d}"} if in_positives else {53: f"{amount:015d}", 68: f"{0:015d}"}
    )
    tail = (
        HEAD
        | sums
        | {
            46: f"{len(receipts) if count is None else count:07d}",
            83: f"{len(body) + 2 if records is None else records:07d}",
        }
    )
    return [record("IB", HEAD | {105: "1"}), *body, record("EF", tail)]


def data(lines: list[str], end: str = "\r\n") -> bytes:
    return "".join(line + end for line in lines).encode("windows-1252")


PRESENTED = flow(receipt(1, 122_000), receipt(2, 99))
OUTCOMES = flow(receipt(1, 122_000, "30010"), receipt(2, 99, "30001"), receipt(3, 5_000, "30008"))


def codes(result: ReadResult) -> list[str]:
    return [one.code for one in result.rejections]


def only(result: ReadResult) -> CollectionFlow:
    (record,) = result.records
    assert isinstance(record, CollectionFlow)
    return record


def test_presented_every_field() -> None:
    result = read_cbi_riba(data(PRESENTED))
    assert result.format == "cbi-riba" and result.rejections == () and result.notices == ()
    found = only(result)
    assert (found.kind, found.sender, found.receiver) == ("riba-presented", "AB123", "05428")
    assert (found.created_date, found.name) == (date(2026, 1, 15), "RIBA-20260115-01")
    assert (found.total_mills, found.position, found.notices) == (1_220_990, 1, ())
    first, second = found.outcomes
    assert (first.ordinal, first.receipt, first.amount_mills) == (1, "0000000901", 1_220_000)
    assert (first.due_date, first.cause, first.outcome) == (date(2026, 3, 31), "30000", "presented")
    assert (first.debtor_code, first.debtor_tax_code) == ("C0001", "01234567897")
    assert first.debtor_name == "OFFICINE MECCANICHE DEL NORD EST SRL"
    assert first.debt_reference == "FATT 101 DEL 15/01/2026 E FATT 102 DEL 16/01/2026"
    assert (first.debtor_abi, first.debtor_cab) == DEBTOR_BANK
    assert (second.ordinal, second.amount_mills) == (2, 990)
    assert found.as_json()["outcomes"][1]["amount"] == "0.99"


def test_outcomes_take_the_other_bank_and_the_table_of_causes() -> None:
    found = only(read_cbi_riba(data(OUTCOMES)))
    assert found.kind == "riba-outcomes"
    assert [(one.cause, one.outcome) for one in found.outcomes] == [
        ("30010", "unpaid"), ("30001", "paid"), ("30008", "unknown"),
    ]  # fmt: skip
    assert {(one.debtor_abi, one.debtor_cab) for one in found.outcomes} == {DEBTOR_BANK}
    (notice,) = found.notices
    assert notice.code == "riba_cause_unknown" and "30008" in notice.why("it") and notice.row == 16
    own = parse_causes('[causes]\n30008 = "withdrawn"\n', "mine")
    told = only(read_cbi_riba(data(OUTCOMES), own))
    assert [one.outcome for one in told.outcomes] == ["unknown", "unknown", "withdrawn"]


def test_the_table_of_causes_is_checked() -> None:
    assert default_causes()["30010"] == "unpaid" and "30000" not in default_causes()
    for text in ("causes = 3", '[causes]\n30010 = "lost"', '[causes]\n30000 = "paid"', "[causes"):
        with pytest.raises(SaldoError):
            parse_causes(text, "mine")


@pytest.mark.parametrize("end", ["\n", "\r", ""])
def test_line_ends_and_stripped_blanks(end: str) -> None:
    assert read_cbi_riba(data(PRESENTED, end)) == read_cbi_riba(data(PRESENTED))
    stripped = "\n".join(line.rstrip() for line in PRESENTED).strip().encode()
    assert read_cbi_riba(stripped).records == read_cbi_riba(data(PRESENTED)).records


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (PRESENTED[:-1], ["cbi_flow_cut"]),
        (PRESENTED[:9], ["cbi_flow_cut"]),
        (flow(receipt(1, 100), total=101), ["riba_total_differs"]),
        (flow(receipt(1, 100), count=2), ["cbi_wrong_count"]),
        (flow(receipt(1, 100), records=10), ["cbi_wrong_records"]),
        ([*PRESENTED[:8], *PRESENTED[15:]], ["cbi_wrong_count", "cbi_wrong_records", "riba_total_differs"]),
        ([*PRESENTED[:8], *PRESENTED[1:8], *PRESENTED[8:]],
         ["cbi_wrong_count", "cbi_wrong_records", "riba_total_differs"]),
        (flow(receipt(1, 100), receipt(2, 100, "30010")), ["riba_flow_mixed"]),
    ],
)  # fmt: skip
def test_a_flow_that_is_not_whole_is_refused_whole(lines: list[str], expected: list[str]) -> None:
    result = read_cbi_riba(data(lines))
    assert result.records == () and codes(result) == expected
    held = sum(line[1:3] == "14" for line in lines)
    assert [one.code for one in result.notices] == ["riba_receipt_not_taken"] * held
    assert "2026-03-31" in result.notices[0].why("en")


def test_the_other_flow_of_the_file_is_taken() -> None:
    result = read_cbi_riba(data(PRESENTED[:5] + OUTCOMES))
    assert codes(result) == ["cbi_flow_cut"] and only(result).kind == "riba-outcomes"
    twice = read_cbi_riba(data(OUTCOMES + OUTCOMES))
    assert codes(twice) == ["cbi_flow_twice"] and len(only(twice).outcomes) == 3


def test_a_bad_receipt_costs_itself_only() -> None:
    result = read_cbi_riba(data(flow(receipt(1, 100, due="310226"), receipt(2, 200))))
    (rejection,) = result.rejections
    assert (rejection.code, rejection.row) == ("cbi_bad_date", 2)
    assert [one.receipt for one in only(result).outcomes] == ["0000000902"]
    assert only(result).total_mills == 3_000


def test_an_unreadable_amount_refuses_the_flow() -> None:
    lines = [line.replace("0000000122000", "00000001220OO") for line in PRESENTED]
    result = read_cbi_riba(data(lines))
    assert codes(result) == ["cbi_bad_amount", "riba_total_differs"] and result.records == ()


def test_a_record_of_another_receipt_is_not_mixed_in() -> None:
    """Two records swapped keep every total: only their numbers tell."""
    lines = list(PRESENTED)
    lines[3], lines[10] = lines[10], lines[3]
    result = read_cbi_riba(data(lines))
    assert codes(result) == ["cbi_record_misplaced"] * 2
    assert only(result).outcomes == ()


def test_short_outcomes_and_totals_in_the_positives() -> None:
    """A return flow may come without details, and with its sum among the positives."""
    bare = [one[:1] for one in (receipt(1, 100, "30010"), receipt(2, 200, "30001"))]
    found = only(read_cbi_riba(data(flow(*bare, in_positives=True))))
    assert [(one.receipt, one.amount_mills) for one in found.outcomes] == [(None, 1_000), (None, 2_000)]
    assert [one.code for one in found.notices] == ["riba_receipt_missing"]
    empty = only(read_cbi_riba(data(flow())))
    assert empty.outcomes == () and [one.code for one in empty.notices] == ["riba_flow_empty"]


def test_detected_by_content_and_read() -> None:
    assert detect_kind(data(PRESENTED), "riba.csv") == "cbi-riba"
    found = read_file(data(PRESENTED), "riba.txt")
    assert found.records == read_cbi_riba(data(PRESENTED)).records


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=400), st.integers(0, 2_000))
def test_never_raises(junk: bytes, at: int) -> None:
    read_cbi_riba(junk).as_json("it")
    whole = data(OUTCOMES)
    read_cbi_riba(whole[:at] + junk + whole[at:]).as_json("en")


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 120 * len(OUTCOMES)), st.sampled_from(["\r\n", ""]))
def test_cut_anywhere_takes_nothing(at: int, end: str) -> None:
    whole = data(OUTCOMES, end)
    last_field = len(whole) - len(end) - 120 + 89
    result = read_cbi_riba(whole[: min(at, last_field - 1)])
    assert result.records == () and result.rejections
