"""Bank statements that are damaged or cut: never an exception, never fewer lines without a quarantine."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from saldo.formats.camt import read_camt
from saldo.formats.mt940 import read_mt940
from saldo.formats.records import ReadResult
from tests.bank_samples import IBAN, PAYER_IBAN, camt, entry, mt940, statement

BATCH = "<TxDtls><Amt Ccy='EUR'>6.00</Amt></TxDtls><TxDtls><Amt Ccy='EUR'>4.00</Amt></TxDtls>"
CAMT = camt(
    statement(entry("10.00", BATCH), entry("2.50", sign="DBIT"), closing="107.50"),
    statement(entry("1.00", status="PDNG"), entry("3.00"), closing="103.00"),
)
BOOKED = mt940(
    ":61:2602020202C10,00NTRFNONREF//B1",
    f":86:166?00GUTSCHRIFT?20EREF+E1?21SVWZ+Caffè 4711?31{PAYER_IBAN}?32MUSTERMANN",
    ":61:2602020202RC2,50NRTIR2",
    ":86:/EREF/E2/REMI/FT 1/2026",
    ":61:2602020202D7,50NTRFR3",
    closing="C260202EUR100,00",
)
INTRADAY = (
    f":20:R1\r\n:25:{IBAN}\r\n:28C:1/1\r\n:34F:EUR0,00\r\n:13D:2602021215+0100\r\n"
    ":61:2602020202C5,00NTRFR1\r\n:86:uno\r\n:61:2602020202C7,00NTRFR2\r\n"
)
TOTALS = ":90D:0EUR0,00\r\n:90C:2EUR12,00\r\n"
MT = [
    (BOOKED + mt940(":61:2602020202C0,05NTRF", closing="C260202EUR100,05")).encode(),
    (INTRADAY + TOTALS + "-\r\n").encode(),
    (INTRADAY + "-\r\n").encode("windows-1252"),
]

damage = st.lists(
    st.tuples(st.integers(min_value=0, max_value=10**6), st.binary(max_size=4)), min_size=1, max_size=6
)


def told(result: ReadResult) -> ReadResult:
    """The result, once all its texts could be made."""
    for language in ("it", "en"):
        result.as_json(language)
    return result


def sound_lines(result: ReadResult) -> dict[int, list[int]]:
    """Position of each statement that is not quarantined -> amounts of its lines."""
    return {
        found.position: [line.amount_mills for line in found.transactions]
        for found in result.statements
        if not found.is_quarantined
    }


def test_the_samples_are_sound() -> None:
    assert sound_lines(read_camt(CAMT)) == {1: [6_000, 4_000, -2_500], 2: [1_000, 3_000]}
    assert sound_lines(read_mt940(MT[0])) == {1: [10_000, -2_500, -7_500], 2: [50]}
    assert sound_lines(read_mt940(MT[1])) == sound_lines(read_mt940(MT[2])) == {1: [5_000, 7_000]}


@given(st.sampled_from([CAMT, *MT]), damage)
@settings(max_examples=300, deadline=None)
def test_damaged_statements(sample: bytes, changes: list[tuple[int, bytes]]) -> None:
    data = sample
    for place, replacement in changes:
        place %= len(data) + 1
        data = data[:place] + replacement + data[place + 1 :]
    for read in (read_camt, read_mt940):
        result = told(read(data))
        assert result.statements or result.rejections


@given(st.binary(max_size=400))
@settings(deadline=None)
def test_any_bytes(data: bytes) -> None:
    for read in (read_camt, read_mt940):
        result = told(read(data))
        assert result.statements or result.rejections


@given(st.sampled_from(MT), st.data())
@settings(max_examples=400, deadline=None)
def test_a_cut_mt940_never_loses_lines_in_silence(sample: bytes, data: st.DataObject) -> None:
    cut = data.draw(st.integers(min_value=0, max_value=len(sample)))
    whole = sound_lines(read_mt940(sample))
    for position, amounts in sound_lines(told(read_mt940(sample[:cut]))).items():
        assert amounts == whole[position]


@given(st.integers(min_value=0, max_value=len(CAMT) - 1))
@settings(deadline=None)
def test_a_cut_camt_is_refused_whole(cut: int) -> None:
    result = told(read_camt(CAMT[:cut]))
    assert not result.statements
    assert result.rejections


@given(st.lists(st.integers(min_value=-(10**12), max_value=10**12), max_size=8))
@settings(max_examples=100, deadline=None)
def test_amounts_written_are_amounts_read(mills: list[int]) -> None:
    def text(amount: int) -> str:
        return f"{abs(amount) // 1000},{abs(amount) % 1000:03}"

    lines = [f":61:2602020202{'C' if one >= 0 else 'D'}{text(one)}NTRFR{at}" for at, one in enumerate(mills)]
    total = sum(mills)
    written = mt940(
        *lines, opening="C260201EUR0,00", closing=f"{'C' if total >= 0 else 'D'}260202EUR{text(total)}"
    )
    (found,) = read_mt940(written.encode()).statements
    assert [line.amount_mills for line in found.transactions] == mills
    assert not found.is_quarantined
