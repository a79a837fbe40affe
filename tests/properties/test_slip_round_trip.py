"""What a slip says is what was asked: write, read back, compare."""

from __future__ import annotations

from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from saldo.formats._plain import ascii_text
from saldo.formats.cbi_riba import PRESENTED, read_cbi_riba
from saldo.formats.riba_slip import MAX_CENTS, SlipReceipt, write_riba_slip
from tests.collection_samples import SLIP

words = st.text(min_size=1, max_size=90).filter(lambda text: any(c.isalnum() for c in ascii_text(text)))
digits = st.text("0123456789", min_size=5, max_size=5)
receipts = st.builds(
    SlipReceipt,
    receipt=st.integers(1, 10**10 - 1).map(str),
    due_date=st.dates(date(2000, 1, 1), date(2069, 12, 31)),
    amount_cents=st.integers(1, MAX_CENTS),
    debtor_name=words,
    debtor_tax_code=st.sampled_from(["07771000150", "07771010159", "RSSMRA80A01H501U"]),
    debtor_abi=digits,
    debtor_cab=digits,
    debtor_code=st.text("ABC0123456789/-", max_size=16),
    debt_reference=words.map(lambda text: ascii_text(text)[:80].strip() or "F"),
    debtor_city=words,
    debtor_address=words,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(receipts, min_size=1, max_size=6, unique_by=lambda one: one.receipt))
def test_a_slip_reads_back_equal(asked: list[SlipReceipt]) -> None:
    written = write_riba_slip(SLIP, asked)
    assert written.data is not None, written.rejections
    result = read_cbi_riba(written.data)
    (flow,) = result.records
    assert not result.rejections and not flow.notices
    assert (flow.kind, flow.sender, flow.receiver, flow.name) == (PRESENTED, SLIP.sia, SLIP.abi, SLIP.name)
    assert flow.created_date == SLIP.created_date and flow.total_mills == written.total_cents * 10
    for one, told in zip(asked, flow.outcomes, strict=True):
        assert int(told.receipt) == int(one.receipt)
        assert (told.due_date, told.amount_mills) == (one.due_date, one.amount_cents * 10)
        assert told.debtor_tax_code == one.debtor_tax_code and told.cause == "30000"
        assert (told.debtor_abi, told.debtor_cab) == (one.debtor_abi, one.debtor_cab)
        assert told.debtor_code == (ascii_text(one.debtor_code) or None)
        assert told.debtor_name == " ".join(ascii_text(one.debtor_name)[:60].split())
        assert told.debt_reference == ascii_text(one.debt_reference)
