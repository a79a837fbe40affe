"""CBI account statements: samples are built field by field from the positions of the manual."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saldo.formats._fixed import lines_of
from saldo.formats.cbi_rh import read_cbi_rh
from saldo.formats.detect import detect_kind, read_file

SUPPORT = "RH20260131-0001"
PLACES = dict[int, str]


def record(kind: str, fields: PLACES) -> str:
    """A record of 120 characters; fields: first position -> text."""
    text = list(f" {kind}".ljust(120))
    for first, value in fields.items():
        text[first - 1 : first - 1 + len(value)] = value
    assert len(text) == 120
    return "".join(text)


HEAD = {4: "03069", 9: "AB123", 14: "310126", 20: SUPPORT}


def opening(amount: str = "000000001000,00", sign: str = "C", number: str = "0000001", **more: str) -> str:
    return record("61", {
        4: number, 24: "03069", 29: "93001", 34: "SALDO", 50: "CC", 52: "X", 53: "05428", 58: "11101",
        63: "000000123456", 75: "EUR", 78: "300126", 84: sign, 85: amount, 100: "IT",
        102: more.get("check", "60"),
    })  # fmt: skip


def line(amount: str, sign: str = "C", number: str = "001", **more: str) -> str:
    return record("62", {
        4: "0000001", 11: number, 14: more.get("value", "020226"), 20: more.get("booking", "310126"),
        26: sign, 27: amount, 42: more.get("code", "48"), 44: "Z1", 46: more.get("check", ""),
        62: "RIF-BANCA-77", 78: more.get("kind", ""), 87: more.get("text", "BONIFICO A VOSTRO FAVORE"),
    })  # fmt: skip


def text(content: str, number: str = "001") -> str:
    return record("63", {4: "0000001", 11: number, 14: content})


def closing(amount: str, sign: str = "C", day: str = "310126", currency: str = "EUR") -> str:
    return record("64", {4: "0000001", 11: currency, 14: day, 20: sign, 21: amount, 36: sign, 37: amount})


def flow(*body: str, statements: int = 1, records: int | None = None, head: PLACES = HEAD) -> list[str]:
    count = len(body) + 2 if records is None else records
    tail = record("EF", head | {46: f"{statements:07d}", 83: f"{count:07d}"})
    return [record("RH", head), *body, tail]


def data(lines: list[str], end: str = "\r\n", encoding: str = "windows-1252") -> bytes:
    return "".join(one + end for one in lines).encode(encoding)


STRUCTURED = [
    text("YYY31012026RSSMRA80A01H501UFERRAMENTA PROVA DI ROSSI MARIO         SAN PROVA (RM)"),
    text("YY2" + "VIA DELLE PROVE 1".ljust(50) + "IT60X0542811101000000999999"),
    text("ID1" + "MSG-2026-1".ljust(35) + "E2E-4711"),
    text("RI1" + "PAGAMENTO FATTURE 101/2026 E 102/2026".ljust(102) + "12"),
    text("RI2" + "3/2026 E SALUTI"),
    text("KKK" + "CODICE-UNIVOCO"),
    text("ZZ1" + "USD000001000,00"),
]
GOOD = flow(
    opening(),
    line("000000004377,96"),
    *STRUCTURED,
    line(
        "000000000077,9", sign="D", number="002", code="37", text="RIBA INSOLUTA CONTINUA QUI DI SEGUI"[:34]
    ),
    text("ITO LA DESCRIZIONE", number="002"),
    text("FATTURA 55/2025", number="002"),
    closing("000000005300,06"),
    record(
        "65", {11: "010226", 17: "C", 18: "000000005300,06", 33: "150226", 39: "D", 40: "000000000200,00"}
    ),
)


def codes(result: object) -> list[str]:
    return [one.code for one in result.rejections]  # type: ignore[attr-defined]


def test_every_field() -> None:
    result = read_cbi_rh(data(GOOD))
    assert result.format == "cbi-rh" and result.rejections == ()
    (statement,) = result.statements
    assert statement.kind == "booked" and not statement.is_quarantined and statement.notices == ()
    assert (statement.account, statement.currency) == ("IT60X0542811101000000123456", "EUR")
    assert (statement.number, statement.sequence, statement.position) == (SUPPORT, "0000001", 1)
    assert (statement.opening_mills, statement.opening_date) == (1_000_000, date(2026, 1, 30))
    assert (statement.closing_mills, statement.closing_date) == (5_300_060, date(2026, 1, 31))
    assert (statement.from_date, statement.to_date) == (date(2026, 1, 30), date(2026, 1, 31))
    assert statement.difference_mills == 0
    assert [(one.code, one.amount_mills, one.balance_date) for one in statement.balances] == [
        ("61", 1_000_000, date(2026, 1, 30)),
        ("64", 5_300_060, date(2026, 1, 31)),
        ("64L", 5_300_060, date(2026, 1, 31)),
        ("65", 5_300_060, date(2026, 2, 1)),
        ("65", -200_000, date(2026, 2, 15)),
    ]
    first, second = statement.transactions
    assert (first.ordinal, first.entry, first.entry_size, first.status) == (1, 1, 1, "BOOK")
    assert (first.amount_mills, first.currency, first.code) == (4_377_960, "EUR", "48")
    assert (first.value_date, first.booking_date) == (date(2026, 2, 2), date(2026, 1, 31))
    assert (first.bank_reference, first.customer_reference) == ("RIF-BANCA-77", None)
    assert (first.end_to_end_id, first.transaction_id) == ("E2E-4711", "MSG-2026-1")
    assert first.counterparty_name == "FERRAMENTA PROVA DI ROSSI MARIO"
    assert first.counterparty_iban == "IT60X0542811101000000999999"
    assert first.counterparty_tax_code == "RSSMRA80A01H501U"
    # RI1 is filled to its last position: RI2 goes on within the number.
    assert first.remittance_text == "PAGAMENTO FATTURE 101/2026 E 102/2026 123/2026 E SALUTI"
    assert dict(first.fields) == {
        "internal_code": "Z1", "description": "BONIFICO A VOSTRO FAVORE", "order_date": "31012026",
        "counterparty_place": "SAN PROVA (RM)", "counterparty_address": "VIA DELLE PROVE 1",
        "KKK": "CODICE-UNIVOCO", "ZZ1": "USD000001000,00",
    }  # fmt: skip
    assert (second.amount_mills, second.code, second.entry) == (-77_900, "37", 2)
    assert second.remittance_text == "RIBA INSOLUTA CONTINUA QUI DI SEGUITO LA DESCRIZIONE FATTURA 55/2025"
    assert statement.as_json()["transactions"][1]["amount"] == "-77.90"


def test_order_of_dates_reference_and_signs() -> None:
    body = [
        opening("000000000010,00", sign="D"),
        line("000000000010,00", kind="NPROT", text="PROT-9", check="0000000000001234"),
        closing("000000000000,00", sign=" "),
    ]
    (statement,) = read_cbi_rh(data(flow(*body)), booking_first=True).statements
    (only,) = statement.transactions
    assert (only.booking_date, only.value_date) == (date(2026, 2, 2), date(2026, 1, 31))
    assert (only.customer_reference, only.fields["check_number"]) == ("PROT-9", "0000000000001234")
    assert (statement.opening_mills, statement.closing_mills, statement.is_quarantined) == (-10_000, 0, False)


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", ""])
def test_line_ends(end: str) -> None:
    assert read_cbi_rh(data(GOOD, end)) == read_cbi_rh(data(GOOD))


def test_stripped_blanks_and_padding() -> None:
    stripped = "\n".join(one.rstrip() for one in GOOD).strip().encode() + b"\x1a"
    assert detect_kind(stripped) == "cbi-rh"
    assert read_cbi_rh(stripped).statements == read_cbi_rh(data(GOOD)).statements


def test_accents_in_each_encoding() -> None:
    body = [
        opening(),
        line("000000001,00"),
        text("YYY" + " " * 24 + "CAFFÈ PERÙ"),
        closing("000000001001,00"),
    ]
    lines = flow(*body)
    by_bytes = b"".join(
        one.encode()[:120].ljust(120) + b"\r\n" for one in (piece.rstrip() for piece in lines)
    )
    for written in (data(lines), data(lines, encoding="utf-8"), data(lines, "", "utf-8"), by_bytes):
        result = read_cbi_rh(written)
        assert result.rejections == ()
        assert result.statements[0].transactions[0].counterparty_name == "CAFFÈ PERÙ"


def test_account_without_check_digits_and_with_wrong_ones() -> None:
    def account(check: str) -> tuple[str, list[str]]:
        (one,) = read_cbi_rh(data(flow(opening(check=check), closing("000000001000,00")))).statements
        return one.account, [notice.code for notice in one.notices]

    assert account("  ") == ("IT60X0542811101000000123456", [])
    assert account("61") == ("05428/11101/000000123456", ["cbi_bad_iban"])


def test_lines_that_do_not_add_up() -> None:
    lines = flow(opening(), line("000000000001,00"), closing("000000001002,00"))
    (statement,) = read_cbi_rh(data(lines)).statements
    assert statement.is_quarantined and statement.difference_mills == 1_000
    (notice,) = statement.notices
    assert notice.code == "bank_statement_unbalanced"
    assert "1002.00" in notice.why("en") and "1.00" in notice.why("en")


def test_a_doubled_line_is_seen_twice() -> None:
    twice = [*GOOD[:3], GOOD[2], *GOOD[3:]]
    result = read_cbi_rh(data(twice))
    assert codes(result) == ["cbi_wrong_records"]
    assert result.statements[0].is_quarantined
    assert {one.code for one in result.statements[0].notices} == {
        "cbi_flow_not_whole",
        "bank_statement_unbalanced",
    }


def test_a_doubled_flow_is_read_once() -> None:
    result = read_cbi_rh(data(GOOD + GOOD))
    assert len(result.statements) == 1 and not result.statements[0].is_quarantined
    assert codes(result) == ["cbi_flow_twice"]


def test_cut_between_two_statements() -> None:
    second = [opening("000000000000,00", number="0000002"), closing("000000000000,00")]
    whole = flow(opening(), line("000000000001,00"), closing("000000001001,00"), *second, statements=2)
    assert [one.is_quarantined for one in read_cbi_rh(data(whole)).statements] == [False, False]
    cut = read_cbi_rh(data(whole[:4]))
    assert codes(cut) == ["cbi_flow_cut"] and cut.statements[0].is_quarantined
    missing = read_cbi_rh(data([*whole[:4], whole[-1]]))
    assert codes(missing) == ["cbi_wrong_count", "cbi_wrong_records"]
    assert missing.statements[0].is_quarantined
    before_closing = read_cbi_rh(data(whole[:3]))
    assert codes(before_closing) == ["cbi_flow_cut", "cbi_statement_cut"]
    assert before_closing.statements[0].closing_mills is None and before_closing.statements[0].is_quarantined


def test_the_next_flow_is_read_after_a_cut_one() -> None:
    result = read_cbi_rh(data(GOOD[:3] + GOOD))
    assert [one.is_quarantined for one in result.statements] == [True, False]


@pytest.mark.parametrize(
    ("bad", "code", "first"),
    [
        (line("000000000001.00"), "cbi_bad_amount", 27),
        (line("000000000000100"), "cbi_bad_amount", 27),
        (line("000000000001,00", booking="310226"), "cbi_bad_date", 20),
        (line("000000000001,00", booking="      "), "cbi_bad_date", 20),
        (line("000000000001,00", sign="X"), "cbi_bad_sign", 26),
    ],
)
def test_a_bad_field_costs_its_line_only(bad: str, code: str, first: int) -> None:
    good = line("000000000005,00", number="002")
    result = read_cbi_rh(data(flow(opening(), bad, good, closing("000000001006,00"))))
    (rejection,) = result.rejections
    assert (rejection.code, rejection.row, rejection.params["first"]) == (code, 3, first)
    (statement,) = result.statements
    assert [one.amount_mills for one in statement.transactions] == [5_000] and statement.is_quarantined


def test_records_out_of_place_and_between_flows() -> None:
    orphan = text("TESTO DI UN ALTRO MOVIMENTO", number="009")
    result = read_cbi_rh(data(flow(opening(), line("000000000001,00"), orphan, closing("000000001001,00"))))
    assert codes(result) == ["cbi_record_misplaced"] and result.statements[0].is_quarantined
    unknown = record("99", {4: "0000001"})
    result = read_cbi_rh(data(flow(opening(), unknown, closing("000000001000,00"))))
    assert codes(result) == ["cbi_record_misplaced"] and result.statements[0].is_quarantined
    result = read_cbi_rh(data([*GOOD, line("000000000001,00"), line("000000000001,00")]))
    (stray,) = result.rejections
    assert (stray.code, stray.params["records"], stray.row) == ("cbi_outside_flow", 2, len(GOOD) + 1)
    assert not result.statements[0].is_quarantined


def test_a_line_too_long_quarantines() -> None:
    lines = flow(opening(), line("000000000001,00"), closing("000000001001,00"))
    lines[2] += "X"
    result = read_cbi_rh(data(lines))
    assert codes(result) == ["cbi_line_too_long", "cbi_wrong_records"]
    assert result.statements[0].is_quarantined


def test_other_trailer_and_other_currency() -> None:
    lines = flow(opening(), closing("000000001000,00", currency="USD"))
    lines[-1] = lines[-1].replace("AB123", "ZZ999")
    result = read_cbi_rh(data(lines))
    assert codes(result) == ["cbi_currency_differs", "cbi_trailer_differs"]
    assert result.statements[0].is_quarantined


def test_a_statement_of_no_account() -> None:
    nameless = opening()[:51] + " " * 23 + opening()[74:]
    (statement,) = read_cbi_rh(data(flow(nameless, closing("000000001000,00")))).statements
    assert statement.account == "" and statement.is_quarantined


def test_detected_by_content_and_read() -> None:
    assert detect_kind(data(GOOD), "a.txt") == "cbi-rh"
    periodic = [one.replace(" RH", " EC", 1) if one.startswith(" RH") else one for one in GOOD]
    assert detect_kind(data(periodic), "a.csv") == "cbi-rh"
    assert read_file(data(periodic), "a").statements[0].transactions
    assert codes(read_cbi_rh(b"nothing of the kind")) == ["cbi_no_flow"]


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=400))
def test_never_raises(junk: bytes) -> None:
    read_cbi_rh(junk).as_json("it")
    head = data(GOOD)
    read_cbi_rh(head[: len(junk) * 5] + junk + head[len(junk) * 5 :]).as_json("en")


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 120 * len(GOOD)), st.sampled_from(["\r\n", ""]))
def test_cut_anywhere_is_never_whole(at: int, end: str) -> None:
    """Only the blanks after the trailer's last field may be missing."""
    whole = data(GOOD, end)
    last_field = len(whole) - len(end) - 120 + 89
    cut = whole[: min(at, last_field - 1)]
    result = read_cbi_rh(cut)
    assert result.rejections
    assert all(statement.is_quarantined for statement in result.statements)


@settings(deadline=None, max_examples=60)
@given(st.text(alphabet=st.characters(blacklist_categories=("Cs",)), max_size=300))
def test_lines_lose_no_text(content: str) -> None:
    """Every visible character is in a record or in a refused line."""
    lines, rejections = lines_of(content.encode())
    if any(one.code == "cbi_line_too_long" for one in rejections):
        return
    visible = [c for c in content if c.isascii() and c.isalnum()]
    read = [c for one in lines for c in one.text if c.isascii() and c.isalnum()]
    assert read == visible
